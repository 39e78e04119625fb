"""Keys of finished work: what a fold or a feature table was computed from.

A key covers the estimator's parameters, the metadata it asks for, the data, the rows and the
versions of the libraries that compute; not how many processes did it. Functions count by their
code, defaults and the constants and functions of their module that they name. What a key cannot
see is the code of an estimator class of one's own: after changing that, give another `out`.
"""

import functools
import importlib.metadata
import types

import joblib
from sklearn.base import BaseEstimator

from sklearn_ser.store._keys import function_code

_EFFORT = ("n_jobs", "store", "verbose")
_LIBRARIES = ("sklearn-ser", "scikit-learn", "numpy", "torch", "opensmile", "soxr")


def estimator_key(estimator):
    """A hash of an estimator's type and parameters, and of its parts'."""
    return joblib.hash(_content(estimator))


def work_key(*parts):
    """A hash of these parts and of the versions of the libraries that compute."""
    return joblib.hash((parts, list(library_versions().items())))


def library_versions():
    """Name to version of the libraries that compute."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _content(value):
    """`value` in a form that hashes by content: estimators by parameters, functions by code."""
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        kept = {name: _content(params[name]) for name in sorted(params) if name not in _EFFORT}
        # What `fit` asks for is no parameter, and changes what it learns from (set_fit_request).
        asked = str(vars(value).get("_metadata_request", ""))
        return f"{type(value).__module__}.{type(value).__qualname__}", kept, asked
    if isinstance(value, types.MethodType):
        return function_code(value.__func__), _content(value.__self__)
    if isinstance(value, functools.partial):
        return [_content(part) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, types.FunctionType):
        return _content(function_code(value))  # (estimators may be enclosed in it)
    if isinstance(value, dict):
        return {key: _content(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_content(part) for part in value]
    if isinstance(value, set | frozenset):  # of texts: another order in each process
        return type(value).__name__, sorted(joblib.hash(_content(part)) for part in value)
    return value
