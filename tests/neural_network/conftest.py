"""Small data with a known structure: speakers, an emotion, a gender, a value."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch


@pytest.fixture(scope="session")
def speech():
    """240 rows of 12 speakers; feature 0 tells the emotion, 1 the gender, 2 the arousal."""
    generator = np.random.default_rng(0)
    n_rows = 240
    emotion = np.tile(["anger", "neutral", "sadness"], n_rows // 3)
    speaker = np.repeat([f"s{i:02d}" for i in range(12)], n_rows // 12)
    turn = np.arange(12)
    # Not simply by turns: whichever way speakers are dealt to folds, each has both genders.
    gender = np.where(np.repeat((turn + turn // 4) % 2, n_rows // 12), "female", "male")
    X = generator.normal(size=(n_rows, 8)).astype(np.float32)
    X[:, 0] += 2.5 * (emotion == "anger") - 2.5 * (emotion == "sadness")
    X[:, 1] += 2.5 * (gender == "male")
    aux = pd.DataFrame({"gender": gender, "arousal": X[:, 2].astype(float)})
    for array in (X, emotion, speaker):
        array.setflags(write=False)
    return Bunch(X=X, y=emotion, aux=aux, speaker=speaker)
