"""How far probabilities can be believed."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._class_scores import row_weights
from sklearn_ser.metrics._labels import (
    as_labels,
    label_set,
    listed,
    refuse_missing,
    refuse_mixed_kinds,
    truth_codes,
)
from sklearn_ser.utils._public import public_module

#: float16 probabilities of a dozen classes sum to 1 within this; percentages and scores do not.
SUM_TOLERANCE = 1e-2


@public_module("sklearn_ser.metrics")
@validate_params(
    {
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"uniform", "quantile"})],
    },
    prefer_skip_nested_validation=True,
)
def expected_calibration_error(
    y_true, y_proba, *, labels=None, n_bins=15, strategy="uniform", sample_weight=None
):
    r"""Expected calibration error (ECE): how far confidence and accuracy lie apart, on average.

    .. math:: \mathrm{ECE} = \sum_{b} \frac{W_b}{W}
              \left| \mathrm{acc}(b) - \mathrm{conf}(b) \right|

    The confidence of a row is its highest probability, and the row is right if the class with
    that probability is the true one. Rows are put into bins b by their confidence; acc(b) is the
    share of right rows of a bin, conf(b) their mean confidence and W_b their weight [1]_. A model
    that is 80 % sure and right in 80 % of such cases has no error.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes: strings, integers, booleans or categories.
    y_proba : array-like of shape (n_samples, n_classes)
        Probabilities, as ``predict_proba`` gives them. Rows that are NaN throughout have no
        confidence (failed audio) and are left out, whatever their true class; everywhere else
        numbers are expected.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, in order: ``classes_`` of the estimator. None takes the sorted
        classes of `y_true`, if there are as many as columns.
    n_bins : int, default=15
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        "uniform": bins of equal width, (0, 1/15], (1/15, 2/15], ... as in [1]_. "quantile": bins
        with about the same weight of rows each; rows of equal confidence stay together, so that
        there may be fewer bins.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, none negative; a weight of k counts as k equal rows.

    Returns
    -------
    float
        Between 0 (calibrated, as far as the bins can tell) and 1; NaN where no row of positive
        weight has probabilities.

    Raises
    ------
    MetadataError
        If `y_true` has missing labels or labels outside `labels`, or `labels` and the columns of
        `y_proba` do not match.
    ValueError
        If `y_proba` is not two-dimensional, or a row has negative, infinite or partly missing
        probabilities or ones that do not sum to 1 (within 0.01).

    Notes
    -----
    It is estimated from few rows a bin, and a perfectly calibrated model gets more than 0, the
    more bins and the fewer rows there are. Compare models on the same rows with the same bins.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural
       Networks", Proc. ICML, 2017. https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> from sklearn_ser.metrics import expected_calibration_error
    >>> truth = ["anger", "anger", "sadness", "sadness"]
    >>> sure = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    >>> expected_calibration_error(truth, sure)  # always sure, right in 3 of 4
    0.25
    >>> fair = [[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.25, 0.75]]
    >>> expected_calibration_error(truth, fair)
    0.0
    """
    truth = as_labels(y_true, "y_true")
    probabilities = as_probabilities(y_proba)
    check_consistent_length(truth, probabilities, sample_weight)
    refuse_missing(truth, "drop these rows first.")
    classes = classes_of_columns(truth, labels, probabilities.shape[1], "y_proba")
    codes = truth_codes(truth, classes)
    weights = row_weights(sample_weight, len(truth))
    counted = (weights > 0) & ~np.isnan(probabilities).all(axis=1)
    if not counted.any():
        return float("nan")
    codes, probabilities, weights = codes[counted], probabilities[counted], weights[counted]
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == codes
    bins = _bins(confidence, weights, n_bins, strategy)
    gaps = np.bincount(bins, weights * (right - confidence))
    return float(np.abs(gaps).sum() / weights.sum())


def _bins(confidence, weights, n_bins, strategy):
    """The bin of each row; a bin has its upper edge and not its lower one."""
    shares = np.arange(1, n_bins) / n_bins
    inner_edges = (
        shares
        if strategy == "uniform"
        else np.quantile(confidence, shares, weights=weights, method="inverted_cdf")
    )
    return np.searchsorted(inner_edges, confidence, side="left")


def as_probabilities(y_proba):
    try:
        probabilities = np.asarray(y_proba, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y_proba must hold numbers: {error}.") from None
    if probabilities.ndim != 2 or not probabilities.shape[1]:
        raise ValueError(
            f"y_proba must have a row per sample and a column per class, as predict_proba gives "
            f"it, got the shape {probabilities.shape}."
        )
    missing = np.isnan(probabilities)
    present = ~missing.all(axis=1)
    for found, what in (
        (missing.any(axis=1), "probabilities of some classes only (NaN in others)"),
        ((probabilities < 0).any(axis=1), "negative probabilities"),
        (
            np.abs(probabilities.sum(axis=1) - 1) > SUM_TOLERANCE,
            "probabilities that do not sum to 1",
        ),
    ):
        rows = np.flatnonzero(found & present)
        if len(rows):
            raise ValueError(
                f"y_proba has {what} in {listed(rows, 'row')}: row {rows[0]} is "
                f"{probabilities[rows[0]].tolist()}. Give what predict_proba returned; decision "
                f"values or percentages are no probabilities."
            )
    return probabilities


def classes_of_columns(truth, labels, n_columns, name):
    if labels is not None:
        classes = label_set(labels)
        if len(classes) != n_columns:
            raise MetadataError(
                f"{name} has {n_columns} columns, but labels names {len(classes)} classes: "
                f"{list(classes)}. Give one label per column, in their order (classes_ of the "
                f"estimator)."
            )
        refuse_mixed_kinds(truth, classes.to_numpy(), "labels", "no label could be found")
        return classes
    try:
        classes = pd.Index(sorted(set(truth)), dtype=object)
    except TypeError as error:
        raise MetadataError(
            f"y_true holds labels that cannot be sorted ({error}): name the classes of the columns "
            f"in labels=."
        ) from None
    if len(classes) != n_columns and len(truth):
        raise MetadataError(
            f"{name} has {n_columns} columns, but y_true only the classes {list(classes)}: name "
            f"the classes of the columns in labels= (classes_ of the estimator)."
        )
    return classes


@public_module("sklearn_ser.metrics")
def brier_score(y_true, y_proba, *, labels=None, sample_weight=None):
    r"""Brier score of several classes: mean squared distance of probabilities from the truth.

    .. math:: \mathrm{BS} = \frac{1}{W} \sum_i w_i \sum_c (p_{ic} - [y_i = c])^2

    It is a proper score: honest probabilities have the lowest on average. It holds calibration
    and the power to tell classes apart in one figure [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes. None and NaN are refused (the scorers drop such rows).
    y_proba : array-like of shape (n_samples, n_classes)
        Probabilities, as ``predict_proba`` gives them. Rows that are NaN throughout (failed
        audio) are left out.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, in order: ``classes_`` of the estimator. None takes the sorted
        classes of `y_true`, if there are as many as columns. A class without a row is no
        obstacle: the mean is over rows.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights w, none negative, of sum W.

    Returns
    -------
    float
        Between 0 (sure and right) and 2 (sure and wrong); NaN where no row of positive weight has
        probabilities. Uniform guessing has 1 - 1 / n_classes.

    Raises
    ------
    MetadataError, ValueError
        As :func:`expected_calibration_error` does.

    Notes
    -----
    As Brier defined it: of two classes it is twice what is often called so, and twice what
    ``sklearn.metrics.brier_score_loss`` gives of two classes by default.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
       Weather Review, vol. 78, no. 1, 1950, pp. 1-3.

    Examples
    --------
    >>> from sklearn_ser.metrics import brier_score
    >>> brier_score(["anger", "sadness"], [[1.0, 0.0], [0.5, 0.5]])
    0.25
    """
    truth, probabilities = as_labels(y_true, "y_true"), as_probabilities(y_proba)
    check_consistent_length(truth, probabilities, sample_weight)
    refuse_missing(truth, "drop these rows first.")
    codes = truth_codes(truth, classes_of_columns(truth, labels, probabilities.shape[1], "y_proba"))
    weights = row_weights(sample_weight, len(truth))
    counted = (weights > 0) & ~np.isnan(probabilities).all(axis=1)
    if not counted.any():
        return float("nan")
    hit = codes[counted, None] == np.arange(probabilities.shape[1])
    distances = np.square(probabilities[counted] - hit).sum(axis=1)
    return float(np.average(distances, weights=weights[counted]))
