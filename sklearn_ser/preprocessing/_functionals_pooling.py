"""Pooling of frame sequences to rows of statistics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from numbers import Real
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.preprocessing._frame_input import FrameStep, document_frames, read_frames
from sklearn_ser.utils._frames import HOP_ATTR, frame_attrs
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import FramesInput

#: Infix of the names of statistics by the set of frames.
FRAME_SETS = {"all": "", "voiced": "voiced_", "unvoiced": "unvoiced_"}
VOICED_ABOVE = 0.5
#: Seconds between frames where neither the table nor the parameter defines them.
USUAL_HOP = 0.010
LARGEST = float(np.finfo(np.float32).max)


@public_module("sklearn_ser.preprocessing")
class FunctionalsPooling(FrameStep):
    """Pool each frame sequence to one row of statistics over time.

    The sequences may be those of :class:`LogMelSpectrogram`, :class:`MFCC`,
    :class:`Prosody`, frame-level openSMILE features or a pretrained network.

    Parameters
    ----------
    functionals : tuple of str, default=("mean", "std", "p05", "p50", "p95", "slope", \
"mean_abs_delta")
        Statistics of each feature, in this order:

        - ``"mean"``, ``"std"`` (divided by the number of frames), ``"min"``, ``"max"``,
          ``"range"``;
        - ``"p00"`` to ``"p99"``: percentiles, interpolated linearly; ``"p50"`` is the median;
        - ``"skewness"`` and ``"kurtosis"``: third and fourth standardized moment, the latter minus
          3 (0 for a normal distribution); 0 for a constant feature;
        - ``"slope"`` (per second), ``"intercept"`` (at the sequence's first frame) and
          ``"regression_error"`` (root-mean-square distance): of the linear
          regression of the values on time;
        - ``"mean_abs_delta"``: mean absolute difference of consecutive frames, per second;
        - ``"rising_slope_mean"``, ``"rising_slope_std"``, ``"falling_slope_mean"``,
          ``"falling_slope_std"``: mean and standard deviation of the slopes (per second) of the
          segments in which the feature only rises, or only falls; segments are weighted equally,
          0 without such segments.
    voicing : str or None, default=None
        Name of the feature that is above 0.5 for voiced frames, ``"voicing"`` for
        :class:`Prosody`. Instead of `functionals`, six statistics of it are computed:
        ``voiced_fraction``, ``voiced_segments_per_second``, and mean and standard deviation of
        the length in seconds of voiced and of unvoiced segments
        (``voiced_segment_length_mean``, ...; a segment is a maximal run of such frames, 0 without
        segments).
    frames : str or tuple of str, default="all"
        Frames that the statistics are computed from: ``"all"``, ``"voiced"``, ``"unvoiced"``, or
        several of these. The latter two require `voicing`; times, differences and segments do not
        bridge the frames that are left out. All statistics of a sequence without such frames are
        0, which ``voiced_fraction`` indicates.
    hop_length : float, default=None
        Seconds between consecutive frames, the unit of slopes and lengths; with 1.0 the unit is a
        frame. None uses ``attrs["hop_length"]`` of the table (which the audio steps write and
        :class:`FrameScaler` preserves), or 0.010 without it: openSMILE's descriptors, lists and
        arrays. A number takes precedence over the table.

    Attributes
    ----------
    frame_features_ : list of str
        Names of the features of a frame.
    hop_length_ : float
        Seconds between consecutive frames that were used.

    See Also
    --------
    FrameScaler : Standardize the frames.

    Notes
    -----
    Every row depends on its sequence alone. Statistics are computed in float64 and returned in
    float32. The slope, differences and deviations of a single frame are 0. A row whose audio
    failed (NaN in place of the sequence) remains NaN.

    References
    ----------
    F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research
    and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.preprocessing import FunctionalsPooling
    >>> short, long = np.array([[1.0], [3.0]]), np.array([[0.0], [4.0], [2.0]])
    >>> FunctionalsPooling(("mean", "max", "slope"), hop_length=0.5).fit_transform([short, long])
       frame_000_mean  frame_000_max  frame_000_slope
    0             2.0            3.0              4.0
    1             2.0            4.0              2.0
    """

    _parameter_constraints = {
        "functionals": [tuple, list],
        "voicing": [str, None],
        "frames": [str, tuple, list],
        "hop_length": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        functionals: Sequence[str] = (
            "mean",
            "std",
            "p05",
            "p50",
            "p95",
            "slope",
            "mean_abs_delta",
        ),
        *,
        voicing: str | None = None,
        frames: str | Sequence[str] = "all",
        hop_length: float | None = None,
    ):
        self.functionals = functionals
        self.voicing = voicing
        self.frames = frames
        self.hop_length = hop_length

    @document_frames
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: FramesInput, y: ArrayLike | None = None) -> Self:
        """Store the names of the features of a frame and the hop length; nothing else is learned.

        Parameters
        ----------
        %(training_frames)s

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If X holds no frame sequences, a functional is unknown, or no feature has the name
            `voicing`.
        """
        self._check_names()
        names = read_frames(X, "FunctionalsPooling")[2]
        if self.voicing is not None and self.voicing not in names:
            shown = ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
            raise ValueError(
                f"FunctionalsPooling: no feature of the frames has the name {self.voicing!r} "
                f"(voicing); the features are {shown}."
            )
        self.frame_features_ = names
        default = frame_attrs(X).get(HOP_ATTR, USUAL_HOP)
        self.hop_length_ = float(default if self.hop_length is None else self.hop_length)
        return self

    def transform(self, X: FramesInput) -> pd.DataFrame:
        """Pool each sequence to a row.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            Frame sequences with the same features as in `fit`.

        Returns
        -------
        DataFrame of float32 of shape (n_sequences, n_statistics)
            Statistics with the index of X, which holds the ids.

        Raises
        ------
        ValueError
            If the features differ from those of `fit`, or a value is too large for float32.
        """
        check_is_fitted(self)
        sequences, index, names = read_frames(X, "FunctionalsPooling", self.frame_features_)
        columns = self.get_feature_names_out()
        pooled = np.full((len(sequences), len(columns)), np.nan, dtype=np.float32)
        for row, sequence in enumerate(sequences):
            if sequence is not None:
                pooled[row] = self._pool(sequence, names, row)
        return pd.DataFrame(pooled, index=index, columns=columns)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the statistics, such as ``mel_03_mean`` and ``f0_voiced_p50``.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (n_statistics,)
            Names of the output columns.
        """
        check_is_fitted(self)
        features = [name for name in self.frame_features_ if name != self.voicing]
        names = [
            f"{feature}_{FRAME_SETS[frame_set]}{functional}"
            for frame_set in self._frame_sets()
            for functional in self.functionals
            for feature in features
        ]
        names += VOICING_STATISTICS if self.voicing is not None else ()
        return np.asarray(names, dtype=object)

    def _pool(self, sequence, names, row):
        # For values within float32 no statistic overflows in float64 (the variance in a skewness).
        with np.errstate(over="ignore", invalid="ignore"):
            values = sequence.astype(np.float64)
            statistics = self._row(values, names)
        peak = np.abs(values).max()
        if not max(peak, np.abs(statistics).max()) <= LARGEST:
            raise ValueError(
                f"row {row}: the largest absolute value of the frames is {peak:.3g}; they or their "
                f"statistics exceed the range of float32 (at most {LARGEST:.3g}). Scale the "
                f"features down before FunctionalsPooling, or take their logarithm."
            )
        return statistics

    def _row(self, values, names):
        """Return all statistics of one sequence, in the order of the names."""
        frame_sets, rhythm = {"all": np.ones(len(values), dtype=bool)}, []
        if self.voicing is not None:
            column = names.index(self.voicing)
            voiced = values[:, column] > VOICED_ABOVE
            frame_sets |= {"voiced": voiced, "unvoiced": ~voiced}
            values = np.delete(values, column, axis=1)
            rhythm = voicing_statistics(voiced, self.hop_length_)
        parts = [self._statistics(values, frame_sets[name]) for name in self._frame_sets()]
        return np.concatenate([*parts, rhythm])

    def _statistics(self, values, frame_set):
        positions = np.flatnonzero(frame_set)
        if not len(positions):
            return np.zeros(len(self.functionals) * values.shape[1])
        statistics = FrameStatistics(values[positions], positions, self.hop_length_)
        return np.concatenate([statistics[name] for name in self.functionals])

    def _frame_sets(self):
        return (self.frames,) if isinstance(self.frames, str) else tuple(self.frames)

    def _check_names(self):
        unknown = [name for name in self.functionals if not is_functional(name)]
        if unknown or not self.functionals:
            raise ValueError(
                f"FunctionalsPooling: functionals must be one or more of "
                f"{', '.join(FUNCTIONALS)}, p00 to p99 (percentiles); got "
                f"{unknown if unknown else self.functionals!r}."
            )
        if len(set(self.functionals)) < len(self.functionals):
            raise ValueError(
                f"FunctionalsPooling: functionals must be different, got {self.functionals!r}."
            )
        sets = self._frame_sets()
        if not sets or len(set(sets)) < len(sets) or not set(sets) <= set(FRAME_SETS):
            raise ValueError(
                f"FunctionalsPooling: frames must be one or more of {', '.join(FRAME_SETS)}, each "
                f"once; got {self.frames!r}."
            )
        if self.voicing is None and sets != ("all",):
            raise ValueError(
                f"FunctionalsPooling: frames={self.frames!r} needs voicing=, the name of the "
                f"feature that indicates voiced frames ('voicing' for Prosody)."
            )


_PERCENTILE = re.compile(r"p(\d{2})")


class FrameStatistics:
    """Statistics of a set of frames of a sequence, each computed on first access.

    There is at least one frame; `positions` are those in the whole sequence, ascending, whose
    frames are `hop` seconds apart.
    """

    def __init__(self, values, positions, hop):
        self._values = values
        self._positions = positions
        self._hop = hop

    def __getitem__(self, name):
        """Return a statistic by its public name: an array of shape (n_features,)."""
        percentile = _PERCENTILE.fullmatch(name)
        return self.percentile(int(percentile[1])) if percentile else getattr(self, name)

    @cached_property
    def mean(self):
        return self._values.mean(axis=0)

    @cached_property
    def _centered(self):
        return self._values - self.mean

    @cached_property
    def _variance(self):
        variance = np.mean(self._centered**2, axis=0)
        # The rounded mean of a constant feature gives a tiny variance.
        n_frames = len(self._values)
        rounding = np.finfo(np.float64).eps * n_frames
        variance[variance <= (rounding * self.mean) ** 2] = 0.0
        return variance

    @cached_property
    def std(self):
        return np.sqrt(self._variance)

    @cached_property
    def _ordered(self):
        return np.sort(self._values, axis=0)

    min = property(lambda self: self._ordered[0])
    max = property(lambda self: self._ordered[-1])
    range = property(lambda self: self._ordered[-1] - self._ordered[0])

    def percentile(self, percent):
        position = percent / 100.0 * (len(self._values) - 1)
        below = int(position)
        above = min(below + 1, len(self._values) - 1)
        step = self._ordered[above] - self._ordered[below]
        return self._ordered[below] + (position - below) * step

    @cached_property
    def skewness(self):
        return self._standardized_moment(3)

    @cached_property
    def kurtosis(self):
        return np.where(self._variance > 0, self._standardized_moment(4) - 3.0, 0.0)

    def _standardized_moment(self, order):
        standardized = self._centered / np.where(self._variance > 0, self.std, 1.0)
        powers = standardized * standardized  # much faster than ** with 3 or 4
        powers *= standardized if order == 3 else powers
        return np.where(self._variance > 0, powers.mean(axis=0), 0.0)

    @cached_property
    def _times(self):
        """Seconds from the first frame of the sequence, and their deviations from the mean."""
        times = self._positions * self._hop
        return times, times - times.mean()

    @cached_property
    def slope(self):
        _, centered = self._times
        spread = np.sum(centered**2)
        if spread == 0:
            return np.zeros(self._values.shape[1])
        return np.einsum("t,tf->f", centered, self._centered) / spread

    @property
    def intercept(self):
        times, _ = self._times
        return self.mean - self.slope * times.mean()

    @property
    def regression_error(self):
        _, centered = self._times
        return np.sqrt(np.mean((self._centered - np.outer(centered, self.slope)) ** 2, axis=0))

    @cached_property
    def _steps(self):
        """Differences per second between consecutive frames, and the segment of each."""
        neighbors = np.diff(self._positions) == 1
        steps = np.diff(self._values, axis=0)[neighbors] / self._hop
        return steps, np.cumsum(~neighbors)[neighbors]

    @property
    def mean_abs_delta(self):
        steps, _ = self._steps
        return np.abs(steps).mean(axis=0) if len(steps) else np.zeros(self._values.shape[1])

    @cached_property
    def _parts(self):
        """Slope of each segment that only rises or only falls, and its feature."""
        steps, segments = self._steps
        if not len(steps):
            return np.zeros(0), np.zeros(0, dtype=np.intp)
        signs = np.sign(steps)
        begins = np.ones(steps.shape, dtype=bool)
        begins[1:] = (np.diff(signs, axis=0) != 0) | (np.diff(segments) != 0)[:, np.newaxis]
        starts = np.flatnonzero(begins.T)
        sizes = np.diff(starts, append=steps.size)
        slopes = np.add.reduceat(np.ravel(steps.T), starts) / sizes
        return slopes, starts // len(steps)

    @cached_property
    def _rising(self):
        slopes, features = self._parts
        return self._mean_and_std(slopes[slopes > 0], features[slopes > 0])

    @cached_property
    def _falling(self):
        slopes, features = self._parts
        return self._mean_and_std(slopes[slopes < 0], features[slopes < 0])

    def _mean_and_std(self, slopes, features):
        n_features = self._values.shape[1]
        count = np.maximum(np.bincount(features, minlength=n_features), 1)
        mean = np.bincount(features, weights=slopes, minlength=n_features) / count
        squares = (slopes - mean[features]) ** 2
        variance = np.bincount(features, weights=squares, minlength=n_features) / count
        return mean, np.sqrt(variance)

    rising_slope_mean = property(lambda self: self._rising[0])
    rising_slope_std = property(lambda self: self._rising[1])
    falling_slope_mean = property(lambda self: self._falling[0])
    falling_slope_std = property(lambda self: self._falling[1])


#: Names of the statistics, except the percentiles p00 to p99.
FUNCTIONALS = tuple(
    name for name in vars(FrameStatistics) if not name.startswith("_") and name != "percentile"
)


def is_functional(name):
    """Return whether this is the name of a statistic."""
    return isinstance(name, str) and (name in FUNCTIONALS or _PERCENTILE.fullmatch(name))


#: Names of the results of `voicing_statistics`.
VOICING_STATISTICS = (
    "voiced_fraction",
    "voiced_segments_per_second",
    "voiced_segment_length_mean",
    "voiced_segment_length_std",
    "unvoiced_segment_length_mean",
    "unvoiced_segment_length_std",
)


def voicing_statistics(voiced, hop):
    """Compute `VOICING_STATISTICS` from a mask of voiced frames, which are `hop` seconds apart."""
    edges = np.flatnonzero(np.diff(voiced)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(starts, append=len(voiced)) * hop
    on = lengths[voiced[starts]]
    off = lengths[~voiced[starts]]
    return [
        voiced.mean(),
        len(on) / (len(voiced) * hop),
        *_mean_and_std_of(on),
        *_mean_and_std_of(off),
    ]


def _mean_and_std_of(lengths):
    return (lengths.mean(), lengths.std()) if len(lengths) else (0.0, 0.0)
