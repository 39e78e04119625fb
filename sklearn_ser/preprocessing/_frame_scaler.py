"""Standardize the features of frames, by the training set or within each utterance."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import AudioError
from sklearn_ser.preprocessing._frame_input import read_frames
from sklearn_ser.preprocessing._group_scaler import Statistics, statistics_of
from sklearn_ser.utils._frames import FRAMES, frame_attrs, frames_table
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.preprocessing")
class FrameScaler(TransformerMixin, BaseEstimator):
    """Standardize each feature of the frames: z = (x - mean) / standard deviation.

    Parameters
    ----------
    per : {"training", "utterance"}, default="training"
        Whose statistics: those of all frames of the training set, or each utterance's own. The
        latter also takes out level and color of the recording and much of the speaker, and
        differences of level between utterances with it.
    with_mean : bool, default=True
        Subtract the mean.
    with_std : bool, default=True
        Divide by the standard deviation; a constant feature is left as it is.

    Attributes
    ----------
    frame_features_ : list of str
        Names of the features of a frame.
    mean_, var_, scale_ : ndarray of shape (n_frame_features,)
        Mean, variance and divisor over all training frames, in float64, where
        ``per="training"``. Utterances count by their length.
    n_frames_seen_ : int
        Number of training frames behind them.

    See Also
    --------
    GroupScaler : Scales rows (not frames) within each corpus or speaker.

    Notes
    -----
    Sums are taken in float64, one utterance after the other (Chan's update), so that memory does
    not grow with the training set; sequences keep float32 or float64, other numbers become
    float32. A row whose audio failed (NaN in place of the sequence) is left out of the statistics
    and stays NaN.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances", Stanford University STAN-CS-79-773, 1979.

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

    def __init__(self, per="training", *, with_mean=True, with_std=True):
        self.per = per
        self.with_mean = with_mean
        self.with_std = with_std

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the statistics of all frames; with ``per="utterance"`` only their names.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            A table of a frame-level step, a list or object array of arrays of shape
            (n_frames, n_features), or an array of shape (n_sequences, n_frames, n_features). NaN
            in place of a sequence is failed audio.
        y : None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        AudioError
            If all audio failed and there is nothing to learn from.
        ValueError
            If X holds something else, or values that are NaN or infinite.
        """
        sequences, _, names = read_frames(X, "FrameScaler")
        self.frame_features_ = names
        if self.per == "training":
            present = [sequence for sequence in sequences if sequence is not None]
            if not present:
                raise AudioError("X has no sequence: there is no utterance to learn a scale from.")
            whole, self.n_frames_seen_ = _statistics_of_all(present)
            self.mean_, self.var_, self.scale_ = whole.mean, whole.var, whole.scale
        return self

    def transform(self, X):
        """Scale each sequence.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            As in `fit`, with the same features.

        Returns
        -------
        DataFrame of shape (n_sequences, 1)
            A table of frame sequences, with the index of X and the names of the features in
            ``attrs["frame_features"]``.
        """
        check_is_fitted(self)
        sequences, index, names = read_frames(X, "FrameScaler", self.frame_features_)
        scaled = [None if sequence is None else self._scaled(sequence) for sequence in sequences]
        return frames_table(scaled, index, names, frame_attrs(X))

    def get_feature_names_out(self, input_features=None):
        """The one column of the table: ``frames``.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (1,)
        """
        check_is_fitted(self)
        return np.asarray([FRAMES], dtype=object)

    def _scaled(self, sequence):
        own = self.per == "utterance"
        statistics = statistics_of(sequence) if own else Statistics(self.mean_, self.var_)
        kept = sequence.dtype in (np.float32, np.float64)
        values = sequence.astype(np.float64)
        if self.with_mean:
            values -= statistics.mean
        if self.with_std:
            values /= statistics.scale
        return values.astype(sequence.dtype if kept else np.float32)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _statistics_of_all(sequences):
    """Statistics of the frames of all sequences, and their number."""
    n_seen, mean, squares = 0, 0.0, 0.0
    for sequence in sequences:
        values = sequence.astype(np.float64)
        n_own, own_mean = len(values), values.mean(axis=0)
        apart = own_mean - mean
        n_all = n_seen + n_own
        squares = squares + np.sum((values - own_mean) ** 2, axis=0)
        squares = squares + apart**2 * (n_seen * n_own / n_all)
        mean = mean + apart * (n_own / n_all)
        n_seen = n_all
    variance = squares / n_seen
    # Rounding in the means leaves a constant feature a tiny variance, as in StandardScaler.
    rounding = np.finfo(np.float64).eps * n_seen
    variance[variance <= rounding * variance + (rounding * mean) ** 2] = 0.0
    return Statistics(mean, variance), n_seen
