"""Small tables: features of three corpora with recording offsets, and partly labeled corpora."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser import MTLNeuralClassifier

EMOTIONS = ["anger", "neutral", "sadness"]


@pytest.fixture(scope="module")
def feature_table():
    """frame (ids, targets) and X (10 features): emotion, gender and a strong corpus offset."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "corpus": corpus,
            "speaker": f"{corpus}/{speaker}",
            "gender": ("female", "male")[speaker % 2],
            "naturalness": "natural" if corpus == "c" else "acted",
            "emotion": emotion,
        }
        for corpus in "abc"
        for speaker in range(6)
        for emotion in EMOTIONS
        for _ in range(4)
    ]
    frame = pd.DataFrame(rows, dtype=object)
    X = rng.normal(size=(len(frame), 10))
    X[:, :3] += 2.0 * np.eye(3)[[EMOTIONS.index(emotion) for emotion in frame["emotion"]]]
    X[:, 3] += 2.0 * (frame["gender"] == "female")
    offsets = rng.normal(scale=4.0, size=(3, 10))
    X += offsets[[list("abc").index(corpus) for corpus in frame["corpus"]]]
    return frame, pd.DataFrame(X.astype(np.float32)).add_prefix("f")


@pytest.fixture
def half_labeled():
    """Corpora a and b partly labeled, c unlabeled; X is the number of the row."""
    rows = [
        {"corpus": corpus, "speaker": f"{corpus}{speaker}", "emotion": emotion}
        for corpus in "abc"
        for speaker in range(3)
        for emotion in ("anger", "sadness", None)
    ]
    frame = pd.DataFrame(rows, dtype=object)
    frame.loc[frame["corpus"] == "c", "emotion"] = None
    return frame, pd.DataFrame({"row": np.arange(27.0)})


@pytest.fixture
def small_net():
    """Function that makes a network with a sentinel value."""

    def make(sentinel):
        return MTLNeuralClassifier(tasks=None, unlabeled=sentinel, max_epochs=1, random_state=0)

    return make
