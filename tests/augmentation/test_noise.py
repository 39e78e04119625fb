"""AddNoise: the measured ratio, the colors, and the part of a recording that is used."""

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from sklearn_ser import make_speech_corpus
from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import AddNoise, _recordings
from sklearn_ser.augmentation._recordings import BoundedCache, colored_noise
from sklearn_ser.exceptions import AudioError


@pytest.fixture(scope="module")
def speech():
    frame = make_speech_corpus(2, 1, duration=1.0, random_state=0).frame
    return [np.asarray(signal, dtype=np.float32) for signal, _ in frame["file"]]


#: dB per octave.
SLOPES = {"white": 0, "pink": -3, "brown": -6, "blue": 3, "violet": 6}


def added(step, signal):
    """Return the added noise; the signal must be soft enough not to be scaled."""
    return read_audio(step.augment([signal])["file"][0]) - signal


def decibels(signal, noise):
    return 20 * np.log10(signal.std() / noise.std())


def saw(n, seed=0):
    """Return a recording whose samples identify their position."""
    return ((np.arange(n) % 1000) / 2000 + np.arange(n) / (4 * n)).astype(np.float32)


@pytest.mark.parametrize("noises", [*SLOPES, saw(3000), (saw(90000), 44100)], ids=str)
@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.5])
def test_the_signal_to_noise_ratio(noises, snr, speech):
    for signal in speech[:3]:
        noise = added(AddNoise(snr, noises, random_state=1), signal / 8)
        assert decibels(signal / 8, noise) == pytest.approx(snr, abs=0.02)


def test_the_ratio_stays_where_the_sum_passes_full_scale(speech):
    signal = speech[0] / np.abs(speech[0]).max()
    noisy = read_audio(AddNoise(0.0, "white", random_state=0).augment([signal])["file"][0])
    assert np.abs(noisy).max() == pytest.approx(32767 / 32768, abs=1e-6)
    scale = noisy @ signal / (signal @ signal)
    assert decibels(scale * signal, noisy - scale * signal) == pytest.approx(0, abs=0.2)


def test_offsets_are_ignored(speech):
    signal = speech[0] / 8
    noise = added(AddNoise(6.0, saw(20000) - 0.3, random_state=1), signal + np.float32(0.2))
    assert decibels(signal, noise) == pytest.approx(6, abs=0.02)


def test_values_from_a_range_are_uniform():
    signals = [0.01 * np.random.default_rng(i).normal(size=400) for i in range(300)]
    noisy = open_audio(AddNoise((0, 10), "white", random_state=0).augment(signals))
    ratios = [decibels(a, b - a) for a, b in zip(signals, noisy, strict=True)]
    assert min(ratios) > -0.01
    assert max(ratios) < 10.01
    counts = np.histogram(ratios, bins=4, range=(0, 10))[0]
    assert counts.min() > 50


@pytest.mark.parametrize(("color", "slope"), [*SLOPES.items()])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_colors_fall_by_so_many_decibels_in_an_octave(color, slope, rate):
    noise = colored_noise(color, 8 * rate + 1, rate, np.random.default_rng(0))
    assert len(noise) == 8 * rate + 1
    frequencies, power = welch(noise, rate, nperseg=4096)
    band = (frequencies > 60) & (frequencies < 0.4 * rate)
    fitted = np.polyfit(np.log2(frequencies[band]), 10 * np.log10(power[band]), 1)[0]
    assert fitted == pytest.approx(slope * np.log10(2) / 0.3, abs=0.15)


