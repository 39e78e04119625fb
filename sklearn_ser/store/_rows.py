"""Between an extractor and its store: which rows are there already, which are to be added."""

import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from sklearn_ser.audio._cell import path_of
from sklearn_ser.audio._derived import chain_of
from sklearn_ser.exceptions import AudioError, StoreError, StoreWarning
from sklearn_ser.store._claims import Claims
from sklearn_ser.store._files import FileDigests
from sklearn_ser.store._keys import (
    NoStableContent,
    array_digest,
    derived_digest,
    extractor_digest,
    utterance_key,
)
from sklearn_ser.store._store import FeatureStore
from sklearn_ser.utils._warnings import warn_user

#: Seconds that a transform waits in all for what other processes are extracting.
MOST_WAITED = 30.0
#: Seconds between two looks at whether they are done.
_BETWEEN_LOOKS = 0.02


@dataclass
class Keyed:
    """What the keys of a chunk were made of, for whoever extracts it to compare with.

    Attributes
    ----------
    step : bytes
        The extractor's digest.
    files : dict of int to (str, FileDigest)
        Row -> path and content; only where another process reads them.
    """

    step: bytes
    files: dict = field(default_factory=dict)

    def has_step(self, extractor, part):
        """Whether the extractor, here and now, is what the keys say."""
        try:
            return extractor_digest(extractor, part._options) == self.step
        except Exception:  # a configuration or model file that is gone or half written
            return False

    def other_files(self):
        """The rows whose file is another one here than where the keys were made."""
        same = {}
        for path, digest in self.files.values():
            if path not in same:
                same[path] = digest.is_found_at(path)
        return {row for row, (path, _) in self.files.items() if not same[path]}


