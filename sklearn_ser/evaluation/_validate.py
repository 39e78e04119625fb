"""cross_corpus_validate: several estimators, several corpora, one honest table."""

import warnings
from collections import Counter

import joblib
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone

from sklearn_ser.evaluation._data import audio_fingerprint, select_data
from sklearn_ser.evaluation._disk import ResultFolder
from sklearn_ser.evaluation._extraction import extract, split_extraction, with_ids
from sklearn_ser.evaluation._fold import is_random, run_fold, with_seed
from sklearn_ser.evaluation._protocols import make_folds
from sklearn_ser.evaluation._result import EvaluationResult
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.utils._progress import progress


def cross_corpus_validate(
    estimators,
    frame,
    *,
    X=None,
    y="emotion",
    aux=("gender", "naturalness"),
    corpus="corpus",
    speaker="speaker",
    labels=None,
    protocol="leave-one-corpus-out",
    n_splits=5,
    seeds=(0,),
    n_jobs=None,
    out=None,
    verbose=0,
):
    """Find out which estimator works on speakers and corpora it has never seen.

    Every estimator sees the same folds. Speakers are disjoint between training and test in every
    protocol; scalers, searches and early stopping happen inside the training part; the label set
    is fixed before splitting. Metadata (auxiliary targets, speakers, corpora) is given to whatever
    asks for it, so that an SVM and a multi-task net go through one call.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Pipelines from audio (or from the columns of `X`) to emotion.
    frame : pandas.DataFrame
        One row per utterance, such as ``Corpus.frame``.
    X : list of str, DataFrame or array of shape (n_samples, n_features), optional
        What estimators see. By default the audio and id columns of `frame`; else some of its
        columns, or a table of features aligned with it (ids become its index levels, so that
        GroupScaler finds them).
    y : str, default="emotion"
        Column of the label.
    aux : sequence of str, default=("gender", "naturalness")
        Columns of the auxiliary targets, given to estimators that fit with `aux`. ``()`` for none.
    corpus, speaker : str
        Columns that say which corpus and speaker an utterance comes from.
    labels : list, optional
        The fixed label set. By default the labels that every corpus has; rows with other labels
        are left out and counted in the result's `dropped`.
    protocol : {"leave-one-corpus-out", "within-corpus", "pairwise", "aggregated"}
        Train on all corpora but one and test on that one; speaker-disjoint folds inside each
        corpus; train on one and test on another, for every ordered pair; speaker-disjoint folds
        over all corpora together.
    n_splits : int, default=5
        Speaker-disjoint folds of "within-corpus" and "aggregated" (fewer where a corpus has fewer
        speakers).
    seeds : sequence of int, default=(0,)
        Every `random_state` inside an estimator is set to each of these in turn. An estimator
        without any is run once.
    n_jobs : int, optional
        Folds at once (joblib).
    out : str or Path, optional
        Folder for finished folds and features. Running the same call again goes on where it ended.
    verbose : int, default=0
        1 shows progress on a terminal.

    Returns
    -------
    EvaluationResult

    Warns
    -----
    EvaluationWarning
        When utterances had no usable audio (each is a miss in the scores).

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from sklearn_ser import GroupScaler, cross_corpus_validate, load_functionals
    >>> data = load_functionals("egemaps")
    >>> few = data.frame.groupby(["speaker", "emotion"]).head(1)
    >>> result = cross_corpus_validate(
    ...     {"svm": make_pipeline(GroupScaler(by="corpus"), LinearSVC(C=0.001))},
    ...     few, X=data.X.iloc[few.index], aux=())
    >>> sorted(result.predictions["setting"].unique())
    ['single', 'transductive']
    >>> list(result.summary().columns)
    ['emodb', 'nemo', 'ravdess', 'mean', 'pooled']
    """
    estimators = _named(estimators)
    data = select_data(frame, X=X, y=y, aux=aux, corpus=corpus, speaker=speaker, labels=labels)
    folds = make_folds(
        protocol, y=data.y, corpus=data.corpus, speaker=data.speaker, n_splits=n_splits
    )
    folder = ResultFolder(out)
    prepared = _prepare(estimators, data, folder, verbose)
    metadata = {name: data.ids[name] for name in data.ids}
    if data.aux is not None:
        metadata["aux"] = data.aux
    target_key = joblib.hash((list(data.y), data.aux, data.ids, data.labels))
    jobs = [
        (
            name,
            int(seed),
            fold,
            with_seed(rest, int(seed)),
            features,
            failed,
            joblib.hash((target_key, features_key)),
        )
        for name, (rest, features, failed, features_key) in prepared.items()
        for seed in (seeds if is_random(rest) else seeds[:1])
        for fold in folds
    ]
    finished = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_run_or_resume)(
            *job, y=data.y, metadata=metadata, labels=data.labels, folder=folder
        )
        for job in jobs
    )
    bar = progress(finished, total=len(jobs), desc=protocol, unit="fold", verbose=verbose)
    tables = list(bar)
    result = EvaluationResult(
        _tidy(jobs, tables, data),
        labels=data.labels,
        protocol=protocol,
        dropped=data.dropped,
        notes=_collect_notes(jobs, tables),
    )
    _report_failed(result)
    if out is not None:
        result.save(out)
    return result


