"""Loading of a corpus from a folder, a CSV file, a DataFrame or a custom reader.

The generic layout: a folder with ``metadata.csv``, one row per utterance, in the columns of
``Corpus.frame`` as far as they are known (file and speaker are required).
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser.audio._decoding import path_of
from sklearn_ser.audio._signal import all_seconds, is_missing, shortened
from sklearn_ser.datasets._corpus import (
    DROPPED_COLUMNS,
    NUMBER_COLUMNS,
    OPTIONAL_COLUMNS,
    PREFIXED_COLUMNS,
    REQUIRED_COLUMNS,
    Corpus,
    check_corpus_name,
    in_contract_order,
    map_votes,
    rows_left_out,
    text_as_object,
)
from sklearn_ser.datasets._exchange import (
    facts_of,
    is_database,
    is_dataset,
    table_of_database,
    table_of_dataset,
)
from sklearn_ser.datasets._known_corpora import (
    CORPUS_NAMES,
    detect_corpus,
    did_you_mean,
    fitting_corpora,
    read_corpus,
    reader_of,
)
from sklearn_ser.datasets._labels import (
    GENDER_SPELLINGS,
    NATURALNESS_SPELLINGS,
    map_of_nouns,
    map_to_nouns,
    noun_or_none,
    unify_spelling,
)
from sklearn_ser.datasets._pattern import Pattern, is_pattern, read_pattern
from sklearn_ser.datasets._reader import FolderFiles, check_not_a_pointer
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._ids import as_frame, canonical_ids, rows_text, short_list
from sklearn_ser.utils._public import public_module

METADATA_FILE = "metadata.csv"
#: Names of the table of a folder, the first of which is read.
_METADATA_FILES = (METADATA_FILE, "metadata.jsonl", "metadata.parquet")
_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")

#: Standard column by alternative name, which is used where the standard column is absent.
_OTHER_NAMES = {
    "path": "file",
    "filename": "file",
    "audio": "file",
    "file_name": "file",
    "label": "emotion",
    "sex": "gender",
    "speaker_id": "speaker",
    "text_id": "text",
    "pair_id": "recording",
}
_PERCENT_OF_NATURALNESS = "natural_pct"
_RATINGS = ("naturalness_rating", "arousal", "valence", "dominance")
_REQUIRED_IN_TABLES = ("file", "speaker")
_MISSING_NUMBERS = ("", "nan", "na", "none")
_NUMBER_PATTERN = r"-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][-+]?\d+)?"

DUPLICATE = "marked as a duplicate"


@dataclass
class _Source:
    """Table of a corpus, and what is known beside it."""

    table: pd.DataFrame
    name: str
    root: str | os.PathLike[str] | None
    description: str = ""
    license: str = ""
    citation: str = ""
    nouns: Collection[str] = ()
    votes: pd.DataFrame | None = None
    left_out: pd.DataFrame | None = None


@public_module("sklearn_ser.datasets")
def load_corpus(
    name_or_reader: str | os.PathLike[str] | Callable[..., Any] | Any,
    root: str | os.PathLike[str] | pd.DataFrame | None = None,
    *,
    name: str | None = None,
    drop_duplicates: bool = True,
    emotion_map: Mapping[str, str | None] | None = None,
    verbose: int = 0,
) -> Corpus:
    """Load a corpus of emotional speech.

    Only tables and names of files are read, not the audio; the audio files must exist.

    Parameters
    ----------
    name_or_reader : str, path-like, table or callable
        - a name of :func:`list_corpora` (``"emodb"``, ``"iemocap"``): a known corpus in the folder
          `root`, in its original layout or the generic one, with its license and citation;
        - ``"auto"``: the known corpus that :func:`detect_corpus` finds in the folder `root`;
        - any other name: the folder `root` in the generic layout: a ``metadata.csv`` with one
          row per utterance and the columns file (relative to `root`), speaker, and where known
          emotion, gender, language, naturalness, text and the others of :class:`Corpus`;
        - a path to a table in that layout: CSV, TSV, Parquet (``.parquet``) or JSON lines
          (``.jsonl``, ``.ndjson``), as a string with that suffix or a path object;
        - a table in that layout: a DataFrame of pandas or another library, a list of dicts, a
          dict of columns, an audformat Database with the scheme ``emotion``, or a Dataset or
          DatasetDict of Hugging Face. Named index levels count as columns, and splits are the
          column ``split``;
        - a path with named fields, as of :func:`corpus_from_folder`:
          ``"root/{emotion}/{speaker}_*.wav"``;
        - a callable that takes `root` and returns such a table.
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
        Mapping of a label to a lower-case noun, or to None to leave these utterances out.
        Required for unknown labels (all labels of a known corpus are known); may also merge known
        ones. Utterances without a label (None, NaN, an empty string, or a table without the
        column) are retained as unlabeled samples, with None, unless ``""`` is mapped.
    verbose : int, default=0
        Verbosity level. Above 0, what was left out is printed to stderr.

    Returns
    -------
    Corpus
        Corpus whose ``dropped_rows`` lists what was left out and why, among it the audio files of
        an original layout that the reader does not know.

    Raises
    ------
    CorpusError
        If the table is missing or lacks a required column, a label is unknown, an utterance
        occurs in two rows, audio files do not exist, or the folder is not in the layout of the
        corpus.

    Warns
    -----
    CorpusWarning
        If an original layout holds another number of utterances than the corpus, or audio files
        that are no utterance.

    See Also
    --------
    list_corpora : Known corpora.
    detect_corpus : Detect which known corpus a folder holds.
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
    return corpus_of(_read(name_or_reader, root, name), drop_duplicates, emotion_map, verbose)


