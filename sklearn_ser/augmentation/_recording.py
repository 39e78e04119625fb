"""A recording that is mixed in: a file or samples, read through the audio door and kept a while."""

import hashlib
import math
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sklearn_ser.audio import read_audio
from sklearn_ser.audio._cell import cell_extent, decode
from sklearn_ser.exceptions import AudioError


class BoundedCache:
    """The values that were used last, as many as the bound allows.

    Parameters
    ----------
    most_bytes : int
        Of all values together, each counting at least 1 kB. A value beyond it is not kept.
    """

    def __init__(self, most_bytes):
        self.most_bytes = most_bytes
        self._values = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key, make):
        """The value of `key`; if it is not there, it is made (twice, if two threads ask at once).

        Parameters
        ----------
        key : hashable
        make : callable
            Without arguments. What it raises is not kept.

        Returns
        -------
        object
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._bytes += _size(value)
            while self._bytes > self.most_bytes:
                self._bytes -= _size(self._values.popitem(last=False)[1])
        return value


def _size(value):
    return max(getattr(value, "nbytes", 0), 1024)


#: Seconds: a longer file is not kept in memory, but read where it is used.
_LONGEST_KEPT = 300.0
#: Of the level of a recording: a part that is softer (by 40 dB) is not worth mixing in.
_ALMOST_NOTHING = 0.01
#: Parts of a recording that are looked at before the one around its peak is taken.
_TRIES = 8

_cache = BoundedCache(most_bytes=256 * 2**20)


class Samples(NamedTuple):
    """A recording that was read: its samples, and their level (RMS about the mean)."""

    wave: np.ndarray
    level: float

    @property
    def nbytes(self):
        return self.wave.nbytes


@dataclass(frozen=True)
class Recording:
    """A file, or samples at the rate of the step.

    Attributes
    ----------
    path : str or None
        Absolute.
    samples : Samples or None
    """

    path: str | None = None
    samples: Samples | None = None

    def content(self):
        """What a store knows it by; None for a file that cannot be read (reading it says why)."""
        if self.path is None:
            return self.samples.wave
        try:
            return _digest(self.path, *_stamp(self.path))
        except (OSError, AudioError):
            return None

    def read(self, rate, first_channel=False):
        """The whole recording at `rate`, kept in memory for next time; not to be written to.

        Parameters
        ----------
        rate : float
        first_channel : bool
            Whether only the first of several channels counts; otherwise their mean does.

        Returns
        -------
        Samples
        """
        if self.path is None:
            return self.samples
        key = (first_channel, rate, self.path, *_stamp(self.path))
        return _cache.get(key, lambda: _read(self.path, rate, first_channel))

    def part(self, n, rate, rng):
        """A random part of `n` samples; a recording that is shorter is repeated.

        Parts of almost nothing, as there are between the events of some noise files, are avoided.

        Parameters
        ----------
        n : int
        rate : float
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of float32 of shape (n,)
        """
        if self.path is not None and self._duration() > max(_LONGEST_KEPT, 2 * n / rate):
            return self._part_of_long(n, rate, rng)
        wave, level = self.read(rate)
        if len(wave) <= n:
            return np.resize(np.roll(wave, -int(rng.integers(len(wave)))), n)
        for _ in range(_TRIES):
            start = int(rng.integers(len(wave) - n + 1))
            if wave[start : start + n].std() > _ALMOST_NOTHING * level:
                return wave[start : start + n]
        loudest = int(np.abs(wave).argmax()) - n // 2
        start = min(max(loudest, 0), len(wave) - n)
        return wave[start : start + n]

    def _part_of_long(self, n, rate, rng):
        for _ in range(_TRIES):
            start = rng.uniform(0, self._duration() - n / rate - 0.01)
            part = read_audio(self.path, rate, start=start, end=start + (n + 1) / rate)[:n]
            if np.ptp(part) > 0:
                return part
        raise AudioError(
            f"{_TRIES} random parts of it were digital silence: cut the silence out",
            file=self.path,
        )

    def _duration(self):
        """Seconds of a file, by its header."""
        key = ("duration", self.path, *_stamp(self.path))
        return _cache.get(key, lambda: _seconds(self.path))


def from_array(array, own_rate, rate):
    """Through the audio door, whatever the scale: no augmenter keeps the level of a recording."""
    if array.dtype.kind == "f" and array.size:
        peak = float(np.abs(array).max())
        if 0 < peak < math.inf:
            array = array / peak
    return _with_level(read_audio((array, own_rate), rate))


def _read(path, rate, first_channel):
    try:
        if not first_channel:
            return _with_level(read_audio(path, rate))
        array, own_rate, _ = decode(path, math.nan, math.nan)
        return from_array(array if array.ndim == 1 else array[0], own_rate, rate)
    except AudioError as error:
        raise AudioError(error.reason, file=path) from error


def _with_level(wave):
    level = float(wave.std())
    if level == 0:
        raise AudioError("it is digital silence: leave it out")
    wave.setflags(write=False)
    return Samples(wave, level)


def _seconds(path):
    try:
        first, stop, rate = cell_extent(path, math.nan, math.nan, None)
    except AudioError as error:
        raise AudioError(error.reason, file=path) from error
    return (stop - first) / rate


def _stamp(path):
    try:
        status = os.stat(path)
    except OSError as error:
        raise AudioError(
            f"the file cannot be read any more ({error.strerror}): put it back, or augment again "
            f"with the files that there are",
            file=path,
        ) from error
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


@lru_cache(maxsize=65536)
def _digest(path, *stamp):
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
