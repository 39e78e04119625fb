"""Random streams of their own for each part of a network.

Every part (the encoder's first weights, each head's, dropout, the order of the rows) draws from
its own generator, made from one seed and the part's name. So nothing touches torch's or numpy's
global generators, fits in several threads equal fits in a row, and a further head leaves every
other part's numbers as they were.
"""

import numpy as np
import torch
from torch import nn


def torch_stream(seed, name, device="cpu"):
    """A torch generator that belongs to the part `name` of the fit with this seed."""
    high, low = _sequence(seed, name).generate_state(2)
    return torch.Generator(device).manual_seed(int(high) << 31 | int(low) >> 1)


def numpy_stream(seed, name):
    """A numpy generator that belongs to the part `name` of the fit with this seed."""
    return np.random.default_rng(_sequence(seed, name))


def _sequence(seed, name):
    return np.random.SeedSequence([seed, *name.encode()])


class Dropout(nn.Module):
    """Dropout that draws from a given generator (torch's own knows only the global one).

    Parameters
    ----------
    p : float
        Fraction of the values that are zeroed in training.
    generator : torch.Generator or None
        None in a network that only predicts.
    """

    def __init__(self, p, generator):
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, x):
        if not self.training or self.p == 0.0:
            return x
        # Not bernoulli_, which takes more than twice as long on the CPU.
        keep = torch.empty_like(x).uniform_(generator=self.generator) >= self.p
        return x * (keep.to(x.dtype) / (1.0 - self.p))


def linear(n_inputs, n_outputs, generator):
    """A linear layer with torch's usual first weights, drawn from `generator`.

    With ``generator=None`` the layer is on torch's "meta" device, shapes without memory, for a
    network whose weights are loaded.
    """
    layer = nn.Linear(n_inputs, n_outputs, device="meta")
    if generator is not None:
        layer = layer.to_empty(device="cpu")
        bound = n_inputs**-0.5
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
