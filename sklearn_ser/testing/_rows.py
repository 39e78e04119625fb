"""Checks that what an utterance gets depends on nothing but that utterance and the parameters."""

import contextlib
import os
import random
import sys
import tempfile
import warnings

import joblib
import numpy as np
import sklearn

from sklearn_ser.testing._outputs import (
    assert_same,
    assert_same_index,
    audio_error,
    fitted,
    has_parameter,
    is_table,
    pairs,
    reference,
    values_by_row,
)
from sklearn_ser.testing._speech import equal_length_signals, object_array, speech, write_16_bit

# Rows of the one large batch, beyond the batch sizes in use, and samples of each.
_MANY, _SHORT = 66, 4000


def check_global_state_is_untouched(step):
    """No global generator is drawn from or seeded, and no global setting changes.

    It runs before the other checks that compute, since what is loaded once per process counts.
    """
    generators, settings = _generators(), None
    for cells in (pairs(speech().signals[:1]), pairs(speech().signals[1:])):
        fitted(step).transform(cells)
        if settings is None:
            settings = _settings()  # a library that loads may set something up
    now = {**_generators(), **_settings()}
    changed = [name for name, value in {**generators, **settings}.items() if now[name] != value]
    if changed:
        raise AssertionError(f"the step changes global state: {', '.join(changed)}")


def _generators():
    import torch

    return {
        "Python's random": random.getstate(),
        "numpy.random": repr(np.random.get_state()),  # noqa: NPY002 (only looked at)
        "torch's generator": torch.get_rng_state().tolist(),
    }


