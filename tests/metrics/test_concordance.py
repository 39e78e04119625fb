"""Concordance correlation compared with its formula with Pearson's correlation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import concordance_cc


def reference(y_true, y_pred):
    r = stats.pearsonr(y_true, y_pred).statistic
    spread = np.var(y_true) + np.var(y_pred) + (np.mean(y_true) - np.mean(y_pred)) ** 2
    return 2 * r * np.std(y_true) * np.std(y_pred) / spread


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e4])
def test_equals_the_formula_with_pearsons_correlation(seed, offset):
    rng = np.random.default_rng(seed)
    y_true = rng.normal(size=30) + offset
    y_pred = 0.5 * y_true + rng.normal(size=30) + offset / 2
    assert concordance_cc(y_true, y_pred) == pytest.approx(reference(y_true, y_pred), rel=1e-6)
    assert concordance_cc(y_true, y_pred) == pytest.approx(concordance_cc(y_pred, y_true))


def test_a_difference_in_mean_or_spread_lowers_it():
    y_true = np.array([1.0, 2.0, 4.0, 7.0])
    assert concordance_cc(y_true, y_true) == pytest.approx(1)
    assert concordance_cc(y_true, -y_true + 2 * y_true.mean()) == pytest.approx(-1)
    # Variance 5.25 each, means 1 apart: 2 * 5.25 / (2 * 5.25 + 1).
    assert concordance_cc(y_true, y_true + 1) == pytest.approx(10.5 / 11.5)
    # Spread doubled about the mean: 2 * 2 / (1 + 4).
    assert concordance_cc(y_true, 2 * y_true - y_true.mean()) == pytest.approx(4 / 5)


def test_a_weight_of_k_equals_k_copies():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 20))
    weight = rng.integers(0, 4, size=20)
    copies = concordance_cc(np.repeat(y_true, weight), np.repeat(y_pred, weight))
    assert concordance_cc(y_true, y_pred, sample_weight=weight) == pytest.approx(copies)


@pytest.mark.parametrize("value", [0.1, 3.3, 1e6 / 7])
def test_a_constant_gives_exactly_zero_and_two_equal_ones_nan(value):
    constant = np.full(11, value)
    assert concordance_cc(constant, np.arange(11.0)) == 0
    assert concordance_cc(np.arange(11.0), constant) == 0
    assert concordance_cc(constant, constant + 1) == 0
    assert np.isnan(concordance_cc(constant, constant))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "weight"),
    [
        ([], [], None),
        ([1.0], [1.0], None),
        ([1.0, 2.0], [1.0, 2.0], [1.0, 0.0]),
        ([1.0, 2.0], [1.0, 2.0], [0.0, 0.0]),
        ([1.0, 2.0, 3.0], [1.0, np.nan, 3.0], None),
        ([1.0, 2.0, 3.0], [1.0, np.inf, 3.0], None),
    ],
)
def test_undefined_is_nan(y_true, y_pred, weight):
    score = concordance_cc(y_true, y_pred, sample_weight=weight)
    assert isinstance(score, float)
    assert np.isnan(score)


def test_a_prediction_without_weight_may_be_missing():
    score = concordance_cc([1.0, 2.0, 4.0], [1.5, 2.5, np.nan], sample_weight=[1, 1, 0])
    assert score == pytest.approx(concordance_cc([1.0, 2.0], [1.5, 2.5]))


def test_samples_without_a_true_value_are_left_out():
    score = concordance_cc([1.0, None, 2.0, np.nan, 4.0], [1.5, np.nan, 2.5, 7.0, 3.0])
    assert score == pytest.approx(concordance_cc([1.0, 2.0, 4.0], [1.5, 2.5, 3.0]))


def test_forms_of_input():
    y_true, y_pred = [0.0, 1.0, 2.0], [0.0, 1.0, 1.0]
    expected = concordance_cc(y_true, y_pred)
    assert expected == pytest.approx(2 / 3)
    assert concordance_cc(pd.Series(y_true, index=[2, 1, 0]), np.c_[y_pred]) == expected
    assert concordance_cc([False, True], [0, 1]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([1.0, np.inf, 2.0, -np.inf], [1, 2, 3, 4], r"y_true is infinite in samples 1, 3\. Drop"),
        (["high", "low"], [1, 2], "y_true must contain numbers: could not convert string"),
        ([1.0, 2.0], [[1, 2], [3, 4]], r"y_pred must be one-dimensional, .* shape \(2, 2\)"),
    ],
)
def test_errors(y_true, y_pred, message):
    with pytest.raises(MetadataError, match=message):
        concordance_cc(y_true, y_pred)


def test_lengths_must_agree_and_weights_not_be_negative():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        concordance_cc([1, 2], [1])
    with pytest.raises(ValueError, match=r"not negative, but is -1.0 in sample 1"):
        concordance_cc([1, 2], [1, 2], sample_weight=[1, -1])
