"""Properties that all augmenters share: one list of instances is used in all tests."""

import pickle
import re

import audiomentations
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from joblib import parallel_config
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_ser import LogMelSpectrogram, augmentation, make_speech_corpus
from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import (
    AddNoise,
    AddReverb,
    AudioAugmenter,
    AudiomentationsAugmenter,
    Clip,
    Codec,
    Gain,
    PitchShift,
    SpeedPerturbation,
    TelephoneBand,
    TempoPerturbation,
    TimeMask,
    TimeShift,
    VocalTractLengthPerturbation,
)
from sklearn_ser.store._keys import encoded

WOOD = np.random.default_rng(7).normal(size=900)

#: Draws no random numbers.
HALL = AddReverb(WOOD * np.exp(-np.arange(900) / 100), tail=True, random_state=0)

STEPS = [
    AddNoise(random_state=0),
    AddNoise((0, 10), [(WOOD, 22050), "violet", "blue"], random_state=0),
    AddReverb(random_state=0),
    HALL,
    AudiomentationsAugmenter(
        audiomentations.Compose(
            [
                audiomentations.AddColorNoise(p=0.7),
                audiomentations.OneOf(
                    [audiomentations.Shift(p=1.0), audiomentations.LowPassFilter(p=1.0)]
                ),
            ]
        ),
        random_state=0,
    ),
    Clip(random_state=0),
    Clip(share=(0.1, 0.3), random_state=0),
    Codec(random_state=0),
    Codec("mp3", random_state=0),
    Gain(random_state=0),
    PitchShift(random_state=0),
    SpeedPerturbation(random_state=0),
    TelephoneBand(low=(200, 400), high=(2800, 3600), random_state=0),
    TempoPerturbation(random_state=0),
    TimeMask(n_masks=2, random_state=0),
    TimeShift(random_state=0),
    TimeShift(mode="silence", fade=0, random_state=0),
    VocalTractLengthPerturbation(random_state=0),
]
every_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)

#: Another value of every parameter that affects the samples.
OTHER = {
    "snr": 3.0,
    "noises": "white",
    "impulse_responses": WOOD[:100],
    "rt60": 0.4,
    "drr": 3.0,
    "tail": True,
    "effect": audiomentations.AddColorNoise(p=0.6),
    "overdrive": 4.0,
    "share": 0.25,
    "codec": "alaw",
    "compression": 0.6,
    "gain_db": -3.0,
    "semitones": 1.0,
    "factor": 1.05,
    "low": 250.0,
    "high": 3900.0,
    "n_masks": 3,
    "fade": 0.01,
    "shift": 0.1,
    "mode": "silence",
    "boundary": 4000.0,
    "p": 0.5,
    "sampling_rate": 12000,
}
#: Other values for steps that have the value above.
ALSO = {"tail": False, "mode": "circular"}


@pytest.fixture(scope="module")
def speech():
    corpus = make_speech_corpus(2, 1, duration=0.7, random_state=0)
    return [np.asarray(signal, dtype=np.float32) for signal, _ in corpus.frame["file"][:4]]


def heard(X):
    return list(open_audio(X))


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_every_public_augmenter_is_tested():
    public = {getattr(augmentation, name) for name in augmentation.__all__}
    tested = {type(step) for step in STEPS} | {AudioAugmenter}
    assert {cls for cls in public if issubclass(cls, AudioAugmenter)} == tested


@every_step
def test_parameters_clone_pickle_and_repr(step, speech):
    other = clone(step)
    assert {str(v) for v in other.get_params().values()} == {
        str(v) for v in step.get_params().values()
    }
    assert step.fit(speech) is step
    assert repr(step).startswith(type(step).__name__)
    expected = heard(step.augment(speech[:1]))
    assert equal(expected, heard(other.augment(speech[:1])))
    assert equal(expected, heard(pickle.loads(pickle.dumps(step)).augment(speech[:1])))
    pickled = pickle.dumps(step.augment(speech[:1]))
    assert equal(expected, heard(pickle.loads(pickled)))
    assert not re.search(rb"sklearn_ser[\w.]*\._", pickled)


