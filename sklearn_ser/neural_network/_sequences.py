"""Frame sequences on the device: packed, never padded at rest, and batched by like length.

All frames lie one after the other in one tensor; a sequence is where it starts and how many
frames it has. Choosing sequences (a split, a batch) chooses these two numbers and copies nothing.
"""

import torch

#: A batch has at most this many frames, padding counted, unless one sequence alone has more.
MOST_FRAMES = 65536
#: In training, this many batches' worth of rows, drawn at random, are cut into batches by length.
#: More would leave less padding, and fewer chances for a short and a long one to meet.
BATCHES_PER_POOL = 8


class FrameSequences:
    """Sequences of any length that share one tensor of frames.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_features)
    starts, lengths : Tensor of int64 of shape (n_sequences,)
        On the CPU, wherever `frames` is.
    """

    def __init__(self, frames, starts, lengths):
        self.frames = frames
        self.starts = starts
        self.lengths = lengths

    @classmethod
    def packed(cls, frames, lengths):
        """Sequences that lie in `frames` one after the other."""
        lengths = torch.as_tensor(lengths, dtype=torch.int64)
        return cls(frames, lengths.cumsum(0) - lengths, lengths)

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, rows):
        """The sequences of these rows (an index, a mask or a slice); frames are not copied."""
        if not isinstance(rows, slice):
            rows = torch.as_tensor(rows, device=self.starts.device)  # (a mask may be on a GPU)
        return FrameSequences(self.frames, self.starts[rows], self.lengths[rows])

    def to(self, device):
        """The same sequences on another device."""
        return FrameSequences(self.frames.to(device), self.starts, self.lengths)

    def batch(self):
        """What an encoder gets: the frames of these sequences alone."""
        parts = [
            self.frames[start : start + length]
            for start, length in zip(self.starts.tolist(), self.lengths.tolist(), strict=True)
        ]
        return FrameBatch(torch.cat(parts) if parts else self.frames[:0], self.lengths)


