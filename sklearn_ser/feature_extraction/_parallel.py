"""Extraction of all utterances of a table, in order, several at a time."""

from __future__ import annotations

import pickle
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from sklearn_ser.audio._decoding import path_of
from sklearn_ser.audio._derived import DerivedAudio
from sklearn_ser.exceptions import AudioError, SerError
from sklearn_ser.store._stored_rows import Extracted, KeySources, StoredRows, absolute_path
from sklearn_ser.utils._jobs import results_in_order
from sklearn_ser.utils._progress import progress

if TYPE_CHECKING:
    from sklearn_ser.audio._loading import AudioTable
    from sklearn_ser.feature_extraction._base import AudioExtractor

#: Maximum number of utterances in a task: enough to hide the cost of a task, few enough for a
#: smooth progress bar.
MAX_TASK_SIZE = 16
#: Tasks per job, if there are enough utterances: evens out long and short ones.
TASKS_PER_JOB = 4
#: Rows that are looked up in the store at a time.
ROWS_PER_LOOKUP = 512
#: Tasks per thread of a Dask cluster that are submitted at a time.
MAX_PENDING = 3
#: Maximum number of samples that a task holds at a time (10 minutes at 16 kHz), unless a single
#: utterance has more.
MAX_SAMPLES = 9_600_000


def extract_rows(
    extractor: AudioExtractor, table: AudioTable, collect: Callable[[int, np.ndarray], None]
) -> list[AudioError]:
    """Call ``collect(row, values)`` for every utterance that has values; return the failures."""
    stored = None if extractor.store is None else StoredRows(extractor, table)
    name = type(extractor).__name__
    with (
        nullcontext() if stored is None else closing(stored),
        extractor._computing(),
        progress(total=len(table), desc=name, unit="utt", verbose=extractor.verbose) as bar,
    ):
        results = _Results(collect, bar)
        missing: Sequence[int] = range(len(table))
        if stored is not None:
            # Stored rows come first, in large parts: reading them costs next to nothing.
            missing = []
            for rows in _parts(len(table), ROWS_PER_LOOKUP):
                extracted = stored.look_up(rows)
                stored.warn()
                results.add(extracted, stored=True)
                missing += [row for row in rows if row not in extracted]
        while len(missing):
            # Rows that other processes are extracting are left to them, and looked up at the end.
            others = _extract_missing(extractor, table, missing, stored, results)
            if results.failures and extractor.on_error == "raise":
                first = min(error.row for error in results.failures if error.row is not None)
                others = [row for row in others if row < first]
            if others and stored is not None:
                stored.wait_for(others)
            missing = others
    table.note_clipped(results.clipped)
    return results.failures


class _Results:
    """Collected results of an extraction, and its progress bar."""

    def __init__(self, collect: Callable[[int, np.ndarray], None], bar: Any) -> None:
        self.failures: list[AudioError] = []
        self.clipped: dict[int, float] = {}
        self._collect, self._bar = collect, bar
        self._n_stored = 0

    def add(self, extracted: dict[int, Extracted], stored: bool = False) -> None:
        """Add the results of some rows, which come from the store if `stored`."""
        for row, result in extracted.items():
            if result.values is not None:
                self._collect(row, result.values)
            if result.error is not None:
                self.failures.append(result.error)
            if result.clipped is not None:
                self.clipped[row] = result.clipped
        self._n_stored += len(extracted) if stored else 0
        counts = {"stored": self._n_stored, "errors": len(self.failures)}
        postfix = ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
        self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(len(extracted))


