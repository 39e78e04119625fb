"""Audio steps with a store: nothing is computed twice, and no feature changes."""

import os
import shutil
import sqlite3
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser.datasets import make_speech_corpus
from sklearn_ser.exceptions import AudioError, AudioWarning, StoreWarning
from sklearn_ser.feature_extraction import LogMelSpectrogram, OpenSmileExtractor, SpeakerEmbedding
from sklearn_ser.store import FeatureStore, _file_digests, _store
from tests.conftest import LevelExtractor


class Loudness(LevelExtractor):
    """An extractor that counts what it computes."""

    cache_revision = 1
    extracted = []  # of all instances: scikit-learn clones
    hooks = []  # called while extracting

    def _extract(self, signal):
        self.extracted.append(len(signal))
        for hook in self.hooks:
            hook()
        return super()._extract(signal)


class LoudnessFrames(Loudness):
    cache_revision = 1
    _frame_level = True

    def _feature_names(self):
        return ["level"]

    def _extract(self, signal):
        self.extracted.append(len(signal))
        return np.abs(signal[: len(signal) // 400 * 400]).reshape(-1, 400).mean(axis=1)[:, None]


@pytest.fixture(autouse=True)
def extracted(monkeypatch):
    """Return the length of each utterance that this test has computed."""
    lengths = []
    monkeypatch.setattr(Loudness, "extracted", lengths)
    return lengths


@pytest.fixture
def frame(tmp_path):
    """Sixteen utterances of four speakers, as files."""
    return make_speech_corpus(
        n_speakers=4, n_utterances=1, duration=0.4, root=tmp_path / "speech", random_state=0
    ).frame


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def stored(store):
    return FeatureStore(store).info()["entries"]


# Stored features --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extractor",
    [
        OpenSmileExtractor(),
        OpenSmileExtractor(feature_level="lld"),
        SpeakerEmbedding("unit"),
        LogMelSpectrogram(),
        Loudness(),
        LoudnessFrames(),
    ],
    ids=repr,
)
def test_a_store_changes_nothing(extractor, frame, store):
    expected = extractor.transform(frame)
    storing = clone(extractor).set_params(store=store)
    for step in (1, 1, -1):
        found = storing.transform(frame[::step])
        pd.testing.assert_frame_equal(found, expected[::step])
        assert found.attrs == expected.attrs
        assert storing.failures_ == []
    assert stored(store) == len(frame)
    assert FeatureStore(store).info()["extractors"][0]["extractor"] == type(extractor).__name__


def test_nothing_is_extracted_twice(frame, store, extracted):
    Loudness(store=store).transform(frame[:10])
    Loudness(store=str(store), n_jobs=2, on_error="ignore").transform(frame)
    Loudness(store=FeatureStore(store)).transform(frame)
    assert len(extracted) == len(frame) == 16
    signals = [(*soundfile.read(file, dtype="float32"),) for file in frame["file"]]
    for _ in range(2):
        Loudness(store=store).transform(signals)
    assert len(extracted) == 32


def test_another_parameter_is_extracted_again(frame, store, extracted):
    for extractor in (Loudness(), Loudness(2), Loudness(remove_dc=True), LoudnessFrames()):
        extractor.set_params(store=store).transform(frame)
    assert len(extracted) == stored(store) == 4 * len(frame)


def test_an_array_that_is_changed_in_place_is_extracted_again(store, extracted):
    signal = np.full(2000, 0.1, dtype="float32")
    assert Loudness(store=store).transform([signal])["peak"][0] == np.float32(0.1)
    signal[5] = 0.5
    assert Loudness(store=store).transform([signal])["peak"][0] == np.float32(0.5)


def test_grid_search_extracts_each_utterance_once(frame, store, extracted):
    model = make_pipeline(Loudness(store=store), StandardScaler(), LinearSVC(dual=False))
    grid = {"linearsvc__C": [0.01, 0.1, 1.0], "linearsvc__penalty": ["l1", "l2"]}
    search = GridSearchCV(model, grid, cv=GroupKFold(4), error_score="raise")
    search.fit(frame, frame["emotion"], groups=frame["speaker"])
    assert len(extracted) == len(frame)
    search.predict(frame)
    assert len(extracted) == len(frame)
    with parallel_config(backend="threading", n_jobs=2):
        again = clone(search).fit(frame, frame["emotion"], groups=frame["speaker"])
    assert len(extracted) == len(frame)
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(again.cv_results_[name], search.cv_results_[name])


def counting_by_file(count, store):
    """Return an audio step of a local class, which is sent to processes and counts in a file."""

    class CountingInFile(OpenSmileExtractor):
        cache_revision = 1

        def _extract(self, signal):
            with open(count, "ab") as opened:
                opened.write(b".")
            return super()._extract(signal)

    return CountingInFile(store=store)


@pytest.mark.slow
def test_grid_search_in_processes(frame, store, tmp_path):
    count = tmp_path / "count"
    model = make_pipeline(counting_by_file(str(count), str(store)), LinearSVC(dual=False))
    search = GridSearchCV(model, {"linearsvc__C": [0.1, 1.0]}, cv=2, error_score="raise")
    search.fit(frame, frame["emotion"])
    assert count.stat().st_size == len(frame)
    search.set_params(n_jobs=2).fit(frame, frame["emotion"])
    assert count.stat().st_size == len(frame)
    # Processes that find nothing share the work.
    shutil.rmtree(store)
    search.fit(frame, frame["emotion"])
    assert count.stat().st_size == 2 * len(frame)
    assert stored(store) == len(frame)
    assert FeatureStore(store).verify() == []


def test_rows_of_the_same_audio_get_separate_arrays(frame, store):
    twice = pd.concat([frame[:1], frame[:1]])
    for _ in range(2):
        one, other = LoudnessFrames(store=store).transform(twice)["frames"]
        np.testing.assert_array_equal(one, other)
        one[:] = 0
        assert other.any()


def test_start_and_end(frame, store, extracted):
    parts = pd.concat([frame[:1].assign(start=start, end=start + 0.1) for start in (0, 0.1, 0.15)])
    expected = Loudness().transform(parts)
    for _ in range(2):
        pd.testing.assert_frame_equal(Loudness(store=store).transform(parts), expected)
    assert len(extracted) == 6


# Audio that fails, or is clipped ------------------------------------------------------------------


def test_failures_are_not_stored(frame, store, extracted):
    X = [*frame["file"][:3], "missing.wav", np.zeros(2000), np.zeros(10), np.full(2000, np.nan)]
    first = Loudness(store=store, on_error="ignore")
    expected = first.transform(X)
    assert stored(store) == 3
    assert [record["row"] for record in first.failures_] == [3, 4, 5, 6]
    again = Loudness(store=store, on_error="ignore")
    pd.testing.assert_frame_equal(again.transform(X), expected)
    assert again.failures_ == first.failures_
    with pytest.raises(AudioError, match=r"^row 3, file 'missing.wav': the file does not exist"):
        Loudness(store=store).transform(X)
    assert len(extracted) == 3


def test_rows_extracted_before_a_failure_are_stored(frame, store, extracted):
    X = [*frame["file"], "missing.wav"]
    for _ in range(2):
        with pytest.raises(AudioError, match=r"^row 16"):
            Loudness(store=store).transform(X)
    assert stored(store) >= 12
    assert len(extracted) == 16 + (16 - stored(store))


def test_clipped_rows_warn_when_read_from_the_store(store, extracted):
    loud = [np.full(2000, 0.5, "float32"), np.full(2000, 1.5, "float32"), np.full(2000, 2, "f4")]
    texts = []
    for _ in range(2):
        with pytest.warns(AudioWarning, match=r"row 1: the peak is 1.5, .* clipped") as caught:
            Loudness(store=store, beyond_full_scale="clip").transform(loud)
        texts.append([str(warning.message) for warning in caught])
    assert texts[0] == texts[1]
    assert len(texts[0]) == 1
    assert len(extracted) == 3
    with pytest.raises(AudioError, match=r"^row 1: the peak is 1.5, beyond full scale"):
        Loudness(store=store).transform(loud)


# Files that change --------------------------------------------------------------------------------


def overwrite(file, seed=1):
    samples = np.random.default_rng(seed).normal(scale=0.05, size=soundfile.info(file).frames)
    soundfile.write(file, samples, 16000)


def test_a_changed_file_is_extracted_again(frame, store, extracted):
    file = frame["file"].iloc[0]
    before = Loudness(store=store).transform([file])
    status = os.stat(file)
    overwrite(file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert os.stat(file).st_size == status.st_size
    after = Loudness(store=store).transform([file])
    assert (after["level"] != before["level"]).all()
    assert len(extracted) == stored(store) == 2


@pytest.mark.parametrize("how", ["overwritten", "replaced", "removed", "a folder now"])
@pytest.mark.parametrize("settled", [False, True])
def test_a_file_that_changes_during_extraction_is_not_stored(
    frame, store, monkeypatch, tmp_path, how, settled
):
    files = list(frame["file"][:3])
    if settled:
        # As for files that were written long ago: their times alone must show the change.
        monkeypatch.setattr(_file_digests, "_COARSEST_TICK", -1e12)

    def change():
        Loudness.hooks.clear()
        if how == "overwritten":
            overwrite(files[1])
        elif how == "replaced":
            overwrite(shutil.copy(files[1], tmp_path / "new.wav"))
            os.replace(tmp_path / "new.wav", files[1])
        else:
            os.remove(files[1])
        if how == "a folder now":
            os.mkdir(files[1])

    expected = Loudness().transform(files)
    monkeypatch.setattr(Loudness, "hooks", [change])
    found = Loudness(store=store, on_error="ignore").transform(files)
    np.testing.assert_array_equal(found.iloc[[0, 2]], expected.iloc[[0, 2]])
    assert stored(store) == 2
    if how in ("overwritten", "replaced"):
        for _ in range(2):
            again = Loudness(store=store).transform(files)
            pd.testing.assert_frame_equal(again, Loudness().transform(files))
            assert again["level"][1] != expected["level"][1]


def test_a_change_without_a_trace_in_the_times_is_detected_by_the_bytes(frame, store, monkeypatch):
    # A clock that does not tick between the two versions of a file.
    files = list(frame["file"][:2])
    now = os.stat(files[0])
    monkeypatch.setattr(
        _file_digests, "_stamp", lambda status: (1, now.st_mtime_ns, now.st_ctime_ns, 1, 1)
    )

    def change():
        Loudness.hooks.clear()
        overwrite(files[1])

    monkeypatch.setattr(Loudness, "hooks", [change])
    Loudness(store=store).transform(files)
    assert stored(store) == 1


# A store that fails: extraction continues -------------------------------------------------------


def transform_and_warn(extractor, X, match):
    with pytest.warns(StoreWarning, match=match) as caught:
        found = extractor.transform(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert str(caught[0].message).endswith(". Extraction continues without the store.")
    pd.testing.assert_frame_equal(found, clone(extractor).set_params(store=None).transform(X))


def test_a_folder_that_cannot_be_created(frame, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        extractor = Loudness(store=folder)
        transform_and_warn(extractor, frame, match=rf"feature store '{folder}' cannot be read: ")
    assert (tmp_path / "file").read_text() == ""


def test_a_folder_without_permission_to_create_it(frame, store, monkeypatch):
    def raise_error(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_store.os, "makedirs", raise_error)
    transform_and_warn(Loudness(store=store), frame, match="cannot be written: Permission denied")


def test_a_damaged_file(frame, store):
    Loudness(store=store).transform(frame)
    (store / "features.sqlite").write_bytes(b"no database" * 1000)
    match = r"cannot be read: the file is damaged .* Delete '.*features.sqlite'"
    transform_and_warn(Loudness(store=store), frame, match=match)


def test_a_damaged_entry_is_computed_and_replaced(frame, store, extracted):
    expected = Loudness(store=store).transform(frame)
    connection = sqlite3.connect(store / "features.sqlite")
    with connection:
        connection.execute("UPDATE entries SET data = zeroblob(12) WHERE id % 2 = 0")
    connection.close()
    with pytest.warns(StoreWarning, match="^8 entries are damaged in the feature store") as caught:
        pd.testing.assert_frame_equal(Loudness(store=store).transform(frame), expected)
    assert [warning.filename for warning in caught] == [__file__]
    pd.testing.assert_frame_equal(Loudness(store=store).transform(frame), expected)
    assert len(extracted) == 16 + 8
    assert FeatureStore(store).verify() == []


def test_a_later_format(frame, store):
    Loudness(store=store).transform(frame)
    connection = sqlite3.connect(store / "features.sqlite")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = (store / "features.sqlite").read_bytes()
    transform_and_warn(Loudness(store=store), frame, match="has format 2, .* was not changed")
    assert (store / "features.sqlite").read_bytes() == before


def test_a_full_disk_is_tried_once(frame, store, monkeypatch):
    Loudness(store=store).transform(frame[:2])
    connect, tried = sqlite3.connect, []

    def connect_to_full_disk(*place, **settings):
        connection = connect(*place, **settings)
        connection.execute("PRAGMA max_page_count = 1")
        tried.append(place)
        return connection

    long = [np.full(2_000_000, 0.1, dtype="float32")] * 40  # frames that need room
    monkeypatch.setattr(_store.sqlite3, "connect", connect_to_full_disk)
    transform_and_warn(LoudnessFrames(store=store), long, match="written: the disk is full")
    assert len([place for place in tried if "mode=rwc" in place[0]]) == 1
    assert len(tried) == 3  # a look, one more right before the work, one attempt to write
    monkeypatch.undo()
    assert stored(store) == 2


def test_a_read_only_store_returns_its_entries(frame, store, monkeypatch, extracted):
    Loudness(store=store).transform(frame[:10])
    connect = sqlite3.connect

    def connect_to_read(database, **settings):
        database = database.replace("mode=rwc", "mode=ro").replace("mode=rw", "mode=ro")
        return connect(database, **settings)

    monkeypatch.setattr(_store.sqlite3, "connect", connect_to_read)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Loudness(store=store).transform(frame[:10])
    assert len(extracted) == 10
    transform_and_warn(Loudness(store=store), frame, match="cannot be written: it is read-only")
    assert len(extracted) == 10 + 6 + 16
    assert stored(store) == 10


def test_a_locked_store(frame, store, monkeypatch):
    Loudness(store=store).transform(frame)
    monkeypatch.setattr(_store, "TIMEOUT", 0.05)
    other = sqlite3.connect(store / "features.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    transform_and_warn(Loudness(store=store), frame, match="another process has locked it")
    other.close()


def test_a_parameter_without_content_is_not_stored(frame, store):
    match = "parameter 'power' of Loudness is or holds a Power, whose content cannot be compared"
    transform_and_warn(Loudness(Power(), store=store), frame, match=match)
    assert not store.exists()


class Power:
    def __rpow__(self, signal):
        return signal**2


def test_a_class_without_a_revision_is_not_stored_with_one_warning(frame, store, extracted):
    class Unversioned(Loudness):
        """Inherits the revision of its base."""

    match = r"the class Unversioned does not declare cache_revision. .* cache_revision = 1 to it"
    with pytest.warns(StoreWarning, match=match) as caught:
        Unversioned(store=store).transform(frame)
    assert [warning.filename for warning in caught] == [__file__]
    Unversioned(store=store, n_jobs=2).transform(frame)  # no second warning, which is an error
    assert len(extracted) == 2 * len(frame)
    assert not store.exists()
    Unversioned.cache_revision = 1
    for _ in range(2):
        Unversioned(store=store).transform(frame)
    assert len(extracted) == 3 * len(frame)
    assert stored(store) == len(frame)


# Without a store --------------------------------------------------------------------------------


def test_without_a_store_no_file_is_hashed(frame, monkeypatch):
    def raise_error(path):
        raise AssertionError("hashed")

    monkeypatch.setattr(_file_digests, "_read", raise_error)
    Loudness().transform(frame)


def test_no_rows_make_no_folder(store):
    Loudness(store=store).transform([])
    assert not Path(store).exists()


@pytest.mark.parametrize("method", ["transform", "fit_transform"])
def test_a_warning_names_the_line_of_the_user(method, frame, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(StoreWarning, match="cannot be read") as caught:
        getattr(Loudness(store=tmp_path / "file"), method)(frame[:1])
    assert [warning.filename for warning in caught] == [__file__]
