"""``sklearn-ser evaluate``: evaluation of models across folders of emotional speech."""

from pathlib import Path

from sklearn_ser.cli._options import (
    add_corpus_arguments,
    add_seeds_argument,
    choose_aux,
    create_folder,
    load_corpora,
    recipe_settings,
)
from sklearn_ser.cli._output import say, show


def add_arguments(parser):
    from sklearn_ser.evaluation import PROTOCOLS

    add_corpus_arguments(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for table, plots and finished folds"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0])
    add_seeds_argument(parser)
    parser.add_argument(
        "--audit", action="store_true", help="also check the data for flaws, for the report"
    )


def run(options):
    from sklearn_ser.audit import audit_corpus
    from sklearn_ser.cli._comparison import make_ablation, show_result
    from sklearn_ser.evaluation import cross_corpus_validate
    from sklearn_ser.evaluation._protocols import make_folds
    from sklearn_ser.utils._unlabeled import labeled_rows

    create_folder(options.out)
    corpus = load_corpora(options)
    frame = corpus.frame[labeled_rows(corpus.frame["emotion"])].reset_index(drop=True)
    aux = choose_aux(options, frame)
    ids = {name: frame[name].to_numpy() for name in ("corpus", "speaker")}
    folds = make_folds(options.protocol, y=frame["emotion"].to_numpy(), **ids)
    n_speakers = min(len(set(ids["speaker"][fold.train])) for fold in folds)
    result = cross_corpus_validate(
        make_ablation(aux, cv=min(5, n_speakers), **recipe_settings(options)),
        frame,
        aux=aux,
        labels=sorted(frame["emotion"].unique()),
        protocol=options.protocol,
        seeds=range(options.seeds),
        n_jobs=options.n_jobs,
        out=options.out,
        verbose=not options.quiet,
    )
    audit = None
    if options.audit:
        audit = audit_corpus(frame, aux=aux, n_jobs=options.n_jobs, verbose=not options.quiet)
    written = show_result(result, options.out, data=str(corpus.describe()), audit=audit)
    if audit is not None:
        show(audit)
    say(options, f"written: {', '.join(map(str, written))}")
    return 0
