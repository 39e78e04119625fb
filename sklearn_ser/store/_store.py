"""The feature store: what was extracted once is kept, whoever asks for it next."""

import os
import time

from sklearn_ser.store import _maintenance as maintenance
from sklearn_ser.store._connection import database_file, reading, writing
from sklearn_ser.store._entries import COLUMNS, ONE_DAY, decode, encode, note_use
from sklearn_ser.utils._public import public_module

#: Entries of one query: SQLite before 3.32 takes at most 999 values.
MOST_KEYS = 900

_PUT = f"""
INSERT INTO entries ({COLUMNS}, extractor, created, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET checksum = excluded.checksum, clipped = excluded.clipped,
shape = excluded.shape, data = excluded.data, extractor = excluded.extractor, used = excluded.used
"""


@public_module("sklearn_ser.store")
class FeatureStore:
    """Features of utterances, kept in a folder across processes and runs.

    Every audio step has a parameter ``store``: give it a folder, and what is there already is not
    computed again, whatever the grid, the folds or the script. An entry's key is made from the
    audio's content, the step's parameters and the versions of what computed it, so a changed
    file, parameter or version is another entry, and nothing has to be invalidated by hand. Of a
    class of your own its code counts: its methods, the functions of its module that they call, and
    the plain constants of both. What is not seen: changes in other modules of yours, and in lists,
    dicts and objects that methods read. Raise the class's ``_revision`` then.

    If a configuration or a model file changes during a transform, nothing more of that transform
    is stored, with a StoreWarning. One case remains: a change that is undone again before the few
    utterances (16, or two batches) that are extracted at a time are done.

    This class is for looking after such a folder (:meth:`info`, :meth:`prune`, :meth:`verify`),
    and for own steps that want to keep arrays.

    Several processes may read and write at once. A process that is killed loses what it was
    writing, nothing else. Each entry carries a checksum that is verified whenever it is read: a
    damaged one counts as missing, and is replaced. Processes and threads that need the same
    utterances share the work: what one is extracting, the others leave to it, and wait for at the
    end (30 s at most in all, then they extract it themselves). Where the system has no file locks
    (Windows, some network folders) processes that start together may extract an utterance twice.

    Parameters
    ----------
    path : str or Path
        The folder. It is made at the first write, and holds the file ``features.sqlite``, and
        an empty one, ``features.claims``, whose locks say who is extracting what.

    Notes
    -----
    A handle is only a path: it can be copied, pickled and sent to other processes. A folder that
    several machines share (NFS) works where its file locks do.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import OpenSmileExtractor
    >>> from sklearn_ser.store._store import FeatureStore
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

    def __init__(self, path):
        if not os.fspath(path):
            raise ValueError("a feature store needs the path of a folder, got ''")
        self.path = os.path.abspath(os.fspath(path))

    def __repr__(self):
        return f"FeatureStore({self.path!r})"

    def __fspath__(self):
        return self.path

    def get_many(self, keys):
        """Look up entries.

        Parameters
        ----------
        keys : iterable of bytes

        Returns
        -------
        dict of bytes to (ndarray of float32, float or None)
            For each key that is there and undamaged: the values, and the peak of the audio where
            it was clipped.

        Raises
        ------
        StoreError
            If the store cannot be read. A folder that does not exist yet is an empty store.

        Examples
        --------
        >>> FeatureStore("no-such-folder").get_many([b"key"])
        {}
        """
        keys = list(dict.fromkeys(keys))
        found, unused, now = {}, [], int(time.time())
        with reading(self.path) as connection:
            if connection is None:
                return {}
            for start in range(0, len(keys), MOST_KEYS):
                part = keys[start : start + MOST_KEYS]
                marks = ",".join("?" * len(part))
                query = f"SELECT used, {COLUMNS} FROM entries WHERE key IN ({marks})"
                for used, *columns in connection.execute(query, part).fetchall():
                    entry = decode(*columns)
                    if entry is not None:
                        found[columns[0]] = entry
                        if not abs(now - used) < ONE_DAY:
                            unused.append(columns[0])
            if unused:
                note_use(connection, unused, now)
        return found

    def put_many(self, entries, *, extractor=""):
        """Add or replace entries, all of them or (if an error is raised) none.

        Parameters
        ----------
        entries : dict of bytes to (ndarray of float32, float or None)
            Values of any shape, and the peak of the audio where it was clipped.
        extractor : str, default=""
            What made them: the name that :meth:`info` and :meth:`prune` know them by.

        Raises
        ------
        StoreError
            If the store cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from sklearn_ser.store._store import FeatureStore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = FeatureStore(folder)
        ...     store.put_many({b"key": (np.ones((3, 2), dtype="float32"), None)})
        ...     values, clipped = store.get_many([b"key", b"other"])[b"key"]
        >>> values.shape, clipped
        ((3, 2), None)
        """
        now = int(time.time())
        rows = [
            (*encode(key, values, clipped), extractor, now, now)
            for key, (values, clipped) in entries.items()
        ]
        if rows:
            with writing(self.path) as connection:
                connection.executemany(_PUT, rows)

    def info(self):
        """Say what is in the store.

        Returns
        -------
        dict
            ``path``, ``file``, ``entries`` (their number), ``bytes`` (of the file), and
            ``extractors``: a list of dict with ``extractor``, ``entries``, ``bytes`` (of the
            values), ``created`` and ``used`` (the first and the last time, in UTC, as ISO 8601;
            use is noted once a day).

        Raises
        ------
        StoreError
            If the store cannot be read.

        Examples
        --------
        >>> FeatureStore("no-such-folder").info()["extractors"]
        []
        """
        with reading(self.path) as connection:
            extractors = [] if connection is None else maintenance.by_extractor(connection)
        file = database_file(self.path)
        return {
            "path": self.path,
            "file": file,
            "entries": sum(each["entries"] for each in extractors),
            "bytes": os.path.getsize(file) if os.path.exists(file) else 0,
            "extractors": extractors,
        }

    def prune(self, older_than=None, max_bytes=None, extractor=None):
        """Remove entries, and give their space back.

        Parameters
        ----------
        older_than : float or timedelta, optional
            Remove what was not used for so long (a number: days).
        max_bytes : int, optional
            Then remove what was not used for longest, until the file is no larger than this.
        extractor : str, optional
            Remove only what this extractor made; without the other two, all of it.

        Returns
        -------
        int
            How many entries were removed.

        Raises
        ------
        ValueError
            If nothing says what to remove.
        StoreError
            If the store cannot be written.

        Examples
        --------
        >>> FeatureStore("no-such-folder").prune(older_than=90)
        0
        """
        return maintenance.prune(self.path, older_than, max_bytes, extractor)

    def verify(self, repair=False):
        """Read every entry and the structure of the file, and check them.

        Parameters
        ----------
        repair : bool, default=False
            Remove the damaged entries. (They are never served, and replaced when they are
            computed again.)

        Returns
        -------
        list of dict
            The damaged entries: ``key`` (hexadecimal) and ``extractor``.

        Raises
        ------
        StoreError
            If the store cannot be read, or its file is damaged beyond single entries; it says
            what to do.

        Examples
        --------
        >>> FeatureStore("no-such-folder").verify()
        []
        """
        return maintenance.verify(self.path, repair)
