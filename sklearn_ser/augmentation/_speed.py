"""SpeedPerturbation, TempoPerturbation, PitchShift: faster or slower, higher or lower."""

from importlib.metadata import version
from numbers import Real

import numpy as np
import soxr
from scipy.fft import irfft, next_fast_len, rfft
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._base import AudioAugmenter, check_range, draw
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._public import public_module

#: The stretching library draws phases of its own for extreme factors: always from here.
_STRETCH_SEED = 0


@public_module("sklearn_ser.augmentation")
class SpeedPerturbation(AudioAugmenter):
    """Play faster or slower, as a tape does: duration, pitch and formants change together.

    By resampling (soxr), after [1]_, who used the factors 0.9, 1.0 and 1.1.

    Parameters
    ----------
    factor : float or (float, float), default=(0.9, 1.1)
        Of the speed: above 1 the audio is shorter and higher; of a range, a value is drawn for
        each utterance.
    p : float, default=1.0
        Share of the utterances that are changed.
    audio : str, default="file"
        Column of X that holds the audio.
    sampling_rate : int or float, default=16000
        Rate in Hz that the audio is changed and handed on at.
    train_only : bool, default=True
        `transform` hands the audio on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives an utterance the same change wherever it stands.

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

    _parameter_constraints = {
        "factor": [Real, tuple, list],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        factor=(0.9, 1.1),
        *,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.factor = factor
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "factor", Interval(Real, 0.25, 4, closed="both"))

    def _augment(self, signal, rng):
        return _resampled(signal, draw(self.factor, rng))


@public_module("sklearn_ser.augmentation")
class TempoPerturbation(AudioAugmenter):
    """Speak faster or slower: the duration changes, pitch and formants stay.

    By the spectral method of the library Signalsmith Stretch (package ``python-stretch``, which
    comes with the extra ``augment``).

    Parameters
    ----------
    factor : float or (float, float), default=(0.85, 1.2)
        Of the tempo: above 1 the audio is shorter; of a range, a value is drawn for each
        utterance.
    p : float, default=1.0
        Share of the utterances that are changed.
    audio : str, default="file"
        Column of X that holds the audio.
    sampling_rate : int or float, default=16000
        Rate in Hz that the audio is changed and handed on at.
    train_only : bool, default=True
        `transform` hands the audio on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives an utterance the same change wherever it stands.

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

    _parameter_constraints = {
        "factor": [Real, tuple, list],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        factor=(0.85, 1.2),
        *,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.factor = factor
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "factor", Interval(Real, 0.25, 4, closed="both"))
        _stretching(self)

    def _versions(self):
        return _stretch_version(self)

    def _augment(self, signal, rng):
        factor = draw(self.factor, rng)
        n_samples = max(1, round(len(signal) / factor))
        return _stretched(self, signal, n_samples, factor=factor)


