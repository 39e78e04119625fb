"""Input of an evaluation: samples of the fixed label set with X, targets and ids, aligned."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import joblib
import numpy as np
import pandas as pd

from sklearn_ser.audio._decoding import is_decoder, is_open_file, path_of
from sklearn_ser.audio._derived import source_chain
from sklearn_ser.datasets import Corpus
from sklearn_ser.evaluation._audio_steps import with_ids
from sklearn_ser.evaluation._semi_supervised import find_obstacle
from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.model_selection._base import join_groups
from sklearn_ser.store._file_digests import FileDigests
from sklearn_ser.store._keys import content_digest, derived_digest
from sklearn_ser.utils._alignment import check_row_order
from sklearn_ser.utils._frames import as_sequences, frames_table, is_frames
from sklearn_ser.utils._ids import ID_COLUMNS, canonical_ids, check_column_names
from sklearn_ser.utils._ids import as_frame as table_as_frame
from sklearn_ser.utils._unlabeled import Sentinel, labeled_rows, mark_unlabeled, sentinel_of
from sklearn_ser.utils._warnings import warn_user

_REQUIRED_IDS = ("corpus", "speaker")
AUDIO_COLUMNS = ("file", "start", "end")


@dataclass
class EvaluationData:
    """Aligned tables, one row per utterance; unlabeled ones, if any estimator needs them, last."""

    #: Audio and id columns (`is_audio`), or features with the ids as index levels.
    X: pd.DataFrame
    is_audio: bool
    #: Labels of the labeled samples, of dtype object, int or bool.
    y: np.ndarray
    #: The speaker, or a common name of speakers who share a recording: never on both sides.
    kept_together: np.ndarray
    aux: pd.DataFrame | None
    #: Columns of `aux` that are known of every utterance, like its corpus.
    known_aux: tuple[str, ...]
    #: The id columns of the frame; `corpus` and `speaker` always.
    ids: pd.DataFrame
    #: Position of each sample in the frame.
    row: np.ndarray
    #: The fixed label set, sorted.
    labels: list
    #: Numbers of rows that are not tested, by corpus, label and reason.
    dropped: pd.DataFrame
    #: Sentinel value by name of the estimator; None if it is not trained on unlabeled samples.
    sentinels: dict[str, Sentinel | None]

    @property
    def corpus(self) -> np.ndarray:
        return self.ids["corpus"].to_numpy(dtype=object)

    @property
    def speaker(self) -> np.ndarray:
        return self.ids["speaker"].to_numpy(dtype=object)

    def targets(self, sentinel) -> np.ndarray:
        """Return y of all samples, with the sentinel value for unlabeled ones."""
        if sentinel is None:
            return self.y
        is_unlabeled = np.arange(len(self.row)) >= len(self.y)
        return mark_unlabeled(np.resize(self.y, len(self.row)), is_unlabeled, sentinel)

    def key_beside_X(self, n_rows: int) -> str:
        """Hash all that the folds of the first samples depend on, apart from X and y."""
        tables = [self.ids, pd.DataFrame({"kept_together": self.kept_together}), self.aux]
        digests = [None if table is None else table_digest(table.iloc[:n_rows]) for table in tables]
        return joblib.hash((digests, self.labels))

    def metadata(self) -> dict:
        """Return the metadata that `fit` may request; `speaker` holds the grouping."""
        metadata = {name: self.ids[name] for name in self.ids}
        metadata["speaker"] = pd.Series(self.kept_together, index=self.ids.index, name="speaker")
        return metadata if self.aux is None else metadata | {"aux": self.aux}


def as_frame(frame: Any) -> pd.DataFrame:
    """Return a table of utterances as a DataFrame; audio in its index becomes columns."""
    found, advice = f"a {type(frame).__name__}", ""
    if isinstance(frame, Corpus):
        frame = frame.frame
    elif isinstance(frame, type):
        found = f"the class {frame.__name__}"
    elif hasattr(frame, "to_pandas"):  # of polars, pyarrow and others
        frame = frame.to_pandas()
    elif isinstance(frame, Mapping):
        frame = pd.DataFrame(dict(frame))
    elif isinstance(frame, list | tuple) and all(isinstance(row, Mapping) for row in frame):
        frame = pd.DataFrame(list(frame))
    elif isinstance(frame, list | tuple) and all(isinstance(part, Corpus) for part in frame):
        advice = ". Join the corpora with concat_corpora"
    elif isinstance(frame, str | PathLike):
        advice = ". Load a corpus with load_corpus"
    elif hasattr(frame, "schemes") and hasattr(frame, "tables"):
        found = "a database of audformat"
        advice = ". Convert it with load_corpus"
    if not isinstance(frame, pd.DataFrame):
        raise MetadataError(
            f"frame is {found}, but must have one row per utterance: a DataFrame, a Corpus or a "
            f"list of dicts{advice}"
        )
    levels = [name for name in AUDIO_COLUMNS if name in frame.index.names and name not in frame]
    return frame.reset_index(levels) if levels else frame


def select_data(
    estimators, frame, *, X, y, aux, corpus, speaker, labels, unlabeled_test="exclude"
) -> EvaluationData:
    """Check the tables against each other and select the rows of the fixed label set.

    Unlabeled samples are selected too if one of the estimators can be trained on them.
    """
    check_column_names(frame, "frame")
    check_row_order(X, frame, "X", "frame", check_default_index=True)
    frame = frame.reset_index(drop=True)
    aux = [aux] if isinstance(aux, str) else list(aux or ())
    _check_columns(frame, {"y": [y], "corpus": [corpus], "speaker": [speaker], "aux": aux})
    if y in aux:
        raise MetadataError(f"aux={aux} holds {y!r}, which is the label itself: leave it out")
    X = table_as_frame(X)
    columns = X.columns if isinstance(X, pd.DataFrame) else X
    if isinstance(columns, list | tuple | pd.Index) and any(
        isinstance(name, str) and name == y for name in columns
    ):
        raise MetadataError(f"X holds the column {y!r}, which is the label itself: leave it out")
    named = {name: frame[name] for name in ID_COLUMNS if name in frame}
    named |= {"corpus": frame[corpus], "speaker": frame[speaker]}
    ids = pd.DataFrame(
        {name: canonical_ids(column) for name, column in named.items()}, dtype=object
    )
    for name, column in {"corpus": corpus, "speaker": speaker}.items():
        missing = np.flatnonzero(ids[name].isna())
        if len(missing):
            raise MetadataError(
                f"column {column!r} has no value in {len(missing)} rows (first: row {missing[0]}): "
                f"every utterance needs one, or training and test cannot be kept apart"
            )
    X, is_audio = _choose_X(frame, X, {*ID_COLUMNS, corpus, speaker})
    if len(X) != len(frame):
        raise MetadataError(
            f"X has {len(X)} rows and frame has {len(frame)}: they must be aligned, row by row"
        )
    configured = {name: sentinel_of(estimator) for name, estimator in estimators.items()}
    y_true = _as_plain_labels(frame[y])
    if -1 in configured.values():
        y_true = y_true.where(labeled_rows(y_true, -1), None)
    labels = _fixed_labels(y_true, ids["corpus"], labels)
    labeled = np.flatnonzero(y_true.isin(labels))
    unlabeled = np.flatnonzero(~labeled_rows(y_true))
    sentinels = _usable_sentinels(estimators, configured, len(unlabeled), unlabeled_test)
    is_used = any(sentinel is not None for sentinel in sentinels.values())
    selected = np.append(labeled, unlabeled) if is_used else labeled
    # Links do not depend on the estimators, so that the folds do not either.
    kept_together = _linked_speakers(ids.iloc[np.append(labeled, unlabeled)])[: len(selected)]
    dropped = _count_dropped(y_true, ids["corpus"], labels)
    ids = ids.iloc[selected].reset_index(drop=True)
    X = X.iloc[selected].reset_index(drop=True)
    if is_audio:
        X = X.assign(**{name: ids[name] for name in ids if name in X or name in _REQUIRED_IDS})
        _check_distinct_audio(X, ids, selected)
    else:
        _warn_of_same_features(X, ids, selected)
    return EvaluationData(
        X=X if is_audio else with_ids(X, ids),
        is_audio=is_audio,
        y=_as_targets(y_true.iloc[labeled].tolist()),
        kept_together=kept_together,
        aux=frame[aux].iloc[selected].reset_index(drop=True) if aux else None,
        known_aux=(corpus,),
        ids=ids,
        row=selected,
        labels=labels,
        dropped=dropped,
        sentinels=sentinels,
    )


def _usable_sentinels(estimators, configured, n_unlabeled, unlabeled_test):
    """Return sentinel values by name, None where unlabeled samples cannot be used, and warn."""
    if unlabeled_test == "train" and set(configured.values()) == {None}:
        raise ValueError(
            "unlabeled_test='train' has no effect: none of the estimators learns from unlabeled "
            "samples (unlabeled=None). Set their parameter `unlabeled`, or leave unlabeled_test at "
            "'exclude'."
        )
    sentinels = {}
    for name, sentinel in configured.items():
        obstacle = None if sentinel is None else find_obstacle(estimators[name], sentinel)
        sentinels[name] = sentinel if obstacle is None else None
        if obstacle is not None and (n_unlabeled or unlabeled_test == "train"):
            n_samples = "the samples under test and " if unlabeled_test == "train" else ""
            warn_user(
                f"{n_samples}{n_unlabeled} unlabeled samples are left out of the training of "
                f"{name!r}, although it has unlabeled={sentinel!r}: {obstacle}. To leave them out "
                "without a warning, set unlabeled=None.",
                EvaluationWarning,
            )
    return sentinels


def _check_columns(frame, wanted):
    missing = [
        f"{argument}={absent}"
        for argument, names in wanted.items()
        if (absent := [name for name in names if name not in frame.columns])
    ]
    if missing:
        raise MetadataError(
            f"frame lacks requested columns: {'; '.join(missing)}. It has {list(frame.columns)}. "
            f"Name other columns, or leave auxiliary targets out with aux=()"
        )


def _choose_X(frame, X, id_names):
    """Select the input of the estimators: requested columns only, so that no target is in it."""
    if X is None:
        columns = [name for name in (*AUDIO_COLUMNS, *ID_COLUMNS) if name in frame.columns]
        if "file" not in columns:
            raise MetadataError(
                f"frame has no audio column 'file' (it has {list(frame.columns)}): give X, a list "
                f"of its columns or a table of features aligned with it"
            )
        return frame[columns], True
    if isinstance(X, list | tuple) and all(isinstance(name, str) for name in X):
        _check_columns(frame, {"X": list(X)})
        X = frame[list(X)]
    if isinstance(X, pd.DataFrame):
        features = X.drop(columns=[name for name in id_names if name in X])
        is_numbers = all(dtype.kind in "fiub" for dtype in features.dtypes)
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


def _fixed_labels(y_true, corpus, labels):
    present = y_true.dropna()
    if labels is None:
        by_corpus = [set(part) for _, part in present.groupby(corpus[present.index])]
        labels = set.intersection(*by_corpus) if by_corpus else set()
        hint = "no label is in all of them; set labels=, or map them with concat_corpora"
    else:
        absent = sorted(set(labels) - set(present), key=str)
        if absent:
            raise MetadataError(
                f"labels {absent} occur in no row; the data has {sorted(set(present), key=str)}"
            )
        hint = "give at least two labels"
    if len(labels) < 2:
        raise MetadataError(
            f"found {len(labels)} label(s) common to the corpora {sorted(set(corpus))}, expected "
            f"at least 2: {hint}"
        )
    same = {label: label for label in present}  # Python's own objects, not numpy's
    return sorted({same[label] for label in labels}, key=str)


def _as_plain_labels(column):
    """Convert labels to Python objects, None where missing, and integers to int.

    pandas converts a column of integers to floats as soon as one value is missing.
    """
    if pd.api.types.is_float_dtype(column.dtype):
        if (column.dropna() % 1 != 0).any():
            raise MetadataError(
                f"column {column.name!r} holds numbers that are not integers, such as "
                f"{column.dropna().iloc[0]}: it must hold the class of each utterance"
            )
        column = column.astype("Int64")
    return column.astype(object).where(labeled_rows(column), None)


def _as_targets(values):
    """Convert to integers or booleans (scikit-learn rejects them as objects), else to objects."""
    array = np.asarray(values)
    return array if array.dtype.kind in "iub" else np.asarray(values, dtype=object)


def _linked_speakers(ids):
    """Return the speaker of each row, or the first of the speakers linked by shared recordings."""
    speaker = ids["speaker"].to_numpy(dtype=object)
    if "recording" not in ids:
        return speaker
    codes, names = pd.factorize(speaker)
    # Recordings of the same name in two corpora are two recordings; a missing one gets the code -1.
    recordings = (
        ids.groupby(["corpus", "recording"], sort=False).ngroup().fillna(-1).to_numpy(dtype=int)
    )
    joined = join_groups(codes, len(names), recordings)
    first = np.unique(joined, return_index=True)[1]
    return names[first[joined]][codes]


def _check_distinct_audio(X, ids, row):
    """Check that no file is in two rows: it could be in training and test at the same time."""
    columns = [name for name in AUDIO_COLUMNS if name in X]
    if "file" not in columns:
        return
    paths = X[columns][[path_of(audio) is not None for audio in X["file"]]].astype(str)
    again = paths.duplicated(keep=False)
    if again.any():
        first = paths[again].iloc[0]
        rows = paths.index[(paths == first).all(axis=1)][:2]
        corpora = " and ".join(map(repr, ids["corpus"][rows].unique()))
        raise MetadataError(
            f"{again.sum()} rows share their audio with another row: rows {row[rows[0]]} and "
            f"{row[rows[1]]} (corpora {corpora}) are both {first['file']!r}. Training and test "
            f"could hold the same speech; keep one row of each"
        )


def _warn_of_same_features(X, ids, row):
    """Warn of equal features of different speakers, most likely one recording under two names."""
    if is_frames(X):
        hashes = X.iloc[:, 0].map(joblib.hash)
    else:
        hashes = pd.util.hash_pandas_object(X, index=False)
    hashes = hashes[X.notna().any(axis=1)]
    speakers = ids["speaker"][hashes.index].groupby(hashes).nunique()
    if (speakers > 1).any():
        names = ids["speaker"][hashes.index[hashes == speakers.index[speakers > 1][0]]]
        names = names.drop_duplicates().iloc[:2]  # the first row of each speaker
        rows = " and ".join(str(row[position]) for position in names.index)
        warn_user(
            f"{(speakers > 1).sum()} feature vectors belong to several speakers (rows {rows}, "
            f"speakers {' and '.join(map(repr, names))}): the same recording may be in training "
            f"and test",
            EvaluationWarning,
        )


def _count_dropped(y_true, corpus, labels):
    dropped = pd.DataFrame({"corpus": corpus.astype(object), "label": y_true})
    dropped = dropped[~y_true.isin(labels)]
    reason = np.where(labeled_rows(dropped["label"]), "not in the label set", "unlabeled")
    counted = dropped.assign(reason=reason).fillna({"label": ""})
    return counted.groupby(["corpus", "label", "reason"]).size().reset_index(name="rows")


def table_digest(table: pd.DataFrame) -> str:
    """Hash the names, dtypes and values of a table, whatever its memory layout and its index.

    It pickles distinct values only: pickling every value takes longer than many a fold.
    """
    dtypes = [str(dtype) for dtype in table.dtypes]
    digest = hashlib.blake2b(repr((table.shape, list(table.columns), dtypes)).encode())
    is_numeric = [isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in table.dtypes]
    if len(set(dtypes)) == 1 and all(is_numeric):
        digest.update(table.to_numpy().tobytes())
        return digest.hexdigest()
    for (_, column), numeric in zip(table.items(), is_numeric, strict=True):
        values = column.to_numpy()
        if numeric:
            digest.update(values.tobytes())
            continue
        try:
            codes, distinct = pd.factorize(values)
        except TypeError:  # of arrays
            digest.update(joblib.hash(list(values)).encode())
            continue
        digest.update(joblib.hash((codes, list(distinct))).encode())
    return digest.hexdigest()


def audio_fingerprint(X: pd.DataFrame) -> str:
    """Hash audio by its content (bytes of files, samples of arrays) and the other columns.

    Raise NoStableContent for augmented audio whose content cannot be compared between processes.
    """
    steps: dict = {}
    columns = []
    for name, values in X.items():
        chains = [[value] if name in ID_COLUMNS else source_chain(value) for value in values]
        paths = [None if name in ID_COLUMNS else path_of(source) for source, *_ in chains]
        files = FileDigests().of(dict.fromkeys(path for path in paths if path))
        digests = []
        for path, (source, *derived) in zip(paths, chains, strict=True):
            file = None if path is None else files.get(path)
            if file is not None:
                digest = file.digest
            elif is_decoder(source) or is_open_file(source):
                digest = content_digest(source, math.nan) or b"unreadable"
            else:
                digest = joblib.hash(source).encode()
            for audio in derived:
                digest = derived_digest(digest, audio, steps)
            digests.append(digest)
        columns.append((name, digests))
    return joblib.hash(columns)
