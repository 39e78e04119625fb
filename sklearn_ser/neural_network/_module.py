"""The torch module (an encoder and one head per task), and its stored form.

A network is stored as a dict of plain values (its architecture) and safetensors bytes (its
weights). Pickles and model files hold both, and neither can hold code.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors.torch import load, save
from torch import nn

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._random import global_randomness, linear, torch_stream
from sklearn_ser.neural_network.encoders._base import Encoder, LayerFactory, resolve_parameters
from sklearn_ser.neural_network.encoders._registry import ENCODERS, CustomEncoder, data_parameters
from sklearn_ser.neural_network.tasks._base import FittedTask

DTYPES = {"float32": torch.float32, "float64": torch.float64}

T = TypeVar("T")


class MultiTaskModule(nn.Module):
    """An encoder shared by all tasks, and one head per task.

    Training sets `reversal`, the factors of reversed gradients by head, and `utterance_heads`, the
    heads that receive one representation per sequence from a frame-level encoder.
    """

    encoder: Encoder

    def __init__(self, encoder: Encoder, heads: Iterable[nn.Module]):
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleList(heads)
        self.frame_level = getattr(encoder, "frame_level", False)
        self.reversal: dict[int, float] = {}
        self.utterance_heads: set[int] = set()

    def forward(self, x):
        """Return the outputs of all heads, a tuple of tensors in the order of the tasks."""
        shared = self._shared(x)
        outputs = []
        for index, head in enumerate(self.heads):
            pooled = self.frame_level and index in self.utterance_heads
            inputs = x.means(shared) if pooled else shared
            if index in self.reversal:
                inputs = _ReversedGradient.apply(inputs, self.reversal[index])
            outputs.append(head(inputs))
        return tuple(outputs)

    def represent(self, x):
        """Return the shared representation of each sample, averaged over frames if per frame."""
        shared = self._shared(x)
        return x.means(shared) if self.frame_level else shared

    def _shared(self, x):
        # Not every layer takes an empty batch, which results if all rows are failed audio.
        if getattr(self.encoder, "on_frames", False) and len(x) == 0:
            return x.frames.new_zeros(0, self.encoder.n_outputs)
        return self.encoder(x)


def build_module(
    architecture: Mapping[str, Any], *, device: str, seed: int | None = None
) -> MultiTaskModule:
    """Build the module that an architecture (of :func:`describe_network`) describes.

    Without a seed of initial weights and dropout, and with ``device="meta"``, it has no memory for
    weights.
    """

    def stream(name, where="cpu"):
        return None if seed is None else torch_stream(seed, name, where)

    if isinstance(architecture["encoder"], str):
        factory = LayerFactory(
            architecture["activation"],
            architecture["dropout"],
            # Initial weights are drawn on the CPU, so that they are the same on every device.
            init_generator=stream("encoder"),
            dropout_generator=stream("dropout", device),
        )
        encoder = ENCODERS[architecture["encoder"]](
            architecture["n_features"],
            architecture["hidden_units"],
            factory,
            **{name: architecture[name] for name in data_parameters(architecture["encoder"])},
            **architecture["encoder_params"],
        )
    else:
        assert seed is not None  # custom encoders are constructed as their code says
        with global_randomness(seed):
            encoder = CustomEncoder(
                architecture["encoder"], architecture["n_features"], architecture["encoder_params"]
            )
    heads = [
        make_head(
            encoder.n_outputs,
            architecture["head_units"].get(name, []),
            n_outputs,
            stream(f"head {name}"),
        )
        for name, n_outputs in architecture["heads"].items()
    ]
    module = MultiTaskModule(encoder, heads)
    return module.to(device=device, dtype=DTYPES[architecture["dtype"]])


def describe_network(
    estimator, encoder: str | type[nn.Module], x, tasks: Sequence[FittedTask], dtype: str
) -> dict[str, Any]:
    """Return the architecture, plain values from which `build_module` builds the network."""
    widths = [*estimator.hidden_units]
    if not widths or not _are_widths(widths):
        raise ValueError(
            "hidden_units must be one or more positive integers, the widths of the layers, such "
            f"as (128,); got {estimator.hidden_units!r}."
        )
    head_units = {task.name: list(task.head_units) for task in tasks if len(task.head_units)}
    for name, units in head_units.items():
        if not _are_widths(units):
            raise ValueError(
                f"hidden_units of tasks[{name!r}] must be positive integers, got {units!r}."
            )
    architecture = {
        "encoder": encoder,
        "encoder_params": resolve_parameters(
            encoder, ENCODERS[encoder].specific_parameters, estimator.encoder_params
        )
        if isinstance(encoder, str)
        else dict(estimator.encoder_params or {}),
        "hidden_units": [int(width) for width in widths],
        "dropout": float(estimator.dropout),
        "heads": {task.name: task.n_outputs for task in tasks},
        "head_units": {name: [int(unit) for unit in units] for name, units in head_units.items()},
        "n_features": estimator.n_features_in_,
        "activation": estimator.activation,
        "dtype": dtype,
    }
    if "n_layers" in data_parameters(encoder):
        architecture["n_layers"] = int(x.lengths.max())
    return architecture


def _are_widths(values):
    return all(isinstance(value, int | np.integer) and value > 0 for value in values)


def weights_to_bytes(module: nn.Module) -> bytes:
    """Return the module's weights as safetensors bytes."""
    # Copied, because safetensors rejects tensors that share memory, such as tied weights.
    values = {name: value.cpu().contiguous() for name, value in module.state_dict().items()}
    return save({name: value.clone() for name, value in values.items()})


