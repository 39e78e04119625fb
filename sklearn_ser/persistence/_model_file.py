"""Model files that are safe to share: plain data and dense arrays of a closed list of estimators.

A file is a JSON text and arrays in the layout of safetensors. The text is a tree of values: None,
truth values, numbers, strings and lists are themselves, everything else is a dict with one key, the
tag of what it holds. Objects are built from attributes that their schema has checked.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from packaging.version import InvalidVersion, Version
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils._metadata_requests import SIMPLE_METHODS
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import check_is_fitted

from sklearn_ser import __version__
from sklearn_ser.exceptions import ModelFileError, SerError
from sklearn_ser.persistence._container import (
    checked_target,
    container_of,
    read_container,
    write_file,
)
from sklearn_ser.persistence._schemas import (
    SCHEMAS,
    check_values,
    class_of,
    excluded_parameters,
    name_of,
    parameters_of,
    specs_of,
)
from sklearn_ser.utils._public import public_module

#: Version of the format. Format 3 is a closed list of schemas; 1 and 2 were archives of skops.
FORMAT = 3
_REQUESTS = "_metadata_request"
#: Attributes of `set_output`; the second is that of steps with containers of their own.
_OUTPUTS = ("_sklearn_output_config", "_output_config")
#: Limits of arrays of strings, whose width a few characters of JSON declare.
_MAX_TEXT_BYTES, _MAX_WIDTH = 2**24, 1024
_MAX_OBJECTS = 2000
#: Limit of the calls by which scikit-learn computes tags: a Pipeline computes those of a step up to
#: three times, others at most twice, so that the number grows exponentially with the depth.
_MAX_TAGS, _CALLS_OF_PIPELINES, _CALLS_OF_OTHERS = 50_000, 3, 2
#: Limit of the text of a version.
_MAX_VERSION = 200
_MAX_ERROR = 2000


@public_module("sklearn_ser.persistence")
def supported_types() -> list[str]:
    """Return the full names of the classes of which a model file can hold objects.

    Returns
    -------
    list of str
        Sorted names.

    Examples
    --------
    >>> from sklearn_ser.persistence import supported_types
    >>> "sklearn_ser.preprocessing.GroupScaler" in supported_types()
    True
    """
    return sorted(SCHEMAS)


@public_module("sklearn_ser.persistence")
def save_model(
    model: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    info: dict[str, Any] | None = None,
) -> None:
    """Save a fitted estimator to a file.

    A file holds the estimators of this package, and the scikit-learn estimators that its recipes
    and documentation use (see :func:`supported_types`), with parameters that are plain values. What
    belongs to the machine or to the training is excluded, and has its default in the file: `store`,
    `memory`, `callbacks`, `n_jobs`, `pre_dispatch`, the folder or name of a pretrained `model`,
    random generators (not seeds), and the `cv_results_` of a search. `model` is unchanged.

    Parameters
    ----------
    model : estimator
        Fitted estimator, such as a Pipeline.
    path : str or Path
        Path of the file, conventionally with the suffix ``.ser``. An existing file is replaced when
        the new one is complete, and is unchanged if anything fails.
    info : dict, optional
        Facts to save with the model (training corpora, labels, ...), as for JSON.

    Raises
    ------
    ModelFileError
        If the model is not a fitted estimator or holds anything that a file cannot hold, if `info`
        cannot be converted to JSON, or if the file cannot be written.

    Notes
    -----
    A file of a network with a custom encoder names its class, which the reader must trust by name.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ser import GroupScaler, load_model, save_model
    >>> X, y = load_iris(return_X_y=True)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scaler.ser"
    >>> save_model(GroupScaler().fit(X), path, info={"data": "iris"})
    >>> load_model(path)
    GroupScaler()
    """
    target = checked_target(path)
    facts = {
        "format": FORMAT,
        "sklearn_ser": __version__,
        "scikit_learn": sklearn.__version__,
        "python": platform.python_version(),
        "info": _checked_info(info),
    }
    _check_estimator(model, "the model")
    with _as_model_file_error("the model cannot be saved to a file"):
        writer = _Writer()
        tree = writer.value(model, "model")
        parts = container_of(json.dumps({**facts, "model": tree}), writer.arrays)
        _Reader(dict(writer.arrays), writer.trusted, sklearn.__version__).model(tree)
    write_file(target, parts)


@public_module("sklearn_ser.persistence")
def load_model(path: str | os.PathLike[str], *, trusted: Sequence[str] = ()) -> BaseEstimator:
    """Load a fitted estimator from a model file.

    Loading runs no code from the file, and imports nothing that the file names except what is in
    `trusted`. A loaded model reads no file, opens no connection and does not touch memory other
    than its own, whatever the file holds; see ``SECURITY.md``.

    Parameters
    ----------
    path : str or Path
        Path of the file.
    trusted : sequence of str, default=()
        Full names of classes that the file may name: custom encoders, and others that are
        parameters of a network, such as ``["my_package.MyEncoder"]``. They are imported, and an
        encoder is constructed with the parameters in the file.

    Returns
    -------
    estimator
        Fitted estimator.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of a newer version or of an older format, or if it holds
        anything but a valid fitted estimator.
    """
    trusted = _checked_names(trusted)
    facts, arrays = _read(path)
    with _as_model_file_error(f"model file {str(path)!r} cannot be read"):
        version = str(facts.get("scikit_learn"))[:40]
        return _Reader(arrays, trusted, version).model(facts.get("model"))


@public_module("sklearn_ser.persistence")
def load_model_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load the facts in a model file without the model.

    Parameters
    ----------
    path : str or Path
        Path of the file.

    Returns
    -------
    dict
        `format`, versions of `sklearn_ser`, `scikit_learn` and `python`, and `info` of
        :func:`save_model`.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of a newer version or of an older format.
    """
    facts, _ = _read(path, with_arrays=False)
    return {name: value for name, value in facts.items() if name != "model"}


