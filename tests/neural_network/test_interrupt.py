"""Ctrl-C: what is left, what is said; and errors, which leave an estimator as it was."""

import os
import re
import signal
import time

import numpy as np
import pytest
from skorch.callbacks import Callback

from sklearn_ser.exceptions import SerError, TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network.training import _fit_ensemble


class Interrupt(Callback):
    """Ctrl-C in a step of the given training (0 is the first) and epoch (from 1)."""

    def __init__(self, training, epoch, step=1):
        self.place = (training, epoch, step)
        self.training, self.step = -1, 0

    def on_train_begin(self, net, **kwargs):
        self.training += 1

    def on_epoch_begin(self, net, **kwargs):
        self.step = 0

    def on_batch_end(self, net, training=None, **kwargs):
        self.step += 1
        if (self.training, len(net.history), self.step) == self.place:
            raise KeyboardInterrupt


class InterruptAt(Callback):
    """A real Ctrl-C in the given call of a method, counted from 1."""

    def __init__(self, method, call=1):
        self.method, self.call, self.calls = method, call, 0
        setattr(self, method, self.press)

    def press(self, net, **kwargs):
        self.calls += 1
        if self.calls == self.call:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)  # it is there at the latest now


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """Python ignores SIGINT where it was started in the background of a shell script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def net(*interrupt, **parameters):
    given = {"max_epochs": 6, "random_state": 0, "batch_size": 48, "validation__refit": False}
    if interrupt:
        given["callbacks"] = [Interrupt(*interrupt)]
    return MTLNeuralClassifier().set_params(**given | parameters)


def interrupted(speech, model, message):
    with (
        pytest.warns(TrainingWarning, match=f"^{re.escape(message)}$") as caught,
        pytest.raises(KeyboardInterrupt),
    ):
        model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    return model


def whole(speech, **parameters):
    return net(**parameters).fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)


@pytest.mark.parametrize("averaging", [None, "ema", "swa"])
def test_the_last_complete_epoch_is_retained_without_validation(speech, averaging):
    parameters = {"early_stopping": False, "optimization__weight_averaging": averaging}
    message = (
        "training was interrupted after 3 of at most 6 epochs: the network is fitted with the "
        "weights of epoch 3"
    )
    model = interrupted(speech, net(0, 4, 2, **parameters), message)
    assert (model.n_iter_, model.best_epoch_) == (3, 3)
    if averaging is None:
        assert model._weights == whole(speech, max_epochs=3, early_stopping=False)._weights
    assert np.isfinite(model.predict_proba(speech.X)).all()


def test_in_the_second_network_of_an_ensemble(speech):
    message = (
        "training was interrupted in network 2 of 3, after 2 of at most 6 epochs: the estimator "
        "is fitted with 2 of them"
    )
    model = interrupted(speech, net(1, 3, n_estimators=3), message)
    assert len(model.members_) == 2
    assert model.members_["n_iter"].tolist() == [6, 2]
    assert model.history_.loc[1].index.tolist() == [1, 2]
    first = whole(speech)
    assert model._weights[0] == first._weights[0]
    assert model.predict_proba(speech.X).shape == (240, 3)
    assert model.transform(speech.X).shape == (240, 256)
    model.set_params(callbacks=None, warm_start=True)
    message = (
        "n_estimators is 3 now, and 2 networks were fitted. Set n_estimators=2 to continue "
        "training these, or warm_start=False and call fit to train new ones."
    )
    for go_on in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            go_on(speech.X, speech.y)
    assert (
        len(model.set_params(n_estimators=2).fit(speech.X, speech.y, aux=speech.aux).members_) == 2
    )


def test_before_the_first_epoch_of_the_second_network(speech):
    message = (
        "training was interrupted in network 2 of 2, after 0 of at most 6 epochs: the estimator "
        "is fitted with 1 of them"
    )
    model = interrupted(speech, net(1, 1, n_estimators=2), message)
    assert model._weights == whole(speech)._weights
    assert np.array_equal(model.predict_proba(speech.X), whole(speech).predict_proba(speech.X))


def test_in_the_refit_the_first_network_is_retained(speech):
    message = (
        "training was interrupted in the refit on all samples (validation__refit=True): "
        "the network is fitted with the weights of epoch 6"
    )
    model = interrupted(speech, net(1, 3, validation__refit=True), message)
    assert model._weights == whole(speech)._weights
    assert model.n_iter_ == 6


def test_before_the_first_epoch_of_the_refit(speech):
    message = (
        "training was interrupted in the refit on all samples (validation__refit=True): "
        "the network is fitted with the weights of epoch 6"
    )
    pressed = InterruptAt("on_train_begin", 2)
    model = interrupted(speech, net(validation__refit=True, callbacks=[pressed]), message)
    assert model._weights == whole(speech)._weights


def test_in_a_callback_at_the_end_of_an_epoch(speech):
    """skorch's EarlyStopping ends a training by the same error; a user interrupt is another."""
    message = (
        "training was interrupted in network 1 of 2, after 3 of at most 6 epochs: the estimator "
        "is fitted with 1 of them"
    )
    pressed = InterruptAt("on_epoch_end", 3)
    model = interrupted(speech, net(n_estimators=2, callbacks=[pressed]), message)
    assert (pressed.calls, model.n_iter_) == (3, 3)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_in_a_callback_at_the_end_of_the_training(speech, early_stopping):
    message = (
        "training was interrupted after 3 of at most 3 epochs: the network is fitted with the "
        "weights of epoch 3"
    )
    given = {"max_epochs": 3, "early_stopping": early_stopping}
    model = net(callbacks=[InterruptAt("on_train_end")], validation__refit=True, **given)
    interrupted(speech, model, message)
    assert model._weights == whole(speech, **given)._weights


