"""Self-training: the rounds in which a network labels rows and learns from its own labels."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from torch import nn

from sklearn_ser.neural_network._random import Dropout, numpy_stream
from sklearn_ser.neural_network.training._batches import ResidentRows
from sklearn_ser.neural_network.training._calibration import fit_temperature
from sklearn_ser.neural_network.training._evaluate import main_outputs
from sklearn_ser.neural_network.training._perturb import BatchPerturbation

#: With this share of the chosen rows and labels as before, another round would change nothing.
SETTLED = 0.99
INTERRUPTED = "interrupted"

_DROPOUT = (Dropout, nn.modules.dropout._DropoutNd)  # a user's own encoder may have torch's


@dataclass
class Trained:
    """The network of one round.

    Parameters
    ----------
    module : MultiTaskModule
    record : TrainingRecord
    rows : ResidentRows
        All rows of the fit, with the labels that it learned from.
    """

    module: nn.Module
    record: object
    rows: ResidentRows


def self_train(spec, train_on, rows, train_part, valid_part, plain_weights, tasks, *, seed, device):
    """Train, label, train anew, until one of the rules of `spec` ends it.

    Parameters
    ----------
    spec : PseudoLabels
    train_on : callable
        Of all rows of the fit (ResidentRows), gives a module trained on those of `train_part`,
        and its record.
    rows : ResidentRows
        On the device.
    train_part, valid_part : ndarray of int
        Rows of `train_part` alone get labels; those of `valid_part` judge the rounds.
    plain_weights : ndarray of shape (n_rows,)
        The rows' weights, without those of classes.
    tasks : list of fitted tasks
    seed : int
    device : str

    Returns
    -------
    kept : Trained
        Its record has no epochs if training was interrupted before the end of the first.
    table : list of dict
        Plain values, one dict per round; see ``pseudo_labels_`` of MTLNeuralClassifier.
    """
    kept = trained = Trained(*train_on(rows), rows)
    if not kept.record.epochs:
        return kept, []
    judge = _Judge(tasks, rows, valid_part, plain_weights)
    labeler = _Labeler(spec, judge, rows, train_part, plain_weights, seed, device)
    table, found = [judge.line(trained)], None
    lowest = table[0]["valid_loss"]
    reason = INTERRUPTED if trained.record.interrupted else ""
    while not reason:
        if len(table) > spec.max_rounds:
            reason = "max_rounds"
            break
        try:
            before, found = found, labeler(trained.module, len(table))
            reason = _why_end(spec, found, before)
            if reason:
                break
            given = labeler.labeled(found)
            trained = Trained(*train_on(given), given)
            line = judge.line(trained, found, before)
        except KeyboardInterrupt:  # between epochs
            reason = INTERRUPTED
            break
        if trained.record.interrupted:
            reason = INTERRUPTED
            break
        table.append(line)
        if spec.tolerance is not None and line["valid_loss"] > lowest * (1.0 + spec.tolerance):
            reason = "tolerance"
        else:
            kept = trained
            lowest = min(lowest, line["valid_loss"])
    table[-1]["stopped"] = reason
    table[-2 if reason == "tolerance" else -1]["kept"] = True
    return kept, table


def _why_end(spec, found, before):
    """Why no network is trained on what was found, by the name of the parameter; "" if one is."""
    if not len(found.labels):
        return "nothing unlabeled"
    if len(found.chosen) < spec.min_rows:
        return "min_rows"
    if before is not None and found.agreement(before) < spec.stability:
        return "stability"
    if before is not None and found.is_almost(before, SETTLED):
        return "settled"
    return ""


class _Judge:
    """How well networks tell the held-out rows."""

    def __init__(self, tasks, rows, valid_part, plain_weights):
        held_out = rows.take(valid_part)
        self.tasks = tasks
        self.x = held_out.x
        self.codes = held_out.targets[0].cpu().numpy()
        self.weights = plain_weights[valid_part]

    def temperature(self, module):
        """What makes a network's probabilities honest on these rows; 1 without rows."""
        if not len(self.codes):
            return 1.0
        module.eval()
        return fit_temperature(main_outputs(module, self.tasks, self.x), self.codes, self.weights)

    def line(self, trained, found=None, before=None):
        """A line of the table: of the first round without `found`."""
        n_classes = self.tasks[0].n_outputs
        counts = np.zeros(n_classes, dtype=int)
        if found is not None:
            counts = found.counts(n_classes)
        loss = score = np.nan
        if len(self.codes):
            trained.module.eval()
            outputs = main_outputs(trained.module, self.tasks, self.x)
            losses = -log_softmax(outputs, axis=1)[np.arange(len(self.codes)), self.codes]
            loss = float(np.average(losses, weights=self.weights))
            score = self.tasks[0].score(outputs, self.codes, self.weights)
        return {
            "selected": int(counts.sum()),
            "counts": counts.tolist(),
            "agreement": np.nan if before is None else found.agreement(before),
            "valid_loss": loss,
            "valid_score": score,
            "kept": False,
            "stopped": "",
        }


