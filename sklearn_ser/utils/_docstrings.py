"""Parameter descriptions that several docstrings share."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isfunction
from textwrap import dedent, indent
from typing import TypeVar

T = TypeVar("T")


def substitute_docstring(**parts: str) -> Callable[[T], T]:
    """Return a decorator that replaces lines ``%(name)s`` of docstrings by shared texts.

    Each text replaces the lines that hold nothing but its ``%(name)s``, and is indented like them,
    in the docstring of a function, or of a class and its methods. A text without such a line raises
    a ValueError.
    """

    def decorate(documented: T) -> T:
        members = vars(documented).values() if isinstance(documented, type) else ()
        owners = [documented, *(member for member in members if isfunction(member))]
        unused = set(parts)
        for owner in owners:
            if owner.__doc__ is not None:  # python -OO
                owner.__doc__, used = _substituted(owner.__doc__, parts)
                unused -= used
        if unused and documented.__doc__ is not None:
            raise ValueError(f"the docstring of {documented!r} has no line %({min(unused)})s")
        return documented

    return decorate


def _substituted(text, parts):
    """Return a docstring with shared texts, and the names of these."""
    lines, used = text.splitlines(), set()
    for number, line in enumerate(lines):
        name = line.strip().removeprefix("%(").removesuffix(")s")
        if name in parts and line.strip() == f"%({name})s":
            used.add(name)
            lines[number] = indent(dedent(parts[name]).strip("\n"), line.partition("%")[0])
    return "\n".join(lines), used
