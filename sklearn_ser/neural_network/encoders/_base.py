"""Base class of encoders, and the parameters that are specific to an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import make_constraint
from torch import nn


@dataclass(frozen=True)
class Parameter:
    """Default and constraint of a parameter of an encoder.

    The constraint is one as in scikit-learn's `_parameter_constraints`; for a tuple, that of each
    number.
    """

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

    An encoder is built from parts of a network's architecture (a dict of plain values, see
    `_module`): the parts that every architecture has, its `specific_parameters`, and its
    `data_parameters`. `n_outputs` is the width of the representation.
    """

    #: Whether the encoder receives a FrameBatch (else a tensor of shape (n_samples, n_features)).
    on_frames: bool = False
    #: Whether there is one representation per frame (else per sequence).
    frame_level: bool = False
    #: Parameters that `encoder_params` sets.
    specific_parameters: ClassVar[Mapping[str, Parameter]] = {}
    #: Names of parameters that follow from X.
    data_parameters: ClassVar[tuple[str, ...]] = ()
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
