"""Ids in tables of any library: they become index levels, and never features."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._alignment import check_aux
from sklearn_ser.utils._ids import as_frame, find_id, id_columns, ids_as_levels, require_id

FRAME = pd.DataFrame({"f0": [0.5, 1.5, 2.5], "speaker": [1, 2, 2], "corpus": ["a", "a", "b"]})


class ArrowStream:
    """A table of a library that offers the Arrow interface alone."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """A table of a library that offers the dataframe interchange protocol alone."""

    def __init__(self, table):
        self.table = table

    def __dataframe__(self, *args, **kwargs):
        return self.table.__dataframe__(*args, **kwargs)


ARROW = pa.table({name: FRAME[name].tolist() for name in FRAME})
TABLES = {
    "pandas": FRAME,
    "polars": pl.DataFrame({name: FRAME[name].tolist() for name in FRAME}),
    "pyarrow": ARROW,
    "record batch": ARROW.to_batches()[0],
    "arrow stream": ArrowStream(ARROW),
    "interchange": Interchange(ARROW),
}
every_library = pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)


@every_library
def test_ids_become_index_levels(X):
    result = ids_as_levels(X)
    assert list(result.columns) == ["f0"]
    assert result.index.names == [None, "speaker", "corpus"]
    assert find_id(result, "speaker").tolist() == [1, 2, 2]
    assert find_id(X, "speaker").tolist() == [1, 2, 2]
    assert find_id(X, "language") is None
    with pytest.raises(MetadataError, match=r"the columns \['f0', 'speaker', 'corpus'\]"):
        require_id(X, "language", "Splitter")


@pytest.mark.parametrize("X", [np.zeros((2, 2)), [np.zeros(3)], pd.Series([1.0]), None, 3])
def test_anything_else_is_unchanged(X):
    assert as_frame(X) is X
    assert ids_as_levels(X) is X


def test_tables_without_ids_are_not_copied():
    X = FRAME[["f0"]]
    assert ids_as_levels(X) is X


def test_ids_of_columns_replace_levels_of_the_same_name():
    X = FRAME.set_index(pd.Index(["x", "y", "z"], name="speaker")).rename_axis("speaker")
    result = ids_as_levels(X)
    assert result.index.names == ["speaker", "corpus"]
    assert find_id(result, "speaker").tolist() == [1, 2, 2]
    assert ids_as_levels(FRAME, ["f0"]).columns.empty


def test_ids_with_the_prefix_of_a_step():
    X = FRAME.set_axis(["scale__f0", "rest__speaker", "rest__corpus"], axis=1)
    result = ids_as_levels(X)
    assert list(result.columns) == ["scale__f0"]
    assert result.index.names == [None, "speaker", "corpus"]
    names = ["context", "text", "a__text", "a__context", "_text", "session", "a__session", 3]
    assert id_columns(names) == {"text": "text", "a__text": "text"}
    assert id_columns(names, ["session"]) == {
        "text": "text", "a__text": "text", "session": "session", "a__session": "session"
    }  # fmt: skip


def test_names_of_columns_that_cannot_be_understood():
    two = pd.concat([FRAME, FRAME[["speaker"]]], axis=1)
    with pytest.raises(ValueError, match=r"Columns of X have the same name: \['speaker'\]\. Uniq"):
        ids_as_levels(two)
    with pytest.raises(MetadataError, match=r"several columns: \['speaker', 'corpus', 'a__sp"):
        ids_as_levels(FRAME.assign(a__speaker=1))
    levels = FRAME.set_axis(pd.MultiIndex.from_product([["f"], list("abc")]), axis=1)
    text = r"The columns of X have 2 levels \(such as \('f', 'a'\)\), one is expected. Join them"
    with pytest.raises(ValueError, match=text):
        ids_as_levels(levels)
    assert find_id(levels, "f") is None
    assert find_id(levels.rename_axis("speaker"), "speaker").tolist() == [0, 1, 2]
    with pytest.raises(MetadataError, match=r"several columns: \['speaker', 'speaker'\]. One"):
        find_id(two, "speaker")


@every_library
def test_auxiliary_targets_of_any_library_keep_their_names(X):
    assert list(check_aux(X, 3).columns) == ["f0", "speaker", "corpus"]
