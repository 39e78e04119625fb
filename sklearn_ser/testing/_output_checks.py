"""Checks of the output of an audio step: its table, and its dependence on nothing but the input."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings

import joblib
import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.utils.validation import check_array

from sklearn_ser.testing._comparison import (
    assert_finite,
    assert_same,
    assert_same_index,
    audio_error,
    equal_length_signals,
    fitted,
    has_parameter,
    is_frame_table,
    is_table,
    object_array,
    pairs,
    reference,
    speech,
    values_by_row,
    write_16_bit,
)
from sklearn_ser.utils._frames import FEATURES_ATTR, FRAMES, frame_features, is_frames
from sklearn_ser.utils._ids import ID_COLUMNS


def check_output_is_rows_or_frames(step):
    """Check that the output is finite float32: a row or a sequence of frames per utterance."""
    actual = reference(step)
    if len(actual) != len(speech().X):
        raise AssertionError(f"the output for {len(speech().X)} utterances has {len(actual)} rows")
    assert_finite(actual, "speech")
    kinds = {values.dtype for values in values_by_row(actual)}
    if kinds != {np.dtype(np.float32)}:
        raise AssertionError(f"the values are {sorted(map(str, kinds))}: expected float32")
    if is_frame_table(actual):
        _assert_frames_contract(actual)
    else:
        check_array(actual)


def _assert_frames_contract(actual):
    names = actual.attrs.get(FEATURES_ATTR, [])
    for row, frames in enumerate(values_by_row(actual)):
        if frames.ndim != 2 or 0 in frames.shape or not frames.flags.c_contiguous:
            raise AssertionError(
                f"row {row}: frames of shape {frames.shape}: expected a contiguous array "
                f"(n_frames, n_features)"
            )
        if frames.shape[1] != len(names) or not all(type(name) is str for name in names):
            raise AssertionError(
                f"row {row}: the frames have {frames.shape[1]} features, attrs[{FEATURES_ATTR!r}] "
                f"has {len(names)} names: expected one str per feature"
            )
    if len(set(names)) != len(names) or frame_features(actual, len(names)) != names:
        raise AssertionError(f"the features of a frame do not have unique names: {names[:9]}")
    if not is_frames(actual):
        raise AssertionError("the table is not recognized as frame sequences")


def check_names_and_width_agree(step):
    """Check that `get_feature_names_out` gives a unique str for each column of the output."""
    used = fitted(step)
    names = used.get_feature_names_out()
    if not isinstance(names, np.ndarray) or names.dtype != object or names.ndim != 1:
        raise AssertionError("get_feature_names_out must give a 1-D array of dtype object")
    if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
        raise AssertionError("the names of the features are not unique strings")
    if list(used.get_feature_names_out(list(speech().X.columns))) != list(names):
        raise AssertionError("get_feature_names_out returns the names of the columns of X")
    actual = used.transform(speech().X.iloc[:1])
    if actual.shape[1] != len(names):
        raise AssertionError(f"{len(names)} names for {actual.shape[1]} columns")
    if is_table(actual) and list(actual.columns) != list(names):
        raise AssertionError("get_feature_names_out and the output's columns differ")
    if is_frame_table(actual) and list(names) != [FRAMES]:
        raise AssertionError(f"the column of frames must have the name {FRAMES!r}")


def check_set_output(step):
    """Check that `set_output` and the configuration give DataFrames of equal values and names."""
    X, expected = speech().X, reference(step)
    names = list(fitted(step).get_feature_names_out())
    actual = fitted(step).set_output(transform="default").transform(X)
    assert_same(actual, expected, "set_output(transform='default') changes the values")
    explicit = fitted(step).set_output(transform="pandas").transform(X)
    with config_context(transform_output="pandas"):
        configured = fitted(step).transform(X)
    for how, table in (("set_output", explicit), ("config_context", configured)):
        if not isinstance(table, pd.DataFrame) or list(table.columns) != names:
            raise AssertionError(f"{how} does not give a DataFrame with the names of the step")
        assert_same(table, expected, f"{how} changes the values")


def check_ids_become_index_levels(step):
    """Check that the index of pandas output is that of X, or its ids where there are any."""
    used = fitted(step).set_output(transform="pandas")
    X = speech().X
    ids = X[list(ID_COLUMNS)]
    expected = pd.MultiIndex.from_frame(ids)
    numbered = X[["file"]].set_axis([7, 5, 3, 1])
    for what, index, expected_index in (
        ("id columns", used.transform(X).index, expected),
        ("id levels", used.transform(X.set_index(list(ID_COLUMNS))).index, expected),
        ("one id", used.transform(X[["file", "speaker"]]).index, pd.Index(X["speaker"])),
        ("no ids", used.transform(numbered).index, numbered.index),
        ("a list", used.transform(list(X["file"])).index, pd.RangeIndex(len(X))),
    ):
        actual = pd.DataFrame(index=index)
        assert_same_index(actual, pd.DataFrame(index=expected_index), f"X with {what}")


# Rows of the one large batch, beyond the batch sizes in use, and samples of each.
_MANY, _SHORT = 66, 4000


def check_repeated_transform_is_equal(step):
    """Check that a second transform gives the same output, also after other audio."""
    X, used = speech().X, fitted(step)
    first = used.transform(X)
    assert_same(first, reference(step), "two clones of the step differ")
    used.transform(pairs(speech().signals[::-1]))
    again = used.transform(X)
    assert_same(again, first, "a second transform gives other values")
    if is_table(first):
        assert_same_index(again, first, "a second transform gives another index")


def check_one_row_equals_that_row_among_others(step):
    """Check that the output for an utterance alone is the same as among others."""
    X, used, expected = speech().X, fitted(step), values_by_row(reference(step))
    for row in range(len(X)):
        actual = used.transform(X.iloc[[row]])
        what = f"row {row} alone differs from that row among others"
        assert_same(actual, expected[row : row + 1], what, exact=False)


def check_order_of_rows_is_irrelevant(step):
    """Check that reordered and repeated rows give the same output, and the index follows them."""
    X, used, expected = speech().X, fitted(step), reference(step)
    order = [2, 0, 3, 0, 1]
    actual = used.transform(X.iloc[order])
    values = values_by_row(expected)
    what = "rows in another order give other values"
    assert_same(actual, [values[row] for row in order], what, exact=False)
    if is_table(actual):
        assert_same_index(actual, expected.iloc[order], "the index does not follow the rows")


def check_one_row_equals_that_row_among_many(step):
    """Check that the output for an utterance in a large batch is the same as in a small one."""
    short = pairs([signal[:_SHORT] for signal in speech().signals])
    used = fitted(step)
    expected = values_by_row(used.transform(short))
    order = np.arange(_MANY) * 3 % len(short)
    actual = used.transform([short[row] for row in order])
    what = f"in a batch of {_MANY} rows some values differ from those in {len(short)} rows"
    assert_same(actual, [expected[row] for row in order], what, exact=False)


def check_rewritten_files_are_read_again(step):
    """Check that a rewritten file gives the output of its new content, with and without a store."""
    first, second = equal_length_signals()[:2]
    folder = speech().new_folder()
    file = str(folder / "rewritten.wav")
    stores = (None, folder / "store") if has_parameter(step, "store") else (None,)
    for store in stores:
        used = fitted(step) if store is None else fitted(step, store=store)
        for signal in (first, second):
            write_16_bit(file, signal)
            actual = used.transform([file])
            what = f"a rewritten file gives its old output (store={store and 'folder'})"
            assert_same(actual, fitted(step).transform(pairs([signal])), what)


def check_n_jobs_is_irrelevant(step):
    """Check that `n_jobs` has no influence on values, index and the reported failure."""
    _assert_parallel_is_equal(step, "n_jobs=2")


def check_processes_give_the_same(step):
    """Check that worker processes (joblib's loky) give the same values and the same failure."""
    with joblib.parallel_config(backend="loky"):
        _assert_parallel_is_equal(step, "in worker processes")


def _assert_parallel_is_equal(step, how):
    expected = reference(step)
    parallel = fitted(step, n_jobs=2)
    actual = parallel.transform(speech().X)
    assert_same(actual, expected, f"{how}: other values")
    if is_table(expected):
        assert_same_index(actual, expected, f"{how}: another index")
    references = pairs(speech().signals)
    bad = object_array([references[0], (np.zeros(0), 16000), references[2], (np.zeros(0), 16000)])
    with audio_error(f"{how}, two rows are empty", row=1):
        parallel.transform(bad)


def check_store_gives_the_same(step):
    """Check that a run with an empty or a filled `store` gives the same output as without."""
    X, expected = speech().X, reference(step)
    folder = speech().new_folder() / "store"
    for store in (folder, str(folder)):
        kind = "an empty" if store is folder else "a filled"
        used = fitted(step, store=store)
        actual = used.transform(X)
        assert_same(actual, expected, f"{kind} store changes the values")
        if is_table(expected):
            assert_same_index(actual, expected, f"{kind} store changes the index")
        if not folder.exists() or not any(folder.iterdir()):
            raise AssertionError(
                "store names a folder, but nothing was written to it: a class outside sklearn_ser "
                "must declare cache_revision (see FeatureStore)"
            )
    backwards = fitted(step, store=folder).transform(X.iloc[::-1])
    assert_same(backwards, expected.iloc[::-1], "a filled store gives rows in another order")
    with audio_error("a failed row beside a filled store", row=1, file="missing.wav"):
        fitted(step, store=folder).transform([X["file"].iloc[0], "missing.wav"])


def check_nothing_is_printed(step):
    """Check that nothing is printed or warned, also with verbose=1 without a terminal."""
    levels = [{"verbose": level} for level in (0, 1)] if hasattr(step, "verbose") else [{}]
    for parameters in levels:
        with tempfile.TemporaryFile() as printed:
            with _redirected(printed), warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                fitted(step, **parameters).transform(speech().X)
            printed.seek(0)
            text = printed.read().decode(errors="replace")
        setting = ", ".join(f"{name}={value}" for name, value in parameters.items())
        if text:
            raise AssertionError(f"the step prints with {setting}: {text!r}")
        if caught:
            raise AssertionError(f"the step warns about good audio: {caught[0].message}")


@contextlib.contextmanager
def _redirected(file):
    """Redirect the standard streams, also those of C code, to a file."""
    with contextlib.ExitStack() as stack:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            stream.flush()
            original = os.dup(number)
            stack.callback(os.close, original)
            stack.callback(os.dup2, original, number)
            os.dup2(file.fileno(), number)
        text = stack.enter_context(open(os.dup(file.fileno()), "w", closefd=True))
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))
        yield
