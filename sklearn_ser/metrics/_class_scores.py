"""Scores of predicted classes beside the unweighted average recall."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.metrics._labels import (
    as_labels,
    label_set,
    listed,
    refuse_missing,
    refuse_mixed_kinds,
    truth_codes,
)
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.metrics")
def war_score(y_true, y_pred, *, labels=None, sample_weight=None):
    r"""Weighted average recall, which is accuracy: the share of rows that were found.

    .. math:: \mathrm{WAR} = \frac{\sum_i w_i \, [\hat{y}_i = y_i]}{\sum_i w_i}

    Each class counts by its rows, so that a model that always says the most frequent class gets
    that class's share. A prediction outside the classes, or a missing one (None, NaN), is a miss.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes: strings, integers, booleans or categories. None and NaN are refused (the
        scorers drop such rows); -1 is an ordinary label.
    y_pred : array-like of shape (n_samples,)
        Predicted classes, of the same kind.
    labels : array-like of shape (n_classes,), default=None
        The fixed label set; a true label outside is an error. A class that is absent has no rows
        to weigh and changes nothing, other than in :func:`uar_score`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights w, none negative.

    Returns
    -------
    float
        Between 0 and 1, or NaN where no row has weight.

    Raises
    ------
    MetadataError
        If `y_true` has missing labels or labels outside `labels`, or one of `y_true` and `y_pred`
        holds strings and the other numbers.

    Examples
    --------
    >>> from sklearn_ser.metrics import war_score
    >>> war_score(["anger", "anger", "anger", "sadness"], ["anger", "anger", None, "anger"])
    0.5
    """
    counts = class_counts(y_true, y_pred, labels, sample_weight)
    if not counts.total.sum() > 0:
        return float("nan")
    return float(counts.found.sum() / counts.total.sum())


@public_module("sklearn_ser.metrics")
def macro_f1_score(y_true, y_pred, *, labels=None, sample_weight=None):
    r"""Macro F1: the mean over classes of the harmonic mean of recall and precision.

    .. math:: F_1 = \frac{1}{|C|} \sum_{c \in C} \frac{2 h_c}{n_c + m_c}

    with :math:`n_c` rows of class c, :math:`m_c` predicted to be c, and :math:`h_c` both. Unlike
    recall it changes with the shares of the classes in the data: compare on the same rows.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        As for :func:`uar_score`. A missing prediction, or one outside the classes, is a miss.
    labels : array-like of shape (n_classes,), default=None
        The fixed label set C. The score is NaN if one of them is absent in `y_true`. None takes
        the classes present in `y_true`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, none negative.

    Returns
    -------
    float
        Between 0 and 1, or NaN where it is undefined: a class of `labels` absent, or no row.

    Raises
    ------
    MetadataError
        As :func:`uar_score` does.

    Notes
    -----
    It equals ``f1_score(average="macro", labels=np.unique(y_true))`` of scikit-learn. Without
    `labels` scikit-learn also counts predicted classes that are absent in the truth, as 0.

    Examples
    --------
    >>> from sklearn_ser.metrics import macro_f1_score
    >>> macro_f1_score(["anger", "anger", "sadness"], ["anger", "sadness", "sadness"])
    0.666...
    """
    counts = class_counts(y_true, y_pred, labels, sample_weight)
    present = counts.total > 0
    if not present.any() or (labels is not None and not present.all()):
        return float("nan")
    said = counts.total[present] + counts.predicted[present]
    return float(np.mean(2 * counts.found[present] / said))


@public_module("sklearn_ser.metrics")
def recall_by_class(y_true, y_pred, *, labels=None, sample_weight=None):
    """Recall of each class: the share of its rows that was found.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        As for :func:`uar_score`. A missing prediction, or one outside the classes, is a miss.
    labels : array-like of shape (n_classes,), default=None
        The classes, in order. None takes those present in `y_true`, in order of appearance.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, none negative.

    Returns
    -------
    pandas.Series
        By class; NaN for a class of `labels` that is absent in `y_true`, never 0. Its mean is
        the unweighted average recall.

    Raises
    ------
    MetadataError
        As :func:`uar_score` does.

    Examples
    --------
    >>> from sklearn_ser.metrics import recall_by_class
    >>> truth = ["anger", "anger", "sadness"]
    >>> recall_by_class(truth, ["anger", "fear", "sadness"], labels=["anger", "fear", "sadness"])
    anger      0.5
    fear       NaN
    sadness    1.0
    Name: recall, dtype: float64
    """
    counts = class_counts(y_true, y_pred, labels, sample_weight)
    total = np.where(counts.total > 0, counts.total, np.nan)
    return pd.Series(counts.found / total, index=counts.classes, name="recall")


@public_module("sklearn_ser.metrics")
def uar_score(y_true, y_pred, *, labels=None, sample_weight=None):
    r"""Unweighted average recall: the mean over classes of the share of each that was found.

    .. math:: \mathrm{UAR} = \frac{1}{|C|} \sum_{c \in C}
              \frac{\sum_{i: y_i = c} w_i \, [\hat{y}_i = c]}{\sum_{i: y_i = c} w_i}

    Every class counts the same however rare it is, so a model that always says the most frequent
    class gets 1 / (number of classes). A prediction outside the classes, or a missing one (None,
    NaN), is a miss.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes: strings, integers, booleans or categories. None and NaN are refused (the
        scorers drop such rows); -1 is an ordinary label.
    y_pred : array-like of shape (n_samples,)
        Predicted classes, of the same kind.
    labels : array-like of shape (n_classes,), default=None
        The fixed label set C. The score is NaN if one of them is absent in `y_true`. None takes
        the classes present in `y_true`, as for one fold of a protocol.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights w, none negative. A class whose weights sum to zero counts as absent.

    Returns
    -------
    float
        Between 0 and 1, or NaN where it is undefined: a class of `labels` absent, or no row.

    Raises
    ------
    MetadataError
        If `y_true` has missing labels or labels outside `labels`, or one of `y_true` and `y_pred`
        holds strings and the other numbers.

    Notes
    -----
    With ``labels=None`` this equals :func:`sklearn.metrics.balanced_accuracy_score`, and
    ``recall_score(average="macro", labels=np.unique(y_true))``. It differs from
    ``recall_score(average="macro")``, which also counts predicted classes that are absent in the
    truth, as 0.

    References
    ----------
    .. [1] B. Schuller, S. Steidl, A. Batliner, "The INTERSPEECH 2009 Emotion Challenge", Proc.
       INTERSPEECH, 2009, pp. 312-315.

    Examples
    --------
    >>> from sklearn_ser.metrics import uar_score
    >>> truth = ["anger", "anger", "anger", "sadness"]
    >>> uar_score(truth, ["anger", "anger", "sadness", "sadness"])
    0.833...
    >>> uar_score(truth, ["anger", "anger", "anger", "anger"])
    0.5
    >>> uar_score(truth, truth, labels=["anger", "fear", "sadness"])
    nan
    """
    counts = class_counts(y_true, y_pred, labels, sample_weight)
    present = counts.total > 0
    if not present.any() or (labels is not None and not present.all()):
        return float("nan")
    return float(np.mean(counts.found[present] / counts.total[present]))


class ClassCounts(NamedTuple):
    """Weights of rows by class, in the order of `classes`."""

    classes: pd.Index
    total: np.ndarray  #: of the rows that are of the class
    found: np.ndarray  #: of those among them that were predicted so
    predicted: np.ndarray  #: of the rows that were predicted so


def class_counts(y_true, y_pred, labels, sample_weight):
    """Counts of the classes in `labels`, or of those present in `y_true`; see `uar_score`.

    A missing prediction, or one outside the classes, counts for no class.
    """
    truth, predicted = as_labels(y_true, "y_true"), as_labels(y_pred, "y_pred")
    check_consistent_length(truth, predicted, sample_weight)
    refuse_missing(truth, "drop these rows first, or score with uar_scorer, which does.")
    classes = pd.Index(truth).unique() if labels is None else label_set(labels)
    refuse_mixed_kinds(truth, predicted, "y_pred", "no prediction could be right")

    true_codes, predicted_codes = truth_codes(truth, classes), classes.get_indexer(predicted)
    weights = row_weights(sample_weight, len(truth))
    inside = predicted_codes >= 0
    return ClassCounts(
        classes,
        np.bincount(true_codes, weights, minlength=len(classes)),
        np.bincount(true_codes, weights * (true_codes == predicted_codes), len(classes)),
        np.bincount(predicted_codes[inside], weights[inside], minlength=len(classes)),
    )


def row_weights(sample_weight, n_rows):
    """Weights as a float array, 1 each where none are given; negative or missing ones raise.

    Their number was checked before. Unlike scikit-learn's own check this lets zeros throughout
    pass: the metric is then undefined, and says so by NaN.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim != 1:
        raise ValueError(
            f"sample_weight must have one weight per row (one-dimensional), got the shape "
            f"{weights.shape}."
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"sample_weight must be finite and not negative, but is {weights[wrong[0]]} in "
            f"{listed(wrong, 'row')}: give such rows the weight 0 to leave them out."
        )
    return weights
