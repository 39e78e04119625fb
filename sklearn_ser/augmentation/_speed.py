"""SpeedPerturbation, TempoPerturbation, PitchShift: faster or slower, higher or lower."""

from importlib.metadata import version
from numbers import Real

import numpy as np
import soxr
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.augmentation._ranges import check_range, draw
from sklearn_ser.utils._extras import import_extra

#: The stretching library draws phases of its own for extreme factors: always from here.
_STRETCH_SEED = 0


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
