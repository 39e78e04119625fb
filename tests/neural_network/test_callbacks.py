"""A user's own skorch callbacks: what they see, and what they can do."""

import json
import pickle
import re
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import callbacks
from skorch.callbacks import Callback

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import MTLNeuralClassifier


def plain_net(**params):
    """A network without what the defaults add to a single training."""
    return MTLNeuralClassifier().set_params(
        **{"validation__refit": False, "perturbation__noise": 0.0} | params
    )


def fitted(speech, *own, y=None, **parameters):
    model = plain_net(max_epochs=6, random_state=0, callbacks=[*own])
    return model.set_params(**parameters).fit(
        speech.X, speech.y if y is None else y, aux=speech.aux, groups=speech.speaker
    )


class Recorder(callbacks.Callback):
    """Notes what happens, and the last row of the history at the end of an epoch."""

    def __init__(self):
        self.events_, self.rows_ = [], []

    def on_train_begin(self, net, **kwargs):
        self.events_.append("train begins")

    def on_epoch_begin(self, net, **kwargs):
        self.events_.append("epoch begins")

    def on_batch_end(self, net, training=None, **kwargs):
        self.events_.append("step" if training else "evaluation")

    def on_epoch_end(self, net, **kwargs):
        self.events_.append("epoch ends")
        self.rows_.append(dict(net.history[-1]))

    def on_train_end(self, net, **kwargs):
        self.events_.append("train ends")
        self.n_epochs_ = len(net.history)
        self.weights_ = {name: value.clone() for name, value in net.module_.state_dict().items()}


