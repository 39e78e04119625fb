"""Scores of predicted classes: unweighted and weighted average recall, macro F1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.metrics._validation import (
    SAMPLE_WEIGHT,
    Y_PRED,
    Y_TRUE,
    as_labels,
    check_no_missing,
    check_same_kind,
    check_weights,
    encode_labels,
    label_set,
    positions_in,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_ERRORS = """\
Raises
------
MetadataError
    If `y_true` has missing labels or labels that are not in `labels`, or one of `y_true` and
    `y_pred` has strings and the other numbers.
"""
_LABELS = """\
labels : array-like of shape (n_classes,), default=None
    Fixed label set C. The score is NaN if one of its classes is absent from `y_true`. With None C
    is the set of classes in `y_true`, as for one fold of a protocol.
"""
_SCORE = """\
Returns
-------
float
    Value between 0 and 1; NaN if a class of `labels` is absent or there is no sample.
"""
_PARTS = {"y": Y_TRUE + Y_PRED, "sample_weight": SAMPLE_WEIGHT, "errors": _ERRORS}


@public_module("sklearn_ser.metrics")
@substitute_docstring(**_PARTS, labels=_LABELS, score=_SCORE)
def uar_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Compute the unweighted average recall (UAR): the mean recall of the classes.

    .. math:: \mathrm{UAR} = \frac{1}{|C|} \sum_{c \in C}
              \frac{\sum_{i: y_i = c} w_i \, [\hat{y}_i = c]}{\sum_{i: y_i = c} w_i}

    with sample weights w. Every class counts the same however rare it is, so that a constant
    prediction scores 1 / (number of classes) [1]_.

    Parameters
    ----------
    %(y)s
    %(labels)s
    %(sample_weight)s
        A class whose weights sum to zero is absent.

    %(score)s

    %(errors)s

    Notes
    -----
    With ``labels=None`` it equals :func:`sklearn.metrics.balanced_accuracy_score`, and
    ``recall_score(average="macro", labels=np.unique(y_true))``. It differs from
    ``recall_score(average="macro")``, which also averages over predicted classes that are absent
    from `y_true`, with a recall of 0.

    References
    ----------
    .. [1] B. Schuller, S. Steidl, A. Batliner, "The INTERSPEECH 2009 Emotion Challenge", Proc.
       INTERSPEECH, 2009, pp. 312-315.

    Examples
    --------
    >>> from sklearn_ser.metrics import uar_score
    >>> y_true = ["anger", "anger", "anger", "sadness"]
    >>> uar_score(y_true, ["anger", "anger", "sadness", "sadness"])
    0.833...
    >>> uar_score(y_true, ["anger", "anger", "anger", "anger"])
    0.5
    >>> uar_score(y_true, y_true, labels=["anger", "fear", "sadness"])
    nan
    """
    return _score("uar", y_true, y_pred, labels, sample_weight)


@public_module("sklearn_ser.metrics")
@substitute_docstring(**_PARTS)
def war_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Compute the weighted average recall (WAR), which is the accuracy.

    .. math:: \mathrm{WAR} = \frac{\sum_i w_i \, [\hat{y}_i = y_i]}{\sum_i w_i}

    with sample weights w. Each class counts in proportion to its samples, so that a constant
    prediction of the most frequent class scores the share of that class.

    Parameters
    ----------
    %(y)s
    labels : array-like of shape (n_classes,), default=None
        Fixed label set; other labels in `y_true` raise an error. Unlike :func:`uar_score` the
        score is defined if a class is absent.
    %(sample_weight)s

    Returns
    -------
    float
        Value between 0 and 1; NaN if no sample has a positive weight.

    %(errors)s

    Examples
    --------
    >>> from sklearn_ser.metrics import war_score
    >>> war_score(["anger", "anger", "anger", "sadness"], ["anger", "anger", None, "anger"])
    0.5
    """
    return _score("war", y_true, y_pred, labels, sample_weight)


@public_module("sklearn_ser.metrics")
@substitute_docstring(**_PARTS, labels=_LABELS, score=_SCORE)
def macro_f1_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Compute macro F1: the mean over classes of the harmonic mean of precision and recall.

    .. math:: F_1 = \frac{1}{|C|} \sum_{c \in C} \frac{2 h_c}{n_c + m_c}

    with :math:`n_c` samples of class c, :math:`m_c` predicted as c, and :math:`h_c` both. Unlike
    recall it depends on the class frequencies: compare models on the same samples.

    Parameters
    ----------
    %(y)s
    %(labels)s
    %(sample_weight)s

    %(score)s

    %(errors)s

    Notes
    -----
    It equals ``f1_score(average="macro", labels=np.unique(y_true))`` of scikit-learn. Without
    `labels` scikit-learn also averages over predicted classes that are absent from `y_true`, with
    a score of 0.

    Examples
    --------
    >>> from sklearn_ser.metrics import macro_f1_score
    >>> macro_f1_score(["anger", "anger", "sadness"], ["anger", "sadness", "sadness"])
    0.666...
    """
    return _score("macro_f1", y_true, y_pred, labels, sample_weight)


