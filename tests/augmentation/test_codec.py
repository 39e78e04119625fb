"""Codec, measured: delay, length, bandwidth, distortion, and G.711 against its definition."""

import numpy as np
import pytest
from scipy.signal import welch

from sklearn_ser import make_speech_corpus
from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import Codec

ALL = ("mp3", "vorbis", "opus", "mulaw", "alaw")


@pytest.fixture(scope="module")
def speech():
    frame = make_speech_corpus(2, 1, duration=1.5, random_state=0).frame
    return np.asarray(frame["file"][0][0], dtype=np.float32)


def heard(step, signal, rate=16000):
    return read_audio(step.augment([signal])["file"][0], rate)


def fidelity(made, source):
    """Signal-to-distortion ratio in dB."""
    return 20 * np.log10(source.std() / (made - source).std())


@pytest.mark.parametrize("codec", ALL)
@pytest.mark.parametrize("compression", [0.0, 0.9, 0.99])
def test_no_delay_and_the_same_length(codec, compression, speech):
    made = heard(Codec(codec, compression=compression), speech)
    assert len(made) == len(speech)
    size = 2 * len(speech)
    spectrum = np.fft.rfft(made, size) * np.conj(np.fft.rfft(speech, size))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    assert (lag if lag < len(speech) else lag - size) in (-1, 0, 1)


@pytest.mark.parametrize("codec", ALL)
@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 60000])
def test_at_any_rate(codec, rate):
    time = np.arange(rate // 2) / rate
    tone = (0.2 * np.sin(2 * np.pi * 700 * time)).astype(np.float32)
    made = heard(Codec(codec, compression=0.5, sampling_rate=rate), tone, rate)
    assert len(made) == len(tone)
    middle = slice(rate // 8, -rate // 8)
    assert fidelity(made[middle], tone[middle]) > 20


@pytest.mark.parametrize("codec", ["mp3", "vorbis", "opus"])
def test_more_compression_is_more_distortion(codec, speech):
    ratios = [
        fidelity(heard(Codec(codec, compression=level), speech), speech)
        for level in (0.3, 0.9, 0.99)
    ]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > ratios[-1] + 5


@pytest.mark.parametrize("codec", ["mulaw", "alaw"])
def test_a_telephone_ends_at_four_kilohertz(codec):
    source = (0.1 * np.random.default_rng(0).normal(size=64000)).astype(np.float32)
    made = heard(Codec(codec), source)
    frequencies, power = welch(made, 16000, nperseg=1024)
    inside = power[(frequencies > 200) & (frequencies < 3500)].mean()
    assert 10 * np.log10(power[frequencies > 4200].max() / inside) < -50


@pytest.mark.parametrize("codec", ["mulaw", "alaw"])
def test_g711_is_logarithmic(codec):
    """8 bits: about 38 dB over a wide range of levels, where 8 even bits would lose 20 of 40."""
    rng = np.random.default_rng(0)
    for level in (0.3, 0.03):
        source = np.clip(level * rng.normal(size=8000), -1, 1).astype(np.float32)
        made = heard(Codec(codec, sampling_rate=8000), source, 8000)
        assert 34 < fidelity(made, source) < 41
        assert len(np.unique(made)) <= 256


def test_mulaw_is_that_of_the_recommendation():
    """The levels of G.711's table 2a, of 14 bits: 0, 2, 4 ... 30, then 33, 37 ..."""
    source = np.arange(0, 8159, dtype=np.float32) / 8192
    levels = np.unique(heard(Codec("mulaw", sampling_rate=8000), source, 8000)) * 8192
    assert levels[:18] == pytest.approx([*range(0, 31, 2), 33, 37])
    assert levels[-1] == pytest.approx(8031)


def test_codecs_are_drawn(speech):
    signals = [speech[:4000] * np.float32(1 - i / 100) for i in range(40)]
    step = Codec(("alaw", "mulaw"), random_state=0)
    made = list(open_audio(step.augment(signals)))
    alone = [list(open_audio(Codec(name).augment(signals))) for name in ("alaw", "mulaw")]
    kinds = [
        [np.array_equal(a, b) for b in (first, second)]
        for a, first, second in zip(made, *alone, strict=True)
    ]
    assert {tuple(kind) for kind in kinds} == {(True, False), (False, True)}
