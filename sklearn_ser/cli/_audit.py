"""``sklearn-ser audit``: the flaws of a corpus that make a score on it worthless."""

from pathlib import Path

from sklearn_ser.cli._corpora import load_one, mapping


def add_arguments(parser):
    parser.add_argument(
        "folder",
        nargs="+",
        metavar="DIR",
        help="a folder with a metadata.csv (columns file, speaker, emotion, and where known "
        "gender, text, recording), or that file, or NAME=DIR; several are also held against each "
        "other",
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        type=mapping,
        metavar="FROM=TO",
        help="count one emotion as another, such as calm=neutral; needed for labels that are "
        "not known",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the findings too, as .csv or .json"
    )
    parser.add_argument("--no-audio", action="store_true", help="look at the table only")
    parser.add_argument("--n-jobs", type=int, default=None, help="recordings at a time")


def run(options):
    from sklearn_ser.audit._corpus import audit_corpus
    from sklearn_ser.datasets import concat_corpora

    if options.out is not None and options.out.suffix not in (".csv", ".json"):
        raise ValueError(f"--out must end in .csv or .json, got {str(options.out)!r}")
    corpora = [_load(folder, options) for folder in options.folder]
    frame = corpora[0].frame if len(corpora) == 1 else concat_corpora(corpora).frame
    report = audit_corpus(
        frame,
        audio=None if options.no_audio else "file",
        n_jobs=options.n_jobs,
        verbose=int(not options.quiet),
    )
    print(report)
    if options.out is not None:
        (report.to_csv if options.out.suffix == ".csv" else report.to_json)(options.out)
    return 1 if report.has_errors else 0


def _load(text, options):
    name, equals, folder = text.partition("=")
    source, root = (name, folder) if equals and name and folder else (Path(text), None)
    # Copies that are marked are kept: what is audited is what lies there.
    return load_one(source, root, dict(options.map), options, drop_duplicates=False)
