r"""Influence of clusters of samples on a score, and scores of resampled clusters.

The influence of a cluster is the change of the score if the cluster is left out (jackknife).
Unweighted average recall, accuracy, macro F1, mean absolute error and the Brier score are means of
ratios of sums over clusters,

.. math:: \theta = \sum_j w_j \frac{\sum_s A_{sj}}{\sum_s B_{sj}},

where j are the classes (of each stratum), so that all influences are computed at once. Their
linearization, :math:`u_s = \sum_j w_j (A_{sj} - R_j B_{sj}) / B_j` with the ratios :math:`R_j`,
gives the standard error of each of thousands of resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._groups import check_length, score_seeds, sorted_labels
from sklearn_ser.metrics._metric_names import METRICS, Metric, find_metric
from sklearn_ser.metrics._validation import as_labels, as_probabilities, positions_in
from sklearn_ser.utils._ids import canonical_ids, format_items, id_codes, rows_by_code
from sklearn_ser.utils._unlabeled import drop_unlabeled, missing_as_none

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Metrics that are means of one value per sample.
_MEANS = tuple(METRICS[name] for name in ("war", "mae", "brier"))


class RatioStatistic:
    """Weighted mean of ratios A / B of sums over clusters, both of shape (n_clusters, n_ratios).

    Resampling exchanges clusters within a `group`.
    """

    def __init__(
        self, A: np.ndarray, B: np.ndarray, weights: np.ndarray, group: np.ndarray
    ) -> None:
        self.A, self.B, self.weights, self.group = A, B, weights, group
        total = B.sum(axis=0)
        self.estimate = float(weights @ (A.sum(axis=0) / total)) if total.all() else np.nan
        self.linear_influence = self._linearized(np.ones((1, len(A))))[1][0]
        left = total - B
        left[left < 1e-9] = 0  # rounding of the shares of seeds
        with np.errstate(divide="ignore", invalid="ignore"):
            without = ((A.sum(axis=0) - A) / left) @ weights
        self.influence = _jackknife(without, group)

    def _linearized(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return statistic and linear influences, with each cluster repeated `counts` times."""
        with np.errstate(divide="ignore", invalid="ignore"):
            total = counts @ self.B
            ratios = (counts @ self.A) / total
            influence = (self.weights / total) @ self.A.T
            influence -= (self.weights * ratios / total) @ self.B.T
        return ratios @ self.weights, influence

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """Return the statistic of resamples, `counts` of shape (n_draws, n_clusters)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return ((counts @ self.A) / (counts @ self.B)) @ self.weights

    def studentized(self, counts: np.ndarray) -> np.ndarray:
        """Return (statistic - estimate) / standard error of each resample."""
        values, influence = self._linearized(counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = sum(variance_parts(influence, self.group, counts).values())
            return (values - self.estimate) / np.sqrt(variance)


#: Largest number of times that a metric is computed without some of the clusters.
MAX_BLOCKS = 200


class JackknifeStatistic:
    """Any metric, averaged over strata, computed without each of the clusters in turn.

    More than `MAX_BLOCKS` clusters form so many blocks, of clusters of one group, which are left
    out, drawn and exchanged as a whole: the time remains proportional to the number of samples.
    """

    def __init__(self, rows: ClusterRows, which: int = 0) -> None:
        self.rows, self.which = rows, which
        block = _blocks(rows.group)
        n = block.max(initial=-1) + 1
        self.members = rows_by_code(block[rows.cluster], n)
        self.group = rows.group[np.unique(block, return_index=True)[1]]
        every = np.ones((1, n), dtype=int)
        self.estimate = float(self.resampled(every)[0])
        self.influence = _jackknife(self.resampled(every - np.eye(n, dtype=int)), self.group)

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """Return the statistic of resamples, `counts` of shape (n_draws, n_clusters)."""
        return np.array([self._score(draw) for draw in counts.astype(int)])

    def _score(self, counts: np.ndarray) -> float:
        repeated = [np.tile(part, n) for part, n in zip(self.members, counts, strict=True)]
        taken = np.concatenate(repeated) if repeated else np.empty(0, dtype=int)
        stratum = self.rows.stratum[taken]
        scores = [
            self.rows.score(self.which, taken[stratum == h], self.rows.labels)
            if (stratum == h).any()
            else np.nan
            for h in range(self.rows.stratum.max(initial=-1) + 1)
        ]
        return float(np.mean(scores)) if scores else np.nan


def _blocks(group: np.ndarray) -> np.ndarray:
    """Return the block of each cluster, at most `MAX_BLOCKS` or two in each group."""
    if len(group) <= MAX_BLOCKS:
        return np.arange(len(group))
    block, first = np.empty(len(group), dtype=int), 0
    for clusters in rows_by_code(group, group.max() + 1):
        n = min(len(clusters), max(2, MAX_BLOCKS * len(clusters) // len(group)))
        block[clusters] = first + np.arange(len(clusters)) % n
        first += n
    return block


Statistic: TypeAlias = RatioStatistic | JackknifeStatistic


def _jackknife(without: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the influence of each cluster, given the statistics without it.

    NaN in a group with an undefined statistic: the variance of a class that only one cluster has
    is unknown.
    """
    influence = np.full(len(without), np.nan)
    for name in np.unique(group):
        inside = group == name
        n = inside.sum()
        influence[inside] = (n - 1) / n * (without[inside].mean() - without[inside])
    return influence


