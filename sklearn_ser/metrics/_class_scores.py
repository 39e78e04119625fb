"""Scores of predicted classes beside the unweighted average recall."""

import numpy as np
import pandas as pd

from sklearn_ser.metrics._counts import class_counts


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
