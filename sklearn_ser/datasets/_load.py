"""Loading of a corpus from a folder, a CSV file, a DataFrame or a custom reader."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from sklearn_ser.datasets._corpus import (
    OPTIONAL_COLUMNS,
    Corpus,
    check_corpus_name,
    in_contract_order,
    rows_left_out,
)
from sklearn_ser.datasets._known_corpora import KNOWN_CORPORA, CorpusFacts
from sklearn_ser.datasets._labels import map_to_nouns, noun_or_none
from sklearn_ser.datasets._metadata_tables import (
    METADATA_FILE,
    check_files_exist,
    read_csv_as_text,
    tidy_frame,
)
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module

DUPLICATE = "marked as a duplicate"


@public_module("sklearn_ser.datasets")
def load_corpus(
    name_or_reader: str | os.PathLike[str] | pd.DataFrame | Callable[..., pd.DataFrame],
    root: str | os.PathLike[str] | pd.DataFrame | None = None,
    *,
    name: str | None = None,
    drop_duplicates: bool = True,
    emotion_map: Mapping[str, str | None] | None = None,
    verbose: int = 0,
) -> Corpus:
    """Load a corpus of emotional speech.

    Only the table is read, not the audio; the audio files must exist.

    Parameters
    ----------
    name_or_reader : str, path-like, DataFrame or callable
        - ``"emodb"``, ``"ravdess"``, ``"nemo"``, ``"urdu"``: a known corpus in the folder `root`,
          with its license and citation;
        - any other name: the folder `root` in the generic layout: a ``metadata.csv`` with one
          row per utterance and the columns file (relative to `root`), speaker, emotion, and
          where known gender, language, naturalness, text and the others of :class:`Corpus`;
        - a path to a CSV file in that layout (a string that ends in ``.csv`` or ``.tsv``, or a
          path object);
        - a DataFrame in that layout;
        - a callable that takes `root` and returns such a DataFrame.
    root : path-like or DataFrame, optional
        Folder of the corpus, to which relative paths refer. By default the folder of the CSV
        file, otherwise the working folder. After a name it may be the table of the corpus itself:
        ``load_corpus("mine", table)`` is ``load_corpus(table, name="mine")``.
    name : str, optional
        Name of the corpus, if `name_or_reader` is not a name. By default the value of the column
        ``corpus`` of the table, or the name of the folder of a CSV file.
    drop_duplicates : bool, default=True
        Whether to leave out utterances whose column ``duplicate_of`` names another file of the
        corpus.
    emotion_map : dict, optional
        Mapping of a label to a lower-case noun, or to None to leave these utterances out; ``""``
        is the empty label. Required for unknown labels; may also merge known ones.
    verbose : int, default=0
        Verbosity level. Above 0, what was left out is printed to stderr.

    Returns
    -------
    Corpus
        Corpus whose ``dropped`` lists what was left out and why.

    Raises
    ------
    CorpusError
        If the table is missing or lacks a required column, a label is unknown, an utterance
        occurs in two rows, or audio files do not exist.

    See Also
    --------
    concat_corpora : Concatenate several corpora.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "file": [np.zeros(16000, dtype="float32"), np.zeros(8000, dtype="float32")],
    ...         "speaker": ["01", "02"],
    ...         "emotion": ["angry", "furious"],
    ...         "sex": ["f", "m"],
    ...     }
    ... )
    >>> load_corpus(table, name="mine")
    Traceback (most recent call last):
    ...
    sklearn_ser.exceptions.CorpusError: corpus 'mine': column 'emotion' has unknown label(s):
    'furious' (row 1). Known labels and their other spellings: anger (angry, ang), ...
    >>> load_corpus(table, name="mine", emotion_map={"furious": "anger"})
    <Corpus mine: 2 utterances, 2 speakers (1 female, 1 male); anger 2>
    """
    table, name, root, facts = _read(name_or_reader, root, name)
    frame = tidy_frame(table, name, root)
    check_files_exist(frame, name, root)

    nouns = map_to_nouns(frame["emotion"], emotion_map, name)
    emotions = pd.Series([nouns[label] for label in frame["emotion"]], dtype=object)
    left_out = [rows_left_out(frame, emotions.isna(), "mapped to nothing by emotion_map")]
    frame = frame.assign(emotion=emotions)[emotions.notna()]
    if drop_duplicates and "duplicate_of" in frame.columns:
        copies = frame["duplicate_of"].isin([f for f in frame["file"] if isinstance(f, str)])
        left_out.append(rows_left_out(frame, copies, DUPLICATE))
        frame = frame[~copies]
    if frame.empty:
        raise CorpusError(f"corpus {name!r}: no utterance is left after emotion_map={emotion_map}.")
    dropped_rows = pd.concat(left_out, ignore_index=True)
    if verbose:
        _print_left_out(name, dropped_rows, root)
    return Corpus(
        in_contract_order(_without_empty_columns(frame.reset_index(drop=True))),
        name,
        description=facts.full_description,
        license=facts.license,
        citation=facts.citation,
        dropped_rows=dropped_rows,
    )


def mappable_labels(name_or_reader, root=None):
    """Return the labels, as written and as nouns, that an `emotion_map` may have as keys."""
    table, name, root, _ = _read(name_or_reader, root, None)
    written = {"" if label is None else label for label in tidy_frame(table, name, root)["emotion"]}
    return written | {noun_or_none(label) for label in written} - {None}


def _read(source, root, name):
    """Return the table of a source, the name of the corpus, the root of its paths, its facts."""
    if isinstance(root, pd.DataFrame):
        source, root, name = root, None, name or source
    facts = CorpusFacts(description="", license=_license_in(root), citation="")
    if isinstance(source, pd.DataFrame):
        table = source
    elif callable(source):
        table = source(root)
        if not isinstance(table, pd.DataFrame):
            raise CorpusError(
                f"the reader {getattr(source, '__name__', source)!r} returned a "
                f"{type(table).__name__}; expected a DataFrame with one row per utterance."
            )
    elif isinstance(source, os.PathLike) or str(source).endswith((".csv", ".tsv")):
        path = Path(source)
        path = path / METADATA_FILE if path.is_dir() else path
        table = read_csv_as_text(path)
        root = path.parent if root is None else root
        facts = replace(facts, license=_license_in(root))
        name = name or _own_name(table) or path.absolute().parent.name
    else:
        facts = KNOWN_CORPORA.get(source, facts)
        table = _read_named(source, root)
        name = name or source
    name = name or _own_name(table)
    if name is None:
        raise CorpusError("the table has no column 'corpus' with a name: give name=.")
    check_corpus_name(name)
    return table, name, root, facts


def _read_named(source, root):
    """Return the table of a corpus that is given by name in the folder `root`."""
    layout = (
        f"Known names are {sorted(KNOWN_CORPORA)}; any other name is read in the generic "
        f"layout: a folder root with {METADATA_FILE}, one row per utterance with the columns "
        f"file (path relative to root), speaker, emotion, and where known gender, language, "
        f"naturalness, text."
    )
    if not isinstance(source, str):
        raise CorpusError(
            f"load_corpus got a {type(source).__name__}; expected a name, a path to a CSV file, a "
            f"DataFrame or a function. {layout}"
        )
    if root is None:
        raise CorpusError(f"corpus {source!r} needs root, the folder of the corpus. {layout}")
    if not Path(root).is_dir():
        raise CorpusError(f"corpus {source!r}: there is no folder {str(root)!r}. {layout}")
    if not (Path(root) / METADATA_FILE).is_file():
        raise CorpusError(f"corpus {source!r}: no {METADATA_FILE} in {str(root)!r}. {layout}")
    table = read_csv_as_text(Path(root) / METADATA_FILE)
    own = _own_name(table)
    if source in KNOWN_CORPORA and own not in (None, source):
        raise CorpusError(
            f"the column 'corpus' of the table in {str(root)!r} is {own!r}, not {source!r}. Give "
            f"the folder of {source!r}, or another name."
        )
    return table


def _own_name(table):
    """Return the value of the column ``corpus``, or None without one; several values raise."""
    if "corpus" not in table.columns:
        return None
    names = [str(name) for name in table["corpus"].dropna().unique()]
    if len(names) > 1:
        raise CorpusError(
            f"the table holds several corpora ({', '.join(map(repr, names))}); load them one by "
            f"one and concatenate them with concat_corpora."
        )
    return names[0] if names else None


def _license_in(root):
    """Return the text of a LICENSE file in the folder, or "" without one."""
    if root is None:
        return ""
    files = (Path(root) / file for file in ("LICENSE.txt", "LICENSE", "LICENSE.md"))
    return next((file.read_text(encoding="utf-8") for file in files if file.is_file()), "")


def _without_empty_columns(frame):
    """Drop optional columns that are empty in every row."""
    optional = [c for c in (*OPTIONAL_COLUMNS, "duplicate_of") if c in frame.columns]
    return frame.drop(columns=[c for c in optional if frame[c].isna().all()])


def _print_left_out(name, dropped_rows, root):
    for reason, rows in dropped_rows.groupby("reason", sort=False):
        files = [
            os.path.relpath(f, root) if root else f for f in rows["file"] if isinstance(f, str)
        ]
        shown = f" ({', '.join(files[:3])}{', ...' if len(files) > 3 else ''})" if files else ""
        hint = "; drop_duplicates=False retains them" if reason == DUPLICATE else ""
        print(f"{name}: left out {len(rows)} utterance(s), {reason}{shown}{hint}", file=sys.stderr)
