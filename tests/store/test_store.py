"""FeatureStore by itself: entries, info, pruning and verification."""

import copy
import datetime
import os
import pickle
import sqlite3

import numpy as np
import pytest

from sklearn_ser.store import FeatureStore
from tests.store.conftest import DAY, assert_holds, at_time, entries, execute


def test_returns_what_was_put_in(store):
    put = entries(2000) | {
        b"scalar": (np.array(3, dtype="float32"), None),
        b"empty": (np.zeros((0, 4), dtype="float32"), 1.25),
        b"frames": (np.ones((5, 7), dtype="float32")[:, ::2], 2.5),
        b"not numbers": (np.float32([np.nan, np.inf, -0.0]), None),
    }
    store.put_many(put, extractor="Some")
    assert_holds(store, put)
    assert store.get_many([b"scalar", b"nowhere", b"scalar"]).keys() == {b"scalar"}
    assert store.get_many([]) == {}
    assert store.verify() == []


def test_changing_a_result_does_not_change_the_store(store):
    put = entries(1)
    store.put_many(put)
    first = store.get_many(put)[b"key 0"][0]
    first[:] = 0
    assert_holds(store, put)


def test_a_later_entry_replaces_an_earlier_one(store):
    store.put_many({b"key": (np.zeros(3, dtype="float32"), 1.5)}, extractor="First")
    store.put_many({b"key": (np.ones((2, 2), dtype="float32"), None)}, extractor="Second")
    assert_holds(store, {b"key": (np.ones((2, 2)), None)})
    assert [each["extractor"] for each in store.info()["extractors"]] == ["Second"]


def test_an_empty_store_makes_no_folder(store):
    assert store.get_many([b"key"]) == {}
    assert store.info()["entries"] == 0
    assert store.verify() == []
    assert store.prune(older_than=1) == 0
    store.put_many({})
    assert not os.path.exists(store.path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("text", (np.zeros(1, dtype="float32"), None), "A key must be bytes"),
        (b"", (np.zeros(1, dtype="float32"), None), "A key must be bytes, and not empty"),
        (b"key", (np.zeros(1), None), "must be an array of float32, got float64"),
        (b"key", ([1.0], None), "must be an array of float32, got list"),
        (b"key", (np.zeros(1, dtype="float32"), np.nan), "clipped must be a finite peak"),
    ],
)
def test_invalid_entries(store, key, value, message):
    with pytest.raises((TypeError, ValueError), match=message):
        store.put_many({b"good": (np.zeros(1, dtype="float32"), None), key: value})
    assert store.get_many([b"good"]) == {}


def test_a_handle_is_only_a_path(store):
    put = entries(3)
    for handle in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store)):
        handle.put_many(put)
        assert_holds(store, put)
    assert vars(store) == {"path": store.path}
    assert os.fspath(store) == store.path
    assert repr(store) == f"FeatureStore({store.path!r})"


def test_a_handle_keeps_its_folder_when_the_working_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = FeatureStore("here")
    store.put_many(entries(1))
    monkeypatch.chdir("/")
    assert store.info()["entries"] == 1


def test_a_folder_with_odd_characters(tmp_path):
    store = FeatureStore(tmp_path / "50% ?mode=memory#ä")
    store.put_many(entries(2))
    assert_holds(FeatureStore(store.path), entries(2))
    assert os.listdir(store.path) == ["features.sqlite"]


# Info and pruning -------------------------------------------------------------------------------


def test_info(store, monkeypatch):
    at_time(monkeypatch, 0)
    store.put_many(entries(3), extractor="A")
    at_time(monkeypatch, 2 * DAY)
    store.put_many(entries(2, shape=(4, 5), prefix="b"), extractor="B")
    store.get_many([b"key 0"])
    info = store.info()
    assert info["extractors"] == [
        {
            "extractor": "A",
            "entries": 3,
            "bytes": 3 * 88 * 4,
            "created": "1970-01-01T00:00:00Z",
            "used": "1970-01-03T00:00:00Z",
            "unreadable": 0,
        },
        {
            "extractor": "B",
            "entries": 2,
            "bytes": 2 * 20 * 4,
            "created": "1970-01-03T00:00:00Z",
            "used": "1970-01-03T00:00:00Z",
            "unreadable": 0,
        },
    ]
    assert info["entries"] == 5
    assert info["bytes"] == os.path.getsize(info["file"])
    assert info["path"] == store.path


