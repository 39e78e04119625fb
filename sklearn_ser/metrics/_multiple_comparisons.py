"""Comparisons of many estimators or folds: critical differences, Holm's and resampled t tests."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._paired import sign_flip, signed_ranks
from sklearn_ser.metrics._validation import format_items
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class CriticalDifference:
    """Data of a critical-difference diagram, as returned by :func:`critical_difference`.

    Attributes
    ----------
    average_ranks : pandas.Series
        Average rank of each estimator, best (lowest) first.
    p_value : float
        p-value of Friedman's test: whether any of them differ.
    p_values : pandas.DataFrame
        p-value of each pair, corrected for their number.
    cliques : list of tuple
        Largest groups of two or more neighbors in rank without a significant difference.
    critical_difference : float
        Smallest significant difference of ranks (Nemenyi); NaN for "wilcoxon-holm".
    n_blocks : int
        Number of data sets or speakers.
    alpha : float
        Significance level.
    method : str
        Method of the comparison of pairs.
    """

    average_ranks: pd.Series
    p_value: float
    p_values: pd.DataFrame
    cliques: list[tuple]
    critical_difference: float
    n_blocks: int
    alpha: float
    method: str


@public_module("sklearn_ser.metrics")
@validate_params(
    {
        "method": [StrOptions({"wilcoxon-holm", "nemenyi"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "greater_is_better": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def critical_difference(
    scores: pd.DataFrame,
    *,
    method: Literal["wilcoxon-holm", "nemenyi"] = "wilcoxon-holm",
    alpha: float = 0.05,
    greater_is_better: bool = True,
    random_state: int | np.random.Generator | None = 0,
) -> CriticalDifference:
    r"""Compare many estimators over many data sets or speakers by ranks.

    Pairs are compared only if Friedman's test finds a difference among all estimators.

    Parameters
    ----------
    scores : pandas.DataFrame of shape (n_blocks, n_estimators)
        Scores, one row per data set or speaker (averaged over seeds), one column per estimator.
    method : {"wilcoxon-holm", "nemenyi"}, default="wilcoxon-holm"
        Method of the comparison of pairs. "wilcoxon-holm": signed-rank test of each pair,
        corrected by :func:`holm` [2]_. "nemenyi": one critical difference of average ranks [1]_,
        :math:`q_\alpha \sqrt{k (k + 1) / (6 N)}` for k estimators in N blocks.
    alpha : float, default=0.05
        Significance level.
    greater_is_better : bool, default=True
        Whether greater scores are better.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the random signs in signed-rank tests of more than 15 blocks. The fixed default
        makes the p-values reproducible.

    Returns
    -------
    CriticalDifference
        Average ranks, p-values, and groups of estimators without a significant difference.

    Raises
    ------
    MetadataError
        If a score is missing, or there are fewer than two rows or columns.

    Notes
    -----
    Rows are assumed independent. Speakers are, for conclusions about speakers of these corpora; a
    handful of corpora is too few for conclusions about corpora.

    References
    ----------
    .. [1] J. Demsar, "Statistical comparisons of classifiers over multiple data sets", Journal of
       Machine Learning Research, vol. 7, 2006, pp. 1-30.
    .. [2] A. Benavoli, G. Corani, F. Mangili, "Should we really use post-hoc tests based on
       mean-ranks?", Journal of Machine Learning Research, vol. 17, 2016, pp. 1-10.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser.metrics import critical_difference
    >>> rng = np.random.default_rng(0)
    >>> level = rng.normal(0.6, 0.1, size=(20, 1))
    >>> scores = level + rng.normal([0.0, 0.01, 0.1], 0.03, size=(20, 3))
    >>> result = critical_difference(pd.DataFrame(scores, columns=["svm", "net", "multi-task"]))
    >>> result.average_ranks.round(2).to_dict()
    {'multi-task': 1.0, 'net': 2.45, 'svm': 2.55}
    >>> result.cliques
    [('net', 'svm')]
    """
    table = _check_scores(scores)
    n, k = table.shape
    values = table.to_numpy() if greater_is_better else -table.to_numpy()
    ranks = stats.rankdata(-values, axis=1)
    average = pd.Series(ranks.mean(axis=0), table.columns, name="rank")
    average = average.sort_values(kind="stable")
    p_friedman = _friedman(ranks)
    step = np.sqrt(k * (k + 1) / (6 * n))
    smallest = float("nan")
    if method == "nemenyi":
        smallest = stats.studentized_range.ppf(1 - alpha, k, np.inf) / np.sqrt(2) * step
        gaps = np.abs(average.to_numpy()[:, None] - average.to_numpy())
        p = stats.studentized_range.sf(gaps / step * np.sqrt(2), k, np.inf)
    else:
        p = _wilcoxon_holm(table[average.index].to_numpy(), np.random.default_rng(random_state))
    p_values = pd.DataFrame(p, average.index, average.index)
    significant = (p < alpha) & (p_friedman < alpha)
    return CriticalDifference(
        average_ranks=average,
        p_value=p_friedman,
        p_values=p_values,
        cliques=_cliques(list(average.index), significant),
        critical_difference=float(smallest),
        n_blocks=n,
        alpha=alpha,
        method=method,
    )


def _check_scores(scores: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(scores).astype(float)
    if min(table.shape) < 2:
        raise MetadataError(
            f"scores must have two or more rows (data sets or speakers) and columns (estimators); "
            f"got the shape {table.shape}."
        )
    missing = table.index[table.isna().any(axis=1)]
    if len(missing):
        raise MetadataError(
            f"scores are missing in {format_items(list(missing), 'row')}, but each estimator needs "
            f"a score in each row. Drop these rows."
        )
    return table


def _friedman(ranks: np.ndarray) -> float:
    """Return the p-value of Friedman's chi-squared, corrected for ties; 1 if all are tied."""
    n, k = ranks.shape
    centered = ranks - (k + 1) / 2
    spread = np.square(centered).sum() / (n * (k - 1))
    if spread == 0:
        return 1.0
    return float(stats.chi2.sf(n * np.square(centered.mean(axis=0)).sum() / spread, k - 1))


