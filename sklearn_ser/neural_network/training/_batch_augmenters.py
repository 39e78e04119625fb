"""Augmentation of batches in training: other masks for the same row in every epoch."""

from numbers import Integral, Real

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
    """Mask bands of features and stretches of time, drawn anew for each row of each batch.

    For the parameter `augmenters` of :class:`InputPerturbation`. Like
    :class:`~sklearn_ser.augmentation.SpecAugment` [1]_, which makes copies that stay the same in
    every epoch. Of rows of features only bands are masked, which are neighboring columns.

    Parameters
    ----------
    frequency_masks : int, default=2
        Bands that are masked.
    frequency_width : int, default=15
        Most features that a band has; a width from 0 to this is drawn for each.
    time_masks : int, default=2
        Stretches of time that are masked.
    time_width : int, default=70
        Most frames that a stretch has.
    time_share : float, default=0.2
        And most of the sequence that it covers, in [0, 1].
    fill : "mean" or float, default=0.0
        What stands in a mask: a value (0.0 is the mean of standardized features), or the mean of
        each feature over the sequence (of rows of features, over the batch).

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
        frequency_masks=2,
        frequency_width=15,
        time_masks=2,
        time_width=70,
        time_share=0.2,
        *,
        fill=0.0,
    ):
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width
        self.time_masks = time_masks
        self.time_width = time_width
        self.time_share = time_share
        self.fill = fill

    def __call__(self, batch, generator):
        """Mask a batch.

        Parameters
        ----------
        batch : Tensor of shape (n_rows, n_features), or FrameBatch
            Of which ``frames`` are those of all rows, one after the other, ``row_of_frame`` says
            which row each belongs to, and ``with_frames`` puts others in their place.
        generator : torch.Generator
            On the CPU, wherever the batch is.

        Returns
        -------
        Tensor or FrameBatch
            A new one.
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
        """Which features of each row are masked."""
        n_features = values.shape[1]
        places = torch.arange(n_features)
        masked = torch.zeros(n_rows, n_features, dtype=torch.bool)
        widths = torch.full((n_rows,), min(self.frequency_width, n_features))
        for _ in range(self.frequency_masks):
            first, last = _stretches(widths, torch.full((n_rows,), n_features), generator)
            masked |= (places >= first[:, None]) & (places < last[:, None])
        return masked.to(values.device)


#: Augmenters by the names that `augmenters` takes.
BATCH_AUGMENTERS = {"specaugment": BatchSpecAugment}


def resolve_batch_augmenters(given):
    """The augmenters that `augmenters` means.

    Parameters
    ----------
    given : list or None

    Returns
    -------
    list of callable

    Raises
    ------
    TypeError, ValueError
        Naming the place, and what there is.
    """
    augmenters = []
    for place, each in enumerate(given or []):
        if isinstance(each, str) and each in BATCH_AUGMENTERS:
            each = BATCH_AUGMENTERS[each]()
        if isinstance(each, str):
            raise ValueError(
                f"perturbation__augmenters[{place}] is {each!r}: the names are "
                f"{sorted(BATCH_AUGMENTERS)}."
            )
        if isinstance(each, type) or not callable(each):
            raise TypeError(
                f"perturbation__augmenters[{place}] must be a name or an object that is called "
                f"with a batch and a generator, such as BatchSpecAugment(), got {each!r}."
            )
        if isinstance(each, BatchSpecAugment):
            validate_parameter_constraints(
                each._parameter_constraints, each.get_params(), type(each).__name__
            )
        augmenters.append(each)
    return augmenters


def _stretches(widths, sizes, generator):
    """First place and one past the last of a stretch in each row, of 0 to `widths` places."""
    drawn = torch.rand(2, len(widths), generator=generator, dtype=torch.float64)
    width = (drawn[0] * (widths + 1)).long()
    first = (drawn[1] * (sizes - width + 1)).long()
    return first, first + width


def _filled(values, masked, fill):
    return torch.where(
        masked, torch.as_tensor(fill, dtype=values.dtype, device=values.device), values
    )
