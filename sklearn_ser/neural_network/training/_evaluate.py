"""What a network in training says of rows that it does not train on."""

import numpy as np
import torch

from sklearn_ser.neural_network.tasks._base import utterance_outputs
from sklearn_ser.neural_network.training._batches import evaluation_batches


def main_outputs(module, tasks, x, perturb=None):
    """Outputs for the main task, dropout off unless the caller has turned it on.

    Parameters
    ----------
    module : MultiTaskModule
    tasks : sequence of fitted tasks
    x : Tensor of shape (n_rows, n_features), or FrameSequences
    perturb : callable, optional
        Of a batch, gives the batch that the network sees.

    Returns
    -------
    ndarray of float64 of shape (n_rows, n_classes)
    """
    outputs = np.empty((len(x), tasks[0].n_outputs))
    with torch.inference_mode():
        for places, batch in evaluation_batches(x):
            seen = batch if perturb is None else perturb(batch)
            found = module(seen)
            if module.frame_level:
                found = utterance_outputs(tasks, found, seen)
            outputs[places] = found[0].cpu().numpy()
    return outputs
