"""The Brier score: how far probabilities lie from what was true."""

import numpy as np
from sklearn.utils import check_consistent_length

from sklearn_ser.metrics._calibration import as_probabilities, classes_of_columns
from sklearn_ser.metrics._labels import as_labels, refuse_missing, truth_codes
from sklearn_ser.metrics._weights import row_weights


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