class _Labeler:
    """Labels the rows of the training part that have no label."""

    def __init__(self, spec, judge, rows, train_part, plain_weights, seed, device):
        codes = rows.targets[0].cpu().numpy()
        self.spec = spec
        self.judge = judge
        self.tasks = judge.tasks
        self.rows = rows
        self.places = train_part[(codes[train_part] < 0) & (plain_weights[train_part] > 0)]
        self.x = rows.x[self.places]
        self.plain_weights = plain_weights
        self.seed = seed
        self.device = device
        main = self.tasks[0]
        learned = train_part[codes[train_part] >= 0]
        counts = np.bincount(codes[learned], plain_weights[learned], minlength=main.n_outputs)
        if not counts.any():  # a fit that goes on, on unlabeled rows alone: all classes alike
            counts = np.ones(main.n_outputs)
        self.priors = counts / counts.sum()
        # As of the labeled rows, by class; 1 of a class that none of them has.
        factors = main.class_weights(codes, plain_weights)
        self.factors = np.ones(main.n_outputs)
        self.factors[codes[codes >= 0]] = factors[codes >= 0]

    def __call__(self, module, number):
        """What a network says, for the training of round `number`."""
        spec = self.spec
        temperature = self.judge.temperature(module)
        module.eval()
        outputs = main_outputs(module, self.tasks, self.x)
        votes = self._votes(module, outputs.argmax(axis=1), number) if spec.consistency else None
        share = spec.share * number / spec.max_rounds
        return choose_rows(
            softmax(outputs / temperature, axis=1),
            votes,
            class_quotas(spec.balance, share, len(outputs), self.priors),
            threshold=spec.threshold,
            agreement=spec.agreement,
        )

    def _votes(self, module, labels, number):
        perturbation = BatchPerturbation(
            mixup_alpha=0.0,
            noise=self.spec.input_noise,
            dropout=0.0,
            seed=int(numpy_stream(self.seed, f"pseudo labels {number}").integers(2**31)),
            device=self.device,
        )
        for part in module.modules():
            if isinstance(part, _DROPOUT):
                part.train()
        agreeing = np.zeros(len(labels))
        for _ in range(self.spec.consistency):
            outputs = main_outputs(module, self.tasks, self.x, lambda x: perturbation(x)[1])
            agreeing += outputs.argmax(axis=1) == labels
        module.eval()
        return agreeing / self.spec.consistency

    def labeled(self, found):
        """All rows, those that were chosen with their labels."""
        places, codes = self.places[found.chosen], found.labels[found.chosen]
        plain = self.spec.weight * self.plain_weights[places]
        targets = self.rows.targets[0].clone()
        targets[places] = torch.from_numpy(codes).to(targets)
        all_weights, all_plain = self.rows.weights.clone(), self.rows.plain_weights.clone()
        all_weights[places, 0] = torch.from_numpy(plain * self.factors[codes]).to(all_weights)
        all_plain[places, 0] = torch.from_numpy(plain).to(all_plain)
        return ResidentRows(self.rows.x, [targets, *self.rows.targets[1:]], all_weights, all_plain)


@dataclass(frozen=True)
class Found:
    """Labels that a network gives to rows without one.

    Parameters
    ----------
    labels : ndarray of int of shape (n_rows,)
        Codes of the classes, of all these rows.
    chosen : ndarray of int
        Which of these rows are to be learned, in rising order.
    """

    labels: np.ndarray
    chosen: np.ndarray

    def agreement(self, other):
        """Share of all rows that have the same label in both."""
        return float((self.labels == other.labels).mean())

    def counts(self, n_classes):
        """How many rows of each class were chosen."""
        return np.bincount(self.labels[self.chosen], minlength=n_classes)

    def is_almost(self, other, share):
        """Whether the rows chosen in both, with one label, are this share of those in either."""
        both = np.intersect1d(self.chosen, other.chosen)
        same = (self.labels[both] == other.labels[both]).sum()
        return bool(same >= share * len(np.union1d(self.chosen, other.chosen)))


def choose_rows(probabilities, votes, quotas, *, threshold, agreement):
    """Label rows, and choose those whose label is taken for true.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_classes)
    votes : ndarray of shape (n_rows,) or None
        Share of the perturbed copies of each row that get the row's own label; None: not asked.
    quotas : ndarray of int of shape (n_classes,), or int
        Most rows of each class, or of all together. The most probable ones are taken; of equally
        probable ones, the first.
    threshold, agreement : float
        Least probability and least share of votes.

    Returns
    -------
    Found
    """
    labels = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    sure = confidence >= threshold
    if votes is not None:
        sure &= votes >= agreement
    by_confidence = np.argsort(-confidence, kind="stable")
    by_confidence = by_confidence[sure[by_confidence]]
    if np.ndim(quotas) == 0:
        return Found(labels, np.sort(by_confidence[:quotas]))
    chosen = [
        by_confidence[labels[by_confidence] == code][:quota] for code, quota in enumerate(quotas)
    ]
    return Found(labels, np.sort(np.concatenate(chosen)))


def class_quotas(balance, share, n_rows, priors):
    """Most rows to choose of each class, or of all where nothing is balanced.

    Parameters
    ----------
    balance : {"equal", "prior"} or None
    share : float
        Of the rows.
    n_rows : int
        Rows without a label.
    priors : ndarray of shape (n_classes,)
        Share of each class among the labeled rows.

    Returns
    -------
    ndarray of int of shape (n_classes,), or int
        Rounded up: at least one row, unless the class's share is 0.
    """
    if balance is None:
        return int(np.ceil(share * n_rows))
    if balance == "equal":
        priors = np.full(len(priors), 1.0 / len(priors))
    return np.ceil(share * n_rows * priors).astype(int)
