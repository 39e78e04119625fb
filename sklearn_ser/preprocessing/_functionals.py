"""Statistics of one sequence of frames, all features at once; see `FunctionalsPooling`."""

import re
from functools import cached_property

import numpy as np

_PERCENTILE = re.compile(r"p(\d{2})")


class FrameStatistics:
    """The statistics of some frames of a sequence, each computed when first asked for.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_frames, n_features)
        At least one frame.
    positions : ndarray of int of shape (n_frames,)
        Where the frames stand in the whole sequence, rising.
    hop : float
        Seconds from one frame of the sequence to the next.
    """

    def __init__(self, values, positions, hop):
        self._values = values
        self._positions = positions
        self._hop = hop

    def __getitem__(self, name):
        """One statistic by its public name: an array of shape (n_features,)."""
        percentile = _PERCENTILE.fullmatch(name)
        return self.percentile(int(percentile[1])) if percentile else getattr(self, name)

    @cached_property
    def mean(self):
        return self._values.mean(axis=0)

    @cached_property
    def _centerd(self):
        return self._values - self.mean

    @cached_property
    def _variance(self):
        variance = np.mean(self._centerd**2, axis=0)
        # What rounding in the mean leaves of a constant feature is no variance.
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

    @property
    def min(self):
        return self._ordered[0]

    @property
    def max(self):
        return self._ordered[-1]

    @property
    def range(self):
        return self._ordered[-1] - self._ordered[0]

    def percentile(self, percent):
        place = percent / 100.0 * (len(self._values) - 1)
        below = int(place)
        above = min(below + 1, len(self._values) - 1)
        step = self._ordered[above] - self._ordered[below]
        return self._ordered[below] + (place - below) * step

    @cached_property
    def skewness(self):
        return self._standardized_moment(3)

    @cached_property
    def kurtosis(self):
        return np.where(self._variance > 0, self._standardized_moment(4) - 3.0, 0.0)

    def _standardized_moment(self, order):
        standardized = self._centerd / np.where(self._variance > 0, self.std, 1.0)
        powers = standardized * standardized  # much faster than ** with 3 or 4
        powers *= standardized if order == 3 else powers
        return np.where(self._variance > 0, powers.mean(axis=0), 0.0)

    @cached_property
    def _times(self):
        """Seconds from the first frame of the sequence, and these around their mean."""
        times = self._positions * self._hop
        return times, times - times.mean()

    @cached_property
    def slope(self):
        _, centerd = self._times
        spread = np.sum(centerd**2)
        if spread == 0:
            return np.zeros(self._values.shape[1])
        return np.einsum("t,tf->f", centerd, self._centerd) / spread

    @property
    def intercept(self):
        times, _ = self._times
        return self.mean - self.slope * times.mean()

    @property
    def regression_error(self):
        _, centerd = self._times
        return np.sqrt(np.mean((self._centerd - np.outer(centerd, self.slope)) ** 2, axis=0))

    @cached_property
    def _steps(self):
        """Differences per second between neighboring frames, and the stretch each is in."""
        neighbors = np.diff(self._positions) == 1
        steps = np.diff(self._values, axis=0)[neighbors] / self._hop
        return steps, np.cumsum(~neighbors)[neighbors]

    @property
    def mean_abs_delta(self):
        steps, _ = self._steps
        return np.abs(steps).mean(axis=0) if len(steps) else np.zeros(self._values.shape[1])

    @cached_property
    def _parts(self):
        """Slope of each stretch that only rises or only falls, and the feature it is of."""
        steps, stretches = self._steps
        if not len(steps):
            return np.zeros(0), np.zeros(0, dtype=np.intp)
        signs = np.sign(steps)
        begins = np.ones(steps.shape, dtype=bool)
        begins[1:] = (np.diff(signs, axis=0) != 0) | (np.diff(stretches) != 0)[:, np.newaxis]
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

    @property
    def rising_slope_mean(self):
        return self._rising[0]

    @property
    def rising_slope_std(self):
        return self._rising[1]

    @property
    def falling_slope_mean(self):
        return self._falling[0]

    @property
    def falling_slope_std(self):
        return self._falling[1]


#: Names of the statistics beside the percentiles, which are p00 to p99.
FUNCTIONALS = (
    "mean",
    "std",
    "min",
    "max",
    "range",
    "skewness",
    "kurtosis",
    "slope",
    "intercept",
    "regression_error",
    "mean_abs_delta",
    "rising_slope_mean",
    "rising_slope_std",
    "falling_slope_mean",
    "falling_slope_std",
)


def is_functional(name):
    """Whether a name is one of a statistic."""
    return isinstance(name, str) and (name in FUNCTIONALS or _PERCENTILE.fullmatch(name))


#: Names of what `voicing_statistics` gives.
VOICING_STATISTICS = (
    "voiced_fraction",
    "voiced_segments_per_second",
    "voiced_segment_length_mean",
    "voiced_segment_length_std",
    "unvoiced_segment_length_mean",
    "unvoiced_segment_length_std",
)


def voicing_statistics(voiced, hop):
    """How voice comes and goes.

    Parameters
    ----------
    voiced : ndarray of bool of shape (n_frames,)
    hop : float
        Seconds from one frame to the next.

    Returns
    -------
    list of float
        In the order of `VOICING_STATISTICS`; lengths in seconds, 0 where there is no segment.
    """
    edges = np.flatnonzero(np.diff(voiced)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(starts, append=len(voiced)) * hop
    on = lengths[voiced[starts]]
    off = lengths[~voiced[starts]]
    return [voiced.mean(), len(on) / (len(voiced) * hop), *_spread(on), *_spread(off)]


def _spread(lengths):
    return (lengths.mean(), lengths.std()) if len(lengths) else (0.0, 0.0)
