"""Unweighted average recall (UAR), the field's measure."""

import numpy as np

from sklearn_ser.metrics._counts import class_counts


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
