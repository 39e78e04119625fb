"""From the table of auxiliary targets to tasks, and every way to get it wrong."""

import re

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network._aux import check_aux, make_tasks


def kinds(aux, tasks="auto", task_weights=None):
    made, _ = make_tasks(check_aux(aux, len(aux)), tasks, task_weights)
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
    (gender, arousal), dropped = make_tasks(aux, "auto", {"gender": 0.7})
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
        "auxiliary targets that are constant in these training rows are left out: "
        "'naturalness' (only 'acted'), 'arousal' (only 0.5), 'nothing' (only no value at all)"
    )
    with pytest.warns(TrainingWarning, match=re.escape(message)) as caught:
        made, dropped = make_tasks(check_aux(aux, 3), "auto", {"arousal": 1.0})
    assert len(caught) == 1
    assert [task.name for task in made] == ["gender"]
    assert dropped == {"naturalness": "'acted'", "arousal": "0.5", "nothing": "no value at all"}


TABLE = pd.DataFrame({"gender": ["f", "m"], "arousal": [0.1, 0.2]})


@pytest.mark.parametrize(
    ("aux", "tasks", "weights", "message"),
    [
        ({"gender": ["f", "m"]}, "auto", None, "aux is a dict, which scikit-learn does not slice"),
        (TABLE[:1], "auto", None, "aux has 1 rows and X has 2: give one row of targets per row"),
        (np.zeros((2, 2, 2)), "auto", None, "an array of one or two dimensions, got a ndarray"),
        (
            pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
            "auto",
            None,
            "aux has several columns of one name: ['a', 'a']",
        ),
        (
            TABLE,
            {"sex": "auto"},
            None,
            "tasks names ['sex'], which aux does not have: its columns are ['gender', 'arousal']",
        ),
        (None, {"gender": "auto"}, None, "tasks names ['gender'] but fit got no aux"),
        (
            TABLE,
            {"gender": "ranking"},
            None,
            "tasks['gender'] must be one of ['auto', 'classification', 'regression'], "
            "got 'ranking'",
        ),
        (
            TABLE,
            {"gender": "regression"},
            None,
            "aux column 'gender' is a regression task but holds values that are not numbers",
        ),
        (
            TABLE,
            "auto",
            {"sex": 0.1},
            "task_weights names ['sex'], which are no auxiliary tasks of this fit: known are "
            "['gender', 'arousal']",
        ),
        (None, "auto", {"sex": 0.1}, "task_weights names ['sex']"),
        (TABLE, "auto", {"gender": -1}, "task_weights['gender'] must be a number of at least 0"),
        (TABLE, "auto", {"gender": "x"}, "task_weights['gender'] must be a number of at least 0"),
        (
            pd.DataFrame({"y": ["f", "m"]}),
            "auto",
            None,
            "an auxiliary task cannot be called 'y'",
        ),
        (
            pd.DataFrame({"mix": ["f", 1]}),
            "auto",
            None,
            "aux column 'mix' mixes values of the types ['int', 'str']",
        ),
        (
            pd.DataFrame({"loud": [1.0, np.inf]}),
            "auto",
            None,
            "aux column 'loud' holds an infinite value in row 1",
        ),
        (
            pd.DataFrame({"when": pd.to_datetime(["2020-01-01", "2020-01-02"])}),
            "auto",
            None,
            "aux column 'when' has dtype datetime64",
        ),
    ],
)
def test_errors_say_what_is_wrong(aux, tasks, weights, message):
    with pytest.raises(MetadataError, match=re.escape(message)):
        make_tasks(check_aux(aux, 2), tasks, weights)


def test_single_task_ignores_aux_and_weights():
    assert make_tasks(TABLE, None, {"gender": 0.5}) == ([], {})
