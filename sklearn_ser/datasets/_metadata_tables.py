"""Tables of utterances in the generic layout, and their conversion to the frame of a Corpus.

The generic layout: a folder with ``metadata.csv``, one row per utterance, in the columns of
``Corpus.frame`` as far as they are known (file, speaker and emotion are required).
"""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from sklearn_ser.datasets._corpus import NUMBER_COLUMNS, PREFIXED_COLUMNS, REQUIRED_COLUMNS
from sklearn_ser.datasets._labels import GENDER_SPELLINGS, NATURALNESS_SPELLINGS, unify_spelling
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._ids import rows_text

METADATA_FILE = "metadata.csv"

#: Standard column by alternative name, which is used where the standard column is absent.
_OTHER_NAMES = {
    "path": "file",
    "filename": "file",
    "label": "emotion",
    "sex": "gender",
    "speaker_id": "speaker",
    "text_id": "text",
    "pair_id": "recording",
}
_PERCENT_OF_NATURALNESS = "natural_pct"
_REQUIRED_IN_TABLES = ("file", "speaker", "emotion")
_MISSING_NUMBERS = ("", "nan", "na", "none")
_NUMBER_PATTERN = r"-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][-+]?\d+)?"


def read_csv_as_text(path):
    """Read a CSV file (comma, semicolon or tab).

    Ids and labels are text, None where empty; other columns of numbers only are numeric.
    """
    try:
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
    table = table.astype(object)
    table = table.where(table != "", None)
    return table.assign(
        **{
            column: pd.to_numeric(values)
            for column, values in table.items()
            if column not in (*REQUIRED_COLUMNS, *PREFIXED_COLUMNS, *_OTHER_NAMES)
            and values.notna().any()
            and values.dropna().str.fullmatch(_NUMBER_PATTERN).all()
        }
    )


def tidy_frame(table: pd.DataFrame, name: str, root: Any) -> pd.DataFrame:
    """Convert a table to the frame of a Corpus, with emotions in the spelling of the corpus.

    Relative paths refer to the folder `root`, or to the working folder.
    """
    frame = _rename_columns(table.reset_index(drop=True), name)
    absent = [column for column in _REQUIRED_IN_TABLES if column not in frame.columns]
    if absent:
        raise CorpusError(
            f"the table of corpus {name!r} lacks the column(s) {absent}; it has "
            f"{list(table.columns)}. Required are 'file' (path of the audio), 'speaker' and "
            f"'emotion'; 'gender', 'language', 'naturalness', 'text' and others are optional."
        )
    if frame.empty:
        raise CorpusError(f"the table of corpus {name!r} has no rows.")
    frame["corpus"] = pd.Series([name] * len(frame), dtype=object)
    for column in REQUIRED_COLUMNS:
        if column not in frame.columns:
            frame[column] = pd.Series([None] * len(frame), dtype=object)
    for column in ("speaker", "language", "emotion", "gender", "naturalness", "text", "recording"):
        if column in frame.columns:
            frame[column] = _as_text(frame[column])
    _check_no_empty_ids(frame, name)
    for column in PREFIXED_COLUMNS:
        if column in frame.columns:
            frame[column] = _add_prefix(frame[column], f"{name}/")
    for column, spellings in (("gender", GENDER_SPELLINGS), ("naturalness", NATURALNESS_SPELLINGS)):
        frame[column] = unify_spelling(frame[column], spellings, column, name)
    for column in NUMBER_COLUMNS:
        if column in frame.columns:
            frame[column] = _as_numbers(frame[column], column, name)
    _check_ranges(frame, name)
    for column in ("file", "duplicate_of"):
        if column in frame.columns:
            frame[column] = _absolute_paths(frame[column], root)
    _check_unique_utterances(frame, name)
    return text_as_object(frame)