def test_while_the_temperature_is_looked_for(speech, monkeypatch):
    def pressed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_fit_ensemble, "validation_temperature", pressed)
    message = (
        "training was interrupted in the fit of the temperature (calibrate=True), which "
        "stays 1: the network is fitted with the weights of epoch 6"
    )
    model = interrupted(speech, net(calibrate=True, validation__refit=True), message)
    assert model._weights == whole(speech)._weights
    assert model.members_["temperature"].tolist() == [1.0]


def test_before_the_first_epoch_the_estimator_is_unchanged(speech):
    model = net(1, 1, max_epochs=2)
    model.fit(speech.X, speech.y, aux=speech.aux)
    before = model.predict_proba(speech.X)
    with pytest.raises(KeyboardInterrupt):
        model.fit(speech.X[:, :5], speech.y)
    assert model.n_features_in_ == 8
    assert np.array_equal(model.predict_proba(speech.X), before)
    assert model.predict_aux(speech.X).columns.tolist() == ["gender", "arousal"]


def test_partial_fit_is_whole_or_not_at_all(speech):
    classes = np.unique(speech.y)
    model = net(3, 1, n_estimators=2, max_epochs=9)  # in the second network of the second call
    model.partial_fit(speech.X, speech.y, classes=classes)
    before = model._weights
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(speech.X, speech.y)
    assert (model._weights, model.n_iter_) == (before, 1)
    same = net(n_estimators=2, max_epochs=9).partial_fit(speech.X, speech.y, classes=classes)
    assert model.partial_fit(speech.X, speech.y)._weights == (
        same.partial_fit(speech.X, speech.y)._weights
    )


@pytest.mark.parametrize(
    ("X", "parameters", "error"),
    [
        (lambda X: X[:, :5] * np.float32(1e30), {"lr": 1e30}, SerError),
        (lambda X: X[:, :5], {"hidden_units": (0,)}, ValueError),
    ],
)
def test_after_an_error_the_estimator_is_unchanged(speech, X, parameters, error):
    model = net(max_epochs=2).fit(speech.X, speech.y)
    before = {name: value for name, value in vars(model).items() if name not in parameters}
    with pytest.raises(error):
        model.set_params(**parameters).fit(X(speech.X), speech.y)
    after = {name: value for name, value in vars(model).items() if name not in parameters}
    assert after == before
    assert model.predict(speech.X).shape == (240,)


def test_weights_that_left_the_numbers_in_the_last_step_are_found(speech):
    """The loss of the last epoch is of before its last step."""

    class Explode(Callback):
        def on_batch_end(self, net, training=None, **kwargs):
            if training and len(net.history) == 2:
                next(iter(net.module_.parameters())).data.fill_(np.nan)

    model = net(max_epochs=2, early_stopping=False, batch_size=None, callbacks=[Explode()])
    message = "training diverged: weights were not finite after epoch 2. Standardize the features"
    with pytest.raises(SerError, match=f"^{re.escape(message)}"):
        model.fit(speech.X, speech.y)
