"""Memory stays flat in the number of utterances."""

import gc
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.feature_extraction._base import AudioExtractor


class PeakExtractor(AudioExtractor):
    """Largest and smallest sample."""

    def __init__(
        self,
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _feature_names(self):
        return ["largest", "smallest"]

    def _extract(self, signal):
        return np.array([signal.max(), signal.min()])


def peak_memory(extractor, X):
    """Most bytes that are allocated at a time, those of the result among them."""
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
def test_twenty_thousand_utterances_need_no_more_than_their_rows(tmp_path, n_jobs):
    rng = np.random.default_rng(0)
    files = [str(tmp_path / f"{i}.wav") for i in range(20)]
    for file in files:
        soundfile.write(file, rng.normal(scale=0.05, size=1600), 16000)  # 6400 bytes as float32
    few, many = (pd.DataFrame({"file": np.resize(files, n)}) for n in (2_000, 20_000))
    extractor = PeakExtractor(n_jobs=n_jobs)
    extractor.fit_transform(few.head(100))
    growth = peak_memory(extractor, many) - peak_memory(extractor, few)
    # A row of two features has 8 bytes, and its path is held as a str. Measured: 100 bytes a row.
    assert growth / (len(many) - len(few)) < 300
