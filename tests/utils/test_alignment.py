import re

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._alignment import check_row_order

TABLE = pd.DataFrame({"value": [1.0, 2.0, 3.0]}, index=["a", "b", "c"])


def test_error_names_both_tables_and_the_first_row():
    message = (
        "aux has the index labels of X in another order (row 1 is c here and b there), and "
        "rows are paired by position. Give aux.loc[X.index]; or, if the current order "
        "is right, reset both indexes"
    )
    with pytest.raises(MetadataError, match=re.escape(message)):
        check_row_order(TABLE.loc[["a", "c", "b"]], TABLE, "aux", "X")


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(30, 0, -10),
        pd.Index([0.5, np.nan, 2.0]),
        pd.Index(["a", None, "c"]),
        pd.Index([1, "a", (2, 3)], dtype=object),
        pd.CategoricalIndex(["b", "a", "c"]),
        pd.date_range("2026-01-01", periods=3, tz="UTC"),
        pd.MultiIndex.from_arrays([[0, 0, 1], ["p", "q", "p"]], names=[None, "speaker"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("as_series", [True, False])
def test_any_kind_of_labels(index, as_series):
    table = TABLE.set_axis(index, axis=0)
    table = table["value"] if as_series else table
    check_row_order(table, TABLE.set_axis(index, axis=0), "aux", "X")
    for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0]):
        with pytest.raises(MetadataError, match=r"index labels of X in another order \(row 0 is"):
            check_row_order(table.iloc[order], TABLE.set_axis(index, axis=0), "aux", "X")


def test_equal_numbers_of_another_dtype_are_the_same_labels():
    reference = TABLE.set_axis([4, 5, 6], axis=0)
    floats = reference.set_axis([4.0, 5.0, 6.0], axis=0)
    check_row_order(floats, reference, "aux", "X")
    with pytest.raises(MetadataError, match="another order"):
        check_row_order(floats.iloc[::-1], reference, "aux", "X")


@pytest.mark.parametrize(
    ("table", "reference"),
    [
        (TABLE.to_numpy()[::-1], TABLE),
        (TABLE.iloc[::-1], TABLE.to_numpy()),
        (["c", "b", "a"], TABLE),  # a list has a method called index
        (TABLE.iloc[::-1], ["a", "b", "c"]),
        (None, TABLE),
        (TABLE.index[::-1], TABLE),
        (TABLE.iloc[::-1].reset_index(drop=True), TABLE),
        (TABLE.iloc[::-1], TABLE.reset_index(drop=True)),
        (TABLE.rename(index={"c": "d"}).iloc[::-1], TABLE),
        (TABLE.iloc[1::-1], TABLE),
        (TABLE.set_axis(["a", "a", "b"], axis=0), TABLE.set_axis(["a", "b", "a"], axis=0)),
        (TABLE.loc[["b", "a", "a"]], TABLE),
        (TABLE.iloc[::-1], TABLE.set_axis(["a", "a", "b"], axis=0)),
        (TABLE.iloc[::-1].set_axis(["2", "1", "0"], axis=0), TABLE.reset_index(drop=True)),
        (TABLE.iloc[:0], TABLE.iloc[:0]),
    ],
    ids=[
        "array",
        "against an array",
        "list",
        "against a list",
        "nothing",
        "an index itself",
        "reset",
        "against reset",
        "other labels",
        "another length",
        "repeated",
        "drawn twice",
        "against repeated",
        "strings against numbers",
        "no rows",
    ],
)
def test_tables_without_a_common_order_pass(table, reference):
    assert check_row_order(table, reference, "aux", "X") is None


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (pd.MultiIndex.from_arrays([[2, 1, 0], [0, 0, 0]]), pd.RangeIndex(3)),
        (pd.Index([0, 1, 2], dtype="Int64"), pd.RangeIndex(3)),
        (pd.date_range("2026-01-01", periods=3), pd.Index(["2026-01-01", "2026-01-02", "x"])),
        (
            pd.IntervalIndex.from_tuples([(0, 2), (1, 3), (2, 4)]),
            pd.IntervalIndex.from_tuples([(1, 3), (0, 2), (2, 4)]),
        ),
    ],
    ids=repr,
)
def test_indexes_that_cannot_be_compared_pass(ours, theirs):
    check_row_order(TABLE.set_axis(ours, axis=0), TABLE.set_axis(theirs, axis=0), "aux", "X")


def test_a_default_index_passes_unless_it_is_checked():
    """The output of a step for an array has one."""
    permuted = TABLE.set_axis([2, 0, 1], axis=0)
    default = TABLE.reset_index(drop=True)
    check_row_order(permuted, default, "y", "X")
    check_row_order(default, permuted, "y", "X")
    with pytest.raises(MetadataError, match="another order"):
        check_row_order(permuted, default, "X", "frame", check_default_index=True)
