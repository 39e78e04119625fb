"""A network at rest: plain values, the same predictions after loading."""

import copy
import pickle

import numpy as np
import pytest
import skops.io
from sklearn.base import clone

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network import MTLNeuralClassifier

TRUSTED = ["sklearn_ser.neural_network._classifier.MTLNeuralClassifier"]


@pytest.fixture(scope="module")
def fitted(speech):
    """Do not fit again."""
    model = MTLNeuralClassifier(
        max_epochs=3, aux_weight=0.5, tasks={"gender": "auto", "arousal": "auto"}
    )
    return model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)


def through_skops(model):
    data = skops.io.dumps(model)
    assert skops.io.get_untrusted_types(data=data) == TRUSTED
    return skops.io.loads(data, trusted=TRUSTED)


@pytest.mark.parametrize(
    "copied",
    [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy, through_skops],
    ids=["pickle", "deepcopy", "skops"],
)
def test_a_copy_predicts_the_same_and_keeps_its_state_as_it_is(speech, fitted, copied):
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
        loaded = through_skops(pickle.loads(pickle.dumps(unfitted)))
        assert loaded.get_params() == unfitted.get_params()
        assert not hasattr(loaded, "classes_")


def test_the_network_is_that_of_the_fit_even_if_parameters_change(speech, fitted):
    changed = pickle.loads(pickle.dumps(fitted))
    changed.set_params(hidden_units=(3,), activation="tanh", dtype="float64")
    assert np.array_equal(changed.predict_proba(speech.X), fitted.predict_proba(speech.X))


def test_state_holds_no_torch(fitted):
    assert b"torch" not in pickle.dumps(fitted)


def architecture(**changed):
    return lambda state: {"_architecture": state["_architecture"] | changed}


def tasks(change):
    return lambda state: {"_tasks": change(copy.deepcopy(state["_tasks"]))}


def without(name, *tasks):
    return [{key: value for key, value in task.items() if key != name} for task in tasks]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (architecture(activation="os.system"), r"activation is 'os\.system', not one of \['gelu',"),
        (architecture(encoder=[]), r"encoder is \[\], not one of \['attention',"),
        (architecture(dtype="int8"), "dtype is 'int8', not one of"),
        (architecture(dropout=1.0), r"dropout is 1\.0"),
        (architecture(more=1), r"its architecture must have \['activation', 'dropout', "),
        (architecture(hidden_units=(8,)), "hidden_units must be a list, and heads a dict"),
        (architecture(hidden_units=[]), r"hidden_units is \[\], not positive whole numbers"),
        (architecture(n_features=True), "n_features is True, not positive whole numbers"),
        (
            architecture(hidden_units=[10**6, 10**6]),
            r"hidden_units is \[1000000, 1000000\], more than \d+ bytes of weights can hold",
        ),
        (architecture(hidden_units=[1] * 100), "more than .* bytes of weights can hold"),
        (
            architecture(hidden_units=[64]),
            r"'encoder\.layers\.0\.bias' is \('F32', \(128,\)\) in its weights and \('F32'",
        ),
        (architecture(hidden_units=[128, 4]), "is absent in its weights and"),
        (architecture(dtype="float64"), r"is \('F32', .* in its weights and \('F64', "),
        (lambda state: {"_weights": [b"\0" * 100]}, "its weights cannot be read"),
        (lambda state: {"_weights": [state["_weights"][0][:-4]]}, "its weights cannot be read"),
        (lambda state: {"_weights": ["text"]}, "its weights are a str, not bytes"),
        (lambda state: {"_tasks": []}, r"its tasks have \{\} outputs, and its heads \{'y': 3,"),
        (lambda state: {"_tasks": None}, "its tasks cannot be read"),
        (tasks(lambda all_: all_[::-1]), "its tasks have .* outputs, and its heads"),
        (tasks(lambda all_: without("kind", *all_)), r"its tasks cannot be read \(KeyError"),
        (tasks(lambda all_: without("mean", *all_)), r"its tasks cannot be read \(TypeError"),
        (
            tasks(lambda all_: [{**task, "classes": ["a"] * 3} for task in all_[:1]] + all_[1:]),
            "the classes of task 'y' are not a sorted list of labels",
        ),
        (
            tasks(lambda all_: [*all_[:2], {**all_[2], "mean": "0"}]),
            "task 'arousal' has no mean and scale",
        ),
        (lambda state: {"classes_": state["classes_"][::-1]}, "classes_ are not those of its"),
        (lambda state: {"n_features_in_": 1}, "n_features_in_ is 1, and the network takes"),
        (lambda state: {"_weights": state["_weights"][0]}, "its weights are a bytes, not a list"),
        (lambda state: {"_weights": state["_weights"] * 2}, "_temperatures is not a list of 2"),
        (lambda state: {"_history": [{}]}, "its history has no epochs"),
        (lambda state: {"_temperatures": [0.0]}, "a temperature is 0.0"),
        (architecture(head_units={"sex": [3]}), "head_units must be a dict of lists"),
        (architecture(head_units={"gender": [10**9]}), "more than .* bytes of weights can hold"),
    ],
)
def test_a_damaged_state_is_refused(fitted, change, text):
    state = fitted.__getstate__()
    with pytest.raises(SerError, match=f"the state of the neural network is damaged: .*{text}"):
        MTLNeuralClassifier().__setstate__({**state, **change(state)})


def test_half_a_state_is_refused(fitted):
    state = fitted.__getstate__()
    for name in ("_weights", "classes_"):
        rest = {key: value for key, value in state.items() if key != name}
        with pytest.raises(SerError, match=rf"damaged: it lacks \['{name}'\]"):
            MTLNeuralClassifier().__setstate__(rest)
    with pytest.raises(SerError, match="damaged: it is a list"):
        MTLNeuralClassifier().__setstate__([1])
