"""What the network minimises: each task's weighted mean over the rows that have its label."""

import torch
from torch import nn
from torch.nn import functional


def cross_entropy_rows(outputs, targets):
    """Cross-entropy of each row; a row without a label (target -1) gives 0."""
    return functional.cross_entropy(outputs, targets, reduction="none", ignore_index=-1)


def squared_error_rows(outputs, targets):
    """Squared error of each row (one output); a row without a value has weight 0 and any target."""
    return functional.mse_loss(outputs[:, 0], targets, reduction="none")


ROW_LOSSES = {"classification": cross_entropy_rows, "regression": squared_error_rows}


class MultiTaskLoss(nn.Module):
    """The tasks' losses of a batch and their weighted sum.

    A task's loss is the mean over the batch's rows, weighted by the rows' weights for that task;
    a row without its label has weight 0. A batch without any labelled row gives 0, not NaN.

    Parameters
    ----------
    tasks : sequence of task objects
        Each has a ``kind`` and a ``weight``.
    """

    def __init__(self, tasks):
        super().__init__()
        self.row_losses = [ROW_LOSSES[task.kind] for task in tasks]
        self.task_weights = [task.weight for task in tasks]

    def per_task(self, outputs, targets, row_weights):
        """List of one scalar tensor per task."""
        totals = row_weights.sum(dim=0)
        means = row_weights / totals.clamp_min(torch.finfo(totals.dtype).tiny)
        return [
            torch.dot(row_loss(output, target), mean)
            for row_loss, output, target, mean in zip(
                self.row_losses, outputs, targets, means.unbind(dim=1), strict=True
            )
        ]

    def combine(self, losses):
        """The sum to minimise; a task of weight 0 takes no part in it."""
        return sum(
            loss if weight == 1.0 else loss * weight
            for loss, weight in zip(losses, self.task_weights, strict=True)
            if weight > 0.0
        )

    def forward(self, outputs, batch_targets):
        return self.combine(self.per_task(outputs, *batch_targets))
