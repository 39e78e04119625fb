"""AudiomentationsAugmenter: the global generators, threads, what a store knows of a transform."""

import pickle
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import audiomentations as theirs
import numpy as np
import pytest
import soundfile
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import LogMelSpectrogram
from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import AudiomentationsAugmenter, AugmentingClassifier
from sklearn_ser.exceptions import AudioError
from sklearn_ser.preprocessing import FunctionalsPooling
from sklearn_ser.store._keys import NoStableContent, encoded

CHAIN = theirs.Compose(
    [
        theirs.SomeOf((1, 2), [theirs.AddGaussianSNR(p=1.0), theirs.TimeMask(p=0.8)]),
        theirs.OneOf([theirs.Gain(p=1.0), theirs.TimeStretch(p=1.0)], weights=[0.3, 0.7]),
    ],
    shuffle=True,
)


def signals(n=6):
    return [(0.1 * np.random.default_rng(i).normal(size=3000)).astype(np.float32) for i in range(n)]


def heard(step, audio):
    return list(open_audio(step.augment(audio)))


def equal(first, second):
    return all(map(np.array_equal, first, second))


def global_draws():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn()  # noqa: NPY002


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


def test_the_global_generators_are_neither_used_nor_moved():
    step = AudiomentationsAugmenter(CHAIN, random_state=0)
    seed_all(1)
    global_draws()  # NumPy holds back the second of two Gaussian numbers: that counts as well
    state = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002
    first = heard(step, signals())
    after = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002
    assert str(state) == str(after)
    seed_all(2)
    assert equal(first, heard(step, signals()))
    seed_all(1)
    global_draws()
    expected = global_draws()
    seed_all(1)
    global_draws()
    heard(step, signals())
    assert global_draws() == expected


def test_they_are_put_back_after_an_error():
    def fails(samples, rate):
        global_draws()
        raise RuntimeError("out of tune")

    seed_all(3)
    state = random.getstate()
    made = AudiomentationsAugmenter(fails).augment(signals(1))
    with pytest.raises(AudioError, match=r"row 0: AudiomentationsAugmenter: function failed \(Run"):
        list(open_audio(made))
    assert random.getstate() == state


def test_threads_give_the_same_as_one_after_another():
    step = AudiomentationsAugmenter(CHAIN, random_state=0)
    made = step.augment(signals(40))
    expected = list(open_audio(made))
    barrier = threading.Barrier(4)

    def part(k):
        barrier.wait()
        return [read_audio(cell) for cell in made["file"][k::4]]

    seed_all(4)
    state = random.getstate()
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(part, range(4)))
    for k, got in enumerate(parts):
        assert equal(got, expected[k::4])
    assert random.getstate() == state


def test_a_transform_does_its_own_work():
    (made,) = heard(AudiomentationsAugmenter(theirs.Reverse(p=1.0)), signals(1))
    assert np.array_equal(made, signals(1)[0][::-1])
    unchanged = heard(AudiomentationsAugmenter(theirs.Reverse(p=0.0)), signals(1))
    assert equal(unchanged, signals(1))
    rates = []
    step = AudiomentationsAugmenter(lambda x, rate: rates.append(rate) or x, sampling_rate=8000.0)
    read_audio(step.augment(signals(1))["file"][0], 8000)
    assert rates == [8000]
    assert isinstance(rates[0], int)


def test_frozen_parameters_stay():
    gain = theirs.Gain(-20, -1, p=1.0)
    gain.randomize_parameters(signals(1)[0], 16000)
    gain.freeze_parameters()
    factor = gain.parameters["amplitude_ratio"]
    for made, source in zip(
        heard(AudiomentationsAugmenter(gain), signals()), signals(), strict=True
    ):
        assert np.allclose(made, source * factor, atol=1e-6)


def key_of(effect):
    return encoded(AudiomentationsAugmenter(effect)._frozen())