@public_module("sklearn_ser.augmentation")
class PitchShift(AudioAugmenter):
    """Speak higher or lower: pitch and formants change, the duration stays.

    By the spectral method of the library Signalsmith Stretch (package ``python-stretch``, which
    comes with the extra ``augment``). See :class:`VocalTractLengthPerturbation` for formants alone.

    Parameters
    ----------
    semitones : float or (float, float), default=(-3.0, 3.0)
        By which all frequencies move; 12 double them. Of a range, a value is drawn for each
        utterance.
    p : float, default=1.0
        Share of the utterances that are changed.
    audio : str, default="file"
        Column of X that holds the audio.
    sampling_rate : int or float, default=16000
        Rate in Hz that the audio is changed and handed on at.
    train_only : bool, default=True
        `transform` hands the audio on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives an utterance the same change wherever it stands.

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

    _parameter_constraints = {
        "semitones": [Real, tuple, list],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        semitones=(-3.0, 3.0),
        *,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.semitones = semitones
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "semitones", Interval(Real, -24, 24, closed="both"))
        _stretching(self)

    def _versions(self):
        return _stretch_version(self)

    def _augment(self, signal, rng):
        return _stretched(self, signal, len(signal), semitones=draw(self.semitones, rng))


def _resampled(signal, factor):
    return soxr.resample(signal, factor, 1.0, quality="HQ") if factor != 1 else signal


def _stretching(step):
    return import_extra("python_stretch", "augment", type(step).__name__)


def _stretch_version(step):
    _stretching(step)
    return {"python-stretch": version("python-stretch")}


def _stretched(step, signal, n_samples, factor=1.0, semitones=0.0):
    """The signal through the library, `n_samples` long."""
    stretch = _stretching(step).Signalsmith.Stretch(_STRETCH_SEED)
    stretch.preset(1, float(step.sampling_rate))
    stretch.setTimeFactor(factor)
    stretch.setTransposeSemitones(semitones)
    made = np.ravel(stretch.process(np.ascontiguousarray(signal[np.newaxis])))
    # Its length is truncated, not rounded; a signal shorter than its window may give still less.
    missing = n_samples - len(made)
    return np.pad(made, (0, missing)) if missing > 0 else made[:n_samples]


_WINDOW = 0.032  # seconds
#: Windows that cover each sample.
_OVERLAP = 4
#: Seconds of quefrency up to which the cepstrum is the vocal tract's and not the pitch's.
_ENVELOPE = 0.0025
#: Of a frame's peak (80 dB below it): softer parts of its spectrum are taken for this soft.
_FLOOR = 1e-4
#: Most that a frequency is raised or lowered (20 dB).
_MOST_GAIN = np.log(10.0)
#: Share of the Nyquist frequency that the boundary may lie at.
_HIGHEST_BOUNDARY = 0.6


@public_module("sklearn_ser.augmentation")
class VocalTractLengthPerturbation(AudioAugmenter):
    """Move the formants as a longer or shorter vocal tract would; pitch and duration stay.

    The frequency axis is warped as in [1]_: by `factor` up to the boundary, and evenly from there
    on so that half the sampling rate stays in place. There the filter bank is warped, with its
    triangles much wider than the distance of harmonics; here the spectral envelope is (the
    cepstrum up to 2.5 ms, in windows of 32 ms): each window is filtered by the ratio of the
    warped envelope to its own, which leaves the harmonics, hence the pitch, where they are.

    Parameters
    ----------
    factor : float or (float, float), default=(0.9, 1.1)
        Of the formant frequencies: above 1 they rise, as in a shorter vocal tract. Of a range, a
        value is drawn for each utterance.
    boundary : float, default=4800.0
        Hz up to which the warping is by `factor`; not more than 0.3 times the sampling rate.
    p : float, default=1.0
        Share of the utterances that are changed.
    audio : str, default="file"
        Column of X that holds the audio.
    sampling_rate : int or float, default=16000
        Rate in Hz that the audio is changed and handed on at.
    train_only : bool, default=True
        `transform` hands the audio on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives an utterance the same change wherever it stands.

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

    _parameter_constraints = {
        "factor": [Real, tuple, list],
        "boundary": [Interval(Real, 0, None, closed="neither")],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        factor=(0.9, 1.1),
        *,
        boundary=4800.0,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.factor = factor
        self.boundary = boundary
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "factor", Interval(Real, 0.5, 2, closed="both"))

    def _augment(self, signal, rng):
        factor, rate = draw(self.factor, rng), self.sampling_rate
        hop = max(1, next_fast_len(round(_WINDOW * rate / _OVERLAP), real=True))
        size = _OVERLAP * hop
        # A periodic Hann window; its square sums up to 1.5 where four of them overlap.
        window = np.sin(np.pi * np.arange(size) / size).astype(np.float32) ** 2
        padded = np.pad(signal, (size - hop, size))
        n_frames = (len(padded) - size) // hop + 1
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:n_frames]
        spectra = rfft(frames * window, axis=1)
        spectra *= np.exp(self._log_gains(np.abs(spectra), size, factor))
        frames = irfft(spectra, size, axis=1) * (window / np.float32(1.5))
        made = _overlap_added(frames, hop)
        return made[size - hop : size - hop + len(signal)]

    def _log_gains(self, magnitudes, size, factor):
        """Of each frame and frequency: the warped envelope less the frame's own."""
        floors = _FLOOR * magnitudes.max(axis=1, keepdims=True)
        logs = np.log(np.maximum(magnitudes, floors) + np.float32(1e-20))
        cepstra = irfft(logs, size, axis=1)
        n_kept = min(round(_ENVELOPE * self.sampling_rate), size // 2)
        cepstra[:, n_kept : size - n_kept + 1] = 0
        envelopes = rfft(cepstra, axis=1).real
        n_bins = envelopes.shape[1]
        sources = warped_sources(n_bins, self.sampling_rate, factor, self.boundary)
        below = np.minimum(sources.astype(int), n_bins - 2)
        share = (sources - below).astype(np.float32)
        warped = envelopes[:, below] * (1 - share) + envelopes[:, below + 1] * share
        return np.clip(warped - envelopes, -_MOST_GAIN, _MOST_GAIN)


def warped_sources(n_bins, rate, factor, boundary):
    """Where, in bins of a spectrum, each bin of the warped spectrum comes from.

    Parameters
    ----------
    n_bins : int
        From 0 Hz to half the rate.
    rate : float
        Hz.
    factor : float
        By which frequencies up to the boundary are multiplied.
    boundary : float
        Hz.

    Returns
    -------
    ndarray of shape (n_bins,)
    """
    top = rate / 2
    # The warped boundary, as in the paper: the boundary itself, or lower where all move down.
    end = min(boundary, _HIGHEST_BOUNDARY * top) * min(factor, 1.0)
    frequencies = np.linspace(0, top, n_bins)
    return np.interp(frequencies, [0, end, top], [0, end / factor, top]) * ((n_bins - 1) / top)


def _overlap_added(frames, hop):
    n_frames, size = frames.shape
    parts = size // hop
    made = np.zeros((n_frames + parts - 1, hop), dtype=frames.dtype)
    for part in range(parts):
        made[part : part + n_frames] += frames[:, part * hop : (part + 1) * hop]
    return made.ravel()
