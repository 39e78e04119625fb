"""Self-training: PseudoLabels, and the rounds in which a network learns its own labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.neural_network._random import Dropout, numpy_stream
from sklearn_ser.neural_network._settings import InputPerturbation, check_parameters
from sklearn_ser.neural_network.training._batch_perturbation import BatchPerturbation
from sklearn_ser.neural_network.training._batches import ResidentRows
from sklearn_ser.neural_network.training._calibration import main_outputs, validation_temperature
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from sklearn_ser.neural_network.training._train_network import TrainingRecord, TrainingSettings
    from sklearn_ser.neural_network.training._validation_split import ValidationSplit

#: Rounds end if this share of the selected samples and labels is that of the round before.
SETTLED = 0.99

_DROPOUT = (Dropout, nn.modules.dropout._DropoutNd)  # custom encoders may use torch's


@public_module("sklearn_ser.neural_network")
class PseudoLabels(SuggestingEstimator):
    """Self-training with pseudo-labels of unlabeled samples.

    The network is trained on the labeled samples, predicts labels of the others, and is retrained
    on both, round by round [1]_. Each round selects more samples, the most probable ones of each
    class first [2]_. `balance`, `threshold`, `consistency` [3]_, `weight`, `stability` and
    `tolerance` limit how far the network can learn its own errors.

    Parameters
    ----------
    share : float, default=0.6
        Maximum fraction of the unlabeled samples selected in the last round, in (0, 1]. Earlier
        rounds select proportionally fewer: the first of four rounds a quarter of it.
    threshold : float, default=0.0
        Minimum probability of a label, in [0, 1], after temperature scaling on the validation
        samples. With 0, the quotas alone decide.
    balance : {"equal", "prior"} or None, default="equal"
        Quotas of the classes. "equal" divides `share` equally, "prior" by the frequencies of the
        classes among the labeled samples. None sets no quotas.
    consistency : int, default=0
        Number of perturbed copies of each sample whose labels are compared with its own, with the
        dropout of the network and normal noise on the input. 0 compares none.
    agreement : float, default=0.75
        Minimum fraction of these copies, in (0, 1], with the label of the sample.
    input_noise : float, default=0.5
        Standard deviation of the noise on the (standardized) inputs of the copies.
    weight : float, default=0.5
        Weight of a selected sample in the loss of `y`, relative to 1 for a labeled one; both are
        multiplied by `sample_weight` and the weight of the class.
    max_rounds : int, default=4
        Maximum number of rounds after the first training.
    min_rows : int, default=10
        Minimum number of selected samples for a further round.
    stability : float, default=0.92
        Minimum fraction of the unlabeled samples, in [0, 1], whose label is that of the previous
        round; the rounds end if it is lower.
    tolerance : float or None, default=0.05
        Maximum relative increase of the validation loss of `y` above the lowest so far; the rounds
        end, without the last one, if it is larger. None sets no limit.

    See Also
    --------
    MTLNeuralClassifier : Its parameter `pseudo_labels` takes this object; `pseudo_labels_` is the
        record of the rounds.
    sklearn.semi_supervised.SelfTrainingClassifier : Selection by a threshold, for any classifier.

    Notes
    -----
    Only samples passed to :meth:`MTLNeuralClassifier.fit` are labeled, and only those of groups
    that are trained on: groups held out for early stopping validate the rounds, and their
    unlabeled samples take no part. To adapt a network to a new corpus, pass its samples unlabeled
    (transductive learning). Samples of a validation or test fold are never used unless they are
    among those passed to ``fit``.

    Self-training helps much where the network is already good on the new samples, and harms
    slightly where it is poor. Measure it on labeled corpora, left out one at a time, before you
    rely on it.

    References
    ----------
    .. [1] Lee, D.-H. (2013). Pseudo-Label: The Simple and Efficient Semi-Supervised Learning
       Method for Deep Neural Networks. ICML 2013 Workshop on Challenges in Representation
       Learning.
    .. [2] Zou, Y., Yu, Z., Vijaya Kumar, B. V. K., Wang, J. (2018). Unsupervised Domain Adaptation
       for Semantic Segmentation via Class-Balanced Self-Training. ECCV 2018.
       https://arxiv.org/abs/1810.07911
    .. [3] Sohn, K. et al. (2020). FixMatch: Simplifying Semi-Supervised Learning with Consistency
       and Confidence. NeurIPS 2020. https://arxiv.org/abs/2001.07685

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier, PseudoLabels
    >>> rng = np.random.default_rng(0)
    >>> y_true = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 4)) + 3 * y_true[:, None]
    >>> y = np.where(np.arange(200) < 60, y_true, -1)
    >>> net = MTLNeuralClassifier(
    ...     unlabeled=-1, pseudo_labels=PseudoLabels(max_rounds=2), max_epochs=10, random_state=0
    ... )
    >>> net.fit(X, y).pseudo_labels_[["selected", "n_0", "n_1", "retained"]]
           selected  n_0  n_1  retained
    round
    0             0    0    0     False
    1            42   21   21     False
    2            84   42   42      True
    >>> net.set_params(pseudo_labels__threshold=0.8).pseudo_labels
    PseudoLabels(max_rounds=2, threshold=0.8)
    """

    _parameter_constraints = {
        "share": [Interval(Real, 0, 1, closed="right")],
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "balance": [StrOptions({"equal", "prior"}), None],
        "consistency": [Interval(Integral, 0, None, closed="left")],
        "agreement": [Interval(Real, 0, 1, closed="right")],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "weight": [Interval(Real, 0, None, closed="neither")],
        "max_rounds": [Interval(Integral, 1, None, closed="left")],
        "min_rows": [Interval(Integral, 1, None, closed="left")],
        "stability": [Interval(Real, 0, 1, closed="both")],
        "tolerance": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        share: float = 0.6,
        threshold: float = 0.0,
        balance: Literal["equal", "prior"] | None = "equal",
        consistency: int = 0,
        agreement: float = 0.75,
        input_noise: float = 0.5,
        weight: float = 0.5,
        max_rounds: int = 4,
        min_rows: int = 10,
        stability: float = 0.92,
        tolerance: float | None = 0.05,
    ):
        self.share = share
        self.threshold = threshold
        self.balance = balance
        self.consistency = consistency
        self.agreement = agreement
        self.input_noise = input_noise
        self.weight = weight
        self.max_rounds = max_rounds
        self.min_rows = min_rows
        self.stability = stability
        self.tolerance = tolerance

    def _check(self, unlabeled: Literal[-1, "nan"] | None) -> None:
        """Validate the parameters, and that samples can be unlabeled."""
        check_parameters(self, "pseudo_labels")
        if unlabeled is None:
            raise ValueError(
                "pseudo_labels needs unlabeled samples, and unlabeled=None says that every sample "
                "is labeled. Set unlabeled=-1 or unlabeled='nan', and use that value in y."
            )


def self_train(
    spec: PseudoLabels,
    fit_labeled: Callable[[ResidentRows], TrainingRecord],
    rows: ResidentRows,
    split: ValidationSplit,
    settings: TrainingSettings,
) -> tuple[TrainingRecord, ResidentRows, list[dict[str, Any]]]:
    """Train, label and retrain until one of the rules of `spec` ends the rounds.

    Return the record of the retained round, all samples with its pseudo-labels, and one dict of
    plain values per round.
    """
    interrupts = settings.interrupts
    record = fit_labeled(rows)
    retained = record, rows
    if not record.epochs:
        return record, rows, []
    valid = rows.take(split.valid)
    labeler = _Labeler(spec, valid, rows, split.train, settings)
    table, labels = [_table_row(settings.tasks, valid, record)], None
    lowest, reason = table[0]["valid_loss"], ""
    with interrupts.during("self-training"):
        while not (reason or interrupts):
            if len(table) > spec.max_rounds:
                reason = "max_rounds"
                break
            previous, labels = labels, labeler(record.module, len(table))
            reason = _reason_to_stop(spec, labels, previous)
            if reason:
                break
            labeled = labeler.labeled(labels)
            settings.bar.total += settings.max_epochs
            record = fit_labeled(labeled)
            if interrupts:
                break
            table.append(_table_row(settings.tasks, valid, record, labels, previous))
            loss = table[-1]["valid_loss"]
            if spec.tolerance is not None and loss > lowest * (1.0 + spec.tolerance):
                reason = "tolerance"
            else:
                retained = record, labeled
                lowest = min(lowest, loss)
    if interrupts:
        reason = "interrupted"
    table[-1]["stopped"] = reason
    table[-2 if reason == "tolerance" else -1]["retained"] = True
    return *retained, table


def _reason_to_stop(spec, labels, previous):
    """Return the parameter by which no further network is trained, or "" if one is."""
    if not len(labels.codes):
        return "nothing unlabeled"
    if len(labels.selected) < spec.min_rows:
        return "min_rows"
    if previous is not None and labels.agreement(previous) < spec.stability:
        return "stability"
    if previous is not None and labels.is_almost(previous, SETTLED):
        return "settled"
    return ""


def _table_row(tasks, valid, record, labels=None, previous=None):
    """Return the values of a round for the table; of the first round without `labels`."""
    n_classes = tasks[0].n_outputs
    counts = np.zeros(n_classes, dtype=int) if labels is None else labels.counts(n_classes)
    loss = score = np.nan
    if len(valid):
        codes, weights = valid.targets[0].cpu().numpy(), valid.sample_weights
        record.module.eval()
        outputs = main_outputs(record.module, tasks, valid.x)
        losses = -log_softmax(outputs, axis=1)[np.arange(len(codes)), codes]
        loss = float(np.average(losses, weights=weights))
        score = tasks[0].score(outputs, codes, weights)
    return {
        "selected": int(counts.sum()),
        "counts": counts.tolist(),
        "agreement": np.nan if previous is None else labels.agreement(previous),
        "valid_loss": loss,
        "valid_score": score,
        "retained": False,
        "stopped": "",
    }


class _Labeler:
    """Labels of the unlabeled samples of the training part."""

    def __init__(self, spec, valid, rows, train_part, settings):
        codes, sample_weights = rows.targets[0].cpu().numpy(), rows.sample_weights
        self.spec = spec
        self.valid = valid
        self.tasks = settings.tasks
        self.rows = rows
        self.positions = train_part[(codes[train_part] < 0) & (sample_weights[train_part] > 0)]
        self.x = rows.x[self.positions]
        self.sample_weights = sample_weights
        self.seed = settings.seed
        self.device = settings.device
        main = self.tasks[0]
        labeled = train_part[codes[train_part] >= 0]
        counts = np.bincount(codes[labeled], sample_weights[labeled], minlength=main.n_outputs)
        if not counts.any():  # further training on unlabeled samples alone
            counts = np.ones(main.n_outputs)
        self.priors = counts / counts.sum()
        # Class weights are those of the labeled samples; 1 for a class without any.
        factors = main.class_weights(codes, sample_weights)
        self.factors = np.ones(main.n_outputs)
        self.factors[codes[codes >= 0]] = factors[codes >= 0]

    def __call__(self, module, number):
        """Return the labels that a network predicts for the training of round `number`."""
        spec = self.spec
        temperature = validation_temperature(module, self.tasks, self.valid)
        module.eval()
        outputs = main_outputs(module, self.tasks, self.x)
        votes = self._votes(module, outputs.argmax(axis=1), number) if spec.consistency else None
        share = spec.share * number / spec.max_rounds
        return select_rows(
            softmax(outputs / temperature, axis=1),
            votes,
            class_quotas(spec.balance, share, len(outputs), self.priors),
            threshold=spec.threshold,
            agreement=spec.agreement,
        )

    def _votes(self, module, codes, number):
        perturbation = BatchPerturbation(
            InputPerturbation(noise=self.spec.input_noise),
            seed=int(numpy_stream(self.seed, f"pseudo labels {number}").integers(2**31)),
            device=self.device,
        )
        for part in module.modules():
            if isinstance(part, _DROPOUT):
                part.train()
        agreeing = np.zeros(len(codes))
        for _ in range(self.spec.consistency):
            outputs = main_outputs(module, self.tasks, self.x, lambda x: perturbation(x)[1])
            agreeing += outputs.argmax(axis=1) == codes
        module.eval()
        return agreeing / self.spec.consistency

    def labeled(self, labels):
        """Return all samples, the selected ones with their pseudo-labels."""
        positions, codes = self.positions[labels.selected], labels.codes[labels.selected]
        plain = self.spec.weight * self.sample_weights[positions]
        targets = self.rows.targets[0].clone()
        targets[positions] = torch.from_numpy(codes).to(targets)
        all_weights, all_plain = self.rows.weights.clone(), self.rows.plain_weights.clone()
        all_weights[positions, 0] = torch.from_numpy(plain * self.factors[codes]).to(all_weights)
        all_plain[positions, 0] = torch.from_numpy(plain).to(all_plain)
        return ResidentRows(self.rows.x, [targets, *self.rows.targets[1:]], all_weights, all_plain)


@dataclass(frozen=True)
class PredictedLabels:
    """Codes predicted for unlabeled samples, and the ascending positions of those learned."""

    codes: np.ndarray
    selected: np.ndarray

    def agreement(self, other: PredictedLabels) -> float:
        """Return the fraction of all samples with the same label in both."""
        return float((self.codes == other.codes).mean())

    def counts(self, n_classes: int) -> np.ndarray:
        """Return the number of selected samples of each class."""
        return np.bincount(self.codes[self.selected], minlength=n_classes)

    def is_almost(self, other: PredictedLabels, share: float) -> bool:
        """Return whether at least this share of the samples selected in either agree in both."""
        both = np.intersect1d(self.selected, other.selected)
        same = (self.codes[both] == other.codes[both]).sum()
        return bool(same >= share * len(np.union1d(self.selected, other.selected)))


def select_rows(
    probabilities: np.ndarray,
    votes: np.ndarray | None,
    quotas: np.ndarray | int,
    *,
    threshold: float,
    agreement: float,
) -> PredictedLabels:
    """Label samples, and select the most probable ones, up to `quotas`, whose label is learned.

    `votes` are the fractions of the perturbed copies of each sample that have its label.
    """
    codes = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    eligible = confidence >= threshold
    if votes is not None:
        eligible &= votes >= agreement
    by_confidence = np.argsort(-confidence, kind="stable")
    by_confidence = by_confidence[eligible[by_confidence]]
    if isinstance(quotas, int):
        return PredictedLabels(codes, np.sort(by_confidence[:quotas]))
    selected = [
        by_confidence[codes[by_confidence] == code][:quota] for code, quota in enumerate(quotas)
    ]
    return PredictedLabels(codes, np.sort(np.concatenate(selected)))


def class_quotas(
    balance: Literal["equal", "prior"] | None, share: float, n_rows: int, priors: np.ndarray
) -> np.ndarray | int:
    """Return the maximum number of selected samples of each class, or in total without balance."""
    if balance is None:
        return int(np.ceil(share * n_rows))
    if balance == "equal":
        priors = np.full(len(priors), 1.0 / len(priors))
    return np.ceil(share * n_rows * priors).astype(int)
