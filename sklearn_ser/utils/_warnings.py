"""Collect what is warned about in one thread, beside others that do the same."""

import sys
import threading
import warnings
from contextlib import contextmanager

_lock = threading.Lock()
_this_thread = threading.local()
_collecting = 0
_outside = None


@contextmanager
def collect_warnings():
    """Within this context, warnings of this thread go into a list instead of to the screen.

    ``warnings.catch_warnings`` swaps state of the whole process, so that two threads that use it
    at once lose warnings and leave the process silent. Here the state is swapped once, by the
    first thread to come, and put back by the last to leave; a warning of a thread that does not
    collect is shown as before.

    Yields
    ------
    list of str
        Category and text of each warning.
    """
    outer = getattr(_this_thread, "notes", None)
    _this_thread.notes = notes = []
    _enter()
    try:
        yield notes
    finally:
        _leave()
        _this_thread.notes = outer


def _enter():
    global _collecting, _outside
    with _lock:
        _collecting += 1
        if _collecting == 1:
            _outside = warnings.catch_warnings()
            _outside.__enter__()
            shown = warnings.showwarning
            warnings.simplefilter("always")

            def note_or_show(message, category, *place, **more):
                notes = getattr(_this_thread, "notes", None)
                if notes is None:
                    shown(message, category, *place, **more)
                else:
                    notes.append(f"{category.__name__}: {message}")

            warnings.showwarning = note_or_show


def _leave():
    global _collecting
    with _lock:
        _collecting -= 1
        if _collecting == 0:
            _outside.__exit__(None, None, None)


#: Packages whose code lies between a user's line and a warning here.
_BETWEEN = {"sklearn_ser", "sklearn", "joblib", "contextlib"}


def warn_user(message, category):
    """Warn, at the innermost line of the call stack that is not of this package or its tools."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _package(frame) in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
