"""Rows without a label, as estimators mark them."""

from numbers import Integral

import numpy as np
import pandas as pd

from sklearn_ser.utils._nested_estimators import parameters_named


def without_marks(estimator, y):
    """`y` with None in place of -1, where that is how the estimator marks unlabeled rows.

    Parameters
    ----------
    estimator : estimator
        Whatever `y` is scored for: a network, or a Pipeline or search around one, whose parameter
        `unlabeled` tells. {-1, 1} are ordinary labels to all others.
    y : array-like of shape (n_samples,)

    Returns
    -------
    array-like
        `y` itself, or an object array.
    """
    if not hasattr(estimator, "get_params"):
        return y
    marks = parameters_named(estimator, "unlabeled").values()
    if not any(not isinstance(mark, str) and mark == -1 for mark in marks):
        return y
    values = np.asarray(y, dtype=object)
    return np.where(np.asarray(pd.Series(values, dtype=object) == -1), None, values)


def unlabeled_mark(estimator):
    """What marks a row without a label for an estimator that learns from such rows.

    Parameters
    ----------
    estimator : estimator
        A network, or a Pipeline or search around one, whose parameter `unlabeled` tells.

    Returns
    -------
    -1, "nan" or None
        None: it does not learn from them.

    Raises
    ------
    ValueError
        If its parts are told different marks.
    """
    told = {
        path: mark
        for path, mark in parameters_named(estimator, "unlabeled").items()
        if isinstance(mark, Integral | str) and mark in (-1, "nan")
    }
    if len(set(told.values())) > 1:
        raise ValueError(
            f"parts of the estimator mark rows without a label in different ways: {told}. "
            "Give all of them the same"
        )
    return next(iter(told.values()), None)


def labeled_rows(y, unlabeled):
    """Which rows of `y`, a 1-D array, have a label, given what marks those without.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
    unlabeled : -1, "nan" or None
        None: every row has one.

    Returns
    -------
    ndarray of bool of shape (n_rows,)
    """
    if unlabeled == "nan":
        return ~np.asarray(pd.isna(y))
    if unlabeled == -1:
        return np.asarray(pd.Series(y, dtype=object) != -1)
    return np.ones(len(y), dtype=bool)
