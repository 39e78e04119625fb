"""Domain-adversarial tasks: parameters and fitted form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar, Literal

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.neural_network.tasks._base import (
    COLUMN,
    COLUMN_DOC,
    HIDDEN_UNITS,
    WEIGHT,
    WEIGHT_DOC,
    ColumnTask,
    Task,
)
from sklearn_ser.neural_network.tasks._classification import (
    CLASS_WEIGHT,
    CrossEntropy,
    FittedClassification,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.neural_network")
@substitute_docstring(column=COLUMN_DOC, weight=WEIGHT_DOC)
class DomainAdversarialTask(ColumnTask):
    """Removal of domain information from the representation: corpus, speaker or language [1]_.

    A head learns to predict the domain labels. Its gradient is reversed before it reaches the
    encoder, so that the shared representation becomes uninformative about the domain.

    Parameters
    ----------
    %(column)s
    %(weight)s
    strength : float, default=1.0
        Factor of the reversed gradient at the end of the schedule.
    schedule : {"ramp", "constant"}, default="ramp"
        Schedule of the factor. "ramp": it grows from 0 as
        ``strength * (2 / (1 + exp(-10 p)) - 1)``, where p is the fraction of the training that is
        completed, so that the head has learned something before its gradient is used [1]_.
        "constant": `strength` throughout.
    hidden_units : sequence of int, default=()
        Widths of the hidden layers of the head.
    class_weight : "balanced", dict or None, default=None
        Weights of the domains, as in scikit-learn's classifiers.

    References
    ----------
    .. [1] Ganin, Y. et al. (2016). Domain-Adversarial Training of Neural Networks. JMLR 17(59).

    Examples
    --------
    >>> from sklearn_ser.neural_network import DomainAdversarialTask, MTLNeuralClassifier
    >>> MTLNeuralClassifier(tasks={"corpus": DomainAdversarialTask(strength=0.5)}).tasks
    {'corpus': DomainAdversarialTask(strength=0.5)}
    """

    _parameter_constraints = {
        "column": COLUMN,
        "weight": WEIGHT,
        "strength": [Interval(Real, 0, None, closed="left")],
        "schedule": [StrOptions({"ramp", "constant"})],
        "hidden_units": HIDDEN_UNITS,
        "class_weight": CLASS_WEIGHT,
    }

    def __init__(
        self,
        *,
        column: str | None = None,
        weight: float | None = None,
        strength: float = 1.0,
        schedule: Literal["ramp", "constant"] = "ramp",
        hidden_units: Sequence[int] = (),
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
    ):
        self.column = column
        self.weight = weight
        self.strength = strength
        self.schedule = schedule
        self.hidden_units = hidden_units
        self.class_weight = class_weight


@dataclass(frozen=True)
class FittedDomainAdversarial(FittedClassification):
    """A domain-adversarial task and its domains."""

    spec: Any = field(default_factory=DomainAdversarialTask, compare=False)

    kind: ClassVar[str] = "adversarial"
    spec_type: ClassVar[type[Task]] = DomainAdversarialTask
    stored_parameters: ClassVar[tuple[str, ...]] = ("column", "hidden_units")
    reverses_gradient: ClassVar[bool] = True

    def reversal_strength(self, completed: float) -> float:
        """Return the factor of the reversed gradient after a fraction of the training."""
        if self.spec.schedule == "constant":
            return float(self.spec.strength)
        return self.spec.strength * (2.0 / (1.0 + math.exp(-10.0 * completed)) - 1.0)

    def loss(self, prior=None):
        return CrossEntropy()
