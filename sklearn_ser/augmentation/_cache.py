"""A cache of arrays with a bound on their bytes, for all threads of a process."""

import threading
from collections import OrderedDict


class BoundedCache:
    """The values that were used last, as many as the bound allows.

    Parameters
    ----------
    most_bytes : int
        Of all values together, each counting at least 1 kB. A value beyond it is not kept.
    """

    def __init__(self, most_bytes):
        self.most_bytes = most_bytes
        self._values = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key, make):
        """The value of `key`; if it is not there, it is made (twice, if two threads ask at once).

        Parameters
        ----------
        key : hashable
        make : callable
            Without arguments. What it raises is not kept.

        Returns
        -------
        object
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._bytes += _size(value)
            while self._bytes > self.most_bytes:
                self._bytes -= _size(self._values.popitem(last=False)[1])
        return value


def _size(value):
    return max(getattr(value, "nbytes", 0), 1024)
