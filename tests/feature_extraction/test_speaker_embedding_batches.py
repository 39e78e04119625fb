"""SpeakerEmbedding in batches: against plain code, and bit-equal in any batch."""

import numpy as np
import pytest
import torch

from sklearn_ser import MTLNeuralClassifier
from sklearn_ser.feature_extraction import SpeakerEmbedding
from sklearn_ser.feature_extraction import _speaker_embedding as module
from sklearn_ser.feature_extraction._spectral import mel_filterbank
from sklearn_ser.utils._frames import FEATURES_ATTR

POOLINGS = ["mean_std", "unit", "partials", "frames"]
each_pooling = pytest.mark.parametrize("pooling", POOLINGS)


@pytest.fixture(scope="module")
def signals():
    """Noise that swells and fades, 0.06 to 4.5 s, two utterances of equal length among it."""
    rng = np.random.default_rng(0)
    lengths = [960, 45_600, 16_000, 72_000, 16_000, 25_601, 30_000, 1_200, 55_000, 20_160, 38_000]
    swell = 1.1 + np.sin(np.arange(72_000) / 3000)
    return [
        (swell[:n] * rng.normal(scale=rng.uniform(0.01, 0.1), size=n)).astype(np.float32)
        for n in lengths
    ]


def extract(pooling, signals, **parameters):
    """One array for each signal."""
    table = SpeakerEmbedding(pooling, **parameters).fit_transform(signals)
    return list(table["frames"] if pooling == "frames" else table.to_numpy())


@pytest.fixture(scope="module")
def alone(signals):
    """What each pooling gives for each signal by itself."""
    return {pooling: [extract(pooling, [signal])[0] for signal in signals] for pooling in POOLINGS}


