"""Mean and variance of groups of rows, and their shrinkage towards a larger group."""

from typing import NamedTuple

import numpy as np
import pandas as pd


class Statistics(NamedTuple):
    """Mean and variance of each feature, in float64."""

    mean: np.ndarray
    var: np.ndarray

    @property
    def scale(self):
        """Standard deviation; 1 for a constant feature."""
        return np.where(self.var > 0, np.sqrt(self.var), 1.0)


def statistics_of(values):
    """Statistics of the rows of `values`; the variance of a constant feature is exactly 0."""
    n_samples = len(values)
    mean = values.mean(axis=0, dtype=np.float64)
    var = values.var(axis=0, dtype=np.float64)
    # Rounding in the mean leaves a constant feature a tiny variance, as in StandardScaler.
    rounding = np.finfo(np.float64).eps * n_samples
    var[var <= rounding * var + (rounding * mean) ** 2] = 0
    return Statistics(mean, var)


def shrunk(own, parent, n_samples, shrinkage):
    """`own`, of `n_samples` rows, drawn towards `parent`: weight n / (n + shrinkage) on `own`."""
    weight = n_samples / (n_samples + shrinkage)
    return Statistics(
        weight * own.mean + (1 - weight) * parent.mean, weight * own.var + (1 - weight) * parent.var
    )


def subgroups(ids, rows):
    """Cut `rows` by their ids.

    Parameters
    ----------
    ids : ndarray of object of shape (n_samples,)
    rows : ndarray of int
        Positions in `ids`.

    Returns
    -------
    without_id : ndarray of int
        Those of `rows` whose id is missing.
    groups : list of (id, ndarray of int)
    """
    codes, names = pd.factorize(ids[rows])
    rows = rows[np.argsort(codes, kind="stable")]
    sizes = np.bincount(codes + 1, minlength=len(names) + 1)  # code -1, no id, comes first
    without_id, *parts = np.split(rows, np.cumsum(sizes)[:-1])
    return without_id, list(zip(names, parts, strict=True))