def test_a_callback_sees_every_epoch_the_history_and_the_weights_that_are_retained(speech):
    y = np.random.default_rng(0).permutation(speech.y)
    own = Recorder()
    model = fitted(speech, own, y=y, patience=2, max_epochs=30, lr=0.01)
    assert model.n_iter_ < 30
    n_steps = -(-model.validation_split_["n_train"] // 64)
    epoch = ["epoch begins", *["step"] * n_steps, "evaluation", "epoch ends"]
    assert own.events_ == ["train begins", *epoch * model.n_iter_, "train ends"]
    for name, column in model.history_.items():
        assert [row[name] for row in own.rows_] == column.tolist()
    for name, value in model.net_.module_.state_dict().items():
        assert np.array_equal(own.weights_[name], value)


def test_callbacks_of_others_change_nothing_by_being_there(speech):
    assert fitted(speech, Recorder())._weights == fitted(speech)._weights


def test_skorch_early_stopping_ends_the_training_and_nothing_else(speech):
    y = np.random.default_rng(0).permutation(speech.y)
    stop = callbacks.EarlyStopping(monitor="valid_loss_y", patience=3, sink=lambda text: None)
    model = fitted(speech, stop, y=y, max_epochs=60, patience=50, lr=0.01)
    losses = model.history_["valid_loss_y"]
    assert model.n_iter_ == losses.idxmin() + 3 < 60
    assert model.best_epoch_ == losses.idxmin()
    # Without rows of our own held out, on the training loss; the last whole epoch's weights stay.
    stop = callbacks.EarlyStopping(
        monitor="train_loss", patience=1, threshold=0.5, sink=lambda text: None
    )
    model = fitted(speech, stop, early_stopping=False, max_epochs=60)
    assert model.n_iter_ == model.best_epoch_ < 60
    shorter = fitted(speech, early_stopping=False, max_epochs=model.n_iter_)
    assert model._weights == shorter._weights


@pytest.mark.parametrize("kind", ["instance", "class", "named"])
def test_callbacks_that_monitor_validation_samples_are_skipped_in_the_refit(speech, kind):
    y = np.random.default_rng(0).permutation(speech.y)
    stop = callbacks.EarlyStopping(patience=3, sink=lambda text: None)
    if kind == "class":
        stop = type("Quiet", (callbacks.EarlyStopping,), {"_sink": lambda *args, **kwargs: None})
    elif kind == "named":
        stop = ("stop", stop)
    clip, own = callbacks.GradientNormClipping(0.05), Recorder()
    given = {"y": y, "max_epochs": 30, "lr": 0.01, "validation__refit": True}
    model = fitted(speech, own, stop, clip, **given)
    assert model.n_iter_ < 30
    assert len(own.rows_) == model.n_iter_ + model.best_epoch_
    same = fitted(
        speech,
        y=y,
        max_epochs=model.best_epoch_,
        early_stopping=False,
        lr=0.01,
        optimization__max_grad_norm=0.05,
    )
    assert model._weights == same._weights


@pytest.mark.parametrize(
    "kind", [callbacks.EarlyStopping, callbacks.EarlyStopping(), callbacks.Checkpoint()]
)
def test_callbacks_that_monitor_validation_samples_need_some(speech, kind):
    name = getattr(kind, "__name__", type(kind).__name__)
    message = (
        f"callbacks[1]: {name} monitors validation samples, and with early_stopping=False there "
        "are none. Set early_stopping=True, or let it monitor"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        fitted(speech, Recorder(), kind, early_stopping=False)
    # An epoch of partial_fit holds nothing out, nor can a fit with too few rows.
    own = Recorder()
    model = plain_net(random_state=0, callbacks=[own, kind])
    model.partial_fit(speech.X, speech.y, classes=np.unique(speech.y))
    model.set_params(max_epochs=2).fit(speech.X[:3], speech.y[:3])
    assert model.validation_split_["kind"] == "none"
    assert own.events_.count("epoch ends") == 1 + 2


def test_skorch_lr_scheduler_sets_the_rates(speech):
    scheduler = callbacks.LRScheduler("StepLR", step_size=2, gamma=0.1)
    own = Recorder()
    fitted(speech, scheduler, own, max_epochs=6, lr=0.01)
    rates = [row["event_lr"] for row in own.rows_]
    np.testing.assert_allclose(rates, [0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4])


def test_skorch_clips_and_freezes(speech):
    clip = callbacks.GradientNormClipping(0.05)
    assert (
        fitted(speech, clip)._weights == fitted(speech, optimization__max_grad_norm=0.05)._weights
    )
    frozen = fitted(speech, callbacks.Freezer("encoder.*"), early_stopping=False)
    first = fitted(
        speech, early_stopping=False, max_epochs=1, lr=1e-30, optimization__weight_decay=0
    )
    assert np.array_equal(frozen.transform(speech.X), first.transform(speech.X))
    assert frozen.history_["train_loss"].iloc[-1] < frozen.history_["train_loss"].iloc[0]


def test_skorch_prints_and_shows_progress(speech, capsys):
    fitted(speech, callbacks.PrintLog(), callbacks.EpochTimer(), max_epochs=3)
    lines = capsys.readouterr().out.splitlines()
    of_tasks = ("_arousal", "_gender", "_y")
    assert "valid_loss_y" in lines[0]
    assert len(lines) == 2 + 3
    assert lines[0].split() == [
        "epoch",
        *(f"{part}_loss{of}" for part in ("train", "valid") for of in ("", *of_tasks)),
        *(f"valid_score{of}" for of in of_tasks),
        *(f"weight{of}" for of in of_tasks),
        "dur",
    ]
    fitted(speech, callbacks.ProgressBar(detect_notebook=False), max_epochs=2)
    assert "it/s" in capsys.readouterr().err
    assert fitted(speech).callbacks == []
    assert capsys.readouterr() == ("", "")


def test_every_network_of_an_ensemble_calls_them_in_turn(speech):
    own = Recorder()
    model = fitted(speech, own, n_estimators=3, max_epochs=2)
    assert own.events_.count("train begins") == own.events_.count("train ends") == 3
    losses = [row["train_loss"] for row in own.rows_]
    assert losses == model.history_["train_loss"].tolist()


def test_they_are_not_changed_by_searches_and_pickle(speech):
    own = Recorder()
    model = plain_net(max_epochs=2, random_state=0, callbacks=[own])
    assert clone(model).callbacks[0] is not own
    search = GridSearchCV(model, {"dropout": [0.0, 0.5]}, cv=SpeakerKFold(2), error_score="raise")
    search.fit(speech.X, speech.y, groups=speech.speaker)
    assert own.events_ == []
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert again.callbacks[0].events_.count("epoch ends") == 2
    assert np.array_equal(again.predict(speech.X), search.predict(speech.X))


def test_skorch_checkpoint_finds_the_best_epoch(speech, tmp_path):
    y = np.random.default_rng(0).permutation(speech.y)
    seen = Recorder()
    keep = callbacks.Checkpoint(dirname=str(tmp_path), event_name="kept", f_optimizer=None)
    model = fitted(speech, keep, seen, y=y, max_epochs=12, lr=0.01)
    losses = model.history_["valid_loss"]
    lowest = losses < losses.cummin().shift(fill_value=np.inf)
    assert [row["kept"] for row in seen.rows_] == lowest.tolist()
    assert not lowest.all()


def test_skorch_checkpoints_write_histories_that_can_be_read(speech, tmp_path):
    best, last = str(tmp_path / "best"), str(tmp_path / "last")
    without = {"f_optimizer": None, "f_criterion": None}
    seen = Recorder()
    model = fitted(
        speech,
        callbacks.Checkpoint(dirname=best, **without),
        callbacks.TrainEndCheckpoint(dirname=last, **without),
        seen,
    )
    rows = json.loads((tmp_path / "last" / "train_end_history.json").read_text())
    assert [row["train_loss_gender"] for row in rows] == model.history_[
        "train_loss_gender"
    ].tolist()
    assert all(isinstance(value, bool | int | float | list) for value in rows[0].values())
    n_written = len(json.loads((tmp_path / "best" / "history.json").read_text()))
    assert 1 <= n_written <= model.n_iter_
    again = fitted(
        speech, callbacks.LoadInitState(callbacks.Checkpoint(dirname=best)), seen, max_epochs=2
    )
    assert seen.n_epochs_ == n_written + 2
    assert again.history_.index.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            "bar",
            TypeError,
            r"^callbacks\[1\] must be a skorch callback, or a tuple of a name and a callback, got",
        ),
        (
            callbacks.EpochScoring("accuracy"),
            ValueError,
            r"^callbacks\[1\]: EpochScoring expects",
        ),
    ],
)
def test_other_objects_than_callbacks_raise_an_error(speech, given, error, message):
    with pytest.raises(error, match=message):
        fitted(speech, ("timer", callbacks.EpochTimer()), given)


