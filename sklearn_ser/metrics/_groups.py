"""Scores of groups of samples, such as genders, and the gap between the groups."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._class_scores import score_groups
from sklearn_ser.metrics._metric_names import Metric, find_metric
from sklearn_ser.metrics._validation import as_labels
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import canonical_ids, format_items, id_codes, rows_by_code
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import drop_unlabeled, labeled_rows, missing_as_none

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

METRIC = """\
metric : str or callable, default="uar"
    Metric: "uar", "war", "macro_f1", "auc", "eer", "brier", "ece", "ccc", "pearson", "mae", or a
    function ``f(y_true, y_pred)``.
"""
_PARAMETERS = f"""\
y_true : array-like of shape (n_samples,)
    True classes or values. Unlabeled samples (None, NaN) are left out.
y_pred : array-like of shape (n_samples,) or (n_samples, n_columns)
    Input of the metric: predicted classes or numbers, where several columns are several seeds,
    whose scores are averaged; or scores or probabilities, one column per class.
group : array-like of shape (n_samples,)
    Group of each sample. Samples without a group (None, NaN) are left out.
{METRIC}\
labels : array-like of shape (n_classes,), default=None
    Fixed label set. With None the sorted classes of all samples. "uar", "macro_f1", "auc" and
    "eer" of a group without samples of one of its classes are NaN, because a mean over other
    classes cannot be compared; "war" is defined.
groups : array-like, default=None
    Groups, in the order of the result. With None all groups, sorted.
