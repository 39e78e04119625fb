"""Scores of probabilities and decision values: AUC, equal error rate, calibration, Brier score."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._validation import (
    SAMPLE_WEIGHT,
    Y_TRUE,
    as_floats,
    as_labels,
    as_probabilities,
    check_no_missing,
    check_same_kind,
    check_weights,
    encode_labels,
    label_set,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import format_items
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_LABELS = """\
labels : array-like of shape (n_classes,), default=None
    Class of each column, in order: ``classes_`` of the estimator. With None the sorted classes of
    `y_true` are used if there are as many of them as columns.
"""
_PARAMETERS = f"""\
{Y_TRUE}\
y_score : array-like of shape (n_samples, n_classes) or (n_samples,)
    Probabilities or decision values, one column per class; or, for two classes, one-dimensional
    scores of `pos_label`. Samples whose scores are all NaN (failed audio) are left out.
{_LABELS}\
pos_label : object, default=None
    Class of one-dimensional scores. With None the second of two classes.
{SAMPLE_WEIGHT}\
"""
_Y_PROBA = """\
y_proba : array-like of shape (n_samples, n_classes)
    Probabilities as returned by ``predict_proba``. Samples whose probabilities are all NaN
    (failed audio) are left out.
"""
_PROBABILITY_ERRORS = """\
MetadataError
    If `y_true` has missing labels or labels that are not in `labels`, or `labels` does not match
    the columns of `y_proba`.
ValueError
    If `y_proba` is not two-dimensional, or the probabilities of a sample are negative, infinite,
    partly missing or do not sum to 1 (within 0.01).
"""
_PROBABILITY_PARTS = {
    "y_true": Y_TRUE,
    "y_proba": _Y_PROBA,
    "labels": _LABELS,
    "sample_weight": SAMPLE_WEIGHT,
    "errors": _PROBABILITY_ERRORS,
}
_RETURNS = """\
float
    Value between 0 and 1. NaN if a class of `labels` is absent, or all samples are of one class.
"""
_ERRORS = """\
MetadataError
    If `y_true` has missing labels or labels that are not in `labels`, or `labels` does not match
    the columns of `y_score`.
ValueError
    If a score is infinite, or the scores of a sample are partly missing.
"""


@public_module("sklearn_ser.metrics")
@substitute_docstring(parameters=_PARAMETERS, returns=_RETURNS, errors=_ERRORS)
def macro_auc_score(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    pos_label: object = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Compute the macro AUC: the mean area under the ROC curve of each class against the rest.

    .. math:: \mathrm{AUC} = \frac{1}{|C|} \sum_{c \in C} \left(
              P(s_c(x) > s_c(x')) + \frac{1}{2} P(s_c(x) = s_c(x')) \right)

    with the score :math:`s_c` of class c for a random sample x of this class and a random sample
    x' of the rest [1]_. It is 0.5 for random scores, whatever the class frequencies.

    Parameters
    ----------
    %(parameters)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(errors)s

    See Also
    --------
    sklearn.metrics.roc_auc_score : Same value with ``multi_class="ovr"`` where it is defined; it
        accepts no decision values of more than two classes, and only sorted `labels`.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", Radiology, vol. 143, no. 1, 1982, pp. 29-36.

    Examples
    --------
    >>> from sklearn_ser.metrics import macro_auc_score
    >>> y_true = ["anger", "anger", "sadness", "sadness"]
    >>> macro_auc_score(y_true, [0.1, 0.4, 0.35, 0.8], pos_label="sadness")
    0.75
    """
    return _average_over_classes(_area, y_true, y_score, labels, pos_label, sample_weight)