def text_as_object(frame):
    """Convert text columns to dtype object, with None for missing values.

    scikit-learn's estimators and splitters accept such columns as ``y`` and ``groups``; most of
    them do not support the missing value of the string dtype of pandas.
    """
    columns = {}
    for column, values in frame.items():
        if pd.api.types.is_object_dtype(values) or isinstance(values.dtype, pd.StringDtype):
            values = values.astype(object)
            columns[column] = values.where(values.notna(), None)
    return frame.assign(**columns)


def check_files_exist(frame, name, root):
    """Raise one error for all audio files that do not exist."""
    paths = [cell for cell in frame["file"] if isinstance(cell, str)]
    missing = [path for path in dict.fromkeys(paths) if not os.path.isfile(path)]
    if missing:
        shown = ", ".join(map(repr, missing[:3])) + (", ..." if len(missing) > 3 else "")
        base = "the working folder" if root is None else f"root={str(root)!r}"
        raise CorpusError(
            f"{len(missing)} of the {len(set(paths))} audio files of corpus {name!r} do not "
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


def _as_text(values):
    """Convert ids to strings: 3 and 3.0 (of a column with missing values) to "3", "" to None."""

    def text(value):
        if value is None or (not isinstance(value, str) and pd.isna(value)):
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return str(value).strip() or None

    return pd.Series([text(value) for value in values], index=values.index, dtype=object)


def _check_no_empty_ids(frame, name):
    for column in ("file", "speaker"):
        empty = [_is_empty(cell) for cell in frame[column]]
        if any(empty):
            raise CorpusError(
                f"corpus {name!r}: column {column!r} is empty in {rows_text(empty)}; every "
                f"utterance must have one. Fill it in or leave these rows out."
            )


def _is_empty(cell):
    if isinstance(cell, str):
        return not cell
    return pd.api.types.is_scalar(cell) and pd.isna(cell)


def _add_prefix(values, prefix):
    """Add a prefix to ids, unless they have it already (as in a frame that was saved)."""
    return values.map(
        lambda value: value if value.startswith(prefix) else prefix + value, na_action="ignore"
    )


def _as_numbers(values, column, name):
    text = values.map(
        lambda cell: (
            None if isinstance(cell, str) and cell.strip().lower() in _MISSING_NUMBERS else cell
        )
    )
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    wrong = numbers.isna() & text.notna()
    if wrong.any():
        raise CorpusError(
            f"corpus {name!r}: column {column!r} has {values[wrong].iloc[0]!r} in "
            f"{rows_text(wrong)}; expected a number or an empty cell."
        )
    return numbers


def _check_ranges(frame, name):
    if "naturalness_rating" in frame.columns:
        rating = frame["naturalness_rating"]
        outside = rating.notna() & ~rating.between(0, 1)
        if outside.any():
            raise CorpusError(
                f"corpus {name!r}: column 'naturalness_rating' has {rating[outside].iloc[0]} in "
                f"{rows_text(outside)}; expected a number from 0 to 1 (name the column "
                f"'natural_pct' if it is a percentage)."
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
    """Make paths absolute; arrays and empty cells are unchanged."""
    base = os.path.abspath(os.curdir if root is None else root)
    cells = [
        os.path.normpath(os.path.join(base, cell)) if isinstance(cell, str | os.PathLike) else cell
        for cell in files
    ]
    return pd.Series(cells, index=files.index, dtype=object)


def _check_unique_utterances(frame, name):
    paths = frame["file"].map(lambda cell: cell if isinstance(cell, str) else id(cell))
    keys = frame[[c for c in ("start", "end") if c in frame.columns]].assign(file=paths)
    repeated = keys.duplicated(keep=False)
    if repeated.any():
        raise CorpusError(
            f"corpus {name!r}: {rows_text(repeated)} are the same utterance "
            f"({frame['file'][repeated].iloc[0]!r} with the same start and end); each utterance "
            f"must have one row only. Mark copies under another name in the column "
            f"'duplicate_of' (the file of the original)."
        )
