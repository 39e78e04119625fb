"""Auxiliary tasks inferred from the table of auxiliary targets."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import ClassificationTask, MTLNeuralClassifier
from sklearn_ser.recipes import make_multi_task_net


def fit(aux, tasks="auto"):
    """Fit a small network on as many samples as `aux` has."""
    n_samples = len(aux)
    X = np.random.default_rng(0).normal(size=(n_samples, 4))
    model = MTLNeuralClassifier(
        tasks=tasks, hidden_units=(4,), max_epochs=1, early_stopping=False, random_state=0
    )
    return model.fit(X, np.arange(n_samples) % 2, aux=aux)


def kinds(aux, tasks="auto"):
    """Return the kind of each task that the network has learned."""
    model = fit(aux, tasks)
    names = model.predict_aux(np.zeros((1, 4)))
    return {
        name: "classification" if name in model.aux_classes_ else "regression" for name in names
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["f", "m", None], "classification"),
        (pd.array(["f", "m", None], dtype="string"), "classification"),
        (np.array(["f", "m", None], dtype=object), "classification"),
        (pd.Categorical(["f", "m", None]), "classification"),
        ([True, False, True], "classification"),
        (pd.array([True, False, None], dtype="boolean"), "classification"),
        (np.array([True, False, None], dtype=object), "classification"),
        ([1, 2, 3], "classification"),
        (pd.array([1, 2, None], dtype="Int64"), "classification"),
        ([0.1, 0.2, np.nan], "regression"),
        (pd.array([0.1, 0.2, None], dtype="Float64"), "regression"),
        ([0.0, 1.0, np.nan], "regression"),
    ],
)
def test_the_kind_follows_from_the_dtype(values, kind):
    assert kinds(pd.DataFrame({"target": values})) == {"target": kind}


def test_many_integers_are_regression():
    assert kinds(pd.DataFrame({"age": np.arange(20)})) == {"age": "classification"}
    assert kinds(pd.DataFrame({"age": np.arange(21)})) == {"age": "regression"}


def test_a_mapping_selects_columns_in_its_order():
    aux = pd.DataFrame({"gender": ["f", "m"], "rating": [1.0, 2.0], "note": ["x", "y"]})
    tasks = kinds(aux, {"rating": "classification", "gender": "auto"})
    assert list(tasks.items()) == [("rating", "classification"), ("gender", "classification")]


def test_arrays_and_series_become_tables():
    assert kinds(np.array([["f", 0.5], ["m", 1.5], [None, None]], dtype=object)) == {
        "aux0": "classification",
        "aux1": "regression",
    }
    assert kinds([["f", 0.5], ["m", 1.5]]) == {"aux0": "classification", "aux1": "regression"}
    assert kinds(np.array([0.5, 1.5])) == {"aux0": "regression"}
    assert kinds(pd.Series(["f", "m"], name="gender")) == {"gender": "classification"}
    assert kinds(pd.Series(["f", "m"])) == {"aux0": "classification"}
    assert kinds(pd.DataFrame({7: ["f", "m"]})) == {"7": "classification"}


def test_weights_and_classes_of_the_tasks():
    aux = pd.DataFrame({"gender": ["m", None, "f"], "arousal": [1.0, np.nan, 3.0]})
    model = fit(aux, {"gender": ClassificationTask(weight=0.7), "arousal": "regression"})
    history = model.history_
    assert history[["weight_gender", "weight_arousal"]].iloc[0].tolist() == [0.7, 0.3]
    assert model.aux_classes_["gender"].tolist() == ["f", "m"]
    assert model.dropped_tasks_ == {}


def test_values_are_learned_on_a_standard_scale():
    """The unit of the values changes neither training nor, in that unit, predictions."""
    values = np.array([100.0, 300.0, np.nan, 200.0])
    one, other = (fit(pd.DataFrame({"arousal": values * unit})) for unit in (1.0, 1024.0))
    assert one.history_.equals(other.history_)
    predicted, scaled = (model.predict_aux(np.eye(4))["arousal"] for model in (one, other))
    np.testing.assert_allclose(scaled, 1024.0 * predicted)
    assert predicted.between(0.0, 400.0).all()


def test_constant_targets_are_dropped_with_one_warning():
    aux = pd.DataFrame(
        {
            "naturalness": ["acted", None, "acted"],
            "gender": ["f", "m", "f"],
            "arousal": [0.5, 0.5, np.nan],
            "nothing": [np.nan, np.nan, np.nan],
        }
    )
    message = (
        "auxiliary targets that are constant in the training samples are left out: "
        "'naturalness' (only 'acted'), 'arousal' (only 0.5), 'nothing' (only no value at all)"
    )
    with pytest.warns(TrainingWarning, match=re.escape(message)) as caught:
        model = fit(aux)
    assert len(caught) == 1
    assert list(model.aux_classes_) == ["gender"]
    assert model.dropped_tasks_ == {
        "naturalness": "'acted'",
        "arousal": "0.5",
        "nothing": "no value at all",
    }


def test_a_single_task_network_ignores_aux():
    assert kinds(pd.DataFrame({"gender": ["f", "m"]}), None) == {}


def test_the_multi_task_recipe_warns_without_aux(speech):
    model = make_multi_task_net(None, scale_by=None, max_epochs=1, random_state=0)
    message = r'^tasks="aux" and fit got no auxiliary targets \(aux\), so that the network learns y'
    with pytest.warns(TrainingWarning, match=message):
        model.fit(speech.X, speech.y, net__groups=speech.speaker)
    model.fit(speech.X, speech.y, net__groups=speech.speaker, net__aux=speech.aux)
    assert set(model[-1].predict_aux(model[:-1].transform(speech.X)).columns) == {*speech.aux}


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, ""])
@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_missing_labels_are_one_thing(speech, missing, dtype):
    """In y and in aux, with any missing value."""
    known = np.arange(240) % 4 > 0
    y = pd.Series(speech.y, dtype=object).where(known, missing).astype(dtype)
    gender = speech.aux["gender"].astype(object).where(known, missing).astype(dtype)
    net = MTLNeuralClassifier(max_epochs=2, unlabeled="nan", random_state=0)
    model = clone(net).fit(speech.X, y, aux=gender, groups=speech.speaker)
    plain = np.where(known, speech.y, None)
    aux = speech.aux[["gender"]].where(known[:, np.newaxis])
    expected = clone(net).fit(speech.X, plain, aux=aux, groups=speech.speaker)
    assert model._weights == expected._weights
    assert model.aux_classes_["gender"].tolist() == expected.aux_classes_["gender"].tolist()
    assert model.score(speech.X, y) == expected.score(speech.X, plain)
    with pytest.raises(ValueError, match=r"Input y has no label .* in rows 0, 4, 8, 12, 16 and 55"):
        net.set_params(unlabeled=None).fit(speech.X, y)


def test_aux_of_another_library(speech):
    polars = pytest.importorskip("polars")
    net = MTLNeuralClassifier(max_epochs=1, random_state=0)
    model = net.fit(speech.X, speech.y, aux=polars.from_pandas(speech.aux), groups=speech.speaker)
    assert model.predict_aux(speech.X).columns.tolist() == speech.aux.columns.tolist()
