"""Cache keys of utterances: digests of everything that the features depend on."""

from __future__ import annotations

import enum
import hashlib
import math
import struct
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_ser.audio import _loading
from sklearn_ser.audio._containers import decoder_version
from sklearn_ser.audio._decoding import array_and_rate, encoded_content
from sklearn_ser.exceptions import AudioError

if TYPE_CHECKING:
    from sklearn_ser.audio._decoding import ReadingOptions
    from sklearn_ser.audio._derived import DerivedAudio

#: Parameters of an audio step that do not change the features of an utterance.
_WITHOUT_EFFECT = {"audio", "on_error", "store", "n_jobs", "verbose", "plain_names"}
#: Packages whose classes need not declare a revision of their own.
_KNOWN_PACKAGES = {"sklearn_ser", "sklearn"}


class CacheableMixin:
    """Mixin of the classes whose results depend on their code: audio steps and augmenters.

    It records which subclasses declare a revision: pickling a class by value (cloudpickle) drops
    attributes that are identical to those of its base, such as a revision of 1.
    """

    #: Revision of the results of a class, raised by one whenever they change: a part of cache keys
    #: (see FeatureStore).
    cache_revision = 1
    _revision_declared_by: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "cache_revision" in vars(cls):
            cls._revision_declared_by = cls.__qualname__


class NoStableContent(ValueError):
    """A value without content that a cache key can be computed from, such as a function."""


