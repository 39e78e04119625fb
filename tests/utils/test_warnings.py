"""Origin of warnings: the line of the caller outside of this package and scikit-learn."""

import linecache
import warnings

import pytest

from sklearn_ser.utils._warnings import warn_user


def function_of(package):
    """A function that calls another that warns, as one of this package would be."""
    space = {"__name__": f"{package}.somewhere", "warn_user": warn_user}
    exec("def inner(): warn_user('careful', UserWarning)\ndef outer(): inner()", space)
    return space["outer"]


def warned_at(call, function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(function)
    assert [str(warning.message) for warning in caught] == ["careful"]
    return caught[0].filename, linecache.getline(caught[0].filename, caught[0].lineno)


@pytest.mark.parametrize("package", ["sklearn_ser", "sklearn", "joblib"])
@pytest.mark.parametrize(
    "call",
    [
        lambda outer: outer(),
        lambda outer: [outer() for _ in range(1)],
        lambda outer: sorted([1], key=lambda _: outer() or 0),
    ],
    ids=["plain", "comprehension", "callback"],
)
def test_the_innermost_line_outside_of_the_package(call, package):
    filename, line = warned_at(call, function_of(package))
    assert filename == __file__
    assert "outer()" in line


def test_another_package_with_a_similar_name_is_outside():
    filename, _ = warned_at(lambda outer: outer(), function_of("sklearn_service"))
    assert filename == "<string>"
