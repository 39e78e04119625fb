"""Who is computing what just now, so that processes that start together share the work.

A claim is a lock on one byte of an empty file beside what is kept; the byte's place is made from
the entry's key. The system takes it back when a process ends, however it ends, so nothing expires
and nothing is cleaned up. Nobody waits with a claim in hand, and everybody for a bounded time.

Such locks hold between processes; between the threads of one, a table does. Where the system has
none (Windows, some network file systems, a read-only folder) everything counts as unclaimed.
"""

import os
import threading
from contextlib import suppress

try:
    import fcntl
except ImportError:
    fcntl = None

_lock = threading.Lock()
_claimed = {}  # file -> {place of the byte: owner}
_opened = {}  # file -> its descriptor: closing any of a file's would end all of its locks


def _forget():
    """After a fork: the claims are the parent's."""
    global _lock
    _lock = threading.Lock()
    _claimed.clear()
    for descriptor in _opened.values():
        with suppress(OSError):
            os.close(descriptor)
    _opened.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class Claims:
    """What one caller is computing.

    Parameters
    ----------
    file : str or Path
        Made if need be, with its folder. Where it cannot be written, every claim is granted.
    """

    def __init__(self, file):
        self._file = os.path.realpath(file)

    def claim(self, keys):
        """Claim entries.

        Parameters
        ----------
        keys : iterable of bytes

        Returns
        -------
        set of bytes
            Those that nobody else is computing.
        """
        with _lock:
            descriptor = self._descriptor()
            if descriptor is None:
                return set(keys)
            owners = _claimed.setdefault(self._file, {})
            granted = set()
            for key in keys:
                place = _place(key)
                owner = owners.get(place)
                if owner is None and _try_to_lock(descriptor, place):
                    owner = owners[place] = self
                if owner is self:
                    granted.add(key)
            return granted

    def release(self, keys=None):
        """Give claims up.

        Parameters
        ----------
        keys : iterable of bytes, optional
            By default all.
        """
        with _lock:
            owners = _claimed.get(self._file, {})
            places = list(owners) if keys is None else map(_place, keys)
            for place in places:
                if owners.get(place) is self:
                    del owners[place]
                    with suppress(OSError):
                        fcntl.lockf(_opened[self._file], fcntl.LOCK_UN, 1, place)
            if not owners and self._file in _opened:
                os.close(_opened.pop(self._file))
                _claimed.pop(self._file, None)

    def _descriptor(self):
        if fcntl is None:
            return None
        if self._file not in _opened:
            try:
                os.makedirs(os.path.dirname(self._file), exist_ok=True)
                _opened[self._file] = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError:
                return None
        return _opened[self._file]


def _place(key):
    return int.from_bytes(key[:8], "big") >> 2  # file offsets are signed


def _try_to_lock(descriptor, place):
    """Whether nobody else has this byte; also where the file system knows no locks."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except BlockingIOError:
        return False
    except PermissionError:  # what some systems say instead
        return False
    except OSError:
        return True
    return True
