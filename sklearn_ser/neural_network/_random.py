"""Separate random streams for each part of a network, and layers that use them.

Every part (initial weights of the encoder and of each head, dropout, the order of the samples)
draws from its own generator, derived from one seed and the name of the part. The global generators
of torch and numpy are not used, fits in several threads equal fits in sequence, and an additional
head does not change the random numbers of the other parts.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)


def torch_stream(seed: int, name: str, device: str | torch.device = "cpu") -> torch.Generator:
    """Return the torch generator of the part `name` of the fit with this seed."""
    high, low = _sequence(seed, name).generate_state(2)
    return torch.Generator(device).manual_seed(int(high) << 31 | int(low) >> 1)


def numpy_stream(seed: int, name: str) -> np.random.Generator:
    """Return the numpy generator of the part `name` of the fit with this seed."""
    return np.random.default_rng(_sequence(seed, name))


def _sequence(seed, name):
    return np.random.SeedSequence([seed, *name.encode()])


class Dropout(nn.Module):
    """Dropout with its own generator (None in a network that only predicts), not the global one."""

    def __init__(self, p: float, generator: torch.Generator | None):
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, x):
        if not self.training or self.p == 0.0:
            return x
        # bernoulli_ takes more than twice as long on the CPU.
        keep = torch.empty_like(x).uniform_(generator=self.generator) >= self.p
        return x * (keep.to(x.dtype) / (1.0 - self.p))


def linear(n_inputs: int, n_outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """Return a linear layer with torch's default weights, or without memory for weights."""
    return drawn(nn.Linear(n_inputs, n_outputs, device="meta"), n_inputs**-0.5, generator)


def drawn(layer: Layer, bound: float, generator: torch.Generator | None) -> Layer:
    """Return the layer with uniform weights within `bound`, or on "meta" without a generator."""
    if generator is None:
        return layer
    layer = layer.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


@contextlib.contextmanager
def global_randomness(seed: int) -> Iterator[None]:
    """Seed torch's global generators within this context, of one thread at a time, and restore
    them.
    """
    # All devices, since manual_seed seeds them all; torch warns of several if they are not named.
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else None
    with _global_lock, torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


_global_lock = threading.RLock()
