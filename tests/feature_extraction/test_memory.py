"""Memory is bounded, whatever the number of utterances."""

import gc
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile

from tests.conftest import LevelExtractor


def peak_memory(extractor, X):
    """Return the maximum of the allocated bytes, including those of the result."""
    gc.collect()
    tracemalloc.start()
    try:
        found = extractor.fit_transform(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.notna().all(axis=None)
    return peak


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_thousands_of_utterances_need_no_more_than_their_rows(tmp_path, n_jobs):
    rng = np.random.default_rng(0)
    files = [str(tmp_path / f"{i}.wav") for i in range(20)]
    for file in files:
        soundfile.write(file, rng.normal(scale=0.05, size=1600), 16000)  # 6400 bytes as float32
    few, many = (pd.DataFrame({"file": np.resize(files, n)}) for n in (1_000, 8_000))
    extractor = LevelExtractor(n_jobs=n_jobs)
    extractor.fit_transform(few.head(100))
    growth = peak_memory(extractor, many) - peak_memory(extractor, few)
    # A row of three features has 12 bytes, and its path is a str. Measured: 100 bytes per row.
    assert growth / (len(many) - len(few)) < 300
