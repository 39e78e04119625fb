"""Frame sequences on the device: packed without padding, and batched by similar length.

All frames are stored one after the other in one tensor; a sequence is its start and its number of
frames. Selecting sequences (a split, a batch) selects these two numbers, and copies nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

#: Maximum number of frames of a batch, including padding, unless a single sequence has more.
MOST_FRAMES = 65536
#: Number of batches for which samples are drawn at random in training, before they are split into
#: batches by length. A larger number leaves less padding, and mixes short and long sequences less.
BATCHES_PER_POOL = 8


@dataclass(eq=False, repr=False)
class FrameSequences:
    """Sequences of any length that share a tensor of frames; `starts`, `lengths` are on the CPU."""

    frames: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def packed(cls, frames: torch.Tensor, lengths: torch.Tensor | Sequence[int]) -> Self:
        """Return the sequences that follow one another in `frames`."""
        lengths = torch.as_tensor(lengths, dtype=torch.int64)
        return cls(frames, lengths.cumsum(0) - lengths, lengths)

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> FrameSequences:
        """Return the sequences of an index, a mask or a slice; frames are not copied."""
        if not isinstance(rows, slice):
            rows = torch.as_tensor(rows, device=self.starts.device)  # (a mask may be on a GPU)
        return FrameSequences(self.frames, self.starts[rows], self.lengths[rows])

    def to(self, device: Any) -> FrameSequences:
        """Return the sequences on another device."""
        return FrameSequences(self.frames.to(device), self.starts, self.lengths)

    def batch(self) -> FrameBatch:
        """Return the input of an encoder: a copy of the frames of these sequences alone."""
        parts = [
            self.frames[start : start + length]
            for start, length in zip(self.starts.tolist(), self.lengths.tolist(), strict=True)
        ]
        return FrameBatch(torch.cat(parts) if parts else self.frames[:0], self.lengths)


class FrameBatch:
    """Batch of sequences, the input of an encoder.

    `frames` of shape (n_frames, n_features) are the sequences one after the other; `lengths` is on
    the CPU. Operations on single frames (a layer, dropout) should use `frames`: padding then costs
    nothing and does not change their random numbers. Operations along time use `padded`.
    """

    def __init__(self, frames: torch.Tensor, lengths: torch.Tensor):
        self.frames = frames
        self.lengths = lengths
        self.longest = max(lengths.tolist(), default=0)
        # Position of each frame in a padded batch, in which all sequences have `longest` frames.
        gaps = torch.arange(len(lengths)) * self.longest - (lengths.cumsum(0) - lengths)
        positions = torch.arange(len(frames)) + gaps.repeat_interleave(lengths)
        self._positions = positions.to(frames.device)

    def __len__(self):
        return len(self.lengths)

    def to(self, device: Any) -> FrameBatch:
        """Return the batch on another device."""
        return FrameBatch(self.frames.to(device), self.lengths)

    @property
    def n_sequences(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    @property
    def is_full(self) -> bool:
        """Whether all sequences have the same length, so that there is no padding."""
        return len(self.frames) == len(self) * self.longest

    def unpadded(self, padded: torch.Tensor) -> torch.Tensor:
        """Return the values of the frames from what :meth:`padded` of this batch returned."""
        values = padded.flatten(end_dim=1)
        return values if self.is_full else values[self._positions]

    def turned(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values of all frames with the frames of each sequence in reverse order."""
        first_plus_last = 2 * self.lengths.cumsum(0) - self.lengths - 1
        positions = first_plus_last.repeat_interleave(self.lengths) - torch.arange(len(values))
        return values.index_select(0, positions.to(values.device))

    def padded(self, values: torch.Tensor, fill: float = 0.0) -> torch.Tensor:
        """Return values of frames as (n_sequences, longest, ...), padded at the end with `fill`."""
        if self.is_full:
            return values.view(len(self), self.longest, *values.shape[1:])
        room = values.new_full((len(self) * self.longest, *values.shape[1:]), fill)
        return room.index_copy_(0, self._positions, values).view(
            len(self), self.longest, *values.shape[1:]
        )

    def shortened(self, factor: int) -> FrameBatch:
        """Return sequences with a `factor`-th of the frames, rounded up, without features."""
        lengths = -(-self.lengths // factor)
        return FrameBatch(self.frames.new_empty(int(lengths.sum()), 0), lengths)

    def averaged(self, size: int) -> FrameBatch:
        """Return sequences of means over `size` frames, or fewer at the end of a sequence."""
        shorter = self.shortened(size)
        sizes = torch.full((len(shorter.frames),), size)
        sizes[shorter.lengths.cumsum(0) - 1] = self.lengths - (shorter.lengths - 1) * size
        return shorter.with_frames(FrameBatch(self.frames, sizes).means(self.frames))

    def with_frames(self, frames: torch.Tensor) -> FrameBatch:
        """Return sequences of the same lengths with other frames."""
        return FrameBatch(frames, self.lengths)

    def means(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of `values`, in the order of `frames`, over each sequence."""
        # In bfloat16 a sum of many frames stops growing: 256 + 1 is 256.
        exact = values.to(torch.promote_types(values.dtype, torch.float32))
        if values.device.type == "cpu":
            sums = exact.new_zeros(len(self), *values.shape[1:])
            sums = sums.index_add_(0, self.row_of_frame, exact)
        else:  # the order of summation of index_add_ is not deterministic
            sums = self.padded(exact).sum(dim=1)
        lengths = self.lengths.to(sums)
        return (sums / lengths.view(-1, *[1] * (values.dim() - 1))).to(values.dtype)

    @property
    def row_of_frame(self) -> torch.Tensor:
        """Number of the sequence of each frame, on the device of `frames`."""
        rows = torch.arange(len(self)).repeat_interleave(self.lengths)
        return rows.to(self.frames.device)

    def frames_of(self, partner: torch.Tensor) -> torch.Tensor:
        """Return, for each frame, the position of the simultaneous one of a (repeated) partner
        sequence.
        """
        starts = self.lengths.cumsum(0) - self.lengths
        row = torch.arange(len(self)).repeat_interleave(self.lengths)
        time = torch.arange(len(row)) - starts[row]
        return starts[partner][row] + time % self.lengths[partner][row]

    def binned(self, n_bins: int) -> torch.Tensor:
        """Compute means over `n_bins` equal parts of each sequence (parts may share frames)."""
        starts, lengths = (self.lengths.cumsum(0) - self.lengths)[:, None], self.lengths[:, None]
        first = starts + torch.arange(n_bins) * lengths // n_bins
        last = starts - (-(torch.arange(1, n_bins + 1) * lengths) // n_bins)
        # Cumulative sums lose digits, so they are in double precision (MPS does not support it).
        exact = torch.float32 if self.frames.device.type == "mps" else torch.float64
        sums = torch.nn.functional.pad(self.frames.to(exact).cumsum(0), (0, 0, 1, 0))
        device = self.frames.device
        parts = (sums[last.to(device)] - sums[first.to(device)]) / (last - first).to(device)[
            ..., None
        ]
        return parts.to(self.frames.dtype)


def batches_by_length(
    lengths: torch.Tensor,
    batch_size: int,
    *,
    most_frames: int | None = MOST_FRAMES,
    generator: torch.Generator | None = None,
    lone_row: bool = True,
) -> list[torch.Tensor]:
    """Return the positions of sequences in batches of similar length, within the limits.

    A longer sequence forms a batch of its own. A generator draws the sequences that are batched
    together, and the order of the batches, which is otherwise that of length. With
    ``lone_row=False`` a single remaining sequence joins another batch.
    """
    n_rows = len(lengths)
    if generator is None:
        order, pool = torch.arange(n_rows), n_rows
    else:
        order, pool = torch.randperm(n_rows, generator=generator), BATCHES_PER_POOL * batch_size
    batches = []
    pools = [len(rows) for rows in order.split(max(pool, 1))]
    for rows in order.split(pools if lone_row else without_lone_row(pools)):
        sorted_lengths, by_length = lengths[rows].sort(stable=True)
        sizes = _cut(sorted_lengths.tolist(), batch_size, most_frames)
        sizes = sizes if lone_row else without_lone_row(sizes)
        batches.extend(rows[by_length].split(sizes))
    if generator is None:
        return batches
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def _cut(lengths, batch_size, most_frames):
    """Return the sizes of consecutive batches of ascending `lengths`."""
    sizes: list[int] = []
    size = 0
    for length in lengths:
        too_many = most_frames is not None and (size + 1) * length > most_frames
        if size and (size == batch_size or too_many):
            sizes.append(size)
            size = 0
        size += 1
    return [*sizes, size]


def without_lone_row(sizes: list[int]) -> list[int]:
    """Return the sizes of batches after a last batch of size 1 has joined the one before."""
    if len(sizes) > 1 and sizes[-1] == 1 < sizes[-2]:
        return [*sizes[:-2], sizes[-2] + 1]
    return sizes
