"""Intervals of a score over clusters of rows: speakers, or corpora."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.metrics._cluster_statistics import (
    RatioStatistic,
    cluster_rows,
    own_values,
    standard_error,
    statistic,
)
from sklearn_ser.metrics._labels import listed
from sklearn_ser.utils._public import public_module

#: Below this many clusters their own values are given in place of an interval.
MIN_CLUSTERS = 8


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class ClusterInterval:
    """A score with its interval; made by :func:`cluster_interval`.

    Attributes
    ----------
    estimate : float
    low, high : float
        NaN where there is no interval: `note` says why.
    confidence : float
    n_clusters : int
    method : str
    population : str
        What the interval speaks of: "speakers of these corpora", or "corpora".
    values : Series
        The score within each cluster, over the classes that it has.
    note : str
        Why there is no interval, or "".
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

    def __str__(self):
        if self.note:
            shown = ", ".join(f"{value:.3f}" for value in sorted(self.values)[:20])
            return f"{self.estimate:.3f}, no interval ({self.note}); each by itself: {shown}"
        return (
            f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}] ({self.confidence:.0%}, "
            f"{self.method}, {self.n_clusters} {self.population})"
        )


@public_module("sklearn_ser.metrics")
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
    truth,
    prediction,
    clusters,
    *,
    metric="uar",
    method="t",
    confidence=0.95,
    strata=None,
    average="rows",
    labels=None,
    unit="speaker",
    min_clusters=MIN_CLUSTERS,
    n_draws=1999,
    random_state=0,
):
    r"""Confidence interval of a score for speakers (or corpora) like these.

    Utterances of one speaker are no independent draws: an interval over utterances is too narrow.
    This one asks how the score would vary with other speakers, by what each speaker adds to it.

    Parameters
    ----------
    truth : array-like of shape (n_samples,)
        True classes or values. Rows without (None, NaN) are left out.
    prediction : array-like of shape (n_samples,) or (n_samples, n_columns)
        What the metric needs: predicted classes or numbers (None: failed, a miss), of which
        several columns are several seeds; or scores or probabilities, a column per class. Seeds
        are averaged within each row: they are no further speakers.
    clusters : array-like of shape (n_samples,)
        The speaker (or corpus) of each row.
    metric : str or callable, default="uar"
        As for :func:`group_scores`.
    method : {"t", "bootstrap-t", "percentile"}, default="t"
        - "t": standard error from leaving out one cluster in turn (jackknife [1]_), t
          distribution with G - 1 degrees of freedom for G clusters (Satterthwaite's with
          `strata`).
        - "bootstrap-t": clusters are drawn with replacement, and the score less the estimate, in
          units of each draw's own standard error (by linearization), takes the place of the t
          distribution [2]_. For
          "uar", "war", "macro_f1", "mae", "brier", or any metric with ``average="clusters"``.
        - "percentile": quantiles of the scores of such draws. It covers too little with few
          clusters; it is here to be compared with. With ``clusters=range(n_samples)`` it is the
          usual bootstrap over utterances, which covers far too little.
    confidence : float, default=0.95
    strata : array-like of shape (n_samples,), default=None
        Such as the corpus of each row: the score is then the mean of the strata's scores, each
        counting the same, and clusters are drawn within their stratum. A name that occurs in
        several strata is one cluster: the same speaker under several conditions. So speakers of
        different corpora need different names.
    average : {"rows", "clusters"}, default="rows"
        "rows": the score of all rows. "clusters": the mean of the clusters' own scores, each
        counting the same, as for corpora that stand for further corpora.
    labels : array-like of shape (n_classes,), default=None
        The fixed label set; the score is NaN where one is absent. None takes the classes present
        (in each stratum).
    unit : str, default="speaker"
        What a cluster is, for the words in `population`: "speaker", "corpus", or another noun.
    min_clusters : int, default=8
        With fewer clusters no interval is given, but their values one by one. A lower number
        forces one.
    n_draws : int, default=1999
        Of both bootstraps. Draws that lose a class have no score and are passed over.
    random_state : int, numpy.random.Generator or None, default=0
        Of both bootstraps.

    Returns
    -------
    ClusterInterval

    Raises
    ------
    MetadataError
        If lengths differ or a row has no cluster.
    ValueError
        If "bootstrap-t" is asked for a metric whose standard error is not known in closed form.

    Notes
    -----
    "t" is the default by what simulation showed (``benchmarks/RESULTS.md``). With the scores
    :math:`\theta_{(s)}` without cluster s, and their mean :math:`\theta_{(\cdot)}`, the variance is
    :math:`\frac{G - 1}{G} \sum_s (\theta_{(s)} - \theta_{(\cdot)})^2`. The interval is cut off at
    the metric's limits. It has no width where every cluster has the same scores, and there is none
    where only one cluster has a class.

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
    >>> truth = np.tile(["anger", "sadness"], 100)
    >>> skill = rng.uniform(0.5, 0.9, size=10)[speaker]
    >>> said = np.where(rng.random(200) < skill, truth, "neutral")
    >>> print(cluster_interval(truth, said, speaker))
    0.670 [0.563, 0.777] (95%, t, 10 speakers of these corpora)
    >>> few = speaker < 3
    >>> print(cluster_interval(truth[few], said[few], speaker[few]))
    0.700, no interval (3 clusters, fewer than 8); each by itself: 0.650, 0.700, 0.750
    """
    rows = cluster_rows(truth, [prediction], clusters, strata, metric, labels)
    found = statistic(rows, 0, average)
    note = why_no_interval(rows, found, min_clusters)
    low = high = float("nan")
    if not note:
        options = (n_draws, random_state)
        low, high = _METHODS[method](found, confidence, *options)
        low, high = (float(np.clip(edge, *rows.metric.bounds)) for edge in (low, high))
    return ClusterInterval(
        estimate=found.estimate,
        low=low,
        high=high,
        confidence=confidence,
        n_clusters=rows.n_clusters,
        method=method,
        population=population(unit),
        values=own_values(rows, 0),
        note=note,
    )


