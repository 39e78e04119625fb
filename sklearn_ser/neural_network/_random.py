"""Random streams of their own for each part of a network.

Every part (the encoder's first weights, each head's, dropout, the order of the rows) draws from
its own generator, made from one seed and the part's name. So nothing touches torch's or numpy's
global generators, fits in several threads equal fits in a row, and a further head leaves every
other part's numbers as they were.
"""

import contextlib
import threading

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
    return _drawn(nn.Linear(n_inputs, n_outputs, device="meta"), n_inputs**-0.5, generator)


def layer_norm(width, generator):
    """Normalization of each frame over its features; the weights begin at 1 and 0."""
    return nn.LayerNorm(width, device="meta" if generator is None else "cpu")


def lstm(n_inputs, n_hidden, bidirectional, generator):
    """One LSTM layer with torch's usual first weights, drawn from `generator`; see `linear`."""
    layer = nn.LSTM(
        n_inputs, n_hidden, batch_first=True, bidirectional=bidirectional, device="meta"
    )
    return _drawn(layer, n_hidden**-0.5, generator)


def convolution(kind, n_inputs, n_outputs, kernel_size, generator, groups=1):
    """A convolution that keeps the length, with torch's usual first weights; see `linear`.

    Parameters
    ----------
    kind : {torch.nn.Conv1d, torch.nn.Conv2d}
    n_inputs, n_outputs, kernel_size : int
        `kernel_size` is odd.
    generator : torch.Generator or None
    groups : int
    """
    layer = kind(
        n_inputs,
        n_outputs,
        kernel_size,
        padding=kernel_size // 2,
        groups=groups,
        device="meta",
    )
    return _drawn(layer, layer.weight[0].numel() ** -0.5, generator)


def _drawn(layer, bound, generator):
    """The layer with uniform weights within `bound`, or on "meta" without a generator."""
    if generator is None:
        return layer
    layer = layer.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


@contextlib.contextmanager
def global_randomness(seed):
    """Within, torch's global generators are seeded and this thread's alone; then as before.

    For modules of a user's own, whose first weights and dropout come from them. One fit at a time:
    threads share these generators.
    """
    # All devices, which manual_seed seeds: where they are not named, torch warns of several.
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else None
    with _global_lock, torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


_global_lock = threading.RLock()
