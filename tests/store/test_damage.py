"""Damaged stores, later formats, full disks and missing permissions."""

import errno
import os
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from warnings import catch_warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.exceptions import SerError, StoreError, StoreWarning
from sklearn_ser.store import FeatureStore, _locks, _store
from tests.conftest import LevelExtractor
from tests.store.conftest import DAY, assert_holds, at_time, entries, execute

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
        "checksum = CAST(x'ff' AS TEXT)",
        "shape = CAST(x'ff' AS TEXT)",
        "data = CAST(x'ff' AS TEXT)",
        "used = 'soon'",
        "used = x'00'",
        "used = -1",
        "used = 9e300",
        "created = 9000000000000000",
        "created = 'once'",
        "extractor = x'00'",
        "extractor = CAST(x'41ff' AS BLOB)",
        "key = x'00'",
    ],
)
def test_a_damaged_entry_is_never_returned_and_is_replaced(store, damage):
    put = entries(3)
    store.put_many(put, extractor="A")
    execute(store, f"UPDATE entries SET {damage} WHERE key = ?", [b"key 1"])
    with pytest.warns(StoreWarning, match="1 entry is damaged in the feature store") as caught:
        assert store.get_many([*put, b"\0"]).keys() == {b"key 0", b"key 2"}
    assert [warning.filename for warning in caught] == [__file__]
    assert sum(each["entries"] for each in store.info()["extractors"]) == 3
    damaged = store.verify()
    assert len(damaged) == 1
    assert "extractor" in damage or damaged[0]["extractor"] == "A"
    assert damaged[0]["key"] == ("00" if damage.startswith("key") else b"key 1".hex())
    store.put_many({b"key 1": put[b"key 1"]}, extractor="A")
    assert_holds(store, put)
    assert store.verify(repair=True) == (damaged if damage.startswith("key") else [])
    assert store.verify() == []
    assert_holds(store, put)


def test_damaged_dates_are_counted_and_removed_first(store):
    put = entries(4)
    store.put_many(put, extractor="A")
    execute(store, "UPDATE entries SET used = 'soon' WHERE key = ?", [b"key 1"])
    execute(store, "UPDATE entries SET created = 9000000000000000 WHERE key = ?", [b"key 2"])
    (extractor,) = store.info()["extractors"]
    assert extractor["entries"] == 4
    assert extractor["unreadable"] == 2
    assert extractor["created"] is not None
    assert store.prune(older_than=365) == 2
    execute(store, "UPDATE entries SET created = x'00', used = -5")
    (extractor,) = store.info()["extractors"]
    assert (extractor["unreadable"], extractor["created"], extractor["used"]) == (2, None, None)
    store.put_many(put, extractor="A")
    assert_holds(store, put)
    assert store.info()["extractors"][0]["unreadable"] == 0


def test_a_file_system_without_locks_is_reported_at_once(store, monkeypatch):
    store.put_many(entries(3))
    monkeypatch.setattr(_locks, "_devices_with_locks", set())

    def without_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_locks.fcntl, "lockf", without_locks)
    monkeypatch.setattr(_store.sqlite3, "connect", None)  # it would wait for half a minute
    message = r"its file system has no file locks, .* Choose a folder on another file system"
    for use in (lambda: store.get_many([b"key 0"]), lambda: store.put_many(entries(1)), store.info):
        with pytest.raises(StoreError, match=message):
            use()
    signals = [np.full(1000, 0.1), np.full(1200, 0.2)]
    expected = LevelExtractor().fit_transform(signals)
    step = LevelExtractor(store=store.path)
    with pytest.warns(
        StoreWarning, match=message + ".* Extraction continues without the"
    ) as caught:
        pd.testing.assert_frame_equal(step.fit_transform(signals), expected)
    assert len(caught) == 1


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
    for offset in np.random.default_rng(0).choice(len(whole), size=300, replace=False):
        with open(file, "r+b") as opened:
            opened.seek(offset)
            opened.write(bytes([whole[offset] ^ 0x55]))
        with catch_warnings(action="ignore", category=StoreWarning):
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
    message = r"the feature store '.*' .* damaged .* Delete '.*features.sqlite': its content"
    with pytest.raises(StoreError, match=message):
        store.get_many(entries(500))
    with pytest.raises(StoreError, match=message):
        store.verify()
    with open(file, "wb") as opened:
        opened.write(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"cannot be read: the file is damaged .* Delete"):
        store.get_many([b"key"])
    with pytest.raises(StoreError, match=r"cannot be written: the file is damaged .* Delete"):
        store.put_many(entries(1))
    os.remove(file)
    store.put_many(entries(1))
    assert_holds(store, entries(1))


def test_a_truncated_file(store):
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


# Wrong files and folders ------------------------------------------------------------------------


