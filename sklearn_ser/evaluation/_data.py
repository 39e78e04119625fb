"""What is evaluated: rows with a label of the fixed set, their X, targets and ids, aligned."""

from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from sklearn_ser.evaluation._extraction import with_ids
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._ids import ID_COLUMNS

AUDIO_COLUMNS = ("file", "start", "end")


@dataclass
class EvaluationData:
    """Aligned tables, one row per evaluated utterance.

    Attributes
    ----------
    X : pandas.DataFrame
        Audio and id columns (`is_audio`), or features with the ids as index levels.
    is_audio : bool
    y : ndarray of object
    aux : pandas.DataFrame or None
    ids : pandas.DataFrame
        The id columns known of each row; `corpus` and `speaker` always.
    row : ndarray of int
        Position of each row in the frame that was given.
    labels : list
        The fixed label set, sorted.
    dropped : pandas.DataFrame
        How many rows were left out, by corpus, label and reason.
    """

    X: pd.DataFrame
    is_audio: bool
    y: np.ndarray
    aux: pd.DataFrame | None
    ids: pd.DataFrame
    row: np.ndarray
    labels: list
    dropped: pd.DataFrame

    @property
    def corpus(self):
        return self.ids["corpus"].to_numpy(dtype=object)

    @property
    def speaker(self):
        return self.ids["speaker"].to_numpy(dtype=object)


def select_data(frame, *, X, y, aux, corpus, speaker, labels):
    """Check the tables against each other and keep the rows of the fixed label set."""
    if not isinstance(frame, pd.DataFrame):
        raise MetadataError(
            f"frame must be a pandas DataFrame with one row per utterance, such as Corpus.frame; "
            f"got {type(frame).__name__}"
        )
    aux = [aux] if isinstance(aux, str) else list(aux or ())
    _require_columns(frame, {"y": [y], "corpus": [corpus], "speaker": [speaker], "aux": aux})
    for name in (corpus, speaker):
        missing = np.flatnonzero(frame[name].isna())
        if len(missing):
            raise MetadataError(
                f"column {name!r} has no value in {len(missing)} rows (first: row {missing[0]}): "
                f"every utterance needs one, or training and test cannot be kept apart"
            )
    X, is_audio = _choose_X(frame, X)
    if len(X) != len(frame):
        raise MetadataError(
            f"X has {len(X)} rows and frame has {len(frame)}: they must be aligned, row by row"
        )
    truth = frame[y].astype(object).where(frame[y].notna(), None)
    labels = _fixed_labels(truth, frame[corpus], labels)
    kept = np.flatnonzero(truth.isin(labels))
    ids = pd.DataFrame({name: frame[name] for name in ID_COLUMNS if name in frame})
    ids = ids.assign(corpus=frame[corpus], speaker=frame[speaker])
    ids = ids.astype(object).iloc[kept].reset_index(drop=True)
    X = X.iloc[kept]
    return EvaluationData(
        X=X.reset_index(drop=True) if is_audio else with_ids(X, ids),
        is_audio=is_audio,
        y=truth.to_numpy(dtype=object)[kept],
        aux=frame[aux].iloc[kept].reset_index(drop=True) if aux else None,
        ids=ids,
        row=kept,
        labels=labels,
        dropped=_count_dropped(truth, frame[corpus], labels),
    )


def _require_columns(frame, wanted):
    missing = {
        argument: [name for name in names if name not in frame.columns]
        for argument, names in wanted.items()
    }
    missing = {argument: names for argument, names in missing.items() if names}
    if missing:
        said = "; ".join(f"{argument}={names}" for argument, names in missing.items())
        raise MetadataError(
            f"frame lacks columns that were asked for: {said}. It has {list(frame.columns)}. "
            f"Name other columns, or leave auxiliary targets out with aux=()"
        )


def _choose_X(frame, X):
    """The table an estimator sees: never more than was asked for, so no target is in it."""
    if X is None:
        columns = [name for name in (*AUDIO_COLUMNS, *ID_COLUMNS) if name in frame.columns]
        if "file" not in columns:
            raise MetadataError(
                f"frame has no audio column 'file' (it has {list(frame.columns)}): give X, a list "
                f"of its columns or a table of features aligned with it"
            )
        return frame[columns], True
    if isinstance(X, list | tuple) and all(isinstance(name, str) for name in X):
        _require_columns(frame, {"X": list(X)})
        chosen = frame[list(X)]
        return chosen, any(chosen[name].dtype.kind not in "fiub" for name in chosen)
    if isinstance(X, pd.DataFrame):
        return X, any(X[name].dtype.kind not in "fiub" for name in X)
    X = np.asarray(X)
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        raise MetadataError(
            f"X must be None (audio), a list of frame's columns, a DataFrame or a 2-D array of "
            f"numbers aligned with frame; got an array of shape {X.shape} and dtype {X.dtype}"
        )
    return pd.DataFrame(X), False


def _fixed_labels(truth, corpus, labels):
    present = truth.dropna()
    if labels is None:
        by_corpus = [set(part) for _, part in present.groupby(corpus[present.index])]
        labels = set.intersection(*by_corpus) if by_corpus else set()
        hint = "no emotion is in all of them; give labels=, or map them with concat_corpora"
    else:
        absent = sorted(set(labels) - set(present), key=str)
        if absent:
            raise MetadataError(
                f"labels {absent} occur in no row; the data has {sorted(set(present), key=str)}"
            )
        hint = "give at least two"
    if len(labels) < 2:
        raise MetadataError(
            f"only {len(labels)} label(s) to tell apart over the corpora "
            f"{sorted(set(corpus))}: {hint}"
        )
    return sorted(labels, key=str)


def _count_dropped(truth, corpus, labels):
    dropped = pd.DataFrame({"corpus": corpus.astype(object), "label": truth})
    dropped = dropped[~truth.isin(labels)]
    reason = np.where(dropped["label"].isna(), "no label", "not in the label set")
    counted = dropped.assign(reason=reason).fillna({"label": ""})
    return counted.groupby(["corpus", "label", "reason"]).size().reset_index(name="rows")


def audio_fingerprint(X):
    """A hash of what the audio cells are: path, size and time of files; content of arrays."""
    return joblib.hash([[_cell_fingerprint(cell) for cell in X[name]] for name in X.columns])


def _cell_fingerprint(cell):
    if isinstance(cell, str | Path):
        path = Path(cell)
        if path.is_file():
            stat = path.stat()
            return str(cell), stat.st_size, stat.st_mtime_ns
        return str(cell)
    return joblib.hash(cell)
