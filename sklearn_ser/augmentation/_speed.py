"""Augmenters of speed, tempo, pitch and vocal tract length."""

from __future__ import annotations

from dataclasses import KW_ONLY
from importlib.metadata import version
from numbers import Real

import numpy as np
import soxr
from scipy.fft import irfft, next_fast_len, rfft
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._base import AudioAugmenter, Range, augmenter, draw
from sklearn_ser.utils._extras import import_extra

#: Seed of the stretching library, which draws random phases for extreme factors.
_STRETCH_SEED = 0


@augmenter
class SpeedPerturbation(AudioAugmenter):
    """Play faster or slower, like a tape: duration, pitch and formants change together.

    The audio is resampled (with soxr), after [1]_, where the factors are 0.9, 1.0 and 1.1.

    Parameters
    ----------
    factor : float or (float, float), default=(0.9, 1.1)
        Factor of the speed; above 1 the audio is shorter and higher. From a range, a value is
        drawn for each utterance.
    %(common_parameters)s

    References
    ----------
    .. [1] T. Ko, V. Peddinti, D. Povey and S. Khudanpur, "Audio augmentation for speech
       recognition", Interspeech 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import SpeedPerturbation
    >>> tone = 0.1 * np.sin(np.arange(16000) / 5)
    >>> len(read_audio(SpeedPerturbation(1.25).augment([tone])["file"][0]))
    12800
    """

    factor: float | tuple[float, float] = (0.9, 1.1)

    _parameter_constraints = {
        "factor": [Range(Real, 0.25, 4, closed="both")],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        factor = draw(self.factor, rng)
        return soxr.resample(signal, factor, 1.0, quality="HQ") if factor != 1 else signal


class _StretchingAugmenter(AudioAugmenter):
    """Base of the augmenters that use the library Signalsmith Stretch."""

    def _validate_params(self):
        super()._validate_params()
        self._library()

    def _library(self):
        return import_extra("python_stretch", "augment", type(self).__name__)

    def _versions(self):
        self._library()
        return {"python-stretch": version("python-stretch")}

    def _stretched(self, signal, n_samples, factor=1.0, semitones=0.0):
        """Return the signal stretched to `n_samples`, and transposed."""
        stretch = self._library().Signalsmith.Stretch(_STRETCH_SEED)
        stretch.preset(1, float(self.sampling_rate))
        stretch.setTimeFactor(factor)
        stretch.setTransposeSemitones(semitones)
        stretched = np.ravel(stretch.process(np.ascontiguousarray(signal[np.newaxis])))
        # The library truncates the length; for signals below its window the result is still
        # shorter.
        missing = n_samples - len(stretched)
        return np.pad(stretched, (0, missing)) if missing > 0 else stretched[:n_samples]


@augmenter
class TempoPerturbation(_StretchingAugmenter):
    """Speak faster or slower: the duration changes, pitch and formants stay the same.

    The spectral method of the library Signalsmith Stretch is used (package ``python-stretch``, in
    the extra ``augment``).

    Parameters
    ----------
    factor : float or (float, float), default=(0.85, 1.2)
        Factor of the tempo; above 1 the audio is shorter. From a range, a value is drawn for each
        utterance.
    %(common_parameters)s

    Raises
    ------
    MissingDependencyError
        From `fit` and `augment`, without the extra ``augment``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import TempoPerturbation
    >>> tone = 0.1 * np.sin(np.arange(16000) / 5)
    >>> len(read_audio(TempoPerturbation(1.25).augment([tone])["file"][0]))
    12800
    """

    factor: float | tuple[float, float] = (0.85, 1.2)

    _parameter_constraints = {
        "factor": [Range(Real, 0.25, 4, closed="both")],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        factor = draw(self.factor, rng)
        return self._stretched(signal, max(1, round(len(signal) / factor)), factor=factor)


@augmenter
class PitchShift(_StretchingAugmenter):
    """Speak higher or lower: pitch and formants change, the duration stays the same.

    The spectral method of the library Signalsmith Stretch is used (package ``python-stretch``, in
    the extra ``augment``). See :class:`VocalTractLengthPerturbation` for formants alone.

    Parameters
    ----------
    semitones : float or (float, float), default=(-3.0, 3.0)
        Shift of all frequencies; 12 semitones double them. From a range, a value is drawn for each
        utterance.
    %(common_parameters)s

    Raises
    ------
    MissingDependencyError
        From `fit` and `augment`, without the extra ``augment``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import PitchShift
    >>> tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    >>> higher = read_audio(PitchShift(12).augment([tone])["file"][0])
    >>> print(len(higher), round(np.abs(np.fft.rfft(higher)).argmax() / 200, 1))  # bins of 1 Hz
    16000 2.0
    """

    semitones: float | tuple[float, float] = (-3.0, 3.0)

    _parameter_constraints = {
        "semitones": [Range(Real, -24, 24, closed="both")],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self._stretched(signal, len(signal), semitones=draw(self.semitones, rng))


#: Window in seconds, and the number of windows that cover each sample.
_WINDOW, _OVERLAP = 0.032, 4
#: Quefrency in seconds up to which the cepstrum describes the vocal tract and not the pitch.
_ENVELOPE = 0.0025
#: Floor of the spectrum of a frame, as a share of its peak (-80 dB).
_FLOOR = 1e-4
#: Largest gain of a frequency in either direction (20 dB).
_MOST_GAIN = np.log(10.0)
#: Largest boundary as a share of the Nyquist frequency.
_HIGHEST_BOUNDARY = 0.6


@augmenter
class VocalTractLengthPerturbation(AudioAugmenter):
    """Move the formants like a longer or shorter vocal tract; pitch and duration stay the same.

    The frequency axis is warped as in [1]_: by `factor` up to the boundary, and linearly from there
    on, so that half the sampling rate maps to itself. There the filter bank is warped, with its
    triangles much wider than the distance of harmonics; here the spectral envelope is (the
    cepstrum up to 2.5 ms, in windows of 32 ms). Each window is filtered by the ratio of the
    warped envelope to its own, which does not move the harmonics, hence the pitch.

    Parameters
    ----------
    factor : float or (float, float), default=(0.9, 1.1)
        Factor of the formant frequencies; above 1 they rise, as in a shorter vocal tract. From a
        range, a value is drawn for each utterance.
    boundary : float, default=4800.0
        Frequency in Hz up to which the warping is by `factor`; at most 0.3 times the sampling rate
        is used.
    %(common_parameters)s

    References
    ----------
    .. [1] N. Jaitly and G. E. Hinton, "Vocal tract length perturbation (VTLP) improves speech
       recognition", ICML Workshop on Deep Learning for Audio, Speech and Language, 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import VocalTractLengthPerturbation
    >>> pulses = np.zeros(16000)
    >>> pulses[::160] = 0.5
    >>> len(read_audio(VocalTractLengthPerturbation(1.1).augment([pulses])["file"][0]))
    16000
    """

    factor: float | tuple[float, float] = (0.9, 1.1)
    _: KW_ONLY
    boundary: float = 4800.0

    _parameter_constraints = {
        "factor": [Range(Real, 0.5, 2, closed="both")],
        "boundary": [Interval(Real, 0, None, closed="neither")],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        factor, rate = draw(self.factor, rng), self.sampling_rate
        hop = max(1, next_fast_len(round(_WINDOW * rate / _OVERLAP), real=True))
        size = _OVERLAP * hop
        # A periodic Hann window, whose square sums up to 1.5 where four of them overlap.
        window = np.sin(np.pi * np.arange(size) / size).astype(np.float32) ** 2
        padded = np.pad(signal, (size - hop, size))
        n_frames = (len(padded) - size) // hop + 1
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:n_frames]
        spectra = rfft(frames * window, axis=1)
        spectra *= np.exp(self._log_gains(np.abs(spectra), size, factor))
        frames = irfft(spectra, size, axis=1) * (window / np.float32(1.5))
        return _overlap_added(frames, hop)[size - hop : size - hop + len(signal)]

    def _log_gains(self, magnitudes, size, factor):
        """Return the log ratio of the warped to the own envelope of each frame and frequency."""
        floors = _FLOOR * magnitudes.max(axis=1, keepdims=True)
        logs = np.log(np.maximum(magnitudes, floors) + np.float32(1e-20))
        cepstra = irfft(logs, size, axis=1)
        n_low = min(round(_ENVELOPE * self.sampling_rate), size // 2)
        cepstra[:, n_low : size - n_low + 1] = 0
        envelopes = rfft(cepstra, axis=1).real
        n_bins = envelopes.shape[1]
        sources = warped_sources(n_bins, self.sampling_rate, factor, self.boundary)
        below = np.minimum(sources.astype(int), n_bins - 2)
        share = (sources - below).astype(np.float32)
        warped = envelopes[:, below] * (1 - share) + envelopes[:, below + 1] * share
        return np.clip(warped - envelopes, -_MOST_GAIN, _MOST_GAIN)


def warped_sources(n_bins: int, rate: float, factor: float, boundary: float) -> np.ndarray:
    """Return for each bin of the warped spectrum the one (of 0 Hz to half the rate) it is from."""
    top = rate / 2
    # The warped boundary of the paper: the boundary itself, or lower if frequencies fall.
    end = min(boundary, _HIGHEST_BOUNDARY * top) * min(factor, 1.0)
    frequencies = np.linspace(0, top, n_bins)
    return np.interp(frequencies, [0, end, top], [0, end / factor, top]) * ((n_bins - 1) / top)


def _overlap_added(frames, hop):
    n_frames, size = frames.shape
    parts = size // hop
    total = np.zeros((n_frames + parts - 1, hop), dtype=frames.dtype)
    for part in range(parts):
        total[part : part + n_frames] += frames[:, part * hop : (part + 1) * hop]
    return total.ravel()
