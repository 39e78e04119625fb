"""The store by itself: what it keeps, how it is looked after, what can go wrong with its file."""

import copy
import datetime
import os
import pickle
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from sklearn_ser.exceptions import SerError, StoreError
from sklearn_ser.feature_extraction import FeatureStore, _store_connection
from sklearn_ser.feature_extraction import _store as store_module

DAY = 86400


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def entries(n, shape=(88,), prefix="key"):
    random = np.random.default_rng(n)
    return {
        f"{prefix} {i}".encode(): (random.normal(size=shape).astype("float32"), None)
        for i in range(n)
    }


def execute(store, *statement):
    connection = sqlite3.connect(store.info()["file"])
    with connection:
        rows = connection.execute(*statement).fetchall()
    connection.close()
    return rows


def at_time(monkeypatch, seconds):
    monkeypatch.setattr(store_module.time, "time", lambda: seconds)


def assert_holds(store, expected):
    found = store.get_many(list(expected))
    assert found.keys() == expected.keys()
    for key, (values, clipped) in expected.items():
        assert found[key][0].dtype == np.float32
        np.testing.assert_array_equal(found[key][0], values)
        assert found[key][1] == clipped


def test_gives_back_what_was_put_in(store):
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


def test_what_comes_out_may_be_changed_without_harm(store):
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
        ("text", (np.zeros(1, dtype="float32"), None), "a key must be bytes"),
        (b"", (np.zeros(1, dtype="float32"), None), "a key must be bytes, and not empty"),
        (b"key", (np.zeros(1), None), "must be an array of float32, got float64"),
        (b"key", ([1.0], None), "must be an array of float32, got list"),
        (b"key", (np.zeros(1, dtype="float32"), np.nan), "clipped must be a finite peak"),
    ],
)
def test_what_it_does_not_take(store, key, value, message):
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


# What is noted about entries, and pruning ---------------------------------------------------------


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
        },
        {
            "extractor": "B",
            "entries": 2,
            "bytes": 2 * 20 * 4,
            "created": "1970-01-03T00:00:00Z",
            "used": "1970-01-03T00:00:00Z",
        },
    ]
    assert info["entries"] == 5
    assert info["bytes"] == os.path.getsize(info["file"])
    assert info["path"] == store.path


def test_use_is_noted_once_a_day(store, monkeypatch):
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
    at_time(monkeypatch, 0)  # a clock that went wrong and was put right
    store.get_many([b"key 0"])
    assert uses()[b"key 0"] == 0


def test_a_date_that_cannot_be_noted_at_once_is_not_waited_for(store, monkeypatch):
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
        ({}, "nothing to prune by"),
        ({"older_than": -1}, "older_than must be at least 0"),
        ({"older_than": np.nan}, "older_than must be at least 0"),
        ({"older_than": "90"}, "older_than must be days or a timedelta, got '90'"),
        ({"max_bytes": -1}, "max_bytes must be a number of bytes"),
        ({"max_bytes": "2GB"}, "max_bytes must be a number of bytes"),
    ],
)
def test_prune_refuses(store, arguments, message):
    store.put_many(entries(1))
    with pytest.raises(ValueError, match=message):
        store.prune(**arguments)
    assert store.info()["entries"] == 1


# Damage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "data = zeroblob(length(data))",
        "data = substr(data, 5)",
        "data = 'text'",
        "shape = '1,88'",
        "shape = 'x'",
        "shape = 7",
        "clipped = 1.5",
        "clipped = 'loud'",
        "checksum = zeroblob(16)",
        "checksum = 3",
        "key = x'00'",
    ],
)
def test_a_damaged_entry_is_never_served_and_is_replaced(store, damage):
    put = entries(3)
    store.put_many(put, extractor="A")
    execute(store, f"UPDATE entries SET {damage} WHERE key = ?", [b"key 1"])
    assert store.get_many([*put, b"\0"]).keys() == {b"key 0", b"key 2"}
    damaged = store.verify()
    assert [entry["extractor"] for entry in damaged] == ["A"]
    assert damaged[0]["key"] == ("00" if damage.startswith("key") else b"key 1".hex())
    store.put_many({b"key 1": put[b"key 1"]}, extractor="A")
    assert_holds(store, put)
    assert store.verify(repair=True) == (damaged if damage.startswith("key") else [])
    assert store.verify() == []
    assert_holds(store, put)


def test_repair_removes_damaged_entries_only(store):
    put = entries(2500)
    store.put_many(put)
    execute(store, "UPDATE entries SET clipped = 2 WHERE id % 1000 = 7")
    assert len(store.verify()) == 3
    assert len(store.verify(repair=True)) == 3
    assert store.verify() == []
    assert len(store.get_many(put)) == 2497


def test_any_flipped_byte_of_the_file_is_noticed_or_harmless(store):
    put = entries(40)
    store.put_many(put)
    file = store.info()["file"]
    whole = Path(file).read_bytes()
    noticed = 0
    for place in np.random.default_rng(0).choice(len(whole), size=300, replace=False):
        with open(file, "r+b") as opened:
            opened.seek(place)
            opened.write(bytes([whole[place] ^ 0x55]))
        try:
            found = store.get_many(put)
        except StoreError:
            found = {}
        for key, (values, clipped) in found.items():
            np.testing.assert_array_equal(values, put[key][0])
            assert clipped is None
        noticed += len(found) < len(put)
        with open(file, "wb") as opened:
            opened.write(whole)
    assert noticed > 100


