"""Warnings: collection by thread, and the line of the user as their origin."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

_lock = threading.Lock()
_this_thread = threading.local()
_collecting = 0
_outside: warnings.catch_warnings | None = None


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect category and text of the warnings of the current thread instead of showing them.

    ``warnings.catch_warnings`` replaces state of the whole process: two threads that use it
    concurrently lose warnings and leave the process silent. Here the state is replaced by the first
    thread that enters and restored by the last that leaves; warnings of threads that do not collect
    are shown as usual.
    """
    global _collecting, _outside
    outer = getattr(_this_thread, "notes", None)
    notes: list[str] = []
    _this_thread.notes = notes
    with _lock:
        _collecting += 1
        if _collecting == 1:
            _outside = warnings.catch_warnings()
            _outside.__enter__()
            warnings.simplefilter("always")
            warnings.showwarning = partial(_note_or_show, warnings.showwarning)
    try:
        yield notes
    finally:
        with _lock:
            _collecting -= 1
            if _collecting == 0 and _outside is not None:
                _outside.__exit__(None, None, None)
        _this_thread.notes = outer


def _note_or_show(show, message, category, *args, **kwargs):
    notes = getattr(_this_thread, "notes", None)
    if notes is None:
        show(message, category, *args, **kwargs)
    else:
        notes.append(f"{category.__name__}: {message}")


#: Packages that are skipped to find the line of the user.
_SKIPPED = {"sklearn_ser", "sklearn", "joblib", "contextlib"}


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn with the stacklevel of the innermost line outside of this package and scikit-learn."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _package(frame) in _SKIPPED:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
