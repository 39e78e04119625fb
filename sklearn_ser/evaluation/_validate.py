"""Evaluation of estimators across corpora and speakers."""

from __future__ import annotations

import importlib
import operator
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from joblib import delayed
from sklearn import get_config
from sklearn.base import BaseEstimator, clone

from sklearn_ser.evaluation._audio_steps import extract, split_extraction, with_ids, with_store
from sklearn_ser.evaluation._evaluation_data import (
    as_frame,
    audio_fingerprint,
    select_data,
    table_digest,
)
from sklearn_ser.evaluation._predictions_table import (
    FORMAT,
    SINGLE,
    TRANSDUCTIVE,
    as_labels,
    probability_columns,
)
from sklearn_ser.evaluation._protocols import Fold, check_unique_speakers, make_folds
from sklearn_ser.evaluation._result import EvaluationResult
from sklearn_ser.evaluation._run_fold import (
    FoldCache,
    estimator_key,
    is_random,
    library_versions,
    run_fold,
    with_seed,
    work_key,
)
from sklearn_ser.evaluation._semi_supervised import hide_aux, with_unlabeled
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.store._keys import NoStableContent
from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._jobs import results_in_order
from sklearn_ser.utils._nested_estimators import Estimators, named_estimators
from sklearn_ser.utils._printable import encodable, printable_name
from sklearn_ser.utils._progress import progress
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import Sentinel, mark_unlabeled
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sklearn_ser.datasets import Corpus


