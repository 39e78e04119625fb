"""Folds of the accuracy benchmarks, each kept in a file, so that a killed run resumes.

A file is known by the estimator's parameters, the labels and the rows, not by the code: after a
change of what estimators compute, empty the folder.
"""

import hashlib
import warnings
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from _corpora import EMOTIONS, work_folder
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from sklearn_ser import LeaveOneCorpusOut, SpeakerKFold, uar_score, uar_scorer
from sklearn_ser.evaluation._fold import is_random, run_fold, with_seed
from sklearn_ser.evaluation._protocols import Fold, make_folds
from sklearn_ser.utils._routing import fit_routed


@dataclass(frozen=True)
class Job:
    """What is fitted in every fold.

    Parameters
    ----------
    estimator : estimator
    grid : dict or list of dict, optional
        Searched on each fold's training rows, with one seed.
    sees_test : bool
        Whether the test rows are given in training, without labels or anything else about them but
        their corpus (and what a scaler by speaker makes of their speakers): what comes out is
        transductive, beyond scaling.
    """

    estimator: object
    grid: object = None
    sees_test: bool = False


#: Speaker-disjoint folds of the inner search, where one corpus is all there is.
INNER_FOLDS = 4


def run(jobs, X, frame, protocol, seeds, *, aux=(), labels=EMOTIONS, name, n_jobs=2, y="emotion"):
    """Predictions of every estimator in every fold.

    Parameters
    ----------
    jobs : dict of str to Job
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
        Columns estimator, setting, seed, fold, train, row, corpus, speaker, y_true, y_pred.
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
        delayed(_fold)(folder, job, key, X, target, metadata, fold, protocol, seeds, labels)
        for fold in folds
        for key, job in jobs.items()
    ]
    tables = Parallel(n_jobs=n_jobs, verbose=1)(tasks)
    table = pd.concat(tables, ignore_index=True)
    position = table.pop("position").to_numpy()
    return table.assign(
        row=position,
        corpus=metadata["corpus"][position],
        speaker=frame["speaker"].to_numpy(dtype=object)[position],
        y_true=target[position],
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


def _fold(folder, job, key, X, y, metadata, fold, protocol, seeds, labels):
    estimator = job.estimator
    what = [
        *(repr(estimator), estimator.get_params(), job.grid, job.sees_test, list(seeds)),
        *(list(labels), y, metadata),
        *(fold.train, fold.test, np.asarray(X.shape), list(X.columns), np.asarray(X.iloc[0])),
    ]
    digest = hashlib.sha256(joblib.hash(what).encode()).hexdigest()[:20]
    file = folder / f"{digest}.parquet"
    if file.exists():
        return pd.read_parquet(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        choose = _choose_seeing if job.sees_test else _choose
        chosen = choose(job, X, y, metadata, fold, protocol)
        parts = []
        for seed in seeds if is_random(estimator) else seeds[:1]:
            model = with_seed(clone(estimator).set_params(**chosen), seed)
            if job.sees_test:
                part = _seeing(model, X, y, metadata, fold, list(labels))
            else:
                part = run_fold(model, X, y, metadata, fold, list(labels))
            parts.append(part[["position", "setting", "y_pred"]].assign(seed=seed))
    table = pd.concat(parts, ignore_index=True)
    table = _both_settings(table).assign(
        estimator=key, fold=fold.name, train=fold.train_corpora, chosen=repr(chosen)
    )
    table.to_parquet(file)
    return table


def _seeing(model, X, y, metadata, fold, labels):
    """Predictions of a model that is given the test rows in training, nothing known of them.

    Only their corpus is: no label, not which gender, and not who speaks, but for a scaler by
    speaker, which finds that in the index of X.
    """
    rows = np.concatenate([fold.train, fold.test])
    tested = np.arange(len(rows)) >= len(fold.train)
    given = {name: _take(values, rows) for name, values in metadata.items()}
    if "aux" in given:
        hidden = [column for column in given["aux"] if column != "corpus"]
        given["aux"] = given["aux"].astype(object)
        given["aux"].loc[tested, hidden] = None
        given["aux"] = given["aux"].infer_objects()
    given["speaker"] = np.where(tested, "?", given["speaker"].astype(object))
    fit_routed(model, X.iloc[rows], np.where(tested, None, y[rows]), **given)
    found = pd.DataFrame({"position": fold.test, "setting": "transductive"})
    return found.assign(y_pred=np.asarray(model.predict(X.iloc[fold.test]), dtype=object))


def _take(values, rows):
    return values.iloc[rows].reset_index(drop=True) if hasattr(values, "iloc") else values[rows]


def _choose_seeing(job, X, y, metadata, fold, protocol):
    """As `_choose`, each inner test corpus (or speakers) being given without labels too."""
    if not job.grid:
        return {}
    best, highest = {}, -np.inf
    inner = _inner_folds(metadata, fold.train, y, protocol)
    for chosen in ParameterGrid(job.grid):
        scores = []
        for train, test in inner:
            part = Fold("inner", "", fold.train[train], fold.train[test])
            model = with_seed(clone(job.estimator).set_params(**chosen), 0)
            found = _seeing(model, X, y, metadata, part, None)
            scores.append(uar_score(y[part.test], found["y_pred"].to_numpy()))
        if np.mean(scores) > highest:
            best, highest = chosen, np.mean(scores)
    return best


def _inner_folds(metadata, train, y, protocol):
    corpus = metadata["corpus"][train]
    if len(set(corpus)) > 1 and protocol == "leave-one-corpus-out":
        return list(LeaveOneCorpusOut().split(y[train], y[train], corpus=corpus))
    speaker = metadata["speaker"][train]
    return list(SpeakerKFold(INNER_FOLDS).split(y[train], y[train], speaker=speaker))


def _both_settings(table):
    """An estimator that never used its batch has the same predictions in both settings."""
    if (table["setting"] == "transductive").any():
        return table
    return pd.concat([table, table.assign(setting="transductive")], ignore_index=True)


def _choose(job, X, y, metadata, fold, protocol):
    if not job.grid:
        return {}
    train = fold.train
    search = GridSearchCV(
        with_seed(job.estimator, 0),
        job.grid,
        cv=_inner_folds(metadata, train, y, protocol),
        scoring=uar_scorer,
        refit=False,
        error_score="raise",
    )
    given = {name: _take(values, train) for name, values in metadata.items()}
    with config_context(enable_metadata_routing=True):
        fit_routed(search, X.iloc[train], y[train], **given)
    return search.best_params_
