"""Ratios within one run: machines are shared and noisy, so figures of two runs do not compare."""

import statistics
import time


def ratio(candidate, reference, *, repeats=9, clock=time.process_time):
    """Median over `repeats` of candidate time / reference time, each pair measured back to back.

    Returns
    -------
    tuple of float
        Median, lowest and highest ratio.
    """
    candidate(), reference()  # warm up: imports, caches, thread pools
    ratios = []
    for _ in range(repeats):
        times = []
        for function in (candidate, reference):
            started = clock()
            function()
            times.append(clock() - started)
        ratios.append(times[0] / times[1])
    return statistics.median(ratios), min(ratios), max(ratios)


def report(name, ratios):
    """Print one line of a benchmark."""
    median, low, high = ratios
    print(f"{name}: {median:.2f} (median; {low:.2f} to {high:.2f})")