class NoRevision(NoStableContent):
    """A class of the user that does not declare `cache_revision`."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        super().__init__(f"the class {cls.__name__} does not declare cache_revision")


def extractor_digest(extractor: Any, options: ReadingOptions) -> bytes:
    """Return a digest of all but the audio that features depend on, or raise NoStableContent."""
    content = {
        "step": step_content(extractor, _WITHOUT_EFFECT),
        "reading": {
            "sampling_rate": float(options.sampling_rate),
            "min_duration": options.min_duration,
            "beyond_full_scale": options.beyond_full_scale,
            "remove_dc": bool(options.remove_dc),
        },
        "audio loading": {"revision": _loading.REVISION, **_audio_versions()},
    }
    return hashlib.sha256(encoded(content)).digest()


def utterance_key(extractor_digest: bytes, audio_digest: bytes, start: float, end: float) -> bytes:
    """Return the cache key of an utterance; NaN stands for the start or end of its audio."""
    start = math.nan if start != start or start == 0 else start  # NaN has many bit patterns
    end = math.nan if end != end else end
    lengths = b"%d,%d;" % (len(extractor_digest), len(audio_digest))
    span = struct.pack("<dd", start, end)
    return hashlib.sha256(lengths + extractor_digest + audio_digest + span).digest()


def content_digest(reference: Any, sampling_rate: float) -> bytes | None:
    """Return the digest of audio that is no file on disk, or None if it cannot be read."""
    try:
        content = encoded_content(reference)
        if content is not None:
            return hashlib.sha256(b"encoded" + decoder_version(content) + content).digest()
        array, rate = array_and_rate(reference, sampling_rate)
    except AudioError:
        return None
    digest = hashlib.sha256(b"array")
    digest.update(repr((array.dtype.str, array.shape, float(rate))).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def derived_digest(source_digest: bytes, audio: DerivedAudio, known: dict[int, bytes]) -> bytes:
    """Return the digest of audio that is computed from other audio, or raise NoStableContent."""
    digest = hashlib.sha256(b"derived" + source_digest)
    digest.update(encoded([float(audio.start), float(audio.end), float(audio.sampling_rate)]))
    for part in audio.recipe():
        if not isinstance(part, BaseEstimator):
            digest.update(encoded(part))
            continue
        # One step may augment thousands of utterances. The table holds the audio and this its
        # steps: no other step can get the same id.
        if id(part) not in known:
            known[id(part)] = encoded(part)
        digest.update(known[id(part)])
    return digest.digest()


def class_revisions(cls: type) -> list[tuple[str, Any]]:
    """Return the names of a class and its bases, with the `cache_revision` that each declares.

    Raise NoRevision if the class belongs neither to sklearn_ser nor to scikit-learn and declares no
    revision: that of a base does not change when the code of this class does.
    """
    if _package(cls) not in _KNOWN_PACKAGES and not _declares_revision(cls):
        raise NoRevision(cls)
    bases: tuple[Any, ...] = cls.__mro__
    return [
        (_name(base), base.cache_revision)
        for base in bases
        if base is not CacheableMixin and _declares_revision(base)
    ]


def encoded(value: Any) -> bytes:
    """Return a value as bytes that are equal in any process exactly if the content is equal."""
    if isinstance(value, np.generic) and not isinstance(value, np.void):
        value = value.item()
    if value is None or isinstance(value, bool):
        return _tagged("constant", str(value).encode())
    if isinstance(value, enum.Enum):
        return _tagged("enum", _name(type(value)).encode(), value.name.encode())
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
        return _tagged("estimator", encoded(_nested_content(value)))
    raise NoStableContent(f"a {type(value).__name__}")


def _tagged(tag, *parts):
    parts = (tag.encode(), *parts)
    return b"%d;" % len(parts) + b"".join(b"%d:%s" % (len(part), part) for part in parts)


def step_content(step, without):
    """Return what the results of an audio step or an augmenter depend on."""
    cloned_by = next(cls for cls in type(step).__mro__ if "__sklearn_clone__" in vars(cls))
    if _package(cloned_by) not in _KNOWN_PACKAGES:
        raise NoStableContent(
            f"the class {cloned_by.__name__} defines __sklearn_clone__, so that its features may "
            "depend on more than its parameters"
        )
    parameters = step.get_params(deep=False)
    if hasattr(step, "_contents"):  # of augmenters: files count by their bytes, not by their names
        parameters |= step._contents()
    parameters = {name: parameters[name] for name in parameters if name not in without}
    return {
        "class": _name(type(step)),
        "revisions": class_revisions(type(step)),
        "parameters": _encoded_by_name(parameters, step),
        "versions": step._versions(),
    }


def _encoded_by_name(values, step):
    """Return the encoded parameters by name; an error names the parameter."""
    result = {}
    for name, value in values.items():
        try:
            result[name] = encoded(value)
        except NoRevision:
            raise
        except NoStableContent as error:
            raise NoStableContent(
                f"the parameter {name!r} of {type(step).__name__} is or holds {error}, whose "
                f"content cannot be compared between processes"
            ) from None
    return result


def _nested_content(estimator):
    """Return the content of a step that is a parameter of another step."""
    if isinstance(estimator, CacheableMixin):
        # How the inner step handles failed audio changes the input of the outer one.
        return step_content(estimator, _WITHOUT_EFFECT - {"on_error"})
    package = sys.modules.get(_package(type(estimator)))
    version = getattr(package, "__version__", None)
    if version is None:
        raise NoStableContent(f"a {type(estimator).__name__} of a package without a version")
    # Its attributes, not its parameters: the results depend on what it has learned.
    return {"class": _name(type(estimator)), "version": version, "state": vars(estimator)}


def _declares_revision(cls):
    return "cache_revision" in vars(cls) or "_revision_declared_by" in vars(cls)


def _package(cls):
    return cls.__module__.partition(".")[0]


def _name(cls):
    """Return a name of a class that survives moves between the private modules of sklearn_ser."""
    package = _package(cls)
    # The qualified name of a local class changes when it is unpickled in another process.
    name = cls.__qualname__.rpartition(".")[2]
    return f"{package if package == 'sklearn_ser' else cls.__module__}.{name}"


@cache
def _audio_versions():
    """Return the versions of the libraries that read and resample audio."""
    import soundfile
    import soxr

    return {
        "soundfile": soundfile.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "soxr": soxr.__version__,
        "libsoxr": soxr.__libsoxr_version__,
        "numpy": np.__version__,
    }
