import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import (
    GroupScaler,
    SpeakerEmbedding,
    make_multi_task_net,
    make_speech_corpus,
    save_model,
)
from sklearn_ser.cli import main
from sklearn_ser.evaluation import fit_model, predict_table, predict_timeline
from sklearn_ser.exceptions import AudioError

RATE = 16000


@pytest.fixture(scope="module")
def speech():
    return make_speech_corpus(n_speakers=6, n_utterances=2, random_state=0).frame


@pytest.fixture(scope="module")
def model(speech):
    net = make_multi_task_net(
        SpeakerEmbedding(), max_epochs=30, perturbation__noise=0.0, random_state=0
    )
    return fit_model(net, speech, aux=("gender",))


@pytest.fixture(scope="module")
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "net.ser"
    save_model(model, path)
    return path


def recording(speech, emotions, seconds=4):
    """Speech of one speaker with these emotions, of equal duration; int16."""
    speaker = speech["speaker"].iloc[0]
    parts = []
    for emotion in emotions:
        chosen = speech[(speech["speaker"] == speaker) & (speech["emotion"] == emotion)]
        signal = np.concatenate([signal for signal, _ in chosen["file"]])
        parts.append(np.resize(signal, seconds * RATE))
    return (np.concatenate(parts) * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def ten_minutes(speech, tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "ten minutes.wav"
    soundfile.write(path, recording(speech, ["anger", "sadness"] * 75), RATE)
    assert soundfile.info(path).duration == 600
    return path


def test_one_row_per_window(model, speech):
    signal = recording(speech, ["anger", "sadness", "happiness"])
    X = pd.DataFrame({"file": [signal, signal[: 3 * RATE]], "corpus": "synthetic"})
    found = predict_timeline(model, X, window=2.0, hop=1.0)
    assert found["row"].tolist() == [0] * 11 + [1] * 2
    assert found["start"].tolist() == [*map(float, range(11)), 0.0, 1.0]
    assert (found["end"] - found["start"]).tolist() == [2.0] * 13
    assert found["file"].isna().all()
    cut = [signal[start : start + 2 * RATE] for start in range(0, 11 * RATE, RATE)]
    expected = predict_table(model, pd.DataFrame({"file": cut, "corpus": "synthetic"}))
    pd.testing.assert_frame_equal(found.iloc[:11, 4:], expected.drop(columns="file"))


def test_the_timeline_follows_the_speech(model, ten_minutes):
    minute = pd.DataFrame({"file": [str(ten_minutes)], "start": 300.0, "end": 360.0})
    found = predict_timeline(model, minute, window=1.0, hop=1.0)
    expected = np.where(found["start"] // 4 % 2 == 0, "anger", "sadness")
    assert found["start"].tolist() == list(range(300, 360))
    assert (found["label"] == expected).mean() > 0.9


def test_recordings_are_not_held_in_memory(model, ten_minutes):
    predict_timeline(model, [np.full(RATE, 0.1)])  # loads everything
    tracemalloc.start()
    try:
        predict_timeline(model, [str(ten_minutes)], window=4.0, hop=4.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # ten minutes are 38 MB of float32
    assert peak < 15e6


def test_windows_and_recordings_that_cannot_be_used(model, speech, tmp_path):
    signal = recording(speech, ["anger"])
    path = tmp_path / "gap.wav"
    soundfile.write(path, np.concatenate([signal, np.zeros(4 * RATE, np.int16), signal]), RATE)
    found = predict_timeline(model, [str(path), "missing.wav"], window=2.0, hop=2.0)
    assert found["label"].isna().tolist() == [False, False, True, True, False, False, True]
    assert found["error"][2].startswith("digital silence")
    assert "does not exist" in found["error"][6]
    assert found["start"].isna().tolist() == [False] * 6 + [True]
    assert found["file"].tolist() == [str(path)] * 6 + ["missing.wav"]


def test_an_array_beside_a_path_has_no_file(model, speech, tmp_path):
    signal = recording(speech, ["anger"], seconds=1)
    path = tmp_path / "speech.wav"
    soundfile.write(path, signal, RATE)
    found = predict_timeline(model, [signal, str(path)], window=0.5, hop=0.5)
    assert found["file"].dtype == object
    assert found["file"].tolist() == [None, None, str(path), str(path)]


@pytest.fixture(scope="module")
def conversation(speech):
    """Two recordings: 4 s of anger, 4 s of steady noise, 4 s of sadness; and noise alone."""
    noise = 60 * np.random.default_rng(0).standard_normal(4 * RATE)
    parts = recording(speech, ["anger"]), noise, recording(speech, ["sadness"])
    spoken = np.concatenate(parts) + 60 * np.random.default_rng(1).standard_normal(12 * RATE)
    return [spoken.astype(np.int16), noise.astype(np.int16)]


def test_windows_without_speech_have_no_label(model, conversation):
    found = predict_timeline(model, conversation, window=1.0, hop=1.0, min_speech=0.25)
    assert list(found.columns[:6]) == ["row", "file", "start", "end", "label", "speech"]
    silent = [*range(4, 8), *range(12, 16)]
    assert np.flatnonzero(found["label"].isna()).tolist() == silent
    assert found.loc[silent, ["p_anger", "p_sadness", "aux_gender_p_male"]].isna().all(axis=None)
    assert (found.loc[silent, "speech"] < 0.1).all()
    assert (found.drop(silent)["speech"] > 0.4).all()
    assert found["error"][4] == "the share of speech is 0.000, below min_speech=0.25"
    assert found.drop(silent)["error"].isna().all()
    unlimited = predict_timeline(model, conversation, window=1.0, hop=1.0)
    kept = found.drop(silent).drop(columns="speech")
    pd.testing.assert_frame_equal(kept, unlimited.drop(silent))


def test_shares_of_speech_alone(model, conversation):
    found = predict_timeline(model, conversation, window=1.0, hop=1.0, min_speech=0)
    assert found["label"].notna().all()
    assert found["speech"].between(0, 1).all()


def test_noise_alone_has_no_label(model, conversation):
    found = predict_timeline(model, conversation[1:], window=1.0, hop=1.0, min_speech=0.25)
    assert found["label"].tolist() == [None] * 4


def test_the_noise_floor_is_that_of_each_recording(model, conversation):
    softer = [(part // 20).astype(np.int16) for part in conversation]
    louder, soft = (
        predict_timeline(model, parts, window=1.0, hop=0.5, min_speech=0.25)["label"].isna()
        for parts in (conversation, softer)
    )
    assert louder.tolist() == soft.tolist()


def test_long_recordings_have_one_noise_floor(model, speech):
    rng = np.random.default_rng(0)
    signal = 60 * rng.standard_normal(131 * RATE)  # longer than two parts that are read at once
    signal[70 * RATE : 74 * RATE] += recording(speech, ["anger"])
    found = predict_timeline(model, [signal.astype(np.int16)], 1.0, 1.0, min_speech=0.25)
    assert found["start"][found["label"].notna()].tolist() == [70, 71, 72, 73]


def test_digital_silence_and_bad_files_beside_speech(model, conversation):
    gap = np.concatenate([np.zeros(2 * RATE, np.int16), conversation[0]])
    found = predict_timeline(model, [gap, "missing.wav"], 1.0, 1.0, min_speech=0.25)
    assert found["label"].isna().tolist() == [i in (0, 1, 6, 7, 8, 9, 14) for i in range(15)]
    assert np.isnan(found["speech"][14])
    assert "does not exist" in found["error"][14]


def test_smoothing_averages_near_windows_of_one_recording(model, conversation):
    X = [conversation[0], conversation[0][: 3 * RATE + RATE // 2]]
    raw, smooth = (
        predict_timeline(model, X, window=1.0, hop=0.5, smoothing=seconds)
        for seconds in (None, 1.0)
    )
    numbers = [name for name in raw if "p_" in name]
    assert "aux_gender_p_male" in numbers
    expected = raw.groupby("row")[numbers].rolling(3, center=True, min_periods=1).mean()
    np.testing.assert_allclose(smooth[numbers], expected, rtol=1e-5)
    labels = [name for name in numbers if name.startswith("p_")]
    best = smooth[labels].astype(float).idxmax(axis=1).str.removeprefix("p_")
    assert smooth["label"].tolist() == best.tolist()
    genders = smooth[["aux_gender_p_female", "aux_gender_p_male"]].astype(float).idxmax(axis=1)
    assert smooth["aux_gender"].tolist() == genders.str.removeprefix("aux_gender_p_").tolist()


def test_smoothing_leaves_out_windows_without_a_label(model, conversation):
    settings = {"window": 1.0, "hop": 1.0, "min_speech": 0.25}
    raw, smooth = (
        predict_timeline(model, conversation, smoothing=seconds, **settings)
        for seconds in (None, 2.0)
    )
    assert smooth["label"].isna().tolist() == raw["label"].isna().tolist()
    values = raw["p_anger"].astype(float)
    assert smooth["p_anger"][3] == pytest.approx(values[2:4].mean())
    assert smooth["p_anger"][1] == pytest.approx(values[:3].mean())


def test_smoothing_of_auxiliary_values(speech, conversation):
    net = make_multi_task_net(SpeakerEmbedding(), max_epochs=2, tasks="auto", random_state=0)
    arousal = speech.assign(arousal=np.linspace(0, 1, len(speech)))
    fitted = fit_model(net, arousal, aux=("arousal",))
    raw, smooth = (
        predict_timeline(fitted, conversation[:1], 1.0, 1.0, smoothing=seconds)["aux_arousal"]
        for seconds in (None, 2.0)
    )
    expected = raw.astype(float).rolling(3, center=True, min_periods=1).mean()
    np.testing.assert_allclose(smooth.astype(float), expected, rtol=1e-5)


def test_smoothing_needs_probabilities(speech):
    steps = make_pipeline(SpeakerEmbedding(), GroupScaler(), LinearSVC())
    fitted = fit_model(steps, speech, aux=())
    with pytest.raises(ValueError, match=r"^smoothing averages probabilities, but this model has"):
        predict_timeline(fitted, speech[["file"]].head(1), smoothing=4)


def test_windows_too_short_for_the_model_are_an_error(model, speech):
    signal = recording(speech, ["anger"], seconds=1)
    assert predict_timeline(model, [signal], window=0.06, hop=0.06)["label"].notna().all()
    with pytest.raises(ValueError, match=r"^window must be at least 0.06 s.* Got 0.059 instead"):
        predict_timeline(model, [signal], window=0.059, hop=0.03)
    bad = {"window": "4", "hop": 0, "min_window": -1, "smoothing": 0, "min_speech": 1.1}
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"^The '{name}' parameter of .*predict_timeline must"):
            predict_timeline(model, [signal], **{name: value})


def test_the_audio_column_is_that_of_the_model(speech):
    steps = make_pipeline(SpeakerEmbedding(audio="wave"), GroupScaler(), LinearSVC())
    renamed = speech.rename(columns={"file": "wave"})
    fitted = fit_model(steps, renamed, X=["wave", "corpus", "speaker"], aux=())
    found = predict_timeline(fitted, renamed[["wave", "corpus"]].head(2), window=0.5, hop=0.5)
    assert list(found.columns) == ["row", "file", "start", "end", "label", "error"]
    assert found["error"].isna().all()


def test_a_model_without_an_audio_step(speech):
    features = np.random.default_rng(0).normal(size=(len(speech), 2))
    fitted = fit_model(make_pipeline(GroupScaler(), LinearSVC()), speech, X=features, aux=())
    with pytest.raises(AudioError, match="does not begin with an audio step"):
        predict_timeline(fitted, speech[["file"]])


@pytest.mark.slow
def test_a_recording_through_the_command(model, model_file, speech, tmp_path):
    path = str(tmp_path / "minute.wav")
    soundfile.write(path, recording(speech, ["anger", "sadness"] * 8), RATE)
    command = [
        sys.executable,
        "-m",
        "sklearn_ser",
        "predict",
        "--quiet",
        "--model",
        str(model_file),
    ]
    command += ["--window", "4", "--hop", "2", path]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    header, *lines = run.stdout.splitlines()
    assert header.split()[:4] == ["file", "start", "end", "label"]
    assert len(lines) == 31
    run = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    records = json.loads(run.stdout)
    expected = predict_timeline(model, [path])
    assert [record["label"] for record in records] == expected["label"].tolist()
    assert [record["start"] for record in records] == expected["start"].tolist()
    assert records[-1]["end"] == 64
    keys = {"file", "start", "end", "label", "probabilities", "aux", "aux_probabilities", "error"}
    assert set(records[0]) == keys
    assert sum(records[0]["probabilities"].values()) == pytest.approx(1)


def test_command_continues_after_silence_and_bad_files(model_file, speech, tmp_path, capsys):
    signal = recording(speech, ["anger"])
    path = str(tmp_path / "gap.wav")
    soundfile.write(path, np.concatenate([signal, np.zeros(4 * RATE, np.int16)]), RATE)
    predict = ["predict", "--quiet", "--model", str(model_file), "--window", "2"]
    assert main([*predict, path]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + 4
    assert err.startswith(f"{path}: 3 of 7 windows left out, the first at 4 s: digital silence")
    assert len(err.splitlines()) == 1
    assert main([*predict, "--json", path, "missing.wav"]) == 1
    out, err = capsys.readouterr()
    assert [record["label"] is None for record in json.loads(out)] == [False] * 4 + [True] * 4
    assert json.loads(out)[-1]["start"] is None
    assert err.splitlines()[-1].startswith("missing.wav: the file does not exist")


def test_command_smooths_and_leaves_out_pauses(model, model_file, conversation, tmp_path, capsys):
    path = str(tmp_path / "conversation.wav")
    soundfile.write(path, conversation[0], RATE)
    predict = ["predict", "--quiet", "--model", str(model_file), "--window", "1", "--hop", "1"]
    predict += ["--smoothing", "3", "--min-speech", "0.25"]
    assert main([*predict, path]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split()[:5] == ["file", "start", "end", "label", "speech"]
    assert len(out.splitlines()) == 1 + 8
    assert err == (
        f"{path}: 4 of 12 windows left out, the first at 4 s: the share of speech is 0.000, below "
        f"min_speech=0.25\n"
    )
    assert main([*predict, "--json", path]) == 0
    records = json.loads(capsys.readouterr().out)
    expected = predict_timeline(model, [path], 1.0, 1.0, smoothing=3, min_speech=0.25)
    assert [record["label"] for record in records] == expected["label"].tolist()
    assert [record["speech"] for record in records] == expected["speech"].tolist()
    assert [record["probabilities"] is None for record in records] == [
        i in range(4, 8) for i in range(12)
    ]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--hop", "1"], "--hop requires --window"),
        (["--smoothing", "1"], "--smoothing requires --window"),
        (["--min-speech", "0.2"], "--min-speech requires --window"),
        (["--window", "1", "--min-speech", "20"], "in the range [0.0, 1.0] or None. Got 20"),
        (["--window", "0"], "in the range (0.0, inf). Got 0"),
        (["--window", "0.001"], "window must be at least 0.06 s, the minimum"),
        (["--window", "inf"], "in the range (0.0, inf). Got inf"),
        (["--window", "nan"], "in the range (0.0, inf). Got nan"),
        (["--window", "2", "--hop", "3"], "hop must be at most window, 2.0 s. Got 3.0"),
        (["--window", "2", "--hop", "-1"], "in the range (0.0, inf). Got -1"),
    ],
)
def test_command_checks_windows(model_file, extra, message, capsys):
    assert main(["predict", "--model", str(model_file), *extra, "a.wav"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
