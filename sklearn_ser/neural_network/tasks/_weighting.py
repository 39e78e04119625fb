"""How the losses of several tasks become one step: their weights, fixed or found in training."""

import torch
from torch import nn


class FixedWeighting(nn.Module):
    """The weighted sum of the losses.

    Parameters
    ----------
    tasks : sequence of fitted tasks
        Those of weight 0 take no part.
    generator : torch.Generator, optional
        For schemes that draw.
    """

    def __init__(self, tasks, generator=None):
        super().__init__()
        self.active = [place for place, task in enumerate(tasks) if task.weight > 0.0]
        self.base = [task.weight for task in tasks]

    def backward(self, losses, counted, module):
        """Add the gradients of a step to the parameters.

        Parameters
        ----------
        losses : list of scalar Tensor
            One per task.
        counted : Tensor of shape (n_tasks,)
            What share of each loss's rows counted in it; see `MultiTaskLoss`.
        module : MultiTaskModule
        """
        sum(
            losses[place] if self.base[place] == 1.0 else losses[place] * self.base[place]
            for place in self.active
        ).backward()

    def current(self):
        """The factor of each task's loss now, as a list of floats."""
        return list(self.base)


class UncertaintyWeighting(FixedWeighting):
    """Weights learned as the tasks' homoscedastic uncertainties [1]_.

    A loss L with the learned s is ``exp(-s) L + s / 2`` (a squared error: half of ``exp(-s) L +
    s``), times the task's weight; s is 0 at first.

    References
    ----------
    .. [1] Kendall, A., Gal, Y., Cipolla, R. (2018). Multi-Task Learning Using Uncertainty to Weigh
       Losses for Scene Geometry and Semantics. CVPR 2018. https://arxiv.org/abs/1705.07115
    """

    def __init__(self, tasks, generator=None):
        super().__init__(tasks)
        self.log_variances = nn.Parameter(torch.zeros(len(self.active)))
        half = [0.5 if _is_squared(tasks[place]) else 1.0 for place in self.active]
        self.register_buffer("halved", torch.tensor(half), persistent=False)
        base = [self.base[place] for place in self.active]
        self.register_buffer("factors", torch.tensor(base), persistent=False)

    def backward(self, losses, counted, module):
        stacked = torch.stack([losses[place] for place in self.active])
        # A row that does not count in the loss says nothing about its uncertainty: without the
        # loss, the price alone would let the weight grow for ever.
        price = 0.5 * self.log_variances * counted[self.active]
        scaled = self.halved * (-self.log_variances).exp() * stacked
        torch.dot(self.factors.to(stacked.dtype), scaled + price).backward()

    def current(self):
        found = self.factors * self.halved * (-self.log_variances.detach()).exp()
        weights = [0.0] * len(self.base)
        for place, weight in zip(self.active, found.tolist(), strict=True):
            weights[place] = weight
        return weights


class PCGrad(FixedWeighting):
    """Fixed weights; where the tasks' gradients for the encoder conflict, the conflict is cut [1]_.

    Of two gradients with a negative inner product each loses its part along the other, in random
    order. Heads get their own gradients.

    References
    ----------
    .. [1] Yu, T. et al. (2020). Gradient Surgery for Multi-Task Learning. NeurIPS 2020.
       https://arxiv.org/abs/2001.06782
    """

    def __init__(self, tasks, generator=None):
        super().__init__(tasks)
        self.generator = generator

    def backward(self, losses, counted, module):
        weighted = [losses[place] * self.base[place] for place in self.active]
        heads = [
            parameter for place in self.active for parameter in module.heads[place].parameters()
        ]
        for parameter, gradient in zip(heads, _gradient(sum(weighted), heads), strict=True):
            parameter.grad = gradient
        shared = [part for part in module.encoder.parameters() if part.requires_grad]
        if not shared:  # an encoder without anything to learn
            return
        gradients = [
            torch.cat([part.flatten() for part in _gradient(loss, shared)]) for loss in weighted
        ]
        total = torch.zeros_like(gradients[0])
        for place, gradient in enumerate(gradients):
            kept = gradient
            for other in torch.randperm(len(gradients), generator=self.generator).tolist():
                if other != place:
                    against = gradients[other]
                    inner = torch.dot(kept, against).clamp_max(0.0)
                    tiny = torch.finfo(inner.dtype).tiny
                    kept = kept - inner / torch.dot(against, against).clamp_min(tiny) * against
            total += kept
        sizes = [parameter.numel() for parameter in shared]
        for parameter, gradient in zip(shared, total.split(sizes), strict=True):
            parameter.grad = gradient.view_as(parameter)


def _is_squared(task):
    """Whether its loss is a squared error: half of it is a Gaussian's negative log-likelihood."""
    return task.kind == "reconstruction" or (task.kind == "regression" and task.spec.loss == "mse")


def _gradient(loss, parameters):
    return torch.autograd.grad(
        loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
    )


LOSS_WEIGHTINGS = {
    "fixed": FixedWeighting,
    "uncertainty": UncertaintyWeighting,
    "pcgrad": PCGrad,
}
