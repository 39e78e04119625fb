"""Audit of splits."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

from sklearn_ser import (
    LeaveOneSpeakerOut,
    SpeakerKFold,
    audit_corpus,
    audit_split,
    make_speech_corpus,
)
from sklearn_ser.audit import AuditReport
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import SentenceSpeakerKFold


@pytest.fixture(scope="module")
def frame():
    return make_speech_corpus(n_speakers=8, n_utterances=2, random_state=0).frame


def flaws_of(report):
    return [(row.flaw, row.severity) for row in report.findings.itertuples()]


def test_speakers_sentences_and_rows_on_both_sides(frame):
    report = audit_split(frame, KFold(4, shuffle=True, random_state=0), audio=None)
    assert flaws_of(report) == [
        ("speaker on both sides", "error"),
        ("text on both sides", "warning"),
    ]
    assert report.findings["evidence"][0] == (
        "8 values of 'speaker' in training and test set, in 4 of 4 splits (synthetic/s1, "
        "synthetic/s2, synthetic/s3, synthetic/s4, synthetic/s5 and 3 more). The score is that of "
        "voices that the model was trained on. Use a splitter by speaker."
    )
    assert str(report).splitlines()[0] == (
        "Audit of 4 splits of 64 utterances of 8 speakers (synthetic): 1 error, 1 warning."
    )
    everything = np.arange(64)
    report = audit_split(frame, [(everything, everything[:8])], audio=None)
    assert flaws_of(report)[0] == ("row on both sides", "error")
    assert report.findings["rows"][0] == list(range(8))


def test_a_good_split(frame):
    report = audit_split(frame, SpeakerKFold(4), audio=None)
    assert flaws_of(report) == [("text on both sides", "warning")]
    report = audit_split(frame, SentenceSpeakerKFold(2), audio=None)
    assert flaws_of(report) == []
    assert report.not_checked == [
        "recording (the column is missing or empty).",
        "copies and cut recordings (audio=None).",
    ]


def test_scikit_learns_group_splitters_get_the_speakers(frame):
    report = audit_split(frame, GroupKFold(4), audio=None)
    assert flaws_of(report) == [("text on both sides", "warning")]
    report = audit_split(frame, GroupKFold(2), groups=frame["text"], audio=None)
    assert flaws_of(report) == [("speaker on both sides", "error")]


def test_recordings_on_both_sides(frame):
    pieces = frame.assign(recording=[f"r{k % 8}" if k % 2 else None for k in range(64)], text=None)
    report = audit_split(pieces, SpeakerKFold(4), audio=None)
    assert flaws_of(report) == [("recording on both sides", "error")]
    assert report.findings["n_rows"][0] == 32


def test_sound_on_both_sides(frame):
    copied = frame.assign(text=None)
    copied["file"] = frame["file"].copy()
    copied.at[40, "file"] = (0.5 * frame["file"][3][0], 16000)
    first = audit_corpus(copied)
    assert flaws_of(first) == [("near duplicate", "error")]
    for report in (
        audit_split(copied, SpeakerKFold(4)),
        audit_split(copied, SpeakerKFold(4), report=first),
    ):
        assert flaws_of(report) == [("near duplicate across sides", "error")]
        assert report.findings["rows"][0] == [3, 40]
        assert report.findings["evidence"][0] == (
            "1 near duplicate with one part in the training set and the other in the "
            "test set, in 2 of 4 splits, such as row 3 and row 40. Keep them on one side, by a "
            "common id in the column 'recording'."
        )
    together = [(np.r_[8:40, 41:64], np.r_[0:8, 40])]
    assert "near duplicate across sides" not in dict(
        flaws_of(audit_split(copied, together, report=first))
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("continuation", "2 continuations with one part in the training set and the ot"),
        ("overlap", "2 overlaps with one part in the training set "),
        ("exact duplicate", "2 exact duplicates with one part in the training set "),
    ],
)
def test_each_kind_of_pair_in_words(frame, kind, text):
    pairs = pd.DataFrame({"first": [0, 1, 2], "second": [63, 62, 3], "kind": kind})
    report = AuditReport([], "", n_rows=64, pairs=pairs)
    split = audit_split(frame.assign(text=None), SpeakerKFold(4), report=report)
    assert flaws_of(split) == [(f"{kind} across sides", "error")]
    assert split.findings["evidence"][0].startswith(text)


def test_missing_classes_and_few_speakers(frame):
    anger = np.flatnonzero(frame["emotion"] == "anger")
    rest = np.setdiff1d(np.arange(64), anger)
    report = audit_split(frame.assign(text=None), [(rest[8:], np.r_[anger[:2], rest[:6]])])
    assert flaws_of(report) == [
        ("class missing from training", "error"),
        ("too few test speakers", "warning"),
    ]
    assert report.findings["evidence"].tolist() == [
        "Classes missing from the training set of 1 split: anger in 1. A model cannot predict a "
        "class that it was not trained on: choose other folds.",
        "1 speaker in the test sets of all splits. With fewer than 8, intervals over speakers are "
        "too narrow: test on more speakers.",
    ]


def test_classes_missing_from_single_test_sets_only(frame):
    emotions = sorted(set(frame["emotion"]))
    own = np.array([emotions[int(speaker[-1]) % 4] for speaker in frame["speaker"]])
    single = frame[frame["emotion"].to_numpy() == own].assign(text=None)
    report = audit_split(single, LeaveOneSpeakerOut(), audio=None)
    assert flaws_of(report) == [("class missing from test", "note")]
    assert report.findings["evidence"][0] == (
        "Classes missing from the test set of 8 splits: anger in 6, happiness in 6, neutral in 6, "
        "sadness in 6. Compute one score of the pooled predictions instead of one per split."
    )


def test_invalid_arguments(frame):
    with pytest.raises(MetadataError, match="audit_split needs the column 'feeling'"):
        audit_split(frame, 4, y="feeling")
    with pytest.raises(MetadataError, match="returns no split"):
        audit_split(frame, [], audio=None)
    other = audit_corpus(frame[:40], audio=None)
    with pytest.raises(MetadataError, match="must be that of audit_corpus on the same 64 rows"):
        audit_split(frame, SpeakerKFold(4), report=other)
