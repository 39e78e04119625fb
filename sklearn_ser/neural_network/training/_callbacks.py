"""What happens between epochs: the record, the best weights, the end."""

import numpy as np
from skorch.callbacks import Callback
from skorch.callbacks.scoring import ScoringBase

from sklearn_ser.exceptions import SerError


class StopTraining(Exception):
    """Ends the training in good order, after an epoch.

    skorch's own sign for this is KeyboardInterrupt, which cannot be told from a person's Ctrl-C:
    it is taken for it where skorch's EarlyStopping raises it.
    """


def diverged(where):
    """The error of a training that has left the finite numbers."""
    return SerError(
        f"training diverged: {where}. Standardize the features before the network (GroupScaler, "
        "StandardScaler), or lower lr."
    )


def check_callbacks(callbacks, *, held_out):
    """Refuse what is no skorch callback, or one that cannot work here.

    Parameters
    ----------
    callbacks : list or None
    held_out : bool
        Whether the training is meant to watch held-out rows.

    Raises
    ------
    TypeError, ValueError
        Naming its place.
    """
    for place, given in enumerate(callbacks or []):
        callback = given[1] if isinstance(given, tuple) and len(given) == 2 else given
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise TypeError(
                f"callbacks[{place}] must be a skorch callback (or a name and one), got {given!r}."
            )
        if issubclass(kind, ScoringBase):
            raise ValueError(
                f"callbacks[{place}]: {kind.__name__} takes batches with one target. The scores of "
                "held-out rows are there without it, as valid_score_y and so on in the history."
            )
        if not held_out and not without_held_out_rows([given]):
            raise ValueError(
                f"callbacks[{place}]: {kind.__name__} monitors held-out rows, and with "
                "early_stopping=False there are none in training: set early_stopping=True, or let "
                'it monitor "train_loss" (Checkpoint: "train_loss_best").'
            )


def without_held_out_rows(callbacks):
    """Those that can work in a training in which nothing is held out."""
    kept = []
    for given in callbacks or []:
        callback = given[1] if isinstance(given, tuple) else given
        if isinstance(callback, type):  # of which skorch makes one with its defaults
            callback = callback()
        if not str(getattr(callback, "monitor", "")).startswith("valid_"):
            kept.append(given)
    return kept


class EpochRecorder(Callback):
    """Writes each epoch's losses and scores into the record, and refuses a diverged loss.

    Parameters
    ----------
    record : TrainingRecord
    tasks : sequence of fitted tasks
    """

    def __init__(self, record, tasks):
        self.record = record
        self.tasks = tasks
        self.weights = [task.weight for task in tasks]
        self.lowest = {}

    def on_epoch_end(self, net, **kwargs):
        # (the net's history may begin with epochs that a callback has read from a file)
        row = {"epoch": len(self.record.epochs) + 1}
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
        changed = net.epoch_.get("adversarial_loss")
        if changed is not None:
            row["adversarial_loss"] = changed
        # Of a task without a target in these rows there is no loss, which is no divergence.
        there = net.epoch_["train_labeled"] & (np.array(self.weights) > 0.0)
        if not np.isfinite(net.epoch_["train_losses"][there]).all():
            raise diverged(f"the loss was not finite in epoch {row['epoch']}")
        self.record.epochs.append(row)
        self.record.best_epoch = row["epoch"]
        self._tell(net, row)

    def _tell(self, net, row):
        """Put it into the net's history, for callbacks of a user's own, in skorch's manner."""
        for name, value in row.items():
            if name != "epoch":
                net.history.record(name, value)
        for name in {"train_loss", "valid_loss"} & set(row):
            best = row[name] < self.lowest.get(name, np.inf)
            net.history.record(f"{name}_best", best)
            if best:
                self.lowest[name] = row[name]


class ProgressBar(Callback):
    """Moves a bar by one epoch; the record says what stands beside it."""

    def __init__(self, bar, record):
        self.bar = bar
        self.record = record

    def on_epoch_end(self, net, **kwargs):
        loss = self.record.epochs[-1]["train_loss"]
        self.bar.set_postfix_str(f"training loss {loss:.3f}", refresh=False)
        self.bar.update()


class BestWeights(Callback):
    """Keeps the weights of the best epoch.

    They are kept in memory: files would be shared by fits that run at the same time.

    Parameters
    ----------
    record : TrainingRecord
    monitored : str
        A column of the history.
    sign : int
        1 where low is good, -1 where high is.
    """

    def __init__(self, record, monitored, sign):
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
                f"early stopping has nothing to go by: the loss of the held-out rows is not finite "
                f"in epoch {row['epoch']}. Their features are extreme, or their weights are all 0: "
                "standardize the features, or set early_stopping=False."
            )
        if value < self.lowest_:
            self.lowest_ = value
            self.best_epoch_ = row["epoch"]
            self.weights_ = net.evaluated_weights()
        self.record.best_epoch = self.best_epoch_


class LastWeights(Callback):
    """Keeps the weights of the last whole epoch, which an interrupted one does not change."""

    weights_ = None

    def on_epoch_end(self, net, **kwargs):
        self.weights_ = net.evaluated_weights()


class Patience(Callback):
    """Ends a training that has not got better for some epochs.

    Apart from BestWeights, so that a user's own callbacks, which stand between the two, see the
    last epoch too.

    Parameters
    ----------
    record : TrainingRecord
    patience : int
    """

    def __init__(self, record, patience):
        self.record = record
        self.patience = patience

    def on_epoch_end(self, net, **kwargs):
        if len(self.record.epochs) - self.record.best_epoch >= self.patience:
            raise StopTraining


class LeaveWeights(Callback):
    """At the end, puts the weights that another callback kept into the module.

    Parameters
    ----------
    kept : BestWeights or LastWeights
    """

    def __init__(self, kept):
        self.kept = kept

    def on_train_end(self, net, **kwargs):
        weights = self.kept.weights_
        if weights is None:
            return
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise diverged(f"weights were not finite after epoch {len(net.history)}")
        net.module_.load_state_dict(weights)
