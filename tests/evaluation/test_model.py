import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import (
    MFCC,
    AugmentingClassifier,
    FunctionalsPooling,
    GroupScaler,
    SpeakerKFold,
    make_multi_task_net,
    make_speech_corpus,
    make_svm_baseline,
    save_model,
)
from sklearn_ser.augmentation import Gain
from sklearn_ser.cli import main
from sklearn_ser.evaluation import fit_model, predict_table, predict_timeline
from sklearn_ser.exceptions import AudioError


@pytest.fixture(scope="module")
def speech():
    return make_speech_corpus(n_speakers=6, n_utterances=1, random_state=0).frame


@pytest.fixture(scope="module")
def net(speech):
    model = make_multi_task_net("egemaps", max_epochs=20, random_state=0)
    return fit_model(model, speech, aux=("gender",))


def test_model_is_a_complete_pipeline_from_audio(net, speech):
    assert list(net.named_steps) == ["features", "scaler", "net"]
    X = speech[["file", "corpus"]]
    assert (net.predict(X) == speech["emotion"]).mean() > 0.5


def test_table_equals_the_pipeline(net, speech):
    X = speech[["file", "corpus"]]
    table = predict_table(net, X)
    assert table["label"].tolist() == net.predict(X).tolist()
    columns = [f"p_{label}" for label in net.classes_]
    np.testing.assert_array_equal(table[columns], net.predict_proba(X))
    features = net[:-1].transform(X)
    assert table["aux_gender"].tolist() == net[-1].predict_aux(features)["gender"].tolist()
    assert table["error"].isna().all()
    probabilities = net[-1].predict_aux_proba(features)["gender"]
    assert list(table.columns)[-4:] == [
        "aux_gender", "aux_gender_p_female", "aux_gender_p_male", "error"
    ]  # fmt: skip
    np.testing.assert_array_equal(
        table[["aux_gender_p_female", "aux_gender_p_male"]], probabilities[["female", "male"]]
    )


@pytest.fixture
def folder(speech, tmp_path):
    """Recordings in a folder and its subfolders, between files of other kinds."""
    for name in ("b/x/2.WAV", "a.wav", "b/1.flac", "b/.hidden.wav", "notes.txt", "c.wav/3.wav"):
        path = tmp_path / "recordings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no audio", encoding="utf-8")
        else:
            signal, rate = speech["file"][0]
            with path.open("wb") as file:
                soundfile.write(file, signal, rate, format="FLAC" if "flac" in name else "WAV")
    (tmp_path / "empty").mkdir()
    return tmp_path / "recordings"


def test_folders_are_searched(net, speech, folder):
    files = [str(folder / name) for name in ("a.wav", "b/1.flac", "b/x/2.WAV", "c.wav/3.wav")]
    array = speech["file"][1]
    expected = predict_table(net, files)
    assert expected["file"].tolist() == files
    assert expected["error"].isna().all()
    for X in (folder, str(folder), [folder], [str(folder)], pd.Series([str(folder)])):
        pd.testing.assert_frame_equal(predict_table(net, X), expected)
    mixed = predict_table(net, [array, str(folder), folder / "a.wav", str(folder.parent / "empty")])
    assert mixed["file"].tolist() == [
        None, *files, str(folder / "a.wav"), str(folder.parent / "empty")
    ]  # fmt: skip
    assert mixed["error"].notna().tolist() == [False] * 6 + [True]
    table = pd.DataFrame({"corpus": ["p", "q"], "file": [array, str(folder)]})
    assert len(predict_table(net, table)) == 5
    windows = predict_timeline(net, folder, window=1.0, hop=0.5)
    assert list(dict.fromkeys(windows["file"])) == files
    assert windows["row"].unique().tolist() == [0, 1, 2, 3]


