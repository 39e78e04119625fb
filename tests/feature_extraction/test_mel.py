"""The mel front end against its definition and against values of librosa 0.11."""

import numpy as np
import pytest
import torch

from sklearn_ser.feature_extraction._speaker_embedding import _window_and_filters, mel_frames
from sklearn_ser.feature_extraction._spectral import hz_to_mel, mel_filterbank, mel_to_hz


def test_mel_scale_is_linear_below_1_khz_and_logarithmic_above():
    np.testing.assert_allclose(hz_to_mel([0, 200, 1000, 6400]), [0, 3, 15, 42])
    hz = np.linspace(0, 8000, 33)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz)


@pytest.mark.parametrize(
    ("band", "bin_", "value"),
    # librosa.filters.mel(sr=16000, n_fft=400, n_mels=40): each band's largest value.
    [(0, 2, 0.012404521), (10, 20, 0.01187949), (20, 44, 0.0071919174), (39, 185, 0.0017249404)],
)
def test_filterbank_equals_librosas(band, bin_, value):
    filters = mel_filterbank(16000, 400, 40)
    assert filters.shape == (40, 201)
    assert filters[band].argmax() == bin_
    assert filters[band, bin_] == pytest.approx(value, rel=1e-6)


def test_spectrogram_equals_its_definition():
    signal = np.random.default_rng(0).normal(scale=0.1, size=1000).astype(np.float32)
    found = mel_frames(signal).numpy()
    padded = np.pad(signal.astype(np.float64), 200)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = [
        np.abs(np.fft.rfft(window * padded[start : start + 400])) ** 2
        for start in range(0, 1001, 160)
    ]
    expected = np.array(power) @ mel_filterbank(16000, 400, 40).T.astype(np.float64)
    assert found.shape == (7, 40)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_constants_cached_in_inference_mode_can_be_used_in_training():
    signal = np.ones(800, dtype=np.float32)
    _window_and_filters.cache_clear()
    with torch.inference_mode():
        mel_frames(signal)
    weight = torch.ones(40, requires_grad=True)
    (mel_frames(signal) @ weight).sum().backward()
    assert torch.isfinite(weight.grad).all()
