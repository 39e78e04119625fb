"""Feature store: features of utterances in a folder, across processes and runs."""

from __future__ import annotations

import datetime
import hashlib
import math
import os
import sqlite3
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_ser.exceptions import StoreError, StoreWarning
from sklearn_ser.store._locks import has_locks
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._warnings import warn_user

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
#: Keys of one query: SQLite before 3.32 takes at most 999 values.
MAX_KEYS_PER_QUERY = 900
ONE_DAY = 86400
#: Columns that `decode_entry` takes, in its order.
COLUMNS = "key, checksum, clipped, shape, data"
_STORED_DTYPE = np.dtype("<f4")
#: Seconds to wait for other writers before a date of use is given up.
_TIMEOUT_OF_DATES = 0.2
#: Approximate bytes that the file holds beside the values of an entry: key (twice), checksum, ...
_OVERHEAD = 180
#: Entries removed in one transaction: other processes wait meanwhile.
_MAX_REMOVED = 1000
#: SQL condition: name and dates, which the checksum does not cover, can be read. Whatever is
#: stored, it is 1 or 0. (Texts and blobs compare greater than every number.)
_READABLE = " AND ".join(
    [
        "typeof(extractor) = 'text'",
        *(
            f"{name} IS NOT NULL AND {name} BETWEEN 0 AND 253402300799"
            for name in ("created", "used")
        ),
    ]
)
_PUT = f"""
INSERT INTO entries ({COLUMNS}, extractor, created, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET checksum = excluded.checksum, clipped = excluded.clipped,
shape = excluded.shape, data = excluded.data, extractor = excluded.extractor, used = excluded.used,
created = CASE WHEN {_READABLE} THEN created ELSE excluded.created END
"""