def _named(estimators):
    """A dict of name to estimator, whatever form was given."""
    if isinstance(estimators, BaseEstimator) or hasattr(estimators, "fit"):
        return {type(estimators).__name__: estimators}
    pairs = list(estimators.items() if hasattr(estimators, "items") else estimators)
    names = [name for name, _ in pairs]
    if not pairs or len(set(names)) < len(names):
        raise ValueError(f"estimators need names, each once; got {names}")
    return dict(pairs)


def _prepare(estimators, data, folder, verbose):
    """Run each distinct extraction once; what is left of the estimator is fitted per fold."""
    done, prepared = {}, {}
    for name, estimator in estimators.items():
        extraction, rest = split_extraction(estimator) if data.is_audio else ([], estimator)
        key = joblib.hash([_without_effort(step) for _, step in extraction])
        if key not in done:
            done[key] = _features(extraction, key, data, folder, verbose)
        prepared[name] = (rest, *done[key])
    return prepared


def _features(extraction, key, data, folder, verbose):
    """Features, rows that failed, and a key of their content."""
    if not extraction:
        key = audio_fingerprint(data.X) if data.is_audio else joblib.hash(data.X)
        return data.X, None, key
    key = joblib.hash((key, audio_fingerprint(data.X)))
    features = folder.load("features", key)
    if features is None:
        features, failures = extract(extraction, data.X, verbose=verbose)
        features = features.reset_index(drop=True)
        features.attrs["failures"] = failures
        folder.save("features", key, features)
    failed = np.zeros(len(features), dtype=bool)
    failed[[record["row"] for record in features.attrs["failures"]]] = True
    return with_ids(features, data.ids), failed, key


def _run_or_resume(
    name, seed, fold, estimator, X, failed, data_key, *, y, metadata, labels, folder
):
    key = joblib.hash((_without_effort(estimator), data_key, fold.train, fold.test))
    table = folder.load("folds", key)
    if table is None:
        try:
            table = run_fold(estimator, X, y, metadata, fold, labels, failed)
        except Exception as error:
            error.add_note(f"(while evaluating {name!r}, fold {fold.name!r}, seed {seed})")
            raise
        folder.save("folds", key, table)
    return table


def _without_effort(estimator):
    """A clone without the parameters that change how hard it works, but no number it gives."""
    plain = clone(estimator)
    effort = {"n_jobs": None, "verbose": 0}
    names = [name for name in plain.get_params() if name.split("__")[-1] in effort]
    return plain.set_params(**{name: effort[name.split("__")[-1]] for name in names})


def _tidy(jobs, tables, data):
    """All folds' predictions as one table, in the order of the jobs."""
    parts = []
    for (name, seed, fold, *_), table in zip(jobs, tables, strict=True):
        position = table["position"].to_numpy()
        parts.append(
            pd.DataFrame(
                {
                    "estimator": name,
                    "setting": table["setting"],
                    "seed": seed,
                    "fold": fold.name,
                    "train": fold.train_corpora,
                    "row": data.row[position],
                    "corpus": data.corpus[position],
                    "speaker": data.speaker[position],
                    "truth": data.y[position],
                }
            ).join(table.drop(columns=["position", "setting"]))
        )
    return pd.concat(parts, ignore_index=True)


def _collect_notes(jobs, tables):
    counts = Counter(
        (name, note)
        for (name, *_), table in zip(jobs, tables, strict=True)
        for note in table.attrs.get("notes", [])
    )
    rows = [(name, note, folds) for (name, note), folds in counts.items()]
    return pd.DataFrame(rows, columns=["estimator", "note", "folds"])


def _report_failed(result):
    failed = sorted(set(result.predictions.loc[result.predictions["failed"], "row"].tolist()))
    if failed:
        warnings.warn(
            f"{len(failed)} utterances had no usable audio and count as misses "
            f"(rows {failed[:5]}{' ...' if len(failed) > 5 else ''} of frame)",
            EvaluationWarning,
            stacklevel=3,
        )