@every_step
def test_samples_are_valid_and_changed(step, speech):
    before = [signal.copy() for signal in speech]
    made = heard(step.augment(speech))
    assert equal(before, speech)
    for signal, source in zip(made, speech, strict=True):
        assert signal.dtype == np.float32
        assert np.isfinite(signal).all()
        assert np.abs(signal).max() <= 1
        assert signal.std() > 0.01 * source.std()
    assert not any(map(np.array_equal, made, speech))


@every_step
def test_the_change_depends_on_the_utterance_and_the_seed(step, speech):
    together = heard(step.augment(speech))
    alone = [heard(step.augment([signal]))[0] for signal in speech]
    assert equal(together, alone)
    assert equal(together[::-1], heard(step.augment(speech[::-1])))
    other = heard(clone(step).set_params(random_state=1).augment(speech))
    assert equal(together, other) == (step is HALL)


@every_step
def test_threads_and_processes_give_the_same(step, speech):
    made = step.augment(speech * 3)
    expected = LogMelSpectrogram().transform(made)["frames"]
    for backend in ("threading", "loky"):
        with parallel_config(backend=backend):
            got = LogMelSpectrogram(n_jobs=2).transform(made)["frames"]
        assert equal(expected, got)


@every_step
def test_only_training_audio_is_changed_in_a_pipeline(step, speech):
    pipeline = make_pipeline(step, LogMelSpectrogram())
    trained = pipeline.fit_transform(speech)["frames"]
    assert equal(trained, LogMelSpectrogram().transform(step.augment(speech))["frames"])
    plain = LogMelSpectrogram().transform(speech)["frames"]
    assert equal(pipeline.transform(speech)["frames"], plain)
    always = clone(step).set_params(train_only=False)
    assert equal(heard(always.transform(speech)), heard(step.augment(speech)))


@every_step
def test_silence_stays_silence(step):
    (made,) = heard(step.augment([np.zeros(4000, np.float32)]))
    assert np.array_equal(made, np.zeros(4000))


@every_step
@pytest.mark.parametrize("n", [1, 2, 17, 960])
def test_very_short_audio(step, n):
    signal = (0.1 * np.random.default_rng(n).normal(size=n)).astype(np.float32)
    (made,) = heard(step.augment([signal]))
    assert len(made) >= 1
    assert np.isfinite(made).all()


@every_step
def test_full_scale(step):
    signal = np.clip(np.random.default_rng(0).normal(size=4000), -1, 1).astype(np.float32)
    (made,) = heard(step.augment([signal]))
    assert np.isfinite(made).all()
    assert made.std() > 0.02


@every_step
def test_other_kinds_of_audio(step, speech, tmp_path):
    sixteen = (speech[0] * 32767).astype(np.int16)
    mono = heard(step.augment([sixteen]))[0]
    stereo = heard(step.augment([np.stack([sixteen, sixteen])]))[0]
    assert np.array_equal(mono, stereo)
    path = tmp_path / "speech.wav"
    soundfile.write(path, sixteen, 16000)
    table = pd.DataFrame({"file": [str(path)], "speaker": ["a"]})
    made = step.augment(table)
    assert list(made.columns) == ["file", "speaker"]
    assert np.array_equal(heard(made)[0], mono)
    other_rate = clone(step).set_params(sampling_rate=11025)
    n_samples = len(read_audio(other_rate.augment(table)["file"][0], 11025))
    assert n_samples == pytest.approx(len(mono) * 11025 / 16000, rel=0.2)


@every_step
def test_a_store_key_changes_with_each_parameter(step):
    relevant = [name for name in step.get_params(deep=False) if name in OTHER]
    irrelevant = {"audio", "train_only", "random_state"}
    assert set(relevant) | irrelevant == set(step.get_params(deep=False))
    key = encoded(step._frozen())
    assert key == encoded(clone(step)._frozen())
    assert key == encoded(clone(step).set_params(random_state=5, train_only=False)._frozen())
    other = {
        name: OTHER[name] if step.get_params()[name] is not OTHER[name] else ALSO[name]
        for name in relevant
    }
    keys = {encoded(clone(step).set_params(**{name: other[name]})._frozen()) for name in relevant}
    assert key not in keys
    assert len(keys) == len(relevant)


