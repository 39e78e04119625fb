"""Table of the known corpora: access by name, detection of a folder's corpus, overview."""

from __future__ import annotations

import difflib
import importlib
import os
import re
from pathlib import Path

import pandas as pd

from sklearn_ser.datasets._reader import CorpusReader, FolderFiles, Reading
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module

#: Names of the corpora with a reader in `corpora`, in the module of that name.
CORPUS_NAMES = (
    "aesdd",
    "ased",
    "banglaser",
    "baved",
    "cafe",
    "casia",
    "coraa-ser",
    "crema-d",
    "dusha",
    "emns",
    "emodb",
    "emofilm",
    "emov-db",
    "emovo",
    "emozionalmente",
    "enterface05",
    "esd",
    "fau-aibo",
    "iemocap",
    "jl",
    "ldc-epst",
    "meld",
    "mesd",
    "msp-improv",
    "msp-podcast",
    "nemo",
    "ravdess",
    "resd",
    "savee",
    "shemo",
    "subesco",
    "tess",
    "thorsten-emotional",
    "turev-db",
    "urdu",
)
#: Audio files on which all readers are tried before those that match are tried on all files.
_SAMPLE = 500


def reader_of(name: str) -> CorpusReader:
    """Return the reader of a known corpus."""
    module = importlib.import_module(f"sklearn_ser.datasets.corpora._{name.replace('-', '_')}")
    return module.READER


