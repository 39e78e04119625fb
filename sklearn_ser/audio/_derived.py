"""Audio references whose samples are computed from other references when they are read."""

from __future__ import annotations

import copy
import math
from abc import ABCMeta, abstractmethod
from typing import Any

import numpy as np

from sklearn_ser.audio._signal import TOP
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import AudioSource


@public_module("sklearn_ser.audio")
class DerivedAudio(metaclass=ABCMeta):
    """Utterance that is computed from another one each time it is read.

    It may stand wherever audio may, in a table or a list, and needs no memory for its samples: of
    thousands of augmented copies only the one being processed is in memory. The source is any audio
    reference, of which the segment from `start` to `end` seconds (NaN is its start or end) is read
    at `sampling_rate`; the samples must depend on it and on `recipe` alone.

    It deliberately has no ``__array__`` and no length: pandas and numpy would read every element of
    a column only to determine its type.

    Parameters
    ----------
    source : audio reference
        Path, array, or pair of array and rate.
    start, end : float, default=nan
        Segment of the source in seconds; NaN is its start or end.
    sampling_rate : int, default=16000
        Sampling rate of the samples in Hz.
    """

    def __init__(
        self,
        source: AudioSource,
        start: float = math.nan,
        end: float = math.nan,
        sampling_rate: float = 16000,
    ):
        self.source = source
        self.start = start
        self.end = end
        self.sampling_rate = sampling_rate

    @abstractmethod
    def make(self, signal: np.ndarray) -> np.ndarray:
        """Compute this audio from the samples of the source, float32 like the result.

        Parameters
        ----------
        signal : ndarray of shape (n_samples,)
            Samples of the source at `sampling_rate`.

        Returns
        -------
        ndarray of shape (n_samples_out,)
            `signal` itself, or finite float32 samples within [-1, 32767/32768]: they are not
            validated again.
        """

    @abstractmethod
    def recipe(self) -> list[Any]:
        """List what the samples depend on besides the source, for the cache key of a store.

        Returns
        -------
        list
            Plain values, or steps with a revision.
        """

    def with_source(self, source: AudioSource) -> DerivedAudio:
        """Return a copy with another source (such as the same file by its absolute path).

        Parameters
        ----------
        source : audio reference
            Source of the copy.

        Returns
        -------
        DerivedAudio
            The copy.
        """
        other = copy.copy(self)
        other.source = source
        return other


def as_signal(samples, step_name):
    """Validate computed samples, and scale them down where they are beyond full scale.

    The result is float32 within [-1, 32767/32768].
    """
    samples = np.asarray(samples)
    is_wave = samples.ndim == 1 and samples.size and samples.dtype.kind == "f"
    low, high = (float(samples.min()), float(samples.max())) if is_wave else (math.nan, math.nan)
    if not math.isfinite(high - low):  # minimum and maximum are NaN if any sample is
        raise AudioError(
            f"{step_name} returned an array of shape {samples.shape} for this utterance, or one "
            f"with NaN or Inf: expected finite samples"
        )
    peak = max(-low, high)
    if peak > TOP:
        samples = np.clip(samples * samples.dtype.type(TOP / peak), -1, TOP)  # it may round up
    return samples.astype(np.float32, copy=False)


def source_chain(reference):
    """Return a reference and its sources, innermost (a path, array or pair) first."""
    chain = [reference]
    while isinstance(chain[0], DerivedAudio):
        chain.insert(0, chain[0].source)
    return chain
