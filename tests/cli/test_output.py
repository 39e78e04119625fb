"""Output in any encoding and of any name: files are written, nothing reaches the terminal raw."""

import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser import make_single_task_net, make_speech_corpus, save_model
from sklearn_ser.cli import main
from sklearn_ser.utils._printable import encodable, printable, printable_name

NAMES = ["a.wav", "źródło.wav", "语音 😀.wav", "\x1b[31mred\n.wav", "\u202egnp.wav", "\udcff.wav"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Model file, and recordings whose names few encodings have."""
    folder = tmp_path_factory.mktemp("names")
    speech = make_speech_corpus(4, 1, ("anger", "sadness"), random_state=0).frame
    model = make_single_task_net("egemaps", max_epochs=2, random_state=0)
    save_model(model.fit(speech, speech["emotion"]), folder / "m.ser")
    for name, (signal, rate) in zip(NAMES, speech["file"], strict=False):
        with open(folder / name, "wb") as file:
            soundfile.write(file, signal, rate, format="WAV")
    return folder


def output(monkeypatch, arguments, encoding):
    """Status and text on both streams, which have an encoding without replacement."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    status = main(arguments)
    texts = []
    for stream in streams.values():
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding))
    return status, *texts


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_predictions_are_printed_in_any_encoding(recordings, monkeypatch, encoding):
    monkeypatch.chdir(recordings)
    predict = ["predict", "--quiet", "--model", "m.ser"]
    status, out, err = output(monkeypatch, [*predict, *NAMES], encoding)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 1 + len(NAMES)
    assert lines[4].split()[0] == r"\x1b[31mred\n.wav"
    assert lines[5].split()[0] == r"\u202egnp.wav"
    assert lines[6].split()[0] == r"\udcff.wav"
    assert ("语音" in lines[3]) == (encoding == "utf-8")
    status, out, _ = output(monkeypatch, [*predict, "--json", *NAMES], encoding)
    assert [record["file"] for record in json.loads(out)] == NAMES


def test_names_of_failed_recordings_are_escaped(recordings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    predict = ["predict", "--model", str(recordings / "m.ser"), "\x1b]0;title\x07.wav", "\n.wav"]
    status, out, err = output(monkeypatch, predict, "ascii")
    assert (status, out) == (1, "")
    assert "\x1b" not in err + out
    assert err.splitlines()[-2].startswith(r"\x1b]0;title\x07.wav: the file does not exist")
    assert err.splitlines()[-1].startswith(r"\n.wav: the file does not exist")


def metadata(folder, emotion="anger"):
    """Write a corpus, whose audio is not looked at, with names beyond ASCII."""
    folder.mkdir()
    rows = [
        {"file": f"{speaker}{label}.wav", "speaker": f"š{speaker}", "emotion": label}
        for speaker in range(4)
        for label in (emotion, "sadness")
    ]
    for row in rows:
        rng = np.random.default_rng(0)
        soundfile.write(folder / row["file"], rng.normal(scale=0.1, size=8000), 16000)
    pd.DataFrame(rows).to_csv(folder / "metadata.csv", index=False)
    return folder


def test_audit_writes_its_file_whatever_the_encoding(tmp_path, monkeypatch):
    corpus = metadata(tmp_path / "č")
    audit = ["audit", "--no-audio", "--quiet", "--out", str(tmp_path / "f.csv"), str(corpus)]
    status, out, _ = output(monkeypatch, audit, "ascii")
    assert status in (0, 1)
    assert out
    assert (tmp_path / "f.csv").stat().st_size


@pytest.mark.parametrize("name", ["version=1.0", "=", "a=", "=b", "a=b=c"])
def test_a_folder_with_an_equals_sign_is_a_folder(tmp_path, monkeypatch, name):
    metadata(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (name, str(tmp_path / name), f"{name}/metadata.csv", f"mine={name}"):
        status, out, err = output(monkeypatch, ["audit", "--no-audio", path], "utf-8")
        assert status in (0, 1), err
        assert out


def test_a_corpus_whose_path_holds_an_equals_sign(tmp_path, monkeypatch, capsys):
    path = metadata(tmp_path / "split=train")
    for corpus in (str(path), f"mine={path}"):
        arguments = ["train", "--corpus", corpus, "--model", str(tmp_path / "m"), "--labels"]
        assert main([*arguments, "anger,joy"]) == 2  # (an error about the labels, not the path)
        assert "joy" in capsys.readouterr().err


def test_printable():
    assert printable("a\x00\x1b\x9b\x7f\tb\nc") == "a\\x00\\x1b\\x9b\\x7f\\tb\nc"
    assert printable_name("a\nb\r") == "a\\nb\\r"
    assert printable("źródło 语音 😀 e\u0301 \u3000") == "źródło 语音 😀 e\u0301 \u3000"
    assert encodable("é\udcff") == "é\\udcff"
    assert encodable("é", "ascii") == "\\xe9"
    assert encodable("é", None) == "é"
