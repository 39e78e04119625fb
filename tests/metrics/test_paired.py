"""Paired tests compared with loops over all signs and with scipy's tests; few speakers."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import (
    cluster_interval,
    concordance_cc,
    macro_auc_score,
    macro_f1_score,
    paired_test,
    uar_score,
    war_score,
)
from sklearn_ser.metrics._significance import _random_signs

EMOTIONS = np.array(["anger", "neutral", "sadness"], dtype=object)


def case(n_speakers=8, seed=0, gain=0.1):
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(n_speakers), rng.integers(6, 25, size=n_speakers))
    y_true = EMOTIONS[rng.integers(3, size=len(speaker))]
    skill = rng.uniform(0.3, 0.8, size=n_speakers)[speaker]
    first, second = (
        np.where(rng.random(len(speaker)) < skill + more, y_true, "none") for more in (gain, 0)
    )
    return y_true, first, second, speaker


def swapped(function, y_true, first, second, speaker):
    """Compute p of a permutation test that swaps the predictions of whole speakers."""
    names = np.unique(speaker)

    def difference(swap):
        other = np.isin(speaker, names[np.asarray(swap)])
        a, b = np.where(other, second, first), np.where(other, first, second)
        return function(y_true, a) - function(y_true, b)

    every = [difference(swap) for swap in itertools.product([False, True], repeat=len(names))]
    return every[0], np.mean(np.abs(every) >= abs(every[0]) - 1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("metric", "function"), [("uar", uar_score), ("war", war_score)])
def test_sign_flip_swaps_the_predictions_of_whole_speakers(metric, function, seed):
    y_true, first, second, speaker = case(seed=seed)
    found = paired_test(y_true, first, second, speaker, metric=metric)
    expected = swapped(function, y_true, first, second, speaker)
    assert (found.difference, found.p_value) == pytest.approx(expected)
    assert found.smallest_p == 2 / 2**8
    assert found.population == "speakers of these corpora"
    back = paired_test(y_true, second, first, speaker, metric=metric)
    assert (back.difference, back.p_value) == pytest.approx((-found.difference, found.p_value))


def test_random_signs_come_close_to_all_signs():
    y_true, first, second, speaker = case(n_speakers=13, seed=4)
    every = paired_test(y_true, first, second, speaker)
    some = paired_test(y_true, first, second, speaker, n_draws=4000)
    assert some.p_value != every.p_value
    assert some.p_value == pytest.approx(every.p_value, abs=0.03)
    assert some.smallest_p == 1 / 4001
    assert every.smallest_p == 2 / 2**13
    assert paired_test(y_true, first, second, speaker, n_draws=4000).p_value == some.p_value
    other = paired_test(y_true, first, second, speaker, n_draws=4000, random_state=1)
    assert other.p_value != some.p_value


@pytest.mark.parametrize("n_speakers", [4, 5, 6])
def test_smallest_possible_p_with_few_speakers(n_speakers):
    y_true = np.array(["a", "b"] * 10 * n_speakers, dtype=object)
    speaker = np.repeat(np.arange(n_speakers), 20)
    found = paired_test(y_true, y_true, np.full(len(y_true), "a"), speaker)
    assert found.difference == 0.5
    assert found.p_value == found.smallest_p == 2 / 2**n_speakers
    assert np.isnan(found.low)
    assert ("smallest possible p" in str(found)) == (n_speakers < 6)
    assert found.values["difference"].tolist() == [0.5] * n_speakers


def test_seeds_are_averaged_and_may_differ_in_number():
    y_true, first, second, speaker = case()
    once = paired_test(y_true, first, second, speaker)
    for method in ("sign-flip", "wilcoxon", "t"):
        once = paired_test(y_true, first, second, speaker, method=method)
        often = paired_test(y_true, np.c_[first, first, first], second, speaker, method=method)
        assert often.p_value == pytest.approx(once.p_value)
        assert often.difference == pytest.approx(once.difference)
    both = paired_test(y_true, np.c_[first, np.roll(first, 1)], second, speaker)
    means = [uar_score(y_true, first), uar_score(y_true, np.roll(first, 1))]
    assert both.difference == pytest.approx(np.mean(means) - uar_score(y_true, second))


def test_wilcoxon_is_scipys_over_speakers():
    y_true, first, second, speaker = case(n_speakers=9, seed=0)
    found = paired_test(y_true, first, second, speaker, method="wilcoxon")
    own = np.array(
        [
            [uar_score(y_true[speaker == s], y_pred[speaker == s]) for s in range(9)]
            for y_pred in (first, second)
        ]
    )
    np.testing.assert_allclose(found.values[["a", "b"]].to_numpy().T, own)
    d = own[0] - own[1]
    assert len(np.unique(np.abs(d).round(12))) == 9  # no ties: scipy's exact p
    assert found.p_value == pytest.approx(stats.wilcoxon(d, method="exact").pvalue)


def test_wilcoxon_with_ties_and_zeros_uses_all_signs():
    # Speakers of two utterances: differences of 0, 1/2 and 1 only.
    speaker, y_true = np.repeat(np.arange(6), 2), np.array(["a"] * 12, dtype=object)
    first, second = y_true.copy(), y_true.copy()
    second[[0, 2, 4, 5]] = "b"  # +1/2, +1/2, +1
    first[6] = "b"  # -1/2
    found = paired_test(y_true, first, second, speaker, method="wilcoxon")
    ranks = np.array([2, 2, 4, -2])  # the two without a difference are left out
    sums = [abs(np.abs(ranks) @ s) for s in itertools.product([-1, 1], repeat=4)]
    assert found.p_value == pytest.approx(np.mean(np.array(sums) >= ranks.sum()))
    assert found.smallest_p == 2 / 2**4


@pytest.mark.parametrize("metric", ["uar", "macro_f1", "war"])
def test_t_is_the_jackknife_of_the_difference(metric):
    function = {"uar": uar_score, "macro_f1": macro_f1_score, "war": war_score}[metric]
    y_true, first, second, speaker = case()
    found = paired_test(y_true, first, second, speaker, method="t", metric=metric)

    def difference(rows):
        return function(y_true[rows], first[rows]) - function(y_true[rows], second[rows])

    without = np.array([difference(speaker != s) for s in range(8)])
    error = np.sqrt(7 / 8 * np.sum((without - without.mean()) ** 2))
    t = difference(speaker >= 0) / error
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), 7))
    half = stats.t.ppf(0.975, 7) * error
    assert (found.low, found.high) == pytest.approx((t * error - half, t * error + half))
    assert found.smallest_p == 0.0


def test_mcnemar_is_the_exact_binomial_test_of_utterances():
    y_true, first, second, speaker = case()
    found = paired_test(y_true, first, second, speaker, method="mcnemar")
    right, other = first == y_true, second == y_true
    only = np.sum(right & ~other), np.sum(other & ~right)
    assert found.p_value == stats.binomtest(int(only[0]), int(sum(only))).pvalue
    assert found.difference == pytest.approx(war_score(y_true, first) - war_score(y_true, second))
    assert found.smallest_p == 2.0 ** (1 - sum(only))
    assert "utterances assumed independent" in str(found)
    with pytest.raises(MetadataError, match=r"'mcnemar' compares .* got 2 columns \(seeds\)"):
        paired_test(y_true, np.c_[first, first], second, speaker, method="mcnemar")


def test_equal_estimators_have_p_1():
    y_true, first, _, speaker = case()
    for method in ("sign-flip", "wilcoxon", "t", "mcnemar"):
        found = paired_test(y_true, first, first, speaker, method=method)
        assert (found.difference, found.p_value) == (0, 1)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("method", ["sign-flip", "wilcoxon", "t", "mcnemar"])
def test_a_missing_prediction_is_wrong(method, missing):
    y_true, first, second, speaker = case()
    failed = np.where(first == "none", missing, first)
    found = paired_test(y_true, pd.Series(failed, dtype=object), second, speaker, method=method)
    expected = paired_test(y_true, first, second, speaker, method=method)
    assert (found.difference, found.p_value) == (expected.difference, expected.p_value)


def test_corpora_count_the_same():
    y_true, first, second, speaker = case(n_speakers=7)
    corpus = np.where(speaker < 3, "x", "y")
    found = paired_test(y_true, first, second, speaker, strata=corpus)

    def mean(t, p):
        return np.mean([uar_score(t[corpus == c], p[corpus == c]) for c in "xy"])

    expected = swapped(mean, y_true, first, second, speaker)
    assert (found.difference, found.p_value) == pytest.approx(expected)
    of_each = [
        cluster_interval(y_true, y_pred, speaker, strata=corpus).estimate
        for y_pred in (first, second)
    ]
    assert found.difference == pytest.approx(of_each[0] - of_each[1])


def test_corpora_as_clusters():
    y_true, first, second, speaker = case(n_speakers=24, seed=3)
    corpus = speaker % 6
    found = paired_test(
        y_true, first, second, corpus, method="t", average="clusters", unit="corpus"
    )
    own = [
        [uar_score(y_true[corpus == c], y_pred[corpus == c]) for c in range(6)]
        for y_pred in (first, second)
    ]
    assert found.p_value == pytest.approx(stats.ttest_rel(*own).pvalue)
    assert found.population == "corpora"


def test_other_metrics():
    y_true, first, second, speaker = case()
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=len(y_true))
    good, bad = numbers + rng.normal(size=(2, len(y_true))) * [[0.3], [3]]
    found = paired_test(numbers, good, bad, speaker, metric="ccc")
    expected = concordance_cc(numbers, good) - concordance_cc(numbers, bad)
    assert found.difference == pytest.approx(expected)
    assert found.p_value < 0.02
    close = paired_test(numbers, good, bad, speaker, metric="mae")
    assert close.difference < 0
    assert close.p_value == 2 / 2**8
    sharp = np.eye(3)[rng.integers(3, size=len(y_true))] * 0.4 + 0.2
    flat = np.full((len(y_true), 3), 1 / 3)
    found = paired_test(y_true, sharp, flat, speaker, metric="auc")
    assert found.difference == pytest.approx(macro_auc_score(y_true, sharp, labels=EMOTIONS) - 0.5)
    # Macro F1 has different denominators for each estimator: close to swapping.
    found = paired_test(y_true, first, second, speaker, metric="macro_f1")
    expected = swapped(macro_f1_score, y_true, first, second, speaker)
    assert found.difference == pytest.approx(expected[0])
    assert found.p_value == pytest.approx(expected[1], abs=0.03)


@pytest.mark.parametrize("method", ["sign-flip", "wilcoxon", "t"])
@pytest.mark.parametrize("n_speakers", [5, 10, 20])  # all signs, and random ones
def test_p_does_not_depend_on_the_unit_of_an_error(method, n_speakers):
    rng = np.random.default_rng(0)
    y_true, first, second = rng.normal(size=(3, 10 * n_speakers)) * [[1], [0.2], [0.5]]
    speaker = np.repeat(np.arange(n_speakers), 10)

    def p(unit):
        errors = (y_true * unit, (y_true + first) * unit, (y_true + second) * unit)
        return paired_test(*errors, speaker, metric="mae", method=method).p_value

    assert 0 < p(1.0) < 0.1
    for unit in (1e-18, 1e-9, 1000.0, 1e6, 1e15):
        assert p(unit) == pytest.approx(p(1.0))


@pytest.mark.parametrize("method", ["sign-flip", "wilcoxon", "t"])
@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e15])
def test_rounding_is_no_difference(method, unit):
    rng = np.random.default_rng(0)
    y_true, *seeds = rng.normal(size=(6, 90)) * unit
    one, other = np.column_stack(seeds), np.column_stack(seeds[::-1])
    found = paired_test(y_true, one, other, np.arange(90) // 9, metric="mae", method=method)
    assert 0 < np.abs(found.values["difference"]).max() < 1e-12 * unit  # of sums in another order
    assert found.p_value == 1


def test_rate_of_false_positives():
    """The rate is .05 for estimators that are better for some speakers; McNemar's is higher."""
    rng = np.random.default_rng(0)
    found = {"sign-flip": [], "mcnemar": []}
    for _ in range(150):
        speaker = np.repeat(np.arange(10), 30)
        y_true = EMOTIONS[rng.integers(2, size=300)]
        lead = rng.normal(0, 0.15, size=10)[speaker]
        y_pred = [np.where(rng.random(300) < 0.6 + sign * lead, y_true, "x") for sign in (1, -1)]
        for method, values in found.items():
            values.append(paired_test(y_true, *y_pred, speaker, method=method).p_value < 0.05)
    assert np.mean(found["sign-flip"]) < 0.1
    assert np.mean(found["mcnemar"]) > 0.2


