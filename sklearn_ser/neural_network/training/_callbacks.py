"""Callbacks between epochs: records, best weights, early stopping; checks of users' callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.callbacks.scoring import ScoringBase

from sklearn_ser.exceptions import SerError

if TYPE_CHECKING:
    from sklearn_ser.neural_network.tasks._base import FittedTask
    from sklearn_ser.neural_network.training._fit_one import TrainingRecord


class StopTraining(Exception):
    """Regular end of a training after an epoch; replaces the KeyboardInterrupt of EarlyStopping."""


def diverged(reason: str) -> SerError:
    """Return the error for a training whose loss or weights are no longer finite."""
    return SerError(
        f"training diverged: {reason}. Standardize the features before the network (GroupScaler, "
        "StandardScaler), or lower lr."
    )


def check_callbacks(callbacks: list | None, *, validated: bool) -> None:
    """Check that callbacks are skorch callbacks that can work in a multi-task network.

    `validated` is whether the training has validation samples.
    """
    for index, given in enumerate(callbacks or []):
        callback = given[1] if isinstance(given, tuple) and len(given) == 2 else given
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise TypeError(
                f"callbacks[{index}] must be a skorch callback, or a tuple of a name and a "
                f"callback, got {given!r}."
            )
        if issubclass(kind, ScoringBase):
            raise ValueError(
                f"callbacks[{index}]: {kind.__name__} expects batches with a single target. The "
                "history contains the scores on validation samples without it: valid_score_y and "
                "so on."
            )
        if not validated and not without_validation_callbacks([given]):
            raise ValueError(
                f"callbacks[{index}]: {kind.__name__} monitors validation samples, and with "
                "early_stopping=False there are none. Set early_stopping=True, or let it monitor "
                '"train_loss" (Checkpoint: "train_loss_best").'
            )


def without_validation_callbacks(callbacks: list | None) -> list:
    """Return the callbacks that can work in a training without validation samples."""
    usable = []
    for given in callbacks or []:
        callback = given[1] if isinstance(given, tuple) else given
        if isinstance(callback, type):  # skorch instantiates it with its defaults
            callback = callback()
        if not str(getattr(callback, "monitor", "")).startswith("valid_"):
            usable.append(given)
    return usable


class EpochRecorder(Callback):
    """Record of the losses and scores of each epoch; raises an error if the loss diverges."""

    def __init__(self, record: TrainingRecord, tasks: Sequence[FittedTask]):
        self.record = record
        self.tasks = tasks
        self.weights = [task.weight for task in tasks]
        self.lowest: dict[str, float] = {}

    def on_epoch_end(self, net, **kwargs):
        # (the history of the net may begin with epochs that a callback has read from a file)
        row: dict[str, Any] = {"epoch": len(self.record.epochs) + 1}
        weights = net.criterion_.weighting.current()
        for part in ("train", "valid"):
            losses = net.epoch_.get(f"{part}_losses")
            if losses is None:
                continue
            row[f"{part}_loss"] = float(np.nansum(losses * weights))
            for task, loss in zip(self.tasks, losses, strict=True):
                row[f"{part}_loss_{task.name}"] = float(loss)
        for name, score in net.epoch_.get("valid_scores", {}).items():
            row[f"valid_score_{name}"] = score
        for task, weight in zip(self.tasks, weights, strict=True):
            row[f"weight_{task.name}"] = float(weight)
        adversarial = net.epoch_.get("adversarial_loss")
        if adversarial is not None:
            row["adversarial_loss"] = adversarial
        # A task without a target in these samples has no loss, which is not a divergence.
        active = net.epoch_["train_labeled"] & (np.array(self.weights) > 0.0)
        if not np.isfinite(net.epoch_["train_losses"][active]).all():
            raise diverged(f"the loss was not finite in epoch {row['epoch']}")
        self.record.epochs.append(row)
        self.record.best_epoch = row["epoch"]
        self._add_to_history(net, row)

    def _add_to_history(self, net, row):
        """Add an epoch to the history of the net, for callbacks of users."""
        for name, value in row.items():
            if name != "epoch":
                net.history.record(name, value)
        for name in {"train_loss", "valid_loss"} & set(row):
            best = row[name] < self.lowest.get(name, np.inf)
            net.history.record(f"{name}_best", best)
            if best:
                self.lowest[name] = row[name]


class ProgressBar(Callback):
    """Progress bar over epochs, with the training loss."""

    def __init__(self, bar: Any, record: TrainingRecord):
        self.bar = bar
        self.record = record

    def on_epoch_end(self, net, **kwargs):
        loss = self.record.epochs[-1]["train_loss"]
        self.bar.set_postfix_str(f"training loss {loss:.3f}", refresh=False)
        self.bar.update()


class BestWeights(Callback):
    """Weights of the epoch with the best value in the column `monitored` of the record.

    `sign` is 1 if lower is better, -1 if higher is.
    """

    def __init__(self, record: TrainingRecord, monitored: str, sign: int):
        self.record = record
        self.monitored = monitored
        self.sign = sign

    def on_train_begin(self, net, **kwargs):
        self.lowest_ = np.inf
        self.best_epoch_ = 0
        self.weights_: dict[str, torch.Tensor] | None = None

    def on_epoch_end(self, net, **kwargs):
        row = self.record.epochs[-1]
        value = self.sign * row[self.monitored]
        if not np.isfinite(value):
            raise SerError(
                f"early stopping cannot compare epochs: the loss of the validation samples is not "
                f"finite in epoch {row['epoch']}. Their features are extreme, or their weights are "
                "all 0. Standardize the features, or set early_stopping=False."
            )
        if value < self.lowest_:
            self.lowest_ = value
            self.best_epoch_ = row["epoch"]
            self.weights_ = net.evaluated_weights()
        self.record.best_epoch = self.best_epoch_


class LastWeights(Callback):
    """Weights of the last complete epoch, which an interrupted one does not change."""

    weights_: dict[str, torch.Tensor] | None = None

    def on_epoch_end(self, net, **kwargs):
        self.weights_ = net.evaluated_weights()


class Patience(Callback):
    """Early stopping: the end of a training that has not improved for some epochs.

    Separate from BestWeights, so that callbacks of users, which come between the two, are called
    for the last epoch, too.
    """

    def __init__(self, record: TrainingRecord, patience: int):
        self.record = record
        self.patience = patience

    def on_epoch_end(self, net, **kwargs):
        if len(self.record.epochs) - self.record.best_epoch >= self.patience:
            raise StopTraining


class LeaveWeights(Callback):
    """At the end of training, load the weights that another callback retained.

    Parameters
    ----------
    retained : BestWeights or LastWeights
    """

    def __init__(self, retained: BestWeights | LastWeights):
        self.retained = retained

    def on_train_end(self, net, **kwargs):
        weights = self.retained.weights_
        if weights is None:
            return
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise diverged(f"weights were not finite after epoch {len(net.history)}")
        net.module_.load_state_dict(weights)
