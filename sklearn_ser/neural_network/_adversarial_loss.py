"""The further loss of adversarial training, on rows changed to mislead the network."""

import torch
from torch.nn import functional

from sklearn_ser.neural_network._attack import (
    Ball,
    ascend,
    changed,
    input_gradient,
    values_of,
    without_dropout,
)
from sklearn_ser.neural_network._random import torch_stream


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
