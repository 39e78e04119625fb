"""Extraction on a real Dask cluster: two worker processes of one thread each."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from sklearn_ser import GroupScaler, make_speech_corpus
from sklearn_ser.exceptions import AudioError, SerError
from sklearn_ser.feature_extraction import OpenSmileExtractor, SpeakerEmbedding
from tests import conftest
from tests.conftest import LevelExtractor

pytestmark = pytest.mark.slow

# Workers cannot import tests: the classes are pickled by value.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
cloudpickle.register_pickle_by_value(conftest)


class DeadlyExtractor(LevelExtractor):
    """Number of samples; kills its process at one number, until `folder` has `deaths` files."""

    cache_revision = 1
    _min_duration = 0.0

    def __init__(
        self,
        folder=None,
        deaths=0,
        deadly=100,
        seconds=0.0,
        *,
        on_error="raise",
        store=None,
        n_jobs=None,
    ):
        super().__init__(on_error=on_error, store=store, n_jobs=n_jobs)
        self.folder = folder
        self.deaths = deaths
        self.deadly = deadly
        self.seconds = seconds

    def _feature_names(self):
        return ["length"]

    def _extract(self, signal_):
        time.sleep(self.seconds)
        if len(signal_) == self.deadly and self.deaths:
            so_far = len(os.listdir(self.folder))
            if so_far < self.deaths:
                (open(os.path.join(self.folder, str(so_far)), "w")).close()
                os.kill(os.getpid(), signal.SIGKILL)
        return np.array([len(signal_)])


LENGTHS = list(range(1, 301))
SIGNALS = [np.full(length, 0.1, dtype=np.float32) for length in LENGTHS]


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    root = tmp_path_factory.mktemp("speech")
    corpus = make_speech_corpus(
        n_speakers=6, n_utterances=1, duration=0.4, root=root, random_state=0
    )
    return corpus.frame[["file", "corpus", "speaker", "emotion"]]


def on_dask(function, *arguments, seconds=60, **settings):
    """Return the result of `function` under the Dask backend; a hang is a TimeoutError."""

    def work():
        with parallel_config(backend="dask", **settings):
            return function(*arguments)

    return ThreadPoolExecutor(1).submit(work).result(timeout=seconds)


def test_workers_start_without_the_package_and_receive_little_per_task(client, frame, monkeypatch):
    def loaded():
        return set(client.run(lambda: "sklearn_ser" in sys.modules).values())

    if True in loaded():
        client.restart()
    assert loaded() == {False}
    sent, submit = [], client.submit

    def recording(function, task, **options):
        sent.append(len(task))
        return submit(function, task, **options)

    monkeypatch.setattr(client, "submit", recording)
    many = pd.concat([frame] * 10, ignore_index=True)
    on_dask(DeadlyExtractor().fit_transform, many)
    assert len(sent) >= len(many) / 16
    # 16 rows, each with its path and its ids, and the class of this file
    assert max(sent) < 15_000
    assert loaded() == {True}


def test_stored_rows_are_not_sent(client, frame, tmp_path, monkeypatch):
    submitted, submit = [], client.submit

    def recording(*arguments, **options):
        submitted.append(options)
        return submit(*arguments, **options)

    monkeypatch.setattr(client, "submit", recording)
    extractor = DeadlyExtractor(store=str(tmp_path / "store"))
    first = on_dask(extractor.fit_transform, frame, priority=7)
    assert {options["priority"] for options in submitted} == {7}
    submitted.clear()
    pd.testing.assert_frame_equal(on_dask(extractor.fit_transform, frame), first)
    assert submitted == []


@pytest.mark.parametrize("extractor", [OpenSmileExtractor(), SpeakerEmbedding()])
def test_the_same_values_as_in_threads_and_processes(client, frame, extractor):
    expected = clone(extractor).set_params(n_jobs=2).fit_transform(frame)
    pd.testing.assert_frame_equal(on_dask(extractor.fit_transform, frame), expected)
    with parallel_config(backend="loky", n_jobs=2):
        pd.testing.assert_frame_equal(extractor.fit_transform(frame), expected)
    if isinstance(extractor, SpeakerEmbedding):
        found = client.run(lambda: sys.modules["torch"].get_num_threads(), on_error="return")
        # (a KeyError if the other worker has run all tasks)
        assert {n for n in found.values() if not isinstance(n, KeyError)} == {1}


def test_failed_rows_and_the_error_that_is_raised_are_the_same(client, frame):
    bad = frame.assign(file=[*frame["file"][:5], "missing.wav", *frame["file"][6:-1], "no.wav"])
    here = SpeakerEmbedding(on_error="ignore", n_jobs=2)
    there = clone(here)
    pd.testing.assert_frame_equal(on_dask(there.fit_transform, bad), here.fit_transform(bad))
    assert there.failures_ == here.failures_
    assert [record["row"] for record in there.failures_] == [5, len(bad) - 1]
    with pytest.raises(AudioError, match=r"^row 5, file 'missing.wav': .* does not exist"):
        on_dask(SpeakerEmbedding().fit_transform, bad)


@pytest.mark.parametrize("backend", ["dask", "loky"])
def test_audio_that_cannot_be_sent_fails_as_in_threads(client, backend):
    X = [*SIGNALS[:20], threading.Lock(), (threading.Lock(), 16000), *SIGNALS[20:30]]
    here = DeadlyExtractor(on_error="ignore", n_jobs=2)
    expected = here.fit_transform(X)
    there = clone(here)
    with parallel_config(backend=backend):
        pd.testing.assert_frame_equal(there.fit_transform(X), expected)
    assert there.failures_ == here.failures_
    assert [record["row"] for record in there.failures_] == [20, 21]


def test_the_death_of_a_worker_does_not_change_the_result(client, tmp_path):
    extractor = DeadlyExtractor(tmp_path, deaths=1, seconds=0.002)
    before = set(client.scheduler_info()["workers"])
    found = on_dask(extractor.fit_transform, SIGNALS)
    assert list(found["length"]) == LENGTHS
    assert os.listdir(tmp_path) == ["0"]
    client.wait_for_workers(2, timeout=60)
    assert set(client.scheduler_info()["workers"]) != before


def test_a_task_that_kills_every_worker_ends_in_an_error(cluster, client, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    extractor = DeadlyExtractor(tmp_path, deaths=1)
    with pytest.raises(
        SerError, match=r"^rows \d+ to \d+: each Dask worker .* most often .*memory"
    ):
        on_dask(extractor.fit_transform, SIGNALS)
    client.wait_for_workers(2, timeout=60)
    assert list(on_dask(extractor.fit_transform, SIGNALS)["length"]) == LENGTHS


def test_a_package_that_workers_lack_is_named(client, monkeypatch):
    only_here = types.ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", only_here)
    only_here.Absent = type("Absent", (DeadlyExtractor,), {"__module__": "only_here"})
    before = set(client.scheduler_info()["workers"])
    with pytest.raises(SerError, match=r"worker cannot import .*No module named 'only_here'"):
        on_dask(only_here.Absent().fit_transform, SIGNALS)
    assert set(client.scheduler_info()["workers"]) == before


def test_what_cannot_be_pickled_ends_in_an_error(client):
    with pytest.raises(TypeError, match="cannot pickle"):
        on_dask(DeadlyExtractor(folder=threading.Lock()).fit_transform, SIGNALS)


def test_a_cluster_that_is_closed_ends_the_work():
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        ThreadPoolExecutor(1) as other,
    ):
        client.wait_for_workers(1, timeout=60)

        def close():
            while not any(client.processing().values()):
                time.sleep(0.01)
            cluster.close()

        closing = other.submit(close)
        with pytest.raises(SerError, match="the Dask cluster or its client was closed"):
            on_dask(DeadlyExtractor(seconds=0.1).fit_transform, SIGNALS)
        closing.result(timeout=60)


def test_a_failure_ends_the_work_soon(client, tmp_path):
    class Counting(DeadlyExtractor):
        def _extract(self, signal_):
            (open(os.path.join(self.folder, str(len(signal_))), "w")).close()
            return np.array([1])

    with pytest.raises(AudioError, match=r"^row 0: the audio is empty"):
        on_dask(Counting(tmp_path).fit_transform, [np.zeros(0), *SIGNALS])
    assert len(os.listdir(tmp_path)) < 200


def test_extraction_inside_a_search_and_a_union(client, frame):
    X = frame[["file", "corpus", "speaker"]]
    union = make_union(SpeakerEmbedding(), SpeakerEmbedding("unit"))
    union.set_output(transform="pandas")
    pd.testing.assert_frame_equal(on_dask(union.fit_transform, X), union.fit_transform(X))
    search = GridSearchCV(
        make_pipeline(SpeakerEmbedding(), GroupScaler(by="corpus"), LinearSVC(random_state=0)),
        {"linearsvc__C": [1e-4, 1e-2], "speakerembedding__pooling": ["mean_std", "unit"]},
        cv=GroupKFold(2),
        error_score="raise",
    )

    def fitted():
        return clone(search).fit(X, frame["emotion"], groups=frame["speaker"])

    there, here = on_dask(fitted, seconds=120), fitted()
    for name in ("params", "mean_test_score", "split0_test_score", "split1_test_score"):
        assert list(there.cv_results_[name]) == list(here.cv_results_[name])
    assert list(there.predict(X)) == list(here.predict(X))


def test_the_example_of_the_documentation(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
    program = tmp_path / "program.py"
    program.write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], encoding="utf-8")
    run = subprocess.run(
        [sys.executable, program.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "{'linearsvc__C': " in run.stdout
    assert "transductive" in run.stdout or "single" in run.stdout
    assert {"features", "result"} <= {path.name for path in tmp_path.iterdir()}