@public_module("sklearn_ser.evaluation")
def cross_corpus_validate(
    estimators: Estimators,
    frame: pd.DataFrame | Corpus | Sequence[Mapping],
    *,
    X: list[str] | pd.DataFrame | ArrayLike | None = None,
    y: str = "emotion",
    aux: str | Sequence[str] | None = ("gender", "naturalness"),
    corpus: str = "corpus",
    speaker: str = "speaker",
    labels: Sequence | np.ndarray | None = None,
    protocol: Literal[
        "leave-one-corpus-out", "within-corpus", "pairwise", "aggregated"
    ] = "leave-one-corpus-out",
    n_splits: int = 5,
    unlabeled_test: Literal["exclude", "train"] = "exclude",
    seeds: Iterable[int] = (0,),
    n_jobs: int | None = None,
    out: str | Path | None = None,
    verbose: int = 0,
) -> EvaluationResult:
    """Evaluate estimators on speakers and corpora that they were not trained on.

    Every estimator is evaluated on the same folds. Speakers are disjoint between training and test
    in every protocol; scalers, searches and early stopping use the training part only; the label
    set is fixed before splitting. Metadata (auxiliary targets, speakers, corpora) is passed to the
    estimators that request it, so that an SVM and a multi-task net go through one call.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Pipelines from audio (or from the columns of `X`) to emotion.
    frame : pandas.DataFrame, Corpus or list of dict
        One row per utterance. The audio may be in the index, as in audformat.
    X : list of str, DataFrame or array of shape (n_samples, n_features), optional
        Input of the estimators: columns of `frame`, or a table of features or of frame sequences
        aligned with it, also of polars or pyarrow. Ids become its index levels, where GroupScaler
        finds them (a ColumnTransformer selects the features alone); the column of the label in it
        is an error. By default the audio and id columns of `frame`.
    y : str, default="emotion"
        Column of the label.
    aux : sequence of str, default=("gender", "naturalness")
        Columns of the auxiliary targets, passed to estimators whose `fit` requests `aux`. ``()``
        for none.
    corpus, speaker : str
        Columns of the corpus and the speaker of each utterance.
    labels : list, optional
        The fixed label set. By default the labels that all labeled corpora have in common. Samples
        with other labels, or with none, are not tested; the result counts them in `dropped`.
    protocol : {"leave-one-corpus-out", "within-corpus", "pairwise", "aggregated"}
        Train on all corpora but one and test on that one; speaker-disjoint folds inside each
        corpus; train on one and test on another, for every ordered pair; speaker-disjoint folds
        over all corpora together.
    n_splits : int, default=5
        Number of speaker-disjoint folds of "within-corpus" and "aggregated" (fewer if a corpus has
        fewer speakers).
    unlabeled_test : {"exclude", "train"}, default="exclude"
        Use of the samples under test in training. "train" passes them to semi-supervised
        estimators without their labels and auxiliary targets, together with the other unlabeled
        samples of their corpora: adaptation to unlabeled speech of the test corpus, whose scores
        are transductive. Other estimators are trained as with "exclude".
    seeds : sequence of int, default=(0,)
        Values to which every `random_state` inside an estimator is set in turn. An estimator
        without any, or in which they have no effect (``LinearSVC(dual=False)``), is run once.
    n_jobs : int, optional
        Number of folds that run in parallel (joblib).
    out : str or Path, optional
        Folder for finished folds and features. The same call resumes from it, also after a kill.
        Several processes that run the same call with one folder share the folds (if its file
        system has locks), and each returns the complete result.
    verbose : int, default=0
        1 shows progress on a terminal.

    Returns
    -------
    EvaluationResult
        Predictions of every estimator, seed and fold.

    Notes
    -----
    Unlabeled samples are used by semi-supervised estimators only: those with a parameter
    `unlabeled` that is not None, as in :func:`make_mtl_aug`. They are trained on the unlabeled
    samples of the training corpora, and of corpora without any label; never (unless
    ``unlabeled_test="train"``) on one of a speaker under test, nor on one of a corpus under test
    unless its other speakers are trained on. The remarks of the result give their number. Every
    part of the estimator must be able to handle them: a network, alone or last in a Pipeline whose
    other steps use no labels; in an AugmentingClassifier or SkipFailedRows; in a search with
    ``cv=SemiSupervisedSplit(...)``. Otherwise they are left out, with a warning that says why. (A
    custom step declares that it learns from labels by scikit-learn's tag ``target_tags.required``,
    or by a ``fit`` without a default of `y`.) If one of the estimators has ``unlabeled=-1``, -1 is
    not a label for any of them.

    `best_params` of the result holds the parameters that a search (GridSearchCV) chose in each
    fold. With ``unlabeled_test="train"`` the samples under test are in the training parts of its
    inner folds, without labels, and never in their test parts.

    Utterances of one `recording`, if the frame has that column, stay on one side too: speakers
    who share a recording are kept together, also inside `fit`.

    "Transductive" scores use the statistics of those samples of the test corpus that are in the
    label set. A fold is loaded from `out` if its estimator, data, rows, seed and library versions
    are the same. The folds of an estimator that holds a custom class or function are stored
    only if the class declares `cache_revision`, an integer that is raised with each change of its
    results; a warning names what declares none.

    Warns
    -----
    EvaluationWarning
        If utterances have no usable audio (each is a miss in the scores), or if unlabeled samples
        are left out although an estimator is configured for them.

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
    estimators, frame = named_estimators(estimators), as_frame(frame)
    distinct_seeds = _checked_seeds(seeds)
    if unlabeled_test not in ("exclude", "train"):
        raise ValueError(f"unlabeled_test must be 'exclude' or 'train', got {unlabeled_test!r}")
    chosen = {"X": X, "y": y, "aux": aux, "corpus": corpus, "speaker": speaker, "labels": labels}
    data = select_data(estimators, frame, unlabeled_test=unlabeled_test, **chosen)
    check_unique_speakers(data.corpus, data.speaker)
    n_labeled = len(data.y)
    ids = {"corpus": data.corpus[:n_labeled], "speaker": data.kept_together[:n_labeled]}
    folds = make_folds(protocol, y=data.y, n_splits=n_splits, **ids)
    cache = None if out is None else FoldCache(out)
    prepared = _prepare(estimators, data, cache, verbose)
    jobs = []
    for name, part in prepared.items():
        own_folds = folds
        if part.sentinel is not None:
            with_test = unlabeled_test == "train"
            own_folds = [with_unlabeled(fold, data, with_test=with_test) for fold in folds]
        is_stored = part.key and _key_or_warn([name], estimator_key, part.estimator)
        for seed in distinct_seeds if is_random(part.estimator) else distinct_seeds[:1]:
            seeded = with_seed(part.estimator, seed)
            key = estimator_key(seeded) if is_stored else None
            jobs += [_Job(name, seed, fold, clone(seeded), part, key) for fold in own_folds]
    run = partial(
        _run_or_load,
        metadata=data.metadata(),
        known_aux=data.known_aux,
        labels=data.labels,
        cache=cache,
        # joblib replaces a worker, with a warning, that has grown by 300 MB since its first fold;
        # the import of torch in a later fold is most of that.
        imports=("torch",) if "torch" in sys.modules else (),
    )
    tables = _run_all(jobs, run, n_jobs=n_jobs, desc=protocol, verbose=verbose)
    fits = list(zip(jobs, tables, strict=True))
    result = EvaluationResult(
        _tidy_predictions(fits, data),
        labels=data.labels,
        protocol=protocol,
        dropped=data.dropped,
        notes=_collect_notes(fits),
        failures=_collect_failures(prepared.values(), data),
        utterances=_describe_utterances(frame, data.row),
        best_params=_collect_best_params(fits),
        info={
            "estimators": {name: repr(estimator) for name, estimator in estimators.items()},
            "n_splits": n_splits,
            "seeds": distinct_seeds,
            "aux": [aux] if isinstance(aux, str) else list(aux or ()),
            "unlabeled": _count_unlabeled(jobs, data),
            "unlabeled_test": unlabeled_test,
            "seconds": _sum_seconds(fits),
            "versions": library_versions(),
        },
    )
    _warn_of_failed(result)
    if out is not None:
        result.save(out)
    return result


def _checked_seeds(seeds):
    """Return a list of distinct integers, in their order."""
    try:
        checked = list(dict.fromkeys(int(operator.index(seed)) for seed in seeds))
    except TypeError:
        checked = []
    if not checked:
        raise ValueError(f"seeds must be one or more integers, such as range(3); got {seeds!r}")
    return checked


@dataclass(frozen=True)
class _Prepared:
    """An estimator without its audio steps, and the samples it is evaluated on.

    `failed` is the mask of samples without usable audio, `failures` are row, file and reason of
    those that the audio steps found; `key` is the hash of all that the folds have in common, None
    if they are not stored; `sentinel` is the sentinel value in y, None if all samples are labeled.
    """

    estimator: BaseEstimator
    X: pd.DataFrame
    y: np.ndarray
    failed: np.ndarray
    failures: list[dict]
    key: str | None
    sentinel: Sentinel | None


@dataclass(frozen=True)
class _Job:
    """One fit: an estimator's name, seed, fold, seeded clone, samples and cache key, if any."""

    name: str
    seed: int
    fold: Fold
    estimator: BaseEstimator
    prepared: _Prepared
    estimator_key: str | None


