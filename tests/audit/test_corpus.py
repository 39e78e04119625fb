"""Audit of corpora: each flaw, introduced alone, gives its finding and no other."""

import json
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from scipy.signal import lfilter

from sklearn_ser import audit_corpus, concat_corpora, load_corpus, make_speech_corpus
from sklearn_ser.audit._audio import measure_all
from sklearn_ser.exceptions import MetadataError

RATE = 16000


@pytest.fixture(scope="module")
def clean():
    """Corpus without a flaw."""
    return make_speech_corpus(n_speakers=8, n_utterances=1, random_state=0).frame


@pytest.fixture(scope="module")
def larger():
    """Corpus without a flaw, with two sentences per speaker and emotion."""
    return make_speech_corpus(n_speakers=8, n_utterances=2, random_state=0).frame


def changed(frame, change, rows=None):
    """Replace the signals of rows, by default all, by `change(signal, row)`."""
    audio = list(frame["file"])
    for k in range(len(frame)) if rows is None else rows:
        result = change(audio[k][0].copy(), frame.iloc[k])
        audio[k] = result if isinstance(result, tuple) else (np.float32(result), RATE)
    return frame.assign(file=pd.Series(audio, index=frame.index, dtype=object))


def flaws_of(report):
    return [(row.flaw, row.severity) for row in report.findings.itertuples()]


def with_emotion(emotion, change):
    return lambda signal, row: change(signal) if row["emotion"] == emotion else signal


def test_clean_speech_gives_no_finding(larger):
    report = audit_corpus(larger)
    assert str(report).startswith("Audit of 64 utterances of 8 speakers (synthetic): no findings.")
    assert report.ok
    assert not report.has_errors
    assert len(report) == 0
    assert list(report.findings) == ["flaw", "severity", "corpus", "evidence", "n_rows", "rows"]
    assert report.not_checked == [
        "voices of synthetic (the speaker embedding does not distinguish these speakers)."
    ]
    assert len(report.pairs) == 0
    assert "<table>" not in report._repr_html_()


# Copies


COPIES = {
    20: lambda x: 0.3 * x,
    21: lambda x: -x,
    22: lambda x: (soxr.resample(x, RATE, 22050), 22050),
    23: lambda x: x[1001:-1500],
    24: lambda x: np.concatenate([np.zeros(3000), x, np.zeros(99)]),
}


