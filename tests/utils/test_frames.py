"""Frame sequences in every form that a step may get them."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._frames import (
    as_sequences,
    check_no_feature_union,
    check_numpy_sequences,
    frame_features,
    frames_table,
    is_frames,
)

SEQUENCES = [np.ones((3, 2), dtype=np.float32), np.ones((5, 2), dtype=np.float32)]


def as_objects(cells):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


@pytest.mark.parametrize(
    "X",
    [
        frames_table(SEQUENCES, pd.RangeIndex(2), ["a", "b"]),
        SEQUENCES,
        as_objects(SEQUENCES),
        as_objects(SEQUENCES)[:, np.newaxis],
        pd.Series(SEQUENCES),
        np.ones((2, 3, 2)),
    ],
)
def test_every_form_is_recognized(X):
    assert is_frames(X)
    assert [sequence.shape[1] for sequence in as_sequences(X)] == [2, 2]
    assert list(failed_rows(X)) == [False, False]


@pytest.mark.parametrize(
    "X", [np.ones((2, 3)), [[1.0, 2.0]], pd.DataFrame({"a": ["x"]}), ["a.wav"], [np.ones(3)]]
)
def test_features_and_audio_are_not_frames(X):
    assert not is_frames(X)


def test_equal_lengths_failed_rows_names_and_slices():
    index = pd.Index(["s1", "s2", "s3"], name="speaker")
    table = frames_table([None, *SEQUENCES[:1] * 2], index, ["a", "b"])
    assert list(failed_rows(table)) == [True, False, False]
    part = table.iloc[[2, 0]]
    assert list(part.index) == ["s3", "s1"]
    assert frame_features(part, 2) == ["a", "b"]
    assert frame_features(part, 3) == ["frame_000", "frame_001", "frame_002"]
    assert as_sequences(part)[1] is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.ones(3), r"^row 1: expected an array \(n_frames, n_features\), found ndarray of shape"),
        ("a.wav", r"^row 1: expected an array \(n_frames, n_features\), found str"),
        (np.ones((0, 2)), r"^row 1: the sequence is empty, of shape \(0, 2\)"),
        (np.ones((4, 3)), r"^row 1: the frames have 3 features, but those of earlier rows have 2"),
    ],
)
def test_invalid_elements_raise_with_their_row(second, message):
    with pytest.raises(ValueError, match=message):
        as_sequences([SEQUENCES[0], second])


def test_a_table_of_failed_audio_only_holds_frames():
    table = frames_table([None, None], pd.RangeIndex(2), ["a", "b"])
    assert is_frames(table)
    assert list(failed_rows(table)) == [True, True]
    assert not is_frames(table.astype(float))


def test_stacked_sequences_that_are_entirely_nan_are_failed_audio():
    stacked = np.ones((3, 4, 2))
    stacked[1] = np.nan
    stacked[2, 0, 0] = np.nan
    assert list(failed_rows(stacked)) == [False, True, False]
    assert list(failed_rows(list(stacked))) == [False, False, False]


UNITED = pd.DataFrame({"a__frames": [None, SEQUENCES[1]], "b__frames": SEQUENCES, "c": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("X", "named"),
    [
        (UNITED, r"3 columns with frame sequences in 'a__frames', 'b__frames'\."),
        (UNITED[["c", "b__frames"]], r"2 columns with frame sequences in 'b__frames'\."),
        (UNITED.to_numpy(), r"3 columns with frame sequences in 0, 1\."),
    ],
)
def test_united_sequences_raise(X, named):
    message = f"^SomeStep is given {named} .* pool each to"
    with pytest.raises(ValueError, match=message):
        check_no_feature_union(X, "SomeStep")


@pytest.mark.parametrize(
    "X", [UNITED[["a__frames"]], UNITED[["c"]], SEQUENCES, np.ones((2, 3, 2)), np.ones((2, 3))]
)
def test_one_column_and_rows_pass(X):
    check_no_feature_union(X, "SomeStep")
    check_numpy_sequences(X)


def test_sequences_that_are_not_arrays_raise():
    for X in ([[[1.0, 2.0]], [[3.0, 4.0]]], [None, pd.DataFrame(SEQUENCES[0])]):
        with pytest.raises(ValueError, match=r"^frame sequences must be numpy arrays"):
            check_numpy_sequences(X)
    for X in ([[1.0, 2.0]], [[[1.0], [2.0, 3.0]]], ["a.wav"], [], [None], pd.Series([1.0])):
        check_numpy_sequences(X)
