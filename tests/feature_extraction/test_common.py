"""The package's own checks of audio steps, run from one list of instances.

`PretrainedEmbedding` is checked in pretrained/, where its models are created.
"""

import pytest

from sklearn_ser import feature_extraction
from sklearn_ser.feature_extraction import (
    MFCC,
    LogMelSpectrogram,
    OpenSmileExtractor,
    PretrainedEmbedding,
    Prosody,
    SlidingWindows,
    SpeakerEmbedding,
)
from sklearn_ser.testing import audio_step_checks_generator, parametrize_with_audio_checks

STEPS = [
    OpenSmileExtractor(),
    OpenSmileExtractor("IS09"),
    OpenSmileExtractor("GeMAPSv01b", "lld"),
    SpeakerEmbedding(),
    SpeakerEmbedding("unit", target_dbfs=None),
    SpeakerEmbedding("partials"),
    SpeakerEmbedding("frames"),
    LogMelSpectrogram(),
    LogMelSpectrogram(n_mels=26, deltas=1, normalize="utterance"),
    MFCC(),
    Prosody(),
    SlidingWindows(SpeakerEmbedding("unit"), window=0.3, hop=0.2, pooling="mean_std"),
    SlidingWindows(SpeakerEmbedding("unit"), window=0.3, hop=0.2, pooling="frames"),
]
# Every check applies to steps with all shared parameters.
N_CHECKS = 44


@parametrize_with_audio_checks(STEPS)
def test_audio_steps(estimator, check):
    check(estimator)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_number_of_checks(step):
    names = [check.__name__ for _, check in audio_step_checks_generator(step)]
    assert len(names) == len(set(names)) == N_CHECKS


def test_every_public_step_is_checked():
    public = {getattr(feature_extraction, name) for name in feature_extraction.__all__}
    base = feature_extraction.AudioExtractor
    assert public - {base, PretrainedEmbedding} == {type(step) for step in STEPS}
