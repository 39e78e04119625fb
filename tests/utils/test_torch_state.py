"""State of torch within a context, and after it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import torch

from sklearn_ser.utils._torch_state import default_torch_state

#: Ways in which a user changes the state around a call.
CHANGED = {
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "another device": lambda: torch.device("meta"),
}


def state():
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_device(),
    )


@pytest.fixture(params=[torch.float64, torch.bfloat16, torch.float32])
def default_dtype(request):
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("changed", [[], *([name] for name in CHANGED), list(CHANGED)])
def test_a_network_is_trained_as_in_a_new_process(changed, default_dtype):
    with ExitStack() as stack:
        for name in changed:
            stack.enter_context(CHANGED[name]())
        before = state()
        with default_torch_state():
            layer = torch.nn.Linear(3, 2)
            outputs = layer(torch.ones(4, 3))
            outputs.sum().backward()
        assert state() == before
    assert outputs.dtype == layer.weight.grad.dtype == torch.float32
    assert outputs.device.type == "cpu"


def test_the_state_is_restored_after_an_error(default_dtype):
    with pytest.raises(KeyError), torch.no_grad(), default_torch_state():
        raise KeyError
    assert torch.get_default_dtype() == default_dtype


def test_contexts_of_several_threads_overlap(default_dtype):
    def work(_):
        with default_torch_state(), default_torch_state():
            return torch.zeros(1).dtype

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(200))) == {torch.float32}
    assert torch.get_default_dtype() == default_dtype
