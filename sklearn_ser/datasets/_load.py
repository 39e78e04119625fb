"""Load one corpus from a folder, a CSV file, a DataFrame or a reader of one's own."""

import os
import sys
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
    read_metadata_folder,
    tidy_frame,
)
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module

DUPLICATE = "marked as a duplicate"


@public_module("sklearn_ser.datasets")
def load_corpus(
    name_or_reader,
    root=None,
    *,
    name=None,
    drop_duplicates=True,
    emotion_map=None,
    verbose=1,
):
    """Load a corpus of emotional speech.

    Only the table is read, no audio; that the audio files exist is checked.

    Parameters
    ----------
    name_or_reader : str, path-like, DataFrame or callable
        - ``"emodb"``, ``"ravdess"``, ``"nemo"``, ``"urdu"``: a corpus that is known, in the
          folder `root`, with its license and citation;
        - any other name: the folder `root` in the generic layout: a ``metadata.csv`` with one
          row per utterance and the columns file (relative to `root`), speaker, emotion, and
          where known gender, language, naturalness, text and the others of :class:`Corpus`;
        - a path to a CSV file in that layout (a string that ends in ``.csv`` or ``.tsv``, or a
          path object);
        - a DataFrame in that layout;
        - a callable that takes `root` and returns such a DataFrame.
    root : path-like or DataFrame, optional
        Folder of the corpus, what relative paths are relative to. By default the CSV file's
        folder, otherwise the working folder. After a name it may be the corpus's table itself:
        ``load_corpus("mine", table)`` is ``load_corpus(table, name="mine")``.
    name : str, optional
        Name of the corpus, where `name_or_reader` is none. By default the value of the table's
        column ``corpus``, or the name of the folder a CSV file lies in.
    drop_duplicates : bool, default=True
        Leave out utterances whose column ``duplicate_of`` names another file of the corpus.
    emotion_map : dict, optional
        Label -> lower-case noun, or None to leave these utterances out; ``""`` is the empty
        label. Needed for labels that are not known; may also merge known ones.
    verbose : int, default=1
        Above 0, say on stderr what was left out.

    Returns
    -------
    Corpus
        What was left out, and why, is in its ``dropped``.

    Raises
    ------
    CorpusError
        The table is missing or lacks a needed column, a label is unknown, an utterance stands in
        two rows, audio files do not exist, and the like; the message says where and what to do.

    See Also
    --------
    concat_corpora : Put several corpora together.

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
        _say(name, dropped_rows, root)
    return Corpus(
        in_contract_order(_without_empty_columns(frame.reset_index(drop=True))),
        name,
        description=facts.full_description,
        license=facts.license,
        citation=facts.citation,
        dropped_rows=dropped_rows,
    )


def mappable_labels(name_or_reader, root=None):
    """Every label that an `emotion_map` for this corpus may name: as written, and as a noun.

    Returns
    -------
    set of str
    """
    table, name, root, _ = _read(name_or_reader, root, None)
    written = {"" if label is None else label for label in tidy_frame(table, name, root)["emotion"]}
    return written | {noun_or_none(label) for label in written} - {None}


def _read(source, root, name):
    """The source's table as it is, the corpus's name, the root of its paths, its facts."""
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
        table = _read_named(source, root, facts)
        name = name or source
    name = name or _own_name(table)
    if name is None:
        raise CorpusError("the table has no column 'corpus' with the corpus's name: give name=.")
    check_corpus_name(name)
    return table, name, root, facts


def _read_named(source, root, facts):
    """The table of a corpus that is called by name and lies in the folder `root`."""
    layout = (
        f"Known by name are {sorted(KNOWN_CORPORA)}; any other name is read in the generic "
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
        raise CorpusError(f"corpus {source!r} needs root, the folder it lies in. {layout}")
    if not Path(root).is_dir():
        raise CorpusError(f"corpus {source!r}: there is no folder {str(root)!r}. {layout}")
    if facts.reader is read_metadata_folder and not (Path(root) / METADATA_FILE).is_file():
        raise CorpusError(f"corpus {source!r}: no {METADATA_FILE} in {str(root)!r}. {layout}")
    table = facts.reader(root)
    own = _own_name(table)
    if source in KNOWN_CORPORA and own not in (None, source):
        raise CorpusError(
            f"the table in {str(root)!r} says that it is corpus {own!r}, not {source!r}. Give the "
            f"folder of {source!r}, or another name."
        )
    return table


def _own_name(table):
    """What the table's column ``corpus`` says, None where there is none; several raise."""
    if "corpus" not in table.columns:
        return None
    names = [str(name) for name in table["corpus"].dropna().unique()]
    if len(names) > 1:
        raise CorpusError(
            f"the table holds several corpora ({', '.join(map(repr, names))}); load them one by "
            f"one and put them together with concat_corpora."
        )
    return names[0] if names else None


def _license_in(root):
    """What a LICENSE file in the folder says, "" where there is none."""
    if root is None:
        return ""
    found = (Path(root) / file for file in ("LICENSE.txt", "LICENSE", "LICENSE.md"))
    return next((file.read_text(encoding="utf-8") for file in found if file.is_file()), "")


def _without_empty_columns(frame):
    """Leave out optional columns (and marks of duplicates) that say nothing in any row."""
    optional = [c for c in (*OPTIONAL_COLUMNS, "duplicate_of") if c in frame.columns]
    return frame.drop(columns=[c for c in optional if frame[c].isna().all()])


def _say(name, dropped_rows, root):
    for reason, rows in dropped_rows.groupby("reason", sort=False):
        files = [
            os.path.relpath(f, root) if root else f for f in rows["file"] if isinstance(f, str)
        ]
        shown = f" ({', '.join(files[:3])}{', ...' if len(files) > 3 else ''})" if files else ""
        kept = "; drop_duplicates=False keeps them" if reason == DUPLICATE else ""
        print(f"{name}: left out {len(rows)} utterance(s), {reason}{shown}{kept}", file=sys.stderr)
