"""Error and correlation of predicted numbers, beside the concordance correlation."""

import numpy as np
from sklearn.utils import check_consistent_length

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._class_scores import row_weights
from sklearn_ser.metrics._labels import listed
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.metrics")
def mean_absolute_error(y_true, y_pred, *, sample_weight=None):
    """Mean absolute error (MAE) of the rows whose true value is known.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True values, such as arousal. Rows where it is missing (None, NaN) are left out.
    y_pred : array-like of shape (n_samples,)
        Predicted values.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, none negative.

    Returns
    -------
    float
        0 or more, in the unit of the values. NaN without a row, or where a prediction of a
        counted row is not finite (failed audio: leave it out first where it is not to count).

    Raises
    ------
    MetadataError
        If a true value is infinite, or there is not one number per row.

    Examples
    --------
    >>> from sklearn_ser.metrics import mean_absolute_error
    >>> mean_absolute_error([1.0, 2.0, None], [1.5, 1.5, 4.0])
    0.5
    """
    truth, predicted, weights = known_numbers(y_true, y_pred, sample_weight)
    if not len(truth) or not np.isfinite(predicted).all():
        return float("nan")
    return float(np.average(np.abs(truth - predicted), weights=weights))


@public_module("sklearn_ser.metrics")
def pearson_cc(y_true, y_pred, *, sample_weight=None):
    r"""Pearson's correlation coefficient of the rows whose true value is known.

    .. math:: r = \frac{\mathrm{cov}(y, \hat{y})}{\sigma_y \, \sigma_{\hat{y}}}

    It does not see wrong heights and scales: :func:`concordance_cc` does.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As for :func:`mean_absolute_error`.

    Returns
    -------
    float
        Between -1 and 1. NaN where it is undefined: fewer than two rows, one of the two constant,
        or a prediction that is not finite.

    Raises
    ------
    MetadataError
        As :func:`mean_absolute_error` does.

    Examples
    --------
    >>> from sklearn_ser.metrics import pearson_cc
    >>> pearson_cc([0, 1, 2, None], [10, 11, 12, 0])
    1.0
    """
    truth, predicted, weights = known_numbers(y_true, y_pred, sample_weight)
    if len(truth) < 2 or not np.isfinite(predicted).all():
        return float("nan")
    # Counted from the first row, so that the deviations of a constant are exactly zero.
    parts = np.stack([truth - truth[0], predicted - predicted[0]])
    parts = parts - np.average(parts, axis=1, weights=weights)[:, None]
    spread = np.average(parts**2, axis=1, weights=weights)
    if not spread.all():
        return float("nan")
    r = np.average(parts[0] * parts[1], weights=weights) / np.sqrt(spread[0] * spread[1])
    return float(np.clip(r, -1, 1))


@public_module("sklearn_ser.metrics")
def concordance_cc(y_true, y_pred, *, sample_weight=None):
    r"""Concordance correlation coefficient (CCC): how close predictions come to the true values.

    .. math:: \rho_c = \frac{2 \, \mathrm{cov}(y, \hat{y})}
              {\sigma_y^2 + \sigma_{\hat{y}}^2 + (\mu_y - \mu_{\hat{y}})^2}

    It is Pearson's correlation, made smaller by any difference in mean and in spread, so that
    predictions must also lie at the right height and on the right scale [1]_. Variances and the
    covariance are divided by n, not n - 1.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True values. Rows where it is missing (None, NaN) are left out.
    y_pred : array-like of shape (n_samples,)
        Predicted values.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, none negative; a weight of k counts as k equal rows.

    Returns
    -------
    float
        Between -1 and 1 (perfect agreement); 0 where one of the two is constant. NaN where it is
        undefined: fewer than two rows of positive weight, both constant and equal, or a
        prediction that is not finite (a row of failed audio: leave it out first where it is not
        to count).

    Raises
    ------
    MetadataError
        If a true value is infinite, or there is not one number per row.

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
    truth, predicted, weights = known_numbers(y_true, y_pred, sample_weight)
    if len(truth) < 2 or not np.isfinite(predicted).all():
        return float("nan")
    # Counted from the first row, so that the deviations of a constant are exactly zero.
    true_part, predicted_part = truth - truth[0], predicted - predicted[0]
    true_mean = np.average(true_part, weights=weights)
    predicted_mean = np.average(predicted_part, weights=weights)
    distance = (truth[0] - predicted[0]) + (true_mean - predicted_mean)
    true_part, predicted_part = true_part - true_mean, predicted_part - predicted_mean
    spread = np.average(true_part**2 + predicted_part**2, weights=weights) + distance**2
    if spread == 0:
        return float("nan")
    return float(2 * np.average(true_part * predicted_part, weights=weights) / spread)


def known_numbers(y_true, y_pred, sample_weight):
    """True values, predictions and weights of the rows that have a truth and a weight.

    Not every utterance of a corpus has a rating: None and NaN in `y_true` are left out, infinite
    values are refused.
    """
    truth, predicted = as_numbers(y_true, "y_true"), as_numbers(y_pred, "y_pred")
    check_consistent_length(truth, predicted, sample_weight)
    wrong = np.flatnonzero(np.isinf(truth))
    if len(wrong):
        raise MetadataError(
            f"y_true is not finite in {listed(wrong, 'row')}: drop these rows first."
        )
    weights = row_weights(sample_weight, len(truth))
    counted = (weights > 0) & ~np.isnan(truth)
    return truth[counted], predicted[counted], weights[counted]


def as_numbers(y, name):
    """`y` as a one-dimensional float array, None as NaN."""
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MetadataError(f"{name} must hold numbers: {error}.") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.ravel()
    if values.ndim != 1:
        raise MetadataError(
            f"{name} must have one value per row (one-dimensional), got the shape {values.shape}."
        )
    return values
