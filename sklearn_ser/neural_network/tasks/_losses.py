"""The losses of all tasks of a network, and their weighting: fixed, or learned in training.

Every loss is called with a head's outputs, the targets, and one share per sample: the sample's
weight divided by the sum of all weights, so that the shares sum to 1, or are all 0 if no sample of
the batch has the target. A loss is then 0 with a gradient of 0, and never NaN.

A loss in which not every sample with a share counts sets `counted` in each call, the sum of the
shares that counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from sklearn_ser.neural_network.tasks._base import FittedTask


class MultiTaskLoss(nn.Module):
    """The losses of all tasks in a batch.

    The loss of a task is the mean over the samples of the batch, weighted by the samples' weights
    in that task; a sample without the target has weight 0. `priors` are the shares of the classes
    among the training samples (None for tasks without classes), and `weighting` combines the losses
    in a training step.

    After each call `counted`, of shape (n_tasks,), is the fraction of the samples with the task's
    target that counted in its loss; 0 if there are none.
    """

    def __init__(
        self,
        tasks: Sequence[FittedTask],
        priors: Sequence[torch.Tensor | None] | None = None,
        weighting: FixedWeighting | None = None,
    ):
        super().__init__()
        priors = [None] * len(tasks) if priors is None else priors
        self.losses = nn.ModuleList(
            task.loss(prior) for task, prior in zip(tasks, priors, strict=True)
        )
        self.by_frame = [task.predicts for task in tasks]
        self.weighting = FixedWeighting(tasks) if weighting is None else weighting

    def per_task(self, outputs, targets, weights, inputs=None, frame_batch=None):
        """Compute one scalar loss per task; `weights` has shape (n_samples, n_tasks).

        With `frame_batch`, the outputs are of its frames, which have the target of their sequence;
        each sequence counts as one sample.
        """
        # The weights of each task are contiguous and summed separately: a sum over a column of a
        # table has an order, and so last digits, that depend on the number of columns.
        columns = weights.T.contiguous().unbind()
        losses = [
            self._of_task(index, output, target, column, inputs, frame_batch)
            for index, (output, target, column) in enumerate(
                zip(outputs, targets, columns, strict=True)
            )
        ]
        self.counted = torch.stack(
            [
                getattr(loss, "counted", (column.sum() > 0).to(column))
                for loss, column in zip(self.losses, columns, strict=True)
            ]
        )
        return losses

    def _of_task(self, index, output, target, weights, inputs, frame_batch):
        share = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
        if frame_batch is not None and self.by_frame[index]:
            rows = frame_batch.row_of_frame
            share = (share / frame_batch.lengths.to(share))[rows]
            target = target[rows]
        return self.losses[index](output, target, share, inputs)

    def main(self, output, target, weights, mix=None, frame_batch=None):
        """Compute the loss of the main task alone, like `per_task`, or `mixed` if mix is given."""
        own = self._of_task(0, output, target, weights, None, frame_batch)
        if mix is None:
            return own
        partner = mix.partner.to(weights.device)
        other = self._of_task(0, output, target[partner], weights[partner], None, frame_batch)
        return mix.share * own + (1.0 - mix.share) * other

    def mixed(self, outputs, targets, weights, mix, inputs=None, frame_batch=None):
        """Compute the losses for the targets of both samples of each pair, weighted by their
        shares.
        """
        partner = mix.partner.to(weights.device)
        own = self.per_task(outputs, targets, weights, inputs, frame_batch)
        own_counted = self.counted
        other = self.per_task(
            outputs, [target[partner] for target in targets], weights[partner], inputs, frame_batch
        )
        self.counted = self.counted.lerp(own_counted, mix.share)
        return [
            mix.share * first + (1.0 - mix.share) * second
            for first, second in zip(own, other, strict=True)
        ]


class FixedWeighting(nn.Module):
    """The weighted sum of the losses; tasks of weight 0 are ignored."""

    def __init__(self, tasks: Sequence[FittedTask], generator: torch.Generator | None = None):
        super().__init__()
        self.active = [index for index, task in enumerate(tasks) if task.weight > 0.0]
        self.base = [task.weight for task in tasks]
        self.generator = generator

    def backward(self, losses, counted, module):
        """Add the gradients of a step to the parameters; for `counted` see MultiTaskLoss."""
        sum(
            losses[index] if self.base[index] == 1.0 else losses[index] * self.base[index]
            for index in self.active
        ).backward()

    def current(self) -> list[float]:
        """Return the current factor of each task's loss."""
        return list(self.base)


