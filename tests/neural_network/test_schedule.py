"""Learning rates and gradients as the optimizer really had them."""

import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_ser.neural_network import DomainAdversarialTask, MTLNeuralClassifier


def plain_net(**params):
    """A network without what the defaults add to a single training."""
    return MTLNeuralClassifier().set_params(
        **{"validation__refit": False, "perturbation__noise": 0.0} | params
    )


N_STEPS = 5 * 4  # of max_epochs=4 and 240 rows in batches of 48


class Steps(Callback):
    """Notes the optimizer's rate and the gradient's length in each step."""

    def __init__(self):
        self.rates, self.norms, self.reversal = [], [], []

    def on_batch_end(self, net, training=None, **kwargs):
        if training:
            self.rates.append([group["lr"] for group in net.optimizer_.param_groups])
            self.norms.append(flat(part.grad for part in net.module_.parameters()).norm().item())
            self.reversal.append(dict(net.module_.reversal))


def flat(parts):
    return torch.cat([part.detach().flatten().clone() for part in parts])


def noted(speech, aux=None, **parameters):
    steps = Steps()
    model = plain_net(
        max_epochs=4,
        batch_size=48,
        early_stopping=False,
        random_state=0,
        callbacks=[steps],
        lr=0.01,
    ).set_params(**parameters)
    return model.fit(speech.X, speech.y, aux=aux), steps


def expected_rates(schedule, warmup):
    """Half a step into each step, as a share of the whole training."""
    rates = []
    for step in range(N_STEPS):
        done = (step + 0.5) / N_STEPS
        if done < warmup:
            rates.append(0.01 * done / warmup)
            continue
        after = (done - warmup) / (1 - warmup)
        falling = {"linear": 1 - after, "cosine": (1 + math.cos(math.pi * after)) / 2}
        rates.append(0.01 * falling.get(schedule, 1.0))
    return rates


@pytest.mark.parametrize("warmup", [0.0, 0.3])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_optimizer_has_the_rates_of_the_schedule(speech, schedule, warmup):
    _, steps = noted(speech, optimization__lr_schedule=schedule, optimization__warmup=warmup)
    assert {len(rates) for rates in steps.rates} == {1}
    np.testing.assert_allclose(np.ravel(steps.rates), expected_rates(schedule, warmup), rtol=1e-12)


def test_learned_weights_of_losses_follow_the_schedule_too(speech):
    _, steps = noted(
        speech, speech.aux, loss_weighting="uncertainty", optimization__lr_schedule="linear"
    )
    rates = np.array(steps.rates)
    assert rates.shape == (N_STEPS, 2)
    np.testing.assert_allclose(
        rates, np.c_[expected_rates("linear", 0), expected_rates("linear", 0)]
    )


def test_an_early_end_does_not_stretch_the_schedule(speech):
    """The rates are planned over max_epochs, whichever epoch ends the training."""
    y = np.random.default_rng(0).permutation(speech.y)
    model, steps = noted(
        speech.__class__(X=speech.X, y=y),
        optimization__lr_schedule="linear",
        early_stopping=True,
        patience=1,
        max_epochs=50,
        lr=0.03,
    )
    assert model.n_iter_ < 25
    n_steps = 50 * len(steps.rates) / model.n_iter_
    assert steps.rates[0][0] == pytest.approx(0.03 * (1 - 0.5 / n_steps), rel=1e-3)
    assert steps.rates[-1][0] == pytest.approx(0.03 * (1 - model.n_iter_ / 50), rel=0.02)


def test_gradients_are_clipped_to_the_length_and_no_longer(speech):
    _, free = noted(speech)
    _, clipped = noted(speech, optimization__max_grad_norm=0.05)
    _, roomy = noted(speech, optimization__max_grad_norm=1e6)
    assert min(free.norms) > 0.05
    np.testing.assert_allclose(clipped.norms, 0.05, rtol=1e-4)
    # AdamW's first step has each weight's sign alone: the first batch is the same for both.
    assert free.norms[0] > 2 * clipped.norms[0]
    np.testing.assert_allclose(roomy.norms, free.norms, rtol=1e-6)


def test_adversaries_grow_by_the_plan_of_the_whole_training(speech):
    tasks = {"gender": DomainAdversarialTask(strength=2.0)}
    _, steps = noted(speech, speech.aux, tasks=tasks)
    found = [reversal[1] for reversal in steps.reversal]
    done = np.arange(N_STEPS) / N_STEPS
    np.testing.assert_allclose(found, 2.0 * (2 / (1 + np.exp(-10 * done)) - 1), rtol=1e-12)


def test_in_partial_fit_adversaries_grow_over_max_epochs_and_the_rate_stays(speech):
    tasks = {"gender": DomainAdversarialTask(strength=2.0)}
    steps = Steps()
    model = plain_net(
        max_epochs=4,
        batch_size=48,
        tasks=tasks,
        callbacks=[steps],
        optimization__lr_schedule="cosine",
        optimization__warmup=0.5,
        random_state=0,
    )
    for _ in range(6):
        model.partial_fit(speech.X, speech.y, classes=np.unique(speech.y), aux=speech.aux)
    done = np.minimum(np.arange(30) / N_STEPS, 1.0)
    found = [reversal[1] for reversal in steps.reversal]
    np.testing.assert_allclose(found, 2.0 * (2 / (1 + np.exp(-10 * done)) - 1), rtol=1e-12)
    assert set(np.ravel(steps.rates)) == {0.001}
