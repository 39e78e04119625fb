"""Temperature scaling, and the outputs of networks in training that it is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from torch import nn

from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.tasks._base import FittedTask, utterance_outputs
from sklearn_ser.neural_network.training._batches import ResidentRows, evaluation_batches


def main_outputs(
    module: nn.Module,
    tasks: Sequence[FittedTask],
    x: torch.Tensor | FrameSequences,
    perturb: Callable[[Any], Any] | None = None,
) -> np.ndarray:
    """Compute outputs of the main task in float64, in the current mode of the module."""
    outputs = np.empty((len(x), tasks[0].n_outputs))
    with torch.inference_mode():
        for positions, batch in evaluation_batches(x):
            seen: Any = batch if perturb is None else perturb(batch)
            results = module(seen)
            if module.frame_level:
                results = utterance_outputs(tasks, results, seen)
            outputs[positions] = results[0].cpu().numpy()
    return outputs


def validation_temperature(
    module: nn.Module, tasks: Sequence[FittedTask], rows: ResidentRows
) -> float:
    """Fit the temperature of a network on validation samples; 1 if there are none."""
    if not len(rows):
        return 1.0
    module.eval()
    codes = rows.targets[0].cpu().numpy()
    return fit_temperature(main_outputs(module, tasks, rows.x), codes, rows.sample_weights)


def fit_temperature(outputs: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    """Fit the temperature, in [0.05, 20], at which the loss of the outputs is lowest."""
    outputs = outputs.astype(np.float64)
    of_labels = outputs[np.arange(len(codes)), codes]

    def loss(log_temperature):
        scale = np.exp(-log_temperature)
        return np.average(logsumexp(outputs * scale, axis=1) - of_labels * scale, weights=weights)

    bound = np.log(20.0)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))
