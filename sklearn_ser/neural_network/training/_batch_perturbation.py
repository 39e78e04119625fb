"""Perturbation of the inputs of batches in training: mixup, augmentation, noise, dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sklearn_ser.neural_network._random import numpy_stream, torch_stream
from sklearn_ser.neural_network._sequences import FrameBatch
from sklearn_ser.neural_network.training._batch_augmenters import resolve_batch_augmenters

if TYPE_CHECKING:
    from sklearn_ser.neural_network._settings import InputPerturbation
    from sklearn_ser.neural_network.tasks._base import FittedTask
    from sklearn_ser.neural_network.training._batches import ResidentRows


@dataclass(frozen=True)
class Mix:
    """Pairs of mixed samples of a batch: the partner of each, and the share of the sample itself."""

    partner: torch.Tensor
    share: float


class BatchPerturbation:
    """Perturbation of batches as described by an :class:`InputPerturbation`.

    The samples of a batch are mixed with a single share, drawn once per batch. For frame sequences,
    the frames of the partner are repeated, or cut, to the length of the sequence. `scale` is the
    unit of the noise for each feature.
    """

    def __init__(
        self,
        settings: InputPerturbation,
        *,
        seed: int,
        device: str,
        scale: torch.Tensor | float = 1.0,
    ):
        self.mixup_alpha = settings.mixup_alpha
        self.noise = settings.noise
        self.dropout = settings.dropout
        self.scale = scale
        self.shares = numpy_stream(seed, "mixup share")
        self.augmenters = [
            (augment, torch_stream(seed, f"batch augmenter {index}"))
            for index, augment in enumerate(resolve_batch_augmenters(settings.augmenters))
        ]
        self.partners = torch_stream(seed, "mixup partner")
        self.values = torch_stream(seed, "input noise", device)

    @property
    def active(self) -> bool:
        """Whether it changes any batch."""
        return bool(self.mixup_alpha or self.augmenters or self.noise or self.dropout)

    def __call__(
        self, x: torch.Tensor | FrameBatch
    ) -> tuple[torch.Tensor | FrameBatch, torch.Tensor | FrameBatch, Mix | None]:
        """Return the batch before and after augmentation, noise and dropout, both after mixup."""
        mix = None
        if self.mixup_alpha:
            mix = self._draw(len(x))
            x = _mixed(x, mix)
        seen = x
        for augment, generator in self.augmenters:
            seen = augment(seen, generator)
        if isinstance(seen, FrameBatch):
            return x, seen.with_frames(self._corrupted(seen.frames)), mix
        return x, self._corrupted(seen), mix

    def _draw(self, n_rows):
        share = self.shares.beta(self.mixup_alpha, self.mixup_alpha)
        return Mix(torch.randperm(n_rows, generator=self.partners), float(share))

    def _corrupted(self, values):
        if self.noise:
            drawn = torch.empty_like(values).normal_(generator=self.values)
            values = values + self.noise * self.scale * drawn
        if self.dropout:
            retained = torch.empty_like(values).uniform_(generator=self.values) >= self.dropout
            values = values * (retained.to(values.dtype) / (1.0 - self.dropout))
        return values


def feature_spread(rows: ResidentRows, tasks: Sequence[FittedTask]) -> torch.Tensor:
    """Compute the standard deviation of each feature over the samples that train any task.

    For frame sequences, over their frames. Tasks of weight 0 train nothing.
    """
    active = [index for index, task in enumerate(tasks) if task.weight > 0.0]
    x = rows.x[(rows.weights[:, active] > 0).any(dim=1)]
    if isinstance(x, torch.Tensor):
        if not len(x):  # partial_fit with samples that have no target
            return torch.zeros_like(rows.x[0])
        return x.std(dim=0, correction=0)
    # Sequence by sequence: a copy of all frames could take most of the memory.
    n_frames = max(int(x.lengths.sum()), 1)
    sums = squares = torch.zeros(x.frames.shape[1], dtype=torch.float64)
    for start, length in zip(x.starts.tolist(), x.lengths.tolist(), strict=True):
        part = x.frames[start : start + length].cpu().double()
        sums, squares = sums + part.sum(dim=0), squares + part.square().sum(dim=0)
    spread = (squares / n_frames - (sums / n_frames).square()).clamp_min(0.0).sqrt()
    return spread.to(x.frames)


def _mixed(x, mix):
    if isinstance(x, FrameBatch):
        frames = x.frames
        others = frames[x.frames_of(mix.partner).to(frames.device)]
        return x.with_frames(mix.share * frames + (1.0 - mix.share) * others)
    return mix.share * x + (1.0 - mix.share) * x[mix.partner.to(x.device)]
