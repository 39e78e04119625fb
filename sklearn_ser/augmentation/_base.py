"""What every augmenter of audio has in common: tables in, tables of lazily made audio out."""

import hashlib
from abc import ABCMeta, abstractmethod
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError

from sklearn_ser.audio._cell import is_missing
from sklearn_ser.audio._derived import DerivedAudio, as_signal
from sklearn_ser.audio._table import as_table, find_cells
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._public import public_module


class Augmenter(TransformerMixin, BaseEstimator):
    """Base of the augmenters that change each row by itself.

    A subclass has the parameters ``train_only`` and ``random_state``, and ``augment(X)``, which
    gives X with every row changed.
    """

    def fit(self, X, y=None):
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X : array-like of n_samples rows
            Ignored, as is y.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._validate_params()
        return self

    def transform(self, X):
        """Hand X on untouched, or change it where `train_only` is False.

        In a Pipeline `fit` changes the rows (by `fit_transform`) and `predict` does not, so that
        nobody scores a model on changed test data by accident.

        Parameters
        ----------
        X : array-like of n_samples rows

        Returns
        -------
        X itself, or as of `augment`
        """
        self._validate_params()
        return X if self.train_only else self.augment(X)

    def fit_transform(self, X, y=None):
        """Change every row: `augment`.

        Parameters
        ----------
        X : array-like of n_samples rows
        y : None
            Ignored.

        Returns
        -------
        As of `augment`.
        """
        return self.augment(X)

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


#: Parameters that have no influence on the samples once a seed was drawn.
_IRRELEVANT = {"train_only": True, "random_state": None, "audio": "file"}

#: Samples of a signal that its generator is made from.
_MOST_HASHED = 1024


