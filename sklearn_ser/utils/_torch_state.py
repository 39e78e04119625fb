"""State of torch that its users change, set to what this package needs within a context."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

#: Devices with an autocast state of their own.
_AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")
_lock = threading.Lock()
_active = 0
_dtype_before = None


@contextmanager
def default_torch_state() -> Iterator[None]:
    """Compute as in a new process: float32 on the CPU by default, gradients on, autocast off.

    The state of the caller is restored at the end. The default dtype is one of the whole process:
    it is float32 for all threads while any thread is in the context.
    """
    import torch

    with ExitStack() as stack:
        stack.enter_context(_float32_by_default(torch))
        # This, not `enable_grad` alone: tensors made in inference mode never have gradients.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in _AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            # Only then: within `torch.device`, every call of torch takes longer.
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def _float32_by_default(torch):
    global _active, _dtype_before
    with _lock:
        if _active == 0:
            _dtype_before = torch.get_default_dtype()
            torch.set_default_dtype(torch.float32)
        _active += 1
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            if _active == 0:
                torch.set_default_dtype(_dtype_before)
