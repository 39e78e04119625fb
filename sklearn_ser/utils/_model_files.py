"""Parameters that are excluded from model files.

A feature store is a folder of one machine, and callbacks are code of the training. Moreover, a file
from someone else must not make an extractor write to a folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Parameters that are None in a model file.
EXCLUDED_PARAMETERS = ("store", "callbacks")

_active = ContextVar("model_file_active", default=False)


@contextmanager
def model_file() -> Iterator[None]:
    """Exclude parameters from the states of estimators that are saved or loaded in the context."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def portable_state(state: dict) -> dict:
    """Return the state of an estimator without the excluded parameters in a model file."""
    if not _active.get():
        return state
    return {**state, **{name: None for name in EXCLUDED_PARAMETERS if name in state}}
