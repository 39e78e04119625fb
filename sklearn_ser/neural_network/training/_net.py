"""skorch's net for a module with several outputs and targets packed per row."""

import contextlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from skorch.utils import TeeGenerator
from torch import nn

from sklearn_ser.neural_network.tasks._base import Inputs, utterance_outputs
from sklearn_ser.neural_network.training._attack import AdversarialLoss
from sklearn_ser.neural_network.training._callbacks import StopTraining
from sklearn_ser.neural_network.training._perturb import BatchPerturbation

#: Share of the training after which SWA begins to average.
SWA_START = 0.5
#: Of the exponential average, per step; less in the first steps, which are far from the end.
EMA_DECAY = 0.99


class WeightAverage:
    """Keeps an average of a module's weights, and lends it to the module.

    Parameters
    ----------
    kind : {"ema", "swa"}
        Exponential moving average over steps, or the mean of the weights after each epoch of the
        second half of the training [1]_.
    module : torch.nn.Module
    n_epochs : int
        Of the training, at most.

    References
    ----------
    .. [1] Izmailov, P. et al. (2018). Averaging Weights Leads to Wider Optima and Better
       Generalization. UAI 2018.
    """

    def __init__(self, kind, module, n_epochs):
        self.kind = kind
        self.first = SWA_START * n_epochs  # averages epochs after this one
        self.epoch = 0
        self.live = list(module.parameters())
        self.average = [parameter.detach().clone() for parameter in self.live]
        self.count = 0

    def after_step(self):
        if self.kind == "ema":
            self.count += 1
            self._move(1.0 - min(EMA_DECAY, self.count / (self.count + 10.0)))

    def after_epoch(self):
        """Take the weights of an epoch in."""
        self.epoch += 1
        if self.kind == "swa":
            # Before it begins, the average is the latest weights.
            self.count = self.count + 1 if self.epoch > self.first else 0
            self._move(1.0 / max(self.count, 1))

    @torch.no_grad()
    def _move(self, share):
        torch._foreach_lerp_(self.average, [parameter.data for parameter in self.live], share)

    @contextlib.contextmanager
    def applied(self):
        """The module has the averaged weights within."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self):
        for parameter, kept in zip(self.live, self.average, strict=True):
            value = parameter.detach().clone()
            parameter.copy_(kept)
            kept.copy_(value)


@dataclass
class Procedure:
    """What a training step does beyond the gradient step itself.

    Parameters
    ----------
    tasks : sequence of fitted tasks
    total_rows : int
        Rows that the whole training will see: those of an epoch times the epochs.
    learning_rate : float
    schedule : str
    warmup : float
        See `rate_factor`.
    max_grad_norm : float or None
    perturbation : BatchPerturbation or None
    adversarial : AdversarialLoss or None
    average : WeightAverage or None
    autocast : contextlib context manager or None
        For mixed precision.
    seen_rows : int
        Of those, how many were seen so far.
    """

    tasks: list
    total_rows: int = 1
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup: float = 0.0
    max_grad_norm: float | None = None
    perturbation: BatchPerturbation | None = None
    adversarial: AdversarialLoss | None = None
    average: WeightAverage | None = None
    autocast: object = None
    seen_rows: int = 0

    def __post_init__(self):
        self.adversaries = [
            (place, task)
            for place, task in enumerate(self.tasks)
            if task.reverses_gradient and task.weight > 0.0
        ]
        starts = [
            task.spec.start for task in self.tasks if task.uses_unlabeled and task.weight > 0.0
        ]
        self.guessing_from = min(starts, default=None)
        self.plain = self.schedule == "constant" and not self.warmup

    @property
    def done(self):
        """Share of the training that is over."""
        return min(1.0, self.seen_rows / self.total_rows)

    @property
    def guesses_now(self):
        """Whether any task learns what the network guesses."""
        return self.guessing_from is not None and self.done > self.guessing_from

    def before_step(self, net, n_rows):
        if not self.plain:
            # In the middle of its step, so that neither the first nor the last has a rate of 0.
            done = min(1.0, (self.seen_rows + 0.5 * n_rows) / self.total_rows)
            rate = self.learning_rate * rate_factor(done, self.schedule, self.warmup)
            for group in net.optimizer_.param_groups:
                group["lr"] = rate
        for place, task in self.adversaries:
            net.module_.reversal[place] = task.reversal_strength(self.done)
        self.seen_rows += n_rows


class MultiTaskNet(NeuralNet):
    """A skorch net that keeps the loss of each task, and reads them from the device once an epoch.

    Parameters
    ----------
    procedure : Procedure

    Attributes
    ----------
    epoch_ : dict
        Arrays of the last epoch: ``train_losses`` and ``valid_losses``, one of each task,
        ``train_labeled`` and ``valid_labeled``, whether any row has its target, and the dict
        ``valid_scores``. Not in the history, which skorch's callbacks write as JSON.
    """

    interrupted_ = False

    def __init__(self, module, criterion, *args, procedure=None, **kwargs):
        self.procedure = procedure
        super().__init__(module, criterion, *args, **kwargs)

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

    def notify(self, method_name, **cb_kwargs):
        if method_name == "on_train_end":
            try:
                return super().notify(method_name, **cb_kwargs)
            except KeyboardInterrupt:  # the training itself is over
                self.interrupted_ = True
                return None
        if method_name != "on_epoch_end":
            return super().notify(method_name, **cb_kwargs)
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:
                if isinstance(callback, EarlyStopping):  # how skorch's own ends training
                    raise StopTraining from None
                raise  # a person's Ctrl-C
        return None

    def evaluated_weights(self):
        """A copy of the weights that are validated: the averaged ones where there are."""
        with self._averaged():
            return {name: value.clone() for name, value in self.module_.state_dict().items()}

    def train_step(self, batch, **fit_params):
        x, (targets, weights) = batch
        how = self.procedure
        how.before_step(self, len(weights))
        clean, seen, mix = x, x, None
        if how.perturbation is not None:
            clean, seen, mix = how.perturbation(x)
        self.optimizer_.zero_grad(set_to_none=True)
        outputs, frame_batch = self._forward(seen)
        inputs = Inputs(clean, seen)
        if how.guesses_now:
            inputs = Inputs(clean, seen, self._main(outputs, frame_batch), self._guess(clean))
        if mix is None:
            losses = self.criterion_.per_task(outputs, targets, weights, inputs, frame_batch)
        else:
            losses = self.criterion_.mixed(outputs, targets, weights, mix, inputs, frame_batch)
        self.criterion_.weighting.backward(losses, self.criterion_.counted, self.module_)
        if how.adversarial is not None:
            self._learn_changed(clean, targets[0], weights[:, 0], mix)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.module_.named_parameters()),
            batch=batch,
            training=True,
        )
        if how.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.module_.parameters(), how.max_grad_norm)
        self.optimizer_.step()
        if how.average is not None:
            how.average.after_step()
        return torch.stack(losses).detach()

    def validation_step(self, batch, **fit_params):
        x, (targets, weights) = batch
        with torch.inference_mode():
            outputs, frame_batch = self._forward(x)
            losses = self.criterion_.per_task(outputs, targets, weights, Inputs(x, x), frame_batch)
            if frame_batch is not None:
                outputs = utterance_outputs(self.procedure.tasks, outputs, frame_batch)
        self._answers.append((outputs, targets, weights))
        return torch.stack(losses)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        self._set_training(training)
        self._answers, self._changed = [], []
        losses, weights = [], []
        with contextlib.nullcontext() if training else self._averaged():
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                losses.append(step_fn(batch, **fit_params))
                weights.append(batch[1][1])
                self.notify("on_batch_end", batch=batch, training=training, loss=losses[-1])
        if training and self.procedure.average is not None:
            self.procedure.average.after_epoch()  # what is validated next
        means, labeled = _mean_losses(losses, weights)
        if training:
            self.epoch_ = {}
        self.epoch_ |= {f"{prefix}_losses": means, f"{prefix}_labeled": labeled}
        if not training:
            self.epoch_["valid_scores"] = self._scores()
        elif self.procedure.adversarial is not None:
            self.epoch_["adversarial_loss"] = _weighted_mean(self._changed)

    def _forward(self, x):
        """The outputs of all heads, and the batch where they are of its frames."""
        if self.procedure.autocast is None:
            outputs = self.module_(x)
        else:
            with self.procedure.autocast:
                outputs = self.module_(x)
            outputs = tuple(output.float() for output in outputs)
        return outputs, x if self.module_.frame_level else None

    def _main(self, outputs, frame_batch):
        """The main head's outputs of utterances."""
        if frame_batch is None:
            return outputs[0]
        return utterance_outputs(self.procedure.tasks[:1], outputs[:1], frame_batch)[0]

    def _guess(self, x):
        """The main head's probabilities without noise and dropout."""
        self.module_.eval()
        with torch.no_grad():
            guesses = self._main(*self._forward(x)).softmax(dim=1)
        self.module_.train()
        return guesses

    def _learn_changed(self, x, targets, weights, mix):
        """Add the gradients of the loss on rows changed to mislead the network.

        After those of the tasks, whose weighting may set gradients instead of adding to them.
        """
        how = self.procedure.adversarial
        loss, total = how(self, x, targets, weights, mix)
        (how.weight * loss).backward()
        self._changed.append((loss.detach(), total))

    def _averaged(self):
        average = self.procedure.average
        return contextlib.nullcontext() if average is None else average.applied()

    def _scores(self):
        """Score of each task that answers something, over all held-out rows."""
        scores = {}
        for place, task in enumerate(self.procedure.tasks):
            if task.predicts:
                parts = [
                    (outputs[place].cpu(), targets[place].cpu(), weights[:, place].cpu())
                    for outputs, targets, weights in self._answers
                ]
                outputs, targets, weights = (
                    torch.cat(part).numpy() for part in zip(*parts, strict=True)
                )
                scores[task.name] = task.score(outputs, targets, weights)
        return scores