def _prepare(estimators, data, cache, verbose):
    """Run each distinct extraction once, and leave the other steps to the folds."""
    # An estimator that cannot use unlabeled samples gets none: its finished folds stay valid when
    # such samples are added.
    n_rows = {
        name: len(data.y) if sentinel is None else len(data.row)
        for name, sentinel in data.sentinels.items()
    }
    rest: dict[str, BaseEstimator] = {}
    same_extraction: dict[str, tuple[list, list[str]]] = {}
    for name, estimator in estimators.items():
        extraction, rest[name] = split_extraction(estimator) if data.is_audio else ([], estimator)
        try:
            step_key = estimator_key(extraction, code_version=id)
        except NoStableContent:  # shared with none
            step_key = f"extraction of {name}"
        same_extraction.setdefault(step_key, (extraction, []))[1].append(name)
    prepared = {}
    beside_X = {n: cache and data.key_beside_X(n) for n in set(n_rows.values())}
    for extraction, names in same_extraction.values():
        rows = {n_rows[name] for name in names}
        X = data.X.iloc[: max(rows)]
        failures: list[dict] = []
        if extraction:
            store = cache and cache.store
            features, failures = extract(extraction, X, store=store, verbose=verbose)
            X = with_ids(features, data.ids.iloc[: max(rows)])
        # Features are hashed by their content, which covers every way in which files can change.
        hash_X = audio_fingerprint if data.is_audio and not extraction else table_digest
        keys = {n: None if cache is None else _key_or_warn(names, hash_X, X.iloc[:n]) for n in rows}
        for name in names:
            n, sentinel = n_rows[name], data.sentinels[name]
            own = [record for record in failures if record["row"] < n]
            failed = failed_rows(X.iloc[:n])
            failed[[record["row"] for record in own]] = True
            y = data.targets(sentinel)
            key = keys[n] and work_key(keys[n], beside_X[n], table_digest(pd.DataFrame({"y": y})))
            prepared[name] = _Prepared(rest[name], X.iloc[:n], y, failed, own, key, sentinel)
    return {name: prepared[name] for name in estimators}


