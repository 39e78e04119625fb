"""Under which key a store keeps the features of an utterance: a digest of all they depend on."""

import enum
import functools
import hashlib
import math
import struct
import sys
import types
from functools import cache

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_ser.audio import _loading
from sklearn_ser.audio._cell import array_and_rate
from sklearn_ser.exceptions import AudioError

#: Parameters of a step that have no influence on an utterance's numbers.
_IRRELEVANT = {"audio", "on_error", "store", "n_jobs", "verbose"}


class NoStableContent(ValueError):
    """A value that has no content to make a key of: a function, an object of an unknown kind."""


def extractor_digest(extractor, options):
    """Digest of everything but the audio that the numbers of an audio step depend on.

    Parameters
    ----------
    extractor : AudioExtractor
    options : ReadingOptions
        How the audio is read.

    Returns
    -------
    bytes

    Raises
    ------
    NoStableContent
        Where a parameter has no content that could be compared in another process.
    """
    parameters = _parameters(extractor, _IRRELEVANT)
    whole = {
        "step": _step(extractor, parameters),
        "reading": {
            "sampling_rate": float(options.sampling_rate),
            "min_duration": options.min_duration,
            "beyond_full_scale": options.beyond_full_scale,
            "remove_dc": bool(options.remove_dc),
        },
        "audio door": {"revision": _loading.REVISION, **_audio_versions()},
    }
    return hashlib.sha256(encoded(whole)).digest()


def utterance_key(extractor_digest, audio_digest, start, end):
    """The key of an utterance.

    Parameters
    ----------
    extractor_digest, audio_digest : bytes
    start, end : float
        Seconds; NaN where the utterance starts or ends with its audio.

    Returns
    -------
    bytes of length 32
    """
    start = math.nan if start != start or start == 0 else start  # NaN has many bit patterns
    end = math.nan if end != end else end
    lengths = b"%d,%d;" % (len(extractor_digest), len(audio_digest))
    span = struct.pack("<dd", start, end)
    return hashlib.sha256(lengths + extractor_digest + audio_digest + span).digest()


def array_digest(cell, sampling_rate):
    """Digest of an audio cell that is no path, or None where it cannot be read.

    Parameters
    ----------
    cell : array-like or (array, rate)
    sampling_rate : float
        Of a bare array.

    Returns
    -------
    bytes or None
    """
    try:
        array, rate = array_and_rate(cell, sampling_rate)
    except AudioError:
        return None
    digest = hashlib.sha256(b"array")
    digest.update(repr((array.dtype.str, array.shape, float(rate))).encode())
    digest.update(np.ascontiguousarray(array))
    return digest.digest()


def derived_digest(source_digest, cell, known):
    """Digest of an audio cell that is made from another one.

    Parameters
    ----------
    source_digest : bytes
    cell : DerivedAudio
    known : dict
        Of step to its encoding, filled here: thousands of cells are made by one and the same.

    Returns
    -------
    bytes

    Raises
    ------
    NoStableContent
        Where the recipe has no content that could be compared in another process.
    """
    digest = hashlib.sha256(b"derived" + source_digest)
    digest.update(encoded([float(cell.start), float(cell.end), float(cell.sampling_rate)]))
    for part in cell.recipe():
        if not isinstance(part, BaseEstimator):
            digest.update(encoded(part))
            continue
        # The table holds the cells and they their steps: no other one can get the same id.
        if id(part) not in known:
            known[id(part)] = encoded(part)
        digest.update(known[id(part)])
    return digest.digest()


