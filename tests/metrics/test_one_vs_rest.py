"""AUC and equal error rate against scikit-learn's curve, and where they are undefined."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import auc_score, equal_error_rate

EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])


def eer(positive, score, weight=None):
    """Where the curve crosses the diagonal, by a root finder."""
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
    truth, scores = random_case(seed)
    expected = roc_auc_score(truth, scores, multi_class="ovr", labels=EMOTIONS)
    assert auc_score(truth, scores, labels=EMOTIONS) == pytest.approx(expected)
    assert auc_score(truth, pd.DataFrame(np.log(scores))) == pytest.approx(expected)  # ranks alone
    weight = np.random.default_rng(seed).integers(0, 3, size=len(truth)) + (scores[:, 0] > 0.5)
    expected = np.mean(
        [
            roc_auc_score(truth == label, scores[:, i], sample_weight=weight)
            for i, label in enumerate(EMOTIONS)
        ]
    )
    assert auc_score(truth, scores, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_eer_is_the_crossing_of_the_curve(seed, ties):
    truth, scores = random_case(seed, ties=ties)
    expected = np.mean([eer(truth == label, scores[:, i]) for i, label in enumerate(EMOTIONS)])
    assert equal_error_rate(truth, scores) == pytest.approx(expected, abs=1e-9)
    weight = np.random.default_rng(seed).uniform(0.1, 2, size=len(truth))
    expected = eer(truth == "sadness", scores[:, 3], weight)
    found = equal_error_rate(truth == "sadness", scores[:, 3], sample_weight=weight)
    assert found == pytest.approx(expected, abs=1e-9)


def test_of_two_classes():
    truth, scores = ["a", "a", "b", "b"], [0.1, 0.4, 0.35, 0.8]
    assert auc_score(truth, scores) == 0.75
    assert auc_score(truth, scores, pos_label="a") == 0.25
    assert auc_score(truth, np.c_[np.negative(scores), scores]) == 0.75
    assert equal_error_rate(truth, scores) == 0.5
    assert equal_error_rate(truth, [0, 0, 1, 1]) == 0.0
    assert equal_error_rate(truth, [1, 1, 0, 0]) == 1.0
    assert equal_error_rate(truth, [1, 1, 1, 1]) == 0.5
    assert auc_score([1, 0, 1], [3.0, 1.0, 2.0], labels=[0, 1]) == 1.0


@pytest.mark.parametrize("score", [auc_score, equal_error_rate])
def test_an_absent_class_is_nan(score):
    truth, scores = random_case(0)
    kept = truth != "anger"
    assert np.isnan(score(truth[kept], scores[kept], labels=EMOTIONS))
    assert np.isnan(score(["a", "a"], [0.1, 0.2], pos_label="a"))
    assert np.isnan(score(["a", "a"], [0.1, 0.2], pos_label="b"))
    assert np.isnan(score([], np.empty((0, 4)), labels=EMOTIONS))


@pytest.mark.parametrize("score", [auc_score, equal_error_rate])
def test_rows_without_scores_are_left_out(score):
    truth, scores = random_case(1)
    failed = scores.copy()
    failed[::5] = np.nan
    kept = np.arange(len(truth)) % 5 != 0
    assert score(truth, failed) == score(truth[kept], scores[kept])
    binary = score(truth == "anger", failed[:, 0])
    assert binary == score(truth[kept] == "anger", scores[kept, 0])


@pytest.mark.parametrize(
    ("truth", "scores", "options", "message"),
    [
        (["a", "b"], [[0.1, np.inf], [1, 0]], {}, "infinite or NaN for some classes only in row 0"),
        (["a", "b"], [[0.1, np.nan], [1, 0]], {}, "row 0 is [0.1, nan]. A row without any scores"),
        (["a", "b"], [["x"], ["y"]], {}, "y_score must hold numbers: could not convert"),
        (["a"], np.zeros((1, 1, 1)), {}, "a column per class, or one score per sample, got the"),
        (["a", "b"], np.zeros((2, 3)), {}, "y_score has 3 columns, but y_true only the classes"),
        (["a", None], np.zeros((2, 2)), {}, "y_true has no label (None or NaN) in row 1"),
        (["a", "b", "c"], [1, 2, 3], {}, "found ['a', 'b', 'c'] and pos_label=None: give a column"),
        (["a", "b"], [1, 2], {"pos_label": 1}, "are of one of two classes, found ['a', 'b']"),
        (["a", "a"], [1, 2], {"pos_label": 1}, "y_true holds strings and pos_label numbers"),
        (["a", 1], [1, 2], {}, "labels that cannot be sorted"),
    ],
)
def test_errors(truth, scores, options, message):
    with pytest.raises((MetadataError, ValueError), match=re.escape(message)):
        auc_score(np.asarray(truth, dtype=object), scores, **options)
