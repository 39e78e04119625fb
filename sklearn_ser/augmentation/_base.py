"""Base classes of augmenters, and audio that is augmented when it is read."""

from __future__ import annotations

import hashlib
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sklearn_ser.audio._derived import DerivedAudio, as_signal
from sklearn_ser.audio._input import as_table, find_references
from sklearn_ser.audio._signal import is_missing
from sklearn_ser.exceptions import AudioError
from sklearn_ser.store._keys import CacheableMixin
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import as_frame
from sklearn_ser.utils._output import OwnContainerMixin
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import AudioSource, Samples, SamplesT

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

    from sklearn_ser.audio._input import AudioReferences

T = TypeVar("T")

_COMMON = """\
p : float, default=1.0
    Probability that a row of X is changed.
train_only : bool, default=True
    Whether `transform` returns X unchanged, so that only `fit_transform` (which `fit` of a
    Pipeline calls) and `augment` change it.
random_state : int, RandomState instance or None, default=None
    Seed of the changes. With an int, a row is changed in the same way at any position, in any
    subset of the rows."""
_AUDIO = """\
audio : str, default="file"
    Column of X that holds the audio.
sampling_rate : int or float, default=16000
    Sampling rate in Hz at which the audio is changed and returned."""


@dataclass_transform(eq_default=False)
def augmenter(cls: type[T]) -> type[T]:
    """Add the parameters of all augmenters to constructor and docstring of a public class."""
    common = f"{_COMMON}\n{_AUDIO}" if issubclass(cls, AudioAugmenter) else _COMMON
    documented = substitute_docstring(common_parameters=common)(cls)
    return public_module("sklearn_ser.augmentation")(dataclass(eq=False, repr=False)(documented))


