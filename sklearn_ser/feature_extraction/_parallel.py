"""Extraction of all utterances of a table, in order, several at a time."""

from __future__ import annotations

import pickle
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import ParallelBackendBase, SequentialBackend, get_active_backend

from sklearn_ser.audio._decoding import path_of
from sklearn_ser.audio._derived import DerivedAudio
from sklearn_ser.exceptions import AudioError, SerError
from sklearn_ser.store._stored_rows import Extracted, KeySources, StoredRows, absolute_path
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
#: Maximum number of samples that a task holds at a time (10 minutes at 16 kHz), unless a single
#: utterance has more.
MAX_SAMPLES = 9_600_000


def extract_rows(
    extractor: AudioExtractor, table: AudioTable, collect: Callable[[int, np.ndarray], None]
) -> list[AudioError]:
    """Extract every utterance of a table, with the results of only a few tasks in memory.

    ``collect(row, values)`` is called once for every utterance that has values. The failures are
    returned, with their rows; with ``on_error="raise"`` the work ends soon after the first.
    """
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
    if type(backend).__name__ == "DaskDistributedBackend":
        backend = MonitoredDaskBackend(backend)
    parallel = Parallel(n_jobs=extractor.n_jobs, backend=backend, return_as="generator")
    n_jobs = backend.effective_n_jobs(parallel.n_jobs)
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
        return extractor, _part(table, rows, in_process), sources, rows

    def tasks():
        # joblib takes tasks from here as jobs become free, so that a failure ends the work soon.
        for rows in split_rows(missing, n_jobs, extractor._batch_size):
            if results.failures and extractor.on_error == "raise":
                return
            if (arguments := task(rows, in_processes)) is not None:
                yield delayed(extract_and_compare)(*arguments)

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
            add(*extract_and_compare(*arguments))
    for chunk in parallel(tasks()) if len(missing) else ():
        add(*chunk)
        add_from_store()
    add_from_store()
    return others


def _part(table, rows, in_process):
    """Return a part of the table; in another process its paths must be absolute."""
    part = table.part(rows)
    if in_process:
        cells = part.references
        cells.values = [_absolute(cell) for cell in cells.values]
    return part


def _absolute(cell):
    if isinstance(cell, DerivedAudio):
        return cell.with_source(_absolute(cell.source))
    return cell if (path := path_of(cell)) is None else absolute_path(path)


def _can_be_pickled(cell):
    """Return whether audio can be sent to another process, without copying any samples."""
    try:
        for part in cell if isinstance(cell, tuple) else (cell,):
            is_plain = isinstance(part, np.ndarray) and not part.dtype.hasobject
            if not is_plain and path_of(part) is None:
                pickle.dumps(part)
    except Exception:
        return False
    return True


