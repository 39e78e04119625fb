"""Recordings and colors of noise that augmenters mix in or convolve with."""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from functools import lru_cache
from numbers import Number
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.audio import read_audio
from sklearn_ser.audio._decoding import decode, reference_extent
from sklearn_ser.audio._source import AUDIO_SUFFIXES, AudioFile
from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.exceptions import AudioError


class BoundedCache:
    """Cache of the values that were used last, of at most `most_bytes` together."""

    def __init__(self, most_bytes: int):
        self.most_bytes = most_bytes
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return the value of `key`, and compute it (in two threads at once, perhaps) if needed."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = compute()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._bytes += _size(value)
            while self._bytes > self.most_bytes:
                self._bytes -= _size(self._values.popitem(last=False)[1])
        return value


def _size(value):
    return max(getattr(value, "nbytes", 0), 1024)


#: Seconds above which a file is not cached, but read in parts.
_LONGEST_CACHED = 300.0
#: Share of the level of a recording (-40 dB) below which a part is too soft to mix in.
_TOO_SOFT = 0.01
#: Number of random parts of a recording that are tried before the one around its peak is used.
_TRIES = 8

_cache = BoundedCache(most_bytes=256 * 2**20)


class Samples(NamedTuple):
    """The samples of a recording, and their level (RMS about the mean)."""

    wave: np.ndarray
    level: float

    @property
    def nbytes(self) -> int:
        return self.wave.nbytes


@dataclass(frozen=True)
class Recording:
    """A file, by its absolute path, or wave and level at the sampling rate of the augmenter."""

    source: str | tuple[np.ndarray, float]

    def content(self) -> np.ndarray | bytes | None:
        """Return the content for store keys; None for a file that cannot be read."""
        if not isinstance(self.source, str):
            return self.source[0]
        try:
            return _digest(self.source, *_stamp(self.source))
        except (OSError, AudioError):
            return None

    def read(self, rate: float, first_channel: bool = False) -> Samples:
        """Return the whole recording at `rate`, read-only: the first channel, or their mean."""
        path = self.source
        if not isinstance(path, str):
            return Samples(*path)
        key = (first_channel, rate, path, *_stamp(path))
        return _cache.get(key, lambda: _read(path, rate, first_channel))

    def part(self, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
        """Return a random part of `n` samples; a shorter recording is repeated."""
        if isinstance(self.source, str):
            duration = _duration(self.source)
            if duration > max(_LONGEST_CACHED, 2 * n / rate):
                return _part_of_long(self.source, duration, n, rate, rng)
        wave, level = self.read(rate)
        if len(wave) <= n:
            return np.resize(np.roll(wave, -int(rng.integers(len(wave)))), n)
        for _ in range(_TRIES):
            start = int(rng.integers(len(wave) - n + 1))
            if wave[start : start + n].std() > _TOO_SOFT * level:
                return wave[start : start + n]
        loudest = int(np.abs(wave).argmax()) - n // 2
        start = min(max(loudest, 0), len(wave) - n)
        return wave[start : start + n]


def _part_of_long(path, duration, n, rate, rng):
    for _ in range(_TRIES):
        start = rng.uniform(0, duration - n / rate - 0.01)
        part = read_audio(path, rate, start=start, end=start + (n + 1) / rate)[:n]
        if np.ptp(part) > 0:
            return part
    raise AudioError(
        f"{_TRIES} random parts of the recording are digital silence: cut the silence out of the "
        "file",
        file=path,
    )


def _duration(path):
    """Return the seconds of a file, from its header."""

    def seconds():
        try:
            first, stop, rate = reference_extent(path, math.nan, math.nan, None)
        except AudioError as error:
            raise AudioError(error.reason, file=path) from error
        return (stop - first) / rate

    return _cache.get(("duration", path, *_stamp(path)), seconds)


def _samples_of_array(array, own_rate, rate):
    """Load an array of any scale, as no augmenter depends on the level of a recording."""
    if array.dtype.kind == "f" and array.size:
        peak = float(np.abs(array).max())
        if 0 < peak < math.inf:
            array = array / peak
    return _with_level(read_audio((array, own_rate), rate))


def _read(path, rate, first_channel):
    try:
        if not first_channel:
            return _with_level(read_audio(path, rate))
        array, own_rate, _ = decode(AudioFile(path), math.nan, math.nan)
        return _samples_of_array(array if array.ndim == 1 else array[0], own_rate, rate)
    except AudioError as error:
        raise AudioError(error.reason, file=path) from error


def _with_level(wave):
    level = float(wave.std())
    if level == 0:
        raise AudioError("the recording is digital silence, and a signal is needed: leave it out")
    wave.setflags(write=False)
    return Samples(wave, level)


def _stamp(path):
    try:
        status = os.stat(path)
    except OSError as error:
        raise AudioError(
            f"the file can no longer be read ({error.strerror}): restore it, or augment again with "
            "existing files",
            file=path,
        ) from error
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


@lru_cache(maxsize=65536)
def _digest(path, *stamp):
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


#: Suffixes of the audio files of a folder.


class PoolAugmenter(AudioAugmenter):
    """Base of the augmenters with a parameter of recordings and keywords, to draw from."""

    _pool_parameter: ClassVar[str]
    _keywords: ClassVar[Collection[str]]
    _first_channel = False
    _listed: Any = None

    def _validate_params(self):
        super()._validate_params()
        entries_of(self)

    def _frozen(self):
        frozen = super()._frozen()
        frozen._listed = Pool(self).entries
        return frozen

    def _contents(self):
        return {self._pool_parameter: Pool(self).content()}


class Pool:
    """The entries of a parameter such as `noises`, to draw from.

    Each entry is drawn equally often, and within a folder each of its files. Entries are lists of
    keywords, such as the color of a noise, and of sources of recordings: plain values, as they are
    in pickles of audio references.
    """

    def __init__(self, step: PoolAugmenter):
        self._keywords = step._keywords
        self.entries: list[list[str | tuple[np.ndarray, float]]] = step._listed or _listed(step)

    def _item(self, item):
        is_keyword = isinstance(item, str) and item in self._keywords
        return item if is_keyword else Recording(item)

    def draw(self, rng: np.random.Generator) -> str | Recording:
        """Draw a keyword or recording."""
        entry = self.entries[rng.integers(len(self.entries))]
        return self._item(entry[rng.integers(len(entry))])

    def content(self) -> list[list[Any]]:
        """Return the content of all entries for store keys."""
        items = [[self._item(item) for item in entry] for entry in self.entries]
        return [
            [item if isinstance(item, str) else item.content() for item in entry] for entry in items
        ]


def entries_of(step: PoolAugmenter) -> list[Any]:
    """Return the entries of the parameter, checked as far as possible without reading files."""
    value = getattr(step, step._pool_parameter)
    entries = [value] if _is_entry(value) else value
    if (
        isinstance(entries, list | tuple | np.ndarray)
        and len(entries)
        and all(map(_is_entry, entries))
    ):
        return list(entries)
    words = ", ".join(map(repr, step._keywords))
    text = repr(value)
    raise InvalidParameterError(
        f"The {step._pool_parameter!r} parameter of {type(step).__name__} must be {words}, a file, "
        "a folder, an array, a pair (array, rate), or a list of these. Got "
        f"{text if len(text) <= 80 else text[:80] + '...'} instead."
    )


def _is_entry(value):
    if isinstance(value, str | os.PathLike):
        return bool(os.fspath(value))
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Number):
        value = value[0]
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Number)
    return isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.size > 0


