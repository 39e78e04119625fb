"""Multiclass Brier score compared with scikit-learn's Brier score."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import multiclass_brier_score

EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    y_true = EMOTIONS[rng.integers(3, size=50)]  # no sample of sadness
    probabilities, weight = rng.dirichlet(np.ones(4), size=50), rng.random(50)
    for options in ({}, {"sample_weight": weight}):
        expected = brier_score_loss(
            y_true, probabilities, labels=EMOTIONS, scale_by_half=False, **options
        )
        found = multiclass_brier_score(y_true, probabilities, labels=EMOTIONS, **options)
        assert found == pytest.approx(expected)


def test_of_two_classes_it_is_twice_the_score_of_scikit_learn():
    y_true, p = np.array([0, 1, 1, 0]), np.array([0.2, 0.9, 0.4, 0.5])
    found = multiclass_brier_score(y_true, np.c_[1 - p, p])
    assert found == pytest.approx(2 * brier_score_loss(y_true, p))


def test_limits_and_undefined():
    assert multiclass_brier_score(["a", "b"], [[1, 0], [0, 1]]) == 0.0
    assert multiclass_brier_score(["a", "b"], [[0, 1], [1, 0]]) == 2.0
    assert multiclass_brier_score(["a"], [[0.25] * 4], labels=list("abcd")) == pytest.approx(0.75)
    assert (
        multiclass_brier_score(["a", "b"], [[1, 0], [np.nan, np.nan]]) == 0.0
    )  # failed audio is left out
    assert np.isnan(multiclass_brier_score(["a", "b"], np.full((2, 2), np.nan)))
    assert np.isnan(multiclass_brier_score([], np.empty((0, 2))))


def test_errors():
    with pytest.raises(ValueError, match="that do not sum to 1 in sample 0"):
        multiclass_brier_score(["a", "b"], [[1, 1], [0, 1]])
    with pytest.raises(MetadataError, match=r"missing labels \(None or NaN\) in sample 0"):
        multiclass_brier_score([None, "b"], [[1, 0], [0, 1]])
    with pytest.raises(
        MetadataError, match="y_true has the unknown label 'c' in sample 1; labels are"
    ):
        multiclass_brier_score(["a", "c"], [[1, 0], [0, 1]], labels=["a", "b"])
