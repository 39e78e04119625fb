"""Weighting of losses, each scheme compared with a plain loop."""

import numpy as np
import pytest
import torch

from sklearn_ser.neural_network import (
    ClassificationTask,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
    RegressionTask,
)
from sklearn_ser.neural_network._module import MultiTaskModule, make_head
from sklearn_ser.neural_network.tasks._classification import (
    FittedClassification,
    FittedDomainAdversarial,
)
from sklearn_ser.neural_network.tasks._contrastive import FittedContrastive
from sklearn_ser.neural_network.tasks._losses import FixedWeighting, PCGrad, UncertaintyWeighting
from sklearn_ser.neural_network.tasks._reconstruction import FittedReconstruction
from sklearn_ser.neural_network.tasks._regression import FittedRegression

TASKS = [
    FittedClassification("y", 1.0, ClassificationTask(), np.array(["a", "b"])),
    FittedRegression("mse", 0.5, RegressionTask(), 0.0, 1.0),
    FittedClassification("idle", 0.0, ClassificationTask(), np.array(["f", "m"])),
    FittedRegression("ccc", 0.3, RegressionTask(loss="ccc"), 0.0, 1.0),
    FittedDomainAdversarial("corpus", 0.2, DomainAdversarialTask(), np.array(["x", "y"])),
    FittedReconstruction("rebuilt", 0.4, ReconstructionTask(), 3),
    FittedContrastive("clusters", 0.1, ContrastiveTask(), 4),
]
ACTIVE = [0, 1, 3, 4, 5, 6]
FACTORS = [1.0, 0.5, 0.3, 0.2, 0.4, 0.1]
#: Factors 0.5 belong to squared errors, half of which is a Gaussian's negative log-likelihood.
HALF = [1.0, 0.5, 1.0, 1.0, 0.5, 1.0]


@pytest.fixture
def module():
    generator = torch.Generator().manual_seed(0)
    encoder = torch.nn.Sequential(make_head(3, (5,), 4, generator), torch.nn.Tanh())
    heads = [make_head(4, (), task.n_outputs, generator) for task in TASKS]
    return MultiTaskModule(encoder, heads).double()


