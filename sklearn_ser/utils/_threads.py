"""Limit of the threads of torch within a context.

``torch.set_num_threads`` applies to the calling thread, and is also the initial setting of threads
that use torch later. A thread that starts while another one is limited would therefore restore
that limit at its end. So the setting before the first limit is stored while any limit is active.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_this_thread = threading.local()
_active_limits = 0
_setting_before_limits = 1


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Limit the threads of torch in the context (None: keep the setting).

    Small networks are fastest on one thread, and with more they stall on a loaded machine. The
    context may be nested and entered from several threads concurrently.
    """
    if n_threads is None:
        yield
        return
    import torch

    global _active_limits, _setting_before_limits
    with _lock:
        previous = torch.get_num_threads()
        if _active_limits == 0:
            _setting_before_limits = previous
        elif not getattr(_this_thread, "known", False):
            previous = _setting_before_limits
        _this_thread.known = True
        _active_limits += 1
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        with _lock:
            _active_limits -= 1
            torch.set_num_threads(previous)
