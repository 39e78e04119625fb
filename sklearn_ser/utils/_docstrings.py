"""Parameter descriptions that several docstrings share."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent, indent
from typing import TypeVar

T = TypeVar("T")


def substitute_docstring(**parts: str) -> Callable[[T], T]:
    """Return a decorator that replaces lines ``%(name)s`` of a docstring by shared texts.

    Parameters
    ----------
    **parts : str
        Texts by name. Each replaces the line that holds nothing but its ``%(name)s``, and is
        indented like that line.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If a docstring has no such line.

    Examples
    --------
    >>> from sklearn_ser.utils._docstrings import substitute_docstring
    >>> @substitute_docstring(sampling_rate="sampling_rate : int\\n    Samples per second.")
    ... def read(sampling_rate=16000):
    ...     '''Read audio.
    ...
    ...     %(sampling_rate)s
    ...     '''
    >>> print(read.__doc__.rstrip())
    Read audio.
    <BLANKLINE>
        sampling_rate : int
            Samples per second.
    """

    def decorate(documented: T) -> T:
        text = documented.__doc__
        if text is None:  # python -OO
            return documented
        lines = text.splitlines()
        for name, part in parts.items():
            mark = f"%({name})s"
            numbers = [number for number, line in enumerate(lines) if line.strip() == mark]
            if not numbers:
                raise ValueError(f"the docstring of {documented!r} has no line {mark}")
            for number in numbers:
                margin = lines[number].partition("%")[0]
                lines[number] = indent(dedent(part).strip("\n"), margin)
        documented.__doc__ = "\n".join(lines)
        return documented

    return decorate
