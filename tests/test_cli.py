import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser import make_speech_corpus
from sklearn_ser.cli import main


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two synthetic corpora on disk, in the layout of "my own corpus"."""
    root = tmp_path_factory.mktemp("corpora")
    for seed, name in enumerate(("studio", "phone")):
        corpus = make_speech_corpus(n_speakers=6, name=name, root=root / name, random_state=seed)
        table = corpus.frame.copy()
        table["file"] = [str(path) for path in table["file"]]
        table["speaker"] = [speaker.split("/")[-1] for speaker in table["speaker"]]
        table.to_csv(root / name / "metadata.csv", index=False)
    return root


@pytest.fixture(scope="module")
def model(folders, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "net.ser"
    status = main(
        [
            "train",
            "--corpus",
            f"studio={folders / 'studio'}",
            "--model",
            str(path),
            "--quiet",
            "--features",
            "egemaps",
        ]
    )
    assert status == 0
    return path


def some_files(folders, corpus, count):
    return [str(path) for path in pd.read_csv(folders / corpus / "metadata.csv")["file"][:count]]


@pytest.mark.slow
def test_evaluate_writes_table_and_plots(folders, tmp_path, capsys):
    arguments = [
        "evaluate", "--corpus", f"studio={folders / 'studio'}",
        "--corpus", f"phone={folders / 'phone'}", "--out", str(tmp_path), "--features", "egemaps",
        "--seeds", "1",
    ]  # fmt: skip
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "MTL + gender" in out
    assert "naturalness is constant (acted) in these corpora and is left out" in err
    names = {path.name for path in tmp_path.iterdir()}
    assert {"table.md", "uar.png", "confusion.png", "predictions.parquet"} <= names
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    assert set(predictions["corpus"]) == {"studio", "phone"}


def test_predict_json(model, folders, capsys):
    files = some_files(folders, "phone", 3)
    assert main(["predict", "--model", str(model), "--json", *files]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["file"] for record in records] == files
    for record in records:
        assert record["label"] == max(record["probabilities"], key=record["probabilities"].get)
        assert sum(record["probabilities"].values()) == pytest.approx(1)
        assert record["aux"]["gender"] in ("female", "male")
        assert record["error"] is None


def test_predict_goes_on_after_a_bad_file(model, folders, tmp_path, capsys):
    (good,) = some_files(folders, "studio", 1)
    text = tmp_path / "text.wav"
    text.write_text("not audio")
    silent = tmp_path / "short.wav"
    soundfile.write(silent, np.zeros(10), 16000)
    files = [str(text), good, str(silent), "nowhere.wav"]
    assert main(["predict", "--model", str(model), *files]) == 1
    out, err = capsys.readouterr()
    assert good in out
    assert len(out.splitlines()) == 2
    assert [line.split(": ")[0] for line in err.splitlines()] == [
        str(text), str(silent), "nowhere.wav"
    ]  # fmt: skip
    assert main(["predict", "--model", str(model), "--json", *files]) == 1
    records = json.loads(capsys.readouterr().out)
    assert [record["label"] is None for record in records] == [True, False, True, True]


def test_group_scales_by_the_recordings_own_statistics(model, folders, capsys):
    files = some_files(folders, "phone", 24)

    def probabilities(*extra):
        assert main(["predict", "--model", str(model), "--json", *extra, *files]) == 0
        records = json.loads(capsys.readouterr().out)
        return pd.DataFrame([record["probabilities"] for record in records]).to_numpy()

    alone, together, known = (
        probabilities(), probabilities("--group", "new"), probabilities("--group", "studio")
    )  # fmt: skip
    assert np.abs(alone - together).max() > 0.05
    np.testing.assert_allclose(alone, known, atol=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "--model", "none.ser", "a.wav"], "no model file 'none.ser'"),
        (["evaluate", "--corpus", "emodb=nowhere", "--out", "x"], "nowhere"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_map_takes_labels_of_ones_own(folders, tmp_path, capsys):
    table = pd.read_csv(folders / "phone" / "metadata.csv")
    table["emotion"] = table["emotion"].replace("anger", "grumpy")
    table.to_csv(tmp_path / "metadata.csv", index=False)
    arguments = [
        "train", "--corpus", f"studio={folders / 'studio'}", "--corpus", f"own={tmp_path}",
        "--model", str(tmp_path / "m.ser"), "--features", "egemaps", "--estimator", "svm",
    ]  # fmt: skip
    assert main(arguments) == 2
    assert "unknown label(s): 'grumpy'" in capsys.readouterr().err
    assert main([*arguments, "--map", "grumpy=anger", "--map", "sadness="]) == 0
    assert "emotions anger, happiness, neutral" in capsys.readouterr().err
    assert main([*arguments, "--map", "grumpy=anger", "--map", "sulky=anger"]) == 2
    assert "--map names ['sulky'], which no corpus has" in capsys.readouterr().err


def test_interrupt_says_what_is_kept(monkeypatch, tmp_path, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_ser.evaluation.cross_corpus_validate", interrupted)
    assert main(["demo", "--out", str(tmp_path), "--quiet"]) == 130
    assert f"interrupted; what is finished is kept in {tmp_path}" in capsys.readouterr().err


def test_corpus_without_a_folder(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--corpus", "emodb", "--model", "x"])
    assert "expected NAME=DIR, such as emodb=corpora/emodb: 'emodb'" in capsys.readouterr().err


@pytest.mark.slow
def test_demo(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--seeds", "1", "--n-jobs", "1"]) == 0
    out, err = capsys.readouterr()
    assert "naturalness is constant (acted) in these corpora and is left out" in err
    assert "MTL + gender" in out
    assert (tmp_path / "uar.png").stat().st_size > 10_000
