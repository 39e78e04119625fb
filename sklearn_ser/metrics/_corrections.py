"""Corrections: Holm's for many tests, Nadeau and Bengio's for folds that share rows."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats


def holm(p_values):
    """p-values corrected for their number, by Holm's step-down.

    The smallest of m is multiplied by m, the next by m - 1, and so on, none below the one before.
    Whatever is below .05 then is significant with a chance of at most 5 % that any of them is
    so wrongly, however the tests depend on each other [1]_.

    Parameters
    ----------
    p_values : array-like or Series
        NaN (a test that could not be made) stays NaN and counts for nothing.

    Returns
    -------
    ndarray or Series
        In the order and with the index given.

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
       Journal of Statistics, vol. 6, no. 2, 1979, pp. 65-70.

    Examples
    --------
    >>> from sklearn_ser.metrics import holm
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p_values, dtype=float)
    wrong = np.flatnonzero((values < 0) | (values > 1))
    if values.ndim != 1 or len(wrong):
        raise ValueError(
            f"p_values must be one-dimensional, between 0 and 1, got "
            f"{values[wrong[0]] if values.ndim == 1 else f'the shape {values.shape}'}."
        )
    corrected = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    if isinstance(p_values, pd.Series):
        return pd.Series(corrected, index=p_values.index, name=p_values.name)
    return corrected


@dataclass(frozen=True)
class CorrectedTTest:
    """Made by :func:`corrected_t_test`: mean difference, interval, t, degrees of freedom, p."""

    difference: float
    p_value: float
    low: float
    high: float
    statistic: float
    df: int


def corrected_t_test(differences, n_train, n_test, *, confidence=0.95):
    r"""Paired t test over repeated folds, corrected for the training rows that folds share.

    .. math:: t = \frac{\bar{d}}{\sqrt{(1 / J + n_\mathrm{test} / n_\mathrm{train}) \, s^2}}

    for J differences of variance s^2, with J - 1 degrees of freedom [1]_. The ordinary test has
    1 / J alone, and finds differences that are not there, the more of them the more often the
    folds are drawn.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Score of one estimator minus that of the other, by fold (of all repetitions).
    n_train, n_test : float or array-like of shape (n_folds,)
        Rows of the two sides of a fold; the mean over folds of several. Where folds hold out
        speakers, their numbers of speakers say more.
    confidence : float, default=0.95

    Returns
    -------
    CorrectedTTest
        NaN with fewer than two folds.

    Notes
    -----
    It is made for folds drawn at random again and again. Leaving each corpus out once gives
    differences of another kind: compare these with :func:`paired_test`.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning,
       vol. 52, 2003, pp. 239-281.

    Examples
    --------
    >>> from sklearn_ser.metrics import corrected_t_test
    >>> found = corrected_t_test([0.02, 0.04, 0.03, 0.01, 0.05], n_train=80, n_test=20)
    >>> round(found.p_value, 3)
    0.047
    """
    values = np.asarray(differences, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("differences must be one-dimensional and finite, one for each fold.")
    sizes = np.mean(n_train), np.mean(n_test)
    if not min(sizes) > 0:
        raise ValueError(f"n_train and n_test must be above 0, got {n_train!r} and {n_test!r}.")
    n = len(values)
    if n < 2:
        mean = float(values.mean()) if n else float("nan")
        return CorrectedTTest(mean, *[float("nan")] * 4, df=max(n - 1, 0))
    mean = values.mean()
    error = np.sqrt((1 / n + sizes[1] / sizes[0]) * values.var(ddof=1))
    half = stats.t.ppf(0.5 + confidence / 2, n - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.divide(mean, error) if mean else 0.0
    p = 2 * stats.t.sf(abs(t), n - 1)
    return CorrectedTTest(
        *(float(value) for value in (mean, p, mean - half, mean + half, t)), df=n - 1
    )
