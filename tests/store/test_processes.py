"""Several processes at one store, and processes that are killed during a write."""

import multiprocessing
import os
import signal
import sqlite3
import threading
import time

import numpy as np
import pytest

from sklearn_ser.exceptions import StoreError
from sklearn_ser.store import FeatureStore, _store

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork, by which they start"),
    # Python 3.12 warns about forks in threaded processes, which the last test makes.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
# A forked process starts within milliseconds, so that there can be many.
processes = multiprocessing.get_context("fork")


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def entry(n):
    """Return an entry whose value follows from its key, so that it can be verified."""
    return {b"%d" % n: (np.full((1 + n % 7, 300), n, dtype="float32"), n + 0.5)}


def write(store, numbers, times=1):
    """Write entries, 20 at a time, and read them back."""
    for _ in range(times):
        for start in range(0, len(numbers), 20):
            some = numbers[start : start + 20]
            store.put_many({key: value for n in some for key, value in entry(n).items()})
            assert count_correct(store, some) == len(some)


def count_correct(store, numbers):
    """Return the number of these that are in the store; each must be correct."""
    found = store.get_many([b"%d" % n for n in numbers])
    for key, (values, clipped) in found.items():
        expected, expected_clipped = entry(int(key))[key]
        np.testing.assert_array_equal(values, expected)
        assert clipped == expected_clipped
    return len(found)


def start(*work):
    process = processes.Process(target=work[0], args=work[1:])
    process.start()
    return process


def finish(process):
    process.join(timeout=60)
    assert process.exitcode == 0


def test_two_processes_write_the_same_and_other_keys_at_once(store):
    writers = [start(write, store, range(400)), start(write, store, range(200, 600))]
    for writer in writers:
        finish(writer)
    assert count_correct(store, range(600)) == 600
    assert store.info()["entries"] == 600
    assert store.verify() == []


def test_a_kill_at_any_moment_leaves_only_correct_entries(store):
    random = np.random.default_rng(0)
    before = 0
    for _ in range(20):
        writer = start(write, store, range(20_000), 100)
        while store.info()["entries"] == 0:  # a loaded machine takes seconds to start a process
            time.sleep(0.01)
        time.sleep(random.uniform(0.01, 0.1))
        assert writer.is_alive()
        writer.kill()
        writer.join()
        n_correct = count_correct(store, range(20_000))
        assert n_correct == store.info()["entries"]
        assert n_correct % 20 == 0  # all of a write or none of it
        assert n_correct >= before
        assert store.verify() == []
        before = n_correct
    assert before > 0
    finish(start(write, store, range(100)))
    assert count_correct(store, range(100)) == 100


def die_during_a_write(store):
    with _store.open_for_writing(store.path) as connection:
        # A cache so small that half of the data is in the file before the end.
        connection.execute("PRAGMA cache_size = 10")
        connection.execute("UPDATE entries SET clipped = 7, data = zeroblob(length(data))")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_in_the_middle_of_a_write_is_undone(store, monkeypatch):
    write(store, range(300))
    writer = start(die_during_a_write, store)
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert "features.sqlite-journal" in os.listdir(store.path)
    with monkeypatch.context() as patched:
        # Nothing may be read before the partial write is undone, and a reader cannot undo it.
        connect = sqlite3.connect
        patched.setattr(
            _store.sqlite3,
            "connect",
            lambda database, **settings: connect(
                database.replace("mode=rw", "mode=ro"), **settings
            ),
        )
        with pytest.raises(
            StoreError, match="interrupted and has to be undone first, but the file is read-"
        ):
            store.get_many([b"1"])
    assert count_correct(store, range(300)) == 300
    assert store.verify() == []
    assert os.listdir(store.path) == ["features.sqlite"]


def test_threads_share_a_handle(store):
    errors = []

    def work(first):
        try:
            for n in range(first, first + 40):
                store.put_many(entry(n))
                assert count_correct(store, range(n + 1)) >= n + 1 - first
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 30, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert count_correct(store, range(100)) == 100


def test_a_fork_while_another_thread_uses_the_store(store):
    stop = threading.Event()

    def write_on():
        n = 1000
        while not stop.is_set():
            n += 1
            store.put_many(entry(n))

    thread = threading.Thread(target=write_on)
    thread.start()
    try:
        children = [start(write, store, range(n, n + 1)) for n in range(8)]
        for child in children:
            finish(child)
    finally:
        stop.set()
        thread.join()
    assert count_correct(store, range(8)) == 8
    assert store.verify() == []
