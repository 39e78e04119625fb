"""Intervals over clusters compared with loops that leave out and draw speakers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import (
    cluster_interval,
    concordance_cc,
    macro_auc_score,
    macro_f1_score,
    multiclass_brier_score,
    uar_score,
    war_score,
)
from sklearn_ser.metrics._intervals import _draw_counts

EMOTIONS = np.array(["anger", "neutral", "sadness"], dtype=object)
FUNCTIONS = {"uar": uar_score, "war": war_score, "macro_f1": macro_f1_score}


def case(n_speakers=9, seed=0):
    """Make speakers with different numbers of utterances and different recalls."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(n_speakers), rng.integers(6, 25, size=n_speakers))
    y_true = EMOTIONS[rng.integers(3, size=len(speaker))]
    skill = rng.uniform(0.3, 0.8, size=n_speakers)[speaker]
    y_pred = np.where(
        rng.random(len(speaker)) < skill, y_true, EMOTIONS[rng.integers(3, size=len(speaker))]
    )
    return y_true, y_pred, speaker


def leave_one_out(function, speaker):
    """Compute the jackknife interval of a function of a mask of samples."""
    full = np.ones(len(speaker), dtype=bool)
    without = np.array([function(speaker != s) for s in np.unique(speaker)])
    n = len(without)
    error = np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
    half = stats.t.ppf(0.975, n - 1) * error
    return function(full), function(full) - half, function(full) + half


@pytest.mark.parametrize("metric", FUNCTIONS)
def test_t_leaves_one_speaker_out(metric):
    y_true, y_pred, speaker = case()
    function = FUNCTIONS[metric]
    expected = leave_one_out(lambda rows: function(y_true[rows], y_pred[rows]), speaker)
    found = cluster_interval(y_true, y_pred, speaker, metric=metric)
    assert (found.estimate, found.low, found.high) == pytest.approx(expected)
    # The same by the loop for custom metrics.
    found = cluster_interval(y_true, y_pred, speaker, metric=lambda t, p: function(t, p))
    assert (found.estimate, found.low, found.high) == pytest.approx(expected)


def test_t_of_numbers_and_probabilities():
    rng = np.random.default_rng(0)
    _, _, speaker = case()
    y_true = rng.normal(size=len(speaker))
    y_pred = y_true + rng.normal(size=len(speaker)) + rng.normal(size=9)[speaker]
    for metric, function in {"ccc": concordance_cc, "mae": mean_absolute_error}.items():
        expected = leave_one_out(lambda rows, f=function: f(y_true[rows], y_pred[rows]), speaker)
        found = cluster_interval(y_true, y_pred, speaker, metric=metric)
        assert (found.estimate, found.low, found.high) == pytest.approx(expected)
    y_true, _, speaker = case()
    probabilities = rng.dirichlet(np.ones(3), size=len(speaker))
    probabilities[::9] = np.nan  # failed audio
    for metric, function in {"auc": macro_auc_score, "brier": multiclass_brier_score}.items():
        expected = leave_one_out(
            lambda rows, f=function: f(y_true[rows], probabilities[rows], labels=EMOTIONS), speaker
        )
        found = cluster_interval(y_true, probabilities, speaker, metric=metric)
        assert (found.estimate, found.low, found.high) == pytest.approx(expected)
        assert found.values[3] == pytest.approx(
            function(y_true[speaker == 3], probabilities[speaker == 3], labels=EMOTIONS)
        )


