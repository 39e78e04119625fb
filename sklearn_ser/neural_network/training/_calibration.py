"""Temperature scaling: one number that makes probabilities honest."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp


def fit_temperature(outputs, codes, weights):
    """The temperature at which the outputs' softmax fits the labels best [1]_.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_classes)
        Of rows that were not trained on.
    codes : ndarray of int of shape (n_rows,)
        Classes of the rows.
    weights : ndarray of shape (n_rows,)

    Returns
    -------
    float
        Between 0.05 and 20; above 1 where the network was too sure of itself.

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. (2017). On Calibration of Modern Neural
       Networks. ICML 2017. https://arxiv.org/abs/1706.04599
    """
    outputs = outputs.astype(np.float64)
    right = outputs[np.arange(len(codes)), codes]

    def loss(log_temperature):
        scale = np.exp(-log_temperature)
        return np.average(logsumexp(outputs * scale, axis=1) - right * scale, weights=weights)

    bound = np.log(20.0)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))
