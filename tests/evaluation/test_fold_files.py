"""Files of folds and results: damage, exchanged audio, permissions, interrupted writing."""

import errno
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import cross_corpus_validate
from sklearn_ser.augmentation import AddNoise, AugmentingClassifier, Gain
from sklearn_ser.evaluation import EvaluationResult, _validate
from sklearn_ser.exceptions import EvaluationWarning, SerError
from sklearn_ser.store import _locks
from tests.conftest import LevelExtractor

RATE = 16000


def evaluate(feature_table, out):
    frame, X = feature_table
    return cross_corpus_validate({"svm": LinearSVC(C=0.01)}, frame, X=X, aux=(), out=out)


def fold_files(folder):
    return sorted((folder / "folds").iterdir())


def flip(content, position):
    position = int(position * (len(content) - 1))
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


DAMAGES = {
    "empty": lambda content, other: b"",
    "cut": lambda content, other: content[:-100],
    "longer": lambda content, other: content + b"\0",
    "zeros": lambda content, other: bytes(len(content)),
    "text": lambda content, other: b"not a table",
    "fold of another": lambda content, other: other,
    **{
        f"bit {share:.0%}": lambda content, other, share=share: flip(content, share)
        for share in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    },
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_fold_is_computed_again(feature_table, tmp_path, damage):
    first = evaluate(feature_table, tmp_path)
    files = fold_files(tmp_path)
    intact = files[0].read_bytes()
    files[0].write_bytes(DAMAGES[damage](intact, files[1].read_bytes()))
    again = evaluate(feature_table, tmp_path)
    pd.testing.assert_frame_equal(again.predictions, first.predictions)
    # It replaces the damaged one (`seconds` differ, so that its name does).
    assert len(fold_files(tmp_path)) == 3
    assert files[0] not in fold_files(tmp_path) or files[0].read_bytes() == intact


def test_a_fold_under_the_name_of_another_is_not_taken(feature_table, tmp_path):
    first = evaluate(feature_table, tmp_path)
    one, other, _ = fold_files(tmp_path)
    key = one.name.partition("-")[0]
    one.unlink()
    shutil.copy(other, other.with_name(f"{key}-{other.name.partition('-')[2]}"))
    pd.testing.assert_frame_equal(evaluate(feature_table, tmp_path).predictions, first.predictions)


def test_pretrained_parts_do_not_share_folds(feature_table, tmp_path):
    frame, X = feature_table
    estimators = {}
    for name, column in (("useful", 0), ("useless", 9)):
        fitted = PCA(1).fit(np.outer(np.arange(20), np.arange(10) == column))
        estimators[name] = make_pipeline(FrozenEstimator(fitted), LinearSVC(C=0.01))
    expected = cross_corpus_validate(estimators, frame, X=X.to_numpy(), aux=())
    for _ in range(2):  # computed, and read
        result = cross_corpus_validate(estimators, frame, X=X.to_numpy(), aux=(), out=tmp_path)
        pd.testing.assert_frame_equal(result.predictions, expected.predictions)
        assert len(fold_files(tmp_path)) == 6


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_reported_at_once(
    feature_table, tmp_path, monkeypatch, code
):
    frame, X = feature_table
    expected = cross_corpus_validate({"svm": LinearSVC()}, frame, X=X, aux=())

    def without_locks(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(_locks, "_devices_with_locks", set())
    monkeypatch.setattr(_locks.fcntl, "lockf", without_locks)
    folder = tmp_path / "out"
    text = r"the file system of .*out' has no file locks: finished folds are saved and not comput"
    for _ in range(2):  # computed, and read
        with pytest.warns(EvaluationWarning, match=text) as caught:
            result = cross_corpus_validate({"svm": LinearSVC()}, frame, X=X, aux=(), out=folder)
        assert len(caught) == 1
        pd.testing.assert_frame_equal(result.predictions, expected.predictions)
        monkeypatch.setattr(_validate, "_run", None)
    assert len(list((folder / "folds").glob("*.parquet"))) == 3


def test_files_have_the_modes_of_the_umask(feature_table, tmp_path):
    before = os.umask(0o027)
    try:
        evaluate(feature_table, tmp_path / "out")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert {path.stat().st_mode & 0o777 for path in files if path.suffix != ".lock"} == {0o640}


class Killed(BaseException):
    """In place of a kill."""


def test_a_write_that_is_interrupted_leaves_no_part_of_a_result(
    feature_table, tmp_path, monkeypatch
):
    first = evaluate(feature_table, tmp_path)
    frame, X = feature_table
    other = cross_corpus_validate({"other": LinearSVC()}, frame, X=-X, aux=())
    for n_synced in range(3):

        def sync(descriptor, left=[n_synced]):  # noqa: B006
            if not left[0]:
                raise Killed
            left[0] -= 1

        monkeypatch.setattr(os, "fsync", sync)
        with pytest.raises(Killed):
            other.save(tmp_path)
        assert EvaluationResult.load(tmp_path).predictions.equals(first.predictions)
    assert not list(tmp_path.glob(".*"))


def test_files_of_two_results_are_not_mixed(feature_table, tmp_path, monkeypatch):
    evaluate(feature_table, tmp_path)
    frame, X = feature_table
    other = cross_corpus_validate({"other": LinearSVC()}, frame, X=-X, aux=())
    replace = os.replace

    def kill_after_the_first(part, path):
        replace(part, path)
        raise Killed

    monkeypatch.setattr(os, "replace", kill_after_the_first)
    with pytest.raises(Killed):
        other.save(tmp_path)
    with pytest.raises(SerError, match=r"predictions\.parquet is missing, damaged or that of ano"):
        EvaluationResult.load(tmp_path)
    monkeypatch.undo()
    evaluate(feature_table, tmp_path)
    assert EvaluationResult.load(tmp_path).estimators == ["svm"]


@pytest.mark.parametrize("name", ["predictions.parquet", "utterances.parquet", "result.json"])
@pytest.mark.parametrize("damage", ["empty", "cut", "text", "absent"])
def test_a_damaged_result_is_an_error(feature_table, tmp_path, name, damage):
    evaluate(feature_table, tmp_path)
    file = tmp_path / name
    content = file.read_bytes()
    file.unlink()
    if damage != "absent":
        file.write_bytes(DAMAGES[damage](content, b""))
    with pytest.raises(SerError, match=rf"{name} is missing, damaged|{name} does not exist"):
        EvaluationResult.load(tmp_path)


WRONG_DETAILS = [
    (name, value)
    for name in ("sha256", "labels", "protocol", "info", "dropped", "notes", "failures")
    for value in (None, 5, "x", [[]], {"x": 5}, {"x": [1]}, "absent")
    if not (name == "protocol" and isinstance(value, str) and value == "x")
    and not (name == "info" and isinstance(value, dict))
]


@pytest.mark.parametrize(("name", "value"), WRONG_DETAILS)
def test_details_of_wrong_types_are_one_error(feature_table, tmp_path, name, value):
    frame, X = feature_table
    cross_corpus_validate({"svm": LinearSVC()}, frame, X=X, aux=()).save(tmp_path)
    file = tmp_path / "result.json"
    details = json.loads(file.read_text())
    details[name] = value
    if value == "absent":
        del details[name]
    file.write_text(json.dumps(details))
    with pytest.raises(SerError, match=r"result\.json|predictions\.parquet is missing, damaged"):
        EvaluationResult.load(tmp_path)


def test_a_table_of_columns_of_several_lengths_is_an_error(feature_table, tmp_path):
    evaluate(feature_table, tmp_path)
    file = tmp_path / "result.json"
    details = json.loads(file.read_text())
    details["notes"]["fits"].append(1)
    file.write_text(json.dumps(details))
    with pytest.raises(SerError, match=r"result\.json is missing, damaged or that of another eval"):
        EvaluationResult.load(tmp_path)


def test_a_folder_in_place_of_a_fold_file_costs_nothing(feature_table, tmp_path):
    first = evaluate(feature_table, tmp_path)
    file = fold_files(tmp_path)[0]
    file.unlink()
    file.mkdir()
    for _ in range(2):
        again = evaluate(feature_table, tmp_path)
        pd.testing.assert_frame_equal(again.predictions, first.predictions)


@pytest.mark.parametrize("name", ["out", "out/folds"])
def test_a_file_in_place_of_a_folder_is_an_error_before_any_fit(feature_table, tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    with pytest.raises(SerError, match=r"finished folds cannot .*(out|folds)' is a file, not a fo"):
        evaluate(feature_table, tmp_path / "out")


@pytest.fixture
def recordings(tmp_path):
    """Frame of files of two corpora, and a function that writes them with a level by emotion."""
    rows = [
        {"corpus": corpus, "speaker": f"{corpus}/{speaker}", "emotion": emotion}
        for corpus in "ab"
        for speaker in range(3)
        for emotion in ("anger", "sadness")
    ]
    frame = pd.DataFrame(rows)
    frame.insert(0, "file", [str(tmp_path / f"{row}.wav") for row in frame.index])

    def write(level):
        rng = np.random.default_rng(0)
        for file, emotion in zip(frame["file"], frame["emotion"], strict=True):
            times = os.stat(file) if os.path.exists(file) else None
            gain = level if emotion == "anger" else 1.0
            soundfile.write(file, gain * rng.normal(scale=0.02, size=RATE // 2), RATE)
            if times is not None:  # as rsync -a and tar do
                os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    write(1.0)
    return frame, write


def augmented(augmenter):
    pipeline = make_pipeline(LevelExtractor(), LinearSVC())
    return {"m": AugmentingClassifier(pipeline, [augmenter], random_state=0)}


def test_exchanged_audio_of_the_same_size_and_time_is_evaluated(recordings, tmp_path):
    frame, write = recordings
    before = cross_corpus_validate(augmented(Gain(1.0)), frame, aux=(), out=tmp_path / "out")
    write(8.0)
    new = cross_corpus_validate(augmented(Gain(1.0)), frame, aux=(), out=tmp_path / "new")
    again = cross_corpus_validate(augmented(Gain(1.0)), frame, aux=(), out=tmp_path / "out")
    pd.testing.assert_frame_equal(again.predictions, new.predictions)
    assert not again.predictions.equals(before.predictions)


def test_moved_audio_finds_its_folds(recordings, tmp_path):
    frame, _ = recordings
    first = cross_corpus_validate(augmented(Gain(1.0)), frame, aux=(), out=tmp_path / "out")
    files = fold_files(tmp_path / "out")
    (tmp_path / "moved").mkdir()
    moved = [shutil.move(file, tmp_path / "moved") for file in frame["file"]]
    again = cross_corpus_validate(
        augmented(Gain(1.0)), frame.assign(file=moved), aux=(), out=tmp_path / "out"
    )
    assert fold_files(tmp_path / "out") == files
    pd.testing.assert_frame_equal(again.predictions, first.predictions)


def test_exchanged_noise_of_an_augmenter_is_another_evaluation(recordings, tmp_path):
    frame, _ = recordings
    noise = tmp_path / "noise.wav"
    n_files = []
    for seed in (0, 1, 1):
        soundfile.write(noise, np.random.default_rng(seed).normal(scale=0.1, size=RATE), RATE)
        os.utime(noise, ns=(0, 0))
        models = augmented(AddNoise(noises=[str(noise)]))
        cross_corpus_validate(models, frame, aux=(), out=tmp_path / "out")
        n_files.append(len(fold_files(tmp_path / "out")))
    assert n_files == [2, 4, 4]


class Scaled(LevelExtractor):
    """An audio step whose clones keep what it has learned."""

    cache_revision = 1
    factor = 1.0

    def _extract(self, signal):
        return super()._extract(signal) * self.factor

    def __sklearn_clone__(self):
        return self


def test_audio_steps_that_differ_by_what_they_have_learned_are_both_run(recordings):
    frame, write = recordings
    write(8.0)
    useful, useless = Scaled(), Scaled()
    useless.factor = 0.0
    steps = {"useful": useful, "useless": useless}
    models = {name: make_pipeline(step, LinearSVC()) for name, step in steps.items()}
    result = cross_corpus_validate(models, frame, aux=())
    for name, model in models.items():
        alone = cross_corpus_validate({name: model}, frame, aux=()).predictions
        found = result.predictions.query("estimator == @name").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, alone)
    assert result.summary()["pooled"].nunique() == 2
