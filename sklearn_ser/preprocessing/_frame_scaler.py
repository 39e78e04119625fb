"""Standardization of the features of frames, by the training set or within each utterance."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import AudioError
from sklearn_ser.preprocessing._frame_input import FrameStep, document_frames, read_frames
from sklearn_ser.preprocessing._group_scaler import Statistics, statistics_of
from sklearn_ser.utils._frames import FRAMES, frame_attrs, frames_table
from sklearn_ser.utils._output import OwnContainerMixin
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import FramesInput


@public_module("sklearn_ser.preprocessing")
class FrameScaler(OwnContainerMixin, FrameStep):
    """Standardize each feature of the frames: z = (x - mean) / standard deviation.

    Parameters
    ----------
    per : {"training", "utterance"}, default="training"
        Frames that the statistics are computed from: all frames of the training set, or those of
        the utterance itself. The latter also removes level and spectral coloration of the
        recording and much of the speaker, including differences of level between utterances.
    with_mean : bool, default=True
        Whether to subtract the mean.
    with_std : bool, default=True
        Whether to divide by the standard deviation; a constant feature is not divided.

    Attributes
    ----------
    frame_features_ : list of str
        Names of the features of a frame.
    mean_, var_, scale_ : ndarray of shape (n_frame_features,)
        Mean, variance and divisor over all training frames, in float64, with
        ``per="training"``. Utterances are weighted by their length.
    n_frames_seen_ : int
        Number of training frames.

    See Also
    --------
    GroupScaler : Scale rows (not frames) within each corpus or speaker.

    Notes
    -----
    float32 and float64 are preserved, other dtypes become float32. A row whose audio failed (NaN in
    place of the sequence) is left out of the statistics and remains NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.preprocessing import FrameScaler
    >>> sequences = [np.array([[1.0], [3.0]]), np.array([[5.0], [7.0], [9.0]])]
    >>> scaler = FrameScaler().fit(sequences)
    >>> scaler.mean_, scaler.var_
    (array([5.]), array([8.]))
    >>> FrameScaler(per="utterance").fit_transform(sequences).loc[0, "frames"].ravel()
    array([-1.,  1.])
    """

    _parameter_constraints = {
        "per": [StrOptions({"training", "utterance"})],
        "with_mean": ["boolean"],
        "with_std": ["boolean"],
    }

    def __init__(
        self,
        per: Literal["training", "utterance"] = "training",
        *,
        with_mean: bool = True,
        with_std: bool = True,
    ):
        self.per = per
        self.with_mean = with_mean
        self.with_std = with_std

    @document_frames
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: FramesInput, y: ArrayLike | None = None) -> Self:
        """Compute the statistics of all frames (with ``per="utterance"`` validate X only).

        Parameters
        ----------
        %(training_frames)s

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        AudioError
            If the audio of every row failed.
        ValueError
            If X holds no frame sequences, or values that are NaN or infinite.
        """
        sequences, _, names = read_frames(X, "FrameScaler")
        self.frame_features_ = names
        if self.per == "training":
            present = [sequence for sequence in sequences if sequence is not None]
            if not present:
                raise AudioError(
                    "the audio of every row of X failed: FrameScaler needs at least one sequence "
                    "to be fitted"
                )
            whole, self.n_frames_seen_ = _statistics_of_all(present)
            self.mean_, self.var_, self.scale_ = whole.mean, whole.var, whole.scale
        return self

    def transform(self, X: FramesInput) -> pd.DataFrame:
        """Scale each sequence.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            Frame sequences with the same features as in `fit`.

        Returns
        -------
        DataFrame of shape (n_sequences, 1)
            Table of frame sequences, with the index of X and the names of the features in
            ``attrs["frame_features"]``.
        """
        check_is_fitted(self)
        sequences, index, names = read_frames(X, "FrameScaler", self.frame_features_)
        scaled = [None if sequence is None else self._scaled(sequence) for sequence in sequences]
        return frames_table(scaled, index, names, frame_attrs(X))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the name of the column of the table, ``frames``.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (1,)
            Names of the output columns.
        """
        check_is_fitted(self)
        return np.asarray([FRAMES], dtype=object)

    def _scaled(self, sequence):
        own = self.per == "utterance"
        statistics = statistics_of(sequence) if own else Statistics(self.mean_, self.var_)
        is_float = sequence.dtype in (np.float32, np.float64)
        values = sequence.astype(np.float64)
        if self.with_mean:
            values -= statistics.mean
        if self.with_std:
            values /= statistics.scale
        return values.astype(sequence.dtype if is_float else np.float32)


def _statistics_of_all(sequences):
    """Return the statistics of the frames of all sequences, and the number of frames."""
    # Updated by utterance (Chan, Golub and LeVeque, 1979): memory does not grow with the data.
    n_seen, mean, squares = 0, np.zeros(1), np.zeros(1)
    for sequence in sequences:
        values = sequence.astype(np.float64)
        n_own, own_mean = len(values), values.mean(axis=0)
        difference = own_mean - mean
        n_all = n_seen + n_own
        squares = squares + np.sum((values - own_mean) ** 2, axis=0)
        squares = squares + difference**2 * (n_seen * n_own / n_all)
        mean = mean + difference * (n_own / n_all)
        n_seen = n_all
    variance = squares / n_seen
    # The rounded mean of a constant feature gives a tiny variance, as in StandardScaler.
    rounding = np.finfo(np.float64).eps * n_seen
    variance[variance <= rounding * variance + (rounding * mean) ** 2] = 0.0
    return Statistics(mean, variance), n_seen
