"""Where sliding windows begin and end: one rule for signals and for tables."""


def window_bounds(length, window, hop, shortest):
    """Beginnings and ends of the windows over something of a given length, in its own units.

    Windows of full length follow each other every `hop`. A rest at the end becomes a window of
    its own if it is at least `shortest` long; else a full window ends with the whole, overlapping
    the one before. Anything shorter than a window is one window.

    Parameters
    ----------
    length, window, hop, shortest : int
        `hop` is at least 1 and at most `window`.

    Returns
    -------
    list of (int, int)
        At least one pair; together they cover everything.
    """
    if length <= window:
        return [(0, length)]
    bounds = [(start, start + window) for start in range(0, length - window + 1, hop)]
    rest = bounds[-1][0] + hop
    if bounds[-1][1] < length:
        bounds.append((rest, length) if length - rest >= shortest else (length - window, length))
    return bounds


def in_samples(seconds, sampling_rate):
    """A duration as a whole number of samples, at least one."""
    return max(1, round(seconds * sampling_rate))
