"""Limit of the threads of torch: it applies within the context, in every thread."""

import threading

import pytest
import torch

from sklearn_ser.utils._threads import torch_threads


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_limit_and_restore():
    with torch_threads(1):
        assert torch.get_num_threads() == 1
        with torch_threads(2):
            assert torch.get_num_threads() == 2
        with torch_threads(None):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


def test_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), torch_threads(1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3


def test_a_thread_that_starts_under_a_limit_does_not_retain_it():
    found = []

    def work():
        with torch_threads(1):
            found.append(torch.get_num_threads())
        found.append(torch.get_num_threads())

    with torch_threads(1):
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
    assert found == [1, 3]
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [1, 3, 3]
