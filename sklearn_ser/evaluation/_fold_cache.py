"""Storage of finished folds: cache keys, files and locks.

A key covers an estimator's parameters, the metadata it requests, the data, the rows and the
versions of the libraries; not the number of processes. Functions are identified by their code,
their defaults, and the constants and functions of their module that they name. The code of an
estimator class of your own is not part of the key: after changing it, use another folder.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import pandas as pd
from sklearn.base import BaseEstimator

from sklearn_ser.store._locks import KeyLocks

#: Parameters that change the effort, not the result.
_EFFORT = ("n_jobs", "store", "verbose")
_LIBRARIES = ("sklearn-ser", "scikit-learn", "numpy", "torch", "opensmile", "soxr")


def estimator_key(estimator) -> str:
    """Hash the type and the parameters of an estimator and of its parts."""
    return joblib.hash(_content(estimator))


def work_key(*parts) -> str:
    """Hash these parts together with the versions of the libraries."""
    return joblib.hash((parts, list(library_versions().items())))


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that results depend on, by name."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _content(value):
    """Convert `value` so that it hashes by content: estimators by parameters, functions by code."""
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        covered = {name: _content(params[name]) for name in sorted(params) if name not in _EFFORT}
        # The metadata request is no parameter, but changes what `fit` receives (set_fit_request).
        request = str(vars(value).get("_metadata_request", ""))
        return f"{type(value).__module__}.{type(value).__qualname__}", covered, request
    if isinstance(value, types.MethodType):
        return _function_content(value.__func__), _content(value.__self__)
    if isinstance(value, functools.partial):
        return [_content(part) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, types.FunctionType):
        return _content(_function_content(value))  # (a closure may hold estimators)
    if isinstance(value, dict):
        return {key: _content(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_content(part) for part in value]
    if isinstance(value, set | frozenset):  # the order of strings differs between processes
        return type(value).__name__, sorted(joblib.hash(_content(part)) for part in value)
    return value


def _function_content(function, seen=None):
    """Return the code, defaults, closure and module globals of a function."""
    seen = set() if seen is None else seen
    if function.__code__ in seen:
        return function.__name__
    seen.add(function.__code__)

    def content(value):
        if isinstance(value, types.FunctionType):
            return _function_content(value, seen)
        return value.__name__ if isinstance(value, type) else value

    enclosed = [content(_cell_content(cell)) for cell in function.__closure__ or ()]
    if function.__module__.partition(".")[0] in ("sklearn_ser", "sklearn"):
        return [function.__name__, *enclosed]  # known by the version of its package
    return {
        "code": _code_content(function.__code__),
        "defaults": list(map(content, function.__defaults__ or ())),
        "keywords": {
            name: content(value) for name, value in (function.__kwdefaults__ or {}).items()
        },
        "enclosed": enclosed,
        "of its module": {
            name: content(value)
            for name in sorted(_names(function.__code__))
            if _belongs(value := function.__globals__.get(name), function)
        },
    }


def _cell_content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _belongs(value, function):
    """Return whether a global is a constant, or a function of the function's module."""
    if isinstance(value, types.FunctionType):
        return value.__module__ == function.__module__
    return isinstance(value, bool | int | float | complex | str | bytes | tuple | frozenset)


def _names(code):
    """Return the names that a code object and those within it use."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _code_content(code):
    """Return a code object without its position in a file."""
    constants = [_constant_content(constant) for constant in code.co_consts]
    names = [list(code.co_names), list(code.co_varnames), list(code.co_freevars)]
    return [code.co_code, code.co_argcount, code.co_kwonlyargcount, code.co_flags, constants, names]


def _constant_content(constant):
    if isinstance(constant, types.CodeType):
        return _code_content(constant)
    if isinstance(constant, slice):  # since Python 3.14
        return ["slice", constant.start, constant.stop, constant.step]
    if isinstance(constant, tuple):
        return tuple(map(_constant_content, constant))
    return ["..."] if constant is Ellipsis else constant


class FoldCache:
    """Tables of finished folds in a folder, by key; with ``path=None`` nothing is stored.

    A table is written to a temporary file that is then renamed, so that a reader, or a run after a
    kill, finds a complete table or none.
    """

    def __init__(self, path: str | Path | None):
        self.path = None if path is None else Path(path)
        if self.path is not None:
            self.path.mkdir(parents=True, exist_ok=True)

    @property
    def store(self) -> Path | None:
        """Folder of the FeatureStore of extracted features, or None."""
        return None if self.path is None else self.path / "features"

    def load(self, key: str) -> pd.DataFrame | None:
        """Return the table of `key`, or None if there is none."""
        if self.path is None or not self._file(key).is_file():
            return None
        return pd.read_parquet(self._file(key))

    def save(self, key: str, table: pd.DataFrame) -> None:
        """Write `table`, including its ``attrs``, under `key`."""
        if self.path is None:
            return
        target = self._file(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
        os.close(handle)
        try:
            table.to_parquet(name)
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Try to lock `key` within this context, without waiting.

        The value is False if another process computes the table of `key`; always True without a
        folder, and where the file system has no locks.
        """
        if self.path is None:
            yield True
            return
        locks, entry = KeyLocks(self.path / "folds.claims"), bytes.fromhex(key)
        try:
            yield bool(locks.acquire([entry]))
        finally:
            locks.release([entry])

    def _file(self, key):
        assert self.path is not None
        return self.path / "folds" / f"{key}.parquet"
