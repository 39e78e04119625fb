"""Running a step in a check, and comparing what it gives."""

import pickle
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklearn_ser.exceptions import AudioError, MissingDependencyError
from sklearn_ser.testing._speech import SAMPLING_RATE, speech
from sklearn_ser.utils._frames import FRAMES

# Where the utterances that share a batch differ, a network's sums are taken in another order.
RTOL, ATOL = 1e-5, 1e-6

# What every check starts from, whatever the instance was made with. A check of one of these
# parameters sets it.
_PLAIN = {
    "audio": "file",
    "on_error": "raise",
    "beyond_full_scale": "raise",
    "remove_dc": False,
    "store": None,
    "n_jobs": None,
    "verbose": 0,
}

_references = OrderedDict()
_MOST_REFERENCES = 64


def has_parameter(step, name):
    """Whether the step has this parameter itself."""
    return name in step.get_params(deep=False)


def plain(step):
    """A clone, unfitted, with the parameters common to all audio steps at their defaults."""
    common = {name: value for name, value in _PLAIN.items() if has_parameter(step, name)}
    return clone(step).set_params(**common)


def fitted(step, **parameters):
    """A plain clone with these parameters, fitted to the speech."""
    return plain(step).set_params(**parameters).fit(speech().X, speech().y)


def sampling_rate_of(step):
    """The rate in Hz that a step takes bare arrays to be at."""
    return getattr(step, "sampling_rate", SAMPLING_RATE)


def pairs(signals):
    """Signals as cells that tell their rate, so that they are those of the files for any step."""
    return [(signal, SAMPLING_RATE) for signal in signals]


def reference(step):
    """What a plain, fitted clone gives for the speech; computed once for all checks of a step.

    A check that compares something with it computes that something anew.
    """
    try:
        key = (type(step), pickle.dumps(step.get_params()))
    except Exception:  # parameters that do not pickle: check_pickle says so
        return fitted(step).transform(speech().X)
    if key not in _references:
        _references[key] = fitted(step).transform(speech().X)
        if len(_references) > _MOST_REFERENCES:
            _references.popitem(last=False)
    return _references[key].copy()


def forget_references():
    """Compute them anew from now on: a file that a parameter names may have changed."""
    _references.clear()


def is_table(output):
    """Whether the output has an index to look at."""
    return isinstance(output, pd.DataFrame)


def is_frame_table(output):
    """Whether this is the output of a frame-level step."""
    return is_table(output) and list(output.columns) == [FRAMES]


def values_by_row(output):
    """What each utterance got: an array each, None where a frame-level step has nothing."""
    if is_frame_table(output):
        return [cell if isinstance(cell, np.ndarray) else None for cell in output[FRAMES]]
    values = np.asarray(output)
    if values.ndim != 2:
        raise AssertionError(
            f"transform gave an array of shape {values.shape}: expected (n_utterances, n_features)"
        )
    return list(values)


def failed(output):
    """Which rows are those of failed audio: all NaN, or without frames.

    Returns
    -------
    list of bool
    """
    return [values is None or bool(np.isnan(values).all()) for values in values_by_row(output)]


def assert_finite(output, what):
    """Raise where a value is NaN or infinite."""
    for row, values in enumerate(values_by_row(output)):
        if values is None or not np.isfinite(values).all():
            raise AssertionError(f"{what}: row {row} holds NaN or infinite values, or nothing")


def assert_same(found, expected, what, *, exact=True):
    """Raise where two outputs differ in a row; their types and indexes do not count.

    Parameters
    ----------
    found, expected : outputs of `transform`, or the lists that `values_by_row` makes of them
    what : str
        What it means if they differ.
    exact : bool, default=True
        False allows what another batch composition may change in a network's sums.
    """
    found, expected = (
        output if isinstance(output, list) else values_by_row(output)
        for output in (found, expected)
    )
    if len(found) != len(expected):
        raise AssertionError(f"{what}: {len(found)} rows instead of {len(expected)}")
    rtol, atol = (0, 0) if exact else (RTOL, ATOL)
    for row, (one, other) in enumerate(zip(found, expected, strict=True)):
        if (one is None) != (other is None):
            raise AssertionError(f"{what}: row {row} has values in only one of the two")
        if one is not None:
            np.testing.assert_allclose(
                one, other, rtol=rtol, atol=atol, equal_nan=True, err_msg=f"{what}: row {row}"
            )


def assert_same_index(found, expected, what):
    """Raise where two tables differ in their index."""
    try:
        pd.testing.assert_index_equal(found.index, expected.index, exact="equiv")
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from None


@contextmanager
def audio_error(what, row, file=None):
    """Expect an AudioError that names this row, and this file where there is one."""
    try:
        yield
    except MissingDependencyError:
        raise
    except AudioError as error:
        if (error.row, error.file) != (row, file) or not str(error).startswith(f"row {row}"):
            raise AssertionError(
                f"{what}: the AudioError names row {error.row} and file {error.file!r} instead of "
                f"row {row} and file {file!r}: {error}"
            ) from error
    except Exception as error:
        raise AssertionError(
            f"{what}: {type(error).__name__} ({error}) instead of an AudioError"
        ) from error
    else:
        raise AssertionError(f"{what}: no AudioError")