class _Writer:
    """Converter of an estimator to a tree of JSON values, arrays by name, and trusted names."""

    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}
        self.trusted: list[str] = []

    def value(self, value, where):
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, np.generic | np.dtype):
            return self._numpy(value, where)
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return value if np.isfinite(value) else {"float": str(value)}
        if isinstance(value, list | tuple):
            parts = [self.value(part, f"{where}.{i}") for i, part in enumerate(value)]
            return parts if type(value) is list else {"tuple": parts}
        if isinstance(value, dict):
            parts = [self.value(part, f"{where}.{key}") for key, part in value.items()]
            if all(isinstance(key, str) for key in value):
                return {"dict": dict(zip(map(str, value), parts, strict=True))}
            keys = [self.value(key, where) for key in value]
            return {"pairs": [list(pair) for pair in zip(keys, parts, strict=True)]}
        if isinstance(value, bytes):
            return {"bytes": self._stored(np.frombuffer(value, np.uint8), where)}
        if type(value) is np.ndarray or type(value) is np.memmap:
            return self._array(np.asarray(value), where)
        if isinstance(value, type):
            if "." in value.__qualname__:
                raise ModelFileError(
                    f"{where} is the class {value.__qualname__}, which cannot be imported by name: "
                    "define it at the top level of a module"
                )
            self.trusted.append(f"{value.__module__}.{value.__qualname__}")
            return {"type": self.trusted[-1]}
        return {"object": self._object(value, where)}

    def _numpy(self, value, where):
        if isinstance(value, np.dtype) and value.kind in "biuf":
            return {"dtype": value.str}
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            number = self.value(value.item(), where)
            return {"scalar": [value.dtype.str, number]}
        raise ModelFileError(f"{where} is of {value!r}, which a model file does not hold")

    def _array(self, array, where):
        if array.dtype.kind in "UO":
            if array.ndim != 1 or not all(isinstance(each, str) for each in array):
                raise ModelFileError(
                    f"{where} is an array of objects of shape {array.shape}; a model file holds "
                    "arrays of numbers, and one-dimensional arrays of strings"
                )
            return {"strings": [array.dtype.str, [str(each) for each in array]]}
        if array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous:
            return {"transposed": self._stored(array.T, where)}
        return {"array": self._stored(array, where)}

    def _stored(self, array, where):
        while where in self.arrays:  # a key of a dict may look like a path
            where += "'"
        self.arrays[where] = np.ascontiguousarray(array).reshape(array.shape)
        return where

    def _object(self, value, where):
        name = name_of(type(value))
        if name not in SCHEMAS or class_of(name) is not type(value):
            short = [name.rpartition(".")[2] for name in supported_types()]
            raise ModelFileError(
                f"{where} is of the type {type(value).__module__}.{type(value).__qualname__}, "
                "which is not among those that a model file can hold: "
                f"{', '.join(each for each in short if each[0] != '_')}. Use skops or pickle "
                "yourself for others"
            )
        schema, state = SCHEMAS[name], dict(vars(value))
        excluded = excluded_parameters(name)
        params = {key: state.pop(key) for key in parameters_of(name)}
        params = {key: each for key, each in params.items() if key not in excluded}
        if not isinstance(params.get("random_state"), int | np.integer | None):
            params["random_state"] = None
        node: dict[str, Any] = {"class": name}
        requests = state.pop(_REQUESTS, None)
        if requests is not None:
            node["requests"] = {
                method: dict(getattr(requests, method).requests)
                for method in SIMPLE_METHODS
                if getattr(requests, method).requests
            }
        node["output"] = {name: state.pop(name) for name in _OUTPUTS if name in state}
        fitted = {key: state.pop(key) for key in specs_of(schema.fitted) if key in state}
        if state:
            known = {*schema.dropped, *schema.derived, *_initial_state(name, params)}
            unknown = sorted(state.keys() - known)
            if unknown:
                raise ModelFileError(
                    f"{where} has the attributes {unknown}, which are none of {name}"
                )
        for part, values in {"params": params, "fitted": fitted}.items():
            node[part] = {key: self.value(each, f"{where}.{key}") for key, each in values.items()}
        return node