def _wilcoxon_holm(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the corrected p-value of each pair of columns, 1 on the diagonal."""
    first, second = np.triu_indices(values.shape[1], 1)
    uncorrected = [
        sign_flip(signed_ranks(values[:, i] - values[:, j]), 2**14, generator)[0]
        for i, j in zip(first, second, strict=True)
    ]
    p = np.ones((values.shape[1],) * 2)
    p[first, second] = p[second, first] = holm(uncorrected)
    return p


def _cliques(names: list, significant: np.ndarray) -> list[tuple]:
    """Return the largest runs of names, in order of rank, without a significant difference."""
    cliques, reached = [], 0
    for start in range(len(names)):
        stop = start + 1
        while stop < len(names) and not significant[start : stop + 1, start : stop + 1].any():
            stop += 1
        if stop - start > 1 and stop > reached:
            cliques.append(tuple(names[start:stop]))
        reached = max(reached, stop)
    return cliques


@public_module("sklearn_ser.metrics")
def holm(p_values: ArrayLike) -> np.ndarray | pd.Series:
    r"""Correct p-values for their number by Holm's step-down procedure.

    .. math:: \tilde{p}_{(i)} = \max_{j \le i} \min(1, (m - j + 1) \, p_{(j)})

    for the p-values :math:`p_{(1)} \le \dots \le p_{(m)}`. If all values below .05 are taken as
    significant, the probability of one or more false positives is at most 5 %, whatever the
    dependence of the tests [1]_.

    Parameters
    ----------
    p_values : array-like of shape (n_tests,)
        p-values, between 0 and 1. NaN (an undefined test) remains NaN and is not counted.

    Returns
    -------
    ndarray or pandas.Series of shape (n_tests,)
        Corrected p-values, a Series with the same index if `p_values` is one.

    Raises
    ------
    ValueError
        If `p_values` is not one-dimensional, or a value is not between 0 and 1.

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
    invalid = np.flatnonzero((values < 0) | (values > 1))
    if values.ndim != 1 or len(invalid):
        raise ValueError(
            f"p_values must be one-dimensional and between 0 and 1; got "
            f"{values[invalid[0]] if values.ndim == 1 else f'the shape {values.shape}'}."
        )
    corrected = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    if isinstance(p_values, pd.Series):
        return pd.Series(corrected, index=p_values.index, name=p_values.name)
    return corrected


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class CorrectedTTest:
    """Result of :func:`corrected_t_test`.

    Attributes
    ----------
    difference : float
        Mean difference over folds.
    p_value : float
        Two-sided p-value.
    low, high : float
        Limits of the confidence interval of the difference.
    statistic : float
        t statistic.
    df : int
        Degrees of freedom.
    """

    difference: float
    p_value: float
    low: float
    high: float
    statistic: float
    df: int


@public_module("sklearn_ser.metrics")
def corrected_t_test(
    differences: ArrayLike, n_train: ArrayLike, n_test: ArrayLike, *, confidence: float = 0.95
) -> CorrectedTTest:
    r"""Corrected resampled t test: paired test over repeated folds with common training samples.

    .. math:: t = \frac{\bar{d}}{\sqrt{(1 / J + n_\mathrm{test} / n_\mathrm{train}) \, s^2}}

    for J differences of variance s^2, with J - 1 degrees of freedom [1]_. The ordinary t test uses
    1 / J alone; its rate of false positives grows with the number of repetitions.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Score of one estimator minus that of the other, by fold (of all repetitions).
    n_train, n_test : float or array-like of shape (n_folds,)
        Numbers of training and test samples, averaged over folds. If the folds are disjoint in
        speakers, the numbers of speakers are more appropriate.
    confidence : float, default=0.95
        Confidence level of the interval, in (0, 1).

    Returns
    -------
    CorrectedTTest
        Difference, interval and p-value; NaN with fewer than two folds.

    Raises
    ------
    ValueError
        If `differences` is not one-dimensional and finite, or a size is not positive.

    Notes
    -----
    The correction assumes repeated random folds. For leave-one-corpus-out use
    :func:`paired_test`.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning,
       vol. 52, 2003, pp. 239-281.

    Examples
    --------
    >>> from sklearn_ser.metrics import corrected_t_test
    >>> result = corrected_t_test([0.02, 0.04, 0.03, 0.01, 0.05], n_train=80, n_test=20)
    >>> round(result.p_value, 3)
    0.047
    """
    values = np.asarray(differences, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("differences must be one-dimensional and finite, with one per fold.")
    train_size, test_size = (np.mean(np.asarray(n, dtype=float)) for n in (n_train, n_test))
    if not min(train_size, test_size) > 0:
        raise ValueError(f"n_train and n_test must be positive; got {n_train!r} and {n_test!r}.")
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        nan = float("nan")
        return CorrectedTTest(mean, nan, nan, nan, nan, df=max(n - 1, 0))
    error = np.sqrt((1 / n + test_size / train_size) * values.var(ddof=1))
    half = stats.t.ppf(0.5 + confidence / 2, n - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.divide(mean, error) if mean else 0.0
    p = 2 * stats.t.sf(abs(t), n - 1)
    return CorrectedTTest(
        difference=mean,
        p_value=float(p),
        low=float(mean - half),
        high=float(mean + half),
        statistic=float(t),
        df=n - 1,
    )
