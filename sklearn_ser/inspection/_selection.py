"""What displays draw: parts of an evaluation's predictions, and results made of predictions."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.metrics import cluster_interval, uar_score
from sklearn_ser.metrics._intervals import MIN_CLUSTERS

#: With fewer, an interval over speakers says little: the speakers themselves are drawn.
FEWEST_SPEAKERS = MIN_CLUSTERS


def estimator_names(result, estimators=None):
    """Names of the estimators asked for, or of all, in the order of the result."""
    known = list(dict.fromkeys(result.predictions["estimator"]))
    if estimators is None:
        return known
    asked = [estimators] if isinstance(estimators, str) else list(estimators)
    strangers = [name for name in asked if name not in known]
    if strangers or not asked:
        raise ValueError(f"no estimator {strangers} in this result: it has {known}")
    return asked


def predictions_of(result, estimator, setting=None):
    """Predictions of one estimator in one setting; transductive by default, where it is."""
    return result._of(estimator, setting)


def recall_of(part, labels=None):
    """UAR of a part of the predictions: of the label set, or of the classes present."""
    truth = part["y_true"].to_numpy(dtype=object)
    return uar_score(truth, part["y_pred"].to_numpy(dtype=object), labels=labels)


def recall_with_interval(part, labels):
    """UAR of a part over the label set and its interval over speakers, rows of all seeds pooled.

    Returns
    -------
    dict of str to float
        `uar` (NaN where a label is absent), `low` and `high` (NaN with it, and with fewer than 8
        speakers).
    """
    uar = recall_of(part, labels)
    low = high = float("nan")
    if np.isfinite(uar) and part["speaker"].nunique() >= FEWEST_SPEAKERS:
        columns = ("y_true", "y_pred", "speaker")
        found = cluster_interval(
            *(part[name].to_numpy(dtype=object) for name in columns), min_clusters=FEWEST_SPEAKERS
        )
        low, high = found.low, found.high
    return {"uar": uar, "low": low, "high": high}


def speaker_recalls(part):
    """The mean recall of each speaker, over the classes that the speaker has; seeds pooled."""
    return pd.Series({name: recall_of(rows) for name, rows in part.groupby("speaker", sort=True)})


def refuse_another_frame(frame, part):
    """Raise where `frame` cannot be the table that was evaluated, whose positions `row` are."""
    if len(frame) <= part["row"].max():
        raise ValueError(
            f"frame has {len(frame)} rows, but row {part['row'].max()} was evaluated: give the "
            f"table that cross_corpus_validate was given"
        )
    for name in ("speaker", "corpus"):
        if name not in frame.columns:
            continue
        there = frame[name].to_numpy(dtype=object)[part["row"].to_numpy()]
        other = np.flatnonzero(there != part[name].to_numpy(dtype=object))
        if len(other):
            row = part["row"].iloc[other[0]]
            raise ValueError(
                f"frame is not what was evaluated: its row {row} is of the {name} "
                f"{there[other[0]]!r}, but {part[name].iloc[other[0]]!r} was evaluated there"
            )


def result_of_predictions(
    y_true, y_pred=None, *, y_proba=None, labels=None, corpus=None, speaker=None, name="estimator"
):
    """An evaluation's result made of predictions from elsewhere, so that displays draw it alike.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
    y_pred : array-like of shape (n_rows,), default=None
        By default the class of the highest probability.
    y_proba : array-like of shape (n_rows, n_labels), default=None
    labels : sequence, default=None
        By default the sorted values of `y_true`.
    corpus, speaker : array-like of shape (n_rows,), default=None
        None: all rows are of one corpus; every row is its own speaker.
    name : str, default="estimator"

    Returns
    -------
    EvaluationResult
    """
    check_consistent_length(y_true, y_pred, y_proba, corpus, speaker)
    truth = np.asarray(y_true, dtype=object)
    labels = sorted(set(truth), key=str) if labels is None else list(labels)
    table = {}
    if y_proba is not None:
        probabilities = np.asarray(y_proba, dtype=float)
        if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
            raise ValueError(
                f"y_proba must have one column for each of the {len(labels)} labels {labels}, got "
                f"the shape {probabilities.shape}"
            )
        table = {
            f"p_{label}": column for label, column in zip(labels, probabilities.T, strict=True)
        }
        if y_pred is None:
            known = np.isfinite(probabilities).all(axis=1)
            best = np.where(known[:, None], probabilities, 0.0).argmax(axis=1)
            y_pred = np.where(known, np.asarray(labels, dtype=object)[best], None)
    predicted = np.asarray(y_pred, dtype=object)
    rows = np.arange(len(truth))
    predictions = pd.DataFrame(
        {
            "estimator": name,
            "setting": "single",
            "seed": 0,
            "fold": "",
            "train": "",
            "row": rows,
            "corpus": "" if corpus is None else np.asarray(corpus, dtype=object),
            "speaker": rows if speaker is None else np.asarray(speaker, dtype=object),
            "y_true": truth,
            "y_pred": predicted,
            "failed": pd.isna(predicted),
            **table,
        }
    )
    return EvaluationResult(predictions, labels=labels, protocol="predictions")
