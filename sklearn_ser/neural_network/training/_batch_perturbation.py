"""Perturbation of the inputs of batches in training: mixup, augmentation, noise, dropout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import torch
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.neural_network._random import numpy_stream, torch_stream
from sklearn_ser.neural_network._sequences import FrameBatch
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from sklearn_ser.neural_network._settings import InputPerturbation
    from sklearn_ser.neural_network.tasks._base import FittedTask
    from sklearn_ser.neural_network.training._batches import ResidentRows


@public_module("sklearn_ser.neural_network")
class BatchSpecAugment(SuggestingEstimator):
    """SpecAugment on batches: random masks over features and time for each sample [1]_.

    For the parameter `augmenters` of :class:`InputPerturbation`. In contrast to
    :class:`~sklearn_ser.augmentation.SpecAugment`, whose copies are the same in every epoch, masks
    are drawn for each batch. In rows of features, only bands of adjacent columns are masked.

    Parameters
    ----------
    frequency_masks : int, default=2
        Number of masked bands of features.
    frequency_width : int, default=15
        Maximum number of features of a band; the width is drawn from 0 to this.
    time_masks : int, default=2
        Number of masked stretches of time.
    time_width : int, default=70
        Maximum number of frames of a stretch.
    time_share : float, default=0.2
        Maximum fraction of the sequence that a stretch covers, in [0, 1].
    fill : "mean" or float, default=0.0
        Value of masked features: a constant (0.0 is the mean of standardized features), or the
        mean of each feature over the sequence (over the batch, for rows of features).

    References
    ----------
    .. [1] Park, D. S. et al. (2019). SpecAugment: A Simple Data Augmentation Method for Automatic
       Speech Recognition. Interspeech 2019. https://arxiv.org/abs/1904.08779

    Examples
    --------
    >>> import torch
    >>> from sklearn_ser.neural_network import BatchSpecAugment
    >>> mask = BatchSpecAugment(frequency_masks=1, frequency_width=3)
    >>> mask(torch.ones(3, 6), torch.Generator().manual_seed(0))
    tensor([[1., 1., 1., 0., 0., 0.],
            [1., 1., 1., 0., 0., 1.],
            [1., 1., 1., 1., 0., 1.]])
    """

    _parameter_constraints = {
        "frequency_masks": [Interval(Integral, 0, None, closed="left")],
        "frequency_width": [Interval(Integral, 0, None, closed="left")],
        "time_masks": [Interval(Integral, 0, None, closed="left")],
        "time_width": [Interval(Integral, 0, None, closed="left")],
        "time_share": [Interval(Real, 0, 1, closed="both")],
        "fill": [StrOptions({"mean"}), Real],
    }

    def __init__(
        self,
        frequency_masks: int = 2,
        frequency_width: int = 15,
        time_masks: int = 2,
        time_width: int = 70,
        time_share: float = 0.2,
        *,
        fill: Literal["mean"] | float = 0.0,
    ):
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width
        self.time_masks = time_masks
        self.time_width = time_width
        self.time_share = time_share
        self.fill = fill

    def __call__(
        self, batch: torch.Tensor | FrameBatch, generator: torch.Generator
    ) -> torch.Tensor | FrameBatch:
        """Mask a batch.

        Parameters
        ----------
        batch : Tensor of shape (n_samples, n_features), or FrameBatch
            The ``frames`` of a FrameBatch are those of all samples, one after the other;
            ``row_of_frame`` is the sample of each frame, and ``with_frames`` returns a batch with
            other frames.
        generator : torch.Generator
            On the CPU, wherever the batch is.

        Returns
        -------
        Tensor or FrameBatch
            A new batch.
        """
        if not isinstance(batch, FrameBatch):
            fill = batch.mean(dim=0) if self.fill == "mean" else self.fill
            return _filled(batch, self._bands(batch, len(batch), generator), fill)
        frames, rows = batch.frames, batch.row_of_frame
        masked = self._bands(frames, len(batch), generator)[rows]
        starts = batch.lengths.cumsum(0) - batch.lengths
        time = torch.arange(len(frames), device=frames.device) - starts.to(frames.device)[rows]
        longest = (batch.lengths * self.time_share).long().clamp_max(self.time_width)
        for _ in range(self.time_masks):
            first, last = _stretches(longest, batch.lengths, generator)
            first, last = first.to(frames.device)[rows], last.to(frames.device)[rows]
            masked = masked | ((time >= first) & (time < last))[:, None]
        fill = batch.means(frames)[rows] if self.fill == "mean" else self.fill
        return batch.with_frames(_filled(frames, masked, fill))

    def _bands(self, values, n_rows, generator):
        """Return the mask of the masked features of each sample."""
        n_features = values.shape[1]
        columns = torch.arange(n_features)
        masked = torch.zeros(n_rows, n_features, dtype=torch.bool)
        widths = torch.full((n_rows,), min(self.frequency_width, n_features))
        for _ in range(self.frequency_masks):
            first, last = _stretches(widths, torch.full((n_rows,), n_features), generator)
            masked |= (columns >= first[:, None]) & (columns < last[:, None])
        return masked.to(values.device)


#: Augmenters by their names in the parameter `augmenters`.
BATCH_AUGMENTERS: dict[str, Callable[[], Any]] = {"specaugment": BatchSpecAugment}


def resolve_batch_augmenters(given: Sequence[Any] | None) -> list[Callable]:
    """Return the callables that the parameter `augmenters` stands for; errors name a position."""
    augmenters = []
    for index, each in enumerate(given or []):
        if isinstance(each, str) and each in BATCH_AUGMENTERS:
            each = BATCH_AUGMENTERS[each]()
        if isinstance(each, str):
            raise ValueError(
                f"perturbation__augmenters[{index}] is {each!r}: the names are "
                f"{sorted(BATCH_AUGMENTERS)}."
            )
        if isinstance(each, type) or not callable(each):
            raise TypeError(
                f"perturbation__augmenters[{index}] must be a name or an object that is called "
                f"with a batch and a generator, such as BatchSpecAugment(), got {each!r}."
            )
        if isinstance(each, BatchSpecAugment):
            validate_parameter_constraints(
                each._parameter_constraints, each.get_params(), type(each).__name__
            )
        augmenters.append(each)
    return augmenters


def _stretches(widths, sizes, generator):
    """Draw a stretch of each sample, of up to `widths`: its first position and one past its end."""
    drawn = torch.rand(2, len(widths), generator=generator, dtype=torch.float64)
    width = (drawn[0] * (widths + 1)).long()
    first = (drawn[1] * (sizes - width + 1)).long()
    return first, first + width


def _filled(values, masked, fill):
    return torch.where(
        masked, torch.as_tensor(fill, dtype=values.dtype, device=values.device), values
    )


@dataclass(frozen=True)
class Mix:
    """Mixed samples of a batch: the partner of each sample, and the share of the sample itself."""

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
    """Compute the standard deviation of each feature over the (frames of) samples that train a
    task.
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