def corpus_of(source, drop_duplicates=True, emotion_map=None, verbose=0):
    """Return the corpus of a source; the settings are those of `load_corpus`."""
    name, root, votes = source.name, source.root, source.votes
    frame = _tidy_frame(source.table, name, root)
    left_out = []
    if source.left_out is None:
        _check_files_exist(frame, name, root)
    else:
        files = _absolute_paths(source.left_out["file"], root)
        left_out.append(source.left_out.assign(corpus=name, file=files, emotion=None))

    rated = () if votes is None else votes.columns
    nouns = map_to_nouns(frame["emotion"], emotion_map, name, source.nouns, rated)
    emotions = pd.Series([nouns.get(label) for label in frame["emotion"]], dtype=object)
    is_dropped = ~frame["emotion"].isin(list(nouns))
    left_out.append(rows_left_out(frame, is_dropped, "mapped to nothing by emotion_map"))
    frame = frame.assign(emotion=emotions)[~is_dropped]
    if drop_duplicates and "duplicate_of" in frame.columns:
        copies = frame["duplicate_of"].isin([f for f in frame["file"] if isinstance(f, str)])
        left_out.append(rows_left_out(frame, copies, DUPLICATE))
        frame = frame[~copies]
    if frame.empty:
        raise CorpusError(f"corpus {name!r}: no utterance is left after emotion_map={emotion_map}.")
    if votes is not None:
        by_label = map_of_nouns(emotion_map, source.nouns)
        votes = map_votes(votes.loc[frame.index], by_label).reset_index(drop=True)
    dropped_rows = pd.concat(left_out, ignore_index=True)[list(DROPPED_COLUMNS)]
    if verbose:
        _print_left_out(name, dropped_rows, root)
    return Corpus(
        in_contract_order(_without_empty_columns(frame.reset_index(drop=True))),
        name,
        description=source.description,
        license=source.license,
        citation=source.citation,
        dropped_rows=dropped_rows,
        votes=votes,
    )


def mappable_labels(name_or_reader, root=None):
    """Return the labels, as written and as nouns, that an `emotion_map` may have as keys."""
    source = _read(name_or_reader, root, None)
    written = {label or "" for label in _tidy_frame(source.table, source.name, root)["emotion"]}
    if source.votes is not None:
        written |= set(source.votes.columns)
    return written | {noun_or_none(label) for label in written} - {None}


