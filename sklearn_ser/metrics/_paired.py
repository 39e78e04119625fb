"""Paired tests of two estimators on the same utterances."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._cluster_statistics import (
    RatioStatistic,
    cluster_rows,
    own_values,
    standard_error,
    statistic,
)
from sklearn_ser.metrics._intervals import MIN_CLUSTERS, population, t_interval, why_no_interval
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.metrics")
@dataclass(frozen=True)
class PairedTest:
    """The difference of two estimators and whether it may be chance; made by :func:`paired_test`.

    Attributes
    ----------
    difference : float
        Score of the first minus score of the second.
    p_value : float
        Two-sided.
    low, high : float
        Interval of the difference by t over clusters; NaN with few clusters, or where the
        clusters of a stratum are single.
    confidence : float
    smallest_p : float
        The smallest p that so many clusters (for "mcnemar": discordant utterances) can reach;
        0 for "t". Above .05 no difference can be significant, however large.
    n_clusters : int
    method : str
    population : str
        What the test speaks of: "speakers of these corpora", "corpora", or "utterances".
    values : DataFrame
        The scores within each cluster: ``a``, ``b``, ``difference``.
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

    def __str__(self):
        interval = "" if np.isnan(self.low) else f" [{self.low:+.3f}, {self.high:+.3f}]"
        text = (
            f"{self.difference:+.3f}{interval}, p = {self.p_value:.3g} ({self.method}, "
            f"{self.n_clusters} {self.population})"
        )
        if self.smallest_p > 0.05:
            text += f"; no p below {self.smallest_p:.3g} with so few"
        return text


@public_module("sklearn_ser.metrics")
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
    truth,
    prediction_a,
    prediction_b,
    clusters,
    *,
    method="sign-flip",
    metric="uar",
    strata=None,
    average="rows",
    labels=None,
    unit="speaker",
    confidence=0.95,
    min_clusters=MIN_CLUSTERS,
    n_draws=20000,
    random_state=0,
):
    r"""Is the difference of two estimators on the same utterances more than chance?

    Parameters
    ----------
    truth : array-like of shape (n_samples,)
        True classes or values. Rows without (None, NaN) are left out.
    prediction_a, prediction_b : array-like of shape (n_samples,) or (n_samples, n_columns)
        As for :func:`cluster_interval`. The two may have different numbers of seeds, which are
        averaged within the clusters: more seeds make no more speakers.
    clusters : array-like of shape (n_samples,)
        The speaker (or corpus) of each row.
    method : {"sign-flip", "wilcoxon", "t", "mcnemar"}, default="sign-flip"
        - "sign-flip": what each cluster adds to the difference is as likely to have the other
          sign, if the estimators are alike [1]_. All signs where there are at most `n_draws`
          different sums, `n_draws` random ones otherwise.
        - "wilcoxon": signed-rank test over the clusters' own differences, each cluster counting
          the same whatever its size; exact, with ties at their mean rank, as "sign-flip" is.
          Clusters without a difference, or without a score, are left out.
        - "t": difference over its standard error over clusters, t distribution with G - 1
          degrees of freedom (Satterthwaite's with `strata`).
        - "mcnemar": exact test of the utterances that one of the two has right [2]_. **It takes
          utterances as independent**, which those of one speaker are not: p is too small, as
          ``benchmarks/RESULTS.md`` shows; it is here to be compared with. It compares accuracy,
          whatever the metric, and one prediction per utterance: no seeds.
    metric, strata, average, labels, unit
        As for :func:`cluster_interval`.
    confidence : float, default=0.95
        Of the interval of the difference.
    min_clusters : int, default=8
        With fewer clusters the difference has no interval. The p-value is given in any case.
    n_draws : int, default=20000
    random_state : int, numpy.random.Generator or None, default=0
        Of the random signs.

    Returns
    -------
    PairedTest

    Raises
    ------
    MetadataError
        If lengths differ, a row has no cluster, or "mcnemar" is given several seeds.

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
    >>> truth = np.tile(["anger", "sadness"], 100)
    >>> better = np.where(rng.random(200) < 0.8, truth, "neutral")
    >>> worse = np.where(rng.random(200) < 0.6, truth, "neutral")
    >>> print(paired_test(truth, better, worse, speaker))
    +0.150 [+0.023, +0.277], p = 0.0352 (sign-flip, 10 speakers of these corpora)
    >>> few = speaker < 4
    >>> print(paired_test(truth[few], better[few], worse[few], speaker[few]))
    +0.250, p = 0.125 (sign-flip, 4 speakers of these corpora); no p below 0.125 with so few
    """
    if method == "mcnemar":
        metric, average = "war", "rows"
    rows = cluster_rows(truth, [prediction_a, prediction_b], clusters, strata, metric, labels)
    first, second = (statistic(rows, which, average) for which in (0, 1))
    own = pd.DataFrame({name: own_values(rows, which) for which, name in enumerate("ab")})
    own["difference"] = own["a"] - own["b"]
    difference = first.estimate - second.estimate
    influence = first.influence - second.influence
    low = high = float("nan")
    if not any(why_no_interval(rows, found, min_clusters) for found in (first, second)):
        low, high = t_interval(difference, influence, first.group, confidence)
    generator = np.random.default_rng(random_state)
    words = population(unit)
    if method == "mcnemar":
        difference, p, smallest = _mcnemar(rows)
        words = f"{unit}s, utterances taken as independent"
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
        population=words,
        values=own,
    )


def sign_flip(parts, n_draws, generator):
    """Share of sign changes that make the sum of `parts` as large, and the smallest possible.

    Parameters
    ----------
    parts : ndarray of shape (n_clusters,)
    n_draws : int
        All signs are tried where there are no more (half of them: the test is two-sided).
    generator : numpy.random.Generator

    Returns
    -------
    p, smallest : float
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


def _contributions(first, second):
    """What each cluster adds to the difference; the parts sum to it."""
    if isinstance(first, RatioStatistic) and np.array_equal(first.B, second.B):
        return ((first.A - second.A) / first.B.sum(axis=0)) @ first.weights
    # Where denominators differ or are not known: the linear part, the rest shared evenly.
    parts = first.influence - second.influence
    return parts + (first.estimate - second.estimate - parts.sum()) / len(parts)


def signed_ranks(differences):
    """Ranks of the sizes, with the signs of the differences; none of zeros or NaN."""
    differences = np.round(differences[~np.isnan(differences)], 12)  # equal shares tie
    differences = differences[differences != 0]
    return np.sign(differences) * stats.rankdata(np.abs(differences))


def _t(difference, influence, group):
    error, df = standard_error(influence, group)
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * stats.t.sf(abs(difference) / error, df)


def _mcnemar(rows):
    """Difference of accuracies, p, and the smallest p that so many discordant rows can reach."""
    right = []
    for predicted in rows.predictions:
        predicted = predicted.reshape(len(rows.truth), -1)
        if predicted.shape[1] != 1:
            raise MetadataError(
                f"'mcnemar' compares one prediction per utterance, got {predicted.shape[1]} "
                f"columns (seeds): take one seed, or method='sign-flip', which averages them."
            )
        right.append(np.asarray(predicted[:, 0] == rows.truth, dtype=bool))
    only_first, only_second = (int(np.sum(a & ~b)) for a, b in (right, right[::-1]))
    n = only_first + only_second
    if not n:
        return 0.0, 1.0, 1.0
    p = stats.binomtest(only_first, n).pvalue
    return (only_first - only_second) / len(rows.truth), p, min(1.0, 2.0 ** (1 - n))
