"""WAR, macro F1 and recall by class compared with scikit-learn's metrics."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import macro_f1_score, recall_by_class, uar_score, war_score

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1)


@settings(max_examples=25)
@given(PAIRS, st.integers(0, 9))
def test_equal_scikit_learn(pairs, seed):
    y_true, y_pred = map(list, zip(*pairs, strict=True))
    weight = np.random.default_rng(seed).uniform(0.1, 2, size=len(y_true))
    present = sorted(set(y_true))
    for options in ({}, {"sample_weight": weight}):
        assert war_score(y_true, y_pred, **options) == pytest.approx(
            accuracy_score(y_true, y_pred, **options)
        )
        assert macro_f1_score(y_true, y_pred, **options) == pytest.approx(
            f1_score(y_true, y_pred, average="macro", labels=present, **options)
        )
        recalls = recall_by_class(y_true, y_pred, labels=present, **options)
        expected = recall_score(y_true, y_pred, average=None, labels=present, **options)
        np.testing.assert_allclose(recalls, expected)
        assert recalls.mean() == pytest.approx(uar_score(y_true, y_pred, **options))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "unknown"])
def test_a_missing_prediction_is_wrong(missing):
    y_true = ["anger", "anger", "sadness", "sadness"]
    y_pred = np.array(["anger", missing, "sadness", "sadness"], dtype=object)
    assert war_score(y_true, y_pred) == 0.75
    assert recall_by_class(y_true, y_pred).to_dict() == {"anger": 0.5, "sadness": 1.0}
    # Anger: one correct, two true, one y_pred.
    assert macro_f1_score(y_true, y_pred) == pytest.approx((2 / 3 + 1) / 2)


def test_an_absent_class_is_nan_and_never_zero():
    y_true, y_pred = ["anger", "sadness"], ["anger", "fear"]
    labels = ["fear", "sadness", "anger"]
    recalls = recall_by_class(y_true, y_pred, labels=labels)
    assert list(recalls.index) == labels
    np.testing.assert_array_equal(recalls, [np.nan, 0.0, 1.0])
    assert np.isnan(macro_f1_score(y_true, y_pred, labels=labels))
    assert war_score(y_true, y_pred, labels=labels) == 0.5


def test_no_row_or_no_weight_is_nan():
    for score in (war_score, macro_f1_score):
        assert np.isnan(score([], []))
        assert np.isnan(score(["a"], ["a"], sample_weight=[0.0]))
        assert isinstance(score(["a"], ["a"]), float)
    assert recall_by_class([], []).empty
    assert recall_by_class(["a"], ["a"], sample_weight=[0.0]).isna().all()


@pytest.mark.parametrize("score", [war_score, macro_f1_score, recall_by_class])
def test_errors(score):
    with pytest.raises(
        MetadataError, match=r"y_true has missing labels \(None or NaN\) in sample 1"
    ):
        score(["a", None], ["a", "a"])
    with pytest.raises(
        MetadataError, match="y_true has the unknown label 'b' in sample 1; labels are"
    ):
        score(["a", "b"], ["a", "a"], labels=["a"])
    with pytest.raises(MetadataError, match="y_true has strings and y_pred has numbers"):
        score(["0", "1"], [0, 1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        score(["a"], ["a", "b"])
