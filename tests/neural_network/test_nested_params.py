"""Parameters within `tasks` and `encoder_params`: read, set, searched, never shared."""

import pickle
import re
from types import MappingProxyType

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import (
    ClassificationTask,
    ComputeSettings,
    DomainAdversarialTask,
    ELMClassifier,
    HighLevelFeatures,
    InputPerturbation,
    MTLNeuralClassifier,
    OptimizationSettings,
    PseudoLabels,
    ReconstructionTask,
    RegressionTask,
    ValidationSettings,
)
from sklearn_ser.recipes import make_multi_task_net


def net(**parameters):
    return MTLNeuralClassifier().set_params(**({"max_epochs": 1, "random_state": 0} | parameters))


@pytest.fixture
def tasks():
    return {
        "gender": ClassificationTask(weight=0.2),
        "arousal": "ccc",
        "rebuilt": "reconstruction",
        "rating": "auto",
    }


def plain(tasks):
    return {
        name: task if isinstance(task, str) else (type(task), task.get_params())
        for name, task in tasks.items()
    }


def test_get_params_lists_tasks_and_what_they_hold(tasks):
    model = net(tasks=tasks, encoder_params={"residual": True})
    params = model.get_params()
    assert params["tasks"] is tasks
    assert params["tasks__gender"] is tasks["gender"]
    assert params["tasks__gender__weight"] == 0.2
    assert params["tasks__arousal"] == "ccc"
    assert params["encoder_params__residual"] is True
    of_tasks = {name for name in params if name.startswith("tasks__")}
    assert of_tasks == {
        *(f"tasks__{name}" for name in tasks),
        *(f"tasks__gender__{name}" for name in ClassificationTask().get_params()),
    }
    assert not any("__" in name for name in model.get_params(deep=False))
    assert not any(name.startswith(("tasks__", "encoder_params__")) for name in net().get_params())


def test_setting_copies_and_leaves_the_original_alone(tasks):
    before = plain(tasks)
    one, other = net(tasks=tasks), net(tasks=tasks)
    one.set_params(tasks__gender__weight=0.9, tasks__arousal__weight=0.1)
    assert one.tasks["gender"].weight == 0.9
    assert plain(tasks) == plain(other.tasks) == before
    assert one.tasks is not tasks
    assert one.tasks["rebuilt"] is tasks["rebuilt"]
    assert list(one.tasks) == list(tasks)
    params = {"residual": True}
    model = net(encoder_params=params)
    assert model.set_params(encoder_params__residual=False).encoder_params == {"residual": False}
    assert params == {"residual": True}
    assert net().set_params(encoder_params__residual=True).encoder_params == {"residual": True}


def test_strings_become_task_objects_on_the_first_set(tasks):
    model = net(tasks=tasks).set_params(
        tasks__arousal__weight=0.1, tasks__rebuilt__target="augmented"
    )
    assert plain(model.tasks)["arousal"] == plain({"": RegressionTask(loss="ccc", weight=0.1)})[""]
    assert plain(model.tasks)["rebuilt"] == plain({"": ReconstructionTask(target="augmented")})[""]


def test_whole_tasks_come_before_their_parameters(tasks):
    for given in (
        {"tasks__gender": "adversarial", "tasks__gender__strength": 0.5},
        {"tasks__gender__strength": 0.5, "tasks__gender": DomainAdversarialTask()},
        {"tasks__gender__strength": 0.5, "tasks": {"gender": "adversarial"}},
    ):
        model = net(tasks=tasks).set_params(**given)
        assert (type(model.tasks["gender"]), model.tasks["gender"].strength) == (
            DomainAdversarialTask,
            0.5,
        )


def test_the_result_of_get_params_can_be_set(tasks):
    model = net(tasks=tasks, encoder_params={"residual": True})
    again = net().set_params(**model.get_params())
    assert plain(again.tasks) == plain(tasks)
    assert repr(again) == repr(model)
    assert again.perturbation is None


DEFAULT_OBJECTS = {
    "y_task": ClassificationTask,
    "optimization": OptimizationSettings,
    "perturbation": InputPerturbation,
    "validation": ValidationSettings,
    "compute": ComputeSettings,
}


