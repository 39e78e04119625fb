"""Audio references of the tables, lists and arrays that a user may give as X."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from sklearn_ser.audio._signal import all_seconds, shortened
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._ids import (
    ID_COLUMNS,
    as_frame,
    as_index,
    canonical_ids,
    find_id,
    index_with_ids,
    short_list,
)

# More columns than this make a 2-D array a stack of utterances, not a channel-last signal.
_MOST_CHANNELS = 8

# Keys of a dict that is an audio reference.
_AUDIO_KEYS = {"path", "bytes", "array"}


@dataclass
class AudioReferences:
    """One audio reference per row.

    Starts and ends are in seconds; NaN is the start or end of the audio. `faults` holds the reason
    for rows whose start or end is not a time; only these rows fail, when read.
    """

    values: list
    starts: np.ndarray
    ends: np.ndarray
    index: pd.Index
    faults: dict[int, str] = field(default_factory=dict)

    def span(self, row: int) -> tuple[float, float]:
        """Return start and end of a row in seconds; NaN is the start or end of the audio."""
        return float(self.starts[row]), float(self.ends[row])

    def part(self, rows: Iterable[int]) -> AudioReferences:
        """Return the references at some positions."""
        rows = list(rows)
        values = [self.values[row] for row in rows]
        faults = {i: self.faults[row] for i, row in enumerate(rows) if row in self.faults}
        return AudioReferences(values, self.starts[rows], self.ends[rows], self.index[rows], faults)


def find_references(X: Any, audio: str) -> AudioReferences:
    """Find the audio in X; `audio` names the column, Series or index level that holds it."""
    X = as_frame(X)
    frame = _as_frame(X, audio)
    if frame is not None:
        return _from_frame(frame, audio)
    if isinstance(X, pd.Index) and X.nlevels > 1:
        raise AudioError(
            f"X is an index with the levels {list(X.names)}, none of which is {audio!r}: name the "
            f"one that holds the audio with audio="
        )
    values = X.tolist() if isinstance(X, pd.Series) else _from_sequence(X)
    index = _output_index(X) if isinstance(X, pd.Series) else pd.RangeIndex(len(values))
    open_ends = np.full(len(values), np.nan)
    return AudioReferences(values, open_ends, open_ends, index)


def as_table(X: Any, references: AudioReferences, audio: str) -> pd.DataFrame:
    """Return X, and its references found before, as a DataFrame with index levels as columns."""
    frame = _as_frame(X, audio)
    if frame is None:
        return pd.DataFrame({audio: pd.Series(references.values, dtype=object)})
    levels = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(level=levels).reset_index(drop=True)


def _as_frame(X, audio):
    """Return a DataFrame, or an index (of a Series too) with the audio, as a DataFrame, or None."""
    X = as_frame(X)
    if isinstance(X, pd.Series) and audio in X.index.names and X.name != audio:
        return X.to_frame()  # a column of an audformat table: labels, with the audio in the index
    if isinstance(X, pd.Index) and audio in X.names:
        return pd.DataFrame(index=X)
    return X if isinstance(X, pd.DataFrame) else None


def _from_frame(X, audio):
    if audio in X.columns:
        # Only columns count: arrays may be cut already by the segments in the index.
        column = X[audio]
        start, end = (X[name] if name in X.columns else None for name in ("start", "end"))
        if any(isinstance(part, pd.DataFrame) for part in (column, start, end)):
            raise AudioError(
                f"X has duplicate column names ({short_list(list(X.columns))}): {audio!r}, 'start' "
                f"and 'end' must each occur once"
            )
    elif audio in X.index.names:
        column = X.index.get_level_values(audio)
        start, end = (_level_or_column(X, name) for name in ("start", "end"))
    else:
        levels = [level for level in X.index.names if level is not None]
        raise AudioError(
            f"X has no column and no index level {audio!r} to take the audio from: it has the "
            f"columns {short_list(list(X.columns))} and the index levels {levels}. Name the one "
            f"that holds the audio with audio="
        )
    faults: dict[int, str] = {}
    starts = ends = np.full(len(X), np.nan)
    if end is not None:
        ends, faults = all_seconds(end, "end")
    if start is not None:
        starts, start_faults = all_seconds(start, "start")
        faults |= start_faults
    return AudioReferences(column.tolist(), starts, ends, _output_index(X), faults)


def _level_or_column(X, name):
    if name in X.index.names:
        return X.index.get_level_values(name)
    return find_id(X, name)


def _output_index(X):
    """Return the index of what is computed from X: its ids, or its index if it has them all."""
    found = {name: find_id(X, name) for name in ID_COLUMNS}
    ids = {name: values for name, values in found.items() if values is not None}
    if isinstance(X, pd.Series) or not ids or index_with_ids(X, ids) is X.index:
        return X.index
    if len(ids) == 1:
        ((name, values),) = ids.items()
        if is_numeric_dtype(values.dtype):
            # A ColumnTransformer with pandas output would take numbered speakers for the row
            # numbers of another step, and pair its rows wrongly.
            ids = {name: pd.Index(canonical_ids(values))}
    return as_index(list(ids.values()), list(ids))


def _from_sequence(X):
    if isinstance(X, str) or hasattr(X, "__fspath__"):
        raise AudioError(f"X is a single path ({X!r}): wrap it in a list, [path]")
    is_dict = isinstance(X, dict) and not _AUDIO_KEYS.isdisjoint(X)
    if is_dict or isinstance(X, bytes) or hasattr(X, "read") or hasattr(X, "get_all_samples"):
        raise AudioError(f"X is a single audio reference ({shortened(X)}): wrap it in a list, [X]")
    if isinstance(X, tuple) and len(X) == 2 and _is_number(X[1]) and not _is_number(X[0]):
        raise AudioError("X is a single (array, rate) pair: wrap it in a list, [(array, rate)]")
    if isinstance(X, np.ndarray):
        return _from_array(X)
    if not isinstance(X, list | tuple | pd.Index | pd.api.extensions.ExtensionArray):
        raise AudioError(
            f"X is a {type(X).__module__}.{type(X).__qualname__}: expected a pandas DataFrame or "
            f"Series, a list or an array of paths, 1-D arrays or (array, rate) pairs"
        )
    references = list(X)
    if references and _is_number(references[0]):
        raise AudioError(
            "X is a list of numbers, that is a single signal: give it as an array in a list, "
            "[np.array(signal)]"
        )
    return references


def _from_array(X):
    """Return the references in an ndarray: 1-D of paths or objects, or one signal per row."""
    holds_references = X.dtype.kind in "OUST" and X.size > 0 and not _is_number(X.flat[0])
    if holds_references and X.ndim == 2:
        if X.shape[1] == 1:
            X = X[:, 0]  # frame[["file"]].to_numpy()
        elif X.shape[1] == 2 and _is_number(X[0, 1]):
            return [tuple(row) for row in X]  # np.array(pairs, dtype=object)
        elif not isinstance(X[0, 0], numbers.Number):  # a NaN may well be a sample
            raise AudioError(
                f"X is an array of shape {X.shape} with elements of type {type(X[0, 0]).__name__}: "
                f"give one column of audio, or a DataFrame"
            )
    if X.ndim == 1 and (holds_references or X.size == 0):
        return X.tolist()
    if X.ndim < 2:
        raise AudioError(
            f"X is a single array of shape {X.shape}: wrap it in a list, [array], or give an "
            f"array of shape (n_utterances, n_samples)"
        )
    if X.ndim == 2 and X.shape[0] > X.shape[1] and 0 < X.shape[1] <= _MOST_CHANNELS:
        raise AudioError(
            f"X is an array of shape {X.shape}, which looks like a single channel-last signal: "
            f"give [array.T], or equal-length utterances as (n_utterances, n_samples)"
        )
    return list(X)


def _is_number(value):
    return isinstance(value, numbers.Number | np.bool_) and value == value