def test_a_damaged_file_says_what_to_do(store):
    store.put_many(entries(500))
    file = store.info()["file"]
    with open(file, "r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 40000)
    message = r"the feature store '.*' .* damaged .*: delete '.*features.sqlite', and what it held"
    with pytest.raises(StoreError, match=message):
        store.get_many(entries(500))
    with pytest.raises(StoreError, match=message):
        store.verify()
    with open(file, "wb") as opened:
        opened.write(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"cannot be read: the file is damaged .*: delete"):
        store.get_many([b"key"])
    with pytest.raises(StoreError, match=r"cannot be written: the file is damaged .*: delete"):
        store.put_many(entries(1))
    os.remove(file)
    store.put_many(entries(1))
    assert_holds(store, entries(1))


def test_a_file_that_was_cut_off(store):
    put = entries(500)
    store.put_many(put)
    file = store.info()["file"]
    for size in (0, 50, 4096, 100_000):
        with open(file, "r+b") as opened:
            opened.truncate(size)
        if size == 0:  # as a process leaves it that is killed before its first write
            assert store.get_many(put) == {}
        else:
            with pytest.raises(StoreError, match="damaged"):
                store.get_many(put)
            os.remove(file)
        store.put_many(put)
        assert_holds(store, put)


# Files and folders that are not what they should be -----------------------------------------------


def test_a_later_format_is_left_alone(store):
    store.put_many(entries(1))
    file = store.info()["file"]
    execute(store, "PRAGMA user_version = 99")
    before = Path(file).read_bytes()
    message = r"has format 99, this sklearn_ser knows formats up to 1: it is left alone. Update"
    for attempt in (
        lambda: store.get_many([b"key"]),
        lambda: store.put_many(entries(2)),
        store.info,
        store.verify,
        lambda: store.prune(older_than=0),
    ):
        with pytest.raises(StoreError, match=message):
            attempt()
    assert Path(file).read_bytes() == before


def test_somebody_elses_database_is_left_alone(store):
    os.makedirs(store.path)
    other = sqlite3.connect(os.path.join(store.path, "features.sqlite"))
    other.execute("CREATE TABLE entries (precious)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="is a database, but no feature store: name another"):
        store.get_many([b"key"])
    with pytest.raises(StoreError, match="is a database, but no feature store"):
        store.put_many(entries(1))


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "file").write_text("something")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        store = FeatureStore(path)
        with pytest.raises(StoreError, match=r"'.*file.*' cannot be read: .*(file|directory)"):
            store.get_many([b"key"])
        with pytest.raises(StoreError, match=r"'.*file.*' cannot be written: .*(file|directory)"):
            store.put_many(entries(1))
    assert (tmp_path / "file").read_text() == "something"


def test_store_errors_are_what_users_expect(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SerError):
        FeatureStore(tmp_path / "file").info()
    with pytest.raises(OSError):
        FeatureStore(tmp_path / "file").info()


def read_only(monkeypatch):
    """What a folder without write permission does, also for root."""
    connect = sqlite3.connect

    def connect_to_read(place, **settings):
        place = place.replace("mode=rwc", "mode=ro").replace("mode=rw", "mode=ro")
        return connect(place, **settings)

    monkeypatch.setattr(_store_connection.sqlite3, "connect", connect_to_read)


def test_a_read_only_store_is_read(store, monkeypatch):
    at_time(monkeypatch, 0)
    store.put_many(entries(3))
    at_time(monkeypatch, 5 * DAY)  # the date of use cannot be noted
    read_only(monkeypatch)
    assert_holds(store, entries(3))
    assert store.verify() == []
    with pytest.raises(StoreError, match="cannot be written: it is read-only"):
        store.put_many(entries(1))
    with pytest.raises(StoreError, match="cannot be pruned: it is read-only"):
        store.prune(max_bytes=0)
    assert_holds(store, entries(3))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_write_permission(store):
    store.put_many(entries(3))
    os.chmod(store.path, 0o555)
    os.chmod(store.info()["file"], 0o444)
    try:
        assert_holds(store, entries(3))
        with pytest.raises(StoreError, match="cannot be written: it is read-only"):
            store.put_many(entries(4))
    finally:
        os.chmod(store.path, 0o755)


def test_a_full_disk_keeps_what_was_there(store, monkeypatch):
    put = entries(3)
    store.put_many(put)
    connect = sqlite3.connect

    def connect_to_full_disk(*place, **settings):
        connection = connect(*place, **settings)
        connection.execute("PRAGMA max_page_count = 8")
        return connection

    monkeypatch.setattr(_store_connection.sqlite3, "connect", connect_to_full_disk)
    with pytest.raises(StoreError, match=r"cannot be written: the disk is full .*: make room"):
        store.put_many(entries(1000, prefix="more"))
    monkeypatch.undo()
    assert_holds(store, put)
    assert store.info()["entries"] == 3
    assert store.verify() == []


def test_a_store_that_stays_locked(store, monkeypatch):
    store.put_many(entries(1))
    monkeypatch.setattr(_store_connection, "PATIENCE", 0.05)
    other = sqlite3.connect(store.info()["file"], isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"cannot be read: another process has kept it locked for"):
        store.get_many([b"key 0"])
    with pytest.raises(StoreError, match=r"cannot be written: another process has kept it locked"):
        store.put_many(entries(2))
    other.execute("ROLLBACK")
    other.close()
    assert_holds(store, entries(1))