def own_values(rows: ClusterRows, which: int) -> pd.Series:
    """Return the metric within each cluster, over the classes that it has."""
    if rows.metric in (METRICS["uar"], *_MEANS):
        ratios = _ratio_statistic(rows, which)
        has = ratios.B > 0  # of its own stratum only
        shares = np.divide(ratios.A, ratios.B, out=np.zeros_like(ratios.A), where=has)
        with np.errstate(invalid="ignore"):
            values = shares.sum(axis=1) / has.sum(axis=1)
    else:
        members = rows_by_code(rows.cluster, rows.n_clusters)
        values = np.array([rows.score(which, inside) for inside in members], dtype=float)
    return pd.Series(values, rows.index, dtype=float, name=rows.metric.name)


def statistic(rows: ClusterRows, which: int, average: str) -> Statistic:
    """Return the statistic of one estimator: of all samples, or the mean over clusters."""
    if average == "clusters":
        values = own_values(rows, which).to_numpy()[:, None]
        one = np.zeros(rows.n_clusters, dtype=int)
        return RatioStatistic(values, np.ones_like(values), np.ones(1), one)
    if rows.metric in (*_MEANS, METRICS["uar"], METRICS["macro_f1"]):
        return _ratio_statistic(rows, which)
    return JackknifeStatistic(rows, which)


def _ratio_statistic(rows: ClusterRows, which: int) -> RatioStatistic:
    return (_mean_over_rows if rows.metric in _MEANS else _mean_over_classes)(rows, which)


def variance_parts(
    influence: np.ndarray, group: np.ndarray, counts: np.ndarray | None = None
) -> dict[int, np.ndarray]:
    """Return the variance due to each group of clusters, NaN for a group of one."""
    squares = np.square(influence) if counts is None else counts * np.square(influence)
    parts = {}
    for name in np.unique(group):
        inside = group == name
        n = inside.sum()
        parts[name] = squares[..., inside].sum(axis=-1) * (n / (n - 1) if n > 1 else np.nan)
    return parts


