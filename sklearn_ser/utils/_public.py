"""Public module of public classes and functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def public_module(name: str) -> Callable[[T], T]:
    """Return a decorator that sets the module of a class or function to its public one.

    Pickles, model files, cache keys and reprs hold that name, and therefore do not depend on the
    private module that defines the object.
    """

    def decorate(public: Any) -> Any:
        public.__module__ = name
        return public

    return decorate
