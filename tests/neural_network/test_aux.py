"""From the table of auxiliary targets to tasks, and every way to get it wrong."""

import re

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import ClassificationTask, ContrastiveTask, DomainAdversarialTask
from sklearn_ser.neural_network.tasks._make_tasks import make_tasks as make_all_tasks
from sklearn_ser.utils._alignment import check_aux


def make_tasks(aux, tasks):
    return make_all_tasks(aux, tasks, aux_weight=0.3, n_inputs=lambda bins: 4)


def kinds(aux, tasks="auto"):
    made, _ = make_tasks(check_aux(aux, len(aux)), tasks)
    return {task.name: task.kind for task in made}


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
def test_kind_follows_from_the_dtype(values, kind):
    assert kinds(pd.DataFrame({"target": values})) == {"target": kind}


def test_many_whole_numbers_are_regression():
    assert kinds(pd.DataFrame({"age": np.arange(20)})) == {"age": "classification"}
    assert kinds(pd.DataFrame({"age": np.arange(21)})) == {"age": "regression"}


def test_a_mapping_takes_its_columns_only_and_in_its_order():
    aux = pd.DataFrame({"gender": ["f", "m"], "rating": [1.0, 2.0], "note": ["x", "y"]})
    found = kinds(aux, {"rating": "classification", "gender": "auto"})
    assert list(found.items()) == [("rating", "classification"), ("gender", "classification")]


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


def test_encoding_round_trip():
    aux = check_aux(pd.DataFrame({"gender": ["m", None, "f"], "arousal": [1.0, np.nan, 3.0]}), 3)
    (gender, arousal), dropped = make_tasks(
        aux, {"gender": ClassificationTask(weight=0.7), "arousal": "regression"}
    )
    assert dropped == {}
    assert (gender.weight, arousal.weight) == (0.7, 0.3)
    codes, known = gender.encode(aux["gender"])
    assert codes.tolist() == [1, -1, 0]
    assert known.tolist() == [True, False, True]
    assert gender.decode(np.array([[0.2, 0.8]])).tolist() == ["m"]
    values, known = arousal.encode(aux["arousal"])
    assert values.tolist() == [-1.0, 0.0, 1.0]
    assert known.tolist() == [True, False, True]
    assert arousal.decode(np.array([[0.5]])).tolist() == [2.5]


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
        made, dropped = make_tasks(check_aux(aux, 3), "auto")
    assert len(caught) == 1
    assert [task.name for task in made] == ["gender"]
    assert dropped == {"naturalness": "'acted'", "arousal": "0.5", "nothing": "no value at all"}


TABLE = pd.DataFrame({"gender": ["f", "m"], "arousal": [0.1, 0.2]})


@pytest.mark.parametrize(
    ("aux", "tasks", "message"),
    [
        ({"gender": ["f", "m"]}, "auto", "aux is a dict, which scikit-learn does not slice"),
        (TABLE[:1], "auto", "aux has 1 rows and X has 2: give one row of targets per row"),
        (np.zeros((2, 2, 2)), "auto", "an array of one or two dimensions, got a ndarray"),
        (
            pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
            "auto",
            "aux has several columns of one name: ['a', 'a']",
        ),
        (
            TABLE,
            {"sex": "auto"},
            "tasks names ['sex'], which aux does not have: its columns are ['gender', 'arousal']",
        ),
        (None, {"gender": "auto"}, "tasks names ['gender'] but fit got no aux"),
        (
            TABLE,
            {"gender": "ranking"},
            "tasks['gender'] must be a task object or one of ['auto', 'classification', "
            "'regression', 'mse', 'ccc', 'adversarial', 'reconstruction', 'contrastive', "
            "'consistency'], got 'ranking'.",
        ),
        (
            TABLE,
            {"gender": "regression"},
            "aux column 'gender' is a regression task but holds values that are not numbers",
        ),
        (
            TABLE,
            {"place": DomainAdversarialTask(column="corpus")},
            "tasks names ['corpus'], which aux does not have",
        ),
        (
            TABLE,
            {"clusters": ContrastiveTask(column="gender", across="corpus")},
            "tasks names ['corpus'], which aux does not have",
        ),
        (
            TABLE,
            {"gender": ClassificationTask(weight=-1)},
            "tasks['gender']: The 'weight' parameter of ClassificationTask must be a float in the "
            "range [0.0, inf) or None. Got -1 instead.",
        ),
        (
            TABLE,
            {"gender": 0.5},
            "tasks['gender'] must be a task object or one of ['auto', 'classification', ",
        ),
        (
            pd.DataFrame({"y": ["f", "m"]}),
            "auto",
            "an auxiliary task cannot be called 'y'",
        ),
        (
            pd.DataFrame({"mix": ["f", 1]}),
            "auto",
            "aux column 'mix' mixes values of the types ['int', 'str']",
        ),
        (
            pd.DataFrame({"loud": [1.0, np.inf]}),
            "auto",
            "aux column 'loud' holds an infinite value in row 1",
        ),
        (
            pd.DataFrame({"when": pd.to_datetime(["2020-01-01", "2020-01-02"])}),
            "auto",
            "aux column 'when' has dtype datetime64",
        ),
    ],
)
def test_errors_say_what_is_wrong(aux, tasks, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_tasks(check_aux(aux, 2), tasks)


def test_single_task_ignores_aux():
    assert make_tasks(TABLE, None) == ([], {})
