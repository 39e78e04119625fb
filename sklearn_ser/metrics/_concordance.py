"""Agreement of numbers: the field's measure for arousal, valence and dominance."""

import numpy as np

from sklearn_ser.metrics._numbers import known_numbers


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
