"""Estimators pickled under their public module paths, to be loaded by every later version.

    .venv-min/bin/python tests/data/make_pickle.py

(in the environment of ``make test-min``) writes ``estimators.pickle`` beside this script: a dict of
estimators, each with an input and the output that it must give for it (None for those that are not
fitted). Later versions of the dependencies read what the oldest ones write; pandas 2 does not read
the strings of pandas 3.
"""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.svm import LinearSVC

from sklearn_ser.augmentation import AddNoise, SpecAugment, SpeedPerturbation
from sklearn_ser.feature_extraction import MFCC, LogMelSpectrogram, OpenSmileExtractor
from sklearn_ser.metrics import uar_scorer
from sklearn_ser.model_selection import LeaveOneCorpusOut, SpeakerKFold
from sklearn_ser.neural_network import ClassificationTask, ELMClassifier, MTLNeuralClassifier
from sklearn_ser.preprocessing import FrameScaler, FunctionalsPooling, GroupScaler, SkipFailedRows


def make_estimators():
    """Return a dict of name to (estimator, input or None, output or None)."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=12), "b": rng.normal(size=12)})
    rows = table.assign(corpus=["emodb"] * 6 + ["nemo"] * 6)
    labels = np.array(["anger", "calm"] * 6)
    frames = [rng.normal(size=(5, 2)), rng.normal(size=(7, 2))]
    scaler = GroupScaler(by="corpus", min_samples=3).fit(rows)
    frame_scaler = FrameScaler().fit(frames)
    pooling = FunctionalsPooling().fit(frames)
    svm = SkipFailedRows(LinearSVC(random_state=0)).fit(table.to_numpy(), labels)
    net = MTLNeuralClassifier(hidden_units=(4,), max_epochs=2, random_state=0)
    net.fit(table.to_numpy(), labels)
    fitted = {
        "MTLNeuralClassifier": (net, table.to_numpy(), net.predict(table.to_numpy())),
        "GroupScaler": (scaler, rows, scaler.transform(rows).to_numpy()),
        "FrameScaler": (
            frame_scaler,
            frames,
            np.concatenate(list(frame_scaler.transform(frames)["frames"])),
        ),
        "FunctionalsPooling": (pooling, frames, pooling.transform(frames).to_numpy()),
        "SkipFailedRows": (svm, table.to_numpy(), svm.predict(table.to_numpy())),
    }
    others = [
        AddNoise(),
        ClassificationTask(),
        ELMClassifier(),
        LeaveOneCorpusOut(),
        LogMelSpectrogram(),
        MFCC(),
        OpenSmileExtractor(),
        SpecAugment(),
        SpeakerKFold(),
        SpeedPerturbation(1.1),
        uar_scorer,
    ]
    return fitted | {type(step).__name__: (step, None, None) for step in others}


if __name__ == "__main__":
    path = Path(__file__).with_name("estimators.pickle")
    path.write_bytes(pickle.dumps(make_estimators(), protocol=4))
