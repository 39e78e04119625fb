"""Ids travel with X: in its columns, or in its index levels (DESIGN, decision 1)."""

import pandas as pd

from sklearn_ser.exceptions import MetadataError

#: Columns of X that say where a row comes from. Extractors turn those present into index
#: levels. Targets (emotion, gender, ...) are never among them: no label can reach a feature.
ID_COLUMNS = ("corpus", "speaker", "language", "text", "recording")


def find_id(X, name):
    """Values of the id `name` in X's columns, else in its index levels, else None.

    Parameters
    ----------
    X : object
        Anything; only a pandas DataFrame or Series can carry ids.
    name : str
        Name of the column or index level.

    Returns
    -------
    pandas.Index or None
        One value per row of X.
    """
    if isinstance(X, pd.DataFrame) and name in X.columns:
        return pd.Index(X[name], name=name)
    if isinstance(X, pd.DataFrame | pd.Series) and name in X.index.names:
        return pd.Index(X.index.get_level_values(name), name=name)
    return None


def require_id(X, name, wanted_by):
    """Like :func:`find_id`, but raise where it is absent, naming every place that was looked in."""
    values = find_id(X, name)
    if values is not None:
        return values
    if isinstance(X, pd.DataFrame):
        levels = [level for level in X.index.names if level is not None]
        seen = f"X has the columns {short_list(list(X.columns))} and the index levels {levels}"
    else:
        seen = f"X is a {type(X).__name__}, which carries no ids"
    raise MetadataError(
        f"{wanted_by} needs {name!r} for each row: neither a column nor an index level of X has "
        f"that name ({seen}). Give X as a DataFrame with it; where an earlier step of a Pipeline "
        f"loses it, call set_output(transform='pandas') on that step or on the Pipeline."
    )


def short_list(names, most=6):
    """The first few of many names, for a message."""
    shown = ", ".join(map(repr, names[:most]))
    return f"[{shown}{f', ... {len(names) - most} more' if len(names) > most else ''}]"
