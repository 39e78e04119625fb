"""Augmentation of batches in training, with new random masks in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, Literal

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from sklearn_ser.neural_network._sequences import FrameBatch
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.neural_network")
class BatchSpecAugment(BaseEstimator):
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
