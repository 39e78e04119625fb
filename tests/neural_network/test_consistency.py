"""Consistency of predictions for unlabeled samples."""

import re

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser import uar_scorer
from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import ConsistencyTask, MTLNeuralClassifier
from sklearn_ser.neural_network.tasks._base import Inputs
from sklearn_ser.neural_network.tasks._consistency import ConsistencyError, FittedConsistency
from sklearn_ser.neural_network.tasks._losses import MultiTaskLoss
from sklearn_ser.neural_network.training._batch_perturbation import Mix

HIDDEN = 4  # of five samples are unlabeled


@pytest.fixture(scope="module")
def hidden(speech):
    """`y` of `speech` with most labels hidden, and a mask of the unlabeled samples."""
    rows = np.arange(len(speech.y)) % 5 < HIDDEN
    return np.where(rows, None, speech.y.astype(object)), rows


def net(tasks, **params):
    given = {
        "tasks": tasks,
        "unlabeled": "nan",
        "perturbation__noise": 0.5,
        "max_epochs": 6,
        "early_stopping": False,
        "random_state": 0,
    }
    return MTLNeuralClassifier().set_params(**given | params)


def reference(logits, probabilities, shares, spec, mean):
    """Compute the loss of a batch sample by sample."""
    total = 0.0
    for row in range(len(shares)):
        target = probabilities[row] / mean if spec.balance else probabilities[row]
        target = target / target.sum()
        target = target**spec.sharpening / (target**spec.sharpening).sum()
        if target.max() >= spec.threshold:
            log_probability = logits[row] - np.log(np.exp(logits[row]).sum())
            total -= shares[row] * (target * log_probability).sum()
    return total


@pytest.mark.parametrize("balance", [True, False])
def test_the_loss_and_its_gradient_equal_a_plain_loop(balance):
    generator = np.random.default_rng(0)
    logits, probabilities = generator.normal(size=(2, 8, 3))
    probabilities = np.exp(2 * probabilities) / np.exp(2 * probabilities).sum(axis=1, keepdims=True)
    shares = np.array([0.3, 0.2, 0.1, 0.1, 0.3, 0.0, 0.0, 0.0])
    spec = ConsistencyTask(threshold=0.7, balance=balance, sharpening=1.5)
    outputs = torch.tensor(logits, requires_grad=True)
    inputs = Inputs(None, None, outputs, torch.tensor(probabilities))
    loss = ConsistencyError(spec)(None, None, torch.tensor(shares), inputs)
    mean = shares @ probabilities
    assert loss.item() == pytest.approx(reference(logits, probabilities, shares, spec, mean))
    loss.backward()
    assert torch.equal(outputs.grad[5:], torch.zeros(3, 3, dtype=torch.float64))
    step = 1e-6
    for row, column in ((0, 0), (2, 1), (4, 2)):
        moved = logits.copy()
        moved[row, column] += step
        change = reference(moved, probabilities, shares, spec, mean) - loss.item()
        assert outputs.grad[row, column].item() == pytest.approx(change / step, abs=1e-4)


def test_the_fraction_of_samples_that_counted():
    """Confident are two samples with shares 0.25 and 0.5; mixing adds the shares of partners."""
    loss = MultiTaskLoss(
        [FittedConsistency("g", 1.0, ConsistencyTask(threshold=0.9, balance=False))]
    )
    probabilities = torch.tensor([[0.99, 0.01], [0.5, 0.5], [0.02, 0.98], [0.6, 0.4]])
    inputs = Inputs(None, None, torch.zeros(4, 2), probabilities)
    given = [torch.zeros(4, 0)], [torch.zeros(4, 0)], torch.tensor([[1.0], [1.0], [2.0], [0.0]])
    loss.per_task(*given, inputs)
    torch.testing.assert_close(loss.counted, torch.tensor([0.75]))
    loss.mixed(*given, Mix(torch.tensor([1, 2, 3, 0]), 0.8), inputs)
    torch.testing.assert_close(loss.counted, torch.tensor([0.8 * 0.75 + 0.2 * 0.25]))
    loss.per_task(*given, Inputs(None, None))
    assert loss.counted.tolist() == [0.0]


@pytest.mark.parametrize("begun", [False, True])
def test_a_learned_weight_does_not_change_without_pseudo_labels(speech, hidden, begun):
    """Before `start`, and if no prediction is confident, there is no uncertainty penalty."""
    y, _ = hidden
    spec = ConsistencyTask(weight=1.0, start=0.0 if begun else 0.9, threshold=1.0, balance=False)
    model = net({"g": spec}, loss_weighting="uncertainty", lr=1e-3, max_epochs=5)
    history = model.fit(speech.X, y).history_
    assert (history["train_loss_g"] == 0.0).all()
    assert (history["weight_g"] == 1.0).all()
    assert (history["weight_y"] != 1.0).all()


def test_the_running_mean_moves_slowly():
    loss = ConsistencyError(ConsistencyTask())
    shares = torch.tensor([1.0])
    for predicted in ([0.8, 0.2], [0.4, 0.6]):
        inputs = Inputs(None, None, torch.zeros(1, 2), torch.tensor([predicted]))
        loss(None, None, shares, inputs)
    torch.testing.assert_close(loss.mean, torch.tensor([0.76, 0.24]))


