"""Results of parallel tasks with every kind of joblib backend."""

import pytest
from joblib import delayed, parallel_config, register_parallel_backend
from joblib._parallel_backends import ThreadingBackend
from joblib.parallel import BACKENDS

from sklearn_ser.utils._jobs import results_in_order


class ListsOnly(ThreadingBackend):
    """Backend that, as those of Ray and multiprocessing, returns the results of a call together."""

    supports_return_generator = False


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr("joblib.parallel.BACKENDS", dict(BACKENDS))
    register_parallel_backend("lists only", ListsOnly)


EVEN = list(range(0, 100, 2))


def double(number):
    if number < 0:
        raise ValueError("negative")
    return 2 * number


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "backend", ["sequential", "threading", "loky", "multiprocessing", "lists only"]
)
def test_results_are_in_the_order_of_the_tasks(backend, n_jobs):
    with parallel_config(backend, n_jobs=n_jobs):
        assert list(results_in_order(delayed(double)(i) for i in range(50))) == list(
            range(0, 100, 2)
        )
        assert list(results_in_order([])) == []
        with pytest.raises(ValueError, match="negative"):
            list(results_in_order([delayed(double)(-1)]))


@pytest.mark.parametrize("backend", ["threading", "lists only"])
def test_tasks_are_taken_as_jobs_get_free(backend):
    taken = []

    def tasks():
        for i in range(1000):
            taken.append(i)
            yield delayed(double)(i if i != 5 else -1)

    with parallel_config(backend, n_jobs=2), pytest.raises(ValueError, match="negative"):
        list(results_in_order(tasks()))
    assert len(taken) < 100
