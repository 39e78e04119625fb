"""Significance of differences: paired tests, comparisons of many estimators or of folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._cluster_statistics import (
    ClusterRows,
    RatioStatistic,
    Statistic,
    cluster_rows,
    own_values,
    standard_error,
    statistic,
)
from sklearn_ser.metrics._intervals import (
    MIN_CLUSTERS,
    SCORE_PARAMETERS,
    population,
    t_interval,
    why_no_interval,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import format_items
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class PairedTest:
    """Difference of two estimators with its p-value, as returned by :func:`paired_test`.

    Parameters
    ----------
    difference : float
        Score of the first estimator minus that of the second.
    p_value : float
        Two-sided p-value.
    low, high : float
        Limits of the t interval of the difference over clusters; NaN with few clusters, or a
        single cluster in a stratum.
    confidence : float
        Confidence level.
    smallest_p : float
        Smallest possible p-value with this number of clusters (for "mcnemar": of discordant
        utterances); 0 for "t". Above .05 no difference can be significant, however large.
    n_clusters : int
        Number of clusters.
    method : str
        Method of the test.
    population : str
        Population that the test is about: "speakers of these corpora", or "corpora".
    values : pandas.DataFrame
        Scores within each cluster: ``a``, ``b``, ``difference``.
    """

    difference: float
    p_value: float
    low: float
    high: float
    confidence: float
    smallest_p: float
    n_clusters: int
    method: str
    population: str
    values: pd.DataFrame

    def __str__(self) -> str:
        interval = "" if np.isnan(self.low) else f" [{self.low:+.3f}, {self.high:+.3f}]"
        text = (
            f"{self.difference:+.3f}{interval}, p = {self.p_value:.3g} ({self.method}, "
            f"{self.n_clusters} {self.population})"
        )
        if self.smallest_p > 0.05:
            text += f"; smallest possible p: {self.smallest_p:.3g}"
        return text


@public_module("sklearn_ser.metrics")
@substitute_docstring(score_parameters=SCORE_PARAMETERS)
@validate_params(
    {
        "method": [StrOptions({"sign-flip", "wilcoxon", "mcnemar", "t"})],
        "average": [StrOptions({"rows", "clusters"})],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "min_clusters": [Interval(Integral, 2, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def paired_test(
    y_true: ArrayLike,
    y_pred_a: ArrayLike,
    y_pred_b: ArrayLike,
    clusters: ArrayLike,
    *,
    method: Literal["sign-flip", "wilcoxon", "t", "mcnemar"] = "sign-flip",
    metric: str | Callable[..., float] = "uar",
    strata: ArrayLike | None = None,
    average: Literal["rows", "clusters"] = "rows",
    labels: ArrayLike | None = None,
    unit: str = "speaker",
    confidence: float = 0.95,
    min_clusters: int = MIN_CLUSTERS,
    n_draws: int = 20000,
    random_state: int | np.random.Generator | None = 0,
) -> PairedTest:
    r"""Test the difference of two estimators on the same utterances, paired by speaker.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes or values. Unlabeled samples (None, NaN) are left out.
    y_pred_a, y_pred_b : array-like of shape (n_samples,) or (n_samples, n_columns)
        Predictions of the two estimators, as for :func:`cluster_interval`. They may have different
        numbers of seeds, which are averaged within clusters: seeds do not count as speakers.
    clusters : array-like of shape (n_samples,)
        Speaker (or corpus) of each sample.
    method : {"sign-flip", "wilcoxon", "t", "mcnemar"}, default="sign-flip"
        Method of the test.

        - "sign-flip": under the null hypothesis the contribution of each cluster to the difference
          is as likely to have the opposite sign [1]_. All combinations of signs are used if they
          have at most `n_draws` different sums, else `n_draws` random ones.
        - "wilcoxon": signed-rank test of the differences within clusters, which count the same
          whatever their size; exact, with mean ranks for ties, like "sign-flip". Clusters without
          a difference or a score are left out.
        - "t": difference divided by its standard error over clusters, t distribution with G - 1
          degrees of freedom (Satterthwaite's with `strata`).
        - "mcnemar": exact test of the utterances that only one of the two predicts correctly
          [2]_. **It assumes independent utterances**, which those of one speaker are not: the
          p-value is too small (``benchmarks/RESULTS.md``); it is meant for comparison. It compares
          accuracies, whatever the metric, and one prediction per utterance (no seeds).
    %(score_parameters)s
    confidence : float, default=0.95
        Confidence level of the interval of the difference, in (0, 1).
    min_clusters : int, default=8
        Smallest number of clusters with an interval of the difference. The p-value does not depend
        on it.
    n_draws : int, default=20000
        Number of random combinations of signs.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the random signs. The fixed default makes the p-value reproducible.

    Returns
    -------
    PairedTest
        Difference, interval, p-value, and the scores within each cluster.

    Raises
    ------
    MetadataError
        If lengths differ, a sample has no cluster, or "mcnemar" gets several seeds.

    Notes
    -----
    With G clusters a sign-flip has no p below :math:`2 / 2^G`: fewer than 6 clusters cannot
    reach .05, which ``smallest_p`` says. Many comparisons need a correction: :func:`holm`.

    References
    ----------
    .. [1] R. A. Fisher, "The Design of Experiments", Oliver and Boyd, 1935, section 21.
    .. [2] Q. McNemar, "Note on the sampling error of the difference between correlated
       proportions or percentages", Psychometrika, vol. 12, no. 2, 1947, pp. 153-157.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.metrics import paired_test
    >>> rng = np.random.default_rng(0)
    >>> speaker = np.repeat(np.arange(10), 20)
    >>> y_true = np.tile(["anger", "sadness"], 100)
    >>> better = np.where(rng.random(200) < 0.8, y_true, "neutral")
    >>> worse = np.where(rng.random(200) < 0.6, y_true, "neutral")
    >>> print(paired_test(y_true, better, worse, speaker))
    +0.150 [+0.023, +0.277], p = 0.0352 (sign-flip, 10 speakers of these corpora)
    >>> few = speaker < 4
    >>> print(paired_test(y_true[few], better[few], worse[few], speaker[few]))
    +0.250, p = 0.125 (sign-flip, 4 speakers of these corpora); smallest possible p: 0.125
    """
    return paired_tests(
        y_true,
        [y_pred_a, y_pred_b],
        clusters,
        [(0, 1)],
        method=method,
        metric=metric,
        strata=strata,
        average=average,
        labels=labels,
        unit=unit,
        confidence=confidence,
        min_clusters=min_clusters,
        n_draws=n_draws,
        random_state=random_state,
    )[0]


def paired_tests(
    y_true: ArrayLike,
    predictions: list,
    clusters: ArrayLike,
    pairs: list[tuple[int, int]],
    *,
    method: str = "sign-flip",
    metric: str | Callable[..., float] = "uar",
    strata: ArrayLike | None = None,
    average: str = "rows",
    labels: ArrayLike | None = None,
    unit: str = "speaker",
    confidence: float = 0.95,
    min_clusters: int = MIN_CLUSTERS,
    n_draws: int = 20000,
    random_state: int | np.random.Generator | None = 0,
) -> list[PairedTest]:
    """Test pairs of many estimators, each of which is scored once; `pairs` are their positions."""
    if method == "mcnemar":
        metric, average = "war", "rows"
    rows = cluster_rows(y_true, predictions, clusters, strata, metric, labels)
    scores = [statistic(rows, which, average) for which in range(len(predictions))]
    own = [own_values(rows, which) for which in range(len(predictions))]
    reasons = [why_no_interval(rows, score, min_clusters) for score in scores]
    described = population(unit)
    if method == "mcnemar":
        described = f"{unit}s, utterances assumed independent"
        p_values = [_mcnemar(rows, pair) for pair in pairs]
    elif method == "t":
        p_values = [
            (_t(_magnitude(own[a], own[b]), *_difference(scores, (a, b))), 0.0) for a, b in pairs
        ]
    else:
        if method == "wilcoxon":
            parts = [signed_ranks(own[a].to_numpy(), own[b].to_numpy()) for a, b in pairs]
        else:
            parts = [
                _contributions(scores[a], scores[b]) / _magnitude(own[a], own[b]) for a, b in pairs
            ]
        p_values = sign_flips(parts, n_draws, random_state)
    tests = []
    for (a, b), (p, smallest) in zip(pairs, p_values, strict=True):
        difference, influence, group = _difference(scores, (a, b))
        low = high = float("nan")
        if not reasons[a] and not reasons[b]:
            low, high = t_interval(difference, influence, group, confidence)
        tests.append(
            PairedTest(
                difference=float(difference),
                p_value=float(p),
                low=float(low),
                high=float(high),
                confidence=confidence,
                smallest_p=float(smallest),
                n_clusters=rows.n_clusters,
                method=method,
                population=described,
                values=pd.DataFrame({"a": own[a], "b": own[b], "difference": own[a] - own[b]}),
            )
        )
    return tests


def _difference(scores, pair):
    """Return the difference of two scores, its influence by cluster, and the groups of clusters."""
    first, second = (scores[which] for which in pair)
    return first.estimate - second.estimate, first.influence - second.influence, first.group


#: Number of random signs that are drawn at once: they fit into the cache of a core.
_MOST_SIGNS = 2**19


def sign_flips(
    parts: list[np.ndarray], n_draws: int, random_state: int | np.random.Generator | None
) -> list[tuple[float, float]]:
    """Return, for several sums, the share of sign changes as large as the sum, and the smallest.

    Parts are of the order of 1 or integers, so that differences below 1e-12 are rounding errors.
    All combinations of signs are used (half of them: the test is two-sided) unless there are more
    than `n_draws`. Random signs are the same for all sums of as many parts.
    """
    found: list = [None] * len(parts)
    at_random: dict[int, list[int]] = {}
    for which, own in enumerate(parts):
        if np.isnan(own).any():
            found[which] = float("nan"), float("nan")
            continue
        smallest = min(1.0, 2.0 ** (1 - len(own)))
        moving = own[own != 0]
        if len(moving) > int(n_draws).bit_length():  # more than n_draws combinations
            at_random.setdefault(len(own), []).append(which)
            continue
        k = max(len(moving) - 1, 0)
        signs = 1.0 - 2.0 * ((np.arange(2**k)[:, None] >> np.arange(k)) & 1)
        sums = signs @ moving[1:] + moving[0] if len(moving) else np.zeros(1)
        found[which] = float(np.mean(np.abs(sums) >= _least(own))), smallest
    for n, members in at_random.items():
        generator = np.random.default_rng(random_state)
        together = np.column_stack([parts[which] for which in members])
        least = np.array([_least(parts[which]) for which in members])
        as_large = np.zeros(len(members), dtype=int)
        rows = 2 * max(1, _MOST_SIGNS // (2 * n))  # an even number: two signs share a random number
        for start in range(0, n_draws, rows):
            signs = _random_signs(generator, min(rows, n_draws - start), n)
            as_large += np.sum(np.abs(signs @ together) >= least, axis=0)
        for which, count in zip(members, as_large, strict=True):
            smallest = max(min(1.0, 2.0 ** (1 - n)), 1 / (n_draws + 1))
            found[which] = (int(count) + 1) / (n_draws + 1), smallest
    return found


def _random_signs(generator, n_draws, n):
    """Return ``generator.choice([-1.0, 1.0], size=(n_draws, n))`` in a third of its time."""
    size = n_draws * n
    numbers = generator.integers(2**64 - 1, size=-(-size // 2), dtype=np.uint64, endpoint=True)
    signs = (numbers.astype("<u8", copy=False).view("<u4")[:size] >> 31).astype(float)
    signs *= 2
    signs -= 1
    return signs.reshape(n_draws, n)


def _least(parts):
    """Return the smallest sum that is as large as that of `parts`, with a margin for rounding."""
    return abs(parts.sum()) - 1e-12


def _contributions(first: Statistic, second: Statistic) -> np.ndarray:
    """Return the contribution of each cluster to the difference, which is their sum."""
    if (
        isinstance(first, RatioStatistic)
        and isinstance(second, RatioStatistic)
        and np.array_equal(first.B, second.B)
    ):
        return ((first.A - second.A) / first.B.sum(axis=0)) @ first.weights
    # With other denominators, or none: the linear part, and equal shares of the remainder.
    parts = first.influence - second.influence
    return parts + (first.estimate - second.estimate - parts.sum()) / len(parts)


def _magnitude(first: pd.Series | np.ndarray, second: pd.Series | np.ndarray) -> float:
    """Return the largest absolute value, the unit of rounding errors; 1 if there is none."""
    values = np.abs(np.concatenate([first, second]))
    return float(np.max(values, where=np.isfinite(values), initial=0.0)) or 1.0


def signed_ranks(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the ranks of absolute differences, with their signs, without zeros and NaN."""
    differences = (first - second) / _magnitude(first, second)
    differences = np.round(differences[~np.isnan(differences)], 12)  # equal shares tie
    differences = differences[differences != 0]
    return np.sign(differences) * stats.rankdata(np.abs(differences))


def _t(magnitude: float, difference: float, influence: np.ndarray, group: np.ndarray) -> float:
    error, df = standard_error(influence, group)
    if error <= 1e-12 * magnitude:  # each cluster has the same difference
        return 1.0 if abs(difference) <= 1e-12 * magnitude else 0.0
    return 2 * stats.t.sf(abs(difference) / error, df)


def _mcnemar(rows: ClusterRows, pair: tuple[int, int]) -> tuple[float, float]:
    """Return the p-value and the smallest possible one."""
    correct = []
    for y_pred in (rows.predictions[which] for which in pair):
        y_pred = y_pred.reshape(len(rows.y_true), -1)
        if y_pred.shape[1] != 1:
            raise MetadataError(
                f"method='mcnemar' compares one prediction per utterance, but got "
                f"{y_pred.shape[1]} columns (seeds). Pass one seed, or use method='sign-flip', "
                f"which averages seeds."
            )
        correct.append(np.asarray(y_pred[:, 0] == rows.y_true, dtype=bool))
    only_first, only_second = (int(np.sum(a & ~b)) for a, b in (correct, correct[::-1]))
    n = only_first + only_second
    if not n:
        return 1.0, 1.0
    return stats.binomtest(only_first, n).pvalue, min(1.0, 2.0 ** (1 - n))


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class CriticalDifference:
    """Data of a critical-difference diagram, as returned by :func:`critical_difference`.

    Parameters
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
        p = _wilcoxon_holm(table[average.index].to_numpy(), random_state)
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


def _wilcoxon_holm(values: np.ndarray, random_state) -> np.ndarray:
    """Return the corrected p-value of each pair of columns, 1 on the diagonal."""
    first, second = np.triu_indices(values.shape[1], 1)
    ranks = [signed_ranks(values[:, i], values[:, j]) for i, j in zip(first, second, strict=True)]
    uncorrected = [p for p, _ in sign_flips(ranks, 2**14, random_state)]
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

    Parameters
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
    r"""Test repeated folds with common training samples by the corrected resampled t test.

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
