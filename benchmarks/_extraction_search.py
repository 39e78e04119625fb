"""A grid search over a Pipeline that starts with an extractor: how often is audio extracted?

Part of ``benchmarks/extraction.py``; by itself: ``python benchmarks/_extraction_search.py``
"""

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from unittest import mock

from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import load_corpus
from sklearn_ser.feature_extraction import OpenSmileExtractor

GRID = {"linearsvc__C": [1e-4, 1e-3, 1e-2, 1e-1]}
N_FOLDS = 5


def measure(corpora_root, quick=False):
    """Count, and time a search with and without a store.

    Parameters
    ----------
    corpora_root : str or Path
        The folder that holds the corpora.
    quick : bool, default=False
        40 utterances instead of 120.

    Returns
    -------
    list of (str, float, str, str or None)
        What was measured, the value, its unit, and what it is to be.
    """
    frame = load_corpus("emodb", Path(corpora_root) / "emodb").frame
    frame = frame.groupby("emotion", observed=True).head(10 if quick else 30)
    name = f"GridSearchCV, {len(GRID['linearsvc__C'])} x {N_FOLDS} fits"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, store, wanted in (("with", folder, "<= 1"), ("without", None, None)):
            counts, seconds = search(frame, store)
            per_utterance = sum(counts.values()) / len(frame)
            text = f"{name}, {kind} a store"
            rows.append((f"{text}, extractions / utterances", per_utterance, "times", wanted))
            rows.append((f"{text}, wall time", seconds, "s", None))
    return rows


def search(frame, store):
    """Extractions of each signal in one search, and its wall time."""
    counts, extract = Counter(), OpenSmileExtractor._extract

    def counting(extractor, signal):
        counts[signal.tobytes()] += 1
        return extract(extractor, signal)

    model = make_pipeline(OpenSmileExtractor(store=store, n_jobs=2), StandardScaler(), LinearSVC())
    cv = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    started = time.perf_counter()
    with mock.patch.object(OpenSmileExtractor, "_extract", counting):
        GridSearchCV(model, GRID, cv=cv, error_score="raise").fit(
            frame[["file"]], frame["emotion"].astype(str)
        )
    return counts, time.perf_counter() - started


def main():
    root = Path(os.environ["SKLEARN_SER_SHARED"]) / "corpora"
    for name, value, unit, target in measure(root, quick="--quick" in sys.argv[1:]):
        print(f"{name}: {value:.3g} {unit}" + ("" if target is None else f" (wanted: {target})"))


if __name__ == "__main__":
    main()
