"""What is evaluated: rows with a label of the fixed set, their X, targets and ids, aligned."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sklearn_ser.evaluation._extraction import with_ids
from sklearn_ser.evaluation._unlabeled import Marks
from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.utils._alignment import check_row_order
from sklearn_ser.utils._frames import as_sequences, frames_table, is_frames
from sklearn_ser.utils._ids import ID_COLUMNS
from sklearn_ser.utils._unlabeled import append_unlabeled, labeled_rows

AUDIO_COLUMNS = ("file", "start", "end")


@dataclass
class EvaluationData:
    """Aligned tables, one row per evaluated utterance; those without a label stand last.

    Attributes
    ----------
    X : pandas.DataFrame
        Audio and id columns (`is_audio`), or features with the ids as index levels.
    is_audio : bool
    y : ndarray of object, int or bool
        Of the labeled rows: the first ones. All, unless unlabeled rows are trained on.
    kept_together : ndarray of object
        The speaker, or one name for speakers who share a recording: never on both sides.
    aux : pandas.DataFrame or None
    ids : pandas.DataFrame
        The id columns known of each row; `corpus` and `speaker` always.
    row : ndarray of int
        Position of each row in the frame that was given.
    labels : list
        The fixed label set, sorted.
    dropped : pandas.DataFrame
        How many rows are not tested, by corpus, label and reason.
    marks : Marks
        How each estimator knows rows without a label.
    """

    X: pd.DataFrame
    is_audio: bool
    y: np.ndarray
    kept_together: np.ndarray
    aux: pd.DataFrame | None
    ids: pd.DataFrame
    row: np.ndarray
    labels: list
    dropped: pd.DataFrame
    marks: Marks

    @property
    def corpus(self):
        return self.ids["corpus"].to_numpy(dtype=object)

    @property
    def speaker(self):
        return self.ids["speaker"].to_numpy(dtype=object)

    def targets(self, mark):
        """Return y of all rows, with the sentinel value `mark` for the unlabeled ones."""
        return append_unlabeled(self.y, len(self.row) - len(self.y), mark)

    def metadata(self):
        """What `fit` may ask for, by name; `speaker` names those who must stay together."""
        given = {name: self.ids[name] for name in self.ids}
        given["speaker"] = pd.Series(self.kept_together, index=self.ids.index, name="speaker")
        return given if self.aux is None else given | {"aux": self.aux}


def select_data(estimators, frame, *, X, y, aux, corpus, speaker, labels):
    """Check the tables against each other and keep the rows of the fixed label set.

    Rows without a label are kept too, behind the others, where one of the estimators (a dict of
    name to estimator) learns from them; where one is told of them and cannot, a warning says why.
    """
    marks = Marks(estimators)
    if not isinstance(frame, pd.DataFrame):
        raise MetadataError(
            f"frame must be a pandas DataFrame with one row per utterance, such as Corpus.frame; "
            f"got {type(frame).__name__}"
        )
    check_row_order(X, frame, "X", "frame", default_counts=True)
    frame = frame.reset_index(drop=True)
    aux = [aux] if isinstance(aux, str) else list(aux or ())
    _require_columns(frame, {"y": [y], "corpus": [corpus], "speaker": [speaker], "aux": aux})
    if y in aux:
        raise MetadataError(f"aux={aux} holds {y!r}, which is the label itself: leave it out")
    if isinstance(X, list | tuple) and any(isinstance(name, str) and name == y for name in X):
        raise MetadataError(f"X holds the column {y!r}, which is the label itself: leave it out")
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
    truth = _as_plain_labels(frame[y])
    if -1 in marks.told.values():
        truth = truth.where(labeled_rows(truth, -1), None)
    labels = _fixed_labels(truth, frame[corpus], labels)
    labeled = np.flatnonzero(truth.isin(labels))
    is_used = any(mark is not None for mark in marks.used.values())
    known = np.append(labeled, np.flatnonzero(~labeled_rows(truth)))
    kept = known if is_used else labeled
    ids = pd.DataFrame({name: frame[name] for name in ID_COLUMNS if name in frame})
    # Names as text: numbers and texts mixed could neither be sorted nor saved.
    ids = ids.assign(corpus=frame[corpus].astype(str), speaker=frame[speaker].astype(str))
    ids = ids.astype(object)
    # Who is linked does not depend on which estimators there are: folds are the same for all.
    kept_together = _joined_by_recording(ids.iloc[known])[: len(kept)]
    ids = ids.iloc[kept].reset_index(drop=True)
    X = X.iloc[kept].reset_index(drop=True)
    if is_audio:
        X = X.assign(**{name: ids[name] for name in ("corpus", "speaker")})
        _refuse_same_audio(X, ids, kept)
    else:
        _warn_of_same_features(X, ids, kept)
    dropped = _count_dropped(truth, frame[corpus], labels)
    marks.warn_of_left_out(dropped)
    return EvaluationData(
        X=X if is_audio else with_ids(X, ids),
        is_audio=is_audio,
        y=_as_targets(truth.iloc[labeled].tolist()),
        kept_together=kept_together,
        aux=frame[aux].iloc[kept].reset_index(drop=True) if aux else None,
        ids=ids,
        row=kept,
        labels=labels,
        dropped=dropped,
        marks=marks,
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
        X = frame[list(X)]
    if isinstance(X, pd.DataFrame):
        features = X.drop(columns=[name for name in ID_COLUMNS if name in X])
        is_numbers = all(features[name].dtype.kind in "fiub" for name in features)
        # Arrays in the column "file" are audio, whatever their shape.
        of_frames = "file" not in features and is_frames(features)
        return (features, False) if is_numbers or of_frames else (X, True)
    if is_frames(X):
        sequences = as_sequences(X)
        return frames_table(sequences, pd.RangeIndex(len(sequences)), ()), False
    X = np.asarray(X)
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        raise MetadataError(
            f"X must be None (audio), a list of frame's columns, a DataFrame, a 2-D array of "
            f"numbers or frame sequences aligned with frame; got an array of shape {X.shape} and "
            f"dtype {X.dtype}"
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
    same = {label: label for label in present}  # Python's own objects, not numpy's
    return sorted({same[label] for label in labels}, key=str)


def _as_plain_labels(column):
    """The labels as Python objects, None where missing; whole numbers as such.

    pandas turns a column of whole numbers into floats as soon as one is missing.
    """
    if pd.api.types.is_float_dtype(column.dtype):
        if (column.dropna() % 1 != 0).any():
            raise MetadataError(
                f"column {column.name!r} holds numbers that are not whole, such as "
                f"{column.dropna().iloc[0]}: it needs a class for each utterance"
            )
        column = column.astype("Int64")
    return column.astype(object).where(column.notna(), None)


def _as_targets(values):
    """Whole numbers and booleans as such (scikit-learn refuses them as objects), else objects."""
    array = np.asarray(values)
    return array if array.dtype.kind in "iub" else np.asarray(values, dtype=object)


def _joined_by_recording(ids):
    """Each row's speaker, or the first of the speakers who are linked by shared recordings."""
    speaker = ids["speaker"].to_numpy(dtype=object)
    if "recording" not in ids or ids["recording"].isna().all():
        return speaker
    known = ids["recording"].notna().to_numpy()
    speakers, names = pd.factorize(speaker)
    # Like recordings of two corpora are two recordings.
    pairs = pd.MultiIndex.from_frame(ids.loc[known, ["corpus", "recording"]])
    recordings, recording_names = pd.factorize(pairs)
    n_nodes = len(names) + len(recording_names)
    links = coo_array(
        (np.ones(known.sum()), (speakers[known], len(names) + recordings)), (n_nodes, n_nodes)
    )
    component = connected_components(links, directed=False)[1][: len(names)]
    first = {}
    joined = [first.setdefault(part, name) for part, name in zip(component, names, strict=True)]
    return np.asarray(joined, dtype=object)[speakers]


