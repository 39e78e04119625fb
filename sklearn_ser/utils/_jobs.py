"""Results of parallel tasks, one after the other, with every backend of joblib."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from joblib import Parallel
from joblib.parallel import SequentialBackend, get_active_backend

#: Tasks per job of one call of a backend that returns the results of a call together.
TASKS_PER_CALL = 4


def results_in_order(
    tasks: Iterable[tuple], n_jobs: int | None = None, backend: Any = None
) -> Iterator[Any]:
    """Yield the results of tasks (calls of `joblib.delayed`), which are taken as jobs get free.

    `backend` is an instance, by default the active one. With backends that give no generator, such
    as multiprocessing and Ray, the results come in small groups.
    """
    backend = get_active_backend()[0] if backend is None else backend
    gives_generator = getattr(backend, "supports_return_generator", False)
    if gives_generator or isinstance(backend, SequentialBackend):
        yield from Parallel(n_jobs=n_jobs, backend=backend, return_as="generator")(tasks)
        return
    tasks = iter(tasks)
    with Parallel(n_jobs=n_jobs, backend=backend) as parallel:
        size = TASKS_PER_CALL * backend.effective_n_jobs(parallel.n_jobs)
        while group := list(islice(tasks, size)):
            yield from parallel(group)
