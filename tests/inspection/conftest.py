"""Small fitted networks, shared by the tests of a module: do not fit them again."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from sklearn_ser.neural_network import MTLNeuralClassifier


@pytest.fixture(scope="module")
def speech():
    """120 samples of 6 speakers: feature 0 depends on the emotion, 1 on the gender."""
    rng = np.random.default_rng(0)
    emotion = np.tile(["anger", "neutral", "sadness"], 40)
    speaker = np.repeat([f"s{i}" for i in range(6)], 20)
    gender = np.where(np.repeat([0, 1, 0, 1, 1, 0], 20), "female", "male")
    X = rng.normal(size=(120, 6)).astype(np.float32)
    X[:, 0] += 2.5 * (emotion == "anger") - 2.5 * (emotion == "sadness")
    X[:, 1] += 2.5 * (gender == "male")
    aux = pd.DataFrame({"gender": gender, "arousal": X[:, 2].astype(float)})
    corpus = np.repeat(["a", "b"], 60)
    return Bunch(X=X, y=emotion, aux=aux, speaker=speaker, corpus=corpus)


@pytest.fixture(scope="module")
def single(speech):
    net = MTLNeuralClassifier(
        tasks=None, hidden_units=(8,), activation="tanh", max_epochs=6, random_state=0
    )  # tanh: no two samples have the same representation
    return net.fit(speech.X, speech.y, groups=speech.speaker)


@pytest.fixture(scope="module")
def multi(speech):
    """Multi-task network in a Pipeline, with learned loss weights."""
    net = MTLNeuralClassifier(
        hidden_units=(8,), loss_weighting="uncertainty", max_epochs=5, random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), net)
    return pipeline.fit(
        speech.X,
        speech.y,
        mtlneuralclassifier__aux=speech.aux,
        mtlneuralclassifier__groups=speech.speaker,
    )


@pytest.fixture(scope="module")
def ensemble(speech):
    """Ensemble of three members that stop at different epochs."""
    net = MTLNeuralClassifier(
        hidden_units=(8,),
        max_epochs=12,
        patience=2,
        lr=0.05,
        n_estimators=3,
        random_state=0,
    )
    return net.fit(speech.X, speech.y, aux=speech.aux[["gender"]], groups=speech.speaker)
