"""AudiomentationsAugmenter: any transform of audiomentations, without its global randomness."""

import inspect
import os
import random
import threading
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.augmentation._sources import digests_of
from sklearn_ser.exceptions import AudioError
from sklearn_ser.store._keys import class_code
from sklearn_ser.utils._public import public_module

#: Of the process: its global generators can be lent to one transform at a time.
_LENDING = threading.RLock()
#: Packages whose version decides what a transform makes.
_PACKAGES = ("audiomentations", "librosa", "python-stretch", "scipy")
#: In the name of a transform's parameter: its text is a path, and what lies there counts.
_PATHS = ("path", "file", "folder")
#: Parameters that audiomentations does not keep under their own name.
_UNKEPT = {"lru_cache_size", "weights"}


@public_module("sklearn_ser.augmentation")
class AudiomentationsAugmenter(AudioAugmenter):
    """Any transform of audiomentations as an augmenter.

    audiomentations [1]_ draws from Python's and NumPy's global generators. Here these are seeded
    from the utterance and the step's seed, lent to the transform, and put back as they were,
    under a lock of the process: so the result depends on neither, nor on other utterances, and
    the script's own random numbers go on as if nothing had been drawn. In threads transforms take
    turns; processes (joblib's default) do not wait for one another. Only a thread of your own
    that draws from a global generator just then would interfere.

    Parameters
    ----------
    effect : callable
        A transform or ``Compose``, ``OneOf``, ``SomeOf`` of audiomentations, or your own callable
        ``transform(samples, sample_rate)`` that gives mono samples. Its `p` counts beside the
        step's. A feature store knows a transform by its parameters, files that they name (as
        ``sounds_path`` does) by their bytes, and one with parameters it cannot know, such as
        a function, not at all: nothing is stored then.
    p : float, default=1.0
        Share of the utterances that are changed.
    audio : str, default="file"
        Column of X that holds the audio.
    sampling_rate : int or float, default=16000
        Rate in Hz that the audio is changed and handed on at.
    train_only : bool, default=True
        `transform` hands the audio on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives an utterance the same change wherever it stands.

    Raises
    ------
    AudioError
        Where the audio is read, if the transform fails.

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

    _parameter_constraints = {
        "effect": [callable],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        effect,
        *,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.effect = effect
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _versions(self):
        versions = {}
        for package in _PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:  # a callable of one's own does without
                continue
        return versions

    def _contents(self):
        return {"effect": _content("effect", self.effect)}

    def _augment(self, signal, rng):
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


@contextmanager
def _global_generators(rng):
    """The global generators, seeded from `rng`, for the thread that is in here; then as before."""
    with _LENDING:
        python, numpy = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002
        try:
            random.seed(int(rng.integers(2**63)))
            np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _content(name, value):
    """A transform, or a parameter of one, as plain values; what is none of these stays."""
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
    kept = {name: getattr(value, name) for name in parameters if hasattr(value, name)}
    if set(parameters) - set(kept) - _UNKEPT:
        return value  # it does not keep what it was made with
    if hasattr(value, "sampler"):  # of OneOf: its weights
        kept |= vars(value.sampler)
    is_frozen = getattr(value, "are_parameters_frozen", False)
    kind = type(value)
    is_known = kind.__module__.partition(".")[0] == "audiomentations"
    return {
        "class": kind.__qualname__ if is_known else [kind.__qualname__, class_code(kind)],
        "parameters": {name: _content(name, part) for name, part in kept.items()},
        "frozen": getattr(value, "parameters", None) if is_frozen else None,
    }
