"""Speed, tempo, pitch and vocal tract, measured on vowels: duration, pitch, formants, envelope."""

import sys

import numpy as np
import pytest
from scipy.signal import lfilter

from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import (
    PitchShift,
    SpeedPerturbation,
    TempoPerturbation,
    VocalTractLengthPerturbation,
)
from sklearn_ser.augmentation._speed import warped_sources
from sklearn_ser.exceptions import MissingDependencyError

RATE = 16000
FORMANTS = (600.0, 1500.0, 2600.0, 3500.0)


def vowel(pitch=120.0, seconds=1.0, rate=RATE):
    """A pulse train through four resonances, with a little noise."""
    source = np.diff(np.floor(np.arange(round(seconds * rate) + 1) * pitch / rate))
    return resonances(source + 1e-3 * np.random.default_rng(0).normal(size=len(source)), rate)


def whisper(seconds=3.0, rate=RATE):
    """Noise through the same: without harmonics, formants can be measured to a few Hz."""
    return resonances(np.random.default_rng(0).normal(size=round(seconds * rate)), rate)


def resonances(source, rate):
    for formant in FORMANTS:
        radius = np.exp(-np.pi * 90 / rate)
        angle = 2 * np.pi * formant / rate
        source = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], source)
    return (0.3 * source / np.abs(source).max()).astype(np.float32)


def heard(step, signal, rate=RATE):
    return read_audio(step.augment([signal])["file"][0], rate)


def pitch_of(signal, rate=RATE):
    """Hz, from the peak of the autocorrelation of the middle."""
    middle = signal[len(signal) // 4 : -len(signal) // 4].astype(float)
    spectrum = np.abs(np.fft.rfft(middle, 4 * len(middle))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(middle)]
    first, last = int(rate / 400), int(rate / 90)
    lag = first + int(np.argmax(correlation[first:last]))
    left, peak, right = correlation[lag - 1 : lag + 2]
    return rate / (lag + 0.5 * (left - right) / (left - 2 * peak + right))


def formants_of(signal, rate=RATE, order=16):
    """Hz of the four sharpest poles of linear prediction, lowest first."""
    middle = signal[len(signal) // 4 : -len(signal) // 4].astype(float)
    middle *= np.hanning(len(middle))
    r = np.fft.irfft(np.abs(np.fft.rfft(middle, 2 * len(middle))) ** 2)[: order + 1]
    toeplitz = r[np.abs(np.subtract.outer(np.arange(order), np.arange(order)))]
    poles = np.roots(np.r_[1, -np.linalg.solve(toeplitz, r[1:])])
    poles = poles[poles.imag > 0.01]
    sharpest = poles[np.argsort(-np.abs(poles))[:4]]
    return np.sort(np.angle(sharpest) * rate / (2 * np.pi))


def test_the_measures_measure():
    assert pitch_of(vowel(133.0)) == pytest.approx(133, rel=0.005)
    assert formants_of(whisper()) == pytest.approx(FORMANTS, rel=0.02)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.0, 1.1, 1.3])
def test_speed_changes_duration_pitch_and_formants(factor):
    signal = vowel()
    made = heard(SpeedPerturbation(factor), signal)
    assert len(made) == pytest.approx(len(signal) / factor, abs=1)
    assert pitch_of(made) == pytest.approx(120 * factor, rel=0.005)
    assert made.std() == pytest.approx(signal.std(), rel=0.05)
    formants = formants_of(heard(SpeedPerturbation(factor), whisper()))
    assert formants[:3] == pytest.approx(np.multiply(FORMANTS[:3], factor), rel=0.03)


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.0, 1.15, 1.5])
def test_tempo_changes_duration_alone(factor):
    signal = vowel()
    made = heard(TempoPerturbation(factor), signal)
    assert len(made) == round(len(signal) / factor)
    assert pitch_of(made) == pytest.approx(120, rel=0.01)
    assert made.std() == pytest.approx(signal.std(), rel=0.2)
    formants = formants_of(heard(TempoPerturbation(factor), whisper()))
    assert formants[:3] == pytest.approx(FORMANTS[:3], rel=0.03)


