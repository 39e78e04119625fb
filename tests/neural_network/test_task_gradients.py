"""Gradients of every kind of task for the shared encoder: proportional to weight, or reversed."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback

from sklearn_ser.neural_network import (
    ClassificationTask,
    ConsistencyTask,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
    RegressionTask,
)

TASKS = {
    "classification": ClassificationTask(column="gender"),
    "mse": RegressionTask(column="arousal"),
    "ccc": RegressionTask(column="arousal", loss="ccc"),
    "adversarial": DomainAdversarialTask(column="gender", schedule="constant"),
    "reconstruction": ReconstructionTask(),
    "contrastive": ContrastiveTask(),
    "contrastive, of another column": ContrastiveTask(column="gender"),
    "contrastive, across": ContrastiveTask(across="gender"),
}
ENCODERS = {
    "rows": {"encoder": "mlp"},
    "frames": {"encoder": "attention"},
    "frame by frame": {"encoder": "frame_dnn", "encoder_params": {"pooling": "frames"}},
}


class Gradients(Callback):
    """Records the gradients of the first step for the encoder and the last head."""

    encoder = None

    def on_grad_computed(self, net, **kwargs):
        if self.encoder is None:
            module = net.module_
            self.encoder = flat(module.encoder)
            self.head = flat(module.heads[-1])


def flat(module):
    return torch.cat([part.grad.flatten() for part in module.parameters()]).numpy().copy()


@pytest.fixture(params=ENCODERS)
def first_step(request, speech, frames):
    """Function that returns the gradients of the first step, given a task or None."""
    data = speech if request.param == "rows" else frames

    def run(task, y=data.y, **parameters):
        recorder = Gradients()
        MTLNeuralClassifier().set_params(
            hidden_units=(16,),
            tasks=None if task is None else {"task": task},
            dropout=0.0,
            perturbation__noise=0.0,
            batch_size=None,
            max_epochs=1,
            early_stopping=False,
            compute__dtype="float64",
            random_state=0,
            callbacks=[recorder],
            **ENCODERS[request.param],
            **parameters,
        ).fit(data.X, y, aux=data.aux)
        return recorder

    return run


@pytest.mark.parametrize("name", TASKS)
def test_gradients_are_proportional_to_weights(first_step, name):
    def step(weight):
        task = clone(TASKS[name]).set_params(weight=weight)
        return first_step(task).encoder

    alone = first_step(None).encoder
    added = step(1.0) - alone
    assert np.linalg.norm(added) > 0.02 * np.linalg.norm(alone)
    np.testing.assert_allclose(step(2.5) - alone, 2.5 * added, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ENCODERS)
def test_consistency_changes_the_encoder(kind, speech, frames):
    data = speech if kind == "rows" else frames
    y = np.where(np.arange(len(data.y)) % 2, None, data.y.astype(object))

    def representation(weight):
        task = ConsistencyTask(weight=weight, threshold=0.0, start=0.0)
        model = MTLNeuralClassifier().set_params(
            hidden_units=(16,),
            tasks={"task": task},
            unlabeled="nan",
            max_epochs=3,
            early_stopping=False,
            random_state=0,
            **ENCODERS[kind],
        )
        return model.fit(data.X, y).transform(data.X)

    assert np.abs(representation(1.0) - representation(0.0)).max() > 1e-3


def test_the_gradient_of_an_adversarial_task_is_reversed(first_step):
    alone = first_step(None).encoder
    forwards = first_step(ClassificationTask(column="gender", weight=0.8))
    backwards = first_step(
        DomainAdversarialTask(column="gender", weight=0.8, strength=0.7, schedule="constant")
    )
    np.testing.assert_allclose(
        backwards.encoder - alone, -0.7 * (forwards.encoder - alone), rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(backwards.head, forwards.head, rtol=1e-12)
    assert np.linalg.norm(backwards.head) > 1e-3
    ramp = first_step(DomainAdversarialTask(column="gender", weight=0.8))
    assert np.array_equal(ramp.encoder, alone)  # the ramp starts at 0
    np.testing.assert_allclose(ramp.head, forwards.head, rtol=1e-12)


def test_an_adversarial_task_removes_its_labels(speech):
    gender = speech.aux["gender"]

    def accuracy_from_the_representation(task):
        model = MTLNeuralClassifier(
            hidden_units=(8,),
            tasks={"gender": task},
            aux_weight=1.0,
            dropout=0.0,
            max_epochs=60,
            lr=0.01,
            early_stopping=False,
            random_state=0,
        )
        shared = model.fit(speech.X, speech.y, aux=speech.aux).transform(speech.X)
        return LogisticRegression().fit(shared, gender).score(shared, gender)

    assert accuracy_from_the_representation("classification") > 0.88
    assert accuracy_from_the_representation("adversarial") < 0.8
