"""Paired tests of two estimators on the same utterances."""

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
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class PairedTest:
    """Difference of two estimators with its p-value, as returned by :func:`paired_test`.

    Attributes
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
    r"""Paired test of the difference of two estimators on the same utterances.

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
    if method == "mcnemar":
        metric, average = "war", "rows"
    rows = cluster_rows(y_true, [y_pred_a, y_pred_b], clusters, strata, metric, labels)
    first, second = (statistic(rows, which, average) for which in (0, 1))
    own = pd.DataFrame({name: own_values(rows, which) for which, name in enumerate("ab")})
    own["difference"] = own["a"] - own["b"]
    difference = first.estimate - second.estimate
    influence = first.influence - second.influence
    low = high = float("nan")
    if not any(why_no_interval(rows, score, min_clusters) for score in (first, second)):
        low, high = t_interval(difference, influence, first.group, confidence)
    generator = np.random.default_rng(random_state)
    described = population(unit)
    if method == "mcnemar":
        difference, p, smallest = _mcnemar(rows)
        described = f"{unit}s, utterances assumed independent"
    elif method == "t":
        p, smallest = _t(difference, influence, first.group), 0.0
    else:
        if method == "wilcoxon":
            parts = signed_ranks(own["difference"].to_numpy())
        else:
            parts = _contributions(first, second)
        p, smallest = sign_flip(parts, n_draws, generator)
    return PairedTest(
        difference=float(difference),
        p_value=float(p),
        low=float(low),
        high=float(high),
        confidence=confidence,
        smallest_p=float(smallest),
        n_clusters=rows.n_clusters,
        method=method,
        population=described,
        values=own,
    )


def sign_flip(
    parts: np.ndarray, n_draws: int, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the share of sign changes with a sum as large as that of `parts`, and the smallest.

    All combinations of signs are used (half of them: the test is two-sided) unless there are more
    than `n_draws`.
    """
    if np.isnan(parts).any():
        return float("nan"), float("nan")
    n = len(parts)
    smallest = min(1.0, 2.0 ** (1 - n))
    observed = abs(parts.sum()) - 1e-12
    moving = parts[parts != 0]
    if 2.0 ** (len(moving) - 1) <= n_draws:
        k = max(len(moving) - 1, 0)
        signs = 1.0 - 2.0 * ((np.arange(2**k)[:, None] >> np.arange(k)) & 1)
        sums = signs @ moving[1:] + moving[0] if len(moving) else np.zeros(1)
        return float(np.mean(np.abs(sums) >= observed)), smallest
    signs = generator.choice([-1.0, 1.0], size=(n_draws, n))
    as_large = int(np.sum(np.abs(signs @ parts) >= observed))
    return (as_large + 1) / (n_draws + 1), max(smallest, 1 / (n_draws + 1))


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


def signed_ranks(differences: np.ndarray) -> np.ndarray:
    """Return the ranks of absolute differences, with their signs, without zeros and NaN."""
    differences = np.round(differences[~np.isnan(differences)], 12)  # equal shares tie
    differences = differences[differences != 0]
    return np.sign(differences) * stats.rankdata(np.abs(differences))


def _t(difference: float, influence: np.ndarray, group: np.ndarray) -> float:
    error, df = standard_error(influence, group)
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * stats.t.sf(abs(difference) / error, df)


def _mcnemar(rows: ClusterRows) -> tuple[float, float, float]:
    """Return difference of accuracies, p-value, and the smallest possible p-value."""
    correct = []
    for y_pred in rows.predictions:
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
        return 0.0, 1.0, 1.0
    p = stats.binomtest(only_first, n).pvalue
    return (only_first - only_second) / len(rows.y_true), p, min(1.0, 2.0 ** (1 - n))
