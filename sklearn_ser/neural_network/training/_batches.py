"""Training rows that stay on the device, and batches that are slices of them.

Inputs, the targets of all tasks and the rows' weights are packed together, row by row, so that
whatever picks rows (a split, a shuffle, a batch) picks all of them. An epoch gathers the rows
once in its random order; its batches are then slices, which costs no per-row Python at all.
"""

import numpy as np
import torch
from torch.utils.data import Dataset

from sklearn_ser.neural_network._sequences import (
    FrameSequences,
    batches_by_length,
    without_lone_row,
)
from sklearn_ser.neural_network.tasks._classification import FittedClassification

#: Rows that are only evaluated go through the network in batches of at most this size.
EVALUATION_BATCH = 4096


class ResidentRows(Dataset):
    """Rows of X with the targets of every task and each row's weight in each task.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_features), or FrameSequences
    targets : list of Tensor of shape (n_rows,) or (n_rows, k)
        One per task: class codes (-1 without a label), values (0 without one), several codes of a
        row, or none (k is 0) where targets are made of the batch.
    weights : Tensor of shape (n_rows, n_tasks)
        0 where the row has no target for the task.
    plain_weights : Tensor of shape (n_rows, n_tasks), optional
        The same without the weights of classes, for `priors`; where not given, there are none.
    """

    def __init__(self, x, targets, weights, plain_weights=None):
        self.x = x
        self.targets = targets
        self.weights = weights
        self.plain_weights = weights if plain_weights is None else plain_weights

    def __len__(self):
        return len(self.x)

    def __getitem__(self, rows):
        """The batch of these rows (an index tensor or a slice), in the form that skorch expects."""
        return self.x[rows], ([target[rows] for target in self.targets], self.weights[rows])

    def take(self, rows):
        """The same kind of object with only these rows, in this order."""
        x, (targets, weights) = self[rows]
        return ResidentRows(x, targets, weights, self.plain_weights[rows])

    def priors(self, tasks):
        """Share of each class by the rows' weights, of each task; None without labels.

        Weights of classes do not count: "balanced" ones would make all shares equal.
        """
        shares = []
        for task, target, weight in zip(tasks, self.targets, self.plain_weights.T, strict=True):
            share = None
            if isinstance(task, FittedClassification):
                # On the CPU: a GPU would add in an order of chance.
                codes, weight = target.cpu(), weight.cpu()
                known = codes >= 0
                share = weight.new_zeros(task.n_outputs).index_add_(0, codes[known], weight[known])
                total = float(share.sum())
                share = (share / total).to(target.device) if total > 0.0 else None
            shares.append(share)
        return shares

    def to(self, device):
        """The same rows on another device."""
        targets = [target.to(device) for target in self.targets]
        weights, plain_weights = self.weights.to(device), self.plain_weights.to(device)
        return ResidentRows(self.x.to(device), targets, weights, plain_weights)


def pack_rows(data, tasks):
    """Pack checked training data for the network, on the CPU.

    Parameters
    ----------
    data : TrainingData
    tasks : sequence of fitted tasks
        The main task first, then auxiliary ones.

    Returns
    -------
    ResidentRows
    """
    main, *aux_tasks = tasks
    codes = np.full(len(data.y), -1, dtype=np.int64)
    codes[data.labeled] = np.searchsorted(main.classes, data.y[data.labeled])
    packed = [(codes, data.weights * main.class_weights(codes, data.weights))]
    packed += [task.targets(data.aux, data.weights, codes) for task in aux_tasks]
    dtype = data.weights.dtype
    targets = [target if target.dtype.kind == "i" else target.astype(dtype) for target, _ in packed]
    plain_weights = torch.from_numpy(np.tile(data.weights[:, None], len(tasks)))
    return ResidentRows(
        data.X,
        [torch.from_numpy(target) for target in targets],
        torch.from_numpy(np.column_stack([weights for _, weights in packed]).astype(dtype)),
        plain_weights,
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
    lone_row : bool, default=True
        Whether the last batch may be of one row, where others are of more; if not, that row joins
        the batch before.
    """

    def __init__(self, dataset, batch_size, generator=None, *, lone_row=True):
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator
        self.lone_row = lone_row

    def __iter__(self):
        rows = self.dataset
        if self.generator is not None:
            order = torch.randperm(len(rows), generator=self.generator)
            rows = rows.take(order.to(rows.x.device))
        sizes = [len(part) for part in torch.arange(len(rows)).split(self.batch_size)]
        start = 0
        for size in sizes if self.lone_row else without_lone_row(sizes):
            yield rows[start : start + size]
            start += size


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
