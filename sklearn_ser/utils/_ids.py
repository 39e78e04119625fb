"""Ids of utterances: where they are found, which are the same, and lists for error messages.

One rule says which ids are the same: whole numbers and their strings (3, 3.0, "3" and "3.0"), and
strings that differ only in their Unicode form (a composed and a decomposed "é") or in spaces around
them. Tables that were read in different ways then name the same speaker. All else is different,
also "3" and "03" or "Anna" and "anna", which `near_equal_ids` finds. "" is a missing id.

An id is never a feature: estimators of features call :func:`ids_as_levels` before they look at X.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
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
    check_column_names(X, "X")
    ids = id_columns(X.columns.tolist(), names)
    if not ids:
        return X
    is_id = X.columns.isin(list(ids))
    if is_id.sum() > len(set(ids.values())):
        raise _several_columns(X.columns[is_id])
    return X.loc[:, ~is_id].set_axis(index_with_ids(X, {ids[name]: X[name] for name in ids}))


def check_column_names(table: pd.DataFrame, name: str) -> None:
    """Raise for column names of several levels, or that occur more than once."""
    columns = table.columns
    if columns.nlevels > 1:
        raise ValueError(
            f"The columns of {name} have {columns.nlevels} levels (such as {columns[0]}), one is "
            f"expected. Join them: {name}.columns = {name}.columns.map('_'.join)."
        )
    if not columns.is_unique:
        twice = columns[columns.duplicated()].unique().tolist()
        raise ValueError(
            f"Columns of {name} have the same name: {short_list(twice)}. Unique names are "
            "expected: rename or drop the others."
        )


def index_with_ids(X: pd.DataFrame, ids: Mapping[str, Any]) -> pd.Index:
    """Return the index of X with levels of these values by name: the index itself if it has them.

    A ColumnTransformer with pandas output joins the outputs of its steps by their index. Steps that
    see different ids agree if the index of their input has all of these.
    """
    names = list(X.index.names)
    levels = {name: pd.Index(values) for name, values in ids.items()}
    if all(name in names and X.index.get_level_values(name).equals(levels[name]) for name in ids):
        return X.index
    old = [levels.pop(name, X.index.get_level_values(i)) for i, name in enumerate(names)]
    return as_index([*old, *levels.values()], [*names, *levels])


def as_index(levels: Sequence[pd.Index], names: Sequence[Any]) -> pd.Index:
    """Return an index of these levels; a single one is plain, since pandas would show tuples."""
    if len(levels) == 1:
        return levels[0].rename(names[0])
    return pd.MultiIndex.from_arrays(levels, names=names)


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
        f"drops it, call set_output(transform='pandas') on that step or on the Pipeline. The steps "
        f"of a ColumnTransformer need it in the index: X.set_index([{name!r}], append=True, "
        f"drop=False)."
    )


def canonical_ids(values: Any) -> np.ndarray:
    """Return ids as strings, equal for the same id, in an object array; None where missing."""
    codes, names = pd.factorize(np.asarray(values, dtype=object))
    canonical = np.empty(len(names) + 1, dtype=object)  # the last one, at -1, is None
    canonical[:-1] = [_canonical_id(name) or None for name in names]
    return canonical[codes]


def id_codes(values: Any) -> tuple[np.ndarray, list]:
    """Return the code of each id, -1 where missing, and the sorted ids.

    Ids are as in `canonical_ids`, but remain what they are if none of them is a string.
    """
    codes, names = pd.factorize(np.asarray(values, dtype=object))
    if any(isinstance(name, str | bytes) for name in names):
        merged, names = pd.factorize(canonical_ids(names))
        codes = np.append(merged, -1)[codes]  # the last one, at -1, is missing
    try:
        order = sorted(range(len(names)), key=lambda code: names[code])
    except TypeError:  # of several types
        order = sorted(range(len(names)), key=lambda i: (str(names[i]), type(names[i]).__name__))
    rank = np.full(len(names) + 1, -1, dtype=np.intp)
    rank[order] = np.arange(len(names))
    return rank[codes], [names[code] for code in order]


def rows_by_code(codes: np.ndarray, n_codes: int) -> list[np.ndarray]:
    """Return the positions of each code from 0 on, in one pass; -1 is left out."""
    sizes = np.bincount(codes + 1, minlength=n_codes + 1)
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])[1:]


def near_equal_ids(values: Any) -> list[list[str]]:
    """Return groups of different ids that are equal but for case, accents, zeros or separators.

    "Anna" and "anna", "José" and "Jose", "3" and "03", "spk_1" and "SPK 01" are near-equal; "1-11"
    and "11-1" are not.
    """
    groups: dict[tuple, list[str]] = {}
    for name in id_codes(canonical_ids(values))[1]:
        groups.setdefault(_near_key(name), []).append(name)
    return [names for names in groups.values() if len(names) > 1]


def _canonical_id(value):
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    is_number = isinstance(value, Real | Decimal) and not isinstance(value, bool)
    if is_number and (isinstance(value, Integral) or float(value).is_integer()):
        return str(int(value))
    text = unicodedata.normalize("NFC", str(value)).strip()
    whole = re.fullmatch(r"([+-]?[0-9]+)[.]0+", text)
    return whole[1] if whole else text


def _near_key(name):
    """Return the words and the values of the numbers in a name, without case and accents."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    parts = re.findall(r"[^\W\d_]+|\d+", plain)
    return tuple(int(part) if part.isdecimal() else part for part in parts) or (plain,)


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
