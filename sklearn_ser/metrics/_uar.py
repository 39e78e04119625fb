"""Unweighted average recall (UAR), the field's measure, and scorers for scikit-learn's tools."""

import warnings

import numpy as np
import pandas as pd
from sklearn.metrics import make_scorer
from sklearn.utils import check_consistent_length

from sklearn_ser.exceptions import EvaluationWarning, MetadataError


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
        Weights w. A class whose weights sum to zero counts as absent.

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
    truth, predicted = _as_labels(y_true, "y_true"), _as_labels(y_pred, "y_pred")
    check_consistent_length(truth, predicted, sample_weight)
    unlabelled = np.flatnonzero(pd.isna(truth))
    if len(unlabelled):
        raise MetadataError(
            f"y_true has no label (None or NaN) in {_listed(unlabelled, 'row')}: drop these rows "
            f"first, or score with uar_scorer, which does."
        )
    classes = pd.Index(truth).unique() if labels is None else _label_set(labels)
    _refuse_mixed_kinds(truth, predicted)

    true_codes, predicted_codes = classes.get_indexer(truth), classes.get_indexer(predicted)
    outside = np.flatnonzero(true_codes < 0)
    if len(outside):
        strangers = sorted(map(str, set(truth[outside])))
        raise MetadataError(
            f"y_true holds {_listed(strangers, 'label')} in {_listed(outside, 'row')}, not among "
            f"labels={list(classes)}: drop these rows or add the label to labels."
        )
    weights = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight, float)
    total = np.bincount(true_codes, weights, minlength=len(classes))
    found = np.bincount(true_codes, weights * (true_codes == predicted_codes), len(classes))
    present = total > 0
    if not present.any() or (labels is not None and not present.all()):
        return float("nan")
    return float(np.mean(found[present] / total[present]))


def _uar_of_labelled_rows(y_true, y_pred, *, sample_weight=None):
    """UAR over the classes present in the truth, rows without a label left out."""
    truth = _as_labels(y_true, "y_true")
    labelled = ~pd.isna(truth)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight)[labelled]
    predicted = _as_labels(y_pred, "y_pred")[labelled]
    return uar_score(truth[labelled], predicted, sample_weight=sample_weight)


def _uar_with_warning(y_true, y_pred, *, labels, sample_weight=None):
    """UAR over the classes present in the truth; those of `labels` that are not are named."""
    truth, classes = _as_labels(y_true, "y_true"), _label_set(labels)
    present = pd.Index(truth[~pd.isna(truth)]).unique()
    strangers = [label for label in present if label not in classes]
    if strangers:
        raise MetadataError(
            f"y_true holds {_listed(strangers, 'label')}, not among labels={list(classes)}: drop "
            f"these rows or add the label to labels."
        )
    absent = [label for label in classes if label not in present]
    if absent:
        warnings.warn(
            f"{_listed(absent, 'class')} absent from the {len(truth)} rows scored: the UAR is the "
            f"mean recall of the other {len(present)}.",
            EvaluationWarning,
            stacklevel=2,
        )
    return _uar_of_labelled_rows(truth, y_pred, sample_weight=sample_weight)


#: ``scoring=uar_scorer``: UAR of a fold over the classes present in its truth. Rows without a
#: label (None, NaN) are left out; a missing prediction is a miss. It is one shared object: copy it
#: (``copy.deepcopy``) before ``set_score_request``.
uar_scorer = make_scorer(_uar_of_labelled_rows)


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
    return make_scorer(_uar_with_warning, labels=_label_set(labels).tolist())


def _as_labels(y, name):
    """`y` as a one-dimensional object array of plain Python values."""
    values = y if isinstance(y, pd.Series | pd.Index) else np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.ravel()
    if values.ndim != 1:
        raise MetadataError(
            f"{name} must have one label per row (one-dimensional), got the shape {values.shape}."
        )
    return np.asarray(values.astype(object), dtype=object)


def _label_set(labels):
    values = _as_labels(labels, "labels")
    if not len(values) or pd.isna(values).any() or len(set(values)) < len(values):
        raise MetadataError(
            f"labels must be one or more different labels, none of them missing, got {labels!r}."
        )
    return pd.Index(values, dtype=object)


def _refuse_mixed_kinds(truth, predicted):
    """1 and "1" never compare equal: with strings against numbers every row would be a miss."""
    kinds = [
        {isinstance(value, str) for value in values[~pd.isna(values)]}
        for values in (truth, predicted)
    ]
    if all(kinds) and not kinds[0] & kinds[1]:
        first, second = ("strings" if True in kind else "numbers" for kind in kinds)
        raise MetadataError(
            f"y_true holds {first} and y_pred {second}, so that no prediction could be right: "
            f"give both in the same form."
        )


def _listed(items, noun, most=5):
    """'label 'a'' or 'rows 1, 2, 3, 4, 5 and 7 more', for messages."""
    shown = ", ".join(repr(item) if isinstance(item, str) else str(item) for item in items[:most])
    more = f" and {len(items) - most} more" if len(items) > most else ""
    plural = {"class": "classes"}.get(noun, f"{noun}s")
    return f"{noun if len(items) == 1 else plural} {shown}{more}"
