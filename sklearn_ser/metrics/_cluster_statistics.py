r"""What each cluster adds to a score, and how the score varies with the clusters drawn.

Every metric leaves one cluster out in turn (jackknife): how far the score moves is the cluster's
influence. Unweighted average recall, accuracy, macro F1, mean absolute error and the Brier score
are means of ratios of sums over clusters,

.. math:: \theta = \sum_j w_j \frac{\sum_s A_{sj}}{\sum_s B_{sj}},

j being the classes (of each stratum), so that this takes one step instead of a loop. Their
linearization, :math:`u_s = \sum_j w_j (A_{sj} - R_j B_{sj}) / B_j` with the ratios :math:`R_j`, is
what thousands of resamples are scaled by.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._calibration import as_probabilities
from sklearn_ser.metrics._groups import score_seeds, sorted_labels
from sklearn_ser.metrics._labels import as_labels, labeled_rows, listed, without_na
from sklearn_ser.metrics._metric_table import METRICS, Metric, find_metric

#: Metrics that are means over rows: what each row has.
_MEANS = tuple(METRICS[name] for name in ("war", "mae", "brier"))


class RatioStatistic:
    """A mean of ratios of sums over clusters.

    Parameters
    ----------
    A, B : ndarray of shape (n_clusters, n_ratios)
    weights : ndarray of shape (n_ratios,)
    group : ndarray of int of shape (n_clusters,)
        The clusters that are drawn alike, in the place of each other.
    """

    def __init__(self, A, B, weights, group):
        self.A, self.B, self.weights, self.group = A, B, weights, group
        total = B.sum(axis=0)
        self.estimate = float(weights @ (A.sum(axis=0) / total)) if total.all() else np.nan
        self.linear_influence = self._linearized(np.ones((1, len(A))))[1][0]
        left = total - B
        left[left < 1e-9] = 0  # shares of seeds, subtracted
        with np.errstate(divide="ignore", invalid="ignore"):
            without = ((A.sum(axis=0) - A) / left) @ weights
        self.influence = _jackknife(without, group)

    def _linearized(self, counts):
        """The statistic and every cluster's linear influence, clusters counting `counts` times."""
        with np.errstate(divide="ignore", invalid="ignore"):
            total = counts @ self.B
            ratios = (counts @ self.A) / total
            influence = (self.weights / total) @ self.A.T
            influence -= (self.weights * ratios / total) @ self.B.T
        return ratios @ self.weights, influence

    def resampled(self, counts):
        """The statistic of resamples, `counts` of shape (n_draws, n_clusters): NaN if undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return ((counts @ self.A) / (counts @ self.B)) @ self.weights

    def studentized(self, counts):
        """(statistic - estimate) / its standard error in each resample."""
        values, influence = self._linearized(counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = sum(variance_parts(influence, self.group, counts).values())
            return (values - self.estimate) / np.sqrt(variance)


class JackknifeStatistic:
    """Any metric, mean over strata: clusters are left out in turn."""

    def __init__(self, rows, which=0):
        self.rows, self.which, self.group = rows, which, rows.group
        n = rows.n_clusters
        self.members = [np.flatnonzero(rows.cluster == code) for code in range(n)]
        every = np.ones((1, n), dtype=int)
        self.estimate = float(self.resampled(every)[0])
        self.influence = _jackknife(self.resampled(every - np.eye(n, dtype=int)), self.group)

    def resampled(self, counts):
        """The statistic of resamples, `counts` of shape (n_draws, n_clusters)."""
        return np.array([self._score(draw) for draw in counts.astype(int)])

    def _score(self, counts):
        taken = [np.tile(part, n) for part, n in zip(self.members, counts, strict=True)]
        taken = np.concatenate(taken) if taken else np.empty(0, dtype=int)
        stratum = self.rows.stratum[taken]
        scores = [
            self.rows.score(self.which, taken[stratum == h], self.rows.labels)
            if (stratum == h).any()
            else np.nan
            for h in range(self.rows.stratum.max(initial=-1) + 1)
        ]
        return np.mean(scores) if scores else np.nan


def _jackknife(without, group):
    """Influence of each cluster, from the statistics without it.

    NaN in a group where one of these is undefined: a class that only one cluster has does not
    tell how much clusters differ in it.
    """
    influence = np.full(len(without), np.nan)
    for name in np.unique(group):
        inside = group == name
        n = inside.sum()
        influence[inside] = (n - 1) / n * (without[inside].mean() - without[inside])
    return influence


def own_values(rows, which):
    """The metric within each cluster, over the classes that it has, as a Series."""
    if rows.metric in (METRICS["uar"], *_MEANS):
        found = statistic(rows, which, "rows")
        has = found.B > 0  # of its own stratum only
        shares = np.divide(found.A, found.B, out=np.zeros_like(found.A), where=has)
        with np.errstate(invalid="ignore"):
            values = shares.sum(axis=1) / has.sum(axis=1)
    else:
        members = (np.flatnonzero(rows.cluster == code) for code in range(rows.n_clusters))
        values = [rows.score(which, inside) for inside in members]
    return pd.Series(values, rows.index, dtype=float, name=rows.metric.name)


def statistic(rows, which, average):
    """The statistic of one estimator's predictions: of all rows, or the mean of the clusters'."""
    if average == "clusters":
        values = own_values(rows, which).to_numpy()[:, None]
        one = np.zeros(rows.n_clusters, dtype=int)
        return RatioStatistic(values, np.ones_like(values), np.ones(1), one)
    if rows.metric in _MEANS:
        return _mean_of_rows(rows, which)
    if rows.metric in (METRICS["uar"], METRICS["macro_f1"]):
        return _mean_over_classes(rows, which)
    return JackknifeStatistic(rows, which)


def variance_parts(influence, group, counts=None):
    """The variance that each group of clusters brings, and NaN for a group of one."""
    squares = np.square(influence) if counts is None else counts * np.square(influence)
    parts = {}
    for name in np.unique(group):
        inside = group == name
        n = inside.sum()
        parts[name] = squares[..., inside].sum(axis=-1) * (n / (n - 1) if n > 1 else np.nan)
    return parts


def standard_error(influence, group):
    """Standard error over clusters and its degrees of freedom (Satterthwaite's, over groups)."""
    parts = variance_parts(influence, group)
    variance = sum(parts.values())
    if not variance > 0:
        return float(np.sqrt(variance)), float(len(group) - len(parts))
    spread = sum(part**2 / (np.sum(group == name) - 1) for name, part in parts.items())
    return float(np.sqrt(variance)), float(variance**2 / spread)


def _mean_of_rows(rows, which):
    """One ratio per stratum: the sum of what rows have, and their number."""
    truth, predicted = rows.truth, rows.predictions[which]
    if rows.metric.name == "war":
        values = _hits(truth, predicted)
    elif rows.metric.name == "mae":
        predicted = predicted.reshape(len(truth), -1).astype(float)
        values = np.abs(predicted - truth.astype(float)[:, None]).mean(axis=1)
    else:
        probabilities = as_probabilities(predicted)
        rows.score(which, slice(None))  # the metric's own checks of labels and columns
        hit = pd.Index(rows.classes).get_indexer(truth)[:, None] == np.arange(len(rows.classes))
        values = np.square(probabilities - hit).sum(axis=1)
    there = ~np.isnan(values) if rows.metric.name == "brier" else np.ones(len(values), dtype=bool)
    h = rows.stratum
    n_strata = rows.stratum.max(initial=-1) + 1
    shape = (rows.n_clusters, n_strata)
    A, B = (_sums(shape, rows.cluster, h, part) for part in (np.where(there, values, 0.0), there))
    return RatioStatistic(A, B, np.full(n_strata, 1 / max(n_strata, 1)), rows.group)


def _mean_over_classes(rows, which):
    """A ratio per stratum and class."""
    truth, predicted = rows.truth, rows.predictions[which].reshape(len(rows.truth), -1)
    rows.score(which, slice(None), rows.labels)  # the metric's own checks of labels and kinds
    classes = pd.Index(rows.classes, dtype=object)
    n_strata = rows.stratum.max(initial=-1) + 1
    h = rows.stratum
    code = classes.get_indexer(truth)
    shape = (rows.n_clusters, n_strata * len(classes))
    column = h * len(classes) + code
    found = _sums(shape, rows.cluster, column, _hits(truth, predicted))
    total = _sums(shape, rows.cluster, column, np.ones(len(truth)))
    A, B = found, total
    if rows.metric.name == "macro_f1":
        A, B = 2 * found, total.copy()
        for seed in predicted.T:
            said = classes.get_indexer(seed)
            inside = said >= 0
            column = h[inside] * len(classes) + said[inside]
            share = np.full(inside.sum(), 1 / predicted.shape[1])
            B += _sums(shape, rows.cluster[inside], column, share)
    present = total.sum(axis=0).reshape(n_strata, len(classes)) > 0
    if rows.labels is not None and not present.all():
        weights = np.full(shape[1], np.nan)
    else:
        weights = (present / present.sum(axis=1, keepdims=True) / n_strata).ravel()
    kept = present.ravel()
    return RatioStatistic(A[:, kept], B[:, kept], weights[kept], rows.group)


def _hits(truth, predicted):
    """The share of the seeds that have a row right."""
    predicted = predicted.reshape(len(truth), -1).astype(object)
    return np.asarray(predicted == truth[:, None], dtype=float).mean(axis=1)


def _sums(shape, row, column, values):
    sums = np.bincount(row * shape[1] + column, values, minlength=shape[0] * shape[1])
    return sums.reshape(shape)


@dataclass(frozen=True)
class ClusterRows:
    """Labeled rows, the cluster and the stratum of each."""

    truth: np.ndarray
    predictions: list  #: one array per estimator, a row each, several columns being seeds
    cluster: np.ndarray  #: position in `index`, by row
    index: pd.Index
    stratum: np.ndarray  #: from 0, by row
    group: np.ndarray  #: from 0, by cluster: clusters that are in the same strata are drawn alike
    metric: Metric
    labels: list | None  #: the fixed label set, where it was given
    classes: list  #: the label set, or else the classes found; columns of scores

    @property
    def n_clusters(self):
        return len(self.index)

    def score(self, which, rows, labels=None):
        """The metric of some rows of one estimator, mean over seeds."""
        if self.metric.needs in ("scores", "probabilities"):
            labels = self.classes
        return score_seeds(self.metric, self.truth[rows], self.predictions[which][rows], labels)


def cluster_rows(truth, predictions, clusters, strata, metric, labels):
    """Check and align what intervals and tests are given.

    Rows without a truth are left out, as scorers do; each row needs a cluster. A name that occurs
    in several strata is one cluster: a speaker who was tested after training on each of several
    corpora is no crowd.
    """
    metric = find_metric(metric)
    truth = as_labels(truth, "truth")
    names = ["prediction"] if len(predictions) == 1 else ["prediction_a", "prediction_b"]
    given = {
        **{name: _table(part, name) for name, part in zip(names, predictions, strict=True)},
        "clusters": as_labels(clusters, "clusters"),
        "strata": None if strata is None else as_labels(strata, "strata"),
    }
    for name, values in given.items():
        if values is not None and len(values) != len(truth):
            raise MetadataError(
                f"{name} has {len(values)} rows and truth {len(truth)}: give one of each per "
                f"utterance, in the same order."
            )
    truth, *parts = labeled_rows(truth, *given.values())
    if not len(truth):
        raise MetadataError(
            "no row has a truth: intervals and tests need labeled rows, in whatever was selected."
        )
    *predictions, cluster, stratum = parts
    for name, values in {"clusters": cluster, "strata": stratum}.items():
        missing = [] if values is None else np.flatnonzero(pd.isna(values))
        if len(missing):
            raise MetadataError(
                f"{name} is missing in {listed(missing, 'row')} of the labeled rows: name it, or "
                f"drop these rows first."
            )
    codes, names = pd.factorize(cluster, sort=_sortable(cluster))
    stratum = np.zeros(len(codes), int) if stratum is None else pd.factorize(stratum)[0]
    found_in = np.zeros((len(names), stratum.max(initial=-1) + 1), dtype=bool)
    found_in[codes, stratum] = True
    group = np.unique(found_in, axis=0, return_inverse=True)[1].reshape(-1)
    labels = None if labels is None else list(as_labels(labels, "labels"))
    classes = labels or sorted_labels(truth)
    index = pd.Index(names, name="cluster")
    return ClusterRows(truth, predictions, codes, index, stratum, group, metric, labels, classes)


def _table(prediction, name):
    values = np.asarray(prediction)
    if isinstance(prediction, pd.Series | pd.DataFrame):
        values = prediction.to_numpy(dtype=object if values.dtype.kind not in "fiub" else None)
    if values.ndim not in (1, 2):
        raise MetadataError(
            f"{name} must be one prediction per row, or one column per seed or class, got the "
            f"shape {values.shape}."
        )
    return without_na(values)


def _sortable(values):
    return len({isinstance(value, str) for value in values}) == 1
