"""A table of utterances -> a table of windows of them."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_ser.audio._input import as_table, find_references
from sklearn_ser.audio._reference import reference_extent
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._window_bounds import in_samples, window_bounds

#: Of a bare array, in Hz, as everywhere.
_RATE_OF_ARRAYS = 16000


@public_module("sklearn_ser.preprocessing")
@validate_params(
    {
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "min_window": [Interval(Real, 0, None, closed="neither"), None],
        "audio": [str],
    },
    prefer_skip_nested_validation=True,
)
def window_table(X, window=4.0, hop=2.0, *, min_window=None, audio="file"):
    """Cut each utterance into overlapping windows: a table with one row a window.

    The table is what audio steps take. Of files only the headers are read.

    Parameters
    ----------
    X : DataFrame, Series, list or array of audio
        As audio steps take it. With ``start`` and ``end`` the windows lie between these.
    window : float, default=4.0
        Seconds of a window. An utterance that is shorter is one window.
    hop : float, default=2.0
        Seconds from the beginning of a window to that of the next; at most `window`.
    min_window : float, default=None
        A rest at the end becomes a shorter window if it has at least this many seconds; else a
        window of full length ends with the utterance. None: half a window.
    audio : str, default="file"
        Name of the column, Series or index level that holds the audio.

    Returns
    -------
    DataFrame
        One row a window: every column of X (its named index levels as columns), with ``start``
        and ``end`` in seconds from the beginning of the audio, and ``row``, the position in X of
        the utterance. An utterance whose audio cannot be opened keeps its one row and its start
        and end: the step that reads it will say what is wrong.

    See Also
    --------
    sklearn_ser.feature_extraction.SlidingWindows : Windows inside an audio step, pooled to one
        row for each utterance.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser.preprocessing import window_table
    >>> X = pd.DataFrame({"file": [np.zeros(80000), np.zeros(8000)], "speaker": ["a", "b"]})
    >>> window_table(X, window=2.0, hop=1.5)[["speaker", "start", "end", "row"]]
      speaker  start  end  row
    0       a    0.0  2.0    0
    1       a    1.5  3.5    0
    2       a    3.0  5.0    0
    3       b    0.0  0.5    1
    """
    if hop > window:
        raise ValueError(f"hop must be at most window, {window} s. Got {hop} instead.")
    if min_window is not None and min_window > window:
        raise ValueError(
            f"min_window must be at most window, {window} s. Got {min_window} instead."
        )
    cells = find_references(X, audio)
    table = as_table(X, cells, audio)
    if "row" in table.columns:
        raise ValueError("X has a column 'row', which is to hold the utterance: rename it")
    seconds = (window, hop, window / 2 if min_window is None else min_window)
    rows, starts, ends = [], [], []
    for row, cell in enumerate(cells.values):
        times = cells.span(row)
        try:
            first, stop, rate = reference_extent(cell, *times, _RATE_OF_ARRAYS)
        except AudioError:
            # (what is no time comes out of the audio door as a number that is none either)
            bounds = [tuple(table.iloc[row][["start", "end"]]) if row in cells.faults else times]
        else:
            samples = (in_samples(s, rate) for s in seconds)
            bounds = [
                ((first + begin) / rate, (first + finish) / rate)
                for begin, finish in window_bounds(stop - first, *samples)
            ]
        rows += [row] * len(bounds)
        starts += [start for start, _ in bounds]
        ends += [end for _, end in bounds]
    table = table.iloc[rows].reset_index(drop=True)
    return table.assign(start=starts, end=ends, row=np.asarray(rows, dtype=int))