def _extract_missing(
    extractor: AudioExtractor,
    table: AudioTable,
    missing: Sequence[int],
    stored: StoredRows | None,
    results: _Results,
) -> list[int]:
    """Extract rows, and return those that are left to other processes."""
    # Threads by default: openSMILE and torch release the interpreter lock. Results come in the
    # order of the rows, so the failure that is raised does not depend on n_jobs.
    backend = get_active_backend(prefer="threads")[0]
    n_jobs = backend.effective_n_jobs(Parallel(n_jobs=extractor.n_jobs, backend=backend).n_jobs)
    run = partial(results_in_order, n_jobs=extractor.n_jobs, backend=backend)
    if type(backend).__name__ == "DaskDistributedBackend":
        n_jobs = max(2, n_jobs)  # a single worker, too, is another process
        run = partial(_results_of_dask, backend=backend, n_jobs=n_jobs)
    in_processes = n_jobs > 1 and not getattr(backend, "supports_sharedmem", False)
    # `tasks` runs in threads of joblib, which only append to these two.
    from_store: deque[dict[int, Extracted]] = deque()
    others: list[int] = []

    def task(rows, in_process):
        """Return the arguments of a task for those of the rows that are not left to others."""
        if stored is not None:
            rows, already_stored, left = stored.lock(rows)
            from_store.append(already_stored)
            others.extend(left)
        if not rows:
            return None
        sources = None if stored is None else stored.key_sources(rows, in_process)
        part = table.part(rows)
        if in_process:  # whose working directory may be another one
            part.references.values = [_absolute(each) for each in part.references.values]
        return extractor, part, sources, rows

    def tasks():
        # joblib takes tasks from here as jobs become free, so that a failure ends the work soon.
        for rows in split_rows(missing, n_jobs, extractor._batch_size):
            if results.failures and extractor.on_error == "raise":
                return
            if (arguments := task(rows, in_processes)) is not None:
                yield delayed(extract_task)(*arguments)

    def add(rows, chunk, same_extractor, other_files):
        extracted = dict(zip(rows, chunk, strict=True))
        for row, result in extracted.items():
            if result.error is not None:  # with the path that the user passed
                result.error = AudioError(result.error.reason, row=row, file=table.file(row))
        results.add(extracted)
        if stored is not None:
            stored.add(extracted, same_extractor, other_files)

    def add_from_store():
        while from_store:
            results.add(from_store.popleft(), stored=True)
        if stored is not None:
            stored.warn()

    if in_processes:
        unsendable = [row for row in missing if not _can_be_pickled(table.references.values[row])]
        missing = sorted(set(missing).difference(unsendable)) if unsendable else missing
        if unsendable and (arguments := task(unsendable, in_process=False)) is not None:
            add(*extract_task(*arguments))
    for chunk in run(tasks()) if len(missing) else ():
        add(*chunk)
        add_from_store()
    add_from_store()
    return others


def _absolute(reference):
    if isinstance(reference, DerivedAudio):
        return reference.with_source(_absolute(reference.source))
    return reference if (path := path_of(reference)) is None else absolute_path(path)


def _can_be_pickled(reference):
    """Return whether audio can be sent to another process, without copying any samples."""
    try:
        parts = reference.values() if isinstance(reference, dict) else (reference,)
        for part in reference if isinstance(reference, tuple) else parts:
            is_plain = isinstance(part, np.ndarray) and not part.dtype.hasobject
            is_plain = is_plain or isinstance(part, bytes)
            if not is_plain and path_of(part) is None:
                pickle.dumps(part)
    except Exception:
        return False
    return True