@pytest.mark.parametrize("semitones", [-4, -1, 0, 2, 5])
def test_pitch_shift_moves_all_frequencies_and_keeps_the_duration(semitones):
    signal = vowel()
    made = heard(PitchShift(semitones), signal)
    factor = 2 ** (semitones / 12)
    assert len(made) == len(signal)
    assert pitch_of(made) == pytest.approx(120 * factor, rel=0.01)
    formants = formants_of(heard(PitchShift(semitones), whisper()))
    assert formants[:3] == pytest.approx(np.multiply(FORMANTS[:3], factor), rel=0.03)


@pytest.mark.parametrize(
    ("step", "scale"),
    [
        (SpeedPerturbation(1.25), 1.25),
        (TempoPerturbation(0.8), 0.8),
        (PitchShift(3), 1),
        (VocalTractLengthPerturbation(1.1), 1),
    ],
    ids=str,
)
def test_events_stay_where_they_belong(step, scale):
    signal = np.zeros(32000, np.float32)
    events = np.array([4000, 13000, 27000])
    for event in events:
        signal[event - 800 : event + 800] = vowel(200, 0.1) * np.hanning(1600)
    made = heard(step, signal)
    loudness = np.convolve(made**2, np.hanning(1600), "same")
    for event in np.round(events / scale).astype(int):
        around = slice(event - 1500, event + 1500)
        assert abs(int(np.argmax(loudness[around])) - 1500) < 200  # 12 ms


@pytest.mark.parametrize("factor", [0.88, 0.95, 1.0, 1.05, 1.12])
@pytest.mark.parametrize("pitch", [110.0, 210.0])
def test_vtlp_moves_formants_alone(factor, pitch):
    signal = vowel(pitch)
    made = heard(VocalTractLengthPerturbation(factor), signal)
    assert len(made) == len(signal)
    assert pitch_of(made) == pytest.approx(pitch, rel=0.003)
    assert made.std() == pytest.approx(signal.std(), rel=0.4)
    assert np.allclose(made, signal, atol=1e-6) == (factor == 1)
    formants = formants_of(heard(VocalTractLengthPerturbation(factor), whisper()))
    assert formants[:3] == pytest.approx(np.multiply(FORMANTS[:3], factor), rel=0.03)


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_vtlp_at_other_rates(rate):
    signal = vowel(130.0, rate=rate)
    same = heard(VocalTractLengthPerturbation(1.0, sampling_rate=rate), signal, rate)
    assert np.allclose(same, signal, atol=1e-6)
    made = heard(VocalTractLengthPerturbation(1.1, sampling_rate=rate), signal, rate)
    assert len(made) == len(signal)
    assert pitch_of(made, rate) == pytest.approx(130, rel=0.003)
    assert 0.5 < made.std() / signal.std() < 2


def test_the_warping_is_that_of_the_paper():
    """f a up to F_hi min(a, 1) / a, then straight to half the rate (Jaitly & Hinton, 2013)."""
    for factor in (0.85, 1.0, 1.2):
        sources = warped_sources(801, 16000, factor, 4800) * 10  # Hz
        edge = 4800 * min(factor, 1) / factor
        frequencies = np.where(
            sources <= edge,
            sources * factor,
            8000 - (8000 - 4800 * min(factor, 1)) / (8000 - edge) * (8000 - sources),
        )
        assert np.allclose(frequencies, np.arange(801) * 10)


@pytest.mark.parametrize(
    ("step", "span"),
    [
        (SpeedPerturbation((0.8, 1.2), random_state=0), (0.8, 1.2)),
        (TempoPerturbation((0.8, 1.2), random_state=0), (0.8, 1.2)),
    ],
)
def test_a_range_is_drawn_evenly(step, span):
    signals = [vowel(100 + i, 0.2) for i in range(60)]
    factors = [3200 / len(made) for made in open_audio(step.augment(signals))]
    assert span[0] - 0.001 < min(factors) < 0.85
    assert 1.15 < max(factors) < span[1] + 0.001


@pytest.mark.parametrize("step", [TempoPerturbation(), PitchShift()])
def test_without_the_extra_it_says_what_to_install(step, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    monkeypatch.delitem(sys.modules, "python_stretch")

    class Hidden:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "python_stretch":
                raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(sys, "meta_path", [Hidden, *sys.meta_path])
    name = type(step).__name__
    with pytest.raises(
        MissingDependencyError,
        match=rf"{name} needs the package 'python_stretch', .*pip install 'sklearn-ser\[augment\]'",
    ):
        step.fit(None)
