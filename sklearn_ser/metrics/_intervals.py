"""Confidence interval of a score over clusters of samples: speakers, or corpora."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.metrics._cluster_statistics import (
    ClusterRows,
    RatioStatistic,
    Statistic,
    cluster_rows,
    own_values,
    standard_error,
    statistic,
)
from sklearn_ser.metrics._groups import METRIC
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import format_items
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: With fewer clusters the values of the clusters replace the interval.
MIN_CLUSTERS = 8

#: Parameters of intervals and paired tests.
SCORE_PARAMETERS = f"""\
{METRIC}\
strata : array-like of shape (n_samples,), default=None
    Stratum of each sample, such as its corpus. The score is the mean of the scores of the strata,
    which count the same, and clusters are resampled within their stratum. A name that occurs in
    several strata is one cluster (the same speaker under several conditions), so that speakers of
    different corpora need different names.
average : {{"rows", "clusters"}}, default="rows"
    Averaging. "rows": score of all samples. "clusters": mean of the scores of the clusters, which
    count the same, such as corpora that represent other corpora.
labels : array-like of shape (n_classes,), default=None
    Fixed label set; the score is NaN if one of its classes is absent. With None the classes that
    are present (in each stratum).
unit : str, default="speaker"
    Noun for a cluster, used in `population`: "speaker", "corpus", or another one.
