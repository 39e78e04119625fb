"""Looking after a feature store: what is in it, what may go, what is damaged."""

import datetime
import math
import time
from numbers import Real

from sklearn_ser.exceptions import StoreError
from sklearn_ser.store._connection import database_file, reading, transaction
from sklearn_ser.store._entries import COLUMNS, ONE_DAY, decode

#: What the file holds beside the values of an entry, about: key (twice), checksum, dates, ...
_OVERHEAD = 180
#: Entries removed in one transaction: others wait meanwhile.
_MOST_REMOVED = 1000
#: Bytes of values that are read at a time, about.
_BYTES_AT_A_TIME = 50_000_000


def by_extractor(connection):
    """One record for each extractor, by name."""
    query = """
        SELECT extractor, count(*), total(length(data)), min(created), max(used)
        FROM entries GROUP BY extractor ORDER BY extractor
    """
    return [
        {
            "extractor": name,
            "entries": count,
            "bytes": int(n_bytes),
            "created": _date(created),
            "used": _date(used),
        }
        for name, count, n_bytes, created, used in connection.execute(query).fetchall()
    ]


def prune(folder, older_than, max_bytes, extractor):
    """As :meth:`FeatureStore.prune`."""
    if older_than is None and max_bytes is None and extractor is None:
        raise ValueError("nothing to prune by: give older_than, max_bytes or extractor")
    where, values = _condition(older_than, max_bytes, extractor)
    if max_bytes is not None and not (_is_real(max_bytes) and max_bytes >= 0):
        raise ValueError(f"max_bytes must be a number of bytes, at least 0, got {max_bytes!r}")
    removed = 0
    with reading(folder, "pruned") as connection:
        if connection is None:
            return 0
        if where is not None:
            while n_removed := _remove(connection, where, values, _MOST_REMOVED):
                removed += n_removed
        if max_bytes is not None:
            removed += _shrink(connection, max_bytes, extractor)
        # As a script: `execute` steps once through what it takes to have no rows, and so frees
        # a single page.
        connection.executescript("PRAGMA incremental_vacuum")
    return removed


def verify(folder, repair):
    """As :meth:`FeatureStore.verify`."""
    with reading(folder) as connection:
        if connection is None:
            return []
        (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if state != "ok":
            raise StoreError(
                f"the feature store {folder!r} is damaged ({' '.join(state.split())}): delete "
                f"{database_file(folder)!r}, and what it held is computed and stored anew"
            )
        damaged = list(_damaged(connection))
        if repair and damaged:
            with transaction(connection):
                # The checksum again: another process may have replaced the entry meanwhile.
                connection.executemany(
                    "DELETE FROM entries WHERE id = ? AND checksum IS ?",
                    [(row, checksum) for row, checksum, _ in damaged],
                )
    return [record for _, _, record in damaged]


def _condition(older_than, max_bytes, extractor):
    """What goes whatever the size: a condition in SQL and its values, or None."""
    conditions, values = [], []
    if older_than is not None:
        if isinstance(older_than, datetime.timedelta):
            seconds = older_than.total_seconds()
        elif _is_real(older_than):
            seconds = older_than * ONE_DAY
        else:
            raise ValueError(f"older_than must be days or a timedelta, got {older_than!r}")
        if not 0 <= seconds < math.inf:
            raise ValueError(f"older_than must be at least 0 and finite, got {older_than!r}")
        conditions.append("used < ?")
        values.append(int(time.time() - seconds))
    elif max_bytes is not None:
        return None, []
    if extractor is not None:
        conditions.append("extractor = ?")
        values.append(extractor)
    return " AND ".join(conditions), values


def _remove(connection, where, values, most):
    with transaction(connection):
        cursor = connection.execute(
            f"DELETE FROM entries WHERE id IN "
            f"(SELECT id FROM entries WHERE {where} ORDER BY used, id LIMIT {most})",
            values,
        )
    return cursor.rowcount


def _shrink(connection, max_bytes, extractor):
    """Remove what was used longest ago, until what is left takes no more than `max_bytes`."""
    where, values = ("extractor = ?", [extractor]) if extractor is not None else ("1", [])
    removed = 0
    while (excess := _used_bytes(connection) - max_bytes) > 0:
        sizes = connection.execute(
            f"SELECT length(data) FROM entries WHERE {where} ORDER BY used, id "
            f"LIMIT {_MOST_REMOVED}",
            values,
        ).fetchall()
        if not sizes:
            break
        count = 0
        for (size,) in sizes:
            count += 1
            excess -= size + _OVERHEAD
            if excess <= 0:
                break
        removed += _remove(connection, where, values, count)
    return removed


def _used_bytes(connection):
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _damaged(connection):
    """Yield id, checksum and record of each damaged entry; memory stays flat."""
    last = -math.inf
    while True:
        sizes = connection.execute(
            "SELECT id, length(data) FROM entries WHERE id > ? ORDER BY id LIMIT 1000", [last]
        ).fetchall()
        if not sizes:
            return
        until, n_bytes = last, 0
        for row, size in sizes:
            until, n_bytes = row, n_bytes + (size or 0)
            if n_bytes > _BYTES_AT_A_TIME:
                break
        entries = connection.execute(
            f"SELECT id, extractor, {COLUMNS} FROM entries WHERE id > ? AND id <= ?", [last, until]
        ).fetchall()
        for row, extractor, key, checksum, *rest in entries:
            if decode(key, checksum, *rest) is None:
                name = key.hex() if isinstance(key, bytes) else str(key)
                yield row, checksum, {"key": name, "extractor": str(extractor)}
        last = until


def _date(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.isoformat().replace("+00:00", "Z")


def _is_real(value):
    return isinstance(value, Real) and not isinstance(value, bool)
