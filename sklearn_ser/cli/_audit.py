"""``sklearn-ser audit``: checks of corpora for flaws that invalidate scores."""

from pathlib import Path

from sklearn_ser.cli._options import (
    CORPUS_HELP,
    add_map_argument,
    add_pattern_argument,
    corpus_source,
    load_one,
)
from sklearn_ser.cli._output import show


def add_arguments(parser):
    parser.add_argument(
        "folder",
        nargs="*",
        type=corpus_source,
        default=[],
        metavar="CORPUS",
        help=f"{CORPUS_HELP}; several corpora are also compared with each other",
    )
    parser.add_argument(
        "--corpus",
        action="append",
        type=corpus_source,
        default=[],
        metavar="CORPUS",
        help="a further corpus, as in the other subcommands",
    )
    add_pattern_argument(parser)
    add_map_argument(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the findings to a .csv or .json file"
    )
    parser.add_argument("--no-audio", action="store_true", help="check the table only")
    parser.add_argument("--n-jobs", type=int, default=None, help="number of recordings in parallel")


def run(options):
    from sklearn_ser.audit import audit_corpus
    from sklearn_ser.datasets import concat_corpora

    if options.out is not None and options.out.suffix not in (".csv", ".json"):
        raise ValueError(f"--out must end in .csv or .json, got {str(options.out)!r}")
    sources = [*options.folder, *options.corpus]
    if not sources:
        raise ValueError("no corpus is given: expected DIR, NAME=DIR or --pattern PATTERN")
    # Known duplicates are audited as well.
    corpora = [
        load_one(source, root, dict(options.map), options, drop_duplicates=False, name=name)
        for source, root, name in sources
    ]
    frame = corpora[0].frame if len(corpora) == 1 else concat_corpora(corpora).frame
    report = audit_corpus(
        frame,
        audio=None if options.no_audio else "file",
        n_jobs=options.n_jobs,
        verbose=int(not options.quiet),
    )
    if options.out is not None:
        (report.to_csv if options.out.suffix == ".csv" else report.to_json)(options.out)
    show(report)
    return 1 if report.has_errors else 0
