"""Output of steps that only pandas can hold."""

from __future__ import annotations

from typing import Any


class OwnContainerMixin:
    """Mixin of transformers to whose output `set_output` and the global setting may not apply.

    Only pandas holds audio references and frame sequences, with the ids in the index. A Pipeline
    must be able to set the output of its other steps nevertheless.
    """

    @property
    def _own_container(self) -> bool:
        """Whether the output stays as it is."""
        return True

    # scikit-learn's `set_output`, `clone` and wrapped methods read and write this attribute.
    @property
    def _sklearn_output_config(self) -> dict[str, Any]:
        if self._own_container:
            return {"transform": "default"}
        if "_output_config" not in vars(self):
            raise AttributeError("_sklearn_output_config")  # set_output was not called
        return vars(self)["_output_config"]

    @_sklearn_output_config.setter
    def _sklearn_output_config(self, config: dict[str, Any]) -> None:
        vars(self)["_output_config"] = config
