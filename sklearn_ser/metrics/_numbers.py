"""Numbers as the metrics of regression take them: rows whose truth is known."""

import numpy as np
from sklearn.utils import check_consistent_length

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics._labels import listed
from sklearn_ser.metrics._weights import row_weights


def known_numbers(y_true, y_pred, sample_weight):
    """True values, predictions and weights of the rows that have a truth and a weight.

    Not every utterance of a corpus has a rating: None and NaN in `y_true` are left out, infinite
    values are refused.
    """
    truth, predicted = as_numbers(y_true, "y_true"), as_numbers(y_pred, "y_pred")
    check_consistent_length(truth, predicted, sample_weight)
    wrong = np.flatnonzero(np.isinf(truth))
    if len(wrong):
        raise MetadataError(
            f"y_true is not finite in {listed(wrong, 'row')}: drop these rows first."
        )
    weights = row_weights(sample_weight, len(truth))
    counted = (weights > 0) & ~np.isnan(truth)
    return truth[counted], predicted[counted], weights[counted]


def as_numbers(y, name):
    """`y` as a one-dimensional float array, None as NaN."""
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MetadataError(f"{name} must hold numbers: {error}.") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.ravel()
    if values.ndim != 1:
        raise MetadataError(
            f"{name} must have one value per row (one-dimensional), got the shape {values.shape}."
        )
    return values
