"""Pitch of an utterance by autocorrelation: robust and coarse, for what sex labels say."""

import math

import numpy as np
from scipy.fft import irfft, rfft

#: Range of a speaking voice in Hz.
LOWEST, HIGHEST = 65.0, 450.0
#: Autocorrelation at the period, relative to that at 0, from which on a frame is voiced.
VOICED = 0.6
#: Frames this far below the loudest are not looked at (dB).
LOUD = 25.0


def median_pitch(signal, rate):
    """Median fundamental frequency of the voiced frames in Hz; NaN with fewer than five.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
    rate : int
        In Hz.

    Returns
    -------
    float
    """
    size, hop = int(0.04 * rate), int(0.02 * rate)
    if len(signal) < size + 5 * hop:
        return math.nan
    starts = np.arange(0, len(signal) - size, hop)
    frames = signal[starts[:, None] + np.arange(size)].astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    power = np.square(frames).mean(axis=1)
    frames = frames[power > power.max() * 10 ** (-LOUD / 10)]
    window = np.hanning(size)
    n_fft = 2 * size
    likeness = irfft(np.square(np.abs(rfft(frames * window, n_fft, axis=1))), axis=1)
    of_window = irfft(np.square(np.abs(rfft(window, n_fft))))  # Boersma: undo the window's own
    shortest, longest = int(rate / HIGHEST), int(math.ceil(rate / LOWEST))
    lags = np.arange(shortest - 1, longest + 2)
    curve = likeness[:, lags] / (likeness[:, :1] + 1e-20) / (of_window[lags] / of_window[0])
    inner = curve[:, 1:-1]
    is_peak = (inner >= curve[:, :-2]) & (inner > curve[:, 2:])
    heights = np.where(is_peak, inner, -1.0)
    best = heights.max(axis=1)
    # The shortest of nearly equal periods: twice the period fits as well as the period.
    first = np.argmax(heights >= 0.9 * best[:, None], axis=1)
    voiced = best >= VOICED
    if voiced.sum() < 5:
        return math.nan
    return float(np.median(rate / lags[1:-1][first[voiced]]))
