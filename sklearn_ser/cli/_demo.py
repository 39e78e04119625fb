"""``sklearn-ser demo``: evaluation across corpora on packaged features, without downloads."""

import time
from pathlib import Path

from sklearn_ser.cli._options import add_seeds_argument, choose_aux, create_folder
from sklearn_ser.cli._output import say


def add_arguments(parser):
    parser.add_argument(
        "--out", type=Path, default=Path("sklearn-ser-demo"), help="folder for the table and plots"
    )
    add_seeds_argument(parser)
    parser.set_defaults(aux=None)
    parser.add_argument(
        "--n-jobs", type=int, default=2, help="number of parallel folds (default: 2)"
    )


def run(options):
    from sklearn_ser.cli._comparison import make_ablation, show_result
    from sklearn_ser.datasets import load_features
    from sklearn_ser.evaluation import cross_corpus_validate

    started = time.monotonic()
    create_folder(options.out)
    data = load_features("ge2e")
    corpora = sorted(data.frame["corpus"].unique())
    say(
        options,
        f"Which model generalizes to an unseen corpus? {len(data.frame)} utterances of "
        f"{', '.join(corpora)}; features: GE2E speaker embeddings, {data.X.shape[1]} numbers each.",
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
