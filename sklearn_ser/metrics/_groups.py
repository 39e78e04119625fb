"""Scores of groups of speakers or utterances, and how far they lie apart."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._labels import as_labels, labeled_rows, without_na
from sklearn_ser.metrics._metric_table import find_metric
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class GroupGap:
    """How far the scores of groups lie apart; made by :func:`group_gap`.

    Attributes
    ----------
    gap : float
        Score of the best group minus that of the worst; the other way round for an error, so that
        it is never negative.
    ratio : float
        Score of the worst group divided by that of the best.
    worst, best : object
        The groups, None where a figure is undefined.
    scores : DataFrame
        By group: ``score`` and ``n``, its rows.
    """

    gap: float
    ratio: float
    worst: object
    best: object
    scores: pd.DataFrame


@public_module("sklearn_ser.metrics")
def group_scores(truth, prediction, group, *, metric="uar", labels=None, groups=None):
    """A metric of each group: by gender, speaker, corpus, language.

    Parameters
    ----------
    truth : array-like of shape (n_samples,)
        True classes or values. Rows without (None, NaN) are left out, as scorers do.
    prediction : array-like of shape (n_samples,) or (n_samples, n_columns)
        What the metric needs: predicted classes or numbers, of which several columns are several
        seeds, whose scores are averaged; or scores or probabilities, a column per class.
    group : array-like of shape (n_samples,)
        Rows without (None, NaN) belong to no group and are left out.
    metric : str or callable, default="uar"
        "uar", "war", "macro_f1", "auc", "eer", "brier", "ece", "ccc", "pearson", "mae", or a
        function of truth and prediction.
    labels : array-like of shape (n_classes,), default=None
        The fixed label set. None takes the classes of all rows, sorted. A group that lacks one
        has no "uar", "macro_f1", "auc" or "eer": it is NaN, since a mean over other classes
        would not compare ("war" is defined).
    groups : array-like, default=None
        The groups wanted, in order. None takes those found, sorted.

    Returns
    -------
    pandas.DataFrame
        By group: ``score`` and ``n``, the labeled rows. A group of `groups` without rows has NaN
        and 0.

    Raises
    ------
    MetadataError
        If lengths differ, or the metric's own demands are not met.

    Examples
    --------
    >>> from sklearn_ser.metrics import group_scores
    >>> truth = ["anger", "sadness", "anger", "sadness"]
    >>> said = ["anger", "sadness", "anger", "anger"]
    >>> group_scores(truth, said, ["female", "female", "male", "male"])
            score  n
    group
    female    1.0  2
    male      0.5  2
    >>> group_scores(truth, said, ["female", "male", "male", "male"])  # no sad woman
            score  n
    group
    female    NaN  1
    male     0.75  3
    """
    metric = find_metric(metric)
    truth, prediction, group = _aligned(truth, prediction, group)
    truth, prediction, group = labeled_rows(truth, prediction, group)
    if metric.takes_labels and labels is None:
        labels = sorted_labels(truth)
    known = ~pd.isna(group)
    found = pd.unique(group[known])
    wanted = sorted_labels(found) if groups is None else list(as_labels(groups, "groups"))
    rows = [
        _score_of(metric, truth, prediction, (group == name) & known, labels) for name in wanted
    ]
    index = pd.Index(wanted, name="group")
    return pd.DataFrame(rows, columns=["score", "n"], index=index)


@public_module("sklearn_ser.metrics")
def group_gap(
    truth, prediction, group, *, metric="uar", labels=None, groups=None, greater_is_better=True
):
    """How far the scores of groups lie apart: gap, ratio, and which group is worst.

    Parameters
    ----------
    truth, prediction, group, metric, labels, groups
        As for :func:`group_scores`.
    greater_is_better : bool, default=True
        Of a function of your own; the metrics with a name know it.

    Returns
    -------
    GroupGap
        Its figures are NaN (and its groups None) where a group has no score, or there are fewer
        than two groups: a gap that leaves one out would be too small. ``.scores`` shows which.
        The ratio is NaN where the best score is 0.

    Examples
    --------
    >>> from sklearn_ser.metrics import group_gap
    >>> truth = ["anger", "sadness", "anger", "sadness"]
    >>> said = ["anger", "sadness", "anger", "anger"]
    >>> found = group_gap(truth, said, ["female", "female", "male", "male"])
    >>> found.gap, found.ratio, found.worst
    (0.5, 0.5, 'male')
    """
    metric = find_metric(metric, greater_is_better=greater_is_better)
    table = group_scores(truth, prediction, group, metric=metric, labels=labels, groups=groups)
    scores = table["score"].to_numpy()
    if len(scores) < 2 or np.isnan(scores).any():
        return GroupGap(float("nan"), float("nan"), None, None, table)
    order = np.argsort(scores if metric.greater_is_better else -scores, kind="stable")
    worst, best = order[0], order[-1]
    ratio = scores[worst] / scores[best] if scores[best] else float("nan")
    return GroupGap(
        float(abs(scores[best] - scores[worst])),
        float(ratio),
        table.index[worst],
        table.index[best],
        table,
    )


def sorted_labels(values):
    """The different values, sorted where they can be, else in order of appearance."""
    found = list(pd.unique(values))
    try:
        return sorted(found)
    except TypeError:
        return found


def score_seeds(metric, truth, prediction, labels):
    """A metric of one prediction, or its mean over the columns of several seeds."""
    if metric.needs in ("scores", "probabilities") or prediction.ndim == 1:
        return float(metric(truth, prediction, labels))
    return float(np.mean([metric(truth, column, labels) for column in prediction.T]))


def _score_of(metric, truth, prediction, rows, labels):
    n = int(rows.sum())
    if not n:
        return float("nan"), 0
    return score_seeds(metric, truth[rows], prediction[rows], labels), n


def _aligned(truth, prediction, group):
    truth, group = as_labels(truth, "truth"), without_na(as_labels(group, "group"))
    prediction = np.asarray(prediction)
    for name, values in {"prediction": prediction, "group": group}.items():
        if len(values) != len(truth):
            raise MetadataError(
                f"{name} has {len(values)} rows and truth {len(truth)}: give one of each per "
                f"utterance, in the same order."
            )
    return truth, prediction, group
