"""Progress of long computations: a bar in a terminal, lines in a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

#: Minimum number of seconds between two lines in a log.
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

    In a terminal this is the usual bar. If standard error is a file or a pipe, it is one line per
    tenth of the work, at most every five seconds, so that short computations print nothing.
    """
    from tqdm.auto import tqdm

    if verbose and not sys.stderr.isatty():
        return _lines_class()(iterable, total=total, desc=desc, unit=unit, **kwargs)
    if verbose and _width(sys.stderr) == 0:
        # Without the size of the terminal (docker exec, some CI) tqdm would draw nothing.
        kwargs = {"ncols": 80, "nrows": 24} | kwargs
    return tqdm(iterable, total=total, desc=desc, unit=unit, disable=not verbose, **kwargs)


def _lines_class():
    from tqdm import tqdm

    class LogLines(tqdm):
        """Progress as lines, one per tenth of the work."""

        def __init__(self, *args, **kwargs):
            self._tenth, self._written_at = 0, time.monotonic()
            super().__init__(*args, mininterval=0, miniters=1, **kwargs)

        def display(self, msg=None, pos=None):
            tenth = int(10 * self.n / self.total) if self.total else 0
            now = time.monotonic()
            if tenth > self._tenth and now - self._written_at >= LOG_INTERVAL:
                self._tenth, self._written_at = tenth, now
                print(
                    f"{self.desc.removesuffix(': ')}: {self.n} of {self.total} {self.unit}, "
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
