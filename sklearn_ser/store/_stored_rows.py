"""Rows of a table in the feature store of an extractor: lookup, locks and new cache entries."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from sklearn_ser.audio._decoding import path_of
from sklearn_ser.audio._derived import source_chain
from sklearn_ser.exceptions import AudioError, StoreError, StoreWarning
from sklearn_ser.store._file_digests import FileDigest, FileDigests
from sklearn_ser.store._keys import (
    NoRevision,
    NoStableContent,
    content_digest,
    derived_digest,
    extractor_digest,
    utterance_key,
)
from sklearn_ser.store._locks import KeyLocks
from sklearn_ser.store._store import FeatureStore, damage_text
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from sklearn_ser.audio._loading import AudioTable

#: Seconds that a transform waits in all for utterances that other processes are extracting.
MAX_WAIT = 30.0
#: Seconds between two checks whether they are done.
_POLL_INTERVAL = 0.02
#: Classes without `cache_revision` that this process has warned about.
_warned_classes: WeakSet[type] = WeakSet()


@dataclass
class Extracted:
    """Result of extracting one utterance."""

    values: np.ndarray | None = None  # float32, (n_features,) or (n_frames, n_features)
    error: AudioError | None = None  # reason why there are no values
    clipped: float | None = None  # peak of the audio, if it was beyond full scale and was clipped


@dataclass
class KeySources:
    """Inputs of the cache keys of a task, for comparison in the process that extracts it."""

    #: Digest of the extractor.
    step: bytes
    #: Path and content by row; only if another process reads the files.
    files: dict[int, tuple[str, FileDigest]] = field(default_factory=dict)

    def matches_extractor(self, extractor: Any, part: AudioTable) -> bool:
        """Return whether the extractor, in this process and now, has the digest of the keys."""
        try:
            return extractor_digest(extractor, part.options) == self.step
        except Exception:  # a configuration or model file that was removed or is half written
            return False

    def rows_of_other_files(self) -> set[int]:
        """Return the rows whose file has another content in this process."""
        digests = dict(self.files.values())
        other = {path for path, digest in digests.items() if not digest.is_found_at(path)}
        return {row for row, (path, _) in self.files.items() if path in other}


@dataclass
class _Key:
    """Cache key of a row, and path and content of its file (None for arrays)."""

    key: bytes
    file: tuple[str, FileDigest] | None


class StoredRows:
    """Rows of a table in the feature store of an extractor.

    If the store fails, `warn` issues one StoreWarning, and the store is not used for the rest of
    this transform.
    """

    def __init__(self, extractor: Any, table: AudioTable) -> None:
        self._extractor = extractor
        self._references = table.references
        self._sampling_rate = table.options.sampling_rate
        self._store = FeatureStore(os.fspath(extractor.store))
        self._locks = KeyLocks(os.path.join(self._store.path, "features.locks"))
        self._remaining_wait = MAX_WAIT
        self._files = FileDigests()
        self._arrays: dict[int, bytes | None] = {}
        self._recipes: dict[int, bytes] = {}
        self._to_add: dict[int, _Key] = {}
        self._damaged: set[bytes] = set()
        self._disabled = False
        self._pending_warning: str | None = None
        self._step = b""
        try:
            self._step = extractor_digest(extractor, table.options)
        except NoRevision as error:
            self._disable(self._no_revision(error))
        except NoStableContent as error:
            self._disable(
                f"features are not stored in {self._store.path!r}: {error}. Pass plain values, or "
                f"store=None"
            )

    def look_up(self, rows: Sequence[int]) -> dict[int, Extracted]:
        """Return the rows that are in the store."""
        return {} if self._disabled else self._read(self._keys(rows))

    def lock(self, rows: Sequence[int]) -> tuple[list[int], dict[int, Extracted], list[int]]:
        """Lock rows that `look_up` did not find, right before they are extracted.

        Return the rows to be extracted by the caller, those that others have stored in the
        meantime, and those that others are extracting at this moment.
        """
        keys = {row: key for row in rows if (key := self._to_add.get(row))}
        if self._disabled or not keys:
            return list(rows), {}, []
        all_keys = [each.key for each in keys.values()]
        # A row is stored before its lock is released: so lock first, then read.
        granted = self._locks.acquire(all_keys) if self._remaining_wait > 0 else set(all_keys)
        stored = self._read(keys)
        self._locks.release(keys[row].key for row in stored)
        for row in stored:
            self._to_add.pop(row, None)
        free = {row for row in rows if row not in keys or keys[row].key in granted}
        if self._disabled:
            return list(rows), {}, []
        others = [row for row in rows if row not in stored and row not in free]
        return [row for row in rows if row in free and row not in stored], stored, others

    def wait_for(self, rows: Sequence[int]) -> None:
        """Wait until others are done with one of these rows, or until the time is over."""
        started = time.monotonic()
        keys = [known.key for row in rows if (known := self._to_add.get(row))]
        while keys and not self._disabled:
            granted = self._locks.acquire(keys)
            self._locks.release(granted)
            if granted or time.monotonic() - started > self._remaining_wait:
                break
            time.sleep(_POLL_INTERVAL)
        self._remaining_wait -= time.monotonic() - started

    def key_sources(self, rows: Sequence[int], in_other_process: bool) -> KeySources | None:
        """Return the inputs of the cache keys of these rows; None if nothing will be stored."""
        if self._disabled:
            return None
        files = {}
        for row in rows if in_other_process else ():
            known = self._to_add.get(row)
            if known is not None and known.file is not None:
                path, digest = known.file
                files[row] = absolute_path(path), digest
        return KeySources(self._step, files)

    def add(
        self, extracted: dict[int, Extracted], same_extractor: bool, other_files: set[int]
    ) -> None:
        """Store extracted rows, except those that failed or whose file has changed.

        `same_extractor` says whether the extractor was the one that the keys were computed from;
        `other_files` are the rows whose file had another content than that of their key.
        """
        if not same_extractor:
            self._disable(
                f"features are no longer stored in {self._store.path!r}: the configuration, a "
                f"model file or the class of {type(self._extractor).__name__} has changed since "
                f"this transform began, or a worker has other versions of them. Transform again "
                f"once they no longer change"
            )
        entries: dict[bytes, tuple[np.ndarray, float | None]] = {}
        unchanged: dict[str, bool] = {}
        done = []
        for row, result in extracted.items():
            known = self._to_add.pop(row, None)
            if known is None:
                continue
            done.append(known.key)
            if result.values is None or self._disabled or row in other_files:
                continue
            if known.file is not None:
                path, digest = known.file
                if path not in unchanged:
                    unchanged[path] = digest.still_holds(path)
                if not unchanged[path]:
                    continue
            entries[known.key] = result.values, result.clipped
        try:
            self._store.put_many(entries, extractor=type(self._extractor).__name__)
        except StoreError as error:
            self._disable(str(error))
        self._locks.release(done)

    def warn(self) -> None:
        """Issue a pending warning; to be called in the thread that the user called."""
        message, self._pending_warning = self._pending_warning, None
        if message is not None:
            warn_user(f"{message}. Extraction continues without the store.", StoreWarning)

    def close(self) -> None:
        """Release all locks, and warn about damaged entries that were found."""
        self._locks.release()
        if self._damaged:
            warn_user(damage_text(self._store.path, len(self._damaged)), StoreWarning)

    def _read(self, keys: dict[int, _Key]) -> dict[int, Extracted]:
        try:
            entries, damaged = self._store._read({each.key for each in keys.values()})
        except StoreError as error:
            self._disable(str(error))
            return {}
        self._damaged |= damaged
        extracted, used = {}, set()
        for row, known in keys.items():
            if known.key in entries:
                values, clipped = entries[known.key]
                # Rows of the same audio get separate arrays, as without a store.
                values = values.copy() if known.key in used else values
                extracted[row] = Extracted(values=values, clipped=clipped)
                used.add(known.key)
            else:
                self._to_add[row] = known
        return extracted

    def _keys(self, rows: Sequence[int]) -> dict[int, _Key]:
        """Return the cache keys of the rows whose audio has a digest."""
        references = self._references
        chains = {row: source_chain(references.values[row]) for row in rows}
        paths = {row: path for row in rows if (path := path_of(chains[row][0]))}
        files = self._files.of(dict.fromkeys(paths.values()))
        keys = {}
        for row in rows:
            source, *derived = chains[row]
            path, file = paths.get(row), None
            if path is None:
                digest = self._content_digest(source)
            elif (content := files[path]) is None:
                continue
            else:
                file, digest = (path, content), content.digest
            if digest is not None and derived:
                digest = self._derived_digest(digest, derived)
            if digest is not None:
                start, end = references.span(row)
                keys[row] = _Key(utterance_key(self._step, digest, start, end), file)
        return keys

    def _content_digest(self, reference):
        # The table holds its audio, so that no other array can get the same id.
        if id(reference) not in self._arrays:
            self._arrays[id(reference)] = content_digest(reference, self._sampling_rate)
        return self._arrays[id(reference)]

    def _derived_digest(self, digest: bytes, derived: Iterable[Any]) -> bytes | None:
        """Return the digest of augmented audio, or None if it cannot be stored."""
        try:
            for audio in derived:
                digest = derived_digest(digest, audio, self._recipes)
        except NoRevision as error:
            self._pending_warning = self._pending_warning or self._no_revision(error)
            return None
        except NoStableContent:
            return None
        return digest

    def _no_revision(self, error: NoRevision) -> str | None:
        """Return a warning about a class, or None if this process has warned about it."""
        if error.cls in _warned_classes:
            return None
        _warned_classes.add(error.cls)
        return (
            f"features are not stored in {self._store.path!r}: {error}. Add the class attribute "
            f"cache_revision = 1 to it, and raise it whenever the class computes other values (see "
            f"the docstring of FeatureStore)"
        )

    def _disable(self, reason: str | None) -> None:
        if not self._disabled:
            self._disabled = True
            self._pending_warning = reason
            self._to_add.clear()
            self._locks.release()


def absolute_path(path: str) -> str:
    """Return a path that is the same in every working directory; an empty path stays empty."""
    if not path or os.path.isabs(path):
        return path
    with suppress(OSError):  # the working directory was removed
        path = os.path.join(os.getcwd(), path)
    return path
