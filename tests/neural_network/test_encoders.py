"""Encoders: independence of the batch, specific parameters, custom encoders, learning."""

import pickle
import re

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from skorch.callbacks import Callback
from torch import nn

from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._module import build_module
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.encoders._registry import ENCODERS

N_FEATURES = 8
KINDS = {
    "attention": ("attention", {}),
    "attention, mean": ("attention", {"pooling": "mean"}),
    "frame_dnn": ("frame_dnn", {}),
    "frame_dnn, attention": ("frame_dnn", {"pooling": "attention"}),
    "lstm": ("lstm", {}),
    "lstm, frames": ("lstm", {"pooling": "frames"}),
    "lstm, mean": ("lstm", {"pooling": "mean"}),
    "lstm, bidirectional": ("lstm", {"bidirectional": True}),
    "lstm, bidirectional, attention": ("lstm", {"bidirectional": True, "pooling": "attention"}),
    "cnn_blstm": ("cnn_blstm", {"channels": (3, 4)}),
    "cnn_blstm, time": ("cnn_blstm", {"channels": (3, 4, 5), "time_halvings": 3}),
    "conformer": ("conformer", {"n_heads": 2, "kernel_size": 3}),
    "conformer, no subsampling": ("conformer", {"n_heads": 2, "subsampling": 1, "pooling": "mean"}),
}
LENGTHS = [7, 1, 12, 2, 30, 5]


def build(encoder, given, **changes):
    known = ENCODERS[encoder].specific_parameters
    params = {name: part.plain(given.get(name, part.default)) for name, part in known.items()}
    architecture = {
        "encoder": encoder,
        "encoder_params": params,
        "n_features": N_FEATURES,
        "hidden_units": [6, 6],
        "activation": "tanh",
        "dropout": 0.0,
        "dtype": "float64",
        "heads": {"y": 3, "gender": 2},
        "head_units": {},
    }
    return build_module(architecture | changes, device="cpu", seed=0)


def sequences():
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(sum(LENGTHS), N_FEATURES, generator=generator, dtype=torch.float64)
    return FrameSequences.packed(frames, LENGTHS)


def run(module, batches):
    """Return the representations of all samples, and gradients of a function of the outputs."""
    module.zero_grad()
    shared, loss = [], 0.0
    for batch in batches:
        shared.append(module.represent(batch))
        for index, output in enumerate(module(batch)):
            # Frame-level outputs are averaged over each sequence.
            output = batch.means(output) if module.frame_level else output
            loss = loss + (index + 1) * output.sin().sum()
    loss.backward()
    gradients = {name: value.grad.clone() for name, value in module.named_parameters()}
    return torch.cat(shared).detach(), gradients


@pytest.mark.parametrize("kind", KINDS)
def test_results_do_not_depend_on_the_batch(kind):
    module = build(*KINDS[kind])
    rows = sequences()
    alone = run(module, [rows[[row]].batch() for row in range(len(LENGTHS))])
    together = run(module, [rows.batch()])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(run(module, [rows[:2].batch(), rows[2:].batch()]), alone)
    assert all(
        gradient.abs().max() > 0 for name, gradient in alone[1].items() if "score.bias" not in name
    )


@pytest.mark.parametrize("kind", KINDS)
def test_empty_batches(kind):
    module = build(*KINDS[kind])
    assert module.represent(sequences()[:0].batch()).shape == (0, module.encoder.n_outputs)


def test_lstm_equals_torch():
    module = build("lstm", {"bidirectional": True})
    first, second = module.encoder.recurrent.layers
    rows = sequences()
    for row, frames in enumerate(rows.frames.split(LENGTHS)):
        out, _ = second(first(frames[None])[0])
        half = out.shape[2] // 2
        expected = torch.cat([out[0, -1, :half], out[0, 0, half:]])
        found = module.encoder(rows[[row]].batch())[0]
        torch.testing.assert_close(found, expected)


def test_a_convolution_block_equals_torch():
    module = build("cnn_blstm", {"channels": (3,), "time_halvings": 1})
    block = module.encoder.blocks[0]
    batch = sequences()[[0]].batch()
    x = batch.padded(batch.frames)[:, None]
    found, shorter = block(x, batch)
    assert shorter.lengths.tolist() == [4]
    y = nn.functional.conv2d(x, block.convolution.weight, block.convolution.bias, padding=1)
    y = nn.functional.layer_norm(y.movedim(1, -1), (3,)).movedim(-1, 1).tanh()
    expected = torch.stack([y[0, :, 2 * t : 2 * t + 2].amax(dim=1) for t in range(4)], dim=1)
    torch.testing.assert_close(found[0], expected.unflatten(2, (4, 2)).amax(dim=3))


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name not in ("mlp", "layers")])
def test_every_encoder_learns(frames, encoder):
    params = {"hidden_units": (16,), "dropout": 0.1, "lr": 5e-3, "max_epochs": 15}
    encoder_params = {"channels": (4,)} if encoder == "cnn_blstm" else None
    model = MTLNeuralClassifier().set_params(
        encoder=encoder,
        encoder_params=encoder_params,
        early_stopping=False,
        random_state=0,
        **params,
    )
    assert model.fit(frames.X, frames.y, aux=frames.aux).score(frames.X, frames.y) > 0.7


