"""Mean absolute error and Pearson's correlation, through scorers, against their references."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.base import BaseEstimator, RegressorMixin

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import make_ser_scorer


class Constant(RegressorMixin, BaseEstimator):
    """Regressor with fixed predictions."""

    def __init__(self, y_pred=()):
        self.y_pred = y_pred

    def predict(self, X):
        return np.asarray(self.y_pred, dtype=float)


def score(name, y_true, y_pred, sample_weight=None):
    options = {} if sample_weight is None else {"sample_weight": sample_weight}
    X = np.zeros((len(y_pred), 1))
    return make_ser_scorer(name)(Constant(y_pred), X, y_true, **options)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_equal_their_references(seed, offset):
    rng = np.random.default_rng(seed)
    y_true = rng.normal(size=30) + offset
    y_pred = 0.5 * y_true + rng.normal(size=30)
    expected = metrics.mean_absolute_error(y_true, y_pred)
    assert score("neg_mae", y_true, y_pred) == pytest.approx(-expected)
    expected = stats.pearsonr(y_true, y_pred).statistic
    assert score("pearson", y_true, y_pred) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["neg_mae", "pearson"])
def test_samples_without_a_true_value_are_left_out_and_weights_are_copies(name):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 20))
    incomplete = y_true.copy()
    incomplete[::3] = np.nan
    rated = np.arange(20) % 3 != 0
    expected = score(name, y_true[rated], y_pred[rated])
    assert score(name, incomplete, y_pred) == pytest.approx(expected)
    with_none = [None if np.isnan(value) else value for value in incomplete]
    assert score(name, with_none, y_pred) == pytest.approx(expected)
    weight = rng.integers(0, 4, size=20)
    copies = score(name, np.repeat(y_true, weight), np.repeat(y_pred, weight))
    assert score(name, y_true, y_pred, weight) == pytest.approx(copies)


def test_undefined_is_nan():
    for name in ("neg_mae", "pearson"):
        assert np.isnan(score(name, [], []))
        assert np.isnan(score(name, [None, np.nan], [1.0, 2.0]))
        assert np.isnan(score(name, [1.0, 2.0, 3.0], [1.0, np.nan, 3.0]))
        assert not np.isnan(score(name, [1.0, None, 3.0], [1.0, np.nan, 4.0]))
    assert np.isnan(score("pearson", [1.0], [1.0]))
    assert np.isnan(score("pearson", [1.0, 2.0], [0.1, 0.1]))
    assert np.isnan(score("pearson", [0.1, 0.1, 0.1], [1.0, 2.0, 3.0]))
    assert score("neg_mae", [1.0], [3.0]) == -2.0


@pytest.mark.parametrize("name", ["neg_mae", "pearson", "ccc"])
def test_errors(name):
    with pytest.raises(MetadataError, match=r"y_true is infinite in sample 1\. Drop these samples"):
        score(name, [1.0, np.inf], [1.0, 2.0])
    with pytest.raises(MetadataError, match="y_true must contain numbers"):
        score(name, ["high"], [1.0])
