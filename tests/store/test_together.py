"""Worker processes, steps that change during a transform, and processes that start together."""

import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from joblib import parallel_config

from sklearn_ser.exceptions import AudioError, StoreWarning
from sklearn_ser.feature_extraction import LogMelSpectrogram
from sklearn_ser.store import FeatureStore, _locks, _stored_rows
from sklearn_ser.store._file_digests import FileDigests

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")


def noise(seed, n_samples=3200):
    return np.random.default_rng(seed).normal(scale=0.05, size=n_samples)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def folders(tmp_path):
    """Two folders of files of the same names, and of other content."""
    for seed, name in enumerate(("one", "other")):
        (tmp_path / name).mkdir()
        for n in range(4):
            soundfile.write(tmp_path / name / f"{n}.wav", noise(10 * seed + n), 16000)
    return tmp_path / "one", tmp_path / "other"


class Versioned(LogMelSpectrogram):
    """An extractor whose features depend on something that may change during a transform."""

    cache_revision = 1
    content = [1.0]
    during = []
    extracted = []

    def _versions(self):
        return {"content": self.content[0]}

    def _extract(self, signal):
        type(self).extracted.append(float(signal[0]))
        if self.during:
            self.during.pop(0)()
        return super()._extract(signal) * np.float32(self.content[0])


@pytest.fixture(autouse=True)
def extracted(monkeypatch):
    monkeypatch.setattr(Versioned, "content", [1.0])
    monkeypatch.setattr(Versioned, "during", [])
    monkeypatch.setattr(Versioned, "extracted", [])
    return Versioned.extracted


def same(one, other):
    return [np.array_equal(a, b) for a, b in zip(one["frames"], other["frames"], strict=True)]


# Workers with another working directory ----------------------------------------------------------


@pytest.mark.slow
def test_relative_paths_mean_the_same_in_worker_processes(folders, store, monkeypatch):
    names = [f"{n}.wav" for n in range(4)]
    with parallel_config(backend="loky", n_jobs=2):
        monkeypatch.chdir(folders[0])
        LogMelSpectrogram().transform(names)  # the workers start here, and stay
        monkeypatch.chdir(folders[1])
        found = LogMelSpectrogram(store=store).transform(names)
        failing = LogMelSpectrogram(on_error="ignore")
        failing.transform([*names, "missing.wav"])
        with pytest.raises(AudioError, match=r"^row 4, file 'missing.wav': the file does not ex"):
            LogMelSpectrogram().transform([*names, "missing.wav"])
    right = LogMelSpectrogram().transform(names)
    assert all(same(found, right))
    assert all(same(LogMelSpectrogram(store=store).transform(names), right))
    assert FeatureStore(store).info()["entries"] == 4
    assert [record["file"] for record in failing.failures_] == ["missing.wav"]


def test_a_worker_compares_its_files_with_those_of_the_keys(folders):
    one, other = (str(folder / "0.wav") for folder in folders)
    digest = FileDigests().of([one])[one]
    assert digest.is_found_at(one)
    copy = shutil.copyfile(one, folders[1] / "copy.wav")
    os.utime(copy, (1, 1))
    assert digest.is_found_at(copy)
    os.utime(other, (1, 1))
    assert not digest.is_found_at(other)
    assert not digest.is_found_at("missing.wav")
    sources = _stored_rows.KeySources(b"", {3: (one, digest), 5: (other, digest), 8: (one, digest)})
    assert sources.rows_of_other_files() == {5}


# A step that changes while it works ---------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_features_of_a_changed_step_are_not_stored(store, n_jobs):
    signals = [noise(n) for n in range(40)]
    before = LogMelSpectrogram().transform(signals)

    def change():
        Versioned.content[0] = 2.0

    Versioned.during[:] = [lambda: None] * 20 + [change]
    with pytest.warns(
        StoreWarning, match=r"no longer stored .* the class of Versioned has changed"
    ) as caught:
        Versioned(store=store, n_jobs=n_jobs).transform(signals)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    # Two threads may both be in their first chunk when it changes.
    assert (0 if n_jobs == 1 else -1) < FeatureStore(store).info()["entries"] <= 20
    Versioned.content[0] = 1.0
    assert all(same(Versioned(store=store).transform(signals), before))


def test_a_step_that_changes_and_changes_back_between_chunks(store):
    signals = [noise(n) for n in range(48)]

    def change_to(content):
        def change():
            Versioned.content[0] = content

        return change

    nothing = [lambda: None] * 10
    Versioned.during[:] = [*nothing, change_to(2.0), *nothing, *nothing, change_to(1.0)]
    with pytest.warns(StoreWarning, match=r"has changed since this transform began"):
        Versioned(store=store).transform(signals)
    right = LogMelSpectrogram().transform(signals)
    assert all(same(Versioned(store=store).transform(signals), right))


