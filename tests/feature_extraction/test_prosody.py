"""Prosody: pitch of sounds of known pitch, voicing, energy."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, make_pipeline

from sklearn_ser.exceptions import MissingDependencyError
from sklearn_ser.feature_extraction import MFCC, LogMelSpectrogram, Prosody
from sklearn_ser.feature_extraction import _prosody as prosody
from sklearn_ser.preprocessing import FunctionalsPooling

RATE = 16000
HZ = Prosody(unit="hz")


def voice(f0, noise=0.003):
    """A buzz with vowel-like resonances, of the F0 given for each sample, and a little noise."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    signal = np.zeros(len(f0))
    for harmonic in range(1, int(7500 / np.max(f0)) + 1):
        frequency = harmonic * f0
        gain = sum(1 / (1 + ((frequency - peak) / 120) ** 2) for peak in (600, 1500, 2600))
        signal += (0.05 + gain) / harmonic**0.5 * np.sin(harmonic * phase)
    signal = 0.3 * signal / np.abs(signal).max()
    return (signal + np.random.default_rng(0).normal(scale=noise, size=len(f0))).astype(np.float32)


def glide(low, high, seconds=1.5):
    steps = np.linspace(0, 1, int(seconds * RATE))
    return low * (high / low) ** (0.5 - 0.5 * np.cos(2 * np.pi * steps))


def frames_of(step, signal):
    return step.fit_transform([signal]).loc[0, "frames"]


@pytest.mark.parametrize(("low", "high"), [(80, 160), (110, 230), (180, 420)])
@pytest.mark.parametrize("noise", [0.0003, 0.03])
def test_f0_of_a_glide(low, high, noise):
    f0 = glide(low, high)
    found = frames_of(HZ, voice(f0, noise))
    inner = slice(8, -8)
    truth = f0[np.minimum(np.arange(len(found)) * 160, len(f0) - 1)][inner]
    assert found[inner, 1].mean() > 0.97
    voiced = found[inner, 1] == 1
    cents = 1200 * np.abs(np.log2(found[inner, 0][voiced] / truth[voiced]))
    assert np.median(cents) < 10
    assert cents.max() < 100


