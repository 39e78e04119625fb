import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser import make_speech_corpus
from sklearn_ser.cli import main
from sklearn_ser.persistence import load_model, load_model_info


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
        "--seeds", "1", "--audit",
    ]  # fmt: skip
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "MTL + gender" in out
    assert "too few speakers" in out
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Findings about the data" in report
    assert "too few speakers" in report
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


def test_predict_continues_after_a_bad_file(model, folders, tmp_path, capsys):
    (good,) = some_files(folders, "studio", 1)
    text = tmp_path / "text.wav"
    text.write_text("not audio")
    silent = tmp_path / "short.wav"
    soundfile.write(silent, np.zeros(10), 16000)
    files = [str(text), good, str(silent), "nowhere.wav"]
    assert main(["predict", "--quiet", "--model", str(model), *files]) == 1
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


@pytest.mark.parametrize(
    ("group", "count", "message"),
    [
        ("new", 24, "group 'new': scaled by the statistics of these recordings"),
        (
            "new",
            3,
            "group 'new' was not in training, and its own statistics need 10 usable",
        ),
        ("studio", 3, "group 'studio' was in training"),
    ],
)
def test_predict_says_how_a_group_was_scaled(model, folders, capsys, group, count, message):
    files = some_files(folders, "phone", count)
    assert main(["predict", "--model", str(model), "--group", group, *files]) == 0
    assert message in capsys.readouterr().err
    assert main(["predict", "--model", str(model), "--group", group, "--quiet", *files]) == 0
    assert capsys.readouterr().err == ""


def train(folders, *extra):
    return ["train", "--corpus", f"studio={folders / 'studio'}", "--features", "egemaps", *extra]


def test_nothing_is_computed_for_a_path_that_cannot_be_written(folders, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(train(folders, "--model", str(tmp_path / "file" / "m.ser"))) == 2
    assert "cannot write to" in capsys.readouterr().err
    assert main(train(folders, "--model", str(tmp_path))) == 2
    assert "is a folder; expected the name of a file" in capsys.readouterr().err
    corpus = f"studio={folders / 'studio'}"
    assert main(["evaluate", "--corpus", corpus, "--out", str(tmp_path / "file")]) == 2
    assert "cannot write to" in capsys.readouterr().err


def test_a_mistyped_target_is_an_error(folders, tmp_path, capsys):
    assert main(train(folders, "--model", str(tmp_path / "m.ser"), "--aux", "gendr")) == 2
    assert "--aux: these corpora have no column 'gendr'; they have" in capsys.readouterr().err
    assert main(train(folders, "--model", str(tmp_path / "m.ser"), "--aux", "emotion")) == 2
    assert "which is the label itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--scale-by", "typo"], "expected names among corpus, speaker, language"),
        (["--map", "calm"], "expected FROM=TO, such as calm=neutral, got 'calm'"),
    ],
)
def test_bad_options(folders, extra, message, capsys):
    with pytest.raises(SystemExit):
        main(train(folders, "--model", "x.ser", *extra))
    assert message in capsys.readouterr().err


