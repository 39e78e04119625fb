"""Unlabeled samples: sentinel values, masks, conversion of y, semi-supervised estimators.

A label is missing where it is None, NaN, pd.NA, or a string without a visible character. A
semi-supervised estimator has a parameter `unlabeled`, the sentinel value of unlabeled samples in
its y: -1, "nan" (any missing value), or None if it learns from labeled samples only. To all other
estimators -1 is an ordinary label.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Options, StrOptions

from sklearn_ser.utils._ids import rows_text
from sklearn_ser.utils._nested_estimators import parameters_named

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

Sentinel: TypeAlias = Literal[-1, "nan"]

#: Constraints of a parameter `unlabeled` that must not be None.
SENTINEL_CONSTRAINTS = (Options(Integral, {-1}), StrOptions({"nan"}))


def labeled_rows(y: ArrayLike, unlabeled: Sentinel | None = "nan") -> np.ndarray:
    """Return the mask of labeled samples, by the sentinel value of the others (None: all)."""
    if unlabeled == "nan" and isinstance(y, np.ndarray) and y.dtype.kind in "biuf":
        return ~np.isnan(y)
    values = np.asarray(y, dtype=object)
    if unlabeled == "nan":
        missing = np.asarray(pd.isna(values), dtype=bool)
        rest = values[~missing]
        try:
            blank = [value for value in pd.unique(rest) if _is_blank(value)]
            missing[~missing] = pd.Series(rest, dtype=object).isin(blank) if blank else False
        except TypeError:  # labels that cannot be hashed, an error of whoever needs them
            missing[~missing] = [_is_blank(value) for value in rest]
        return ~missing
    if unlabeled == -1:
        return np.asarray(pd.Series(values, dtype=object) != -1)
    return np.ones(len(values), dtype=bool)


def _is_blank(value):
    return isinstance(value, str) and not value.strip()


def drop_unlabeled(y: np.ndarray, *others: Any) -> list[Any]:
    """Return `y` and aligned arrays without the samples that have no label; None stays None.

    Scorers, group scores, intervals and tests begin with it: an unlabeled sample is neither right
    nor wrong.
    """
    labeled = labeled_rows(y)
    return [None if part is None else np.asarray(part)[labeled] for part in (y, *others)]


def missing_as_none(values: np.ndarray, unlabeled: Sentinel = "nan") -> np.ndarray:
    """Return `values` with None in place of missing labels, or of -1, in an object array.

    Arrays of numbers are returned unchanged for "nan": they can be compared, whereas
    ``pd.NA == "a"`` has no truth value. So are strings without a missing label.
    """
    if unlabeled == "nan" and values.dtype.kind not in "OUT":
        return values
    labeled = labeled_rows(values, unlabeled)
    if values.dtype != object and labeled.all():
        return values
    result = np.array(values, dtype=object)
    result[~labeled] = None
    return result


def check_all_labeled(y: Any, owner: str) -> None:
    """Raise a ValueError that names the samples without a label."""
    values = np.asarray(y, dtype=object)
    missing = ~labeled_rows(values) if values.ndim == 1 else np.zeros(0, dtype=bool)
    if missing.any():
        raise ValueError(
            f"{owner} needs the label of every sample, and y has none (None, NaN or an empty "
            f"string) in {rows_text(missing)}. Leave these samples out."
        )


def sentinel_as_none(estimator: BaseEstimator, y: ArrayLike) -> ArrayLike:
    """Return `y` with None in place of -1 if that is the sentinel value of the estimator.

    The estimator may be a Pipeline or search that contains a semi-supervised one. {-1, 1} are
    ordinary labels to all others.
    """
    if not hasattr(estimator, "get_params"):
        return y
    sentinels = parameters_named(estimator, "unlabeled").values()
    if any(not isinstance(sentinel, str) and sentinel == -1 for sentinel in sentinels):
        return missing_as_none(np.asarray(y, dtype=object), -1)
    return y


def sentinel_of(estimator: BaseEstimator) -> Sentinel | None:
    """Return the sentinel value of a semi-supervised estimator, None for any other.

    It may be a Pipeline or search that contains one. Parts with different sentinel values raise a
    ValueError.
    """
    sentinels = {
        path: value
        for path, value in parameters_named(estimator, "unlabeled").items()
        if isinstance(value, Integral | str) and value in (-1, "nan")
    }
    if len(set(sentinels.values())) > 1:
        raise ValueError(
            f"Parts of the estimator have different sentinel values of unlabeled samples: "
            f"{sentinels}. Set all of them to the same value."
        )
    return cast("Sentinel | None", next(iter(sentinels.values()), None))


def mark_unlabeled(y: np.ndarray, is_unlabeled: np.ndarray, unlabeled: Sentinel) -> np.ndarray:
    """Return `y` with the sentinel value for unlabeled samples, in a dtype that `fit` accepts.

    "nan" is NaN among integers (scikit-learn's scorers reject them as objects beside None), and
    None among other labels.
    """
    if not is_unlabeled.any():
        return y
    if unlabeled == "nan" and y.dtype.kind in "iuf":
        return np.where(is_unlabeled, np.nan, y)
    if unlabeled == -1 and y.dtype.kind in "iu":
        return np.where(is_unlabeled, -1, y)
    values = y.astype(object)
    values[is_unlabeled] = None if unlabeled == "nan" else unlabeled
    return values
