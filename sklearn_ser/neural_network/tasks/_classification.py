"""Classification tasks, also domain-adversarial ones: parameters, fitted forms, cross-entropy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn
from torch.nn import functional

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._class_weight import weights_of_classes
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

CLASS_WEIGHT = [StrOptions({"balanced"}), dict, None]


@public_module("sklearn_ser.neural_network")
@substitute_docstring(column=COLUMN_DOC)
class ClassificationTask(ColumnTask):
    """Prediction of the labels in a column of `aux`, with cross-entropy over a softmax head.

    Parameters
    ----------
    %(column)s
    class_weight : "balanced", dict or None, default=None
        Weights of the classes, as in scikit-learn's classifiers.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over all classes, in [0, 1) [1]_.
    focal_gamma : float, default=0.0
        Exponent of the focal loss [2]_. Above 0, samples that are already classified well count
        less: each loss is multiplied by (1 - p) to this power, where p is the probability of the
        true class.
    logit_adjustment : float, default=0.0
        Strength of logit adjustment [3]_. Above 0, this factor times the logarithm of each class's
        share of the training samples is added to the outputs in training, so that predictions do
        not favor frequent classes; 1 optimizes for the unweighted average recall. The shares are
        computed with `sample_weight`, without `class_weight`: together with
        ``class_weight="balanced"`` the frequencies are corrected twice, which favors rare classes.

    References
    ----------
    .. [1] Szegedy, C. et al. (2016). Rethinking the Inception Architecture for Computer Vision.
       CVPR 2016.
    .. [2] Lin, T.-Y. et al. (2017). Focal Loss for Dense Object Detection. ICCV 2017.
    .. [3] Menon, A. K. et al. (2021). Long-tail Learning via Logit Adjustment. ICLR 2021.

    Examples
    --------
    >>> from sklearn_ser.neural_network import ClassificationTask, MTLNeuralClassifier
    >>> net = MTLNeuralClassifier(tasks={"gender": ClassificationTask(weight=0.1)})
    >>> net.set_params(tasks__gender__label_smoothing=0.1).tasks["gender"]
    ClassificationTask(label_smoothing=0.1, weight=0.1)
    """

    _parameter_constraints = {
        **ColumnTask._parameter_constraints,
        "class_weight": CLASS_WEIGHT,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "focal_gamma": [Interval(Real, 0, None, closed="left")],
        "logit_adjustment": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        column: str | None = None,
        weight: float | None = None,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        logit_adjustment: float = 0.0,
    ):
        self.column = column
        self.weight = weight
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.logit_adjustment = logit_adjustment


@dataclass(frozen=True)
class FittedClassification(PredictingTask):
    """A classification task and its sorted labels."""

    classes: np.ndarray

    kind: ClassVar[str] = "classification"
    spec_type: ClassVar[type[Task]] = ClassificationTask
    stored_fields: ClassVar[tuple[str, ...]] = ("classes",)

    @classmethod
    def bind(cls, name, weight, spec, context):
        return cls.from_column(name, weight, spec, context.aux[spec.column or name])

    @classmethod
    def from_column(cls, name, weight, spec, column):
        """Return the task of the labels in `column`: all strings, all numbers or all booleans."""
        values = column.dropna().tolist()
        try:
            labels = np.asarray(values) if values else np.empty(0)
            classes = np.unique(labels)
            plain = labels.ndim == 1 and labels.dtype.kind in "Ubiuf"
            texts = labels.dtype.kind == "U"
            usable = plain and (not texts or all(isinstance(value, str) for value in values))
        except (TypeError, ValueError):
            usable = False
        if not usable:
            names = sorted({type(value).__name__ for value in values})
            found = "mixes values of the types" if len(names) > 1 else "holds values of the type"
            raise MetadataError(
                f"aux column {column.name!r} {found} {names}. The labels of a task must be all "
                "strings, all numbers or all booleans; mark missing labels with None."
            )
        return cls(name, weight, spec, classes)

    @property
    def n_outputs(self) -> int:
        return len(self.classes)

    @property
    def constant_value(self) -> str | None:
        if len(self.classes) > 1:
            return None
        return repr(self.classes[0].item()) if len(self.classes) else "no value at all"

    def rebind(self, weight, spec, context):
        """Return the task with other parameters; unknown labels in `aux` raise a MetadataError."""
        again = super().rebind(weight, spec, context)
        aux, column = context.aux, again.column
        if aux is not None and column in aux:
            codes, _ = self.encode(aux[column])
            unlisted = aux[column][(codes < 0) & aux[column].notna().to_numpy()]
            unknown = sorted(set(unlisted.tolist()), key=str)
            if unknown:
                raise MetadataError(
                    f"aux column {column!r} has the labels {unknown}, which the fitted network "
                    f"does not know: its classes are {self.classes.tolist()}. Mark these labels as "
                    "missing (None) to learn the other targets of the samples, or set "
                    "warm_start=False and call fit to train from scratch."
                )
        return again

    def encode(self, column):
        """Return class codes, -1 for missing and unknown labels, and whether each is known."""
        # Labels are compared as objects: no code results for a missing or an unknown label.
        classes = pd.Index(self.classes.tolist(), dtype=object)
        codes = classes.get_indexer(pd.Index(column.tolist(), dtype=object)).astype(np.int64)
        return codes, codes >= 0

    def decode(self, outputs):
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return class probabilities, in double precision so that rows sum to 1."""
        return softmax(outputs.astype(np.float64), axis=1)

    def class_weights(self, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Compute the factor of each sample's weight that results from `class_weight`, 0 if
        unlabeled.
        """
        known = codes >= 0
        present = np.unique(codes[known])
        if not len(present):
            return np.zeros(len(codes))
        # A class whose samples all have weight 0 gets an infinite balanced weight; 0 x inf is NaN.
        with np.errstate(divide="ignore"):
            try:
                by_class = weights_of_classes(
                    self.spec.class_weight,
                    self.classes[present],
                    self.classes[codes[known]],
                    weights[known],
                )
            except ValueError as error:
                raise ValueError(f"class_weight of the task {self.name!r}: {error}.") from None
        factors = np.zeros(len(self.classes))
        factors[present] = np.where(np.isfinite(by_class), by_class, 0.0)
        return np.where(known, factors[codes], 0.0)

    def targets(self, aux, weights, main_codes):
        """Return class codes, and sample weights multiplied by class weights."""
        codes, _ = self.encode(aux_column(aux, self.column, len(weights)))
        return codes, weights * self.class_weights(codes, weights)

    def loss(self, prior=None):
        """Return the cross-entropy, adjusted by the class shares `prior` if so configured."""
        shift = None
        if self.spec.logit_adjustment and prior is not None:
            # Without an adjustment of 0 for absent classes, these would always be predicted.
            shift = self.spec.logit_adjustment * torch.where(prior > 0, prior, 1.0).log()
        return CrossEntropy(self.spec.label_smoothing, self.spec.focal_gamma, shift)

    def pool_frames(self, outputs, batch):
        posteriors = batch.means(outputs.softmax(dim=1))
        return posteriors.clamp_min(torch.finfo(outputs.dtype).tiny).log()

    def average(self, outputs):
        logs = log_softmax(outputs.astype(np.float64), axis=2)
        return logsumexp(logs, axis=0) - np.log(len(outputs))

    def _score(self, outputs, targets):
        """Compute the unweighted average recall."""
        hits = outputs.argmax(axis=1) == targets
        n_samples, n_hits = np.bincount(targets), np.bincount(targets, weights=hits)
        present = n_samples > 0
        return float((n_hits[present] / n_samples[present]).mean())

    def state_error(self, n_features):
        if not _are_sorted_labels(self.classes):
            return "has classes that are not a sorted list of labels"
        return None


class CrossEntropy(nn.Module):
    """Cross-entropy of class codes; unlabeled samples have the code -1.

    The share `smoothing` of the target is spread over all classes, `gamma` is the exponent of the
    focal loss, and `shift` is added to the outputs (logit adjustment).
    """

    shift: torch.Tensor | None

    def __init__(self, smoothing=0.0, gamma=0.0, shift=None):
        super().__init__()
        self.smoothing = smoothing
        self.gamma = gamma
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, outputs, targets, shares, inputs=None):
        if self.shift is not None:
            outputs = outputs + self.shift
        losses = functional.cross_entropy(
            outputs,
            targets,
            reduction="none",
            ignore_index=-1,
            label_smoothing=self.smoothing,
        )
        if self.gamma:
            logs = outputs.log_softmax(dim=1).gather(1, targets.clamp_min(0).unsqueeze(1))
            # For a class that is certain the base is 0, whose power has no finite gradient.
            losses = losses * (1.0 - logs.squeeze(1).exp()).clamp_min(TINY).pow(self.gamma)
        return torch.dot(losses, shares)


@public_module("sklearn_ser.neural_network")
@substitute_docstring(column=COLUMN_DOC)
class DomainAdversarialTask(ColumnTask):
    """Removal of domain information from the representation: corpus, speaker or language [1]_.

    A head learns to predict the domain labels. Its gradient is reversed before it reaches the
    encoder, so that the shared representation becomes uninformative about the domain.

    Parameters
    ----------
    %(column)s
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
        **ColumnTask._parameter_constraints,
        "strength": [Interval(Real, 0, None, closed="left")],
        "schedule": [StrOptions({"ramp", "constant"})],
        "hidden_units": ["array-like"],
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


def _are_sorted_labels(classes):
    """Return whether `classes` is an array (possibly memory-mapped) of sorted distinct labels."""
    if type(classes) not in (np.ndarray, np.memmap) or classes.ndim != 1 or not len(classes):
        return False
    try:
        return np.array_equal(np.unique(classes), classes) and not any(
            value != value for value in classes.tolist()
        )
    except (TypeError, ValueError):
        return False
