import numpy as np
import pytest

from sklearn_ser.audio._signal import in_samples, window_bounds


@pytest.mark.parametrize(
    ("length", "hop", "bounds"),
    [
        (1, 20, [(0, 1)]),
        (40, 20, [(0, 40)]),
        (60, 20, [(0, 40), (20, 60)]),
        (61, 20, [(0, 40), (20, 60), (40, 61)]),
        (79, 20, [(0, 40), (20, 60), (40, 79)]),
        # a rest of 19 is too short for a window of its own
        (99, 40, [(0, 40), (40, 80), (59, 99)]),
        (100, 40, [(0, 40), (40, 80), (80, 100)]),
    ],
)
def test_bounds(length, hop, bounds):
    assert window_bounds(length, 40, hop, 20) == bounds


def test_everything_is_covered_by_windows_that_are_long_enough():
    rng = np.random.default_rng(0)
    for _ in range(300):
        window = int(rng.integers(1, 50))
        hop = int(rng.integers(1, window + 1))
        shortest = int(rng.integers(1, window + 1))
        length = int(rng.integers(1, 300))
        bounds = window_bounds(length, window, hop, shortest)
        covered = np.zeros(length, dtype=bool)
        for start, stop in bounds:
            covered[start:stop] = True
            assert shortest <= stop - start <= window or (start, stop) == (0, length)
        assert covered.all()
        starts = [start for start, _ in bounds]
        assert starts == sorted(set(starts))
        assert all(start % hop == 0 for start in starts[:-1])


def test_samples():
    assert in_samples(0.5, 16000) == 8000
    assert in_samples(1e-9, 16000) == 1