def test_residual_layers():
    module = build("mlp", {"residual": True})
    x = torch.randn(4, N_FEATURES, dtype=torch.float64)
    first, block = module.encoder.layers
    inner = first(x).tanh()
    normed = nn.functional.layer_norm(inner, (6,))
    expected = inner + block.second(block.first(normed).tanh())
    torch.testing.assert_close(module.encoder(x), expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"encoder": "lstm", "encoder_params": {"width": 3}},
            "encoder_params names ['width'], which encoder='lstm' does not have. It has "
            "['bidirectional', 'pooling'].",
        ),
        (
            {"encoder": "attention", "encoder_params": {"pooling": "last"}},
            "encoder_params['pooling'] of encoder='attention' must be a str among",
        ),
        (
            {"encoder": "cnn_blstm", "encoder_params": {"channels": (8, 0)}},
            "encoder_params['channels'] of encoder='cnn_blstm' must be a sequence in which each "
            "number is an int in the range [1, inf), got (8, 0).",
        ),
        ({"encoder": "cnn_blstm"}, "halves the 5 features of a frame in each of its 3 blocks"),
        (
            {"encoder": "conformer", "hidden_units": (6, 8)},
            "encoder='conformer' requires hidden_units that are equal, even and a multiple of its ",
        ),
        (
            {
                "encoder": "conformer",
                "hidden_units": (8,),
                "encoder_params": {"kernel_size": 4},
            },
            "encoder_params['kernel_size'] of encoder='conformer' must be odd, got 4.",
        ),
    ],
)
def test_invalid_parameters_raise(frames, params, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MTLNeuralClassifier().set_params(**params).fit(frames.X, frames.y)


class Rows(nn.Module):
    """A custom encoder with torch's dropout and initial weights."""

    def __init__(self, n_features, width=6):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(0.3))

    def forward(self, x):
        return self.layers(x)


class Frames(Rows):
    on_frames = True

    def forward(self, frames, lengths):
        is_frame = torch.arange(frames.shape[1], device=frames.device) < lengths[:, None]
        summed = (self.layers(frames) * is_frame[..., None]).sum(dim=1)
        return summed / lengths[:, None]


def custom(encoder=Rows, **params):
    given = {"max_epochs": 3, "random_state": 0, "encoder_params": {"width": 4}} | params
    return MTLNeuralClassifier().set_params(encoder=encoder, **given)


def test_custom_encoders(speech, frames):
    before = torch.get_rng_state()
    first, second = (custom().fit(speech.X, speech.y) for _ in range(2))
    assert first._weights == second._weights
    assert torch.equal(torch.get_rng_state(), before)
    assert first.transform(speech.X).shape == (240, 4)
    assert clone(first).encoder is Rows
    elsewhere = Parallel(2, backend="threading")(
        delayed(custom(random_state=seed).fit)(speech.X, speech.y) for seed in (0, 1, 0)
    )
    assert elsewhere[0]._weights == elsewhere[2]._weights == first._weights
    assert elsewhere[1]._weights != first._weights
    search = GridSearchCV(custom(), {"encoder_params__width": [3, 5]}, cv=2)
    assert search.fit(speech.X, speech.y).best_params_["encoder_params__width"] in (3, 5)
    model = custom(Frames).fit(frames.X, frames.y)
    alone = np.vstack([model.predict_proba(frames.X.iloc[[row]]) for row in range(5)])
    np.testing.assert_allclose(model.predict_proba(frames.X)[:5], alone, atol=1e-6)


class Tied(nn.Module):
    """Two layers that share a weight, and two buffers that share a tensor."""

    def __init__(self, n_features):
        super().__init__()
        self.first, self.second = (
            nn.Linear(n_features, n_features),
            nn.Linear(n_features, n_features),
        )
        self.second.weight = self.first.weight
        self.register_buffer("scale", torch.full((n_features,), 0.5))
        self.register_buffer("same", self.scale)

    def forward(self, x):
        return self.second(self.first(x * self.scale).relu()) * self.same


def test_tied_weights_stay_tied(speech):
    model = custom(Tied, encoder_params=None).fit(speech.X, speech.y)
    encoder = model.net_.module_.encoder.module
    assert encoder.second.weight is encoder.first.weight
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(speech.X), model.predict_proba(speech.X))
    further = (
        clone(model)
        .set_params(validation__refit=False, early_stopping=False)
        .fit(speech.X, speech.y)
    )
    before = further.transform(speech.X)
    further.partial_fit(speech.X, speech.y)
    assert not np.array_equal(further.transform(speech.X), before)


