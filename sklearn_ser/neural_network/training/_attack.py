"""Small changes of the input that raise a loss most, within a ball around it.

Every change is measured in units of each feature's spread. In the code a change is in these units,
with one value per value of the batch: of rows of features (n_rows, n_features); of sequences
(n_frames, n_features), their frames one after the other, without padding, which nothing changes.
"""

import contextlib

import torch
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import FrameBatch

NORMS = ("inf", "l2")


class Ball:
    """The changes that are allowed.

    Parameters
    ----------
    norm : {"inf", "l2"}
        "inf": the largest change of a value. "l2": the root mean square over all values of a row
        (of a sequence: of all its frames), which is its Euclidean length divided by the square
        root of their number.
    radius : float
    """

    def __init__(self, norm, radius):
        self.norm = norm
        self.radius = radius

    def size(self, change, batch):
        """The size of each row's change, as a tensor of shape (n_rows,)."""
        return _largest(change, batch) if self.norm == "inf" else _length(change, batch)

    def steepest(self, gradient, batch):
        """The change of size 1 along which a loss with this gradient rises most; 0 where it is."""
        if self.norm == "inf":
            return gradient.sign()
        direction, length, _ = _measured(gradient, batch)
        return self._scaled(direction, 1.0 / length, batch)

    def projected(self, change, batch):
        """The nearest change within the ball."""
        if self.norm == "inf":
            return change.clamp(-self.radius, self.radius)
        _, length, largest = _measured(change, batch)
        return self._scaled(change, (self.radius / (length * largest)).clamp_max(1.0), batch)

    def drawn(self, like, batch, generator):
        """A random change: uniform in the cube, or of random direction and length."""
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
    """The largest absolute value of each row."""
    largest = change.abs().amax(dim=1)
    return batch.padded(largest).amax(dim=1) if isinstance(batch, FrameBatch) else largest


def _length(change, batch):
    """The root mean square of each row."""
    squares = change.square().mean(dim=1)
    return (batch.means(squares) if isinstance(batch, FrameBatch) else squares).sqrt()


def _measured(change, batch):
    """Rows scaled to a largest value of 1, their lengths then, and what they were divided by.

    Lengths are taken of the scaled rows: squares of small gradients would vanish.
    """
    tiny = torch.finfo(change.dtype).tiny
    largest = _largest(change, batch).clamp_min(tiny)
    direction = Ball._scaled(change, 1.0 / largest, batch)
    return direction, _length(direction, batch).clamp_min(tiny), largest


def values_of(batch):
    """The tensor of a batch's values: of sequences, all their frames."""
    return batch.frames if isinstance(batch, FrameBatch) else batch


def changed(batch, change, scale):
    """The batch with `change` (in units of `scale`) added."""
    values = values_of(batch) + change * scale
    return batch.with_frames(values) if isinstance(batch, FrameBatch) else values


def ascend(loss_of, batch, scale, ball, *, n_steps, step_size, start=None):
    """Climb a loss by projected gradient steps [1]_.

    Parameters
    ----------
    loss_of : callable
        From a batch to a scalar whose gradient for a row does not depend on the other rows but
        by a factor.
    batch : Tensor or FrameBatch
    scale : Tensor of shape (n_features,) or float
        Spread of each feature.
    ball : Ball
    n_steps : int
    step_size : float
    start : Tensor, optional
        A change to begin with; none if not given.

    Returns
    -------
    Tensor
        The change, in units of `scale`.

    References
    ----------
    .. [1] Madry, A. et al. (2018). Towards Deep Learning Models Resistant to Adversarial Attacks.
       ICLR 2018. https://arxiv.org/abs/1706.06083
    """
    change = torch.zeros_like(values_of(batch)) if start is None else start
    for _ in range(n_steps):
        gradient = input_gradient(loss_of, batch, scale, change)
        change = ball.projected(change + step_size * ball.steepest(gradient, batch), batch)
    return change


def input_gradient(loss_of, batch, scale, change):
    """Gradient of a loss for a change of the batch; parameters collect none."""
    with torch.enable_grad():
        change = change.detach().requires_grad_()
        loss = loss_of(changed(batch, change, scale))
        (gradient,) = torch.autograd.grad(loss, change)
    return gradient


@contextlib.contextmanager
def without_dropout(module):
    """Within, `module` answers as it does in predictions.

    Not by ``eval()``: cuDNN gives no gradients through a recurrent layer in that mode, in which
    one without dropout of its own answers no differently.
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
    """Loss of a batch's rows, changed within a ball to mislead the network as it is now.

    Parameters
    ----------
    spec : AdversarialTraining
    scale : Tensor of shape (n_features,)
        Spread of each feature.
    seed : int
    device : str
    """

    def __init__(self, spec, *, scale, seed, device):
        self.method = spec.method
        self.weight = spec.weight
        self.scale = scale
        self.n_steps, self.step_size, norm = spec.resolved()
        self.ball = Ball(norm, spec.epsilon)
        self.generator = torch_stream(seed, "adversarial training", device)

    def __call__(self, net, batch, targets, weights, mix):
        """The loss, with gradients for the parameters, and the weight of the rows it is of.

        Parameters
        ----------
        net : MultiTaskNet
        batch : Tensor or FrameBatch
            After mixup, before noise.
        targets : Tensor of shape (n_rows,)
            Class codes of the main task.
        weights : Tensor of shape (n_rows,)
            Of the rows in the main task.
        mix : Mix or None

        Returns
        -------
        loss, total : scalar Tensor
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
            found = net._main(*net._forward(x)).log_softmax(dim=1)
            return functional.kl_div(found, guesses, reduction="batchmean")

        with without_dropout(net.module_):
            with torch.no_grad():
                guesses = net._main(*net._forward(batch)).softmax(dim=1)
            values = values_of(batch)
            # Power iterations: the gradient near the row, where that of the row itself is 0.
            change = torch.empty_like(values).normal_(generator=self.generator)
            for _ in range(self.n_steps):
                probe = self.step_size * self.ball.steepest(change, batch)
                change = input_gradient(divergence, batch, self.scale, probe)
            change = self.ball.radius * self.ball.steepest(change, batch)
            return divergence(changed(batch, change, self.scale))
