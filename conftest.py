"""Collection of doctests: public classes and functions carry a public module (`public_module`)."""

import doctest
import inspect
import sys

import pytest

_from_module = doctest.DocTestFinder._from_module


def _defined_in(self, module, found):
    """Take classes for those of the private module that defines them, whatever `__module__` is.

    doctest compares `__module__` with the name of the module that it looks through, so that the
    examples of public classes, whose `__module__` is the package they are imported from, would be
    left out.
    """
    if inspect.isclass(found) and module.__name__.startswith(f"{found.__module__}."):
        return module.__dict__.get(found.__name__) is found and any(
            getattr(method, "__globals__", None) is module.__dict__
            for method in vars(found).values()
        )
    return _from_module(self, module, found)


doctest.DocTestFinder._from_module = _defined_in


@pytest.fixture(autouse=True)
def _closed_figures():
    """Close the figures of a test or doctest: matplotlib warns of the 21st that is open."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
