"""Targets of adversarial attacks: inputs of fitted classifiers, as functions with gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._nested_params import parameter_object
from sklearn_ser.neural_network._sequences import FrameBatch, FrameSequences, batches_by_length
from sklearn_ser.neural_network.tasks._base import utterance_outputs
from sklearn_ser.neural_network.training._adversarial_training import Ball
from sklearn_ser.neural_network.training._inputs import check_inputs
from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._frames import frame_attrs, frame_features, frames_table
from sklearn_ser.utils._threads import torch_threads

_SUPPORTED = (
    "an MTLNeuralClassifier, or a linear model of scikit-learn that has coef_ (LinearSVC, "
    "LogisticRegression, RidgeClassifier, ...), alone, at the end of a Pipeline, or found by a "
    "search"
)


class DifferentiableNetwork:
    """Log-probabilities of a fitted network, with gradients.

    They are those of all its ensemble members together, divided by their temperatures, without
    dropout. The network is not changed.
    """

    def __init__(self, estimator: Any):
        self.estimator = estimator
        self.classes = estimator.classes_
        self.tasks = estimator._fitted_tasks()
        self.modules = [net.module_ for net in estimator._nets()]
        self.device = next(self.modules[0].parameters()).device

    def pack(self, X: Any) -> torch.Tensor | FrameSequences:
        """Return X, without failed rows, on the device."""
        x, _ = check_inputs(self.estimator, X)
        return x.to(self.device)

    def log_probabilities(self, batch: torch.Tensor | FrameBatch) -> torch.Tensor:
        """Return log-probabilities of shape (n_rows, n_classes)."""
        members = []
        for module, temperature in zip(self.modules, self.estimator._temperatures, strict=True):
            outputs = module(batch)
            if module.frame_level and isinstance(batch, FrameBatch):
                outputs = utterance_outputs(self.tasks[:1], outputs[:1], batch)
            members.append((outputs[0] / temperature).log_softmax(dim=1))
        return torch.stack(members).logsumexp(dim=0) - float(np.log(len(members)))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Return the context for calls of `log_probabilities`."""
        # cuDNN has no gradients of recurrent layers outside of training.
        with (
            torch_threads(parameter_object(self.estimator, "compute").n_threads),
            torch.backends.cudnn.flags(enabled=False),
        ):
            yield


class DifferentiableLinear:
    """Log-softmax of the decision values of a linear classifier, with gradients.

    With two classes, the logits are 0 and the decision value, which for logistic regression gives
    its probabilities.
    """

    device = torch.device("cpu")

    def __init__(self, estimator: Any):
        self.classes = estimator.classes_
        weights = np.asarray(estimator.coef_, dtype=np.float64)
        bias = np.broadcast_to(np.asarray(estimator.intercept_, np.float64), len(weights))
        self.weights, self.bias = torch.tensor(weights), torch.tensor(bias.tolist()).double()

    def pack(self, X: Any) -> torch.Tensor:
        """Return X as a tensor."""
        return torch.tensor(np.asarray(X, dtype=np.float64))

    def log_probabilities(self, batch: torch.Tensor) -> torch.Tensor:
        """Return log-probabilities of shape (n_rows, n_classes)."""
        decision = batch @ self.weights.T + self.bias
        if decision.shape[1] == 1:
            decision = torch.cat([torch.zeros_like(decision), decision], dim=1)
        return decision.log_softmax(dim=1)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Return the context for calls of `log_probabilities`."""
        with torch_threads(1):
            yield


def differentiable(
    classifier: BaseEstimator, name: str
) -> DifferentiableNetwork | DifferentiableLinear:
    """Return a fitted classifier as a function with gradients; raise if these are not known."""
    if isinstance(classifier, MTLNeuralClassifier):
        return DifferentiableNetwork(classifier)
    if _is_linear(classifier):
        return DifferentiableLinear(classifier)
    raise MetadataError(
        f"Estimator {name!r} ends in a {type(classifier).__name__}, whose gradient is not known. "
        f"Supported are {_SUPPORTED}. For other estimators give surrogate=, a fitted one of these "
        "that takes the same inputs: its adversarial examples are then tested on the estimator."
    )


def _is_linear(classifier: Any) -> bool:
    if not all(hasattr(classifier, name) for name in ("coef_", "intercept_", "classes_")):
        return False
    n_rows = 1 if len(classifier.classes_) == 2 else len(classifier.classes_)
    weights = classifier.coef_
    if not isinstance(weights, np.ndarray) or weights.shape[:1] != (n_rows,) or weights.ndim != 2:
        return False
    # The weights of SVC(kernel="linear") with several classes are those of pairs of classes:
    # the decision values must be those of the weights.
    probe = np.random.default_rng(0).normal(size=(4, weights.shape[1]))
    if not hasattr(classifier, "decision_function"):
        return False
    names = getattr(classifier, "feature_names_in_", None)
    X = probe if names is None else pd.DataFrame(probe, columns=names)
    decision = np.asarray(classifier.decision_function(X)).reshape(4, -1)
    expected = probe @ weights.T + classifier.intercept_
    return decision.shape == expected.shape and np.allclose(
        decision, expected, rtol=1e-4, atol=1e-6
    )


def open_chain(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers of a fitted estimator, and the classifier at its end."""
    check_is_fitted(estimator)
    steps: list[Any] = []
    last = estimator
    while True:
        if isinstance(last, Pipeline):
            steps += [step for _, step in last.steps[:-1] if step not in (None, "passthrough")]
            last = last.steps[-1][1]
        elif hasattr(last, "best_estimator_"):
            last = last.best_estimator_
        elif type(last).__module__.startswith("sklearn_ser.") and hasattr(last, "estimator_"):
            last = last.estimator_  # such as SkipFailedRows, which predicts rows unchanged
        else:
            return steps, last