def split_rows(rows: Sequence[int], n_jobs: int, batch_size: int = 1) -> list[Sequence[int]]:
    """Split rows into consecutive parts, one per task."""
    size = min(MAX_TASK_SIZE, max(1, -(-len(rows) // (TASKS_PER_JOB * n_jobs))))
    if batch_size > 1:  # whatever n_jobs is, the same utterances share a batch
        size = max(MAX_TASK_SIZE, 2 * batch_size)
    return [rows[part.start : part.stop] for part in _parts(len(rows), size)]


def extract_task(
    extractor: AudioExtractor, part: AudioTable, sources: KeySources | None, rows: Sequence[int]
) -> tuple[Sequence[int], list[Extracted], bool, set[int]]:
    """Extract the rows of one task, a part of the table.

    Return the rows, their results, whether the extractor was that of the cache keys before and
    after, and the rows whose file has another content than that of their key.
    """
    matched = sources is None or sources.matches_extractor(extractor, part)
    results = [Extracted() for _ in rows]
    with extractor._computing():
        for positions, signals in _read(extractor, part, rows, results):
            for position, values in zip(positions, _features(extractor, signals), strict=True):
                if isinstance(values, AudioError):
                    values = AudioError(values.reason, row=rows[position], file=part.file(position))
                    results[position].error = values
                else:
                    results[position].values = values
            if extractor.on_error == "raise" and any(result.error for result in results):
                break
    for row, peak in part.clipped.items():
        results[rows.index(row)].clipped = peak
    if sources is None:
        return rows, results, True, set()
    matched = matched and sources.matches_extractor(extractor, part)
    return rows, results, matched, sources.rows_of_other_files()


def _read(extractor, part, rows, results):
    """Read the signals of a part; yield batches of them, of similar length each."""
    pending, n_samples = [], 0
    for position, row in enumerate(rows):
        try:
            signal = part.read(position)
        except AudioError as error:
            results[position].error = AudioError(error.reason, row=row, file=part.file(position))
            if extractor.on_error == "raise":
                break
            continue
        pending.append((position, signal))
        n_samples += len(signal)
        if extractor._batch_size == 1 or n_samples >= MAX_SAMPLES:
            yield from _batches(pending, extractor._batch_size)
            pending, n_samples = [], 0
    yield from _batches(pending, extractor._batch_size)


def _batches(pending, batch_size):
    ordered = sorted(pending, key=lambda each: (len(each[1]), each[0]))
    for batch in _parts(len(ordered), batch_size):
        positions, signals = zip(*ordered[batch.start : batch.stop], strict=True)
        yield positions, list(signals)


def _features(extractor, signals):
    """Return validated features, or an AudioError, for each signal of a batch."""
    silence = AudioError(
        "digital silence: every sample is 0, so no features can be computed; leave the "
        "utterance out"
    )
    results = [None if signal.any() else silence for signal in signals]
    sounding = [position for position, result in enumerate(results) if result is None]
    if sounding:
        batch = extractor._extract_batch([signals[position] for position in sounding])
        for position, values in zip(sounding, batch, strict=True):
            results[position] = validated(extractor, values, len(signals[position]))
    return results


def validated(extractor: AudioExtractor, values: Any, n_samples: int) -> Any:
    """Return the features of some audio as float32, or an AudioError if they cannot be used."""
    if isinstance(values, AudioError):
        return values
    values = np.ascontiguousarray(values, dtype=np.float32)
    n_bad = np.count_nonzero(~np.isfinite(values))
    if values.size and not n_bad:
        return values
    name, seconds = type(extractor).__name__, n_samples / extractor._sampling_rate
    found = f"{name} gives no frame"
    if n_bad:
        found = f"{n_bad} of the {values.size} features of {name} are NaN or infinite"
    return AudioError(f"{found} for {seconds:.3f} s of audio; leave the row out")


def _parts(n, size):
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


class _CalledWhenUnpickled:
    """Object that unpickles as the return value of `function`: a worker needs only pickle."""

    def __init__(self, function):
        self.function = function

    def __reduce__(self):
        return self.function, ()


def _results_of_dask(tasks, backend, n_jobs):
    """Yield the results of tasks from the workers of a Dask client, each of which ends or fails.

    joblib's own use of its `backend` waits forever for a task that Dask has given up.
    """
    client, tasks = backend.client, iter(tasks)
    pending: deque[tuple[Any, str]] = deque()
    with _outside_worker_threads():
        try:
            while True:
                for function, arguments, _ in islice(tasks, MAX_PENDING * n_jobs - len(pending)):
                    rows = arguments[-1]
                    name = f"rows {rows[0]} to {rows[-1]}"
                    pending.append((_submit(backend, partial(function, *arguments), name), name))
                if not pending:
                    return
                future, name = pending.popleft()
                with _explain_errors(name):
                    results = future.result()
                yield results
        finally:
            if client.status == "running":
                client.cancel([future for future, _ in pending])


def _submit(backend, function, name):
    import cloudpickle

    task = cloudpickle.dumps(_CalledWhenUnpickled(function))
    key = f"extract-{name.replace(' ', '-')}-{uuid.uuid4().hex}"
    settings = {"key": key, "pure": False, **backend.submit_kwargs}
    with _explain_errors(name):
        return backend.client.submit(pickle.loads, task, **settings)


@contextmanager
def _outside_worker_threads():
    """Free the thread of the worker, in a task of a Dask cluster, while it waits for others."""
    import distributed

    try:
        distributed.get_worker()
    except ValueError:
        yield
        return
    distributed.secede()
    yield
    distributed.rejoin()


@contextmanager
def _explain_errors(task_name):
    """Raise a clearer error if the cluster, not the extractor, has failed."""
    try:
        yield
    except (Exception, CancelledError) as error:
        reason = _explanation(error)
        if reason is None:
            raise
        raise SerError(f"{task_name}: {reason}") from error


def _explanation(error: Any) -> str | None:
    # By name, because dask may not be installed.
    name = type(error).__name__
    if name == "KilledWorker":
        return (
            f"each Dask worker that ran this task died, the last of them at "
            f"{error.last_worker.address}. The cause is in these utterances or in others that the "
            f"workers processed beside them, most often too little memory: give the workers more, "
            f"or cut long recordings with start and end. See the logs of the workers. With store=, "
            f"features that were extracted before are not lost"
        )
    if isinstance(error, ImportError) and not isinstance(error, SerError):
        return (
            f"a Dask worker cannot import a package that these tasks need ({error}). Install the "
            f"packages of this environment, in the same versions, on all workers; "
            f"client.get_versions(check=True) compares them"
        )
    if name in ("CancelledError", "FutureCancelledError", "FuturesCancelledError"):
        return "the Dask cluster or its client was closed during the work"
    return None
