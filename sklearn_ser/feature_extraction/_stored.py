"""Between an extractor and its store: which rows are there already, which are to be added."""

import math
import os
import warnings

from sklearn_ser._audio_cell import path_of
from sklearn_ser.exceptions import StoreError, StoreWarning
from sklearn_ser.feature_extraction._extracted import Extracted
from sklearn_ser.feature_extraction._store import FeatureStore
from sklearn_ser.feature_extraction._store_files import FileDigests
from sklearn_ser.feature_extraction._store_keys import (
    NoStableContent,
    array_digest,
    extractor_digest,
    utterance_key,
)

#: From `_give_up` to the caller of `transform`: look_up or add, extract_rows, transform, and the
#: method that scikit-learn wraps around it.
_STACKLEVEL = 6


class StoredRows:
    """The rows of a table, as far as the store of an extractor has them.

    Where the store fails, one StoreWarning says so, and it is left alone for the rest of this
    transform.

    Parameters
    ----------
    extractor : AudioExtractor
    table : AudioTable
    """

    def __init__(self, extractor, table):
        self._extractor = extractor
        self._cells = table._cells
        self._sampling_rate = table._options.sampling_rate
        self._store = FeatureStore(os.fspath(extractor.store))
        self._files = FileDigests()
        self._arrays = {}
        self._to_add = {}  # row -> key, path, FileDigest
        self._trouble = None
        self._gave_up = False
        try:
            self._step = extractor_digest(extractor, table._options)
        except NoStableContent as error:
            self._trouble = (
                f"features are not kept in the feature store {self._store.path!r}: {error}, which "
                f"has no content to know it by in another run. Give plain values, or store=None"
            )

    def look_up(self, rows):
        """Find rows in the store.

        Parameters
        ----------
        rows : sequence of int

        Returns
        -------
        dict of int to Extracted
            The rows that are there.
        """
        if self._trouble is not None:
            self._give_up(self._trouble)
        if self._gave_up:
            return {}
        keys = self._keys(rows)
        try:
            found = self._store.get_many({key for key, *_ in keys.values()})
        except StoreError as error:
            self._give_up(error)
            return {}
        extracted, served = {}, set()
        for row, (key, *source) in keys.items():
            if key in found:
                values, clipped = found[key]
                # Rows of the same audio get arrays of their own, as without a store.
                values = values.copy() if key in served else values
                extracted[row] = Extracted(values=values, clipped=clipped)
                served.add(key)
            else:
                self._to_add[row] = (key, *source)
        return extracted

    def add(self, extracted):
        """Keep what was extracted; rows that failed, or whose file has changed, are left out.

        Parameters
        ----------
        extracted : dict of int to Extracted
        """
        entries, unchanged = {}, {}
        for row, result in extracted.items():
            key, path, file = self._to_add.pop(row, (None, None, None))
            if key is None or result.values is None or self._gave_up:
                continue
            if path is not None and path not in unchanged:
                unchanged[path] = file.still_holds(path)
            if path is None or unchanged[path]:
                entries[key] = (result.values, result.clipped)
        try:
            self._store.put_many(entries, extractor=type(self._extractor).__name__)
        except StoreError as error:
            self._give_up(error)

    def _keys(self, rows):
        """Row -> key, path and FileDigest (None for arrays) of the rows that can have a key."""
        cells = self._cells
        paths = {row: path for row in rows if (path := path_of(cells.values[row]))}
        files = self._files.of(dict.fromkeys(paths.values()))
        keys = {}
        for row in rows:
            path = paths.get(row)
            file = files.get(path)
            digest = self._array_digest(cells.values[row]) if path is None else file and file.digest
            if digest is not None:
                start = math.nan if cells.starts is None else cells.starts[row]
                end = math.nan if cells.ends is None else cells.ends[row]
                keys[row] = (utterance_key(self._step, digest, start, end), path, file)
        return keys

    def _array_digest(self, cell):
        # The table holds its cells, so that no other one can get the same id.
        if id(cell) not in self._arrays:
            self._arrays[id(cell)] = array_digest(cell, self._sampling_rate)
        return self._arrays[id(cell)]

    def _give_up(self, reason):
        if not self._gave_up:
            self._gave_up = True
            self._to_add.clear()
            warnings.warn(
                f"{reason}. Extraction goes on without it.",
                StoreWarning,
                stacklevel=_STACKLEVEL,
            )
