"""The database file of a feature store: opened for one operation at a time, and its troubles.

A connection lives no longer than one operation. So a store's handle is nothing but a path: it
pickles, and no connection outlives a fork or wanders between threads. Opening costs about 0.1 ms
and serves hundreds of entries.

SQLite's rollback journal is used, not its write-ahead log: it also works on folders that several
machines share and on read-only ones, and leaves one file. A process that is killed in the middle
of a write leaves a journal, and whoever opens the file next undoes the half write.
"""

import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from sklearn_ser.exceptions import StoreError

FILE_NAME = "features.sqlite"
#: Seconds to wait for other processes that hold the file.
PATIENCE = 30.0
#: Says whose file it is ("SERf"), in the place that SQLite keeps for it.
APPLICATION_ID = 0x53455266
#: Raised by one whenever the table changes; a file with a higher one is left alone.
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

# One operation at a time in a process, and no fork in the middle of one: the child would inherit
# a half-done transaction and locked mutexes of SQLite.
_operating = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_operating.acquire,
        after_in_parent=_operating.release,
        after_in_child=_operating.release,
    )


@contextmanager
def reading(folder, purpose="read"):
    """A connection outside any transaction, or None where nothing was stored yet.

    Parameters
    ----------
    folder : str
    purpose : str, default="read"
        What an error says that the store cannot be.

    Yields
    ------
    sqlite3.Connection or None
    """
    with _operating, _troubles_explained(folder, purpose):
        if not _exists(folder):
            yield None
            return
        with _connection(folder, "rw") as connection:
            yield connection if _has_entries_table(connection, folder) else None


@contextmanager
def writing(folder):
    """A connection inside a transaction, committed at the end; the folder is made if need be.

    Parameters
    ----------
    folder : str

    Yields
    ------
    sqlite3.Connection
    """
    with _operating, _troubles_explained(folder, "written"):
        _exists(folder)  # says what is wrong where a file stands in the folder's place
        os.makedirs(folder, exist_ok=True)
        with _connection(folder, "rwc") as connection:
            if not _has_entries_table(connection, folder):
                # Only a new file takes this: pages that `prune` frees can be given back.
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            with transaction(connection):
                if not _has_entries_table(connection, folder):
                    connection.execute(_CREATE)
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {SCHEMA}")
                yield connection


@contextmanager
def transaction(connection):
    """All or nothing; waits for other writers at the start, so that it cannot deadlock later."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def database_file(folder):
    """The path of the one file that a store consists of."""
    return os.path.join(folder, FILE_NAME)


@contextmanager
def _connection(folder, mode):
    # "rw" falls back to reading alone where the system forbids writing.
    uri = f"{Path(database_file(folder)).absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection
    finally:
        connection.close()


def _exists(folder):
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(20, "a file stands where the store's folder should be")
    try:
        os.stat(database_file(folder))
    except FileNotFoundError:
        return False
    return True


def _has_entries_table(connection, folder):
    """Whether the table is there; raise where the file is not ours, or of a later version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID and version == SCHEMA:
        return True
    if application == APPLICATION_ID and version > SCHEMA:
        raise StoreError(
            f"the feature store {folder!r} has format {version}, this sklearn_ser knows formats "
            f"up to {SCHEMA}: it is left alone. Update sklearn_ser, or name another folder"
        )
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(
            f"{database_file(folder)!r} is a database, but no feature store: name another folder"
        )
    return False


@contextmanager
def _troubles_explained(folder, done):
    """Turn what SQLite and the system complain about into one StoreError."""
    try:
        yield
    # OverflowError: an entry of 2 GB. UnicodeDecodeError: a damaged name in SQLite's own message.
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise StoreError(
            f"the feature store {folder!r} cannot be {done}: {_explained(error, folder)}"
        ) from error
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"the feature store {folder!r} cannot be {done}: {error.strerror or error}"
        ) from error


def _explained(error, folder):
    name = getattr(error, "sqlite_errorname", "") or ""
    file = database_file(folder)
    if name.startswith("SQLITE_FULL"):
        return (
            f"the disk is full ({error}): make room elsewhere on it (removing entries "
            f"needs a little room, too), or delete {file!r}, and what it held is computed "
            f"and stored anew"
        )
    if name == "SQLITE_READONLY_ROLLBACK":
        return (
            f"a write to it was cut off and has to be undone first, but it is read-only ({error}): "
            f"let somebody who may write there use it once"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return f"it is read-only ({error})"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return f"another process has kept it locked for {PATIENCE:g} s ({error})"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or _tells_of_damage(error):
        return (
            f"the file is damaged ({error}): delete {file!r}, and what it held is computed and "
            f"stored anew"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return (
            f"the file {file!r} cannot be opened ({error}): its folder may be read-only, or the "
            f"permission to write there is missing"
        )
    return str(error)


def _tells_of_damage(error):
    """Whether names or texts in the file are not what was written."""
    if isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error):
        return True
    # Our statements are right for the table that we made: it has other names now.
    return getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR"