def test_seeds_are_at_least_one(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--seeds", "0"])
    assert "expected an integer of at least 1, got '0'" in capsys.readouterr().err


def test_svm_with_few_speakers_and_a_bad_file(folders, tmp_path, capsys):
    table = pd.read_csv(folders / "studio" / "metadata.csv")
    table["file"] = [str(folders / "studio" / name) for name in table["file"]]
    few = table[table["speaker"].isin(sorted(table["speaker"].unique())[:3])]
    few.loc[few.index[0], "emotion"] = None
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    few.loc[few.index[1], "file"] = str(tmp_path / "silent.wav")
    few.to_csv(tmp_path / "metadata.csv", index=False)
    path = tmp_path / "svm.ser"
    arguments = ["train", "--corpus", f"few={tmp_path}", "--features", "egemaps",
                 "--estimator", "svm", "--model", str(path)]  # fmt: skip
    assert main([*arguments, "--quiet"]) == 0  # the unlabeled one is left out
    assert load_model_info(path)["info"]["utterances"] == len(few) - 2
    assert main([*arguments, "--map", "=", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*arguments, "--map", "="]) == 0
    err = capsys.readouterr().err
    assert "warning: " in err
    assert "site-packages" not in err
    assert load_model_info(path)["info"]["utterances"] == len(few) - 2
    predict = ["predict", "--model", str(path), "--json"]
    assert main([*predict, few["file"].iloc[1], few["file"].iloc[2]]) == 1
    bad, good = json.loads(capsys.readouterr().out)
    assert bad["label"] is None
    assert good["label"] in set(table["emotion"])
    assert good["probabilities"] is None


@pytest.mark.parametrize("with_metadata", [False, True])
def test_training_with_a_folder_of_unlabeled_recordings(folders, tmp_path, capsys, with_metadata):
    table = pd.read_csv(folders / "phone" / "metadata.csv")
    target = tmp_path / "target" / "calls"
    target.mkdir(parents=True)
    for file in table["file"]:
        (target / Path(file).name).write_bytes((folders / "phone" / file).read_bytes())
    if with_metadata:
        table = table.assign(file=[f"calls/{Path(file).name}" for file in table["file"]])
        table.assign(emotion="no emotion").to_csv(tmp_path / "target" / "metadata.csv")
    path = tmp_path / "m.ser"
    arguments = train(folders, "--model", str(path), "--unlabeled", str(tmp_path / "target"))
    assert main(arguments) == 0
    info = load_model_info(path)["info"]
    assert info["estimator"] == "self-trained"
    assert info["corpora"] == ["studio", "target"]
    assert info["labels"] == ["anger", "happiness", "neutral", "sadness"]
    labeled = pd.read_csv(folders / "studio" / "metadata.csv")
    assert info["utterances"] == len(labeled) + len(table)
    net = load_model(path)[-1]
    n_selected = net.pseudo_labels_["selected"][net.pseudo_labels_["retained"]].max()
    assert f"on pseudo-labels of {n_selected} of {len(table)} unl" in capsys.readouterr().err
    assert main(["predict", "--model", str(path), "--group", "target", str(target)]) == 0
    assert "group 'target' was in training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--estimator", "svm"], "--unlabeled requires --estimator self-trained: svm is trained"),
        ([], "holds no recordings"),
    ],
)
def test_unlabeled_recordings_that_cannot_be_used(folders, tmp_path, capsys, extra, message):
    arguments = train(folders, "--model", str(tmp_path / "m.ser"), "--unlabeled")
    (tmp_path / "empty").mkdir()
    assert main([*arguments, str(tmp_path / "empty"), *extra]) == 2
    assert message in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "nowhere")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_a_reader_may_stop_early(model, folders):
    files = " ".join(some_files(folders, "studio", 20))
    command = f"{sys.executable} -m sklearn_ser predict --quiet --model {model} {files} | head -1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert run.stderr == ""
    assert "label" in run.stdout


def test_map_of_custom_labels(folders, tmp_path, capsys):
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
    assert "--map names ['sulky'], which no corpus contains" in capsys.readouterr().err


def test_interrupt_names_the_folder_of_finished_folds(monkeypatch, tmp_path, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_ser.evaluation.cross_corpus_validate", interrupted)
    assert main(["demo", "--out", str(tmp_path), "--quiet"]) == 130
    assert f"interrupted; finished folds are stored in {tmp_path}" in capsys.readouterr().err


def test_corpus_without_a_folder(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--corpus", "emodb", "--model", "x"])
    assert (
        "there is no folder 'emodb'; expected DIR, or NAME=DIR such as emodb=corpora/emodb"
        in capsys.readouterr().err
    )


def test_no_corpus_is_given(tmp_path, capsys):
    assert main(["train", "--model", str(tmp_path / "m.ser")]) == 2
    assert "no corpus is given: expected --corpus DIR or --pattern" in capsys.readouterr().err


@pytest.mark.slow
def test_demo(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), "--seeds", "1", "--n-jobs", "1"]) == 0
    out, err = capsys.readouterr()
    assert "naturalness is constant (acted) in these corpora and is left out" in err
    assert "MTL + gender" in out
    assert (tmp_path / "uar.png").stat().st_size > 10_000
