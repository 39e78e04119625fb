"""What all augmenters share: they change rows in training only, by seeds of the rows' own."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state


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
