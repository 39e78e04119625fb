"""LSTM layers over sequences of different lengths: results and cost."""

import pytest
import torch

from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.encoders._base import LayerFactory
from sklearn_ser.neural_network.encoders._recurrent import LSTMLayers


def layers(bidirectional, dtype=torch.float64):
    generator = torch_stream(0, "weights")
    factory = LayerFactory("relu", 0.0, generator, generator)
    return LSTMLayers(4, (5, 3), factory, bidirectional).to(dtype)


def batch_of(lengths, dtype=torch.float64):
    frames = torch.randn(sum(lengths), 4, generator=torch_stream(0, "frames"), dtype=dtype)
    return FrameSequences.packed(frames, lengths).batch()


def gradients(module, output):
    module.zero_grad()
    (output * torch.arange(output.numel()).view_as(output)).sin().sum().backward()
    return [parameter.grad.clone() for parameter in module.parameters()]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_ragged_batch_equals_its_sequences_one_by_one(bidirectional):
    module = layers(bidirectional)
    lengths = [3, 1, 9, 4, 9]
    batch = batch_of(lengths)
    together = module(batch, batch.frames)
    each = [
        module(FrameSequences.packed(frames, [len(frames)]).batch(), frames)
        for frames in batch.frames.split(lengths)
    ]
    torch.testing.assert_close(together, torch.cat(each))
    torch.testing.assert_close(gradients(module, together), gradients(module, torch.cat(each)))
    with torch.no_grad():  # predictions are computed differently
        torch.testing.assert_close(module(batch, batch.frames), together.detach())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_of_a_ragged_batch_take_no_more_steps_than_of_a_full_batch(bidirectional):
    module = layers(bidirectional, torch.float32)

    def n_steps(lengths):
        batch = batch_of(lengths, torch.float32)
        return n_nodes(module(batch, batch.frames).grad_fn)

    assert n_steps([100, 60, 99]) < n_steps([100, 100, 100]) + 60  # a few per layer and direction


def n_nodes(last):
    """Count the nodes of a graph of gradients."""
    seen, remaining = set(), [last]
    while remaining:
        node = remaining.pop()
        if node is not None and node not in seen:
            seen.add(node)
            remaining.extend(before for before, _ in node.next_functions)
    return len(seen)
