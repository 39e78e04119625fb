"""A network at rest: plain values, the same predictions after loading."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._module import resolve_device


@pytest.fixture(scope="module")
def fitted(speech):
    """Do not fit again."""
    model = MTLNeuralClassifier(
        max_epochs=3, aux_weight=0.5, tasks={"gender": "auto", "arousal": "auto"}
    )
    return model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)


@pytest.mark.parametrize(
    "copied",
    [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy],
    ids=["pickle", "deepcopy"],
)
def test_a_copy_predicts_the_same_and_its_state_is_unchanged(speech, fitted, copied):
    loaded = copied(fitted)
    before = dict(loaded.__dict__)
    assert np.array_equal(loaded.predict_proba(speech.X), fitted.predict_proba(speech.X))
    assert loaded.predict_aux(speech.X).equals(fitted.predict_aux(speech.X))
    assert np.array_equal(loaded.transform(speech.X), fitted.transform(speech.X))
    assert loaded.history_.equals(fitted.history_)
    assert loaded.validation_split_ == fitted.validation_split_
    assert loaded.__dict__.keys() == before.keys()
    assert all(loaded.__dict__[name] is value for name, value in before.items())
    assert loaded.net_ is loaded.net_


def test_an_unfitted_one_goes_through_too(speech, fitted):
    for unfitted in (MTLNeuralClassifier(hidden_units=(8,)), clone(fitted)):
        loaded = pickle.loads(pickle.dumps(unfitted))
        assert loaded.get_params() == unfitted.get_params()
        assert not hasattr(loaded, "classes_")


def test_the_network_is_that_of_the_fit_even_if_parameters_change(speech, fitted):
    changed = pickle.loads(pickle.dumps(fitted))
    changed.set_params(hidden_units=(3,), activation="tanh", compute__dtype="float64")
    assert np.array_equal(changed.predict_proba(speech.X), fitted.predict_proba(speech.X))


def test_another_device_is_where_the_network_runs_next(speech, fitted):
    moved = pickle.loads(pickle.dumps(fitted)).set_params(device="cpu")
    here = moved.net_
    assert moved.net_ is here
    moved.set_params(device="cpu:0")
    assert moved.net_ is not here
    assert np.array_equal(moved.predict_proba(speech.X), fitted.predict_proba(speech.X))


def test_from_a_machine_with_a_gpu_to_one_without(speech, fitted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    loaded = pickle.loads(pickle.dumps(fitted)).set_params(device="cuda")
    message = r"^device='cuda' is not available\. This machine has \['cpu'\]\. Set device=\"auto\""
    with pytest.raises(SerError, match=message):
        loaded.predict(speech.X)
    assert loaded.set_params(device="auto").predict(speech.X).shape == (240,)


def test_a_gpu_that_is_not_there(speech, fitted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    loaded = pickle.loads(pickle.dumps(fitted)).set_params(device="cuda:2")
    with pytest.raises(SerError, match=r"machine has \['cuda:0', 'cuda:1', 'cpu'\]\. Set"):
        loaded.predict(speech.X)
    assert [resolve_device(device) for device in ("auto", "cuda", "cuda:1", "cpu")] == [
        "cuda", "cuda", "cuda:1", "cpu",
    ]  # fmt: skip


def test_state_holds_no_torch(fitted):
    assert b"torch" not in pickle.dumps(fitted)
