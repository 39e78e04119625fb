"""From a sequence of frames to one row of statistics."""

import re
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.preprocessing._frame_input import read_frames
from sklearn_ser.utils._frames import HOP_ATTR, frame_attrs
from sklearn_ser.utils._public import public_module

#: Which frames the statistics may be of, and what their names have in between.
FRAME_SETS = {"all": "", "voiced": "voiced_", "unvoiced": "unvoiced_"}
VOICED_ABOVE = 0.5
#: Seconds from one frame to the next where nothing tells them.
USUAL_HOP = 0.010
LARGEST = float(np.finfo(np.float32).max)


@public_module("sklearn_ser.preprocessing")
class FunctionalsPooling(TransformerMixin, BaseEstimator):
    """Statistics over time: a sequence of frames becomes one row.

    Works on whatever gives frames: :class:`LogMelSpectrogram`, :class:`MFCC`, :class:`Prosody`,
    frame-level openSMILE features or the outputs of a pretrained network.

    Parameters
    ----------
    functionals : tuple of str, default=("mean", "std", "p05", "p50", "p95", "slope", \
"mean_abs_delta")
        Which statistics, of each feature on its own, in this order:

        - ``"mean"``, ``"std"`` (divided by the number of frames), ``"min"``, ``"max"``,
          ``"range"``;
        - ``"p00"`` to ``"p99"``: percentiles, interpolated linearly; ``"p50"`` is the median;
        - ``"skewness"`` and ``"kurtosis"``: third and fourth standardized moment, 3 taken off the
          latter (a normal distribution has 0); 0 for a constant feature;
        - ``"slope"`` (per second), ``"intercept"`` (at the sequence's first frame) and
          ``"regression_error"`` (root-mean-square distance): of the straight line through all
          values over time;
        - ``"mean_abs_delta"``: mean absolute difference of neighboring frames, per second;
        - ``"rising_slope_mean"``, ``"rising_slope_std"``, ``"falling_slope_mean"``,
          ``"falling_slope_std"``: of the slopes (per second) of the stretches in which the feature
          only rises, or only falls; every stretch counts once, 0 if there is none.
    voicing : str or None, default=None
        Name of the feature that says whether a frame is voiced (more than 0.5), ``"voicing"`` for
        :class:`Prosody`. It gives no statistics of its own but six others, of how voice comes and
        goes: ``voiced_fraction``, ``voiced_segments_per_second``, and mean and standard deviation
        of the length in seconds of voiced and of unvoiced segments
        (``voiced_segment_length_mean``, ...; a segment is a longest run of such frames, 0 if there
        is none).
    frames : str or tuple of str, default="all"
        Which frames the statistics are of: ``"all"``, ``"voiced"``, ``"unvoiced"``, or several of
        these. The latter two need `voicing`; times, differences and stretches do not bridge the
        frames that are left out. A sequence without such frames has 0 everywhere:
        ``voiced_fraction`` tells.
    hop_length : float, default=None
        Seconds from one frame to the next, which all slopes and lengths are measured by; 1.0
        measures by frames. None: what the table says (``attrs["hop_length"]``, which our audio
        steps write and :class:`FrameScaler` keeps), or 0.010 where it says nothing: openSMILE's
        descriptors, lists and arrays. A number holds whatever the table says.

    Attributes
    ----------
    frame_features_ : list of str
        Names of the features of a frame.
    hop_length_ : float
        The seconds that slopes and lengths are measured by.

    See Also
    --------
    FrameScaler : Scales the frames before.

    Notes
    -----
    Every row depends on its sequence alone. Sums are taken in float64, the results are float32.
    One frame has a slope, differences and deviations of 0. A row whose audio failed (NaN in place
    of the sequence) stays NaN.

    References
    ----------
    F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research
    and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016: which statistics
    serve.

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
        functionals=("mean", "std", "p05", "p50", "p95", "slope", "mean_abs_delta"),
        *,
        voicing=None,
        frames="all",
        hop_length=None,
    ):
        self.functionals = functionals
        self.voicing = voicing
        self.frames = frames
        self.hop_length = hop_length

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Remember the names of the features of a frame and the hop; nothing else is learned.

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
        ValueError
            If X holds something else, a functional is unknown, or no feature has the name
            `voicing`.
        """
        self._check_names()
        names = read_frames(X, "FunctionalsPooling")[2]
        if self.voicing is not None and self.voicing not in names:
            shown = ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
            raise ValueError(
                f"FunctionalsPooling: no feature of the frames is called {self.voicing!r} "
                f"(voicing); they have {shown}."
            )
        self.frame_features_ = names
        known = frame_attrs(X).get(HOP_ATTR, USUAL_HOP)
        self.hop_length_ = float(known if self.hop_length is None else self.hop_length)
        return self

    def transform(self, X):
        """Turn each sequence into a row.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            As in `fit`, with the same features.

        Returns
        -------
        DataFrame of float32 of shape (n_sequences, n_statistics)
            With the index of X, and so its ids.

        Raises
        ------
        ValueError
            If X holds something else than in `fit`, or a row is too large for float32.
        """
        check_is_fitted(self)
        sequences, index, names = read_frames(X, "FunctionalsPooling", self.frame_features_)
        columns = self.get_feature_names_out()
        found = np.full((len(sequences), len(columns)), np.nan, dtype=np.float32)
        for row, sequence in enumerate(sequences):
            if sequence is not None:
                found[row] = self._in_float32(sequence, names, row)
        return pd.DataFrame(found, index=index, columns=columns)

    def get_feature_names_out(self, input_features=None):
        """Names of the statistics: ``mel_03_mean``, ``f0_voiced_p50``, ``voiced_fraction``, ...

        Parameters
        ----------
        input_features : None
            Ignored; the names come from the frames.

        Returns
        -------
        ndarray of str of shape (n_statistics,)
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

    def _in_float32(self, sequence, names, row):
        # Within float32 no statistic overflows in float64 unseen (the variance in a skewness).
        with np.errstate(over="ignore", invalid="ignore"):
            values = sequence.astype(np.float64)
            found = self._row(values, names)
        peak = np.abs(values).max()
        if not max(peak, np.abs(found).max()) <= LARGEST:
            raise ValueError(
                f"row {row}: the frames reach {peak:.3g}, so that they or their statistics are too "
                f"large for float32 (at most {LARGEST:.3g}), which FunctionalsPooling gives: scale "
                f"the features down first, or take their logarithm."
            )
        return found

    def _row(self, values, names):
        """All statistics of one sequence, in the order of the names out."""
        every = np.ones(len(values), dtype=bool)
        chosen, rhythm = {"all": every}, []
        if self.voicing is not None:
            column = names.index(self.voicing)
            voiced = values[:, column] > VOICED_ABOVE
            chosen |= {"voiced": voiced, "unvoiced": ~voiced}
            values = np.delete(values, column, axis=1)
            rhythm = voicing_statistics(voiced, self.hop_length_)
        parts = [self._statistics(values, chosen[name]) for name in self._frame_sets()]
        return np.concatenate([*parts, rhythm])

    def _statistics(self, values, chosen):
        positions = np.flatnonzero(chosen)
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
            raise ValueError(f"FunctionalsPooling: a functional twice in {self.functionals!r}.")
        sets = self._frame_sets()
        if not sets or len(set(sets)) < len(sets) or not set(sets) <= set(FRAME_SETS):
            raise ValueError(
                f"FunctionalsPooling: frames must be one or more of {', '.join(FRAME_SETS)}, each "
                f"once; got {self.frames!r}."
            )
        if self.voicing is None and sets != ("all",):
            raise ValueError(
                f"FunctionalsPooling: frames={self.frames!r} needs voicing=, the name of the "
                f"feature that tells voiced frames from others ('voicing' for Prosody)."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


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
