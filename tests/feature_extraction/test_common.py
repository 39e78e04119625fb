"""What every audio step promises: one list of instances, the package's own checks."""

from collections import Counter

import pytest

from sklearn_ser.feature_extraction import (
    MFCC,
    LogMelSpectrogram,
    OpenSmileExtractor,
    SpeakerEmbedding,
)
from sklearn_ser.utils.estimator_checks import (
    audio_step_checks_generator,
    parametrize_with_audio_checks,
)

STEPS = [
    OpenSmileExtractor(),
    OpenSmileExtractor("IS09"),
    SpeakerEmbedding(),
    SpeakerEmbedding("unit", target_dbfs=None),
    LogMelSpectrogram(),
    LogMelSpectrogram(n_mels=26, deltas=1, normalize="utterance"),
    MFCC(),
]
# Steps with all the parameters that audio steps have in common get every check.
N_CHECKS = 39


@parametrize_with_audio_checks(STEPS)
def test_audio_steps(estimator, check):
    check(estimator)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_number_of_checks(step):
    names = Counter(check.__name__ for _, check in audio_step_checks_generator(step))
    assert names.total() == len(names) == N_CHECKS
