"""Labels as the classification metrics take them: plain values, checked alike everywhere."""

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError


def as_labels(y, name):
    """`y` as a one-dimensional object array of plain Python values."""
    # Of a list with strings and NaN numpy would make strings, and a label "nan".
    values = y if isinstance(y, pd.Series | pd.Index) else _as_array(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.ravel()
    if values.ndim != 1:
        raise MetadataError(
            f"{name} must have one label per row (one-dimensional), got the shape {values.shape}."
        )
    return np.asarray(values.astype(object), dtype=object)


def _as_array(y):
    return np.asarray(y) if hasattr(y, "dtype") else np.asarray(y, dtype=object)


def without_na(values):
    """An object array with None where something is missing: ``pd.NA == "a"`` has no truth value."""
    if values.dtype == object:
        missing = pd.isna(values)
        if missing.any():
            values = values.copy()
            values[missing] = None
    return values


def labeled_rows(truth, *others):
    """The rows that have a truth: of `truth` and of each of `others`, None staying None.

    What every scorer, group figure, interval and test does first: a row without a label (None,
    NaN) is nobody's mistake.
    """
    values = truth if isinstance(truth, np.ndarray) else as_labels(truth, "y_true")
    labeled = ~np.asarray(pd.isna(values))
    return [_take(part, labeled) for part in (values, *others)]


def _take(part, rows):
    if part is None:
        return None
    return part[rows] if isinstance(part, np.ndarray) else np.asarray(part)[rows]


def label_set(labels):
    """`labels` as an Index: one or more, all different, none missing."""
    values = as_labels(labels, "labels")
    if not len(values) or pd.isna(values).any() or len(set(values)) < len(values):
        raise MetadataError(
            f"labels must be one or more different labels, none of them missing, got {labels!r}."
        )
    return pd.Index(values, dtype=object)


def refuse_missing(truth, remedy, name="y_true"):
    """Raise where a true label is missing, saying in which rows and what to do."""
    unlabeled = np.flatnonzero(pd.isna(truth))
    if len(unlabeled):
        raise MetadataError(
            f"{name} has no label (None or NaN) in {listed(unlabeled, 'row')}: {remedy}"
        )


def truth_codes(truth, classes):
    """Position of each true label in `classes`; a label outside is refused."""
    codes = classes.get_indexer(truth)
    outside = np.flatnonzero(codes < 0)
    if len(outside):
        strangers = sorted(map(str, set(truth[outside])))
        raise MetadataError(
            f"y_true holds {listed(strangers, 'label')} in {listed(outside, 'row')}, not among "
            f"labels={list(classes)}: drop these rows or add the label to labels."
        )
    return codes


def refuse_mixed_kinds(truth, others, name, consequence):
    """1 and "1" never compare equal: with strings against numbers every row would be wrong."""
    kinds = [
        {isinstance(value, str) for value in values[~pd.isna(values)]} for values in (truth, others)
    ]
    if all(kinds) and not kinds[0] & kinds[1]:
        first, second = ("strings" if True in kind else "numbers" for kind in kinds)
        raise MetadataError(
            f"y_true holds {first} and {name} {second}, so that {consequence}: give both in the "
            f"same form."
        )


def listed(items, noun, most=5):
    """'label 'a'' or 'rows 1, 2, 3, 4, 5 and 7 more', for messages."""
    shown = ", ".join(repr(item) if isinstance(item, str) else str(item) for item in items[:most])
    more = f" and {len(items) - most} more" if len(items) > most else ""
    plural = {"class": "classes"}.get(noun, f"{noun}s")
    return f"{noun if len(items) == 1 else plural} {shown}{more}"
