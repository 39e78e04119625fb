"""Import a package of an optional extra, or say which extra to install."""

import importlib

from sklearn_ser.exceptions import MissingDependencyError


def import_extra(module, extra, purpose):
    """Import a module of an optional extra.

    Parameters
    ----------
    module : str
        Full name of the module, for example ``"librosa"`` or ``"onnx.checker"``.
    extra : str
        The extra of sklearn-ser that brings it.
    purpose : str
        What needs it; the message starts with it.

    Returns
    -------
    module

    Raises
    ------
    MissingDependencyError
        If the package is not installed. An error inside an installed package, a missing
        dependency of its own among them, is raised as it is: another installation of the same
        extra would not mend it.
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
