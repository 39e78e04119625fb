"""TelephoneBand, Clip, TimeMask, TimeShift, Gain, measured: bandwidth, shares, times."""

import numpy as np
import pytest
from scipy.signal import welch

from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import Clip, Gain, TelephoneBand, TimeMask, TimeShift

RATE = 16000


def noise(n=RATE, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).normal(size=n)).clip(-1, 1).astype(np.float32)


def heard(step, signal, rate=RATE):
    return read_audio(step.augment([signal])["file"][0], rate)


def band_gains(made, source, rate=RATE):
    """Frequencies and the gain there in dB."""
    frequencies, before = welch(source, rate, nperseg=2048)
    return frequencies, 10 * np.log10(welch(made, rate, nperseg=2048)[1] / before)


@pytest.mark.parametrize(("low", "high"), [(300.0, 3400.0), (500.0, 2000.0)])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_the_band_is_what_gets_through(low, high, rate):
    source = noise(4 * rate)
    made = heard(TelephoneBand(low, high, sampling_rate=rate), source, rate)
    frequencies, gains = (values[3:] for values in band_gains(made, source, rate))  # no means
    inside = (frequencies > low + 40) & (frequencies < high - 40)
    assert np.abs(gains[inside]).max() < 0.5
    assert gains[(frequencies < low - 140) | (frequencies > high + 440)].max() < -50
    assert gains[np.argmin(np.abs(frequencies - (high + 200)))] == pytest.approx(-6, abs=1.5)


def test_the_band_has_no_delay_and_no_end_beyond_half_the_rate():
    click = np.zeros(4000, np.float32)
    click[1234] = 0.9
    assert np.argmax(np.abs(heard(TelephoneBand(), click))) == 1234
    source = noise(8000)
    made = heard(TelephoneBand(0.0, 3400.0, sampling_rate=6000), source, 6000)
    assert np.allclose(made, source, atol=1e-6)


def test_of_band_edges_ranges_are_drawn():
    step = TelephoneBand((200, 500), (2000, 4000), random_state=0)
    tops = []
    for i in range(20):
        frequencies, gains = band_gains(heard(step, noise(seed=i)), noise(seed=i))
        tops.append(frequencies[gains > -3].max())
    assert 2000 < min(tops) < 2800
    assert 3300 < max(tops) < 4300


@pytest.mark.parametrize("overdrive", [0.0, 6.0, 20.0])
def test_overdrive_is_the_distance_from_the_peak(overdrive):
    source = noise()
    made = heard(Clip(overdrive), source)
    threshold = np.abs(source).max() * 10 ** (-overdrive / 20)
    assert np.abs(made).max() == pytest.approx(threshold, rel=1e-5)
    within = np.abs(source) < threshold * 0.9999
    assert np.array_equal(made[within], source[within])
    assert np.allclose(np.abs(made[~within]), threshold, rtol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 0.95])
def test_the_share_of_the_samples_is_clipped(share):
    source = noise()
    made = heard(Clip(share=share), source)
    assert np.mean(made != source) == pytest.approx(share, abs=1e-4)
    assert (np.abs(source[made != source]) > np.abs(made).max()).all()


def test_what_is_mostly_silent_is_not_clipped_to_silence():
    source = np.zeros(1000, np.float32)
    source[:50] = noise(50)
    assert np.array_equal(heard(Clip(share=0.5), source), source)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("n_masks", [1, 3])
@pytest.mark.parametrize("fade", [0.0, 0.005])
def test_the_share_of_the_utterance_is_masked(share, n_masks, fade):
    for seed in range(5):
        made = heard(TimeMask(share, n_masks=n_masks, fade=fade, random_state=seed), noise())
        changed = made != noise()
        assert np.mean(changed) == pytest.approx(share, abs=0.001)
        silent = made == 0
        faded = 2 * n_masks * round(fade * RATE) if share else 0
        assert silent.sum() == pytest.approx(share * RATE - faded, abs=3 * n_masks)
        edges = np.flatnonzero(np.diff(np.r_[False, changed, False].astype(int)))
        assert len(edges) // 2 <= n_masks
        assert np.abs(made).max() <= np.abs(noise()).max()


def test_masks_lie_anywhere():
    seen = np.zeros(RATE, bool)
    for seed in range(60):
        seen |= heard(TimeMask(0.2, random_state=seed), noise()) == 0
    assert seen[1500:-1500].all()


def test_the_fade_has_no_steps():
    constant = np.full(RATE, 0.5, np.float32)
    made = heard(TimeMask(0.3, fade=0.01, random_state=1), constant)
    assert np.abs(np.diff(made)).max() < 0.01
    assert made.min() == 0


@pytest.mark.parametrize("shift", [-0.7, -0.25, 0.0, 0.1, 0.5])
@pytest.mark.parametrize("fade", [0.0, 0.01])
def test_shift_in_a_circle(shift, fade):
    source = noise()
    made = heard(TimeShift(shift, fade=fade), source)
    expected = np.roll(source, round(shift * RATE))
    away = np.ones(RATE, bool)
    seam = round(shift * RATE) % RATE
    away[max(0, seam - round(fade * RATE)) : seam + round(fade * RATE)] = False
    assert np.array_equal(made[away], expected[away])
    if fade and shift:
        assert np.abs(made[seam - 2 : seam + 2]).max() < 0.01 * np.abs(source).max()


@pytest.mark.parametrize(("shift", "silent"), [(0.25, slice(0, 4000)), (-0.25, slice(12000, None))])
def test_shift_into_silence(shift, silent):
    source = noise()
    made = heard(TimeShift(shift, mode="silence", fade=0), source)
    assert not made[silent].any()
    kept = np.ones(RATE, bool)
    kept[silent] = False
    assert np.array_equal(made[kept], np.roll(source, round(shift * RATE))[kept])


@pytest.mark.parametrize(("shift", "kept"), [(0.99, 7), (-0.99, 0)])
def test_a_shift_of_nearly_all_of_a_short_signal_leaves_one_sample(shift, kept):
    made = heard(TimeShift(shift, mode="silence", fade=0), np.full(8, 0.5))
    assert np.flatnonzero(made).tolist() == [kept]


def test_shifts_are_drawn_evenly():
    signals = [noise(1000, seed=i) for i in range(200)]
    moved = [
        np.flatnonzero(made)[0]
        for made in open_audio(
            TimeShift((0, 0.4), mode="silence", fade=0, random_state=0).augment(signals)
        )
    ]
    counts = np.histogram(moved, bins=4, range=(0, 400))[0]
    assert max(moved) <= 400
    assert counts.min() > 30


def test_gains_are_drawn_evenly_in_decibels():
    signals = [noise(1000, seed=i, level=0.01) for i in range(200)]
    made = open_audio(Gain((-12, 6), random_state=0).augment(signals))
    gains = [20 * np.log10(a.std() / b.std()) for a, b in zip(made, signals, strict=True)]
    assert min(gains) > -12.01
    assert max(gains) < 6.01
    assert np.histogram(gains, bins=3, range=(-12, 6))[0].min() > 45


def test_masks_of_a_few_samples():
    for n in (1, 2, 5):
        signal = np.full(n, 0.5, dtype=np.float32)
        assert len(heard(TimeMask(0.99, n_masks=3, random_state=0), signal)) == n
