"""cross_corpus_validate: several estimators, several corpora, one honest table."""

import operator
import warnings
from functools import partial

import joblib
import numpy as np

from sklearn_ser.evaluation._data import audio_fingerprint, select_data
from sklearn_ser.evaluation._extraction import extract, split_extraction, with_ids
from sklearn_ser.evaluation._fold import is_random, with_seed
from sklearn_ser.evaluation._jobs import Job, Prepared, ResultFolder, run_all, run_or_resume
from sklearn_ser.evaluation._keys import estimator_key, library_versions, work_key
from sklearn_ser.evaluation._protocols import make_folds, refuse_speakers_in_two_corpora
from sklearn_ser.evaluation._result import EvaluationResult
from sklearn_ser.evaluation._tables import (
    collect_failures,
    collect_notes,
    known_of_utterances,
    seconds_of,
    tidy_predictions,
)
from sklearn_ser.evaluation._unlabeled import count_unlabeled, with_unlabeled
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.utils._nested_estimators import named_estimators
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.evaluation")
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
        The fixed label set. By default the labels that every corpus has, corpora without any
        label aside; rows with other labels, or with none, are not tested, and counted in the
        result's `dropped`.
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
    Rows without a label train those estimators that learn from such rows (a parameter `unlabeled`
    that is not None, as in :func:`make_mtl_aug`), and no others: those of the training corpora, and
    of corpora that have no label at all; never one of a speaker or, unless its other speakers are
    trained on, of a corpus under test. The result's remarks say how many there were. An estimator
    gets them where all of it can take them: a network, alone or last in a Pipeline whose other
    steps read no labels; in an AugmentingClassifier or SkipFailedRows; in a search with
    ``cv=SemiSupervisedSplit(...)``. Elsewhere they are left out, with a warning that says why.
    (A step of your own that learns from labels says so by scikit-learn's tag
    ``target_tags.required``, or by a ``fit`` without a default of `y`.) Where one of the
    estimators has ``unlabeled=-1``, -1 is no label for any of them.

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
        label are left out though an estimator is told of such.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from sklearn_ser import GroupScaler, cross_corpus_validate, load_features
    >>> data = load_features("egemaps")
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
    chosen = {"X": X, "y": y, "aux": aux, "corpus": corpus, "speaker": speaker, "labels": labels}
    data = select_data(estimators, frame, **chosen)
    refuse_speakers_in_two_corpora(data.corpus, data.speaker)
    n_labeled = len(data.y)
    folds = make_folds(
        protocol,
        y=data.y,
        corpus=data.corpus[:n_labeled],
        speaker=data.kept_together[:n_labeled],
        n_splits=n_splits,
    )
    folder = ResultFolder(out)
    prepared = _prepare(estimators, data, folder, verbose)
    jobs = [
        Job(
            name,
            seed,
            with_unlabeled(fold, data) if part.learns_unlabeled else fold,
            with_seed(part.rest, seed),
            part,
        )
        for name, part in prepared.items()
        for seed in (seeds if is_random(part.rest) else seeds[:1])
        for fold in folds
    ]
    run = partial(run_or_resume, metadata=data.metadata(), labels=data.labels, folder=folder)
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
            "unlabeled": count_unlabeled(jobs, data),
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
    split, wanted = {}, {}
    for name, estimator in estimators.items():
        extraction, rest = split_extraction(estimator) if data.is_audio else ([], estimator)
        step_key = work_key([estimator_key(step) for _, step in extraction])
        # One that does not learn from rows without a label is given none, so that what it found
        # before there were such rows is taken from the folder.
        n_rows = len(data.y) if data.marks.used[name] is None else len(data.row)
        split[name] = extraction, rest, step_key, n_rows
        wanted[step_key] = max(n_rows, wanted.get(step_key, 0))
    extracted, parts, prepared = {}, {}, {}
    for name, (extraction, rest, step_key, n_rows) in split.items():
        mark = data.marks.used[name]
        if step_key not in extracted:
            X = data.X.iloc[: wanted[step_key]]
            extracted[step_key] = _extracted(extraction, X, folder, verbose)
        if (step_key, n_rows) not in parts:
            parts[step_key, n_rows] = _first_rows(n_rows, *extracted[step_key], step_key, data)
        y = data.y if mark is None else data.targets(mark)
        aux = None if data.aux is None else data.aux.iloc[:n_rows]
        together = list(data.kept_together[:n_rows])
        target_key = joblib.hash((list(y), aux, data.ids.iloc[:n_rows], together, data.labels))
        prepared[name] = Prepared(rest, *parts[step_key, n_rows], y, target_key, mark is not None)
    return prepared


def _extracted(extraction, X, folder, verbose):
    """Features, or None where X is what the estimator sees; which rows failed and why."""
    if not extraction:
        return None, []
    features, failures = extract(extraction, X, store=folder.store, verbose=verbose)
    return features.reset_index(drop=True), failures


def _first_rows(n_rows, features, failures, step_key, data):
    """X, which of its rows failed and why, and a key of their content."""
    if features is None:
        X = data.X.iloc[:n_rows]
        return X, None, [], audio_fingerprint(X) if data.is_audio else _content_key(X)
    failures = [record for record in failures if record["row"] < n_rows]
    failed = np.zeros(n_rows, dtype=bool)
    failed[[record["row"] for record in failures]] = True
    # Of what was found in the files, not of their names: it covers every way they can change.
    X = with_ids(features.iloc[:n_rows], data.ids.iloc[:n_rows])
    return X, failed, failures, work_key(step_key, _content_key(X))


def _content_key(X):
    """A key of the values and their names, however they lie in memory; ids are keyed elsewhere."""
    return joblib.hash(
        [(name, np.ascontiguousarray(column.to_numpy())) for name, column in X.items()]
    )


def _report_failed(result):
    rows = sorted(set(result.predictions.loc[result.predictions["failed"], "row"].tolist()))
    if not rows:
        return
    known = result.failures[result.failures["row"].isin(rows)].drop_duplicates("row")
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