def _weighted_mean(pairs):
    """Mean loss of pairs (loss, weight) of scalar tensors; NaN where no weight is above 0."""
    losses, weights = torch.stack([torch.stack(pair) for pair in pairs]).cpu().double().T.numpy()
    return float((losses * weights).sum() / weights.sum()) if weights.any() else float("nan")


def _mean_losses(losses, weights):
    """Mean loss of each task over all rows, from those of batches, and whether a row has a target.

    Parameters
    ----------
    losses : list of Tensor of shape (n_tasks,)
    weights : list of Tensor of shape (n_rows, n_tasks)
    """
    starts = np.cumsum([0, *map(len, weights[:-1])])
    # Task by task, each side by side in memory: see MultiTaskLoss.per_task.
    by_task = torch.stack(losses).cpu().numpy().astype(np.float64).T.copy()
    rows_by_task = torch.cat(weights).cpu().numpy().astype(np.float64).T.copy()
    means, labeled = np.full(len(by_task), np.nan), np.zeros(len(by_task), dtype=bool)
    for task, (of_batch, of_row) in enumerate(zip(by_task, rows_by_task, strict=True)):
        totals = np.add.reduceat(of_row, starts)
        if totals.any():
            means[task] = (of_batch * totals).sum() / totals.sum()
            labeled[task] = True
    return means, labeled


def rate_factor(done, schedule, warmup):
    """Factor of the learning rate after the share `done` of the training.

    Parameters
    ----------
    done : float
        In [0, 1].
    schedule : {"constant", "linear", "cosine"}
        After warm-up; the last two fall to 0 at the end.
    warmup : float
        Share of the training in which the factor rises from 0 in a straight line.
    """
    if done < warmup:
        return done / warmup
    if schedule == "constant":
        return 1.0
    left = (1.0 - done) / (1.0 - warmup)
    return left if schedule == "linear" else 0.5 - 0.5 * math.cos(math.pi * left)
