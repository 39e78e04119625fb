"""Augmenter that applies a transform of audiomentations without its global random state."""

from __future__ import annotations

import copy
import inspect
import os
import random
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from sklearn_ser.augmentation._base import AudioAugmenter, augmenter
from sklearn_ser.augmentation._recordings import digests_of
from sklearn_ser.exceptions import AudioError
from sklearn_ser.store._keys import class_revisions

#: Lock of the global random generators of the process.
_LOCK = threading.RLock()
#: Packages whose version affects the result of a transform.
_PACKAGES = ("audiomentations", "librosa", "python-stretch", "scipy")
#: Words in the names of parameters whose values are paths, so that the files count.
_PATHS = ("path", "file", "folder")
#: Parameters that audiomentations does not store under their own name.
_NOT_STORED = {"lru_cache_size", "weights"}


@augmenter
class AudiomentationsAugmenter(AudioAugmenter):
    """Apply a transform of audiomentations.

    audiomentations [1]_ draws from the global generators of Python and NumPy. Here these are seeded
    from the utterance and the seed of the step for the duration of the transform, and restored
    afterwards, under a lock of the process. The result thus depends neither on their state nor on
    other utterances, and later random numbers of the program are unaffected. In threads, one
    transform runs at a time; processes (joblib's default) do not wait for one another. Only a
    thread outside this package that draws from a global generator meanwhile would interfere.

    Parameters
    ----------
    effect : callable
        Transform, ``Compose``, ``OneOf`` or ``SomeOf`` of audiomentations, or another callable
        ``transform(samples, sample_rate)`` that returns mono samples. Its own `p` applies as well.
        In the keys of a feature store a transform is identified by its parameters, and files that
        these name (such as ``sounds_path``) by their bytes; with other parameters, such as a
        function, nothing is stored. A class outside audiomentations has to declare
        ``cache_revision`` (see :class:`~sklearn_ser.store.FeatureStore`).
    %(common_parameters)s

    Raises
    ------
    AudioError
        When the audio is read, if the transform fails.

    References
    ----------
    .. [1] I. Jordal, audiomentations, https://github.com/iver56/audiomentations

    Examples
    --------
    >>> import numpy as np
    >>> from audiomentations import AddGaussianSNR, Compose, PolarityInversion
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import AudiomentationsAugmenter
    >>> chain = Compose([AddGaussianSNR(10, 10, p=1.0), PolarityInversion(p=1.0)])
    >>> step = AudiomentationsAugmenter(chain, random_state=0)
    >>> tone = (0.1 * np.sin(np.arange(16000) / 5)).astype("float32")
    >>> noise = read_audio(step.augment([tone])["file"][0]) + tone
    >>> round(20 * np.log10(tone.std() / noise.std()))
    10
    """

    effect: Callable[[np.ndarray, float], np.ndarray]

    _parameter_constraints = {
        "effect": [callable],
        **AudioAugmenter._parameter_constraints,
    }

    def __sklearn_clone__(self):
        parts = _parts(self.effect)
        with suppress(Exception):  # what cannot be copied, such as an open file, is shared
            parts = copy.deepcopy(parts)
        return type(self)(**{**self.get_params(deep=False), "effect": _from_parts(parts)})

    def __getstate__(self):
        return {**super().__getstate__(), "effect": _parts(self.effect)}

    def __setstate__(self, state):
        super().__setstate__({**state, "effect": _from_parts(state["effect"])})

    def _versions(self):
        versions = {}
        for package in _PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:  # other callables do not need it
                continue
        return versions

    def _contents(self):
        return {"effect": _content("effect", self.effect)}

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rate = self.sampling_rate
        rate = int(rate) if rate == int(rate) else rate
        samples = signal.copy()
        with _global_generators(rng):
            try:
                return self.effect(samples, rate)
            except Exception as error:
                raise AudioError(
                    f"{type(self.effect).__name__} failed ({type(error).__name__}: {error})"
                ) from error


#: Keys of the class of a transform, and of a cached function of it, in the parts of transforms.
_CLASS, _CACHED = "class of transform", "cached function"


def _parts(value):
    """Return transforms as plain values; in copies and pickles of their own, some lack caches."""
    if isinstance(value, list | tuple):
        return type(value)(_parts(part) for part in value)
    if not hasattr(value, "randomize_parameters"):
        return value
    kind = type(value)
    parts = {_CLASS: kind} | {name: _parts(part) for name, part in vars(value).items()}
    for name, part in vars(value).items():
        if hasattr(part, "cache_parameters"):  # of functools.lru_cache
            own = next(each for each in dir(kind) if getattr(kind, each, None) is part.__wrapped__)
            parts[name] = {_CACHED: own, "maxsize": part.cache_parameters()["maxsize"]}
    return parts


def _from_parts(parts):
    """Return the transforms of `_parts`, with empty caches."""
    if isinstance(parts, list | tuple):
        return type(parts)(_from_parts(part) for part in parts)
    if not (isinstance(parts, dict) and _CLASS in parts):
        return parts
    value = parts[_CLASS].__new__(parts[_CLASS])
    for name, part in parts.items():
        if isinstance(part, dict) and _CACHED in part:
            vars(value)[name] = lru_cache(part["maxsize"])(getattr(type(value), part[_CACHED]))
        elif name != _CLASS:
            vars(value)[name] = _from_parts(part)
    return value


@contextmanager
def _global_generators(rng):
    """Seed the global generators from `rng` within the context, and restore them afterwards."""
    with _LOCK:
        python, numpy = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002
        try:
            random.seed(int(rng.integers(2**63)))
            np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _content(name, value):
    """Return a transform, or a parameter of one, as plain values, or `value` if it is neither."""
    if isinstance(value, list | tuple):
        return [_content(name, part) for part in value]
    if isinstance(value, os.PathLike) or (
        isinstance(value, str) and any(word in name for word in _PATHS)
    ):
        return digests_of(value)
    if not hasattr(value, "randomize_parameters"):
        return value
    parameters = [
        parameter.name
        for parameter in inspect.signature(type(value)).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    stored = {name: getattr(value, name) for name in parameters if hasattr(value, name)}
    if set(parameters) - set(stored) - _NOT_STORED:
        return value
    if hasattr(value, "sampler"):  # the weights of OneOf
        stored |= vars(value.sampler)
    is_frozen = getattr(value, "are_parameters_frozen", False)
    kind = type(value)
    is_known = kind.__module__.partition(".")[0] == "audiomentations"
    return {
        "class": kind.__qualname__ if is_known else [kind.__qualname__, class_revisions(kind)],
        "parameters": {name: _content(name, part) for name, part in stored.items()},
        "frozen": getattr(value, "parameters", None) if is_frozen else None,
    }
