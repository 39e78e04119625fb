"""Layout of the table of predictions that an evaluation returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

#: Version of stored folds and results.
FORMAT = 3
#: Settings: each utterance predicted on its own, or with the other unlabeled test utterances.
SINGLE = "single"
TRANSDUCTIVE = "transductive"
#: Value of the column `corpus` for the mean over the test corpora.
MEAN = "mean"


def probability_columns(labels: Iterable) -> list[str]:
    """Return the names of the probability columns of a table of predictions."""
    return [f"p_{label}" for label in labels]


def as_labels(values: pd.Series | Sequence, labels: Iterable) -> pd.Series:
    """Replace values read from a file by the equal objects of `labels`, None where missing."""
    same = {label: label for label in labels}
    restored = [None if pd.isna(value) else same.get(value, value) for value in values]
    return pd.Series(restored, index=getattr(values, "index", None), dtype=object)