def _listed(step):
    """Return the entries of the parameter of an augmenter, folders as lists of their files."""
    try:
        return [_listed_entry(entry, step) for entry in entries_of(step)]
    except AudioError as error:
        where = f"parameter {step._pool_parameter!r} of {type(step).__name__}"
        raise AudioError(f"{error.reason} ({where})", file=error.file) from error


def _listed_entry(entry, step):
    """Return the keyword, the recording, or the recordings of a folder."""
    rate = step.sampling_rate
    if isinstance(entry, str) and entry in step._keywords:
        return [entry]
    if not isinstance(entry, str | os.PathLike):
        array, own_rate = entry if isinstance(entry, tuple) else (entry, rate)
        array = np.asarray(array)
        if step._first_channel and array.ndim == 2:
            array = array[0]
        return [tuple(_samples_of_array(array, own_rate, rate))]
    path = os.path.abspath(os.fspath(entry))
    if not os.path.isdir(path):
        if not os.path.exists(path):
            words = ", ".join(map(repr, step._keywords))
            raise AudioError(
                f"there is no such file or folder (and it is none of {words}): correct the path; "
                f"relative ones start at the working directory ({os.getcwd()!r})",
                file=os.fspath(entry),
            )
        return [path]
    paths = _audio_files(path)
    if not paths:
        raise AudioError(
            f"no audio in this folder: expected files with the suffixes "
            f"{', '.join(AUDIO_SUFFIXES)}",
            file=os.fspath(entry),
        )
    return paths


def digests_of(path: str | os.PathLike) -> list[Any]:
    """Return digests of the bytes of a file, or of the audio in a folder, for store keys."""
    path = os.path.abspath(os.fspath(path))
    paths = _audio_files(path) if os.path.isdir(path) else [path]
    return [Recording(path).content() for path in paths]


def _audio_files(folder):
    """Return the paths of the audio files in a folder, in the same order on every machine."""
    paths = sorted(
        (path.relative_to(folder).as_posix(), str(path))
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    )
    return [path for _, path in paths]


#: Exponents of 1/f in the power of each color: pink falls by 3 dB per octave, brown by 6.
COLORS = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0, "violet": -2.0}
#: Hz below which the power is constant: nearly all of the power of brown noise would be inaudible.
_LOWEST = 20.0


def colored_noise(color: str, n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Return `n` samples of noise of a color in `COLORS`, with a mean of zero and any level."""
    exponent = COLORS[color]
    if exponent == 0:
        return rng.standard_normal(n, dtype=np.float32)
    size = 2 * next_fast_len((n + 1) // 2, real=True)
    # A random spectrum is the spectrum of white noise, which saves one of two transforms.
    spectrum = rng.standard_normal(size + 2, dtype=np.float32).view(np.complex64)
    step = np.float32(rate / size)
    frequencies = np.maximum(np.arange(size // 2 + 1, dtype=np.float32) * step, _LOWEST)
    frequencies /= np.float32(_LOWEST)
    gains = frequencies if abs(exponent) == 2 else np.sqrt(frequencies)
    spectrum = spectrum / gains if exponent > 0 else spectrum * gains
    spectrum[0] = 0
    return irfft(spectrum, size)[:n]