def test_a_store_key_depends_on_parameters_and_not_on_drawn_values():
    gain = theirs.Gain(-6, 6)
    key = key_of(gain)
    gain(signals(1)[0], 16000)
    assert key_of(gain) == key == key_of(theirs.Gain(-6, 6))
    others = [
        theirs.Gain(-6, 5),
        theirs.Gain(-6, 6, p=0.6),
        theirs.GainTransition(-6, 6),
        theirs.Compose([theirs.Gain(-6, 6)]),
        theirs.Compose([theirs.Gain(-6, 6)], shuffle=True),
        theirs.OneOf([theirs.Gain(-6, 6), theirs.Reverse()]),
        theirs.OneOf([theirs.Gain(-6, 6), theirs.Reverse()], weights=[0.2, 0.8]),
        theirs.OneOf([theirs.Gain(-6, 6), theirs.Reverse()], weights=[0.3, 0.7]),
        theirs.SomeOf(1, [theirs.Gain(-6, 6), theirs.Reverse()]),
        theirs.SomeOf(2, [theirs.Gain(-6, 6), theirs.Reverse()]),
    ]
    keys = [key, *map(key_of, others)]
    assert len(set(keys)) == len(keys)
    frozen = theirs.Gain(-6, 6)
    frozen(signals(1)[0], 16000)
    frozen.freeze_parameters()
    assert key_of(frozen) not in keys


class Louder(theirs.core.transforms_interface.BaseWaveformTransform):
    cache_revision = 1

    def __init__(self, factor=2.0, p=1.0):
        super().__init__(p)
        self.factor = factor

    def apply(self, samples, sample_rate):
        return samples * self.factor


class Forgetful(Louder):
    def __init__(self, much=2.0, p=1.0):
        super().__init__(much, p)


def test_transforms_of_ones_own():
    assert key_of(Louder()) == key_of(Louder())
    assert key_of(Louder()) != key_of(Louder(3.0))
    assert equal(
        heard(AudiomentationsAugmenter(Louder(0.5)), signals()), [s / 2 for s in signals()]
    )
    for effect in (Forgetful(), theirs.Lambda(lambda samples, sample_rate: samples), abs):
        with pytest.raises(NoStableContent, match="the parameter 'effect' of Audiomentations"):
            key_of(effect)


def test_what_has_no_content_is_extracted_and_not_stored(tmp_path):
    step = AudiomentationsAugmenter(Forgetful())
    extractor = LogMelSpectrogram(store=tmp_path / "store")
    made = extractor.transform(step.augment(signals()))["frames"]
    plain = LogMelSpectrogram().transform(step.augment(signals()))["frames"]
    assert equal(made, plain)
    assert len(extractor.transform(signals())) == 6


def test_an_array_of_another_shape_is_an_error():
    step = AudiomentationsAugmenter(lambda samples, rate: np.stack([samples, samples]))
    with pytest.raises(
        AudioError, match=r"Audiomentations.* returned an array of shape \(2, 3000\)"
    ):
        heard(step, signals(1))


class Scaled:
    """A callable that can be neither copied nor pickled."""

    def __init__(self, gain):
        self.gain, self.lock = gain, threading.Lock()

    def __call__(self, samples, sample_rate):
        with self.lock:
            return samples * self.gain


def impulse_responses(folder):
    return theirs.ApplyImpulseResponse(str(folder), p=1.0)


def short_noises(folder):
    return theirs.AddShortNoises(
        str(folder), p=1.0, min_time_between_sounds=0.01, max_time_between_sounds=0.1
    )


def chain_of_both(folder):
    return theirs.Compose([impulse_responses(folder), short_noises(folder)])


@pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("effect", [impulse_responses, short_noises, chain_of_both])
def test_transforms_that_lose_their_cache_in_copies(effect, tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", 0.1 * rng.normal(size=800), 16000)
    X = signals(2)
    step = AudiomentationsAugmenter(effect(tmp_path), random_state=0)
    expected = heard(step, X)
    unpickled = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(step))))
    for copied in (clone(clone(step)), unpickled):
        assert equal(heard(copied, X), expected)
    later = step.augment(X)
    for part in getattr(step.effect, "transforms", [step.effect]):
        part.p = 0.0
    assert equal(list(open_audio(later)), expected)


def test_effects_that_cannot_be_copied_are_shared():
    step = AudiomentationsAugmenter(Scaled(0.5))
    assert clone(step).effect is step.effect
    svm = make_pipeline(LogMelSpectrogram(), FunctionalsPooling(("mean",)), LinearSVC(C=1e-5))
    X, y = signals(4), ["a", "b"] * 2
    model = AugmentingClassifier(svm, {"soft": step}, random_state=0).fit(X, y)
    assert model.n_rows_ == {"original": 4, "soft": 4}