@public_module("sklearn_ser.metrics")
@substitute_docstring(parameters=_PARAMETERS, returns=_RETURNS, errors=_ERRORS)
def equal_error_rate(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    pos_label: object = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Compute the equal error rate (EER), at which both kinds of errors are equally frequent.

    .. math:: \mathrm{EER} = \mathrm{FNR}(t^*), \quad \mathrm{FNR}(t^*) = \mathrm{FPR}(t^*)

    for each class against the rest, averaged over classes. Between two thresholds the rates are
    interpolated linearly. It is 0.5 for random scores; lower is better [1]_.

    Parameters
    ----------
    %(parameters)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(errors)s

    References
    ----------
    .. [1] A. Martin, G. Doddington, T. Kamm, M. Ordowski, M. Przybocki, "The DET curve in
       assessment of detection task performance", Proc. Eurospeech, 1997, pp. 1895-1898.

    Examples
    --------
    >>> from sklearn_ser.metrics import equal_error_rate
    >>> y_true = ["same", "same", "same", "other", "other", "other"]
    >>> scores = [0.9, 0.8, 0.3, 0.4, 0.2, 0.1]
    >>> equal_error_rate(y_true, scores, pos_label="same")  # one of three errs, in both classes
    0.333...
    """
    return _average_over_classes(_crossing, y_true, y_score, labels, pos_label, sample_weight)


def _average_over_classes(score, y_true, y_score, labels, pos_label, sample_weight):
    y_true, scores = as_labels(y_true, "y_true"), _as_scores(y_score)
    check_consistent_length(y_true, scores, sample_weight)
    check_no_missing(y_true)
    weights = check_weights(sample_weight, len(y_true))
    columns: Iterable[int]
    if scores.ndim == 1:
        classes = _two_classes(y_true, labels, pos_label)
        scores, columns = scores[:, None], [1]
    else:
        classes = _labels_of_columns(y_true, labels, scores.shape[1], "y_score")
        columns = range(len(classes))
    codes = encode_labels(y_true, classes)
    counted = (weights > 0) & ~np.isnan(scores).any(axis=1)
    codes, scores, weights = codes[counted], scores[counted], weights[counted]
    values = [
        score(codes == code, scores[:, column], weights) for column, code in enumerate(columns)
    ]
    return float(np.mean(values))


def _accepted_shares(positive, score, weights):
    """Return false and true positive rates by decreasing threshold, None if undefined."""
    shares = np.stack([weights * ~positive, weights * positive])
    totals = shares.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        return None
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # ties share a threshold
    accepted = np.cumsum(shares[:, order], axis=1)[:, ends] / totals
    return np.concatenate([np.zeros((2, 1)), accepted], axis=1)


def _area(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    curve = _accepted_shares(positive, score, weights)
    return float("nan") if curve is None else np.trapezoid(curve[1], curve[0])


def _crossing(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> float:
    curve = _accepted_shares(positive, score, weights)
    if curve is None:
        return float("nan")
    accepted, missed = curve[0], 1 - curve[1]
    after = int(np.argmax(accepted >= missed))  # true at the last point: 1 and 0
    before = after - 1  # false at the first: 0 and 1
    gap = missed - accepted
    step = gap[before] / (gap[before] - gap[after])
    return accepted[before] + step * (accepted[after] - accepted[before])


def _as_scores(y_score: ArrayLike) -> np.ndarray:
    scores = as_floats(y_score, "y_score")
    if scores.ndim not in (1, 2) or (scores.ndim == 2 and not scores.shape[1]):
        raise ValueError(
            f"y_score must have the shape (n_samples, n_classes) or (n_samples,); got an array of "
            f"shape {scores.shape}."
        )
    table = scores.reshape(len(scores), -1) if len(scores) else scores.reshape(0, 1)
    missing = np.isnan(table)
    invalid = np.flatnonzero(np.isinf(table).any(axis=1) | (missing.any(axis=1) & ~missing.all(1)))
    if len(invalid):
        raise ValueError(
            f"y_score is infinite or partly NaN in {format_items(invalid, 'sample')}: sample "
            f"{invalid[0]} is {table[invalid[0]].tolist()}. The scores of a sample must be finite, "
            f"or all NaN if it has none."
        )
    return scores


def _two_classes(y_true: np.ndarray, labels: ArrayLike | None, pos_label: object) -> pd.Index:
    """Return the negative and the positive class of one-dimensional scores."""
    classes = _sorted_classes(y_true) if labels is None else list(as_labels(labels, "labels"))
    if pos_label is None and len(classes) == 2:
        pos_label = classes[1]
    others = [label for label in classes if label != pos_label]
    if pos_label is None or len(others) > 1 or (labels is not None and pos_label not in classes):
        raise MetadataError(
            f"One-dimensional y_score needs two classes, one of which is pos_label; got the "
            f"classes {classes} and pos_label={pos_label!r}. Pass one column per class, or set "
            f"pos_label."
        )
    check_same_kind(y_true, np.array([pos_label], dtype=object), "pos_label")
    return pd.Index([*(others or [None]), pos_label], dtype=object)


@public_module("sklearn_ser.metrics")
@substitute_docstring(**_PROBABILITY_PARTS)
@validate_params(
    {
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"uniform", "quantile"})],
    },
    prefer_skip_nested_validation=True,
)
def expected_calibration_error(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    n_bins: int = 15,
    strategy: Literal["uniform", "quantile"] = "uniform",
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Compute the expected calibration error (ECE): mean distance of confidence and accuracy.

    .. math:: \mathrm{ECE} = \sum_{b} \frac{W_b}{W}
              \left| \mathrm{acc}(b) - \mathrm{conf}(b) \right|

    The confidence of a sample is its highest probability, and the sample is correct if the class
    with that probability is the true one. Samples are binned by confidence; acc(b) is the share of
    correct samples in a bin b, conf(b) their mean confidence and W_b their weight [1]_. A model
    with a confidence of 80 % that is correct in 80 % of such cases has no error.

    Parameters
    ----------
    %(y_true)s
    %(y_proba)s
    %(labels)s
    n_bins : int, default=15
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Widths of the bins. "uniform": equal widths, (0, 1/15], (1/15, 2/15], ... as in [1]_.
        "quantile": about the same weight of samples in each bin; samples of equal confidence share
        a bin, so that there may be fewer bins.
    %(sample_weight)s

    Returns
    -------
    float
        Value between 0 (calibrated, within the resolution of the bins) and 1. NaN if no sample of
        positive weight has probabilities.

    Raises
    ------
    %(errors)s

    Notes
    -----
    The estimate is biased upwards: a perfectly calibrated model gets more than 0, the more bins
    and the fewer samples there are. Compare models on the same samples with the same bins.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural
       Networks", Proc. ICML, 2017. https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> from sklearn_ser.metrics import expected_calibration_error
    >>> y_true = ["anger", "anger", "sadness", "sadness"]
    >>> overconfident = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    >>> expected_calibration_error(y_true, overconfident)  # confidence 1, accuracy 3/4
    0.25
    >>> calibrated = [[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.25, 0.75]]
    >>> expected_calibration_error(y_true, calibrated)
    0.0
    """
    codes, probabilities, weights = _probable_samples(y_true, y_proba, labels, sample_weight)
    if not len(codes):
        return float("nan")
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == codes
    bins = _assign_bins(confidence, weights, n_bins, strategy)
    gaps = np.bincount(bins, weights * (correct - confidence))
    return float(np.abs(gaps).sum() / weights.sum())


def _assign_bins(confidence, weights, n_bins, strategy):
    """Return the bin of each sample; a bin includes its upper edge and not its lower one."""
    shares = np.arange(1, n_bins) / n_bins
    inner_edges = (
        shares
        if strategy == "uniform"
        else np.quantile(confidence, shares, weights=weights, method="inverted_cdf")
    )
    return np.searchsorted(inner_edges, confidence, side="left")


@public_module("sklearn_ser.metrics")
@substitute_docstring(**_PROBABILITY_PARTS)
def multiclass_brier_score(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Compute the multiclass Brier score: mean squared distance from the true class.

    .. math:: \mathrm{BS} = \frac{1}{W} \sum_i w_i \sum_c (p_{ic} - [y_i = c])^2

    with sample weights w of sum W [1]_. It is a proper scoring rule and measures calibration and
    discrimination together.

    Parameters
    ----------
    %(y_true)s
    %(y_proba)s
    %(labels)s
    %(sample_weight)s

    Returns
    -------
    float
        Value between 0 (all certain and correct) and 2 (all certain and wrong). NaN if no sample
        of positive weight has probabilities. Uniform probabilities have 1 - 1 / n_classes.

    Raises
    ------
    %(errors)s

    See Also
    --------
    sklearn.metrics.brier_score_loss : Half of it for two classes by default; takes only sorted
        `labels`, and no samples without probabilities.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
       Weather Review, vol. 78, no. 1, 1950, pp. 1-3.

    Examples
    --------
    >>> from sklearn_ser.metrics import multiclass_brier_score
    >>> multiclass_brier_score(["anger", "sadness"], [[1.0, 0.0], [0.5, 0.5]])
    0.25
    """
    codes, probabilities, weights = _probable_samples(y_true, y_proba, labels, sample_weight)
    if not len(codes):
        return float("nan")
    is_true = codes[:, None] == np.arange(probabilities.shape[1])
    distances = np.square(probabilities - is_true).sum(axis=1)
    return float(np.average(distances, weights=weights))


def _probable_samples(y_true, y_proba, labels, sample_weight):
    """Return class codes, probabilities and weights of samples with probabilities and a weight."""
    y_true, probabilities = as_labels(y_true, "y_true"), as_probabilities(y_proba)
    check_consistent_length(y_true, probabilities, sample_weight)
    check_no_missing(y_true)
    classes = _labels_of_columns(y_true, labels, probabilities.shape[1], "y_proba")
    codes = encode_labels(y_true, classes)
    weights = check_weights(sample_weight, len(y_true))
    counted = (weights > 0) & ~np.isnan(probabilities).all(axis=1)
    return codes[counted], probabilities[counted], weights[counted]


def _labels_of_columns(
    y_true: np.ndarray, labels: ArrayLike | None, n_columns: int, name: str
) -> pd.Index:
    """Return the class of each column of the scores or probabilities called `name`."""
    if labels is not None:
        classes = label_set(labels)
        if len(classes) != n_columns:
            raise MetadataError(
                f"{name} has {n_columns} columns, but labels has {len(classes)} classes: "
                f"{list(classes)}. Pass one label per column, in the same order (classes_ of the "
                f"estimator)."
            )
        check_same_kind(y_true, classes.to_numpy(), "labels")
        return classes
    classes = pd.Index(_sorted_classes(y_true), dtype=object)
    if len(classes) != n_columns and len(y_true):
        raise MetadataError(
            f"{name} has {n_columns} columns, but y_true has the classes {list(classes)}. Pass the "
            f"class of each column in labels (classes_ of the estimator)."
        )
    return classes


def _sorted_classes(y_true: np.ndarray) -> list:
    try:
        return sorted(set(y_true))
    except TypeError as error:
        raise MetadataError(
            f"y_true has labels that cannot be sorted ({error}). Pass the classes in labels."
        ) from None
