"""Predictions over time: one row per window, smoothed, and only where there is speech."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from numbers import Real
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_ser.audio import open_audio
from sklearn_ser.evaluation._audio_steps import audio_steps, predicting_estimator
from sklearn_ser.evaluation._final_model import extraction_of, find_recordings, predict_rows
from sklearn_ser.exceptions import AudioError
from sklearn_ser.preprocessing import window_table
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

#: Frames of speech are louder than the noise floor by `ABOVE_FLOOR` dB, the level that
#: `FLOOR_QUANTILE` of the frames of a recording do not exceed (digital zeros, below `LOWEST_LEVEL`
#: dBFS, are left out), and at most `BELOW_SPEECH` dB softer than the level of `SPEECH_QUANTILE`.
ABOVE_FLOOR, FLOOR_QUANTILE = 6.0, 0.1
BELOW_SPEECH, SPEECH_QUANTILE = 40.0, 0.95
LOWEST_LEVEL = -115.0
#: Sampling rate in Hz (that of bare arrays), length of a frame and of the parts that are read at
#: once in seconds.
_RATE, _FRAME, _PART = 16000, 0.02, 60.0


@public_module("sklearn_ser.evaluation")
@validate_params(
    {
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "min_window": [Interval(Real, 0, None, closed="neither"), None],
        "smoothing": [Interval(Real, 0, None, closed="neither"), None],
        "min_speech": [Interval(Real, 0, 1, closed="both"), None],
    },
    prefer_skip_nested_validation=False,
)
def predict_timeline(
    model: BaseEstimator,
    X: str | PathLike | pd.DataFrame | pd.Series | Sequence | np.ndarray,
    window: float = 4.0,
    hop: float = 2.0,
    *,
    min_window: float | None = None,
    smoothing: float | None = None,
    min_speech: float | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Predict label, probabilities and auxiliary targets of each window of each recording.

    Windows that cannot be used (such as digital silence, or too little speech) raise no error: they
    have no label, and the column `error` holds the reason. No recording is held in memory as a
    whole.

    Parameters
    ----------
    model : fitted Pipeline from audio to emotion
        Or a search over one, or an AugmentingClassifier of one.
    X : path, DataFrame, Series, list or array of audio
        Recordings or folders, as in :func:`predict_table`. With columns ``start`` and ``end`` the
        windows are between these.
    window : float, default=4.0
        Duration of a window in seconds, preferably that of the training utterances, and at least
        the minimum of the audio steps (0.06 s for most).
    hop : float, default=2.0
        Seconds from the start of a window to that of the next; at most `window`.
    min_window : float, default=None
        Minimum duration of the last window, if the recording ends within it; a shorter rest is
        covered by a window of full length that ends with the recording. None: half a window. It is
        at least the minimum of the audio steps.
    smoothing : float, default=None
        Seconds over which predictions are averaged: the probabilities of a window, and the values
        of auxiliary regression tasks, are the means over those windows of the same recording whose
        centers are at most ``smoothing / 2`` from its own (a centered moving average: it looks
        ahead). The label is the class with the highest mean. Windows without a label take no part,
        and stay without one. None does not average.
    min_speech : float, default=None
        Share of a window, from 0 to 1, that must be speech; windows with less have no label. See
        the notes on how speech is detected. None uses all windows.
    verbose : int, default=0
        1 shows the progress of the extraction on a terminal.

    Returns
    -------
    pandas.DataFrame
        One row per window, in order: `row` (number of the recording), `file` (None for an array),
        `start` and `end` in seconds, and the other columns of :func:`predict_table`; with
        `min_speech` also `speech`, the share of the window that is speech (NaN if it cannot be
        read). A recording that cannot be opened has one row, without times.

    Raises
    ------
    ValueError
        If `window` is below the minimum of the audio steps or `hop`, or predictions without
        probabilities are to be averaged.

    See Also
    --------
    predict_table : One row per recording.
    sklearn_ser.inspection.TimelineDisplay : Plot of the table.

    Notes
    -----
    Speech is detected by energy alone, relative to the recording: a frame of 20 ms is speech if it
    is at least 6 dB above the noise floor (the level below which 10 % of the frames are; digital
    zeros are left out) and at most 40 dB below the loudest 5 %. This is permissive: steady noise,
    hum and pauses are left out, but music, slamming doors and laughter count as speech. A recording
    without any pause has its softest speech as its floor, so use small values: with 0.1 to 0.3
    nearly all windows of continuous speech pass.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser import make_single_task_net, make_speech_corpus
    >>> from sklearn_ser.evaluation import fit_model, predict_timeline
    >>> speech = make_speech_corpus(n_speakers=4, random_state=0).frame
    >>> model = fit_model(make_single_task_net("egemaps", max_epochs=5), speech, aux=())
    >>> recording = np.concatenate([signal for signal, rate in speech["file"].head(4)])
    >>> timeline = predict_timeline(model, [recording], window=1.0, hop=0.5)
    >>> list(timeline.columns)[:5]
    ['row', 'file', 'start', 'end', 'label']
    >>> timeline["start"].tolist()[:3]
    [0.0, 0.5, 1.0]

    A pause has no label:

    >>> noise = 1e-3 * np.random.default_rng(0).standard_normal(32000)
    >>> timeline = predict_timeline(
    ...     model, [np.append(recording, noise)], window=1.0, hop=1.0, smoothing=2, min_speech=0.2
    ... )
    >>> timeline[["label", "speech", "error"]].tail(1).to_dict("records")
    [{'label': None, 'speech': 0.0, 'error': 'the share of speech is 0.000, below min_speech=0.2'}]
    """
    model = predicting_estimator(model)
    extraction, audio = extraction_of(model)
    steps = [audio_step for _, step in extraction for audio_step in audio_steps(step)]
    shortest = max((step._min_duration for step in steps), default=0.0)
    if window < shortest:
        raise ValueError(
            f"window must be at least {shortest:g} s, the minimum of the audio steps of this "
            f"model. Got {window:g} instead."
        )
    if smoothing is not None and not hasattr(model, "predict_proba"):
        raise ValueError(
            "smoothing averages probabilities, but this model has no predict_proba. Use a "
            "classifier with probabilities, such as CalibratedClassifierCV of this one, or "
            "smoothing=None."
        )
    # A window below the minimum of the steps would only fail.
    min_window = max(window / 2 if min_window is None else min_window, shortest)
    recordings = find_recordings(X, audio)
    windows = window_table(recordings, window, hop, min_window=min_window, audio=audio)
    left_out = {}
    if min_speech is not None:
        speech = _speech_shares(recordings, windows, audio)
        left_out = {
            row: f"the share of speech is {share:.3f}, below min_speech={min_speech:g}"
            for row, share in enumerate(speech)
            if share < min_speech  # what cannot be read has an error of its own
        }
    averaging = None if smoothing is None else partial(_moving_average, windows, smoothing)
    table = predict_rows(model, windows, left_out, averaging, verbose)
    for position, name in ((0, "row"), (2, "start"), (3, "end")):
        table.insert(position, name, windows[name].set_axis(table.index))
    if min_speech is not None:
        table.insert(5, "speech", speech)
    return table


