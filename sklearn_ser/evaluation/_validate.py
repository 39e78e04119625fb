"""cross_corpus_validate: several estimators, several corpora, one honest table."""

import operator
import warnings
from functools import partial

import joblib
import numpy as np

from sklearn_ser.evaluation._data import audio_fingerprint, select_data, warn_of_unlabelled
from sklearn_ser.evaluation._disk import ResultFolder
from sklearn_ser.evaluation._extraction import extract, split_extraction, with_ids
from sklearn_ser.evaluation._fold import is_random, with_seed
from sklearn_ser.evaluation._jobs import Job, Prepared, run_all, run_or_resume
from sklearn_ser.evaluation._keys import estimator_key, library_versions, work_key
from sklearn_ser.evaluation._protocols import make_folds
from sklearn_ser.evaluation._result import EvaluationResult
from sklearn_ser.evaluation._tables import (
    collect_failures,
    collect_notes,
    known_of_utterances,
    seconds_of,
    tidy_predictions,
)
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.utils._named import named_estimators


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
        columns, or a table of features or of frame sequences aligned with it (ids become its index
        levels, so that GroupScaler finds them).
    y : str, default="emotion"
        Column of the label.
    aux : sequence of str, default=("gender", "naturalness")
        Columns of the auxiliary targets, given to estimators that fit with `aux`. ``()`` for none.
    corpus, speaker : str
        Columns that say which corpus and speaker an utterance comes from.
    labels : list, optional
        The fixed label set. By default the labels that every corpus has; rows with other labels,
        or with none, are left out and counted in the result's `dropped`.
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
        Folder for finished folds and features. Running the same call again goes on where it ended,
        also after a kill; several processes that run the same call with one folder share the
        folds (where its file system has locks), and all end with the whole result.
    verbose : int, default=0
        1 shows progress on a terminal.

    Returns
    -------
    EvaluationResult

    Notes
    -----
    Utterances of one `recording`, where the frame has that column, stay on one side too: speakers
    who share a recording are kept together, also inside `fit`.

    The statistics behind a "transductive" figure are those of the test corpus's rows in the label
    set. A fold is taken from `out` if its estimator, data, rows, seed and library versions are the
    same; the code of an estimator class of your own is not looked at, nor are tables and other
    objects that a function of yours finds in its module.

    Warns
    -----
    EvaluationWarning
        When utterances had no usable audio (each is a miss in the scores); when rows without a
        label are left out, and an estimator is told to learn from such.

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
    estimators = named_estimators(estimators)
    seeds = _checked_seeds(seeds)
    data = select_data(frame, X=X, y=y, aux=aux, corpus=corpus, speaker=speaker, labels=labels)
    warn_of_unlabelled(estimators, data.dropped)
    folds = make_folds(
        protocol, y=data.y, corpus=data.corpus, speaker=data.kept_together, n_splits=n_splits
    )
    folder = ResultFolder(out)
    prepared = _prepare(estimators, data, folder, verbose)
    metadata = data.metadata()
    target_key = joblib.hash((list(data.y), data.aux, data.ids, data.labels))
    jobs = [
        Job(name, seed, fold, with_seed(part.rest, seed), part)
        for name, part in prepared.items()
        for seed in (seeds if is_random(part.rest) else seeds[:1])
        for fold in folds
    ]
    run = partial(
        run_or_resume,
        y=data.y,
        metadata=metadata,
        labels=data.labels,
        folder=folder,
        target_key=target_key,
    )
    tables = run_all(jobs, run, n_jobs=n_jobs, desc=protocol, verbose=verbose)
    result = EvaluationResult(
        tidy_predictions(jobs, tables, data),
        labels=data.labels,
        protocol=protocol,
        dropped=data.dropped,
        notes=collect_notes(jobs, tables),
        failures=collect_failures([part.failures for part in prepared.values()], data),
        utterances=known_of_utterances(frame, data.row),
        info={
            "estimators": {name: repr(estimator) for name, estimator in estimators.items()},
            "n_splits": n_splits,
            "seeds": seeds,
            "aux": [aux] if isinstance(aux, str) else list(aux or ()),
            "seconds": seconds_of(jobs, tables),
            "versions": library_versions(),
        },
    )
    _report_failed(result)
    if out is not None:
        result.save(out)
    return result


def _checked_seeds(seeds):
    """A list of distinct integers, in their order."""
    try:
        found = list(dict.fromkeys(int(operator.index(seed)) for seed in seeds))
    except TypeError:
        found = []
    if not found:
        raise ValueError(
            f"seeds must be one or more whole numbers, such as range(3); got {seeds!r}"
        )
    return found


def _prepare(estimators, data, folder, verbose):
    """Run each distinct extraction once; what is left of the estimator is fitted per fold."""
    done, prepared = {}, {}
    for name, estimator in estimators.items():
        extraction, rest = split_extraction(estimator) if data.is_audio else ([], estimator)
        key = work_key([estimator_key(step) for _, step in extraction])
        if key not in done:
            done[key] = _features(extraction, key, data, folder, verbose)
        prepared[name] = Prepared(rest, *done[key])
    return prepared


def _features(extraction, key, data, folder, verbose):
    """Features, which rows failed and why, and a key of their content."""
    if not extraction:
        key = audio_fingerprint(data.X) if data.is_audio else joblib.hash(data.X)
        return data.X, None, [], key
    features, failures = extract(extraction, data.X, store=folder.store, verbose=verbose)
    features = features.reset_index(drop=True)
    # Of what was found in the files, not of their names: it covers every way they can change.
    key = work_key(key, joblib.hash([column.to_numpy() for _, column in features.items()]))
    failed = np.zeros(len(features), dtype=bool)
    failed[[record["row"] for record in failures]] = True
    return with_ids(features, data.ids), failed, failures, key


def _report_failed(result):
    rows = sorted(set(result.predictions.loc[result.predictions["failed"], "row"].tolist()))
    if not rows:
        return
    known = result.failures.drop_duplicates("row")
    shown = [
        f"row {r.row}{f' ({r.file})' if r.file else ''}: {r.reason}"
        for r in known.head(3).itertuples()
    ]
    shown = shown or [f"rows {rows[:5]}"]
    warnings.warn(
        f"{len(rows)} utterances had no usable audio or no prediction, and count as misses: "
        f"{'; '.join(shown)}{' ...' if len(rows) > len(shown) else ''}",
        EvaluationWarning,
        stacklevel=3,
    )
