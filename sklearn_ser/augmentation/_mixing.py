"""Augmenters that mix two samples, with a share of the label of each."""

from __future__ import annotations

import hashlib
import os
from abc import ABCMeta, abstractmethod
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy.stats import beta
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.audio._decoding import ReadingOptions, path_of, read_reference
from sklearn_ser.audio._derived import DerivedAudio, as_signal
from sklearn_ser.audio._input import find_references
from sklearn_ser.augmentation._base import with_audio
from sklearn_ser.augmentation._frames import like_frames
from sklearn_ser.augmentation._training_rows import numbers_of
from sklearn_ser.exceptions import AudioError
from sklearn_ser.store._keys import CacheableMixin, class_revisions
from sklearn_ser.utils._frames import as_sequences, is_frames
from sklearn_ser.utils._ids import as_frame, with_features
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import AudioSource, Samples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@public_module("sklearn_ser.augmentation")
@dataclass(eq=False, repr=False)
class MixingAugmenter(CacheableMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the augmenters that mix two labeled samples.

    A subclass mixes two samples in `_mix`.

    Parameters
    ----------
    alpha, least, on, audio, sampling_rate : object
        Parameters of :class:`Mixup`.
    """

    alpha: float = 0.4
    least: float = 0.2
    _: KW_ONLY
    on: Literal["input", "features"] = "input"
    audio: str = "file"
    sampling_rate: float = 16000

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "least": [Interval(Real, 0, 0.5, closed="left")],
        "on": [StrOptions({"input", "features"})],
        "audio": [str],
        "sampling_rate": [Interval(Real, 1000, 1_000_000, closed="both")],
    }

    @property
    def _augments(self):
        return "features" if self.on == "features" else None

    @staticmethod
    @abstractmethod
    def _mix(
        first: np.ndarray, second: np.ndarray, share: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        """Return a mixture of features, signals or frames, and the share of the first in it."""

    def augment_rows(
        self, X: Samples, y: ArrayLike, rng: np.random.Generator
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
        """Mix each sample with another one.

        Parameters
        ----------
        X : array-like of n_samples samples
            Features, frame sequences, or audio.
        y : array-like of shape (n_samples,)
            Labels of all samples.
        rng : numpy.random.Generator
            Generator of partners and shares.

        Returns
        -------
        X : array-like of n_mixtures samples
            One mixture of two samples that have the same label, else two equal mixtures.
        sources : ndarray of int of shape (n_mixtures, 2)
            The two samples of each mixture.
        labels : ndarray of int of shape (n_mixtures,)
            The sample that gives the label of each mixture.
        weights : ndarray of shape (n_mixtures,)
            The share of that sample. With these sample weights, the cross-entropy of two equal
            mixtures is that of one with a soft label.
        """
        self._validate_params()
        X = as_frame(X)
        labels = np.asarray(y, dtype=object)
        n = len(labels)
        first = np.arange(n)
        if n < 2:
            return X[:0], np.empty((0, 2), dtype=int), first[:0], np.empty(0)
        # Any sample but itself.
        second = (first + rng.integers(1, n, size=n)) % n
        lowest, highest = beta.cdf([self.least, 1.0 - self.least], self.alpha, self.alpha)
        shares = beta.ppf(rng.uniform(lowest, highest, size=n), self.alpha, self.alpha)
        shares = np.clip(shares, self.least, 1.0 - self.least)
        shares = np.maximum(shares, 1.0 - shares)  # the first sample has the larger share
        mixed, shares = self._mixed(X, second, shares, rng)
        differ = labels != labels[second]
        rows = np.concatenate([first, first[differ]])
        label_of = np.concatenate([first, second[differ]])
        weights = np.concatenate([np.where(differ, shares, 1.0), 1.0 - shares[differ]])
        sources = np.column_stack([rows, second[rows]])
        return _safe_indexing(mixed, rows), sources, label_of, weights

    def _mixed(self, X, second, shares, rng):
        """Return the mixtures, and the shares that the first samples have in them."""
        if is_frames(X):
            return self._mixed_frames(X, second, shares, rng)
        values = numbers_of(X)
        if values is None:
            return self._mixed_audio(X, second, shares, rng), shares
        pairs = [
            self._mix(values[row], values[other], share, rng)
            for row, (other, share) in enumerate(zip(second, shares, strict=True))
        ]
        mixed = np.array([row for row, _ in pairs], dtype=values.dtype)
        return with_features(X, mixed), np.array([share for _, share in pairs])

    def _mixed_frames(self, X, second, shares, rng):
        sequences = as_sequences(X)
        mixtures: list[np.ndarray | None] = []
        for row, other in enumerate(second):
            first, partner = sequences[row], sequences[other]
            if first is None or partner is None:  # failed audio
                mixtures.append(None)
                continue
            # The partner is repeated or cut to the length of the first.
            partner = np.resize(partner, (len(first), *partner.shape[1:]))
            mixed, shares[row] = self._mix(first, partner, shares[row], rng)
            mixtures.append(mixed.astype(first.dtype))
        return like_frames(X, mixtures), shares

    def _mixed_audio(self, X, second, shares, rng):
        found = find_references(X, self.audio)
        seeds = rng.integers(0, 2**31, size=len(second))
        references = np.empty(len(second), dtype=object)
        for row, other in enumerate(second):
            start, end = found.span(row)
            partner = (found.values[other], *found.span(other))
            references[row] = MixedAudio(
                found.values[row], start, end, partner, self, float(shares[row]), int(seeds[row])
            )
        return with_audio(X, found, references, self.audio)


@public_module("sklearn_ser.augmentation")
class Mixup(MixingAugmenter):
    """Mix each sample with another one: a share of its values, and of its label [1]_.

    For :class:`AugmentingClassifier`. Features are mixed value by value; frame sequences and audio
    frame by frame, the partner being repeated or cut to the length of the sample.
    Networks can also mix the samples of each batch in each epoch
    (:class:`~sklearn_ser.neural_network.InputPerturbation`, ``mixup_alpha``); this augmenter makes
    mixtures that are identifiable by their auxiliary target, and works for any classifier with
    sample weights.

    Parameters
    ----------
    alpha : float, default=0.4
        Parameter of the distribution Beta(alpha, alpha) of the share; the sample itself gets the
        larger of the two shares.
    least : float, default=0.2
        Minimum share of the partner, in [0, 0.5): with less, mixtures could not be distinguished
        from unchanged samples.
    on : {"input", "features"}, default="input"
        Whether to mix the input of AugmentingClassifier (such as audio), or the output of the audio
        steps at the head of its estimator.
    audio : str, default="file"
        Column of X that holds the audio, if X is audio.
    sampling_rate : int or float, default=16000
        Sampling rate in Hz at which audio is mixed.

    References
    ----------
    .. [1] Zhang, H. et al. (2018). mixup: Beyond Empirical Risk Minimization. ICLR 2018.
       https://arxiv.org/abs/1710.09412

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import Mixup
    >>> X, y = np.array([[0.0], [10.0]]), ["calm", "anger"]
    >>> mixed, sources, labels, weights = Mixup().augment_rows(X, y, np.random.default_rng(0))
    >>> mixed.ravel().round(2)
    array([4.11, 6.48, 4.11, 6.48])
    >>> labels, weights.round(2)
    (array([0, 1, 1, 0]), array([0.59, 0.65, 0.41, 0.35]))
    """

    @staticmethod
    def _mix(first, second, share, rng):
        return share * first + (1.0 - share) * second, share


@public_module("sklearn_ser.augmentation")
@dataclass(eq=False, repr=False)
class CutMix(MixingAugmenter):
    """Replace a part of each sample by that of another one, with a share of its label [1]_.

    For :class:`AugmentingClassifier`. The part is an interval of time of frame sequences and audio,
    or adjacent columns of features; it comes from the same position of the partner.

    Parameters
    ----------
    alpha, least, on, audio, sampling_rate : object
        Parameters of :class:`Mixup`; the share is that of time or of columns.

    References
    ----------
    .. [1] Yun, S. et al. (2019). CutMix: Regularization Strategy to Train Strong Classifiers with
       Localizable Features. ICCV 2019. https://arxiv.org/abs/1905.04899

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import CutMix
    >>> X, y = np.array([[0.0] * 5, [1.0] * 5]), ["calm", "anger"]
    >>> mixed, sources, labels, weights = CutMix().augment_rows(X, y, np.random.default_rng(1))
    >>> mixed[0]
    array([1., 1., 0., 0., 0.])
    >>> weights.round(2)
    array([0.6, 0.8, 0.4, 0.2])
    """

    alpha: float = 1.0

    @staticmethod
    def _mix(first, second, share, rng):
        n = len(first)
        width = round((1.0 - share) * n)
        start = int(rng.integers(0, n - width, endpoint=True))
        mixed = first.copy()
        mixed[start : start + width] = second[start : start + width]
        return mixed, 1.0 - width / n


@public_module("sklearn_ser.augmentation")
class MixedAudio(DerivedAudio):
    """An utterance that is mixed with another one when it is read.

    The partner is an audio reference with its start and end, and `share` that of the source. NaN as
    start or end stands for the start or end of the audio itself.

    Parameters
    ----------
    source : audio reference
        Path, array, or pair of array and rate.
    start, end : float
        Segment of the source in seconds; NaN is its start or end.
    partner : tuple of (audio reference, float, float)
        Audio that is mixed in, with its start and end.
    mixer : MixingAugmenter
        Mixing of the samples.
    share : float
        Share of the source.
    seed : int
        Seed of the mixing.
    """

    def __init__(
        self,
        source: AudioSource,
        start: float,
        end: float,
        partner: tuple[Any, float, float],
        mixer: MixingAugmenter,
        share: float,
        seed: int,
    ):
        super().__init__(source, start, end, mixer.sampling_rate)
        reference, *span = partner
        if path_of(reference):  # worker processes may have another working directory
            reference = os.path.abspath(path_of(reference))
        self.partner = (reference, *span)
        self.mixer = mixer
        self.share = share
        self.seed = seed

    def make(self, signal: np.ndarray) -> np.ndarray:
        if not len(signal):
            return signal
        partner = self._partner_signal()
        if not len(partner):
            return signal
        rng = np.random.default_rng(self.seed)
        mixed, _ = self.mixer._mix(
            signal.astype(np.float64), np.resize(partner, len(signal)), self.share, rng
        )
        return as_signal(mixed, type(self.mixer).__name__)

    def recipe(self) -> list[Any]:
        try:
            partner = hashlib.sha256(self._partner_signal()).digest()
        except AudioError:
            partner = b"unreadable"
        mixer = type(self.mixer)
        revisions = class_revisions(mixer)
        return [mixer.__name__, revisions, float(self.share), self.seed, partner]

    def __repr__(self) -> str:
        return f"MixedAudio({self.source!r}, {self.partner[0]!r}, share={self.share:.2f})"

    def _partner_signal(self):
        options = ReadingOptions(self.sampling_rate, 0.0, "clip", False)
        reference, start, end = self.partner
        return np.ascontiguousarray(read_reference(reference, start, end, options, None)[0])