def _refuse_same_audio(X, ids, row):
    """One file in two rows would be tested on what it was trained on."""
    columns = [name for name in AUDIO_COLUMNS if name in X]
    if "file" not in columns:
        return
    paths = X[columns][[isinstance(cell, str | Path) for cell in X["file"]]].astype(str)
    again = paths.duplicated(keep=False)
    if again.any():
        first = paths[again].iloc[0]
        rows = paths.index[(paths == first).all(axis=1)][:2]
        corpora = " and ".join(repr(ids["corpus"][i]) for i in rows)
        raise MetadataError(
            f"{again.sum()} rows share their audio with another row: rows {row[rows[0]]} and "
            f"{row[rows[1]]} (corpora {corpora}) are both {first['file']!r}. Training and test "
            f"could hold the same speech; drop one of each"
        )


def _warn_of_same_features(X, ids, row):
    """Equal features of different speakers are most likely one recording under two names."""
    if is_frames(X):
        hashes = X.iloc[:, 0].map(joblib.hash)
    else:
        hashes = pd.util.hash_pandas_object(X, index=False)
    hashes = hashes[X.notna().any(axis=1)]
    speakers = ids["speaker"][hashes.index].groupby(hashes).nunique()
    if (speakers > 1).any():
        rows = hashes.index[hashes == speakers.index[speakers > 1][0]][:2]
        warnings.warn(
            f"{(speakers > 1).sum()} rows of features stand under several speakers (rows "
            f"{row[rows[0]]} and {row[rows[1]]}, speakers {ids['speaker'][rows[0]]!r} "
            f"and {ids['speaker'][rows[1]]!r}): training may hold the very speech that is tested",
            EvaluationWarning,
            stacklevel=4,
        )


def _count_dropped(truth, corpus, labels):
    dropped = pd.DataFrame({"corpus": corpus.astype(object), "label": truth})
    dropped = dropped[~truth.isin(labels)]
    reason = np.where(dropped["label"].isna(), "no label", "not in the label set")
    counted = dropped.assign(reason=reason).fillna({"label": ""})
    return counted.groupby(["corpus", "label", "reason"]).size().reset_index(name="rows")


def audio_fingerprint(X):
    """A hash of what the audio cells are: path, size and time of files; content of arrays."""
    return joblib.hash(
        [(name, [_cell_fingerprint(cell) for cell in X[name]]) for name in X.columns]
    )


def _cell_fingerprint(cell):
    if isinstance(cell, str | Path):
        path = Path(cell)
        if path.is_file():
            stat = path.stat()
            return str(cell), stat.st_size, stat.st_mtime_ns
        return str(cell)
    return joblib.hash(cell)
