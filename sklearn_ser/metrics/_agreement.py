"""Error and correlation of predicted numbers, beside the concordance correlation."""

import numpy as np

from sklearn_ser.metrics._numbers import known_numbers


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
