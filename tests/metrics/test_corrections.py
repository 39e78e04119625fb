"""Holm's procedure and the corrected t test compared with their formulas and the plain t test."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sklearn_ser.metrics import corrected_t_test, holm


def stepwise(p):
    """Holm's procedure as published: the level at which each hypothesis is rejected."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected, highest = [0.0] * len(p), 0.0
    for step, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - step) * p[i]))
        corrected[i] = highest
    return corrected


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_steps_down(p):
    np.testing.assert_allclose(holm(p), stepwise(p))


def test_holm_keeps_order_and_nan():
    series = pd.Series([0.03, np.nan, 0.01], index=["a", "b", "c"], name="p")
    pd.testing.assert_series_equal(
        holm(series), pd.Series([0.03, np.nan, 0.02], index=["a", "b", "c"], name="p")
    )
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    for wrong, text in (([0.5, 1.2], "got 1.2"), ([[0.5]], r"got the shape \(1, 1\)")):
        with pytest.raises(ValueError, match=rf"one-dimensional and between 0 and 1; {text}"):
            holm(wrong)


def test_corrected_t_widens_the_ordinary_one():
    d = np.random.default_rng(0).normal(0.02, 0.03, size=20)
    ordinary = stats.ttest_1samp(d, 0)
    found = corrected_t_test(d, n_train=80, n_test=20)
    wider = np.sqrt((1 / 20 + 20 / 80) / (1 / 20))
    assert found.statistic == pytest.approx(ordinary.statistic / wider)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(ordinary.statistic) / wider, 19))
    assert found.df == 19
    half = (ordinary.confidence_interval().high - d.mean()) * wider
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))
    by_fold = corrected_t_test(d, n_train=[70, 90] * 10, n_test=[10, 30] * 10)
    assert by_fold.p_value == pytest.approx(found.p_value)


def test_corrected_t_keeps_its_level_where_the_ordinary_one_does_not():
    """Two random classifiers, compared over repeated random fifths of the same 40 rows."""
    rng = np.random.default_rng(0)
    p = {"corrected": [], "ordinary": []}
    for _ in range(300):
        row_difference = rng.normal(size=40)  # the only property of these samples
        folds = [rng.permutation(40)[:8] for _ in range(30)]
        d = np.array([row_difference[fold].mean() for fold in folds])
        p["corrected"].append(corrected_t_test(d, 32, 8).p_value)
        p["ordinary"].append(stats.ttest_1samp(d, 0).pvalue)
    assert np.mean(np.array(p["corrected"]) < 0.05) < 0.1
    assert np.mean(np.array(p["ordinary"]) < 0.05) > 0.3


def test_corrected_t_where_nothing_varies():
    assert corrected_t_test([0.0, 0.0], 8, 2).p_value == 1.0
    assert corrected_t_test([0.1, 0.1], 8, 2).p_value == 0.0
    assert np.isnan(corrected_t_test([0.1], 8, 2).p_value)
    with pytest.raises(ValueError, match="differences must be one-dimensional and finite"):
        corrected_t_test([0.1, np.nan], 8, 2)
    with pytest.raises(ValueError, match="n_train and n_test must be positive; got 8 and 0"):
        corrected_t_test([0.1, 0.2], 8, 0)
