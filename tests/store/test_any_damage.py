"""Damaged stores: every operation ends, and only intact entries are returned."""

import sqlite3
import warnings
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_ser.exceptions import StoreError, StoreWarning
from sklearn_ser.store import FeatureStore
from tests.conftest import LevelExtractor
from tests.store.conftest import entries

PAGE = 4096
SIGNALS = [np.full(n, 0.1) for n in (1000, 1200, 1400)]
COLUMNS = ["key", "checksum", "extractor", "created", "used", "clipped", "shape", "data"]
VALUES = [
    "soon",
    "",
    b"\0",
    b"\xff" * 20,
    -1,
    0,
    7,
    2**62,
    -(2**63),
    1e300,
    float("inf"),
    "1e999",
    None,
]

fractions = st.floats(0, 1, exclude_max=True)
exchanged_pages = st.tuples(st.just("exchange"), fractions, fractions)
overwritten = st.tuples(st.just("overwrite"), fractions, st.binary(min_size=1, max_size=200))
copied_page = st.tuples(st.just("copy"), fractions, fractions)
truncated = st.tuples(st.just("truncate"), fractions, st.none())
updated = st.tuples(st.just("update"), st.sampled_from(COLUMNS), st.sampled_from(VALUES))
damages = st.one_of(exchanged_pages, overwritten, copied_page, truncated, updated)


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Bytes of a store with the rows of SIGNALS and with entries that fill several pages."""
    folder = tmp_path_factory.mktemp("intact")
    LevelExtractor(store=str(folder)).fit_transform(SIGNALS)
    FeatureStore(folder).put_many(entries(40, shape=(300,)), extractor="A")
    return (folder / "features.sqlite").read_bytes()


def damaged(content, kind, first, second):
    content, n_pages = bytearray(content), len(content) // PAGE
    at = int(first * len(content)) if isinstance(first, float) else 0
    if kind in ("exchange", "copy"):
        a, b = (
            slice(PAGE * int(n_pages * f), PAGE * (int(n_pages * f) + 1)) for f in (first, second)
        )
        content[a], content[b] = content[b], content[b if kind == "copy" else a]
    elif kind == "overwrite":
        content[at : at + len(second)] = second
    elif kind == "truncate":
        del content[at:]
    return bytes(content)


def update(file, column, value):
    connection = sqlite3.connect(file)
    try:
        with connection:
            connection.execute(f"UPDATE entries SET {column} = ? WHERE id % 3 = 0", [value])
    except sqlite3.Error:  # violates NOT NULL or UNIQUE
        pass
    finally:
        connection.close()


@given(damage=damages)
@settings(max_examples=150, derandomize=True)
def test_whatever_is_damaged(damage, intact, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    store, file = FeatureStore(folder), folder / "features.sqlite"
    put = entries(40, shape=(300,))
    step = LevelExtractor(store=str(folder))
    expected = LevelExtractor().fit_transform(SIGNALS)

    def get():
        for key, (values, clipped) in store.get_many(put).items():
            np.testing.assert_array_equal(values, put[key][0])
            assert clipped is None

    def transform():
        assert step.fit_transform(SIGNALS).equals(expected)

    for use in (
        get,
        transform,
        store.info,
        store.verify,
        lambda: store.verify(repair=True),
        lambda: store.put_many(put, extractor="A"),
        lambda: store.prune(older_than=1),
        lambda: store.prune(extractor="A"),
        lambda: store.prune(max_bytes=20_000),
    ):
        Path(file).write_bytes(damaged(intact, *damage))
        if damage[0] == "update":
            update(file, *damage[1:])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", StoreWarning)
            with nullcontext() if use is transform else suppress(StoreError):
                use()