def standard_error(influence: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return standard error over clusters and degrees of freedom (Satterthwaite's, over groups)."""
    parts = variance_parts(influence, group)
    variance = float(sum(parts.values()))
    if not variance > 0:
        return float(np.sqrt(variance)), float(len(group) - len(parts))
    spread = sum(part**2 / (np.sum(group == name) - 1) for name, part in parts.items())
    return float(np.sqrt(variance)), float(variance**2 / spread)


def _mean_over_rows(rows: ClusterRows, which: int) -> RatioStatistic:
    """Return one ratio per stratum: sum of the values of samples, and number of samples."""
    y_true, y_pred = rows.y_true, rows.predictions[which]
    if rows.metric.name == "war":
        values = _correct_shares(y_true, y_pred)
    elif rows.metric.name == "mae":
        y_pred = y_pred.reshape(len(y_true), -1).astype(float)
        values = np.abs(y_pred - y_true.astype(float)[:, None]).mean(axis=1)
    else:
        probabilities = as_probabilities(y_pred)
        rows.score(which, slice(None))  # the metric validates labels and columns
        codes = positions_in(pd.Index(rows.classes), y_true)
        is_true = codes[:, None] == np.arange(len(rows.classes))
        values = np.square(probabilities - is_true).sum(axis=1)
    present = ~np.isnan(values) if rows.metric.name == "brier" else np.ones(len(values), dtype=bool)
    h = rows.stratum
    n_strata = rows.stratum.max(initial=-1) + 1
    shape = (rows.n_clusters, n_strata)
    A, B = (
        _sums(shape, rows.cluster, h, part) for part in (np.where(present, values, 0.0), present)
    )
    return RatioStatistic(A, B, np.full(n_strata, 1 / max(n_strata, 1)), rows.group)


def _mean_over_classes(rows: ClusterRows, which: int) -> RatioStatistic:
    """Return one ratio per stratum and class."""
    y_true, y_pred = rows.y_true, rows.predictions[which].reshape(len(rows.y_true), -1)
    rows.score(which, slice(None), rows.labels)  # the metric validates labels
    classes = pd.Index(rows.classes, dtype=object)
    n_strata = rows.stratum.max(initial=-1) + 1
    h = rows.stratum
    code = positions_in(classes, y_true)
    shape = (rows.n_clusters, n_strata * len(classes))
    column = h * len(classes) + code
    correct = _sums(shape, rows.cluster, column, _correct_shares(y_true, y_pred))
    total = _sums(shape, rows.cluster, column, np.ones(len(y_true)))
    A, B = correct, total
    if rows.metric.name == "macro_f1":
        A, B = 2 * correct, total.copy()
        for seed in y_pred.T:
            predicted = positions_in(classes, seed)
            inside = predicted >= 0
            column = h[inside] * len(classes) + predicted[inside]
            share = np.full(inside.sum(), 1 / y_pred.shape[1])
            B += _sums(shape, rows.cluster[inside], column, share)
    present = total.sum(axis=0).reshape(n_strata, len(classes)) > 0
    if rows.labels is not None and not present.all():
        weights = np.full(shape[1], np.nan)
    else:
        weights = (present / present.sum(axis=1, keepdims=True) / n_strata).ravel()
    used = present.ravel()
    return RatioStatistic(A[:, used], B[:, used], weights[used], rows.group)


def _correct_shares(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Return the share of seeds with a correct prediction, by sample."""
    y_pred = y_pred.reshape(len(y_true), -1).astype(object)
    return np.asarray(y_pred == y_true[:, None], dtype=float).mean(axis=1)


def _sums(shape, row, column, values):
    sums = np.bincount(row * shape[1] + column, values, minlength=shape[0] * shape[1])
    return sums.reshape(shape)


@dataclass(frozen=True)
class ClusterRows:
    """Labeled samples, and the cluster (position in `index`) and stratum of each.

    Each estimator has an array of `predictions`, whose columns are seeds or classes. Clusters that
    belong to the same strata are one `group`, within which they are resampled. `labels` are the
    fixed label set, `classes` the same or those in `y_true`: the columns of scores.
    """

    y_true: np.ndarray
    predictions: list[np.ndarray]
    cluster: np.ndarray
    index: pd.Index
    stratum: np.ndarray
    group: np.ndarray
    metric: Metric
    labels: list | None
    classes: list

    @property
    def n_clusters(self) -> int:
        return len(self.index)

    def score(self, which: int, rows: np.ndarray | slice, labels: list | None = None) -> float:
        """Return the metric of some samples of one estimator, averaged over seeds."""
        if self.metric.needs in ("scores", "probabilities"):
            labels = self.classes
        return score_seeds(self.metric, self.y_true[rows], self.predictions[which][rows], labels)


def cluster_rows(
    y_true: ArrayLike,
    predictions: list[ArrayLike],
    clusters: ArrayLike,
    strata: ArrayLike | None,
    metric: str | Callable[..., float],
    labels: ArrayLike | None,
) -> ClusterRows:
    """Validate and align the input of intervals and tests.

    Unlabeled samples are left out, as by scorers. A name that occurs in several strata is one
    cluster: a speaker who is tested after training on each of several corpora is one speaker.
    """
    y_true = as_labels(y_true, "y_true")
    names = [f"y_pred_{'ab'[k] if k < 2 else k}" for k in range(len(predictions))]
    if len(predictions) == 1:
        names = ["y_pred"]
    aligned = {
        **{name: _as_table(part, name) for name, part in zip(names, predictions, strict=True)},
        "clusters": as_labels(clusters, "clusters"),
        "strata": None if strata is None else as_labels(strata, "strata"),
    }
    for name, values in aligned.items():
        if values is not None:
            check_length(y_true, values, name)
    true, *tables, cluster, stratum = drop_unlabeled(y_true, *aligned.values())
    if not len(true):
        raise MetadataError(
            "y_true has no labeled sample. Pass at least one: intervals and tests leave out "
            "unlabeled samples."
        )
    codes, index = id_codes(cluster)
    strata_codes = np.zeros(len(codes), int)
    if stratum is not None:
        strata_codes = pd.factorize(canonical_ids(stratum))[0]
    for name, found in {"clusters": codes, "strata": strata_codes}.items():
        missing = np.flatnonzero(found < 0)
        if len(missing):
            raise MetadataError(
                f"{name} is missing (None or NaN) in {format_items(missing, 'sample')} of the "
                f"labeled samples. Fill it in, or drop these samples first."
            )
    in_stratum = np.zeros((len(index), strata_codes.max(initial=-1) + 1), dtype=bool)
    in_stratum[codes, strata_codes] = True
    fixed = None if labels is None else list(as_labels(labels, "labels"))
    return ClusterRows(
        y_true=true,
        predictions=tables,
        cluster=codes,
        index=pd.Index(index, name="cluster"),
        stratum=strata_codes,
        group=np.unique(in_stratum, axis=0, return_inverse=True)[1].reshape(-1),
        metric=find_metric(metric),
        labels=fixed,
        classes=fixed or sorted_labels(true),
    )


def _as_table(y_pred: ArrayLike, name: str) -> np.ndarray:
    values = np.asarray(y_pred)
    if isinstance(y_pred, pd.Series | pd.DataFrame):
        values = y_pred.to_numpy(dtype=object if values.dtype.kind not in "fiub" else None)
    if values.ndim not in (1, 2):
        raise MetadataError(
            f"{name} must have one prediction per sample, or one column per seed or class; got an "
            f"array of shape {values.shape}."
        )
    return missing_as_none(values)
