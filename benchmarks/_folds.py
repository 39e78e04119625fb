"""Folds of the accuracy benchmarks, each kept in a file, so that a killed run resumes."""

import hashlib
import warnings

import joblib
import numpy as np
import pandas as pd
from _corpora import EMOTIONS, work_folder
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_ser import LeaveOneCorpusOut, SpeakerKFold, uar_scorer
from sklearn_ser.evaluation._fold import is_random, run_fold, with_seed
from sklearn_ser.evaluation._protocols import make_folds
from sklearn_ser.utils._routing import fit_routed

#: Speaker-disjoint folds of the inner search, where one corpus is all there is.
INNER_FOLDS = 4


def run(jobs, X, frame, protocol, seeds, *, aux=(), labels=EMOTIONS, name, n_jobs=2, y="emotion"):
    """Predictions of every estimator in every fold.

    Parameters
    ----------
    jobs : dict of str to (estimator, grid)
        The grid is searched on each fold's training rows, with one seed; None for no search.
    X : DataFrame
        Features (or frames), aligned with `frame`.
    frame : DataFrame
    protocol : str
        Of :func:`sklearn_ser.cross_corpus_validate`.
    seeds : sequence of int
    aux : sequence of str
        Columns of `frame`.
    name : str
        Of the folder for finished folds.

    Returns
    -------
    DataFrame
        Columns estimator, setting, seed, fold, train, row, corpus, speaker, truth, prediction.
    """
    ids = [column for column in ("corpus", "speaker") if column in frame]
    attrs = dict(X.attrs)
    X = X.set_index(pd.MultiIndex.from_frame(frame[ids]))
    X.attrs.update(attrs)
    together = kept_together(frame)
    metadata = {"speaker": together, "corpus": frame["corpus"].to_numpy(dtype=object)}
    if len(aux):
        metadata["aux"] = frame[list(aux)]
    target = frame[y].to_numpy(dtype=object).astype(str)
    folds = make_folds(protocol, y=target, corpus=metadata["corpus"], speaker=together)
    folder = work_folder(name)
    tasks = [
        delayed(_fold)(
            folder, estimator, grid, key, X, target, metadata, fold, protocol, seeds, labels
        )
        for fold in folds
        for key, (estimator, grid) in jobs.items()
    ]
    tables = Parallel(n_jobs=n_jobs, verbose=1)(tasks)
    table = pd.concat(tables, ignore_index=True)
    position = table.pop("position").to_numpy()
    return table.assign(
        row=position,
        corpus=metadata["corpus"][position],
        speaker=frame["speaker"].to_numpy(dtype=object)[position],
        truth=target[position],
    )


def kept_together(frame):
    """The speaker, or one name for speakers who share a recording (a talk show's segment)."""
    if "recording" not in frame:
        return frame["speaker"].to_numpy(dtype=object)
    names = dict(zip(frame["speaker"], frame["speaker"], strict=True))
    for _, speakers in frame.dropna(subset="recording").groupby("recording")["speaker"]:
        first = min(names[speaker] for speaker in speakers)
        joined = {names[speaker] for speaker in speakers}
        names = {key: first if value in joined else value for key, value in names.items()}
    return frame["speaker"].map(names).to_numpy(dtype=object)


def _fold(folder, estimator, grid, key, X, y, metadata, fold, protocol, seeds, labels):
    what = [
        *(repr(estimator), estimator.get_params(), grid, list(seeds), list(labels), y, metadata),
        *(fold.train, fold.test, np.asarray(X.shape), list(X.columns), np.asarray(X.iloc[0])),
    ]
    digest = hashlib.sha256(joblib.hash(what).encode()).hexdigest()[:20]
    file = folder / f"{digest}.parquet"
    if file.exists():
        return pd.read_parquet(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = _choose(estimator, grid, X, y, metadata, fold, protocol)
        parts = []
        for seed in seeds if is_random(estimator) else seeds[:1]:
            model = with_seed(clone(estimator).set_params(**chosen), seed)
            part = run_fold(model, X, y, metadata, fold, list(labels))
            parts.append(part[["position", "setting", "prediction"]].assign(seed=seed))
    table = pd.concat(parts, ignore_index=True)
    table = _both_settings(table).assign(
        estimator=key, fold=fold.name, train=fold.train_corpora, chosen=repr(chosen)
    )
    table.to_parquet(file)
    return table


def _both_settings(table):
    """An estimator that never used its batch has the same predictions in both settings."""
    if (table["setting"] == "transductive").any():
        return table
    return pd.concat([table, table.assign(setting="transductive")], ignore_index=True)


def _choose(estimator, grid, X, y, metadata, fold, protocol):
    if not grid:
        return {}
    train = fold.train
    several = len(set(metadata["corpus"][train])) > 1 and protocol == "leave-one-corpus-out"
    search = GridSearchCV(
        with_seed(estimator, 0),
        grid,
        cv=LeaveOneCorpusOut() if several else SpeakerKFold(INNER_FOLDS),
        scoring=uar_scorer,
        refit=False,
        error_score="raise",
    )
    given = {
        name: values.iloc[train] if hasattr(values, "iloc") else values[train]
        for name, values in metadata.items()
    }
    with config_context(enable_metadata_routing=True):
        fit_routed(search, X.iloc[train], y[train], **given)
    return search.best_params_
