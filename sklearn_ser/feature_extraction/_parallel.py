"""Run an extractor over all utterances of a table, in order, several at a time."""

import pickle
import uuid
from collections import deque
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import ParallelBackendBase, SequentialBackend, get_active_backend

from sklearn_ser.audio._cell import path_of
from sklearn_ser.audio._derived import DerivedAudio
from sklearn_ser.exceptions import AudioError, SerError
from sklearn_ser.store._rows import Extracted, StoredRows, absolute_path
from sklearn_ser.utils._progress import progress

#: Most utterances in one task: enough to hide a task's cost, few enough for a smooth bar.
LARGEST_CHUNK = 16
#: Tasks per job, where there are enough utterances: evens out long and short ones.
CHUNKS_PER_JOB = 4
#: Rows of one look into the store.
ROWS_PER_LOOK = 512
#: Most samples that a task holds at a time (10 minutes at 16 kHz), unless one utterance has more.
MOST_SAMPLES = 9_600_000


def extract_rows(extractor, table, keep):
    """Extract every utterance; at any time only those of a few chunks are in transit.

    Parameters
    ----------
    extractor : AudioExtractor
    table : AudioTable
        As `open_audio` returns it.
    keep : callable
        Called as ``keep(row, values)`` for every utterance that has values, once each.

    Returns
    -------
    list of AudioError
        By row. With ``on_error="raise"`` the work ends soon after the first.
    """
    stored = None if extractor.store is None else StoredRows(extractor, table)
    name = type(extractor).__name__
    with (
        nullcontext() if stored is None else closing(stored),
        extractor._computing(),
        progress(total=len(table), desc=name, unit="utt", verbose=extractor.verbose) as bar,
    ):
        results = _Results(keep, bar)
        missing = range(len(table))
        if stored is not None:
            # What the store has comes first, in large strides: it costs next to nothing.
            missing = []
            for rows in _strides(len(table), ROWS_PER_LOOK):
                found = stored.look_up(rows)
                stored.tell()
                results.take(found, stored=True)
                missing += [row for row in rows if row not in found]
        while len(missing):
            # What other processes are extracting is left to them, and looked for at the end.
            others = _extract_missing(extractor, table, missing, stored, results)
            if results.failures and extractor.on_error == "raise":
                first = min(error.row for error in results.failures)
                others = [row for row in others if row < first]
            if others:
                stored.wait_for(others)
            missing = others
    table.note_clipped(results.clipped)
    return results.failures


class _Results:
    """Where the results of an extraction go, as they come."""

    def __init__(self, keep, bar):
        self.failures, self.clipped = [], {}
        self._keep, self._bar = keep, bar
        self._n_stored = 0

    def take(self, extracted, stored=False):
        """Take the results of some rows.

        Parameters
        ----------
        extracted : dict of int to Extracted
        stored : bool, default=False
            Whether they come from the store.
        """
        for row, result in extracted.items():
            if result.values is not None:
                self._keep(row, result.values)
            if result.error is not None:
                self.failures.append(result.error)
            if result.clipped is not None:
                self.clipped[row] = result.clipped
        self._n_stored += len(extracted) if stored else 0
        self._bar.set_postfix_str(self._remarks(), refresh=False)
        self._bar.update(len(extracted))

    def _remarks(self):
        """What the bar says beside done, total, rate and time left; cut off on the right."""
        counts = {"stored": self._n_stored, "errors": len(self.failures)}
        return ", ".join(f"{name}: {count}" for name, count in counts.items() if count)


