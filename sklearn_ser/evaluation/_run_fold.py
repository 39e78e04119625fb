"""One fold of an evaluation: seeds, fit and predictions, and storage of finished folds."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from joblib import parallel_config
from joblib.hashing import NumpyHasher
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from sklearn_ser.evaluation._predictions_table import SINGLE, TRANSDUCTIVE, probability_columns
from sklearn_ser.evaluation._protocols import Fold
from sklearn_ser.exceptions import EvaluationWarning, SerError
from sklearn_ser.preprocessing._transduction import record_transduction, without_batch_statistics
from sklearn_ser.store._keys import CacheableMixin, NoStableContent, class_revisions, step_content
from sklearn_ser.store._locks import KeyLocks, has_locks
from sklearn_ser.utils._files import replace_files
from sklearn_ser.utils._nested_estimators import parameters_named
from sklearn_ser.utils._routing import fit_routed
from sklearn_ser.utils._warnings import collect_warnings, warn_user

#: Parameters that change the effort, not the result.
_EFFORT = ("n_jobs", "store", "verbose")
#: Attributes with the metadata requests and the container of the output of an estimator.
_SETTINGS = ("_metadata_request", "_sklearn_output_config")
#: Attributes that are not hashed as they are; callbacks of scikit-learn observe the fit.
_NOT_COVERED = {*_EFFORT, *_SETTINGS, "_skl_callbacks"}
#: Parameter of estimators of scikit-learn, and its values for which `random_state` has no effect.
_DETERMINISTIC = {
    "LinearSVC": ("dual", (False,)),
    "LinearSVR": ("dual", (False,)),
    "LogisticRegression": ("solver", ("lbfgs", "newton-cg", "newton-cholesky")),
    "NuSVC": ("probability", (False, "deprecated")),
    "SVC": ("probability", (False, "deprecated")),
}
_LIBRARIES = ("sklearn-ser", "scikit-learn", "numpy", "torch", "opensmile", "soxr")


def with_seed(estimator, seed: int):
    """Clone an estimator and set every `random_state` of it, its parts and splitters to `seed`."""
    seeded = clone(estimator)
    for name in parameters_named(seeded, "random_state"):
        seeded.set_params(**{name: seed})
    for splitter in _random_splitters(seeded):
        splitter.random_state = seed
    return seeded


def is_random(estimator) -> bool:
    """Return whether the seed can change the results of the estimator."""
    params = estimator.get_params()
    owners = (
        params[path.removesuffix("__random_state")] if "__" in path else estimator
        for path in parameters_named(estimator, "random_state")
    )
    searched = _searched_parameters(estimator)
    return any(_uses_seed(owner, searched) for owner in owners) or bool(
        _random_splitters(estimator)
    )


def _uses_seed(estimator, searched):
    if not type(estimator).__module__.startswith("sklearn."):
        return True
    name, deterministic = _DETERMINISTIC.get(type(estimator).__name__, ("", ()))
    return name in searched or getattr(estimator, name, None) not in deterministic


def _searched_parameters(estimator):
    """Return the parameters that searches vary, without the steps that they belong to."""
    return {
        key.split("__")[-1]
        for name in ("param_grid", "param_distributions")
        for grid in parameters_named(estimator, name).values()
        for part in (grid if isinstance(grid, list | tuple) else [grid])
        for key in part
    }


def _random_splitters(estimator):
    """List the splitters that shuffle, also in others; they need not be among the parameters."""
    found = []
    for value in estimator.get_params().values():
        while hasattr(value, "split"):
            if hasattr(value, "random_state") and getattr(value, "shuffle", True):
                found.append(value)
            value = getattr(value, "cv", None)
    return found


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

    X, y, `failed` (left out of training, and misses in the test) and each of `metadata` are those
    of all samples. The table has one row per test utterance and setting: `position` in X,
    `setting`, `y_pred`, `failed` and one probability column per label. Its ``attrs`` hold `notes`
    (warnings of the fit), `seconds` and `best_params` (of a search, as texts).
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
    table = pd.DataFrame(np.nan, range(len(positions)), probability_columns(labels))
    y_pred = np.asarray([None] * len(table) if y_pred is None else y_pred, dtype=object)
    table.insert(0, "position", np.asarray(positions, dtype=np.int64))
    table.insert(1, "y_pred", y_pred)
    return table


def _best_params(model):
    """Return the parameters chosen by a search, also by one inside a Pipeline or meta-estimator."""
    while model is not None and not hasattr(model, "best_params_"):
        inner = getattr(model, "estimator_", None)
        model = model.steps[-1][1] if isinstance(model, Pipeline) else inner
    return {name: repr(value) for name, value in getattr(model, "best_params_", {}).items()}


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that results depend on, by name."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def work_key(*parts) -> str:
    """Hash these parts together with the versions of the libraries."""
    return joblib.hash((parts, list(library_versions().items())))


def code_version(code: types.FunctionType | type) -> Any:
    """Return the version of the package of a function or class, or the revision of the class.

    Raise NoStableContent if neither is known.
    """
    module, package = map(sys.modules.get, (code.__module__, code.__module__.partition(".")[0]))
    version = getattr(package, "__version__", None)
    if version is not None and getattr(module, code.__qualname__, None) is code:
        return version
    if isinstance(code, type):
        return class_revisions(code)
    raise NoStableContent(f"the function {code.__qualname__} belongs to no versioned package")


def estimator_key(estimator: Any, code_version: Callable = code_version) -> str:
    """Hash the content of an estimator: all of its state that cloning keeps, and its parts.

    This is more than the parameters: a FrozenEstimator keeps what it has learned, and so does an
    estimator whose method is the parameter of another. Functions and classes are hashed by their
    name and by what `code_version` returns for them. Raise NoStableContent for what has no hash.
    """
    return _EstimatorHasher(code_version).hash(clone(estimator, safe=False))


class _EstimatorHasher(NumpyHasher):
    def __init__(self, code_version):
        super().__init__()
        self.code_version = code_version

    def save(self, obj: Any) -> None:
        """Hash an array by its elements: neither by its layout in memory nor by padding."""
        if isinstance(obj, np.ma.MaskedArray):
            obj = "masked", np.asarray(obj), np.ma.getmaskarray(obj)
        elif type(obj) is np.ndarray and obj.dtype.names:
            obj = "fields", {name: obj[name] for name in obj.dtype.names}
        elif type(obj) is np.ndarray:
            obj = obj.copy()
        try:
            super().save(obj)
        except NoStableContent:
            raise
        except Exception as error:  # (joblib would skip an object after a TypeError)
            raise NoStableContent(
                f"an object of type {type(obj).__name__} cannot be pickled ({error})"
            ) from error

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, types.FunctionType | type):
            if value.__module__.partition(".")[0] in sys.stdlib_module_names:
                return NotImplemented  # by its name
            return tuple, ((value.__module__, value.__qualname__, self.code_version(value)),)
        if isinstance(value, BaseEstimator):
            # Neither is a parameter: the one changes what `fit` receives, the other what the next
            # step does.
            settings = [str(getattr(value, name, "")) for name in _SETTINGS]
            if isinstance(value, CacheableMixin) and self.code_version is code_version:
                # Audio steps and augmenters as in a feature store: files by their content.
                return tuple, ((step_content(value, _EFFORT), settings),)
            state = dict(value.__getstate__())
            covered = {name: state[name] for name in state if name not in _NOT_COVERED}
            return tuple, ((type(value), covered, settings),)
        if isinstance(value, set | frozenset):  # the order of strings differs between processes
            hashes = (_EstimatorHasher(self.code_version).hash(part) for part in value)
            return tuple, (sorted(hashes),)
        if hasattr(value, "rvs") and hasattr(value, "dist"):  # of scipy.stats; holds a generator
            return tuple, ((type(value.dist), value.args, value.kwds),)
        return NotImplemented


class FoldCache:
    """Tables of finished folds in a folder, by key.

    The name of a file holds its key and a digest of its content: a file that is empty, damaged or
    that of another fold is ignored, and replaced when the fold has been computed again.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            (self.path / "folds").mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise SerError(
                f"finished folds cannot be stored in {str(self.path / 'folds')!r}: "
                f"{error.filename!r} is a file, not a folder. Remove it, or choose another folder "
                "as `out`"
            ) from error
        if not has_locks(str(self.path)):
            warn_user(
                f"the file system of {str(self.path)!r} has no file locks: finished folds are "
                "saved and not computed again, but processes that run this call at the same time "
                "do not share the folds that are left. To share them, choose a folder on another "
                "file system, such as a local disk.",
                EvaluationWarning,
            )

    @property
    def store(self) -> Path:
        """Folder of the FeatureStore of extracted features."""
        return self.path / "features"

    def load(self, key: str) -> pd.DataFrame | None:
        """Return the table of `key`, or None if there is none that is intact."""
        for file in self._files(key):
            with suppress(OSError):  # (removed, or unreadable)
                content = file.read_bytes()
                if file.name == _file_name(key, content):
                    return pd.read_parquet(io.BytesIO(content))
        return None

    def save(self, key: str, table: pd.DataFrame) -> None:
        """Write `table`, including its ``attrs``, under `key`, in place of any other."""
        former, content = self._files(key), table.to_parquet()
        file = self.path / "folds" / _file_name(key, content)
        replace_files({file: [content]})
        for other in former:
            if other != file:
                with suppress(OSError):  # (a folder, or removed by another process)
                    other.unlink()

    @contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Try to lock `key` within this context, without waiting: False if another process has it.

        True where the file system has no locks.
        """
        locks, entry = KeyLocks(self.path / "folds.lock"), bytes.fromhex(key)
        try:
            yield bool(locks.acquire([entry]))
        finally:
            locks.release([entry])

    def _files(self, key):
        return list((self.path / "folds").glob(f"{key}-*.parquet"))


def _file_name(key, content):
    return f"{key}-{hashlib.sha256(key.encode() + content).hexdigest()[:32]}.parquet"