class FrameBatch:
    """Some sequences as an encoder gets them.

    What works frame by frame (a layer, dropout) should run on `frames`: it then costs nothing for
    padding, and its random numbers do not depend on it. What works along time takes `padded`.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_features)
        The sequences one after the other.
    lengths : Tensor of int64 of shape (n_sequences,)
        On the CPU.
    """

    def __init__(self, frames, lengths):
        self.frames = frames
        self.lengths = lengths
        self.longest = max(lengths.tolist(), default=0)
        # Place of each frame where every sequence has room for `longest` frames.
        gaps = torch.arange(len(lengths)) * self.longest - (lengths.cumsum(0) - lengths)
        places = torch.arange(len(frames)) + gaps.repeat_interleave(lengths)
        self._places = places.to(frames.device)

    def __len__(self):
        return len(self.lengths)

    def to(self, device):
        """The same batch on another device."""
        return FrameBatch(self.frames.to(device), self.lengths)

    @property
    def n_sequences(self):
        return len(self.lengths)

    @property
    def is_full(self):
        """Whether all sequences are equally long, so that none has padding."""
        return len(self.frames) == len(self) * self.longest

    def unpadded(self, padded):
        """The frames of `padded`, as `padded` of this batch made it, without those filled up."""
        values = padded.flatten(end_dim=1)
        return values if self.is_full else values[self._places]

    def turned(self, values):
        """`values`, something of every frame, with each sequence's last frame first."""
        first_plus_last = 2 * self.lengths.cumsum(0) - self.lengths - 1
        places = first_plus_last.repeat_interleave(self.lengths) - torch.arange(len(values))
        return values.index_select(0, places.to(values.device))

    def padded(self, values, fill=0.0):
        """One row per sequence, filled up at the end.

        Parameters
        ----------
        values : Tensor of shape (n_frames, ...)
            Something of every frame, in the order of `frames`.
        fill : float
            Stands in places without a frame.

        Returns
        -------
        Tensor of shape (n_sequences, longest, ...)
        """
        if self.is_full:
            return values.view(len(self), self.longest, *values.shape[1:])
        room = values.new_full((len(self) * self.longest, *values.shape[1:]), fill)
        return room.index_copy_(0, self._places, values).view(
            len(self), self.longest, *values.shape[1:]
        )

    def shortened(self, factor):
        """Sequences of a `factor`-th of the frames, rounded up, whose frames are still empty."""
        lengths = -(-self.lengths // factor)
        return FrameBatch(self.frames.new_empty(int(lengths.sum()), 0), lengths)

    def averaged(self, size):
        """Sequences of the means of `size` frames each; the last of a sequence may be of fewer."""
        shorter = self.shortened(size)
        sizes = torch.full((len(shorter.frames),), size)
        sizes[shorter.lengths.cumsum(0) - 1] = self.lengths - (shorter.lengths - 1) * size
        return shorter.with_frames(FrameBatch(self.frames, sizes).means(self.frames))

    def with_frames(self, frames):
        """Sequences of the same lengths with other frames."""
        return FrameBatch(frames, self.lengths)

    def means(self, values):
        """Mean over each sequence's frames of `values`, which are in the order of `frames`."""
        # In bfloat16 a sum of many frames stands still: 256 + 1 is 256 there.
        exact = values.to(torch.promote_types(values.dtype, torch.float32))
        if values.device.type == "cpu":
            sums = exact.new_zeros(len(self), *values.shape[1:])
            sums = sums.index_add_(0, self.row_of_frame, exact)
        else:  # there index_add_ adds in an order of chance
            sums = self.padded(exact).sum(dim=1)
        lengths = self.lengths.to(sums)
        return (sums / lengths.view(-1, *[1] * (values.dim() - 1))).to(values.dtype)

    @property
    def row_of_frame(self):
        """The sequence that each frame belongs to, as a tensor of int64 beside `frames`."""
        rows = torch.arange(len(self)).repeat_interleave(self.lengths)
        return rows.to(self.frames.device)

    def frames_of(self, partner):
        """For each frame, the place of the frame of its sequence's partner at the same time.

        A partner that is shorter begins again.
        """
        starts = self.lengths.cumsum(0) - self.lengths
        row = torch.arange(len(self)).repeat_interleave(self.lengths)
        time = torch.arange(len(row)) - starts[row]
        return starts[partner][row] + time % self.lengths[partner][row]

    def binned(self, n_bins):
        """Means of the frames in `n_bins` equal parts of each sequence (parts may share frames).

        Returns
        -------
        Tensor of shape (n_sequences, n_bins, n_features)
        """
        starts, lengths = (self.lengths.cumsum(0) - self.lengths)[:, None], self.lengths[:, None]
        first = starts + torch.arange(n_bins) * lengths // n_bins
        last = starts - (-(torch.arange(1, n_bins + 1) * lengths) // n_bins)
        # Sums of sums lose digits, of which double precision has enough (MPS has none).
        exact = torch.float32 if self.frames.device.type == "mps" else torch.float64
        sums = torch.nn.functional.pad(self.frames.to(exact).cumsum(0), (0, 0, 1, 0))
        device = self.frames.device
        parts = (sums[last.to(device)] - sums[first.to(device)]) / (last - first).to(device)[
            ..., None
        ]
        return parts.to(self.frames.dtype)


def batches_by_length(
    lengths, batch_size, *, most_frames=MOST_FRAMES, generator=None, lone_row=True
):
    """Deal rows to batches such that the sequences of a batch are of like length.

    Parameters
    ----------
    lengths : Tensor of int64 of shape (n_rows,)
    batch_size : int
        Most rows of a batch.
    most_frames : int or None
        Most frames of a batch, padding counted; None for no limit. A longer sequence is a batch
        of its own.
    generator : torch.Generator, optional
        Draws the rows that are batched together, and the order of the batches. None: from the
        shortest to the longest of all rows.
    lone_row : bool
        Whether a row that is left over may be a batch of its own. If not, it joins another, which
        may then be larger than the limits say.

    Returns
    -------
    list of Tensor of int64
        Every row is in one of them.
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
    """Sizes of the batches that follow each other in ascending `lengths`."""
    sizes = []
    size = 0
    for length in lengths:
        too_many = most_frames is not None and (size + 1) * length > most_frames
        if size and (size == batch_size or too_many):
            sizes.append(size)
            size = 0
        size += 1
    return [*sizes, size]


def without_lone_row(sizes):
    """Sizes of batches of which the last, if it is of one row, has joined one of several rows."""
    if len(sizes) > 1 and sizes[-1] == 1 < sizes[-2]:
        return [*sizes[:-2], sizes[-2] + 1]
    return sizes


class LengthBatches:
    """Iterates over a dataset of frame sequences in batches of like length.

    Parameters
    ----------
    dataset : ResidentRows
        Its `x` are :class:`FrameSequences`.
    batch_size, most_frames, generator, lone_row
        As in :func:`batches_by_length`; with a generator, batches are dealt anew each time.
    """

    def __init__(
        self, dataset, batch_size, most_frames=MOST_FRAMES, generator=None, *, lone_row=True
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.most_frames = most_frames
        self.generator = generator
        self.lone_row = lone_row

    def __iter__(self):
        for rows in batches_by_length(
            self.dataset.x.lengths,
            self.batch_size,
            most_frames=self.most_frames,
            generator=self.generator,
            lone_row=self.lone_row,
        ):
            sequences, targets = self.dataset[rows]
            yield sequences.batch(), targets
