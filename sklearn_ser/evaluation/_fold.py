"""One fold: fit on its training rows, predict its test rows, say how it was done."""

import copy
import time

import numpy as np
import pandas as pd
from joblib import parallel_config
from sklearn.base import clone

from sklearn_ser.preprocessing._transduction import one_utterance_at_a_time, watch_transduction
from sklearn_ser.utils._failed import failed_rows
from sklearn_ser.utils._nested_estimators import parameters_named
from sklearn_ser.utils._routing import fit_routed
from sklearn_ser.utils._warnings import collect_warnings

SINGLE = "single"
TRANSDUCTIVE = "transductive"


def with_seed(estimator, seed):
    """A clone whose every `random_state` is `seed`: its own, its parts', and its splitters'."""
    seeded = clone(estimator)
    for name in parameters_named(seeded, "random_state"):
        seeded.set_params(**{name: seed})
    for name, value in seeded.get_params().items():
        if _is_random_splitter(value):
            seeded.set_params(**{name: _seeded_splitter(value, seed)})
    return seeded


def _seeded_splitter(splitter, seed):
    splitter = copy.copy(splitter)
    if hasattr(splitter, "random_state"):
        splitter.random_state = seed
    else:
        splitter.cv = _seeded_splitter(splitter.cv, seed)
    return splitter


def is_random(estimator):
    """Whether any part of the estimator takes a `random_state`."""
    splits = any(map(_is_random_splitter, estimator.get_params().values()))
    return splits or bool(parameters_named(estimator, "random_state"))


def _is_random_splitter(value):
    """A splitter that shuffles has a `random_state` that get_params of a search does not show.

    It may stand in another one (SemiSupervisedSplit).
    """
    if not hasattr(value, "split"):
        return False
    if hasattr(value, "random_state"):
        return bool(getattr(value, "shuffle", True))
    return _is_random_splitter(getattr(value, "cv", None))


def run_fold(estimator, X, y, metadata, fold, labels, failed=None):
    """Fit and predict one fold.

    Parameters
    ----------
    estimator : estimator
        Fitted here, on a clone's behalf: pass a fresh one.
    X : pandas.DataFrame
        Every row of the evaluation.
    y : ndarray
    metadata : dict of str to DataFrame, Series or ndarray
        What `fit` may ask for; each aligned with X.
    fold : Fold
    labels : list
        The fixed label set.
    failed : ndarray of bool, optional
        Rows without usable audio: not trained on, and a miss in the test.

    Returns
    -------
    pandas.DataFrame
        One row per test utterance and setting: `position` in X, `setting`, `y_pred`, `failed`
        and one probability column per label (NaN where there is none). What was warned about
        while it ran is in ``attrs["notes"]``, how long it took in ``attrs["seconds"]``.
    """
    failed = failed_rows(X) if failed is None else failed
    train, test = fold.train[~failed[fold.train]], fold.test[~failed[fold.test]]
    started = time.monotonic()
    with collect_warnings() as notes:
        fit_routed(
            estimator,
            X.iloc[train],
            y[train],
            **{name: _take(values, train) for name, values in metadata.items()},
        )
        tables = _predict_settings(estimator, X.iloc[test], test, labels)
    missed = _table(fold.test[failed[fold.test]], None, labels)
    tables = [
        pd.concat([table, missed] if len(missed) else [table]).assign(setting=setting)
        for setting, table in tables.items()
    ]
    result = pd.concat(tables, ignore_index=True)
    result["failed"] = result["y_pred"].isna()
    absent = sorted(set(labels) - set(y[train]), key=str)
    if absent:
        notes.append(f"no training row of {absent}")
    result.attrs["notes"] = sorted(set(notes))
    result.attrs["seconds"] = time.monotonic() - started
    return result


def _predict_settings(estimator, X, positions, labels):
    """Predict the batch; if it leaned on its own statistics, predict one at a time as well."""
    if not len(X):
        return {SINGLE: _table(positions, None, labels)}
    # Watching and forbidding hold for one thread: whatever is parallel inside must not leave it.
    with parallel_config(backend="sequential"), watch_transduction() as watched:
        table = _predict(estimator, X, positions, labels)
    if not watched.used:
        return {SINGLE: table}
    with parallel_config(backend="sequential"), one_utterance_at_a_time():
        return {TRANSDUCTIVE: table, SINGLE: _predict(estimator, X, positions, labels)}


def _predict(estimator, X, positions, labels):
    table = _table(positions, estimator.predict(X), labels)
    if hasattr(estimator, "predict_proba"):
        probabilities = pd.DataFrame(estimator.predict_proba(X), columns=estimator.classes_)
        table[probability_columns(labels)] = probabilities.reindex(
            columns=labels, fill_value=0.0
        ).to_numpy()
    return table


def _table(positions, predictions, labels):
    table = pd.DataFrame({"position": np.asarray(positions, dtype=np.int64)})
    table["y_pred"] = np.asarray(
        [None] * len(table) if predictions is None else predictions, dtype=object
    )
    return table.assign(**dict.fromkeys(probability_columns(labels), np.nan))


def probability_columns(labels):
    """Names of the probability columns of a predictions table."""
    return [f"p_{label}" for label in labels]


def _take(values, rows):
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]
