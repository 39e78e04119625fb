"""Labels in seen and unseen sentences; most tests simulate the spectra."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser import audit_corpus, make_speech_corpus
from sklearn_ser.audit._text import check_sentences, coarse_spectrum

WORSE, MAINLY_SEEN = (
    "label predicted worse in unseen sentences",
    "label predictable mainly in seen sentences",
)
N_SENTENCES, N_SPEAKERS, N_LABELS = 8, 12, 4


def speech(emotion=1.0, words=0.0, seed=0, n_sentences=N_SENTENCES):
    """Return a table and spectra, with effects of emotion and of words that depend on the label."""
    rng = np.random.default_rng(seed)
    shape = (n_sentences, N_LABELS, N_SPEAKERS)
    sentence, label, speaker = (axis.ravel() for axis in np.indices(shape))
    spectra = 2 * rng.normal(size=(len(label), 60)) + 2 * rng.normal(size=(N_SPEAKERS, 60))[speaker]
    spectra += 2 * rng.normal(size=(n_sentences, 60))[sentence]
    spectra += emotion * rng.normal(size=(N_LABELS, 60))[label]
    spectra += words * rng.normal(size=(n_sentences, N_LABELS, 60))[sentence, label]
    table = pd.DataFrame(
        {"emotion": label, "speaker": [f"s{k:02d}" for k in speaker], "text": sentence}
    )
    return table, spectra


def check(table, spectra, seed=0):
    found = check_sentences(table, spectra, "", "emotion", np.random.default_rng(seed))
    return found if isinstance(found, str) else [(f.flaw, f.severity) for f in found]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_sentences", [2, 8])
@pytest.mark.parametrize("emotion", [0.0, 1.0])
def test_emotion_that_does_not_depend_on_words(emotion, n_sentences, seed):
    assert check(*speech(emotion, seed=seed, n_sentences=n_sentences)) == []


@pytest.mark.parametrize("seed", range(3))
def test_words_alone(seed):
    table, spectra = speech(emotion=0.0, words=2.0, seed=seed)
    assert check(table, spectra) == [(MAINLY_SEEN, "error")]
    (finding,) = check_sentences(table, spectra, "", "emotion", np.random.default_rng(0))
    assert finding.evidence.startswith(
        "A classifier on coarse spectra predicts the label of unseen speakers with a UAR of 0."
    )
    assert "; chance 0.25). A model can learn words or recordings" in finding.evidence
    assert list(finding.rows) == list(table.index)


def test_words_and_emotion():
    assert check(*speech(emotion=0.8, words=2.0)) == [(WORSE, "warning")]
    assert check(*speech(emotion=1.0, words=1.0)) == []  # a natural loss


def test_rows_without_text_are_left_out():
    table, spectra = speech(emotion=0.0, words=2.0)
    table["text"] = table["text"].astype(object)
    table.loc[::9, "text"] = None
    table.loc[1::9, "text"] = "unknown"
    spectra[1::7] = np.nan
    assert check(table, spectra) == [(MAINLY_SEEN, "error")]


def test_numbers_and_strings_of_texts_are_the_same():
    table, spectra = speech(emotion=0.0, words=2.0)
    names = check_sentences(
        table.assign(text=table["text"].astype(str)), spectra, "", "emotion", _rng()
    )
    (number,) = check_sentences(table, spectra, "", "emotion", _rng())
    assert [name.evidence for name in names] == [number.evidence]


def _rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.assign(text="one"), "there are fewer than 2 sentences"),
        (lambda t: t.assign(text=None), "there are fewer than 2 sentences"),
        (lambda t: t.assign(text=range(len(t))), "most sentences are said by one speaker only"),
        (lambda t: t.assign(speaker=t["speaker"].str[-1]), None),
        (lambda t: t.assign(speaker=t["speaker"].str[1]), "there are fewer than 5 speakers"),
        (lambda t: t.assign(text=t["emotion"]), "a label has one sentence only"),
        (lambda t: t.assign(emotion="anger"), "there is one label only"),
    ],
)
def test_corpora_that_cannot_be_compared(change, reason):
    table, spectra = speech()
    found = check(change(table), spectra)
    assert found == reason if reason else isinstance(found, list)


def test_spectra_do_not_depend_on_level_and_digital_silence():
    signal = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    spectrum = coarse_spectrum(signal, 8000)
    assert spectrum.shape == (100,)
    np.testing.assert_allclose(coarse_spectrum(signal / 50, 8000), spectrum, atol=1e-3)
    padded = np.concatenate([np.zeros(2048, np.float32), signal, np.zeros(2048, np.float32)])
    assert np.corrcoef(coarse_spectrum(padded, 8000), spectrum)[0, 1] > 0.99
    for n_samples in (1, 200, 300, 1000):
        assert np.isfinite(coarse_spectrum(signal[:n_samples], 8000)).all()


def test_synthetic_speech_with_a_script_for_each_label():
    speech = make_speech_corpus(
        n_speakers=10, n_utterances=12, emotions=("neutral", "anger"), random_state=0
    ).frame
    neutral = speech[speech["emotion"] == "neutral"].reset_index(drop=True)
    codes = pd.factorize(neutral["text"])[0]
    labels = np.array(["anger", "fear", "sadness"], dtype=object)[codes % 3]
    scripted = neutral.assign(emotion=labels, text=codes // 3)
    report = audit_corpus(scripted)
    assert list(report.findings["flaw"]) == [MAINLY_SEEN]
    assert report.has_errors
    without = audit_corpus(neutral.assign(emotion=labels, text="one"))
    assert (
        "unseen sentences of synthetic (there are fewer than 2 sentences)." in without.not_checked
    )
