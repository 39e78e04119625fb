"""Regression tasks: parameters, fitted form and losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from pandas.api import types
from sklearn.utils._param_validation import StrOptions
from torch import nn
from torch.nn import functional

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import concordance_cc
from sklearn_ser.neural_network.tasks._base import (
    COLUMN_DOC,
    TINY,
    ColumnTask,
    PredictingTask,
    Task,
    aux_column,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.neural_network")
@substitute_docstring(column=COLUMN_DOC)
class RegressionTask(ColumnTask):
    """Prediction of the numbers in a column of `aux`, such as arousal, valence or a rating.

    The network learns standardized values; predictions are on the scale of the column.

    Parameters
    ----------
    %(column)s
    loss : {"mse", "ccc"}, default="mse"
        Mean squared error, or 1 minus the concordance correlation coefficient of the batch [1]_.

    References
    ----------
    .. [1] Lin, L. I.-K. (1989). A Concordance Correlation Coefficient to Evaluate
       Reproducibility. Biometrics 45(1).

    Examples
    --------
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier, RegressionTask
    >>> MTLNeuralClassifier(tasks={"arousal": RegressionTask(loss="ccc")}).tasks
    {'arousal': RegressionTask(loss='ccc')}
    """

    _parameter_constraints = {
        **ColumnTask._parameter_constraints,
        "loss": [StrOptions({"mse", "ccc"})],
    }

    def __init__(
        self,
        *,
        column: str | None = None,
        weight: float | None = None,
        loss: Literal["mse", "ccc"] = "mse",
    ):
        self.column = column
        self.weight = weight
        self.loss = loss


@dataclass(frozen=True)
class FittedRegression(PredictingTask):
    """A regression task, and the mean and standard deviation of its training values."""

    mean: float
    scale: float

    kind: ClassVar[str] = "regression"
    spec_type: ClassVar[type[Task]] = RegressionTask
    aliases: ClassVar[dict[str, Callable[[], Task]]] = {
        "mse": RegressionTask,
        "ccc": partial(RegressionTask, loss="ccc"),
    }
    stored_fields: ClassVar[tuple[str, ...]] = ("mean", "scale")
    n_outputs: ClassVar[int] = 1

    @classmethod
    def bind(cls, name, weight, spec, context):
        values = _numbers(name, context.aux[spec.column or name].where(context.counts))
        known = values[~np.isnan(values)]
        mean, scale = np.nan, 0.0
        if len(known) and known.min() == known.max():
            mean = float(known[0])  # rounding of the mean may give a deviation above 0
        elif len(known):
            mean, scale = float(known.mean()), float(known.std())
        return cls(name, weight, spec, mean, scale)

    @property
    def constant_value(self) -> str | None:
        if self.scale > 0.0:
            return None
        return "no value at all" if np.isnan(self.mean) else repr(self.mean)

    @property
    def has_squared_error(self) -> bool:
        return self.spec.loss == "mse"

    def encode(self, column):
        """Return standardized values, 0 if missing, and whether each value is known."""
        values = _numbers(self.name, column)
        known = ~np.isnan(values)
        return np.where(known, (values - self.mean) / self.scale, 0.0), known

    def decode(self, outputs):
        return outputs[:, 0].astype(np.float64) * self.scale + self.mean

    def targets(self, aux, weights, main_codes):
        values, known = self.encode(aux_column(aux, self.column, len(weights)))
        return values, weights * known

    def loss(self, prior=None):
        return Concordance() if self.spec.loss == "ccc" else SquaredError()

    def pool_frames(self, outputs, batch):
        return batch.means(outputs)

    def _score(self, outputs, targets):
        """Compute the concordance correlation coefficient."""
        return concordance_cc(targets.astype(np.float64), outputs[:, 0].astype(np.float64))

    def state_error(self, n_features):
        valid = all(isinstance(value, float) for value in (self.mean, self.scale))
        if valid and np.isfinite([self.mean, self.scale]).all() and self.scale > 0.0:
            return None
        return "has no mean and scale"


class SquaredError(nn.Module):
    """Squared error of one output; a sample without a target value has share 0."""

    def forward(self, outputs, targets, shares, inputs=None):
        return torch.dot(functional.mse_loss(outputs[:, 0], targets, reduction="none"), shares)


class Concordance(nn.Module):
    """1 minus the concordance correlation coefficient of the samples of a batch."""

    def forward(self, outputs, targets, shares, inputs=None):
        y_pred, y_true = outputs[:, 0], targets
        pred_mean, true_mean = torch.dot(y_pred, shares), torch.dot(y_true, shares)
        y_pred, y_true = y_pred - pred_mean, y_true - true_mean
        spread = torch.dot(y_pred.square() + y_true.square(), shares)
        distance = spread + (pred_mean - true_mean).square()
        agreement = 2.0 * torch.dot(y_pred * y_true, shares) / (distance + TINY)
        return (1.0 - agreement) * shares.sum()


def _numbers(name, column):
    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        raise MetadataError(
            f"aux column {column.name!r} holds times (dtype {column.dtype}), which a regression "
            "task does not support. Convert them to numbers, with NaN for missing values."
        )
    try:
        values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise MetadataError(
            f"aux column {column.name!r} is a regression task but holds values that are not "
            f'numbers ({error}). Use tasks={{{name!r}: "classification"}} for labels.'
        ) from error
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise MetadataError(
            f"aux column {column.name!r} holds an infinite value in row {row}. Give a finite "
            "number, or NaN if it is missing."
        )
    return values
