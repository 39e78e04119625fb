"""Base classes of tasks: parameters given by users, and tasks bound to training data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from sklearn.utils._param_validation import Interval
from torch import nn

from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.neural_network._settings import check_parameters

if TYPE_CHECKING:
    from sklearn_ser.neural_network._sequences import FrameBatch

#: Keeps denominators above 0; too small to change any other value.
TINY = 1e-8

#: Descriptions of the parameters that task objects share.
WEIGHT_DOC = """
    weight : float, default=None
        Weight of the task's loss in the sum of all losses. If None, `aux_weight` of the network.
    """
COLUMN_DOC = f"""
    column : str, default=None
        Column of `aux` with the targets. If None, the column named like the task.{WEIGHT_DOC}"""


@dataclass(frozen=True)
class TaskContext:
    """Training data that tasks are bound to."""

    aux: pd.DataFrame | None
    #: The main task.
    main: Any
    #: Number of values to reconstruct, as a function of the number of time bins.
    n_inputs: Callable[[int], int]
    #: Samples whose weight is above 0.
    counts: np.ndarray


class Task(SuggestingEstimator):
    """Base class of the task objects, which hold parameters like those of an estimator."""

    _parameter_constraints: ClassVar[dict] = {
        "weight": [Interval(Real, 0, None, closed="left"), None]
    }
    weight: float | None

    def check(self, name: str) -> None:
        """Raise a ValueError if a parameter of the task is invalid.

        Parameters
        ----------
        name : str
            Name of the task.
        """
        check_parameters(self, f"tasks[{name!r}]")

    def columns(self, name: str) -> list[str]:
        """Return the columns of `aux` that hold the targets of the task.

        Parameters
        ----------
        name : str
            Name of the task.

        Returns
        -------
        list of str
            Names of the columns.
        """
        return []


class ColumnTask(Task):
    """Base class of the task objects of :class:`PredictingTask`, which have one target."""

    _parameter_constraints: ClassVar[dict] = {**Task._parameter_constraints, "column": [str, None]}
    column: str | None

    def columns(self, name: str) -> list[str]:
        return [self.column or name]


@dataclass(frozen=True)
class FittedTask(ABC):
    """Base class of tasks that are bound to training data.

    A kind of task declares further fields, and `n_outputs`, the width of the head's output (0 for a
    task without a head).
    """

    name: str
    weight: float
    #: Parameters of the task; in a restored task only those of `stored_parameters`.
    spec: Any = field(compare=False)

    #: Name of the kind in `tasks` and in stored states.
    kind: ClassVar[str]
    spec_type: ClassVar[type[Task]]
    #: Further short names in `tasks`, with functions that return the task object.
    aliases: ClassVar[dict[str, Callable[[], Task]]] = {}
    #: Parameters that are stored: those that define the network or name columns.
    stored_parameters: ClassVar[tuple[str, ...]] = ()
    #: Fields that are stored.
    stored_fields: ClassVar[tuple[str, ...]] = ("n_outputs",)
    #: Whether the outputs are predictions (`predict_aux`).
    predicts: ClassVar[bool] = False
    #: Whether the head's gradient is reversed before it reaches the encoder.
    reverses_gradient: ClassVar[bool] = False
    #: Whether the task learns from unlabeled samples.
    uses_unlabeled: ClassVar[bool] = False

    if TYPE_CHECKING:

        @property
        def n_outputs(self) -> int: ...

    @property
    def head_units(self) -> tuple[int, ...]:
        """Widths of the hidden layers of the head."""
        return tuple(getattr(self.spec, "hidden_units", ()))

    @property
    def constant_value(self) -> str | None:
        """The only value among the targets, "no value at all", or None if there are several."""
        return None

    @property
    def has_squared_error(self) -> bool:
        """Whether the loss is a squared error, half a Gaussian's negative log-likelihood."""
        return False

    @classmethod
    def bind(cls, name: str, weight: float, spec: Any, context: TaskContext) -> Self:
        """Return the task with the parameters `spec`, bound to training data."""
        return cls(name, weight, spec)

    def rebind(self, weight: float, spec: Any, context: TaskContext) -> Self:
        """Return the task with other parameters, for further training on other samples."""
        return self.bind(self.name, weight, spec, context)

    def targets(self, aux, weights, main_codes) -> tuple[np.ndarray, np.ndarray]:
        """Return the target of each sample, and its weight in the loss (0 without a target).

        `main_codes` are class codes, -1 for unlabeled samples. By default there are no targets.
        """
        return np.empty((len(weights), 0)), weights

    @abstractmethod
    def loss(self, prior: torch.Tensor | None = None) -> nn.Module:
        """Return the loss; `prior` is the share of each class among the training samples."""

    def pool_frames(self, outputs: torch.Tensor, batch: FrameBatch) -> torch.Tensor:
        """Return the outputs of sequences, from those of their frames."""
        return outputs

    def average(self, outputs: np.ndarray) -> np.ndarray:
        """Average outputs of shape (n_networks, n_samples, n_outputs) over networks."""
        return outputs.mean(axis=0)

    def state(self) -> dict[str, Any]:
        """Return plain values, from which :func:`task_from_state` restores the task."""
        spec = {
            name: value for name, value in vars(self.spec).items() if name in self.stored_parameters
        }
        if "hidden_units" in spec:
            spec["hidden_units"] = [int(width) for width in spec["hidden_units"]]
        return {
            "kind": self.kind,
            "name": self.name,
            "weight": self.weight,
            "spec": spec,
            **{name: getattr(self, name) for name in self.stored_fields},
        }

    def state_error(self, n_features: int) -> str | None:
        """Describe what is invalid in a task restored for `n_features` features, or return None."""
        if type(self.n_outputs) is not int:
            return f"has {self.n_outputs!r} outputs"
        return None


