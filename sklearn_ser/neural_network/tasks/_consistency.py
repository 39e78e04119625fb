"""Consistency tasks for unlabeled samples: parameters, fitted form and loss."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network.tasks._base import TINY, WEIGHT_DOC, FittedTask, Task
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.neural_network")
@substitute_docstring(weight=WEIGHT_DOC)
class ConsistencyTask(Task):
    """Consistency of predictions for unlabeled samples with noise and dropout [1]_.

    In every step the network predicts class probabilities of the unlabeled samples without noise
    and dropout. Confident predictions become pseudo-labels (as probabilities), which the network
    learns with noise and dropout. Requires `unlabeled` of the network, and is useful with the
    noise or dropout of :class:`InputPerturbation`.

    Parameters
    ----------
    %(weight)s
    threshold : float, default=0.6
        Least probability, after balancing and sharpening, of the most probable class of a
        confident pseudo-label.
    balance : bool, default=True
        Whether to divide the probabilities by their running mean over samples, so that no class
        dominates the pseudo-labels [2]_. This assumes that all classes are about equally frequent
        among the unlabeled samples.
    sharpening : float, default=2.0
        Exponent that is applied to the probabilities.
    start : float, default=0.0
        Fraction of `max_epochs` after which the task begins. With early stopping the best epoch
        may come earlier, in which case no pseudo-label has been learned and a warning says so.

    Notes
    -----
    Early stopping monitors labeled samples of other speakers, so that an epoch in which wrong
    pseudo-labels have impaired the network is not selected.

    References
    ----------
    .. [1] Sohn, K. et al. (2020). FixMatch: Simplifying Semi-Supervised Learning with Consistency
       and Confidence. NeurIPS 2020. https://arxiv.org/abs/2001.07685
    .. [2] Berthelot, D. et al. (2020). ReMixMatch: Semi-Supervised Learning with Distribution
       Alignment and Augmentation Anchoring. ICLR 2020. https://arxiv.org/abs/1911.09785

    Examples
    --------
    >>> from sklearn_ser.neural_network import ConsistencyTask, MTLNeuralClassifier
    >>> net = MTLNeuralClassifier(
    ...     tasks={"consistency": ConsistencyTask(weight=0.3)}, unlabeled="nan")
    >>> net.set_params(tasks__consistency__threshold=0.8).tasks
    {'consistency': ConsistencyTask(threshold=0.8, weight=0.3)}
    """

    _parameter_constraints = {
        **Task._parameter_constraints,
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "balance": ["boolean"],
        "sharpening": [Interval(Real, 0, None, closed="neither")],
        "start": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        *,
        weight: float | None = None,
        threshold: float = 0.6,
        balance: bool = True,
        sharpening: float = 2.0,
        start: float = 0.0,
    ):
        self.weight = weight
        self.threshold = threshold
        self.balance = balance
        self.sharpening = sharpening
        self.start = start


@dataclass(frozen=True)
class FittedConsistency(FittedTask):
    """A consistency task, which has no head: it uses the outputs of the main task."""

    kind: ClassVar[str] = "consistency"
    spec_type: ClassVar[type[Task]] = ConsistencyTask
    stored_fields: ClassVar[tuple[str, ...]] = ()
    n_outputs: ClassVar[int] = 0
    uses_unlabeled: ClassVar[bool] = True

    def targets(self, aux, weights, main_codes):
        """Return no targets, and the weights of unlabeled samples."""
        return np.empty((len(weights), 0)), weights * (main_codes < 0)

    def loss(self, prior=None):
        return ConsistencyError(self.spec)


class ConsistencyError(nn.Module):
    """Cross-entropy of the main head's outputs against pseudo-labels predicted without noise."""

    #: Momentum of the running mean of the pseudo-labels, per step.
    momentum = 0.9

    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        self.mean = None

    def forward(self, outputs, targets, shares, inputs=None):
        if inputs is None or inputs.pseudo_labels is None:
            self.counted = shares.new_zeros(())
            return outputs.sum() * 0.0  # outputs are empty: 0, with a gradient of 0
        pseudo_labels = self._sharpened(inputs.pseudo_labels, shares)
        confident = pseudo_labels.max(dim=1).values >= self.spec.threshold
        losses = functional.cross_entropy(inputs.outputs, pseudo_labels, reduction="none")
        self.counted = torch.dot(confident.to(shares), shares)
        return torch.dot(losses * confident, shares)

    @torch.no_grad()
    def _sharpened(self, probabilities, shares):
        if self.spec.balance and shares.sum() > 0:
            mean = shares @ probabilities / shares.sum()
            if self.mean is None:
                self.mean = mean
            self.mean = self.momentum * self.mean + (1.0 - self.momentum) * mean
        if self.mean is not None:
            probabilities = probabilities / self.mean.clamp_min(TINY)
        probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
        probabilities = probabilities.pow(self.spec.sharpening)
        return probabilities / probabilities.sum(dim=1, keepdim=True)
