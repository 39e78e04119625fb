"""Keys of finished work: what a fold or a feature table was computed from.

A key covers the estimator's parameters (functions by their code), the data, the rows and the
versions of the libraries that compute; not how many processes did it. What a key cannot see is
the code of an estimator class of one's own: after changing that, give another `out`.
"""

import importlib.metadata
import types

import joblib
from sklearn.base import BaseEstimator

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
        return f"{type(value).__module__}.{type(value).__qualname__}", kept
    if isinstance(value, types.FunctionType):
        code = value.__code__
        constants = [_code_or_constant(constant) for constant in code.co_consts]
        captured = [_content(cell.cell_contents) for cell in value.__closure__ or ()]
        return value.__qualname__, code.co_code, code.co_names, constants, captured
    if isinstance(value, dict):
        return {key: _content(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_content(part) for part in value]
    return value


def _code_or_constant(constant):
    if isinstance(constant, types.CodeType):
        inner = [_code_or_constant(part) for part in constant.co_consts]
        return constant.co_code, constant.co_names, inner
    return constant
