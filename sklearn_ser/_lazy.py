"""Lazy loading of the public names that the stub of a package lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lazy_loader


def attach_stub(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package from its ``__init__.pyi``.

    `package` and `file` are ``__name__`` and ``__file__`` of the package.
    """
    load, list_names, names = lazy_loader.attach_stub(package, file)

    def __getattr__(name: str) -> Any:
        try:
            return load(name)
        except AttributeError as error:
            if name not in names:
                raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
            # Python would treat an AttributeError as a missing name and hide its cause.
            raise ImportError(
                f"{package}.{name} cannot be imported because a dependency is broken or "
                f"incompatible: {error}. Compare the output of sklearn_ser.show_versions() with "
                f"the versions that sklearn_ser requires."
            ) from error

    return __getattr__, list_names, names
