"""``sklearn-ser store``."""

import json
import sqlite3
import time

import numpy as np
import pytest

from sklearn_ser import FeatureStore
from sklearn_ser.cli import main

DAY = 86400


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Two extractors, ten days apart."""
    store = FeatureStore(tmp_path / "store")
    for day, name, size in ((0, "OpenSmileExtractor", 88), (10, "LogMelSpectrogram", 50_000)):
        monkeypatch.setattr(time, "time", lambda day=day: day * DAY)
        values = np.zeros(size, dtype="float32")
        store.put_many({f"{name} {i}".encode(): (values, None) for i in range(40)}, extractor=name)
    return store


def test_info_is_a_table(store, capsys):
    assert main(["store", "info", store.path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{store.info()['file']}: 80 entries, 8.")
    assert lines[0].endswith(" MB")
    assert lines[1:] == [
        "extractor           entries   values  first stored   last used",
        "LogMelSpectrogram        40   8.0 MB    1970-01-11  1970-01-11",
        "OpenSmileExtractor       40  14.1 kB    1970-01-01  1970-01-01",
    ]


def test_info_as_json(store, capsys):
    assert main(["store", "info", store.path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == store.info()


def test_prune(store, capsys):
    assert main(["store", "prune", store.path, "--max-size", "6.5MB"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("removed 4")
    assert "; 32 entries left (6.4 MB)" in out or "; 31 entries left (6.2 MB)" in out
    assert main(["store", "prune", store.path, "--older-than", "3", "--extractor", "Other"]) == 0
    assert capsys.readouterr().out.startswith("removed 0 entries (0 bytes); 3")
    arguments = ["store", "prune", store.path, "--extractor", "LogMelSpectrogram", "--quiet"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == ""
    assert store.info()["entries"] == 0
    assert main(["store", "info", store.path]) == 0
    assert ": 0 entries, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "n_bytes"),
    [("8MB", 8e6), ("8000000", 8e6), ("8 mb", 8e6), ("0.008G", 8e6), ("8MiB", 8 * 2**20)],
)
def test_sizes(store, size, n_bytes):
    assert main(["store", "prune", store.path, "--max-size", size, "--quiet"]) == 0
    assert n_bytes - 600_000 < store.info()["bytes"] <= n_bytes


def test_verify_and_repair(store, capsys):
    assert main(["store", "verify", store.path]) == 0
    assert capsys.readouterr().out == "80 entries, none damaged\n"
    connection = sqlite3.connect(store.info()["file"])
    with connection:
        connection.execute("UPDATE entries SET clipped = 2 WHERE key = ?", [b"LogMelSpectrogram 3"])
    connection.close()
    key = b"LogMelSpectrogram 3".hex()
    assert main(["store", "verify", store.path]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"damaged: {key} LogMelSpectrogram",
        "1 entry of 80 entries damaged: remove with --repair",
    ]
    assert main(["store", "verify", "--repair", store.path]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"damaged: {key} LogMelSpectrogram",
        "removed 1 entry; 79 entries left, none damaged",
    ]
    assert main(["store", "verify", store.path, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_errors(store, tmp_path, capsys):
    assert main(["store", "info", str(tmp_path / "nowhere")]) == 2
    assert "no feature store in" in capsys.readouterr().err
    assert main(["store", "prune", store.path]) == 2
    assert "nothing to remove: use --older-than, --max-size" in capsys.readouterr().err
    with open(store.info()["file"], "wb") as opened:
        opened.write(b"no database" * 100)
    for action in ("info", "verify"):
        assert main(["store", action, store.path]) == 2
        err = capsys.readouterr().err
        assert err.startswith("sklearn-ser store: the feature store ")
        assert "the file is damaged" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["store"],
        ["store", "prune", "x", "--max-size", "2XB"],
        ["store", "prune", "x", "--max-size", "large"],
        ["store", "prune", "x", "--older-than", "-1"],
        ["store", "prune", "x", "--older-than", "soon"],
        ["store", "empty", "x"],
    ],
)
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: sklearn-ser store" in capsys.readouterr().err
