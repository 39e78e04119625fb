"""AddNoise: noise at a signal-to-noise ratio."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._base import AudioAugmenter, check_range, draw
from sklearn_ser.augmentation._sources import COLORS, Pool, colored_noise, entries_of
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.augmentation")
class AddNoise(AudioAugmenter):
    """Add noise at a signal-to-noise ratio.

    The ratio is that of the RMS levels of the whole utterance and of the noise under it, each
    about its mean (an offset is no sound). Pauses count, so of an utterance with long ones the
    speech itself lies higher above the noise. Where the sum would pass full scale, both are made
    softer.

    Of a recording that is longer than the utterance a random part is taken, if possible none that
    is 40 dB softer than the whole (such as the silence between the events of a file; beyond 5
    minutes, none that is digital silence); a
    shorter one is repeated, from a random place on. The level of a recording does not matter.

    Parameters
    ----------
    snr : float or (float, float), default=(5.0, 20.0)
        In dB; of a range, a value is drawn for each utterance.
    noises : str, path, array, (array, rate), or list of these, default=("white", "pink", "brown")
        A color ("white", "pink", "brown", "blue" or "violet": Gaussian noise whose power changes
        by 0, -3, -6, 3 or 6 dB in each octave, above 20 Hz), a file, a folder of files (and of
        folders), or samples. Each entry is drawn equally often, and within a folder each of its
        files. Files are read through :mod:`sklearn_ser.audio` and kept in memory (256 MB in all;
        longer ones than 5 minutes are read part by part). Folders are listed when `augment` or
        `fit_transform` is called.
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
    AudioError
        From `augment`, if a file or folder does not exist or an array is digital silence; where
        the audio is read, if a noise file cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import AddNoise
    >>> tone = 0.1 * np.sin(np.arange(16000) / 5).astype("float32")
    >>> noisy = read_audio(AddNoise(10.0, "pink", random_state=0).augment([tone])["file"][0])
    >>> print(round(20 * np.log10(tone.std() / (noisy - tone).std()), 2))
    10.0
    >>> AddNoise(noises="no_such_folder").augment([tone])
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.AudioError: file 'no_such_folder': there is no such file or folder ...
    """

    _parameter_constraints = {
        "snr": [Real, tuple, list],
        "noises": "no_validation",
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        snr=(5.0, 20.0),
        noises=("white", "pink", "brown"),
        *,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.snr = snr
        self.noises = noises
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "snr", Interval(Real, -100, 100, closed="both"))
        entries_of(self, "noises", COLORS)

    def _frozen(self):
        frozen = super()._frozen()
        frozen._listed = Pool.of(self, "noises", COLORS)
        return frozen

    def _pool(self):
        return getattr(self, "_listed", None) or Pool.of(self, "noises", COLORS)

    def _contents(self):
        return {"noises": self._pool().content()}

    def _augment(self, signal, rng):
        ratio = 10.0 ** (-draw(self.snr, rng) / 20.0)
        kind = self._pool().draw(rng)
        if isinstance(kind, str):
            noise = colored_noise(kind, len(signal), self.sampling_rate, rng)
        else:
            noise = kind.part(len(signal), self.sampling_rate, rng)
        level = np.std(noise, dtype=np.float64)
        if not level:  # one sample has no level
            return signal
        gain = ratio * np.std(signal, dtype=np.float64) / level
        return signal + np.float32(gain) * (noise - noise.mean())