def losses_of(module, seed=0, signs=(1, -1, 1, 1, -1, 1, 1)):
    """Return one loss per task, some of which conflict."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    return [
        (output - sign * (task + 1)).square().mean()
        for task, (output, sign) in enumerate(zip(module(x), signs, strict=True))
    ]


def gradients_of(module):
    return {
        name: None if part.grad is None else part.grad.clone()
        for name, part in module.named_parameters()
    }


def gradients_after(module, scheme, **given):
    module.zero_grad(set_to_none=True)
    scheme.backward(losses_of(module, **given), torch.ones(len(TASKS)), module)
    return gradients_of(module)


def test_fixed_is_the_weighted_sum(module):
    found = gradients_after(module, FixedWeighting(TASKS))
    module.zero_grad(set_to_none=True)
    losses = losses_of(module)
    sum(factor * losses[index] for factor, index in zip(FACTORS, ACTIVE, strict=True)).backward()
    torch.testing.assert_close(found, gradients_of(module))
    assert found["heads.2.weight"] is None
    assert FixedWeighting(TASKS).current() == [1.0, 0.5, 0.0, 0.3, 0.2, 0.4, 0.1]


def test_uncertainty_weighting_equals_a_plain_loop(module):
    """Twenty steps of plain gradient descent; in every third batch a task has no target."""
    scheme = UncertaintyWeighting(TASKS).double()
    own = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in ACTIVE]
    for step in range(20):
        counted = torch.ones(len(TASKS), dtype=torch.float64)
        if step % 3 == 0:
            counted[1] = 0.0
        losses = [loss.detach().requires_grad_() for loss in losses_of(module, seed=step)]
        if step % 3 == 0:
            losses[1] = torch.zeros((), dtype=torch.float64, requires_grad=True)
        scheme.zero_grad()
        counted[-1] = step / 20  # fraction of the samples
        scheme.backward(losses, counted, module)
        found = [losses[index].grad.clone() for index in ACTIVE]
        total = 0.0
        for position, index in enumerate(ACTIVE):
            loss = HALF[position] * torch.exp(-own[position]) * losses[index].detach()
            loss = loss + 0.5 * own[position] * counted[index].item()
            total = total + FACTORS[position] * loss
        by_hand = torch.autograd.grad(total, own)
        torch.testing.assert_close(scheme.log_variances.grad, torch.stack(by_hand))
        expected = [
            factor * half * np.exp(-s.item())
            for factor, half, s in zip(FACTORS, HALF, own, strict=True)
        ]
        np.testing.assert_allclose(torch.stack(found), expected)
        np.testing.assert_allclose([scheme.current()[index] for index in ACTIVE], expected)
        with torch.no_grad():
            scheme.log_variances -= 0.1 * scheme.log_variances.grad
            for value, gradient in zip(own, by_hand, strict=True):
                value -= 0.1 * gradient
    assert losses[2].grad is None
    assert scheme.current()[2] == 0.0
    assert np.ptp(expected / np.multiply(FACTORS, HALF)) > 0.1


def projected(gradients, generator):
    """Project gradients by algorithm 1 of Yu et al. (2020), in numpy."""
    results = []
    for index, gradient in enumerate(gradients):
        gradient = gradient.copy()
        for other in torch.randperm(len(gradients), generator=generator).tolist():
            if other != index and gradient @ gradients[other] < 0:
                against = gradients[other]
                gradient -= (gradient @ against) / (against @ against) * against
        results.append(gradient)
    return sum(results)


def shared_gradients(module, **given):
    """Return the weighted gradient of each active task for the encoder."""
    found = []
    for factor, index in zip(FACTORS, ACTIVE, strict=True):
        module.zero_grad()
        (factor * losses_of(module, **given)[index]).backward()
        found.append(shared_part(gradients_of(module)))
    return found


def shared_part(gradients):
    return np.concatenate(
        [value.numpy().ravel() for name, value in gradients.items() if name.startswith("encoder")]
    )


def test_pcgrad_projects_conflicting_gradients(module):
    gradients = shared_gradients(module)
    assert min(a @ b for a in gradients for b in gradients) < 0
    found = gradients_after(module, PCGrad(TASKS, torch.Generator().manual_seed(5)))
    expected = projected(gradients, torch.Generator().manual_seed(5))
    np.testing.assert_allclose(shared_part(found), expected)
    fixed = gradients_after(module, FixedWeighting(TASKS))
    assert np.linalg.norm(shared_part(found) - shared_part(fixed)) > 0.1
    for name in fixed:  # each head belongs to one task
        if name.startswith("heads"):
            torch.testing.assert_close(found[name], fixed[name])


def test_pcgrad_keeps_gradients_that_agree(module):
    """All tasks have the same target output."""
    with torch.no_grad():
        for head in module.heads:
            head.weight.fill_(0.5)
            head.bias.zero_()
    signs = [1] * len(TASKS)
    gradients = shared_gradients(module, signs=signs)
    assert min(a @ b for a in gradients for b in gradients) > 0
    found = gradients_after(module, PCGrad(TASKS, torch.Generator().manual_seed(5)), signs=signs)
    fixed = gradients_after(module, FixedWeighting(TASKS), signs=signs)
    torch.testing.assert_close(found, fixed)


def test_pcgrad_with_frozen_parameters_and_zero_gradients(module):
    module.encoder[0][0].weight.requires_grad_(False)
    losses = losses_of(module)
    losses[1] = losses[1] * 0.0
    PCGrad(TASKS, torch.Generator().manual_seed(5)).backward(losses, torch.ones(len(TASKS)), module)
    found = gradients_of(module)
    assert found["encoder.0.0.weight"] is None
    assert torch.isfinite(found["encoder.0.2.weight"]).all()
    assert found["encoder.0.2.weight"].abs().max() > 1e-3
    assert torch.equal(found["heads.1.weight"], torch.zeros_like(found["heads.1.weight"]))


@pytest.mark.parametrize("scheme", ["uncertainty", "pcgrad"])
def test_estimators_learn_with_every_scheme(speech, scheme):
    model = MTLNeuralClassifier(loss_weighting=scheme, max_epochs=20, random_state=0)
    model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    assert model.score(speech.X, speech.y) > 0.75
    assert (model.score_aux(speech.X, speech.aux) > [0.75, 0.4]).all()
    weights = model.history_.filter(like="weight_")
    moved = (weights.iloc[0] != weights.iloc[-1]).tolist()
    assert moved == [scheme == "uncertainty"] * 3


@pytest.mark.parametrize("scheme", ["fixed", "uncertainty", "pcgrad"])
def test_consistency_may_start_later(speech, scheme):
    """The loss is 0 before the start."""
    y = speech.y.astype(object)
    y[::3] = None
    model = MTLNeuralClassifier(
        tasks={"consistency": "consistency", "gender": "classification"},
        loss_weighting=scheme,
        unlabeled="nan",
        max_epochs=4,
        random_state=0,
    )
    model.set_params(tasks__consistency__start=0.5, tasks__consistency__threshold=0.0)
    losses = model.fit(speech.X, y, aux=speech.aux).history_["train_loss_consistency"]
    assert losses.iloc[0] == 0.0
    assert losses.iloc[-1] > 0.0
