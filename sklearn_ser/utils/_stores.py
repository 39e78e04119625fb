"""Model files name no feature store: a store is a folder of one machine.

Nor may a file that someone was sent make an extractor write into a folder of its choice.
"""

from contextlib import contextmanager
from contextvars import ContextVar

_left_out = ContextVar("stores_left_out", default=False)


@contextmanager
def without_stores():
    """While this is open, the states of audio steps come and go with ``store=None``."""
    token = _left_out.set(True)
    try:
        yield
    finally:
        _left_out.reset(token)


def passing_state(state):
    """The state of an audio step, on its way out of it or into it."""
    return {**state, "store": None} if _left_out.get() and "store" in state else state
