"""What training does to the inputs of a batch: mixup, augmentation, noise, dropout."""

from dataclasses import dataclass

import torch

from sklearn_ser.neural_network._random import numpy_stream, torch_stream
from sklearn_ser.neural_network._sequences import FrameBatch


@dataclass(frozen=True)
class Mix:
    """With which row each row of a batch was mixed, and how much of itself is left.

    Parameters
    ----------
    partner : Tensor of int64 of shape (n_rows,)
    share : float
    """

    partner: torch.Tensor
    share: float


class BatchPerturbation:
    """Mixes the rows of a batch, lets augmenters change them, then adds noise and zeroes values.

    Parameters
    ----------
    mixup_alpha : float
        Of the Beta distribution that the share of a row is drawn from, once per batch [1]_; 0 for
        none. Frame sequences: the partner's frames are repeated, or cut, to the row's length.
    noise : float
        Standard deviation of the normal noise added to every value, in units of `scale`.
    dropout : float
        Share of the values that are zeroed; the others are scaled up.
    seed : int
    device : str
    augmenters : sequence of callable
        Of a batch and a generator.
    scale : Tensor of shape (n_features,), optional
        Of each feature; 1 where not given.

    References
    ----------
    .. [1] Zhang, H. et al. (2018). mixup: Beyond Empirical Risk Minimization. ICLR 2018.
    """

    def __init__(self, *, mixup_alpha, noise, dropout, seed, device, augmenters=(), scale=None):
        self.mixup_alpha = mixup_alpha
        self.noise = noise
        self.dropout = dropout
        self.scale = 1.0 if scale is None else scale
        self.shares = numpy_stream(seed, "mixup share")
        self.augmenters = [
            (augment, torch_stream(seed, f"batch augmenter {place}"))
            for place, augment in enumerate(augmenters)
        ]
        self.partners = torch_stream(seed, "mixup partner")
        self.values = torch_stream(seed, "input noise", device)

    @property
    def active(self):
        return bool(self.mixup_alpha or self.augmenters or self.noise or self.dropout)

    def __call__(self, x):
        """Perturb a batch.

        Returns
        -------
        clean, seen : Tensor or FrameBatch
            Before and after augmentation, noise and dropout.
        mix : Mix or None
        """
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
            kept = torch.empty_like(values).uniform_(generator=self.values) >= self.dropout
            values = values * (kept.to(values.dtype) / (1.0 - self.dropout))
        return values


def feature_spread(rows, tasks):
    """Standard deviation of each feature over the rows (or their frames) that train any task.

    Parameters
    ----------
    rows : ResidentRows
    tasks : sequence of fitted tasks
        Those of weight 0 do not count.

    Returns
    -------
    Tensor of shape (n_features,)
    """
    active = [place for place, task in enumerate(tasks) if task.weight > 0.0]
    x = rows.x[(rows.weights[:, active] > 0).any(dim=1)]
    if isinstance(x, torch.Tensor):
        if not len(x):  # partial_fit of rows without any target
            return torch.zeros_like(rows.x[0])
        return x.std(dim=0, correction=0)
    # Sequence by sequence: all frames together may be most of the memory.
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
