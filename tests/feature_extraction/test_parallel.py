"""Tasks, progress and the early end of a run."""

import os
import re
import time

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone

from sklearn_ser.audio import open_audio
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import MFCC, OpenSmileExtractor, SpeakerEmbedding, _parallel
from sklearn_ser.feature_extraction._parallel import extract_rows, split_rows
from tests.conftest import LevelExtractor


class LengthExtractor(LevelExtractor):
    """Number of samples of an utterance; counts its calls."""

    cache_revision = 1
    _min_duration = 0.0

    def __init__(self, *, on_error="raise", store=None, n_jobs=None, verbose=0):
        super().__init__(on_error=on_error, store=store, n_jobs=n_jobs, verbose=verbose)
        self.seen_ = []

    def _feature_names(self):
        return ["length"]

    def _extract(self, signal):
        self.seen_.append(len(signal))
        time.sleep(0.001)  # so that a task takes longer than its submission
        return np.array([len(signal)])


@pytest.mark.parametrize("n_rows", [0, 1, 5, 1000])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_tasks_cover_every_row_once_and_in_order(n_rows, n_jobs):
    chunks = split_rows(range(n_rows), n_jobs)
    assert [row for chunk in chunks for row in chunk] == list(range(n_rows))
    assert all(1 <= len(chunk) <= _parallel.MAX_TASK_SIZE for chunk in chunks)


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_every_result_is_in_its_row(n_jobs):
    lengths = np.random.default_rng(0).permutation(np.arange(1, 101))
    X = [np.full(length, 0.1) for length in lengths]
    found = LengthExtractor(n_jobs=n_jobs).fit_transform(X)
    assert list(found["length"]) == list(lengths)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failure_that_is_raised_ends_the_work_soon(n_jobs):
    extractor = LengthExtractor(n_jobs=n_jobs)
    X = [np.zeros(0), *[np.ones(10) * 0.1] * 1000]
    with pytest.raises(AudioError, match=r"^row 0: the audio is empty"):
        extractor.fit_transform(X)
    assert len(extractor.seen_) < 500


@pytest.mark.parametrize("step", [OpenSmileExtractor(), SpeakerEmbedding("unit"), MFCC()])
def test_a_backend_that_gives_no_generator(step, tmp_path):
    X = list(np.random.default_rng(0).normal(scale=0.1, size=(20, 2000)))
    expected = step.fit_transform(X)
    with parallel_config("multiprocessing", n_jobs=2):
        for _ in range(2):  # computed, then read
            found = clone(step).set_params(store=str(tmp_path)).fit_transform(X)
            assert_same_rows(found, expected)
        with pytest.raises(AudioError, match=r"^row 3: the audio is empty"):
            clone(step).fit_transform([*X[:3], np.zeros(0), *X])


def assert_same_rows(found, expected):
    for values, others in zip(found.to_numpy().ravel(), expected.to_numpy().ravel(), strict=True):
        np.testing.assert_array_equal(values, others)


def test_an_ignored_failure_does_not_end_the_work():
    extractor = LengthExtractor(on_error="ignore")
    found = extractor.fit_transform([np.zeros(0), *[np.ones(10) * 0.1] * 50])
    assert len(extractor.seen_) == 50
    assert found["length"].isna().sum() == 1


def test_progress_shows_the_total_and_counts_utterances(monkeypatch):
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.count = options, 0
            bars.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def update(self, n):
            self.count += n

        def set_postfix_str(self, text, refresh):
            self.text = text

    monkeypatch.setattr(_parallel, "progress", Bar)
    extractor = LengthExtractor(verbose=1)
    table = open_audio([np.zeros(0), *[np.ones(10) * 0.1] * 39])
    values = {}
    extract_rows(extractor.set_params(on_error="ignore"), table, values.__setitem__)
    assert list(values) == list(range(1, 40))
    (bar,) = bars
    assert bar.count == 40
    assert bar.text == "errors: 1"
    assert bar.options == {
        "total": 40,
        "desc": "LengthExtractor",
        "unit": "utt",
        "verbose": 1,
    }


def on_a_terminal(monkeypatch, extractor, X, columns=100):
    """Return what a terminal shows, line by line as it is overwritten."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(slave, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        extractor.fit_transform(X)
        monkeypatch.undo()
        terminal.write("END")
    shown = b""
    while not shown.endswith(b"END"):
        shown += os.read(master, 4096)
    os.close(master)
    return [line for line in re.split(r"[\r\n]+", shown.decode()[: -len("END")]) if line.strip()]


def test_a_terminal_shows_done_total_rate_time_left_stored_and_errors(monkeypatch, tmp_path):
    signals = [np.full(length, 0.1) for length in range(10, 110)]
    extractor = LengthExtractor(on_error="ignore", store=str(tmp_path / "store"))
    extractor.fit_transform(signals[:30])
    X = [*signals[:60], np.zeros(0), *signals[60:], np.zeros(0)]
    lines = on_a_terminal(monkeypatch, extractor.set_params(verbose=1), X)
    assert re.match(r"LengthExtractor: +0%\| +\| 0/102 \[00:00<\?, \?utt/s", lines[0])
    last = (
        r"LengthExtractor: 100%\|█+\| 102/102 \[00:00<00:00, [\d.]+utt/s, stored: 30, errors: 2\]"
    )
    assert re.fullmatch(last, lines[-1].strip())
    assert 90 < max(map(len, lines)) <= 100


def test_a_terminal_without_a_size(monkeypatch):
    extractor = LengthExtractor(on_error="ignore", verbose=1)
    lines = on_a_terminal(monkeypatch, extractor, [np.zeros(0), np.full(10, 0.1)], columns=0)
    assert "2/2" in lines[-1]
    assert "errors: 1" in lines[-1]
    assert len(lines[-1]) <= 80


def test_a_terminal_stays_silent_without_verbose(monkeypatch):
    assert on_a_terminal(monkeypatch, LengthExtractor(), [np.full(10, 0.1)]) == []
