"""Audio that is made from two utterances, when it is read."""

import hashlib
import os

import numpy as np

from sklearn_ser._audio_cell import ReadingOptions, path_of, read_cell
from sklearn_ser._audio_table import find_cells
from sklearn_ser._derived_audio import DerivedAudio, as_signal
from sklearn_ser.augmentation._base import with_audio
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._store_code import class_code


class MixedAudio(DerivedAudio):
    """An utterance mixed with another one.

    Parameters
    ----------
    source : path, array, (array, rate) or DerivedAudio
    start, end : float
        The part of the source, in seconds; NaN: its own start or end.
    partner : tuple
        The other cell, its start and its end.
    mixer : MixingAugmenter
        Not changed any more.
    share : float
        Of the source.
    seed : int
        Of what else is drawn.
    """

    def __init__(self, source, start, end, partner, mixer, share, seed):
        super().__init__(source, start, end, mixer.sampling_rate)
        cell, *span = partner
        if path_of(cell):  # workers may stand in another folder
            cell = os.path.abspath(path_of(cell))
        self.partner = (cell, *span)
        self.mixer = mixer
        self.share = share
        self.seed = seed

    def make(self, signal):
        if not len(signal):
            return signal
        partner = self._partner_signal()
        if not len(partner):
            return signal
        from sklearn_ser.augmentation._mixing import as_long

        rng = np.random.default_rng(self.seed)
        made, _ = self.mixer._mix_sequences(
            signal.astype(np.float64), as_long(partner, len(signal)), self.share, rng
        )
        return as_signal(made, type(self.mixer).__name__)

    def recipe(self):
        try:
            partner = hashlib.sha256(self._partner_signal()).digest()
        except AudioError:
            partner = b"unreadable"
        mixer = type(self.mixer)
        code = class_code(mixer)  # of a class of the user's own
        return [mixer.__name__, mixer._revision, code, float(self.share), self.seed, partner]

    def __repr__(self):
        return f"MixedAudio({self.source!r}, {self.partner[0]!r}, share={self.share:.2f})"

    def _partner_signal(self):
        options = ReadingOptions(self.sampling_rate, 0.0, "clip", False)
        cell, start, end = self.partner
        return np.ascontiguousarray(read_cell(cell, start, end, options, None)[0])


def mixed_audio(mixer, X, second, shares, rng):
    """A table of mixed utterances, and the shares of the first ones.

    Parameters
    ----------
    mixer : MixingAugmenter
    X : table, list or array of audio
    second : ndarray of int of shape (n_rows,)
        The partner of each row.
    shares : ndarray of shape (n_rows,)
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame, ndarray
    """
    cells = find_cells(X, mixer.audio)
    seeds = rng.integers(0, 2**31, size=len(second))
    made = np.empty(len(second), dtype=object)
    for row, other in enumerate(second):
        made[row] = MixedAudio(
            cells.values[row],
            *cells.span(row),
            (cells.values[other], *cells.span(other)),
            mixer,
            float(shares[row]),
            int(seeds[row]),
        )
    return with_audio(X, cells, made, mixer.audio), shares
