"""Import a package of an optional extra, or say which extra to install."""

import importlib

from sklearn_ser.exceptions import MissingDependencyError


def import_extra(module, extra, needed_for):
    """Import `module`, or raise an error that names the extra which brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{needed_for} needs the package {module.split('.')[0]!r}, which is not installed: "
            f"pip install 'sklearn-ser[{extra}]'"
        ) from error
