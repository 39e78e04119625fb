"""User interrupts (Ctrl-C) during a fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Interrupts:
    """The first user interrupt of a fit, and the stage in which it came.

    Each stage runs in :meth:`during`, the only place of the package where a KeyboardInterrupt of a
    fit ends. The code after the stage continues with the results so far; it is true in a boolean
    context if there was an interrupt.
    """

    def __init__(self) -> None:
        self.interrupted_in: str | None = None
        self._stage = "training"

    def __bool__(self) -> bool:
        return self.interrupted_in is not None

    @contextlib.contextmanager
    def during(self, stage: str | None = None) -> Iterator[None]:
        """Run a stage (without a name, the enclosing one), and end it at a user interrupt."""
        before = self._stage
        self._stage = before if stage is None else stage
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted_in = self.interrupted_in or self._stage
        finally:
            self._stage = before
