"""Calibration of predicted probabilities: expected calibration error, Brier score."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.metrics._validation import (
    LABELS_OF_COLUMNS,
    PROBABILITY_ERRORS,
    SAMPLE_WEIGHT,
    Y_PROBA,
    Y_TRUE,
    as_labels,
    as_probabilities,
    check_no_missing,
    check_weights,
    encode_labels,
    labels_of_columns,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_PARTS = {
    "y_true": Y_TRUE,
    "y_proba": Y_PROBA,
    "labels": LABELS_OF_COLUMNS,
    "sample_weight": SAMPLE_WEIGHT,
    "errors": PROBABILITY_ERRORS,
}


@public_module("sklearn_ser.metrics")
@substitute_docstring(**_PARTS)
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
    r"""Expected calibration error (ECE): mean distance between confidence and accuracy.

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
@substitute_docstring(**_PARTS)
def multiclass_brier_score(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Multiclass Brier score: squared distance of probabilities from the true class, averaged.

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
    classes = labels_of_columns(y_true, labels, probabilities.shape[1], "y_proba")
    codes = encode_labels(y_true, classes)
    weights = check_weights(sample_weight, len(y_true))
    counted = (weights > 0) & ~np.isnan(probabilities).all(axis=1)
    return codes[counted], probabilities[counted], weights[counted]
