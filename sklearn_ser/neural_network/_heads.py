"""What stands on the shared representation: one head per task, and how gradients leave it."""

from itertools import pairwise

import torch
from torch import nn

from sklearn_ser.neural_network._random import linear


def make_head(n_inputs, head_units, n_outputs, generator):
    """A linear layer, with ReLU layers of these widths before it; nothing for no outputs."""
    if n_outputs == 0:
        return NoHead()
    widths = [n_inputs, *head_units]
    layers = []
    for n_in, n_out in pairwise(widths):
        layers += [linear(n_in, n_out, generator), nn.ReLU()]
    last = linear(widths[-1], n_outputs, generator)
    return nn.Sequential(*layers, last) if layers else last


class NoHead(nn.Module):
    """Stands in the place of a task that looks at another head's outputs."""

    def forward(self, shared):
        return shared[:, :0]


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.factor * gradient, None


def reverse_gradient(x, factor):
    """`x`, whose gradient is multiplied by ``-factor`` on its way back."""
    return _Reversal.apply(x, factor)
