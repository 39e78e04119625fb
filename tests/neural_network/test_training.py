"""What training leaves behind: the best weights, a history, an honest end."""

import re

import numpy as np
import pytest

from sklearn_ser.exceptions import SerError, TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier, _training


def test_history_has_a_column_for_each_task_and_part(speech):
    model = MTLNeuralClassifier(max_epochs=3, random_state=0)
    history = model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker).history_
    assert history.index.tolist() == [1, 2, 3]
    assert history.columns.tolist() == [
        f"{part}_loss{task}"
        for part in ("train", "valid")
        for task in ("", "_y", "_gender", "_arousal")
    ]
    for part in ("train", "valid"):
        total = (
            history[f"{part}_loss_y"]
            + 0.3 * history[f"{part}_loss_gender"]
            + 0.3 * history[f"{part}_loss_arousal"]
        )
        np.testing.assert_allclose(history[f"{part}_loss"], total)
    falling = history[["train_loss", "valid_loss", "valid_loss_y"]]
    assert (falling.iloc[-1] < falling.iloc[0]).all()


def test_the_best_epoch_is_kept_and_training_ends_in_time(speech):
    y = np.random.default_rng(0).permutation(speech.y)  # nothing to learn: it soon gets worse
    model = MTLNeuralClassifier(max_epochs=60, patience=4, learning_rate=0.01, random_state=0)
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


def test_without_held_out_rows_every_epoch_is_run(speech):
    model = MTLNeuralClassifier(early_stopping=False, max_epochs=7, random_state=0)
    model.fit(speech.X, speech.y)
    assert (model.n_iter_, model.best_epoch_) == (7, 7)
    assert model.history_.columns.tolist() == ["train_loss", "train_loss_y"]


def test_divergence_is_an_error_that_says_what_to_do(speech):
    model = MTLNeuralClassifier(learning_rate=1e30, random_state=0)
    with pytest.raises(SerError, match=r"training diverged: .* in epoch \d+\. Standardise"):
        model.fit(speech.X, speech.y)


def interrupt_in_epoch(monkeypatch, epoch):
    step = _training.MultiTaskNet.train_step

    def train_step(self, batch, **fit_params):
        if len(self.history) == epoch:
            raise KeyboardInterrupt
        return step(self, batch, **fit_params)

    monkeypatch.setattr(_training.MultiTaskNet, "train_step", train_step)


def test_interrupt_leaves_a_fitted_network_and_goes_on_upwards(speech, monkeypatch):
    interrupt_in_epoch(monkeypatch, 4)
    model = MTLNeuralClassifier(max_epochs=50, random_state=0)
    message = "training was interrupted after 3 of at most 50 epochs: the network is fitted"
    with (
        pytest.warns(TrainingWarning, match=re.escape(message)),
        pytest.raises(KeyboardInterrupt),
    ):
        model.fit(speech.X, speech.y, groups=speech.speaker)
    assert model.n_iter_ == 3
    monkeypatch.undo()
    whole = MTLNeuralClassifier(max_epochs=3, random_state=0)
    whole.fit(speech.X, speech.y, groups=speech.speaker)
    assert np.array_equal(model.predict_proba(speech.X), whole.predict_proba(speech.X))


def test_interrupt_before_the_first_epoch_leaves_nothing(speech, monkeypatch):
    interrupt_in_epoch(monkeypatch, 1)
    model = MTLNeuralClassifier(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(speech.X, speech.y)
    assert not hasattr(model, "classes_")


def test_progress_is_shown_only_when_asked_for(speech, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    model = MTLNeuralClassifier(max_epochs=2, random_state=0)
    model.fit(speech.X, speech.y)
    assert capsys.readouterr() == ("", "")
    model.set_params(verbose=1).fit(speech.X, speech.y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "2/2" in shown.err