@public_module("sklearn_ser.store")
class FeatureStore:
    """Features of utterances, stored in a folder across processes and runs.

    Every audio step has a parameter ``store``: the path of a folder. Features that are in the
    folder are not computed again, whatever the grid, the folds or the script. The cache key of an
    utterance is a digest of the audio content, the parameters of the step and the versions of the
    libraries that compute it. A changed file, parameter or version therefore has another key, and
    no entry has to be invalidated by hand.

    This class inspects and cleans such a folder (:meth:`info`, :meth:`prune`, :meth:`verify`), and
    stores arrays of custom steps (:meth:`get_many`, :meth:`put_many`).

    Parameters
    ----------
    path : str or Path
        Folder of the store. It is created at the first write, and holds the file
        ``features.sqlite`` and the empty file ``features.locks``, which processes lock while they
        extract.

    Notes
    -----
    **Custom classes.** Features of a custom audio step are stored if its class declares a revision,
    and otherwise not, with one warning per class::

        class MelInBels(LogMelSpectrogram):
            cache_revision = 1

            def _extract(self, signal):
                return super()._extract(signal) / 10

    Raise the revision whenever the class computes other values: the store compares the name of
    the class, its module, its revision and its parameters, not its code. A revision is not
    inherited from a base class, because that of the base stays the same when the code of the
    subclass changes. Classes of the same name in several scripts or notebooks (their module is
    ``__main__``) need different revisions if they share a store. The same holds for custom
    augmenters.

    **Several processes** may read and write at once. A process that is killed loses only what it
    was writing. Each entry carries a checksum that is verified whenever it is read: a damaged entry
    counts as missing, with a StoreWarning that says how many are, and is replaced. Processes and
    threads that need the same utterances share the work: utterances that one of them is extracting
    are left to it by the others, which wait for them at the end (at most 30 s in all, then they
    extract them themselves). On Windows, processes that start together may extract an utterance
    twice.

    **Changes during a transform.** If a configuration or a model file changes, nothing more of
    that transform is stored, with a StoreWarning. A change that is reverted before the few
    utterances that are extracted at a time (16, or two batches) are done is not detected.

    An instance holds only a path: it can be copied, pickled and sent to other processes. A folder
    that several machines share (NFS) works where its file locks do. On a file system without locks
    nothing is stored: a transform says so at once, in a StoreWarning, and computes its features.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import OpenSmileExtractor
    >>> from sklearn_ser.store import FeatureStore
    >>> folder = tempfile.TemporaryDirectory()
    >>> noise = list(np.random.default_rng(0).normal(scale=0.05, size=(2, 8000)))
    >>> extractor = OpenSmileExtractor("eGeMAPSv02", store=folder.name)
    >>> first = extractor.fit_transform(noise)
    >>> store = FeatureStore(folder.name)
    >>> store.info()["entries"]
    2
    >>> again = extractor.fit_transform(noise)  # read, not computed
    >>> again.equals(first)
    True
    >>> store.verify()
    []
    >>> store.prune(extractor="OpenSmileExtractor")
    2
    >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not os.fspath(path):
            raise ValueError("The path of a feature store must be that of a folder, got ''.")
        self.path = os.path.abspath(os.fspath(path))

    def __repr__(self) -> str:
        return f"FeatureStore({self.path!r})"

    def __fspath__(self) -> str:
        return self.path

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, tuple[np.ndarray, float | None]]:
        """Return entries by their keys, with a StoreWarning if some of them are damaged.

        Parameters
        ----------
        keys : iterable of bytes
            Keys of the entries.

        Returns
        -------
        dict of bytes to (ndarray of float32, float or None)
            Values of each key that is in the store and undamaged, and the peak of the audio if it
            was clipped.

        Raises
        ------
        StoreError
            If the store cannot be read. A folder that does not exist yet is an empty store.

        Examples
        --------
        >>> FeatureStore("no-such-folder").get_many([b"key"])
        {}
        """
        entries, damaged = self._read(keys)
        if damaged:
            warn_user(damage_text(self.path, len(damaged)), StoreWarning)
        return entries

    def _read(
        self, keys: Iterable[bytes]
    ) -> tuple[dict[bytes, tuple[np.ndarray, float | None]], set[bytes]]:
        """Return entries by their keys, and the keys of damaged ones."""
        keys = list(dict.fromkeys(keys))
        entries: dict[bytes, tuple[np.ndarray, float | None]] = {}
        damaged: set[bytes] = set()
        outdated, now = [], int(time.time())
        with open_for_reading(self.path) as connection:
            if connection is None:
                return {}, damaged
            for start in range(0, len(keys), MAX_KEYS_PER_QUERY):
                part = keys[start : start + MAX_KEYS_PER_QUERY]
                marks = ",".join("?" * len(part))
                query = f"SELECT used, {_READABLE}, {COLUMNS} FROM entries WHERE key IN ({marks})"
                for used, readable, *columns in connection.execute(query, part).fetchall():
                    entry = decode_entry(*columns) if readable else None
                    if entry is None:
                        damaged.add(columns[0])
                        continue
                    entries[columns[0]] = entry
                    if not abs(now - used) < ONE_DAY:
                        outdated.append(columns[0])
            if outdated:
                _note_use(connection, outdated, now)
        return entries, damaged

    def put_many(
        self,
        entries: Mapping[bytes, tuple[np.ndarray, float | None]],
        *,
        extractor: str = "",
    ) -> None:
        """Add or replace entries: all of them or, if an error is raised, none.

        Parameters
        ----------
        entries : dict of bytes to (ndarray of float32, float or None)
            Values of any shape, and the peak of the audio if it was clipped.
        extractor : str, default=""
            Name of the extractor, by which :meth:`info` and :meth:`prune` group entries.

        Raises
        ------
        StoreError
            If the store cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from sklearn_ser.store import FeatureStore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = FeatureStore(folder)
        ...     store.put_many({b"key": (np.ones((3, 2), dtype="float32"), None)})
        ...     values, clipped = store.get_many([b"key", b"other"])[b"key"]
        >>> values.shape, clipped
        ((3, 2), None)
        """
        now = int(time.time())
        rows = [
            (*encode_entry(key, values, clipped), extractor, now, now)
            for key, (values, clipped) in entries.items()
        ]
        if rows:
            with open_for_writing(self.path) as connection:
                connection.executemany(_PUT, rows)

    def info(self) -> dict[str, Any]:
        """Return a summary of the store.

        Returns
        -------
        dict
            ``path``, ``file``, ``entries`` (their number), ``bytes`` (of the file), and
            ``extractors``: a list of dict with ``extractor``, ``entries``, ``bytes`` (of the
            values), ``created`` and ``used`` (the first and the last time, in UTC, as ISO 8601;
            use is recorded once a day; None if no date is readable) and ``unreadable`` (the number
            of entries with a damaged name or date; :meth:`verify` finds all damage).

        Raises
        ------
        StoreError
            If the store cannot be read.

        Examples
        --------
        >>> FeatureStore("no-such-folder").info()["extractors"]
        []
        """
        with open_for_reading(self.path) as connection:
            extractors = [] if connection is None else _summary_by_extractor(connection)
        file = database_file(self.path)
        return {
            "path": self.path,
            "file": file,
            "entries": sum(each["entries"] for each in extractors),
            "bytes": os.path.getsize(file) if os.path.exists(file) else 0,
            "extractors": extractors,
        }

    def prune(
        self,
        older_than: float | datetime.timedelta | None = None,
        max_bytes: float | None = None,
        extractor: str | None = None,
    ) -> int:
        """Remove entries, and free their space.

        Parameters
        ----------
        older_than : float or timedelta, optional
            Age (a number: in days) from which on entries that were not used since are removed,
            as are entries whose dates are damaged.
        max_bytes : int, optional
            Maximum size of the file. After `older_than`, the entries that were not used for the
            longest time are removed until the file is no larger.
        extractor : str, optional
            Name of the extractor whose entries are removed. Without the other two, all of them
            are.

        Returns
        -------
        int
            Number of entries that were removed.

        Raises
        ------
        ValueError
            If none of the parameters is given.
        StoreError
            If the store cannot be written.

        Examples
        --------
        >>> FeatureStore("no-such-folder").prune(older_than=90)
        0
        """
        if older_than is None and max_bytes is None and extractor is None:
            raise ValueError("Nothing to prune by: pass older_than, max_bytes or extractor.")
        where, values = _condition(older_than, max_bytes, extractor)
        if max_bytes is not None and not (_is_real(max_bytes) and max_bytes >= 0):
            raise ValueError(f"max_bytes must be a number of bytes, at least 0, got {max_bytes!r}.")
        n_removed = 0
        with open_for_reading(self.path, "pruned") as connection:
            if connection is None:
                return 0
            if where is not None:
                n_removed += _remove(connection, where, values)
            if max_bytes is not None:
                of_extractor = ("1", []) if extractor is None else ("extractor = ?", [extractor])
                n_removed += _remove(connection, *of_extractor, max_bytes)
            # As a script: `execute` takes a single step through a statement that it expects to
            # return no rows, and so would free a single page.
            connection.executescript("PRAGMA incremental_vacuum")
        return n_removed

    def verify(self, repair: bool = False) -> list[dict[str, str]]:
        """Read every entry and the structure of the file, and check them.

        Parameters
        ----------
        repair : bool, default=False
            Whether to remove damaged entries. (They are never returned, and are replaced when
            they are computed again.)

        Returns
        -------
        list of dict
            ``key`` (hexadecimal) and ``extractor`` of each damaged entry.

        Raises
        ------
        StoreError
            If the store cannot be read, or its file is damaged beyond single entries. The message
            says what to do.

        Examples
        --------
        >>> FeatureStore("no-such-folder").verify()
        []
        """
        with open_for_reading(self.path) as connection:
            if connection is None:
                return []
            (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if state != "ok":
                raise StoreError(
                    f"the feature store {self.path!r} is damaged ({' '.join(state.split())}). "
                    f"Delete {database_file(self.path)!r}: its content is computed and stored again"
                )
            damaged = list(_damaged_entries(connection))
            if repair and damaged:
                with transaction(connection):
                    # By checksum as well: another process may have replaced the entry meanwhile.
                    connection.executemany(
                        "DELETE FROM entries WHERE id = ? AND CAST(checksum AS BLOB) IS ?",
                        [(row, checksum) for row, checksum, _ in damaged],
                    )
        return [record for _, _, record in damaged]


def encode_entry(key: bytes, values: np.ndarray, clipped: float | None) -> tuple:
    """Return the columns of an entry, in the order of `COLUMNS`."""
    if not isinstance(key, bytes) or not key:
        raise TypeError(f"A key must be bytes, and not empty, got {key!r}.")
    if not isinstance(values, np.ndarray) or values.dtype != np.float32:
        kind = getattr(values, "dtype", type(values).__name__)
        raise TypeError(f"The values of an entry must be an array of float32, got {kind}.")
    if clipped is not None:
        clipped = float(clipped) + 0.0  # SQLite returns 0.0 for -0.0, which changes the checksum
        if not math.isfinite(clipped):
            raise ValueError(f"clipped must be a finite peak or None, got {clipped}.")
    shape = ",".join(map(str, values.shape))
    data = np.ascontiguousarray(values, dtype=_STORED_DTYPE).tobytes()
    return key, _checksum(key, clipped, shape, data), clipped, shape, data


def decode_entry(
    key: bytes, checksum: bytes, clipped: float | None, shape: str, data: bytes
) -> tuple[np.ndarray, float | None] | None:
    """Return values and peak of an entry, or None if any of its columns was changed."""
    try:
        if _checksum(key, clipped, shape, data) != checksum:
            return None
        values = np.frombuffer(data, dtype=_STORED_DTYPE).reshape(_parse_shape(shape))
        return values.astype(np.float32), clipped
    except (TypeError, ValueError, AttributeError, struct.error):
        return None  # a column of another type than the one that was written


def damage_text(path: str, n_damaged: int) -> str:
    """Return the text of a warning about damaged entries."""
    entries = "1 entry is" if n_damaged == 1 else f"{n_damaged} entries are"
    return (
        f"{entries} damaged in the feature store {path!r}. Damaged entries count as missing: they "
        f"are replaced when they are computed again, and FeatureStore.verify(repair=True) removes "
        f"all of them"
    )


def _checksum(key, clipped, shape, data):
    peak = b"" if clipped is None else struct.pack("<d", clipped)
    head = b"%d:%s%d:%s%d:%s" % (len(key), key, len(peak), peak, len(shape), shape.encode())
    return hashlib.sha256(head + data).digest()[:16]


@lru_cache(maxsize=1024)
def _parse_shape(text):
    return tuple(int(size) for size in text.split(",")) if text else ()


def _note_use(connection, keys, now):
    """Record that these entries were used now; a read-only or busy store is not changed."""
    with suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA busy_timeout = {int(1000 * _TIMEOUT_OF_DATES)}")
        with transaction(connection):
            connection.executemany(
                "UPDATE entries SET used = ? WHERE key = ?", [(now, key) for key in keys]
            )
    connection.execute(f"PRAGMA busy_timeout = {int(1000 * TIMEOUT)}")


def _summary_by_extractor(connection):
    query = f"""
        SELECT CASE WHEN typeof(extractor) = 'text' THEN extractor ELSE '' END AS name, count(*),
        total(length(data)), min(CASE WHEN {_READABLE} THEN created END),
        max(CASE WHEN {_READABLE} THEN used END), sum(NOT ({_READABLE}))
        FROM entries GROUP BY name ORDER BY name
    """
    return [
        {
            "extractor": name,
            "entries": count,
            "bytes": int(n_bytes),
            "created": _iso_date(created),
            "used": _iso_date(used),
            "unreadable": n_unreadable,
        }
        for name, count, n_bytes, created, used, n_unreadable in connection.execute(query)
    ]


def _iso_date(seconds):
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.isoformat().replace("+00:00", "Z")


def _is_real(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _condition(older_than, max_bytes, extractor):
    """Return an SQL condition for entries to remove whatever the size, and its values, or None."""
    conditions, values = [], []
    if older_than is not None:
        if isinstance(older_than, datetime.timedelta):
            seconds = older_than.total_seconds()
        elif _is_real(older_than):
            seconds = older_than * ONE_DAY
        else:
            raise ValueError(f"older_than must be days or a timedelta, got {older_than!r}.")
        if not 0 <= seconds < math.inf:
            raise ValueError(f"older_than must be at least 0 and finite, got {older_than!r}.")
        conditions.append(f"(used < ? OR NOT ({_READABLE}))")
        values.append(int(time.time() - seconds))
    elif max_bytes is not None:
        return None, []
    if extractor is not None:
        conditions.append("extractor = ?")
        values.append(extractor)
    return " AND ".join(conditions), values


def _remove(connection, where, values, max_bytes=-math.inf):
    """Remove entries of a condition, damaged and old ones first, until the file is small enough."""
    order = f"{_READABLE}, used, id"
    query = f"SELECT id, coalesce(length(data), 0) FROM entries WHERE {where} ORDER BY {order}"
    # In a damaged file, removed entries may stay: so each is tried once.
    candidates = deque(connection.execute(query, values).fetchall())
    n_removed = 0
    while candidates and (excess := _used_bytes(connection) - max_bytes) > 0:
        part: list[tuple[int]] = []
        while candidates and excess > 0 and len(part) < _MAX_REMOVED:
            row, size = candidates.popleft()
            part.append((row,))
            excess -= size + _OVERHEAD
        with transaction(connection):
            n_removed += connection.executemany("DELETE FROM entries WHERE id = ?", part).rowcount
    return n_removed


def _used_bytes(connection):
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _damaged_entries(connection) -> Iterator[tuple[int, bytes, dict[str, str]]]:
    """Yield id, checksum and record of each damaged entry; others can write meanwhile."""
    query = f"""
        SELECT id, extractor, CAST(checksum AS BLOB), {_READABLE}, {COLUMNS}
        FROM entries WHERE id > ? ORDER BY id LIMIT 1000
    """
    first, last = -math.inf, 0
    while last > first:
        first = max(first, last)
        for row, extractor, checksum, readable, key, *rest in connection.execute(query, [first]):
            last = max(last, row)
            if not readable or decode_entry(key, *rest) is None:
                name = key.hex() if isinstance(key, bytes) else str(key)
                yield row, checksum, {"key": name, "extractor": str(extractor)}


# A connection lives no longer than one operation: it outlives no fork and is not shared between
# threads. Opening costs about 0.1 ms and serves hundreds of entries. SQLite's rollback journal is
# used, not its write-ahead log: it also works on folders that several machines share and on
# read-only ones, and leaves one file. A process that is killed in the middle of a write leaves a
# journal, and the next process that opens the file undoes the partial write.

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
    """Open a connection outside any transaction; None if nothing was stored yet."""
    with _operating, _translate_errors(folder, purpose):
        if not _exists(folder):
            yield None
            return
        _check_locks(folder)
        with _connection(folder, "rw") as connection:
            yield connection if _has_entries_table(connection, folder) else None


@contextmanager
def open_for_writing(folder: str) -> Iterator[sqlite3.Connection]:
    """Open a connection inside a transaction that is committed at the end; create the folder."""
    with _operating, _translate_errors(folder, "written"):
        _exists(folder)  # raises a clear error if the path is that of a file
        os.makedirs(folder, exist_ok=True)
        _check_locks(folder)
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
        # A damaged text is a damaged entry, not an error of the query that returns it.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
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


def _check_locks(folder):
    if not has_locks(folder):  # SQLite would wait for a lock, and then take it as one of others
        raise StoreError(
            f"the feature store {folder!r} cannot be used: its file system has no file locks, "
            f"without which processes that write at once would damage it. Choose a folder on "
            f"another file system, such as a local disk"
        )


@contextmanager
def _translate_errors(folder, action):
    """Raise errors of SQLite and the system as StoreError."""
    try:
        yield
    except StoreError:
        raise
    # OverflowError: an entry of 2 GB. UnicodeDecodeError: a damaged name in SQLite's own message.
    except (sqlite3.Error, OverflowError, UnicodeDecodeError, OSError) as error:
        raise StoreError(
            f"the feature store {folder!r} cannot be {action}: {_explanation(error, folder)}"
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
    # (Every constraint is one that intact files fulfill.)
    damage = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CONSTRAINT")
    if name.startswith(damage) or _indicates_damage(error):
        return (
            f"the file is damaged ({error}). Delete {file!r}: its content is computed and stored "
            f"again"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return (
            f"the file {file!r} cannot be opened ({error}). Check that you may write to its folder"
        )
    return str(getattr(error, "strerror", None) or error)


def _indicates_damage(error):
    """Return whether names or texts in the file are not those that were written."""
    if isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error):
        return True
    # Our statements are correct for the table that we create: so its names have changed.
    return getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR"