def _extract_missing(extractor, table, missing, stored, results):
    """Extract rows; return those that are left to other processes.

    Parameters
    ----------
    extractor : AudioExtractor
    table : AudioTable
    missing : sequence of int
    stored : StoredRows or None
    results : _Results

    Returns
    -------
    list of int
    """
    # Threads by default: openSMILE and torch release the interpreter lock. Results come in the
    # order of the rows, so the failure that is raised does not depend on n_jobs.
    backend = lasting_backend(get_active_backend(prefer="threads")[0])
    parallel = Parallel(n_jobs=extractor.n_jobs, backend=backend, return_as="generator")
    n_jobs = backend.effective_n_jobs(parallel.n_jobs)
    elsewhere = n_jobs > 1 and not getattr(backend, "supports_sharedmem", False)
    found, others = deque(), []  # `tasks` runs in joblib's threads, and only puts things here

    def task(rows, elsewhere):
        """The task of extracting these rows, or of those of them that are left to us."""
        if stored is not None:
            rows, served, left = stored.claim(rows)
            found.append(served)
            others.extend(left)
        if not rows:
            return None
        keyed = None if stored is None else stored.keyed(rows, elsewhere)
        return extractor, _part(table, rows, elsewhere), keyed, rows

    def tasks():
        # joblib takes from here as jobs come free, so that a failure ends the work soon.
        for rows in split_rows(missing, n_jobs, extractor._batch_size):
            if results.failures and extractor.on_error == "raise":
                return
            if (of_rows := task(rows, elsewhere)) is not None:
                yield delayed(extract_as_keyed)(*of_rows)

    def take(rows, chunk, has_step, other_files):
        extracted = dict(zip(rows, chunk, strict=True))
        for row, result in extracted.items():
            if result.error is not None:  # with the path as the user gave it
                result.error = AudioError(result.error.reason, row=row, file=table.file(row))
        results.take(extracted)
        if stored is not None:
            stored.add(extracted, has_step, other_files)

    def serve():
        while found:
            results.take(found.popleft(), stored=True)
        if stored is not None:
            stored.tell()

    if elsewhere:
        here = [row for row in missing if not _can_be_sent(table._cells.values[row])]
        missing = sorted(set(missing).difference(here)) if here else missing
        if here and (of_here := task(here, elsewhere=False)) is not None:
            take(*extract_as_keyed(*of_here))
    for chunk in parallel(tasks()) if len(missing) else ():
        take(*chunk)
        serve()
    serve()
    return others


def _part(table, rows, elsewhere):
    """A part of the table, for a process with a working directory of its own where `elsewhere`."""
    part = table.part(rows)
    if elsewhere:
        cells = part._cells
        cells.values = [_absolute(cell) for cell in cells.values]
    return part


def _absolute(cell):
    if isinstance(cell, DerivedAudio):
        return cell.with_source(_absolute(cell.source))
    return cell if (path := path_of(cell)) is None else absolute_path(path)


def _can_be_sent(cell):
    """Whether an audio cell can go to another process, told without copying any samples."""
    try:
        for part in cell if isinstance(cell, tuple) else (cell,):
            is_plain = isinstance(part, np.ndarray) and not part.dtype.hasobject
            if not is_plain and path_of(part) is None:
                pickle.dumps(part)
    except Exception:
        return False
    return True


