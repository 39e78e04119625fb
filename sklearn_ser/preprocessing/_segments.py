"""Tables of windows of utterances."""

from __future__ import annotations

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_ser.audio._decoding import reference_extent
from sklearn_ser.audio._input import as_table, find_references
from sklearn_ser.audio._signal import in_samples, window_bounds
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import AudioInput

#: Sampling rate of bare arrays in Hz.
_ARRAY_RATE = 16000


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
def window_table(
    X: AudioInput,
    window: float = 4.0,
    hop: float = 2.0,
    *,
    min_window: float | None = None,
    audio: str = "file",
) -> pd.DataFrame:
    """Cut each utterance into overlapping windows: a table with one row per window.

    The table can be given to audio steps. Only the headers of files are read.

    Parameters
    ----------
    X : DataFrame, Series, list or array of audio
        Utterances in any form that audio steps accept. With ``start`` and ``end`` the windows lie
        between these.
    window : float, default=4.0
        Length of a window in seconds. A shorter utterance is one window.
    hop : float, default=2.0
        Seconds between the starts of consecutive windows, at most `window`.
    min_window : float, default=None
        Minimum length in seconds of a shorter window at the end of an utterance. A shorter rest is
        covered by a window of full length that ends with the utterance. None is half a window.
    audio : str, default="file"
        Name of the column, Series or index level that holds the audio.

    Returns
    -------
    DataFrame
        Table with one row per window: every column of X (named index levels as columns),
        ``start`` and ``end`` in seconds from the beginning of the audio, and ``row``, the position
        of the utterance in X. An utterance whose audio cannot be opened has one row with its
        start and end unchanged; the step that reads it raises the error.

    See Also
    --------
    sklearn_ser.feature_extraction.SlidingWindows : Audio step that pools windows to one row per
        utterance.

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
    references = find_references(X, audio)
    table = as_table(X, references, audio)
    if "row" in table.columns:
        raise ValueError(
            "X has a column 'row', a name that the result uses for positions of utterances. Rename "
            "the column."
        )
    seconds = (window, hop, window / 2 if min_window is None else min_window)
    rows, starts, ends = [], [], []
    for row, reference in enumerate(references.values):
        start, end = references.span(row)
        try:
            first, stop, rate = reference_extent(reference, start, end, _ARRAY_RATE)
        except AudioError:
            # An invalid time is retained as it is in X.
            bounds: list[tuple] = [
                tuple(table.iloc[row][["start", "end"]])
                if row in references.faults
                else (start, end)
            ]
        else:
            samples = (in_samples(s, rate) for s in seconds)
            bounds = [
                ((first + begin) / rate, (first + finish) / rate)
                for begin, finish in window_bounds(stop - first, *samples)
            ]
        rows += [row] * len(bounds)
        starts += [begin for begin, _ in bounds]
        ends += [finish for _, finish in bounds]
    table = table.iloc[rows].reset_index(drop=True)
    return table.assign(start=starts, end=ends, row=np.asarray(rows, dtype=int))
