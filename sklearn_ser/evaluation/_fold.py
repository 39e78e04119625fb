"""One fold of an evaluation: fit on its training samples, predict its test samples."""

from __future__ import annotations

import copy
import time

import numpy as np
import pandas as pd
from joblib import parallel_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_ser.evaluation._predictions_table import SINGLE, TRANSDUCTIVE, probability_columns
from sklearn_ser.evaluation._protocols import Fold
from sklearn_ser.preprocessing._transduction import record_transduction, without_batch_statistics
from sklearn_ser.utils._nested_estimators import parameters_named
from sklearn_ser.utils._routing import fit_routed
from sklearn_ser.utils._warnings import collect_warnings


def with_seed(estimator, seed: int):
    """Clone an estimator and set every `random_state` of it, its parts and splitters to `seed`."""
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


def is_random(estimator) -> bool:
    """Return whether any part of the estimator has a `random_state`."""
    splits = any(map(_is_random_splitter, estimator.get_params().values()))
    return splits or bool(parameters_named(estimator, "random_state"))


def _is_random_splitter(value):
    """Return whether a parameter is a splitter that shuffles, possibly inside another splitter.

    ``get_params`` of a search does not show the `random_state` of its splitter.
    """
    if not hasattr(value, "split"):
        return False
    if hasattr(value, "random_state"):
        return bool(getattr(value, "shuffle", True))
    return _is_random_splitter(getattr(value, "cv", None))


def run_fold(
    estimator,
    X: pd.DataFrame,
    y: np.ndarray,
    metadata: dict[str, pd.Series | pd.DataFrame],
    fold: Fold,
    labels: list,
    failed: np.ndarray,
) -> pd.DataFrame:
    """Fit the estimator itself on one fold and predict its test samples.

    X, y, `failed` (no usable audio: left out of training, and misses in the test) and each of
    `metadata` (what `fit` may request) are those of all samples of the evaluation. y has the
    sentinel value for unlabeled samples and for those of `fold.hidden`.

    The table has one row per test utterance and setting: `position` in X, `setting`, `y_pred`,
    `failed` and one probability column per label (NaN where there is none). Its ``attrs`` hold
    `notes` (warnings of the fit), `seconds` and `best_params` (of a search, as texts).
    """
    train, test = fold.train[~failed[fold.train]], fold.test[~failed[fold.test]]
    started = time.monotonic()
    with collect_warnings() as notes:
        fit_routed(
            estimator,
            X.iloc[train],
            y[train],
            **{name: values.iloc[train] for name, values in metadata.items()},
        )
        tables = _predict_settings(estimator, X.iloc[test], test, labels)
    if len(fold.hidden):  # fitted on the test utterances: no prediction is that of one alone
        tables = {TRANSDUCTIVE: tables.get(TRANSDUCTIVE, tables[SINGLE])}
    missed = _table(fold.test[failed[fold.test]], None, labels)
    result = pd.concat(
        [
            pd.concat([table, missed] if len(missed) else [table]).assign(setting=setting)
            for setting, table in tables.items()
        ],
        ignore_index=True,
    )
    result["failed"] = result["y_pred"].isna()
    absent = sorted(set(labels) - set(y[train]), key=str)
    if absent:
        notes.append(f"no training sample of {absent}")
    result.attrs["notes"] = sorted(set(notes))
    result.attrs["seconds"] = time.monotonic() - started
    result.attrs["best_params"] = _best_params(estimator)
    return result


def _predict_settings(estimator, X, positions, labels):
    """Predict the batch and, if statistics of the batch were used, also one sample at a time."""
    if not len(X):
        return {SINGLE: _table(positions, None, labels)}
    # Both contexts hold for one thread: parallel code inside the estimator must not leave it.
    with parallel_config(backend="sequential"), record_transduction() as scaled_by_batch:
        table = _predict(estimator, X, positions, labels)
    if not scaled_by_batch:
        return {SINGLE: table}
    with parallel_config(backend="sequential"), without_batch_statistics():
        return {TRANSDUCTIVE: table, SINGLE: _predict(estimator, X, positions, labels)}


def _predict(estimator, X, positions, labels):
    table = _table(positions, estimator.predict(X), labels)
    if hasattr(estimator, "predict_proba"):
        probabilities = pd.DataFrame(estimator.predict_proba(X), columns=estimator.classes_)
        table[probability_columns(labels)] = probabilities.reindex(
            columns=labels, fill_value=0.0
        ).to_numpy()
    return table


def _table(positions, y_pred, labels):
    table = pd.DataFrame({"position": np.asarray(positions, dtype=np.int64)})
    table["y_pred"] = np.asarray([None] * len(table) if y_pred is None else y_pred, dtype=object)
    return table.assign(**dict.fromkeys(probability_columns(labels), np.nan))


def _best_params(model):
    """Return the parameters chosen by a search, also by one inside a Pipeline or meta-estimator."""
    while not hasattr(model, "best_params_"):
        if isinstance(model, Pipeline):
            model = model.steps[-1][1]
        elif hasattr(model, "estimator_"):
            model = model.estimator_
        else:
            return {}
    return {name: repr(value) for name, value in model.best_params_.items()}
