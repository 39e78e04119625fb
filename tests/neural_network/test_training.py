"""Results of training: the best weights, the history, the reason of its end."""

import contextlib
import pickle
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_ser.exceptions import SerError, TrainingWarning
from sklearn_ser.neural_network import AdversarialTraining, MTLNeuralClassifier
from sklearn_ser.neural_network.training import _train_network


def plain_net(**params):
    """A network without what the defaults add to a single training."""
    return MTLNeuralClassifier().set_params(
        **{"validation__refit": False, "perturbation__noise": 0.0} | params
    )


def test_history_has_a_column_for_each_task_and_part(speech):
    model = plain_net(max_epochs=3, random_state=0)
    history = model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker).history_
    assert history.index.tolist() == [1, 2, 3]
    tasks = ("y", "gender", "arousal")
    assert history.columns.tolist() == [
        *(
            f"{part}_loss{end}"
            for part in ("train", "valid")
            for end in ("", *map("_{}".format, tasks))
        ),
        *(f"valid_score_{task}" for task in tasks),
        *(f"weight_{task}" for task in tasks),
    ]
    assert (history[["weight_y", "weight_gender", "weight_arousal"]] == [1.0, 0.3, 0.3]).all(
        axis=None
    )
    for part in ("train", "valid"):
        total = (
            history[f"{part}_loss_y"]
            + 0.3 * history[f"{part}_loss_gender"]
            + 0.3 * history[f"{part}_loss_arousal"]
        )
        np.testing.assert_allclose(history[f"{part}_loss"], total)
    falling = history[["train_loss", "valid_loss", "valid_loss_y"]]
    assert (falling.iloc[-1] < falling.iloc[0]).all()


