"""One utterance's features as a row of the store's table, with a checksum."""

import hashlib
import math
import sqlite3
import struct
from contextlib import suppress
from functools import lru_cache

import numpy as np

from sklearn_ser.store._connection import PATIENCE, transaction

#: Columns that `decode` takes, in its order.
COLUMNS = "key, checksum, clipped, shape, data"
_STORED = np.dtype("<f4")


def encode(key, values, clipped):
    """The columns of an entry.

    Parameters
    ----------
    key : bytes
    values : ndarray of float32
    clipped : float or None

    Returns
    -------
    tuple
        In the order of `COLUMNS`.
    """
    if not isinstance(key, bytes) or not key:
        raise TypeError(f"a key must be bytes, and not empty, got {key!r}")
    if not isinstance(values, np.ndarray) or values.dtype != np.float32:
        found = getattr(values, "dtype", type(values).__name__)
        raise TypeError(f"values must be an array of float32, got {found}")
    if clipped is not None:
        clipped = float(clipped)
        if not math.isfinite(clipped):
            raise ValueError(f"clipped must be a finite peak or None, got {clipped}")
    shape = ",".join(map(str, values.shape))
    data = np.ascontiguousarray(values, dtype=_STORED).tobytes()
    return key, _checksum(key, clipped, shape, data), clipped, shape, data


def decode(key, checksum, clipped, shape, data):
    """Values and peak of an entry, or None where anything in it is not what was written."""
    try:
        if _checksum(key, clipped, shape, data) != checksum:
            return None
        return np.frombuffer(data, dtype=_STORED).reshape(_shape(shape)).astype(np.float32), clipped
    except (TypeError, ValueError, AttributeError, struct.error):
        return None  # a column of another type than was written


def _checksum(key, clipped, shape, data):
    peak = b"" if clipped is None else struct.pack("<d", clipped)
    head = b"%d:%s%d:%s%d:%s" % (len(key), key, len(peak), peak, len(shape), shape.encode())
    return hashlib.sha256(head + data).digest()[:16]


@lru_cache(maxsize=1024)
def _shape(text):
    return tuple(int(size) for size in text.split(",")) if text else ()


ONE_DAY = 86400
#: Seconds to wait for other writers: a date is not worth more.
_PATIENCE_FOR_A_DATE = 0.2


def note_use(connection, keys, now):
    """Note that these entries were used now, if that can be done at once.

    A store that is read-only or busy keeps its old dates.

    Parameters
    ----------
    connection : sqlite3.Connection
    keys : list of bytes
    now : int
        Seconds since 1970.
    """
    with suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA busy_timeout = {int(1000 * _PATIENCE_FOR_A_DATE)}")
        with transaction(connection):
            connection.executemany(
                "UPDATE entries SET used = ? WHERE key = ?", [(now, key) for key in keys]
            )
    connection.execute(f"PRAGMA busy_timeout = {int(1000 * PATIENCE)}")