def test_an_error_in_a_callback_is_the_users_own(speech):
    class Broken(callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            raise LookupError("my own")

    with pytest.raises(LookupError, match="my own"):
        fitted(speech, Broken())


@pytest.mark.parametrize("encoder", ["mlp", "frame_dnn"])
def test_batches_have_predictions(speech, frames, encoder):
    class Shapes(Callback):
        seen_: ClassVar = []

        def on_batch_end(self, net, batch, training, loss, y_pred, **kwargs):
            self.seen_.append((training, tuple(loss.shape), tuple(y_pred.shape), len(batch[0])))
            assert not y_pred.requires_grad

    data = speech if encoder == "mlp" else frames
    model = MTLNeuralClassifier(encoder=encoder, callbacks=[Shapes()], max_epochs=1)
    model.fit(data.X, data.y, aux=data.aux, groups=data.speaker)
    assert {training for training, *_ in Shapes.seen_} == {True, False}
    for _, loss, y_pred, n_samples in Shapes.seen_:
        assert loss == (1 + data.aux.shape[1],)
        assert y_pred == (n_samples, 3)


def test_verbose_2_prints_a_row_per_epoch(speech, capsys):
    model = MTLNeuralClassifier(max_epochs=3, verbose=2, random_state=0)
    model.set_params(validation__refit=False)
    model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    printed = capsys.readouterr()
    header, _, *rows = printed.out.splitlines()
    scores = ["valid_score_arousal", "valid_score_gender", "valid_score_y"]
    assert header.split() == ["epoch", "train_loss", "valid_loss", *scores, "dur"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert printed.err == ""
    silent = clone(model).set_params(verbose=0)
    silent.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    assert silent._weights == model._weights
    assert capsys.readouterr().out == ""
