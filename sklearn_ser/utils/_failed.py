"""Rows whose audio failed: all NaN (DESIGN, "Failed audio").

An extractor with ``on_error="warn"`` or ``"ignore"`` gives a row of NaN. Scalers let it through,
trainers drop and report it, evaluators count it as a miss and report it. A row with only some
NaN is not a failed one: estimators refuse it as scikit-learn's own do.
"""

import numpy as np
import pandas as pd


def failed_rows(X):
    """Which rows of a 2-D table are entirely NaN.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    ndarray of bool of shape (n_samples,)
    """
    values = X.to_numpy() if isinstance(X, pd.DataFrame) else np.asarray(X)
    if values.ndim != 2 or values.dtype.kind != "f" or values.shape[1] == 0:
        return np.zeros(len(values), dtype=bool)
    # A failed row has NaN in its first column: look at the rest of only those rows.
    failed = np.isnan(values[:, 0])
    failed[failed] = np.isnan(values[failed]).all(axis=1)
    return failed