"""


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class ClusterInterval:
    """Score with a confidence interval, as returned by :func:`cluster_interval`.

    Parameters
    ----------
    estimate : float
        Score.
    low, high : float
        Limits of the interval; NaN if there is none.
    confidence : float
        Confidence level.
    n_clusters : int
        Number of clusters.
    method : str
        Method of the interval.
    population : str
        Population that the interval is about: "speakers of these corpora", or "corpora".
    values : pandas.Series
        Score within each cluster, over the classes that it has.
    note : str
        Reason for a missing interval, or "".
    """

    estimate: float
    low: float
    high: float
    confidence: float
    n_clusters: int
    method: str
    population: str
    values: pd.Series
    note: str = ""

    def __str__(self) -> str:
        if self.note:
            shown = ", ".join(f"{value:.3f}" for value in sorted(self.values)[:20])
            return f"{self.estimate:.3f}, no interval ({self.note}); clusters: {shown}"
        return (
            f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}] ({self.confidence:.0%}, "
            f"{self.method}, {self.n_clusters} {self.population})"
        )


@public_module("sklearn_ser.metrics")
@substitute_docstring(score_parameters=SCORE_PARAMETERS)
@validate_params(
    {
        "method": [StrOptions({"t", "bootstrap-t", "percentile"})],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "average": [StrOptions({"rows", "clusters"})],
        "min_clusters": [Interval(Integral, 2, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def cluster_interval(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    clusters: ArrayLike,
    *,
    metric: str | Callable[..., float] = "uar",
    method: Literal["t", "bootstrap-t", "percentile"] = "t",
    confidence: float = 0.95,
    strata: ArrayLike | None = None,
    average: Literal["rows", "clusters"] = "rows",
    labels: ArrayLike | None = None,
    unit: str = "speaker",
    min_clusters: int = MIN_CLUSTERS,
    n_draws: int = 1999,
    random_state: int | np.random.Generator | None = 0,
) -> ClusterInterval:
    r"""Compute a confidence interval of a score for the population of speakers (or corpora).

    Utterances of one speaker are not independent, so that an interval over utterances is too
    narrow. This one is based on the variation of the score between speakers.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes or values. Unlabeled samples (None, NaN) are left out.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_columns)
        Input of the metric: predicted classes or numbers (None, failed audio, is wrong), where
        several columns are several seeds; or scores or probabilities, one column per class. Seeds
        are averaged within each sample: they do not count as further speakers.
    clusters : array-like of shape (n_samples,)
        Speaker (or corpus) of each sample.
    method : {"t", "bootstrap-t", "percentile"}, default="t"
        Method of the interval.

        - "t": standard error by the jackknife over clusters [1]_, t distribution with G - 1
          degrees of freedom for G clusters (Satterthwaite's with `strata`).
        - "bootstrap-t": clusters are drawn with replacement, and the t distribution is replaced by
          that of score minus estimate, divided by the standard error (by linearization), over the
          draws [2]_. For "uar", "war", "macro_f1", "mae", "brier", or any metric with
          ``average="clusters"``.
        - "percentile": quantiles of the scores of such draws. Its coverage is too low with few
          clusters; it is meant for comparison. With ``clusters=range(n_samples)`` it is the usual
          bootstrap over utterances, whose coverage is far too low.
    confidence : float, default=0.95
        Confidence level, in (0, 1).
    %(score_parameters)s
    min_clusters : int, default=8
        Smallest number of clusters with an interval. With fewer, only the scores of the clusters
        are reported.
    n_draws : int, default=1999
        Number of draws of both bootstraps. Draws without a class have no score and are skipped.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of both bootstraps. The fixed default makes the interval reproducible.

    Returns
    -------
    ClusterInterval
        Score, limits, and the score within each cluster.

    Raises
    ------
    MetadataError
        If lengths differ or a sample has no cluster.
    ValueError
        If `method` is "bootstrap-t" for a metric without a standard error in closed form.

    Notes
    -----
    "t" is the default because of its coverage in simulations (``benchmarks/RESULTS.md``). With the
    scores :math:`\theta_{(s)}` without cluster s, and their mean :math:`\theta_{(\cdot)}`, the
    variance is :math:`\frac{G - 1}{G} \sum_s (\theta_{(s)} - \theta_{(\cdot)})^2`. The interval is
    clipped to the range of the metric. Its width is zero if all clusters have the same scores, and
    there is none if only one cluster has a class. Of more than 200 clusters, blocks of clusters
    are left out in turn for metrics other than "uar", "war", "macro_f1", "mae" and "brier".

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993,
       chapter 11.
    .. [2] A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge
       University Press, 1997, sections 2.4, 3.8 and 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.metrics import cluster_interval
    >>> rng = np.random.default_rng(0)
    >>> speaker = np.repeat(np.arange(10), 20)
    >>> y_true = np.tile(["anger", "sadness"], 100)
    >>> accuracy = rng.uniform(0.5, 0.9, size=10)[speaker]
    >>> y_pred = np.where(rng.random(200) < accuracy, y_true, "neutral")
    >>> print(cluster_interval(y_true, y_pred, speaker))
    0.670 [0.563, 0.777] (95%, t, 10 speakers of these corpora)
    >>> few = speaker < 3
    >>> print(cluster_interval(y_true[few], y_pred[few], speaker[few]))
    0.700, no interval (3 clusters, fewer than 8); clusters: 0.650, 0.700, 0.750
    """
    rows = cluster_rows(y_true, [y_pred], clusters, strata, metric, labels)
    score = statistic(rows, 0, average)
    note = why_no_interval(rows, score, min_clusters)
    low = high = float("nan")
    if not note:
        limits = _METHODS[method](score, confidence, n_draws, random_state)
        low, high = (float(np.clip(limit, *rows.metric.bounds)) for limit in limits)
    return ClusterInterval(
        estimate=score.estimate,
        low=low,
        high=high,
        confidence=confidence,
        n_clusters=rows.n_clusters,
        method=method,
        population=population(unit),
        values=own_values(rows, 0),
        note=note,
    )


def population(unit: str) -> str:
    """Return the population that a figure over clusters of this kind is about."""
    known = {"speaker": "speakers of these corpora", "corpus": "corpora"}
    return known.get(unit, f"{unit}s of these corpora")


def why_no_interval(rows: ClusterRows, score: Statistic, min_clusters: int) -> str:
    """Return the reason for a missing interval, or ""."""
    if np.isnan(score.estimate):
        return "the score is undefined"
    if rows.n_clusters < min_clusters:
        return f"{rows.n_clusters} clusters, fewer than {min_clusters}"
    alone = np.flatnonzero(np.bincount(score.group) == 1)
    if len(alone):
        names = format_items(list(rows.index[np.isin(rows.group, alone)]), "cluster")
        return f"no other cluster in the stratum of {names}"
    if np.isnan(score.influence).any():
        return "a class that only one cluster has"
    return ""


def t_interval(
    estimate: float, influence: np.ndarray, group: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Return the estimate minus and plus the t quantile times its standard error."""
    error, df = standard_error(influence, group)
    half = stats.t.ppf(0.5 + confidence / 2, df) * error
    return estimate - half, estimate + half


def _bootstrap_t(score, confidence, n_draws, random_state):
    if not isinstance(score, RatioStatistic):
        raise ValueError(
            "method='bootstrap-t' needs a standard error in closed form, as 'uar', 'war', "
            "'macro_f1', 'mae' and 'brier' have, or any metric with average='clusters'. Use "
            "method='t' for other metrics."
        )
    values = score.studentized(_draw_counts(score.group, n_draws, random_state))
    low, high = _quantiles(values, confidence)
    error, _ = standard_error(score.linear_influence, score.group)
    if error <= 1e-12 * abs(score.estimate):  # all clusters have the same scores
        return score.estimate, score.estimate
    return score.estimate - high * error, score.estimate - low * error


def _percentile(score, confidence, n_draws, random_state):
    counts = _draw_counts(score.group, n_draws, random_state)
    return _quantiles(score.resampled(counts), confidence)


def _quantiles(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return both quantiles as order statistics: draws without any spread remain infinite."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    shares = (0.5 - confidence / 2, 0.5 + confidence / 2)
    low, high = np.quantile(values, shares, method="closest_observation")
    return low, high


def _draw_counts(group: np.ndarray, n_draws: int, random_state) -> np.ndarray:
    """Draw clusters with replacement within groups; return the count of each in each draw."""
    rng = np.random.default_rng(random_state)
    counts = np.empty((n_draws, len(group)))
    for name in np.unique(group):
        inside = np.flatnonzero(group == name)
        n = len(inside)
        drawn = rng.integers(n, size=(n_draws, n)) + n * np.arange(n_draws)[:, None]
        counts[:, inside] = np.bincount(drawn.ravel(), minlength=n_draws * n).reshape(-1, n)
    return counts


_METHODS = {
    "t": lambda score, confidence, *_: t_interval(
        score.estimate, score.influence, score.group, confidence
    ),
    "bootstrap-t": _bootstrap_t,
    "percentile": _percentile,
}