@public_module("sklearn_ser.datasets")
def list_corpora() -> pd.DataFrame:
    """List the known corpora.

    Each can be loaded in its original layout by ``load_corpus(name, root)``.

    Returns
    -------
    DataFrame
        One row per corpus, indexed by name: title, languages, utterances (numbers of complete
        releases or parts), speakers, emotions (with their utterances in the first release, where
        known), kinds (of naturalness), ratings, votes (whether the answers of raters are read),
        folds, license, citation, homepage, example (path of an
        utterance), tables (beside the audio), tried_on ("real files", "original names" or
        "synthetic tree"), flaws and uncertain.

    Examples
    --------
    >>> from sklearn_ser.datasets import list_corpora
    >>> list_corpora().loc["emodb", ["languages", "utterances", "speakers", "example"]]
    languages                   de
    utterances          535 or 816
    speakers                    10
    example      wav/03a01Fa.wav
    Name: emodb, dtype: object
    """
    rows = {}
    for name in CORPUS_NAMES:
        reader = reader_of(name)
        ratings = ("arousal", "valence", "dominance", "naturalness_rating")
        rows[name] = {
            "title": reader.title,
            "languages": ", ".join(reader.languages),
            "utterances": " or ".join(map(str, reader.utterances)),
            "speakers": reader.speakers,
            "emotions": ", ".join(
                f"{noun} {reader.emotions[noun]}" if noun in reader.emotions else noun
                for noun in sorted(reader.nouns)
            ),
            "kinds": ", ".join(reader.kinds),
            "ratings": ", ".join(column for column in ratings if column in reader.columns),
            "votes": bool(reader.votes),
            "folds": reader.folds,
            "license": reader.license,
            "citation": reader.citation,
            "homepage": reader.homepage,
            "example": reader.example,
            "tables": ", ".join(reader.table_names()),
            "tried_on": reader.tried_on,
            "flaws": "\n".join(flaw.text for flaw in reader.flaws),
            "uncertain": reader.uncertain,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")
    return table.assign(speakers=table["speakers"].astype("Int64"))


@public_module("sklearn_ser.datasets")
def detect_corpus(root: str | os.PathLike[str]) -> str:
    """Detect which known corpus a folder holds in its original layout.

    Names of files are compared with the layouts of all known corpora; no file is opened.

    Parameters
    ----------
    root : path-like
        Folder of the corpus.

    Returns
    -------
    str
        Name of the corpus for :func:`load_corpus`.

    Raises
    ------
    CorpusError
        If no corpus fits, or several fit equally well.

    See Also
    --------
    list_corpora : The known corpora.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_ser.datasets import detect_corpus
    >>> with tempfile.TemporaryDirectory() as root:
    ...     (Path(root) / "wav").mkdir()
    ...     (Path(root) / "wav" / "03a01Fa.wav").touch()
    ...     detect_corpus(root)
    'emodb'
    """
    if not Path(root).is_dir():
        raise CorpusError(f"there is no folder {str(root)!r}; expected the folder of a corpus.")
    files = FolderFiles(root)
    candidates = _candidates_for(files)
    names = _best_fitting(files, candidates)
    if len(names) == 1:
        return names[0]
    counts = ", ".join(f"{name} knows {count}" for name, (count, _) in candidates.items())
    found = f"{len(files.audio)} audio files in {str(root)!r}"
    if names:
        raise CorpusError(
            f"several corpora fit the {found} equally well: {' and '.join(names)} ({counts}). "
            f"Load one by name: load_corpus({names[0]!r}, root)."
        )
    shown = f", first {', '.join(map(repr, files.first()))}" if files.audio else ""
    raise CorpusError(
        f"no known corpus fits the {found}{shown} ({counts or 'no reader knows any of them'}); "
        f"expected the folder of one of list_corpora() in its original layout. Give the folder "
        f"above or below, or load a custom corpus with metadata.csv."
    )


def did_you_mean(name: str) -> str:
    """Return the hint of an error about a name that is no known corpus; "" without a near one."""
    names = {re.sub(r"\W", "", corpus): corpus for corpus in CORPUS_NAMES}
    near = difflib.get_close_matches(re.sub(r"[\W_]", "", name.lower()), names, n=1)
    return f" Did you mean {names[near[0]]!r}?" if near else ""


def fitting_corpora(files: FolderFiles) -> list[str]:
    """Return the names of the corpora that fit a folder best; several if they fit equally well."""
    return _best_fitting(files, _candidates_for(files))


def _best_fitting(files, candidates):
    fitting = [name for name, (_, fits) in candidates.items() if fits]
    counts = {name: candidates[name][0] for name in fitting}
    names = [name for name in fitting if counts[name] == max(counts.values())]
    if len(names) < 2:
        return names
    # BanglaSER's names have the form of RAVDESS.
    in_folders = {name: reader_of(name).in_usual_folders(files.audio) for name in names}
    return [name for name in names if in_folders[name] == max(in_folders.values())]


def _candidates_for(files: FolderFiles) -> dict[str, tuple[int, bool]]:
    """Return the number of known audio files, and whether the reader fits, by corpus."""
    paths = list(files.audio)
    sample = paths[:: max(1, len(paths) // _SAMPLE)]
    candidates = {}
    for name in CORPUS_NAMES:
        reader = reader_of(name)
        if reader.match(sample)[0]:
            known, unknown = reader.match(paths)
            candidates[name] = (len(known), reader.fits(files, known, unknown))
    return candidates


def read_corpus(name: str, root: str | os.PathLike[str]) -> Reading:
    """Return the utterances of a known corpus in its original layout."""
    reader = reader_of(name)
    files = FolderFiles(root)
    known, unknown = reader.match(files.audio)
    if reader.fits(files, known, unknown):
        return reader.read(files, known, unknown)
    found = f"{len(known)} of the {len(files.audio)} audio files in {str(root)!r} have known names"
    if unknown:
        found += f", not {', '.join(map(repr, files.first(unknown)))}"
    if absent := reader.missing_tables(files, "required"):
        found += f", and there is no {' and no '.join(absent)}"
    expected = " and ".join([f"paths like {reader.example!r}", *reader.table_names("required")])
    fitting = fitting_corpora(files)
    if fitting:
        names = " and ".join(map(repr, fitting))
        hint = f"The folder fits {names}: load_corpus({fitting[0]!r}, root)."
    else:
        hint = "Give the folder that holds these paths, or add a metadata.csv (generic layout)."
    raise CorpusError(f"corpus {name!r}: {found}; expected {expected}. {hint}")
