"""Base class of augmenters: tables in and out, seeds, laziness, the store."""

import pickle

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import AudioAugmenter, Gain
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import LogMelSpectrogram
from sklearn_ser.preprocessing import window_table


class Noise(AudioAugmenter):
    """Adds white noise of this level."""

    cache_revision = 1

    def __init__(self, level=0.01, p=1.0, audio="file", sampling_rate=16000, train_only=True,
                 random_state=None):  # fmt: skip
        super().__init__(
            p=p, audio=audio, sampling_rate=sampling_rate, train_only=train_only,
            random_state=random_state,
        )  # fmt: skip
        self.level = level

    def _augment(self, signal, rng):
        return signal + self.level * rng.normal(size=len(signal))


class Broken(Noise):
    def _augment(self, signal, rng):
        return signal * np.nan


def speech(n=3, seconds=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return [(0.1 * rng.normal(size=int(16000 * seconds))).astype(np.float32) for _ in range(n)]


def heard(X):
    return list(open_audio(X))


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_table_keeps_its_columns_and_index():
    X = pd.DataFrame(
        {"file": speech(), "speaker": ["a", "b", "c"], "start": [0.1, 0.0, 0.2]},
        index=pd.Index([5, 7, 9], name="n"),
    )
    made = Noise(random_state=0).augment(X)
    assert list(made.columns) == ["file", "speaker", "start"]
    assert made.index.equals(X.index)
    assert made["start"].isna().all()
    assert [len(signal) for signal in heard(made)] == [6400, 8000, 4800]
    assert X["start"].tolist() == [0.1, 0.0, 0.2]


def test_times_may_be_timedeltas():
    X = pd.DataFrame({"file": speech(2), "end": pd.to_timedelta([0.4, 0.25], "s")})
    made = Noise().augment(X)
    assert made["end"].isna().all()
    assert made["end"].dtype == X["end"].dtype
    assert [len(signal) for signal in heard(made)] == [6400, 4000]


@pytest.mark.parametrize("kind", [list, pd.Series, np.array])
def test_other_containers_become_one_column(kind):
    made = Noise(random_state=0).augment(kind(speech()))
    assert list(made.columns) == ["file"]
    assert equal(heard(made), heard(Noise(random_state=0).augment(speech())))


def test_the_change_of_an_utterance_does_not_depend_on_its_position():
    signals = speech(4)
    step = Noise(random_state=3)
    alone = [heard(step.augment([signal]))[0] for signal in signals]
    assert equal(alone, heard(step.augment(signals)))
    assert equal(alone[::-1], heard(step.augment(signals[::-1])))
    assert equal(alone, heard(clone(step).augment(signals)))
    assert not equal(alone, heard(Noise(random_state=4).augment(signals)))
    assert not equal(alone, signals)


def test_reading_twice_gives_the_same_and_so_do_copies_of_the_table():
    made = Noise().augment(speech())
    first = heard(made)
    assert equal(first, heard(made))
    assert equal(first, heard(pickle.loads(pickle.dumps(made))))


def test_without_a_seed_every_call_differs_and_a_random_state_advances():
    signals = speech(1)
    assert not equal(heard(Noise().augment(signals)), heard(Noise().augment(signals)))
    step = Noise(random_state=np.random.RandomState(0))
    first, second = heard(step.augment(signals)), heard(step.augment(signals))
    assert not equal(first, second)
    assert equal(first, heard(Noise(random_state=np.random.RandomState(0)).augment(signals)))


def test_a_later_change_of_the_step_changes_no_table():
    step = Noise(random_state=0)
    made = step.augment(speech())
    before = heard(made)
    step.set_params(level=0.5)
    assert equal(before, heard(made))


def test_p_is_the_share_that_is_changed():
    signals = speech(200, seconds=0.01)
    changed = [
        not np.array_equal(a, b)
        for a, b in zip(signals, heard(Noise(p=0.3, random_state=0).augment(signals)), strict=True)
    ]
    assert 0.2 < np.mean(changed) < 0.4
    assert equal(signals, heard(Noise(p=0.0).augment(signals)))


def test_in_a_pipeline_only_training_audio_is_changed():
    signals = speech()
    step = Noise(level=0.05, random_state=0)
    assert equal(heard(step.fit_transform(signals)), heard(step.augment(signals)))
    assert step.transform(signals) is signals
    always = clone(step).set_params(train_only=False)
    assert equal(heard(always.transform(signals)), heard(step.augment(signals)))
    pipeline = make_pipeline(step, LogMelSpectrogram())
    trained = pipeline.fit_transform(signals)["frames"]
    assert not equal(trained, pipeline.transform(signals)["frames"])
    plain = LogMelSpectrogram().fit_transform(signals)["frames"]
    assert equal(pipeline.transform(signals)["frames"], plain)


def test_augmenters_in_a_row():
    signals = speech()
    chain = make_pipeline(Noise(random_state=0), Gain(-6.0, random_state=0))
    noisy = heard(Noise(random_state=0).augment(signals))
    softer = [(signal * 10 ** (-6 / 20)).astype(np.float32) for signal in noisy]
    assert all(
        np.allclose(a, b, atol=1e-7)
        for a, b in zip(heard(chain.fit_transform(signals)), softer, strict=True)
    )


def test_two_augmenters_draw_different_numbers():
    class Other(Noise):
        pass

    (first,), (second,) = (
        heard(step(random_state=0).augment(speech(1))) for step in (Noise, Other)
    )
    source = speech(1)[0]
    assert abs(np.corrcoef(first - source, second - source)[0, 1]) < 0.05


def test_full_scale_is_never_passed_and_the_shape_of_the_wave_stays():
    signal = 0.9 * np.sin(np.arange(1600) / 10).astype(np.float32)
    (louder,) = heard(Gain(12.0).augment([signal]))
    assert np.abs(louder).max() == np.float32(32767 / 32768)
    assert np.allclose(louder / louder.max(), signal / signal.max(), atol=1e-6)


class Returned(Noise):
    """Returns samples that are passed as the level."""

    def _augment(self, signal, rng):
        return self.level


def test_scaling_down_does_not_round_beyond_the_top():
    rng = np.random.default_rng(0)
    for peak in rng.uniform(1, 20, size=200).astype(np.float32):
        for made in (np.array([peak, -peak, 0.1], np.float32), np.array([peak, -peak], float)):
            (signal,) = heard(Returned(made).augment(speech(1)))
            assert signal.dtype == np.float32
            assert signal.min() >= -1
            assert signal.max() <= np.float32(32767 / 32768)


def test_silence_and_rows_without_audio_stay():
    made = Noise().augment(pd.DataFrame({"file": [np.zeros(800, np.float32), None]}))
    assert not read_audio(made["file"][0]).any()
    assert made["file"][1] is None
    with pytest.raises(AudioError, match=r"row 1: no audio in this row \(found None\)"):
        heard(made)


def test_errors_name_the_row_and_the_file(tmp_path):
    made = Noise().augment(["missing.wav"])
    with pytest.raises(AudioError, match=r"row 0, file 'missing.wav': the file does not exist"):
        heard(made)
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(1)[0], 16000)
    with pytest.raises(
        AudioError, match=r"row 0, file '.*a.wav': Broken returned an array of shape"
    ):
        heard(Broken().augment([path]))
    X = pd.DataFrame({"file": [str(path)] * 2, "start": [0.1, "soon"]})
    with pytest.raises(AudioError, match=r"row 1, file .*start must be a number of seconds"):
        heard(Noise().augment(X))


