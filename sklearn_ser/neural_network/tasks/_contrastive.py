"""Contrastive tasks: parameters, fitted form and loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network.tasks._base import TINY, WEIGHT_DOC, FittedTask, Task, aux_column
from sklearn_ser.neural_network.tasks._classification import (
    ClassificationTask,
    FittedClassification,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module

#: Similarity of pairs that are not compared; minus infinity would make gradients NaN.
_EXCLUDED = -1e9


@public_module("sklearn_ser.neural_network")
@substitute_docstring(weight=WEIGHT_DOC)
class ContrastiveTask(Task):
    """Supervised contrastive learning of the shared representation [1]_.

    The representation is projected linearly and scaled to unit length. For each sample, the other
    samples of its class in the batch (positives) should be more similar to it than the samples of
    other classes.

    Parameters
    ----------
    column : str, default=None
        Column of `aux` with the labels. If None, the emotion labels `y`.
    %(weight)s
    across : str, default=None
        Column of `aux`, such as the corpus. If given, only samples that differ in it are
        positives, so that an emotion is represented alike in all corpora.
    temperature : float, default=0.1
        Divisor of the similarities.
    n_components : int, default=64
        Width of the projection.

    Notes
    -----
    A sample without a positive in its batch does not count. Batches of 64 samples or more are
    recommended.

    References
    ----------
    .. [1] Khosla, P. et al. (2020). Supervised Contrastive Learning. NeurIPS 2020.

    Examples
    --------
    >>> from sklearn_ser.neural_network import ContrastiveTask, MTLNeuralClassifier
    >>> MTLNeuralClassifier(tasks={"clusters": ContrastiveTask(across="corpus")}).tasks
    {'clusters': ContrastiveTask(across='corpus')}
    """

    _parameter_constraints = {
        **Task._parameter_constraints,
        "column": [str, None],
        "across": [str, None],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "n_components": [Interval(Integral, 1, 65536, closed="both")],
    }

    def __init__(
        self,
        *,
        column: str | None = None,
        weight: float | None = None,
        across: str | None = None,
        temperature: float = 0.1,
        n_components: int = 64,
    ):
        self.column = column
        self.weight = weight
        self.across = across
        self.temperature = temperature
        self.n_components = n_components

    def check(self, name: str) -> None:
        """Raise a ValueError if a parameter is invalid, or `column` and `across` are the same.

        Parameters
        ----------
        name : str
            Name of the task.
        """
        super().check(name)
        if self.column is not None and self.column == self.across:
            raise ValueError(
                f"tasks[{name!r}] has column={self.column!r} and across={self.across!r}. They must "
                "be different columns, since positive samples agree in the first and differ in "
                "the second. Set across to another column, or to None."
            )

    def columns(self, name: str) -> list[str]:
        return [column for column in (self.column, self.across) if column is not None]


@dataclass(frozen=True)
class FittedContrastive(FittedTask):
    """A contrastive task, whose positives agree in `labels` and differ in `across`."""

    n_outputs: int
    labels: FittedClassification | None = field(default=None, compare=False)
    across: FittedClassification | None = field(default=None, compare=False)

    kind: ClassVar[str] = "contrastive"
    spec_type: ClassVar[type[Task]] = ContrastiveTask
    stored_parameters: ClassVar[tuple[str, ...]] = ("column", "across", "n_components")

    @classmethod
    def bind(cls, name, weight, spec, context):
        def labels_of(column):
            values = aux_column(context.aux, column, 0)
            return FittedClassification.from_column(column, 0.0, ClassificationTask(), values)

        labels = context.main if spec.column is None else labels_of(spec.column)
        across = None if spec.across is None else labels_of(spec.across)
        return cls(name, weight, spec, spec.n_components, labels, across)

    @property
    def constant_value(self) -> str | None:
        for labels in (self.labels, self.across):
            if labels is not None and labels.constant_value is not None:
                return labels.constant_value
        return None

    def targets(self, aux, weights, main_codes):
        """Return the codes of the labels and, in a second column, of `across`."""
        columns = [
            main_codes
            if part is self.labels and self.spec.column is None
            else part.encode(aux_column(aux, part.name, len(weights)))[0]
            for part in (self.labels, self.across)
            if part is not None
        ]
        codes = np.column_stack(columns)
        return codes, weights * (codes >= 0).all(axis=1)

    def loss(self, prior=None):
        return SupervisedContrast(self.spec.temperature)

    def state_error(self, n_features):
        error = super().state_error(n_features)
        if error is None and self.n_outputs != self.spec.n_components:
            error = f"has {self.n_outputs} outputs, not [{self.spec.n_components}]"
        return error


class SupervisedContrast(nn.Module):
    """Negative log-probability, by similarity, of a sample's positives among compared samples."""

    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    def forward(self, outputs, targets, shares, inputs=None):
        known = shares > 0
        pairs = known.unsqueeze(0) & known.unsqueeze(1)
        pairs = pairs & ~torch.eye(len(known), dtype=torch.bool, device=known.device)
        labels = targets[:, 0]
        same_label = labels.unsqueeze(0) == labels.unsqueeze(1)
        positives = pairs & same_label
        if targets.shape[1] > 1:
            positives = positives & (targets[:, 1].unsqueeze(0) != targets[:, 1].unsqueeze(1))
        # Samples of the same label that are not positives (same corpus) are left out.
        compared = positives | (pairs & ~same_label)
        points = functional.normalize(outputs, dim=1)
        similar = (points @ points.T / self.temperature).masked_fill(~compared, _EXCLUDED)
        log_probability = similar - similar.logsumexp(dim=1, keepdim=True)
        n_positives = positives.sum(dim=1)
        losses = -(log_probability * positives).sum(dim=1) / n_positives.clamp_min(1)
        shares = shares * (n_positives > 0)
        self.counted = (shares.sum() > 0).to(shares)  # the loss is a mean over these samples
        return torch.dot(losses, shares) / shares.sum().clamp_min(TINY)
