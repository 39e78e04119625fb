"""SpeakerEmbedding against values of resemblyzer 0.1.4, its parameters and weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import SpeakerEmbedding
from sklearn_ser.feature_extraction._speaker_embedding import (
    WEIGHTS,
    _window_and_filters,
    load_network,
    scale_to_level,
)
from tests.conftest import changed_torch_state


def make_voice(seconds):
    """20 harmonics of a pitch that rises by 60 Hz a second from 120 Hz, in bursts, 3 a second."""
    t = np.arange(round(16000 * seconds)) / 16000
    phase = 2 * np.pi * np.cumsum(120 + 60 * t) / 16000
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 21))
    return (0.1 * (1 - np.cos(6 * np.pi * t)) * harmonics).astype(np.float32)


@pytest.fixture(scope="module")
def voice():
    return make_voice(1)


# What resemblyzer 0.1.4's own code gave for `voice` under librosa 0.11 and torch 2.13: its
# normalize_volume to -30 dBFS, wav_to_mel_spectrogram, and VoiceEncoder on the whole utterance.
RESEMBLYZER_MEAN_STD = {
    0: 0.107850336,
    1: 0.058866154,
    100: 0.23955435,
    255: -0.035181772,
    256: 0.0698542,
    257: 0.05158048,
    400: 0.030007433,
    511: 0.017247144,
}
RESEMBLYZER_UNIT = {
    154: 0.16260758,
    146: 0.17526256,
    182: 0.21961235,
    122: 0.23187216,
    246: 0.24134414,
}


# What resemblyzer 0.1.4's own VoiceEncoder.embed_utterance gave for `make_voice(seconds)` after its
# normalize_volume to -30 dBFS, under librosa 0.11 and torch 2.13 (webrtcvad, which only its
# preprocess_wav needs, was replaced by an empty module): largest entries and the sum of all.
RESEMBLYZER_PARTIALS = {
    0.3: ({0: 0.28778419, 20: 0.25674972, 62: 0.23333453, 127: 0.15122905}, 8.878002),
    1.9: ({246: 0.28200328, 182: 0.20872921, 168: 0.19277619, 42: 0.14901946}, 9.151892),
    2.2: ({246: 0.27577078, 182: 0.20518567, 251: 0.1942409, 111: 0.14235954}, 9.388586),
    3.0: ({246: 0.2394352, 182: 0.21802828, 251: 0.198451, 138: 0.14379835}, 9.717105),
}


@pytest.mark.parametrize("seconds", RESEMBLYZER_PARTIALS)
def test_partials_agree_with_resemblyzer(seconds):
    reference, total = RESEMBLYZER_PARTIALS[seconds]
    values = SpeakerEmbedding("partials").fit_transform([make_voice(seconds)]).to_numpy()[0]
    np.testing.assert_allclose(values[list(reference)], list(reference.values()), rtol=0, atol=1e-5)
    assert values.sum() == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize(
    ("pooling", "width", "reference"),
    [("mean_std", 512, RESEMBLYZER_MEAN_STD), ("unit", 256, RESEMBLYZER_UNIT)],
)
def test_agrees_with_resemblyzer(voice, pooling, width, reference):
    found = SpeakerEmbedding(pooling).fit_transform([voice])
    assert found.shape == (1, width)
    values = found.to_numpy()[0]
    np.testing.assert_allclose(values[list(reference)], list(reference.values()), rtol=0, atol=1e-5)


def test_mean_std_norms_agree_with_resemblyzer(voice):
    values = SpeakerEmbedding().fit_transform([voice]).to_numpy()[0]
    norms = [np.linalg.norm(values[:256]), np.linalg.norm(values[256:])]
    np.testing.assert_allclose(norms, [1.8665743, 1.1248034], rtol=1e-5)


@pytest.mark.parametrize("pooling", ["unit", "partials"])
def test_embedding_has_length_one_and_no_negative_entry(voice, pooling):
    values = SpeakerEmbedding(pooling).fit_transform([voice]).to_numpy()
    assert np.linalg.norm(values) == pytest.approx(1, abs=1e-6)
    assert values.min() >= 0


def test_feature_names():
    names = SpeakerEmbedding().get_feature_names_out()
    assert list(names[[0, 255, 256, 511]]) == [
        "ge2e_mean_000",
        "ge2e_mean_255",
        "ge2e_std_000",
        "ge2e_std_255",
    ]
    assert SpeakerEmbedding("unit").get_feature_names_out()[-1] == "ge2e_unit_255"
    assert SpeakerEmbedding("partials").get_feature_names_out()[-1] == "ge2e_partials_255"
    assert list(SpeakerEmbedding("frames").get_feature_names_out()) == ["frames"]


def test_frames_come_every_10_ms(voice):
    table = SpeakerEmbedding("frames").transform([voice])
    assert table.attrs["hop_length"] == 0.010
    assert len(table.loc[0, "frames"]) == 1 + len(voice) // 160


def test_level_is_scaled_both_ways(voice):
    reference, quiet, loud = (
        SpeakerEmbedding().fit_transform([voice * gain for gain in (1, 1e-3, 2.5)]).to_numpy()
    )
    np.testing.assert_allclose(quiet, reference, atol=1e-5)
    np.testing.assert_allclose(loud, reference, atol=1e-5)


def test_target_none_leaves_the_level(voice):
    own_level = 10 * np.log10(np.mean(voice.astype(float) ** 2))
    as_it_is, scaled, moved = (
        SpeakerEmbedding(target_dbfs=level).fit_transform([voice]).to_numpy()
        for level in (None, own_level, own_level - 20)
    )
    np.testing.assert_allclose(as_it_is, scaled, atol=1e-5)
    assert np.abs(as_it_is - moved).max() > 0.01


@pytest.mark.parametrize("peak", [1e-30, 1e-5, 1.0])
def test_scale_to_level(peak):
    scaled = scale_to_level(np.array([peak, -peak], dtype=np.float32), -20)
    np.testing.assert_allclose(scaled, [0.1, -0.1], rtol=1e-6)
    assert scaled.dtype == np.float32


def test_shortest_utterance(voice):
    assert np.isfinite(SpeakerEmbedding().fit_transform([voice[:960]]).to_numpy()).all()
    with pytest.raises(AudioError, match=r"row 0: .* needs at least 0\.06 s"):
        SpeakerEmbedding().fit_transform([voice[:959]])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pooling": "max"}, r"'pooling' parameter of SpeakerEmbedding must be .*'mean_std'"),
        ({"target_dbfs": 3}, r"'target_dbfs' parameter of SpeakerEmbedding must be"),
        ({"on_error": "skip"}, r"'on_error' parameter of SpeakerEmbedding must be"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        SpeakerEmbedding(**parameters).fit([])


def test_does_not_change_the_state_of_torch(voice):
    load_network.cache_clear()
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    SpeakerEmbedding(n_jobs=2).fit_transform([voice, voice])
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("pooling", ["mean_std", "unit", "partials"])
def test_the_state_of_torch_does_not_change_the_features(pooling, voice):
    step = SpeakerEmbedding(pooling)
    expected = step.fit_transform([voice, voice[:9000]])
    load_network.cache_clear()
    _window_and_filters.cache_clear()
    with changed_torch_state():
        pd.testing.assert_frame_equal(step.fit_transform([voice, voice[:9000]]), expected)
    assert not any(weight.is_inference() for weight in load_network().parameters())


def test_weights_are_float32_name_their_source_and_need_no_gradient():
    with safe_open(WEIGHTS, framework="np") as file:
        origin = file.metadata()
        dtypes = {str(file.get_tensor(name).dtype) for name in file.keys()}  # noqa: SIM118
    assert origin["source"] == "resemblyzer 0.1.4, resemblyzer/pretrained.pt"
    assert origin["license"] == "Apache-2.0"
    assert dtypes == {"float32"}
    assert not any(weight.requires_grad for weight in load_network().parameters())


def test_license_and_attribution_are_in_the_folder_of_the_weights():
    assert "Apache License" in (WEIGHTS.parent / "LICENSE-ge2e.txt").read_text(encoding="utf-8")
    assert "Resemble.AI" in (WEIGHTS.parent / "README.md").read_text(encoding="utf-8")