def test_the_command_searches_folders(net, folder, tmp_path, capsys):
    save_model(net, tmp_path / "m.ser")
    predict = ["predict", "--quiet", "--model", str(tmp_path / "m.ser"), str(folder)]
    assert main([*predict, "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    expected = predict_table(net, folder)
    assert [record["file"] for record in records] == expected["file"].tolist()
    for record in records:
        genders = record["aux_probabilities"]["gender"]
        assert record["aux"] == {"gender": max(genders, key=genders.get)}
        assert sum(genders.values()) == pytest.approx(1)
    assert main(predict) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 1 + 4
    assert "aux_gender_p_" not in out


def test_bad_audio_keeps_its_row_and_is_no_error(net, speech):
    X = speech[["file"]].head(3).copy()
    X.at[1, "file"] = "nowhere.wav"
    table = predict_table(net, X)
    good = predict_table(net, X.iloc[[0, 2]])
    assert table["label"].tolist() == [good["label"][0], None, good["label"][1]]
    assert [error is None for error in table["error"]] == [True, False, True]
    assert net.named_steps["features"].on_error == "raise"
    assert "no such file" in table["error"][1].lower() or "does not exist" in table["error"][1]


def test_nothing_but_bad_audio(net):
    table = predict_table(net, pd.DataFrame({"file": ["a.wav", "b.wav"]}))
    assert table["label"].isna().all()
    assert table["error"].notna().all()


def test_a_model_without_probabilities(speech):
    model = fit_model(make_svm_baseline("egemaps", cv=3, Cs=[0.001]), speech, aux=())
    table = predict_table(model, speech[["file"]].head(2))
    assert list(table.columns) == ["file", "label", "error"]


def test_failed_audio_is_not_trained_on(speech):
    spoiled = speech.copy()
    spoiled.at[0, "file"] = "nowhere.wav"
    settings = {"max_epochs": 3, "random_state": 0}
    model = make_multi_task_net("egemaps", on_error="ignore", **settings)
    fitted = fit_model(model, spoiled, aux=("gender",))
    assert [record["row"] for record in fitted.named_steps["features"].failures_] == [0]
    without = fit_model(model, speech.drop(index=0).reset_index(drop=True), aux=("gender",))
    X = speech[["file"]]
    np.testing.assert_array_equal(fitted.predict_proba(X), without.predict_proba(X))


def test_the_estimator_is_not_modified(speech):
    model = make_multi_task_net("egemaps", max_epochs=2, tasks="auto")
    fit_model(model, speech, aux=())
    assert not hasattr(model.named_steps["net"], "classes_")


def test_a_model_from_features_cannot_read_recordings(speech):
    features = np.random.default_rng(0).normal(size=(len(speech), 4))
    model = fit_model(make_pipeline(GroupScaler(), LinearSVC()), speech, X=features, aux=())
    with pytest.raises(AudioError, match="does not begin with an audio step"):
        predict_table(model, speech[["file"]])


def from_audio():
    svm = LinearSVC(C=0.01, dual=False)
    return make_pipeline(MFCC(), FunctionalsPooling(), GroupScaler(), svm)


def searched(estimator, name):
    return GridSearchCV(estimator, {name: [0.01, 0.001]}, cv=SpeakerKFold(2))


@pytest.mark.parametrize(
    "model",
    [
        searched(from_audio(), "linearsvc__C"),
        searched(AugmentingClassifier(from_audio(), Gain(6.0)), "estimator__linearsvc__C"),
        AugmentingClassifier(searched(from_audio(), "linearsvc__C"), Gain(6.0)),
    ],
    ids=["search", "search over augmentation", "augmentation of a search"],
)
def test_a_search_over_a_pipeline_predicts_tables_and_timelines(model, speech):
    X = speech[["file", "speaker"]]
    fitted = model.fit(X, speech["emotion"])
    X = X.head(3)
    assert predict_table(fitted, X)["label"].tolist() == fitted.predict(X).tolist()
    line = predict_timeline(fitted, X.head(1), window=0.5, hop=0.5)
    assert len(line) > 1
    assert line["label"].notna().all()


def test_an_audio_step_further_inside_is_an_error_with_a_hint(speech):
    X, y = speech[["file"]], speech["emotion"]
    fitted = CalibratedClassifierCV(from_audio(), cv=2).fit(X, y)
    with pytest.raises(
        AudioError, match=r"contains it further inside.*as fit_model returns for it$"
    ):
        predict_table(fitted, X)
    whole = fit_model(CalibratedClassifierCV(from_audio(), cv=2), speech, aux=())
    assert predict_table(whole, X.head(2))["label"].notna().all()
