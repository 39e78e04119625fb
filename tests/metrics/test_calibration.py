"""Expected calibration error compared with a loop over bins; invalid input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import expected_calibration_error

EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])


def reference(y_true, probabilities, labels, n_bins=15):
    """Bin by bin as Guo et al. write it: confidence in (lower, upper]."""
    confidence = probabilities.max(axis=1)
    right = np.asarray(labels)[probabilities.argmax(axis=1)] == y_true
    error = 0.0
    for b in range(n_bins):
        inside = (confidence > b / n_bins) & (confidence <= (b + 1) / n_bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def random_case(seed, n_rows=200):
    rng = np.random.default_rng(seed)
    y_true = EMOTIONS[rng.integers(4, size=n_rows)]
    return y_true, rng.dirichlet(np.full(4, 0.4), size=n_rows)


@pytest.mark.parametrize("n_bins", [1, 2, 10, 15, 37])
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_loop_over_bins(seed, n_bins):
    y_true, probabilities = random_case(seed)
    score = expected_calibration_error(y_true, probabilities, n_bins=n_bins)
    assert score == pytest.approx(reference(y_true, probabilities, EMOTIONS, n_bins))
    assert isinstance(score, float)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=30))
def test_confidences_on_the_edges_of_bins(rows):
    y_true = np.array([y_true for y_true, _ in rows])
    p = np.array([percent / 20 for _, percent in rows])
    probabilities = np.column_stack([1 - p, p])
    score = expected_calibration_error(y_true, probabilities, labels=[0, 1], n_bins=10)
    assert score == pytest.approx(reference(y_true, probabilities, [0, 1], 10), abs=1e-12)


def test_one_bin_is_confidence_minus_accuracy():
    y_true, probabilities = random_case(0)
    accuracy = np.mean(EMOTIONS[probabilities.argmax(axis=1)] == y_true)
    expected = abs(accuracy - probabilities.max(axis=1).mean())
    assert expected_calibration_error(y_true, probabilities, n_bins=1) == pytest.approx(expected)
    one = expected_calibration_error(y_true, probabilities, n_bins=1, strategy="quantile")
    assert one == pytest.approx(expected)


def test_quantile_bins_hold_equal_shares_of_the_rows():
    y_true, probabilities = random_case(1, n_rows=60)
    order = np.argsort(probabilities.max(axis=1))
    parts = np.split(order, 6)  # bins of ten rows each
    expected = np.mean([reference(y_true[p], probabilities[p], EMOTIONS, 1) for p in parts])
    score = expected_calibration_error(y_true, probabilities, n_bins=6, strategy="quantile")
    assert score == pytest.approx(expected)


def test_quantile_bins_keep_equal_confidences_together():
    y_true = ["a", "a", "b", "b"]
    probabilities = [[0.75, 0.25]] * 4
    score = expected_calibration_error(y_true, probabilities, strategy="quantile", n_bins=4)
    assert score == pytest.approx(0.25)  # one bin: accuracy 50 %, confidence 75 %


def test_error_of_a_calibrated_and_of_an_overconfident_model():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), size=20_000)
    codes = (rng.random(20_000)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    sharpened = probabilities**4 / (probabilities**4).sum(axis=1, keepdims=True)
    y_true = EMOTIONS[codes]
    assert expected_calibration_error(y_true, probabilities, labels=EMOTIONS) < 0.02
    assert expected_calibration_error(y_true, sharpened, labels=EMOTIONS) > 0.25


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_a_weight_of_k_equals_k_copies(strategy):
    y_true, probabilities = random_case(2, n_rows=40)
    weight = np.random.default_rng(2).integers(0, 4, size=40)
    options = {"labels": EMOTIONS, "strategy": strategy, "n_bins": 7}
    copies = expected_calibration_error(
        np.repeat(y_true, weight), np.repeat(probabilities, weight, axis=0), **options
    )
    weighted = expected_calibration_error(y_true, probabilities, sample_weight=weight, **options)
    assert weighted == pytest.approx(copies)


def test_columns_follow_labels():
    y_true, probabilities = random_case(3)
    shuffled = [2, 0, 3, 1]
    score = expected_calibration_error(
        y_true, pd.DataFrame(probabilities[:, shuffled]), labels=list(EMOTIONS[shuffled])
    )
    assert score == pytest.approx(reference(y_true, probabilities, EMOTIONS))
    # A class that is absent has a column, too.
    some = y_true != "anger"
    score = expected_calibration_error(y_true[some], probabilities[some], labels=EMOTIONS)
    assert score == pytest.approx(reference(y_true[some], probabilities[some], EMOTIONS))


def test_samples_without_probabilities_are_left_out():
    y_true, probabilities = random_case(4)
    with_failed = probabilities.copy()
    with_failed[::3] = np.nan
    kept = np.arange(200) % 3 != 0
    score = expected_calibration_error(y_true, with_failed, labels=EMOTIONS)
    assert score == pytest.approx(reference(y_true[kept], probabilities[kept], EMOTIONS))
    assert np.isnan(expected_calibration_error(y_true, np.full((200, 4), np.nan), labels=EMOTIONS))


def test_no_rows_or_no_weight_is_nan():
    assert np.isnan(expected_calibration_error([], np.empty((0, 2))))
    assert np.isnan(
        expected_calibration_error(["a", "b"], [[1, 0], [0, 1]], sample_weight=[0.0, 0.0])
    )


def test_float16_probabilities_pass():
    y_true, probabilities = random_case(5)
    score = expected_calibration_error(y_true, probabilities.astype(np.float16))
    assert score == pytest.approx(reference(y_true, probabilities, EMOTIONS), abs=0.02)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([0.5, 0.5], r"y_proba must have the shape .* got an array of shape \(2,\)"),
        ([["x", "y"], ["y", "x"]], "y_proba must contain numbers: could not convert string"),
        ([[0.5, 0.5], [0.9, 0.2]], r"do not sum to 1 in sample 1: sample 1 is \[0.9, 0.2\]"),
        ([[50, 50], [90, 10]], "do not sum to 1 in samples 0, 1: "),
        ([[1.5, -0.5], [0.5, 0.5]], "negative probabilities in sample 0"),
        ([[0.5, 0.5], [np.nan, 1.0]], r"NaN for some of the classes in sample 1"),
        ([[0.5, 0.5], [np.inf, 0.0]], "do not sum to 1 in sample 1"),
    ],
)
def test_invalid_probabilities(probabilities, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(["a", "b"], probabilities)


@pytest.mark.parametrize(
    ("y_true", "labels", "message"),
    [
        (["a", "a"], None, r"has 2 columns, but y_true has the classes \['a'\]\. Pass the class"),
        (["a", "b"], ["a", "b", "c"], "has 2 columns, but labels has 3 classes"),
        (["a", "c"], ["a", "b"], "y_true has the unknown label 'c' in sample 1"),
        (["a", None], ["a", "b"], r"missing labels \(None or NaN\) in sample 1\. Drop these"),
        ([0, 1], ["0", "1"], "y_true has numbers and labels has strings, which never"),
        (np.array(["a", 1], dtype=object), None, "labels that cannot be sorted"),
        (["a", "b"], ["a", "a"], "labels must be one or more distinct labels"),
    ],
)
def test_invalid_labels(y_true, labels, message):
    with pytest.raises(MetadataError, match=message):
        expected_calibration_error(y_true, [[0.5, 0.5], [0.5, 0.5]], labels=labels)


def test_parameters_and_lengths():
    rows = [[0.5, 0.5], [0.5, 0.5]]
    with pytest.raises(InvalidParameterError, match="'n_bins' parameter"):
        expected_calibration_error(["a", "b"], rows, n_bins=0)
    with pytest.raises(InvalidParameterError, match="'strategy' parameter"):
        expected_calibration_error(["a", "b"], rows, strategy="kmeans")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        expected_calibration_error(["a"], rows)
    with pytest.raises(ValueError, match=r"not negative, but is -1.0 in sample 1"):
        expected_calibration_error(["a", "b"], rows, sample_weight=[1, -1])