def test_voicing_and_unvoiced_frames():
    noise = np.random.default_rng(1).normal(scale=0.02, size=RATE // 2).astype(np.float32)
    signal = np.concatenate([noise, voice(np.full(RATE, 150.0)), noise])
    frames = frames_of(HZ, signal)
    assert frames[:45, 1].mean() < 0.1
    assert frames[55:145, 1].mean() > 0.97
    assert frames[155:, 1].mean() < 0.1
    f0, voicing, confidence = frames[:, 0], frames[:, 1], frames[:, 2]
    assert set(voicing) == {0.0, 1.0}
    np.testing.assert_array_equal(voicing == 1, confidence >= np.float32(0.5))
    np.testing.assert_array_equal(f0 == 0, voicing == 0)
    stricter = frames_of(clone(HZ).set_params(voicing_threshold=0.95), signal)
    assert stricter[:, 1].sum() < voicing.sum()


def test_semitones_count_from_27_5_hz():
    signal = voice(glide(110, 220))
    hertz, semitones = frames_of(HZ, signal), frames_of(Prosody(), signal)
    voiced = hertz[:, 1] == 1
    expected = np.where(voiced, 12 * np.log2(np.where(voiced, hertz[:, 0], 27.5) / 27.5), 0)
    np.testing.assert_allclose(semitones[:, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(semitones[:, 1:], hertz[:, 1:])


def test_range_of_f0():
    found = frames_of(clone(HZ).set_params(fmin=100.0, fmax=140.0), voice(np.full(RATE, 200.0)))
    voiced = found[found[:, 1] == 1, 0]
    assert ((voiced >= 99) & (voiced <= 141)).all()


@pytest.mark.parametrize(("window", "hop"), [(0.025, 0.01), (0.04, 0.0125)])
def test_energy_is_the_level_of_a_window(window, hop):
    signal = voice(np.full(8000, 120.0))
    found = frames_of(Prosody(window_length=window, hop_length=hop), signal)[:, 3]
    size, step = int(window * RATE), int(hop * RATE)
    padded = np.concatenate([np.zeros(size // 2), signal, np.zeros(size)]).astype(np.float64)
    for frame in (0, 3, 20, len(found) - 1):
        part = padded[frame * step : frame * step + size]
        expected = 20 * np.log10(np.sqrt(np.mean(part**2)))
        assert found[frame] == pytest.approx(expected, abs=1e-3)


def test_a_pause_has_the_least_energy():
    signal = np.concatenate([voice(np.full(4000, 120.0)), np.zeros(4000, dtype=np.float32)])
    assert (frames_of(Prosody(), signal)[30:, 3] == -100).all()


@pytest.mark.parametrize("hop", [0.005, 0.01, 0.016, 0.025])
@pytest.mark.parametrize("seconds", [0.06, 0.5, 1.2345])
def test_frames_are_those_of_the_spectrogram(hop, seconds):
    signal = voice(np.full(int(seconds * RATE), 180.0))
    expected = frames_of(LogMelSpectrogram(hop_length=hop), signal)
    found = frames_of(Prosody(hop_length=hop), signal)
    assert found.shape == (len(expected), 4)
    assert np.isfinite(found).all()


def test_between_estimates_the_logarithm_of_f0_is_interpolated():
    times = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    f0 = np.array([100.0, 121.0, 400.0, 90.0, 60.0])
    confidence = np.array([0.9, 0.7, 0.8, 0.1, 0.0])
    at = np.array([0.5, 1.25, 1.0, 1.75, 2.6, 3.9])
    found, sure = prosody.resample_track(at, times, f0, confidence, threshold=0.5)
    # Halfway from 100 to 121; no way from 121 to 400: the nearer; beside an unvoiced estimate.
    np.testing.assert_allclose(found[:5], [110, 121, 121, 400, 400])
    np.testing.assert_allclose(sure, [0.8, 0.725, 0.7, 0.775, 0.38, 0.01])


def test_long_recordings_go_through_in_parts(monkeypatch):
    signal = np.concatenate([voice(glide(100, 200, 2.0)), np.zeros(8000, dtype=np.float32)])
    at_once = frames_of(HZ, signal)
    monkeypatch.setattr(prosody, "PART", 7001)
    in_parts = frames_of(HZ, signal)
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-3, atol=1e-3)


def test_neighbors_and_threads_change_no_bit():
    signals = [voice(np.full(int(seconds * RATE), 150.0)) for seconds in (0.5, 0.2, 0.9, 0.06)]
    alone = [frames_of(HZ, signal) for signal in signals]
    for n_jobs in (1, 3):
        table = clone(HZ).set_params(n_jobs=n_jobs).fit_transform(signals)
        for found, expected in zip(table["frames"], alone, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_names_and_failed_audio():
    table = Prosody(on_error="ignore").fit_transform([voice(np.full(8000, 100.0)), np.zeros(8000)])
    assert table.attrs["frame_features"] == ["f0", "voicing", "f0_confidence", "energy"]
    assert table.attrs["hop_length"] == 0.010
    assert pd.isna(table["frames"][1])


def test_union_of_functionals_of_spectrum_and_prosody():
    signals = [voice(glide(low, 2 * low)) for low in (90, 180)]
    union = FeatureUnion(
        [
            ("timbre", make_pipeline(MFCC(13), FunctionalsPooling(("mean", "std")))),
            (
                "prosody",
                make_pipeline(Prosody(), FunctionalsPooling(voicing="voicing", frames="voiced")),
            ),
        ]
    ).set_output(transform="pandas")
    found = union.fit_transform(signals)
    assert found.shape == (2, 39 * 2 + 3 * 7 + 6)
    medians = found["prosody__f0_voiced_p50"]
    assert medians[1] - medians[0] == pytest.approx(12, abs=0.2)  # an octave
    assert (found["prosody__voiced_fraction"] > 0.9).all()


def test_without_the_package_one_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "swift_f0", None)
    message = r"Prosody needs the package 'swift_f0'.*pip install 'sklearn-ser\[prosody\]'"
    for step in (Prosody(), Prosody(store=tmp_path)):
        with pytest.raises(MissingDependencyError, match=message):
            step.fit_transform([voice(np.full(8000, 100.0))])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fmin": 30.0}, r"'fmin' parameter of Prosody must be"),
        ({"fmin": 300.0, "fmax": 300.0}, r"fmin=300.0 Hz is not below fmax=300.0 Hz"),
        ({"hop_length": 1e-5}, r"a hop of one sample or more at 16000 Hz"),
        (
            {"window_length": 1e9},
            r"a window_length of 1000000000.0 s is longer than the maximum of 65536",
        ),
        ({"unit": "mel"}, r"'unit' parameter of Prosody must be"),
        ({"voicing_threshold": 0.0}, r"'voicing_threshold' parameter of Prosody must be"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        Prosody(**parameters).fit([np.zeros(8000)])