@dataclass(eq=False, repr=False, kw_only=True)
class Augmenter(TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the augmenters that change each row independently of the others.

    A subclass has at least these parameters, and a method ``augment(X)``.
    """

    p: float = 1.0
    train_only: bool = True
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "p": [Interval(Real, 0, 1, closed="both")],
        "train_only": ["boolean"],
        "random_state": ["random_state"],
    }

    def fit(self, X: Samples, y: ArrayLike | None = None) -> Self:
        """Check the parameters. Augmenters learn nothing from X.

        Parameters
        ----------
        X : array-like of n_samples rows
            Audio, frames or features.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self._validate_params()
        return self

    def transform(self, X: SamplesT) -> SamplesT:
        """Return X unchanged, or augmented if `train_only` is False.

        In a Pipeline `fit` changes the rows (it calls `fit_transform`) and `predict` does not, so
        that no model is scored on changed test data by accident.

        Parameters
        ----------
        X : array-like of n_samples rows
            Audio, frames or features.

        Returns
        -------
        array-like of n_samples rows
            X, or the result of `augment`.
        """
        self._validate_params()
        return X if self.train_only else self.augment(X)

    def fit_transform(self, X: SamplesT, y: ArrayLike | None = None) -> SamplesT:
        """Fit, and return `augment(X)`.

        Parameters
        ----------
        X : array-like of n_samples rows
            Audio, frames or features.
        y : None
            Ignored.

        Returns
        -------
        array-like of n_samples rows
            Result of `augment`.
        """
        return self.fit(X).augment(X)

    @abstractmethod
    def augment(self, X: SamplesT) -> SamplesT:
        """Change every row, whatever `train_only` is."""

    @abstractmethod
    def _default_names(self) -> Sequence[str]:
        """Return the names of the columns of what `augment` returns if X is not a DataFrame."""

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Return the names of the columns, which are those of the input.

        Parameters
        ----------
        input_features : sequence of str, optional
            Columns of X; None if X is not a DataFrame.

        Returns
        -------
        ndarray of str
            Names of the output columns.
        """
        names = self._default_names() if input_features is None else input_features
        return np.asarray(list(names), dtype=object)

    def _seed(self):
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.non_deterministic = True
        tags.transformer_tags.preserves_dtype = []
        return tags


#: Values of the parameters that have no influence on the signal once the seed is drawn.
_IRRELEVANT = {"train_only": True, "random_state": None, "audio": "file"}

#: Number of samples of a signal from which its generator is derived.
_N_HASHED = 1024


@public_module("sklearn_ser.augmentation")
@substitute_docstring(common_parameters=f"{_COMMON}\n{_AUDIO}")
@dataclass(eq=False, repr=False, kw_only=True)
class AudioAugmenter(CacheableMixin, OwnContainerMixin, Augmenter):
    """Base of the augmenters of audio.

    A subclass has the parameters of this class, adds its own, and changes one utterance in
    `_augment`. The result depends on the samples of the utterance, the seed and the parameters
    alone: never on other rows, on the position of the row, or on the number of jobs.

    Parameters
    ----------
    %(common_parameters)s
    """

    audio: str = "file"
    sampling_rate: float = 16000

    _parameter_constraints = {
        "audio": [str],
        "sampling_rate": [Interval(Real, 1000, 1_000_000, closed="both")],
        **Augmenter._parameter_constraints,
    }

    @abstractmethod
    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change one utterance, with the random numbers of this utterance.

        The signal is float32 at `sampling_rate`, read-only, and not all zeros. The caller scales
        the changed one down as a whole if it exceeds full scale. An AudioError, to which the caller
        adds the row, means that the utterance cannot be changed.
        """

    def _versions(self) -> dict[str, str]:
        """Return the versions of libraries that the samples depend on, by name."""
        return {}

    def _contents(self) -> dict[str, Any]:
        """Return plain values in place of parameters that name files, for the keys of stores."""
        return {}

    def _frozen(self) -> Self:
        """Return a copy for the audio references of one table, which nobody changes later."""
        return clone(self).set_params(**_IRRELEVANT)

    def augment(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Change every utterance, whatever `train_only` is.

        Parameters
        ----------
        X : DataFrame, Series, list or array of audio
            Audio as audio steps take it; ``start`` and ``end`` are read where present.

        Returns
        -------
        DataFrame
            X with the changed audio in the column `audio`; a single column if X is not a DataFrame.
            The audio is changed when it is read, by an audio step or by
            :func:`sklearn_ser.audio.read_audio`, which is also when errors about audio are raised.
            ``start`` and ``end``, where X has them, are missing values: the changed audio is that
            part alone.
        """
        self._validate_params()
        X = as_frame(X)
        found = find_references(X, self.audio)
        augmenter = self._frozen()
        seed = self._seed()
        references = np.empty(len(found.values), dtype=object)
        for row, reference in enumerate(found.values):
            # A row without audio stays as it is: the step that reads it raises the error.
            if is_missing(reference) or row in found.faults:
                references[row] = reference
                continue
            start, end = found.span(row)
            references[row] = AugmentedAudio(reference, start, end, augmenter, seed)
        return with_audio(X, found, references, self.audio)

    def _default_names(self) -> Sequence[str]:
        return [self.audio]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags


@public_module("sklearn_ser.augmentation")
class AugmentedAudio(DerivedAudio):
    """An utterance that an augmenter changes when it is read.

    The parameters of the augmenter do not change any more. NaN as start or end of the source stands
    for its own start or end.

    Parameters
    ----------
    source : audio reference
        Path, array, or pair of array and rate.
    start, end : float
        Segment of the source in seconds; NaN is its start or end.
    augmenter : AudioAugmenter
        Augmenter of the samples.
    seed : int
        Seed of the changes.
    """

    def __init__(
        self, source: AudioSource, start: float, end: float, augmenter: AudioAugmenter, seed: int
    ):
        super().__init__(source, start, end, augmenter.sampling_rate)
        self.augmenter = augmenter
        self.seed = seed

    def make(self, signal: np.ndarray) -> np.ndarray:
        # Checking every thousandth sample first is faster for most speech.
        if not (signal[::1000].any() or signal.any()):
            return signal  # silence stays silence
        name = type(self.augmenter).__name__
        rng = signal_generator(self.seed, name, signal)
        if rng.random() >= self.augmenter.p:
            return signal
        try:
            augmented = self.augmenter._augment(signal, rng)
        except AudioError as error:  # it may name a file of the augmenter
            raise AudioError(f"{name}: {error}") from error
        return as_signal(augmented, name)

    def recipe(self) -> list[Any]:
        return [self.augmenter, self.seed]

    def __repr__(self) -> str:
        return f"AugmentedAudio({self.source!r}, {self.augmenter!r}, seed={self.seed})"


def with_audio(X: Any, found: AudioReferences, references: np.ndarray, audio: str) -> pd.DataFrame:
    """Return X as a table with other audio references, which have no start and end."""
    is_table = isinstance(X, pd.DataFrame) and audio in X.columns
    table = X if is_table else as_table(X, found, audio)
    columns = {audio: pd.Series(references, index=table.index, dtype=object)}
    for name in ("start", "end"):
        if name in table.columns:
            is_faulty = np.zeros(len(table), dtype=bool)
            is_faulty[list(found.faults)] = True
            columns[name] = table[name].where(is_faulty)
    return table.assign(**columns)


def signal_generator(seed: int, purpose: str, signal: np.ndarray) -> np.random.Generator:
    """Return a generator that is the same for equal signals, at any position of a table."""
    # About a thousand evenly spaced samples identify a signal as well as all of them would, in a
    # tenth of the time. Two augmenters in a row must not draw the same numbers: hence the purpose.
    signal = np.ravel(signal)
    digest = hashlib.blake2b(f"{seed} {purpose} {signal.size} ".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(signal[:: signal.size // _N_HASHED + 1]).data)
    # The result of default_rng, which takes twice as long to check its argument.
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest(), "little")))


class Range(Interval):
    """Constraint of a parameter: a number in an interval, or a range of such numbers."""

    def is_satisfied_by(self, val: Any) -> bool:
        if not isinstance(val, tuple | list):
            return super().is_satisfied_by(val)
        return len(val) == 2 and all(map(super().is_satisfied_by, val)) and val[0] <= val[1]

    def __str__(self) -> str:
        return f"{super().__str__()}, or a range (lowest, highest) of such numbers"


def draw(value: float | tuple[float, float], rng: np.random.Generator) -> float:
    """Return the number itself, or one that is drawn uniformly from a range."""
    if isinstance(value, tuple | list):
        return float(rng.uniform(*value))
    return float(value)
