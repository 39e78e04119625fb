"""Evaluations that are killed, and evaluations that share a folder."""

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_ser import cross_corpus_validate
from sklearn_ser.evaluation import _validate
from sklearn_ser.evaluation._run_fold import FoldCache, estimator_key

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
SEEDS = range(3)


class NearestMean(ClassifierMixin, BaseEstimator):
    """Logs each fit, and takes some time."""

    cache_revision = 1

    def __init__(self, journal=None, seconds=0.0, random_state=None):
        self.journal = journal
        self.seconds = seconds
        self.random_state = random_state

    def fit(self, X, y):
        time.sleep(self.seconds)
        with open(self.journal, "a", encoding="utf-8") as journal:
            journal.write(f"{os.getpid()} {self.random_state} {len(X)}\n")
        draws = np.random.default_rng(self.random_state).normal(scale=1e-3, size=X.shape)
        self.classes_ = np.unique(y)
        self.means_ = [(X + draws)[y == label].mean(axis=0) for label in self.classes_]
        return self

    def predict(self, X):
        distances = [((np.asarray(X) - np.asarray(mean)) ** 2).sum(axis=1) for mean in self.means_]
        return self.classes_[np.argmin(distances, axis=0)]


def evaluate(feature_table, folder, **parameters):
    frame, X = feature_table
    journal = folder.parent / "journal"
    model = NearestMean(journal, **parameters)
    return cross_corpus_validate({"m": model}, frame, X=X, aux=(), seeds=SEEDS, out=folder)


def fits_in(folder):
    journal = folder.parent / "journal"
    return journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []


@pytest.fixture
def start():
    """Run a function in another process until the end of the test."""
    processes = multiprocessing.get_context("fork")
    started = []

    def start(function, *args, **kwargs):
        started.append(processes.Process(target=function, args=args, kwargs=kwargs))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.join()


def until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("condition not met within 30 s")


@needs_fork
@forks
def test_a_killed_run_resumes_with_the_same_numbers(feature_table, tmp_path, start):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = evaluate(feature_table, tmp_path / "whole" / "out", seconds=0.3)
    folder = tmp_path / "killed" / "out"
    process = start(evaluate, feature_table, folder, seconds=0.3)
    until(lambda: len(list(folder.glob("folds/*.parquet"))) >= 2)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    kept = len(list(folder.glob("folds/*.parquet")))
    assert 2 <= kept < 9
    assert not (folder / "predictions.parquet").exists()
    before = len(fits_in(folder))
    resumed = evaluate(feature_table, folder, seconds=0.3)
    assert len(fits_in(folder)) - before == 9 - kept
    pd.testing.assert_frame_equal(resumed.predictions, whole.predictions, check_dtype=False)
    pd.testing.assert_frame_equal(resumed.summary(), whole.summary())


@needs_fork
@forks
def test_processes_share_the_folds_and_return_the_complete_result(feature_table, tmp_path, start):
    folder = tmp_path / "out"
    others = [start(evaluate, feature_table, folder, seconds=0.3) for _ in range(2)]
    until(lambda: fits_in(folder))
    own = evaluate(feature_table, folder, seconds=0.3)
    for process in others:
        process.join(60)
        assert process.exitcode == 0
    fits = [line.split(maxsplit=1) for line in fits_in(folder)]
    assert len(fits) == 9  # none twice
    assert len({process for process, _ in fits}) >= 2
    assert len(own.predictions) == 3 * len(feature_table[0])


def test_locked_folds_are_awaited_and_then_computed(feature_table, tmp_path, monkeypatch):
    monkeypatch.setattr(_validate, "_LEAST_WAIT", 0.5)
    folder = tmp_path / "out"
    keys = []
    lock = FoldCache.lock
    monkeypatch.setattr(FoldCache, "lock", lambda *args: keys.append(args[1]) or lock(*args))
    evaluate(feature_table, folder)
    (finished,) = folder.glob(f"folds/{keys[0]}-*")
    finished.rename(tmp_path / "kept")
    for file in folder.glob(f"folds/{keys[1]}-*"):
        file.unlink()
    back = threading.Timer(0.3, os.rename, (tmp_path / "kept", finished))
    with (
        lock(FoldCache(folder), keys[0]) as is_locked,
        lock(FoldCache(folder), keys[1]),
    ):
        assert is_locked
        back.start()
        evaluate(feature_table, folder)
    assert len(fits_in(folder)) == 9 + 1  # the fold that appeared was not computed again


@pytest.mark.slow
def test_dask_workers_share_the_folds(feature_table, tmp_path):
    distributed = pytest.importorskip("distributed")
    frame, X = feature_table
    model = NearestMean(tmp_path / "journal")
    given = {"X": X, "aux": (), "seeds": SEEDS, "n_jobs": 2}
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        found = cross_corpus_validate({"m": model}, frame, out=tmp_path / "out", **given)
    alone = cross_corpus_validate({"m": model}, frame, **given)
    pd.testing.assert_frame_equal(found.predictions, alone.predictions, check_dtype=False)
    assert len(fits_in(tmp_path / "out")) == 9 + 9


def test_the_journal_is_part_of_the_key():
    assert estimator_key(NearestMean("a")) != estimator_key(NearestMean("b"))
