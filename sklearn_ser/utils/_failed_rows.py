"""Rows of failed audio: rows that are entirely NaN.

An extractor with ``on_error="warn"`` or ``"ignore"`` returns a row of NaN. Scalers pass it on,
training leaves it out with a warning, and evaluation counts it as incorrect and reports it. A row
that is partly NaN is not failed audio: estimators reject it, like those of scikit-learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length, column_or_1d

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.utils._frames import as_sequences, is_frames
from sklearn_ser.utils._ids import rows_text
from sklearn_ser.utils._unlabeled import labeled_rows
from sklearn_ser.utils._warnings import warn_user


def failed_rows(X: Any) -> np.ndarray:
    """Return the mask of the rows of X that are entirely NaN, or have no frame sequence."""
    if is_frames(X):
        return np.array([sequence is None for sequence in as_sequences(X)], dtype=bool)
    values = X.to_numpy() if isinstance(X, pd.DataFrame) else np.asarray(X)
    if values.ndim != 2 or values.dtype.kind != "f" or values.shape[1] == 0:
        return np.zeros(len(values), dtype=bool)
    # Only rows with NaN in the first column can be failed.
    failed = np.isnan(values[:, 0])
    failed[failed] = np.isnan(values[failed]).all(axis=1)
    return failed


def warn_failed_rows(failed: np.ndarray) -> None:
    """Warn that the rows of a mask are left out of training; raise if no row is left."""
    if not failed.any():
        return
    if failed.all():
        raise ValueError(
            f"all {len(failed)} rows of X are entirely NaN (failed audio): nothing to train on."
        )
    warn_user(
        f"{failed.sum()} of {len(failed)} rows of X are entirely NaN (failed audio) and are "
        f"left out of training: {rows_text(failed)}",
        TrainingWarning,
    )


def insert_missing_rows(values, failed):
    """Insert missing values for the failed rows into the values of the other rows.

    Missing numbers are NaN; other missing values are None, in an object array.
    """
    if not failed.any():
        return values
    is_number = values.dtype.kind in "iuf"
    dtype = object if not is_number else values.dtype if values.dtype.kind == "f" else np.float64
    shape = (len(failed), *values.shape[1:])
    full = np.full(shape, np.nan if is_number else None, dtype=dtype)
    full[~failed] = values
    return full


def accuracy_with_missing(y_true, y_pred, sample_weight=None, unlabeled=None):
    """Compute the accuracy of labeled samples; a missing prediction counts as incorrect."""
    y_true, y_pred = column_or_1d(y_true).astype(object), y_pred.astype(object)
    check_consistent_length(y_pred, y_true, sample_weight)
    labeled = labeled_rows(y_true, unlabeled)
    if not labeled.any():
        return float("nan")
    weights = None if sample_weight is None else np.asarray(sample_weight)[labeled]
    return float(np.average(y_pred[labeled] == y_true[labeled], weights=weights))
