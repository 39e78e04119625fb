"""Agreement of predicted numbers with the true ones: concordance, correlation, absolute error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_consistent_length

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._validation import SAMPLE_WEIGHT, as_numbers, check_weights
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import format_items
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@public_module("sklearn_ser.metrics")
@substitute_docstring(sample_weight=SAMPLE_WEIGHT)
def concordance_cc(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    r"""Compute the concordance correlation coefficient (CCC): agreement with the true values.

    .. math:: \rho_c = \frac{2 \, \mathrm{cov}(y, \hat{y})}
              {\sigma_y^2 + \sigma_{\hat{y}}^2 + (\mu_y - \mu_{\hat{y}})^2}

    It is Pearson's correlation, reduced by differences in mean and in scale [1]_. Variances and
    the covariance are divided by n, not n - 1.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True values, such as arousal. Samples without one (None, NaN) are left out, because ratings
        are often incomplete.
    y_pred : array-like of shape (n_samples,)
        Predicted values.
    %(sample_weight)s

    Returns
    -------
    float
        Value between -1 and 1 (perfect agreement); 0 if either of the two is constant. NaN if it
        is undefined: fewer than two samples of positive weight, both constant and equal, or a
        prediction that is not finite (drop samples of failed audio first).

    Raises
    ------
    MetadataError
        If a true value is infinite, or there is not one number per sample.

    References
    ----------
    .. [1] L. I. Lin, "A concordance correlation coefficient to evaluate reproducibility",
       Biometrics, vol. 45, no. 1, 1989, pp. 255-268.

    Examples
    --------
    >>> from sklearn_ser.metrics import concordance_cc
    >>> concordance_cc([0, 1, 2], [0, 1, 1])
    0.666...
    >>> concordance_cc([0, 1, 2], [10, 11, 12])  # Pearson's correlation is 1
    0.0131...
    >>> concordance_cc([0, 1, 2], [1, 1, 1])
    0.0
    >>> concordance_cc([1, 1, 1], [1, 1, 1])
    nan
    """
    parts, distance, weights = _deviations(y_true, y_pred, sample_weight)
    spread = np.average(parts[0] ** 2 + parts[1] ** 2, weights=weights) + distance**2
    if not spread > 0:
        return float("nan")
    return float(2 * np.average(parts[0] * parts[1], weights=weights) / spread)


def pearson_correlation(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return Pearson's correlation, the metric "pearson"; NaN if either of the two is constant.

    Unlike scipy's it accepts weights and leaves out samples without a true value.
    """
    parts, _, weights = _deviations(y_true, y_pred, sample_weight)
    spread = np.average(parts**2, axis=1, weights=weights)
    if not (spread > 0).all():
        return float("nan")
    r = np.average(parts[0] * parts[1], weights=weights) / np.sqrt(spread[0] * spread[1])
    return float(np.clip(r, -1, 1))


def mean_absolute_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return the mean absolute error, the metric "mae".

    Unlike scikit-learn's it is NaN, not an error, without a sample or with NaN in `y_pred`.
    """
    y_true, y_pred, weights = _rated_samples(y_true, y_pred, sample_weight)
    if not len(y_true) or not np.isfinite(y_pred).all():
        return float("nan")
    return float(np.average(np.abs(y_true - y_pred), weights=weights))


def _deviations(y_true, y_pred, sample_weight):
    """Return deviations from the means, distance of the means, and weights; NaN if undefined."""
    y_true, y_pred, weights = _rated_samples(y_true, y_pred, sample_weight)
    if len(y_true) < 2 or not np.isfinite(y_pred).all():
        return np.full((2, 1), np.nan), np.nan, np.ones(1)
    # Relative to the first sample, so that the deviations of a constant are exactly zero.
    parts = np.stack([y_true - y_true[0], y_pred - y_pred[0]])
    means = np.average(parts, axis=1, weights=weights)
    return parts - means[:, None], (y_true[0] - y_pred[0]) + (means[0] - means[1]), weights


def _rated_samples(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true values, predictions and weights of samples with a true value and a weight."""
    y_true, y_pred = as_numbers(y_true, "y_true"), as_numbers(y_pred, "y_pred")
    check_consistent_length(y_true, y_pred, sample_weight)
    infinite = np.flatnonzero(np.isinf(y_true))
    if len(infinite):
        raise MetadataError(
            f"y_true is infinite in {format_items(infinite, 'sample')}. Drop these samples first."
        )
    weights = check_weights(sample_weight, len(y_true))
    rated = (weights > 0) & ~np.isnan(y_true)
    return y_true[rated], y_pred[rated], weights[rated]
