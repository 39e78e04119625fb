"""Evaluations of the accuracy benchmarks: searched estimators, adaptation, resumed runs.

Finished folds are stored (see `_corpora.py`) by the estimator's parameters, data and library
versions, not by the code: after a change of what estimators compute, empty the folder.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from _corpora import EMOTIONS, work_folder
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from sklearn_ser import LeaveOneCorpusOut, SpeakerKFold, cross_corpus_validate, uar_scorer

#: Speaker-disjoint folds of the inner search within one corpus.
INNER_FOLDS = 4


@dataclass(frozen=True)
class Job:
    """An estimator of a benchmark.

    Parameters
    ----------
    estimator : estimator
    grid : dict or list of dict, optional
        Candidates of a search on the training samples of each fold, with one seed.
    sees_test : bool
        Whether the estimator is trained on the samples under test, without their labels
        (``unlabeled_test="train"``). Candidates are then scored after the same adaptation.
    """

    estimator: object
    grid: object = None
    sees_test: bool = False


def run(jobs, X, frame, protocol, seeds, *, aux=(), labels=EMOTIONS, name, n_jobs=2, y="emotion"):
    """Evaluate every estimator in every fold.

    Parameters
    ----------
    jobs : dict of str to Job
    X : DataFrame
        Features (or frames), aligned with `frame`.
    frame : DataFrame
    protocol : str
        Protocol of :func:`sklearn_ser.cross_corpus_validate`.
    seeds : sequence of int
    aux : sequence of str
        Columns of `frame`.
    name : str
        Name of the folder for finished folds.

    Returns
    -------
    DataFrame
        Columns estimator, setting, seed, fold, train, row, corpus, speaker, y_true, y_pred, chosen.
        Estimators without transductive scores have the same predictions in both settings.
    """
    settings = {
        "y": y,
        "aux": tuple(aux),
        "labels": list(labels),
        "protocol": protocol,
        "n_jobs": n_jobs,
        "out": work_folder(name),
        "verbose": 1,
    }
    tables = [_run(key, job, X, frame, seeds, settings) for key, job in jobs.items()]
    return pd.concat(tables, ignore_index=True)


def kept_together(frame):
    """Return the speaker, or a common name of speakers who share a recording."""
    if "recording" not in frame:
        return frame["speaker"].to_numpy(dtype=object)
    names = dict(zip(frame["speaker"], frame["speaker"], strict=True))
    for _, speakers in frame.dropna(subset="recording").groupby("recording")["speaker"]:
        first = min(names[speaker] for speaker in speakers)
        joined = {names[speaker] for speaker in speakers}
        names = {key: first if value in joined else value for key, value in names.items()}
    return frame["speaker"].map(names).to_numpy(dtype=object)


def _run(name, job, X, frame, seeds, settings):
    settings = settings | {"unlabeled_test": "train" if job.sees_test else "exclude"}
    candidates = {repr(params): params for params in ParameterGrid(job.grid or {})}
    models = {key: clone(job.estimator).set_params(**params) for key, params in candidates.items()}
    if len(candidates) == 1:
        chosen = None
    elif job.sees_test:
        chosen = _choose_adapted(models, X, frame, settings)
    else:
        chosen = _choose(job, candidates, X, frame, settings)
    if chosen is not None:
        models = {key: models[key] for key in dict.fromkeys(chosen.values())}
    table = cross_corpus_validate(models, frame, X=X, seeds=seeds, **settings).predictions
    table = table.rename(columns={"estimator": "chosen"})
    if chosen is not None:
        table = table[table["chosen"] == table["fold"].map(chosen)]
    if not (table["setting"] == "transductive").any():
        table = pd.concat([table, table.assign(setting="transductive")], ignore_index=True)
    columns = ["setting", "seed", "fold", "train", "row", "corpus", "speaker", "y_true", "y_pred"]
    return table[[*columns, "chosen"]].assign(estimator=name)


def _choose(job, candidates, X, frame, settings):
    """Search on the training samples of each fold; return the candidate of each."""
    several = settings["protocol"] == "leave-one-corpus-out" and frame["corpus"].nunique() > 2
    search = GridSearchCV(
        job.estimator,
        job.grid,
        cv=LeaveOneCorpusOut() if several else SpeakerKFold(INNER_FOLDS),
        scoring=uar_scorer,
        error_score="raise",
    )
    result = cross_corpus_validate({"search": search}, frame, X=X, seeds=(0,), **settings)
    texts = {
        frozenset((name, repr(value)) for name, value in params.items()): key
        for key, params in candidates.items()
    }
    return {
        fold: texts[frozenset(zip(part["parameter"], part["value"], strict=True))]
        for fold, part in result.best_params.groupby("fold")
    }


def _choose_adapted(models, X, frame, settings):
    """Evaluate all candidates on the training corpora alone, with the same adaptation."""
    if settings["protocol"] != "leave-one-corpus-out":
        raise ValueError("candidates with sees_test=True need the protocol leave-one-corpus-out")
    chosen = {}
    for corpus in sorted(set(frame["corpus"])):
        train = np.flatnonzero(frame["corpus"] != corpus)
        inner = frame.iloc[train].reset_index(drop=True)
        inner_X = X.iloc[train].reset_index(drop=True)
        inner_X.attrs.update(X.attrs)
        result = cross_corpus_validate(models, inner, X=inner_X, seeds=(0,), **settings)
        chosen[corpus] = result.summary()["mean"].idxmax()[0]
    return chosen
