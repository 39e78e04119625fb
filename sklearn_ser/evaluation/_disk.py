"""Finished folds on disk: a run that is started again goes on where it ended.

Several runs of one call may share a folder: each fold is computed by whoever claims it first.
"""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from sklearn_ser.utils._claims import Claims


class ResultFolder:
    """Tables under their keys in one folder; with ``path=None`` it keeps nothing.

    A table is written beside its place and then renamed, so that a reader, or a run after a
    kill, sees a whole table or none.

    Parameters
    ----------
    path : str, Path or None
    """

    def __init__(self, path):
        self.path = None if path is None else Path(path)
        if self.path is not None:
            self.path.mkdir(parents=True, exist_ok=True)

    def __bool__(self):
        return self.path is not None

    @property
    def store(self):
        """Where extracted features are kept: a folder for a FeatureStore, or None."""
        return None if self.path is None else self.path / "features"

    def load(self, kind, key):
        """The table of `kind` (a subfolder) under `key`, or None."""
        if self.path is None or not self._file(kind, key).is_file():
            return None
        return pd.read_parquet(self._file(kind, key))

    def save(self, kind, key, table):
        """Keep `table` (its ``attrs`` too) under `key`."""
        if self.path is None:
            return
        target = self._file(kind, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
        os.close(handle)
        try:
            table.to_parquet(name)
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def claimed(self, kind, key):
        """Whether nobody else is computing the table of `key`, as a context that says so.

        Without a folder, or where the file system has no locks, nobody is.
        """
        if self.path is None:
            yield True
            return
        claims, place = Claims(self.path / f"{kind}.claims"), bytes.fromhex(key)
        try:
            yield bool(claims.claim([place]))
        finally:
            claims.release([place])

    def _file(self, kind, key):
        return self.path / kind / f"{key}.parquet"