def _settings():
    import torch

    return {
        "torch's number of threads": torch.get_num_threads(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "the warning filters": list(warnings.filters),
        "numpy's error handling": np.geterr(),
        "scikit-learn's configuration": sklearn.get_config(),
        "the working directory": os.getcwd(),
        "the environment": dict(os.environ),
    }


def check_global_seeds_are_irrelevant(step):
    """Global generators in other states give the same numbers."""
    import torch

    np_state, torch_state, own_state = (  # put back below
        np.random.get_state(),  # noqa: NPY002
        torch.get_rng_state(),
        random.getstate(),
    )
    try:
        random.seed(54321)
        np.random.seed(54321)  # noqa: NPY002
        torch.manual_seed(54321)
        found = fitted(step).transform(speech().X)
    finally:
        random.setstate(own_state)
        np.random.set_state(np_state)  # noqa: NPY002
        torch.set_rng_state(torch_state)
    assert_same(found, reference(step), "another global seed changes the numbers")


def check_repeated_transform_is_equal(step):
    """A step gives the same again, also after other audio."""
    X, used = speech().X, fitted(step)
    first = used.transform(X)
    assert_same(first, reference(step), "two clones of the step differ")
    used.transform(pairs(speech().signals[::-1]))
    again = used.transform(X)
    assert_same(again, first, "a second transform gives other numbers")
    if is_table(first):
        assert_same_index(again, first, "a second transform gives another index")


def check_one_row_equals_that_row_among_others(step):
    """Each utterance alone gets what it gets beside the others."""
    X, used, expected = speech().X, fitted(step), values_by_row(reference(step))
    for row in range(len(X)):
        found = used.transform(X.iloc[[row]])
        what = f"row {row} alone differs from that row among others"
        assert_same(found, expected[row : row + 1], what, exact=False)


def check_order_of_rows_is_irrelevant(step):
    """Rows in another order, some of them twice, get the same; the index follows the rows."""
    X, used, expected = speech().X, fitted(step), reference(step)
    order = [2, 0, 3, 0, 1]
    found = used.transform(X.iloc[order])
    values = values_by_row(expected)
    what = "rows in another order get other numbers"
    assert_same(found, [values[row] for row in order], what, exact=False)
    if is_table(found):
        assert_same_index(found, expected.iloc[order], "the index does not follow the rows")


def check_one_row_equals_that_row_among_many(step):
    """In a large batch of short utterances each gets what it gets among few."""
    short = pairs([signal[:_SHORT] for signal in speech().signals])
    used = fitted(step)
    expected = values_by_row(used.transform(short))
    order = np.arange(_MANY) * 3 % len(short)
    found = used.transform([short[row] for row in order])
    what = f"of {_MANY} rows some get other numbers than of {len(short)}"
    assert_same(found, [expected[row] for row in order], what, exact=False)


def check_rewritten_files_are_read_anew(step):
    """A file that is written again gives its new content, with and without a store."""
    first, second = equal_length_signals()[:2]
    folder = speech().new_folder()
    file = str(folder / "rewritten.wav")
    stores = (None, folder / "store") if has_parameter(step, "store") else (None,)
    for store in stores:
        used = fitted(step) if store is None else fitted(step, store=store)
        for signal in (first, second):
            write_16_bit(file, signal)
            found = used.transform([file])
            what = f"a file is rewritten (store={store and 'folder'}), and its old numbers stay"
            assert_same(found, fitted(step).transform(pairs([signal])), what)


def check_n_jobs_is_irrelevant(step):
    """`n_jobs` changes neither values nor index nor which failure is reported."""
    _assert_parallel_is_equal(step, "n_jobs=2")


def check_processes_give_the_same(step):
    """Worker processes (joblib's loky) give the same values and the same failure."""
    with joblib.parallel_config(backend="loky"):
        _assert_parallel_is_equal(step, "in worker processes")


def _assert_parallel_is_equal(step, how):
    expected = reference(step)
    parallel = fitted(step, n_jobs=2)
    found = parallel.transform(speech().X)
    assert_same(found, expected, f"{how}: other numbers")
    if is_table(expected):
        assert_same_index(found, expected, f"{how}: another index")
    cells = pairs(speech().signals)
    bad = object_array([cells[0], (np.zeros(0), 16000), cells[2], (np.zeros(0), 16000)])
    with audio_error(f"{how}, two rows are empty", row=1):
        parallel.transform(bad)


def check_store_changes_nothing(step):
    """With `store` a cold and a warm run give what a run without it gives."""
    X, expected = speech().X, reference(step)
    folder = speech().new_folder() / "store"
    for store in (folder, str(folder)):
        kind = "an empty" if store is folder else "a warm"
        used = fitted(step, store=store)
        found = used.transform(X)
        assert_same(found, expected, f"{kind} store changes the numbers")
        if is_table(expected):
            assert_same_index(found, expected, f"{kind} store changes the index")
        if not folder.exists() or not any(folder.iterdir()):
            raise AssertionError(
                "store names a folder, but nothing was written to it: a class outside sklearn_ser "
                "must declare cache_revision (see FeatureStore)"
            )
    backwards = fitted(step, store=folder).transform(X.iloc[::-1])
    assert_same(backwards, expected.iloc[::-1], "a warm store gives rows in another order")
    with audio_error("a failed row beside a warm store", row=1, file="missing.wav"):
        fitted(step, store=folder).transform([X["file"].iloc[0], "missing.wav"])


def check_nothing_is_printed(step):
    """Nothing reaches the terminal or the warnings, also with verbose=1 where nobody looks."""
    levels = [{"verbose": level} for level in (0, 1)] if hasattr(step, "verbose") else [{}]
    for parameters in levels:
        with tempfile.TemporaryFile() as printed:
            with _redirected(printed), warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                fitted(step, **parameters).transform(speech().X)
            printed.seek(0)
            text = printed.read().decode(errors="replace")
        said = ", ".join(f"{name}={value}" for name, value in parameters.items())
        if text:
            raise AssertionError(f"the step prints with {said}: {text!r}")
        if caught:
            raise AssertionError(f"the step warns about good audio: {caught[0].message}")


@contextlib.contextmanager
def _redirected(file):
    """Let everything that goes to the standard streams, also from C, go to a file."""
    with contextlib.ExitStack() as stack:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            stream.flush()
            kept = os.dup(number)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, number)
            os.dup2(file.fileno(), number)
        text = stack.enter_context(open(os.dup(file.fileno()), "w", closefd=True))
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))
        yield