def split_rows(rows: Sequence[int], n_jobs: int, batch_size: int = 1) -> list[Sequence[int]]:
    """Split rows into consecutive parts, one per task.

    For a step that works in batches the parts do not depend on `n_jobs`, so that the same
    utterances share a batch.
    """
    size = min(MAX_TASK_SIZE, max(1, -(-len(rows) // (TASKS_PER_JOB * n_jobs))))
    if batch_size > 1:
        size = max(MAX_TASK_SIZE, 2 * batch_size)
    return [rows[part.start : part.stop] for part in _parts(len(rows), size)]


def extract_and_compare(
    extractor: AudioExtractor, part: AudioTable, sources: KeySources | None, rows: Sequence[int]
) -> tuple[Sequence[int], list[Extracted], bool, set[int]]:
    """Run one task, and compare extractor and files with the inputs of the cache keys.

    Return the rows, their results, whether the extractor was that of the keys before and after,
    and the rows whose file has another content than that of their key.
    """
    if sources is None:
        return rows, extract_task(extractor, part, rows), True, set()
    matched = sources.matches_extractor(extractor, part)
    results = extract_task(extractor, part, rows)
    matched = matched and sources.matches_extractor(extractor, part)
    return rows, results, matched, sources.rows_of_other_files()


def extract_task(
    extractor: AudioExtractor, part: AudioTable, rows: Sequence[int]
) -> list[Extracted]:
    """Extract the rows of one task, a part of the table.

    With ``on_error="raise"`` the results after the first failure may be empty.
    """
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
    return results


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
        "digital silence: every sample is 0, so there is no voice to describe; leave the "
        "utterance out"
    )
    results = [None if signal.any() else silence for signal in signals]
    sounding = [position for position, result in enumerate(results) if result is None]
    if sounding:
        batch = extractor._extract_batch([signals[position] for position in sounding])
        for position, values in zip(sounding, batch, strict=True):
            results[position] = _validated(extractor, values, signals[position])
    return results


def _validated(extractor, values, signal):
    if isinstance(values, AudioError):
        return values
    values = np.ascontiguousarray(values, dtype=np.float32)
    seconds = len(signal) / extractor._sampling_rate
    if values.size == 0:
        return AudioError(
            f"{type(extractor).__name__} gives no frame for this utterance of {seconds:.3f} s; "
            f"leave it out"
        )
    n_bad = np.count_nonzero(~np.isfinite(values))
    if n_bad:
        return AudioError(
            f"{n_bad} of the {values.size} features of {type(extractor).__name__} are NaN or "
            f"infinite for this utterance of {seconds:.3f} s; leave it out"
        )
    return values


def _parts(n, size):
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


@dataclass
class _Outcome:
    results: list | None = None
    error: BaseException | None = None


class _CalledWhenUnpickled:
    """Object that unpickles as the return value of `function`: a worker needs only pickle."""

    def __init__(self, function):
        self.function = function

    def __reduce__(self):
        return self.function, ()


class MonitoredDaskBackend(ParallelBackendBase):
    """Backend that runs tasks on the workers of a Dask client, each of which ends or fails.

    joblib's own backend, `configured`, waits forever for a task that Dask has given up. Its client
    and settings are used.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(self, configured: Any) -> None:
        super().__init__()
        self._configured = configured
        self._client = configured.client
        self._unfinished: set[Any] = set()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return the number of threads of all workers; wait for the first worker."""
        # With 1, joblib would run the tasks in this process instead of on the only worker.
        return max(2, self._configured.effective_n_jobs(n_jobs))

    def get_nested_backend(self) -> tuple[ParallelBackendBase, None]:
        """Return the backend within a task: an extraction task has one core."""
        return SequentialBackend(nesting_level=self.nesting_level), None

    def submit(self, func: Any, callback: Any = None) -> Any:
        """Submit a task; `callback` receives an `_Outcome` in another thread."""
        (_, (*_, rows), _), *others = func.items
        last = others[-1][1][-1] if others else rows
        task_name = f"rows {rows[0]} to {last[-1]}"
        key = f"extract-{task_name.replace(' ', '-')}-{uuid.uuid4().hex}"
        try:
            import cloudpickle

            task = cloudpickle.dumps(_CalledWhenUnpickled(func))
            future = self._client.submit(
                pickle.loads, task, key=key, pure=False, **self._configured.submit_kwargs
            )
        except Exception as error:
            callback(_Outcome(error=_explained(error, task_name)))
            return None
        self._unfinished.add(future)
        future.add_done_callback(lambda done: self._finish(done, task_name, callback))
        return future

    def _finish(self, future, task_name, callback):
        try:
            outcome = _Outcome(results=future.result())
        except BaseException as error:
            outcome = _Outcome(error=_explained(error, task_name))
        self._unfinished.discard(future)
        callback(outcome)

    def retrieve_result_callback(self, out: _Outcome) -> list | None:
        """Return the results of a task, or raise its error."""
        if out.error is not None:
            raise out.error
        return out.results

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel the tasks that are running."""
        unfinished, self._unfinished = self._unfinished, set()
        if self._client.status == "running":
            self._client.cancel(list(unfinished))

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Wait for results; inside a task of the cluster, without occupying a thread."""
        import distributed

        try:
            distributed.get_worker()
        except ValueError:
            yield
            return
        distributed.secede()
        yield
        distributed.rejoin()


def _explained(error, task_name):
    """Return a clearer error if the cluster, not the extractor, has failed."""
    # By name, because dask may not be installed.
    name = type(error).__name__
    if name == "KilledWorker":
        return SerError(
            f"{task_name}: each Dask worker that ran this task died, the last of them at "
            f"{error.last_worker.address}. The cause is in these utterances or in others that the "
            f"workers processed beside them, most often too little memory: give the workers more, "
            f"or cut long recordings with start and end. See the logs of the workers. With store=, "
            f"features that were extracted before are not lost"
        )
    if isinstance(error, ImportError) and not isinstance(error, SerError):
        return SerError(
            f"{task_name}: a Dask worker cannot import a package that these tasks need ({error}). "
            f"Install the packages of this environment, in the same versions, on all workers; "
            f"client.get_versions(check=True) compares them"
        )
    if name in ("CancelledError", "FutureCancelledError", "FuturesCancelledError"):
        return SerError(f"{task_name}: the Dask cluster or its client was closed during the work")
    return error