def test_use_is_recorded_once_a_day(store, monkeypatch):
    def uses():
        return dict(execute(store, "SELECT key, used FROM entries"))

    at_time(monkeypatch, DAY)
    store.put_many(entries(2))
    before = os.stat(store.info()["file"])
    at_time(monkeypatch, 2 * DAY - 1)
    store.get_many([b"key 0"])
    after = os.stat(store.info()["file"])
    assert after.st_mtime_ns == before.st_mtime_ns
    at_time(monkeypatch, 2 * DAY)
    store.get_many([b"key 0"])
    assert uses() == {b"key 0": 2 * DAY, b"key 1": DAY}
    at_time(monkeypatch, 0)  # a clock that was wrong and is corrected
    store.get_many([b"key 0"])
    assert uses()[b"key 0"] == 0


def test_a_busy_store_keeps_its_dates(store, monkeypatch):
    at_time(monkeypatch, 0)
    store.put_many(entries(2))
    at_time(monkeypatch, 3 * DAY)
    other = sqlite3.connect(store.info()["file"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # others may read meanwhile
    assert_holds(store, entries(2))
    other.execute("ROLLBACK")
    other.close()
    assert execute(store, "SELECT max(used) FROM entries") == [(0,)]


def test_prune_by_age_and_extractor(store, monkeypatch):
    at_time(monkeypatch, 0)
    store.put_many(entries(1500), extractor="A")
    store.put_many(entries(5, prefix="b"), extractor="B")
    at_time(monkeypatch, 10 * DAY)
    store.get_many([b"key 0", b"b 0"])
    assert store.prune(older_than=11) == 0
    assert store.prune(older_than=datetime.timedelta(days=9), extractor="B") == 4
    assert store.prune(older_than=9) == 1499
    assert store.prune(extractor="C") == 0
    assert store.prune(extractor="A") == 1
    assert store.get_many([b"key 0", b"b 0", b"b 1"]).keys() == {b"b 0"}


def test_prune_to_a_size_removes_what_was_not_used_for_longest(store, monkeypatch):
    for day in range(4):
        at_time(monkeypatch, day * DAY)
        store.put_many(entries(100, shape=(1000,), prefix=f"day {day}"))
    full = store.info()["bytes"]
    assert full > 400 * 4000
    assert store.prune(max_bytes=full) == 0
    removed = store.prune(max_bytes=full // 2)
    assert 180 < removed < 260
    assert store.info()["bytes"] <= full // 2
    left = store.get_many([f"day {day} {i}".encode() for day in range(4) for i in range(100)])
    assert {key[:5] for key in left} == {b"day 2", b"day 3"}
    assert {key for key in left if key[:5] == b"day 3"} == set(entries(100, prefix="day 3"))
    store.prune(max_bytes=0)
    assert store.info()["entries"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Nothing to prune by"),
        ({"older_than": -1}, "older_than must be at least 0"),
        ({"older_than": np.nan}, "older_than must be at least 0"),
        ({"older_than": "90"}, "older_than must be days or a timedelta, got '90'"),
        ({"max_bytes": -1}, "max_bytes must be a number of bytes"),
        ({"max_bytes": "2GB"}, "max_bytes must be a number of bytes"),
    ],
)
def test_invalid_arguments_of_prune(store, arguments, message):
    store.put_many(entries(1))
    with pytest.raises(ValueError, match=message):
        store.prune(**arguments)
    assert store.info()["entries"] == 1
