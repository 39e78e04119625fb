"""Training a multi-task module with skorch: the loop, early stopping, what is recorded."""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.helper import predefined_split

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._batches import EVALUATION_BATCH, SliceBatches
from sklearn_ser.neural_network._losses import MultiTaskLoss
from sklearn_ser.neural_network._sequences import LengthBatches
from sklearn_ser.utils._progress import progress


@dataclass
class TrainingRecord:
    """How a training went: one row of plain values per finished epoch."""

    epochs: list = field(default_factory=list)
    best_epoch: int = 0
    interrupted: bool = False

    def columns(self):
        """The epochs as a dict of equally long lists."""
        return {name: [epoch[name] for epoch in self.epochs] for name in self.epochs[0]}


class StopTraining(Exception):
    """Raised by a callback to end the training in good order.

    skorch's own sign for this is KeyboardInterrupt, which cannot be told from a person's Ctrl-C.
    """


class MultiTaskNet(NeuralNet):
    """skorch's net for a module with several outputs and targets packed per row.

    Differs from the stock net in what it does per batch: it keeps the loss of each task, and
    reads the losses from the device once per epoch instead of once per batch.
    """

    interrupted_ = False

    @property
    def _default_callbacks(self):
        return []

    def fit_loop(self, X, y=None, epochs=None, **kwargs):
        try:
            return super().fit_loop(X, y, epochs, **kwargs)
        except StopTraining:
            return self
        except KeyboardInterrupt:
            self.interrupted_ = True
            return self

    def train_step(self, batch, **fit_params):
        x, (targets, weights) = batch
        self.optimizer_.zero_grad(set_to_none=True)
        losses = self.criterion_.per_task(self.module_(x), targets, weights)
        self.criterion_.combine(losses).backward()
        self.optimizer_.step()
        return torch.stack(losses).detach()

    def validation_step(self, batch, **fit_params):
        x, (targets, weights) = batch
        with torch.inference_mode():
            return torch.stack(self.criterion_.per_task(self.module_(x), targets, weights))

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        self._set_training(training)
        losses, totals = [], []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            losses.append(step_fn(batch, **fit_params))
            totals.append(batch[1][1].sum(dim=0))
            self.notify("on_batch_end", batch=batch, training=training, loss=losses[-1])
        losses = torch.stack(losses).cpu().double().numpy()
        totals = torch.stack(totals).cpu().double().numpy()
        labelled = totals.sum(axis=0)
        means = np.full(len(labelled), np.nan)
        np.divide((losses * totals).sum(axis=0), labelled, out=means, where=labelled > 0)
        self.history.record(f"{prefix}_losses", means)


class EpochRecorder(Callback):
    """Writes each epoch's losses into the record, moves the bar, refuses a diverged loss."""

    def __init__(self, record, tasks, bar):
        self.record = record
        self.tasks = tasks
        self.bar = bar

    def on_epoch_end(self, net, **kwargs):
        row = {"epoch": len(net.history)}
        for part in ("train", "valid"):
            losses = net.history[-1].get(f"{part}_losses")
            if losses is None:
                continue
            weights = [task.weight for task in self.tasks]
            row[f"{part}_loss"] = float(np.nansum(losses * weights))
            for task, loss in zip(self.tasks, losses, strict=True):
                row[f"{part}_loss_{task.name}"] = float(loss)
        if not np.isfinite(row[f"train_loss_{self.tasks[0].name}"]):
            raise SerError(
                f"training diverged: the loss was not finite in epoch {row['epoch']}. Standardise "
                "the features before the network (GroupScaler, StandardScaler), or lower "
                "learning_rate."
            )
        self.record.epochs.append(row)
        self.record.best_epoch = row["epoch"]
        self.bar.set_postfix_str(f"training loss {row['train_loss']:.3f}", refresh=False)
        self.bar.update()


class BestWeights(Callback):
    """Keeps the weights of the epoch with the lowest `monitored` value, and ends a vain training.

    They are kept in memory: files would be shared by fits that run at the same time.
    """

    def __init__(self, record, monitored, patience):
        self.record = record
        self.monitored = monitored
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        self.lowest_ = np.inf
        self.best_epoch_ = 0
        self.weights_ = None

    def on_epoch_end(self, net, **kwargs):
        row = self.record.epochs[-1]
        if not np.isfinite(row[self.monitored]):
            raise SerError(
                f"early stopping has nothing to go by: the loss of the held-out rows is not finite "
                f"in epoch {row['epoch']}. Their features are extreme, or their weights are all 0: "
                "standardise the features, or set early_stopping=False."
            )
        if row[self.monitored] < self.lowest_:
            self.lowest_ = row[self.monitored]
            self.best_epoch_ = row["epoch"]
            self.weights_ = copy.deepcopy(net.module_.state_dict())
        self.record.best_epoch = self.best_epoch_
        if row["epoch"] - self.best_epoch_ >= self.patience:
            raise StopTraining

    def on_train_end(self, net, **kwargs):
        if self.weights_ is not None:
            net.module_.load_state_dict(self.weights_)


def make_net(module, tasks, *, device, **settings):
    """The skorch net of a module and its tasks, not yet initialised."""
    batches = LengthBatches if module.encoder.on_frames else SliceBatches
    return MultiTaskNet(
        module,
        criterion=MultiTaskLoss(tasks),
        optimizer=torch.optim.AdamW,
        optimizer__fused=torch.device(device).type in ("cpu", "cuda"),
        iterator_train=batches,
        iterator_valid=batches,
        iterator_valid__batch_size=EVALUATION_BATCH,
        device=device,
        verbose=0,
        **({"train_split": None} | settings),
    )


def train(
    module,
    tasks,
    train_rows,
    valid_rows,
    *,
    max_epochs,
    batch_size,
    learning_rate,
    weight_decay,
    patience,
    generator,
    device,
    verbose,
):
    """Train `module` in place, and leave the best weights in it.

    Parameters
    ----------
    module : MultiTaskModule
    tasks : sequence of task objects
        The first is the main task, whose validation loss decides when to stop.
    train_rows, valid_rows : ResidentRows
        `valid_rows` is None for training all `max_epochs`.
    max_epochs, batch_size, learning_rate, weight_decay, patience
        As in MTLNeuralClassifier; ``batch_size=None`` is one batch of all rows.
    generator : torch.Generator
        Orders the rows.
    device : str
    verbose : int

    Returns
    -------
    TrainingRecord
    """
    record = TrainingRecord()
    with progress(
        total=max_epochs, desc="MTLNeuralClassifier", unit="epoch", verbose=verbose
    ) as bar:
        callbacks = [EpochRecorder(record, tasks, bar)]
        if valid_rows is not None:
            callbacks.append(BestWeights(record, f"valid_loss_{tasks[0].name}", patience))
        settings = {}
        if module.encoder.on_frames and batch_size is None:
            settings["iterator_train__most_frames"] = None
        net = make_net(
            module,
            tasks,
            device=device,
            optimizer__lr=learning_rate,
            optimizer__weight_decay=weight_decay,
            max_epochs=max_epochs,
            batch_size=-1 if batch_size is None else batch_size,
            iterator_train__generator=generator,
            train_split=None if valid_rows is None else predefined_split(valid_rows),
            callbacks=callbacks,
            **settings,
        )
        net.fit(train_rows)
    record.interrupted = net.interrupted_
    return record
