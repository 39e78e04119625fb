"""Tables are aligned row by row, as scikit-learn slices them; refuse those that say otherwise."""

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._ids import ID_COLUMNS

#: For errors about lengths.
OF_SAMPLERS = (
    "(A sampler that stands before this step in a Pipeline changes X and y alone; "
    "AugmentingClassifier(resampler=...) takes the rest along.)"
)


def refuse_other_order(table, reference, table_name, reference_name, *, default_counts=False):
    """Raise where two tables have the same index labels in another order.

    Such tables would be paired wrongly, row by row. Anything else passes: arrays, tables with
    other labels, repeated labels. So does a default index (0, 1, 2, ...), which a step that was
    given an array makes up, unless `default_counts`: it then says where its rows belong, too.
    """
    if not (hasattr(table, "index") and isinstance(table.index, pd.Index)):
        return
    if not (hasattr(reference, "index") and isinstance(reference.index, pd.Index)):
        return
    ours, theirs = table.index, reference.index
    if len(ours) != len(theirs) or ours.nlevels != theirs.nlevels or ours.equals(theirs):
        return
    if not default_counts and (_is_default(ours) or _is_default(theirs)):
        return
    if not (ours.is_unique and theirs.is_unique):
        return
    try:
        places = theirs.get_indexer(ours)
    except (TypeError, ValueError, pd.errors.InvalidIndexError):
        return  # labels that cannot be compared say nothing about the order
    moved = np.flatnonzero(places != np.arange(len(places)))
    if len(moved) and (places >= 0).all():
        row = int(moved[0])
        raise MetadataError(
            f"{table_name} has the index labels of {reference_name} in another order (row {row} is "
            f"{ours[row]} here and {theirs[row]} there), and rows are paired by position: give "
            f"{table_name}.loc[{reference_name}.index]; or, if the rows do belong together as they "
            f"are, reset both indexes"
        )


def _is_default(index):
    return isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))


def refuse_other_orders(X, y, given):
    """Refuse tables whose index says that their rows are in another order than those of X or y.

    Parameters
    ----------
    X, y : object
        As `fit` was given them.
    given : dict of str to object
        Metadata, by the names that the message gives them.
    """
    for name, table in {"y": y, **given}.items():
        _check_order_against(table, X, name, "X")
    for name, table in given.items():
        _check_order_against(table, y, name, "y")


def _check_order_against(table, reference, name, reference_name):
    levels, known = _index_levels(table), _index_levels(reference)
    # Extractors give X ids as further index levels, without which it is like the table they read.
    ids = [level for level in known if level in ID_COLUMNS and level not in levels]
    if 0 < len(ids) < len(known):
        reference = reference.index.droplevel(ids).to_frame()
        reference_name = f"{reference_name}.droplevel({ids})"
        known = [level for level in known if level not in ids]
    if len(levels) == len(known):
        refuse_other_order(table, reference, name, reference_name)


def _index_levels(table):
    """Names of the levels of a pandas object's index; none for anything else."""
    return list(table.index.names) if isinstance(table, pd.DataFrame | pd.Series) else []
