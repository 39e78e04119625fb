"""``sklearn-ser audit``."""

import json
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from sklearn_ser import make_speech_corpus
from sklearn_ser.cli import main


@pytest.fixture
def folder(tmp_path):
    corpus = make_speech_corpus(
        n_speakers=8, n_utterances=1, name="mine", root=tmp_path / "mine", random_state=0
    )
    return tmp_path / "mine", corpus.frame


def test_clean_corpus(folder, capsys):
    root, _ = folder
    assert main(["audit", str(root), "--quiet"]) == 0
    assert capsys.readouterr().out == (
        "Audit of 32 utterances of 8 speakers (mine): no findings.\n"
        "Not checked: unseen sentences of mine (there are fewer than 2 sentences).\n"
        "Not checked: voices of mine (fewer than 5 speakers have 8 utterances).\n"
    )


def test_an_error_is_status_1_and_written(folder, tmp_path, capsys):
    root, frame = folder
    signal, rate = soundfile.read(frame["file"][0])
    soundfile.write(frame["file"][9], signal, rate)
    out = tmp_path / "report.json"
    assert main(["audit", str(root), "--quiet", "--out", str(out)]) == 1
    assert "[mine] exact duplicate: 1 pair with identical samples" in capsys.readouterr().out
    assert json.loads(out.read_text())["findings"][0]["rows"] == [0, 9]
    assert main(["audit", str(root / "metadata.csv"), "--quiet", "--out", f"{out}.csv"]) == 1
    assert pd.read_csv(f"{out}.csv")["rows"].tolist() == ["0 9"]


def test_several_folders_without_audio(folder, tmp_path, capsys):
    root, _ = folder
    make_speech_corpus(
        n_speakers=8,
        n_utterances=1,
        name="street",
        naturalness="natural",
        root=tmp_path / "street",
        random_state=0,
    )
    assert main(["audit", str(root), str(tmp_path / "street"), "--no-audio", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "WARNING auxiliary target confounded with corpus: 'naturalness'" in out
    assert out.endswith("Not checked: the audio (audio=None).\n")


def test_errors(folder, tmp_path, capsys):
    root, _ = folder
    assert main(["audit", str(root), "--out", "report.txt"]) == 2
    assert "--out must end in .csv or .json, got 'report.txt'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["audit", str(tmp_path / "nothing")])
    assert "nothing" in capsys.readouterr().err
    table = pd.read_csv(root / "metadata.csv")
    table.assign(emotion=table["emotion"].replace("anger", "fury")).to_csv(
        root / "metadata.csv", index=False
    )
    assert main(["audit", str(root), "--no-audio", "--quiet"]) == 2
    assert "On the command line, use --map FROM=TO" in capsys.readouterr().err
    assert main(["audit", str(root), "--no-audio", "--quiet", "--map", "fury=anger"]) == 0


def test_pattern_with_a_name(folder, tmp_path, capsys):
    _, frame = folder
    for row in frame.itertuples():
        path = tmp_path / "sorted" / row.emotion / f"{row.speaker.partition('/')[2]}_x.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Path(row.file).read_bytes())
    pattern = f"{tmp_path}/sorted/{{emotion}}/{{speaker}}_*.wav"
    assert main(["audit", "--pattern", f"a=b={pattern}", "--no-audio", "--quiet"]) == 2
    capsys.readouterr()
    assert main(["audit", "--pattern", f"folders={pattern}", "--no-audio", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("Audit of 32 utterances of 8 speakers (folders): no ")
    assert main(["audit", "--pattern", pattern, "--no-audio", "--quiet"]) == 0
    assert "(sorted)" in capsys.readouterr().out


def test_pattern_without_speakers(capsys):
    with pytest.raises(SystemExit):
        main(["audit", "--pattern", "data/{emotion}/*.wav"])
    assert (
        "'data/{emotion}/*.wav' has no field for the speaker; expected" in capsys.readouterr().err
    )
