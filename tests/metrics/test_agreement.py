"""Mean absolute error and Pearson's correlation against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import mean_absolute_error, pearson_cc


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_equal_their_references(seed, offset):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=30) + offset
    predicted = 0.5 * truth + rng.normal(size=30)
    expected = metrics.mean_absolute_error(truth, predicted)
    assert mean_absolute_error(truth, predicted) == pytest.approx(expected)
    expected = stats.pearsonr(truth, predicted).statistic
    assert pearson_cc(truth, predicted) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("score", [mean_absolute_error, pearson_cc])
def test_rows_without_a_truth_are_left_out_and_weights_are_copies(score):
    rng = np.random.default_rng(0)
    truth, predicted = rng.normal(size=(2, 20))
    holes = truth.copy()
    holes[::3] = np.nan
    kept = np.arange(20) % 3 != 0
    expected = score(truth[kept], predicted[kept])
    assert score(holes, predicted) == pytest.approx(expected)
    assert score([None if np.isnan(v) else v for v in holes], predicted) == pytest.approx(expected)
    weight = rng.integers(0, 4, size=20)
    copies = score(np.repeat(truth, weight), np.repeat(predicted, weight))
    assert score(truth, predicted, sample_weight=weight) == pytest.approx(copies)


def test_undefined_is_nan():
    for score in (mean_absolute_error, pearson_cc):
        assert np.isnan(score([], []))
        assert np.isnan(score([None, np.nan], [1.0, 2.0]))
        assert np.isnan(score([1.0, 2.0, 3.0], [1.0, np.nan, 3.0]))
        assert not np.isnan(score([1.0, None, 3.0], [1.0, np.nan, 4.0]))
    assert np.isnan(pearson_cc([1.0], [1.0]))
    assert np.isnan(pearson_cc([1.0, 2.0], [0.1, 0.1]))
    assert np.isnan(pearson_cc([0.1, 0.1, 0.1], [1.0, 2.0, 3.0]))
    assert mean_absolute_error([1.0], [3.0]) == 2.0


@pytest.mark.parametrize("score", [mean_absolute_error, pearson_cc])
def test_errors(score):
    with pytest.raises(MetadataError, match="y_true is not finite in row 1: drop these rows"):
        score([1.0, np.inf], [1.0, 2.0])
    with pytest.raises(MetadataError, match="y_true must hold numbers"):
        score(["high"], [1.0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        score([1.0, 2.0], [1.0])
