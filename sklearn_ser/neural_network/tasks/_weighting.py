"""Weighting of the losses of several tasks: fixed, or learned in training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from sklearn_ser.neural_network.tasks._base import FittedTask


class FixedWeighting(nn.Module):
    """The weighted sum of the losses; tasks of weight 0 are ignored.

    `generator` is for schemes that need random numbers.
    """

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
    """Weights learned as the tasks' homoscedastic uncertainties [1]_.

    With the learned parameter s, initially 0, a loss L becomes ``exp(-s) L + s / 2`` (a squared
    error: half of ``exp(-s) L + s``), multiplied by the task's weight.

    References
    ----------
    .. [1] Kendall, A., Gal, Y., Cipolla, R. (2018). Multi-Task Learning Using Uncertainty to Weigh
       Losses for Scene Geometry and Semantics. CVPR 2018. https://arxiv.org/abs/1705.07115
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
    """Fixed weights, with conflicting gradients for the encoder projected [1]_.

    If two gradients have a negative inner product, each loses its component along the other, in
    random order. Each head gets its own gradient.

    References
    ----------
    .. [1] Yu, T. et al. (2020). Gradient Surgery for Multi-Task Learning. NeurIPS 2020.
       https://arxiv.org/abs/2001.06782
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
