"""Averaged weights against plain means of the weights that a callback saw."""

import re

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch.nn.functional import cross_entropy

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier


def plain_net(**params):
    """A network without what the defaults add to a single training."""
    return MTLNeuralClassifier().set_params(
        **{"validation__refit": False, "perturbation__noise": 0.0} | params
    )


class Weights(Callback):
    """Notes all weights before training, after each step and after each epoch."""

    def __init__(self):
        self.steps, self.epochs = [], []

    def on_train_begin(self, net, **kwargs):
        self.steps.append(flat(net.module_))

    def on_batch_end(self, net, training=None, **kwargs):
        if training:
            self.steps.append(flat(net.module_))

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(flat(net.module_))


def flat(module):
    return torch.cat([part.detach().flatten() for part in module.parameters()]).double().numpy()


def averaged(speech, kind, **parameters):
    seen = Weights()
    model = plain_net(
        optimization__weight_averaging=kind,
        max_epochs=6,
        batch_size=48,
        lr=0.01,
        dropout=0.0,
        random_state=0,
        callbacks=[seen],
    ).set_params(**parameters)
    return model.fit(speech.X, speech.y, groups=speech.speaker), seen


def exponential_means(steps):
    """Of all weights up to each step; the decay is shorter in the first steps."""
    mean = steps[0]
    means = [mean]
    for count, weights in enumerate(steps[1:], start=1):
        decay = min(0.99, count / (count + 10))
        mean = decay * mean + (1 - decay) * weights
        means.append(mean)
    return means


def test_ema_is_the_exponential_mean_over_steps(speech):
    model, seen = averaged(speech, "ema", early_stopping=False)
    assert len(seen.steps) == 1 + 6 * 5
    np.testing.assert_allclose(
        flat(model.net_.module_), exponential_means(seen.steps)[-1], atol=1e-6
    )
    assert np.abs(flat(model.net_.module_) - seen.steps[-1]).max() > 1e-3


@pytest.mark.parametrize(("n_epochs", "first"), [(6, 3), (5, 2), (1, 0)])
def test_swa_is_the_mean_over_the_epochs_of_the_second_half(speech, n_epochs, first):
    model, seen = averaged(speech, "swa", early_stopping=False, max_epochs=n_epochs)
    # Epochs count from 1: of 6, those after the third; of 5, the third ends beyond the middle.
    np.testing.assert_allclose(
        flat(model.net_.module_), np.mean(seen.epochs[first:], axis=0), atol=1e-6
    )


def test_swa_in_the_refit_is_over_its_own_second_half(speech):
    """It ends long before half of `max_epochs`."""
    given = {"max_epochs": 100, "patience": 3, "validation__refit": True}
    model, seen = averaged(speech, "swa", **given)
    n_epochs = model.best_epoch_
    assert 4 <= n_epochs < 50
    assert len(seen.epochs) == model.n_iter_ + n_epochs
    refit = seen.epochs[model.n_iter_ :]
    np.testing.assert_allclose(
        flat(model.net_.module_), np.mean(refit[n_epochs // 2 :], axis=0), atol=1e-6
    )
    plain, _ = averaged(speech, None, **given)
    assert np.abs(flat(model.net_.module_) - flat(plain.net_.module_)).max() > 1e-3


def test_swa_that_never_began_is_warned_about(speech):
    text = (
        'weight_averaging="swa" had no effect: it starts after 50 of max_epochs=100 epochs, '
        "and the retained weights are those of epoch "
    )
    with pytest.warns(TrainingWarning, match=f"^{re.escape(text)}"):
        averaged(speech, "swa", max_epochs=100, patience=3)


def test_training_itself_does_not_see_the_average(speech):
    for kind in ("ema", "swa"):
        _, seen = averaged(speech, kind)
        _, plain = averaged(speech, None)
        shared = min(len(seen.steps), len(plain.steps))
        assert shared > 20
        assert np.array_equal(seen.steps[:shared], plain.steps[:shared])


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_what_is_validated_is_what_is_retained(speech, kind):
    """The best epoch's loss is that of the weights that predict: averaged, from memory."""
    rate = {"ema": 0.05, "swa": 2e-3}[kind]  # so that the best is an average
    model, _ = averaged(speech, kind, max_epochs=12, lr=rate, patience=3)
    held_out = np.isin(speech.speaker, model.validation_split_["groups"])
    losses = model.history_["valid_loss_y"]
    assert model.best_epoch_ == losses.idxmin()
    truth = np.searchsorted(model.classes_, speech.y[held_out])
    probabilities = model.predict_proba(speech.X[held_out])
    loss = -np.log(probabilities[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(losses.min(), rel=1e-5)


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_every_epochs_loss_is_that_of_the_average(speech, kind):
    """Against the network run by hand with averages of the recorded weights."""
    model, seen = averaged(speech, kind, patience=100)
    held_out = np.isin(speech.speaker, model.validation_split_["groups"])
    x = torch.from_numpy(speech.X[held_out])
    truth = torch.from_numpy(np.searchsorted(model.classes_, speech.y[held_out]))
    per_epoch = (len(seen.steps) - 1) // 6
    if kind == "ema":
        means = exponential_means(seen.steps)[per_epoch::per_epoch]
    else:
        means = [*seen.epochs[:3], *(np.mean(seen.epochs[3:end], axis=0) for end in (4, 5, 6))]
    module = model.net_.module_
    for mean, loss in zip(means, model.history_["valid_loss_y"], strict=True):
        torch.nn.utils.vector_to_parameters(torch.from_numpy(mean).float(), module.parameters())
        with torch.no_grad():
            assert cross_entropy(module(x)[0], truth).item() == pytest.approx(loss, rel=1e-4)


def test_partial_fit_does_not_average(speech):
    """Steps go on from the weights that were stepped to, not from a mean of them."""

    def fitted(kind):
        model = plain_net(optimization__weight_averaging=kind, random_state=0)
        for _ in range(3):
            model.partial_fit(speech.X, speech.y, classes=np.unique(speech.y))
        return model._weights

    assert fitted("ema") == fitted("swa") == fitted(None)
