"""The fits of an evaluation: run, taken from the folder, or left to another process."""

import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from sklearn_ser.evaluation._extraction import with_store
from sklearn_ser.evaluation._fold import run_fold
from sklearn_ser.evaluation._keys import estimator_key, work_key
from sklearn_ser.evaluation._protocols import Fold
from sklearn_ser.store._claims import Claims
from sklearn_ser.utils._progress import progress

#: Seconds that a fold which another process has claimed is waited for at least.
LEAST_WAITED = 60.0
#: Seconds between two looks at whether it is there.
_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class Prepared:
    """An estimator with its audio steps taken out and run.

    Attributes
    ----------
    rest : estimator
    X : pandas.DataFrame
    failed : ndarray of bool or None
        Rows without usable audio; None where only X itself can tell.
    failures : list of dict
        Row, file and reason of each of them.
    key : str
        Of the content of X.
    y : ndarray
    target_key : str
        Of everything that the folds share beside X.
    learns_unlabeled : bool
        Whether X and y hold the rows without a label, too.
    """

    rest: object
    X: pd.DataFrame
    failed: np.ndarray | None
    failures: list
    key: str
    y: np.ndarray
    target_key: str
    learns_unlabeled: bool


@dataclass(frozen=True)
class Job:
    """One fit: an estimator's name, seed, fold, seeded clone and what it is fitted on."""

    name: str
    seed: int
    fold: Fold
    estimator: object
    prepared: Prepared


def run_all(jobs, run, *, n_jobs, desc, verbose):
    """Tables of all jobs, first those that nobody else is at.

    Parameters
    ----------
    jobs : list of Job
    run : callable
        :func:`run_or_resume` with all but the job and `patience` given.
    n_jobs, desc, verbose
        Folds at once; what the progress bar says, and whether there is one.

    Returns
    -------
    list of DataFrame
    """

    def tables_of(indices, desc, **given):
        finished = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(run)(jobs[index], **given) for index in indices
        )
        return progress(finished, total=len(indices), desc=desc, unit="fold", verbose=verbose)

    started = time.monotonic()
    tables = list(tables_of(range(len(jobs)), desc))
    # No fold of ours took longer than all of them; one that has been claimed for twice as long is
    # with a process that hangs.
    patience = max(LEAST_WAITED, 2 * (time.monotonic() - started))
    elsewhere = [index for index, table in enumerate(tables) if table is None]
    late = tables_of(elsewhere, f"{desc}, begun elsewhere", patience=patience)
    for index, table in zip(elsewhere, late, strict=True):
        tables[index] = table
    return tables


def run_or_resume(job, *, metadata, labels, folder, patience=None):
    """The table of one job.

    Parameters
    ----------
    job : Job
    metadata, labels
        Of all rows, as for :func:`run_fold`.
    folder : ResultFolder
    patience : float, optional
        Seconds to wait for another process that computes it; after that it is computed here.

    Returns
    -------
    DataFrame or None
        None where another process computes it and there is no patience.
    """
    part = job.prepared
    key = folder and work_key(
        estimator_key(job.estimator), part.key, part.target_key, job.fold.train, job.fold.test
    )
    given_up = None if patience is None else time.monotonic() + patience
    while True:
        table = folder.load("folds", key)
        if table is not None:
            return table
        with folder.claimed("folds", key) as granted:
            if granted or (given_up is not None and time.monotonic() > given_up):
                table = folder.load("folds", key)  # (finished between the look and the claim)
                if table is None:
                    table = _run(job, metadata, labels, folder)
                    folder.save("folds", key, table)
                return table
        if given_up is None:
            return None
        time.sleep(_BETWEEN_LOOKS)


def _run(job, metadata, labels, folder):
    estimator, part = job.estimator, job.prepared
    if folder:  # audio steps within a meta-estimator, which run in every fold
        estimator = with_store(estimator, folder.store)
    try:
        return run_fold(estimator, part.X, part.y, metadata, job.fold, labels, part.failed)
    except Exception as error:
        error.add_note(f"(while evaluating {job.name!r}, fold {job.fold.name!r}, seed {job.seed})")
        raise


class ResultFolder:
    """Tables under their keys in one folder; with ``path=None`` it keeps nothing.

    A table is written beside its place and then renamed, so that a reader, or a run after a
    kill, sees a whole table or none.

    Parameters
    ----------
    path : str, Path or None
    """

    def __init__(self, path):
        self.path = None if path is None else Path(path)
        if self.path is not None:
            self.path.mkdir(parents=True, exist_ok=True)

    def __bool__(self):
        return self.path is not None

    @property
    def store(self):
        """Where extracted features are kept: a folder for a FeatureStore, or None."""
        return None if self.path is None else self.path / "features"

    def load(self, kind, key):
        """The table of `kind` (a subfolder) under `key`, or None."""
        if self.path is None or not self._file(kind, key).is_file():
            return None
        return pd.read_parquet(self._file(kind, key))

    def save(self, kind, key, table):
        """Keep `table` (its ``attrs`` too) under `key`."""
        if self.path is None:
            return
        target = self._file(kind, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
        os.close(handle)
        try:
            table.to_parquet(name)
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def claimed(self, kind, key):
        """Whether nobody else is computing the table of `key`, as a context that says so.

        Without a folder, or where the file system has no locks, nobody is.
        """
        if self.path is None:
            yield True
            return
        claims, place = Claims(self.path / f"{kind}.claims"), bytes.fromhex(key)
        try:
            yield bool(claims.claim([place]))
        finally:
            claims.release([place])

    def _file(self, kind, key):
        return self.path / kind / f"{key}.parquet"