@dataclass(frozen=True)
class PredictingTask(FittedTask):
    """Base class of tasks that predict a column of `aux`."""

    stored_parameters: ClassVar[tuple[str, ...]] = ("column",)
    predicts: ClassVar[bool] = True

    @property
    def column(self) -> str:
        """Column of `aux` with the targets."""
        return self.spec.column or self.name

    def rebind(self, weight: float, spec: Any, context: TaskContext) -> Self:
        """Return the task with other parameters; classes and scales do not change."""
        return replace(self, weight=weight, spec=spec)

    @abstractmethod
    def encode(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return numeric targets, and whether each sample has one."""

    @abstractmethod
    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return predictions from outputs of shape (n_samples, n_outputs)."""

    def score(self, outputs, targets, weights) -> float:
        """Compute the unweighted score of the samples with a weight; NaN if there are none."""
        known = weights > 0
        if not known.any():
            return float("nan")
        return self._score(outputs[known], targets[known])

    @abstractmethod
    def _score(self, outputs, targets):
        """Compute the score of samples that have a target."""


def aux_column(aux: pd.DataFrame | None, name: str, n_samples: int) -> pd.Series:
    """Return a column of `aux`, or missing values if further training lacks the column."""
    if aux is None or name not in aux.columns:
        return pd.Series([np.nan] * n_samples, name=name, dtype=float)
    return aux[name]


class Inputs(NamedTuple):
    """Parts of a batch from which losses compute targets.

    Tensors or FrameBatches: the batch before noise and dropout (`clean`), and as the encoder
    receives it (`seen`). Then, of shape (n_samples, n_classes), the outputs of the main head per
    utterance, and its probabilities without noise and dropout.
    """

    clean: Any
    seen: Any
    outputs: torch.Tensor | None = None
    pseudo_labels: torch.Tensor | None = None


def utterance_outputs(tasks, outputs, batch: FrameBatch) -> list[torch.Tensor]:
    """Return the outputs of each sequence for each task, from those of its frames."""
    return [task.pool_frames(output, batch) for task, output in zip(tasks, outputs, strict=True)]


def average_outputs(tasks, members):
    """Average the outputs of an ensemble for each task; those of one network are unchanged."""
    if len(members) == 1:
        return members[0]
    return [
        task.average(np.stack([outputs[index] for outputs in members]))
        for index, task in enumerate(tasks)
    ]
