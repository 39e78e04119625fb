"""Every training set has all classes, or an error names those that it lacks."""

import re

import numpy as np
import pytest

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import (
    CorpusAdaptationSplit,
    LeaveOneCorpusOut,
    LeaveOneSpeakerOut,
    PairwiseCorpusSplit,
    SentenceSpeakerKFold,
    SpeakerKFold,
    WithinCorpusSpeakerKFold,
)

CORPUS = np.repeat(["x", "y"], 8)
SPEAKER = np.repeat(list("abcdefgh"), 2)
TEXT = np.tile(["hello", "hello", "bye", "bye"], 4)
Y = np.tile(["anger", "sadness", "anger", "sadness"], 4).astype(object)


@pytest.mark.parametrize(
    ("splitter", "ids"),
    [
        (LeaveOneCorpusOut(), {"corpus": CORPUS}),
        (PairwiseCorpusSplit(), {"corpus": CORPUS}),
        (SpeakerKFold(2), {"speaker": SPEAKER}),
        (WithinCorpusSpeakerKFold(2), {"speaker": SPEAKER, "corpus": CORPUS}),
        (SentenceSpeakerKFold(2), {"speaker": SPEAKER, "text": TEXT}),
        (CorpusAdaptationSplit(0), {"speaker": SPEAKER, "corpus": CORPUS}),
    ],
    ids=repr,
)
def test_an_absent_class_is_an_error(splitter, ids):
    y = np.where(np.arange(16) == 0, "fear", Y)
    text = re.escape(f"of {splitter!r} has no sample of 'fear' (classes: 'fear', ")
    with pytest.raises(MetadataError, match=text):
        list(splitter.split(Y, y, **ids))
    assert list(splitter.split(Y, **ids))  # without classes there are none to lose


def test_unlabeled_samples_and_numbers_are_no_classes():
    y = np.where(np.arange(16) < 4, None, Y)
    assert len(list(LeaveOneCorpusOut().split(Y, y, corpus=CORPUS))) == 2
    assert len(list(LeaveOneCorpusOut().split(Y, np.arange(16) + 0.5, corpus=CORPUS))) == 2


def test_classes_of_an_array_are_shown_as_strings():
    y = np.array(["anger", "fear", "anger"])
    with pytest.raises(
        MetadataError, match=r"no sample of 'fear' \(classes: 'anger', 'fear'\): all"
    ):
        list(LeaveOneSpeakerOut().split(y, y, groups=["u", "v", "w"]))
