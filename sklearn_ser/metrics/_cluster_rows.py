"""Rows of clusters (speakers, corpora), checked once for intervals and paired tests."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._groups import score_seeds, sorted_labels
from sklearn_ser.metrics._labels import as_labels, labeled_rows, listed, without_na
from sklearn_ser.metrics._metric_table import Metric, find_metric


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