def _read(given, root, name):
    """Return the source that was given to `load_corpus`."""
    if _table_of(root) is not None:
        given, root, name = root, None, name or given
    if is_database(given):
        root, name = root or given.root, name or given.name
    table = _table_of(given)
    if table is not None:
        description, license, citation = facts_of(given)
        license = license or _license_in(root)
        source = _Source(table, name, root, description, license, citation)
    elif callable(given):
        returned = given(root)
        table = _table_of(returned)
        if table is None:
            raise CorpusError(
                f"the reader {getattr(given, '__name__', given)!r} returned a "
                f"{type(returned).__name__}; expected a DataFrame with one row per utterance."
            )
        source = _Source(table, name, root, license=_license_in(root))
    elif is_pattern(given):
        source = source_of_pattern(Pattern(given), name, {})
    elif isinstance(given, os.PathLike) or str(given).endswith(_TABLE_SUFFIXES):
        source = _read_path(Path(given), root, name)
    else:
        source = _read_named(given, root, name)
    source.table = _with_index_levels(source.table)
    source.name = source.name or _own_name(source.table)
    if source.name is None:
        raise CorpusError("the table has no column 'corpus' with a name: give name=.")
    check_corpus_name(source.name)
    if not source.nouns and source.name in CORPUS_NAMES:  # a frame that was saved
        source.nouns = reader_of(source.name).nouns
    return source


def _read_path(path, root, name):
    """Return the source of a table in a file, or of a folder with ``metadata.csv``."""
    path = _metadata_in(path) if path.is_dir() else path
    table = _read_file(path)
    root = path.parent if root is None else root
    name = name or _own_name(table) or path.absolute().parent.name
    return _Source(table, name, root, license=_license_in(root))


def _metadata_in(folder):
    """Return the path of the table of a folder in the generic layout, which may not exist."""
    paths = [Path(folder) / name for name in _METADATA_FILES]
    return next(filter(Path.is_file, paths), paths[0])


def source_of_pattern(pattern, name, columns):
    """Return the source of a pattern with named fields, with further columns."""
    table, left_out = read_pattern(pattern)
    table = table.assign(**columns)
    name = name or Path(pattern.root).absolute().name
    return _Source(table, name, pattern.root, license=_license_in(pattern.root), left_out=left_out)


def _table_of(source):
    """Return a table of any library, list of dicts or dict of columns as a DataFrame, else None."""
    if is_dataset(source):
        return table_of_dataset(source)
    if is_database(source):
        return table_of_database(source)
    source = as_frame(source)
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, Mapping) or (
        isinstance(source, list) and source and all(isinstance(row, Mapping) for row in source)
    ):
        try:
            return pd.DataFrame(source)
        except ValueError as error:
            raise CorpusError(
                f"the dict or list of dicts is not a table ({error}); expected one value per "
                f"utterance in each column."
            ) from error
    return None


def _with_index_levels(table):
    """Return a table with unique column names, and named index levels as columns."""
    levels = [level for level in table.index.names if level not in (None, *table.columns)]
    table = table.reset_index(level=levels).reset_index(drop=True)
    _check_column_names(table.columns)
    return table


def _check_column_names(names):
    repeated = names[names.duplicated()].unique()
    if len(repeated) or names.nlevels > 1:
        found = "several columns named" if len(repeated) else "columns of two levels,"
        raise CorpusError(
            f"the table has {found} {short_list(list(repeated if len(repeated) else names))}; "
            f"expected one column of each name. Rename or drop the others."
        )


