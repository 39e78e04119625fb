"""Names and values from tables and files as text that terminals and error messages can show."""

from __future__ import annotations

import re
import reprlib
from numbers import Number

#: Control characters but line feeds, characters that change the direction of writing, and bytes of
#: file names that cannot be decoded.
_NOT_SHOWN = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: object) -> str:
    r"""Return text with control characters as escapes, such as ``\x1b``; line feeds stay."""
    return _NOT_SHOWN.sub(lambda found: ascii(found[0])[1:-1], str(text))


def printable_name(name: object) -> str:
    r"""Return a name on one line, with control characters and line feeds as escapes."""
    return printable(name).replace("\n", "\\n")


def short_repr(value: object) -> str:
    """Return the repr of a value from a file, with the type only of what is no plain value.

    The repr of an estimator or of bytes may take far more time or memory than the file has bytes.
    """
    return _SHORT.repr(value)


class _ShortRepr(reprlib.Repr):
    def repr_instance(self, x, level):
        return repr(x) if isinstance(x, Number | None) else f"<{type(x).__name__}>"


_SHORT = _ShortRepr()


def encodable(text: str, encoding: str | None = "utf-8") -> str:
    """Return text with escapes in place of what an encoding does not have."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
