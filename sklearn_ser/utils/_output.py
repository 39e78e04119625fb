"""Output of steps that choose their container themselves."""

from __future__ import annotations

from typing import Any, Self


class OwnContainerMixin:
    """Mixin of transformers to whose output `set_output` does not apply.

    Only pandas holds audio references and frame sequences, with the ids in the index; nevertheless
    `set_output` of a Pipeline must reach the other steps.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**{"auto_wrap_output_keys": None, **kwargs})

    def set_output(self, *, transform: str | None = None) -> Self:
        """Return the step unchanged: its output is a pandas DataFrame, or a container like X.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None
            Ignored.

        Returns
        -------
        self
        """
        return self
