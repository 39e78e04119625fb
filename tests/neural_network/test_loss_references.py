"""Values and gradients of every loss, compared with a sample-by-sample reference."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_ser.neural_network import (
    ClassificationTask,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
    RegressionTask,
)
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.tasks._base import Inputs
from sklearn_ser.neural_network.tasks._classification import (
    FittedClassification,
    FittedDomainAdversarial,
)
from sklearn_ser.neural_network.tasks._contrastive import FittedContrastive
from sklearn_ser.neural_network.tasks._losses import MultiTaskLoss
from sklearn_ser.neural_network.tasks._reconstruction import FittedReconstruction
from sklearn_ser.neural_network.tasks._regression import FittedRegression
from sklearn_ser.neural_network.training._batch_perturbation import Mix

N_ROWS = 12
CLASSES = np.array(["a", "b", "c"])
PRIOR = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
#: Sample weights; 0 for samples without a target.
WEIGHTS = torch.tensor([1, 0.3, 0, 2, 1.7, 1, 0, 0.4, 3, 1, 1, 0.9], dtype=torch.float64)
LENGTHS = [5, 1, 9, 2, 4, 4, 3, 7, 1, 6, 2, 8]


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def codes(n_classes, seed):
    drawn = torch.randint(n_classes, (N_ROWS,), generator=torch.Generator().manual_seed(seed))
    return torch.where(WEIGHTS > 0, drawn, -1)


def weighted_mean(losses, weights):
    """Average `losses(row)` over the samples with a weight above 0."""
    total = sum(weight * losses(row) for row, weight in enumerate(weights) if weight > 0)
    return total / sum(weights)


def cross_entropy(outputs, targets, weights, inputs, smoothing=0.0, gamma=0.0, shift=None):
    def of_row(row):
        logits = outputs[row] if shift is None else outputs[row] + shift
        p = torch.exp(logits) / torch.exp(logits).sum()
        loss = 0.0
        for code in range(len(p)):
            target = (1.0 - smoothing) * (code == targets[row]) + smoothing / len(p)
            loss = loss - target * torch.log(p[code])
        return loss * (1.0 - p[targets[row]]) ** gamma

    return weighted_mean(of_row, weights)


def squared_error(outputs, targets, weights, inputs):
    return weighted_mean(lambda row: (outputs[row, 0] - targets[row]) ** 2, weights)


def concordance(outputs, targets, weights, inputs):
    found = [float(weight) * outputs[row, 0] for row, weight in enumerate(weights)]
    found_mean = sum(found) / sum(weights)
    true_mean = weighted_mean(lambda row: targets[row], weights)
    found_var = weighted_mean(lambda row: (outputs[row, 0] - found_mean) ** 2, weights)
    true_var = weighted_mean(lambda row: (targets[row] - true_mean) ** 2, weights)
    covariance = weighted_mean(
        lambda row: (outputs[row, 0] - found_mean) * (targets[row] - true_mean), weights
    )
    return 1.0 - 2.0 * covariance / (found_var + true_var + (found_mean - true_mean) ** 2)


def reconstruction(outputs, targets, weights, inputs, which):
    x = getattr(inputs, which)
    return weighted_mean(lambda row: ((outputs[row] - x[row]) ** 2).mean(), weights)


def reconstruction_of_frames(outputs, targets, weights, inputs, n_bins=3):
    def of_row(row):
        sequence = inputs.clean.frames.split(LENGTHS)[row]
        parts = []
        for part in range(n_bins):
            first = int(np.floor(part * len(sequence) / n_bins))
            last = int(np.ceil((part + 1) * len(sequence) / n_bins))
            parts.append(sum(sequence[first:last]) / (last - first))
        return ((outputs[row] - torch.cat(parts)) ** 2).mean()

    return weighted_mean(of_row, weights)


def contrast(outputs, targets, weights, inputs, temperature=0.5):
    points = [output / output.square().sum().sqrt() for output in outputs]
    known = [row for row in range(len(outputs)) if weights[row] > 0]
    total, mass = 0.0, 0.0
    for row in known:
        others = [other for other in known if other != row]
        alike = [other for other in others if targets[other, 0] == targets[row, 0]]
        positives = [
            other
            for other in alike
            if targets.shape[1] == 1 or targets[other, 1] != targets[row, 1]
        ]
        negatives = [other for other in others if other not in alike]
        if not positives:
            continue
        power = {
            other: torch.exp(torch.dot(points[row], points[other]) / temperature)
            for other in positives + negatives
        }
        total_power = sum(power.values())
        losses = [-torch.log(power[positive] / total_power) for positive in positives]
        total = total + weights[row] * sum(losses) / len(losses)
        mass = mass + weights[row]
    return total / mass


@dataclass
class Case:
    """A task with targets for its loss, and a reference of the loss."""

    task: object
    targets: torch.Tensor
    reference: object
    settings: dict
    inputs: Inputs | None = None
    prior: torch.Tensor | None = None

    def loss(self):
        return MultiTaskLoss([self.task], [self.prior])

    def expected(self, outputs, targets, weights):
        return self.reference(outputs, targets, weights, self.inputs, **self.settings)


def labels(reference=cross_entropy, prior=None, settings=None, **parameters):
    task = FittedClassification("t", 1.0, ClassificationTask(**parameters), CLASSES)
    return Case(task, codes(3, seed=1), reference, settings or {}, prior=prior)


def values(loss, reference):
    task = FittedRegression("t", 1.0, RegressionTask(loss=loss), 0.0, 1.0)
    targets = torch.where(WEIGHTS > 0, normal(N_ROWS, seed=2), 0.0)
    return Case(task, targets, reference, {})


def rebuilt(which, inputs, n_outputs, reference, settings):
    spec = ReconstructionTask(target=which, time_bins=3)
    targets = torch.empty(N_ROWS, 0, dtype=torch.float64)
    return Case(
        FittedReconstruction("t", 1.0, spec, n_outputs), targets, reference, settings, inputs
    )


def contrastive(across):
    spec = ContrastiveTask(across=across, temperature=0.5)
    columns = [codes(3, seed=1), *([codes(2, seed=4)] if across else [])]
    return Case(FittedContrastive("t", 1.0, spec, 4), torch.stack(columns, dim=1), contrast, {})


ROWS = Inputs(normal(N_ROWS, 5, seed=5), normal(N_ROWS, 5, seed=6))
FRAMES = FrameSequences.packed(normal(sum(LENGTHS), 2, seed=7), LENGTHS).batch()

CASES = {
    "cross-entropy": labels(),
    "label smoothing": labels(label_smoothing=0.2, settings={"smoothing": 0.2}),
    "focal": labels(focal_gamma=2.0, settings={"gamma": 2.0}),
    "focal below 1, smoothed": labels(
        focal_gamma=0.5, label_smoothing=0.1, settings={"gamma": 0.5, "smoothing": 0.1}
    ),
    "logit adjustment": labels(
        logit_adjustment=1.5, prior=PRIOR, settings={"shift": 1.5 * PRIOR.log()}
    ),
    "all three": labels(
        logit_adjustment=1.0,
        focal_gamma=2.0,
        label_smoothing=0.1,
        prior=PRIOR,
        settings={"shift": PRIOR.log(), "gamma": 2.0, "smoothing": 0.1},
    ),
    "adversarial": Case(
        FittedDomainAdversarial("t", 1.0, DomainAdversarialTask(), CLASSES),
        codes(3, 1),
        cross_entropy,
        {},
    ),
    "mse": values("mse", squared_error),
    "ccc": values("ccc", concordance),
    "clean rows": rebuilt("clean", ROWS, 5, reconstruction, {"which": "clean"}),
    "augmented rows": rebuilt("augmented", ROWS, 5, reconstruction, {"which": "seen"}),
    "frames": rebuilt("clean", Inputs(FRAMES, FRAMES), 6, reconstruction_of_frames, {}),
    "contrastive": contrastive(None),
    "contrastive across": contrastive("corpus"),
}
every_loss = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def value_and_gradient(function, outputs):
    outputs = outputs.clone().requires_grad_()
    value = function(outputs)
    value.backward()
    return value.detach(), outputs.grad


def compare(found, expected, outputs):
    # The largest difference is the 1e-8 in the denominator of the concordance.
    torch.testing.assert_close(
        value_and_gradient(found, outputs),
        value_and_gradient(expected, outputs),
        rtol=1e-7,
        atol=1e-9,
    )


def ours(case, outputs, targets=None, weights=WEIGHTS, frame_batch=None):
    targets = case.targets if targets is None else targets
    return case.loss().per_task([outputs], [targets], weights[:, None], case.inputs, frame_batch)[0]


@every_loss
def test_values_and_gradients_are_those_of_the_reference(case):
    outputs = normal(N_ROWS, case.task.n_outputs, seed=8)
    compare(
        lambda outputs: ours(case, outputs),
        lambda outputs: case.expected(outputs, case.targets, WEIGHTS),
        outputs,
    )


@every_loss
def test_samples_without_a_target_are_ignored(case):
    outputs = normal(N_ROWS, case.task.n_outputs, seed=8)
    value, gradient = value_and_gradient(lambda outputs: ours(case, outputs), outputs)
    assert torch.equal(gradient[WEIGHTS == 0], torch.zeros_like(gradient[WEIGHTS == 0]))
    assert (gradient[WEIGHTS > 0].abs().sum(dim=1) > 1e-6).any()
    outputs[WEIGHTS == 0] = 100.0
    again, _ = value_and_gradient(lambda outputs: ours(case, outputs), outputs)
    torch.testing.assert_close(again, value)


@every_loss
def test_the_loss_of_a_batch_without_targets_is_zero(case):
    outputs = normal(N_ROWS, case.task.n_outputs, seed=8)
    targets = torch.zeros_like(case.targets)
    if targets.dtype == torch.int64:
        targets -= 1
    loss = case.loss()
    value, gradient = value_and_gradient(
        lambda outputs: loss.per_task(
            [outputs], [targets], torch.zeros_like(WEIGHTS)[:, None], case.inputs
        )[0],
        outputs,
    )
    assert value == 0.0
    assert loss.counted.tolist() == [0.0]
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize(
    "name",
    # A copy is a positive of a contrastive loss.
    [name for name in CASES if not name.startswith("contrastive") and name != "frames"],
)
def test_a_weight_is_equivalent_to_copies(name):
    case = CASES[name]
    outputs = normal(N_ROWS, case.task.n_outputs, seed=8)
    counts = torch.tensor([1, 2, 0, 3, 1, 1, 0, 2, 4, 1, 1, 2])
    copies = torch.arange(N_ROWS).repeat_interleave(counts)
    once = case.loss().per_task([outputs], [case.targets], counts[:, None].double(), case.inputs)
    repeated = case.loss().per_task(
        [outputs[copies]],
        [case.targets[copies]],
        torch.ones(len(copies), 1, dtype=torch.float64),
        case.inputs and Inputs(case.inputs.clean[copies], case.inputs.seen[copies]),
    )
    torch.testing.assert_close(once, repeated)


@every_loss
def test_losses_of_mixed_samples_are_weighted_by_their_shares(case):
    outputs = normal(N_ROWS, case.task.n_outputs, seed=8)
    partner = torch.randperm(N_ROWS, generator=torch.Generator().manual_seed(3))
    compare(
        lambda outputs: case.loss().mixed(
            [outputs], [case.targets], WEIGHTS[:, None], Mix(partner, 0.7), case.inputs
        )[0],
        lambda outputs: (
            0.7 * case.expected(outputs, case.targets, WEIGHTS)
            + 0.3 * case.expected(outputs, case.targets[partner], WEIGHTS[partner])
        ),
        outputs,
    )


def test_mixed_cross_entropy_is_that_of_soft_targets():
    outputs = normal(N_ROWS, 3, seed=8)
    partner = torch.arange(N_ROWS).roll(1)
    codes = torch.arange(N_ROWS) % 3
    (mixed,) = MultiTaskLoss([labels().task]).mixed(
        [outputs], [codes], torch.ones(N_ROWS, 1, dtype=torch.float64), Mix(partner, 0.7)
    )
    soft = 0.7 * torch.eye(3)[codes].double() + 0.3 * torch.eye(3)[codes[partner]].double()
    torch.testing.assert_close(mixed, torch.nn.functional.cross_entropy(outputs, soft))


@pytest.mark.parametrize("name", ["cross-entropy", "all three", "adversarial", "mse", "ccc"])
def test_each_frame_sequence_counts_as_one_sample(name):
    case = CASES[name]
    outputs = normal(sum(LENGTHS), case.task.n_outputs, seed=8)
    row = torch.arange(N_ROWS).repeat_interleave(torch.tensor(LENGTHS))
    of_frame = [WEIGHTS[r] / LENGTHS[r] for r in row]
    compare(
        lambda outputs: ours(case, outputs, frame_batch=FRAMES),
        lambda outputs: case.expected(outputs, case.targets[row], of_frame),
        outputs,
    )


@pytest.mark.parametrize("name", ["frames", "contrastive across"])
def test_tasks_without_predictions_have_outputs_per_sequence(name):
    case = CASES[name]
    outputs = normal(N_ROWS, case.task.n_outputs, seed=8)
    assert torch.equal(ours(case, outputs, frame_batch=FRAMES), ours(case, outputs))


def test_gradients_of_certain_outputs_are_finite():
    outputs = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]], requires_grad=True)
    task = FittedClassification("t", 1.0, ClassificationTask(focal_gamma=0.5), CLASSES)
    (loss,) = MultiTaskLoss([task]).per_task([outputs], [torch.tensor([0, 1])], torch.ones(2, 1))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(outputs.grad, torch.zeros_like(outputs))


def test_logits_of_absent_classes_are_not_adjusted():
    prior = torch.tensor([0.75, 0.25, 0.0], dtype=torch.float64)
    case = labels(
        logit_adjustment=1.0,
        prior=prior,
        settings={"shift": torch.tensor([np.log(0.75), np.log(0.25), 0.0])},
    )
    outputs = normal(N_ROWS, 3, seed=8)
    compare(
        lambda outputs: ours(case, outputs),
        lambda outputs: case.expected(outputs, case.targets, WEIGHTS),
        outputs,
    )


class First(Callback):
    """Records the outputs for X before the first step."""

    def __init__(self, X):
        self.X = X

    def on_train_begin(self, net, **kwargs):
        with torch.no_grad():
            self.outputs_ = net.module_(torch.from_numpy(self.X))


@pytest.mark.parametrize(
    ("class_weight", "factors_of"),
    [
        (None, np.ones_like),
        ("balanced", lambda shares: 1 / (3 * shares)),
        ({"anger": 3.0, "neutral": 1.0, "sadness": 1.0}, lambda shares: np.array([3.0, 1.0, 1.0])),
    ],
)
def test_logit_adjustment_ignores_class_weights(speech, class_weight, factors_of):
    """Compare the loss of the first epoch, a single step with all samples, with a reference."""
    rows = np.r_[0:240:3, 1:60:3, 2:30:3]
    X, y = speech.X[rows].astype(float), speech.y[rows]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(rows))
    spec = {"class_weight": class_weight, "logit_adjustment": 1.0}
    first = First(X)
    model = MTLNeuralClassifier().set_params(
        y_task=ClassificationTask(**spec),
        max_epochs=1,
        batch_size=None,
        early_stopping=False,
        perturbation__noise=0.0,
        dropout=0.0,
        compute__dtype="float64",
        callbacks=[first],
        random_state=0,
    )
    # An auxiliary task with the same parameters as the main task.
    model.set_params(tasks={"again": ClassificationTask(**spec)})
    history = model.fit(X, y, aux=pd.DataFrame({"again": y}), sample_weight=weights).history_
    codes = np.searchsorted(model.classes_, y)
    shares = np.bincount(codes, weights) / weights.sum()
    shift, row_weights = torch.from_numpy(np.log(shares)), weights * factors_of(shares)[codes]
    expected = [
        cross_entropy(outputs, codes, row_weights, None, shift=shift) for outputs in first.outputs_
    ]
    found = history.loc[1, ["train_loss_y", "train_loss_again"]]
    np.testing.assert_allclose(found, expected)


def test_samples_without_a_positive_do_not_count():
    case = contrastive(None)
    outputs = normal(4, 4, seed=8)
    targets = torch.tensor([[0], [0], [1], [2]])
    weights = torch.ones(4, 1, dtype=torch.float64)
    loss = case.loss()
    (pair,) = loss.per_task([outputs], [targets], weights)
    torch.testing.assert_close(pair, contrast(outputs, targets, weights[:, 0], None))
    assert loss.counted == 1.0  # the loss is a mean over these two
    (none,) = loss.per_task([outputs], [torch.arange(4)[:, None]], weights)
    assert (none, loss.counted) == (0.0, 0.0)