#: Maximum numbers of rows and frames in a batch of a network with gradients.
_ROWS, _FRAMES = 512, 16384


class AttackedFeatures:
    """The input of the last step of an estimator, as the target of an attack.

    With `relative`, sizes are in standard deviations of each feature over the rows of X. A
    `surrogate` gives the gradients instead of the estimator.
    """

    def __init__(
        self, estimator: Any, X: Any, name: str, *, norm: str, relative: bool, surrogate: Any
    ):
        self.norm = norm
        steps, self.last = open_chain(estimator)
        features = X
        for step in steps:
            features = step.transform(features)
        self.failed = failed_rows(features)
        if self.failed.all():
            raise MetadataError(f"Estimator {name!r}: the audio of all rows of X failed.")
        self.features = _safe_indexing(features, np.flatnonzero(~self.failed))
        if surrogate is None:
            self.source = differentiable(self.last, name)
        else:
            self.source = differentiable(open_chain(surrogate)[1], "surrogate")
        self.x = self.source.pack(self.features)
        self.device = self.source.device
        values = self.x.frames if isinstance(self.x, FrameSequences) else self.x
        spread = values.cpu().double().std(dim=0, correction=0).to(values)
        if relative and not spread.any():
            raise MetadataError(
                f"No feature of estimator {name!r} varies over the {int((~self.failed).sum())} "
                "usable rows of X, and epsilons are in units of the standard deviations there. "
                "Give more rows, or relative=False."
            )
        self.scale = spread if relative else torch.ones_like(spread)

    def ball(self, epsilon: float) -> Ball:
        """Return the ball of radius `epsilon`."""
        return Ball(self.norm, epsilon)

    def batches(self) -> Iterator[tuple[torch.Tensor, Any, torch.Tensor]]:
        """Generate indices, batch and scale of all rows that have not failed."""
        if isinstance(self.x, FrameSequences):
            for rows in batches_by_length(self.x.lengths, _ROWS, most_frames=_FRAMES):
                yield rows, self.x[rows].batch(), self.scale
            return
        for rows in torch.arange(len(self.x)).split(_ROWS):
            yield rows, self.x[rows], self.scale

    def limit(self, batch: Any, scale: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function that limits changes to valid values, here the identity."""
        return lambda change: change

    def log_probabilities(self, batch: Any) -> torch.Tensor:
        """Return log-probabilities of shape (n_rows, n_classes)."""
        return self.source.log_probabilities(batch)

    def predict(self, x: torch.Tensor | FrameSequences) -> np.ndarray:
        """Return the predictions of the estimator for the values `x` of all rows."""
        return np.asarray(self.last.predict(_with_values(self.features, x)), dtype=object)


def _with_values(X, values):
    """Return a container like X, of features or frames, with other values."""
    if isinstance(values, FrameSequences):
        parts = [
            values.frames[start : start + length].cpu().numpy()
            for start, length in zip(values.starts.tolist(), values.lengths.tolist(), strict=True)
        ]
        index = X.index if isinstance(X, pd.DataFrame | pd.Series) else pd.RangeIndex(len(parts))
        names = frame_features(X, values.frames.shape[1])
        return frames_table(parts, index, names, frame_attrs(X))
    array = values.cpu().numpy()
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame(array, columns=X.columns, index=X.index)
    return array