@public_module("sklearn_ser.augmentation")
class AudioAugmenter(Augmenter, metaclass=ABCMeta):
    """Base of the augmenters: audio in, changed audio out.

    A subclass stores the parameters common to all (see `_parameter_constraints`) and its own, and
    says how to change one utterance (`_augment`). What it makes of an utterance depends on its
    samples, the seed and the parameters alone: never on other rows, on the row's place, or on the
    number of jobs. Nothing heavy is kept in the instance.
    """

    _parameter_constraints = {
        "p": [Interval(Real, 0, 1, closed="both")],
        "audio": [str],
        "sampling_rate": [Interval(Real, 1000, 1_000_000, closed="both")],
        "train_only": ["boolean"],
        "random_state": ["random_state"],
    }
    #: Raised by one whenever a class makes other samples: a feature store keeps the old apart.
    _revision = 1

    @abstractmethod
    def _augment(self, signal, rng):
        """Change one utterance.

        Parameters
        ----------
        signal : ndarray of float32 of shape (n_samples,)
            At `sampling_rate`, not all zeros; not to be written to.
        rng : numpy.random.Generator
            Of this utterance.

        Returns
        -------
        ndarray of shape (n_samples_out,)
            Beyond full scale it is scaled down as a whole by the caller. May raise an AudioError
            without a row.
        """

    def _versions(self):
        """What the samples depend on beside the parameters: name to version of a library."""
        return {}

    def _contents(self):
        """Parameters that are not what they are called, by what a store knows them by.

        Returns
        -------
        dict of str to plain values
            Parameter to content: of files that it names (noises, rooms) a digest of their bytes.
        """
        return {}

    def _frozen(self):
        """A copy for the cells of one table, which nobody changes any more."""
        return clone(self).set_params(**_IRRELEVANT)

    def augment(self, X):
        """Change every utterance, whatever `train_only` is.

        Parameters
        ----------
        X : DataFrame, Series, list or array of audio
            As audio steps take it; ``start`` and ``end`` are read where present.

        Returns
        -------
        DataFrame
            As X, row by row, with the changed audio in the column `audio`. It is made when it is
            read, by an audio step or by :func:`sklearn_ser.audio.read_audio`; so errors about
            audio come then. ``start`` and ``end``, where X has them, are missing values: the
            changed audio is that part alone. Of X that is no DataFrame, one column.
        """
        self._validate_params()
        cells = find_cells(X, self.audio)
        maker = self._frozen()
        seed = self._seed()
        made = np.empty(len(cells.values), dtype=object)
        for row, cell in enumerate(cells.values):
            start, end = cells.span(row)
            # A row that is no audio stays what it is: the step that reads it says so.
            made[row] = (
                cell
                if is_missing(cell) or row in cells.faults
                else AugmentedAudio(cell, start, end, maker, seed)
            )
        return with_audio(X, cells, made, self.audio)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns: those that came in.

        Parameters
        ----------
        input_features : sequence of str, optional
            Columns of X; None where X is no DataFrame.

        Returns
        -------
        ndarray of str
        """
        names = [self.audio] if input_features is None else list(input_features)
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags


class AugmentedAudio(DerivedAudio):
    """An utterance as an augmenter changes it, made when it is read.

    Parameters
    ----------
    source : path, array, (array, rate) or AugmentedAudio
    start, end : float
        The part of the source, in seconds; NaN: its own start or end.
    augmenter : AudioAugmenter
        Not changed any more.
    seed : int
    """

    def __init__(self, source, start, end, augmenter, seed):
        super().__init__(source, start, end, augmenter.sampling_rate)
        self.augmenter = augmenter
        self.seed = seed

    def make(self, signal):
        # Looking at a thousandth first: most speech is no silence there.
        if not (signal[::1000].any() or signal.any()):
            return signal  # silence stays silence; who reads it decides what to do with it
        rng = utterance_generator(self.seed, type(self.augmenter).__name__, signal)
        if rng.random() >= self.augmenter.p:
            return signal
        name = type(self.augmenter).__name__
        try:
            made = self.augmenter._augment(signal, rng)
        except AudioError as error:  # it may name a file of the augmenter's own
            raise AudioError(f"{name}: {error}") from error
        return as_signal(made, name)

    def recipe(self):
        return [self.augmenter, self.seed]

    def __repr__(self):
        return f"AugmentedAudio({self.source!r}, {self.augmenter!r}, seed={self.seed})"


def with_audio(X, cells, made, audio):
    """X as a table with other audio, which is made of the whole of what it was made of.

    Parameters
    ----------
    X : what `find_cells` took
    cells : Cells
        What it found.
    made : ndarray of object of shape (n_rows,)
        The new cells.
    audio : str
        The column they stand in.

    Returns
    -------
    DataFrame
    """
    is_table = isinstance(X, pd.DataFrame) and audio in X.columns
    table = X if is_table else as_table(X, cells, audio)
    columns = {audio: pd.Series(made, index=table.index, dtype=object)}
    for name in ("start", "end"):
        if name in table.columns:
            times = table[name].copy()
            kept = np.zeros(len(table), dtype=bool)
            kept[list(cells.faults)] = True
            columns[name] = times.where(kept)
    return table.assign(**columns)


def utterance_generator(seed, purpose, signal):
    """A generator of an utterance's own: the same for the same samples, wherever they stand.

    Of a long signal it is made from about a thousand samples that lie evenly in it: that tells
    utterances apart as well as all of them would, and takes a tenth of the time.

    Parameters
    ----------
    seed : int
    purpose : str
        Who draws: two augmenters in a row must not draw the same numbers.
    signal : ndarray

    Returns
    -------
    numpy.random.Generator
    """
    signal = np.ravel(signal)
    digest = hashlib.blake2b(f"{seed} {purpose} {signal.size} ".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(signal[:: signal.size // _MOST_HASHED + 1]))
    # As default_rng does, which takes twice the time to find out that it was given an int.
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest(), "little")))


def check_range(step, name, interval):
    """Refuse a parameter that is neither a number in `interval` nor a range within it.

    Parameters
    ----------
    step : estimator
    name : str
        Of the parameter.
    interval : sklearn.utils._param_validation.Interval

    Raises
    ------
    InvalidParameterError
    """
    value = getattr(step, name)
    ends = list(value) if isinstance(value, tuple | list) else [value]
    is_range = len(ends) == 2 and all(map(interval.is_satisfied_by, ends)) and ends[0] <= ends[1]
    if not (is_range or (len(ends) == 1 and interval.is_satisfied_by(value))):
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(step).__name__} must be {interval}, or a range "
            f"(lowest, highest) of such numbers. Got {value!r} instead."
        )


def draw(value, rng):
    """The number itself, or one drawn evenly from a range.

    Parameters
    ----------
    value : float or (float, float)
    rng : numpy.random.Generator

    Returns
    -------
    float
    """
    if isinstance(value, tuple | list):
        return float(rng.uniform(*value))
    return float(value)