@pytest.mark.parametrize("name", DEFAULT_OBJECTS)
def test_none_stands_for_an_object_with_default_values(name):
    model = MTLNeuralClassifier()
    kind = DEFAULT_OBJECTS[name]
    nested = {f"{name}__{parameter}": value for parameter, value in kind().get_params().items()}
    assert nested.items() <= model.get_params().items()
    assert getattr(model.set_params(**nested), name) is None
    assert repr(model) == "MTLNeuralClassifier()"


def test_setting_a_parameter_of_a_default_object_creates_the_object():
    model = MTLNeuralClassifier().set_params(perturbation__noise=0.5)
    first = model.perturbation
    assert repr(model) == "MTLNeuralClassifier(perturbation=InputPerturbation(noise=0.5))"
    assert clone(model).perturbation is not first
    assert clone(model).get_params()["perturbation__noise"] == 0.5
    model.set_params(perturbation__dropout=0.1)
    assert model.perturbation.get_params() == {**first.get_params(), "dropout": 0.1}
    assert first.dropout == 0.0
    given = InputPerturbation(noise=2.0)
    model.set_params(perturbation__dropout=0.2, perturbation=given)
    assert (model.perturbation.noise, model.perturbation.dropout) == (2.0, 0.2)
    assert given.dropout == 0.0