def test_sampling_rate(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(1)[0], 16000)
    made = Noise(sampling_rate=8000, random_state=0).augment([path])
    assert len(read_audio(made["file"][0], 8000)) == 4000
    assert len(read_audio(made["file"][0], 16000)) == 8000


def test_windows_of_augmented_audio():
    made = Noise(random_state=0).augment(speech(1, seconds=1.0))
    windows = window_table(made, window=0.5, hop=0.25)
    assert windows["start"].tolist() == [0.0, 0.25, 0.5]
    (whole,) = heard(made)
    assert np.array_equal(heard(windows)[1], whole[4000:12000])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_store_holds_features_of_augmented_audio(tmp_path, n_jobs, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(1)[0], 16000)
    X = pd.DataFrame({"file": [str(path), str(path)], "end": [np.nan, 0.3]})
    step = LogMelSpectrogram(store=tmp_path / "store", n_jobs=n_jobs)
    plain = clone(step).set_params(store=None)
    noisy = {seed: Noise(random_state=seed).augment(X) for seed in (0, 1)}
    stored = {seed: step.transform(table)["frames"] for seed, table in noisy.items()}
    for seed, table in noisy.items():
        assert equal(stored[seed], plain.transform(table)["frames"])
    assert not equal(stored[0], stored[1])
    assert not equal(stored[0], step.transform(X)["frames"])

    def computed_again(self, signal):
        raise AssertionError("it is not in the store")

    monkeypatch.setattr("sklearn_ser.feature_extraction._parallel._features", computed_again)
    assert equal(step.transform(Noise(random_state=0).augment(X))["frames"], stored[0])
    with pytest.raises(AssertionError, match="it is not in the store"):
        step.transform(Noise(level=0.02, random_state=0).augment(X))


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="The 'p' parameter of Noise must be a float in the range"):
        Noise(p=2).fit(None)
    with pytest.raises(
        ValueError,
        match=r"The 'gain_db' parameter of Gain must be a float in the range \[-100.0, 100.0\], or "
        r"a range \(lowest, highest\) of such numbers. Got \(3, 2\) instead.",
    ):
        Gain((3, 2)).augment(speech(1))
