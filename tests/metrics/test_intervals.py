"""Intervals over clusters against loops that leave out and draw speakers, and their limits."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import (
    auc_score,
    brier_score,
    cluster_interval,
    concordance_cc,
    macro_f1_score,
    mean_absolute_error,
    uar_score,
    war_score,
)
from sklearn_ser.metrics._intervals import _draws

EMOTIONS = np.array(["anger", "neutral", "sadness"], dtype=object)
FUNCTIONS = {"uar": uar_score, "war": war_score, "macro_f1": macro_f1_score}


def case(n_speakers=9, seed=0):
    """Uneven speakers who differ in how well they are recognized."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(n_speakers), rng.integers(6, 25, size=n_speakers))
    truth = EMOTIONS[rng.integers(3, size=len(speaker))]
    skill = rng.uniform(0.3, 0.8, size=n_speakers)[speaker]
    said = np.where(
        rng.random(len(speaker)) < skill, truth, EMOTIONS[rng.integers(3, size=len(speaker))]
    )
    return truth, said, speaker


def leave_one_out(function, speaker):
    """Jackknife interval of `function` of a mask of rows, written out."""
    full = np.ones(len(speaker), dtype=bool)
    without = np.array([function(speaker != s) for s in np.unique(speaker)])
    n = len(without)
    error = np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
    half = stats.t.ppf(0.975, n - 1) * error
    return function(full), function(full) - half, function(full) + half


@pytest.mark.parametrize("metric", FUNCTIONS)
def test_t_leaves_one_speaker_out(metric):
    truth, said, speaker = case()
    function = FUNCTIONS[metric]
    expected = leave_one_out(lambda rows: function(truth[rows], said[rows]), speaker)
    found = cluster_interval(truth, said, speaker, metric=metric)
    assert (found.estimate, found.low, found.high) == pytest.approx(expected)
    # The same by the loop that serves any function.
    found = cluster_interval(truth, said, speaker, metric=lambda t, p: function(t, p))
    assert (found.estimate, found.low, found.high) == pytest.approx(expected)


def test_t_of_numbers_and_probabilities():
    rng = np.random.default_rng(0)
    _, _, speaker = case()
    truth = rng.normal(size=len(speaker))
    predicted = truth + rng.normal(size=len(speaker)) + rng.normal(size=9)[speaker]
    for metric, function in {"ccc": concordance_cc, "mae": mean_absolute_error}.items():
        expected = leave_one_out(lambda rows, f=function: f(truth[rows], predicted[rows]), speaker)
        found = cluster_interval(truth, predicted, speaker, metric=metric)
        assert (found.estimate, found.low, found.high) == pytest.approx(expected)
    truth, _, speaker = case()
    probabilities = rng.dirichlet(np.ones(3), size=len(speaker))
    probabilities[::9] = np.nan  # failed audio
    for metric, function in {"auc": auc_score, "brier": brier_score}.items():
        expected = leave_one_out(
            lambda rows, f=function: f(truth[rows], probabilities[rows], labels=EMOTIONS), speaker
        )
        found = cluster_interval(truth, probabilities, speaker, metric=metric)
        assert (found.estimate, found.low, found.high) == pytest.approx(expected)
        assert found.values[3] == pytest.approx(
            function(truth[speaker == 3], probabilities[speaker == 3], labels=EMOTIONS)
        )


