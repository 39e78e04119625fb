"""Labels that may be missing: which rows have one."""

import numpy as np
import pandas as pd


def labelled_rows(y, unlabelled):
    """Which rows of `y`, a 1-D array, have a label, given what marks those without.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
    unlabelled : -1, "nan" or None
        None: every row has one.

    Returns
    -------
    ndarray of bool of shape (n_rows,)
    """
    if unlabelled == "nan":
        return ~np.asarray(pd.isna(y))
    if unlabelled == -1:
        return np.asarray(pd.Series(y, dtype=object) != -1)
    return np.ones(len(y), dtype=bool)
