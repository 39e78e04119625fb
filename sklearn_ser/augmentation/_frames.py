"""What the augmenters of frame sequences have in common."""

from abc import ABCMeta, abstractmethod
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._augmenter import Augmenter
from sklearn_ser.augmentation._base import utterance_generator
from sklearn_ser.utils._frames import as_sequences, is_frames


class FrameAugmenter(Augmenter, metaclass=ABCMeta):
    """Base of the augmenters of frame sequences, such as log-mel spectrograms.

    What it makes of a sequence depends on its values, the seed and the parameters alone, never on
    other rows or the row's place. A subclass says how to change one (`_augment`).
    """

    _augments = "features"
    _parameter_constraints = {
        "p": [Interval(Real, 0, 1, closed="both")],
        "train_only": ["boolean"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _augment(self, frames, rng):
        """Change one sequence.

        Parameters
        ----------
        frames : ndarray of shape (n_frames, n_features)
            A copy.
        rng : numpy.random.Generator
            Of this sequence.

        Returns
        -------
        ndarray of shape (n_frames_out, n_features)
        """

    def augment(self, X):
        """Change every sequence, whatever `train_only` is.

        Parameters
        ----------
        X : DataFrame, Series, list or array of frame sequences
            Of shape (n_frames, n_features) each; missing where audio failed.

        Returns
        -------
        DataFrame, Series, list or array
            As X, row by row, of the same dtype.

        Raises
        ------
        ValueError
            If X does not hold frame sequences.
        """
        self._validate_params()
        if not is_frames(X):
            raise ValueError(
                f"{type(self).__name__} changes frame sequences, arrays (n_frames, n_features), "
                f"and X is a {type(X).__name__} without any: put it behind a step that gives "
                "frames, such as LogMelSpectrogram (of an AugmentingClassifier, the first step "
                "of the Pipeline that is its estimator; a search goes around it all)."
            )
        seed = self._seed()
        return like_frames(X, [self._made(cell, seed) for cell in as_sequences(X)])

    def get_feature_names_out(self, input_features=None):
        """Names of the columns: those that came in.

        Parameters
        ----------
        input_features : sequence of str, optional
            Columns of X.

        Returns
        -------
        ndarray of str
        """
        return np.asarray(["frames"] if input_features is None else input_features, dtype=object)

    def _made(self, frames, seed):
        if frames is None:
            return None
        rng = utterance_generator(seed, type(self).__name__, frames)
        if rng.random() >= self.p:
            return frames
        return np.asarray(self._augment(np.array(frames), rng), dtype=frames.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def like_frames(X, sequences):
    """Sequences in a container like the one of X, with its index and attributes."""
    if isinstance(X, np.ndarray) and X.ndim == 3:
        shapes = {None if each is None else each.shape for each in sequences}
        if shapes == {X.shape[1:]}:
            return np.stack(sequences)
        if None in shapes and len(shapes) <= 2:  # failed audio is NaN throughout
            blank = np.full(X.shape[1:], np.nan, dtype=X.dtype)
            return np.stack([blank if each is None else each for each in sequences])
        return sequences
    if isinstance(X, list | tuple):
        return sequences
    cells = np.empty(len(sequences), dtype=object)
    for row, sequence in enumerate(sequences):
        cells[row] = np.nan if sequence is None else sequence
    if isinstance(X, pd.Series):
        return pd.Series(cells, index=X.index, name=X.name, dtype=object)
    if isinstance(X, pd.DataFrame):
        column = pd.Series(cells, index=X.index, dtype=object)
        table = pd.DataFrame({X.columns[0]: column})
        table.attrs.update(X.attrs)
        return table
    return cells.reshape(X.shape)
