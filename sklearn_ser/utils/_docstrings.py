"""Parameter descriptions that several docstrings share."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent, indent
from typing import TypeVar

T = TypeVar("T")


def substitute_docstring(**parts: str) -> Callable[[T], T]:
    """Return a decorator that replaces lines ``%(name)s`` of a docstring by shared texts.

    Each text replaces the lines that hold nothing but its ``%(name)s``, and is indented like them.
    A docstring without such a line raises a ValueError.
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
