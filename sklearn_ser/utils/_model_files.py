"""Model files keep what a model has learned, and nothing of the place where it learned it.

A feature store is a folder of one machine, and callbacks are code of the training's. Nor may a
file that someone was sent make an extractor write into a folder of its choice.
"""

from contextlib import contextmanager
from contextvars import ContextVar

#: Parameters that are None in a model file.
LEFT_OUT = ("store", "callbacks")

_at_work = ContextVar("model_file_at_work", default=False)


@contextmanager
def model_file():
    """While this is open, estimators' states come and go without their `LEFT_OUT` parameters."""
    token = _at_work.set(True)
    try:
        yield
    finally:
        _at_work.reset(token)


def portable_state(state):
    """The state of an estimator, on its way out of it or into it."""
    if not _at_work.get():
        return state
    return {**state, **{name: None for name in LEFT_OUT if name in state}}
