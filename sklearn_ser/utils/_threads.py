"""Cap torch's threads inside a call, and leave the caller's setting as it was.

``torch.set_num_threads`` acts on the calling thread and also becomes the value with which threads
start that have not used torch yet. A thread that starts while another one's cap is on would
therefore take the cap for its own setting and restore *that* at its end. So the setting found
before the first cap is remembered for as long as any cap is on.
"""

import threading
from contextlib import contextmanager

_lock = threading.Lock()
_this_thread = threading.local()
_caps_on = 0
_setting_before_caps = 1


@contextmanager
def torch_threads(n_threads):
    """Run the block with `n_threads` torch threads (None: leave torch's setting alone).

    Small networks are fastest on one thread, and with more they stall on a loaded machine. Safe
    to enter from several threads at once, and to nest.

    Parameters
    ----------
    n_threads : int or None
    """
    if n_threads is None:
        yield
        return
    found = _enter(n_threads)
    try:
        yield
    finally:
        _leave(found)


def _enter(n_threads):
    import torch

    global _caps_on, _setting_before_caps
    with _lock:
        found = torch.get_num_threads()
        if _caps_on == 0:
            _setting_before_caps = found
        elif not getattr(_this_thread, "known", False):
            found = _setting_before_caps
        _this_thread.known = True
        _caps_on += 1
        torch.set_num_threads(n_threads)
    return found


def _leave(found):
    import torch

    global _caps_on
    with _lock:
        _caps_on -= 1
        torch.set_num_threads(found)