def test_files_count_by_their_bytes(tmp_path):
    rng = np.random.default_rng(0)
    keys = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "x.wav"
        soundfile.write(path, 0.1 * np.random.default_rng(seed).normal(size=800), 16000)
        steps = [
            AddNoise(noises=[tmp_path / folder]),
            AddReverb(str(path)),
            AudiomentationsAugmenter(audiomentations.AddBackgroundNoise(str(tmp_path / folder))),
        ]
        keys.append([encoded(step._frozen()) for step in steps])
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])
    soundfile.write(tmp_path / "a" / "x.wav", 0.1 * rng.normal(size=801), 16000)
    step = AddNoise(noises=[tmp_path / "a"])
    assert encoded(step._frozen()) not in keys[0]


def test_a_changed_noise_file_is_read_and_extracted_again(tmp_path, speech):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.full(20000, 0.1) * np.resize([1, -1], 20000), 16000)
    extractor = LogMelSpectrogram(store=tmp_path / "store")
    step = AddNoise(0.0, path, random_state=0)
    first = extractor.transform(step.augment(speech))["frames"]
    assert equal(first, extractor.transform(step.augment(speech))["frames"])
    soundfile.write(path, np.full(20001, 0.1) * np.resize([1, 1, -1, -1], 20001), 16000)
    second = extractor.transform(step.augment(speech))["frames"]
    assert not equal(first, second)
    assert equal(second, LogMelSpectrogram().transform(step.augment(speech))["frames"])


AUDIO = arrays(
    np.float32,
    st.integers(1, 600),
    elements=st.floats(-1, 1, width=32),
    fill=st.floats(-1, 1, width=32),
).filter(lambda audio: not 0 < np.abs(audio).max() < 2**-15)  # which audio loading calls silence


@every_step
@settings(
    max_examples=12,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(audio=AUDIO, seed=st.integers(0, 2**31 - 1))
def test_any_audio_gives_valid_audio(step, audio, seed):
    made = heard(clone(step).set_params(random_state=seed).augment([audio]))[0]
    assert made.dtype == np.float32
    assert len(made) >= 1
    assert np.isfinite(made).all()
    assert np.abs(made).max() <= 1


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (AddNoise("loud"), "The 'snr' parameter of AddNoise must be"),
        (AddNoise(noises=3), "The 'noises' parameter of AddNoise must be 'white', 'pink', 'brown'"),
        (AddNoise(noises=[]), r"Got \[\] instead"),
        (AddReverb(rt60=-1), "The 'rt60' parameter of AddReverb must be"),
        (AddReverb(None), "must be 'synthetic', a file, a folder, an array, a pair"),
        (AudiomentationsAugmenter("Gain"), "The 'effect' parameter of AudiomentationsAugmenter"),
        (Clip(share=1), r"in the range \[0.0, 1.0\), or a range"),
        (Codec("aac"), r"one or several of \['mp3', 'vorbis', 'opus', 'mulaw', 'alaw'\]. Got 'aac"),
        (Codec(compression=1), "The 'compression' parameter of Codec must be"),
        (PitchShift((-30, 0)), "The 'semitones' parameter of PitchShift must be"),
        (SpeedPerturbation(0), "The 'factor' parameter of SpeedPerturbation must be"),
        (TelephoneBand(4000), "must lie below 'high'. Got low=4000 and high=3400.0 instead"),
        (TempoPerturbation(10), "The 'factor' parameter of TempoPerturbation must be"),
        (TimeMask(n_masks=0), "The 'n_masks' parameter of TimeMask must be"),
        (TimeShift(1), "The 'shift' parameter of TimeShift must be"),
        (VocalTractLengthPerturbation(3), "The 'factor' parameter of VocalTractLength"),
    ],
)
def test_parameters_are_checked(step, message):
    with pytest.raises(ValueError, match=message):
        step.fit(None)


@pytest.mark.corpora
@every_step
def test_real_speech(step, shared):
    paths = sorted((shared / "corpora" / "emodb" / "audio").rglob("*.*"))[::180]
    assert len(paths) >= 2
    sources = list(open_audio(paths))
    for made, source in zip(open_audio(step.augment(paths)), sources, strict=True):
        assert len(made) == pytest.approx(len(source), rel=0.25)
        assert 0.1 < made.std() / source.std() < 10
        assert not np.array_equal(made, source)
