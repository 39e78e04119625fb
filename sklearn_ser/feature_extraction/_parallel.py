"""Run an extractor over all utterances of a table, in order, several at a time."""

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._progress import progress

#: Most utterances in one task: enough to hide a task's cost, few enough for a smooth bar.
LARGEST_CHUNK = 16
#: Tasks per job, where there are enough utterances: evens out long and short ones.
CHUNKS_PER_JOB = 4


def extract_rows(extractor, table, n_features):
    """Features of every utterance; at any time only those of a few chunks are in transit.

    Parameters
    ----------
    extractor : AudioExtractor
    table : AudioTable
        As `open_audio` returns it.
    n_features : int

    Returns
    -------
    features : ndarray of float32 of shape (len(table), n_features)
        Rows of utterances that failed are NaN.
    failures : list of AudioError
        In the order of rows. With ``on_error="raise"`` the work ends soon after the first.
    """
    n_rows = len(table)
    features = np.full((n_rows, n_features), np.nan, dtype=np.float32)
    failures = []
    stopped = False

    def tasks():
        # joblib takes from here as jobs come free, so that a failure ends the work soon.
        for rows in split_rows(n_rows, effective_n_jobs(extractor.n_jobs)):
            if stopped:
                return
            yield delayed(extract_chunk)(extractor, table.part(rows), rows, n_features)

    # Threads by default: openSMILE and torch release the interpreter lock. Results come in the
    # order of the rows, so the failure that is raised does not depend on n_jobs.
    parallel = Parallel(n_jobs=extractor.n_jobs, prefer="threads", return_as="generator")
    bar = progress(
        total=n_rows, desc=type(extractor).__name__, unit="utterance", verbose=extractor.verbose
    )
    with extractor._computing(), bar:
        for rows, values, failed in parallel(tasks()):
            features[rows.start : rows.stop] = values
            failures += failed
            stopped = bool(failures) and extractor.on_error == "raise"
            bar.update(len(rows))
    return features, failures


def split_rows(n_rows, n_jobs):
    """Consecutive ranges of rows, one per task."""
    size = min(LARGEST_CHUNK, max(1, -(-n_rows // (CHUNKS_PER_JOB * n_jobs))))
    return [range(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def extract_chunk(extractor, part, rows, n_features):
    """One task: the rows of this part of the table, their features (NaN: failed), the failures."""
    features = np.full((len(rows), n_features), np.nan, dtype=np.float32)
    failures = []
    with extractor._computing():
        for position, row in enumerate(rows):
            try:
                features[position] = extractor._features_of(part.read(position))
            except AudioError as error:
                failures.append(AudioError(error.reason, row=row, file=part.file(position)))
                if extractor.on_error == "raise":
                    break
    return rows, features, failures
