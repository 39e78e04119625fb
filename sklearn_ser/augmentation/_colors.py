"""Noise of a color: Gaussian, its power falling or rising evenly with frequency."""

import numpy as np
from scipy.fft import irfft, next_fast_len

#: Color to the exponent of 1/f in its power: pink falls by 3 dB in each octave, brown by 6.
COLORS = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0, "violet": -2.0}
#: Hz below which the power no longer changes: nearly all of brown noise's would be inaudible.
_LOWEST = 20.0


def colored_noise(color, n, rate, rng):
    """Noise without a mean, of any level.

    Parameters
    ----------
    color : str
        A key of `COLORS`.
    n : int
        Samples.
    rate : float
        Hz.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32 of shape (n,)
    """
    exponent = COLORS[color]
    if exponent == 0:
        return rng.standard_normal(n, dtype=np.float32)
    size = 2 * next_fast_len((n + 1) // 2, real=True)
    # A random spectrum is that of white noise, which saves one of two transforms.
    spectrum = rng.standard_normal(size + 2, dtype=np.float32).view(np.complex64)
    step = np.float32(rate / size)
    frequencies = np.maximum(np.arange(size // 2 + 1, dtype=np.float32) * step, _LOWEST)
    frequencies /= np.float32(_LOWEST)
    gains = frequencies if abs(exponent) == 2 else np.sqrt(frequencies)
    spectrum = spectrum / gains if exponent > 0 else spectrum * gains
    spectrum[0] = 0
    return irfft(spectrum, size)[:n]
