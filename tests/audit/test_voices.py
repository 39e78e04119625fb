"""One voice under two ids and two voices under one id; most tests simulate the embeddings."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser import audit_corpus, load_corpus, make_speech_corpus
from sklearn_ser.audit._voices import check_voices, embed_voices

ONE, TWO = "one voice under two ids", "two voices under one id"


def speech(n_speakers=12, n_rows=24, spread=1.0, seed=0):
    """Return a table and embeddings of voices, with effects of the emotion."""
    rng = np.random.default_rng(seed)
    voices, emotions = rng.normal(size=(n_speakers, 64)), 2 * rng.normal(size=(4, 64))
    speaker, emotion = np.divmod(np.arange(n_speakers * n_rows), n_rows)
    emotion %= 4
    embeddings = voices[speaker] + emotions[emotion]
    embeddings += spread * rng.normal(size=embeddings.shape)
    frame = pd.DataFrame({"speaker": [f"s{k:02d}" for k in speaker], "emotion": emotion})
    return frame, embeddings


def check(frame, embeddings, seed=0):
    rng = np.random.default_rng(seed)
    found = check_voices(frame, embeddings, "", "emotion", rng)
    return None if found is None else {finding.flaw: finding for finding in found}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("n_speakers", [5, 40])
def test_different_voices_give_no_finding(n_speakers, seed):
    assert check(*speech(n_speakers, seed=seed)) == {}


@pytest.mark.parametrize("kept", [4, 12])
def test_a_speaker_with_two_ids(kept):
    frame, embeddings = speech()
    own = np.flatnonzero(frame["speaker"] == "s03")
    renamed = np.random.default_rng(0).permutation(own)[kept:]
    frame.loc[renamed, "speaker"] = "other"
    found = check(frame, embeddings)
    assert list(found) == [ONE]
    assert found[ONE].severity == "warning"
    assert set(found[ONE].rows) == set(own)
    assert found[ONE].evidence.startswith(
        "1 pair of speakers with one voice (other and s03). Of the utterances of each of the first "
    )


def test_every_speaker_with_two_ids():
    frame, embeddings = speech()
    half = np.where(np.random.default_rng(0).random(len(frame)) < 0.5, "a", "b")
    found = check(frame.assign(speaker=frame["speaker"] + half), embeddings)
    assert "12 pairs of speakers with one voice (" in found[ONE].evidence


def test_two_sessions_of_one_speaker():
    frame, embeddings = speech()
    own = np.flatnonzero(frame["speaker"] == "s03")[::2]
    embeddings[own] += 0.4 * np.random.default_rng(1).normal(size=64)  # another microphone
    frame.loc[own, "speaker"] = "other"
    assert ONE in check(frame, embeddings)


def test_two_speakers_with_one_id():
    frame, embeddings = speech()
    merged = frame["speaker"].isin(["s03", "s07"])
    found = check(frame.assign(speaker=frame["speaker"].mask(merged, "s03")), embeddings)
    assert list(found) == [TWO]
    assert set(found[TWO].rows) == set(np.flatnonzero(merged))
    assert found[TWO].evidence.startswith("1 speaker with two voices (s03). ")


def test_voices_that_the_embedding_does_not_distinguish():
    frame, embeddings = speech(spread=30.0)
    assert check(frame, embeddings) is None


def test_rows_without_an_embedding_are_left_out():
    frame, embeddings = speech()
    embeddings[::7] = np.nan
    assert check(frame, embeddings) == {}


@pytest.mark.corpora
@pytest.mark.slow
def test_real_voices(shared):
    frame = load_corpus("emodb", shared / "corpora" / "emodb", verbose=0).frame
    embeddings = embed_voices(frame, "file", None, 0)
    assert check(frame, embeddings) == {}
    mixed = []
    for speaker in frame["speaker"].unique()[::3]:
        own = np.flatnonzero(frame["speaker"] == speaker)
        renamed = frame.assign(speaker=frame["speaker"].where(frame.index.isin(own[::2]), "other"))
        renamed.loc[frame["speaker"] != speaker, "speaker"] = frame["speaker"]
        found = check(renamed, embeddings)
        assert set(found[ONE].rows) == set(own)
        mixed += [speaker] if TWO in found else []
    assert len(mixed) <= 1  # half of a voice may look like two
    merged = frame["speaker"].replace({"emodb/03": "emodb/10"})  # two men
    assert list(check(frame.assign(speaker=merged), embeddings)) == [TWO]


def test_too_few_utterances_are_reported():
    frame = make_speech_corpus(n_speakers=8, n_utterances=1, random_state=0).frame
    assert audit_corpus(frame).not_checked == [
        "unseen sentences of synthetic (there are fewer than 2 sentences).",
        "voices of synthetic (fewer than 5 speakers have 8 utterances).",
    ]
