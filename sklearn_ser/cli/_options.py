"""Options shared by subcommands: parsing, and the corpora, targets and settings they define."""

import argparse
import warnings
from pathlib import Path

from sklearn_ser.cli._output import say
from sklearn_ser.exceptions import CorpusError, CorpusWarning
from sklearn_ser.utils._ids import ID_COLUMNS

AUX = ("gender", "naturalness")
FEATURES = ("ge2e", "egemaps", "both")
CORPUS_HELP = (
    "a corpus: DIR, a known corpus in its original layout or a folder with a metadata.csv; "
    "NAME=DIR, the same with the name that 'sklearn-ser corpora' lists, or any other for a folder "
    "with a metadata.csv; or such a table itself"
)


def add_seeds_argument(parser):
    parser.add_argument(
        "--seeds",
        type=_positive_integer,
        default=3,
        help="number of seeds of the networks (default: 3)",
    )


def add_corpus_arguments(parser):
    """Add the options that define data, features and targets."""
    parser.add_argument(
        "--corpus",
        action="append",
        default=[],
        type=corpus_source,
        metavar="CORPUS",
        help=f"{CORPUS_HELP}; repeat the option for each corpus",
    )
    add_pattern_argument(parser)
    parser.add_argument(
        "--features", choices=FEATURES, default="ge2e", help="utterance features (default: ge2e)"
    )
    parser.add_argument(
        "--aux",
        type=_words,
        metavar="A,B",
        help="auxiliary targets, columns of metadata.csv (default: gender and naturalness, if "
        "known; '' for none)",
    )
    parser.add_argument(
        "--labels",
        type=_words,
        metavar="A,B",
        help="fixed set of emotions (default: those that all corpora have in common)",
    )
    add_map_argument(parser)
    parser.add_argument(
        "--scale-by",
        type=_ids,
        default=("corpus",),
        metavar="A,B",
        help="standardize within corpus (default), within 'speaker', within 'corpus,speaker' "
        "(speakers are shrunk towards their corpus), or over all training data ('')",
    )
    parser.add_argument(
        "--on-error",
        choices=("raise", "warn"),
        default="warn",
        help="recordings that cannot be used: stop, or leave them out with a warning (default)",
    )
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="folder of a feature store, so that no recording is extracted twice; inspect it with "
        "'sklearn-ser store'",
    )
    parser.add_argument("--n-jobs", type=int, default=None, help="number of parallel jobs")


def add_pattern_argument(parser):
    parser.add_argument(
        "--pattern",
        action="append",
        dest="corpus",
        type=pattern_source,
        metavar="PATTERN",
        help="a corpus whose labels are in the names of its files: a path with named fields, such "
        "as 'DIR/{emotion}/{speaker}_*.wav', or NAME=PATTERN; quote it, and repeat the option for "
        "each corpus",
    )


def add_map_argument(parser):
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        type=_mapping,
        metavar="FROM=TO",
        help="map one emotion to another, such as calm=neutral, as is required for unknown labels; "
        "an empty TO leaves these utterances out, an empty FROM means an empty cell",
    )


def recipe_settings(options):
    """Return the parameters of the recipes that the command line sets."""
    return {
        "features": options.features,
        "scale_by": list(options.scale_by) or None,
        "n_jobs": options.n_jobs,
        "on_error": options.on_error,
        "store": options.store,
    }


