"""Progress of long computations: a bar in a terminal or notebook, lines in a log."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterable
from typing import Any

#: Minimum number of seconds before the first line in a log, and between two lines.
LOG_INTERVAL = 5.0


def progress(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    desc: str = "",
    unit: str = "it",
    verbose: int = 0,
    **kwargs: Any,
) -> Any:
    """Return a tqdm bar over an iterable, or one that is updated manually; silent if not `verbose`.

    In a terminal or notebook this is the usual bar. If standard error is a file or a pipe, it is a
    line after the first five seconds, one per tenth of the work (at most every five seconds) and
    one at the end; short computations print nothing.
    """
    if verbose and not sys.stderr.isatty() and not _in_notebook():
        return _lines_class()(iterable, total=total, desc=desc, unit=unit, **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tqdm in a notebook without widgets: the bar is text
        from tqdm.auto import tqdm

    if verbose and not _in_notebook() and _width(sys.stderr) == 0:
        # Without the size of the terminal (docker exec, some CI) tqdm would draw nothing.
        kwargs = {"ncols": 80, "nrows": 24} | kwargs
    return tqdm(iterable, total=total, desc=desc, unit=unit, disable=not verbose, **kwargs)


def _in_notebook():
    """Return whether this process is the kernel of a notebook, whose streams are not terminals."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def _lines_class():
    from tqdm import tqdm

    class LogLines(tqdm):
        """Progress as lines: one soon, one per tenth of the work, one at the end."""

        def __init__(self, *args, **kwargs):
            self._tenth, self._written_at, self._is_first = 0, time.monotonic(), True
            super().__init__(*args, mininterval=0, miniters=1, **kwargs)

        def display(self, msg=None, pos=None):
            tenth = int(10 * self.n / self.total) if self.total else 0
            is_due = time.monotonic() - self._written_at >= LOG_INTERVAL
            is_last = self.n == self.total and not self._is_first
            is_next = self._is_first or tenth > self._tenth or not self.total
            if not self.n or not (is_last or (is_due and is_next)):
                return
            self._tenth, self._written_at, self._is_first = tenth, time.monotonic(), False
            done = f"{self.n} of {self.total}" if self.total else f"{self.n}"
            print(
                f"{self.desc.removesuffix(': ')}: {done} {self.unit}, "
                f"{self.format_dict['elapsed']:.0f} s",
                file=sys.stderr,
                flush=True,
            )

        def close(self):
            self.disable = True

    return LogLines


def _width(terminal):
    """Return the number of columns of a terminal, or 0 if it is unknown."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns
    except (OSError, ValueError):
        return 0
