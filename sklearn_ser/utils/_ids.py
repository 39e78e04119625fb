"""Ids of utterances in the columns or index levels of X, and lists for error messages.

An id is never a feature: estimators of features call :func:`ids_as_levels` before they look at X.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError

#: Columns of X that identify the origin of a row. Extractors convert those present to index
#: levels. Targets (emotion, gender, ...) are not among them, so that no label can become a feature.
ID_COLUMNS = ("corpus", "speaker", "language", "text", "recording")


def as_frame(X: Any) -> Any:
    """Return a table of another library (polars, pyarrow, ...) as a DataFrame, else X itself."""
    if isinstance(X, pd.DataFrame | pd.Series | pd.Index | np.ndarray | list | tuple):
        return X
    if hasattr(X, "to_pandas"):
        return X.to_pandas()
    if hasattr(X, "__arrow_c_stream__"):
        import pyarrow

        return pyarrow.table(X).to_pandas()
    if hasattr(X, "__dataframe__"):
        from pyarrow.interchange import from_dataframe

        return from_dataframe(X).to_pandas()
    return X


def id_columns(columns: Iterable[Any], names: Collection[str] = ()) -> dict[Any, str]:
    """Return the columns that are ids, `names` or one of `ID_COLUMNS`, and the id of each.

    A ColumnTransformer or FeatureUnion may have put the name of a step before it: "rest__speaker".
    """
    known = {*ID_COLUMNS, *names}
    endings = tuple(known)
    candidates = [name for name in columns if isinstance(name, str) and name.endswith(endings)]
    ids = {name: name if name in known else name.rpartition("__")[2] for name in candidates}
    return {name: id_name for name, id_name in ids.items() if id_name in known and id_name}


def ids_as_levels(X: Any, names: Collection[str] = ()) -> Any:
    """Return a table without its id columns, which become index levels, as a DataFrame.

    X is a table of any library; anything else is returned unchanged. `names` are further ids.
    """
    X = as_frame(X)
    if not isinstance(X, pd.DataFrame):
        return X
    if X.columns.nlevels > 1:
        raise ValueError(
            f"The columns of X have {X.columns.nlevels} levels (such as {X.columns[0]}), one is "
            "expected. Join them: X.columns = X.columns.map('_'.join)."
        )
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()].unique().tolist()
        raise ValueError(
            f"Columns of X have the same name: {short_list(twice)}. Unique names are expected: "
            "rename or drop the others."
        )
    ids = id_columns(X.columns.tolist(), names)
    if not ids:
        return X
    is_id = X.columns.isin(list(ids))
    if is_id.sum() > len(set(ids.values())):
        raise _several_columns(X.columns[is_id])
    kept = [level for level, name in enumerate(X.index.names) if name not in ids.values()]
    levels = [X.index.get_level_values(level) for level in kept]
    index = pd.MultiIndex.from_arrays(
        [*levels, *(X[column] for column in ids)],
        names=[*(X.index.names[level] for level in kept), *ids.values()],
    )
    return X.loc[:, ~is_id].set_axis(index)


def with_features(X: Any, values: np.ndarray) -> Any:
    """Return `values` in a table like X, ids included, if X is one, else as they are."""
    if not isinstance(X, pd.DataFrame):
        return values
    is_id = X.columns.isin(list(id_columns(X.columns.tolist())))
    table = pd.DataFrame(values, index=X.index, columns=X.columns[~is_id])
    for position in np.flatnonzero(is_id):
        table.insert(int(position), X.columns[position], X.iloc[:, position])
    return table


def _several_columns(columns):
    return MetadataError(
        f"X has an id in several columns: {columns.tolist()}. One column for each id is expected: "
        "rename or drop the others."
    )


def find_id(X: Any, name: str) -> pd.Index | None:
    """Return the values of an id: the column of X, else its index level, else None."""
    X = as_frame(X)
    if isinstance(X, pd.DataFrame) and X.columns.nlevels == 1 and name in X.columns:
        if isinstance(X[name], pd.DataFrame):
            raise _several_columns(X.columns[X.columns == name])
        return pd.Index(X[name], name=name)
    if isinstance(X, pd.DataFrame | pd.Series) and name in X.index.names:
        return pd.Index(X.index.get_level_values(name), name=name)
    return None


def require_id(X: Any, name: str, owner: str) -> pd.Index:
    """Return the values of an id like :func:`find_id`, or raise a MetadataError without it."""
    values = find_id(X, name)
    if values is not None:
        return values
    X = as_frame(X)
    if isinstance(X, pd.DataFrame):
        levels = [level for level in X.index.names if level is not None]
        seen = f"X has the columns {short_list(list(X.columns))} and the index levels {levels}"
    else:
        seen = f"X is a {type(X).__name__}, which has no ids"
    raise MetadataError(
        f"{owner} needs {name!r} for each row: neither a column nor an index level of X has "
        f"that name ({seen}). Give X as a DataFrame with it; if an earlier step of a Pipeline "
        f"drops it, call set_output(transform='pandas') on that step or on the Pipeline."
    )


def short_list(names: Sequence[Any]) -> str:
    """List the first six of many names, for an error message."""
    shown = ", ".join(map(repr, names[:6]))
    return f"[{shown}{f', ... {len(names) - 6} more' if len(names) > 6 else ''}]"


def format_items(items: Sequence | np.ndarray, noun: str) -> str:
    """Return text such as "label 'a'" or "samples 1, 2, 3, 4, 5 and 7 more", for messages."""
    shown = ", ".join(repr(item) if isinstance(item, str) else str(item) for item in items[:5])
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    plural = {"class": "classes"}.get(noun, f"{noun}s")
    return f"{noun if len(items) == 1 else plural} {shown}{more}"


def rows_text(mask: Sequence[bool] | np.ndarray) -> str:
    """List the positions where `mask` is true: "rows 0, 3 and 12 more"."""
    return format_items(np.flatnonzero(mask), "row")
