"""Systems, auxiliary tasks, controls, labels and frames of the experiments after Kim et al."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from experiments.corpora import work_folder
from sklearn_ser import (
    GroupScaler,
    LeaveOneCorpusOut,
    MTLNeuralClassifier,
    OpenSmileExtractor,
    SpeakerKFold,
    make_dnn_elm,
    make_lstm_elm,
    uar_scorer,
)
from sklearn_ser.datasets import list_label_maps

#: Frames of a context window, as in the first author's released code.
WINDOW = 10
SVM_GRID = {"model__C": [1e-5, 1e-4, 1e-3, 1e-2]}
_MAPS = list_label_maps()["labels"]
#: Labels by emotion. Neutral is low and positive (Schuller et al., 2010).
LABELS = {
    "emotion": _MAPS["4-class"],
    "arousal": _MAPS["kim2017-arousal"],
    "valence": _MAPS["kim2017-valence"],
}
#: Auxiliary tasks of each condition. `naturalness` is one value per corpus in these data;
#: `naturalness_rating` is that of EmoDB's listeners, and missing elsewhere.
CONDITIONS = {
    "single-task": None,
    "+ gender": {"gender": "classification"},
    "+ naturalness": {"naturalness": "classification"},
    "+ rating": {"naturalness_rating": "regression"},
    "+ gender + naturalness": {"gender": "classification", "naturalness": "classification"},
    "+ gender, permuted": {"gender_permuted": "classification"},
    "+ naturalness, permuted": {"naturalness_permuted": "classification"},
    "+ rating, permuted": {"naturalness_rating_permuted": "regression"},
}
AUX = ["gender", "naturalness", "naturalness_rating"]
AUX_COLUMNS = [*AUX, *(f"{name}_permuted" for name in AUX)]
RECIPES = {"DNN-ELM": make_dnn_elm, "LSTM-ELM": make_lstm_elm}


def make_svm(protocol):
    """Return a linear SVM with its C searched on the training samples."""
    several_corpora = protocol == "leave-one-corpus-out"
    return GridSearchCV(
        Pipeline(
            [
                ("scaler", GroupScaler(by="corpus")),
                ("model", LinearSVC(class_weight="balanced", dual=False)),
            ]
        ),
        SVM_GRID,
        cv=LeaveOneCorpusOut() if several_corpora else SpeakerKFold(4),
        scoring=uar_scorer,
        error_score="raise",
    )


def make_network(system, tasks, max_epochs=50):
    """Return one of the networks with its auxiliary tasks.

    Parameters
    ----------
    system : {"MLP", "DNN-ELM", "LSTM-ELM"}
    tasks : dict or None
    max_epochs : int, default=50
    """
    common = {
        "tasks": tasks,
        "y_task__class_weight": "balanced",
        "max_epochs": max_epochs,
        "random_state": 0,
    }
    if system in RECIPES:
        model = RECIPES[system](None, dropout=0.2, **common)
        return model.set_params(scaler=CorpusFrameScaler())
    net = MTLNeuralClassifier().set_params(
        aux_weight=1.0,
        hidden_units=(128, 128),
        dropout=0.5,
        lr=1e-3,
        early_stopping=True,
        **common,
    )
    return Pipeline([("scaler", GroupScaler(by="corpus")), ("model", net)])


def load_windows(frame):
    """Return sequences of context windows: statistics of eGeMAPS descriptors over 10 frames."""
    step = OpenSmileExtractor("eGeMAPSv02", "lld", store=work_folder("features"), n_jobs=2)
    table = step.fit_transform(frame[["file"]])
    return table.assign(frames=[_windows(sequence) for sequence in table["frames"]])


def _windows(sequence):
    parts = np.array_split(sequence, max(1, round(len(sequence) / WINDOW)))
    means = np.stack([part.mean(axis=0) for part in parts])
    return np.hstack([means, np.stack([part.std(axis=0) for part in parts])]).astype(np.float32)


class CorpusFrameScaler(TransformerMixin, BaseEstimator):
    """Standardizes the features of frames within each corpus, by a GroupScaler of the frames."""

    def fit(self, X, y=None):
        self.scaler_ = GroupScaler(by="corpus").fit(_stack(X))
        return self

    def transform(self, X):
        scaled = self.scaler_.transform(_stack(X)).to_numpy()
        ends = np.cumsum([len(sequence) for sequence in X["frames"]])
        return X.assign(frames=pd.Series(np.split(scaled, ends[:-1]), index=X.index, dtype=object))


def _stack(X):
    """Return one row per frame, with the corpus as index level."""
    lengths = [len(sequence) for sequence in X["frames"]]
    corpus = np.repeat(X.index.get_level_values("corpus"), lengths)
    return pd.DataFrame(np.concatenate(list(X["frames"])), index=pd.Index(corpus, name="corpus"))
