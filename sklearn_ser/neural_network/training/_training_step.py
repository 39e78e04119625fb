"""skorch net for a module with several outputs, and the training steps of multi-task networks."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from skorch.utils import TeeGenerator
from torch import nn

from sklearn_ser.neural_network._settings import OptimizationSettings
from sklearn_ser.neural_network.tasks._base import Inputs, utterance_outputs
from sklearn_ser.neural_network.training._callbacks import Interrupts, StopTraining

if TYPE_CHECKING:
    from sklearn_ser.neural_network.training._adversarial_training import AdversarialLoss
    from sklearn_ser.neural_network.training._batch_perturbation import BatchPerturbation

#: Fraction of the training after which SWA starts to average.
SWA_START = 0.5
#: Decay of the exponential average per step; lower in the first steps, far from the optimum.
EMA_DECAY = 0.99


class WeightAverage:
    """Exponential moving average over steps, or mean over the epochs of the second half."""

    def __init__(self, kind: Literal["ema", "swa"], module: nn.Module, n_epochs: int):
        self.kind = kind
        self.first = SWA_START * n_epochs  # epochs after this one are averaged
        self.epoch = 0
        self.live = list(module.parameters())
        self.average = [parameter.detach().clone() for parameter in self.live]
        self.count = 0

    def after_step(self) -> None:
        """Update the average after a training step."""
        if self.kind == "ema":
            self.count += 1
            self._move(1.0 - min(EMA_DECAY, self.count / (self.count + 10.0)))

    def after_epoch(self) -> None:
        """Update the average after an epoch."""
        self.epoch += 1
        if self.kind == "swa":
            # Before SWA starts, the average is the latest weights.
            self.count = self.count + 1 if self.epoch > self.first else 0
            self._move(1.0 / max(self.count, 1))

    @torch.no_grad()
    def _move(self, share):
        torch._foreach_lerp_(self.average, [parameter.data for parameter in self.live], share)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Give the module the averaged weights within this context."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self):
        for parameter, average in zip(self.live, self.average, strict=True):
            value = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(value)


@dataclass
class Procedure:
    """Parts of a training step beyond the gradient step itself."""

    tasks: Sequence[Any]
    interrupts: Interrupts = field(default_factory=Interrupts)
    total_rows: int = 1  # of all planned epochs together
    seen_rows: int = 0  # so far
    lr: float = 1e-3
    optimization: OptimizationSettings = field(default_factory=OptimizationSettings)
    perturbation: BatchPerturbation | None = None
    adversarial: AdversarialLoss | None = None
    average: WeightAverage | None = None
    autocast: contextlib.AbstractContextManager | None = None  # for mixed precision

    def __post_init__(self) -> None:
        active = [(index, task) for index, task in enumerate(self.tasks) if task.weight > 0.0]
        self.adversaries = [(index, task) for index, task in active if task.reverses_gradient]
        starts = [task.spec.start for _, task in active if task.uses_unlabeled]
        self.pseudo_labels_from = min(starts, default=None)
        self.has_constant_rate = (
            self.optimization.lr_schedule == "constant" and not self.optimization.warmup
        )

    @property
    def completed(self) -> float:
        """Fraction of the training that is over."""
        return min(1.0, self.seen_rows / self.total_rows)

    @property
    def uses_pseudo_labels(self) -> bool:
        """Whether any task learns pseudo-labels at this point of the training."""
        return self.pseudo_labels_from is not None and self.completed > self.pseudo_labels_from

    def before_step(self, net: MultiTaskNet, n_rows: int) -> None:
        """Set the learning rate and the factors of reversed gradients for a step."""
        if not self.has_constant_rate:
            # In the middle of the step, so that neither the first nor the last has a rate of 0.
            completed = min(1.0, (self.seen_rows + 0.5 * n_rows) / self.total_rows)
            schedule, warmup = self.optimization.lr_schedule, self.optimization.warmup
            rate = self.lr * rate_factor(completed, schedule, warmup)
            for group in net.optimizer_.param_groups:
                group["lr"] = rate
        for index, task in self.adversaries:
            net.module_.reversal[index] = task.reversal_strength(self.completed)
        self.seen_rows += n_rows


class MultiTaskNet(NeuralNet):
    """skorch net that records the loss of each task, read from the device once per epoch.

    The dict ``epoch_`` has arrays of the last epoch, beside the history, which callbacks of skorch
    write as JSON: losses by task, whether any sample has the target, and validation scores.
    """

    def __init__(self, module, criterion, *args, procedure=None, **kwargs):
        self.procedure = procedure
        super().__init__(module, criterion, *args, **kwargs)

    @property
    def _default_callbacks(self):
        return []

    def fit_loop(self, X, y=None, epochs=None, **kwargs):
        # skorch itself would end the training at a user interrupt without a trace.
        with self.procedure.interrupts.during(), contextlib.suppress(StopTraining):
            super().fit_loop(X, y, epochs, **kwargs)
        return self

    def notify(self, method_name, **cb_kwargs):
        if method_name == "on_train_end":
            with self.procedure.interrupts.during():  # the training itself is over
                super().notify(method_name, **cb_kwargs)
            return
        if method_name != "on_epoch_end":
            super().notify(method_name, **cb_kwargs)
            return
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:
                if isinstance(callback, EarlyStopping):  # ends training by this error
                    raise StopTraining from None
                raise  # a user interrupt

    def evaluated_weights(self):
        """Return a copy of the weights that are validated: the averaged ones if there are any."""
        with self._averaged():
            return {name: value.clone() for name, value in self.module_.state_dict().items()}

    def train_step(self, batch, **fit_params):
        x, (targets, weights) = batch
        procedure = self.procedure
        procedure.before_step(self, len(weights))
        clean, seen, mix = x, x, None
        if procedure.perturbation is not None:
            clean, seen, mix = procedure.perturbation(x)
        self.optimizer_.zero_grad(set_to_none=True)
        outputs, frame_batch = self._forward(seen)
        inputs = Inputs(clean, seen)
        if procedure.uses_pseudo_labels:
            main = self._main(outputs, frame_batch)
            inputs = Inputs(clean, seen, main, self._pseudo_labels(clean))
        if mix is None:
            losses = self.criterion_.per_task(outputs, targets, weights, inputs, frame_batch)
        else:
            losses = self.criterion_.mixed(outputs, targets, weights, mix, inputs, frame_batch)
        self.criterion_.weighting.backward(losses, self.criterion_.counted, self.module_)
        if procedure.adversarial is not None:
            self._add_adversarial_gradient(clean, targets[0], weights[:, 0], mix)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.module_.named_parameters()),
            batch=batch,
            training=True,
        )
        if procedure.optimization.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(
                self.module_.parameters(), procedure.optimization.max_grad_norm
            )
        self.optimizer_.step()
        if procedure.average is not None:
            procedure.average.after_step()
        y_pred = self._main([outputs[0].detach()], frame_batch)
        return {"loss": torch.stack(losses).detach(), "y_pred": y_pred}

    def validation_step(self, batch, **fit_params):
        x, (targets, weights) = batch
        with torch.inference_mode():
            outputs, frame_batch = self._forward(x)
            losses = self.criterion_.per_task(outputs, targets, weights, Inputs(x, x), frame_batch)
            if frame_batch is not None:
                outputs = utterance_outputs(self.procedure.tasks, outputs, frame_batch)
        self._valid_outputs.append((outputs, targets, weights))
        return {"loss": torch.stack(losses), "y_pred": outputs[0]}

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        self._set_training(training)
        self._valid_outputs: list[tuple] = []
        self._adversarial_losses: list[tuple[torch.Tensor, torch.Tensor]] = []
        losses, weights = [], []
        with contextlib.nullcontext() if training else self._averaged():
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                losses.append(step["loss"])
                weights.append(batch[1][1])
                self.notify("on_batch_end", batch=batch, training=training, **step)
        if training and self.procedure.average is not None:
            self.procedure.average.after_epoch()  # validated next
        means, labeled = _mean_losses(losses, weights)
        results: dict[str, Any] = {f"{prefix}_losses": means, f"{prefix}_labeled": labeled}
        if training:
            self.epoch_ = results
            if self.procedure.adversarial is not None:
                self.epoch_["adversarial_loss"] = _weighted_mean(self._adversarial_losses)
        else:
            self.epoch_ |= {**results, "valid_scores": self._scores()}

    def _forward(self, x):
        """Return the outputs of all heads, and the batch if they are outputs of its frames."""
        if self.procedure.autocast is None:
            outputs = self.module_(x)
        else:
            with self.procedure.autocast:
                outputs = self.module_(x)
            outputs = tuple(output.float() for output in outputs)
        return outputs, x if self.module_.frame_level else None

    def _main(self, outputs, frame_batch):
        """Return the outputs of the main head for utterances."""
        if frame_batch is None:
            return outputs[0]
        return utterance_outputs(self.procedure.tasks[:1], outputs[:1], frame_batch)[0]

    def _pseudo_labels(self, x):
        """Return the probabilities of the main head without noise and dropout."""
        self.module_.eval()
        with torch.no_grad():
            probabilities = self._main(*self._forward(x)).softmax(dim=1)
        self.module_.train()
        return probabilities

    def _add_adversarial_gradient(self, x, targets, weights, mix):
        """Add the gradients of the loss on perturbed samples, after those of the tasks are set."""
        adversarial = self.procedure.adversarial
        loss, total = adversarial(self, x, targets, weights, mix)
        (adversarial.weight * loss).backward()
        self._adversarial_losses.append((loss.detach(), total))

    def _averaged(self):
        average = self.procedure.average
        return contextlib.nullcontext() if average is None else average.applied()

    def _scores(self):
        """Return the score of each task that predicts something, over all validation samples."""
        scores = {}
        for index, task in enumerate(self.procedure.tasks):
            if task.predicts:
                parts = [
                    (outputs[index].cpu(), targets[index].cpu(), weights[:, index].cpu())
                    for outputs, targets, weights in self._valid_outputs
                ]
                outputs, targets, weights = (
                    torch.cat(part).numpy() for part in zip(*parts, strict=True)
                )
                scores[task.name] = task.score(outputs, targets, weights)
        return scores


def _weighted_mean(pairs):
    """Return the mean loss of pairs (loss, weight) of scalar tensors; NaN if all weights are 0."""
    losses, weights = torch.stack([torch.stack(pair) for pair in pairs]).cpu().double().T.numpy()
    return float((losses * weights).sum() / weights.sum()) if weights.any() else float("nan")


def _mean_losses(losses, weights):
    """Return the mean loss of each task over all samples of batches, and whether any has its
    target.
    """
    starts = np.cumsum([0, *map(len, weights[:-1])])
    # Task by task, each contiguous in memory: see MultiTaskLoss.per_task.
    by_task = torch.stack(losses).cpu().numpy().astype(np.float64).T.copy()
    rows_by_task = torch.cat(weights).cpu().numpy().astype(np.float64).T.copy()
    means, labeled = np.full(len(by_task), np.nan), np.zeros(len(by_task), dtype=bool)
    for index, (of_batch, of_row) in enumerate(zip(by_task, rows_by_task, strict=True)):
        totals = np.add.reduceat(of_row, starts)
        if totals.any():
            means[index] = (of_batch * totals).sum() / totals.sum()
            labeled[index] = True
    return means, labeled


def rate_factor(
    completed: float, schedule: Literal["constant", "linear", "cosine"], warmup: float
) -> float:
    """Return the factor of the learning rate after the fraction `completed` of the training."""
    if completed < warmup:
        return completed / warmup
    if schedule == "constant":
        return 1.0
    remaining = (1.0 - completed) / (1.0 - warmup)
    return remaining if schedule == "linear" else 0.5 - 0.5 * math.cos(math.pi * remaining)