def test_even_speakers_of_one_class_have_the_textbook_interval():
    truth = np.array(["a"] * 50, dtype=object)
    recalls = np.array([3, 4, 2, 5, 1, 3, 4, 4, 2, 3]) / 5
    said = np.concatenate([["a"] * int(5 * r) + ["b"] * int(5 - 5 * r) for r in recalls])
    found = cluster_interval(truth, said, np.repeat(list("stuvwxyzab"), 5))
    expected = stats.ttest_1samp(recalls, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.values.to_dict() == pytest.approx(dict(zip("stuvwxyzab", recalls, strict=True)))


@pytest.mark.parametrize("method", ["t", "bootstrap-t", "percentile"])
def test_seeds_are_averaged_and_are_no_speakers(method):
    truth, said, speaker = case()
    once = cluster_interval(truth, said, speaker, method=method)
    often = cluster_interval(truth, np.c_[said, said, said], speaker, method=method)
    assert (often.estimate, often.low, often.high) == pytest.approx(
        (once.estimate, once.low, once.high)
    )
    other = np.roll(said, 1)
    both = cluster_interval(truth, np.c_[said, other], speaker)
    means = [uar_score(truth, said), uar_score(truth, other)]
    assert both.estimate == pytest.approx(np.mean(means))
    mine = speaker == 3
    own = [uar_score(truth[mine], said[mine]), uar_score(truth[mine], other[mine])]
    assert both.values[3] == pytest.approx(np.mean(own))


def test_strata_count_the_same_and_speakers_are_left_out_within_them():
    truth, said, speaker = case(n_speakers=11)
    corpus = np.where(speaker < 4, "x", "y")
    found = cluster_interval(truth, said, speaker, strata=corpus)
    variances, dfs, means = [], [], []
    for name in "xy":
        inside = corpus == name
        t, p, s = truth[inside], said[inside], speaker[inside]
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
    # By the loop that serves any function.
    loop = cluster_interval(
        truth, said, speaker, strata=corpus,
        metric=lambda t, p: uar_score(t, p),
    )  # fmt: skip
    assert (loop.low, loop.high) == pytest.approx((found.low, found.high))
    assert loop.n_clusters == 11


@pytest.mark.parametrize("metric", ["uar", "macro_f1", lambda t, p: uar_score(t, p)])
def test_a_speaker_in_several_strata_is_one_speaker(metric):
    """Tested after training on one corpus and on another: no further speakers, no smaller error."""
    truth, said, speaker = case()
    once = cluster_interval(truth, said, speaker, metric=metric)
    twice = cluster_interval(
        np.tile(truth, 2),
        np.tile(said, 2),
        np.tile(speaker, 2),
        strata=np.repeat(["x", "y"], len(truth)),
        metric=metric,
    )
    assert twice.n_clusters == 9
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    np.testing.assert_allclose(twice.values, once.values)


def test_corpora_as_draws_from_further_corpora():
    truth, said, speaker = case(n_speakers=24)
    corpus = np.array([f"c{s % 8}" for s in speaker])
    found = cluster_interval(truth, said, corpus, average="clusters", unit="corpus")
    scores = [uar_score(truth[corpus == c], said[corpus == c]) for c in np.unique(corpus)]
    expected = stats.ttest_1samp(scores, 0).confidence_interval()
    assert found.estimate == pytest.approx(np.mean(scores))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.population == "corpora"
    assert str(found).endswith("(95%, t, 8 corpora)")


def test_bootstraps_draw_whole_speakers():
    truth, said, speaker = case()
    counts = _draws(np.zeros(9, dtype=int), 300, 7)
    assert (counts.sum(axis=1) == 9).all()
    members = [np.flatnonzero(speaker == s) for s in range(9)]

    def linear_error(rows, who):
        t, hit = truth[rows], said[rows] == truth[rows]
        parts = np.zeros(len(rows))
        for label in np.unique(t):
            of = t == label
            parts[of] = (hit[of] - hit[of].mean()) / of.sum() / len(np.unique(t))
        u = np.bincount(who, parts)
        return np.sqrt(len(u) / (len(u) - 1) * np.sum(u**2))

    estimate, error = uar_score(truth, said), linear_error(np.arange(len(truth)), speaker)
    scores, students = [], []
    for draw in counts.astype(int):
        taken = np.repeat(np.arange(9), draw)
        rows = np.concatenate([members[s] for s in taken])
        who = np.concatenate([np.full(len(members[s]), i) for i, s in enumerate(taken)])
        scores.append(uar_score(truth[rows], said[rows]))
        students.append((scores[-1] - estimate) / linear_error(rows, who))
    options = {"n_draws": 300, "random_state": 7}
    found = cluster_interval(truth, said, speaker, method="percentile", **options)
    edges = np.quantile(scores, [0.025, 0.975], method="closest_observation")
    assert (found.low, found.high) == pytest.approx(tuple(edges))
    loop = cluster_interval(
        truth, said, speaker, method="percentile", metric=lambda t, p: uar_score(t, p), **options
    )
    assert (loop.low, loop.high) == pytest.approx(tuple(edges))
    found = cluster_interval(truth, said, speaker, method="bootstrap-t", **options)
    edges = np.quantile(students, [0.025, 0.975], method="closest_observation")
    assert found.low == pytest.approx(estimate - edges[1] * error)
    assert found.high == pytest.approx(estimate - edges[0] * error)
    again = cluster_interval(truth, said, speaker, method="bootstrap-t", **options)
    assert again.low == found.low


def test_few_clusters_give_their_values_and_no_interval():
    truth, said, speaker = case(n_speakers=7)
    found = cluster_interval(truth, said, speaker)
    assert np.isnan([found.low, found.high]).all()
    assert found.note == "7 clusters, fewer than 8"
    own = [uar_score(truth[speaker == s], said[speaker == s]) for s in range(7)]
    np.testing.assert_allclose(found.values, own)
    assert "no interval (7 clusters, fewer than 8); each by itself: " in str(found)
    forced = cluster_interval(truth, said, speaker, min_clusters=2)
    assert forced.low < found.estimate < forced.high
    assert forced.note == ""
    assert np.isnan(cluster_interval(truth, said, np.zeros(len(truth)), min_clusters=2).low)


def test_reasons_for_no_interval():
    truth, said, speaker = case()
    alone = np.where(speaker == 0, "x", "y")
    found = cluster_interval(truth, said, speaker, strata=alone)
    assert found.note == "no other cluster in the stratum of cluster 0"
    only = np.where((truth == "anger") & (speaker > 0), "neutral", truth)
    found = cluster_interval(only, said, speaker)
    assert found.note == "a class that only one cluster has"
    assert found.estimate == pytest.approx(uar_score(only, said))
    found = cluster_interval(truth, said, speaker, labels=[*EMOTIONS, "fear"])
    assert found.note == "the score is undefined"
    assert np.isnan(found.estimate)


def test_limits():
    truth, _, speaker = case()
    found = cluster_interval(truth, truth, speaker)
    assert (found.estimate, found.low, found.high) == pytest.approx((1, 1, 1))
    nearly = truth.copy()
    nearly[speaker == 4] = None
    for method in ("t", "bootstrap-t", "percentile"):
        found = cluster_interval(truth, nearly, speaker, method=method)
        assert 0 <= found.low < found.estimate < found.high <= 1
        assert found.values[4] == 0.0


def test_rows_without_a_label_are_left_out():
    truth, said, speaker = case()
    holes = truth.copy()
    holes[::5] = None
    kept = np.arange(len(truth)) % 5 != 0
    found = cluster_interval(pd.Series(holes), pd.Series(said), pd.Series(speaker))
    expected = cluster_interval(truth[kept], said[kept], speaker[kept])
    assert (found.low, found.high) == (expected.low, expected.high)


def test_it_covers():
    """Of uneven speakers, over 200 draws, close to the nominal .95; over utterances it does not."""
    rng = np.random.default_rng(0)
    covered, of_utterances = [], []
    for _ in range(200):
        sizes = np.maximum(4, rng.lognormal(3, 0.7, 12).astype(int))
        speaker = np.repeat(np.arange(12), sizes)
        truth = EMOTIONS[rng.integers(2, size=len(speaker))]
        skill = rng.beta(8, 4, size=(12, 2))[speaker, (truth == "neutral").astype(int)]
        said = np.where(rng.random(len(speaker)) < skill, truth, "none")
        for clusters, inside in ((speaker, covered), (np.arange(len(truth)), of_utterances)):
            found = cluster_interval(truth, said, clusters)
            inside.append(found.low <= 8 / 12 <= found.high)
    assert 0.9 < np.mean(covered) < 0.99
    assert np.mean(of_utterances) < 0.88


def test_errors():
    truth, said, speaker = case()
    with pytest.raises(ValueError, match="method='bootstrap-t' needs the standard error of every"):
        cluster_interval(truth, said, speaker, metric=lambda t, p: 0.5, method="bootstrap-t")
    with pytest.raises(MetadataError, match="clusters has 1 rows and truth 2: give one of each"):
        cluster_interval(["a", "b"], ["a", "b"], ["s"])
    with pytest.raises(MetadataError, match="clusters is missing in row 1 of the labeled rows"):
        cluster_interval(["a", "b"], ["a", "b"], ["s", None])
    with pytest.raises(MetadataError, match="y_true holds strings and y_pred numbers"):
        cluster_interval(["a", "b"], [0, 1], ["s", "t"])
    with pytest.raises(MetadataError, match=r"got the shape \(1, 1, 1\)"):
        cluster_interval(["a"], [[["a"]]], ["s"])
    with pytest.raises(InvalidParameterError, match="'method' parameter"):
        cluster_interval(truth, said, speaker, method="normal")


@pytest.mark.parametrize("truth", [[], [None, None]])
def test_no_labeled_row_is_an_error(truth):
    with pytest.raises(MetadataError, match="no row has a truth"):
        cluster_interval(truth, ["anger"] * len(truth), range(len(truth)))
