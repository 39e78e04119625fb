"""Rows without a label, as an estimator marks them, for what scores or draws its rows."""

import numpy as np
import pandas as pd


def without_marks(estimator, y):
    """`y` with None in place of -1, where that is how the estimator marks unlabelled rows.

    Parameters
    ----------
    estimator : estimator
        Whatever `y` is scored for: a network, or a Pipeline or search around one, whose parameter
        `unlabelled` tells. {-1, 1} are ordinary labels to all others.
    y : array-like of shape (n_samples,)

    Returns
    -------
    array-like
        `y` itself, or an object array.
    """
    if not hasattr(estimator, "get_params"):
        return y
    marks = (
        value
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] == "unlabelled"
    )
    if not any(not isinstance(mark, str) and mark == -1 for mark in marks):
        return y
    values = np.asarray(y, dtype=object)
    return np.where(np.asarray(pd.Series(values, dtype=object) == -1), None, values)
