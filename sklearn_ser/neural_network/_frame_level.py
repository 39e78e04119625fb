"""Networks whose heads answer for every frame: from frames' outputs to an utterance's."""

import torch


def utterance_outputs(tasks, outputs, batch):
    """Outputs of each sequence, from those of its frames.

    Posteriors are averaged, and given as their logarithms, of which a softmax makes the posteriors
    again; values are averaged.

    Parameters
    ----------
    tasks : sequence of fitted tasks
    outputs : sequence of Tensor
        One per task, of shape (n_frames, n_outputs); for tasks that answer nothing, of shape
        (n_sequences, n_outputs), which are kept.
    batch : FrameBatch

    Returns
    -------
    list of Tensor of shape (n_sequences, n_outputs)
    """
    pooled = []
    for task, output in zip(tasks, outputs, strict=True):
        if task.kind == "regression":
            pooled.append(batch.means(output))
        elif task.predicts:
            posteriors = batch.means(output.softmax(dim=1))
            pooled.append(posteriors.clamp_min(torch.finfo(output.dtype).tiny).log())
        else:
            pooled.append(output)
    return pooled
