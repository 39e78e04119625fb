"""Clip: an overdriven microphone."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.augmentation._ranges import check_range, draw


class Clip(AudioAugmenter):
    """Cut the peaks off, as an overdriven microphone or converter does.

    What lies within the threshold stays as it is (put :class:`Gain` behind it for another level).

    Parameters
    ----------
    overdrive : float or (float, float), default=(3.0, 15.0)
        By how many dB the threshold lies below the utterance's peak; of a range, a value is drawn
        for each utterance.
    share : float or (float, float), optional
        Share of the samples that are clipped, instead of `overdrive`.
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
    >>> from sklearn_ser.augmentation import Clip
    >>> print(read_audio(Clip(20.0).augment([np.array([0.01, -0.8, 0.4])])["file"][0]).round(3))
    [ 0.01 -0.08  0.08]
    """

    _parameter_constraints = {
        "overdrive": [Real, tuple, list],
        "share": [Real, tuple, list, None],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        overdrive=(3.0, 15.0),
        *,
        share=None,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.overdrive = overdrive
        self.share = share
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "overdrive", Interval(Real, 0, 100, closed="both"))
        if self.share is not None:
            check_range(self, "share", Interval(Real, 0, 1, closed="left"))

    def _augment(self, signal, rng):
        if self.share is None:
            peak = max(-float(signal.min()), float(signal.max()))
            threshold = np.float32(peak * 10.0 ** (-draw(self.overdrive, rng) / 20.0))
        else:
            size = np.abs(signal)
            n_clipped = min(round(draw(self.share, rng) * len(size)), len(size) - 1)
            threshold = np.partition(size, -1 - n_clipped)[-1 - n_clipped]
            if not threshold:  # more of it is silent than may stay
                return signal
        return np.clip(signal, -threshold, threshold)
