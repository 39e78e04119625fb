"""Tasks of weight 0 do not change the results, bit for bit."""

import numpy as np
import pytest

from sklearn_ser.neural_network import (
    ClassificationTask,
    ConsistencyTask,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
    RegressionTask,
)

IDLE = {
    "gender": ClassificationTask(weight=0.0, logit_adjustment=1.0),
    "arousal": RegressionTask(weight=0.0),
    "excitement": RegressionTask(weight=0.0, column="arousal", loss="ccc"),
    "speaker": DomainAdversarialTask(weight=0.0, hidden_units=(4,)),
    "rebuilt": ReconstructionTask(weight=0.0),
    "clusters": ContrastiveTask(weight=0.0, across="speaker"),
}
EVERYTHING = {
    "perturbation__mixup_alpha": 0.4,
    "perturbation__noise": 0.3,
    "perturbation__dropout": 0.1,
    "optimization__max_grad_norm": 0.5,
    "optimization__weight_averaging": "ema",
    "optimization__lr_schedule": "cosine",
    "optimization__warmup": 0.2,
    "y_task__logit_adjustment": 1.0,
}
INPUTS = {
    "rows": {"encoder": "mlp"},
    "frames": {"encoder": "attention"},
    "frame by frame": {"encoder": "frame_dnn", "encoder_params": {"pooling": "frames"}},
}
schemes = pytest.mark.parametrize("scheme", ["fixed", "uncertainty", "pcgrad"])


def fit(data, inputs, tasks, **parameters):
    """Fit with sample weights whose sums are inexact, and an odd number of samples."""
    n_rows = len(data.y) - 3
    aux = data.aux.assign(speaker=data.speaker)[:n_rows]
    aux.loc[::5, "gender"] = None
    aux.loc[::7, "arousal"] = np.nan
    model = MTLNeuralClassifier().set_params(
        hidden_units=(16,),
        tasks=tasks,
        y_task__class_weight="balanced",
        max_epochs=3,
        device="cpu",
        random_state=0,
        **INPUTS[inputs] | parameters,
    )
    weights = np.random.default_rng(0).uniform(0.1, 3.0, size=n_rows)
    return model.fit(
        data.X[:n_rows],
        data.y[:n_rows],
        aux=aux if tasks else None,
        groups=data.speaker[:n_rows],
        sample_weight=weights,
    )


def check_equal(data, one, other):
    assert np.array_equal(one.predict_proba(data.X), other.predict_proba(data.X))
    assert np.array_equal(one.transform(data.X), other.transform(data.X))
    common = [name for name in one.history_ if name in other.history_]
    assert {"train_loss", "train_loss_y", "valid_loss_y", "valid_score_y", "weight_y"} <= {*common}
    assert one.history_[common].equals(other.history_[common])


@pytest.fixture
def data(inputs, speech, frames):
    return speech if inputs == "rows" else frames


@schemes
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("extras", [{}, EVERYTHING], ids=["plain", "everything"])
def test_all_tasks_of_weight_zero_equal_a_single_task(data, inputs, scheme, extras):
    idle = fit(data, inputs, IDLE, loss_weighting=scheme, **extras)
    check_equal(data, idle, fit(data, inputs, None, loss_weighting=scheme, **extras))
    assert len(idle.history_.filter(like="train_loss_").columns) == 7


@schemes
@pytest.mark.parametrize("inputs", INPUTS)
def test_tasks_of_weight_zero_between_other_tasks(data, inputs, scheme):
    learned = {
        "gender": ClassificationTask(weight=0.4),
        "arousal": RegressionTask(loss="ccc"),
    }
    idle = {name: task for name, task in IDLE.items() if name not in learned}
    between = {"gender": learned["gender"], **idle, "arousal": learned["arousal"]}
    parameters = EVERYTHING | {"loss_weighting": scheme}
    one, other = (fit(data, inputs, tasks, **parameters) for tasks in (learned, between))
    check_equal(data, one, other)
    aux = ["gender", "arousal"]
    assert one.predict_aux(data.X)[aux].equals(other.predict_aux(data.X)[aux])
    # The tasks that are learned change the results.
    assert not np.array_equal(
        one.predict_proba(data.X), fit(data, inputs, None, **parameters).predict_proba(data.X)
    )


@pytest.mark.parametrize("name", IDLE)
def test_each_task_alone(speech, name):
    idle = fit(speech, "rows", {name: IDLE[name]}, compute__dtype="float64")
    check_equal(speech, idle, fit(speech, "rows", None, compute__dtype="float64"))


def test_consistency(speech):
    y = speech.y.astype(object)
    y[::4] = None

    def fitted(tasks):
        model = MTLNeuralClassifier().set_params(
            tasks=tasks, unlabeled="nan", max_epochs=3, device="cpu", random_state=0, **EVERYTHING
        )
        return model.fit(speech.X, y, aux=speech.aux, groups=speech.speaker)

    idle = fitted({"consistency": ConsistencyTask(weight=0.0, start=0.0)})
    check_equal(speech, idle, fitted(None))


def test_an_ensemble_with_calibration(speech):
    parameters = {"n_estimators": 2, "calibrate": True, **EVERYTHING}
    idle, none = (fit(speech, "rows", tasks, **parameters) for tasks in (IDLE, None))
    check_equal(speech, idle, none)
    assert idle.members_.equals(none.members_)
