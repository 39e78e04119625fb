"""Log-mel spectrograms and cepstra against their definition and against librosa."""

import itertools
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_ser.feature_extraction import MFCC, LogMelSpectrogram
from sklearn_ser.feature_extraction._spectral import BLOCK, append_deltas, hz_to_mel, mel_to_hz

RATE = 16000


def chirp(seconds=0.5):
    """A falling tone with noise; the same samples on every machine."""
    times = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.RandomState(0).uniform(-0.01, 0.01, len(times))
    return (0.3 * np.sin(2 * np.pi * (400 * times - 200 * times**2)) + noise).astype(np.float32)


def frames_of(step, signal):
    return step.fit_transform([signal]).loc[0, "frames"]


def reference_decibels(signal, n_fft, window, hop, n_mels, fmin, fmax, floor_db, top_db):
    """The definition in float64, frame by frame."""
    edges = mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), n_mels + 2))
    bins = np.arange(n_fft // 2 + 1) * RATE / n_fft
    filters = np.array(
        [
            np.interp(bins, edges[band : band + 3], [0.0, 1.0, 0.0])
            * 2.0
            / (edges[band + 2] - edges[band])
            for band in range(n_mels)
        ]
    )
    taper = np.zeros(n_fft)
    first = (n_fft - window) // 2
    taper[first : first + window] = np.sin(np.pi * np.arange(window) / window) ** 2
    padded = np.concatenate([np.zeros(n_fft // 2), signal, np.zeros(n_fft)]).astype(np.float64)
    rows = []
    for center in range(0, len(signal) + 1, hop):
        power = np.abs(np.fft.rfft(padded[center : center + n_fft] * taper)) ** 2
        rows.append(np.maximum(filters @ power, 10 ** (floor_db / 10)))
    decibels = 10 * np.log10(rows)
    return decibels if top_db is None else np.maximum(decibels, decibels.max() - top_db)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"window_length": 0.04, "hop_length": 0.0125, "n_fft": 1024, "n_mels": 26},
        {"fmin": 60.0, "fmax": 4000.0, "n_mels": 30, "floor_db": -30.0},
        {"top_db": None, "window_length": 0.0250625},  # an odd window, of 401 samples
        {"top_db": 20.0},
    ],
)
def test_log_mel_equals_its_definition(parameters):
    step = LogMelSpectrogram(**parameters)
    found = frames_of(step, chirp())
    expected = reference_decibels(
        chirp(),
        n_fft=step.n_fft or 512,
        window=round(step.window_length * RATE),
        hop=round(step.hop_length * RATE),
        n_mels=step.n_mels,
        fmin=step.fmin,
        fmax=step.fmax,
        floor_db=step.floor_db,
        top_db=step.top_db,
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3)


def test_mfcc_is_the_cosine_transform_of_the_bands():
    decibels = frames_of(LogMelSpectrogram(n_mels=40), chirp()).astype(np.float64)
    band = np.arange(40) + 0.5
    basis = np.array([np.sqrt(2 / 40) * np.cos(np.pi * order * band / 40) for order in range(13)])
    basis[0] /= np.sqrt(2)
    found = frames_of(MFCC(13, deltas=0), chirp())
    np.testing.assert_allclose(found, decibels @ basis.T, rtol=0, atol=1e-3)


@pytest.mark.parametrize("step", [LogMelSpectrogram(n_mels=30), MFCC(13)])
def test_deltas_are_slopes_of_regression_lines(step):
    orders = np.split(frames_of(clone(step).set_params(deltas=2), chirp()), 3, axis=1)
    np.testing.assert_array_equal(orders[0], frames_of(clone(step).set_params(deltas=0), chirp()))
    for below, found in itertools.pairwise(orders):
        padded = np.concatenate([below[[0, 0]], below, below[[-1, -1]]])
        for frame in (0, 1, 20, len(found) - 1):
            line = np.polynomial.polynomial.polyfit(range(5), padded[frame : frame + 5], 1)
            np.testing.assert_allclose(found[frame], line[1], atol=1e-4)


def test_a_ramp_has_its_slope_as_delta_and_no_delta_of_the_delta():
    ramp = np.outer(np.arange(12.0), [1.0, -3.0])
    inner = append_deltas(ramp, 2)[4:-4]
    np.testing.assert_allclose(inner[:, 2:4], np.tile([1.0, -3.0], (4, 1)))
    np.testing.assert_allclose(inner[:, 4:], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("step", "frame", "column", "value"),
    # Of librosa 0.11 with y=chirp(): melspectrogram(y=y, sr=16000, n_fft=512, win_length=400,
    # hop_length=160, n_mels=80, pad_mode="constant"), power_to_db(ref=1.0, top_db=80); mfcc(S=the
    # same with n_mels=40, n_mfcc=20); delta(mfcc, width=5, mode="nearest"), and its delta.
    [
        (LogMelSpectrogram(), 0, 0, -9.283334),
        (LogMelSpectrogram(), 10, 7, 2.8776708),
        (LogMelSpectrogram(), 25, 40, -39.026512),
        (LogMelSpectrogram(), 50, 79, -37.951168),
        (MFCC(), 0, 0, -176.18127),
        (MFCC(), 10, 7, -21.578846),
        (MFCC(), 25, 25, 2.508761),
        (MFCC(), 49, 50, 0.4369991),
    ],
)
def test_agrees_with_librosa(step, frame, column, value):
    assert frames_of(step, chirp())[frame, column] == pytest.approx(value, abs=2e-3)


@pytest.mark.parametrize("step", [LogMelSpectrogram(deltas=1), MFCC()])
def test_normalized_within_the_utterance(step):
    found = frames_of(clone(step).set_params(normalize="utterance"), chirp())
    plain = frames_of(step, chirp()).astype(np.float64)
    np.testing.assert_allclose(found, (plain - plain.mean(0)) / plain.std(0), atol=1e-4)


def test_constant_columns_are_normalized_to_zero():
    step = LogMelSpectrogram(floor_db=0.0, top_db=None, normalize="utterance")
    quiet = frames_of(step, chirp() * 0.01)
    assert (quiet == 0).any(axis=1).all()
    assert np.isfinite(quiet).all()


def test_long_recordings_go_through_in_parts():
    signal = np.tile(chirp(), 90)
    found = frames_of(LogMelSpectrogram(n_mels=8, top_db=None), signal)
    assert len(found) > BLOCK
    around = slice((BLOCK - 20) * 160, (BLOCK + 20) * 160)
    part = frames_of(LogMelSpectrogram(n_mels=8, top_db=None), signal[around])
    np.testing.assert_allclose(found[BLOCK - 15 : BLOCK + 15], part[5:35], atol=1e-3)


@pytest.mark.parametrize("step", [LogMelSpectrogram(), MFCC()])
def test_neighbors_and_threads_change_no_bit(step):
    signals = [chirp(seconds) for seconds in (0.5, 0.33, 0.5, 1.0, 0.06, 0.4)]
    alone = [frames_of(step, signal) for signal in signals]
    for n_jobs in (1, 3):
        table = clone(step).set_params(n_jobs=n_jobs).fit_transform(signals)
        for found, expected in zip(table["frames"], alone, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_number_of_frames_and_names():
    table = LogMelSpectrogram(n_mels=12, deltas=2).fit_transform([chirp(0.06), chirp(1.0)])
    assert [cell.shape for cell in table["frames"]] == [(7, 36), (101, 36)]
    names = table.attrs["frame_features"]
    assert (names[0], names[12], names[35]) == ("mel_00", "mel_00_delta", "mel_11_delta2")
    assert MFCC(2, deltas=1).fit_transform([chirp()]).attrs["frame_features"] == [
        "mfcc_00",
        "mfcc_01",
        "mfcc_00_delta",
        "mfcc_01_delta",
    ]


def test_failed_audio_is_one_nan():
    table = LogMelSpectrogram(on_error="ignore").fit_transform([chirp(), np.zeros(8000)])
    assert pd.isna(table["frames"][1])
    assert table["frames"][0].shape == (51, 80)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (LogMelSpectrogram(n_fft=256), r"has 400 samples, which is more than n_fft=256"),
        (LogMelSpectrogram(fmin=8000.0), r"fmin=8000.0 Hz is not below fmax=8000.0 Hz"),
        (LogMelSpectrogram(hop_length=1e-5), r"a hop of one sample or more at 16000 Hz"),
        (LogMelSpectrogram(n_mels=10**9), r"n_mels=1000000000 is more than the 257 bins of a Four"),
        (
            LogMelSpectrogram(n_fft=10**9),
            r"n_fft=1000000000 samples .* longer than the maximum of 65536",
        ),
        (MFCC(n_mels=10**9), r"n_mels=1000000000 is more than the 257 bins"),
        (
            MFCC(window_length=1e9),
            r"a window_length of 1000000000.0 s or .* is longer than the maximum of 65536",
        ),
        (LogMelSpectrogram(n_mels=200), r"\d+ of the 200 mel bands .* always be empty"),
        (MFCC(41), r"n_mfcc=41 is more than the number of mel bands, n_mels=40"),
        (MFCC(deltas=3), r"'deltas' parameter of MFCC must be"),
        (LogMelSpectrogram(normalize="corpus"), r"'normalize' parameter of LogMelSpectrogram"),
        (LogMelSpectrogram(fmax=9000.0), r"'fmax' parameter of LogMelSpectrogram"),
    ],
)
def test_wrong_parameters(step, message):
    tracemalloc.start()
    try:
        for call in (step.fit, step.transform):
            with pytest.raises(ValueError, match=message):
                call([chirp()])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6  # checked before anything is built