class StoredRows:
    """The rows of a table, as far as the store of an extractor has them.

    Where the store fails, `tell` gives one StoreWarning, and it is left alone for the rest of
    this transform.

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
        self._claims = Claims(os.path.join(self._store.path, "features.claims"))
        self._patience = MOST_WAITED
        self._files = FileDigests()
        self._arrays = {}
        self._recipes = {}
        self._to_add = {}  # row -> key, path, FileDigest
        self._gave_up = False
        self._untold = None
        try:
            self._step = extractor_digest(extractor, table._options)
        except NoStableContent as error:
            self._give_up(
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
        return {} if self._gave_up else self._found(self._keys(rows))

    def claim(self, rows):
        """Claim rows that `look_up` did not find, right before they are extracted.

        Parameters
        ----------
        rows : sequence of int

        Returns
        -------
        mine : list of int
            To be extracted here.
        found : dict of int to Extracted
            What others have stored meanwhile.
        others : list of int
            What others are extracting just now.
        """
        keys = {row: known for row in rows if (known := self._to_add.get(row))}
        if self._gave_up or not keys:
            return list(rows), {}, []
        keys_of_rows = [key for key, *_ in keys.values()]
        # Whoever stores a row gives up its claim afterwards: so claim first, and look then.
        granted = self._claims.claim(keys_of_rows) if self._patience > 0 else set(keys_of_rows)
        found = self._found(keys)
        self._claims.release(keys[row][0] for row in found)
        for row in found:
            self._to_add.pop(row, None)
        free = {row for row in rows if row not in keys or keys[row][0] in granted}
        if self._gave_up:
            return list(rows), {}, []
        others = [row for row in rows if row not in found and row not in free]
        return [row for row in rows if row in free and row not in found], found, others

    def wait_for(self, rows):
        """Wait until others are done with one of these rows, or long enough.

        Parameters
        ----------
        rows : sequence of int
        """
        started = time.monotonic()
        keys = [known[0] for row in rows if (known := self._to_add.get(row))]
        while keys and not self._gave_up:
            granted = self._claims.claim(keys)
            self._claims.release(granted)
            if granted or time.monotonic() - started > self._patience:
                break
            time.sleep(_BETWEEN_LOOKS)
        self._patience -= time.monotonic() - started

    def keyed(self, rows, elsewhere):
        """What the keys of these rows were made of.

        Parameters
        ----------
        rows : sequence of int
        elsewhere : bool
            Whether another process extracts them.

        Returns
        -------
        Keyed or None
            None where nothing will be stored.
        """
        if self._gave_up:
            return None
        known = {row: self._to_add.get(row, (None, None, None)) for row in rows if elsewhere}
        return Keyed(
            self._step,
            {row: (absolute_path(path), file) for row, (_, path, file) in known.items() if path},
        )

    def _found(self, keys):
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

    def add(self, extracted, has_step, other_files):
        """Keep what was extracted; rows that failed, or whose file has changed, are left out.

        Parameters
        ----------
        extracted : dict of int to Extracted
        has_step : bool
            Whether it was the extractor of the keys that extracted them.
        other_files : set of int
            Rows that were extracted from another file than their key was made of.
        """
        if not has_step:
            self._give_up(
                f"features are no longer kept in the feature store {self._store.path!r}: what "
                f"{type(self._extractor).__name__} computes with (a configuration, a model file, "
                f"its class) has changed since this transform began, or a worker has other "
                f"versions of it. Transform again when it is settled"
            )
        entries, unchanged, done = {}, {}, []
        for row, result in extracted.items():
            key, path, file = self._to_add.pop(row, (None, None, None))
            done += [key] if key is not None else []
            if key is None or result.values is None or self._gave_up or row in other_files:
                continue
            if path is not None and path not in unchanged:
                unchanged[path] = file.still_holds(path)
            if path is None or unchanged[path]:
                entries[key] = (result.values, result.clipped)
        try:
            self._store.put_many(entries, extractor=type(self._extractor).__name__)
        except StoreError as error:
            self._give_up(error)
        self._claims.release(done)

    def tell(self):
        """Warn, once, if the store was given up; for the thread that the user called."""
        reason, self._untold = self._untold, None
        if reason is not None:
            warn_user(f"{reason}. Extraction goes on without it.", StoreWarning)

    def close(self):
        """Give up all claims."""
        self._claims.release()

    def _keys(self, rows):
        """Row -> key, path and FileDigest (None for arrays) of the rows that can have a key."""
        cells = self._cells
        chains = {row: chain_of(cells.values[row]) for row in rows}
        paths = {row: path for row in rows if (path := path_of(chains[row][0]))}
        files = self._files.of(dict.fromkeys(paths.values()))
        keys = {}
        for row in rows:
            path = paths.get(row)
            file = files.get(path)
            source, *derived = chains[row]
            digest = self._array_digest(source) if path is None else file and file.digest
            if digest is not None and derived:
                digest = self._derived_digest(digest, derived)
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

    def _derived_digest(self, digest, derived):
        """Of audio made from audio of this digest; None (it is not stored) without a recipe."""
        try:
            for cell in derived:
                digest = derived_digest(digest, cell, self._recipes)
        except NoStableContent:
            return None
        return digest

    def _give_up(self, reason):
        if not self._gave_up:
            self._gave_up = True
            self._untold = str(reason)
            self._to_add.clear()
            self._claims.release()


def absolute_path(path):
    """A path that means the same in every working directory; an empty one stays empty."""
    if not path or os.path.isabs(path):
        return path
    with suppress(OSError):  # the working directory was removed
        path = os.path.join(os.getcwd(), path)
    return path


@dataclass
class Extracted:
    """What became of one utterance.

    Attributes
    ----------
    values : ndarray of float32 of shape (n_features,) or (n_frames, n_features), or None
    error : AudioError or None
        Why there are no values.
    clipped : float or None
        The peak, where it was beyond full scale and was clipped.
    """

    values: np.ndarray | None = None
    error: AudioError | None = None
    clipped: float | None = None
