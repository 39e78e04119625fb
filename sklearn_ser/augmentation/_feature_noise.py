"""FeatureNoise: rows of features with noise on them."""

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval

from sklearn_ser.augmentation._augmenter import Augmenter
from sklearn_ser.augmentation._base import utterance_generator
from sklearn_ser.utils._frames import is_frames


class FeatureNoise(Augmenter):
    """Add normal noise to rows of features.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, in the features' own units: put it behind the scaler.
    p : float, default=1.0
        Share of the rows that are changed.
    train_only : bool, default=True
        `transform` hands X on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives a row the same noise wherever it stands.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.augmentation import FeatureNoise
    >>> FeatureNoise(random_state=0).augment(np.zeros((1, 3))).round(2)
    array([[ 0.04, -0.01,  0.05]])
    """

    _augments = "features"
    _parameter_constraints = {
        "scale": [Interval(Real, 0, None, closed="left")],
        "p": [Interval(Real, 0, 1, closed="both")],
        "train_only": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(self, scale=0.1, *, p=1.0, train_only=True, random_state=None):
        self.scale = scale
        self.p = p
        self.train_only = train_only
        self.random_state = random_state

    def augment(self, X):
        """Change every row, whatever `train_only` is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN, as in rows of failed audio, stays.

        Returns
        -------
        ndarray, or DataFrame where X is one, of shape (n_samples, n_features)
            Of floats.

        Raises
        ------
        ValueError
            If X does not hold rows of numbers.
        """
        self._validate_params()
        if is_frames(X):
            raise ValueError(
                "FeatureNoise changes rows of features, and X holds frame sequences: take "
                "SpecAugment or TimeWarp, or input_noise of MTLNeuralClassifier."
            )
        values = check_array(
            X, dtype=[np.float64, np.float32], ensure_all_finite=False, estimator=self, copy=True
        )
        seed = self._seed()
        for row in values:
            rng = utterance_generator(seed, type(self).__name__, row)
            if rng.random() < self.p:
                row += self.scale * rng.normal(size=len(row))
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(values, index=X.index, columns=X.columns)
        return values

    def get_feature_names_out(self, input_features=None):
        """Names of the columns: those that came in.

        Parameters
        ----------
        input_features : sequence of str
            Columns of X.

        Returns
        -------
        ndarray of str
        """
        if input_features is None:
            raise ValueError("FeatureNoise keeps no names: give input_features.")
        return np.asarray(input_features, dtype=object)
