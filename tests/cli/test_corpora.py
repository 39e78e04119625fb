"""``sklearn-ser corpora``, and known corpora in their original layout in other subcommands."""

import json
import shutil

import pytest

from sklearn_ser import make_speech_corpus
from sklearn_ser.cli import main
from sklearn_ser.datasets import list_corpora


def test_every_known_corpus_is_listed(capsys):
    assert main(["corpora"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == [
        *("name", "languages", "utterances", "speakers", "kinds", "license", "tried", "on"),
    ]
    assert [line.split()[0] for line in lines] == list(list_corpora().index)
    assert next(line for line in lines if line.startswith("emodb")).split()[1:6] == [
        *("de", "535", "or", "816", "10")
    ]
    assert not any(line.endswith(" ") for line in lines)


def test_one_corpus_with_its_layout(capsys):
    assert main(["corpora", "iemocap"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("iemocap: Interactive Emotional Dyadic Motion Capture database")
    assert "layout       DIR/Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav\n" in out
    assert out.endswith("load         load_corpus('iemocap', DIR)\n")


def test_json(capsys):
    assert main(["corpora", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(
        list_corpora().index
    )
    assert main(["corpora", "emodb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["speakers"] == 10


def test_unknown_name(capsys):
    assert main(["corpora", "emo-db"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("sklearn-ser corpora: 'emo-db' is no known corpus; expected one of aesdd")
    assert err.endswith("Did you mean 'emodb'?\n")


@pytest.fixture(scope="module")
def emodb(tmp_path_factory):
    """Synthetic speech under the file names of EmoDB."""
    root = tmp_path_factory.mktemp("berlin")
    speech = make_speech_corpus(
        n_speakers=6,
        n_utterances=1,
        emotions=("anger", "sadness"),
        root=root / "speech",
        random_state=0,
    )
    (root / "original" / "wav").mkdir(parents=True)
    speakers = dict(
        zip(speech.frame["speaker"].unique(), ("03", "08", "09", "10", "11", "12"), strict=True)
    )
    for row in speech.frame.itertuples():
        letter = {"anger": "W", "sadness": "T"}[row.emotion]
        shutil.copy(row.file, root / "original/wav" / f"{speakers[row.speaker]}a01{letter}a.wav")
    return root / "original"


def test_audit_detects_the_original_layout(emodb, capsys):
    assert main(["audit", str(emodb), "--no-audio"]) == 0
    out, err = capsys.readouterr()
    assert "Audit of 12 utterances of 6 speakers (emodb)" in out
    assert "found 12 utterances of 6 speakers" in err
    assert main(["audit", "--corpus", f"emodb={emodb}", "--no-audio", "--quiet"]) == 0
    assert capsys.readouterr().out == out


def test_train_on_a_detected_corpus(emodb, tmp_path, capsys):
    arguments = ["train", "--corpus", str(emodb), "--model", str(tmp_path / "net.ser")]
    assert main([*arguments, "--features", "egemaps", "--map", "sadness=boredom"]) == 0
    err = capsys.readouterr().err
    assert err.count("expected 535 or 816 utterances of 10 speakers") == 1
    assert "boredom" in err


def test_no_corpus(capsys):
    assert main(["audit"]) == 2
    assert capsys.readouterr().err == (
        "sklearn-ser audit: no corpus is given: expected DIR, NAME=DIR or --pattern PATTERN\n"
    )
