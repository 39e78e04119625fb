"""A store in a temporary folder, and helpers of the tests that look into it."""

import sqlite3
import time

import numpy as np
import pytest

from sklearn_ser.store import FeatureStore

DAY = 86400


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def entries(n, shape=(88,), prefix="key"):
    random = np.random.default_rng(n)
    return {
        f"{prefix} {i}".encode(): (random.normal(size=shape).astype("float32"), None)
        for i in range(n)
    }


def execute(store, *statement):
    connection = sqlite3.connect(store.info()["file"])
    with connection:
        rows = connection.execute(*statement).fetchall()
    connection.close()
    return rows


def at_time(monkeypatch, seconds):
    monkeypatch.setattr(time, "time", lambda: seconds)


def assert_holds(store, expected):
    found = store.get_many(list(expected))
    assert found.keys() == expected.keys()
    for key, (values, clipped) in expected.items():
        assert found[key][0].dtype == np.float32
        np.testing.assert_array_equal(found[key][0], values)
        assert found[key][1] == clipped