def encoded(value):
    """A value as bytes, equal for equal content in any process and different otherwise.

    Raises
    ------
    NoStableContent
    """
    if isinstance(value, np.generic) and not isinstance(value, np.void):
        value = value.item()
    if value is None or isinstance(value, bool):
        return _tagged("constant", str(value).encode())
    if isinstance(value, enum.Enum):
        return _tagged("enum", _name_of(type(value)).encode(), value.name.encode())
    if type(value) in (int, float, complex):
        return _tagged(type(value).__name__, repr(value).encode())
    if isinstance(value, str):
        return _tagged("str", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return _tagged("bytes", value)
    if hasattr(value, "__fspath__"):
        return _tagged("path", encoded(value.__fspath__()))
    if type(value) in (list, tuple):
        return _tagged(type(value).__name__, *map(encoded, value))
    if type(value) in (set, frozenset):
        return _tagged("set", *sorted(map(encoded, value)))
    if type(value) is dict:
        return _tagged(
            "dict", *sorted(_tagged("item", *map(encoded, item)) for item in value.items())
        )
    if type(value) is np.ndarray:
        content = encoded(value.tolist()) if value.dtype.hasobject else value.tobytes()
        return _tagged("array", repr((value.dtype.str, value.shape)).encode(), content)
    if isinstance(value, np.dtype):
        return _tagged("dtype", value.str.encode())
    if isinstance(value, BaseEstimator) and not isinstance(value, type):
        return _tagged("estimator", encoded(_nested(value)))
    raise NoStableContent(f"a {type(value).__name__}")


def _tagged(tag, *parts):
    parts = (tag.encode(), *parts)
    return b"%d;" % len(parts) + b"".join(b"%d:%s" % (len(part), part) for part in parts)


def _parameters(extractor, without):
    """Parameters by name, encoded one by one so that an error can name the one."""
    parameters = {}
    values = extractor.get_params(deep=False)
    if hasattr(extractor, "_contents"):  # of augmenters: files count by their bytes, not by name
        values |= extractor._contents()
    for name, value in values.items():
        if name not in without:
            try:
                parameters[name] = encoded(value)
            except NoStableContent as error:
                raise NoStableContent(
                    f"the parameter {name!r} of {type(extractor).__name__} is or holds {error}"
                ) from None
    return parameters


def _step(extractor, parameters):
    try:
        code = encoded(class_code(type(extractor)))
    except NoStableContent as error:
        raise NoStableContent(
            f"the class {type(extractor).__name__}, which is not of sklearn_ser, holds {error}"
        ) from None
    return {
        "class": _name_of(type(extractor)),
        "code": code,
        "revision": extractor._revision,
        "parameters": parameters,
        "versions": extractor._versions(),
    }


def _nested(estimator):
    """A step within a step. Where it has no revision of its own, its package's version counts."""
    if hasattr(estimator, "_revision") and hasattr(estimator, "_versions"):
        # What it does with audio that fails is part of what the outer step sees.
        return _step(estimator, _parameters(estimator, _IRRELEVANT - {"on_error"}))
    package = sys.modules.get(type(estimator).__module__.partition(".")[0])
    version = getattr(package, "__version__", None)
    if version is None:
        raise NoStableContent(f"a {type(estimator).__name__}, whose package tells no version")
    # Its attributes, not its parameters: what it has learned is part of what it does.
    return {"class": _name_of(type(estimator)), "version": version, "state": vars(estimator)}


def _name_of(cls):
    """The public name of a class: those of this package may move between its private modules."""
    top = cls.__module__.partition(".")[0]
    # A local class is called otherwise where a process got it by pickle: its code tells it apart.
    name = cls.__qualname__.rpartition(".")[2]
    return f"{top if top == 'sklearn_ser' else cls.__module__}.{name}"


@cache
def _audio_versions():
    """What the samples that leave the audio door depend on."""
    import soundfile
    import soxr

    return {
        "soundfile": soundfile.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "soxr": soxr.__version__,
        "libsoxr": soxr.__libsoxr_version__,
        "numpy": np.__version__,
    }


#: Packages whose classes are known by a revision or a version, not by their code. (A class that
#: is made by calling `type` says that it is of the module "abc".)
_KNOWN = {"sklearn_ser", "sklearn", "builtins"}
#: Set by Python, and none of them has an influence on numbers.
_NO_CONTENT = {"__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__"}
_CONSTANTS = (bool, int, float, complex, str, bytes, tuple, frozenset, types.NoneType)
_CODE = (
    types.FunctionType,
    staticmethod,
    classmethod,
    property,
    functools.cached_property,
    functools.partial,
    functools.partialmethod,
)


def class_code(cls):
    """What a class and its bases outside the known packages consist of.

    Parameters
    ----------
    cls : type

    Returns
    -------
    list
        Of plain values, functions among them taken apart; empty for a class of this package.
    """
    seen = set()
    return [
        {
            name: _content(value, seen)
            for name, value in vars(base).items()
            if name not in _NO_CONTENT and isinstance(value, _CODE + _CONSTANTS)
        }
        for base in cls.__mro__
        if base.__module__.partition(".")[0] not in _KNOWN
    ]


def function_code(function):
    """What a function consists of: its code, defaults, what it encloses and names in its module.

    Parameters
    ----------
    function : function

    Returns
    -------
    dict or list
        Of plain values, functions among them taken apart.
    """
    return _function(function, set())


def _content(value, seen):
    if isinstance(value, staticmethod | classmethod):
        return [type(value).__name__, _content(value.__func__, seen)]
    if isinstance(value, property):
        return ["property", *(_content(part, seen) for part in (value.fget, value.fset))]
    if isinstance(value, functools.cached_property):
        return ["property", _content(value.func, seen)]
    if isinstance(value, functools.partial | functools.partialmethod):
        return [_content(value.func, seen), list(value.args), value.keywords]
    if isinstance(value, types.MethodType):
        return _content(value.__func__, seen)
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    if isinstance(value, type):
        return value.__name__
    return value  # what has no content is refused when the key is made


def _function(function, seen):
    if function.__code__ in seen:
        return function.__name__
    seen.add(function.__code__)
    if function.__module__.partition(".")[0] in _KNOWN:  # a wrapper: what is wrapped counts
        return [function.__name__, *(_enclosed(cell, seen) for cell in function.__closure__ or ())]
    return {
        "code": _code(function.__code__),
        "defaults": [_content(value, seen) for value in function.__defaults__ or ()],
        "keywords": {
            name: _content(value, seen) for name, value in (function.__kwdefaults__ or {}).items()
        },
        "enclosed": [_enclosed(cell, seen) for cell in function.__closure__ or ()],
        "of its module": {
            name: _content(value, seen)
            for name in sorted(_names(function.__code__))
            if _belongs(value := function.__globals__.get(name), function)
        },
    }


def _enclosed(cell, seen):
    try:
        return _content(cell.cell_contents, seen)
    except ValueError:  # not filled yet
        return None


def _belongs(value, function):
    """Whether a global that a function names is a constant, or a function of the same module."""
    if isinstance(value, types.FunctionType):
        return value.__module__ == function.__module__
    return value is not None and isinstance(value, _CONSTANTS)


def _names(code):
    """Names that a code object and those within it use, globals among them."""
    within = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*map(_names, within))


def _code(code):
    """A code object without where it stands; docstrings are among its constants."""
    constants = [_constant(const) for const in code.co_consts]
    names = [list(code.co_names), list(code.co_varnames), list(code.co_freevars)]
    return [code.co_code, code.co_argcount, code.co_kwonlyargcount, code.co_flags, constants, names]


def _constant(const):
    if isinstance(const, types.CodeType):
        return _code(const)
    if isinstance(const, slice):  # since Python 3.14
        return ["slice", const.start, const.stop, const.step]
    if type(const) is tuple:
        return tuple(map(_constant, const))
    return ["..."] if const is Ellipsis else const
