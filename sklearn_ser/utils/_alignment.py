"""Alignment of tables by row position, and detection of tables in another order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._ids import ID_COLUMNS, as_frame
from sklearn_ser.utils._unlabeled import labeled_rows

#: Hint in error messages about lengths.
SAMPLER_HINT = (
    "(A sampler before this step in a Pipeline resamples X and y only; "
    "AugmentingClassifier(resampler=...) resamples the metadata as well.)"
)


def check_row_order(table, reference, table_name, reference_name, *, check_default_index=False):
    """Raise if two tables have the same index labels in another order.

    Such tables would be paired wrongly by position. Arrays, tables with other labels and duplicate
    labels are accepted, and so is a default index (0, 1, 2, ...), which the output of a step for
    an array has, unless `check_default_index` is set.
    """
    ours, theirs = (getattr(each, "index", None) for each in (table, reference))
    if not (isinstance(ours, pd.Index) and isinstance(theirs, pd.Index)):
        return
    if len(ours) != len(theirs) or ours.nlevels != theirs.nlevels or ours.equals(theirs):
        return
    if not check_default_index and (_is_default(ours) or _is_default(theirs)):
        return
    if not (ours.is_unique and theirs.is_unique):
        return
    try:
        positions = theirs.get_indexer(ours)
    except (TypeError, ValueError, pd.errors.InvalidIndexError):
        return  # the labels cannot be compared
    moved = np.flatnonzero(positions != np.arange(len(positions)))
    if len(moved) and (positions >= 0).all():
        row = int(moved[0])
        raise MetadataError(
            f"{table_name} has the index labels of {reference_name} in another order (row {row} is "
            f"{ours[row]} here and {theirs[row]} there), and rows are paired by position. Give "
            f"{table_name}.loc[{reference_name}.index]; or, if the current order is right, reset "
            f"both indexes"
        )


def _is_default(index):
    return isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))


def check_row_orders(X, y, given):
    """Raise for metadata (by name) or y whose index is in another order than that of X or y."""
    for name, table in {"y": y, **given}.items():
        _check_order_against(table, X, name, "X")
    for name, table in given.items():
        _check_order_against(table, y, name, "y")


def _check_order_against(table, reference, name, reference_name):
    levels, known = _index_levels(table), _index_levels(reference)
    # Extractors add ids to X as index levels; without these the index is that of their input.
    ids = [level for level in known if level in ID_COLUMNS and level not in levels]
    if 0 < len(ids) < len(known):
        reference = reference.index.droplevel(ids).to_frame()
        reference_name = f"{reference_name}.droplevel({ids})"
        known = [level for level in known if level not in ids]
    if len(levels) == len(known):
        check_row_order(table, reference, name, reference_name)


def _index_levels(table):
    """Return the names of the index levels of a pandas object, else an empty list."""
    return list(table.index.names) if isinstance(table, pd.DataFrame | pd.Series) else []


def check_aux(aux: Any, n_rows: int) -> pd.DataFrame | None:
    """Validate auxiliary targets; return them as a DataFrame with string column names, or None.

    Empty strings become missing values.
    """
    aux = as_frame(aux)
    if aux is None:
        return None
    if isinstance(aux, Mapping):
        raise MetadataError(
            "aux is a dict, which scikit-learn does not slice along with X: cross-validation "
            "would silently give each fold the targets of other rows. Give aux as a DataFrame: "
            "pd.DataFrame(aux)."
        )
    if isinstance(aux, pd.Series):
        table = aux.to_frame("aux0" if aux.name is None else aux.name)
    elif isinstance(aux, pd.DataFrame):
        table = aux
    else:
        values = np.asarray(aux, dtype=None if isinstance(aux, np.ndarray) else object)
        if values.ndim not in (1, 2) or values.dtype.names:
            raise MetadataError(
                f"aux must be a DataFrame, a Series or an array of one or two dimensions, got a "
                f"{type(aux).__name__} with {values.ndim} dimensions and dtype {values.dtype}."
            )
        columns = values.reshape(len(values), -1)
        table = pd.DataFrame(columns, columns=[f"aux{i}" for i in range(columns.shape[1])])
    if len(table) != n_rows:
        raise MetadataError(
            f"aux has {len(table)} rows and X has {n_rows}: give one row of targets per row of X, "
            f"with missing values where a target is not known. {SAMPLER_HINT}"
        )
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    if not table.columns.is_unique:
        raise MetadataError(f"the column names of aux must be unique, got {list(table.columns)}.")
    for name, column in table.items():
        if not is_numeric_dtype(column.dtype):
            empty = column.notna().to_numpy() & ~labeled_rows(column)
            table[name] = column.mask(empty, None) if empty.any() else column
    return table.reset_index(drop=True).infer_objects()
