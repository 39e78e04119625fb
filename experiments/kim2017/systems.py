"""What `kim2017.py` compares: its systems, auxiliary tasks and controls, labels and frames."""

import numpy as np
from _corpora import work_folder
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import (
    GroupScaler,
    MTLNeuralClassifier,
    OpenSmileExtractor,
    make_dnn_elm,
    make_lstm_elm,
)
from sklearn_ser.utils._frames import as_sequences, frames_table

#: Frames of a context window, as in the first author's released code.
WINDOW = 10
SVM_GRID = {"model__C": [1e-5, 1e-4, 1e-3, 1e-2]}
#: Labels by emotion. Neutral is positive where valence has two values (Latif et al., 2018).
LABELS = {
    "emotion": {name: name for name in ("anger", "happiness", "neutral", "sadness")},
    "arousal": {"anger": "high", "happiness": "high", "neutral": "low", "sadness": "low"},
    "valence": {
        "anger": "negative",
        "sadness": "negative",
        "happiness": "positive",
        "neutral": "positive",
    },
}
#: Auxiliary tasks of each condition. `naturalness` is one value per corpus in these data;
#: `naturalness_rating` is listeners' and EmoDB's alone, missing elsewhere.
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
AUX = ("gender", "naturalness", "naturalness_rating")
AUX_COLUMNS = [*AUX, *(f"{name}_permuted" for name in AUX)]


def with_controls(frame):
    """`frame` with each auxiliary target once more, dealt to its known rows at random."""
    rng = np.random.default_rng(0)
    columns = {}
    for name in AUX:
        values = frame[name].copy()
        known = values.notna().to_numpy()
        values[known] = rng.permutation(values[known].to_numpy())
        columns[f"{name}_permuted"] = values
    return frame.assign(**columns)


def systems(n_epochs):
    """Name of each system to a function of its tasks that makes it; the SVM takes none."""

    def net(tasks):
        return Pipeline(
            [
                ("scaler", GroupScaler(by="corpus")),
                (
                    "model",
                    MTLNeuralClassifier().set_params(
                        tasks=tasks,
                        y_task__class_weight="balanced",
                        aux_weight=1.0,
                        hidden_units=(128, 128),
                        dropout=0.5,
                        max_epochs=n_epochs,
                        lr=1e-3,
                        early_stopping=True,
                        random_state=0,
                    ),
                ),
            ]
        )

    def elm(recipe):
        def make(tasks):
            model = recipe(
                None,
                tasks=tasks,
                y_task__class_weight="balanced",
                dropout=0.2,
                max_epochs=n_epochs,
                random_state=0,
            )
            return model.set_params(scaler=CorpusFrameScaler())

        return make

    return {"MLP": net, "DNN-ELM": elm(make_dnn_elm), "LSTM-ELM": elm(make_lstm_elm)}


def svm():
    return Pipeline(
        [
            ("scaler", GroupScaler(by="corpus")),
            ("model", LinearSVC(class_weight="balanced", dual=False, random_state=None)),
        ]
    )


def load_windows(frame):
    """Sequences of context windows: mean and deviation of eGeMAPS descriptors over 10 frames."""
    step = OpenSmileExtractor("eGeMAPSv02", "lld", store=work_folder("features"), n_jobs=2)
    frames = as_sequences(step.fit_transform(frame[["file"]]))
    names = [f"{part}_{name}" for part in ("mean", "std") for name in range(frames[0].shape[1])]
    return frames_table([_windows(sequence) for sequence in frames], frame.index, names)


def _windows(sequence):
    parts = np.array_split(sequence, max(1, round(len(sequence) / WINDOW)))
    means = np.stack([part.mean(axis=0) for part in parts])
    return np.hstack([means, np.stack([part.std(axis=0) for part in parts])]).astype(np.float32)


class CorpusFrameScaler(TransformerMixin, BaseEstimator):
    """Standardizes frames within each corpus, as GroupScaler does rows.

    A corpus that was not in training is scaled by the frames of the batch that is transformed: what
    comes out is transductive, and this benchmark looks at no other setting for frames.
    """

    def fit(self, X, y=None):
        self.statistics_ = {
            corpus: _statistics(sequences) for corpus, sequences in _by_corpus(X).items()
        }
        return self

    def transform(self, X):
        found = {
            corpus: self.statistics_.get(corpus) or _statistics(sequences)
            for corpus, sequences in _by_corpus(X).items()
        }
        scaled = [
            ((sequence - found[corpus][0]) / found[corpus][1]).astype(np.float32)
            for sequence, corpus in zip(as_sequences(X), _corpora(X), strict=True)
        ]
        table = frames_table(scaled, X.index, X.attrs.get("frame_features", []))
        table.attrs.update(X.attrs)
        return table


def _corpora(X):
    return X.index.get_level_values("corpus")


def _by_corpus(X):
    parts = {}
    for corpus, sequence in zip(_corpora(X), as_sequences(X), strict=True):
        parts.setdefault(corpus, []).append(sequence)
    return parts


def _statistics(sequences):
    frames = np.concatenate(sequences)
    return frames.mean(axis=0), np.maximum(frames.std(axis=0), 1e-6)


def binary(frame, kind):
    """The labels of one kind as a Series."""
    return frame["emotion"].map(LABELS[kind])
