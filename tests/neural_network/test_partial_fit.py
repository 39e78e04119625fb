"""partial_fit and warm_start: going on from where training is."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network import (
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
)

CLASSES = ["anger", "neutral", "sadness"]
EVERYTHING = {
    "tasks": {
        "gender": DomainAdversarialTask(),
        "arousal": "ccc",
        "copy": ReconstructionTask(),
        "near": ContrastiveTask(across="gender"),
    },
    "perturbation__mixup_alpha": 0.3,
    "perturbation__noise": 0.2,
    "perturbation__dropout": 0.1,
    "n_estimators": 2,
}


def net(**parameters):
    given = {
        "max_epochs": 6,
        "random_state": 0,
        "validation__refit": False,
        "perturbation__noise": 0.0,
    }
    return MTLNeuralClassifier().set_params(**given | parameters)


def passes(speech, n, model, between=lambda model: model, **given):
    for _ in range(n):
        model = between(model)
        model.partial_fit(speech.X, speech.y, classes=CLASSES, aux=speech.aux, **given)
    return model


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "pcgrad"])
def test_pickling_between_passes_changes_nothing(speech, weighting):
    parameters = {"loss_weighting": weighting, **EVERYTHING}
    straight = passes(speech, 4, net(**parameters))
    pickled = passes(
        speech, 4, net(**parameters), between=lambda model: pickle.loads(pickle.dumps(model))
    )
    assert pickled._weights == straight._weights
    pd.testing.assert_frame_equal(pickled.history_, straight.history_)
    assert straight.history_.loc[1].index.tolist() == [1, 2, 3, 4]
    assert (straight.n_iter_, straight.best_epoch_) == (4, 4)


def test_passes_equal_plain_torch_steps_with_one_optimizer(speech):
    """The state of AdamW is handed from pass to pass, by pickle too."""
    parameters = {
        "dropout": 0.0,
        "perturbation__noise": 0.0,
        "batch_size": None,
        "compute__dtype": "float64",
        "lr": 0.01,
        "optimization__weight_decay": 0.1,
    }
    n_passes = 8
    model = net(**parameters, tasks=None)
    passes(speech, 1, model)
    # The first weights are those of a network that was trained with a rate of almost nothing.
    start = net(**parameters, tasks=None).set_params(lr=1e-300)
    module = passes(speech, 1, start).net_.module_.train()
    model = passes(speech, n_passes - 1, model, lambda model: pickle.loads(pickle.dumps(model)))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01, weight_decay=0.1)
    x = torch.from_numpy(speech.X.astype(float))
    codes = torch.from_numpy(np.searchsorted(CLASSES, speech.y))
    losses = []
    for _ in range(n_passes):
        optimizer.zero_grad()
        loss = cross_entropy(module(x)[0], codes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(model.history_["train_loss_y"], losses, rtol=1e-9)
    for found, expected in zip(model.net_.module_.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("weighting", ["uncertainty", "pcgrad"])
def test_without_chance_passes_are_the_epochs_of_a_fit(speech, weighting):
    """What weighs the losses goes on, and so do its steps."""
    exact = {
        "dropout": 0.0,
        "perturbation__noise": 0.0,
        "batch_size": None,
        "compute__dtype": "float64",
    }
    tasks = {"gender": "auto"}  # of two gradients, their order does not matter
    parameters = {"tasks": tasks, "early_stopping": False, "max_epochs": 5, **exact}
    parameters["lr"] = 0.02
    parameters["loss_weighting"] = weighting
    in_one = net(**parameters).fit(speech.X, speech.y, aux=speech.aux)
    in_passes = passes(speech, 5, net(**parameters))
    pd.testing.assert_frame_equal(in_passes.history_, in_one.history_, rtol=1e-6)
    if weighting == "uncertainty":
        assert in_one.history_["weight_y"].nunique() == 5


def test_each_pass_has_an_order_and_dropout_of_its_own(speech):
    frozen = {"lr": 1e-30, "optimization__weight_decay": 0.0}  # losses differ by chance alone
    losses = passes(speech, 5, net(**frozen)).history_["train_loss_y"]
    assert losses.nunique() == 5


def test_it_learns(speech):
    model = passes(speech, 25, net())
    assert model.score(speech.X, speech.y) > 0.8
    assert model.score_aux(speech.X, speech.aux)["gender"] > 0.8


@pytest.mark.parametrize(
    ("random_state", "same"),
    [(0, True), (np.random.RandomState(0), False), (None, False)],
)
def test_the_seed_is_drawn_once_and_retained(speech, random_state, same):
    """An int repeats a fit, a RandomState goes on; further passes follow from the first."""
    model = net(random_state=random_state)
    first = passes(speech, 2, model)._weights
    state = pickle.dumps(model)
    again = passes(speech, 2, net(random_state=random_state))._weights
    assert (again == first) is same
    one, other = pickle.loads(state), pickle.loads(state)
    assert passes(speech, 2, one)._weights == passes(speech, 2, other)._weights


def test_rows_may_lack_classes_and_columns(speech):
    model = net()
    model.partial_fit(speech.X, speech.y, classes=CLASSES, aux=speech.aux)
    anger = speech.y == "anger"
    model.partial_fit(speech.X[anger], speech.y[anger], aux=speech.aux.loc[anger, ["gender"]])
    model.partial_fit(speech.X[:30], speech.y[:30])
    history = model.history_
    assert history["train_loss_y"].notna().all()
    assert history["train_loss_gender"].isna().tolist() == [False, False, True]
    assert history["train_loss_arousal"].isna().tolist() == [False, True, True]
    assert np.isfinite(history["train_loss"]).all()
    assert model.predict_aux(speech.X).columns.tolist() == ["gender", "arousal"]
    # Further columns are not learned: the tasks are those of the first call.
    model.partial_fit(speech.X, speech.y, aux=speech.aux.assign(more="x"))
    assert model.predict_aux(speech.X).columns.tolist() == ["gender", "arousal"]


def test_all_samples_may_be_unlabeled(speech):
    """Once the classes are known; the auxiliary tasks are trained, and nothing has diverged."""
    model = passes(speech, 1, net(unlabeled="nan"))
    model.partial_fit(speech.X, [None] * 240, aux=speech.aux)
    history = model.history_
    assert history["train_loss_y"].isna().tolist() == [False, True]
    assert history["train_loss_gender"].notna().all()
    assert model.classes_.tolist() == CLASSES
    assert np.isfinite(model.predict_proba(speech.X)).all()
    with pytest.raises(ValueError, match=r"y has no labeled sample \(unlabeled='nan'\)"):
        net(unlabeled="nan").fit(speech.X, [None] * 240, aux=speech.aux)


def test_a_first_call_may_lack_classes(speech):
    rows = speech.y != "sadness"
    model = net(y_task__class_weight="balanced", y_task__logit_adjustment=1.0)
    model.partial_fit(speech.X[rows], speech.y[rows], classes=CLASSES)
    assert model.classes_.tolist() == CLASSES
    assert model.predict_proba(speech.X).shape == (240, 3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"y": ["joy", *["anger"] * 239]},
            ValueError,
            "y contains the labels ['joy'], which are not among the classes ['anger', 'neutral', "
            "'sadness'] of the fitted network.",
        ),
        (
            {"classes": ["anger", "joy"]},
            ValueError,
            "`classes=['anger', 'joy']` is not the same as on last call to partial_fit",
        ),
        (
            {"aux": pd.DataFrame({"gender": ["diverse"] * 240})},
            MetadataError,
            "aux column 'gender' has the labels ['diverse'], which the fitted network does not "
            "know: its classes are ['female', 'male']. Mark these labels as "
            "missing (None) to learn the other targets of the samples, or set warm_start=False and "
            "call fit to train from scratch.",
        ),
        ({"X": np.zeros((240, 9))}, ValueError, "X has 9 features, but MTLNeuralClassifier is"),
        (
            {"hidden_units": (64,)},
            ValueError,
            "training cannot continue from the fitted network, which has another architecture: "
            "hidden_units is [64] now and was [128]. Set warm_start=False, or call fit, to train "
            "a new network.",
        ),
        ({"activation": "gelu"}, ValueError, "activation is 'gelu' now and was 'relu'"),
        ({"compute__dtype": "float64"}, ValueError, "dtype is 'float64' now and was 'float32'"),
        ({"encoder": "attention"}, ValueError, 'encoder="attention" takes frame sequences'),
        (
            {"n_estimators": 2},
            ValueError,
            "n_estimators is 2 now, and 1 networks were fitted",
        ),
        (
            {"tasks": {"corpus": "classification"}},
            ValueError,
            "tasks names ['corpus'], which the fitted network does not have: its tasks are "
            "['gender', 'arousal']. Set warm_start=False to train a new network.",
        ),
    ],
)
def test_what_cannot_be_continued_raises_an_error_and_changes_nothing(
    speech, given, error, message
):
    model = passes(speech, 1, net())
    before = model._weights
    parameters = {name: value for name, value in given.items() if name in model.get_params()}
    arguments = {"X": speech.X, "y": speech.y} | {
        name: value for name, value in given.items() if name not in parameters
    }
    warm = pickle.loads(pickle.dumps(model)).set_params(warm_start=True, **parameters)
    with pytest.raises(error, match=re.escape(message)):
        model.set_params(**parameters).partial_fit(**arguments)
    assert (model._weights, model.n_iter_) == (before, 1)
    if "classes" not in arguments:
        with pytest.raises(error, match=re.escape(message)):
            warm.fit(**arguments)


def test_the_first_call_needs_classes(speech):
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        net().partial_fit(speech.X, speech.y)
    with pytest.raises(
        ValueError, match=r"classes must contain at least 2 labels, got \['anger'\]"
    ):
        net().partial_fit(speech.X, ["anger"] * 240, classes=["anger"])
    y = np.arange(240) % 3 - 1
    with pytest.raises(ValueError, match=r"classes contains \[-1, 0, 1\], among them the"):
        net(unlabeled=-1).partial_fit(speech.X, y, classes=[-1, 0, 1])
    assert net().partial_fit(speech.X, y, classes=[-1, 0, 1]).classes_.tolist() == [-1, 0, 1]


def test_other_tasks_in_the_sum_reset_the_optimizer(speech):
    tasks = {"gender": "classification", "arousal": "regression"}
    model = passes(speech, 2, net(loss_weighting="uncertainty", tasks=tasks))
    head = model.net_.module_.heads[1].weight.clone()
    model.set_params(tasks__gender__weight=0.0)
    passes(speech, 1, model)
    assert torch.equal(model.net_.module_.heads[1].weight, head)
    assert model.history_["weight_gender"].iloc[-1] == 0.0
    model.set_params(loss_weighting="pcgrad", tasks__gender__weight=0.5)
    assert np.isfinite(passes(speech, 2, model).history_["train_loss"]).all()


def test_fit_starts_from_scratch(speech):
    fresh = net().fit(speech.X, speech.y, aux=speech.aux)
    model = passes(speech, 3, net()).fit(speech.X, speech.y, aux=speech.aux)
    assert model._weights == fresh._weights
    pd.testing.assert_frame_equal(model.history_, fresh.history_)


def test_partial_fit_after_fit_continues_its_history_and_temperature(speech):
    model = net(calibrate=True, n_estimators=2)
    model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    fitted = model.members_
    assert (fitted["temperature"] != 1.0).all()
    passes(speech, 2, model)
    members = model.members_
    assert members["temperature"].tolist() == fitted["temperature"].tolist()
    assert members["n_iter"].tolist() == [n + 2 for n in fitted["n_iter"]]
    history = model.history_.loc[0]
    assert history["valid_loss"].isna().tolist() == [False] * fitted["n_iter"][0] + [True] * 2
    assert model.validation_split_["kind"] == "none"
    assert model.validation_split_["reason"] == "partial_fit holds nothing out"


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_rows_without_any_target_can_be_passed(speech, noise):
    model = net(tasks=None, perturbation__noise=noise)
    model.fit(speech.X, speech.y, groups=speech.speaker)
    model.set_params(unlabeled=-1).partial_fit(speech.X, np.full(240, -1, dtype=object))
    assert np.isfinite(model.predict_proba(speech.X)).all()
    assert model.score(speech.X, speech.y) > 0.5