def read(mels):
    """The last layer's outputs, in float64: the equations of an LSTM, written out."""
    network = module.load_network()
    sequence = np.asarray(mels, dtype=np.float64)
    for layer in range(3):
        w_in, w_own, b_in, b_own = (
            getattr(network["lstm"], f"{name}_l{layer}").double().numpy()
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden, cell, outputs = np.zeros(256), np.zeros(256), []
        for frame in sequence:
            gates = w_in @ frame + b_in + w_own @ hidden + b_own
            enter, forget, _, leave = np.split(1 / (1 + np.exp(-gates)), 4)
            cell = forget * cell + enter * np.tanh(np.split(gates, 4)[2])
            hidden = leave * np.tanh(cell)
            outputs.append(hidden)
        sequence = np.array(outputs)
    return sequence


def mel_bands(signal):
    """Mel power bands of a signal at -30 dB, by numpy's transform, in float64."""
    padded = np.pad(signal.astype(np.float64), 200)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    starts = range(0, len(signal) + 1, 160)
    spectrum = np.fft.rfft([window * padded[start : start + 400] for start in starts])
    return np.abs(spectrum) ** 2 @ mel_filterbank(16000, 400, 40).T.astype(np.float64)


def at_level(signal, dbfs=-30):
    return signal * (10 ** (dbfs / 20) / np.sqrt(np.mean(signal.astype(np.float64) ** 2)))


def embedding_of(output):
    """Speaker embedding of a last output, in float64."""
    weight, bias = (
        weights.double().numpy() for weights in module.load_network()["linear"].parameters()
    )
    raw = np.maximum(0, weight @ output + bias)
    return raw / np.linalg.norm(raw)


@pytest.mark.parametrize("row", [2, 5])
def test_one_pass_agrees_with_the_equations(signals, alone, row):
    outputs = read(mel_bands(at_level(signals[row])))
    pooled = np.concatenate([outputs.mean(axis=0), outputs.std(axis=0)])
    np.testing.assert_allclose(alone["frames"][row], outputs, rtol=0, atol=1e-5)
    np.testing.assert_allclose(alone["mean_std"][row], pooled, rtol=0, atol=1e-5)
    np.testing.assert_allclose(alone["unit"][row], embedding_of(outputs[-1]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("row", "starts"),
    # 1 s: padded. 1.875 s: the second window would be filled to 69 %. 2.375 s: to 100 % and more,
    # the third to 52 %. 2.85 s: the third to 82 %, so it is padded.
    [(2, [0]), (6, [0]), (10, [0, 77]), (1, [0, 77, 154])],
)
def test_partials_agree_with_plain_code(signals, alone, row, starts):
    signal = at_level(signals[row])
    padding = max(0, (starts[-1] + 160) * 160 - len(signal))
    mels = mel_bands(np.pad(signal, (0, padding)))
    partials = [embedding_of(read(mels[start : start + 160])[-1]) for start in starts]
    mean = np.mean(partials, axis=0)
    expected = mean / np.linalg.norm(mean)
    np.testing.assert_allclose(alone["partials"][row], expected, rtol=0, atol=1e-5)


def test_partial_windows_are_those_of_resemblyzer():
    # resemblyzer's rule in its own words: as many frames as fit and one step more, every
    # round(16000 / 1.3 / 160) frames; the last window goes if less than 0.75 of it is filled.
    for n_samples in [1, 960, *range(10_000, 100_000, 789), *range(31_519, 31_523)]:
        n_frames = int(np.ceil((n_samples + 1) / 160))
        starts = [0]
        while starts[-1] + 77 < n_frames - 160 + 77 + 1:
            starts.append(starts[-1] + 77)
        if len(starts) > 1 and (n_samples - 160 * starts[-1]) / 25_600 < 0.75:
            starts.pop()
        assert list(module.partial_starts(n_samples)) == starts


@each_pooling
@pytest.mark.parametrize("seed", range(3))
def test_neither_other_utterances_nor_order_nor_jobs_change_a_bit(signals, alone, pooling, seed):
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(signals), size=rng.integers(3, 40))
    found = extract(pooling, [signals[row] for row in rows], n_jobs=1 + seed % 2)
    for row, values in zip(rows, found, strict=True):
        np.testing.assert_array_equal(values, alone[pooling][row])


def test_loud_utterances_change_no_bit_of_a_quiet_one(signals):
    quiet = signals[8] * np.float32(1e-3)
    loud = [np.sign(signals[row]) for row in (0, 3, 9)]
    expected = extract("frames", [quiet], target_dbfs=None)[0]
    found = extract("frames", [quiet, *loud], target_dbfs=None)[0]
    np.testing.assert_array_equal(found, expected)


@each_pooling
def test_blocks_of_time_change_nothing(signals, alone, pooling, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_FRAMES", 48)
    found = extract(pooling, signals)
    for values, signal, expected in zip(found, signals, alone[pooling], strict=True):
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(values, extract(pooling, [signal])[0])


def test_a_long_recording_is_read_in_blocks(monkeypatch):
    sizes = {"samples": [], "frames": []}
    stft = torch.stft

    def watched(samples, *arguments, **parameters):
        sizes["samples"].append(len(samples))
        return stft(samples, *arguments, **parameters)

    monkeypatch.setattr(torch, "stft", watched)
    handle = module.load_network()["lstm"].register_forward_pre_hook(
        lambda _, arguments: sizes["frames"].append(tuple(arguments[0].shape[:2]))
    )
    try:
        signal = np.random.default_rng(0).normal(scale=0.1, size=16000 * 25)
        SpeakerEmbedding().fit_transform([signal])
    finally:
        handle.remove()
    assert max(sizes["samples"]) == (1024 + 4) * 160
    assert len(sizes["samples"]) == 3
    # 2501 frames: the rest of 453 is padded to a multiple of 16.
    assert sizes["frames"] == [(4, 1024), (4, 1024), (4, 464)]


def test_every_call_has_the_same_number_of_rows(signals):
    rows = set()
    handle = module.load_network()["lstm"].register_forward_pre_hook(
        lambda _, arguments: rows.add(len(arguments[0]))
    )
    try:
        for pooling in POOLINGS:
            extract(pooling, signals[:1])
            extract(pooling, signals[:7])
    finally:
        handle.remove()
    assert rows == {4}


def test_pooling_agrees_with_the_frames(signals, alone):
    for frames, pooled, n_samples in zip(
        alone["frames"], alone["mean_std"], map(len, signals), strict=True
    ):
        assert frames.shape == (1 + n_samples // 160, 256)
        assert frames.dtype == np.float32
        expected = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=1e-6)


def test_frames_of_failed_audio_and_their_names(signals):
    step = SpeakerEmbedding("frames", on_error="ignore")
    table = step.fit_transform([signals[0], np.zeros(16000, dtype=np.float32), signals[2]])
    assert table["frames"].isna().tolist() == [False, True, False]
    assert [failure["row"] for failure in step.failures_] == [1]
    assert table.attrs[FEATURES_ATTR] == [f"ge2e_{unit:03d}" for unit in range(256)]


def test_frames_feed_the_network(signals):
    table = SpeakerEmbedding("frames").fit_transform([s for s in signals if len(s) > 16_000])
    labels = np.arange(len(table)) % 2
    net = MTLNeuralClassifier(tasks=None, max_epochs=1, early_stopping=False, random_state=0)
    assert net.fit(table, labels).predict_proba(table).shape == (len(table), 2)


@pytest.mark.parametrize(("pooling", "n_frames"), [("frames", 51), ("unit", 1)])
def test_pooled_outputs_do_not_hold_the_memory_of_the_group(pooling, n_frames, monkeypatch):
    stored, (add, result) = [], module._POOLINGS[pooling]

    def recording(pool, outputs):
        pool = add(pool, outputs)
        stored.append(pool[0] if pooling == "frames" else pool)
        return pool

    monkeypatch.setitem(module._POOLINGS, pooling, (recording, result))
    SpeakerEmbedding(pooling).fit_transform([np.full(8000, 0.1)])
    assert [outputs.untyped_storage().nbytes() for outputs in stored] == [4 * 256 * n_frames]
