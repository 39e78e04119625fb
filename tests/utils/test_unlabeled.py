"""Masks of labeled samples, sentinel values of estimators, and conversion of y."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_ser.utils._unlabeled import (
    drop_unlabeled,
    labeled_rows,
    mark_unlabeled,
    sentinel_as_none,
    sentinel_of,
)


class SemiSupervised(BaseEstimator):
    def __init__(self, unlabeled=None):
        self.unlabeled = unlabeled


@pytest.mark.parametrize(
    ("y", "sentinel", "expected"),
    [
        (["a", None, np.nan, pd.NA], "nan", [True, False, False, False]),
        (["a", "", " ", "\t \n", " b "], "nan", [True, False, False, False, True]),
        (["a", -1, "-1", -1.0], -1, [True, False, True, False]),
        ([0, -1, 1], -1, [True, False, True]),
        ([1.0, np.nan], "nan", [True, False]),
        ([-1, None], None, [True, True]),
    ],
)
@pytest.mark.parametrize("kind", [list, pd.Series, lambda y: np.asarray(y, dtype=object)])
def test_mask_of_labeled_samples(y, sentinel, expected, kind):
    assert labeled_rows(kind(y), sentinel).tolist() == expected


def test_aligned_arrays_without_unlabeled_samples():
    y = np.array(["a", None, "b"], dtype=object)
    labels, weights, absent = drop_unlabeled(y, [1, 2, 3], None)
    assert (labels.tolist(), weights.tolist(), absent) == (["a", "b"], [1, 3], None)


@pytest.mark.parametrize("sentinel", [-1, "nan", None])
def test_sentinel_value_of_an_estimator_and_what_contains_it(sentinel):
    estimator = SemiSupervised(sentinel)
    y = np.array(["a", -1], dtype=object)
    for model in (estimator, make_pipeline(estimator), GridSearchCV(estimator, {})):
        assert sentinel_of(model) == sentinel
        expected = ["a", None] if sentinel == -1 else ["a", -1]
        assert np.asarray(sentinel_as_none(model, y)).tolist() == expected
    assert sentinel_of(LogisticRegression()) is None


@pytest.mark.parametrize(
    ("y", "sentinel", "expected"),
    [
        (np.array([0, 1]), -1, np.array([0, 1, -1])),
        (np.array([0, 1]), "nan", np.array([0.0, 1.0, np.nan])),
        (np.array(["a", "b"], dtype=object), -1, np.array(["a", "b", -1], dtype=object)),
        (np.array(["a", "b"], dtype=object), "nan", np.array(["a", "b", None], dtype=object)),
        (np.array([True, False]), "nan", np.array([True, False, None], dtype=object)),
    ],
)
def test_sentinel_values_among_labels(y, sentinel, expected):
    y = np.append(y, y[:1])
    result = mark_unlabeled(y, np.array([False, False, True]), sentinel)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)
    assert mark_unlabeled(y, np.zeros(3, dtype=bool), sentinel) is y
