"""When an entry was last used: noted once a day, so that reading hardly ever writes."""

import sqlite3
from contextlib import suppress

from sklearn_ser.feature_extraction._store_connection import PATIENCE, transaction

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
