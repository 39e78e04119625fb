"""Weights of rows, checked alike for every metric."""

import numpy as np

from sklearn_ser.metrics._labels import listed


def row_weights(sample_weight, n_rows):
    """Weights as a float array, 1 each where none are given; negative or missing ones raise.

    Their number was checked before. Unlike scikit-learn's own check this lets zeros throughout
    pass: the metric is then undefined, and says so by NaN.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim != 1:
        raise ValueError(
            f"sample_weight must have one weight per row (one-dimensional), got the shape "
            f"{weights.shape}."
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"sample_weight must be finite and not negative, but is {weights[wrong[0]]} in "
            f"{listed(wrong, 'row')}: give such rows the weight 0 to leave them out."
        )
    return weights
