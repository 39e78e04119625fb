"""``sklearn-ser evaluate``: from folders of emotional speech to an honest table."""

from pathlib import Path

from sklearn_ser.cli._corpora import (
    add_corpus_arguments,
    load_corpora,
    recipe_settings,
    say,
    usable_aux,
)


def add_arguments(parser):
    from sklearn_ser.evaluation import PROTOCOLS

    add_corpus_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for table, plots, folds")
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0])
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the nets (default: 3)")


def run(options):
    from sklearn_ser.cli._models import make_ablation
    from sklearn_ser.cli._outputs import show_result
    from sklearn_ser.evaluation import cross_corpus_validate

    corpus = load_corpora(options)
    aux, said = usable_aux(corpus.frame, options.aux)
    for sentence in said:
        say(options, sentence)
    result = cross_corpus_validate(
        make_ablation(aux, **recipe_settings(options)),
        corpus.frame,
        aux=aux,
        labels=sorted(corpus.frame["emotion"].unique()),
        protocol=options.protocol,
        seeds=range(options.seeds),
        n_jobs=options.n_jobs,
        out=options.out,
        verbose=not options.quiet,
    )
    written = show_result(result, options.out)
    say(options, f"written: {', '.join(map(str, written))}")
    return 0