def _read_named(given, root, name):
    """Return the source of a corpus that is given by its name, or "auto", and its folder."""
    layout = (
        f"Known corpora are those of list_corpora(); any other name is read in the generic "
        f"layout: a folder root with {METADATA_FILE}, one row per utterance with the columns "
        f"file (path relative to root), speaker, emotion, and where known gender, language, "
        f"naturalness, text."
    )
    if not isinstance(given, str):
        raise CorpusError(
            f"load_corpus got a {type(given).__name__}; expected a name, a path to a CSV file, a "
            f"DataFrame or a function. {layout}"
        )
    if root is None:
        raise CorpusError(f"corpus {given!r} needs root, the folder of the corpus. {layout}")
    if not Path(root).is_dir():
        raise CorpusError(f"corpus {given!r}: there is no folder {str(root)!r}. {layout}")
    path = _metadata_in(root)
    is_known = given == "auto" or given in CORPUS_NAMES
    is_generic = path.is_file() and (not is_known or _names_files(path))
    if given == "auto":
        if is_generic:
            return _read_path(path, root, name)
        given = detect_corpus(root)
    if given not in CORPUS_NAMES and not is_generic:
        hint = did_you_mean(given)
        fitting = fitting_corpora(FolderFiles(root))
        if fitting:
            hint = f" The folder fits {fitting[0]!r}: load_corpus({fitting[0]!r}, root, name=...)."
        raise CorpusError(f"corpus {given!r}: no {METADATA_FILE} in {str(root)!r}.{hint} {layout}")
    if given not in CORPUS_NAMES:
        return _Source(_read_file(path), name or given, root, license=_license_in(root))
    reader = reader_of(given)
    facts = (reader.description, reader.license, reader.citation)
    if not is_generic:
        reading = read_corpus(given, root)
        of_reader = (reader.nouns, reading.votes, reading.left_out)
        table = _as_numbers_where_all_are(reading.table)
        return _Source(table, name or given, root, *facts, *of_reader)
    table = _read_file(path)
    own = _own_name(table)
    if own not in (None, given):
        raise CorpusError(
            f"the column 'corpus' of the table in {str(root)!r} is {own!r}, not {given!r}. Give "
            f"the folder of {given!r}, or another name."
        )
    return _Source(table, name or given, root, *facts)


def _names_files(path):
    """Return whether a ``metadata.csv`` has the generic layout, by its column of files."""
    with open(path, encoding="utf-8", errors="replace") as table:
        columns = re.findall(r"[^,;\t\"\ufeff\r\n]+", table.readline())
    return not {"file", *(o for o, c in _OTHER_NAMES.items() if c == "file")}.isdisjoint(columns)


def _own_name(table):
    """Return the value of the column ``corpus``, or None without one; several values raise."""
    if "corpus" not in table.columns:
        return None
    names = [str(name) for name in table["corpus"].unique() if not is_missing(name)]
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


def _read_file(path):
    """Read a table: CSV, TSV, Parquet or JSON lines, by the suffix."""
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".jsonl", ".ndjson"):
        return _read_csv_as_text(path)
    try:
        check_not_a_pointer(path)
        if suffix == ".parquet":
            return pd.read_parquet(path)
        with open(path, encoding="utf-8-sig") as lines:
            return pd.DataFrame([json.loads(line) for line in lines if line.strip()])
    except (OSError, ValueError) as error:
        kind = "a Parquet file" if suffix == ".parquet" else "one JSON object per line, in UTF-8"
        raise CorpusError(
            f"{str(path)!r} cannot be read as a table ({error}); expected {kind}, with one row per "
            f"utterance."
        ) from error