class _Reader:
    """Builder of an estimator from a tree of JSON values, each array of which is used once."""

    def __init__(self, arrays, trusted, scikit_learn):
        self.arrays = arrays
        self.trusted = trusted
        self.scikit_learn = scikit_learn
        self.n_objects = self.n_tags = self.n_text_bytes = 0

    def model(self, tree):
        """Build the whole model."""
        model = self.value(tree)
        if self.arrays:
            raise ModelFileError(f"nothing in it uses the arrays {sorted(self.arrays)[:5]}")
        _check_estimator(model, "what it holds")
        return model

    def value(self, node):
        if isinstance(node, str):
            node.encode()  # raises for single surrogates
        elif isinstance(node, list):
            return [self.value(part) for part in node]
        elif isinstance(node, dict):
            if len(node) != 1:
                raise ModelFileError(f"{sorted(node)[:5]} stand where a value with one tag does")
            ((tag, content),) = node.items()
            build = _TAGS.get(tag)
            if build is None:
                raise ModelFileError(f"there is no tag {tag[:40]!r}")
            return build(self, content)
        elif isinstance(node, int) and not -(2**63) <= node < 2**64:
            raise ModelFileError("an integer in it has more than 64 bits")
        return node

    def _float(self, content):
        return {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}[content]

    def _tuple(self, content):
        return tuple(self.value(_checked(content, list)))

    def _dict(self, content):
        return {self.value(key): self.value(part) for key, part in content.items()}

    def _pairs(self, content):
        return {self._key(key): self.value(part) for key, part in content}

    def _key(self, node):
        key = self.value(node)
        # No tuples: any number of tuples with the same hash can be computed.
        if not isinstance(key, str | int | float | np.generic | None):
            raise ModelFileError(f"a {type(key).__name__} stands where the key of a dict does")
        return key

    def _stored(self, content):
        if not isinstance(content, str) or content not in self.arrays:
            raise ModelFileError(f"there is no array {str(content)[:80]!r}, or it is used twice")
        return self.arrays.pop(content)

    def _transposed(self, content):
        return self._stored(content).T

    def _bytes(self, content):
        array = self._stored(content)
        if array.dtype != np.uint8 or array.ndim != 1:
            raise ModelFileError(f"{content[:80]!r} is not an array of bytes")
        return array.tobytes()

    def _strings(self, content):
        code, values = content
        if not all(isinstance(each, str) for each in _checked(values, list)):
            raise ModelFileError("an array of strings in it holds other values")
        self.value(values)
        if code == "|O":
            array = np.empty(len(values), object)
            array[:] = values
            return array
        dtype = np.dtype(_checked(code, str)[:16])
        width = dtype.itemsize // 4
        self.n_text_bytes += dtype.itemsize * len(values)
        is_text = dtype.kind == "U" and dtype.isnative and width <= _MAX_WIDTH
        if not is_text or self.n_text_bytes > _MAX_TEXT_BYTES:
            raise ModelFileError(f"an array of strings in it is of {str(code)[:40]!r}")
        if any(len(each) > width for each in values):
            raise ModelFileError(f"a string in it is longer than {width} characters")
        return np.array(values, dtype)

    def _dtype(self, content):
        dtype = np.dtype(_checked(content, str)[:8])
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise ModelFileError(f"it holds the dtype {dtype}")
        return dtype

    def _scalar(self, content):
        code, number = content
        number = self.value(number)
        if not isinstance(number, bool | int | float):
            raise ModelFileError("a number in it is none")
        return self._dtype(code).type(number)

    def _type(self, content):
        if content not in self.trusted:
            raise ModelFileError(
                f"it names the class {str(content)[:200]!r}, which is not trusted. If you know "
                f"this class, load the file with trusted=[{str(content)[:200]!r}]"
            )
        module, _, attribute = content.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, type):
            raise ModelFileError(f"{content!r} is not a class")
        return found

    def _object(self, content):
        name = content.get("class")
        if name not in SCHEMAS:
            raise ModelFileError(f"a model file does not hold objects of {str(name)[:80]!r}")
        if content.keys() - {"class", "params", "fitted", "requests", "output"}:
            raise ModelFileError(f"an object in it has parts other than {sorted(content)[:5]}")
        self.n_objects += 1
        if self.n_objects > _MAX_OBJECTS:
            raise ModelFileError(f"it holds more than {_MAX_OBJECTS} objects")
        before = self.n_tags
        params, fitted = (
            {key: self.value(each) for key, each in _checked(content[part], dict).items()}
            for part in ("params", "fitted")
        )
        calls = _CALLS_OF_PIPELINES if name == "sklearn.pipeline.Pipeline" else _CALLS_OF_OTHERS
        self.n_tags = before + 1 + calls * (self.n_tags - before)
        if self.n_tags > _MAX_TAGS:
            raise ModelFileError(
                f"it holds too many objects within one another: computing their tags takes more "
                f"than {_MAX_TAGS} calls"
            )
        check_values(name, params, fitted)
        schema, cls = SCHEMAS[name], class_of(name)
        state = _initial_state(name, params) | fitted
        if "requests" in content:
            state[_REQUESTS] = _requests(content["requests"], cls)
        for key, config in content.get("output", {}).items():
            valid = [{"transform": each} for each in ("default", "pandas", "polars")]
            if key not in _OUTPUTS or config not in valid:
                raise ModelFileError("the output of an object in it is none of scikit-learn's")
            state[key] = config
        model: Any = object.__new__(cls)
        if not isinstance(model, BaseEstimator):
            vars(model).update(state)
        elif name.startswith("sklearn."):
            model.__setstate__({**state, "_sklearn_version": self.scikit_learn})
        else:
            model.__setstate__(state)
        if schema.check is not None and (fitted or not schema.fitted):
            schema.check(model)
        if fitted:
            vars(model).update({key: make(model) for key, make in schema.derived.items()})
        return model