"""


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class GroupGap:
    """Gap between the scores of groups, as returned by :func:`group_gap`.

    Parameters
    ----------
    gap : float
        Score of the best group minus that of the worst; for an error that of the worst minus that
        of the best. Never negative.
    ratio : float
        Score of the worst group divided by that of the best.
    worst, best : object
        Names of the groups; None if the gap is undefined.
    scores : pandas.DataFrame
        Columns ``score`` and ``n`` (number of labeled samples), indexed by group.
    """

    gap: float
    ratio: float
    worst: Hashable
    best: Hashable
    scores: pd.DataFrame


@public_module("sklearn_ser.metrics")
@substitute_docstring(parameters=_PARAMETERS)
def group_scores(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    group: ArrayLike,
    *,
    metric: str | Callable[..., float] = "uar",
    labels: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> pd.DataFrame:
    """Score of each group: by gender, speaker, corpus or language.

    Parameters
    ----------
    %(parameters)s

    Returns
    -------
    pandas.DataFrame
        Columns ``score`` and ``n`` (number of labeled samples), indexed by group. A group of
        `groups` without samples has NaN and 0.

    Raises
    ------
    MetadataError
        If lengths differ, a group is in `groups` more than once, or the metric raises it.

    Examples
    --------
    >>> from sklearn_ser.metrics import group_scores
    >>> y_true = ["anger", "sadness", "anger", "sadness"]
    >>> y_pred = ["anger", "sadness", "anger", "anger"]
    >>> group_scores(y_true, y_pred, ["female", "female", "male", "male"])
            score  n
    group
    female    1.0  2
    male      0.5  2
    >>> group_scores(y_true, y_pred, ["female", "male", "male", "male"])  # no sad woman
            score  n
    group
    female    NaN  1
    male     0.75  3
    """
    resolved = find_metric(metric)
    true, predicted, group_of = drop_unlabeled(*_aligned(y_true, y_pred, group))
    labels = sorted_labels(true) if labels is None and resolved.takes_labels else labels
    if groups is None:
        codes, names = id_codes(group_of)
    else:
        names = as_labels(groups, "groups").tolist()
        wanted = pd.Index(canonical_ids(names))
        if not wanted.is_unique:
            raise MetadataError(
                f"groups has {format_items(wanted[wanted.duplicated()].unique(), 'group')} more "
                "than once (1 and '1' are the same): give each group once."
            )
        codes = wanted.get_indexer(canonical_ids(group_of))
        codes[~labeled_rows(group_of)] = -1
    parts = rows_by_code(codes, len(names))
    if resolved.needs == "class":
        scores = score_groups(resolved.name, true, predicted, labels, codes, len(names))
    else:
        scores = np.array(
            [
                score_seeds(resolved, true[rows], predicted[rows], labels) if len(rows) else np.nan
                for rows in parts
            ],
            dtype=float,
        )
    table = {"score": scores, "n": [len(rows) for rows in parts]}
    return pd.DataFrame(table, index=pd.Index(names, name="group"))


@public_module("sklearn_ser.metrics")
@substitute_docstring(parameters=_PARAMETERS)
def group_gap(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    group: ArrayLike,
    *,
    metric: str | Callable[..., float] = "uar",
    labels: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    greater_is_better: bool = True,
) -> GroupGap:
    """Compute the gap between the best and the worst group.

    Parameters
    ----------
    %(parameters)s
    greater_is_better : bool, default=True
        Whether greater values of a function `metric` are better; ignored for metrics with a name.

    Returns
    -------
    GroupGap
        Gap, ratio, worst and best group, and all scores. Gap and ratio are NaN if a group has no
        score (a gap without it would be too small) or there are fewer than two groups; the ratio
        is NaN if the best score is 0.

    Raises
    ------
    MetadataError
        If lengths differ, or the metric raises it.

    Examples
    --------
    >>> from sklearn_ser.metrics import group_gap
    >>> y_true = ["anger", "sadness", "anger", "sadness"]
    >>> y_pred = ["anger", "sadness", "anger", "anger"]
    >>> result = group_gap(y_true, y_pred, ["female", "female", "male", "male"])
    >>> result.gap, result.ratio, result.worst
    (0.5, 0.5, 'male')
    """
    resolved = find_metric(metric, greater_is_better=greater_is_better)
    table = group_scores(y_true, y_pred, group, metric=resolved, labels=labels, groups=groups)
    scores = table["score"].to_numpy()
    if len(scores) < 2 or np.isnan(scores).any():
        return GroupGap(float("nan"), float("nan"), None, None, table)
    order = np.argsort(scores if resolved.greater_is_better else -scores, kind="stable")
    worst, best = order[0], order[-1]
    ratio = scores[worst] / scores[best] if scores[best] else float("nan")
    return GroupGap(
        float(abs(scores[best] - scores[worst])),
        float(ratio),
        table.index[worst],
        table.index[best],
        table,
    )


def sorted_labels(values: np.ndarray) -> list:
    """Return the distinct values, sorted if they can be compared, else in order of appearance."""
    distinct = list(pd.unique(values))
    try:
        return sorted(distinct)
    except TypeError:
        return distinct


def score_seeds(
    metric: Metric, y_true: np.ndarray, y_pred: np.ndarray, labels: ArrayLike | None
) -> float:
    """Return the score of predictions, or its mean over the columns of several seeds."""
    if metric.needs in ("scores", "probabilities") or y_pred.ndim == 1:
        return float(metric(y_true, y_pred, labels))
    return float(np.mean([metric(y_true, column, labels) for column in y_pred.T]))


def _aligned(y_true, y_pred, group):
    y_true, group = as_labels(y_true, "y_true"), missing_as_none(as_labels(group, "group"))
    y_pred = np.asarray(y_pred)
    for name, values in {"y_pred": y_pred, "group": group}.items():
        check_length(y_true, values, name)
    return y_true, y_pred, group


def check_length(y_true: np.ndarray, values: np.ndarray, name: str) -> None:
    """Raise if an array has not one row per sample of `y_true`."""
    if len(values) != len(y_true):
        raise MetadataError(
            f"{name} has {len(values)} samples, but y_true has {len(y_true)}. Pass one value of "
            f"each per utterance, in the same order."
        )
