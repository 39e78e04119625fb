"""Augmenters of frame sequences and of features."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, validate_data

from sklearn_ser.augmentation._base import Augmenter, augmenter, signal_generator
from sklearn_ser.utils._frames import as_sequences, is_frames
from sklearn_ser.utils._ids import as_frame, ids_as_levels, with_features
from sklearn_ser.utils._output import OwnContainerMixin
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import Samples, SamplesT

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike


@public_module("sklearn_ser.augmentation")
class FrameAugmenter(OwnContainerMixin, Augmenter):
    """Base of the augmenters of frame sequences, such as log-mel spectrograms.

    A subclass changes one sequence in `_augment`. The result depends on its values, the seed and
    the parameters alone, never on other rows or on the position of the row.

    Parameters
    ----------
    p : float
        Share of the rows that are changed.
    random_state : int, RandomState instance or None
        Seed of the changes.
    train_only : bool
        Whether `transform` returns the rows unchanged, so that only `fit_transform` changes them.
    """

    _augments = "features"

    @abstractmethod
    def _augment(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change one sequence, a copy of shape (n_frames, n_features), with its random numbers."""

    def augment(self, X: SamplesT) -> SamplesT:
        """Change every sequence, whatever `train_only` is.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            Sequences of shape (n_frames, n_features); missing where audio failed.

        Returns
        -------
        DataFrame, Series, list or array
            The changed sequences in a container like X, of the same dtype.

        Raises
        ------
        ValueError
            If X does not hold frame sequences.
        """
        self._validate_params()
        if not is_frames(X):
            raise ValueError(
                f"X is a {type(X).__name__} without frame sequences, and {type(self).__name__} "
                "changes frame sequences, arrays of shape (n_frames, n_features). Put it behind a "
                "step that returns frames, such as LogMelSpectrogram. (In AugmentingClassifier, "
                "this is the first step of its estimator, a Pipeline; put a search around all of "
                "it.)"
            )
        seed = self._seed()
        return like_frames(X, [self._changed(frames, seed) for frames in as_sequences(X)])

    def _default_names(self):
        return ["frames"]

    def _changed(self, frames, seed):
        if frames is None:
            return None
        rng = signal_generator(seed, type(self).__name__, frames)
        if rng.random() >= self.p:
            return frames
        return np.asarray(self._augment(np.array(frames), rng), dtype=frames.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def like_frames(X: Any, sequences: list[np.ndarray | None]) -> Any:
    """Return sequences in a container like X, with its index and attributes."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        if {each.shape for each in sequences if each is not None} <= {X.shape[1:]}:
            # Failed audio is NaN throughout.
            return np.stack([np.full_like(X[0], np.nan) if s is None else s for s in sequences])
        return sequences
    if isinstance(X, list | tuple):
        return sequences
    values = [np.nan if sequence is None else sequence for sequence in sequences]
    if isinstance(X, pd.Series):
        return pd.Series(values, index=X.index, name=X.name, dtype=object)
    if isinstance(X, pd.DataFrame):
        table = pd.DataFrame({X.columns[0]: pd.Series(values, index=X.index, dtype=object)})
        table.attrs.update(X.attrs)
        return table
    return pd.Series(values, dtype=object).to_numpy().reshape(X.shape)


@augmenter
class SpecAugment(FrameAugmenter):
    """Mask bands of features and intervals of time.

    The defaults are the masks of the paper's policy "Switchboard mild" [1]_. Time warping, the
    third and least important part of the paper's method, is :class:`TimeWarp`.

    Parameters
    ----------
    frequency_masks : int, default=2
        Number of masked bands of features.
    frequency_width : int, default=15
        Maximum number of features in a band; a width from 0 to this is drawn for each.
    time_masks : int, default=2
        Number of masked intervals of time.
    time_width : int, default=70
        Maximum number of frames in an interval.
    time_share : float, default=0.2
        Maximum share of the sequence in an interval, in [0, 1].
    fill : "mean" or float, default="mean"
        Value of the masked features: the mean of each feature over the sequence, or a number (0.0
        is the mean of standardized features).
    %(common_parameters)s

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

    frequency_masks: int = 2
    frequency_width: int = 15
    time_masks: int = 2
    time_width: int = 70
    time_share: float = 0.2
    _: KW_ONLY
    fill: Literal["mean"] | float = "mean"

    _parameter_constraints = {
        "frequency_masks": [Interval(Integral, 0, None, closed="left")],
        "frequency_width": [Interval(Integral, 0, None, closed="left")],
        "time_masks": [Interval(Integral, 0, None, closed="left")],
        "time_width": [Interval(Integral, 0, None, closed="left")],
        "time_share": [Interval(Real, 0, 1, closed="both")],
        "fill": [StrOptions({"mean"}), Real],
        **FrameAugmenter._parameter_constraints,
    }

    def _augment(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n_frames, n_features = frames.shape
        fill = np.broadcast_to(
            frames.mean(axis=0) if self.fill == "mean" else self.fill, (n_features,)
        )
        for _ in range(self.frequency_masks):
            band = _interval(self.frequency_width, n_features, rng)
            frames[:, band] = fill[band]
        longest = min(self.time_width, int(self.time_share * n_frames))
        for _ in range(self.time_masks):
            frames[_interval(longest, n_frames, rng)] = fill
        return frames


@augmenter
class TimeWarp(FrameAugmenter):
    """Speed up one part of a sequence and slow down the rest.

    A random frame of the sequence moves to another position, and the frames on both sides are
    resampled to the new lengths by linear interpolation [1]_. The length of the sequence stays the
    same.

    Parameters
    ----------
    width : int, default=40
        Maximum distance in frames of the move; at most a quarter of the sequence is used.
    %(common_parameters)s

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

    width: int = 40

    _parameter_constraints = {
        "width": [Interval(Integral, 0, None, closed="left")],
        **FrameAugmenter._parameter_constraints,
    }

    def _augment(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n_frames = len(frames)
        width = min(self.width, n_frames // 4, (n_frames - 3) // 2)
        if width <= 0:
            return frames
        moment = int(rng.integers(width + 1, n_frames - 2 - width, endpoint=True))
        target = moment + int(rng.integers(-width, width, endpoint=True))
        times = np.interp(np.arange(n_frames), [0, target, n_frames - 1], [0, moment, n_frames - 1])
        before = np.floor(times).astype(int)
        after = np.minimum(before + 1, n_frames - 1)
        share = (times - before)[:, None]
        return (1.0 - share) * frames[before] + share * frames[after]


def _interval(most, n, rng):
    """Return a random interval of 0 to `most` of `n` positions."""
    width = int(rng.integers(0, min(most, n), endpoint=True))
    start = int(rng.integers(0, n - width, endpoint=True))
    return slice(start, start + width)


@augmenter
class FeatureNoise(Augmenter):
    """Add Gaussian noise to features.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, in the units of the features: put it behind the scaler.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import FeatureNoise
    >>> FeatureNoise(random_state=0).augment(np.zeros((1, 3))).round(2)
    array([[ 0.04, -0.01,  0.05]])
    """

    scale: float = 0.1

    _augments = "features"
    _parameter_constraints = {
        "scale": [Interval(Real, 0, None, closed="left")],
        **Augmenter._parameter_constraints,
    }

    def fit(self, X: Samples, y: ArrayLike | None = None) -> Self:
        """Check the parameters, and store the names of the features. Nothing is learned from X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        super().fit(X)
        X = as_frame(X)
        ids_as_levels(X)  # which checks the names of the columns
        validate_data(self, X, skip_check_array=True)
        return self

    def _default_names(self):
        return _check_feature_names_in(self)

    def augment(self, X: pd.DataFrame | ArrayLike) -> np.ndarray | pd.DataFrame:  # type: ignore[override]  # a list becomes an array
        """Change every row, whatever `train_only` is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features. NaN, as in rows of failed audio, stays, and so do ids in columns.

        Returns
        -------
        ndarray, or DataFrame if X is one, of shape (n_samples, n_features)
            Changed features, as floats.

        Raises
        ------
        ValueError
            If X does not hold features.
        """
        self._validate_params()
        X = as_frame(X)
        features = ids_as_levels(X)
        if is_frames(features):
            raise ValueError(
                "X holds frame sequences, and FeatureNoise changes features. Use SpecAugment or "
                "TimeWarp, or perturbation__noise of MTLNeuralClassifier."
            )
        values = check_array(
            features,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            estimator=self,
            copy=True,
        )
        seed = self._seed()
        for row in values:
            rng = signal_generator(seed, type(self).__name__, row)
            if rng.random() < self.p:
                row += self.scale * rng.normal(size=len(row))
        return with_features(X, values)
