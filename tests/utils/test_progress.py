"""Progress of long work: lines in a log, nothing with verbose=0."""

import sys

import pytest

from sklearn_ser.utils import _progress
from sklearn_ser.utils._progress import progress


@pytest.fixture(autouse=True)
def no_interval(monkeypatch):
    """Lines at every tenth of the work, however fast it is."""
    monkeypatch.setattr(_progress, "LOG_INTERVAL", 0.0)


def test_a_log_has_one_line_per_tenth_of_the_work(capsys):
    assert list(progress(range(40), desc="extraction", unit="utterances", verbose=1)) == [
        *range(40)
    ]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 + 10
    assert lines[0].startswith("extraction: 1 of 40 utterances, ")
    assert lines[1].startswith("extraction: 4 of 40 utterances, ")
    assert lines[-1].startswith("extraction: 40 of 40 utterances, ")


def test_a_manual_bar_writes_lines_too(capsys):
    with progress(total=2, desc="folds", verbose=1) as bar:
        bar.update()
        bar.update()
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "folds: 1 of 2 it",
        "folds: 2 of 2 it",
    ]


def test_long_work_prints_a_line_soon_and_one_at_the_end(capsys, monkeypatch):
    """The clock is that of the test: each of 1000 utterances takes a second."""
    now = iter(range(10**6))
    monkeypatch.setattr(_progress, "LOG_INTERVAL", 5.0)
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(now) / 2)
    list(progress(range(1000), desc="extraction", unit="utt", verbose=1))
    done = [int(line.split()[1]) for line in capsys.readouterr().err.splitlines()]
    assert done[0] < 20
    assert done[1:] == [*range(100, 1001, 100)]


def test_without_a_total_there_is_a_line_per_interval(capsys):
    list(progress(iter("ab"), desc="files", verbose=1))
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "files: 1 it",
        "files: 2 it",
    ]


def test_a_notebook_has_a_bar(capsys, monkeypatch):
    """Its standard error is no terminal."""

    class Shell:
        config = {"IPKernelApp": {}}

    class IPython:
        get_ipython = Shell

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    list(progress(range(3), desc="folds", verbose=1))
    assert "folds: 100%" in capsys.readouterr().err


def test_short_work_prints_no_line(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "LOG_INTERVAL", 3600.0)
    list(progress(range(40), verbose=1))
    assert capsys.readouterr().err == ""


def test_verbose_0_is_silent(capsys):
    list(progress(range(40), desc="extraction", verbose=0))
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""