def test_flat_parameters_are_fewer_than_30():
    assert len(MTLNeuralClassifier().get_params(deep=False)) < 30


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"compute__dtype": "float16"},
            "compute: The 'dtype' parameter of ComputeSettings must be a str among",
        ),
        (
            {"perturbation__dropout": 1.5},
            "perturbation: The 'dropout' parameter of InputPerturbation must be a float in",
        ),
        (
            {"optimization__warmup": 2},
            "optimization: The 'warmup' parameter of OptimizationSettings must be a float in",
        ),
        (
            {"validation__monitor": "uar"},
            "validation: The 'monitor' parameter of ValidationSettings must be a str among",
        ),
        (
            {"y_task__focal_gamma": -1.0},
            "y_task: The 'focal_gamma' parameter of ClassificationTask must be a float in",
        ),
        (
            {"y_task__column": "emotion"},
            "y_task: column is 'emotion', and must be None: the main task learns the labels of y "
            "with weight 1.",
        ),
        (
            {"compute": {"dtype": "float64"}},
            "The 'compute' parameter of MTLNeuralClassifier must be an instance of "
            "'sklearn_ser.neural_network.ComputeSettings' or None.",
        ),
    ],
)
def test_wrong_parameters_of_objects_are_named_in_fit(speech, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        net().set_params(**given).fit(speech.X, speech.y)


def test_grid_search_over_parameters_of_default_objects(speech):
    grid = {"perturbation__noise": [0.0, 1.0], "y_task__class_weight": [None, "balanced"]}
    search = GridSearchCV(net(), grid, cv=2, error_score="raise").fit(speech.X, speech.y)
    assert len(search.cv_results_["params"]) == 4
    params = search.best_estimator_.get_params()
    assert all(params[name] == value for name, value in search.best_params_.items())


def test_names_with_underscores_and_numbers():
    model = net(tasks={"a": "classification", "a__b": ClassificationTask(), 0: "ccc"})
    model.set_params(tasks__a__b__weight=0.1, tasks__a__weight=0.2, tasks__0__weight=0.3)
    assert {name: task.weight for name, task in model.tasks.items()} == {
        "a": 0.2,
        "a__b": 0.1,
        0: 0.3,
    }
    assert net().set_params(**model.get_params()).tasks["a__b"].weight == 0.1


def test_any_mapping_will_do():
    frozen = MappingProxyType({"gender": "classification"})
    model = net(tasks=frozen)
    assert model.get_params()["tasks__gender"] == "classification"
    assert model.set_params(tasks__gender__weight=0.5).tasks["gender"].weight == 0.5


def test_clones_are_independent(tasks):
    model = net(tasks=tasks)
    copied = clone(model)
    assert plain(copied.tasks) == plain(model.tasks)
    assert copied.tasks["gender"] is not model.tasks["gender"]
    copied.set_params(tasks__gender__weight=0.7)
    assert model.tasks["gender"].weight == 0.2
    task = DomainAdversarialTask(hidden_units=(8,))
    assert clone(task).get_params() == task.get_params()


NO_SUCH = "there is no task 'sex', the tasks are ['gender', 'arousal', 'rebuilt', 'rating']."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tasks__sex__weight": 1}, f"cannot set tasks__sex__weight: {NO_SUCH}"),
        ({"tasks__sex": "ccc"}, f"cannot set tasks__sex: {NO_SUCH}"),
        (
            {"tasks__rating__weight": 1},
            "cannot set tasks__rating__weight: tasks['rating'] is 'auto', whose kind is known only "
            "in fit. Name the kind first.",
        ),
        (
            {"tasks": "auto", "tasks__gender__weight": 1},
            "cannot set tasks__gender__weight: tasks is 'auto'. Name the tasks first, e.g. "
            "tasks={'gender': \"classification\"}.",
        ),
        ({"tasks": None, "tasks__gender": "ccc"}, "cannot set tasks__gender: tasks is None."),
        (
            {"tasks__gender__wieght": 1},
            "Invalid parameter 'wieght' for estimator ClassificationTask. Did you mean 'weight'? "
            "Valid parameters are: ['class_weight', 'column',",
        ),
        (
            {"tasks__gender": "ranking", "tasks__gender__weight": 1},
            "tasks['gender'] must be a task object or one of ['auto', 'classification',",
        ),
        (
            {"dropuot": 1},
            "Invalid parameter 'dropuot' for estimator MTLNeuralClassifier. Did you mean "
            "'dropout'? Valid parameters are: ['activation',",
        ),
        ({"dropuot__x": 1}, "Invalid parameter 'dropuot__x' for estimator MTLNeuralClassifier."),
        ({"device__x": 1}, "Invalid parameter 'device__x' for estimator MTLNeuralClassifier."),
        ({"dtype": "float64"}, "Did you mean 'compute__dtype'?"),
        ({"class_weight": "balanced"}, "Did you mean 'y_task__class_weight'?"),
        ({"input_noise": 0.5}, "Did you mean 'perturbation__noise'?"),
        ({"learning_rate": 0.1}, "Did you mean 'lr'?"),
        ({"optimizer__lr": 0.1}, "Did you mean 'lr'?"),
        ({"module__width": 3}, "Did you mean 'encoder_params__width'?"),
        (
            {"max_iter": 9, "module": None, "foo": 0},
            "Invalid parameter 'max_iter' for estimator MTLNeuralClassifier. Did you mean "
            "'max_epochs'? Invalid parameter 'module' for estimator MTLNeuralClassifier. Did you "
            "mean 'encoder'? Invalid parameter 'foo' for estimator MTLNeuralClassifier. Valid",
        ),
        (
            {"perturbation__input_noise": 0.5},
            "Invalid parameter 'input_noise' for estimator InputPerturbation. Did you mean "
            "'noise'?",
        ),
        (
            {"pseudo_labels__share": 0.5},
            "cannot set pseudo_labels__share: pseudo_labels is None. Set "
            "pseudo_labels=PseudoLabels() first.",
        ),
    ],
)
def test_errors_of_set_params_name_the_parameter(tasks, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        net(tasks=tasks).set_params(**given)


@pytest.mark.parametrize(
    ("construct", "message"),
    [
        (
            lambda: MTLNeuralClassifier(max_iter=9),
            "Invalid parameter 'max_iter' for estimator MTLNeuralClassifier. Did you mean "
            "'max_epochs'? Valid parameters are: ['activation',",
        ),
        (
            lambda: MTLNeuralClassifier(module=None, hidden_layer_sizes=(8,)),
            "Did you mean 'encoder'? Invalid parameter 'hidden_layer_sizes' for estimator "
            "MTLNeuralClassifier. Did you mean 'hidden_units'? Valid",
        ),
        (
            lambda: MTLNeuralClassifier(noise=0.5),
            "Invalid parameter 'noise' for estimator MTLNeuralClassifier. Did you mean "
            "'perturbation__noise'? Nested parameters are set after construction: "
            "set_params(perturbation__noise=...). Valid",
        ),
        (
            lambda: MTLNeuralClassifier(perturbation__noise=0.5),
            "MTLNeuralClassifier. Nested parameters are set after construction: "
            "set_params(perturbation__noise=...). Valid",
        ),
        (lambda: MTLNeuralClassifier(module__width=3), "set_params(encoder_params__width=...)"),
        (lambda: ClassificationTask(gamma=2), "ClassificationTask. Did you mean 'focal_gamma'?"),
        (lambda: InputPerturbation(mixup=0.2), "InputPerturbation. Did you mean 'mixup_alpha'?"),
        (lambda: PseudoLabels(rounds=2), "PseudoLabels. Did you mean 'max_rounds'?"),
        (lambda: ELMClassifier(hidden=9), "for estimator ELMClassifier. Did you mean 'n_hidden'?"),
        (lambda: HighLevelFeatures(None, k=1), "HighLevelFeatures. Valid parameters are: ['cv',"),
    ],
)
def test_constructors_suggest_a_parameter(construct, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        construct()


@pytest.mark.parametrize(
    ("instance", "given", "message"),
    [
        (ELMClassifier(), {"hidden_units": 9}, "ELMClassifier. Did you mean 'n_hidden'?"),
        (PseudoLabels(), {"rounds": 9}, "estimator PseudoLabels. Did you mean 'max_rounds'?"),
        (make_multi_task_net(None), {"net__max_iter": 9}, "Did you mean 'max_epochs'?"),
    ],
)
def test_set_params_of_other_objects_suggests_a_parameter(instance, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        instance.set_params(**given)


def test_recipes_suggest_a_parameter():
    with pytest.raises(ValueError, match=r"MTLNeuralClassifier\. Did you mean 'max_epochs'\?"):
        make_multi_task_net(None, max_iter=9)


@pytest.mark.parametrize("changed_only", [True, False])
def test_representations(tasks, changed_only):
    model = net(tasks=tasks)
    with config_context(print_changed_only=changed_only):
        text = repr(model)  # of all parameters scikit-learn shows only some
        assert not changed_only or "'arousal': 'ccc'" in text
        assert not changed_only or "'gender': ClassificationTask(weight=0.2)" in text
        html = model._repr_html_()
        assert "MTLNeuralClassifier" in html
        assert not changed_only or "ClassificationTask" in html
        for task in tasks.values():
            if not isinstance(task, str):
                assert type(task).__name__ in task._repr_html_()
        assert "StandardScaler" in make_pipeline(StandardScaler(), model)._repr_html_()
    assert repr(ClassificationTask(weight=0.2)) == "ClassificationTask(weight=0.2)"


def test_pickles_keep_tasks(tasks, speech):
    model = net(tasks={"gender": tasks["gender"], "rebuilt": "reconstruction"})
    assert plain(pickle.loads(pickle.dumps(model)).tasks) == plain(model.tasks)
    model.fit(speech.X, speech.y, aux=speech.aux)
    again = pickle.loads(pickle.dumps(model))
    assert plain(again.tasks) == plain(model.tasks)
    assert again.predict_aux(speech.X).equals(model.predict_aux(speech.X))


@pytest.mark.parametrize("routing", [False, True])
def test_grid_search_over_tasks_in_a_pipeline(speech, routing):
    tasks = {"gender": ClassificationTask(), "arousal": "ccc"}
    weights, kinds = [0.0, 1.0], ["ccc", RegressionTask(weight=0.5)]
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), net(tasks=tasks, hidden_units=(8, 8))),
            {
                "mtlneuralclassifier__tasks__gender__weight": weights,
                "mtlneuralclassifier__tasks__arousal": kinds,
                "mtlneuralclassifier__encoder_params__residual": [True, False],
            },
            cv=SpeakerKFold(2) if routing else 2,
            error_score="raise",
        )
        given = (
            {"aux": speech.aux, "speaker": speech.speaker}
            if routing
            else {"mtlneuralclassifier__aux": speech.aux}
        )
        search.fit(speech.X, speech.y, **given)
    assert plain(tasks) == plain({"gender": ClassificationTask(), "arousal": "ccc"})
    results = search.cv_results_
    assert len(results["params"]) == 8
    best = search.best_estimator_[-1]
    chosen = search.best_params_["mtlneuralclassifier__tasks__gender__weight"]
    assert best.tasks["gender"].weight == chosen
    assert best.history_["weight_gender"].iloc[0] == chosen
    assert len(np.unique(results["mean_test_score"])) > 1


def test_grid_search_over_the_whole_of_tasks(speech):
    candidates = [None, {"gender": "adversarial"}, {"rebuilt": ReconstructionTask(weight=0.1)}]
    search = GridSearchCV(net(), {"tasks": candidates}, cv=2, error_score="raise")
    search.fit(speech.X, speech.y, aux=speech.aux)
    assert [params["tasks"] for params in search.cv_results_["params"]] == candidates
