"""Gain: louder or softer."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.augmentation._ranges import check_range, draw


class Gain(AudioAugmenter):
    """Make each utterance louder or softer.

    A gain that would go beyond full scale is taken back as far as needed (see :class:`Clip` for
    distortion).

    Parameters
    ----------
    gain_db : float or (float, float), default=(-12.0, 6.0)
        In dB; of a range, a value is drawn for each utterance.
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

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import Gain
    >>> softer = Gain(-6.0).augment([np.full(8, 0.5)])
    >>> print(read_audio(softer["file"][0]).round(3)[:3])
    [0.251 0.251 0.251]
    """

    _parameter_constraints = {
        "gain_db": [Real, tuple, list],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        gain_db=(-12.0, 6.0),
        *,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.gain_db = gain_db
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "gain_db", Interval(Real, -100, 100, closed="both"))

    def _augment(self, signal, rng):
        return signal * np.float32(10.0 ** (draw(self.gain_db, rng) / 20.0))
