"""Errors about tasks and their targets, in fit and in cross-validation."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import PredefinedSplit, cross_validate

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network import (
    ClassificationTask,
    ConsistencyTask,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
    RegressionTask,
)


def net(**parameters):
    return MTLNeuralClassifier().set_params(**({"max_epochs": 1, "random_state": 0} | parameters))


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (
            ["gender"],
            "The 'tasks' parameter of MTLNeuralClassifier must be a str among ",
        ),
        (
            "gender",
            "The 'tasks' parameter of MTLNeuralClassifier must be a str among ",
        ),
        ({"gender": None}, "tasks['gender'] must be a task object or one of ['auto', "),
        ({"gender": 0.5}, "tasks['gender'] must be a task object or one of ['auto', "),
        (
            {"gender": "ranking"},
            "tasks['gender'] must be a task object or one of ['auto', 'classification', "
            "'regression', 'mse', 'ccc', 'adversarial', 'reconstruction', 'contrastive', "
            "'consistency'], got 'ranking'.",
        ),
        (
            {"gender": ClassificationTask(weight=-1)},
            "tasks['gender']: The 'weight' parameter of ClassificationTask must be a float in the "
            "range [0.0, inf) or None. Got -1 instead.",
        ),
        ({"gender": ClassificationTask}, "tasks['gender'] must be a task object or one of ["),
        (
            {"gender": ClassificationTask(label_smoothing=1.0)},
            "tasks['gender']: The 'label_smoothing' parameter of ClassificationTask must be a "
            "float in the range [0.0, 1.0). Got 1.0 instead.",
        ),
        (
            {"gender": ClassificationTask(focal_gamma=-1)},
            "tasks['gender']: The 'focal_gamma' parameter of ClassificationTask must be a float",
        ),
        (
            {"gender": ClassificationTask(class_weight="even")},
            "tasks['gender']: The 'class_weight' parameter of ClassificationTask must be",
        ),
        (
            {"gender": ClassificationTask(class_weight={"diverse": 2})},
            "class_weight of the task 'gender': The classes, ['female', 'male'], are not in "
            "class_weight.",
        ),
        (
            {"gender": ClassificationTask(class_weight={"female": -2.0, "male": 1.0})},
            "class_weight of the task 'gender': the weight of class 'female' is -2.0, and must be "
            "a finite number of at least 0.",
        ),
        (
            {"gender": ClassificationTask(class_weight={"female": 1.0, "male": np.nan})},
            "class_weight of the task 'gender': the weight of class 'male' is nan, and must be",
        ),
        (
            {"gender": ClassificationTask(column=3)},
            "tasks['gender']: The 'column' parameter of ClassificationTask must be an instance of "
            "'str' or None. Got 3 instead.",
        ),
        (
            {"arousal": RegressionTask(loss="mae")},
            "tasks['arousal']: The 'loss' parameter of RegressionTask must be a str among {",
        ),
        (
            {"gender": DomainAdversarialTask(strength=-0.1)},
            "tasks['gender']: The 'strength' parameter of DomainAdversarialTask must be a float in "
            "the range [0.0, inf). Got -0.1 instead.",
        ),
        (
            {"gender": DomainAdversarialTask(hidden_units=64)},
            "tasks['gender']: The 'hidden_units' parameter of DomainAdversarialTask must be an "
            "array-like. Got 64 instead.",
        ),
        (
            {"gender": DomainAdversarialTask(hidden_units="64")},
            "tasks['gender']: The 'hidden_units' parameter of DomainAdversarialTask must be an "
            "array",
        ),
        (
            {"gender": DomainAdversarialTask(hidden_units=(8, 0))},
            "hidden_units of tasks['gender'] must be positive integers, got [8, 0].",
        ),
        (
            {"rebuilt": ReconstructionTask(hidden_units=[8.5])},
            "hidden_units of tasks['rebuilt'] must be positive integers, got [8.5].",
        ),
        (
            {"rebuilt": ReconstructionTask(time_bins=0)},
            "tasks['rebuilt']: The 'time_bins' parameter of ReconstructionTask must be an int in "
            "the range [1, 1024]. Got 0 instead.",
        ),
        (
            {"clusters": ContrastiveTask(column="gender", across="gender")},
            "tasks['clusters'] has column='gender' and across='gender'. They must be different "
            "columns, since positive samples agree in the first and differ in the second.",
        ),
        (
            {"clusters": ContrastiveTask(temperature=0)},
            "tasks['clusters']: The 'temperature' parameter of ContrastiveTask must be a float in "
            "the range (0.0, inf). Got 0 instead.",
        ),
        (
            {"pseudo": ConsistencyTask(threshold=2)},
            "tasks['pseudo']: The 'threshold' parameter of ConsistencyTask must be a float in "
            "the range [0.0, 1.0]. Got 2 instead.",
        ),
        (
            {"sex": "classification"},
            "tasks names ['sex'], which aux does not have: its columns are ['gender', 'arousal'].",
        ),
        (
            {"corpus": "adversarial", "clusters": ContrastiveTask(across="language")},
            "tasks names ['corpus', 'language'], which aux does not have: its columns are [",
        ),
        ({"y": "classification"}, "an auxiliary task cannot be called 'y', which is the name of"),
        ({"gender": "ccc"}, "aux column 'gender' is a regression task but holds values that are"),
    ],
)
def test_invalid_tasks_raise(speech, tasks, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        net(tasks=tasks).fit(speech.X, speech.y, aux=speech.aux)


@pytest.mark.parametrize(
    ("column", "tasks", "message"),
    [
        (
            pd.date_range("2020", periods=240),
            {"t": "regression"},
            "aux column 't' holds times (dtype datetime64[",
        ),
        (
            pd.to_timedelta(np.arange(240), unit="s"),
            {"t": "ccc"},
            "aux column 't' holds times (dtype timedelta64[",
        ),
        (
            [("f", 1), ("m", 2)] * 120,
            "auto",
            "aux column 't' holds values of the type ['tuple']. The labels of a task must be "
            "all strings, all numbers or all booleans; mark missing labels with None.",
        ),
        (pd.date_range("2020", periods=240), "auto", "aux column 't' has dtype datetime64"),
        ([b"f", b"m"] * 120, "auto", "aux column 't' holds values of the type ['bytes']"),
        (
            ["f", 1.5] * 120,
            {"t": "adversarial"},
            "aux column 't' mixes values of the types ['float', 'str']",
        ),
        ([{"f"}, {"m"}] * 120, "auto", "aux column 't' holds values of the type ['set']"),
        ([1.0, np.inf] * 120, {"t": "ccc"}, "aux column 't' holds an infinite value in row 1"),
    ],
)
def test_invalid_targets_raise(speech, column, tasks, message):
    aux = pd.DataFrame({"t": column})
    with pytest.raises(MetadataError, match=f"^{re.escape(message)}"):
        net(tasks=tasks).fit(speech.X, speech.y, aux=aux)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"aux": {"gender": ["f"] * 240}},
            MetadataError,
            "aux is a dict, which scikit-learn does not slice along with X: cross-validation "
            "would silently give each fold the targets of other rows. Give aux as a DataFrame: "
            "pd.DataFrame(aux).",
        ),
        (
            {"aux": pd.DataFrame({"gender": ["f", "m"]})},
            MetadataError,
            "aux has 2 rows and X has 240: give one row of targets per row of X, with missing "
            "values where a target is not known.",
        ),
        (
            {"aux": pd.DataFrame([[1, 2]] * 240, columns=["a", "a"])},
            MetadataError,
            "the column names of aux must be unique, got ['a', 'a']",
        ),
        (
            {"aux": pd.DataFrame({"y": ["f", "m"] * 120})},
            MetadataError,
            "an auxiliary task cannot be called 'y'",
        ),
        (
            {"aux": None, "tasks": {"gender": "auto"}},
            MetadataError,
            "tasks names ['gender'] but fit got no aux",
        ),
        (
            {"aux": np.zeros((240, 2, 2))},
            MetadataError,
            "aux must be a DataFrame, a Series or an array of one or two dimensions, got a ndarray",
        ),
        (
            {"aux": "gender"},
            MetadataError,
            "aux must be a DataFrame, a Series or an array of one or two dimensions, got a str "
            "with 0 dimensions",
        ),
        (
            {"groups": ["s1"]},
            MetadataError,
            "groups must have one value per row of X, shape (240,), got (1,).",
        ),
        (
            {"y": ["a", "b"]},
            ValueError,
            "Found input variables with inconsistent numbers of samples: [240, 2]",
        ),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight.shape == (1,), expected (240,)!"),
        ({"X": np.zeros(240)}, ValueError, "Expected 2D array, got 1D array instead"),
        (
            {"X": np.zeros((240, 3, 2)), "encoder": "mlp"},
            ValueError,
            'encoder="mlp" takes one feature vector per utterance, and X holds frame',
        ),
        (
            {"encoder": "attention"},
            ValueError,
            'encoder="attention" takes frame sequences (arrays of shape (n_frames, n_features),',
        ),
        (
            {"X": np.full((240, 8), np.nan)},
            ValueError,
            "all 240 rows of X are entirely NaN (failed audio): nothing to train on.",
        ),
    ],
)
def test_invalid_arguments_of_fit_raise(speech, arguments, error, message):
    arguments = dict(arguments)
    parameters = {name: arguments.pop(name) for name in ("encoder", "tasks") if name in arguments}
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        net(**parameters).fit(**{"X": speech.X, "y": speech.y} | arguments)


def constant_in_the_first_fold(speech):
    """Gender is constant in the training samples of fold 0, whose test samples have both."""
    fold = (np.arange(240) >= 120).astype(int)
    gender = np.where((fold == 1) | (np.arange(240) % 2 == 0), "female", "male")
    return speech.aux.assign(gender=gender), PredefinedSplit(fold)


CONSTANT = "constant in the training samples are left out: 'gender' (only 'female')"


@pytest.mark.parametrize(
    "tasks",
    [
        "auto",
        {"gender": "classification", "arousal": "auto"},
        {"gender": "adversarial", "arousal": "auto"},
        {"gender": ContrastiveTask(column="gender"), "arousal": "auto"},
        {"gender": ContrastiveTask(across="gender"), "arousal": "auto"},
    ],
    ids=["auto", "classification", "adversarial", "contrastive", "across"],
)
@pytest.mark.parametrize("routing", [False, True])
def test_a_task_that_is_constant_in_a_fold_is_left_out_there(speech, tasks, routing):
    aux, split = constant_in_the_first_fold(speech)
    with (
        config_context(enable_metadata_routing=routing),
        pytest.warns(TrainingWarning, match=re.escape(CONSTANT)) as caught,
    ):
        found = cross_validate(
            net(tasks=tasks),
            speech.X,
            speech.y,
            cv=split,
            params={"aux": aux},
            return_estimator=True,
            error_score="raise",
        )
    of_constant = [warning for warning in caught if CONSTANT in str(warning.message)]
    assert [warning.filename for warning in of_constant] == [__file__]
    without, with_gender = found["estimator"]
    assert without.dropped_tasks_ == {"gender": "'female'"}
    assert [name for name in without.history_ if "gender" in name] == []
    assert "weight_gender" in with_gender.history_
    assert with_gender.dropped_tasks_ == {}
    assert "arousal" in without.predict_aux(speech.X)


def test_a_dropped_task_may_still_be_named_in_further_training(speech):
    aux, _ = constant_in_the_first_fold(speech)
    model = net(tasks={"gender": "classification", "arousal": "auto"})
    classes = np.unique(speech.y)
    with pytest.warns(TrainingWarning, match=re.escape(CONSTANT)):
        model.partial_fit(speech.X[120:], speech.y[120:], classes=classes, aux=aux[120:])
    model.partial_fit(speech.X, speech.y, aux=aux)
    assert model.dropped_tasks_ == {"gender": "'female'"}
    model.set_params(warm_start=True).fit(speech.X, speech.y, aux=aux)
    assert list(model.score_aux(speech.X, aux).index) == ["arousal"]


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (
            {"gender": "classification"},
            {"gender": "adversarial"},
            "tasks['gender'] is a DomainAdversarialTask, and was a ClassificationTask when the "
            "network was fitted. Set warm_start=False to train a new network.",
        ),
        (
            {"gender": DomainAdversarialTask(hidden_units=(4,))},
            {"gender": DomainAdversarialTask(hidden_units=(5,))},
            "head_units is {'gender': [5]} now and was {'gender': [4]}",
        ),
        (
            {"clusters": ContrastiveTask(n_components=4)},
            {"clusters": ContrastiveTask(n_components=5)},
            "heads is {'y': 3, 'clusters': 5} now and was {'y': 3, 'clusters': 4}",
        ),
        (
            {"gender": "classification"},
            {"gender": "classification", "arousal": "auto"},
            "tasks names ['arousal'], which the fitted network does not have: its tasks are "
            "['gender']. Set warm_start=False to train a new network.",
        ),
        (
            {"gender": "classification"},
            {"gender": ClassificationTask(weight=-1)},
            "tasks['gender']: The 'weight' parameter of ClassificationTask must be",
        ),
    ],
)
def test_other_tasks_in_further_training_raise(speech, first, then, message):
    model = net(tasks=first, warm_start=True).fit(speech.X, speech.y, aux=speech.aux)
    before = model._weights
    with pytest.raises(ValueError, match=re.escape(message)):
        model.set_params(tasks=then).fit(speech.X, speech.y, aux=speech.aux)
    assert model._weights == before


@pytest.mark.parametrize("tasks", [None, {"gender": "classification"}])
def test_tasks_that_are_no_longer_named_are_not_trained(speech, frames, tasks):
    """Tasks of all kinds, whatever aux contains."""
    for data in (speech, frames):
        model = net(
            tasks={
                "gender": "classification",
                "speaker": DomainAdversarialTask(hidden_units=(4,)),
                "rebuilt": ReconstructionTask(time_bins=3, hidden_units=(5,)),
                "clusters": ContrastiveTask(n_components=7, across="speaker"),
            },
            warm_start=True,
            optimization__weight_decay=0.0,
        )
        model.fit(data.X, data.y, aux=data.aux.assign(speaker=data.speaker))
        rebuilt = model.net_.module_.heads[3][0].weight.clone()
        encoder, n_before = model.transform(data.X), model.n_iter_
        model.set_params(tasks=tasks).fit(data.X, data.y, aux=data.aux.assign(speaker="new"))
        history = model.history_.iloc[n_before:]
        assert (history[["weight_speaker", "weight_rebuilt", "weight_clusters"]] == 0).all(
            axis=None
        )
        assert history["weight_gender"].iloc[0] == (0.0 if tasks is None else 0.3)
        assert (model.net_.module_.heads[3][0].weight == rebuilt).all()
        assert not np.array_equal(model.transform(data.X), encoder)


def test_subclasses_of_tasks_are_tasks(speech):
    class Gender(ClassificationTask):
        pass

    one, other = (
        net(tasks={"gender": kind()}, warm_start=True)
        .fit(speech.X, speech.y, aux=speech.aux)
        .fit(speech.X, speech.y, aux=speech.aux)
        for kind in (Gender, ClassificationTask)
    )
    assert one._weights == other._weights
    assert type(clone(one).tasks["gender"]) is Gender


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_value_that_is_not_finite_is_named(speech, value, table):
    too_large = r"infinity or a value too large for dtype\('float32'\)"
    kind = "NaN" if np.isnan(value) else too_large
    X = speech.X.astype(np.float64)
    X[0] = np.nan  # failed audio
    X[7, 3] = X[9, 0] = value
    name = "column 'd'" if table else "column 3"
    X = pd.DataFrame(X, columns=list("abcdefgh")) if table else X
    text = rf"Input X contains {kind}: row 7, {name} \(one of 2 such row\(s\)\)"
    with pytest.raises(ValueError, match=text):
        net(tasks=None).fit(X, speech.y)
    with pytest.raises(ValueError, match=r"^Input sample_weight contains infinity or a value too"):
        net().fit(speech.X, speech.y, sample_weight=np.full(240, 1e300))


def test_labels_of_two_types_raise_an_error(speech):
    y = speech.y.astype(object)
    y[::2], y[5] = 5, None
    with pytest.raises(
        ValueError, match="y contains strings and other labels: 'neutral' in row 1, 5 in"
    ):
        net(tasks=None, unlabeled="nan").fit(speech.X, y)


@pytest.mark.parametrize(("unlabeled", "mark"), [(-1, -1), ("nan", float("nan")), ("nan", None)])
def test_a_list_may_contain_sentinel_values_beside_strings(speech, unlabeled, mark):
    y = [mark if row % 3 == 0 else label for row, label in enumerate(speech.y.tolist())]
    y[1::3] = ["fear"] * len(y[1::3])
    model = net(tasks=None, unlabeled=unlabeled).fit(speech.X, y)
    assert model.classes_.tolist() == ["fear", "sadness"]
    text = re.escape(
        f"y contains the string {str(unlabeled)!r} in 80 samples (the first in row 0), and"
    )
    if mark is not None:
        with pytest.raises(ValueError, match=text):
            net(tasks=None, unlabeled=unlabeled).fit(speech.X, np.array(y))


def test_missing_labels_in_a_list_are_no_class(speech):
    y = [float("nan"), *speech.y.tolist()[1:]]
    with pytest.raises(ValueError, match=r"Input y has no label \(None, NaN or an empty"):
        net(tasks=None).fit(speech.X, y)


def test_validation_by_is_needed_only_where_samples_are_held_out(speech):
    X = pd.DataFrame(speech.X, index=pd.Index(np.repeat(["x", "y", "z"], 80), name="corpus"))
    model = net(tasks=None, validation__by="corpus").fit(X, speech.y)
    model.partial_fit(speech.X[:20], speech.y[:20])
    with pytest.raises(MetadataError, match="validation__by='corpus' is neither a column nor"):
        model.fit(speech.X, speech.y)
    model.set_params(early_stopping=False).fit(speech.X, speech.y)
