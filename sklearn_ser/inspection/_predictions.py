"""Selection of predictions for displays, and given predictions as the result of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.metrics import cluster_interval, uar_score
from sklearn_ser.metrics._class_scores import count_classes
from sklearn_ser.metrics._intervals import MIN_CLUSTERS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: With fewer speakers an interval over them means little: their scores are drawn instead.
MIN_SPEAKERS = MIN_CLUSTERS
#: Name of the subplot of all corpora.
ALL = "all"


def estimator_names(result, estimators=None):
    """Return the names of the given estimators, or of all, in the order of the result."""
    known = list(dict.fromkeys(result.predictions["estimator"]))
    if estimators is None:
        return known
    names = [estimators] if isinstance(estimators, str) else list(estimators)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"estimators must be some of {known}, got {names}.")
    return names


def with_probabilities(part, columns, estimator):
    """Return the predictions that have probabilities; raise an error if none has."""
    if not {*columns} <= {*part.columns} or part[columns].isna().all(axis=None):
        raise ValueError(
            f"The estimator {estimator!r} has no probabilities in this result, but they are needed "
            f"for its confidence. Leave it out, or evaluate it inside "
            f"sklearn.calibration.CalibratedClassifierCV."
        )
    return part[part[columns].notna().all(axis=1)]


def split_by_corpus(part):
    """Return all predictions under "all", and those of each corpus under its name."""
    return {ALL: part} | {str(name): rows for name, rows in part.groupby("corpus")}


def recall_of(part, labels=None):
    """Return the UAR of some predictions over the label set, or over the classes present."""
    y_true = part["y_true"].to_numpy(dtype=object)
    return uar_score(y_true, part["y_pred"].to_numpy(dtype=object), labels=labels)


def recall_with_interval(part, labels):
    """Return `uar` over the label set, and its interval `low` to `high` over speakers."""
    uar = recall_of(part, labels)
    low = high = float("nan")
    if np.isfinite(uar) and part["speaker"].nunique() >= MIN_SPEAKERS:
        columns = ("y_true", "y_pred", "speaker")
        interval = cluster_interval(*(part[name].to_numpy(dtype=object) for name in columns))
        low, high = interval.low, interval.high
    return {"uar": uar, "low": low, "high": high}


def recall_tables(parts, labels):
    """Return the recalls of (columns as a dict, predictions), and those of their speakers."""
    rows, speaker_rows = [], []
    for key, part in parts:
        codes, names = pd.factorize(part["speaker"], sort=True)
        counts = {"utterances": part["row"].nunique(), "speakers": len(names)}
        rows.append({**key, **recall_with_interval(part, labels), **counts})
        own = zip(names, _recalls_by_code(part, codes, len(names)), strict=True)
        speaker_rows += [{**key, "speaker": name, "uar": uar} for name, uar in own]
    return pd.DataFrame(rows), pd.DataFrame(speaker_rows)


def _recalls_by_code(part, codes, n):
    """Return the UAR of each of n groups over the classes present in it."""
    known = codes >= 0
    y_true, y_pred = (part[name].to_numpy(dtype=object)[known] for name in ("y_true", "y_pred"))
    counts = count_classes(y_true, y_pred, None, group=codes[known], n_groups=n)
    present = counts.true > 0
    recalls = np.divide(counts.correct, counts.true, out=np.zeros(present.shape), where=present)
    return recalls.sum(axis=1) / present.sum(axis=1)


def select(table, **values):
    """Return the rows of a table with the given values of columns."""
    for name, value in values.items():
        table = table[table[name] == value]
    return table


def scores_by(table, *columns):
    """Return the scores of speakers by the values of columns."""
    return {key: rows["uar"].to_numpy() for key, rows in table.groupby([*columns], sort=False)}


def check_frame(frame, part):
    """Raise an error if `frame` cannot be the table that was evaluated."""
    if len(frame) <= part["row"].max():
        raise ValueError(
            f"frame has {len(frame)} rows, but row {part['row'].max()} was evaluated. Pass the "
            f"table that cross_corpus_validate was called with."
        )
    for name in ("speaker", "corpus"):
        if name not in frame.columns:
            continue
        given = frame[name].to_numpy(dtype=object)[part["row"].to_numpy()]
        differ = np.flatnonzero(given != part[name].to_numpy(dtype=object))
        if len(differ):
            row = part["row"].iloc[differ[0]]
            raise ValueError(
                f"frame is not the table that was evaluated: its row {row} has the {name} "
                f"{given[differ[0]]!r}, but {part[name].iloc[differ[0]]!r} was evaluated there. "
                f"Pass the table that cross_corpus_validate was called with."
            )


def result_of_predictions(
    y_true: ArrayLike,
    y_pred: ArrayLike | None = None,
    *,
    y_proba: ArrayLike | None = None,
    labels: Sequence | None = None,
    corpus: ArrayLike | None = None,
    speaker: ArrayLike | None = None,
    name: str = "estimator",
) -> EvaluationResult:
    """Return given predictions as the result of an evaluation."""
    check_consistent_length(y_true, y_pred, y_proba, corpus, speaker)
    y_true = np.asarray(y_true, dtype=object)
    labels = sorted(set(y_true), key=str) if labels is None else list(labels)
    table = {}
    if y_proba is not None:
        probabilities = np.asarray(y_proba, dtype=float)
        if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
            raise ValueError(
                f"y_proba has the shape {probabilities.shape}, but must have one column for each "
                f"of the {len(labels)} labels {labels}."
            )
        table = {
            f"p_{label}": column for label, column in zip(labels, probabilities.T, strict=True)
        }
        if y_pred is None:
            known = np.isfinite(probabilities).all(axis=1)
            best = np.where(known[:, None], probabilities, 0.0).argmax(axis=1)
            y_pred = np.where(known, np.asarray(labels, dtype=object)[best], None)
    y_pred = np.asarray(y_pred, dtype=object)
    predictions = pd.DataFrame(
        {
            "estimator": name,
            "setting": "single",
            "seed": 0,
            "fold": "",
            "train": "",
            "row": np.arange(len(y_true)),
            "corpus": "" if corpus is None else np.asarray(corpus, dtype=object),
            "speaker": 0 if speaker is None else np.asarray(speaker, dtype=object),
            "y_true": y_true,
            "y_pred": y_pred,
            "failed": pd.isna(y_pred),
            **table,
        }
    )
    return EvaluationResult(predictions, labels=labels, protocol="predictions")