def test_even_speakers_of_one_class_have_the_textbook_interval():
    y_true = np.array(["a"] * 50, dtype=object)
    recalls = np.array([3, 4, 2, 5, 1, 3, 4, 4, 2, 3]) / 5
    y_pred = np.concatenate([["a"] * int(5 * r) + ["b"] * int(5 - 5 * r) for r in recalls])
    found = cluster_interval(y_true, y_pred, np.repeat(list("stuvwxyzab"), 5))
    expected = stats.ttest_1samp(recalls, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.values.to_dict() == pytest.approx(dict(zip("stuvwxyzab", recalls, strict=True)))


@pytest.mark.parametrize("method", ["t", "bootstrap-t", "percentile"])
def test_seeds_are_averaged_and_do_not_count_as_speakers(method):
    y_true, y_pred, speaker = case()
    once = cluster_interval(y_true, y_pred, speaker, method=method)
    often = cluster_interval(y_true, np.c_[y_pred, y_pred, y_pred], speaker, method=method)
    assert (often.estimate, often.low, often.high) == pytest.approx(
        (once.estimate, once.low, once.high)
    )
    other = np.roll(y_pred, 1)
    both = cluster_interval(y_true, np.c_[y_pred, other], speaker)
    means = [uar_score(y_true, y_pred), uar_score(y_true, other)]
    assert both.estimate == pytest.approx(np.mean(means))
    mine = speaker == 3
    own = [uar_score(y_true[mine], y_pred[mine]), uar_score(y_true[mine], other[mine])]
    assert both.values[3] == pytest.approx(np.mean(own))


def test_strata_count_the_same_and_speakers_are_left_out_within_them():
    y_true, y_pred, speaker = case(n_speakers=11)
    corpus = np.where(speaker < 4, "x", "y")
    found = cluster_interval(y_true, y_pred, speaker, strata=corpus)
    variances, dfs, means = [], [], []
    for name in "xy":
        inside = corpus == name
        t, p, s = y_true[inside], y_pred[inside], speaker[inside]
        without = np.array([uar_score(t[s != one], p[s != one]) for one in np.unique(s)])
        n = len(without)
        variances.append((n - 1) / n * np.sum((without - without.mean()) ** 2) / 4)
        dfs.append(n - 1)
        means.append(uar_score(t, p))
    v = np.array(variances)
    df = v.sum() ** 2 / np.sum(v**2 / dfs)  # Satterthwaite
    half = stats.t.ppf(0.975, df) * np.sqrt(v.sum())
    assert found.estimate == pytest.approx(np.mean(means))
    assert (found.low, found.high) == pytest.approx((np.mean(means) - half, np.mean(means) + half))
    # By the loop for custom metrics.
    loop = cluster_interval(
        y_true, y_pred, speaker, strata=corpus,
        metric=lambda t, p: uar_score(t, p),
    )  # fmt: skip
    assert (loop.low, loop.high) == pytest.approx((found.low, found.high))
    assert loop.n_clusters == 11


@pytest.mark.parametrize("metric", ["uar", "macro_f1", lambda t, p: uar_score(t, p)])
def test_a_speaker_in_several_strata_is_one_speaker(metric):
    """A speaker tested after training on two corpora does not reduce the standard error."""
    y_true, y_pred, speaker = case()
    once = cluster_interval(y_true, y_pred, speaker, metric=metric)
    twice = cluster_interval(
        np.tile(y_true, 2),
        np.tile(y_pred, 2),
        np.tile(speaker, 2),
        strata=np.repeat(["x", "y"], len(y_true)),
        metric=metric,
    )
    assert twice.n_clusters == 9
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    np.testing.assert_allclose(twice.values, once.values)


def test_corpora_as_clusters():
    y_true, y_pred, speaker = case(n_speakers=24)
    corpus = np.array([f"c{s % 8}" for s in speaker])
    found = cluster_interval(y_true, y_pred, corpus, average="clusters", unit="corpus")
    scores = [uar_score(y_true[corpus == c], y_pred[corpus == c]) for c in np.unique(corpus)]
    expected = stats.ttest_1samp(scores, 0).confidence_interval()
    assert found.estimate == pytest.approx(np.mean(scores))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.population == "corpora"
    assert str(found).endswith("(95%, t, 8 corpora)")


def test_bootstraps_draw_whole_speakers():
    y_true, y_pred, speaker = case()
    counts = _draw_counts(np.zeros(9, dtype=int), 300, 7)
    assert (counts.sum(axis=1) == 9).all()
    members = [np.flatnonzero(speaker == s) for s in range(9)]

    def linear_error(rows, who):
        t, hit = y_true[rows], y_pred[rows] == y_true[rows]
        parts = np.zeros(len(rows))
        for label in np.unique(t):
            of = t == label
            parts[of] = (hit[of] - hit[of].mean()) / of.sum() / len(np.unique(t))
        u = np.bincount(who, parts)
        return np.sqrt(len(u) / (len(u) - 1) * np.sum(u**2))

    estimate, error = uar_score(y_true, y_pred), linear_error(np.arange(len(y_true)), speaker)
    scores, students = [], []
    for draw in counts.astype(int):
        taken = np.repeat(np.arange(9), draw)
        rows = np.concatenate([members[s] for s in taken])
        who = np.concatenate([np.full(len(members[s]), i) for i, s in enumerate(taken)])
        scores.append(uar_score(y_true[rows], y_pred[rows]))
        students.append((scores[-1] - estimate) / linear_error(rows, who))
    options = {"n_draws": 300, "random_state": 7}
    found = cluster_interval(y_true, y_pred, speaker, method="percentile", **options)
    edges = np.quantile(scores, [0.025, 0.975], method="closest_observation")
    assert (found.low, found.high) == pytest.approx(tuple(edges))
    loop = cluster_interval(
        y_true, y_pred, speaker, method="percentile", metric=lambda t, p: uar_score(t, p), **options
    )
    assert (loop.low, loop.high) == pytest.approx(tuple(edges))
    found = cluster_interval(y_true, y_pred, speaker, method="bootstrap-t", **options)
    edges = np.quantile(students, [0.025, 0.975], method="closest_observation")
    assert found.low == pytest.approx(estimate - edges[1] * error)
    assert found.high == pytest.approx(estimate - edges[0] * error)
    again = cluster_interval(y_true, y_pred, speaker, method="bootstrap-t", **options)
    assert again.low == found.low


def test_few_clusters_have_values_and_no_interval():
    y_true, y_pred, speaker = case(n_speakers=7)
    found = cluster_interval(y_true, y_pred, speaker)
    assert np.isnan([found.low, found.high]).all()
    assert found.note == "7 clusters, fewer than 8"
    own = [uar_score(y_true[speaker == s], y_pred[speaker == s]) for s in range(7)]
    np.testing.assert_allclose(found.values, own)
    assert "no interval (7 clusters, fewer than 8); clusters: " in str(found)
    forced = cluster_interval(y_true, y_pred, speaker, min_clusters=2)
    assert forced.low < found.estimate < forced.high
    assert forced.note == ""
    assert np.isnan(cluster_interval(y_true, y_pred, np.zeros(len(y_true)), min_clusters=2).low)


def test_reasons_for_no_interval():
    y_true, y_pred, speaker = case()
    alone = np.where(speaker == 0, "x", "y")
    found = cluster_interval(y_true, y_pred, speaker, strata=alone)
    assert found.note == "no other cluster in the stratum of cluster 0"
    only = np.where((y_true == "anger") & (speaker > 0), "neutral", y_true)
    found = cluster_interval(only, y_pred, speaker)
    assert found.note == "a class that only one cluster has"
    assert found.estimate == pytest.approx(uar_score(only, y_pred))
    found = cluster_interval(y_true, y_pred, speaker, labels=[*EMOTIONS, "fear"])
    assert found.note == "the score is undefined"
    assert np.isnan(found.estimate)


def test_limits():
    y_true, _, speaker = case()
    found = cluster_interval(y_true, y_true, speaker)
    assert (found.estimate, found.low, found.high) == pytest.approx((1, 1, 1))
    nearly = y_true.copy()
    nearly[speaker == 4] = None
    for method in ("t", "bootstrap-t", "percentile"):
        found = cluster_interval(y_true, nearly, speaker, method=method)
        assert 0 <= found.low < found.estimate < found.high <= 1
        assert found.values[4] == 0.0


def test_unlabeled_samples_are_left_out():
    y_true, y_pred, speaker = case()
    holes = y_true.copy()
    holes[::5] = None
    kept = np.arange(len(y_true)) % 5 != 0
    found = cluster_interval(pd.Series(holes), pd.Series(y_pred), pd.Series(speaker))
    expected = cluster_interval(y_true[kept], y_pred[kept], speaker[kept])
    assert (found.low, found.high) == (expected.low, expected.high)


def test_coverage():
    """Coverage is close to .95 for clusters of speakers, and lower for those of utterances."""
    rng = np.random.default_rng(0)
    covered, of_utterances = [], []
    for _ in range(200):
        sizes = np.maximum(4, rng.lognormal(3, 0.7, 12).astype(int))
        speaker = np.repeat(np.arange(12), sizes)
        y_true = EMOTIONS[rng.integers(2, size=len(speaker))]
        skill = rng.beta(8, 4, size=(12, 2))[speaker, (y_true == "neutral").astype(int)]
        y_pred = np.where(rng.random(len(speaker)) < skill, y_true, "none")
        for clusters, inside in ((speaker, covered), (np.arange(len(y_true)), of_utterances)):
            found = cluster_interval(y_true, y_pred, clusters)
            inside.append(found.low <= 8 / 12 <= found.high)
    assert 0.9 < np.mean(covered) < 0.99
    assert np.mean(of_utterances) < 0.88


def test_errors():
    y_true, y_pred, speaker = case()
    with pytest.raises(ValueError, match="'bootstrap-t' needs a standard error"):
        cluster_interval(y_true, y_pred, speaker, metric=lambda t, p: 0.5, method="bootstrap-t")
    with pytest.raises(MetadataError, match="clusters has 1 samples, but y_true has 2"):
        cluster_interval(["a", "b"], ["a", "b"], ["s"])
    with pytest.raises(MetadataError, match=r"clusters is missing .* in sample 1 of"):
        cluster_interval(["a", "b"], ["a", "b"], ["s", None])
    with pytest.raises(MetadataError, match="y_true has strings and y_pred has numbers"):
        cluster_interval(["a", "b"], [0, 1], ["s", "t"])
    with pytest.raises(MetadataError, match=r"got an array of shape \(1, 1, 1\)"):
        cluster_interval(["a"], [[["a"]]], ["s"])
    with pytest.raises(InvalidParameterError, match="'method' parameter"):
        cluster_interval(y_true, y_pred, speaker, method="normal")


@pytest.mark.parametrize("y_true", [[], [None, None]])
def test_no_labeled_row_is_an_error(y_true):
    with pytest.raises(MetadataError, match="y_true has no labeled sample"):
        cluster_interval(y_true, ["anger"] * len(y_true), range(len(y_true)))


def test_many_clusters_are_left_out_in_blocks():
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(1000), 2)
    y_true = rng.normal(size=2000) + rng.normal(size=1000)[speaker]
    y_pred = y_true + rng.normal(size=2000) + rng.normal(size=1000)[speaker]
    n_samples = []

    def mean_error(y_true, y_pred):
        n_samples.append(len(y_true))
        return float(np.mean(np.abs(y_true - y_pred)))

    found = cluster_interval(y_true, y_pred, speaker, metric=mean_error)
    assert sum(n_samples) < 205 * 2000  # of all samples once per block, and of each speaker
    exact = cluster_interval(y_true, y_pred, speaker, metric="mae")
    assert found.estimate == pytest.approx(exact.estimate)
    assert found.high - found.low == pytest.approx(exact.high - exact.low, rel=0.15)
    strata = np.where(speaker < 10, "few", "many")
    assert np.isfinite(cluster_interval(y_true, y_pred, speaker, metric="ccc", strata=strata).low)
    alone = np.where(speaker < 1, "one", "many")
    note = cluster_interval(y_true, y_pred, speaker, metric="ccc", strata=alone).note
    assert note == "no other cluster in the stratum of cluster 0"


@pytest.mark.parametrize("method", ["t", "bootstrap-t", "percentile"])
@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_limits_scale_with_the_unit_of_an_error(method, unit):
    rng = np.random.default_rng(0)
    y_true, error = rng.normal(size=(2, 100))
    plain, scaled = (
        cluster_interval(
            y_true * by, (y_true + error) * by, np.arange(100) // 10, metric="mae", method=method
        )
        for by in (1.0, unit)
    )
    assert plain.low < plain.estimate < plain.high
    expected = np.array([plain.estimate, plain.low, plain.high]) * unit
    np.testing.assert_allclose([scaled.estimate, scaled.low, scaled.high], expected, rtol=1e-9)