def _key_or_warn(names, make_key, content):
    """Return the key of a content, or None and a warning that it has none."""
    try:
        return make_key(content)
    except NoStableContent as error:
        warn_user(
            f"The folds of {' and '.join(map(repr, names))} are not stored in `out`, because "
            f"{error}: a later run could not tell whether it has changed. Declare "
            "`cache_revision = 1` in a custom class, and raise it with each change of the "
            "results; move a custom function to an installed package that has a "
            "`__version__`.",
            EvaluationWarning,
        )
        return None


#: Least time in seconds to wait for a fold that another process computes.
_LEAST_WAIT = 60.0
#: Seconds between two checks whether it is finished.
_POLL_INTERVAL = 0.2


def _run_all(jobs, run, *, n_jobs, desc, verbose):
    """Return the tables of all jobs; those that other processes compute are awaited last."""

    def run_some(indices, desc, **options):
        tasks = (delayed(run)(jobs[index], **options) for index in indices)
        finished = results_in_order(tasks, n_jobs)
        return progress(finished, total=len(indices), desc=desc, unit="fold", verbose=verbose)

    started = time.monotonic()
    tables = list(run_some(range(len(jobs)), desc))
    # No fold computed here took longer than all of them together; a process that holds a lock for
    # twice as long hangs.
    patience = max(_LEAST_WAIT, 2 * (time.monotonic() - started))
    elsewhere = [index for index, table in enumerate(tables) if table is None]
    if not elsewhere:
        return tables
    late = run_some(elsewhere, f"{desc}, in other processes", patience=patience)
    for index, table in zip(elsewhere, late, strict=True):
        tables[index] = table
    return tables


def _run_or_load(job, *, metadata, known_aux, labels, cache, imports, patience=None):
    """Return the table of one job, from the cache if it is there.

    A table that another process computes is awaited for `patience` seconds and then computed here;
    without patience the result is None.
    """
    for module in imports:
        importlib.import_module(module)
    if job.estimator_key is None:
        return _run(job, metadata, known_aux, labels, cache)
    part = job.prepared
    output = get_config()["transform_output"]
    key = work_key(FORMAT, job.estimator_key, part.key, output, job.fold.train, job.fold.test)
    deadline = None if patience is None else time.monotonic() + patience
    while True:
        table = cache.load(key)
        if table is not None:
            return table
        with cache.lock(key) as is_locked:
            if is_locked or (deadline is not None and time.monotonic() > deadline):
                table = cache.load(key)  # (finished between the check and the lock)
                if table is None:
                    table = _run(job, metadata, known_aux, labels, cache)
                    cache.save(key, table)
                return table
        if deadline is None:
            return None
        time.sleep(_POLL_INTERVAL)


def _run(job, metadata, known_aux, labels, cache):
    estimator, fold, part = job.estimator, job.fold, job.prepared
    y = part.y
    if cache is not None:  # for audio steps inside a meta-estimator, which run in every fold
        estimator = with_store(estimator, cache.store)
    if len(fold.hidden):
        y = mark_unlabeled(y, np.isin(np.arange(len(y)), fold.hidden), part.sentinel)
        if "aux" in metadata:
            metadata = metadata | {"aux": hide_aux(metadata["aux"], fold.hidden, known_aux)}
    try:
        return run_fold(estimator, part.X, y, metadata, fold, labels, part.failed)
    except Exception as error:
        error.add_note(f"(while evaluating {job.name!r}, fold {fold.name!r}, seed {job.seed})")
        raise


