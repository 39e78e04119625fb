"""AUC and equal error rate compared with scikit-learn's ROC curve; undefined scores."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import equal_error_rate, macro_auc_score

EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])


def eer(positive, score, weight=None):
    """Find the crossing of the curve and the diagonal by a root finder."""
    accepted, found, _ = roc_curve(positive, score, sample_weight=weight, drop_intermediate=False)
    return brentq(lambda x: 1 - x - interp1d(accepted, found)(x), 0, 1)


def random_case(seed, n_rows=60, ties=False):
    rng = np.random.default_rng(seed)
    code = np.concatenate([np.arange(4), rng.integers(4, size=n_rows - 4)])
    scores = rng.normal(size=(n_rows, 4)) + np.eye(4)[code]
    scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return EMOTIONS[code], scores.round(1) if ties else scores


@pytest.mark.parametrize("seed", range(5))
def test_auc_equals_scikit_learn(seed):
    y_true, scores = random_case(seed)
    expected = roc_auc_score(y_true, scores, multi_class="ovr", labels=EMOTIONS)
    assert macro_auc_score(y_true, scores, labels=EMOTIONS) == pytest.approx(expected)
    assert macro_auc_score(y_true, pd.DataFrame(np.log(scores))) == pytest.approx(
        expected
    )  # ranks alone
    weight = np.random.default_rng(seed).integers(0, 3, size=len(y_true)) + (scores[:, 0] > 0.5)
    expected = np.mean(
        [
            roc_auc_score(y_true == label, scores[:, i], sample_weight=weight)
            for i, label in enumerate(EMOTIONS)
        ]
    )
    assert macro_auc_score(y_true, scores, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_eer_is_the_crossing_of_the_curve(seed, ties):
    y_true, scores = random_case(seed, ties=ties)
    expected = np.mean([eer(y_true == label, scores[:, i]) for i, label in enumerate(EMOTIONS)])
    assert equal_error_rate(y_true, scores) == pytest.approx(expected, abs=1e-9)
    weight = np.random.default_rng(seed).uniform(0.1, 2, size=len(y_true))
    expected = eer(y_true == "sadness", scores[:, 3], weight)
    found = equal_error_rate(y_true == "sadness", scores[:, 3], sample_weight=weight)
    assert found == pytest.approx(expected, abs=1e-9)


def test_of_two_classes():
    y_true, scores = ["a", "a", "b", "b"], [0.1, 0.4, 0.35, 0.8]
    assert macro_auc_score(y_true, scores) == 0.75
    assert macro_auc_score(y_true, scores, pos_label="a") == 0.25
    assert macro_auc_score(y_true, np.c_[np.negative(scores), scores]) == 0.75
    assert equal_error_rate(y_true, scores) == 0.5
    assert equal_error_rate(y_true, [0, 0, 1, 1]) == 0.0
    assert equal_error_rate(y_true, [1, 1, 0, 0]) == 1.0
    assert equal_error_rate(y_true, [1, 1, 1, 1]) == 0.5
    assert macro_auc_score([1, 0, 1], [3.0, 1.0, 2.0], labels=[0, 1]) == 1.0


@pytest.mark.parametrize("score", [macro_auc_score, equal_error_rate])
def test_an_absent_class_is_nan(score):
    y_true, scores = random_case(0)
    kept = y_true != "anger"
    assert np.isnan(score(y_true[kept], scores[kept], labels=EMOTIONS))
    assert np.isnan(score(["a", "a"], [0.1, 0.2], pos_label="a"))
    assert np.isnan(score(["a", "a"], [0.1, 0.2], pos_label="b"))
    assert np.isnan(score([], np.empty((0, 4)), labels=EMOTIONS))


@pytest.mark.parametrize("score", [macro_auc_score, equal_error_rate])
def test_samples_without_scores_are_left_out(score):
    y_true, scores = random_case(1)
    failed = scores.copy()
    failed[::5] = np.nan
    kept = np.arange(len(y_true)) % 5 != 0
    assert score(y_true, failed) == score(y_true[kept], scores[kept])
    binary = score(y_true == "anger", failed[:, 0])
    assert binary == score(y_true[kept] == "anger", scores[kept, 0])


@pytest.mark.parametrize(
    ("y_true", "scores", "options", "message"),
    [
        (["a", "b"], [[0.1, np.inf], [1, 0]], {}, "infinite or partly NaN in sample 0"),
        (["a", "b"], [[0.1, np.nan], [1, 0]], {}, "sample 0 is [0.1, nan]. The scores of a sample"),
        (["a", "b"], [["x"], ["y"]], {}, "y_score must contain numbers: could not convert"),
        (["a"], np.zeros((1, 1, 1)), {}, "y_score must have the shape (n_samples, n_classes) or"),
        (["a", "b"], np.zeros((2, 3)), {}, "y_score has 3 columns, but y_true has the classes"),
        (["a", None], np.zeros((2, 2)), {}, "y_true has missing labels (None or NaN) in sample 1"),
        (["a", "b", "c"], [1, 2, 3], {}, "classes ['a', 'b', 'c'] and pos_label=None. Pass one"),
        (["a", "b"], [1, 2], {"pos_label": 1}, "got the classes ['a', 'b']"),
        (["a", "a"], [1, 2], {"pos_label": 1}, "y_true has strings and pos_label has numbers"),
        (["a", 1], [1, 2], {}, "labels that cannot be sorted"),
    ],
)
def test_errors(y_true, scores, options, message):
    with pytest.raises((MetadataError, ValueError), match=re.escape(message)):
        macro_auc_score(np.asarray(y_true, dtype=object), scores, **options)
