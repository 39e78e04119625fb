"""Training rows that stay on the device, and batches that are slices of them.

Inputs, the targets of all tasks and the rows' weights are packed together, row by row, so that
whatever picks rows (a split, a shuffle, a batch) picks all of them. An epoch gathers the rows
once in its random order; its batches are then slices, which costs no per-row Python at all.
"""

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.utils.data import Dataset

from sklearn_ser.neural_network._sequences import FrameSequences, batches_by_length

#: Rows that are only evaluated go through the network in batches of at most this size.
EVALUATION_BATCH = 4096


class ResidentRows(Dataset):
    """Rows of X with the targets of every task and each row's weight in each task.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_features), or FrameSequences
    targets : list of Tensor of shape (n_rows,)
        One per task: class codes (-1 without a label) or values (0 without one).
    weights : Tensor of shape (n_rows, n_tasks)
        0 where the row has no target for the task.
    """

    def __init__(self, x, targets, weights):
        self.x = x
        self.targets = targets
        self.weights = weights

    def __len__(self):
        return len(self.x)

    def __getitem__(self, rows):
        """The batch of these rows (an index tensor or a slice), in the form that skorch expects."""
        return self.x[rows], ([target[rows] for target in self.targets], self.weights[rows])

    def take(self, rows):
        """The same kind of object with only these rows, in this order."""
        x, (targets, weights) = self[rows]
        return ResidentRows(x, targets, weights)

    def to(self, device):
        """The same rows on another device."""
        targets = [target.to(device) for target in self.targets]
        return ResidentRows(self.x.to(device), targets, self.weights.to(device))


def pack_rows(data, tasks, class_weight):
    """Pack checked training data for the network, on the CPU.

    Parameters
    ----------
    data : TrainingData
    tasks : sequence of task objects
        The main task first, then auxiliary ones.
    class_weight : "balanced", dict or None
        For the main task, in scikit-learn's meaning; "balanced" counts the rows by their weights.

    Returns
    -------
    ResidentRows
    """
    main, *aux_tasks = tasks
    codes = np.full(len(data.y), -1, dtype=np.int64)
    codes[data.labelled] = np.searchsorted(main.classes, data.y[data.labelled])
    weights = data.weights * data.labelled
    # A class whose rows all have weight 0 gets an infinite balanced weight, and 0 x inf is NaN.
    with np.errstate(divide="ignore"):
        by_class = compute_class_weight(
            class_weight,
            classes=main.classes,
            y=data.y[data.labelled],
            sample_weight=data.weights[data.labelled],
        )
    by_class = np.where(np.isfinite(by_class), by_class, 0.0)
    dtype = data.weights.dtype
    targets, columns = [codes], [weights * by_class[codes]]
    for task in aux_tasks:
        values, known = task.encode(data.aux[task.name])
        targets.append(values if task.kind == "classification" else values.astype(dtype))
        columns.append(data.weights * known)
    return ResidentRows(
        data.X,
        [torch.from_numpy(target) for target in targets],
        torch.from_numpy(np.column_stack(columns).astype(dtype)),
    )


class SliceBatches:
    """Iterates over a dataset in slices, in a new random order each time where asked.

    Parameters
    ----------
    dataset : ResidentRows
        Its `x` is a tensor.
    batch_size : int
    generator : torch.Generator, optional
        Orders the rows anew in each epoch. None: the rows come in their own order.
    """

    def __init__(self, dataset, batch_size, generator=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        rows = self.dataset
        if self.generator is not None:
            order = torch.randperm(len(rows), generator=self.generator)
            rows = rows.take(order.to(rows.x.device))
        for start in range(0, len(rows), self.batch_size):
            yield rows[start : start + self.batch_size]


def evaluation_batches(x):
    """Batches of a Tensor or of FrameSequences, of bounded size, to run through a network.

    Yields
    ------
    rows : ndarray of int
        Positions in `x` of the batch's rows; every row is in one batch.
    batch : Tensor or FrameBatch
        At least one is given, if only an empty one.
    """
    if isinstance(x, FrameSequences):
        for rows in batches_by_length(x.lengths, EVALUATION_BATCH):
            yield rows.numpy(), x[rows].batch()
    else:
        for rows in torch.arange(len(x)).split(EVALUATION_BATCH):
            yield rows.numpy(), x[rows]