def _tidy_predictions(fits, data):
    """Concatenate the predictions of all folds, in the order of the jobs."""
    # An estimator with transductive predictions in some folds has both settings in all of them: in
    # the others the two are the same, and a score pools every utterance in either setting.
    transductive = {job.name for job, table in fits if (table["setting"] == TRANSDUCTIVE).any()}
    parts = []
    for job, table in fits:
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


def _collect_notes(fits):
    """Count in how many fits of each estimator each warning was raised."""
    counts = Counter((job.name, note) for job, table in fits for note in table.attrs["notes"])
    rows = [(*key, count) for key, count in counts.items()]
    return pd.DataFrame(rows, columns=["estimator", "note", "fits"])


def _collect_best_params(fits):
    rows = [
        (job.name, job.seed, job.fold.name, parameter, value)
        for job, table in fits
        for parameter, value in table.attrs["best_params"].items()
    ]
    return pd.DataFrame(rows, columns=["estimator", "seed", "fold", "parameter", "value"])


def _sum_seconds(fits):
    """Sum the time of fits and predictions by estimator, wherever they were computed."""
    seconds = Counter[str]()
    for job, table in fits:
        seconds[job.name] += table.attrs["seconds"]
    return {name: round(total, 3) for name, total in seconds.items()}


def _count_unlabeled(jobs, data):
    """Return the least and greatest number of unlabeled training samples by estimator, if any."""
    counts: dict[str, list[int]] = {}
    for job in jobs:
        if job.prepared.sentinel is None:
            continue
        if len(data.row) == len(data.y) and not len(job.fold.hidden):
            continue
        train = job.fold.train[~job.prepared.failed[job.fold.train]]
        n_rows = int(((train >= len(data.y)) | np.isin(train, job.fold.hidden)).sum())
        least, greatest = counts.get(job.name, [n_rows, n_rows])
        counts[job.name] = [min(least, n_rows), max(greatest, n_rows)]
    return counts


_AS_TEXT = ("file", "gender", "language", "naturalness", "text", "recording")


def _describe_utterances(frame, rows):
    """Select the columns of a frame that results may be grouped by, without audio in memory."""
    columns = {}
    for name in (*_AS_TEXT, "start", "end"):
        if name not in frame:
            continue
        try:
            codes, unique = pd.factorize(frame[name].iloc[rows])
        except TypeError:  # of arrays
            continue
        if all(pd.api.types.is_scalar(value) or isinstance(value, Path) for value in unique):
            as_text = [encodable(str(v)) if name in _AS_TEXT else v for v in unique]
            values = np.array([*as_text, None], dtype=object)  # (the code -1 is a missing value)
            columns[name] = values[codes].tolist()
    return pd.DataFrame(columns, index=pd.Index(rows, name="row"))


def _collect_failures(prepared, data):
    """List the utterances whose audio could not be used: row of the frame, file, reason."""
    records = [
        (int(data.row[record["row"]]), record["file"], record["reason"])
        for part in prepared
        for record in part.failures
    ]
    table = pd.DataFrame(records, columns=["row", "file", "reason"])
    table = table.drop_duplicates(["row", "reason"])
    return table.sort_values("row", kind="stable", ignore_index=True)


def _warn_of_failed(result):
    rows = sorted(set(result.predictions.loc[result.predictions["failed"], "row"].tolist()))
    if not rows:
        return
    known = result.failures[result.failures["row"].isin(rows)].drop_duplicates("row")
    shown = [
        f"row {r.row}{f' ({printable_name(r.file)})' if r.file else ''}: {r.reason}"
        for r in known.head(3).itertuples()
    ] or [f"rows {rows[:5]}"]
    warn_user(
        f"{len(rows)} utterances had no usable audio or no prediction, and count as misses: "
        f"{'; '.join(shown)}{' ...' if len(rows) > len(shown) else ''}",
        EvaluationWarning,
    )