def test_near_duplicates(clean):
    frame = clean
    for row, change in COPIES.items():
        source = clean["file"][row - 17][0]
        frame = changed(frame, lambda *_, c=change, x=source: c(x), rows=[row])
    report = audit_corpus(frame)
    assert flaws_of(report) == [("near duplicate", "error")]
    assert report.pairs[["first", "second"]].to_numpy().tolist() == [
        [row - 17, row] for row in COPIES
    ]
    assert "(5 with two values of 'speaker', 5 with two values of" in report.findings["evidence"][0]


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        pytest.param(lambda x: x, "exact duplicate", id="copy"),
        pytest.param(
            lambda x: np.concatenate([x[len(x) // 2 :], x[: len(x) // 4][::-1]]),
            "overlapping recordings",
            id="overlap",
        ),
    ],
)
def test_copies_and_overlaps(clean, change, flaw):
    source = clean["file"][3][0]
    report = audit_corpus(changed(clean, lambda *_: change(source), rows=[20]))
    assert flaws_of(report) == [(flaw, "error")]
    assert report.findings["rows"][0] == [3, 20]
    # Row 20 is of another speaker.
    assert "with two values of 'speaker'" in report.findings["evidence"][0]


def test_copies_across_corpora():
    one, two = (
        make_speech_corpus(n_speakers=8, n_utterances=1, name=name, random_state=0)
        for name in ("one", "two")
    )
    two.frame.at[7, "file"] = (0.5 * one.frame["file"][9][0][200:], RATE)
    report = audit_corpus(concat_corpora([one, two]))
    assert flaws_of(report) == [("near duplicate", "error")]
    assert report.findings["corpus"][0] == ""
    assert report.findings["rows"][0] == [9, 39]
    evidence = report.findings["evidence"][0]
    assert evidence.startswith(
        "1 pair from one recording (other level, rate or coding, trimmed or padded), such as row "
        "9 and row 39 share "
    )
    assert " s at -6.0 dB (1 with two values of 'speaker', " in evidence
    assert evidence.endswith(
        "1 with two values of 'corpus'). A model that was trained on one recognizes the other: "
        "keep one of each pair, or keep both on the same side of a split."
    )


def cut(frame, part=1.0):
    """Cut utterances in two near the middle; the segments are consecutive rows."""
    rng = np.random.default_rng(0)
    rows = []
    for row in frame.to_dict("records"):
        signal = row["file"][0]
        middle = int(len(signal) * rng.uniform(0.35, 0.65))
        pieces = (signal[:middle], signal[middle:]) if rng.random() < part else (signal,)
        rows += [row | {"file": (piece, RATE)} for piece in pieces]
    return pd.DataFrame(rows)


def test_recordings_that_continue_in_the_next_file(larger):
    pieces = cut(larger)
    report = audit_corpus(pieces)
    assert flaws_of(report) == [("continuing recordings", "error")]
    pairs = report.pairs
    assert len(pairs) > 50
    assert set(pairs["kind"]) == {"continuation"}
    right = (pairs["second"] == pairs["first"] + 1) & (pairs["first"] % 2 == 0)
    assert right.mean() >= 0.95
    evidence = report.findings["evidence"][0]
    assert "files continues in the next file by name, such as that of row 0 in row 1" in evidence
    assert evidence.endswith(
        "Give all segments of a recording the same id in a column 'recording'."
    )


def test_cut_recordings_are_found_whatever_their_order():
    whole = make_speech_corpus(n_speakers=8, n_utterances=2, duration=2.4, random_state=0).frame
    pieces = cut(whole, part=0.4)
    pieces["recording"] = pieces["speaker"] + pieces["text"] + pieces["emotion"]
    shuffled = pieces.assign(number=range(len(pieces))).sample(frac=1.0, random_state=0)
    report = audit_corpus(shuffled)
    assert flaws_of(report) == [("continuing recordings", "warning")]
    evidence = report.findings["evidence"][0]
    assert evidence.endswith("of them: use a splitter that keeps recordings together.")
    assert " continues in another file, such as that of row " in evidence
    number = shuffled["number"].to_numpy()
    assert (number[report.pairs["second"]] == number[report.pairs["first"]] + 1).mean() > 0.9


def test_noise_that_drifts_through_a_session_is_not_reported_as_a_cut(larger):
    rng = np.random.default_rng(0)
    session = {key: k for k, key in enumerate(zip(larger["speaker"], larger["text"], strict=True))}

    def with_noise(signal, row):
        k = session[row["speaker"], row["text"]]
        angle = 2 * np.pi * (300 + 150 * k) / RATE
        colored = lfilter(
            [1.0], [1, -1.94 * np.cos(angle), 0.94], rng.standard_normal(len(signal) + 500)
        )[500:]
        return signal + 10 ** (-40 / 20) * colored / colored.std()

    assert flaws_of(audit_corpus(changed(larger, with_noise))) == []


# Confounders


def noise(n_samples):
    return np.random.default_rng(n_samples).standard_normal(n_samples)


FLOORS = {"anger": -55, "happiness": -50, "neutral": -45, "sadness": -60}
LENGTHS = {"anger": 11000, "happiness": 11500, "neutral": 12000, "sadness": 12500}
#: Confounder -> the change that introduces it, severity, and findings that may accompany it.
CONFOUNDERS = {
    "digital silence": (
        with_emotion("anger", lambda x: np.append(x, np.zeros(800))), "warning", (),
    ),
    "leading and trailing silence": (
        with_emotion("anger", lambda x: np.append(1e-4 * noise(7000 + len(x) % 2000), x)),
        "error",
        ("label predictable from noise floor",),
    ),
    "noise floor": (
        lambda x, row: x + 10 ** (FLOORS[row["emotion"]] / 20) * noise(len(x)), "error", (),
    ),
    "overall level": (
        lambda x, row: 0.3 * (1 + 3 * (row["emotion"] == "anger")) * x,
        "warning",
        ("label predictable from noise floor",),
    ),
    "recording length": (
        lambda x, row: x[: LENGTHS[row["emotion"]]], "error", (),
    ),
    "sampling rate": (
        with_emotion("anger", lambda x: (soxr.resample(x, RATE, 11025), 11025)), "warning", (),
    ),
    "bandwidth": (
        with_emotion("anger", lambda x: soxr.resample(soxr.resample(x, RATE, 8000), 8000, RATE)),
        "warning",
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("confounder", CONFOUNDERS)
def test_label_predictable_from_a_confounder(clean, confounder):
    change, severity, also = CONFOUNDERS[confounder]
    report = audit_corpus(changed(clean, change))
    flaws = dict(flaws_of(report))
    assert flaws.pop(f"label predictable from {confounder}") == severity
    assert set(flaws) <= set(also)
    row = report.findings.set_index("flaw").loc[f"label predictable from {confounder}"]
    assert row["n_rows"] == 32
    assert row["evidence"].startswith("A small tree that is given only the ")
    assert "; chance 0.25)" in row["evidence"]


def test_label_predictable_from_file_format(clean, tmp_path):
    files = []
    for number, row in enumerate(clean.itertuples()):
        suffix = "flac" if row.emotion == "anger" else "wav"
        files.append(str(tmp_path / f"{number}.{suffix}"))
        soundfile.write(files[-1], *row.file)
    report = audit_corpus(clean.assign(file=pd.Series(files, dtype=object)))
    assert flaws_of(report) == [("label predictable from file format", "warning")]


def test_a_confounder_of_speakers_is_not_one_of_labels(larger):
    def by_speaker(x, row):
        return np.append(x, np.zeros(500 * int(row["speaker"][-1])))

    assert flaws_of(audit_corpus(changed(larger, by_speaker))) == []


def test_label_predictable_from_sentence(larger):
    report = audit_corpus(larger.assign(text="t" + larger["emotion"]))
    assert flaws_of(report) == [("label predictable from sentence", "error")]


def test_label_confounded_with_speaker(larger):
    emotions = sorted(set(larger["emotion"]))
    own = [emotions[int(speaker[-1]) % 4] for speaker in larger["speaker"]]
    report = audit_corpus(larger[larger["emotion"] == own])
    assert flaws_of(report) == [("label confounded with speaker", "error")]
    assert report.findings["evidence"][0] == (
        "8 of 8 speakers have only one label, so the label can be predicted from the voice. Use "
        "speaker-disjoint splits only, and do not scale by speaker, which removes the label."
    )


def test_label_confounded_with_sex(larger):
    high = larger["emotion"].isin(["anger", "neutral"])
    report = audit_corpus(larger[high == (larger["gender"] == "female")], audio=None)
    assert flaws_of(report) == [("label confounded with sex", "error")]
    assert report.findings["evidence"][0].startswith(
        "The share of female speech differs by label (anger 100%, happiness 0%, neutral 100%, "
        "sadness 0%; Cramer's V 1.00)"
    )


def test_several_corpora():
    settings = {"n_speakers": 8, "n_utterances": 1, "random_state": 0}
    acted = make_speech_corpus(name="stage", **settings)
    natural = make_speech_corpus(
        name="street", naturalness="natural", emotions=("anger", "neutral", "calm"), **settings
    )
    report = audit_corpus(concat_corpora([acted, natural]), audio=None)
    assert flaws_of(report) == [
        ("auxiliary target confounded with corpus", "warning"),
        ("label confounded with corpus", "warning"),
    ]
    first, second = report.findings["evidence"]
    assert "(stage: acted, street: natural)" in first
    assert "only: calm only in street, happiness only in stage, sadness only in stage. " in second
    assert report.not_checked == ["the audio (audio=None)."]
    assert audit_corpus(concat_corpora([acted, natural]), audio=None, aux=()).findings[
        "flaw"
    ].tolist() == ["label confounded with corpus"]


# The table


def test_too_few_speakers(larger):
    few = larger[larger["speaker"].isin(["synthetic/s1", "synthetic/s2"])]
    report = audit_corpus(few, audio=None)
    assert flaws_of(report) == [("too few speakers", "warning")]
    assert report.findings["evidence"][0].startswith("There are 2 speakers. With fewer than 8, ")
    one = audit_corpus(few[:8], audio=None)
    assert flaws_of(one) == [("too few speakers", "error")]


def test_imbalanced_classes(larger):
    second = larger["text"].str.endswith("2")
    report = audit_corpus(larger[~(second & (larger["emotion"] == "neutral"))], audio=None)
    assert flaws_of(report) == [("class imbalance", "note")]
    assert report.ok
    assert report.findings["evidence"][0] == (
        "neutral has 8 utterances, the median class 16. Accuracy is misleading: use the unweighted "
        "average recall, and class weights in training."
    )
    only = audit_corpus(larger[larger["emotion"] == "anger"], audio=None)
    assert flaws_of(only) == [("single class", "error")]


def test_missing_and_inconsistent_metadata(clean):
    frame = clean.copy()
    frame.loc[:2, "gender"] = None
    frame.loc[[4, 9], "speaker"] = [None, "synthetic/unknown"]
    report = audit_corpus(frame, audio=None)
    assert flaws_of(report) == [("missing metadata", "error"), ("missing metadata", "note")]
    assert report.findings["rows"].tolist() == [[4, 9], [0, 1, 2]]
    assert report.findings["evidence"][0] == (
        "'speaker' is unknown in 2 of 32 rows. No split can keep these speakers on one side. Fill "
        "in the column, or drop these rows."
    )
    frame = clean.copy()
    frame.loc[[3, 7], "emotion"] = ["", " "]
    frame.loc[frame["emotion"] == "anger", "emotion"] = "unknown"  # a class to all estimators
    report = audit_corpus(frame, audio=None)
    missing = report.findings[report.findings["flaw"] == "missing metadata"]
    assert missing["rows"].tolist() == [[3, 7]]
    assert missing["evidence"].item().startswith("'emotion' is unknown in 2 of 32 rows. They are n")
    frame = clean.copy()
    frame.loc[0, "gender"] = "male"
    report = audit_corpus(frame, audio=None)
    assert flaws_of(report) == [("inconsistent metadata", "error")]
    without = audit_corpus(clean.assign(text=None, gender=None), audio=None)
    assert flaws_of(without) == []
    assert without.not_checked[1:] == [
        "sentences (column 'text' is missing or empty).",
        "sex (column 'gender' is missing or empty).",
    ]


def test_near_equal_ids(clean):
    frame = clean.assign(speaker=clean["speaker"].str[-1])
    frame.loc[0, "speaker"] = "01"
    frame["emotion"] = frame["emotion"].mask(frame.index == 5, "Anger")
    report = audit_corpus(frame, audio=None)
    near = report.findings[report.findings["flaw"] == "near-equal ids"]
    assert near["severity"].tolist() == ["warning", "warning"]
    first, second = near["evidence"]
    assert first.startswith(
        "'speaker' has 1 group of values that differ only in case, leading zeros, accents or "
        "separators ('01' = '1'). A split by speaker may then have the same speaker on both sides."
    )
    assert near["rows"].iloc[0] == [0, 1, 2, 3]
    assert "('Anger' = 'anger'). A model then learns to distinguish them." in second


def test_one_id_has_one_spelling(clean):
    number = clean["speaker"].str[-1].astype(int)
    mixed = number.astype(object).where(clean.index % 2 == 0, number.astype(str))
    report = audit_corpus(clean.assign(speaker=mixed), audio=None)
    assert report.subject == "32 utterances of 8 speakers (synthetic)"
    assert flaws_of(report) == []


def test_sex_label_inconsistent_with_pitch(larger):
    wrong = larger["speaker"] == "synthetic/s4"
    report = audit_corpus(larger.assign(gender=larger["gender"].mask(wrong, "female")))
    assert flaws_of(report) == [("sex label inconsistent with pitch", "warning")]
    assert report.findings["rows"][0] == np.flatnonzero(wrong).tolist()
    evidence = report.findings["evidence"][0]
    assert "synthetic/s4 is labeled female and has a median pitch of 1" in evidence


def test_sex_labels_of_a_whole_corpus_inconsistent_with_pitch(larger):
    letters = larger["gender"].map({"female": "M", "male": "F"})  # swapped, and spelled otherwise
    report = audit_corpus(larger.assign(gender=letters))
    assert flaws_of(report) == [("sex label inconsistent with pitch", "warning")]
    assert "as if the labels were swapped" in report.findings["evidence"][0]
    assert report.findings["n_rows"][0] == len(larger)
    names = larger["speaker"].unique()
    mixed = dict(zip(names, ["female", "male", "male", "female"] * len(names), strict=False))
    report = audit_corpus(larger.assign(gender=larger["speaker"].map(mixed)))
    assert ("sex label inconsistent with pitch", "warning") in flaws_of(report)
    assert "as if the labels were randomly assigned; the difference between adult" in " ".join(
        report.findings["evidence"]
    )


# Files


def test_clipped_silent_and_unreadable_files(clean, tmp_path):
    frame = changed(clean, lambda x, _: 0.5 * np.clip(6 * x / np.abs(x).max(), -1, 1), rows=[5])
    frame = changed(frame, lambda x, _: 1e-3 * x, rows=[6])
    frame = changed(frame, lambda x, _: 0 * x, rows=[7, 8])
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    frame.at[9, "file"] = str(broken)
    report = audit_corpus(frame)
    flaws = {row.flaw: (row.severity, row.rows) for row in report.findings.itertuples()}
    assert flaws == {
        "unreadable audio": ("error", [9]),
        "silent audio": ("error", [7, 8]),
        "nearly silent audio": ("warning", [6]),
        "clipped audio": ("warning", [5]),
    }
    evidence = report.findings.set_index("flaw")["evidence"]
    assert evidence["unreadable audio"].startswith("1 file cannot be used (broken.wav). The err")
    assert evidence["silent audio"].startswith("2 files of digital silence (row 7, row 8). They ")


# The report


def test_all_formats_of_a_report(clean, tmp_path):
    frame = changed(clean, lambda *_: clean["file"][3][0], rows=[20])
    report = audit_corpus(frame.assign(speaker="synthetic/s1"))
    text = str(report)
    assert text.splitlines()[0] == "Audit of 32 utterances of 1 speaker (synthetic): 3 errors."
    for row in report.findings.itertuples():
        assert " ".join(row.evidence.split()) in " ".join(text.split())
    assert "- ERROR [synthetic] too few speakers: There is 1 speaker: nothing" in text
    assert repr(report) == (
        "<AuditReport: Audit of 32 utterances of 1 speaker (synthetic): 3 errors>"
    )
    html = report._repr_html_()
    assert html.count("<tr>") == 4
    assert "exact duplicate" in html
    content = json.loads(report.to_json(tmp_path / "report.json"))
    assert content == json.loads((tmp_path / "report.json").read_text())
    assert content["findings"][1]["flaw"] in report.findings["flaw"].tolist()
    report.to_csv(tmp_path / "report.csv")
    rows = pd.read_csv(tmp_path / "report.csv").set_index("flaw")["rows"]
    assert rows["exact duplicate"] == "3 20"


def test_text_shows_control_characters_of_names(clean):
    report = audit_corpus(clean.assign(corpus="red\x1b[31m"), audio=None)
    for text in (str(report), repr(report)):
        assert r"red\x1b[31m" in text
        assert "\x1b" not in text


def test_n_jobs_does_not_change_the_findings(clean):
    frame = changed(clean, lambda *_: 0.5 * clean["file"][3][0], rows=[20])
    one, two = audit_corpus(frame), audit_corpus(frame, n_jobs=2)
    pd.testing.assert_frame_equal(one.findings, two.findings)


def test_invalid_frames(clean):
    with pytest.raises(MetadataError, match="audit_corpus needs the column 'feeling' in a DataF"):
        audit_corpus(clean, y="feeling")
    with pytest.raises(MetadataError, match="audit_corpus needs at least one row"):
        audit_corpus(clean[:0])
    with pytest.raises(MetadataError, match="one row per utterance, got an object of type list"):
        audit_corpus([1, 2])


# Real speech


@pytest.mark.corpora
@pytest.mark.slow
def test_known_flaws_of_real_corpora(shared):
    report = audit_corpus(
        load_corpus("urdu", shared / "corpora" / "urdu", drop_duplicates=False, verbose=0)
    )
    flaws = dict(flaws_of(report))
    assert flaws["label confounded with speaker"] == "error"
    assert flaws["continuing recordings"] == "warning"  # the column recording identifies them
    assert "26 of 29 speakers have only one label" in " ".join(str(report).split())
    assert len(report.pairs[report.pairs["kind"] == "continuation"]) > 80


# Audio loading


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_formats_of_files_and_of_streams_that_were_joined(clean, tmp_path, suffix):
    def whole(path, signal):
        soundfile.write(path, signal, RATE)

    def joined(path, signal):
        half = tmp_path / f"half.{suffix}"
        content = b""
        for part in np.array_split(signal, 2):
            soundfile.write(half, part, RATE)
            content += half.read_bytes()
        path.write_bytes(content)

    measurements = []
    for write in (whole, joined) if suffix in ("flac", "mp3") else (whole,):
        path = tmp_path / f"{write.__name__}.{suffix}"
        write(path, clean["file"][0][0])
        measurements += measure_all(pd.DataFrame({"file": [path]}), "file", None, 0)
    info = soundfile.info(tmp_path / f"whole.{suffix}")
    expected = f"{info.format} {info.subtype}, 1 channel(s)"
    assert [measured.format for measured in measurements] == [expected] * len(measurements)
    assert [measured.error for measured in measurements] == [None] * len(measurements)


def test_audio_in_memory_has_no_format(clean):
    (measured,) = measure_all(clean.head(1), "file", None, 0)
    assert measured.format is None


class File:
    """Path that records the threads in which it is opened."""

    def __init__(self, path, threads):
        self.path, self.threads = str(path), threads

    def __fspath__(self):
        self.threads.add(threading.get_ident())
        return self.path


def test_number_of_jobs_of_the_context(clean, tmp_path):
    files, threads = [], set()
    for number, (signal, _) in enumerate(clean["file"]):
        files.append(File(tmp_path / f"{number}.wav", threads))
        soundfile.write(files[-1], signal, RATE)
    frame = clean.assign(file=pd.Series(files, index=clean.index, dtype=object))
    alone = audit_corpus(frame)
    assert threads == {threading.get_ident()}
    with joblib.parallel_config(n_jobs=2):
        assert str(audit_corpus(frame)) == str(alone)
    assert len(threads) > 1


@pytest.mark.slow
def test_audit_in_processes(clean):
    with joblib.parallel_config("loky", n_jobs=2):
        report = audit_corpus(clean)
    assert str(report) == str(audit_corpus(clean))
