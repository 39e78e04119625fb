"""Audio cells that are made from other cells, when they are read (behind `sklearn_ser.audio`)."""

import copy
import math
from abc import ABCMeta, abstractmethod

import numpy as np

from sklearn_ser.audio._signal import TOP
from sklearn_ser.exceptions import AudioError


class DerivedAudio(metaclass=ABCMeta):
    """An utterance that is made from another one each time it is read.

    It stands wherever audio may stand, in a table or a list, and takes no memory for its samples:
    of thousands of augmented copies only the one that is being worked on is in memory. What it
    makes must depend on the source's samples and on `recipe` alone.

    It has deliberately no ``__array__`` and no length: pandas and numpy would read every cell of
    a column where they only mean to look at its kind.

    Parameters
    ----------
    source : path, array, (array, rate) or DerivedAudio
    start, end : float
        The part of the source, in seconds; NaN: its own start or end.
    sampling_rate : int or float
        At which the source is read and this audio is made, in Hz.
    """

    def __init__(self, source, start=math.nan, end=math.nan, sampling_rate=16000):
        self.source = source
        self.start = start
        self.end = end
        self.sampling_rate = sampling_rate

    @abstractmethod
    def make(self, signal):
        """This audio, from the source's samples.

        Parameters
        ----------
        signal : ndarray of float32 of shape (n_samples,)

        Returns
        -------
        ndarray of float32 of shape (n_samples_out,), finite and within [-1, 32767/32768]
            `signal` itself, or what `as_signal` returned: who reads it does not check again.
        """

    @abstractmethod
    def recipe(self):
        """What, beside the source, the samples depend on: plain values, or steps with a revision.

        A feature store makes its key from it.
        """

    def with_source(self, source):
        """The same, made from another cell (such as the same file by its absolute path)."""
        other = copy.copy(self)
        other.source = source
        return other


def as_signal(made, maker):
    """What was made of an utterance, checked, and scaled down where it is beyond full scale.

    Parameters
    ----------
    made : array of shape (n_samples,)
    maker : str
        Who made it, for errors.

    Returns
    -------
    ndarray of float32 of shape (n_samples,), within [-1, 32767/32768]
    """
    made = np.asarray(made)
    is_wave = made.ndim == 1 and made.size and made.dtype.kind == "f"
    low, high = (float(made.min()), float(made.max())) if is_wave else (math.nan, math.nan)
    if not math.isfinite(high - low):  # NaN is the extreme of whatever it is in
        raise AudioError(
            f"{maker} made an array of shape {made.shape} of this utterance, or one with NaN or "
            f"Inf: expected finite samples"
        )
    peak = max(-low, high)
    if peak > TOP:
        made = np.clip(made * made.dtype.type(TOP / peak), -1, TOP)  # it may round up
    return made.astype(np.float32, copy=False)


def chain_of(cell):
    """The cells that lead to a cell, innermost first; the first one is a path, array or pair."""
    chain = [cell]
    while isinstance(chain[0], DerivedAudio):
        chain.insert(0, chain[0].source)
    return chain
