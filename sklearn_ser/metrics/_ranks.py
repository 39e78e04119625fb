"""Many estimators over many data sets or speakers: ranks and critical differences."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._labels import listed
from sklearn_ser.metrics._paired import sign_flip, signed_ranks
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class CriticalDifference:
    """What a critical-difference diagram shows; made by :func:`critical_difference`.

    Attributes
    ----------
    average_ranks : Series
        By estimator, best (lowest) first.
    p_value : float
        Of Friedman's test: are any of them different?
    p_values : DataFrame
        Of each pair, corrected for their number.
    cliques : list of tuple
        Largest groups of neighbors in rank that are not told apart (two or more members).
    critical_difference : float
        How far ranks must lie apart (Nemenyi); NaN for "wilcoxon-holm".
    n_blocks : int
        Data sets, or speakers.
    alpha : float
    method : str
    """

    average_ranks: pd.Series
    p_value: float
    p_values: pd.DataFrame
    cliques: list
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
    scores, *, method="wilcoxon-holm", alpha=0.05, greater_is_better=True, random_state=0
):
    r"""Compare many estimators over many data sets or speakers, by ranks.

    Friedman's test asks whether any of them differ; only then are pairs compared.

    Parameters
    ----------
    scores : DataFrame of shape (n_blocks, n_estimators)
        A row for each data set or speaker (whose seeds are averaged), a column per estimator.
    method : {"wilcoxon-holm", "nemenyi"}, default="wilcoxon-holm"
        "wilcoxon-holm": signed-rank test of each pair, corrected by :func:`holm` [2]_. "nemenyi":
        one critical difference of average ranks [1]_,
        :math:`q_\alpha \sqrt{k (k + 1) / (6 N)}` of k estimators in N blocks.
    alpha : float, default=0.05
    greater_is_better : bool, default=True
    random_state : int, numpy.random.Generator or None, default=0
        Of the random signs in signed-rank tests of more than 15 blocks.

    Returns
    -------
    CriticalDifference

    Raises
    ------
    MetadataError
        If a score is missing, or there are fewer than two rows or columns.

    Notes
    -----
    A row counts as one independent draw. Speakers are, for claims about speakers of these
    corpora; a handful of corpora is too few for claims about corpora.

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
    >>> found = critical_difference(pd.DataFrame(scores, columns=["svm", "net", "multi-task"]))
    >>> found.average_ranks.round(2).to_dict()
    {'multi-task': 1.0, 'net': 2.45, 'svm': 2.55}
    >>> found.cliques
    [('net', 'svm')]
    """
    table = _checked_scores(scores)
    n, k = table.shape
    values = table.to_numpy() if greater_is_better else -table.to_numpy()
    ranks = stats.rankdata(-values, axis=1)
    average = pd.Series(ranks.mean(axis=0), table.columns, name="rank")
    average = average.sort_values(kind="stable")
    p_friedman = _friedman(ranks)
    step = np.sqrt(k * (k + 1) / (6 * n))
    apart = float("nan")
    if method == "nemenyi":
        apart = stats.studentized_range.ppf(1 - alpha, k, np.inf) / np.sqrt(2) * step
        gaps = np.abs(average.to_numpy()[:, None] - average.to_numpy())
        p = stats.studentized_range.sf(gaps / step * np.sqrt(2), k, np.inf)
    else:
        p = _wilcoxon_holm(table[average.index].to_numpy(), np.random.default_rng(random_state))
    p_values = pd.DataFrame(p, average.index, average.index)
    told_apart = (p < alpha) & (p_friedman < alpha)
    return CriticalDifference(
        average_ranks=average,
        p_value=p_friedman,
        p_values=p_values,
        cliques=_cliques(list(average.index), told_apart),
        critical_difference=float(apart),
        n_blocks=n,
        alpha=alpha,
        method=method,
    )


def _checked_scores(scores):
    table = pd.DataFrame(scores).astype(float)
    if min(table.shape) < 2:
        raise MetadataError(
            f"scores must have two or more rows (data sets or speakers) and columns (estimators), "
            f"got the shape {table.shape}."
        )
    missing = table.index[table.isna().any(axis=1)]
    if len(missing):
        raise MetadataError(
            f"scores are missing in {listed(list(missing), 'row')}: each estimator needs one in "
            f"each row; drop these rows."
        )
    return table


def _friedman(ranks):
    """p of Friedman's chi-squared, corrected for ties; 1 where all are tied."""
    n, k = ranks.shape
    centerd = ranks - (k + 1) / 2
    spread = np.square(centerd).sum() / (n * (k - 1))
    if spread == 0:
        return 1.0
    return float(stats.chi2.sf(n * np.square(centerd.mean(axis=0)).sum() / spread, k - 1))


def _wilcoxon_holm(values, generator):
    """Corrected p of every pair of columns, 1 on the diagonal."""
    first, second = np.triu_indices(values.shape[1], 1)
    found = [
        sign_flip(signed_ranks(values[:, i] - values[:, j]), 2**14, generator)[0]
        for i, j in zip(first, second, strict=True)
    ]
    p = np.ones((values.shape[1],) * 2)
    p[first, second] = p[second, first] = holm(found)
    return p


def _cliques(names, told_apart):
    """Largest runs of names, in order of rank, no two of which are told apart."""
    found, reached = [], 0
    for start in range(len(names)):
        stop = start + 1
        while stop < len(names) and not told_apart[start : stop + 1, start : stop + 1].any():
            stop += 1
        if stop - start > 1 and stop > reached:
            found.append(tuple(names[start:stop]))
        reached = max(reached, stop)
    return found


@public_module("sklearn_ser.metrics")
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


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class CorrectedTTest:
    """Made by :func:`corrected_t_test`: mean difference, interval, t, degrees of freedom, p."""

    difference: float
    p_value: float
    low: float
    high: float
    statistic: float
    df: int


@public_module("sklearn_ser.metrics")
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
