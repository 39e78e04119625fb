"""Outputs beside the main task: auxiliary predictions, scores, representations, frames."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from sklearn.exceptions import NotFittedError
from sklearn.metrics import recall_score

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network import (
    ClassificationTask,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
)

TASKS = {
    "sex": ClassificationTask(column="gender"),
    "speaker": DomainAdversarialTask(),
    "arousal": "ccc",
    "copy": ReconstructionTask(),
    "near": ContrastiveTask(),
}


def net(**parameters):
    return MTLNeuralClassifier().set_params(**{"max_epochs": 15, "random_state": 0} | parameters)


@pytest.fixture(scope="module")
def aux(speech):
    return speech.aux.assign(speaker=speech.speaker)


@pytest.fixture(scope="module")
def fitted(speech, aux):
    """Do not fit again."""
    return net(tasks=TASKS).fit(speech.X, speech.y, aux=aux, groups=speech.speaker)


def test_answers_are_of_the_tasks_that_answer_something(speech, fitted):
    table = fitted.predict_aux(speech.X)
    assert table.columns.tolist() == ["sex", "speaker", "arousal"]
    probabilities = fitted.predict_aux_proba(speech.X)
    assert list(probabilities) == list(fitted.aux_classes_) == ["sex", "speaker"]
    with torch.no_grad():
        outputs = fitted.net_.module_(torch.tensor(speech.X))
    for place, name in ((1, "sex"), (2, "speaker")):
        expected = softmax(outputs[place].double().numpy(), axis=1)
        np.testing.assert_allclose(probabilities[name], expected, atol=1e-7)
        assert probabilities[name].columns.tolist() == fitted.aux_classes_[name].tolist()
        assert table[name].tolist() == fitted.aux_classes_[name][expected.argmax(axis=1)].tolist()
    values = outputs[3][:, 0].double().numpy()
    expected = values * speech.aux["arousal"].std(ddof=0) + speech.aux["arousal"].mean()
    np.testing.assert_allclose(table["arousal"], expected, atol=1e-6)


def test_scores_by_hand(speech, aux, fitted):
    scores = fitted.score_aux(speech.X, aux)
    table = fitted.predict_aux(speech.X)
    assert scores.index.tolist() == ["sex", "speaker", "arousal"]
    assert scores["sex"] == pytest.approx(
        recall_score(aux["gender"], table["sex"], average="macro")
    )
    assert scores["speaker"] == pytest.approx(
        recall_score(aux["speaker"], table["speaker"], average="macro")
    )
    found, true = table["arousal"], aux["arousal"]
    covariance = np.cov(found, true, ddof=0)
    expected = 2 * covariance[0, 1] / (np.trace(covariance) + (found.mean() - true.mean()) ** 2)
    assert scores["arousal"] == pytest.approx(expected)
    assert scores["sex"] > 0.75
    assert scores["arousal"] > 0.6


def test_missing_targets_and_failed_audio_do_not_count(speech, aux, fitted):
    X, part = speech.X.copy(), aux.copy()
    X[:40] = np.nan
    part.loc[40:99, "gender"] = None
    part.loc[100:, "arousal"] = np.nan
    scores = fitted.score_aux(X, part)
    assert scores["sex"] == fitted.score_aux(speech.X[100:], aux[100:])["sex"]
    assert scores["arousal"] == fitted.score_aux(speech.X[40:100], aux[40:100])["arousal"]
    part["gender"] = None
    assert np.isnan(fitted.score_aux(X, part)["sex"])


def test_labels_that_the_network_does_not_know_are_misses(speech, aux, fitted):
    strange = aux.assign(gender=np.where(np.arange(240) < 60, "diverse", aux["gender"]))
    known = fitted.score_aux(speech.X[60:], strange[60:])["sex"]
    assert fitted.score_aux(speech.X, strange)["sex"] == pytest.approx(2 / 3 * known)


def test_columns_in_any_order_and_number(speech, aux, fitted):
    whole = fitted.score_aux(speech.X, aux)
    part = fitted.score_aux(speech.X, aux[["arousal", "gender"]].assign(more=1))
    assert part.to_dict() == whole[["sex", "arousal"]].to_dict()
    assert fitted.score_aux(speech.X, pd.DataFrame({"more": np.ones(240)})).empty
    single = net(max_epochs=1).fit(speech.X, speech.y)
    assert single.predict_aux(speech.X).shape == (240, 0)
    assert single.predict_aux_proba(speech.X) == {}


def test_one_unnamed_column_is_called_as_in_fit(speech):
    gender = speech.aux["gender"].to_numpy()
    model = net().fit(speech.X, speech.y, aux=gender)
    assert model.score_aux(speech.X, gender)["aux0"] > 0.75


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "score_aux needs aux, the true targets of the auxiliary tasks."),
        (pd.DataFrame({"gender": ["male"] * 3}), "aux has 3 rows and X has 240"),
        ({"gender": ["male"] * 240}, "aux is a dict"),
        (pd.DataFrame({"arousal": ["high"] * 240}), "aux column 'arousal' is a regression task"),
    ],
)
def test_targets_that_cannot_be_scored(speech, fitted, wrong, message):
    with pytest.raises(MetadataError, match=re.escape(message)):
        fitted.score_aux(speech.X, wrong)


def test_the_representation_is_that_of_the_encoder(speech, fitted):
    with torch.no_grad():
        expected = fitted.net_.module_.encoder(torch.tensor(speech.X)).numpy()
    assert np.array_equal(fitted.transform(speech.X), expected)


def test_before_fit_there_is_nothing():
    for call in ("predict_aux", "predict_aux_proba", "predict_frame_proba", "transform"):
        with pytest.raises(NotFittedError):
            getattr(net(), call)(np.zeros((1, 3)))
    with pytest.raises(NotFittedError):
        net().score_aux(np.zeros((1, 3)), ["a"])


@pytest.fixture(scope="module", params=[1, 2])
def by_frame(request, frames):
    """Do not fit again."""
    model = net(encoder="frame_dnn", hidden_units=(16,), n_estimators=request.param, max_epochs=4)
    return model.fit(frames.X, frames.y, aux=frames.aux)


def test_frames_have_probabilities_whose_mean_is_the_utterances(frames, by_frame):
    X = list(frames.sequences)
    X[7] = None
    found = by_frame.predict_frame_proba(X)
    assert list(found) == ["y", "gender"]
    assert found["y"][7] is None
    for row in (0, 1, 119):
        assert found["y"][row].shape == (len(X[row]), 3)
        assert found["gender"][row].shape == (len(X[row]), 2)
        np.testing.assert_allclose(found["y"][row].sum(axis=1), 1.0)
    utterances = by_frame.predict_proba(X)
    means = np.stack([part.mean(axis=0) for part in found["y"] if part is not None])
    np.testing.assert_allclose(means, np.delete(utterances, 7, axis=0), atol=1e-6)


def test_frames_of_equal_lengths_and_of_one_row(frames, by_frame):
    """Arrays of one shape are not taken for one array."""
    equal = np.stack([sequence[:3] for sequence in frames.sequences])
    found = by_frame.predict_frame_proba(equal)["y"]
    assert [part.shape for part in found] == [(3, 3)] * 120
    alone = by_frame.predict_frame_proba([equal[5]])["y"]
    np.testing.assert_allclose(alone[0], found[5], atol=1e-6)


def test_the_representation_of_frames_is_their_mean(frames, by_frame):
    shared = by_frame.transform(frames.X)
    assert shared.shape == (120, 16 * by_frame.n_estimators)
    for row in (0, 5):
        of_frames = by_frame.transform([frame[np.newaxis] for frame in frames.sequences[row]])
        np.testing.assert_allclose(shared[row], of_frames.mean(axis=0), atol=1e-6)


def test_other_networks_have_no_frames_to_tell_of(speech, fitted, frames):
    for model, X, name in (
        (fitted, speech.X, "mlp"),
        (net(max_epochs=1).fit(frames.X, frames.y), frames.X, "attention"),
    ):
        message = (
            f"The encoder '{name}' computes one representation for a whole sequence. Probabilities "
            "of frames need an encoder that works frame by frame"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            model.predict_frame_proba(X)
