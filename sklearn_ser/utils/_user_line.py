"""Warnings that name the user's own line, however many of our frames lie between."""

import sys
import warnings

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
