"""AddReverb, measured: reverberation time by Schroeder's integration, delay, level."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser import make_speech_corpus
from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import AddReverb
from sklearn_ser.augmentation._environment import direct_sound, synthetic_room


@pytest.fixture(scope="module")
def speech():
    frame = make_speech_corpus(2, 1, duration=1.0, random_state=0).frame
    return [np.asarray(signal, dtype=np.float32) for signal, _ in frame["file"]]


def click(n=16000, at=1000):
    signal = np.zeros(n, np.float32)
    signal[at] = 0.9
    return signal


def heard(step, signal, rate=16000):
    return read_audio(step.augment([signal])["file"][0], rate)


def decay_time(response, rate, first=-5, last=-25):
    """Return the reverberation time from the slope of the remaining energy (ISO 3382: T20)."""
    energy = np.cumsum(np.square(response[::-1], dtype=float))[::-1]
    level = 10 * np.log10(energy / energy[0])
    span = slice(np.argmax(level < first), np.argmax(level < last))
    return -60 / np.polyfit(np.arange(len(response))[span] / rate, level[span], 1)[0]


@pytest.mark.parametrize("rt60", [0.15, 0.4, 0.7])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_reverberation_time(rt60, rate):
    times = []
    for seed in range(5):
        step = AddReverb(rt60=rt60, drr=-10.0, sampling_rate=rate, random_state=seed)
        made = heard(step, click(rate, 100), rate)
        times.append(decay_time(made[100:], rate))
    assert np.mean(times) == pytest.approx(rt60, rel=0.08)


@pytest.mark.parametrize("drr", [-3.0, 0.0, 9.0])
def test_direct_to_reverberant_ratio(drr):
    made = heard(AddReverb(rt60=0.3, drr=drr, random_state=0), click())
    direct = np.square(made[990:1020], dtype=float).sum()
    reverberant = np.square(made[1020:], dtype=float).sum()
    assert 10 * np.log10(direct / reverberant) == pytest.approx(drr, abs=0.1)
    # The first reflection comes 2.5 ms later; nothing comes before the direct sound.
    assert np.abs(made[1001:1039]).max() < 1e-3 * made.max()
    assert np.abs(made[:1000]).max() < 1e-5


@pytest.mark.parametrize("delay", [0, 37, 2000])
def test_no_delay_enters(delay):
    room = np.zeros(4000)
    room[delay] = 0.2
    room[delay + 300] = -0.35  # a reflection that is louder than the direct sound
    room[delay + 500 :] += 0.02 * np.random.default_rng(0).normal(size=3500 - delay)
    step = AddReverb(room)
    assert np.abs(heard(step, click())[:1000]).max() < 1e-5
    noise = (0.1 * np.random.default_rng(1).normal(size=16000)).astype(np.float32)
    made = heard(step, noise)
    assert len(made) == len(noise)
    lags = np.correlate(made, noise[1000:-1000])
    assert np.argmax(np.abs(lags[900:1100])) == 100


def test_a_pure_delay_is_the_signal_itself(speech):
    room = np.zeros(800)
    room[123] = 4.0  # of any scale
    for tail in (False, True):
        made = heard(AddReverb(room, tail=tail), speech[0])
        assert np.allclose(made[: len(speech[0])], speech[0], atol=1e-6)
        assert len(made) == len(speech[0]) + tail * (800 - 123 - 1)


@pytest.mark.parametrize("tail", [False, True])
def test_the_level_stays(tail, speech):
    for seed, signal in enumerate(speech):
        made = heard(AddReverb(tail=tail, random_state=seed), signal / 2)[: len(signal)]
        assert np.sqrt(np.mean(made**2)) == pytest.approx(
            np.sqrt(np.mean((signal / 2) ** 2)), rel=1e-4
        )


def test_the_tail_follows_the_end():
    signal = click(2000, 1900)
    with_tail = heard(AddReverb(rt60=0.25, random_state=0, tail=True), signal)
    without = heard(AddReverb(rt60=0.25, random_state=0), signal)
    assert len(with_tail) == 2000 + 4000 - 1
    assert len(without) == 2000
    scale = with_tail[1900] / without[1900]
    assert np.allclose(with_tail[:2000], scale * without, atol=1e-6)
    assert np.abs(with_tail[2000:]).max() > 0.01


def test_of_several_channels_the_first_counts(tmp_path):
    channels = np.zeros((600, 2))
    channels[50, 0] = 0.5
    channels[[60, 90], 1] = 0.5
    path = tmp_path / "room.wav"
    soundfile.write(path, channels, 16000)
    for rooms in (path, tmp_path, channels.T):
        assert np.allclose(heard(AddReverb(rooms), click()), click(), atol=1e-6)


def test_direct_sound():
    room = np.zeros(2000)
    room[700:720] = 0.6 * np.hanning(20)
    room[900] = -1
    assert direct_sound(room, 16000) in (709, 710)
    assert direct_sound(np.array([0.1, 1.0, 0.2]), 16000) == 1


def test_a_room_shorter_than_its_first_reflection():
    room = synthetic_room(0.01, 0.0, 1000, np.random.default_rng(0))
    assert np.isfinite(room).all()
    assert room[0] == 1


@pytest.mark.corpora
def test_real_rooms(shared, speech):
    folder = shared / "rir" / "audio"
    for path in sorted(folder.iterdir()):
        made = heard(AddReverb(path), click())
        # The direct sound arrives at once, if not as a single sample.
        assert np.argmax(np.abs(made) >= 0.5 * np.abs(made).max()) in range(984, 1017)
    made = list(open_audio(AddReverb(folder, random_state=0).augment(speech)))
    assert [len(signal) for signal in made] == [len(signal) for signal in speech]
    known = pd.read_csv(shared / "rir" / "metadata.csv").set_index("file")["rt60_t20_s"]
    for file, seconds in known[known.between(0.3, 1)].items():
        measured = decay_time(heard(AddReverb(shared / "rir" / file), click(48000))[1000:], 16000)
        assert measured == pytest.approx(seconds, rel=0.15)  # rough figures
