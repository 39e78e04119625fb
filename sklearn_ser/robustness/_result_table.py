"""Result tables of robustness: scores and predictions of each estimator under each condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import cluster_interval, uar_score
from sklearn_ser.metrics._validation import as_labels, check_no_missing
from sklearn_ser.utils._alignment import check_row_orders
from sklearn_ser.utils._ids import find_id

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class EvaluatedRows:
    """The labels and speakers of the rows that are predicted.

    Speakers that are not given are those of the column or index level ``speaker`` of X, if any.
    """

    def __init__(self, X: Any, y_true: ArrayLike, speaker: ArrayLike | None):
        self.y_true = as_labels(y_true, "y")
        check_no_missing(self.y_true, "y")
        speakers = find_id(X, "speaker") if speaker is None else speaker
        self.speaker = None if speakers is None else np.asarray(speakers, dtype=object)
        for name, values in {"X": X, "speaker": self.speaker}.items():
            if values is not None and len(values) != len(self.y_true):
                raise MetadataError(
                    f"{name} has {len(values)} rows and y has {len(self.y_true)}. Give one value "
                    "for each row."
                )
        check_row_orders(X, y_true, {} if speaker is None else {"speaker": speaker})
        self.n_classes = len(pd.unique(self.y_true))

    def scores(self, y_pred: np.ndarray, y_pred_clean: np.ndarray) -> dict[str, float]:
        """Return UAR with its interval, accuracy, and the share of changed predictions."""
        low = high = np.nan
        n_speakers = 0
        if self.speaker is not None:
            interval = cluster_interval(self.y_true, y_pred, self.speaker)
            low, high, n_speakers = interval.low, interval.high, interval.n_clusters
        return {
            "uar": uar_score(self.y_true, y_pred),
            "uar_low": low,
            "uar_high": high,
            "accuracy": float(np.mean(y_pred == self.y_true)),
            "changed": float(np.mean(y_pred != y_pred_clean)),
            "n_rows": len(self.y_true),
            "n_speakers": n_speakers,
            "n_classes": self.n_classes,
        }

    def predictions(self, y_pred: np.ndarray, **condition: Any) -> pd.DataFrame:
        """Return a table with one row per prediction."""
        table = pd.DataFrame(condition, index=range(len(self.y_true)))
        table["row"] = np.arange(len(self.y_true))
        if self.speaker is not None:
            table["speaker"] = self.speaker
        # As objects, or pandas would turn None among strings into NaN.
        return table.assign(
            y_true=pd.Series(self.y_true, dtype=object), y_pred=pd.Series(y_pred, dtype=object)
        )
