"""Encoders of sequences compared with plain torch, one utterance at a time; padding."""

import pytest
import torch

from sklearn_ser.neural_network._module import build_module
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.encoders._registry import ENCODERS

ARCHITECTURE = {
    "n_features": 4,
    "hidden_units": [6, 3],
    "activation": "tanh",
    "dropout": 0.0,
    "dtype": "float64",
    "heads": {"y": 3, "gender": 2},
    "head_units": {},
}


def build(encoder, **changes):
    parameters = {
        name: parameter.plain(parameter.default)
        for name, parameter in ENCODERS[encoder].specific_parameters.items()
    }
    changes.setdefault("encoder_params", parameters)
    return build_module(ARCHITECTURE | {"encoder": encoder} | changes, device="cpu", seed=0)


def sequences_of(lengths, dtype=torch.float64, n_features=4):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(sum(lengths), n_features, generator=generator, dtype=dtype)
    return FrameSequences.packed(frames, lengths)


def attention_reference(module, x):
    """Compute the equations of Okabe et al. (2018) for an utterance (n_frames, n_features)."""
    encoder = module.encoder
    for layer in encoder.frame_layers.layers:
        x = torch.tanh(x @ layer.weight.T + layer.bias)
    scores = torch.tanh(x @ encoder.pool.attention.weight.T + encoder.pool.attention.bias)
    scores = scores @ encoder.pool.score.weight.T + encoder.pool.score.bias
    weights = torch.exp(scores) / torch.exp(scores).sum()
    mean = (weights * x).sum(dim=0)
    variance = (weights * x * x).sum(dim=0) - mean**2
    return torch.cat([mean, torch.sqrt(variance + 1e-6)])


def layers_reference(module, x):
    encoder = module.encoder
    weights = torch.exp(encoder.layer_scores) / torch.exp(encoder.layer_scores).sum()
    x = sum(weight * layer for weight, layer in zip(weights, x, strict=True))
    for layer in encoder.mlp.layers:
        x = torch.tanh(layer.weight @ x + layer.bias)
    return x


def outputs_and_gradients(module, shared):
    """Return the outputs of the heads, and the gradients of a function of all of them."""
    outputs = [head(shared) for head in module.heads]
    module.zero_grad()
    loss = sum((output * torch.arange(1.0, output.numel() + 1).view_as(output)).sin().sum()
               for output in outputs)  # fmt: skip
    loss.backward()
    return outputs, {name: value.grad.clone() for name, value in module.named_parameters()}


@pytest.mark.parametrize(
    ("module", "reference", "lengths"),
    [
        (build("attention"), attention_reference, [5, 1, 9, 2, 30]),
        (build("layers", n_layers=5), layers_reference, [5, 5, 5]),
    ],
    ids=["attention", "layers"],
)
def test_outputs_and_gradients_equal_plain_torch(module, reference, lengths):
    with torch.no_grad():  # the initial weights of layers are equal
        for value in module.parameters():
            value += 0.3 * torch.randn(
                value.shape, generator=torch_stream(0, str(value.shape)), dtype=value.dtype
            )
    batch = sequences_of(lengths).batch()
    ours, gradients = outputs_and_gradients(module, module.encoder(batch))
    torch.testing.assert_close(list(module(batch)), ours)
    each = torch.stack([reference(module, frames) for frames in batch.frames.split(lengths)])
    outputs, expected = outputs_and_gradients(module, each)
    torch.testing.assert_close(ours, outputs)
    torch.testing.assert_close(gradients, expected)
    assert all(gradient.abs().max() > 1e-6 for name, gradient in gradients.items()
               if name != "encoder.pool.score.bias")  # fmt: skip  # softmax does not see a constant


def test_a_single_frame_has_finite_gradients():
    module = build("attention")
    shared = module.encoder(sequences_of([1, 1]).batch())
    assert (shared[:, 3:] < 2e-3).all()
    _, gradients = outputs_and_gradients(module, shared)
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_padding_changes_neither_results_nor_random_numbers(dropout):
    def run(longest):
        module = build("attention", dropout=dropout)
        batch = sequences_of([5, 2, 7]).batch()
        if longest:
            batch = padded_to(batch, longest)
            assert batch.padded(batch.frames).shape[1] == longest
        return outputs_and_gradients(module, module.encoder(batch))

    torch.testing.assert_close(run(50), run(None), rtol=1e-10, atol=1e-10)


def padded_to(batch, longest):
    """Return the batch with padding to the length `longest`."""
    longer = FrameSequences.packed(batch.frames.new_zeros(len(batch.frames) + longest, 4),
                                   [*batch.lengths, longest]).batch()  # fmt: skip
    batch.longest = longest
    batch._positions = longer._positions[: len(batch.frames)]
    return batch


@pytest.mark.parametrize("encoder", ["attention", "layers"])
def test_empty_batches(encoder):
    changes = {"n_layers": 5} if encoder == "layers" else {}
    module = build(encoder, **changes)
    shared = module.encoder(sequences_of([5])[:0].batch())
    assert shared.shape == (0, module.encoder.n_outputs)


def test_initial_weights_of_layers_are_equal():
    module = build("layers", n_layers=4)
    assert module.encoder.layer_weights.tolist() == [0.25] * 4