def test_brown_noise_is_mostly_audible():
    noise = colored_noise("brown", 160000, 16000, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    assert power[200:].sum() > 0.4 * power.sum()  # bins are 0.1 Hz apart


def test_a_longer_recording_contributes_a_random_part():
    recording, starts = saw(60000), []
    for seed in range(30):
        noise = added(AddNoise(0.0, recording, random_state=seed), tone(3000))
        scores = [
            np.corrcoef(noise, recording[start : start + 3000])[0, 1]
            for start in range(0, 57001, 3000)
        ]
        starts.append(int(np.argmax(scores)))
    assert len(set(starts)) > 3


def tone(n):
    return 0.05 * np.sin(np.arange(n, dtype=np.float32))


def test_a_shorter_recording_is_repeated_from_a_random_position():
    recording = np.random.default_rng(0).normal(size=700)
    phases = set()
    for seed in range(10):
        noise = added(AddNoise(0.0, recording, random_state=seed), tone(2100))
        assert np.allclose(noise[:1400], noise[700:], atol=1e-6)
        turns = [np.corrcoef(noise[:700], np.roll(recording, -k))[0, 1] for k in range(700)]
        assert max(turns) > 0.999
        phases.add(int(np.argmax(turns)))
    assert len(phases) > 5


def test_almost_silent_parts_are_avoided(tmp_path):
    recording = np.zeros(160000, np.float32)
    recording[90000:91000] = 0.3 * np.random.default_rng(0).normal(size=1000)
    path = tmp_path / "event.wav"
    soundfile.write(path, recording.clip(-1, 1), 16000)
    for seed in range(20):
        noise = added(AddNoise(0.0, path, random_state=seed), tone(1600))
        assert decibels(tone(1600), noise) == pytest.approx(0, abs=0.1)


def test_entries_are_drawn_equally_often_and_files_within_a_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for name, period in (("a.wav", 4), ("b.flac", 5), ("deep/c.WAV", 7), (".hidden.wav", 9)):
        soundfile.write(tmp_path / name, 0.5 * (np.arange(3500) % period == 0), 16000)
    (tmp_path / "notes.txt").write_text("no audio")
    signals = [tone(2000) + 1e-4 * i for i in range(400)]
    noisy = open_audio(AddNoise(0.0, [tmp_path, "white"], random_state=0).augment(signals))
    periods = []
    for signal, made in zip(signals, noisy, strict=True):
        noise = made - signal
        fits = [np.corrcoef(noise[:-k], noise[k:])[0, 1] for k in (4, 5, 7, 9)]
        periods.append(int(np.argmax(fits)) if max(fits) > 0.9 else "white")
    counts = {kind: periods.count(kind) for kind in set(periods)}
    assert set(counts) == {0, 1, 2, "white"}
    assert 160 < counts["white"] < 240
    assert min(counts.values()) > 40


def test_a_long_file_is_read_part_by_part(tmp_path, monkeypatch):
    path = tmp_path / "hour.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=80000), 16000)
    monkeypatch.setattr(_recordings, "_LONGEST_CACHED", 4.0)
    monkeypatch.setattr(_recordings, "_read", None)
    step = AddNoise(3.0, path, sampling_rate=11025, random_state=0)
    signal = tone(11025)
    noisy = read_audio(step.augment([signal])["file"][0], 11025)
    assert decibels(signal, noisy - signal) == pytest.approx(3, abs=0.02)
    soundfile.write(path, np.zeros(80000), 16000)
    with pytest.raises(AudioError, match=r"8 random parts of the recording are digital silence"):
        read_audio(step.augment([signal])["file"][0], 11025)


def test_errors_name_the_noise_file(tmp_path):
    with pytest.raises(
        AudioError,
        match=r"file 'rain.wav': there is no such file or folder \(and it is none of 'white', .*\)"
        r": correct the path; .* \(parameter 'noises' of AddNoise\)",
    ):
        AddNoise(noises="rain.wav").augment([tone(100)])
    with pytest.raises(AudioError, match=r"no audio in this folder: expected files with"):
        AddNoise(noises=tmp_path).augment([tone(100)])
    with pytest.raises(AudioError, match=r"and a signal is needed: leave it out \(param"):
        AddNoise(noises=np.zeros(10)).augment([tone(100)])
    path = tmp_path / "x.wav"
    path.write_bytes(b"not audio")
    made = AddNoise(noises=path).augment(["speech.wav", tone(100)])
    with pytest.raises(AudioError, match=r"^AddNoise: file '.*x.wav': the file cannot be decoded"):
        read_audio(made["file"][1])
    soundfile.write(path, np.zeros(100), 16000)
    with pytest.raises(AudioError, match=r"AddNoise: file '.*x.wav': the recording is dig"):
        read_audio(made["file"][1])
    path.unlink()
    with pytest.raises(AudioError, match=r"x.wav': the file can no longer be read \(No such"):
        read_audio(made["file"][1])


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, saw(4000), 16000)
    step = AddNoise(0.0, path, random_state=0)
    first = added(step, tone(1000))
    assert np.array_equal(first, added(step, tone(1000)))
    soundfile.write(path, saw(4000)[::-1], 16000)
    assert not np.array_equal(first, added(step, tone(1000)))


def test_the_cache_is_bounded():
    cache, made = BoundedCache(most_bytes=5000), []

    def value(key):
        def make():
            made.append(key)
            return np.zeros(250)

        return cache.get(key, make)

    for key in "aabacab":
        value(key)
    assert made == ["a", "b", "c", "b"]
    cache.get("huge", lambda: np.zeros(1000))
    made.clear()
    value("b")
    assert made == ["b"]


@pytest.mark.corpora
def test_real_noises(shared, speech):
    step = AddNoise(5.0, shared / "noise" / "audio", random_state=0)
    signals = [signal / 8 for signal in speech * 3]
    signals = [signal + np.float32(1e-5 * i) for i, signal in enumerate(signals)]
    noisy = open_audio(step.augment(signals))
    for signal, made in zip(signals, noisy, strict=True):
        assert decibels(signal, made - signal) == pytest.approx(5, abs=0.05)