class Nothing(nn.Module):
    def __init__(self, n_features):
        super().__init__()

    def forward(self, x):
        return x


@pytest.mark.parametrize("scheme", ["fixed", "uncertainty", "pcgrad"])
def test_an_encoder_may_have_no_parameters(speech, scheme):
    model = custom(Nothing, encoder_params=None, loss_weighting=scheme, max_epochs=30)
    model.set_params(lr=0.05).fit(speech.X, speech.y, aux=speech.aux)
    assert model.score(speech.X, speech.y) > 0.7


class Normed(nn.Module):
    """Batch normalization, which takes no batch of one sample."""

    def __init__(self, n_features):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, 4), nn.BatchNorm1d(4), nn.ReLU())

    def forward(self, x):
        return self.layers(x)


class NormedFrames(Normed):
    on_frames = True

    def forward(self, frames, lengths):
        return self.layers(frames.sum(dim=1) / lengths[:, None])


class Sizes(Callback):
    """Records the number of samples of each step."""

    def __init__(self):
        self.sizes_ = []

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.sizes_.append(len(batch[1][1]))


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(128, [64, 64]), (129, [64, 65]), (130, [64, 64, 2]), (62, [62])]
)
def test_custom_encoders_get_no_batch_of_one_sample(speech, n_rows, expected):
    sizes = Sizes()
    given = {"encoder_params": None, "early_stopping": False, "callbacks": [sizes]}
    custom(Normed, **given).fit(speech.X[:n_rows], speech.y[:n_rows])
    assert sizes.sizes_ == expected * 3


@pytest.mark.parametrize(("n_rows", "n_larger"), [(33, 1), (65, 1), (81, 1), (120, 0)])
def test_custom_encoders_get_no_batch_of_one_sequence(frames, n_rows, n_larger):
    """Samples are drawn from pools of 8 batches, and the last pool may have one sample."""
    sizes = Sizes()
    given = {"encoder_params": None, "early_stopping": False, "callbacks": [sizes]}
    model = custom(NormedFrames, batch_size=4, **given)
    model.fit(frames.sequences[:n_rows], frames.y[:n_rows])
    assert sum(sizes.sizes_) == 3 * n_rows
    assert sizes.sizes_.count(5) == 3 * n_larger
    assert set(sizes.sizes_) <= {4, 5}


class Flat(Rows):
    def forward(self, x):
        return super().forward(x).flatten()


class Averaged(Rows):
    """Averages over the batch."""

    def forward(self, x):
        return super().forward(x).mean(dim=0, keepdim=True)


class Mismatched(Rows):
    """Its layers do not fit each other."""

    def forward(self, x):
        return super().forward(super().forward(x))


class Tuple(Rows):
    def forward(self, x):
        return super().forward(x), None


class Unpooled(nn.Module):
    """Does not pool over time, which looks right until a batch has another length."""

    on_frames = True

    def __init__(self, n_features):
        super().__init__()

    def forward(self, x, lengths):
        return x.flatten(start_dim=1)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (Rows(8), TypeError, "encoder is an instance of Rows. Pass the class itself"),
        (dict, TypeError, "encoder must be a name or a subclass of torch.nn.Module, got"),
        (
            Flat,
            ValueError,
            "encoder=Flat: for an input of shape (2, 8), forward must return a tensor of shape "
            "(2, width); it returned one of shape (8,).",
        ),
        (Averaged, ValueError, "of shape (2, width); it returned one of shape (1, 4)."),
        (Tuple, ValueError, "a tensor of shape (2, width); it returned a tuple."),
        (
            Mismatched,
            ValueError,
            "encoder=Mismatched: for an input of shape (2, 8), forward must return a tensor of "
            "shape (2, width); it raised: mat1 and mat2 shapes cannot be multiplied",
        ),
    ],
)
def test_invalid_encoders_raise(speech, encoder, error, message):
    with pytest.raises(error, match=re.escape(message)):
        custom(encoder).fit(speech.X, speech.y)


def test_an_encoder_whose_width_changes_raises(speech):
    frames = [np.resize(row, (3 + number % 4, 5)) for number, row in enumerate(speech.X)]
    message = (
        r"encoder=Unpooled: for an input of shape \(\d+, \d, 5\), forward must return a tensor "
        r"of shape \(\d+, 25\); it returned one of shape \(\d+, \d+\)\."
    )
    with pytest.raises(ValueError, match=message):
        MTLNeuralClassifier(encoder=Unpooled, max_epochs=1, random_state=0).fit(frames, speech.y)


def test_tags_follow_the_encoder():
    for encoder, two, three in (
        ("auto", True, True),
        ("mlp", True, False),
        ("lstm", False, True),
        (Rows, True, False),
        (Unpooled, False, True),
    ):
        tags = get_tags(MTLNeuralClassifier(encoder=encoder)).input_tags
        assert (tags.two_d_array, tags.three_d_array) == (two, three)
