"""``sklearn-ser demo``: the main job on packaged features, no audio and no download needed."""

import time
from pathlib import Path

from sklearn_ser.cli._corpora import choose_aux, positive, say, writable_folder


def add_arguments(parser):
    parser.add_argument(
        "--out", type=Path, default=Path("sklearn-ser-demo"), help="folder for table and plots"
    )
    parser.add_argument("--seeds", type=positive, default=3, help="seeds of the nets (default: 3)")
    parser.set_defaults(aux=None)
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at once (default: 2)")


def run(options):
    from sklearn_ser.cli._models import make_ablation
    from sklearn_ser.cli._outputs import show_result
    from sklearn_ser.datasets import load_features
    from sklearn_ser.evaluation import cross_corpus_validate

    started = time.monotonic()
    writable_folder(options.out)
    data = load_features("ge2e")
    corpora = sorted(data.frame["corpus"].unique())
    say(
        options,
        f"Which model works on a corpus that it has never heard? {len(data.frame)} utterances of "
        f"{', '.join(corpora)}; features: GE2E speaker embedding, {data.X.shape[1]} numbers each.",
    )
    aux = choose_aux(options, data.frame)
    result = cross_corpus_validate(
        make_ablation(aux, features=None),
        data.frame,
        X=data.X,
        aux=aux,
        seeds=range(options.seeds),
        n_jobs=options.n_jobs,
        out=options.out,
        verbose=not options.quiet,
    )
    written = show_result(result, options.out)
    say(options, f"{time.monotonic() - started:.0f} s; written: {', '.join(map(str, written))}")
    return 0
