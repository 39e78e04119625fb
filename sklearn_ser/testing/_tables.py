"""Checks of the table that an audio step gives: names, types, ids, `set_output`."""

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.utils.validation import check_array

from sklearn_ser.testing._outputs import (
    assert_finite,
    assert_same,
    assert_same_index,
    fitted,
    is_frame_table,
    is_table,
    reference,
    values_by_row,
)
from sklearn_ser.testing._speech import IDS, speech
from sklearn_ser.utils._frames import FEATURES_ATTR, FRAMES, frame_features, is_frames


def check_output_is_rows_or_frames(step):
    """Finite float32: a row of numbers, or a sequence of frames, for each utterance."""
    found = reference(step)
    if len(found) != len(speech().X):
        raise AssertionError(f"{len(speech().X)} utterances give {len(found)} rows")
    assert_finite(found, "speech")
    kinds = {values.dtype for values in values_by_row(found)}
    if kinds != {np.dtype(np.float32)}:
        raise AssertionError(f"the values are {sorted(map(str, kinds))}: expected float32")
    if is_frame_table(found):
        _assert_frames_contract(found)
    else:
        check_array(found)


def _assert_frames_contract(found):
    names = found.attrs.get(FEATURES_ATTR, [])
    for row, frames in enumerate(values_by_row(found)):
        if frames.ndim != 2 or 0 in frames.shape or not frames.flags.c_contiguous:
            raise AssertionError(
                f"row {row}: frames of shape {frames.shape}: expected a contiguous array "
                f"(n_frames, n_features)"
            )
        if frames.shape[1] != len(names) or not all(type(name) is str for name in names):
            raise AssertionError(
                f"row {row} has {frames.shape[1]} features a frame, attrs[{FEATURES_ATTR!r}] "
                f"names {len(names)}: expected one str for each"
            )
    if len(set(names)) != len(names) or frame_features(found, len(names)) != names:
        raise AssertionError(f"the features of a frame have no unique names: {names[:9]}")
    if not is_frames(found):
        raise AssertionError("the table is not taken for frame sequences by later steps")


def check_names_and_width_agree(step):
    """`get_feature_names_out` gives a unique str for each column of the output."""
    used = fitted(step)
    names = used.get_feature_names_out()
    if not isinstance(names, np.ndarray) or names.dtype != object or names.ndim != 1:
        raise AssertionError("get_feature_names_out must give a 1-D array of dtype object")
    if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
        raise AssertionError("the names of the features are no unique strings")
    if list(used.get_feature_names_out(list(speech().X.columns))) != list(names):
        raise AssertionError("get_feature_names_out takes the names of X's columns for its own")
    found = used.transform(speech().X.iloc[:1])
    if found.shape[1] != len(names):
        raise AssertionError(f"{len(names)} names for {found.shape[1]} columns")
    if is_table(found) and list(found.columns) != list(names):
        raise AssertionError("get_feature_names_out and the output's columns differ")
    if is_frame_table(found) and list(names) != [FRAMES]:
        raise AssertionError(f"the one column of frames must be called {FRAMES!r}")


def check_set_output(step):
    """`set_output` and the global setting give tables of the same numbers and names."""
    X, expected = speech().X, reference(step)
    names = list(fitted(step).get_feature_names_out())
    found = fitted(step).set_output(transform="default").transform(X)
    assert_same(found, expected, "set_output(transform='default') changes the numbers")
    asked = fitted(step).set_output(transform="pandas").transform(X)
    with config_context(transform_output="pandas"):
        configured = fitted(step).transform(X)
    for how, table in (("set_output", asked), ("config_context", configured)):
        if not isinstance(table, pd.DataFrame) or list(table.columns) != names:
            raise AssertionError(f"{how} gives no DataFrame with the step's own names")
        assert_same(table, expected, f"{how} changes the numbers")


def check_ids_become_index_levels(step):
    """With pandas output, the ids of X are the index; without ids it is the index of X."""
    used = fitted(step).set_output(transform="pandas")
    X = speech().X
    ids = X[list(IDS)]
    expected = pd.MultiIndex.from_frame(ids)
    numbered = X[["file"]].set_axis([7, 5, 3, 1])
    for what, index, wanted in (
        ("id columns", used.transform(X).index, expected),
        ("id levels", used.transform(X.set_index(list(IDS))).index, expected),
        ("one id", used.transform(X[["file", "speaker"]]).index, pd.Index(X["speaker"])),
        ("no ids", used.transform(numbered).index, numbered.index),
        ("a list", used.transform(list(X["file"])).index, pd.RangeIndex(len(X))),
    ):
        found = pd.DataFrame(index=index)
        assert_same_index(found, pd.DataFrame(index=wanted), f"X with {what}")
