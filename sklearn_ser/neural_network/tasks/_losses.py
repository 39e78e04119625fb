"""The losses of all tasks of a network.

Every loss is called with a head's outputs, the targets, and one share per sample: the sample's
weight divided by the sum of all weights, so that the shares sum to 1, or are all 0 if no sample of
the batch has the target. A loss is then 0 with a gradient of 0, and never NaN.

A loss in which not every sample with a share counts sets `counted` in each call, the sum of the
shares that counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from sklearn_ser.neural_network.tasks._base import FittedTask
from sklearn_ser.neural_network.tasks._weighting import FixedWeighting


class MultiTaskLoss(nn.Module):
    """The losses of all tasks in a batch.

    The loss of a task is the mean over the samples of the batch, weighted by the samples' weights
    in that task; a sample without the target has weight 0. `priors` are the shares of the classes
    among the training samples (None for tasks without classes), and `weighting` combines the losses
    in a training step.

    After each call `counted`, of shape (n_tasks,), is the fraction of the samples with the task's
    target that counted in its loss; 0 if there are none.
    """

    def __init__(
        self,
        tasks: Sequence[FittedTask],
        priors: Sequence[torch.Tensor | None] | None = None,
        weighting: FixedWeighting | None = None,
    ):
        super().__init__()
        priors = [None] * len(tasks) if priors is None else priors
        self.losses = nn.ModuleList(
            task.loss(prior) for task, prior in zip(tasks, priors, strict=True)
        )
        self.by_frame = [task.predicts for task in tasks]
        self.weighting = FixedWeighting(tasks) if weighting is None else weighting

    def per_task(self, outputs, targets, weights, inputs=None, frame_batch=None):
        """Compute one scalar loss per task; `weights` has shape (n_samples, n_tasks).

        `frame_batch` is given if the outputs are of frames: every frame has the target of its
        sequence, and each sequence counts as one sample, whatever its length. Tasks whose targets
        are computed from the batch use `inputs`.
        """
        # The weights of each task are contiguous and summed separately: a sum over a column of a
        # table has an order, and so last digits, that depend on the number of columns.
        columns = weights.T.contiguous().unbind()
        losses = [
            self._of_task(index, output, target, column, inputs, frame_batch)
            for index, (output, target, column) in enumerate(
                zip(outputs, targets, columns, strict=True)
            )
        ]
        self.counted = torch.stack(
            [
                getattr(loss, "counted", (column.sum() > 0).to(column))
                for loss, column in zip(self.losses, columns, strict=True)
            ]
        )
        return losses

    def _of_task(self, index, output, target, weights, inputs, frame_batch):
        share = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
        if frame_batch is not None and self.by_frame[index]:
            rows = frame_batch.row_of_frame
            share = (share / frame_batch.lengths.to(share))[rows]
            target = target[rows]
        return self.losses[index](output, target, share, inputs)

    def main(self, output, target, weights, mix=None, frame_batch=None):
        """Compute the loss of the main task alone, like `per_task`, or `mixed` if mix is given."""
        own = self._of_task(0, output, target, weights, None, frame_batch)
        if mix is None:
            return own
        partner = mix.partner.to(weights.device)
        other = self._of_task(0, output, target[partner], weights[partner], None, frame_batch)
        return mix.share * own + (1.0 - mix.share) * other

    def mixed(self, outputs, targets, weights, mix, inputs=None, frame_batch=None):
        """Compute the losses of samples that were mixed in pairs (mixup).

        The loss is the mean of the losses for the targets of both samples, weighted by their
        shares. For cross-entropy this is the loss of the mixed (soft) targets.
        """
        partner = mix.partner.to(weights.device)
        own = self.per_task(outputs, targets, weights, inputs, frame_batch)
        own_counted = self.counted
        other = self.per_task(
            outputs, [target[partner] for target in targets], weights[partner], inputs, frame_batch
        )
        self.counted = self.counted.lerp(own_counted, mix.share)
        return [
            mix.share * first + (1.0 - mix.share) * second
            for first, second in zip(own, other, strict=True)
        ]