_TAGS = {
    name: getattr(_Reader, f"_{name}")
    for name in (
        "float", "tuple", "dict", "pairs", "transposed", "bytes", "strings", "dtype", "scalar",
        "type", "object",
    )
} | {"array": _Reader._stored}  # fmt: skip


def _initial_state(name, params):
    """Return the attributes that the constructor of a class sets."""
    if not SCHEMAS[name].arguments:
        return {}
    excluded = {key: parameters_of(name)[key] for key in excluded_parameters(name)}
    return dict(vars(class_of(name)(**excluded, **params)))


def _requests(content, cls):
    request = MetadataRequest(owner=cls.__name__)
    for method, params in content.items():
        if method not in SIMPLE_METHODS:
            raise ModelFileError(f"metadata are requested for {str(method)[:40]!r}")
        for param, alias in params.items():
            if not param.isidentifier():
                raise ModelFileError(f"{param[:40]!r} is not a name of metadata")
            getattr(request, method).add_request(param=param, alias=alias)
    return request


def _checked(value, kind):
    if not isinstance(value, kind):
        raise ModelFileError(f"a {type(value).__name__} stands where a {kind.__name__} does")
    return value


def _checked_info(info):
    if info is None:
        return {}
    if not isinstance(info, dict):
        raise ModelFileError(f"info must be a dict, got {type(info).__name__}")
    for key, value in info.items():
        try:
            json.dumps({key: value})
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelFileError(
                f"info[{key!r}] cannot be written as JSON ({error}): use str, int, float, bool, "
                f"None, and lists and dicts of these"
            ) from error
    return info


