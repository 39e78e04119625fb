"""Callbacks of training, checks of users' callbacks, and user interrupts (Ctrl-C) of a fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.callbacks.scoring import ScoringBase

from sklearn_ser.exceptions import SerError

if TYPE_CHECKING:
    from sklearn_ser.neural_network.tasks._base import FittedTask
    from sklearn_ser.neural_network.training._train_network import TrainingRecord


class Interrupts:
    """The first user interrupt of a fit, and the stage in which it came.

    Each stage runs in :meth:`during`, the only place of the package where a KeyboardInterrupt of a
    fit ends. The code after the stage continues with the results so far; it is true in a boolean
    context if there was an interrupt.
    """

    def __init__(self) -> None:
        self.interrupted_in: str | None = None
        self._stage = "training"

    def __bool__(self) -> bool:
        return self.interrupted_in is not None

    @contextlib.contextmanager
    def during(self, stage: str | None = None) -> Iterator[None]:
        """Run a stage (without a name, the enclosing one), and end it at a user interrupt."""
        before = self._stage
        self._stage = before if stage is None else stage
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted_in = self.interrupted_in or self._stage
        finally:
            self._stage = before


class StopTraining(Exception):
    """Regular end of a training after an epoch; replaces the KeyboardInterrupt of EarlyStopping."""


def diverged(reason: str) -> SerError:
    """Return the error for a training whose loss or weights are no longer finite."""
    return SerError(
        f"training diverged: {reason}. Standardize the features before the network (GroupScaler, "
        "StandardScaler), or lower lr."
    )


def check_callbacks(callbacks: list | None, *, validated: bool) -> None:
    """Check that callbacks can work in the training, with (`validated`) or without validation."""
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
    """Record of the losses and scores of each epoch, which raises an error if the loss diverges."""

    def __init__(self, record: TrainingRecord, tasks: Sequence[FittedTask], bar: Any):
        self.record = record
        self.tasks = tasks
        self.bar = bar
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
        is_active = np.array([task.weight > 0.0 for task in self.tasks])
        active = net.epoch_["train_labeled"] & is_active
        if not np.isfinite(net.epoch_["train_losses"][active]).all():
            raise diverged(f"the loss was not finite in epoch {row['epoch']}")
        self.record.epochs.append(row)
        self.record.best_epoch = row["epoch"]
        # For callbacks of users:
        for name, value in row.items():
            if name != "epoch":
                net.history.record(name, value)
        for name in {"train_loss", "valid_loss"} & set(row):
            best = row[name] < self.lowest.get(name, np.inf)
            net.history.record(f"{name}_best", best)
            if best:
                self.lowest[name] = row[name]
        self.bar.set_postfix_str(f"training loss {row['train_loss']:.3f}", refresh=False)
        self.bar.update()


class LastWeights(Callback):
    """Weights of the last complete epoch, which the module has at the end of training."""

    weights_: dict[str, torch.Tensor] | None = None

    def on_epoch_end(self, net, **kwargs):
        self.weights_ = net.evaluated_weights()

    def on_train_end(self, net, **kwargs):
        if self.weights_ is None:
            return
        if not all(bool(value.isfinite().all()) for value in self.weights_.values()):
            raise diverged(f"weights were not finite after epoch {len(net.history)}")
        net.module_.load_state_dict(self.weights_)


class BestWeights(LastWeights):
    """Weights of the epoch with the best (`sign` 1: lowest) value in a column of the record."""

    def __init__(self, record: TrainingRecord, monitored: str, sign: int):
        self.record = record
        self.monitored = monitored
        self.sign = sign

    def on_train_begin(self, net, **kwargs):
        self.lowest_ = np.inf
        self.best_epoch_ = 0
        self.weights_ = None

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


class Patience(Callback):
    """Early stopping, after the callbacks of users, which are called for the last epoch, too."""

    def __init__(self, record: TrainingRecord, patience: int):
        self.record = record
        self.patience = patience

    def on_epoch_end(self, net, **kwargs):
        if len(self.record.epochs) - self.record.best_epoch >= self.patience:
            raise StopTraining
