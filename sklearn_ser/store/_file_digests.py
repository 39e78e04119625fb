"""Digests of audio files by their bytes, and detection of changed files."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sklearn_ser.audio._containers import decoder_version

#: Files whose digest is cached within one transform: segments of one file come together.
_MAX_CACHED = 4096
#: Bytes that are read at a time.
_BLOCK = 1 << 22
#: Seconds: the clocks of some file systems tick as coarsely, and changes within a tick leave no
#: trace in the times of a file.
_COARSEST_TICK = 2.5
#: Reading and hashing release the interpreter lock; more threads than this gain nothing.
_MAX_THREADS = 4
#: Files that are worth a thread of their own.
_FILES_PER_THREAD = 16
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Digest of a file, and its state when it was read."""

    digest: bytes
    stamp: tuple[int, ...]  # size, times, inode and device, taken before the file was read
    read_at: float  # seconds since 1970

    def still_holds(self, path: str) -> bool:
        """Return whether the file at `path` has not changed since it was read."""
        try:
            if _stamp(os.stat(path)) != self.stamp:
                return False
        except (OSError, ValueError):
            return False
        _, modified, changed, *_ = self.stamp
        if self.read_at - max(modified, changed) / 1e9 > _COARSEST_TICK:
            return True
        # It was written just before: its times would not show a further change, its bytes do.
        again = _read(path)
        return again is not None and again.digest == self.digest

    def is_found_at(self, path: str) -> bool:
        """Return whether `path` leads, on this machine, to the same file or to an equal one."""
        try:
            if _stamp(os.stat(path))[:2] == self.stamp[:2]:
                return True
        except (OSError, ValueError):
            return False
        again = _read(path)
        return again is not None and again.digest == self.digest


class FileDigests:
    """Digests of files, cached within one transform."""

    def __init__(self) -> None:
        self._cached: dict[str, FileDigest | None] = {}

    def of(self, paths: Iterable[str]) -> dict[str, FileDigest | None]:
        """Return the digests of files, or None where a path cannot be read as a file."""
        digests = {path: self._cached.get(path) for path in paths}
        unread = [path for path in digests if path not in self._cached]
        digests.update(zip(unread, _read_all(unread), strict=True))
        if len(self._cached) + len(unread) > _MAX_CACHED:
            self._cached.clear()
        self._cached.update((path, digests[path]) for path in unread)
        return digests


def _read_all(paths: list[str]) -> list[FileDigest | None]:
    n_threads = min(_MAX_THREADS, os.cpu_count() or 1, len(paths) // _FILES_PER_THREAD)
    if n_threads < 2:
        return [_read(path) for path in paths]
    # A few long parts: submitting every file separately costs as much as reading it.
    parts = [paths[first::n_threads] for first in range(n_threads)]
    read: list[FileDigest | None] = [None] * len(paths)
    with ThreadPoolExecutor(n_threads) as pool:
        for first, part in enumerate(pool.map(lambda part: [_read(path) for path in part], parts)):
            read[first::n_threads] = part
    return read


def _read(path: str) -> FileDigest | None:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None  # reading a pipe would block
        read_at = time.time()
        # Decoders use the suffix where the bytes do not identify the format.
        suffix = os.path.splitext(path)[1].lower().encode("utf-8", "surrogatepass")
        content = hashlib.sha256(b"file%d:%s" % (len(suffix), suffix))
        opened = os.open(path, _OPEN_FLAGS)
        try:
            n_bytes = min(status.st_size + 1, _BLOCK)
            block = os.read(opened, n_bytes)
            content.update(decoder_version(block))
            content.update(block)
            while len(block) == n_bytes:
                block = os.read(opened, n_bytes)
                content.update(block)
        finally:
            os.close(opened)
    except (OSError, ValueError):
        return None
    return FileDigest(content.digest(), _stamp(status), read_at)


def _stamp(status):
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev
