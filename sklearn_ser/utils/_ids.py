"""Ids of utterances in the columns or index levels of X, and lists for error messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError

#: Columns of X that identify the origin of a row. Extractors convert those present to index
#: levels. Targets (emotion, gender, ...) are not among them, so that no label can become a feature.
ID_COLUMNS = ("corpus", "speaker", "language", "text", "recording")


def find_id(X: Any, name: str) -> pd.Index | None:
    """Return the values of an id: the column of X, else its index level, else None."""
    if isinstance(X, pd.DataFrame) and name in X.columns:
        return pd.Index(X[name], name=name)
    if isinstance(X, pd.DataFrame | pd.Series) and name in X.index.names:
        return pd.Index(X.index.get_level_values(name), name=name)
    return None


def require_id(X: Any, name: str, owner: str) -> pd.Index:
    """Return the values of an id like :func:`find_id`, or raise a MetadataError without it."""
    values = find_id(X, name)
    if values is not None:
        return values
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
