"""The expected calibration error against a loop over bins, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import expected_calibration_error

EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])


def reference(truth, probabilities, labels, n_bins=15):
    """Bin by bin as Guo et al. write it: confidence in (lower, upper]."""
    confidence = probabilities.max(axis=1)
    right = np.asarray(labels)[probabilities.argmax(axis=1)] == truth
    error = 0.0
    for b in range(n_bins):
        inside = (confidence > b / n_bins) & (confidence <= (b + 1) / n_bins)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def random_case(seed, n_rows=200):
    rng = np.random.default_rng(seed)
    truth = EMOTIONS[rng.integers(4, size=n_rows)]
    return truth, rng.dirichlet(np.full(4, 0.4), size=n_rows)


@pytest.mark.parametrize("n_bins", [1, 2, 10, 15, 37])
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_loop_over_bins(seed, n_bins):
    truth, probabilities = random_case(seed)
    score = expected_calibration_error(truth, probabilities, n_bins=n_bins)
    assert score == pytest.approx(reference(truth, probabilities, EMOTIONS, n_bins))
    assert isinstance(score, float)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=30))
def test_confidences_on_the_edges_of_bins(rows):
    truth = np.array([truth for truth, _ in rows])
    p = np.array([percent / 20 for _, percent in rows])
    probabilities = np.column_stack([1 - p, p])
    score = expected_calibration_error(truth, probabilities, labels=[0, 1], n_bins=10)
    assert score == pytest.approx(reference(truth, probabilities, [0, 1], 10), abs=1e-12)


def test_one_bin_is_confidence_minus_accuracy():
    truth, probabilities = random_case(0)
    accuracy = np.mean(EMOTIONS[probabilities.argmax(axis=1)] == truth)
    expected = abs(accuracy - probabilities.max(axis=1).mean())
    assert expected_calibration_error(truth, probabilities, n_bins=1) == pytest.approx(expected)
    one = expected_calibration_error(truth, probabilities, n_bins=1, strategy="quantile")
    assert one == pytest.approx(expected)


def test_quantile_bins_hold_equal_shares_of_the_rows():
    truth, probabilities = random_case(1, n_rows=60)
    order = np.argsort(probabilities.max(axis=1))
    parts = np.split(order, 6)  # bins of ten rows each
    expected = np.mean([reference(truth[p], probabilities[p], EMOTIONS, 1) for p in parts])
    score = expected_calibration_error(truth, probabilities, n_bins=6, strategy="quantile")
    assert score == pytest.approx(expected)


def test_quantile_bins_keep_equal_confidences_together():
    truth = ["a", "a", "b", "b"]
    probabilities = [[0.75, 0.25]] * 4
    score = expected_calibration_error(truth, probabilities, strategy="quantile", n_bins=4)
    assert score == pytest.approx(0.25)  # one bin: right in half of the rows, 75 % sure


def test_a_calibrated_model_has_a_small_error_and_an_overconfident_one_a_large_one():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), size=20_000)
    codes = (rng.random(20_000)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    sharpened = probabilities**4 / (probabilities**4).sum(axis=1, keepdims=True)
    truth = EMOTIONS[codes]
    assert expected_calibration_error(truth, probabilities, labels=EMOTIONS) < 0.02
    assert expected_calibration_error(truth, sharpened, labels=EMOTIONS) > 0.25


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_a_weight_of_k_equals_k_copies(strategy):
    truth, probabilities = random_case(2, n_rows=40)
    weight = np.random.default_rng(2).integers(0, 4, size=40)
    options = {"labels": EMOTIONS, "strategy": strategy, "n_bins": 7}
    copies = expected_calibration_error(
        np.repeat(truth, weight), np.repeat(probabilities, weight, axis=0), **options
    )
    weighted = expected_calibration_error(truth, probabilities, sample_weight=weight, **options)
    assert weighted == pytest.approx(copies)


def test_columns_follow_labels():
    truth, probabilities = random_case(3)
    shuffled = [2, 0, 3, 1]
    score = expected_calibration_error(
        truth, pd.DataFrame(probabilities[:, shuffled]), labels=list(EMOTIONS[shuffled])
    )
    assert score == pytest.approx(reference(truth, probabilities, EMOTIONS))
    # A class that nobody shows has a column all the same.
    some = truth != "anger"
    score = expected_calibration_error(truth[some], probabilities[some], labels=EMOTIONS)
    assert score == pytest.approx(reference(truth[some], probabilities[some], EMOTIONS))


def test_rows_without_probabilities_are_left_out():
    truth, probabilities = random_case(4)
    with_failed = probabilities.copy()
    with_failed[::3] = np.nan
    kept = np.arange(200) % 3 != 0
    score = expected_calibration_error(truth, with_failed, labels=EMOTIONS)
    assert score == pytest.approx(reference(truth[kept], probabilities[kept], EMOTIONS))
    assert np.isnan(expected_calibration_error(truth, np.full((200, 4), np.nan), labels=EMOTIONS))


def test_no_rows_or_no_weight_is_nan():
    assert np.isnan(expected_calibration_error([], np.empty((0, 2))))
    assert np.isnan(
        expected_calibration_error(["a", "b"], [[1, 0], [0, 1]], sample_weight=[0.0, 0.0])
    )


def test_float16_probabilities_pass():
    truth, probabilities = random_case(5)
    score = expected_calibration_error(truth, probabilities.astype(np.float16))
    assert score == pytest.approx(reference(truth, probabilities, EMOTIONS), abs=0.02)


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([0.5, 0.5], r"a column per class, .* got the shape \(2,\)"),
        ([["x", "y"], ["y", "x"]], "y_proba must hold numbers: could not convert string"),
        ([[0.5, 0.5], [0.9, 0.2]], r"do not sum to 1 in row 1: row 1 is \[0.9, 0.2\]"),
        ([[50, 50], [90, 10]], "do not sum to 1 in rows 0, 1: "),
        ([[1.5, -0.5], [0.5, 0.5]], "negative probabilities in row 0"),
        ([[0.5, 0.5], [np.nan, 1.0]], r"of some classes only \(NaN in others\) in row 1"),
        ([[0.5, 0.5], [np.inf, 0.0]], "do not sum to 1 in row 1"),
    ],
)
def test_probabilities_that_are_none(probabilities, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(["a", "b"], probabilities)


@pytest.mark.parametrize(
    ("truth", "labels", "message"),
    [
        (["a", "a"], None, r"has 2 columns, but y_true only the classes \['a'\]: name the classes"),
        (["a", "b"], ["a", "b", "c"], "has 2 columns, but labels names 3 classes"),
        (["a", "c"], ["a", "b"], "y_true holds label 'c' in row 1, not among labels"),
        (["a", None], ["a", "b"], r"no label \(None or NaN\) in row 1: drop these rows first"),
        ([0, 1], ["0", "1"], "y_true holds numbers and labels strings, so that no label could"),
        (np.array(["a", 1], dtype=object), None, "labels that cannot be sorted"),
        (["a", "b"], ["a", "a"], "labels must be one or more different labels"),
    ],
)
def test_labels_that_do_not_fit(truth, labels, message):
    with pytest.raises(MetadataError, match=message):
        expected_calibration_error(truth, [[0.5, 0.5], [0.5, 0.5]], labels=labels)


def test_parameters_and_lengths():
    rows = [[0.5, 0.5], [0.5, 0.5]]
    with pytest.raises(InvalidParameterError, match="'n_bins' parameter"):
        expected_calibration_error(["a", "b"], rows, n_bins=0)
    with pytest.raises(InvalidParameterError, match="'strategy' parameter"):
        expected_calibration_error(["a", "b"], rows, strategy="kmeans")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        expected_calibration_error(["a"], rows)
    with pytest.raises(ValueError, match=r"not negative, but is -1.0 in row 1: give"):
        expected_calibration_error(["a", "b"], rows, sample_weight=[1, -1])
