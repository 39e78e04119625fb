"""Progress of long work: lines in a log, nothing with verbose=0."""

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
    assert len(lines) == 10
    assert lines[0].startswith("extraction: 4 of 40 utterances, ")
    assert lines[-1].startswith("extraction: 40 of 40 utterances, ")


def test_a_manual_bar_writes_lines_too(capsys):
    with progress(total=2, desc="folds", verbose=1) as bar:
        bar.update()
        bar.update()
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "folds: 1 of 2 it",
        "folds: 2 of 2 it",
    ]


def test_short_work_prints_no_line(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "LOG_INTERVAL", 3600.0)
    list(progress(range(40), verbose=1))
    assert capsys.readouterr().err == ""


def test_verbose_0_is_silent(capsys):
    list(progress(range(40), desc="extraction", verbose=0))
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""
