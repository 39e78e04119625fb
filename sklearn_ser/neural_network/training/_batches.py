"""Training samples on the device, and batches that are slices of them.

Inputs, the targets of all tasks and sample weights are packed together, so that whatever selects
samples (a split, a shuffle, a batch) selects all of them. An epoch gathers the samples once in
random order; its batches are slices, without any Python code per sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sklearn_ser.neural_network._sequences import (
    MOST_FRAMES,
    FrameSequences,
    batches_by_length,
    without_lone_row,
)
from sklearn_ser.neural_network.tasks._classification import FittedClassification

if TYPE_CHECKING:
    from sklearn_ser.neural_network._sequences import FrameBatch
    from sklearn_ser.neural_network.tasks._base import FittedTask
    from sklearn_ser.neural_network.training._inputs import TrainingData

#: Maximum size of the batches of samples that are only evaluated.
EVALUATION_BATCH = 4096


@dataclass(eq=False, repr=False)
class ResidentRows(Dataset):
    """Samples with the targets of every task and their weight in each task.

    `targets` are one tensor per task: class codes (-1 if unlabeled), values (0 if missing), several
    codes per sample, or none. `weights` of shape (n_samples, n_tasks) are 0 without a target;
    `plain_weights` are the same without class weights.
    """

    x: Any
    targets: list[torch.Tensor]
    weights: torch.Tensor
    plain_weights: torch.Tensor

    def __len__(self):
        return len(self.x)

    def __getitem__(self, rows):
        """Return the batch of an index tensor or a slice, in the form that skorch expects."""
        return self.x[rows], ([target[rows] for target in self.targets], self.weights[rows])

    def take(self, rows: Any) -> ResidentRows:
        """Return the samples of an index, in its order."""
        x, (targets, weights) = self[rows]
        return ResidentRows(x, targets, weights, self.plain_weights[rows])

    @property
    def sample_weights(self) -> np.ndarray:
        """Sample weights without class weights, as an array."""
        return self.plain_weights[:, 0].cpu().numpy()

    def priors(self, tasks: Sequence[FittedTask]) -> list[torch.Tensor | None]:
        """Return the frequency of each class, by `plain_weights`, of each task with labels."""
        shares = []
        for task, target, weight in zip(tasks, self.targets, self.plain_weights.T, strict=True):
            share = None
            if isinstance(task, FittedClassification):
                # On the CPU: the order of summation on a GPU is not deterministic.
                codes, weight = target.cpu(), weight.cpu()
                known = codes >= 0
                share = weight.new_zeros(task.n_outputs).index_add_(0, codes[known], weight[known])
                total = float(share.sum())
                share = (share / total).to(target.device) if total > 0.0 else None
            shares.append(share)
        return shares

    def to(self, device: str) -> ResidentRows:
        """Return the samples on another device."""
        targets = [target.to(device) for target in self.targets]
        weights, plain_weights = self.weights.to(device), self.plain_weights.to(device)
        return ResidentRows(self.x.to(device), targets, weights, plain_weights)


def pack_rows(data: TrainingData, tasks: Sequence[Any]) -> ResidentRows:
    """Pack validated training data for the network, on the CPU; the main task is the first."""
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


@dataclass
class Batches:
    """Batches of samples; with a generator, in a new random order in each epoch.

    Sequences are batched by length (:func:`batches_by_length`, also for the parameters).
    """

    dataset: ResidentRows
    batch_size: int
    most_frames: int | None = MOST_FRAMES
    generator: torch.Generator | None = None
    lone_row: bool = True

    def __iter__(self) -> Iterator[tuple]:
        rows = self.dataset
        if isinstance(rows.x, FrameSequences):
            for positions in batches_by_length(
                rows.x.lengths,
                self.batch_size,
                most_frames=self.most_frames,
                generator=self.generator,
                lone_row=self.lone_row,
            ):
                sequences, targets = rows[positions]
                yield sequences.batch(), targets
            return
        if self.generator is not None:
            order = torch.randperm(len(rows), generator=self.generator)
            rows = rows.take(order.to(rows.x.device))
        sizes = [len(part) for part in torch.arange(len(rows)).split(self.batch_size)]
        start = 0
        for size in sizes if self.lone_row else without_lone_row(sizes):
            yield rows[start : start + size]
            start += size


def evaluation_batches(
    x: torch.Tensor | FrameSequences,
) -> Iterator[tuple[np.ndarray, torch.Tensor | FrameBatch]]:
    """Iterate over at least one batch of bounded size, and the positions of its samples."""
    if isinstance(x, FrameSequences):
        for rows in batches_by_length(x.lengths, EVALUATION_BATCH):
            yield rows.numpy(), x[rows].batch()
    else:
        for rows in torch.arange(len(x)).split(EVALUATION_BATCH):
            yield rows.numpy(), x[rows]
