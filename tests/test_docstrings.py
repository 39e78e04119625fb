"""Docstrings of the public API state the parameters and results, as numpydoc validates them."""

import importlib
import inspect
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_ser

PACKAGE = Path(sklearn_ser.__file__).parent
MODULES = [
    "sklearn_ser",
    *(f"sklearn_ser.{stub.parent.name}" for stub in sorted(PACKAGE.glob("*/__init__.pyi"))),
]
#: Undocumented parameters, those without type or description, results without them.
CODES = {"PR01", "PR04", "PR07", "RT01", "RT03"}


def is_own(member):
    """Whether a method or property is defined in this package."""
    function = member.fget if isinstance(member, property) else member
    return inspect.isfunction(function) and function.__module__.startswith("sklearn_ser")


def names_of(module):
    """Yield the full names of public classes and functions, and of methods and properties."""
    for name in importlib.import_module(module).__all__:
        public = getattr(importlib.import_module(module), name)
        if not inspect.isclass(public) and not inspect.isfunction(public):
            continue
        yield f"{module}.{name}"
        if inspect.isclass(public):
            for member in dir(public):
                if not member.startswith("_") and (
                    is_own(inspect.getattr_static(public, member))
                    or is_own(getattr(public, member))
                ):
                    yield f"{module}.{name}.{member}"


@pytest.mark.parametrize("module", MODULES)
def test_parameters_and_results_are_described(module):
    faults = [
        f"{name}: {code} {text}"
        for name in names_of(module)
        for code, text in validate(name)["errors"]
        if code in CODES
    ]
    assert faults == []
