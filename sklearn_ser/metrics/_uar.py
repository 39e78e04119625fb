"""Unweighted average recall (UAR), the field's measure, and scorers for scikit-learn's tools."""

import warnings

import numpy as np
import pandas as pd
from sklearn.metrics._scorer import _Scorer
from sklearn.utils import check_consistent_length

from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.metrics._labels import (
    as_labels,
    label_set,
    listed,
    refuse_missing,
    refuse_mixed_kinds,
    truth_codes,
)
from sklearn_ser.metrics._weights import row_weights
from sklearn_ser.utils._unlabelled import without_marks


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
    truth, predicted = as_labels(y_true, "y_true"), as_labels(y_pred, "y_pred")
    check_consistent_length(truth, predicted, sample_weight)
    refuse_missing(truth, "drop these rows first, or score with uar_scorer, which does.")
    classes = pd.Index(truth).unique() if labels is None else label_set(labels)
    refuse_mixed_kinds(truth, predicted, "y_pred", "no prediction could be right")

    true_codes, predicted_codes = truth_codes(truth, classes), classes.get_indexer(predicted)
    weights = row_weights(sample_weight, len(truth))
    total = np.bincount(true_codes, weights, minlength=len(classes))
    found = np.bincount(true_codes, weights * (true_codes == predicted_codes), len(classes))
    present = total > 0
    if not present.any() or (labels is not None and not present.all()):
        return float("nan")
    return float(np.mean(found[present] / total[present]))


def _uar_of_labelled_rows(y_true, y_pred, *, sample_weight=None):
    """UAR over the classes present in the truth, rows without a label left out."""
    truth = as_labels(y_true, "y_true")
    labelled = ~pd.isna(truth)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight)[labelled]
    predicted = as_labels(y_pred, "y_pred")[labelled]
    return uar_score(truth[labelled], predicted, sample_weight=sample_weight)


def _uar_with_warning(y_true, y_pred, *, labels, sample_weight=None):
    """UAR over the classes present in the truth; those of `labels` that are not are named."""
    truth, classes = as_labels(y_true, "y_true"), label_set(labels)
    present = pd.Index(truth[~pd.isna(truth)]).unique()
    strangers = [label for label in present if label not in classes]
    if strangers:
        raise MetadataError(
            f"y_true holds {listed(strangers, 'label')}, not among labels={list(classes)}: drop "
            f"these rows or add the label to labels."
        )
    absent = [label for label in classes if label not in present]
    if absent:
        warnings.warn(
            f"{listed(absent, 'class')} absent from the {len(truth)} rows scored: the UAR is the "
            f"mean recall of the other {len(present)}.",
            EvaluationWarning,
            stacklevel=2,
        )
    return _uar_of_labelled_rows(truth, y_pred, sample_weight=sample_weight)


class _UARScorer(_Scorer):
    """scikit-learn's scorer, which knows of rows that the estimator itself marks as unlabelled.

    (`make_scorer` makes a `_Scorer`, whose `_score` alone sees both the estimator and the truth.)
    """

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        y_true = without_marks(estimator, y_true)
        return super()._score(method_caller, estimator, X, y_true, **kwargs)


#: ``scoring=uar_scorer``: UAR of a fold over the classes present in its truth. Rows without a
#: label (None, NaN, and -1 where the estimator has ``unlabelled=-1``) are left out; a missing
#: prediction is a miss. It is one shared object: copy it (``copy.deepcopy``) before
#: ``set_score_request``.
uar_scorer = _UARScorer(_uar_of_labelled_rows, 1, {}, "predict")


def make_uar_scorer(labels):
    """A scorer like `uar_scorer` that knows the whole label set and warns about absent classes.

    Parameters
    ----------
    labels : array-like of shape (n_classes,)
        Every class of the problem.

    Returns
    -------
    callable
        For ``scoring=``. It gives the mean recall over the classes present in the truth, with an
        :class:`~sklearn_ser.exceptions.EvaluationWarning` that names those of `labels` that are
        absent, and raises :class:`~sklearn_ser.exceptions.MetadataError` at a label outside
        `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn_ser.metrics import make_uar_scorer
    >>> scorer = make_uar_scorer(["anger", "sadness"])
    >>> X, y = np.zeros((3, 1)), ["anger", "anger", "sadness"]
    >>> scorer(DummyClassifier().fit(X, y), X, y)
    0.5
    """
    known = {"labels": label_set(labels).tolist()}
    return _UARScorer(_uar_with_warning, 1, known, "predict")
