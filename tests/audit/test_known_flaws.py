"""Known flaws of corpora in the report of an audit."""

import json

import numpy as np
import pandas as pd
import pytest

from sklearn_ser import audit_corpus, audit_split, make_speech_corpus
from sklearn_ser.audit._known_flaws import FOUND_AS
from sklearn_ser.datasets._known_corpora import CORPUS_NAMES, reader_of
from sklearn_ser.model_selection import SpeakerKFold


@pytest.fixture(scope="module")
def ravdess():
    """Synthetic speech under the name of a known corpus, with a copy."""
    frame = make_speech_corpus(n_speakers=8, n_utterances=1, name="ravdess", random_state=0).frame
    frame.at[5, "file"] = (0.5 * frame["file"][0][0], 16000)
    return frame


@pytest.fixture(scope="module")
def report(ravdess):
    return audit_corpus(ravdess)


def status(report):
    return dict(zip(report.known_flaws["flaw"], report.known_flaws["status"], strict=True))


def texts(name):
    return {flaw.code: flaw.text for flaw in reader_of(name).flaws}


def test_found_and_not_found(report):
    flaws = texts("ravdess")
    assert status(report) == {
        flaws["duplicates"]: "found",
        flaws["imbalanced"]: "not found",
        flaws["level_follows_emotion"]: "not found",
    }
    assert report.known_flaws["corpus"].unique().tolist() == ["ravdess"]
    assert report.known_flaws["found_as"].tolist() == ["near duplicate", "", ""]


def test_known_flaws_are_shown(report):
    shown = " ".join(str(report).split())
    text = texts("ravdess")["duplicates"]
    assert f"Known flaw of ravdess, found (near duplicate): {text}" in shown
    assert f"Known flaw of ravdess, not found: {texts('ravdess')['imbalanced']}" in shown
    assert "<li>Known flaw of ravdess, found (near duplicate): " in report._repr_html_()
    written = json.loads(report.to_json())["known_flaws"]
    assert [flaw["status"] for flaw in written] == ["found", "not found", "not found"]


def test_without_audio(ravdess):
    flaws = texts("ravdess")
    assert status(audit_corpus(ravdess, audio=None)) == {
        flaws["duplicates"]: "not checked",
        flaws["imbalanced"]: "not found",
        flaws["level_follows_emotion"]: "not checked",
    }
    fewer = ravdess[(ravdess["emotion"] != "anger") | (np.arange(len(ravdess)) < 8)]
    assert status(audit_corpus(fewer, audio=None))[flaws["imbalanced"]] == "found"


def test_flaws_of_emotions_are_not_those_of_other_labels(ravdess):
    skewed = ravdess.assign(size=["small"] * 28 + ["large"] * 4)
    report = audit_corpus(skewed, y="size", audio=None)
    assert "class imbalance" in set(report.findings["flaw"])
    assert status(report)[texts("ravdess")["imbalanced"]] == "not checked"


def test_a_finding_counts_for_the_corpus_of_its_rows(ravdess):
    urdu = make_speech_corpus(n_speakers=8, n_utterances=1, name="urdu", random_state=1).frame
    of_speakers = urdu["speaker"].astype("category").cat.codes % 4
    one_emotion_each = urdu.assign(emotion=urdu["emotion"].unique()[of_speakers])
    frame = pd.concat([ravdess, one_emotion_each], ignore_index=True)
    known = audit_corpus(frame, audio=None).known_flaws.set_index("flaw")
    assert known.loc[texts("urdu")["emotion_follows_speaker"], "status"] == "found"
    assert known.loc[texts("urdu")["speakers_missing"], "status"] == "not checked"
    assert set(known["corpus"]) == {"ravdess", "urdu"}


def test_other_corpora_have_no_known_flaws(ravdess):
    own = make_speech_corpus(n_speakers=8, n_utterances=1, random_state=0)
    report = audit_corpus(own, audio=None)
    assert report.known_flaws.empty
    assert "Known flaw" not in str(report)
    split = audit_split(own.frame, SpeakerKFold(2), audio=None)
    assert split.known_flaws.empty


def test_every_code_is_that_of_a_corpus():
    codes = {flaw.code for name in CORPUS_NAMES for flaw in reader_of(name).flaws}
    assert set(FOUND_AS) <= codes
