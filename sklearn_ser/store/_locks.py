"""Locks on cache keys, by which processes that start together share the work.

A lock is a file lock on one byte of an empty file beside the stored data; the offset of the byte
is computed from the cache key. The operating system releases the lock when its process ends,
however it ends, so that nothing expires and nothing has to be cleaned up. A process never waits
while it holds a lock, and every wait is bounded.

File locks hold between processes; a table in memory holds between the threads of one. Where the
system has no file locks (Windows, some network file systems) or the file cannot be written, every
lock is granted.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:
    fcntl = None

_mutex = threading.Lock()
_owners: dict[str, dict[int, KeyLocks]] = {}  # file -> {offset of the locked byte: owner}
_devices_with_locks: set[int] = set()
_descriptors: dict[str, int] = {}  # one per file: closing any other would end all of its locks


def _forget_locks_of_parent():
    global _mutex
    _mutex = threading.Lock()
    _owners.clear()
    for descriptor in _descriptors.values():
        with suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks_of_parent)


class KeyLocks:
    """Locks that one caller holds on cache keys, which are bytes of a file."""

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self._file = os.path.realpath(file)

    def acquire(self, keys: Iterable[bytes]) -> set[bytes]:
        """Lock cache keys without waiting, and return those that no one else has locked."""
        with _mutex:
            descriptor = self._descriptor()
            if descriptor is None:
                return set(keys)
            owners = _owners.setdefault(self._file, {})
            granted = set()
            for key in keys:
                offset = _offset(key)
                owner = owners.get(offset)
                if owner is None and _lock_byte(descriptor, offset):
                    owner = owners[offset] = self
                if owner is self:
                    granted.add(key)
            return granted

    def release(self, keys: Iterable[bytes] | None = None) -> None:
        """Release locks of this caller, by default all of them."""
        with _mutex:
            owners = _owners.get(self._file, {})
            offsets = list(owners) if keys is None else map(_offset, keys)
            for offset in offsets:
                if owners.get(offset) is self:
                    del owners[offset]
                    with suppress(OSError):
                        fcntl.lockf(_descriptors[self._file], fcntl.LOCK_UN, 1, offset)
            if not owners and self._file in _descriptors:
                os.close(_descriptors.pop(self._file))
                _owners.pop(self._file, None)

    def _descriptor(self):
        if fcntl is None:
            return None
        if self._file not in _descriptors:
            try:
                os.makedirs(os.path.dirname(self._file), exist_ok=True)
                _descriptors[self._file] = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError:
                return None
        return _descriptors[self._file]


def has_locks(folder: str) -> bool:
    """Return whether the file system of a folder has file locks; True if nothing can be tried."""
    if fcntl is None:
        return True
    device = os.stat(folder).st_dev
    if device not in _devices_with_locks:
        with ExitStack() as stack:
            try:
                file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            except OSError:
                return True
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # no other process knows this file
                return False
        _devices_with_locks.add(device)
    return True


def _offset(key):
    return int.from_bytes(key[:8], "big") >> 2  # file offsets are signed


def _lock_byte(descriptor, offset):
    """Return whether the byte could be locked; True if the file system has no locks."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
    except (BlockingIOError, PermissionError):  # the second is raised by some systems instead
        return False
    except OSError:
        return True
    return True
