"""The loss against plain torch, and what masks and weights do to it."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from sklearn_ser.neural_network._module import build_module
from sklearn_ser.neural_network.tasks._classification import FittedClassification
from sklearn_ser.neural_network.tasks._losses import MultiTaskLoss
from sklearn_ser.neural_network.tasks._regression import FittedRegression

TASKS = [
    FittedClassification("y", 1.0, np.array(["a", "b", "c"])),
    FittedClassification("gender", 0.3, np.array(["f", "m"])),
    FittedRegression("arousal", 0.5, mean=0.0, scale=1.0),
]


@pytest.fixture
def batch():
    """Outputs, targets and weights of six rows; some have no gender, some no arousal."""
    generator = torch.Generator().manual_seed(0)
    outputs = [
        torch.randn(6, task.n_outputs, generator=generator, dtype=torch.float64) for task in TASKS
    ]
    targets = [
        torch.tensor([0, 1, 2, 0, 1, 2]),
        torch.tensor([0, 1, -1, 1, -1, 0]),
        torch.tensor([0.5, 0.0, -1.0, 0.0, 2.0, 0.0], dtype=torch.float64),
    ]
    weights = torch.tensor(
        [[1, 1, 1], [2, 2, 0], [1, 0, 1], [3, 3, 0], [1, 0, 1], [2, 2, 0]], dtype=torch.float64
    )
    return outputs, targets, weights


def rows(batch, positions):
    outputs, targets, weights = batch
    return (
        [output[positions] for output in outputs],
        [target[positions] for target in targets],
        weights[positions],
    )


def test_losses_and_their_sum_are_those_of_plain_torch(batch):
    outputs, targets, weights = batch
    loss = MultiTaskLoss(TASKS)
    losses = loss.per_task(*batch)
    emotion = functional.cross_entropy(outputs[0], targets[0], reduction="none")
    known = torch.tensor([0, 1, 3, 5])
    gender = functional.cross_entropy(outputs[1][known], targets[1][known], reduction="none")
    arousal = (outputs[2][[0, 2, 4], 0] - targets[2][[0, 2, 4]]) ** 2
    expected = [
        (emotion * weights[:, 0]).sum() / 10,
        (gender * weights[known, 1]).sum() / 8,
        arousal.mean(),
    ]
    torch.testing.assert_close(losses, expected)


def test_the_gradient_is_that_of_the_weighted_sum(batch):
    outputs, targets, weights = batch
    gradients = []
    for backward in (
        lambda losses, loss: loss.weighting.backward(losses, loss.counted, None),
        lambda losses, loss: (losses[0] + 0.3 * losses[1] + 0.5 * losses[2]).backward(),
    ):
        given = [output.clone().requires_grad_() for output in outputs]
        loss = MultiTaskLoss(TASKS)
        backward(loss.per_task(given, targets, weights), loss)
        gradients.append([output.grad for output in given])
    torch.testing.assert_close(*gradients)


def test_weight_k_equals_k_copies(batch):
    outputs, targets, weights = batch
    copies = torch.tensor([0, 1, 1, 2, 3, 3, 3, 4, 5, 5])
    repeated_outputs, repeated_targets, repeated_weights = rows(batch, copies)
    present = (repeated_weights > 0).double()
    loss = MultiTaskLoss(TASKS)
    torch.testing.assert_close(
        loss.per_task(outputs, targets, weights),
        loss.per_task(repeated_outputs, repeated_targets, present),
    )


def test_a_batch_without_labels_costs_nothing_and_gives_no_nan(batch):
    outputs, targets, weights = batch
    outputs = [output.requires_grad_() for output in outputs]
    weights = weights.clone()
    weights[:, 1:] = 0.0
    targets = [targets[0], torch.full((6,), -1), torch.zeros(6, dtype=torch.float64)]
    loss = MultiTaskLoss(TASKS)
    losses = loss.per_task(outputs, targets, weights)
    assert [value.detach().item() for value in losses[1:]] == [0.0, 0.0]
    assert loss.counted.tolist() == [1.0, 0.0, 0.0]
    loss.weighting.backward(losses, loss.counted, None)
    assert torch.equal(outputs[1].grad, torch.zeros_like(outputs[1]))
    assert torch.equal(outputs[2].grad, torch.zeros_like(outputs[2]))
    assert torch.isfinite(outputs[0].grad).all()
    assert outputs[0].grad.abs().sum() > 0


def test_a_row_masked_for_a_task_leaves_its_head_alone(batch):
    gradients = []
    for outputs, targets, weights in (batch, rows(batch, torch.tensor([0, 1, 3, 5]))):
        output = outputs[1].clone().requires_grad_()
        MultiTaskLoss(TASKS).per_task([outputs[0], output, outputs[2]], targets, weights)[
            1
        ].backward()
        gradients.append(output.grad)
    everywhere, only_known = gradients
    torch.testing.assert_close(everywhere[[0, 1, 3, 5]], only_known)
    assert torch.equal(everywhere[[2, 4]], torch.zeros(2, 2, dtype=torch.float64))


@pytest.mark.parametrize("position", range(len(TASKS)), ids=lambda i: TASKS[i].name)
def test_every_head_moves_the_encoder(batch, position):
    _, targets, weights = batch
    architecture = {
        "encoder": "mlp",
        "encoder_params": {"residual": False},
        "n_features": 4,
        "hidden_units": [5],
        "activation": "tanh",
        "dropout": 0.0,
        "dtype": "float64",
        "heads": {task.name: task.n_outputs for task in TASKS},
        "head_units": {},
    }
    module = build_module(architecture, device="cpu", seed=0)
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    MultiTaskLoss(TASKS).per_task(module(x), targets, weights)[position].backward()
    assert module.encoder.layers[0].weight.grad.abs().max() > 1e-3


def test_weight_zero_takes_a_task_out_of_the_sum(batch):
    outputs, targets, weights = batch
    outputs = [output.requires_grad_() for output in outputs]
    loss = MultiTaskLoss(
        [TASKS[0], FittedClassification("gender", 0.0, TASKS[1].classes), TASKS[2]]
    )
    losses = loss.per_task(outputs, targets, weights)
    loss.weighting.backward(losses, loss.counted, None)
    assert outputs[1].grad is None
    assert outputs[0].grad.abs().sum() > 0
