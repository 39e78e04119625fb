"""Validation of labels, numbers, probabilities and weights, and docstring parts of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._ids import format_items
from sklearn_ser.utils._unlabeled import labeled_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Y_TRUE = """\
y_true : array-like of shape (n_samples,)
    True classes: strings, integers, booleans or categories. A missing label (None, NaN) raises an
    error; the scorers drop such samples. -1 is an ordinary label.
"""
Y_PRED = """\
y_pred : array-like of shape (n_samples,)
    Predicted classes, of the same kind as `y_true`. A prediction that is missing (None, NaN) or
    not among the classes is wrong.
"""
SAMPLE_WEIGHT = """\
sample_weight : array-like of shape (n_samples,), default=None
    Sample weights, finite and not negative. A weight of k counts as k equal samples.
"""

#: float16 probabilities of a dozen classes sum to 1 within this; percentages and scores do not.
_SUM_TOLERANCE = 1e-2


def as_labels(y: ArrayLike, name: str) -> np.ndarray:
    """Return `y` as a one-dimensional object array of plain Python values."""
    # From a list of strings and NaN numpy would make an array of strings with a label "nan".
    is_typed = isinstance(y, pd.Series | pd.Index)
    values: Any = y if is_typed else np.asarray(y, dtype=None if hasattr(y, "dtype") else object)
    return np.asarray(_one_dimensional(values, name, "label").astype(object), dtype=object)


def as_floats(y: ArrayLike, name: str, error_type: type[Exception] = ValueError) -> np.ndarray:
    """Return `y` as a float array, with NaN in place of None."""
    try:
        return np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise error_type(f"{name} must contain numbers: {error}.") from None


def as_numbers(y: ArrayLike, name: str) -> np.ndarray:
    """Return `y` as a one-dimensional float array."""
    return _one_dimensional(as_floats(y, name, MetadataError), name, "value")


def _one_dimensional(values: Any, name: str, noun: str) -> Any:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.ravel()
    if values.ndim != 1:
        raise MetadataError(
            f"{name} must be one-dimensional, with one {noun} per sample; got an array of shape "
            f"{values.shape}."
        )
    return values


def as_probabilities(y_proba: ArrayLike) -> np.ndarray:
    """Return probabilities as a float array; samples that are NaN throughout are valid."""
    probabilities = as_floats(y_proba, "y_proba")
    if probabilities.ndim != 2 or not probabilities.shape[1]:
        raise ValueError(
            f"y_proba must have the shape (n_samples, n_classes), as returned by predict_proba; "
            f"got an array of shape {probabilities.shape}."
        )
    missing = np.isnan(probabilities)
    present = ~missing.all(axis=1)
    for invalid, what in (
        (missing.any(axis=1), "NaN for some of the classes"),
        ((probabilities < 0).any(axis=1), "negative probabilities"),
        (abs(probabilities.sum(axis=1) - 1) > _SUM_TOLERANCE, "probabilities that do not sum to 1"),
    ):
        rows = np.flatnonzero(invalid & present)
        if len(rows):
            raise ValueError(
                f"y_proba has {what} in {format_items(rows, 'sample')}: sample {rows[0]} is "
                f"{probabilities[rows[0]].tolist()}. Pass the output of predict_proba; decision "
                f"values and percentages are not probabilities."
            )
    return probabilities


def label_set(labels: ArrayLike) -> pd.Index:
    """Return `labels` as an Index of one or more distinct labels."""
    values = as_labels(labels, "labels")
    if not len(values) or not labeled_rows(values).all() or len(set(values)) < len(values):
        raise MetadataError(
            f"labels must be one or more distinct labels without missing values; got {labels!r}."
        )
    return pd.Index(values, dtype=object)


def check_no_missing(y: np.ndarray, name: str = "y_true") -> None:
    """Raise if a label is missing."""
    unlabeled = np.flatnonzero(~labeled_rows(y))
    if len(unlabeled):
        raise MetadataError(
            f"{name} has missing labels (None or NaN) in {format_items(unlabeled, 'sample')}. "
            f"Drop these samples first."
        )


def check_same_kind(y_true: np.ndarray, others: np.ndarray, name: str) -> None:
    """Raise if one array has strings and the other numbers: 1 and "1" never compare equal."""
    kinds = [_kinds(values) for values in (y_true, others)]
    if all(kinds) and not kinds[0] & kinds[1]:
        first, second = ("strings" if True in kind else "numbers" for kind in kinds)
        raise MetadataError(
            f"y_true has {first} and {name} has {second}, which never compare equal. Pass both in "
            f"the same form."
        )


def _kinds(values):
    """Return whether the labels are strings, for each kind of label among them."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind.startswith("mixed"):
        return {isinstance(value, str) for value in values[labeled_rows(values)]}
    return set() if kind == "empty" else {kind == "string"}


def positions_in(classes: pd.Index, labels: np.ndarray) -> np.ndarray:
    """Return the position of each label in `classes`, -1 for others and missing ones."""
    # As objects: pandas would otherwise convert all of them to its own strings.
    return classes.astype(object).get_indexer(pd.Index(labels, dtype=object))


def encode_labels(y_true: np.ndarray, classes: pd.Index) -> np.ndarray:
    """Return the position of each true label in `classes`."""
    codes = positions_in(classes, y_true)
    outside = np.flatnonzero(codes < 0)
    if len(outside):
        unknown = sorted(map(str, set(y_true[outside])))
        raise MetadataError(
            f"y_true has the unknown {format_items(unknown, 'label')} in "
            f"{format_items(outside, 'sample')}; labels are {list(classes)}. Drop these samples or "
            f"add the label to labels."
        )
    return codes


def check_weights(sample_weight: ArrayLike | None, n_samples: int) -> np.ndarray:
    """Return weights as a float array, ones if there are none; their number is checked before.

    Unlike scikit-learn's check this one accepts zeros throughout: the metric is NaN then.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.ndim != 1:
        raise ValueError(
            f"sample_weight must be one-dimensional, with one weight per sample; got an array of "
            f"shape {weights.shape}."
        )
    invalid = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(invalid):
        raise ValueError(
            f"sample_weight must be finite and not negative, but is {weights[invalid[0]]} in "
            f"{format_items(invalid, 'sample')}. Set the weight of samples to leave out to 0."
        )
    return weights
