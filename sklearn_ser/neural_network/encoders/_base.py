"""Base class of encoders, their layers, and the parameters that are specific to an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar, TypeVar

import torch
from sklearn.utils._param_validation import make_constraint
from torch import nn

from sklearn_ser.neural_network._random import Dropout, drawn, linear

Convolution = TypeVar("Convolution", nn.Conv1d, nn.Conv2d)

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class LayerFactory:
    """Layers with an encoder's activation and dropout; without generators, for loaded weights."""

    activation: str
    dropout: float
    init_generator: torch.Generator | None
    dropout_generator: torch.Generator | None

    @property
    def device(self) -> str:
        """Device on which layers are built."""
        return "meta" if self.init_generator is None else "cpu"

    def linear(self, n_inputs: int, n_outputs: int) -> nn.Linear:
        return linear(n_inputs, n_outputs, self.init_generator)

    def norm(self, width: int) -> nn.LayerNorm:
        return nn.LayerNorm(width, device=self.device)

    def lstm(self, n_inputs: int, n_hidden: int, bidirectional: bool) -> nn.LSTM:
        layer = nn.LSTM(
            n_inputs, n_hidden, batch_first=True, bidirectional=bidirectional, device="meta"
        )
        return drawn(layer, n_hidden**-0.5, self.init_generator)

    def convolution(
        self, kind: type[Convolution], n_inputs: int, n_outputs: int, size: int, groups: int = 1
    ) -> Convolution:
        """Return a convolution that preserves the length, for an odd `size` of its kernel."""
        layer = kind(n_inputs, n_outputs, size, padding=size // 2, groups=groups, device="meta")
        return drawn(layer, layer.weight[0].numel() ** -0.5, self.init_generator)

    def activation_layer(self) -> nn.Module:
        return ACTIVATIONS[self.activation]()

    def dropout_layer(self) -> Dropout:
        return Dropout(self.dropout, self.dropout_generator)


@dataclass(frozen=True)
class Parameter:
    """Default of a parameter, and constraint as in scikit-learn (of a tuple: of each number)."""

    default: Any
    constraint: Any

    def accepts(self, value: Any) -> bool:
        """Return whether `value` is valid."""
        constraint = make_constraint(self.constraint)
        if isinstance(self.default, tuple):
            return (
                isinstance(value, tuple | list)
                and len(value) > 0
                and all(constraint.is_satisfied_by(number) for number in value)
            )
        return constraint.is_satisfied_by(value)

    def plain(self, value: Any) -> int | str | bool | list[int]:
        """Return `value` as the plain object that is stored with the network."""
        if isinstance(self.default, tuple):
            return [int(number) for number in value]
        if isinstance(self.default, bool):
            return bool(value)
        return int(value) if isinstance(value, Integral) else str(value)

    def __str__(self) -> str:
        if isinstance(self.default, tuple):
            return f"a sequence in which each number is {make_constraint(self.constraint)}"
        return str(make_constraint(self.constraint))


class Encoder(nn.Module):
    """Base class of encoders.

    An encoder is built from `n_features`, `hidden_units`, a LayerFactory, its `specific_parameters`
    and its `data_parameters`. `n_outputs` is the width of the representation.
    """

    #: Whether the encoder receives a FrameBatch (else a tensor of shape (n_samples, n_features)).
    on_frames: bool = False
    #: Whether there is one representation per frame (else per sequence).
    frame_level: bool = False
    #: Parameters that `encoder_params` sets.
    specific_parameters: ClassVar[Mapping[str, Parameter]] = {}
    #: Names of parameters that follow from X.
    data_parameters: ClassVar[tuple[str, ...]] = ()
    #: Least number of weight arrays per number in `hidden_units`.
    n_arrays_per_layer: ClassVar[int] = 2
    n_outputs: int


def resolve_parameters(
    encoder: str, known: Mapping[str, Parameter], given: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return all specific parameters of an encoder as plain values, with defaults filled in."""
    given = given or {}
    unknown = sorted(set(given) - set(known), key=str)
    if unknown:
        raise ValueError(
            f"encoder_params names {unknown}, which encoder={encoder!r} does not have. It has "
            f"{sorted(known) or 'none'}."
        )
    for name, value in given.items():
        if not known[name].accepts(value):
            raise ValueError(
                f"encoder_params[{name!r}] of encoder={encoder!r} must be {known[name]}, got "
                f"{value!r}."
            )
    return {
        name: parameter.plain(given.get(name, parameter.default))
        for name, parameter in known.items()
    }
