"""What the augmenters of frame sequences have in common."""

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.augmentation._base import Augmenter, utterance_generator
from sklearn_ser.utils._frames import as_sequences, is_frames
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.augmentation")
class FrameAugmenter(Augmenter, metaclass=ABCMeta):
    """Base of the augmenters of frame sequences, such as log-mel spectrograms.

    What it makes of a sequence depends on its values, the seed and the parameters alone, never on
    other rows or the row's place. A subclass says how to change one (`_augment`).
    """

    _augments = "features"
    _parameter_constraints = {
        "p": [Interval(Real, 0, 1, closed="both")],
        "train_only": ["boolean"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _augment(self, frames, rng):
        """Change one sequence.

        Parameters
        ----------
        frames : ndarray of shape (n_frames, n_features)
            A copy.
        rng : numpy.random.Generator
            Of this sequence.

        Returns
        -------
        ndarray of shape (n_frames_out, n_features)
        """

    def augment(self, X):
        """Change every sequence, whatever `train_only` is.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            Of shape (n_frames, n_features) each; missing where audio failed.

        Returns
        -------
        DataFrame, Series, list or array
            As X, row by row, of the same dtype.

        Raises
        ------
        ValueError
            If X does not hold frame sequences.
        """
        self._validate_params()
        if not is_frames(X):
            raise ValueError(
                f"{type(self).__name__} changes frame sequences, arrays (n_frames, n_features), "
                f"and X is a {type(X).__name__} without any: put it behind a step that gives "
                "frames, such as LogMelSpectrogram (of an AugmentingClassifier, the first step "
                "of the Pipeline that is its estimator; a search goes around it all)."
            )
        seed = self._seed()
        return like_frames(X, [self._made(cell, seed) for cell in as_sequences(X)])

    def get_feature_names_out(self, input_features=None):
        """Names of the columns: those that came in.

        Parameters
        ----------
        input_features : sequence of str, optional
            Columns of X.

        Returns
        -------
        ndarray of str
        """
        return np.asarray(["frames"] if input_features is None else input_features, dtype=object)

    def _made(self, frames, seed):
        if frames is None:
            return None
        rng = utterance_generator(seed, type(self).__name__, frames)
        if rng.random() >= self.p:
            return frames
        return np.asarray(self._augment(np.array(frames), rng), dtype=frames.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def like_frames(X, sequences):
    """Sequences in a container like the one of X, with its index and attributes."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        shapes = {None if each is None else each.shape for each in sequences}
        if shapes == {X.shape[1:]}:
            return np.stack(sequences)
        if None in shapes and len(shapes) <= 2:  # failed audio is NaN throughout
            blank = np.full(X.shape[1:], np.nan, dtype=X.dtype)
            return np.stack([blank if each is None else each for each in sequences])
        return sequences
    if isinstance(X, list | tuple):
        return sequences
    cells = np.empty(len(sequences), dtype=object)
    for row, sequence in enumerate(sequences):
        cells[row] = np.nan if sequence is None else sequence
    if isinstance(X, pd.Series):
        return pd.Series(cells, index=X.index, name=X.name, dtype=object)
    if isinstance(X, pd.DataFrame):
        column = pd.Series(cells, index=X.index, dtype=object)
        table = pd.DataFrame({X.columns[0]: column})
        table.attrs.update(X.attrs)
        return table
    return cells.reshape(X.shape)


@public_module("sklearn_ser.augmentation")
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
        ``perturbation__augmenters=["specaugment"]``.

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


@public_module("sklearn_ser.augmentation")
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


@public_module("sklearn_ser.augmentation")
class FeatureNoise(Augmenter):
    """Add normal noise to rows of features.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, in the features' own units: put it behind the scaler.
    p : float, default=1.0
        Share of the rows that are changed.
    train_only : bool, default=True
        `transform` hands X on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives a row the same noise wherever it stands.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import FeatureNoise
    >>> FeatureNoise(random_state=0).augment(np.zeros((1, 3))).round(2)
    array([[ 0.04, -0.01,  0.05]])
    """

    _augments = "features"
    _parameter_constraints = {
        "scale": [Interval(Real, 0, None, closed="left")],
        "p": [Interval(Real, 0, 1, closed="both")],
        "train_only": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(self, scale=0.1, *, p=1.0, train_only=True, random_state=None):
        self.scale = scale
        self.p = p
        self.train_only = train_only
        self.random_state = random_state

    def augment(self, X):
        """Change every row, whatever `train_only` is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN, as in rows of failed audio, stays.

        Returns
        -------
        ndarray, or DataFrame where X is one, of shape (n_samples, n_features)
            Of floats.

        Raises
        ------
        ValueError
            If X does not hold rows of numbers.
        """
        self._validate_params()
        if is_frames(X):
            raise ValueError(
                "FeatureNoise changes rows of features, and X holds frame sequences: take "
                "SpecAugment or TimeWarp, or perturbation__noise of MTLNeuralClassifier."
            )
        values = check_array(
            X, dtype=[np.float64, np.float32], ensure_all_finite=False, estimator=self, copy=True
        )
        seed = self._seed()
        for row in values:
            rng = utterance_generator(seed, type(self).__name__, row)
            if rng.random() < self.p:
                row += self.scale * rng.normal(size=len(row))
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(values, index=X.index, columns=X.columns)
        return values

    def get_feature_names_out(self, input_features=None):
        """Names of the columns: those that came in.

        Parameters
        ----------
        input_features : sequence of str
            Columns of X.

        Returns
        -------
        ndarray of str
        """
        if input_features is None:
            raise ValueError("FeatureNoise keeps no names: give input_features.")
        return np.asarray(input_features, dtype=object)
