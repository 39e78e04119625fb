"""Tiny random speech encoders in folders, without network access."""

import socket

import numpy as np
import pytest
import torch

from sklearn_ser.feature_extraction import _pretrained, _pretrained_source

transformers = pytest.importorskip("transformers")

N_LAYERS = 3
WIDTH = 16
_WAVEFORM = {
    "hidden_size": WIDTH,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 10,
}
_LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
CONFIGS = {
    "wav2vec2 group": lambda: transformers.Wav2Vec2Config(**_WAVEFORM),
    "wav2vec2 layer": lambda: transformers.Wav2Vec2Config(**_WAVEFORM, **_LAYER_NORM),
    "hubert group": lambda: transformers.HubertConfig(**_WAVEFORM),
    "hubert layer": lambda: transformers.HubertConfig(**_WAVEFORM, **_LAYER_NORM),
    "wavlm group": lambda: transformers.WavLMConfig(**_WAVEFORM),
    "wavlm layer": lambda: transformers.WavLMConfig(**_WAVEFORM, **_LAYER_NORM),
    "data2vec": lambda: transformers.Data2VecAudioConfig(**_WAVEFORM, conv_pos_kernel_size=5),
    "unispeech layer": lambda: transformers.UniSpeechConfig(**_WAVEFORM, **_LAYER_NORM),
    "unispeech-sat layer": lambda: transformers.UniSpeechSatConfig(**_WAVEFORM, **_LAYER_NORM),
    # Windows of one second in place of 30.
    "whisper": lambda: transformers.WhisperConfig(
        d_model=WIDTH,
        encoder_layers=N_LAYERS,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        num_mel_bins=10,
        max_source_positions=50,
        max_target_positions=8,
        vocab_size=30,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    ),
}


def save_tiny_model(kind, folder, **preparation):
    """Save a random model of one of `CONFIGS`, with the preparation of its audio."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = transformers.AutoModel.from_config(CONFIGS[kind]())
        # As initialized, the layers of so small a network hardly change what goes through them.
        for name, values in model.named_parameters():
            if values.ndim > 1 and "layers" in name:
                values.data.mul_(5)
    quietly(model.save_pretrained, folder)
    if kind == "whisper":
        prepares = transformers.WhisperFeatureExtractor(
            **{"feature_size": 10, "chunk_length": 1, **preparation}
        )
    else:
        prepares = transformers.Wav2Vec2FeatureExtractor(**preparation)
    prepares.save_pretrained(folder)
    return str(folder)


def quietly(function, *arguments, **named):
    """Call transformers without its progress bars."""
    transformers.utils.logging.disable_progress_bar()
    try:
        return function(*arguments, **named)
    finally:
        transformers.utils.logging.enable_progress_bar()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A function from a kind of model to the folder that holds one."""
    made = {}

    def folder_of(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("model") / kind.replace(" ", "_")
            made[kind] = save_tiny_model(kind, folder)
        return made[kind]

    return folder_of


@pytest.fixture
def save_model():
    """`save_tiny_model`, for a test that damages the model."""
    return save_tiny_model


@pytest.fixture(scope="session")
def signals():
    """Noise of several lengths, two of them equal, no two of like level."""
    rng = np.random.default_rng(0)
    lengths = (5123, 16000, 7000, 9000, 7000, 15999)
    return [
        rng.normal(scale=0.02 * (1 + i), size=n).astype(np.float32) for i, n in enumerate(lengths)
    ]


@pytest.fixture(scope="session")
def reference(tiny_model):
    """States (n_layers + 1, n_frames, width) of a signal: plain transformers, one at a time."""
    loaded = {}

    def states(kind, signal):
        if kind not in loaded:
            model = quietly(transformers.AutoModel.from_pretrained, tiny_model(kind)).eval()
            prepares = transformers.AutoFeatureExtractor.from_pretrained(tiny_model(kind))
            loaded[kind] = model.get_encoder() if kind == "whisper" else model, prepares
        model, prepares = loaded[kind]
        inputs = prepares(signal, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            found = model(next(iter(inputs.values())), output_hidden_states=True)
        # transformers 5 leaves the last normalization out of the last hidden state.
        found = torch.stack([*found.hidden_states[:-1], found.last_hidden_state]).squeeze(1).numpy()
        return found[:, : -(-len(signal) // 320)] if kind == "whisper" else found

    return states


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path_factory):
    """No name can be resolved, the hub's cache is empty, and no model is in memory yet."""

    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    from huggingface_hub import constants

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    monkeypatch.setattr(_pretrained, "_loaded", type(_pretrained._loaded)())
    monkeypatch.setattr(_pretrained_source, "_hub_sources", {})
