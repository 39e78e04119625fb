"""Mixup and CutMix: rows made from two rows, with a share of the label of each."""

import hashlib
import os
from abc import ABCMeta, abstractmethod
from numbers import Real

import numpy as np
import pandas as pd
from scipy.stats import beta
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.audio._cell import ReadingOptions, path_of, read_cell
from sklearn_ser.audio._derived import DerivedAudio, as_signal
from sklearn_ser.audio._table import find_cells
from sklearn_ser.augmentation._base import with_audio
from sklearn_ser.augmentation._frames import like_frames
from sklearn_ser.augmentation._training_rows import numbers_of
from sklearn_ser.exceptions import AudioError
from sklearn_ser.store._keys import class_code
from sklearn_ser.utils._frames import as_sequences, is_frames
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.augmentation")
class MixingAugmenter(BaseEstimator, metaclass=ABCMeta):
    """Base of the augmenters that make a row from two rows with labels.

    A subclass says how to put two together (`_mix_features`, `_mix_sequences`).
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "least": [Interval(Real, 0, 0.5, closed="left")],
        "on": [StrOptions({"input", "features"})],
        "audio": [str],
        "sampling_rate": [Interval(Real, 1000, 1_000_000, closed="both")],
    }
    #: Raised by one whenever it makes other samples of audio.
    _revision = 1

    @property
    def _augments(self):
        return "features" if self.on == "features" else None

    @staticmethod
    @abstractmethod
    def _mix_features(first, second, share, rng):
        """Two rows of features put together: the row, and the share of the first in it."""

    @staticmethod
    @abstractmethod
    def _mix_sequences(first, second, share, rng):
        """As `_mix_features`, for signals or frames along the first axis, of one length."""

    def augment_rows(self, X, y, rng):
        """Mix each row with another one.

        Parameters
        ----------
        X : array-like of n_samples rows
            Features, frame sequences, or audio.
        y : array-like of shape (n_samples,)
            Labels, of all rows.
        rng : numpy.random.Generator
            Draws partners and shares.

        Returns
        -------
        X : array-like of n_made rows
            Where the two rows have the same label, one mixed row; else two, which are the same.
        sources : ndarray of int of shape (n_made, 2)
            The rows that each was made from.
        labels : ndarray of int of shape (n_made,)
            The row whose label each has.
        weights : ndarray of shape (n_made,)
            The share of that row: with these sample weights, the cross-entropy of the two rows is
            that of one row with a soft label.
        """
        self._validate_params()
        y = np.asarray(y, dtype=object)
        first = np.arange(len(y))
        if len(y) < 2:
            return X[:0], np.empty((0, 2), dtype=int), first[:0], np.empty(0)
        # Anyone but itself.
        second = (first + rng.integers(1, len(y), size=len(y))) % len(y)
        lowest, highest = beta.cdf([self.least, 1.0 - self.least], self.alpha, self.alpha)
        shares = beta.ppf(rng.uniform(lowest, highest, size=len(y)), self.alpha, self.alpha)
        shares = np.clip(shares, self.least, 1.0 - self.least)
        shares = np.maximum(shares, 1.0 - shares)  # so that the first is the one that it is like
        made, shares = self._mixed(X, second, shares, rng)
        differ = y != y[second]
        rows = np.concatenate([first, first[differ]])
        labels = np.concatenate([first, second[differ]])
        weights = np.concatenate([np.where(differ, shares, 1.0), 1.0 - shares[differ]])
        sources = np.column_stack([rows, second[rows]])
        return _safe_indexing(made, rows), sources, labels, weights

    def _mixed(self, X, second, shares, rng):
        """The mixed rows, and the shares that the first rows have in them."""
        if is_frames(X):
            return self._mixed_frames(X, second, shares, rng)
        values = numbers_of(X)
        if values is None:
            return mixed_audio(self, X, second, shares, rng)
        pairs = [
            self._mix_features(values[row], values[other], share, rng)
            for row, (other, share) in enumerate(zip(second, shares, strict=True))
        ]
        made = np.array([row for row, _ in pairs], dtype=values.dtype)
        if isinstance(X, pd.DataFrame):
            made = pd.DataFrame(made, index=X.index, columns=X.columns)
        return made, np.array([share for _, share in pairs])

    def _mixed_frames(self, X, second, shares, rng):
        sequences = as_sequences(X)
        made = []
        for row, other in enumerate(second):
            first, partner = sequences[row], sequences[other]
            if first is None or partner is None:  # failed audio stays that
                made.append(None)
                continue
            mixed, shares[row] = self._mix_sequences(
                first, as_long(partner, len(first)), shares[row], rng
            )
            made.append(mixed.astype(first.dtype))
        return like_frames(X, made), shares


@public_module("sklearn_ser.augmentation")
class Mixup(MixingAugmenter):
    """Mix each row with another one: a share of its values, and as much of its label [1]_.

    For :class:`AugmentingClassifier`. Rows of features are mixed value by value; frame sequences
    and audio moment by moment, the partner being repeated, or cut, to the row's length. The
    network can mix the rows of a batch, too, anew in each epoch
    (:class:`~sklearn_ser.neural_network.InputPerturbation`, ``mixup_alpha``); as an augmenter
    it makes rows that are known to be mixed, and works for any classifier with sample weights.

    Parameters
    ----------
    alpha : float, default=0.4
        The share of a row is drawn from Beta(alpha, alpha); the larger of the two is the row's.
    least : float, default=0.2
        Least share of the partner, in [0, 0.5): a row that is hardly mixed could not be told from
        one that is not.
    on : {"input", "features"}, default="input"
        Mix the rows that AugmentingClassifier is given (such as audio), or what the audio steps
        at the head of its estimator make of them.
    audio : str, default="file"
        Column of X that holds the audio, where X is audio.
    sampling_rate : int or float, default=16000
        Rate in Hz at which audio is mixed.

    References
    ----------
    .. [1] Zhang, H. et al. (2018). mixup: Beyond Empirical Risk Minimization. ICLR 2018.
       https://arxiv.org/abs/1710.09412

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import Mixup
    >>> X, y = np.array([[0.0], [10.0]]), ["calm", "anger"]
    >>> made, sources, labels, weights = Mixup().augment_rows(X, y, np.random.default_rng(0))
    >>> made.ravel().round(2)
    array([4.11, 6.48, 4.11, 6.48])
    >>> labels, weights.round(2)
    (array([0, 1, 1, 0]), array([0.59, 0.65, 0.41, 0.35]))
    """

    def __init__(self, alpha=0.4, least=0.2, *, on="input", audio="file", sampling_rate=16000):
        self.alpha = alpha
        self.least = least
        self.on = on
        self.audio = audio
        self.sampling_rate = sampling_rate

    @staticmethod
    def _mix_features(first, second, share, rng):
        return share * first + (1.0 - share) * second, share

    _mix_sequences = _mix_features


@public_module("sklearn_ser.augmentation")
class CutMix(MixingAugmenter):
    """Put a piece of another row into each row, and as much of its label [1]_.

    For :class:`AugmentingClassifier`. The piece is a stretch of time of frame sequences and audio,
    and neighboring columns of features; in the partner it stands at the same place.

    Parameters
    ----------
    alpha, least, on, audio, sampling_rate
        As of :class:`Mixup`, but for the share, which is that of time or of columns.

    References
    ----------
    .. [1] Yun, S. et al. (2019). CutMix: Regularization Strategy to Train Strong Classifiers with
       Localizable Features. ICCV 2019. https://arxiv.org/abs/1905.04899

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import CutMix
    >>> X, y = np.array([[0.0] * 5, [1.0] * 5]), ["calm", "anger"]
    >>> made, sources, labels, weights = CutMix().augment_rows(X, y, np.random.default_rng(1))
    >>> made[0]
    array([1., 1., 0., 0., 0.])
    >>> weights.round(2)
    array([0.6, 0.8, 0.4, 0.2])
    """

    def __init__(self, alpha=1.0, least=0.2, *, on="input", audio="file", sampling_rate=16000):
        self.alpha = alpha
        self.least = least
        self.on = on
        self.audio = audio
        self.sampling_rate = sampling_rate

    @staticmethod
    def _mix_features(first, second, share, rng):
        n_places = len(first)
        width = round((1.0 - share) * n_places)
        start = int(rng.integers(0, n_places - width, endpoint=True))
        made = first.copy()
        made[start : start + width] = second[start : start + width]
        return made, 1.0 - width / n_places

    _mix_sequences = _mix_features


def as_long(values, length):
    """`values` repeated, or cut, to this length along the first axis."""
    repeats = -(-length // len(values))
    return np.concatenate([values] * repeats)[:length] if repeats > 1 else values[:length]


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
