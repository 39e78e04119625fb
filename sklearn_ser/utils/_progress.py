"""One progress bar for the whole package: silent with verbose=0 and where stderr is no terminal."""

import os
import sys


def progress(iterable=None, *, total=None, desc="", unit="it", verbose=0, **kwargs):
    """A tqdm bar over `iterable` (or a manual one), shown only when asked for and seen by a person.

    Parameters
    ----------
    iterable : iterable, optional
    total : int, optional
    desc, unit : str
    verbose : int, default=0
        0 is silent.

    Returns
    -------
    tqdm.tqdm
    """
    from tqdm.auto import tqdm

    shown = bool(verbose) and sys.stderr.isatty()
    if shown and _width(sys.stderr) == 0:
        # A terminal that does not say its size (docker exec, some CI): tqdm would draw nothing.
        kwargs = {"ncols": 80, "nrows": 24} | kwargs
    return tqdm(iterable, total=total, desc=desc, unit=unit, disable=not shown, **kwargs)


def _width(terminal):
    """Columns of a terminal, or 0 where it does not say."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns
    except (OSError, ValueError):
        return 0