def population(unit):
    """What a figure over clusters of this kind speaks of."""
    known = {"speaker": "speakers of these corpora", "corpus": "corpora"}
    return known.get(unit, f"{unit}s of these corpora")


def why_no_interval(rows, found, min_clusters):
    """The reason not to give an interval, or ""."""
    if np.isnan(found.estimate):
        return "the score is undefined"
    if rows.n_clusters < min_clusters:
        return f"{rows.n_clusters} clusters, fewer than {min_clusters}"
    single = np.flatnonzero(np.bincount(found.group)[found.group] == 1)
    if len(single):
        return f"no other cluster in the stratum of {listed(list(rows.index[single]), 'cluster')}"
    if np.isnan(found.influence).any():
        return "a class that only one cluster has"
    return ""


def t_interval(estimate, influence, group, confidence):
    """Estimate and t times its standard error to both sides."""
    error, df = standard_error(influence, group)
    half = stats.t.ppf(0.5 + confidence / 2, df) * error
    return estimate - half, estimate + half


def _t(found, confidence, n_draws, random_state):
    return t_interval(found.estimate, found.influence, found.group, confidence)


def _bootstrap_t(found, confidence, n_draws, random_state):
    if not isinstance(found, RatioStatistic):
        raise ValueError(
            "method='bootstrap-t' needs the standard error of every draw, which is known for "
            "'uar', 'war', 'macro_f1', 'mae' and 'brier', or with average='clusters': take "
            "method='t'."
        )
    values = found.studentized(_draws(found.group, n_draws, random_state))
    edges = _quantiles(values, confidence)
    error, _ = standard_error(found.linear_influence, found.group)
    if error < 1e-12:  # every cluster has the same scores
        return found.estimate, found.estimate
    return found.estimate - edges[1] * error, found.estimate - edges[0] * error


def _percentile(found, confidence, n_draws, random_state):
    return _quantiles(found.resampled(_draws(found.group, n_draws, random_state)), confidence)


def _quantiles(values, confidence):
    """Both, by order statistics: draws without any spread are infinite and stay so."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    shares = (0.5 - confidence / 2, 0.5 + confidence / 2)
    return tuple(np.quantile(values, shares, method="closest_observation"))


def _draws(group, n_draws, random_state):
    """How often each cluster is drawn, in each draw, within its group."""
    rng = np.random.default_rng(random_state)
    counts = np.empty((n_draws, len(group)))
    for name in np.unique(group):
        inside = np.flatnonzero(group == name)
        n = len(inside)
        taken = rng.integers(n, size=(n_draws, n)) + n * np.arange(n_draws)[:, None]
        counts[:, inside] = np.bincount(taken.ravel(), minlength=n_draws * n).reshape(-1, n)
    return counts


_METHODS = {"t": _t, "bootstrap-t": _bootstrap_t, "percentile": _percentile}
