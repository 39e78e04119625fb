"""DNN-ELM and LSTM-ELM, single-task and multi-task, with the real network."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline

from sklearn_ser import (
    FrameScaler,
    MTLNeuralClassifier,
    SpeakerKFold,
    load_model,
    make_dnn_elm,
    make_lstm_elm,
    make_speech_corpus,
    save_model,
    uar_scorer,
)
from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.feature_extraction import MFCC
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures
from sklearn_ser.recipes import FRAME_FEATURES

ENCODERS = {"frame_dnn": (16,), "lstm": (8,)}
SMALL = {"hidden_units": (8, 8), "max_epochs": 2, "random_state": 0}
MAKERS = [make_dnn_elm, make_lstm_elm]


def system(encoder, tasks):
    net = MTLNeuralClassifier(
        encoder=encoder,
        encoder_params={"pooling": "frames"},
        hidden_units=ENCODERS[encoder],
        dropout=0.0,
        tasks=tasks,
        aux_weight=1.0,
        lr=0.02,
        max_epochs=6,
        random_state=0,
    )
    return Pipeline(
        [
            ("scaler", FrameScaler()),
            ("highlevel", HighLevelFeatures(net)),
            ("elm", ELMClassifier(random_state=0)),
        ]
    )


@pytest.mark.parametrize("tasks", [None, {"gender": "classification"}], ids=["single", "multi"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_cross_validation(frames, encoder, tasks):
    with config_context(enable_metadata_routing=True):
        result = cross_validate(
            system(encoder, tasks), frames.X, frames.y, cv=SpeakerKFold(3), scoring=uar_scorer,
            params={"aux": frames.aux, "speaker": frames.speaker},
            error_score="raise", return_estimator=True,
        )  # fmt: skip
    assert result["test_score"].mean() > 0.5  # of three classes; chance is a third
    for model in result["estimator"]:
        net = model.named_steps["highlevel"].estimator_
        assert net.validation_split_["kind"] == "groups"
        assert model["elm"].n_features_in_ == 4 * (3 if tasks is None else 3 + 2)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_grid_search(frames, encoder):
    grid = [
        {"elm__n_hidden": [3], "highlevel__threshold": [0.3]},
        {"elm__n_hidden": [50], "highlevel__threshold": [0.3, 0.5]},
    ]
    search = GridSearchCV(
        system(encoder, "auto"), grid, cv=SpeakerKFold(3), scoring=uar_scorer, error_score="raise"
    )
    with config_context(enable_metadata_routing=True):
        search.fit(frames.X, frames.y, aux=frames.aux, speaker=frames.speaker)
    assert search.best_params_["elm__n_hidden"] == 50
    assert search.best_score_ > 0.5


@pytest.fixture(scope="module")
def fitted(frames):
    """A pipeline with a classification and a regression task; do not fit it again."""
    with config_context(enable_metadata_routing=True):
        return system("frame_dnn", "auto").fit(
            frames.X, frames.y, aux=frames.aux, speaker=frames.speaker
        )


def test_features_are_statistics_of_the_networks_posteriors(frames, fitted):
    step = fitted.named_steps["highlevel"]
    X = fitted["scaler"].transform(frames.X)
    features = pd.DataFrame(step.transform(X), columns=step.get_feature_names_out())
    assert {name.split("_")[0] for name in features} == {"y", "gender"}
    posteriors = step.estimator_.predict_frame_proba(X)
    for row in (0, 60, 119):
        calm = posteriors["y"][row][:, 1]
        male = posteriors["gender"][row][:, 1]
        assert len(calm) == len(frames.sequences[row])
        found = features.loc[row, ["y_neutral_max", "y_neutral_above", "gender_male_mean"]]
        np.testing.assert_allclose(found, [calm.max(), (calm > 0.3).mean(), male.mean()])


def test_features_of_an_auxiliary_task(frames, fitted):
    """The features of the auxiliary head differ by gender."""
    features = fitted[:-1].transform(frames.X)
    mean = features[:, fitted["highlevel"].get_feature_names_out() == "gender_male_mean"]
    male = (frames.aux["gender"] == "male").to_numpy()
    assert mean[male].mean() > mean[~male].mean() + 0.1


def test_metadata_without_routing(frames, fitted):
    model = clone(fitted)
    model.fit(frames.X, frames.y, highlevel__aux=frames.aux, highlevel__groups=frames.speaker)
    assert model.predict(frames.X).tolist() == fitted.predict(frames.X).tolist()


def test_out_of_fold(frames, fitted):
    model = clone(fitted).set_params(highlevel__cv=3, highlevel__estimator__max_epochs=1)
    with config_context(enable_metadata_routing=True):
        model.fit(frames.X, frames.y, aux=frames.aux, speaker=frames.speaker)
    assert model["elm"].n_features_in_ == fitted["elm"].n_features_in_


def test_failed_audio(frames, fitted):
    cells = [None if row == 5 else sequence for row, sequence in enumerate(frames.sequences)]
    X = pd.DataFrame({"frames": cells}, index=frames.X.index)
    predicted = fitted.predict(X)
    assert predicted[5] is None
    rest = np.arange(120) != 5
    assert predicted[rest].tolist() == fitted.predict(frames.X)[rest].tolist()
    with pytest.warns(TrainingWarning, match="1 of 120 rows of X are entirely NaN") as caught:
        model = clone(fitted).fit(X, frames.y)
    assert len(caught) == 2  # from the network and from the ELM
    assert model.predict(X)[5] is None


def test_a_network_that_pools_frames_raises(frames):
    step = HighLevelFeatures(MTLNeuralClassifier(encoder="attention", max_epochs=1))
    with pytest.raises(ValueError, match="frame"):
        step.fit_transform(frames.X, frames.y)


def test_saved_and_loaded(frames, fitted, tmp_path):
    save_model(fitted, tmp_path / "dnn-elm.ser")
    for loaded in (load_model(tmp_path / "dnn-elm.ser"), pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(
            loaded.decision_function(frames.X), fitted.decision_function(frames.X)
        )
        assert (
            loaded[:-1].get_feature_names_out().tolist()
            == fitted[:-1].get_feature_names_out().tolist()
        )


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("features", FRAME_FEATURES)
def test_recipes_from_audio_to_emotion(make, features):
    speech = make_speech_corpus(n_speakers=6, n_utterances=1, random_state=0).frame
    X = speech[["file", "corpus", "speaker"]]
    model = clone(make(features, **SMALL))
    metadata = {"aux": speech[["gender"]], "speaker": speech["speaker"]}
    with config_context(enable_metadata_routing=True):
        model.fit(X, speech["emotion"], **metadata)
    assert set(model.predict(X)) <= set(speech["emotion"])
    n_classes = speech["emotion"].nunique() + 2
    assert len(model[:-1].get_feature_names_out()) == 4 * n_classes


@pytest.mark.parametrize("make", MAKERS)
def test_recipes(make):
    model = make(random_state=3, tasks=None, max_epochs=7)
    net = model["highlevel"].estimator
    assert (net.tasks, net.max_epochs, net.aux_weight, net.patience) == (None, 7, 1.0, 5)
    assert (net.random_state, model["elm"].random_state) == (3, 3)
    assert list(make(None).named_steps) == ["scaler", "highlevel", "elm"]
    step = MFCC()
    assert make(step)["features"] is step
    message = r"features must be one of \['logmel', 'egemaps'\], a transformer or None, got 'ge2e'"
    with pytest.raises(ValueError, match=message):
        make("ge2e")
