"""Bounds of sliding windows, for signals and for tables."""

from __future__ import annotations


def window_bounds(length: int, window: int, hop: int, shortest: int) -> list[tuple[int, int]]:
    """Return the starts and ends of the windows over a given length, which they cover.

    Windows of full length start every `hop` (from 1 to `window`). A rest at the end is a window if
    it is at least `shortest` long; otherwise it is covered by a full window that overlaps the
    previous one. A length below `window` is one window.
    """
    if length <= window:
        return [(0, length)]
    bounds = [(start, start + window) for start in range(0, length - window + 1, hop)]
    rest = bounds[-1][0] + hop
    if bounds[-1][1] < length:
        bounds.append((rest, length) if length - rest >= shortest else (length - window, length))
    return bounds


def in_samples(seconds: float, sampling_rate: float) -> int:
    """Convert a duration to a number of samples, at least one."""
    return max(1, round(seconds * sampling_rate))
