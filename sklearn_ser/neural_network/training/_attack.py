"""Adversarial perturbations: changes of the input, within a ball, that increase a loss most.

Changes are in units of the standard deviation (scale) of each feature, with one value per value of
the batch: of shape (n_samples, n_features) for rows of features and (n_frames, n_features) for
sequences, their frames one after the other without padding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import FrameBatch

if TYPE_CHECKING:
    from sklearn_ser.neural_network.training._adversarial_training import AdversarialTraining
    from sklearn_ser.neural_network.training._batch_perturbation import Mix
    from sklearn_ser.neural_network.training._skorch_net import MultiTaskNet

Batch: TypeAlias = torch.Tensor | FrameBatch

NORMS = ("inf", "l2")


class Ball:
    """Ball of the permitted changes of each sample.

    The norm "inf" is the largest absolute change of a value. "l2" is the root mean square over all
    values of a sample (for sequences, of all frames), the Euclidean norm divided by the square root
    of their number.
    """

    def __init__(self, norm: str, radius: float):
        self.norm = norm
        self.radius = radius

    def size(self, change: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the norm of the change of each sample, of shape (n_samples,)."""
        return _largest(change, batch) if self.norm == "inf" else _length(change, batch)

    def steepest(self, gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the change of norm 1 that increases a loss with this gradient most."""
        if self.norm == "inf":
            return gradient.sign()
        direction, length, _ = _measured(gradient, batch)
        return self._scaled(direction, 1.0 / length, batch)

    def projected(self, change: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the nearest change within the ball."""
        if self.norm == "inf":
            return change.clamp(-self.radius, self.radius)
        _, length, largest = _measured(change, batch)
        return self._scaled(change, (self.radius / (length * largest)).clamp_max(1.0), batch)

    def drawn(self, like: torch.Tensor, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Draw a change: uniform in the cube, or of random direction and length."""
        drawn = torch.empty_like(like)
        if self.norm == "inf":
            return drawn.uniform_(-self.radius, self.radius, generator=generator)
        direction = self.steepest(drawn.normal_(generator=generator), batch)
        length = like.new_empty(len(batch)).uniform_(0.0, self.radius, generator=generator)
        return self._scaled(direction, length, batch)

    @staticmethod
    def _scaled(change, factors, batch):
        if isinstance(batch, FrameBatch):
            factors = factors[batch.row_of_frame]
        return change * factors[:, None]


def _largest(change, batch):
    """Return the largest absolute value of each sample."""
    largest = change.abs().amax(dim=1)
    return batch.padded(largest).amax(dim=1) if isinstance(batch, FrameBatch) else largest


def _length(change, batch):
    """Return the root mean square of each sample."""
    squares = change.square().mean(dim=1)
    return (batch.means(squares) if isinstance(batch, FrameBatch) else squares).sqrt()


def _measured(change, batch):
    """Return samples scaled to a largest value of 1, their norms then, and the divisors.

    Norms are computed on the scaled samples, because squares of small gradients would underflow.
    """
    tiny = torch.finfo(change.dtype).tiny
    largest = _largest(change, batch).clamp_min(tiny)
    direction = Ball._scaled(change, 1.0 / largest, batch)
    return direction, _length(direction, batch).clamp_min(tiny), largest


def values_of(batch: Batch) -> torch.Tensor:
    """Return the values of a batch; for sequences, all their frames."""
    return batch.frames if isinstance(batch, FrameBatch) else batch


def changed(batch: Batch, change: torch.Tensor, scale: torch.Tensor | float) -> Batch:
    """Return the batch with `change` (in units of `scale`) added."""
    values = values_of(batch) + change * scale
    return batch.with_frames(values) if isinstance(batch, FrameBatch) else values


def ascend(
    loss_of: Callable[[Batch], torch.Tensor],
    batch: Batch,
    scale: torch.Tensor | float,
    ball: Ball,
    *,
    n_steps: int,
    step_size: float,
    start: torch.Tensor | None = None,
) -> torch.Tensor:
    """Increase a loss by projected gradient steps, and return the change in units of `scale`.

    `loss_of` a batch is a scalar whose gradient for a sample depends on the other samples only by a
    factor. `start` is the initial change; none if not given. See Madry et al. (2018),
    https://arxiv.org/abs/1706.06083.
    """
    change = torch.zeros_like(values_of(batch)) if start is None else start
    for _ in range(n_steps):
        gradient = input_gradient(loss_of, batch, scale, change)
        change = ball.projected(change + step_size * ball.steepest(gradient, batch), batch)
    return change


def input_gradient(
    loss_of: Callable[[Batch], torch.Tensor],
    batch: Batch,
    scale: torch.Tensor | float,
    change: torch.Tensor,
) -> torch.Tensor:
    """Compute the gradient of a loss with respect to a change of the batch alone."""
    with torch.enable_grad():
        change = change.detach().requires_grad_()
        loss = loss_of(changed(batch, change, scale))
        (gradient,) = torch.autograd.grad(loss, change)
    return gradient


@contextlib.contextmanager
def without_dropout(module: nn.Module) -> Iterator[None]:
    """Evaluate `module` as in predictions within this context.

    Recurrent layers without dropout stay in training mode, which does not change their outputs:
    cuDNN computes no gradients through them in evaluation mode.
    """
    before = {part: part.training for part in module.modules()}
    for part in before:
        if not (isinstance(part, nn.RNNBase) and not part.dropout):
            part.training = False
    try:
        yield
    finally:
        for part, training in before.items():
            part.training = training


class AdversarialLoss:
    """Loss of a batch that is perturbed within a ball to mislead the current network.

    `scale` is the standard deviation of each feature.
    """

    def __init__(
        self, spec: AdversarialTraining, *, scale: torch.Tensor | float, seed: int, device: str
    ):
        self.method = spec.method
        self.weight = spec.weight
        self.scale = scale
        self.n_steps, self.step_size, norm = spec.resolved()
        self.ball = Ball(norm, spec.epsilon)
        self.generator = torch_stream(seed, "adversarial training", device)

    def __call__(
        self,
        net: MultiTaskNet,
        batch: Batch,
        targets: torch.Tensor,
        weights: torch.Tensor,
        mix: Mix | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the loss, with gradients for the parameters, and the total weight of its samples.

        The batch is after mixup and before noise; targets and weights are those of the main task.
        """
        if self.method == "vat":
            return self._virtual(net, batch), weights.new_tensor(float(len(batch)))

        def loss_of(x):
            outputs, frame_batch = net._forward(x)
            return net.criterion_.main(outputs[0], targets, weights, mix, frame_batch)

        start = None
        if self.method == "pgd":
            start = self.ball.drawn(values_of(batch), batch, self.generator)
        with without_dropout(net.module_):
            change = ascend(
                loss_of,
                batch,
                self.scale,
                self.ball,
                n_steps=self.n_steps,
                step_size=self.step_size,
                start=start,
            )
        return loss_of(changed(batch, change, self.scale)), weights.sum()

    def _virtual(self, net, batch):
        def divergence(x):
            logarithms = net._main(*net._forward(x)).log_softmax(dim=1)
            return functional.kl_div(logarithms, probabilities, reduction="batchmean")

        with without_dropout(net.module_):
            with torch.no_grad():
                probabilities = net._main(*net._forward(batch)).softmax(dim=1)
            values = values_of(batch)
            # Power iterations: the gradient near the sample, since that at the sample is 0.
            change = torch.empty_like(values).normal_(generator=self.generator)
            for _ in range(self.n_steps):
                probe = self.step_size * self.ball.steepest(change, batch)
                change = input_gradient(divergence, batch, self.scale, probe)
            change = self.ball.radius * self.ball.steepest(change, batch)
            return divergence(changed(batch, change, self.scale))
