"""From what the folds gave to the tables of an EvaluationResult."""

from collections import Counter
from pathlib import Path

import pandas as pd

from sklearn_ser.evaluation._fold import SINGLE, TRANSDUCTIVE, probability_columns

_AS_TEXT = ("file", "gender", "language", "naturalness", "text", "recording")
_OF_UTTERANCES = (*_AS_TEXT, "start", "end")


def tidy_predictions(jobs, tables, data):
    """All folds' predictions as one table, in the order of the jobs.

    An estimator that used its batch in some folds has both settings in all of them: where it did
    not, the two are the same, and a score pools every utterance in either.
    """
    transductive = {
        job.name
        for job, table in zip(jobs, tables, strict=True)
        if (table["setting"] == TRANSDUCTIVE).any()
    }
    parts = []
    for job, table in zip(jobs, tables, strict=True):
        if job.name in transductive and (table["setting"] == SINGLE).all():
            table = pd.concat([table.assign(setting=TRANSDUCTIVE), table], ignore_index=True)
        position = table["position"].to_numpy()
        parts.append(
            pd.DataFrame(
                {
                    "estimator": job.name,
                    "setting": table["setting"],
                    "seed": job.seed,
                    "fold": job.fold.name,
                    "train": job.fold.train_corpora,
                    "row": data.row[position],
                    "corpus": data.corpus[position],
                    "speaker": data.speaker[position],
                    "y_true": as_labels(data.y[position], data.labels),
                    "y_pred": as_labels(table["y_pred"], data.labels),
                    "failed": table["failed"],
                }
            ).join(table[probability_columns(data.labels)])
        )
    return pd.concat(parts, ignore_index=True)


def collect_notes(jobs, tables):
    """What was warned about, once per estimator, and in how many fits."""
    counts = Counter(
        (job.name, note)
        for job, table in zip(jobs, tables, strict=True)
        for note in table.attrs.get("notes", [])
    )
    rows = [(name, note, fits) for (name, note), fits in counts.items()]
    return pd.DataFrame(rows, columns=["estimator", "note", "fits"])


def seconds_of(jobs, tables):
    """What the folds of each estimator took, fit and predictions, wherever they were computed."""
    seconds = Counter()
    for job, table in zip(jobs, tables, strict=True):
        seconds[job.name] += table.attrs.get("seconds", 0.0)
    return {name: round(found, 3) for name, found in seconds.items()}


def known_of_utterances(frame, rows):
    """What a frame says of these rows that one may group by, or look them up by.

    Returns
    -------
    pandas.DataFrame
        Of object, None where missing; indexed by `rows`. Audio in memory is left out.
    """
    found = {}
    for name in _OF_UTTERANCES:
        if name not in frame:
            continue
        values = frame[name].iloc[rows]
        if all(pd.api.types.is_scalar(value) or isinstance(value, Path) for value in values):
            found[name] = [
                None if pd.isna(value) else str(value) if name in _AS_TEXT else value
                for value in values
            ]
    return pd.DataFrame(found, index=pd.Index(rows, name="row"))


def collect_failures(records_of_all, data):
    """Utterances whose audio could not be used: row of the evaluated frame, file, reason."""
    seen = {}
    for records in records_of_all:
        for record in records:
            row = int(data.row[record["row"]])
            seen.setdefault((row, record["reason"]), (row, record["file"], record["reason"]))
    ordered = sorted(seen.values(), key=lambda found: found[0])
    return pd.DataFrame(ordered, columns=["row", "file", "reason"])


def as_labels(values, labels):
    """`values` as the very objects in `labels`, None where missing, whatever a file made of them.

    Returns
    -------
    pandas.Series of object
    """
    same = {label: label for label in labels}
    found = [None if pd.isna(value) else same.get(value, value) for value in values]
    return pd.Series(found, index=getattr(values, "index", None), dtype=object)
