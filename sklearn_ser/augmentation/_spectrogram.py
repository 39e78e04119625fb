"""SpecAugment and its time warping, for spectrograms and other frame sequences."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.augmentation._frames import FrameAugmenter


class SpecAugment(FrameAugmenter):
    """Mask bands of frequency and stretches of time.

    The defaults are the masks of the paper's policy "Switchboard mild" [1]_. Time warping, which
    the authors found to matter least, is :class:`TimeWarp`.

    Parameters
    ----------
    frequency_masks : int, default=2
        Bands that are masked.
    frequency_width : int, default=15
        Most features that a band has; a width from 0 to this is drawn for each.
    time_masks : int, default=2
        Stretches of time that are masked.
    time_width : int, default=70
        Most frames that a stretch has.
    time_share : float, default=0.2
        And most of the sequence that it covers, in [0, 1].
    fill : "mean" or float, default="mean"
        What stands in a mask: the mean of each feature over the sequence, or this value (0.0 is
        the mean of standardized features).
    p : float, default=1.0
        Share of the sequences that are changed.
    train_only : bool, default=True
        `transform` hands X on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives a sequence the same masks wherever it stands.

    See Also
    --------
    sklearn_ser.neural_network.MTLNeuralClassifier : New masks in each epoch, with
        ``batch_augmenters=["specaugment"]``.

    References
    ----------
    .. [1] Park, D. S. et al. (2019). SpecAugment: A Simple Data Augmentation Method for Automatic
       Speech Recognition. Interspeech 2019. https://arxiv.org/abs/1904.08779

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import SpecAugment
    >>> step = SpecAugment(1, 3, 1, 3, time_share=0.5, fill=0.0, random_state=0)
    >>> step.augment([np.ones((8, 6), dtype=int)])[0]
    array([[1, 1, 0, 0, 0, 1],
           [0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0],
           [1, 1, 0, 0, 0, 1],
           [1, 1, 0, 0, 0, 1],
           [1, 1, 0, 0, 0, 1],
           [1, 1, 0, 0, 0, 1],
           [1, 1, 0, 0, 0, 1]])
    """

    _parameter_constraints = {
        "frequency_masks": [Interval(Integral, 0, None, closed="left")],
        "frequency_width": [Interval(Integral, 0, None, closed="left")],
        "time_masks": [Interval(Integral, 0, None, closed="left")],
        "time_width": [Interval(Integral, 0, None, closed="left")],
        "time_share": [Interval(Real, 0, 1, closed="both")],
        "fill": [StrOptions({"mean"}), Real],
        **FrameAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        frequency_masks=2,
        frequency_width=15,
        time_masks=2,
        time_width=70,
        time_share=0.2,
        *,
        fill="mean",
        p=1.0,
        train_only=True,
        random_state=None,
    ):
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width
        self.time_masks = time_masks
        self.time_width = time_width
        self.time_share = time_share
        self.fill = fill
        self.p = p
        self.train_only = train_only
        self.random_state = random_state

    def _augment(self, frames, rng):
        n_frames, n_features = frames.shape
        fill = np.broadcast_to(
            frames.mean(axis=0) if self.fill == "mean" else self.fill, (n_features,)
        )
        for _ in range(self.frequency_masks):
            band = _stretch(self.frequency_width, n_features, rng)
            frames[:, band] = fill[band]
        longest = min(self.time_width, int(self.time_share * n_frames))
        for _ in range(self.time_masks):
            frames[_stretch(longest, n_frames, rng)] = fill
        return frames


class TimeWarp(FrameAugmenter):
    """Speed one part of a sequence up and the rest down, or the other way round.

    A moment of the sequence moves to another, and the frames on both sides are spread over what
    room they then have, with linear interpolation [1]_. The length stays.

    Parameters
    ----------
    width : int, default=40
        Most frames that the moment moves; at most a quarter of the sequence.
    p : float, default=1.0
        Share of the sequences that are changed.
    train_only : bool, default=True
        `transform` hands X on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives a sequence the same warp wherever it stands.

    References
    ----------
    .. [1] Park, D. S. et al. (2019). SpecAugment: A Simple Data Augmentation Method for Automatic
       Speech Recognition. Interspeech 2019. https://arxiv.org/abs/1904.08779

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import TimeWarp
    >>> ramp = np.arange(12.0)[:, None]
    >>> TimeWarp(random_state=1).augment([ramp])[0].ravel().round(1)
    array([ 0. ,  0.8,  1.6,  2.3,  3.1,  3.9,  4.7,  5.4,  6.2,  7. ,  9. , 11. ])
    """

    _parameter_constraints = {
        "width": [Interval(Integral, 0, None, closed="left")],
        **FrameAugmenter._parameter_constraints,
    }

    def __init__(self, width=40, *, p=1.0, train_only=True, random_state=None):
        self.width = width
        self.p = p
        self.train_only = train_only
        self.random_state = random_state

    def _augment(self, frames, rng):
        n_frames = len(frames)
        width = min(self.width, n_frames // 4, (n_frames - 3) // 2)
        if width <= 0:
            return frames
        moment = int(rng.integers(width + 1, n_frames - 2 - width, endpoint=True))
        goal = moment + int(rng.integers(-width, width, endpoint=True))
        times = np.interp(np.arange(n_frames), [0, goal, n_frames - 1], [0, moment, n_frames - 1])
        before = np.floor(times).astype(int)
        after = np.minimum(before + 1, n_frames - 1)
        share = (times - before)[:, None]
        return (1.0 - share) * frames[before] + share * frames[after]


def _stretch(most, n_places, rng):
    """A stretch of 0 to `most` of the places, anywhere."""
    width = int(rng.integers(0, min(most, n_places), endpoint=True))
    start = int(rng.integers(0, n_places - width, endpoint=True))
    return slice(start, start + width)