@public_module("sklearn_ser.metrics")
@substitute_docstring(**_PARTS)
def recall_by_class(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> pd.Series:
    """Compute the recall of each class: the share of its samples that are predicted correctly.

    Parameters
    ----------
    %(y)s
    labels : array-like of shape (n_classes,), default=None
        Classes, in the order of the result. With None those in `y_true`, in order of appearance.
    %(sample_weight)s

    Returns
    -------
    pandas.Series
        Recall between 0 and 1, indexed by class; NaN, not 0, for a class that is absent from
        `y_true`. The mean is the unweighted average recall.

    %(errors)s

    Examples
    --------
    >>> from sklearn_ser.metrics import recall_by_class
    >>> y_true = ["anger", "anger", "sadness"]
    >>> recall_by_class(y_true, ["anger", "fear", "sadness"], labels=["anger", "fear", "sadness"])
    anger      0.5
    fear       NaN
    sadness    1.0
    Name: recall, dtype: float64
    """
    counts = count_classes(y_true, y_pred, labels, sample_weight)
    return pd.Series(_ratio(counts.correct, counts.true)[0], index=counts.classes, name="recall")


class ClassCounts(NamedTuple):
    """Sums of weights by group and class: samples of it, correct ones, predictions of it."""

    classes: pd.Index
    true: np.ndarray
    correct: np.ndarray
    predicted: np.ndarray


def count_classes(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    labels: ArrayLike | None,
    sample_weight: ArrayLike | None = None,
    group: np.ndarray | None = None,
    n_groups: int = 1,
) -> ClassCounts:
    """Count the classes in `labels`, or those in `y_true`, by the code of a group."""
    y_true, y_pred = as_labels(y_true, "y_true"), as_labels(y_pred, "y_pred")
    check_consistent_length(y_true, y_pred, sample_weight)
    check_no_missing(y_true)
    classes = pd.Index(pd.unique(y_true)) if labels is None else label_set(labels)
    check_same_kind(y_true, y_pred, "y_pred")

    true_codes, predicted_codes = encode_labels(y_true, classes), positions_in(classes, y_pred)
    weights = check_weights(sample_weight, len(y_true))
    first = 0 if group is None else group * len(classes)
    shape = (n_groups, len(classes))

    def sums(codes, rows):
        cells = (first + codes)[rows]
        return np.bincount(cells, weights[rows], minlength=shape[0] * shape[1]).reshape(shape)

    return ClassCounts(
        classes,
        true=sums(true_codes, slice(None)),
        correct=sums(true_codes, true_codes == predicted_codes),
        predicted=sums(predicted_codes, predicted_codes >= 0),
    )


def _ratio(part, total, defined=None):
    """Return part / total, NaN where it is undefined."""
    defined = total > 0 if defined is None else defined
    return np.divide(part, total, out=np.full(total.shape, np.nan), where=defined)


#: Scores of groups by the name of the metric, from their counts; NaN where a class is absent.
_SCORES: dict[str, Callable[[ClassCounts], np.ndarray]] = {
    "uar": lambda counts: _ratio(counts.correct, counts.true).mean(axis=-1),
    "war": lambda counts: _ratio(counts.correct.sum(axis=-1), counts.true.sum(axis=-1)),
    "macro_f1": lambda counts: _ratio(
        2 * counts.correct, counts.true + counts.predicted, counts.true > 0
    ).mean(axis=-1),
}


def _score(name, y_true, y_pred, labels, sample_weight):
    """Return a score over the classes in `labels`, or those in `y_true`."""
    classes, *counts = count_classes(y_true, y_pred, labels, sample_weight)
    means_of_present = labels is None and name != "war"
    used = counts[0][0] > 0 if means_of_present else slice(None)
    counts = [part[0, used] for part in counts]
    return float(_SCORES[name](ClassCounts(classes, *counts))) if counts[0].size else float("nan")


def score_groups(
    name: str, y_true: np.ndarray, y_pred: np.ndarray, labels: Any, codes: np.ndarray, n: int
) -> np.ndarray:
    """Return a score of each of n groups over all of `labels`, averaged over columns of seeds."""
    rows = np.flatnonzero(codes >= 0)
    if not len(rows):
        return np.full(n, np.nan)
    columns = y_pred[rows].reshape(len(rows), -1).T
    counts = (count_classes(y_true[rows], one, labels, None, codes[rows], n) for one in columns)
    return np.mean([_SCORES[name](each) for each in counts], axis=0)