def _read_csv_as_text(path):
    """Read a CSV file (comma, semicolon or tab): text, None where empty, or numbers only."""
    try:
        check_not_a_pointer(path)
        with open(path, encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(",;\t", key=header.count)
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CorpusError(
            f"{str(path)!r} cannot be read as a table ({error}); expected a CSV file in UTF-8, "
            f"one line per utterance, with a first line of column names."
        ) from error
    # pandas has numbered columns of the same name.
    names = pd.Index(next(csv.reader([header], delimiter=separator)))
    _check_column_names(names[names != ""])
    table = table.astype(object)
    return _as_numbers_where_all_are(table.where(table != "", None))


def _as_numbers_where_all_are(table):
    """Convert columns of text that hold numbers only, other than ids and labels."""
    return table.assign(
        **{
            column: pd.to_numeric(values)
            for column, values in table.items()
            if column not in (*REQUIRED_COLUMNS, *PREFIXED_COLUMNS, *_OTHER_NAMES)
            and not pd.api.types.is_numeric_dtype(values)
            and values.notna().any()
            and values.dropna().str.fullmatch(_NUMBER_PATTERN).all()
        }
    )


def _tidy_frame(table, name, root):
    """Convert a table to the frame of a Corpus, with emotions in the spelling of the corpus."""
    frame = _rename_columns(table, name)
    absent = [column for column in _REQUIRED_IN_TABLES if column not in frame.columns]
    if absent:
        raise CorpusError(
            f"the table of corpus {name!r} lacks the column(s) {absent}; it has "
            f"{list(table.columns)}. Required are 'file' (path of the audio) and 'speaker'; "
            f"'emotion', 'gender', 'language', 'naturalness', 'text' and others are optional."
        )
    lower = {str(column).lower(): column for column in frame.columns}
    near = difflib.get_close_matches("emotion", lower, n=1, cutoff=0.8)
    if near and "emotion" not in frame.columns:
        raise CorpusError(
            f"the table of corpus {name!r} has no column 'emotion', but {lower[near[0]]!r}; rename "
            f"it if it holds the labels, otherwise add an empty column 'emotion'."
        )
    if frame.empty:
        raise CorpusError(f"the table of corpus {name!r} has no rows.")
    frame["corpus"] = name
    for column in REQUIRED_COLUMNS:
        if column not in frame.columns:
            frame[column] = None
    for column in ("speaker", "language", "emotion", "gender", "naturalness", "text", "recording"):
        if column in frame.columns:
            frame[column] = pd.Series(canonical_ids(frame[column]), frame.index, dtype=object)
    for column in ("file", "speaker"):
        empty = frame[column].map(is_missing)
        if empty.any():
            raise CorpusError(
                f"corpus {name!r}: column {column!r} is empty in {rows_text(empty)}; every "
                f"utterance must have one. Fill it in or leave these rows out."
            )
    for column in PREFIXED_COLUMNS:
        if column in frame.columns:
            frame[column] = _add_prefix(frame[column], f"{name}/")
    for column, spellings in (("gender", GENDER_SPELLINGS), ("naturalness", NATURALNESS_SPELLINGS)):
        frame[column] = unify_spelling(frame[column], spellings, column, name)
    for column in NUMBER_COLUMNS:
        if column in frame.columns:
            convert = _as_seconds if column in ("start", "end") else _as_numbers
            frame[column] = convert(frame[column], column, name)
    _check_ranges(frame, name)
    frame["file"] = frame["file"].map(lambda audio: path_of(audio) or audio)  # the path in a dict
    for column in ("file", "duplicate_of"):
        if column in frame.columns:
            frame[column] = _absolute_paths(frame[column], root)
    _check_unique_utterances(frame, name)
    return text_as_object(frame)


def _check_files_exist(frame, name, root):
    """Raise one error for all audio files that do not exist."""
    paths = {file: None for file in frame["file"] if isinstance(file, str)}
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        shown = ", ".join(map(repr, missing[:3])) + (", ..." if len(missing) > 3 else "")
        base = "the working folder" if root is None else f"root={str(root)!r}"
        raise CorpusError(
            f"{len(missing)} of the {len(paths)} audio files of corpus {name!r} do not "
            f"exist: {shown}. Paths in the table are relative to {base}."
        )


def _rename_columns(table, name):
    """Rename columns to the standard names and scale percentages to [0, 1]."""
    names: dict[str, str] = {}
    for other, column in _OTHER_NAMES.items():
        if other in table.columns and column not in (*table.columns, *names.values()):
            names[other] = column
    table = table.rename(columns=names)
    if _PERCENT_OF_NATURALNESS in table.columns and "naturalness_rating" not in table.columns:
        percent = table.pop(_PERCENT_OF_NATURALNESS)
        table["naturalness_rating"] = _as_numbers(percent, _PERCENT_OF_NATURALNESS, name) / 100
    return table


def _add_prefix(values, prefix):
    """Add a prefix to ids, unless they have it already (as in a frame that was saved)."""
    return values.map(
        lambda value: value if value.startswith(prefix) else prefix + value, na_action="ignore"
    )


def _as_numbers(values, column, name):
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    written = values.astype("string").str.strip().str.lower()
    wrong = numbers.isna() & ~written.fillna("").isin(_MISSING_NUMBERS)
    if wrong.any():
        raise CorpusError(
            f"corpus {name!r}: column {column!r} has {values[wrong].iloc[0]!r} in "
            f"{rows_text(wrong)}; expected a number or an empty cell."
        )
    return numbers


def _as_seconds(values, column, name):
    """Convert times to seconds like audio loading, and those of a CSV file ("0 days 00:00:01")."""

    def parse(value):
        if not isinstance(value, str):
            return value
        with contextlib.suppress(ValueError):
            return float(value.strip() or "nan")
        if re.search("[a-zA-Z:]", value):  # a number without a unit would be nanoseconds
            with contextlib.suppress(ValueError):
                return pd.Timedelta(value)
        return None if value.strip().lower() in _MISSING_NUMBERS else value

    if values.dtype.kind in "OU":
        values = pd.Series([parse(value) for value in values], dtype=object)
    seconds, faults = all_seconds(values, column)
    if faults:
        wrong = values.index.isin(list(faults))
        raise CorpusError(f"corpus {name!r}: {rows_text(wrong)}: {next(iter(faults.values()))}.")
    return pd.Series(seconds)


def _check_ranges(frame, name):
    for column in _RATINGS:
        if column not in frame.columns:
            continue
        outside = frame[column].notna() & ~frame[column].between(0, 1)
        if outside.any():
            hint = "map its range by (value - lowest) / (highest - lowest)"
            if column == "naturalness_rating":
                hint = f"name the column {_PERCENT_OF_NATURALNESS!r} if it is a percentage"
            raise CorpusError(
                f"corpus {name!r}: column {column!r} has {frame[column][outside].iloc[0]} in "
                f"{rows_text(outside)}; expected a number from 0 to 1 ({hint})."
            )
    if "start" in frame.columns or "end" in frame.columns:
        absent = pd.Series(float("nan"), index=frame.index)
        start, end = frame.get("start", absent), frame.get("end", absent)
        wrong = (start < 0) | (end <= start.fillna(0))
        if wrong.any():
            raise CorpusError(
                f"corpus {name!r}: {rows_text(wrong)}: 'start' and 'end' are seconds in the "
                f"file; expected 0 <= start < end."
            )


def _absolute_paths(files, root):
    """Make paths absolute and missing values None; arrays are unchanged."""
    base = os.path.abspath(os.curdir if root is None else root)
    absolute = [
        os.path.normpath(os.path.join(base, file)) if isinstance(file, str | os.PathLike) else file
        for file in files.where(~files.map(is_missing), None)
    ]
    return pd.Series(absolute, index=files.index, dtype=object)


def _check_unique_utterances(frame, name):
    paths = frame["file"].map(lambda file: file if isinstance(file, str) else id(file))
    keys = frame[[c for c in ("start", "end") if c in frame.columns]].assign(file=paths)
    repeated = keys.duplicated(keep=False)
    if repeated.any():
        raise CorpusError(
            f"corpus {name!r}: {rows_text(repeated)} are the same utterance "
            f"({shortened(frame['file'][repeated].iloc[0])} with the same start and end); each "
            f"utterance must have one row only. Mark copies under another name in the column "
            f"'duplicate_of' (the file of the original)."
        )
