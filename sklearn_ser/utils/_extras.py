"""Import of packages of optional extras."""

from __future__ import annotations

import importlib
from types import ModuleType

from sklearn_ser.exceptions import MissingDependencyError


def import_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of an optional extra of sklearn-ser; `purpose` starts the error message.

    Only the absence of the package itself raises a MissingDependencyError. Errors inside an
    installed package, including its missing dependencies, are not converted, because installing the
    extra would not fix them.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name != package:
            raise
        raise MissingDependencyError(
            f"{purpose} needs the package {package!r}, which is not installed: "
            f"pip install 'sklearn-ser[{extra}]'",
            name=package,
        ) from error
