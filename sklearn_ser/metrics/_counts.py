"""What every score of predicted classes is made of: counts of rows by class."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.metrics._labels import (
    as_labels,
    label_set,
    refuse_missing,
    refuse_mixed_kinds,
    truth_codes,
)
from sklearn_ser.metrics._weights import row_weights


class ClassCounts(NamedTuple):
    """Weights of rows by class, in the order of `classes`."""

    classes: pd.Index
    total: np.ndarray  #: of the rows that are of the class
    found: np.ndarray  #: of those among them that were predicted so
    predicted: np.ndarray  #: of the rows that were predicted so


def class_counts(y_true, y_pred, labels, sample_weight):
    """Counts of the classes in `labels`, or of those present in `y_true`; see `uar_score`.

    A missing prediction, or one outside the classes, counts for no class.
    """
    truth, predicted = as_labels(y_true, "y_true"), as_labels(y_pred, "y_pred")
    check_consistent_length(truth, predicted, sample_weight)
    refuse_missing(truth, "drop these rows first, or score with uar_scorer, which does.")
    classes = pd.Index(truth).unique() if labels is None else label_set(labels)
    refuse_mixed_kinds(truth, predicted, "y_pred", "no prediction could be right")

    true_codes, predicted_codes = truth_codes(truth, classes), classes.get_indexer(predicted)
    weights = row_weights(sample_weight, len(truth))
    inside = predicted_codes >= 0
    return ClassCounts(
        classes,
        np.bincount(true_codes, weights, minlength=len(classes)),
        np.bincount(true_codes, weights * (true_codes == predicted_codes), len(classes)),
        np.bincount(predicted_codes[inside], weights[inside], minlength=len(classes)),
    )