# Processes and threads that start together --------------------------------------------------------


def locks_of(store):
    return _locks.KeyLocks(Path(store, "features.locks"))


def lock_and_wait(folder, keys, locked):
    assert locks_of(folder).acquire(keys) == set(keys)
    locked.set()
    time.sleep(60)


@pytest.fixture
def other_process(store):
    """Another process that has locked these keys, and does nothing more."""
    processes = multiprocessing.get_context("fork")
    started = []

    def start(keys):
        locked = processes.Event()
        started.append(processes.Process(target=lock_and_wait, args=(store, keys, locked)))
        started[-1].start()
        assert locked.wait(30)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.join()


forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@needs_fork
@forks
def test_a_lock_ends_with_its_process(store, other_process):
    one, other = b"1" * 32, b"2" * 32
    process = other_process([one])
    mine = locks_of(store)
    assert mine.acquire([one, other]) == {other}
    process.kill()
    process.join()
    assert mine.acquire([one, other]) == {one, other}
    mine.release()
    other_process([one, other])  # released keys can be locked


def test_a_lock_holds_between_threads_too(store):
    one, other = locks_of(store), locks_of(store)
    assert one.acquire([b"1" * 8, b"2" * 8]) == {b"1" * 8, b"2" * 8}
    assert one.acquire([b"1" * 8]) == {b"1" * 8}
    assert other.acquire([b"1" * 8, b"3" * 8]) == {b"3" * 8}
    other.release([b"1" * 8])  # of another
    assert other.acquire([b"1" * 8]) == set()
    one.release()
    assert other.acquire([b"1" * 8]) == {b"1" * 8}
    other.release()
    assert not _locks._descriptors
    assert not _locks._owners


def test_without_file_locks_every_lock_is_granted(store, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    assert locks_of(tmp_path / "file" / "below").acquire([b"1" * 8]) == {b"1" * 8}
    monkeypatch.setattr(_locks, "fcntl", None)
    for _ in range(2):
        assert locks_of(store).acquire([b"1" * 8]) == {b"1" * 8}


def keys_of(signals, store):
    from sklearn_ser.audio import open_audio

    extractor = Versioned(store=store)
    rows = _stored_rows.StoredRows(
        extractor, open_audio(signals, min_duration=extractor._min_duration)
    )
    return [each.key for each in rows._keys(range(len(signals))).values()]


@needs_fork
@forks
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_nobody_waits_for_long_for_a_process_that_dies_or_hangs(
    store, other_process, end, monkeypatch, extracted
):
    monkeypatch.setattr(_stored_rows, "MAX_WAIT", 0.4)
    signals = [noise(n) for n in range(6)]
    process = other_process(keys_of(signals, store)[:3])
    killer = threading.Timer(0.2, os.kill, (process.pid, end))
    killer.start()
    found = Versioned(store=store).transform(signals)
    killer.join()
    assert all(same(found, LogMelSpectrogram().transform(signals)))
    # First the unlocked rows, then those that were left to the other process.
    assert extracted == [float(np.float32(signals[n][0])) for n in (3, 4, 5, 0, 1, 2)]
    assert FeatureStore(store).info()["entries"] == 6


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_transforms_that_start_together_extract_each_utterance_once(store, extracted, n_jobs):
    signals = [noise(n) for n in range(60)]
    expected = LogMelSpectrogram().transform(signals)
    found, gate = {}, threading.Barrier(3)

    def work(number):
        gate.wait()
        found[number] = Versioned(store=store, n_jobs=n_jobs).transform(signals[:: (-1) ** number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(extracted) == len(signals)
    for number in range(3):
        assert all(same(found[number], expected[:: (-1) ** number]))
    assert not _locks._owners


def test_the_first_failure_is_raised_even_if_others_have_locked_its_row(store, monkeypatch):
    monkeypatch.setattr(_stored_rows, "MAX_WAIT", 0.1)
    signals = [noise(0), np.zeros(3200), noise(2), np.zeros(3200)]
    other = locks_of(store)
    other.acquire(keys_of(signals, store)[:2])
    with pytest.raises(AudioError, match=r"^row 1: digital silence"):
        Versioned(store=store).transform(signals)
    other.release()
    assert Path(store, "features.locks").stat().st_size == 0