class UncertaintyWeighting(FixedWeighting):
    """Weights learned as homoscedastic uncertainties (Kendall et al., 2018).

    With the learned parameter s, initially 0, a loss L becomes ``exp(-s) L + s / 2`` (a squared
    error: half of ``exp(-s) L + s``), multiplied by the task's weight.
    https://arxiv.org/abs/1705.07115
    """

    halved: torch.Tensor
    factors: torch.Tensor

    def __init__(self, tasks: Sequence[FittedTask], generator: torch.Generator | None = None):
        super().__init__(tasks, generator)
        self.log_variances = nn.Parameter(torch.zeros(len(self.active)))
        half = [0.5 if tasks[index].has_squared_error else 1.0 for index in self.active]
        self.register_buffer("halved", torch.tensor(half), persistent=False)
        base = [self.base[index] for index in self.active]
        self.register_buffer("factors", torch.tensor(base), persistent=False)

    def backward(self, losses, counted, module):
        stacked = torch.stack([losses[index] for index in self.active])
        # A sample that does not count in the loss does not count in the penalty: the penalty alone
        # would let the weight grow without limit.
        penalty = 0.5 * self.log_variances * counted[self.active]
        scaled = self.halved * (-self.log_variances).exp() * stacked
        torch.dot(self.factors.to(stacked.dtype), scaled + penalty).backward()

    def current(self) -> list[float]:
        learned = self.factors * self.halved * (-self.log_variances.detach()).exp()
        weights = [0.0] * len(self.base)
        for index, weight in zip(self.active, learned.tolist(), strict=True):
            weights[index] = weight
        return weights


class PCGrad(FixedWeighting):
    """Fixed weights, with conflicting gradients for the encoder projected (Yu et al., 2020).

    If two gradients have a negative inner product, each loses its component along the other, in
    random order. https://arxiv.org/abs/2001.06782
    """

    def backward(self, losses, counted, module):
        weighted = [losses[index] * self.base[index] for index in self.active]
        heads = [
            parameter for index in self.active for parameter in module.heads[index].parameters()
        ]
        for parameter, gradient in zip(heads, _gradient(sum(weighted), heads), strict=True):
            parameter.grad = gradient
        shared = [part for part in module.encoder.parameters() if part.requires_grad]
        if not shared:  # an encoder without trainable parameters
            return
        gradients = [
            torch.cat([part.flatten() for part in _gradient(loss, shared)]) for loss in weighted
        ]
        total = torch.zeros_like(gradients[0])
        for index, gradient in enumerate(gradients):
            projected = gradient
            for other in torch.randperm(len(gradients), generator=self.generator).tolist():
                if other != index:
                    against = gradients[other]
                    inner = torch.dot(projected, against).clamp_max(0.0)
                    tiny = torch.finfo(inner.dtype).tiny
                    norm = torch.dot(against, against).clamp_min(tiny)
                    projected = projected - inner / norm * against
            total += projected
        sizes = [parameter.numel() for parameter in shared]
        for parameter, gradient in zip(shared, total.split(sizes), strict=True):
            parameter.grad = gradient.view_as(parameter)


def _gradient(loss, parameters):
    return torch.autograd.grad(
        loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
    )


LOSS_WEIGHTINGS = {
    "fixed": FixedWeighting,
    "uncertainty": UncertaintyWeighting,
    "pcgrad": PCGrad,
}