def split_rows(rows, n_jobs, batch_size=1):
    """Consecutive parts of `rows`, one per task.

    For a step that works in batches the parts do not depend on `n_jobs`: the same utterances
    share a batch whatever it is.
    """
    size = min(LARGEST_CHUNK, max(1, -(-len(rows) // (CHUNKS_PER_JOB * n_jobs))))
    if batch_size > 1:
        size = max(LARGEST_CHUNK, 2 * batch_size)
    return [rows[part.start : part.stop] for part in _strides(len(rows), size)]


def extract_as_keyed(extractor, part, keyed, rows):
    """One task, and whether what it worked with is what the keys of its rows were made of.

    Returns
    -------
    rows : sequence of int
    results : list of Extracted
    has_step : bool
        Whether the extractor is, before and after.
    other_files : set of int
        Rows whose file is not.
    """
    had_step = keyed is not None and keyed.has_step(extractor, part)
    rows, results = extract_chunk(extractor, part, rows)
    if keyed is None:
        return rows, results, True, set()
    return rows, results, had_step and keyed.has_step(extractor, part), keyed.other_files()


def extract_chunk(extractor, part, rows):
    """One task: the rows of this part of the table, and an `Extracted` for each.

    With ``on_error="raise"`` those after the first failure may be left empty.
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
    return rows, results


def _read(extractor, part, rows, results):
    """Read the part's signals; yield batches of them, those of like length together."""
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
        if extractor._batch_size == 1 or n_samples >= MOST_SAMPLES:
            yield from _batches(pending, extractor._batch_size)
            pending, n_samples = [], 0
    yield from _batches(pending, extractor._batch_size)


def _batches(pending, batch_size):
    ordered = sorted(pending, key=lambda found: (len(found[1]), found[0]))
    for batch in _strides(len(ordered), batch_size):
        positions, signals = zip(*ordered[batch.start : batch.stop], strict=True)
        yield positions, list(signals)


def _features(extractor, signals):
    """Checked features, or an AudioError, for each signal of a batch."""
    results = [None if signal.any() else _silence() for signal in signals]
    sounding = [position for position, result in enumerate(results) if result is None]
    if sounding:
        found = extractor._extract_batch([signals[position] for position in sounding])
        for position, values in zip(sounding, found, strict=True):
            results[position] = _checked(extractor, values, signals[position])
    return results


def _silence():
    return AudioError(
        "digital silence: every sample is 0, so there is no voice to describe; leave the "
        "utterance out"
    )


def _checked(extractor, values, signal):
    if isinstance(values, AudioError):
        return values
    values = np.ascontiguousarray(values, dtype=np.float32)
    seconds = len(signal) / extractor._sampling_rate
    if values.size == 0:
        return AudioError(
            f"{type(extractor).__name__} finds no frame in this utterance of {seconds:.3f} s; "
            f"leave it out"
        )
    n_bad = np.count_nonzero(~np.isfinite(values))
    if n_bad:
        return AudioError(
            f"{n_bad} of the {values.size} features of {type(extractor).__name__} are NaN or "
            f"infinite for this utterance of {seconds:.3f} s; leave it out"
        )
    return values


def _strides(n, size):
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


def lasting_backend(backend):
    """`backend` itself, or where it is joblib's Dask backend, one that hears of lost tasks.

    Parameters
    ----------
    backend : ParallelBackendBase
        The active one, as `joblib.parallel.get_active_backend` gives it.

    Returns
    -------
    ParallelBackendBase
    """
    if type(backend).__name__ != "DaskDistributedBackend":
        return backend
    return LastingDaskBackend(backend)


@dataclass
class _Outcome:
    results: list | None = None
    error: BaseException | None = None


class _CalledWhenUnpickled:
    """Unpickles as what `function` returns, so that a worker needs nothing to open the task."""

    def __init__(self, function):
        self.function = function

    def __reduce__(self):
        return self.function, ()


class LastingDaskBackend(ParallelBackendBase):
    """Tasks on the workers of a Dask client; every one of them ends, one way or the other.

    Parameters
    ----------
    configured : joblib's DaskDistributedBackend
        As ``parallel_config(backend="dask", ...)`` made it: its client and settings are used.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(self, configured):
        super().__init__()
        self._configured = configured
        self._client = configured.client
        self._unfinished = set()

    def effective_n_jobs(self, n_jobs):
        """Threads of all workers, whatever `n_jobs`; waits for the first worker."""
        # With 1 joblib would do the work here, and not on the one worker.
        return max(2, self._configured.effective_n_jobs(n_jobs))

    def get_nested_backend(self):
        """An extraction task has one core."""
        return SequentialBackend(nesting_level=self.nesting_level), None

    def submit(self, func, callback=None):
        """Submit a task; `callback` gets an `_Outcome`, from another thread."""
        (_, (*_, rows), _), *others = func.items
        last = others[-1][1][-1] if others else rows
        place = f"rows {rows[0]} to {last[-1]}"
        key = f"extract-{place.replace(' ', '-')}-{uuid.uuid4().hex}"
        try:
            import cloudpickle

            task = cloudpickle.dumps(_CalledWhenUnpickled(func))
            future = self._client.submit(
                pickle.loads, task, key=key, pure=False, **self._configured.submit_kwargs
            )
        except Exception as error:
            callback(_Outcome(error=_explained(error, place)))
            return None
        self._unfinished.add(future)
        future.add_done_callback(lambda done: self._finish(done, place, callback))
        return future

    def _finish(self, future, place, callback):
        try:
            outcome = _Outcome(results=future.result())
        except BaseException as error:
            outcome = _Outcome(error=_explained(error, place))
        self._unfinished.discard(future)
        callback(outcome)

    def retrieve_result_callback(self, out):
        """The results of a task, or its error."""
        if out.error is not None:
            raise out.error
        return out.results

    def abort_everything(self, ensure_ready=True):
        """Give up the tasks that are under way."""
        unfinished, self._unfinished = self._unfinished, set()
        if self._client.status == "running":
            self._client.cancel(list(unfinished))

    @contextmanager
    def retrieval_context(self):
        """Wait for results; inside a task of the cluster, without keeping a worker's thread."""
        import distributed

        try:
            distributed.get_worker()
        except ValueError:
            yield
            return
        distributed.secede()
        yield
        distributed.rejoin()


def _explained(error, place):
    """What to tell the user where the cluster, not the extractor, is at fault."""
    # (found by their names: dask is imported by those who use it)
    name = type(error).__name__
    if name == "KilledWorker":
        return SerError(
            f"{place}: each Dask worker that was given these utterances died while it had them, "
            f"the last of them {error.last_worker.address}. The cause is in these utterances or in "
            f"those that the workers had beside them; most often it is memory: give workers more, "
            f"or cut long recordings with start and end. The workers' logs tell. With store= what "
            f"was extracted before is kept"
        )
    if isinstance(error, ImportError) and not isinstance(error, SerError):
        return SerError(
            f"{place}: a Dask worker cannot import what these tasks need ({error}): install on "
            f"all workers the packages that are installed here, in the same versions; "
            f"client.get_versions(check=True) compares them"
        )
    if name in ("CancelledError", "FutureCancelledError", "FuturesCancelledError"):
        return SerError(f"{place}: the Dask cluster or its client was closed during the work")
    return error
