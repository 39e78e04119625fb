"""One fold: fit on its training rows, predict its test rows, say how it was done."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklearn_ser.preprocessing import one_utterance_at_a_time, watch_transduction
from sklearn_ser.utils._failed import failed_rows
from sklearn_ser.utils._routing import fit_routed

SINGLE = "single"
TRANSDUCTIVE = "transductive"


def with_seed(estimator, seed):
    """A clone whose every `random_state` (its own and its parts') is `seed`."""
    seeded = clone(estimator)
    names = [name for name in seeded.get_params() if name.split("__")[-1] == "random_state"]
    return seeded.set_params(**dict.fromkeys(names, seed))


def is_random(estimator):
    """Whether any part of the estimator takes a `random_state`."""
    return any(name.split("__")[-1] == "random_state" for name in estimator.get_params())


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
        One row per test utterance and setting: `position` in X, `setting`, `prediction`, `failed`
        and one probability column per label (NaN where there is none). What was warned about
        while it ran is in ``attrs["notes"]``.
    """
    failed = failed_rows(X) if failed is None else failed
    train, test = fold.train[~failed[fold.train]], fold.test[~failed[fold.test]]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_routed(
            estimator,
            X.iloc[train],
            y[train],
            **{name: _take(values, train) for name, values in metadata.items()},
        )
        tables = _predict_settings(estimator, X.iloc[test], test, labels)
    missed = _table(fold.test[failed[fold.test]], None, labels).assign(failed=True)
    tables = [
        pd.concat([table, missed] if len(missed) else [table]).assign(setting=setting)
        for setting, table in tables.items()
    ]
    result = pd.concat(tables, ignore_index=True)
    absent = sorted(set(labels) - set(y[train]), key=str)
    notes = [f"no training row of {absent}"] if absent else []
    notes += [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    result.attrs["notes"] = sorted(set(notes))
    return result


def _predict_settings(estimator, X, positions, labels):
    """Predict the batch; if it leaned on its own statistics, predict one at a time as well."""
    if not len(X):
        return {SINGLE: _table(positions, None, labels)}
    with watch_transduction() as watched:
        table = _predict(estimator, X, positions, labels)
    if not watched.used:
        return {SINGLE: table}
    with one_utterance_at_a_time():
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
    table["prediction"] = np.asarray(
        [None] * len(table) if predictions is None else predictions, dtype=object
    )
    table["failed"] = False
    return table.assign(**dict.fromkeys(probability_columns(labels), np.nan))


def probability_columns(labels):
    """Names of the probability columns of a predictions table."""
    return [f"p_{label}" for label in labels]


def _take(values, rows):
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]