def test_errors():
    with pytest.raises(MetadataError, match="y_pred_b has 1 samples, but y_true has 2"):
        paired_test(["a", "b"], ["a", "b"], ["a"], ["s", "t"])
    with pytest.raises(InvalidParameterError, match="'method' parameter"):
        paired_test(["a", "b"], ["a", "b"], ["a", "b"], ["s", "t"], method="z")


@pytest.mark.parametrize("method", ["sign-flip", "wilcoxon", "t", "mcnemar"])
@pytest.mark.parametrize("n_speakers", [1024, 1025, 1100])
def test_more_than_a_thousand_speakers(method, n_speakers):
    rng = np.random.default_rng(0)
    y_true = np.tile(["a", "b"], n_speakers)
    better, worse = (np.where(rng.random(2 * n_speakers) < p, y_true, "a") for p in (0.6, 0.3))
    speaker = np.repeat(np.arange(n_speakers), 2)
    test = paired_test(y_true, better, worse, speaker, method=method, n_draws=500)
    assert 0 <= test.p_value < 0.01
    assert test.low > 0
    same = paired_test(y_true, better, better, speaker, method=method, n_draws=500)
    assert (same.difference, same.p_value) == (0, 1)


def test_random_signs_are_those_of_choice():
    for n in (17, 1000, 2**19 + 1):  # odd and even numbers; more clusters than fit into one piece
        expected = np.random.default_rng(3).choice([-1.0, 1.0], size=(6, n))
        generator = np.random.default_rng(3)
        pieces = [_random_signs(generator, size, n) for size in (2, 2, 2)]
        np.testing.assert_array_equal(np.concatenate(pieces), expected)
