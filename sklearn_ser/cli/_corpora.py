"""Options and steps that evaluate and train share: which corpora, which features, which models."""

import argparse
import sys

from sklearn_ser.exceptions import CorpusError

#: As in utils._ids, which would import pandas before the options are read.
ID_COLUMNS = ("corpus", "speaker", "language", "text", "recording")

AUX = ("gender", "naturalness")
FEATURES = ("ge2e", "egemaps", "both")


def add_corpus_arguments(parser):
    """Options that say what is trained or tested on."""
    parser.add_argument(
        "--corpus",
        action="append",
        required=True,
        type=_named_folder,
        metavar="NAME=DIR",
        help="a corpus: emodb, ravdess, nemo, urdu, or a name of your own for a folder with a "
        "metadata.csv; give it once for each",
    )
    parser.add_argument(
        "--features", choices=FEATURES, default="ge2e", help="utterance features (default: ge2e)"
    )
    parser.add_argument(
        "--aux",
        type=_words,
        metavar="A,B",
        help="auxiliary targets, columns of metadata.csv (default: gender and naturalness, where "
        "known; '' for none)",
    )
    parser.add_argument(
        "--labels",
        type=_words,
        metavar="A,B",
        help="the fixed set of emotions (default: those that every corpus has)",
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        type=mapping,
        metavar="FROM=TO",
        help="count one emotion as another, such as calm=neutral; an empty TO leaves such "
        "utterances out, an empty FROM is an empty cell",
    )
    parser.add_argument(
        "--scale-by",
        type=_ids,
        default=("corpus",),
        metavar="A,B",
        help="standardize within corpus (default), within 'speaker', within 'corpus,speaker' "
        "(speakers lean on their corpus), or over all training data ('')",
    )
    parser.add_argument(
        "--on-error",
        choices=("raise", "warn"),
        default="warn",
        help="recordings that cannot be used: stop, or leave them out and say so (default)",
    )
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="folder where features are kept, so that no recording is extracted twice; look into "
        "it with 'sklearn-ser store'",
    )
    parser.add_argument("--n-jobs", type=int, default=None, help="parallel jobs")


def recipe_settings(options):
    """What the recipes take from the command line."""
    return {
        "features": options.features,
        "scale_by": list(options.scale_by) or None,
        "n_jobs": options.n_jobs,
        "on_error": options.on_error,
        "store": options.store,
    }


def search_folds(n_speakers):
    """Inner folds of the SVM's search: five, or as many as there are training speakers."""
    return min(5, n_speakers)


def writable_folder(path):
    """Make the folder now: an hour of work must not end at a path that cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"cannot write to {str(path)!r}: {error.strerror}") from error


def load_corpora(options):
    """All corpora of the command line as one, mapped to one label set, with a word on each."""
    from sklearn_ser.datasets import concat_corpora
    from sklearn_ser.datasets._load import labels_before_mapping

    corpora, unused = [], dict(options.map)
    for name, folder in options.corpus:
        labels = labels_before_mapping(name, folder)
        own = {label: noun for label, noun in options.map if label in labels}
        corpora.append(load_one(name, folder, own, options))
        unused = {label: noun for label, noun in unused.items() if label not in own}
    if unused:
        raise CorpusError(f"--map names {sorted(unused)}, which no corpus has")
    joined = concat_corpora(corpora, emotions=list(options.labels) if options.labels else "shared")
    say(options, joined.report())
    return joined


def load_one(source, root, emotion_map, options, **settings):
    """`load_corpus`, whose errors speak of options."""
    from sklearn_ser.datasets import load_corpus

    try:
        return load_corpus(
            source,
            root,
            emotion_map=emotion_map or None,
            verbose=int(not options.quiet),
            **settings,
        )
    except CorpusError as error:
        if "emotion_map" not in str(error):
            raise
        raise CorpusError(
            f"{error} On the command line that is --map FROM=TO, or --map FROM= to leave out."
        ) from error


def choose_aux(options, frame):
    """The auxiliary targets that vary in this data; says which do not.

    A target asked for by name must be a column; the default ones are used where they are known.
    """
    names = AUX if options.aux is None else options.aux
    unknown = [name for name in names if name not in frame.columns]
    if unknown and options.aux is not None:
        raise CorpusError(
            f"--aux: no column {unknown[0]!r} in these corpora; they have {list(frame.columns)}"
        )
    used = []
    for name in names:
        values = frame[name].dropna().unique() if name in frame else []
        if len(values) > 1:
            used.append(name)
        else:
            found = f"constant ({values[0]})" if len(values) else "unknown"
            say(options, f"{name} is {found} in these corpora and is left out")
    return used


def say(options, text):
    """A message to the person who waits; results go to standard output instead."""
    if not options.quiet:
        print(text, file=sys.stderr)


def positive(text):
    """A whole number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1: {text!r}")
    return int(text)


def _named_folder(text):
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(
            f"expected NAME=DIR, such as emodb=corpora/emodb: {text!r}"
        )
    return name, folder


def mapping(text):
    label, equals, target = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected FROM=TO, such as calm=neutral: {text!r}")
    return label, target or None


def _ids(text):
    names = _words(text)
    unknown = sorted(set(names) - set(ID_COLUMNS))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown} not among {', '.join(ID_COLUMNS)}")
    return names


def _words(text):
    return tuple(word.strip() for word in text.split(",") if word.strip())
