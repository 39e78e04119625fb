"""The figures of one estimator under one condition, as a row of a table."""

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import cluster_interval, uar_score
from sklearn_ser.metrics._labels import as_labels, refuse_missing
from sklearn_ser.utils._alignment import check_row_orders
from sklearn_ser.utils._ids import find_id


class Rows:
    """What is known of the rows that are predicted.

    Parameters
    ----------
    X : object
    y : array-like of shape (n_rows,)
    speaker : array-like of shape (n_rows,), or None
        None: the column or index level ``speaker`` of X, if there is one.
    """

    def __init__(self, X, y, speaker):
        self.truth = as_labels(y, "y")
        refuse_missing(self.truth, "leave these rows out.", name="y")
        found = find_id(X, "speaker") if speaker is None else speaker
        self.speaker = None if found is None else np.asarray(found, dtype=object)
        for name, values in {"X": X, "speaker": self.speaker}.items():
            if values is not None and len(values) != len(self.truth):
                raise MetadataError(
                    f"{name} has {len(values)} rows and y has {len(self.truth)}: they must be "
                    "aligned, row by row"
                )
        check_row_orders(X, y, {} if speaker is None else {"speaker": speaker})
        self.n_classes = len(pd.unique(self.truth))

    def figures(self, predicted, clean):
        """UAR with its interval, accuracy, and share of decisions that differ from `clean`."""
        low = high = np.nan
        n_speakers = 0
        if self.speaker is not None:
            # However few speakers: n_speakers stands beside it.
            found = cluster_interval(self.truth, predicted, self.speaker, min_clusters=2)
            low, high, n_speakers = found.low, found.high, found.n_clusters
        return {
            "uar": uar_score(self.truth, predicted),
            "uar_low": low,
            "uar_high": high,
            "accuracy": float(np.mean(predicted == self.truth)),
            "changed": float(np.mean(predicted != clean)),
            "n_rows": len(self.truth),
            "n_speakers": n_speakers,
            "n_classes": self.n_classes,
        }

    def predictions(self, predicted, **condition):
        """One row per utterance."""
        table = pd.DataFrame(condition, index=range(len(self.truth)))
        table["row"] = np.arange(len(self.truth))
        if self.speaker is not None:
            table["speaker"] = self.speaker
        labels = {"truth": self.truth, "prediction": predicted}
        # As objects, or pandas makes NaN of None among strings.
        return table.assign(
            **{name: pd.Series(part, dtype=object) for name, part in labels.items()}
        )


def spread_out(predicted, failed):
    """Predictions of all rows, None in those that failed."""
    full = np.full(len(failed), None, dtype=object)
    full[~failed] = predicted
    return full
