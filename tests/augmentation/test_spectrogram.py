"""SpecAugment, TimeWarp and FeatureNoise: their changes and seeds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_ser import FrameScaler, LogMelSpectrogram
from sklearn_ser.augmentation import FeatureNoise, FrameAugmenter, SpecAugment, TimeWarp

STEPS = [SpecAugment(random_state=0), TimeWarp(random_state=0)]


def sequences(n=5, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(30 + 7 * i, 20)).astype(np.float32) for i in range(n)]


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_change_of_a_sequence_does_not_depend_on_its_position(step):
    X = sequences()
    made = step.augment(X)
    assert not any(np.array_equal(a, b) for a, b in zip(made, X, strict=True))
    assert equal(made, [step.augment([frames])[0] for frames in X])
    assert equal(made[::-1], step.augment(X[::-1]))
    assert not equal(made, clone(step).set_params(random_state=1).augment(X))
    assert equal(X, sequences())  # nothing was written to
    assert [frames.shape for frames in made] == [frames.shape for frames in X]
    assert {frames.dtype for frames in made} == {np.dtype("float32")}


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_containers(step):
    X = sequences()
    made = step.augment(X)
    cells = np.empty(len(X), dtype=object)
    cells[:] = X
    index = pd.Index(list("abcde"), name="speaker")
    table = pd.DataFrame({"frames": cells}, index=index)
    table.attrs["frame_features"] = [f"mel{i}" for i in range(20)]
    changed = step.augment(table)
    assert equal(changed["frames"], made)
    assert changed.index.equals(index)
    assert changed.attrs == table.attrs
    assert equal(step.augment(table["frames"]), made)
    assert equal(step.augment(cells), made)
    assert step.augment(cells[:, None]).shape == (5, 1)
    stacked = np.stack([frames[:30] for frames in X])
    assert step.augment(stacked).shape == stacked.shape
    table.iloc[2, 0] = np.nan
    failed = step.augment(table)["frames"]
    assert failed.isna().tolist() == [False, False, True, False, False]
    stacked[1] = np.nan
    assert np.isnan(step.augment(stacked)).all(axis=(1, 2)).tolist() == [False, True] + [False] * 3


def test_in_a_pipeline_test_frames_stay():
    signals = [np.random.default_rng(i).normal(size=8000) / 9 for i in range(3)]
    pipeline = make_pipeline(LogMelSpectrogram(), SpecAugment(random_state=0), FrameScaler())
    pipeline.fit(signals)
    plain = LogMelSpectrogram().fit_transform(signals)
    assert pipeline[:2].transform(signals)["frames"].equals(plain["frames"])
    always = SpecAugment(random_state=0, train_only=False)
    assert equal(
        always.transform(plain)["frames"], SpecAugment(random_state=0).augment(plain)["frames"]
    )


@pytest.mark.parametrize("fill", ["mean", 0.0, -3.0])
def test_masks(fill):
    X = sequences(40)
    step = SpecAugment(2, 6, 3, 9, time_share=0.1, fill=fill, random_state=0)
    bands, stretches = [], []
    for frames, made in zip(X, step.augment(X), strict=True):
        value = frames.mean(axis=0) if fill == "mean" else np.full(20, fill, dtype=np.float32)
        masked = np.isclose(made, value)
        assert (masked | (made == frames)).all()
        band, time = masked.all(axis=0), masked.all(axis=1)
        assert (masked == (band[None] | time[:, None])).mean() > 0.99
        bands.append(band.sum())
        stretches.append(time.sum() / min(9, int(0.1 * len(frames))))
    assert 0 < np.mean(bands) <= max(bands) <= 12
    assert max(stretches) <= 3
    assert np.mean(bands) == pytest.approx(6, abs=1.5)  # two of 3 on average, less what is common
    assert np.mean(stretches) == pytest.approx(1.5, abs=0.4)


def test_no_masks_and_short_sequences():
    X = sequences()
    assert equal(SpecAugment(0, 5, 0, 5).augment(X), X)
    assert equal(SpecAugment(p=0.0).augment(X), X)
    for n_frames in (1, 2, 3, 4, 9):
        short = [np.ones((n_frames, 2))]
        for step in STEPS:
            assert step.augment(short)[0].shape == (n_frames, 2)
    wide = SpecAugment(1, 500, 1, 500, time_share=1.0, random_state=0)
    assert np.isfinite(wide.augment(X)[0]).all()


def test_a_warp_keeps_order_and_ends():
    ramp = np.arange(100.0)[:, None]
    for seed in range(20):
        warped = TimeWarp(20, random_state=seed).augment([ramp])[0].ravel()
        assert warped[0] == 0
        assert warped[-1] == 99
        assert (np.diff(warped) >= 0).all()
        assert np.abs(warped - ramp.ravel()).max() <= 20
        slopes = np.unique(np.diff(warped).round(6))
        assert len(slopes) <= 3  # before, after, and the frame between
    moved = [
        np.abs(TimeWarp(20, random_state=seed).augment([ramp])[0] - ramp).max()
        for seed in range(20)
    ]
    assert 5 < np.mean(moved) < 15


def test_p_is_the_share_that_is_changed():
    X = sequences(200)
    made = SpecAugment(p=0.3, random_state=0).augment(X)
    changed = [not np.array_equal(a, b) for a, b in zip(X, made, strict=True)]
    assert 0.2 < np.mean(changed) < 0.4


def test_ones_own():
    class Reverse(FrameAugmenter):
        def _augment(self, frames, rng):
            return frames[::-1]

    X = sequences()
    assert equal(Reverse().fit_transform(X), [frames[::-1] for frames in X])


def test_noise_on_features():
    X = np.zeros((400, 10))
    X[:, 0] = np.arange(400)
    X[3] = np.nan
    made = FeatureNoise(0.5, random_state=0).augment(X)
    good = np.arange(400) != 3
    assert (made - X)[good].std() == pytest.approx(0.5, rel=0.05)
    assert np.isnan(made[3]).all()
    np.testing.assert_array_equal(made[7], FeatureNoise(0.5, random_state=0).augment(X[7:8])[0])
    np.testing.assert_array_equal(X[4], [4.0] + [0.0] * 9)
    table = pd.DataFrame(X, index=pd.Index(range(400), name="speaker"))
    noisy = FeatureNoise(0.5, random_state=0).augment(table)
    np.testing.assert_array_equal(noisy, made)
    assert noisy.index.equals(table.index)


def test_bad_input():
    with pytest.raises(ValueError, match="without frame sequences, and SpecAugment changes frame"):
        SpecAugment().augment(np.ones((3, 4)))
    with pytest.raises(
        ValueError, match="X holds frame sequences, and FeatureNoise changes features"
    ):
        FeatureNoise().augment(sequences())
    with pytest.raises(ValueError, match="The 'time_share' parameter of SpecAugment must be"):
        SpecAugment(time_share=2).augment(sequences())
