"""Evaluation of networks that take frame sequences, from tables and from audio."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_ser import MTLNeuralClassifier, cross_corpus_validate
from sklearn_ser.datasets import make_speech_corpus
from sklearn_ser.exceptions import EvaluationWarning, TrainingWarning
from sklearn_ser.feature_extraction import LogMelSpectrogram
from sklearn_ser.preprocessing import FrameScaler


def net(**parameters):
    return make_pipeline(
        FrameScaler(),
        MTLNeuralClassifier().set_params(
            hidden_units=(16,), dropout=0.0, batch_size=16, lr=0.01, **parameters
        ),
    )


def sequences(feature_table):
    """Random numbers of frames around each row of features."""
    frame, X = feature_table
    generator = np.random.default_rng(0)
    return frame, [
        (row + generator.normal(size=(generator.integers(2, 9), 10))).astype(np.float32)
        for row in X.to_numpy()
    ]


def test_a_table_of_frames(feature_table):
    frame, ragged = sequences(feature_table)
    table = pd.DataFrame({"frames": ragged}, index=frame.index)
    folds = {"protocol": "aggregated", "n_splits": 2}
    result = cross_corpus_validate(
        {"single": net(tasks=None, max_epochs=8), "multi": net(max_epochs=8)},
        frame,
        X=table,
        **folds,
    )
    assert result.predictions.groupby("estimator").size().to_dict() == {
        "multi": len(frame),
        "single": len(frame),
    }
    assert set(result.predictions["setting"]) == {"single"}
    assert result.summary()["mean"].min() > 0.4
    as_list = cross_corpus_validate(
        {"single": net(tasks=None, max_epochs=8)}, frame, X=ragged, aux=(), **folds
    )
    ours = result.predictions.query("estimator == 'single'")["y_pred"].tolist()
    assert as_list.predictions["y_pred"].tolist() == ours


def test_failed_rows_of_a_table_are_misses(feature_table):
    frame, ragged = sequences(feature_table)
    ragged[0] = None
    table = pd.DataFrame({"frames": ragged}, index=frame.index)
    with pytest.warns(EvaluationWarning, match="1 utterance"):
        result = cross_corpus_validate({"net": net(max_epochs=1)}, frame, X=table)
    assert result.predictions.loc[result.predictions["failed"], "row"].tolist() == [0]


def test_equal_raggedof_two_speakers_are_reported(feature_table):
    frame, ragged = sequences(feature_table)
    ragged[20] = ragged[0]
    with pytest.warns(EvaluationWarning, match=r"1 feature vectors .*rows 0 and 20, speakers"):
        cross_corpus_validate(
            {"net": net(max_epochs=1)}, frame, X=ragged, protocol="aggregated", n_splits=2
        )


@pytest.mark.filterwarnings("ignore:early stopping monitors samples", category=TrainingWarning)
def test_from_audio_to_emotion_through_frames():
    frame = make_speech_corpus(random_state=0).frame
    model = make_pipeline(LogMelSpectrogram(n_mels=20, hop_length=0.02), *net(max_epochs=15))
    result = cross_corpus_validate({"net": model}, frame, aux="gender", protocol="within-corpus")
    assert len(result.predictions) == len(frame)
    assert result.summary()["mean"].item() > 0.4
    assert isinstance(result.predictions, pd.DataFrame)