def _checked_names(trusted):
    is_names = not isinstance(trusted, str) and hasattr(trusted, "__iter__")
    names = list(trusted) if is_names else []
    if not is_names or not all(isinstance(name, str) for name in names):
        raise ModelFileError(
            f"trusted must be a list of full names of types, such as "
            f'["package.module.Type"], got {trusted!r}'
        )
    return names


def _check_estimator(model, what):
    """Raise for anything but a fitted estimator."""
    if not isinstance(model, BaseEstimator):
        kind = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise ModelFileError(f"{what} must be a fitted estimator of scikit-learn, got {kind}")
    if not hasattr(model, "fit"):  # such as a splitter
        raise ModelFileError(f"{what} has no fit: {type(model).__name__} is not an estimator")
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ModelFileError(f"{what} is not fitted: {error}") from error


def _read(path, with_arrays=True):
    """Return the facts in a file, with the tree of the model, and its arrays."""
    path = Path(path)
    try:
        is_file = path.is_file()
    except ValueError:  # a null character, on some versions of Python
        is_file = False
    if not is_file:
        raise ModelFileError(f"no model file {str(path)!r}")
    with _as_model_file_error(f"{str(path)!r} is not a model file of sklearn_ser, or is damaged"):
        facts, arrays = read_container(path, with_arrays=with_arrays)
        if not isinstance(facts, dict) or not isinstance(facts.get("info", {}), dict):
            raise ModelFileError("its header does not hold what save_model writes")
        file_format = facts.get("format")
        if type(file_format) is not int or file_format < FORMAT:
            raise ModelFileError(
                f"it must have a format of {FORMAT} or higher, it has {str(file_format)[:40]}"
            )
        written_by = _version_of(facts)
    if file_format > FORMAT or written_by > Version(__version__):
        raise ModelFileError(
            f"model file {str(path)!r} has format {file_format} and was written by sklearn_ser "
            f"{written_by}; this is {__version__}, which reads format {FORMAT} of this and "
            f"older versions: pip install --upgrade 'sklearn-ser>={written_by}'"
        )
    return facts, arrays


def _version_of(facts):
    """Return the version of sklearn_ser that wrote the file, which files of any format have."""
    text = facts.get("sklearn_ser")
    try:
        if len(text) > _MAX_VERSION:
            raise InvalidVersion(text)
        return Version(text)
    except (TypeError, InvalidVersion) as error:
        raise ModelFileError(
            f"it must name the version of sklearn_ser that wrote it, it has {str(text)[:40]}"
        ) from error


@contextmanager
def _as_model_file_error(opening: str) -> Iterator[None]:
    """Convert every error in the context to a ModelFileError."""
    try:
        yield
    except Exception as error:
        text = str(error) if isinstance(error, SerError) else f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{opening}: {text[:_MAX_ERROR]}") from error
