"""Small data with a known structure: speakers, an emotion, a gender, a value."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from tests.conftest import make_frames_table


@pytest.fixture(scope="session")
def speech():
    """240 rows of 12 speakers; feature 0 tells the emotion, 1 the gender, 2 the arousal."""
    generator = np.random.default_rng(0)
    n_rows = 240
    emotion = np.tile(["anger", "neutral", "sadness"], n_rows // 3)
    speaker = np.repeat([f"s{i:02d}" for i in range(12)], n_rows // 12)
    turn = np.arange(12)
    # Not simply by turns: however speakers are assigned to folds, each has both genders.
    gender = np.where(np.repeat((turn + turn // 4) % 2, n_rows // 12), "female", "male")
    X = generator.normal(size=(n_rows, 8)).astype(np.float32)
    X[:, 0] += 2.5 * (emotion == "anger") - 2.5 * (emotion == "sadness")
    X[:, 1] += 2.5 * (gender == "male")
    aux = pd.DataFrame({"gender": gender, "arousal": X[:, 2].astype(float)})
    for array in (X, emotion, speaker):
        array.setflags(write=False)
    return Bunch(X=X, y=emotion, aux=aux, speaker=speaker)


@pytest.fixture(scope="session")
def frames():
    """120 sequences of 3 to 40 frames, of 6 speakers; each frame tells a little of the emotion."""
    generator = np.random.default_rng(1)
    n_rows = 120
    emotion = np.tile(["anger", "neutral", "sadness"], n_rows // 3)
    speaker = np.repeat([f"s{i}" for i in range(6)], n_rows // 6)
    gender = np.where(np.repeat(np.arange(6) % 2, n_rows // 6), "female", "male")
    sequences = []
    for row in range(n_rows):
        sequence = generator.normal(size=(generator.integers(3, 41), 5)).astype(np.float32)
        sequence[:, 0] += 1.5 * (emotion[row] == "anger") - 1.5 * (emotion[row] == "sadness")
        sequence[:, 1] += 1.5 * (gender[row] == "male")
        sequence.setflags(write=False)
        sequences.append(sequence)
    X = make_frames_table(sequences, pd.Index(speaker, name="speaker"), ["v", "w", "x", "y", "z"])
    arousal = [sequence[:, 2].mean() for sequence in sequences]
    aux = pd.DataFrame({"gender": gender, "arousal": arousal})
    for array in (emotion, speaker):
        array.setflags(write=False)
    return Bunch(X=X, sequences=sequences, y=emotion, aux=aux, speaker=speaker)