def test_the_best_epoch_is_retained_and_training_ends_in_time(speech):
    y = np.random.default_rng(0).permutation(speech.y)  # nothing to learn: it soon gets worse
    model = plain_net(max_epochs=60, patience=4, lr=0.01, random_state=0)
    model.fit(speech.X, y, groups=speech.speaker)
    losses = model.history_["valid_loss_y"]
    assert model.n_iter_ < 60
    assert model.best_epoch_ == losses.idxmin()
    assert model.n_iter_ == model.best_epoch_ + 4
    held_out = np.isin(speech.speaker, model.validation_split_["groups"])
    truth = np.searchsorted(model.classes_, y[held_out])
    probabilities = model.predict_proba(speech.X[held_out])
    loss = -np.log(probabilities[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(losses.min(), rel=1e-5)


def test_without_validation_samples_every_epoch_is_run(speech):
    model = plain_net(early_stopping=False, max_epochs=7, random_state=0)
    model.fit(speech.X, speech.y)
    assert (model.n_iter_, model.best_epoch_) == (7, 7)
    assert model.history_.columns.tolist() == ["train_loss", "train_loss_y", "weight_y"]


@pytest.fixture
def steps(monkeypatch):
    """Of each training step: its epoch, the batch's features, torch's number of threads."""
    noted = []
    step = _train_network.MultiTaskNet.train_step

    def train_step(self, batch, **fit_params):
        noted.append((len(self.history), batch[0].numpy().copy(), torch.get_num_threads()))
        return step(self, batch, **fit_params)

    monkeypatch.setattr(_train_network.MultiTaskNet, "train_step", train_step)
    return noted


def test_each_epoch_takes_every_row_once_in_a_new_order(speech, steps):
    model = plain_net(early_stopping=False, max_epochs=2, batch_size=50, random_state=0)
    model.fit(speech.X, speech.y)
    assert [len(batch) for _, batch, _ in steps] == 2 * [50, 50, 50, 50, 40]
    place = {row.tobytes(): position for position, row in enumerate(speech.X)}
    first, second = (
        [place[row.tobytes()] for at, batch, _ in steps if at == epoch for row in batch]
        for epoch in (1, 2)
    )
    in_order = list(range(240))
    assert sorted(first) == sorted(second) == in_order
    assert in_order not in (first, second)
    assert first != second


@pytest.mark.parametrize(("asked", "expected"), [(1, 1), (3, 3), (None, 2)])
def test_threads_are_set_and_restored(speech, steps, asked, expected):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        plain_net(max_epochs=1, compute__n_threads=asked).fit(speech.X, speech.y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert {threads for _, _, threads in steps} == {expected}


def test_weight_decay_shrinks_the_weights(speech):
    def weights(weight_decay):
        model = plain_net(
            optimization__weight_decay=weight_decay,
            max_epochs=1,
            batch_size=None,
            early_stopping=False,
            compute__dtype="float64",
            random_state=0,
        )
        module = model.fit(speech.X, speech.y).net_.module_
        return torch.cat([part.detach().flatten() for part in module.parameters()])

    # One step of AdamW, whose decay is apart from the gradient: the first weights times
    # 1 - learning_rate x weight_decay, less the step.
    free, half, little = weights(0.0), weights(500.0), weights(100.0)
    torch.testing.assert_close(free - half, 5.0 * (free - little))
    assert (free - half).norm() > 0.3 * free.norm()


def test_divergence_is_an_error_that_says_what_to_do(speech):
    model = plain_net(lr=1e30, random_state=0)
    message = (
        r"^training diverged: the loss was not finite in epoch [12]\. Standardize the features "
        r"before the network \(GroupScaler, StandardScaler\), or lower lr\.$"
    )
    with pytest.raises(SerError, match=message):
        model.fit(speech.X, speech.y)


def test_a_validation_loss_that_is_not_finite_is_an_error(speech):
    model = plain_net(max_epochs=3, random_state=0)
    model.fit(speech.X, speech.y, groups=speech.speaker)
    X = speech.X.copy()
    X[np.isin(speech.speaker, model.validation_split_["groups"])] = 3e38
    message = (
        "early stopping cannot compare epochs: the loss of the validation samples is not finite in "
        "epoch 1. Their features are extreme, or their weights are all 0. Standardize the "
        "features, or set early_stopping=False."
    )
    with pytest.raises(SerError, match=f"^{re.escape(message)}$"):
        model.fit(X, speech.y, groups=speech.speaker)


@pytest.mark.parametrize("epoch", [1, 3])
def test_errors_name_the_epoch(speech, monkeypatch, epoch):
    validation_step = _train_network.MultiTaskNet.validation_step
    train_step = _train_network.MultiTaskNet.train_step

    def broken(step):
        def wrapped(self, batch, **fit_params):
            result = step(self, batch, **fit_params)
            if len(self.history) == epoch:
                result["loss"] = result["loss"] * torch.nan
            return result

        return wrapped

    model = plain_net(max_epochs=4, random_state=0)
    monkeypatch.setattr(_train_network.MultiTaskNet, "validation_step", broken(validation_step))
    with pytest.raises(
        SerError, match=f"validation samples is not finite in epoch {epoch}\\. Their"
    ):
        model.fit(speech.X, speech.y)
    monkeypatch.setattr(_train_network.MultiTaskNet, "train_step", broken(train_step))
    with pytest.raises(SerError, match=f"training diverged: .* in epoch {epoch}\\. Standardize"):
        model.fit(speech.X, speech.y)


def interrupt_in_epoch(monkeypatch, epoch):
    step = _train_network.MultiTaskNet.train_step

    def train_step(self, batch, **fit_params):
        if len(self.history) == epoch:
            raise KeyboardInterrupt
        return step(self, batch, **fit_params)

    monkeypatch.setattr(_train_network.MultiTaskNet, "train_step", train_step)


def test_interrupt_leaves_a_fitted_network_and_propagates(speech, monkeypatch):
    interrupt_in_epoch(monkeypatch, 4)
    model = plain_net(max_epochs=50, random_state=0)
    message = "training was interrupted after 3 of at most 50 epochs: the network is fitted"
    with (
        pytest.warns(TrainingWarning, match=re.escape(message)),
        pytest.raises(KeyboardInterrupt),
    ):
        model.fit(speech.X, speech.y, groups=speech.speaker)
    assert model.n_iter_ == 3
    monkeypatch.undo()
    whole = plain_net(max_epochs=3, random_state=0)
    whole.fit(speech.X, speech.y, groups=speech.speaker)
    assert np.array_equal(model.predict_proba(speech.X), whole.predict_proba(speech.X))


def test_interrupt_before_the_first_epoch_leaves_nothing(speech, monkeypatch):
    interrupt_in_epoch(monkeypatch, 1)
    model = plain_net(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(speech.X, speech.y)
    assert not hasattr(model, "classes_")


def test_progress_ends_at_its_end_whatever_the_number_of_epochs(speech, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    y = np.random.default_rng(0).permutation(speech.y)
    model = MTLNeuralClassifier().set_params(
        max_epochs=40, patience=2, lr=0.01, validation__refit=True, n_estimators=2, verbose=1
    )
    model.fit(speech.X, y, groups=speech.speaker)
    n_epochs = int(model.members_[["n_iter", "best_epoch"]].to_numpy().sum())
    assert f" {n_epochs}/{n_epochs} " in capsys.readouterr().err.rpartition("\r")[2]


def test_progress_is_shown_only_when_requested(speech, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    model = plain_net(max_epochs=2, random_state=0)
    model.fit(speech.X, speech.y)
    assert capsys.readouterr() == ("", "")
    model.set_params(verbose=1).fit(speech.X, speech.y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "2/2" in shown.err


@pytest.mark.parametrize("optimizer", ["adam", "sgd", torch.optim.RMSprop, torch.optim.NAdam])
def test_the_optimizer_can_be_chosen(speech, optimizer):
    settings = {"max_epochs": 5, "random_state": 0, "lr": 0.01}
    model, default = plain_net(**settings), plain_net(**settings).fit(speech.X, speech.y)
    model.set_params(optimization__optimizer=optimizer).fit(speech.X, speech.y)
    assert not np.array_equal(model.transform(speech.X), default.transform(speech.X))
    losses = model.history_["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]


@pytest.mark.parametrize(
    ("optimizer", "params"),
    [("sgd", {"momentum": 0.9}), ("adam", {"amsgrad": True}), (torch.optim.RMSprop, None)],
)
def test_the_state_of_the_optimizer_is_retained(speech, optimizer, params):
    chosen = {"optimization__optimizer": optimizer, "optimization__optimizer_params": params}
    model = plain_net(random_state=0, **chosen)
    parts = [slice(0, 120), slice(120, 240)]
    classes = np.unique(speech.y)
    for _ in range(2):
        for part in parts:
            model.partial_fit(speech.X[part], speech.y[part], classes)
    other = plain_net(random_state=0, **chosen)
    for _ in range(2):
        for part in parts:
            other = pickle.loads(pickle.dumps(other))
            other.partial_fit(speech.X[part], speech.y[part], classes)
    np.testing.assert_array_equal(other.transform(speech.X), model.transform(speech.X))
    assert model._states[0] == other._states[0]
    # The state of another optimizer is not used.
    model.set_params(optimization__optimizer="adamw", optimization__optimizer_params=None)
    model.partial_fit(speech.X, speech.y)


@pytest.mark.parametrize(
    ("chosen", "error", "message"),
    [
        ({"optimizer": torch.optim.LBFGS}, TypeError, "optimizer is LBFGS, and must be one of"),
        ({"optimizer": dict}, TypeError, "optimization__optimizer is dict, and must be one of"),
        ({"optimizer": "rmsprop"}, ValueError, "optimization: The 'optimizer' parameter of Optim"),
        (
            {"optimizer_params": {"momentum": 0.9}},
            ValueError,
            r"optimization__optimizer_params is \{'momentum': 0.9\}, and must name parameters of "
            r"AdamW other than lr \(lr of the network\) and weight_decay",
        ),
        ({"optimizer_params": {"lr": 0.9}}, ValueError, "must name parameters of AdamW other than"),
    ],
)
def test_invalid_optimizers_raise(speech, chosen, error, message):
    nested = {f"optimization__{name}": value for name, value in chosen.items()}
    with pytest.raises(error, match=message):
        plain_net(**nested).fit(speech.X, speech.y)


def test_the_net_has_the_history(speech):
    model = plain_net(max_epochs=3, random_state=0).fit(speech.X, speech.y)
    for fitted in (model, pickle.loads(pickle.dumps(model))):
        history = fitted.net_.history
        assert len(history) == 3
        assert history[:, "epoch"] == [1, 2, 3]
        for name in model.history_.columns:
            assert history[:, name] == model.history_[name].tolist()


def change_torch_state(name):
    """Return a context in which torch is as another library has left it."""
    if name == "dtype":

        @contextlib.contextmanager
        def doubles():
            torch.set_default_dtype(torch.float64)
            try:
                yield
            finally:
                torch.set_default_dtype(torch.float32)

        return doubles()
    return {
        "gradients": torch.no_grad,
        "inference": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        "device": lambda: torch.device("meta"),
    }[name]()


@pytest.mark.parametrize("state", ["dtype", "gradients", "inference", "autocast", "device"])
@pytest.mark.parametrize("kind", ["rows", "layers"])
def test_the_state_of_torch_does_not_matter(speech, state, kind):
    X = speech.X if kind == "rows" else list(np.stack([speech.X, speech.X**2], axis=1))
    model = MTLNeuralClassifier(
        encoder="mlp" if kind == "rows" else "layers",
        loss_weighting="uncertainty",
        adversarial_training=AdversarialTraining("vat"),
        calibrate=True,
        max_epochs=2,
        random_state=0,
    )

    def results():
        fitted = clone(model).fit(X, speech.y, aux=speech.aux, groups=speech.speaker)
        again = clone(model).partial_fit(X, speech.y, np.unique(speech.y))
        values = [fitted.predict_proba(X), fitted.transform(X), again.predict_proba(X)]
        return fitted, [*values, fitted.predict_aux(X)["arousal"]]

    fitted, expected = results()
    with change_torch_state(state):
        _, got = results()
        got.append(fitted.predict_proba(X))  # fitted outside
    for value, right in zip(got, [*expected, expected[0]], strict=True):
        np.testing.assert_array_equal(value, right)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