def create_folder(path):
    """Create a folder before the work starts, so that errors are not found after it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot write to {str(path)!r}: {error.strerror}") from error


def load_corpora(options):
    """Load the corpora of the command line as one, mapped to one label set, and describe them."""
    from sklearn_ser.datasets import concat_corpora
    from sklearn_ser.datasets._load import mappable_labels

    if not options.corpus:
        raise ValueError("no corpus is given: expected --corpus DIR or --pattern PATTERN")
    corpora, unused = [], dict(options.map)
    for source, root, name in options.corpus:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CorpusWarning)  # load_one gives the same
            labels = mappable_labels(source, root)
        own = {label: noun for label, noun in options.map if label in labels}
        corpora.append(load_one(source, root, own, options, name=name))
        unused = {label: noun for label, noun in unused.items() if label not in own}
    if unused:
        raise CorpusError(f"--map names {sorted(unused)}, which no corpus contains")
    joined = concat_corpora(corpora, emotions=list(options.labels) if options.labels else "shared")
    say(options, str(joined.describe()))
    return joined


def load_unlabeled(folder, options):
    """Load the recordings in a folder as a corpus without labels."""
    import pandas as pd

    from sklearn_ser.evaluation._final_model import find_recordings

    if not folder.is_dir():
        raise CorpusError(f"--unlabeled {str(folder)!r} is not a folder")
    if (folder / "metadata.csv").is_file():
        table = pd.read_csv(folder / "metadata.csv", dtype=str)
        table = table.drop(columns="emotion", errors="ignore")
    else:
        files = [Path(file) for file in find_recordings(folder, "file")["file"]]
        if files == [folder]:
            raise CorpusError(f"--unlabeled {str(folder)!r} holds no recordings")
        names = [str(file.relative_to(folder)) for file in files]
        # The speakers are not known: each recording is taken for one of its own.
        table = pd.DataFrame({"file": names, "speaker": names})
    return load_one(table, folder, None, options, name=folder.resolve().name)


def load_one(source, root, emotion_map, options, **settings):
    """Call `load_corpus`, and name the options in its errors."""
    from sklearn_ser.datasets import load_corpus

    try:
        settings |= {"emotion_map": emotion_map or None, "verbose": int(not options.quiet)}
        return load_corpus(source, root, **settings)
    except CorpusError as error:
        if "emotion_map" not in str(error):
            raise
        raise CorpusError(
            f"{error} On the command line, use --map FROM=TO, or --map FROM= to leave them out."
        ) from error


def choose_aux(options, frame):
    """Select the auxiliary targets that vary in the data, and report those that do not.

    Targets named on the command line must be columns; the default ones need not be.
    """
    names = AUX if options.aux is None else options.aux
    unknown = [name for name in names if name not in frame.columns]
    if unknown and options.aux is not None:
        raise CorpusError(
            f"--aux: these corpora have no column {unknown[0]!r}; they have {list(frame.columns)}"
        )
    used = []
    for name in names:
        values = frame[name].dropna().unique() if name in frame else []
        if len(values) > 1:
            used.append(name)
        else:
            state = f"constant ({values[0]})" if len(values) else "unknown"
            say(options, f"{name} is {state} in these corpora and is left out")
    return used


def _positive_integer(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, got {text!r}")
    return int(text)


def corpus_source(text):
    """Parse a corpus of the command line: the first arguments of `load_corpus`, and its name."""
    path = Path(text)
    if path.is_dir():
        return "auto", text, None
    if path.is_file():
        return path, None, None
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(
            f"there is no folder {text!r}; expected DIR, or NAME=DIR such as emodb=corpora/emodb"
        )
    return name, folder, None


def pattern_source(text):
    """Parse PATTERN or NAME=PATTERN, as `corpus_source` does for folders."""
    name, equals, pattern = text.partition("=")
    if not equals or set(name) & set("/{"):
        name, pattern = None, text
    if "{speaker" not in pattern:
        raise argparse.ArgumentTypeError(
            f"{pattern!r} has no field for the speaker; expected a path with named fields such as "
            f"'DIR/{{emotion}}/{{speaker}}_*.wav'"
        )
    return pattern, None, name


def _mapping(text):
    """Parse FROM=TO; TO is None if it is empty."""
    label, equals, target = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected FROM=TO, such as calm=neutral, got {text!r}")
    return label, target or None


def _ids(text):
    names = _words(text)
    unknown = sorted(set(names) - set(ID_COLUMNS))
    if unknown:
        raise argparse.ArgumentTypeError(
            f"expected names among {', '.join(ID_COLUMNS)}, got {unknown}"
        )
    return names


def _words(text):
    return tuple(word.strip() for word in text.split(",") if word.strip())
