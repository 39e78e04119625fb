"""Features that change without a new revision would be mixed with old ones from a store."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_ser import feature_extraction
from sklearn_ser.audio import _loading, read_audio
from sklearn_ser.feature_extraction import (
    MFCC,
    LogMelSpectrogram,
    OpenSmileExtractor,
    Prosody,
    SlidingWindows,
    SpeakerEmbedding,
)

#: Step, revision, and some of its features for `utterance` (see `some_features`).
GOLDEN = [
    (OpenSmileExtractor(), 1, [32.9197, 2.40497, 4.35794, 2868.22, 1.36421, -26.1111, 119.797]),
    (
        OpenSmileExtractor("ComParE_2016"),
        1,
        [0.783494, 265.32, 0.248259, 0.039062, -0.0512976, 234.864, 31022200.0],
    ),
    (
        OpenSmileExtractor("eGeMAPSv02", "lld"),
        1,
        [0.630905, -0.0112367, 42.8586, 4.12552, 1723.41, -46.458, 369.488],
    ),
    (
        SpeakerEmbedding(),
        1,
        [0.202016, 0.0167035, -0.0502536, 0.0333921, 0.0120977, 0.0145047, 0.0263422],
    ),
    (
        SpeakerEmbedding("unit"),
        1,
        [0.00918311, 0.105159, 0.0, 0.0142732, 0.0, 0.0, 0.0351241],
    ),
    (
        LogMelSpectrogram(),
        1,
        [-11.0758, -15.9999, -21.1176, -29.1487, -75.8444, -29.8388, -36.885],
    ),
    (MFCC(), 1, [-231.507, -20.2358, -3.22476, 2.42836, -1.14018, 0.171899, -0.921678]),
    (Prosody(), 1, [24.3764, 24.3764, 1.0, 1.0, 0.998569, -22.3608, 1.00355]),
    (
        SlidingWindows(OpenSmileExtractor(), window=0.5, hop=0.25, pooling="mean_std"),
        1,
        [33.8865, 1.64818, -4.127, 0.597952, 51.7079, 0.616851, 63.0752],
    ),
]
#: Steps that are not tested here, and the reason.
NOT_TESTED = {"PretrainedEmbedding": "its models are downloaded; their content is in the key"}
LOADED_AUDIO = [8000.0, 0.02318621, 0.03597928, 1.693313e-05, 0.1362966]


def utterance():
    """Return one second of a synthetic voice."""
    time = np.arange(16000) / 16000
    phase = 2 * np.pi * (140 * time + 1.5 * np.sin(2 * np.pi * 3 * time))
    voice = sum(np.sin(n * phase + n * n) / n**1.2 for n in range(1, 25))
    loudness = np.clip(1.2 * np.sin(2 * np.pi * 2.3 * time), 0, 1)
    hiss = np.sin(1e5 * time**2) + np.sin(7e4 * time**3)
    return (0.1 * loudness * voice + 0.005 * hiss).astype("float32")


def some_features(extractor):
    """Return six features and the mean of all; those of the middle frame of a sequence."""
    features = clone(extractor).transform([utterance()]).iloc[0]
    if extractor._frame_level:
        features = features["frames"][len(features["frames"]) // 2]
    features = np.asarray(features, dtype=float)
    return [*features[np.linspace(0, len(features) - 1, 6).astype(int)], features.mean()]


@pytest.mark.parametrize(("extractor", "revision", "expected"), GOLDEN)
def test_features_have_not_changed_without_a_new_revision(extractor, revision, expected):
    assert extractor.cache_revision == revision, "a new revision: update its numbers here"
    np.testing.assert_allclose(
        some_features(extractor),
        expected,
        rtol=1e-4,
        atol=1e-4,
        err_msg="features changed: raise cache_revision and update",
    )


def test_audio_loading_has_not_changed_without_a_new_revision():
    assert _loading.REVISION == 2, "a new revision: update the numbers here"
    stereo = np.stack([utterance(), 0.5 * utterance()])
    read = read_audio((stereo, 22050), remove_dc=True, start=0.1, end=0.6)
    np.testing.assert_allclose(
        [len(read), read[100], read[4000], read[7900], np.abs(read).max()],
        LOADED_AUDIO,
        rtol=1e-4,
        atol=1e-6,
        err_msg="numbers changed: raise _loading.REVISION and update",
    )


def test_no_extractor_is_forgotten():
    public = {getattr(feature_extraction, name) for name in feature_extraction.__all__}
    base = feature_extraction.AudioExtractor
    extractors = {cls.__name__ for cls in public if issubclass(cls, base)} - {base.__name__}
    assert extractors == {type(step).__name__ for step, *_ in GOLDEN} | NOT_TESTED.keys()
