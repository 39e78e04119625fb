"""Packed frame sequences: nothing is copied, nothing is lost, batches are bounded."""

import pytest
import torch

from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import FrameSequences, batches_by_length
from sklearn_ser.neural_network.training._batches import evaluation_batches

LENGTHS = [3, 1, 4, 2]


@pytest.fixture
def sequences():
    return FrameSequences.packed(torch.arange(20.0).view(10, 2), LENGTHS)


def cells(sequences):
    return sequences.batch().frames.split(sequences.lengths.tolist())


def many_lengths(n_rows=1000):
    return torch.randint(1, 500, (n_rows,), generator=torch.Generator().manual_seed(0))


def test_choosing_copies_nothing(sequences):
    chosen = sequences[torch.tensor([2, 0])][torch.tensor([True, False])][:]
    assert chosen.frames.data_ptr() == sequences.frames.data_ptr()
    assert (len(chosen), chosen.starts.tolist(), chosen.lengths.tolist()) == (1, [4], [4])


def test_a_batch_has_the_frames_of_its_rows(sequences):
    third, first = cells(sequences[[2, 0]])
    assert torch.equal(third, sequences.frames[4:8])
    assert torch.equal(first, sequences.frames[:3])


def test_padding_stands_at_the_end_and_is_the_fill_value(sequences):
    batch = sequences.batch()
    padded = batch.padded(batch.frames, fill=-1.0)
    assert padded.shape == (4, 4, 2)
    for row, (cell, length) in enumerate(zip(cells(sequences), LENGTHS, strict=True)):
        assert torch.equal(padded[row, :length], cell)
        assert (padded[row, length:] == -1.0).all()
    assert batch.padded(batch.frames[:, 0]).shape == (4, 4)


def test_no_sequences_are_an_empty_batch(sequences):
    ((rows, batch),) = evaluation_batches(sequences[:0])
    assert (len(rows), len(batch), batch.frames.shape) == (0, 0, (0, 2))
    assert batch.padded(batch.frames).shape == (0, 0, 2)


@pytest.mark.parametrize("seed", [None, 0])
def test_every_row_is_in_one_batch_within_both_limits(seed):
    lengths = many_lengths()
    generator = None if seed is None else torch_stream(seed, "rows")
    batches = batches_by_length(lengths, 64, most_frames=8000, generator=generator)
    assert torch.cat(batches).sort().values.tolist() == list(range(1000))
    padded = [len(rows) * lengths[rows].max().item() for rows in batches]
    assert max(padded) <= 8000
    sizes = [len(rows) for rows in batches]
    assert max(sizes) == 64
    assert any(size < 64 and frames > 7000 for size, frames in zip(sizes, padded, strict=True))


def test_a_sequence_beyond_the_limit_is_a_batch_of_its_own():
    lengths = torch.tensor([5, 100, 6, 90])
    batches = batches_by_length(lengths, 4, most_frames=50)
    assert [rows.tolist() for rows in batches] == [[0, 2], [3], [1]]
    (whole,) = batches_by_length(lengths, 4, most_frames=None)
    assert whole.tolist() == [0, 2, 3, 1]


def test_rows_of_a_batch_are_of_like_length():
    lengths = many_lengths()

    def part_that_is_frames(batches):
        return lengths.sum() / sum(len(rows) * lengths[rows].max() for rows in batches)

    by_length = batches_by_length(lengths, 64, generator=torch_stream(0, "rows"))
    at_random = torch.randperm(1000, generator=torch_stream(0, "rows")).split(64)
    assert part_that_is_frames(by_length) > 0.8
    assert part_that_is_frames(at_random) < 0.6


def test_batches_are_shuffled_each_time_and_repeat_with_the_generator():
    lengths = many_lengths()

    def two_epochs(seed):
        generator = torch_stream(seed, "rows")
        epochs = [batches_by_length(lengths, 64, generator=generator) for _ in range(2)]
        return [[rows.tolist() for rows in batches] for batches in epochs]

    first, second = two_epochs(0)
    assert {frozenset(rows) for rows in first}.isdisjoint(frozenset(rows) for rows in second)
    longest = [max(lengths[rows]).item() for rows in first]
    assert longest != sorted(longest)
    assert two_epochs(0) == [first, second]
    assert two_epochs(1) != [first, second]


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 50])
def test_bins_of_a_sequence_are_means_of_its_parts(length):
    generator = torch.Generator().manual_seed(length)
    sequence = torch.randn(length, 3, generator=generator, dtype=torch.float64)
    (found,) = FrameSequences.packed(sequence, [length]).batch().binned(8)
    for part in range(8):
        frames = [
            frame
            for frame in range(length)
            if part < (frame + 1) * 8 / length and frame * 8 / length < part + 1
        ]
        torch.testing.assert_close(found[part], sequence[frames].mean(dim=0))


def test_turned_frames_run_from_the_last_of_each_sequence_to_its_first(sequences):
    batch = sequences.batch()
    turned = batch.turned(batch.frames).split(LENGTHS)
    for ours, cell in zip(turned, batch.frames.split(LENGTHS), strict=True):
        assert torch.equal(ours, cell.flip(0))
    assert torch.equal(batch.turned(batch.turned(batch.frames)), batch.frames)
