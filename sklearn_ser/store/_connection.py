"""Connections to the database file of a feature store, one per operation, and their errors.

A connection lives no longer than one operation. An instance of the store therefore holds only a
path: it pickles, and no connection outlives a fork or is shared between threads. Opening costs
about 0.1 ms and serves hundreds of entries.

SQLite's rollback journal is used, not its write-ahead log: it also works on folders that several
machines share and on read-only ones, and leaves one file. A process that is killed in the middle
of a write leaves a journal, and the next process that opens the file undoes the partial write.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sklearn_ser.exceptions import StoreError

FILE_NAME = "features.sqlite"
#: Seconds to wait for other processes that have locked the file.
TIMEOUT = 30.0
#: Identifies the file as a feature store ("SERf"), in the field that SQLite reserves for it.
APPLICATION_ID = 0x53455266
#: Version of the table's format; a file of a later version is not touched.
SCHEMA = 1

_CREATE = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    checksum BLOB NOT NULL,
    extractor TEXT NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    clipped REAL,
    shape TEXT NOT NULL,
    data BLOB NOT NULL
)
"""

# One operation at a time in a process, and no fork during an operation: the child would inherit
# an open transaction and locked mutexes of SQLite.
_operating = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_operating.acquire,
        after_in_parent=_operating.release,
        after_in_child=_operating.release,
    )


@contextmanager
def open_for_reading(folder: str, purpose: str = "read") -> Iterator[sqlite3.Connection | None]:
    """Open a connection outside any transaction; None if nothing was stored yet.

    `purpose` is a participle for error messages: "cannot be read".
    """
    with _operating, _translate_errors(folder, purpose):
        if not _exists(folder):
            yield None
            return
        with _connection(folder, "rw") as connection:
            yield connection if _has_entries_table(connection, folder) else None


@contextmanager
def open_for_writing(folder: str) -> Iterator[sqlite3.Connection]:
    """Open a connection inside a transaction that is committed at the end; create the folder."""
    with _operating, _translate_errors(folder, "written"):
        _exists(folder)  # raises a clear error if the path is that of a file
        os.makedirs(folder, exist_ok=True)
        with _connection(folder, "rwc") as connection:
            if not _has_entries_table(connection, folder):
                # Only a new file takes this setting, by which pages that `prune` frees are
                # returned to the file system.
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            with transaction(connection):
                if not _has_entries_table(connection, folder):
                    connection.execute(_CREATE)
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {SCHEMA}")
                yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a transaction. It waits for other writers at the start, so that it cannot deadlock."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def database_file(folder: str) -> str:
    """Return the path of the database file of a store."""
    return os.path.join(folder, FILE_NAME)


@contextmanager
def _connection(folder, mode):
    # "rw" falls back to reading where the system forbids writing.
    uri = f"{Path(database_file(folder)).absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=TIMEOUT, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection
    finally:
        connection.close()


def _exists(folder):
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(20, "the path of its folder is that of a file")
    try:
        os.stat(database_file(folder))
    except FileNotFoundError:
        return False
    return True


def _has_entries_table(connection, folder):
    """Return whether the table exists; raise if the file has a later version or another owner."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID and version == SCHEMA:
        return True
    if application == APPLICATION_ID and version > SCHEMA:
        raise StoreError(
            f"the feature store {folder!r} has format {version}, but this version of sklearn_ser "
            f"supports formats up to {SCHEMA}. The store was not changed. Update sklearn_ser, or "
            f"choose another folder"
        )
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(
            f"{database_file(folder)!r} is a database, but not a feature store. Choose another "
            f"folder"
        )
    return False


@contextmanager
def _translate_errors(folder, action):
    """Raise errors of SQLite and the system as StoreError."""
    try:
        yield
    # OverflowError: an entry of 2 GB. UnicodeDecodeError: a damaged name in SQLite's own message.
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise StoreError(
            f"the feature store {folder!r} cannot be {action}: {_explanation(error, folder)}"
        ) from error
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"the feature store {folder!r} cannot be {action}: {error.strerror or error}"
        ) from error


def _explanation(error, folder):
    name = getattr(error, "sqlite_errorname", "") or ""
    file = database_file(folder)
    if name.startswith("SQLITE_FULL"):
        return (
            f"the disk is full ({error}). Free space elsewhere on it (removing entries needs some "
            f"space, too), or delete {file!r}: its content is computed and stored again"
        )
    if name == "SQLITE_READONLY_ROLLBACK":
        return (
            f"a write was interrupted and has to be undone first, but the file is read-only "
            f"({error}). Use the store once from an account that may write to it"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return f"it is read-only ({error})"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return f"another process has locked it for {TIMEOUT:g} s ({error})"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or _indicates_damage(error):
        return (
            f"the file is damaged ({error}). Delete {file!r}: its content is computed and stored "
            f"again"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return (
            f"the file {file!r} cannot be opened ({error}). Check that you may write to its folder"
        )
    return str(error)


def _indicates_damage(error):
    """Return whether names or texts in the file are not those that were written."""
    if isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error):
        return True
    # Our statements are correct for the table that we create: so its names have changed.
    return getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR"
