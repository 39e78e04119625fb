"""Scores of each class against all others: area under the ROC curve, equal error rate."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._calibration import classes_of_columns
from sklearn_ser.metrics._class_scores import row_weights
from sklearn_ser.metrics._labels import (
    as_labels,
    listed,
    refuse_missing,
    refuse_mixed_kinds,
    truth_codes,
)
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.metrics")
def auc_score(y_true, y_score, *, labels=None, pos_label=None, sample_weight=None):
    r"""Area under the ROC curve, each class against all others, mean over classes.

    Of one class: the chance that a random row of it has a higher score than a random row of the
    others, ties counting half [1]_. 0.5 is guessing, whatever the shares of the classes.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes. None and NaN are refused (the scorers drop such rows).
    y_score : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities or decision values, one column per class; or, one-dimensional, those of
        `pos_label` where there are two classes. Rows that are NaN throughout have none (failed
        audio) and are left out.
    labels : array-like of shape (n_classes,), default=None
        The fixed label set, in the order of the columns (``classes_`` of the estimator). None
        takes the sorted classes of `y_true`, if there are as many as columns.
    pos_label : object, default=None
        The class that one-dimensional scores are of. None takes the second of two.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, none negative.

    Returns
    -------
    float
        Between 0 and 1, or NaN where it is undefined: a class of `labels` without a row, or one
        that all rows are of.

    Raises
    ------
    MetadataError
        If `y_true` has missing labels or labels outside `labels`, or `labels` and the columns of
        `y_score` do not match.
    ValueError
        If `y_score` is infinite or partly missing in a row.

    Notes
    -----
    It equals ``roc_auc_score(multi_class="ovr", average="macro")`` of scikit-learn where that is
    defined.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", Radiology, vol. 143, no. 1, 1982, pp. 29-36.

    Examples
    --------
    >>> from sklearn_ser.metrics import auc_score
    >>> truth = ["anger", "anger", "sadness", "sadness"]
    >>> auc_score(truth, [0.1, 0.4, 0.35, 0.8], pos_label="sadness")
    0.75
    """
    return _mean_over_classes(_area, y_true, y_score, labels, pos_label, sample_weight)


@public_module("sklearn_ser.metrics")
def equal_error_rate(y_true, y_score, *, labels=None, pos_label=None, sample_weight=None):
    r"""Equal error rate (EER): the error where as many are missed as are falsely accepted.

    Of one class against all others: as the threshold on its score goes down, the share of the
    class that is missed falls and the share of the others that is accepted rises; this is where
    the two are equal, on the line between neighboring thresholds if need be. The mean over
    classes is given. 0.5 is guessing, lower is better.

    Parameters
    ----------
    y_true, y_score, labels, pos_label, sample_weight
        As for :func:`auc_score`.

    Returns
    -------
    float
        Between 0 and 1, or NaN where it is undefined: a class of `labels` without a row, or one
        that all rows are of.

    Raises
    ------
    MetadataError, ValueError
        As :func:`auc_score` does.

    Examples
    --------
    >>> from sklearn_ser.metrics import equal_error_rate
    >>> truth = ["same", "same", "same", "other", "other", "other"]
    >>> scores = [0.9, 0.8, 0.3, 0.4, 0.2, 0.1]
    >>> equal_error_rate(truth, scores, pos_label="same")  # one of three each way
    0.333...
    """
    return _mean_over_classes(_crossing, y_true, y_score, labels, pos_label, sample_weight)


def _mean_over_classes(score, y_true, y_score, labels, pos_label, sample_weight):
    truth, scores = as_labels(y_true, "y_true"), _as_scores(y_score)
    check_consistent_length(truth, scores, sample_weight)
    refuse_missing(truth, "drop these rows first.")
    weights = row_weights(sample_weight, len(truth))
    if scores.ndim == 1:
        classes = _two_classes(truth, labels, pos_label)
        scores, columns = scores[:, None], [1]
    else:
        classes = classes_of_columns(truth, labels, scores.shape[1], "y_score")
        columns = range(len(classes))
    codes = truth_codes(truth, classes)
    kept = (weights > 0) & ~np.isnan(scores).any(axis=1)
    codes, scores, weights = codes[kept], scores[kept], weights[kept]
    found = [score(codes == code, scores[:, place], weights) for place, code in enumerate(columns)]
    return float(np.mean(found))


def _curve(positive, score, weights):
    """Shares accepted of the others and of the class, threshold by threshold; None if undefined."""
    shares = np.stack([weights * ~positive, weights * positive])
    totals = shares.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        return None
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # ties fall together
    accepted = np.cumsum(shares[:, order], axis=1)[:, ends] / totals
    return np.concatenate([np.zeros((2, 1)), accepted], axis=1)


def _area(positive, score, weights):
    curve = _curve(positive, score, weights)
    return float("nan") if curve is None else np.trapezoid(curve[1], curve[0])


def _crossing(positive, score, weights):
    curve = _curve(positive, score, weights)
    if curve is None:
        return float("nan")
    accepted, missed = curve[0], 1 - curve[1]
    after = int(np.argmax(accepted >= missed))  # true at the last point: 1 and 0
    before = after - 1  # false at the first: 0 and 1
    gap = missed - accepted
    step = gap[before] / (gap[before] - gap[after])
    return accepted[before] + step * (accepted[after] - accepted[before])


def _as_scores(y_score):
    try:
        scores = np.asarray(y_score, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y_score must hold numbers: {error}.") from None
    if scores.ndim not in (1, 2) or (scores.ndim == 2 and not scores.shape[1]):
        raise ValueError(
            f"y_score must have a row per sample and a column per class, or one score per sample, "
            f"got the shape {scores.shape}."
        )
    table = scores.reshape(len(scores), -1) if len(scores) else scores.reshape(0, 1)
    missing = np.isnan(table)
    wrong = np.flatnonzero(np.isinf(table).any(axis=1) | (missing.any(axis=1) & ~missing.all(1)))
    if len(wrong):
        raise ValueError(
            f"y_score is infinite or NaN for some classes only in {listed(wrong, 'row')}: row "
            f"{wrong[0]} is {table[wrong[0]].tolist()}. A row without any scores is NaN throughout."
        )
    return scores


def _two_classes(truth, labels, pos_label):
    """The other class and the one that the scores are of."""
    try:
        classes = sorted(set(truth)) if labels is None else list(as_labels(labels, "labels"))
    except TypeError as error:
        raise MetadataError(
            f"y_true holds labels that cannot be sorted ({error}): name both classes in labels=."
        ) from None
    if pos_label is None and len(classes) == 2:
        pos_label = classes[1]
    others = [label for label in classes if label != pos_label]
    if pos_label is None or len(others) > 1 or (labels is not None and pos_label not in classes):
        raise MetadataError(
            f"one-dimensional scores are of one of two classes, found {classes} and "
            f"pos_label={pos_label!r}: give a column per class, or name the class in pos_label=."
        )
    wanted = np.array([pos_label], dtype=object)
    refuse_mixed_kinds(truth, wanted, "pos_label", "no label could be found")
    return pd.Index([*(others or [None]), pos_label], dtype=object)