def _moving_average(windows, seconds, rows):
    """Return a sparse matrix that averages over near windows of one recording, of some rows."""
    recordings = windows["row"].to_numpy()[rows]
    centers = windows[["start", "end"]].mean(axis=1).to_numpy()[rows]
    bounds = np.flatnonzero(np.diff(recordings, prepend=-1, append=-1))
    first, stop = np.empty((2, len(rows)), dtype=int)
    for begin, end in pairwise(bounds):
        own = centers[begin:end]
        reach = seconds / 2 + 1e-6  # times of windows are rounded to samples
        first[begin:end] = begin + np.searchsorted(own, own - reach)
        stop[begin:end] = begin + np.searchsorted(own, own + reach)
    sizes = stop - first
    starts = np.concatenate([[0], np.cumsum(sizes)])
    columns = np.arange(starts[-1]) + np.repeat(first - starts[:-1], sizes)
    return csr_array((np.repeat(1 / sizes, sizes), columns, starts), shape=(len(rows),) * 2)


def _speech_shares(recordings, windows, audio):
    """Return the share of each window that is speech; NaN where the audio cannot be read."""
    shares = np.full(len(windows), np.nan)
    parts = window_table(recordings, _PART, _PART, audio=audio)
    table = open_audio(parts, audio=audio, sampling_rate=_RATE, beyond_full_scale="clip")
    times = windows[["start", "end"]].to_numpy(float)
    own_parts, own_windows = (t.groupby("row").indices for t in (parts, windows))
    for recording, rows in own_windows.items():
        try:
            levels = [_frame_levels(table.part([k]).read(0)) for k in own_parts[recording]]
        except AudioError:
            continue
        begins = parts["start"].to_numpy(float)[own_parts[recording]]
        at = [b + _FRAME * np.arange(len(part)) for b, part in zip(begins, levels, strict=True)]
        is_speech = _is_speech(np.concatenate(levels))
        # The last part may overlap the one before it: frames are sorted by time.
        order = np.argsort(np.concatenate(at), kind="stable")
        counts = np.concatenate([[0], np.cumsum(is_speech[order])])
        bounds = np.searchsorted(np.concatenate(at)[order], times[rows] - 1e-6)
        n_frames = np.maximum(np.diff(bounds, axis=1)[:, 0], 1)
        shares[rows] = np.diff(counts[bounds], axis=1)[:, 0] / n_frames
    return shares


def _frame_levels(signal):
    """Return the levels of consecutive frames in dBFS."""
    size = round(_FRAME * _RATE)
    frames = signal[: max(len(signal) // size, 1) * size]
    power = np.square(frames.reshape(-1, min(size, len(frames))), dtype=np.float64).mean(axis=1)
    return 10 * np.log10(np.maximum(power, 1e-12))


def _is_speech(levels):
    """Return for each frame of a recording whether it is speech."""
    sounding = levels[levels > LOWEST_LEVEL]
    if not len(sounding):
        return np.zeros(len(levels), dtype=bool)
    floor, speech = np.quantile(sounding, [FLOOR_QUANTILE, SPEECH_QUANTILE])
    return levels >= max(floor + ABOVE_FLOOR, speech - BELOW_SPEECH)