def test_the_loss_of_a_batch_without_unlabeled_samples_is_zero():
    outputs = torch.randn(3, 2, requires_grad=True)
    inputs = Inputs(None, None, outputs, torch.full((3, 2), 0.5))
    loss = ConsistencyError(ConsistencyTask())(None, None, torch.zeros(3), inputs)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(outputs.grad, torch.zeros(3, 2))


def test_consistency_helps_if_unlabeled_samples_are_shifted():
    generator = np.random.default_rng(0)
    y = np.tile(["anger", "neutral", "sadness"], 100)
    X = generator.normal(size=(300, 8))
    X[:, 0] += 3.0 * (y == "anger") - 3.0 * (y == "sadness")
    X[:, 1] += 3.0 * (y == "neutral")
    elsewhere = np.arange(300) >= 150  # such as a louder corpus
    X[elsewhere, 0] += 1.5
    hidden = np.where(elsewhere, None, y.astype(object))
    scores = []
    for tasks in (None, {"pseudo": ConsistencyTask(weight=1.0)}):
        model = net(tasks, max_epochs=30).fit(X, hidden)
        scores.append(model.score(X[elsewhere], y[elsewhere]))
    assert scores[1] > scores[0] + 0.02


def test_start(speech, hidden):
    history = (
        net({"pseudo": ConsistencyTask(start=0.5, threshold=0.0)}).fit(speech.X, hidden[0]).history_
    )
    assert (history["train_loss_pseudo"][:3] == 0.0).all()
    assert (history["train_loss_pseudo"][3:] > 0.0).all()


def test_weight_zero(speech, hidden):
    ignored = net({"pseudo": ConsistencyTask(weight=0.0)}).fit(speech.X, hidden[0])
    without = net(None).fit(speech.X, hidden[0])
    assert np.array_equal(ignored.predict_proba(speech.X), without.predict_proba(speech.X))


@pytest.mark.parametrize("encoder", ["attention", "frame_dnn"])
def test_frame_sequences(frames, encoder):
    y = frames.y.astype(object)
    y[::2] = None
    model = net({"pseudo": ConsistencyTask(threshold=0.0)}, encoder=encoder, max_epochs=3)
    model.fit(frames.X, y)
    assert (model.history_["train_loss_pseudo"][1:] > 0.0).all()
    assert model.predict_aux(frames.X).columns.empty


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_pipeline_search_and_cross_validation(speech, hidden, n_jobs):
    y, rows = hidden
    folds = np.where(rows, -1, np.arange(240) // 80)  # unlabeled samples are only used for training
    model = make_pipeline(
        StandardScaler(), net({"pseudo": ConsistencyTask()}, max_epochs=15, lr=5e-3)
    )
    search = GridSearchCV(
        model,
        {"mtlneuralclassifier__tasks__pseudo__weight": [0.0, 0.5]},
        cv=PredefinedSplit(folds),
        scoring=uar_scorer,
        error_score="raise",
        n_jobs=n_jobs,
    )
    search.fit(speech.X, y)
    assert search.cv_results_["mean_test_score"].shape == (2,)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    scores = cross_validate(
        search.best_estimator_, speech.X, y, cv=PredefinedSplit(folds), scoring=uar_scorer,
        error_score="raise",
    )["test_score"]  # fmt: skip
    assert len(scores) == 3
    assert scores.mean() > 0.5


def test_unlabeled_is_required(speech):
    message = (
        "tasks['pseudo'] learns from unlabeled samples, and unlabeled=None says that "
        'every sample is labeled. Set unlabeled=-1 or "nan", and use that value in y.'
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        net({"pseudo": "consistency"}, unlabeled=None).fit(speech.X, speech.y)


def test_pseudo_labels_are_learned_with_the_defaults(speech, hidden):
    y, _ = hidden
    given = {"unlabeled": "nan", "random_state": 0, "max_epochs": 12}
    semi_supervised = MTLNeuralClassifier().set_params(
        tasks={"pseudo": ConsistencyTask(weight=1.0)}, **given
    )
    semi_supervised.fit(speech.X, y, groups=speech.speaker)
    without = (
        MTLNeuralClassifier()
        .set_params(tasks=None, **given)
        .fit(speech.X, y, groups=speech.speaker)
    )
    assert (semi_supervised.history_["train_loss_pseudo"] > 0).any()
    assert not np.array_equal(semi_supervised.transform(speech.X), without.transform(speech.X))


def test_a_start_after_the_best_epoch_warns(speech, hidden):
    y, _ = hidden
    model = net({"pseudo": ConsistencyTask(start=0.9)}, early_stopping=True, max_epochs=200)
    text = r"tasks\['pseudo'\] had no effect: with start=0.9 it starts after 180 of"
    with pytest.warns(TrainingWarning, match=text):
        model.set_params(lr=0.02, patience=2, validation_fraction=0.4).fit(
            speech.X, y, groups=speech.speaker
        )


def test_a_task_of_weight_zero_needs_no_unlabeled_samples(speech):
    given = {"tasks": {"pseudo": ConsistencyTask(weight=0.0)}, "max_epochs": 1}
    MTLNeuralClassifier().set_params(**given, random_state=0).fit(speech.X, speech.y)
