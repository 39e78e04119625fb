"""Utterances that an estimator misclassified with high confidence."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._predictions_table import probability_columns
from sklearn_ser.inspection._plotting import shared_parameters
from sklearn_ser.inspection._predictions import check_frame, with_probabilities
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from sklearn_ser.evaluation import EvaluationResult

#: Columns of a frame that identify a recording.
_RECORDING_COLUMNS = ("file", "start", "end", "text", "gender")


@public_module("sklearn_ser.inspection")
@shared_parameters
def confident_errors(
    result: EvaluationResult,
    estimator: str,
    frame: pd.DataFrame | None = None,
    n: int = 5,
    *,
    setting: Literal["single", "transductive"] | None = None,
) -> pd.DataFrame:
    """List, for each emotion, the misclassified utterances with the highest confidence.

    They are worth listening to: wrong or doubtful labels, damaged recordings and emotions that
    sound alike are frequent among them.

    Parameters
    ----------
    %(result)s
    estimator : str
        Name of an estimator with probabilities. They are averaged over seeds (and, in the protocol
        "pairwise", over the training corpora); the class with the highest mean is the prediction.
    frame : DataFrame, default=None
        Table that was evaluated: gives the columns `file`, `start`, `end`, `text` and `gender`, if
        it has them.
    n : int, default=5
        Largest number of utterances per true emotion.
    %(setting)s

    Returns
    -------
    DataFrame
        `y_true`, `y_pred`, `confidence` (mean probability of `y_pred`), `p_true` (mean probability
        of `y_true`), `corpus`, `speaker`, `row` (position in the evaluated table), and the columns
        of `frame`; sorted by emotion and descending confidence.

    Raises
    ------
    ValueError
        If there is no such estimator or setting, it has no probabilities, `n` is below 1, or
        `frame` is not the table that was evaluated.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_ser import GroupScaler, cross_corpus_validate, load_features
    >>> from sklearn_ser.inspection import confident_errors
    >>> data = load_features("egemaps")
    >>> few = data.frame.groupby(["speaker", "emotion"]).head(1)
    >>> model = make_pipeline(GroupScaler(by="corpus"), LogisticRegression(C=0.01))
    >>> result = cross_corpus_validate({"lr": model}, few, X=data.X.iloc[few.index], aux=())
    >>> errors = confident_errors(result, "lr", few, n=1)
    >>> list(errors.columns)
    ['y_true', 'y_pred', 'confidence', 'p_true', 'corpus', 'speaker', 'row', 'file', 'text',
     'gender']
    """
    if not isinstance(n, Integral) or n < 1:
        raise ValueError(f"n must be an integer of at least 1, got {n!r}.")
    predictions = result._of(estimator, setting)
    columns = probability_columns(result.labels)
    known = with_probabilities(predictions, columns, estimator)
    means = known.groupby("row")[columns].mean()
    rows = known.drop_duplicates("row").set_index("row").loc[means.index]
    values = means.to_numpy()
    labels = np.asarray(result.labels, dtype=object)
    y_true = rows["y_true"].to_numpy(dtype=object)
    codes = np.array([result.labels.index(label) for label in y_true], dtype=int)
    table = pd.DataFrame(
        {
            "y_true": y_true,
            "y_pred": labels[values.argmax(axis=1)],
            "confidence": values.max(axis=1),
            "p_true": values[np.arange(len(values)), codes],
            "corpus": rows["corpus"].to_numpy(),
            "speaker": rows["speaker"].to_numpy(),
            "row": rows.index.to_numpy(),
            "code": codes,
        }
    )
    table = table[table["y_pred"].to_numpy(dtype=object) != y_true]
    table = table.sort_values(["code", "confidence"], ascending=[True, False], kind="stable")
    table = table.groupby("code").head(n).drop(columns="code").reset_index(drop=True)
    if frame is not None:
        check_frame(frame, predictions)
        for name in _RECORDING_COLUMNS:
            if name in frame.columns:
                table[name] = frame[name].to_numpy(dtype=object)[table["row"]]
    return table
