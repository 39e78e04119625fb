"""Under which key a store keeps the features of an utterance: a digest of all they depend on."""

import enum
import hashlib
import math
import struct
import sys
from functools import cache

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_ser import audio
from sklearn_ser._audio_cell import array_and_rate
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._store_code import class_code

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
        "audio door": {"revision": audio.REVISION, **_audio_versions()},
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