def test_a_later_format_is_not_changed(store):
    store.put_many(entries(1))
    file = store.info()["file"]
    execute(store, "PRAGMA user_version = 99")
    before = Path(file).read_bytes()
    message = r"has format 99, but .* supports formats up to 1. The store was not changed. Update"
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


def test_another_database_is_not_changed(store):
    os.makedirs(store.path)
    other = sqlite3.connect(os.path.join(store.path, "features.sqlite"))
    other.execute("CREATE TABLE entries (precious)")
    other.commit()
    other.close()
    with pytest.raises(
        StoreError, match=r"is a database, but not a feature store\. Choose another"
    ):
        store.get_many([b"key"])
    with pytest.raises(StoreError, match="is a database, but not a feature store"):
        store.put_many(entries(1))


def test_a_file_instead_of_the_folder(tmp_path):
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
    """Open every connection for reading, as without write permission (root has it always)."""
    connect = sqlite3.connect

    def connect_to_read(database, **settings):
        database = database.replace("mode=rwc", "mode=ro").replace("mode=rw", "mode=ro")
        return connect(database, **settings)

    monkeypatch.setattr(_store.sqlite3, "connect", connect_to_read)


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


@contextmanager
def as_a_user_without_rights(folder):
    """Act as another user if root runs the tests, who may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for path in [folder, *folder.iterdir()]:
        os.chown(path, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no such permissions")
def test_a_folder_without_write_permission():
    # Not below pytest's own folder, which nobody but its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = FeatureStore(folder)
        store.put_many(entries(3))
        assert_holds(store, entries(3))
        with as_a_user_without_rights(folder):
            os.chmod(store.info()["file"], 0o444)
            os.chmod(folder, 0o555)
            try:
                assert_holds(store, entries(3))
                with pytest.raises(StoreError, match="cannot be written: it is read-only"):
                    store.put_many(entries(4))
            finally:
                os.chmod(folder, 0o755)


def test_a_full_disk_does_not_change_the_store(store, monkeypatch):
    put = entries(3)
    store.put_many(put)
    connect = sqlite3.connect

    def connect_to_full_disk(*args, **settings):
        connection = connect(*args, **settings)
        connection.execute("PRAGMA max_page_count = 8")
        return connection

    monkeypatch.setattr(_store.sqlite3, "connect", connect_to_full_disk)
    with pytest.raises(
        StoreError,
        match=r"written: the disk is full .* Free space elsewhere .*, or delete '.*sqlite'",
    ):
        store.put_many(entries(1000, prefix="more"))
    monkeypatch.undo()
    assert_holds(store, put)
    assert store.info()["entries"] == 3
    assert store.verify() == []


def test_a_store_that_stays_locked(store, monkeypatch):
    store.put_many(entries(1))
    monkeypatch.setattr(_store, "TIMEOUT", 0.05)
    other = sqlite3.connect(store.info()["file"], isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"cannot be read: another process has locked it for"):
        store.get_many([b"key 0"])
    with pytest.raises(StoreError, match=r"cannot be written: another process has locked it"):
        store.put_many(entries(2))
    other.execute("ROLLBACK")
    other.close()
    assert_holds(store, entries(1))


@pytest.mark.parametrize(
    "damage",
    [b"CREATE TABLE entries (", b"checksum BLOB", b"extractor TEXT"],
    ids=["the table's name", "a column", "another column"],
)
def test_damage_in_the_names_of_table_and_columns(tmp_path, damage):
    store = FeatureStore(tmp_path / "store")
    store.put_many({b"key": (np.ones(3, dtype="float32"), None)}, extractor="E")
    file = tmp_path / "store" / "features.sqlite"
    content = file.read_bytes()
    assert damage in content
    messages = []
    for broken in (damage[:-8] + b"\xff" * 3 + damage[-5:], damage.replace(b"e", b"q")):
        file.write_bytes(content.replace(damage, broken))
        for use in (
            lambda: store.get_many([b"key"]),
            lambda: store.put_many({b"other": (np.ones(3, dtype="float32"), None)}),
            store.verify,
            store.info,
            lambda: store.prune(extractor="E"),
        ):
            try:
                use()
            except StoreError as error:
                messages.append(str(error))
    assert messages
    assert all("damaged" in message and "Delete" in message for message in messages)


def test_an_error_message_of_sqlite_that_cannot_be_decoded(tmp_path):
    match = r"the file is damaged .* Delete '.*features.sqlite'"
    with (
        pytest.raises(StoreError, match=match),
        _store.open_for_reading(str(tmp_path)),
    ):
        b"\xff".decode()


def test_an_empty_path_is_no_folder():
    with pytest.raises(ValueError, match="must be that of a folder, got ''"):
        FeatureStore("")
