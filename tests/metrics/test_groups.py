"""Scores of groups compared with a loop over them; undefined scores."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import (
    concordance_cc,
    expected_calibration_error,
    group_gap,
    group_scores,
    uar_score,
    war_score,
)

EMOTIONS = np.array(["anger", "neutral", "sadness"])


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    y_true, y_pred = EMOTIONS[rng.integers(3, size=(2, 90))].astype(object)
    y_pred = np.where(rng.random(90) < 0.5, y_true, y_pred)
    return y_true, y_pred, np.array(["x", "y", "z"])[rng.integers(3, size=90)]


@pytest.mark.parametrize(("metric", "function"), [("uar", uar_score), ("war", war_score)])
def test_equals_a_loop(case, metric, function):
    y_true, y_pred, group = case
    table = group_scores(y_true, y_pred, group, metric=metric)
    assert list(table.index) == ["x", "y", "z"]
    for name in "xyz":
        inside = group == name
        assert table.loc[name, "score"] == pytest.approx(function(y_true[inside], y_pred[inside]))
        assert table.loc[name, "n"] == inside.sum()
    gap = group_gap(y_true, y_pred, group, metric=metric)
    assert gap.gap == pytest.approx(table["score"].max() - table["score"].min())
    assert gap.ratio == pytest.approx(table["score"].min() / table["score"].max())
    assert (gap.worst, gap.best) == (table["score"].idxmin(), table["score"].idxmax())
    pd.testing.assert_frame_equal(gap.scores, table)


def test_a_custom_metric_and_an_error(case):
    y_true, y_pred, group = case
    misses = group_scores(y_true, y_pred, group, metric=lambda t, p: np.mean(t != p))
    hits = group_scores(y_true, y_pred, group, metric="war")
    np.testing.assert_allclose(misses["score"], 1 - hits["score"])
    gap = group_gap(
        y_true, y_pred, group, metric=lambda t, p: np.mean(t != p), greater_is_better=False
    )
    expected = group_gap(y_true, y_pred, group, metric="war")
    assert (gap.worst, gap.best) == (expected.worst, expected.best)
    assert gap.gap == pytest.approx(expected.gap)
    assert gap.ratio > 1  # more misses


def test_seeds_are_averaged(case):
    y_true, y_pred, group = case
    other = np.roll(y_pred, 1)
    both = group_scores(y_true, np.c_[y_pred, other], group)
    each = [group_scores(y_true, part, group)["score"] for part in (y_pred, other)]
    np.testing.assert_allclose(both["score"], np.mean(each, axis=0))
    assert (both["n"] == group_scores(y_true, y_pred, group)["n"]).all()


def test_probabilities_and_numbers(case):
    y_true, _, group = case
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(3), size=90)
    table = group_scores(y_true, probabilities, group, metric="ece")
    inside = group == "y"
    expected = expected_calibration_error(y_true[inside], probabilities[inside], labels=EMOTIONS)
    assert table.loc["y", "score"] == pytest.approx(expected)
    numbers, y_pred = rng.normal(size=(2, 90))
    numbers[0] = np.nan
    table = group_scores(numbers, y_pred, group, metric="ccc")
    assert table.loc["y", "score"] == pytest.approx(concordance_cc(numbers[inside], y_pred[inside]))
    assert table["n"].sum() == 89


def test_a_group_that_lacks_a_class_or_all_rows_is_nan():
    y_true, y_pred = (
        ["anger", "sadness", "anger", "anger"],
        ["anger", "sadness", "anger", "sadness"],
    )
    group = ["f", "f", "m", "m"]
    table = group_scores(y_true, y_pred, group)
    np.testing.assert_array_equal(table["score"], [1.0, np.nan])
    assert group_scores(y_true, y_pred, group, metric="war")["score"].tolist() == [1.0, 0.5]
    assert group_scores(y_true, y_pred, group, labels=["anger", "sadness"])["score"].isna()["m"]
    table = group_scores(y_true, y_pred, group, metric="war", groups=["m", "other"])
    assert table["n"].tolist() == [2, 0]
    np.testing.assert_array_equal(table["score"], [0.5, np.nan])
    for options in ({}, {"metric": "war", "groups": ["m", "other"]}):
        gap = group_gap(y_true, y_pred, group, **options)
        assert np.isnan([gap.gap, gap.ratio]).all()
        assert gap.worst is None
        assert gap.best is None
    assert np.isnan(group_gap(y_true, y_pred, ["f"] * 4).gap)  # one group lies apart from nothing
    none_right = group_gap(y_true, ["fear"] * 4, group, metric="war")
    assert none_right.gap == 0.0
    assert np.isnan(none_right.ratio)


def test_samples_without_a_label_or_a_group_are_left_out():
    y_true = np.array(["a", None, "b", np.nan, "a", "b"], dtype=object)
    y_pred = np.array(["a", "a", "b", "b", "b", "a"], dtype=object)
    group = np.array(["f", "f", "f", "f", None, "f"], dtype=object)
    for missing in (None, np.nan, pd.NA):
        named = np.where(pd.isna(group), missing, group)
        table = group_scores(y_true, y_pred, named)
        assert table.loc["f"].tolist() == [0.75, 3.0]
    # In a list, too, where numpy would make a string of NaN.
    assert group_scores(["a", np.nan, "b"], ["a", "a", "b"], ["f"] * 3).loc["f", "n"] == 2


def test_errors():
    with pytest.raises(MetadataError, match="group has 1 samples, but y_true has 2"):
        group_scores(["a", "b"], ["a", "b"], ["f"])
    with pytest.raises(
        ValueError, match=r"metric must be a function .* one of 'uar', 'war', .*; got 'f1'"
    ):
        group_scores(["a", "b"], ["a", "b"], ["f", "m"], metric="f1")
    with pytest.raises(MetadataError, match="groups has group '1' more than once"):
        group_scores(["a", "b"], ["a", "b"], [1, 2], groups=[1, "1", 2])


@pytest.mark.parametrize("metric", ["uar", "war", "macro_f1", "mae"])
def test_no_sample_with_a_label_and_a_group(metric):
    values = [1.0, 2.0] if metric == "mae" else ["a", "b"]
    for y_true, group in ((values, [None, None]), ([None, None], ["f", "m"]), ([], [])):
        y_pred = values[: len(y_true)]
        table = group_scores(y_true, y_pred, group, metric=metric)
        assert table.shape == (0, 2)
        table = group_scores(y_true, y_pred, group, metric=metric, groups=["f", "m"])
        assert table["score"].isna().all()
        assert table["n"].tolist() == [0, 0]
        assert np.isnan(group_gap(y_true, y_pred, group, metric=metric).gap)
