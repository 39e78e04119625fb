"""Reconstruction tasks: parameters, fitted form and loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar, Literal

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from sklearn_ser.neural_network._sequences import FrameBatch
from sklearn_ser.neural_network.tasks._base import WEIGHT_DOC, FittedTask, Task
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.neural_network")
@substitute_docstring(weight=WEIGHT_DOC)
class ReconstructionTask(Task):
    """Reconstruction of the input from the shared representation, which needs no labels.

    The loss is the mean squared error over features. Frame sequences differ in length: for these,
    the means of `time_bins` equal parts of the sequence are reconstructed.

    Parameters
    ----------
    %(weight)s
    target : {"clean", "augmented"}, default="clean"
        Values to reconstruct: the sample as given (a denoising autoencoder), or as the encoder
        receives it, after the augmenters, noise and dropout of :class:`InputPerturbation`. Mixup
        applies to both.
    time_bins : int, default=8
        Number of parts of a frame sequence.
    hidden_units : sequence of int, default=()
        Widths of the hidden layers of the decoder.

    Examples
    --------
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> net = MTLNeuralClassifier(tasks={"input": "reconstruction"})
    >>> net.set_params(tasks__input__target="augmented").tasks
    {'input': ReconstructionTask(target='augmented')}
    """

    _parameter_constraints = {
        **Task._parameter_constraints,
        "target": [StrOptions({"clean", "augmented"})],
        "time_bins": [Interval(Integral, 1, 1024, closed="both")],
        "hidden_units": ["array-like"],
    }

    def __init__(
        self,
        *,
        weight: float | None = None,
        target: Literal["clean", "augmented"] = "clean",
        time_bins: int = 8,
        hidden_units: Sequence[int] = (),
    ):
        self.weight = weight
        self.target = target
        self.time_bins = time_bins
        self.hidden_units = hidden_units


@dataclass(frozen=True)
class FittedReconstruction(FittedTask):
    """A reconstruction task and `n_outputs`, the number of values it reconstructs."""

    n_outputs: int

    kind: ClassVar[str] = "reconstruction"
    spec_type: ClassVar[type[Task]] = ReconstructionTask
    stored_parameters: ClassVar[tuple[str, ...]] = ("time_bins", "hidden_units")

    @property
    def has_squared_error(self) -> bool:
        return True

    @classmethod
    def bind(cls, name, weight, spec, context):
        return cls(name, weight, spec, context.n_inputs(spec.time_bins))

    def loss(self, prior=None):
        return ReconstructionError(self.spec.target, self.spec.time_bins)

    def state_error(self, n_features):
        possible = sorted({n_features, n_features * self.spec.time_bins})
        error = super().state_error(n_features)
        if error is None and self.n_outputs not in possible:
            error = f"has {self.n_outputs} outputs, not {possible}"
        return error


class ReconstructionError(nn.Module):
    """Mean squared error of the values of the input."""

    def __init__(self, target, time_bins):
        super().__init__()
        self.target = target
        self.time_bins = time_bins

    def forward(self, outputs, targets, shares, inputs):
        x = inputs.clean if self.target == "clean" else inputs.seen
        if isinstance(x, FrameBatch):
            x = x.binned(self.time_bins).flatten(start_dim=1)
        return torch.dot((outputs - x).square().mean(dim=1), shares)
