"""Versions of sklearn_ser, of its dependencies and of the system, for bug reports."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

from packaging.requirements import Requirement

from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser")
def show_versions() -> None:
    """Print the versions of sklearn_ser, its dependencies and the system.

    The dependencies are those that the installed package declares, extras included. Packages that
    are not installed are listed as None.

    Examples
    --------
    >>> import sklearn_ser
    >>> sklearn_ser.show_versions()  # doctest: +SKIP
    """
    print("\nSystem:")
    for name, value in {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }.items():
        print(f"{name:>20}: {value}")
    print("\nPython dependencies:")
    for name in ["sklearn-ser", *_dependencies()]:
        print(f"{name:>20}: {_version(name)}")
    print("\nDevices:")
    print(f"{'torch':>20}: {_devices()}")


def _dependencies():
    """Return the names of all declared dependencies, without duplicates."""
    try:
        declared = importlib.metadata.requires("sklearn-ser") or []
    except importlib.metadata.PackageNotFoundError:  # run from a source tree
        declared = []
    return list(dict.fromkeys(Requirement(text).name for text in declared))


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices():
    try:
        import torch
    except Exception as error:  # any error of a broken installation belongs in the report
        return f"{type(error).__name__}: {error}"
    found = ["cpu"]
    if torch.cuda.is_available():
        found += [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return ", ".join(found)
