"""Features of PretrainedEmbedding against plain calls of transformers, one utterance at a time."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import PretrainedEmbedding
from sklearn_ser.feature_extraction._pretrained import SpeechEncoder

KINDS = [
    "wav2vec2 group",
    "wav2vec2 layer",
    "hubert group",
    "hubert layer",
    "wavlm group",
    "wavlm layer",
    "data2vec",
    "unispeech layer",
    "unispeech-sat layer",
    "whisper",
]
PADDED = {"wav2vec2 layer", "hubert layer", "wavlm layer", "unispeech layer", "unispeech-sat layer"}
N_LAYERS, WIDTH = 3, 16
each_kind = pytest.mark.parametrize("kind", KINDS)
#: What summing in another order may change, on states of size 1.
ROUNDING = 1e-5


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.fixture
def passes(monkeypatch):
    """Record (n_signals, whether masked) of each pass through a network."""
    noted, states = [], SpeechEncoder.states

    def noting(self, inputs, layers, mask=None):
        noted.append((len(inputs), mask is not None))
        return states(self, inputs, layers, mask)

    monkeypatch.setattr(SpeechEncoder, "states", noting)
    return noted


@each_kind
@pytest.mark.parametrize("layer", [0, 1, N_LAYERS, -1, -2, -N_LAYERS - 1])
def test_layers_are_those_of_transformers(kind, layer, tiny_model, signals, reference):
    found = PretrainedEmbedding(tiny_model(kind), layer=layer).fit_transform(signals[:2])
    assert found.shape == (2, WIDTH)
    assert set(found.dtypes) == {np.dtype("float32")}
    for row, signal in zip(found.to_numpy(), signals, strict=False):
        assert_close(row, reference(kind, signal)[layer].mean(axis=0))


def test_layers_differ(tiny_model, signals, reference):
    for kind in KINDS:
        states = reference(kind, signals[0])
        assert (np.abs(np.diff(states, axis=0)).mean(axis=(1, 2)) > 100 * ROUNDING).all()


@each_kind
def test_pooling(kind, tiny_model, signals, reference):
    X = signals[:2]
    mean_std = PretrainedEmbedding(tiny_model(kind), 1, "mean_std").fit_transform(X)
    frames = PretrainedEmbedding(tiny_model(kind), 1, "frames").fit_transform(X)
    assert mean_std.shape == (2, 2 * WIDTH)
    assert frames.shape == (2, 1)
    prefix = kind.split()[0].replace("-", "_").replace("data2vec", "data2vec_audio")
    assert list(mean_std.columns[[0, -1]]) == [f"{prefix}_mean_0000", f"{prefix}_std_0015"]
    assert frames.attrs["frame_features"][-1] == f"{prefix}_0015"
    for row, signal in enumerate(X):
        expected = reference(kind, signal)[1]
        assert frames.iloc[row, 0].dtype == np.float32
        assert frames.iloc[row, 0].shape == expected.shape
        assert_close(frames.iloc[row, 0], expected)
        assert_close(mean_std.iloc[row], [*expected.mean(axis=0), *expected.std(axis=0)])


@each_kind
def test_all_layers_and_their_mean(kind, tiny_model, signals, reference):
    X = signals[:2]
    stacked = PretrainedEmbedding(tiny_model(kind), "all").fit_transform(X)
    both = PretrainedEmbedding(tiny_model(kind), "all", "mean_std").fit_transform(X)
    mean = PretrainedEmbedding(tiny_model(kind), "mean", "mean_std").fit_transform(X)
    for row, signal in enumerate(X):
        states = reference(kind, signal)
        expected = np.concatenate([states.mean(axis=1), states.std(axis=1)], axis=1)
        assert stacked.iloc[row, 0].shape == (N_LAYERS + 1, WIDTH)
        assert_close(stacked.iloc[row, 0], expected[:, :WIDTH])
        assert_close(both.iloc[row, 0], expected)
        averaged = states.mean(axis=0)
        assert_close(mean.iloc[row], [*averaged.mean(axis=0), *averaged.std(axis=0)])
    assert len(both.attrs["frame_features"]) == 2 * WIDTH


@each_kind
def test_other_utterances_change_nothing(kind, tiny_model, signals, passes):
    alone = np.concatenate(
        [PretrainedEmbedding(tiny_model(kind)).fit_transform([signal]) for signal in signals]
    )
    one_by_one = PretrainedEmbedding(tiny_model(kind)).fit_transform(signals)
    np.testing.assert_array_equal(one_by_one, alone)
    assert set(passes) == {(1, False)}
    passes.clear()
    for batch_size in (2, 6):
        together = PretrainedEmbedding(tiny_model(kind), batch_size=batch_size)
        assert_close(together.fit_transform(signals), alone)
        assert_close(together.fit_transform(signals[::-1]), alone[::-1])
    if kind in PADDED:
        assert (6, True) in passes
    elif kind == "whisper":
        assert (6, False) in passes
    else:
        # The two of equal length, and nothing else.
        assert set(passes) == {(1, False), (2, False)}


@pytest.mark.parametrize("kind", ["wav2vec2 group", "wavlm group", "data2vec"])
def test_padding_would_change_the_others(kind, tiny_model, signals, reference, monkeypatch):
    """The reason for `Description.pads`: without it, the test above fails."""
    from sklearn_ser.feature_extraction._pretrained_source import Description

    monkeypatch.setattr(Description, "pads", True)
    found = PretrainedEmbedding(tiny_model(kind), batch_size=6).fit_transform(signals)
    expected = reference(kind, signals[0])[-1].mean(axis=0)
    assert np.abs(found.iloc[0] - expected).max() > 100 * ROUNDING


@pytest.mark.parametrize(
    ("n_samples", "n_frames"), [(1039, 2), (1040, 3), (1359, 3), (1360, 4), (16000, 49)]
)
def test_frames_are_those_that_fit_into_the_signal(n_samples, n_frames, tiny_model, reference):
    signal = np.random.default_rng(1).normal(scale=0.1, size=n_samples).astype(np.float32)
    for kind in ("wav2vec2 group", "hubert layer"):
        for company in ([], [np.resize(signal, 9000)]):
            step = PretrainedEmbedding(tiny_model(kind), pooling="frames", batch_size=2)
            found = step.fit_transform([signal, *company]).iloc[0, 0]
            assert found.shape == (n_frames, WIDTH)
            assert_close(found, reference(kind, signal)[-1])


def test_whisper_uses_the_frames_centered_on_the_signal(tiny_model):
    step = PretrainedEmbedding(tiny_model("whisper"), pooling="frames")
    rng = np.random.default_rng(1)
    for n_samples, n_frames in [(1280, 4), (1281, 5), (16000, 50), (16001, 51), (40000, 125)]:
        signal = rng.normal(scale=0.1, size=n_samples)
        assert step.fit_transform([signal]).iloc[0, 0].shape == (n_frames, WIDTH)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_whisper_reads_long_audio_window_by_window(batch_size, tiny_model, reference, passes):
    rng = np.random.default_rng(2)
    long, short = (rng.normal(scale=0.1, size=n).astype(np.float32) for n in (40000, 9000))
    step = PretrainedEmbedding(tiny_model("whisper"), pooling="frames", batch_size=batch_size)
    found = step.fit_transform([long, short])
    pieces = [long[:16000], long[16000:32000], long[32000:]]
    expected = np.concatenate([reference("whisper", piece)[-1] for piece in pieces])
    assert expected.shape == (125, WIDTH)
    assert_close(found.iloc[0, 0], expected)
    assert_close(found.iloc[1, 0], reference("whisper", short)[-1])
    pooled = PretrainedEmbedding(tiny_model("whisper"), pooling="mean_std").fit_transform([long])
    assert_close(pooled.iloc[0], [*expected.mean(axis=0), *expected.std(axis=0)])
    assert max(n_signals for n_signals, _ in passes) == batch_size


def test_scaling_is_as_the_model_says(tmp_path, save_model, signals):
    signal = signals[0] + np.float32(0.05)
    for do_normalize in (True, False):
        folder = save_model("hubert layer", tmp_path / str(do_normalize), do_normalize=do_normalize)
        step = PretrainedEmbedding(folder)
        louder = step.fit_transform([2 * signal - np.float32(0.05)])
        difference = np.abs(louder - step.fit_transform([signal])).to_numpy().max()
        assert (difference < 1e-3) == do_normalize


def test_audio_comes_at_the_models_own_rate(tmp_path, save_model):
    step = PretrainedEmbedding(
        save_model("wav2vec2 group", tmp_path, sampling_rate=8000), pooling="frames"
    )
    signal = np.random.default_rng(0).normal(scale=0.1, size=8000)
    resampled = step.fit_transform([(np.repeat(signal, 2), 16000), (signal, 8000)])
    assert resampled.iloc[0, 0].shape == resampled.iloc[1, 0].shape == (24, WIDTH)
    np.testing.assert_array_equal(step.transform([signal]).iloc[0, 0], resampled.iloc[1, 0])


def test_audio_without_a_frame_fails(tmp_path, save_model, signals):
    folder = save_model("hubert group", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["conv_stride"] = [10, 4, 4, 4, 2, 2, 2]  # 5550 samples for a frame
    (tmp_path / "config.json").write_text(json.dumps(config))
    step = PretrainedEmbedding(folder)
    message = r"^row 1: the audio lasts 0.346813 s, but this step needs at least 0.346875 s"
    with pytest.raises(AudioError, match=message):
        step.fit_transform([signals[1], signals[1][:5549]])
    assert step.transform([signals[1][:5550]]).shape == (1, WIDTH)
    # The rounded length of resampled audio may be a sample short.
    message = r"^the audio has 5549 samples at the sampling rate of the model, which needs 5550"
    with pytest.raises(AudioError, match=message):
        step._extract(signals[1][:5549])


def test_nothing_is_computed_beyond_the_layer(tiny_model, signals, monkeypatch):
    ran = []
    noting = SpeechEncoder._record_input

    def note(self, index, layer, arguments):
        ran.append(index)
        noting(self, index, layer, arguments)

    monkeypatch.setattr(SpeechEncoder, "_record_input", note)
    for layer, expected in [(0, [0]), (1, [0, 1]), (-1, [0, 1, 2]), ("mean", [0, 1, 2])]:
        PretrainedEmbedding(tiny_model("wavlm layer"), layer=layer).fit_transform(signals[:1])
        assert ran == expected
        ran.clear()


def test_half_precision_files_give_full_precision(tmp_path, save_model, signals):
    from safetensors.torch import load_file, save_file

    folder = save_model("wav2vec2 group", tmp_path)
    file = Path(folder) / "model.safetensors"
    before = PretrainedEmbedding(folder).fit_transform(signals)
    weights = {name: values.half() for name, values in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    after = PretrainedEmbedding(folder).fit_transform(signals)
    assert set(after.dtypes) == {np.dtype("float32")}
    difference = np.abs(after - before).to_numpy().max()
    assert 0 < difference < 0.05
    assert torch.get_default_dtype() == torch.float32
