"""Estimators that keep what they were given, and rows to give them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what `fit` was given; asks for everything."""

    __metadata_request__fit = {"aux": True, "speaker": True, "sample_weight": True}

    def fit(self, X, y, aux=None, speaker=None, sample_weight=None):
        self.classes_ = np.unique(np.asarray(y, dtype=str))
        self.seen_ = {"X": X, "y": y, "aux": aux, "speaker": speaker, "weight": sample_weight}
        return self

    def predict(self, X):
        self.asked_ = X
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture(scope="module")
def rows():
    """60 rows of 3 classes and 6 speakers, whose first feature is the number of the row."""
    rng = np.random.default_rng(0)
    number = np.arange(60)
    y = np.array(["anger", "calm", "fear"])[number % 3]
    X = pd.DataFrame(rng.normal(size=(60, 3)) + number[:, None] % 3, columns=list("abc"))
    X.insert(0, "row", number.astype(float))
    speaker = np.array([f"s{row // 10}" for row in number])
    return X, y, speaker
