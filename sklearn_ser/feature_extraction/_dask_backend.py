"""Dask under joblib, without the cases in which joblib's own backend waits for ever.

joblib's Dask backend hears of tasks that ran, not of those that Dask gives up: a task whose
worker died again and again (out of memory), or that cannot be pickled. `Parallel` then never
returns (joblib 1.6). A task that a worker cannot unpickle, since a package is missing there, even
ends the worker (distributed 2026.8). The backend here is told of each end of a task, and sends
tasks as bytes that are opened inside the task. These stay with the scheduler, which needs none of
our packages; data that lies on one worker alone would be lost with it.

Written for `extract_rows`: a task is ``function(*arguments, rows)``.
"""

import pickle
import uuid
from contextlib import contextmanager
from dataclasses import dataclass

from joblib.parallel import ParallelBackendBase, SequentialBackend

from sklearn_ser.exceptions import SerError


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
