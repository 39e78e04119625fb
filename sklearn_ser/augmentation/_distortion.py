"""Augmenters of the level and the transmission: gain, clipping, telephone band."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.augmentation._base import AudioAugmenter, Range, document_audio_augmenter, draw
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.augmentation")
@document_audio_augmenter
class Gain(AudioAugmenter):
    """Make each utterance louder or softer.

    A gain that would exceed full scale is reduced as far as needed (see :class:`Clip` for
    distortion).

    Parameters
    ----------
    gain_db : float or (float, float), default=(-12.0, 6.0)
        Gain in dB. From a range, a value is drawn for each utterance.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import Gain
    >>> softer = Gain(-6.0).augment([np.full(8, 0.5)])
    >>> print(read_audio(softer["file"][0]).round(3)[:3])
    [0.251 0.251 0.251]
    """

    _parameter_constraints: dict[str, Any] = {
        "gain_db": [Range(Real, -100, 100, closed="both")],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        gain_db: float | tuple[float, float] = (-12.0, 6.0),
        *,
        p: float = 1.0,
        audio: str = "file",
        sampling_rate: float = 16000,
        train_only: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(p, audio, sampling_rate, train_only, random_state)
        self.gain_db = gain_db

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return signal * np.float32(10.0 ** (draw(self.gain_db, rng) / 20.0))


@public_module("sklearn_ser.augmentation")
@document_audio_augmenter
class Clip(AudioAugmenter):
    """Clip the peaks, like an overdriven microphone or converter.

    Samples within the threshold are unchanged (put :class:`Gain` behind it for another level).

    Parameters
    ----------
    overdrive : float or (float, float), default=(3.0, 15.0)
        Distance in dB of the threshold from the peak of the utterance. From a range, a value is
        drawn for each utterance.
    share : float or (float, float), default=None
        Share of the samples that are clipped, instead of `overdrive`.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import Clip
    >>> print(read_audio(Clip(20.0).augment([np.array([0.01, -0.8, 0.4])])["file"][0]).round(3))
    [ 0.01 -0.08  0.08]
    """

    _parameter_constraints: dict[str, Any] = {
        "overdrive": [Range(Real, 0, 100, closed="both")],
        "share": [Range(Real, 0, 1, closed="left"), None],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        overdrive: float | tuple[float, float] = (3.0, 15.0),
        *,
        share: float | tuple[float, float] | None = None,
        p: float = 1.0,
        audio: str = "file",
        sampling_rate: float = 16000,
        train_only: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(p, audio, sampling_rate, train_only, random_state)
        self.overdrive = overdrive
        self.share = share

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.share is None:
            peak = max(-float(signal.min()), float(signal.max()))
            threshold = np.float32(peak * 10.0 ** (-draw(self.overdrive, rng) / 20.0))
        else:
            size = np.abs(signal)
            n_clipped = min(round(draw(self.share, rng) * len(size)), len(size) - 1)
            threshold = np.partition(size, -1 - n_clipped)[-1 - n_clipped]
            if not threshold:  # more samples are zero than are not to be clipped
                return signal
        return np.clip(signal, -threshold, threshold)


#: Widths in Hz over which the gain falls from 1 to 0, below and above the band.
_BELOW, _ABOVE = 100.0, 400.0
#: Seconds of silence between the end and the beginning, which are adjacent for the transform.
_GUARD = 0.05


@public_module("sklearn_ser.augmentation")
@document_audio_augmenter
class TelephoneBand(AudioAugmenter):
    """Restrict the audio to the band of a telephone line: 300 to 3400 Hz.

    The gain is 1 within the band, falls (as half a cosine) to 0 over the 100 Hz below and the
    400 Hz above it, and is 0 beyond; there is no delay. The level falls accordingly. For the 8 kHz
    of a telephone line set ``sampling_rate=8000``, for its coding use :class:`Codec`.

    Parameters
    ----------
    low : float or (float, float), default=300.0
        Lower end of the band in Hz. From a range, a value is drawn for each utterance.
    high : float or (float, float), default=3400.0
        Upper end of the band in Hz; above half the sampling rate nothing is removed there.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import TelephoneBand
    >>> time = np.arange(16000) / 16000
    >>> chord = sum(0.1 * np.sin(2 * np.pi * f * time) for f in (100, 1000, 5000))
    >>> heard = read_audio(TelephoneBand().augment([chord])["file"][0])
    >>> print(np.abs(np.fft.rfft(heard))[[100, 1000, 5000]].round() / 800)
    [0. 1. 0.]
    """

    _parameter_constraints: dict[str, Any] = {
        "low": [Range(Real, 0, None, closed="left")],
        "high": [Range(Real, 0, None, closed="left")],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        low: float | tuple[float, float] = 300.0,
        high: float | tuple[float, float] = 3400.0,
        *,
        p: float = 1.0,
        audio: str = "file",
        sampling_rate: float = 16000,
        train_only: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(p, audio, sampling_rate, train_only, random_state)
        self.low = low
        self.high = high

    def _validate_params(self):
        super()._validate_params()
        if np.max(self.low) >= np.min(self.high):
            raise InvalidParameterError(
                f"The 'low' parameter of TelephoneBand must lie below 'high'. Got low={self.low!r} "
                f"and high={self.high!r} instead."
            )

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        low, high = draw(self.low, rng), draw(self.high, rng)
        rate = self.sampling_rate
        size = next_fast_len(len(signal) + round(_GUARD * rate), real=True)
        spectrum = rfft(signal, size)
        spectrum *= _gains(len(spectrum), rate / size, low, high)
        return irfft(spectrum, size)[: len(signal)]


def _gains(n_bins, step, low, high):
    frequencies = np.arange(n_bins, dtype=np.float32) * np.float32(step)
    gains = np.zeros(n_bins, dtype=np.float32)
    first, last = np.searchsorted(frequencies, (low, high))
    gains[first:last] = 1
    for edge, width in ((low, -_BELOW), (high, _ABOVE)):
        ends = sorted((edge, edge + width))
        start, stop = np.searchsorted(frequencies, ends)
        distance = (frequencies[start:stop] - edge) / width
        gains[start:stop] = 0.5 + 0.5 * np.cos(np.pi * distance)
    return gains
