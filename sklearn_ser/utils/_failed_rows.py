"""Rows whose audio failed: all NaN (DESIGN, "Failed audio").

An extractor with ``on_error="warn"`` or ``"ignore"`` gives a row of NaN. Scalers let it through,
trainers drop and report it, evaluators count it as a miss and report it. A row with only some
NaN is not a failed one: estimators refuse it as scikit-learn's own do.
"""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length, column_or_1d

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.utils._frames import as_sequences, is_frames
from sklearn_ser.utils._warnings import warn_user


def failed_rows(X):
    """Which rows of a table are entirely NaN, or have no frame sequence.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), or frame sequences (see `utils._frames`)

    Returns
    -------
    ndarray of bool of shape (n_samples,)
    """
    if is_frames(X):
        return np.array([sequence is None for sequence in as_sequences(X)], dtype=bool)
    values = X.to_numpy() if isinstance(X, pd.DataFrame) else np.asarray(X)
    if values.ndim != 2 or values.dtype.kind != "f" or values.shape[1] == 0:
        return np.zeros(len(values), dtype=bool)
    # A failed row has NaN in its first column: look at the rest of only those rows.
    failed = np.isnan(values[:, 0])
    failed[failed] = np.isnan(values[failed]).all(axis=1)
    return failed


def warn_failed_rows(failed):
    """Warn that a fit goes on without the failed rows; raise where nothing would be left.

    Parameters
    ----------
    failed : ndarray of bool of shape (n_samples,)
    """
    positions = np.flatnonzero(failed)
    if not len(positions):
        return
    if failed.all():
        raise ValueError(
            f"all {len(failed)} rows of X are entirely NaN (failed audio): nothing to train on."
        )
    most = 5
    shown = ", ".join(map(str, positions[:most]))
    more = f" and {len(positions) - most} more" if len(positions) > most else ""
    warn_user(
        f"{len(positions)} of {len(failed)} rows of X are entirely NaN (failed audio) and are "
        f"left out of training: row{'s' if len(positions) > 1 else ''} {shown}{more}",
        TrainingWarning,
    )


def insert_missing_rows(values, failed):
    """Spread `values` (of the rows that are not failed) over all rows, with missing ones between.

    Missing is NaN in numbers, and None in anything else (in an object array).
    """
    if not failed.any():
        return values
    if values.dtype.kind in "iuf":
        dtype = values.dtype if values.dtype.kind == "f" else np.float64
        full = np.full((len(failed), *values.shape[1:]), np.nan, dtype=dtype)
    else:
        full = np.full((len(failed), *values.shape[1:]), None, dtype=object)
    full[~failed] = values
    return full


def accuracy_with_missing(y, predicted, sample_weight=None):
    """Accuracy, where a missing prediction (failed audio) counts as a miss.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    predicted : ndarray of shape (n_samples,)
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
    """
    truth, predicted = column_or_1d(y).astype(object), predicted.astype(object)
    check_consistent_length(predicted, truth, sample_weight)
    return float(np.average(predicted == truth, weights=sample_weight))
