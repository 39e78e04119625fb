"""A warm feature store beside openSMILE: utterances a second, from 5,000 entries.

Part of ``benchmarks/extraction.py``; by itself: ``python benchmarks/_extraction_store.py``
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from _timing import ratio

from sklearn_ser.audio import open_audio
from sklearn_ser.feature_extraction import OpenSmileExtractor
from sklearn_ser.store import FeatureStore
from sklearn_ser.store._stored_rows import StoredRows

N_ENTRIES = 5000
N_COLD = 96
N_JOBS = 2


def measure(corpora_root, quick=False):
    """Measure, in one run.

    Parameters
    ----------
    corpora_root : str or Path
        The folder that holds ``<corpus>/audio/*.flac``.
    quick : bool, default=False
        3 pairs of a cold and a warm run instead of 5.

    Returns
    -------
    list of (str, float, str, str or None)
        What was measured, the median, its unit, and what it is to be.
    """
    files = real_files(Path(corpora_root))
    cold = OpenSmileExtractor("eGeMAPSv02", n_jobs=N_JOBS)
    with tempfile.TemporaryDirectory() as folder:
        warm = OpenSmileExtractor("eGeMAPSv02", store=Path(folder) / "store", n_jobs=N_JOBS)
        many = distinct_files(files, Path(folder))
        fill(warm, many, cold.transform(files).to_numpy())
        median, _, _ = ratio(
            lambda: cold.transform(files),
            lambda: warm.transform(many),
            repeats=3 if quick else 5,
            clock=time.perf_counter,
        )
    name = f"utterances/s from a warm store of {N_ENTRIES} / eGeMAPSv02 with n_jobs={N_JOBS}"
    return [(name, median * N_ENTRIES / len(files), "times", ">= 200")]


def main():
    root = Path(os.environ["SKLEARN_SER_SHARED"]) / "corpora"
    for name, value, unit, target in measure(root, quick="--quick" in sys.argv[1:]):
        print(f"{name}: {value:.3g} {unit} (wanted: {target})")


def real_files(corpora_root):
    """Real utterances, evenly from all corpora."""
    found = sorted(corpora_root.glob("*/audio/*.flac"))
    return [str(found[i]) for i in np.linspace(0, len(found) - 1, N_COLD).astype(int)]


def distinct_files(files, folder):
    """Real utterances, each often, one sample of which tells each file from the others."""
    signals = [soundfile.read(file, dtype="int16")[0] for file in files]
    paths = []
    for number in range(N_ENTRIES):
        signal = signals[number % len(signals)].copy()
        signal[0] = number - N_ENTRIES // 2
        paths.append(str(folder / f"{number:05d}.flac"))
        soundfile.write(paths[-1], signal, 16000)
    return paths


def fill(extractor, files, values):
    """Put entries in under the keys that a transform would give them: it would take minutes."""
    table = open_audio(files, min_duration=extractor._min_duration)
    keys = [each.key for each in StoredRows(extractor, table)._keys(range(len(files))).values()]
    entries = {key: (values[row % len(values)], None) for row, key in enumerate(keys)}
    FeatureStore(extractor.store).put_many(entries, extractor="OpenSmileExtractor")
    assert len(StoredRows(extractor, table).look_up(range(len(files)))) == N_ENTRIES


if __name__ == "__main__":
    main()
