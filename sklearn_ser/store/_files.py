"""Digests of audio files by their bytes, and whether a file has changed since."""

import hashlib
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

#: Files whose digest is remembered within one transform: segments of one file come together.
_MOST_REMEMBERED = 4096
#: Bytes that are read at a time.
_BLOCK = 1 << 22
#: Seconds: some file systems' clocks tick as coarsely, and a change within a tick leaves no trace.
_COARSEST_TICK = 2.5
#: Reading and hashing release the interpreter lock; more threads than this gain nothing.
_MOST_THREADS = 4
#: Files that are worth a thread of their own.
_FILES_PER_THREAD = 16
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What a file held, and how to see whether it still does.

    Attributes
    ----------
    digest : bytes
    stamp : tuple
        Size, times, inode and device, taken before the file was read.
    read_at : float
        Seconds since 1970.
    """

    digest: bytes
    stamp: tuple
    read_at: float

    def still_holds(self, path):
        """Whether the file at `path` has not been changed since it was read."""
        try:
            if _stamp(os.stat(path)) != self.stamp:
                return False
        except (OSError, ValueError):
            return False
        _, modified, changed, *_ = self.stamp
        if self.read_at - max(modified, changed) / 1e9 > _COARSEST_TICK:
            return True
        # It was written just before: a further change would not show, so its bytes are compared.
        again = _read(path)
        return again is not None and again.digest == self.digest

    def is_found_at(self, path):
        """Whether `path`, on this machine, leads to the same file or to one of the same bytes."""
        try:
            if _stamp(os.stat(path))[:2] == self.stamp[:2]:
                return True
        except (OSError, ValueError):
            return False
        again = _read(path)
        return again is not None and again.digest == self.digest


class FileDigests:
    """Digests of files within one transform."""

    def __init__(self):
        self._remembered = {}

    def of(self, paths):
        """Digest files, several at a time.

        Parameters
        ----------
        paths : iterable of str

        Returns
        -------
        dict of str to (FileDigest or None)
            None for what cannot be read as a file.
        """
        found = {path: self._remembered.get(path) for path in paths}
        unread = [path for path in found if path not in self._remembered]
        found.update(zip(unread, _read_all(unread), strict=True))
        if len(self._remembered) + len(unread) > _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered.update((path, found[path]) for path in unread)
        return found


def _read_all(paths):
    n_threads = min(_MOST_THREADS, os.cpu_count() or 1, len(paths) // _FILES_PER_THREAD)
    if n_threads < 2:
        return [_read(path) for path in paths]
    # A few long parts: to hand over every file by itself costs as much as to read it.
    parts = [paths[first::n_threads] for first in range(n_threads)]
    read = [None] * len(paths)
    with ThreadPoolExecutor(n_threads) as pool:
        for first, part in enumerate(pool.map(lambda part: [_read(path) for path in part], parts)):
            read[first::n_threads] = part
    return read


def _read(path):
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None  # a pipe would keep us waiting
        read_at = time.time()
        # Where the bytes tell a decoder nothing, it goes by the name.
        suffix = os.path.splitext(path)[1].lower().encode("utf-8", "surrogatepass")
        content = hashlib.sha256(b"file%d:%s" % (len(suffix), suffix))
        opened = os.open(path, _OPEN_FLAGS)
        try:
            while block := os.read(opened, min(status.st_size + 1, _BLOCK)):
                content.update(block)
                if len(block) < min(status.st_size + 1, _BLOCK):
                    break
        finally:
            os.close(opened)
    except (OSError, ValueError):
        return None
    return FileDigest(content.digest(), _stamp(status), read_at)


def _stamp(status):
    return (
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
    )