def module_from_bytes(
    architecture: Mapping[str, Any], weights: bytes, device: str
) -> MultiTaskModule:
    """Return a module that can predict, with the weights of :func:`weights_to_bytes`."""
    module = module_of_shapes(architecture)
    if isinstance(architecture["encoder"], str):
        module = module.to_empty(device=device)
    module = module.to(device)
    load_weights(module, weights)
    return module.eval()


def module_of_shapes(architecture: Mapping[str, Any]) -> MultiTaskModule:
    """Return the module without memory for weights; with weights if its encoder is custom."""
    if isinstance(architecture["encoder"], str):
        return build_module(architecture, device="meta")
    return build_module(architecture, device="cpu", seed=0)


def load_weights(module: nn.Module, weights: bytes) -> None:
    """Load weights from :func:`weights_to_bytes` into a module."""
    module.load_state_dict(load(weights))


def resolve_device(device: str) -> str:
    """Return `device`, or the best available one for "auto"; check that it is available."""
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    best = "cuda" if n_gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "auto":
        return best
    gpus = [f"cuda:{index}" for index in range(n_gpus)]
    available = list(dict.fromkeys([*(gpus or [best]), "cpu"]))
    try:
        name = str(torch.device(device)).removesuffix(":0")
    except RuntimeError:
        name = ""
    if name not in {best, *available}:
        raise SerError(
            f"device={device!r} is not available. This machine has {available}. "
            'Set device="auto" to use the first of them.'
        )
    return device


class NetCache:
    """Cache of the nets built from an estimator's weights, which is not part of its pickled state.

    An estimator has the same object until it is fitted again: predictions change no attribute.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._nets = self._key = None

    def get(self, key: Any, build: Callable[[], T]) -> T:
        """Return the nets, built by `build()` at the first call and if `key` has changed."""
        with self._lock:
            if self._nets is None or self._key != key:
                self._nets, self._key = build(), key
            return self._nets


def make_head(
    n_inputs: int, head_units: Sequence[int], n_outputs: int, generator: torch.Generator | None
) -> nn.Module:
    """Return a linear layer, after ReLU layers of the widths `head_units`."""
    if n_outputs == 0:
        return NoHead()
    widths = [n_inputs, *head_units]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [linear(n_in, n_out, generator), nn.ReLU()]
    last = linear(widths[-1], n_outputs, generator)
    return nn.Sequential(*layers, last) if layers else last


class NoHead(nn.Module):
    """Head of a task that uses the outputs of another head; it has no outputs."""

    def forward(self, shared):
        return shared[:, :0]


class _ReversedGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by ``-factor`` in the backward pass."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.factor * gradient, None
