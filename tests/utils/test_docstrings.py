import inspect

import pytest

from sklearn_ser.utils._docstrings import substitute_docstring


def test_shared_text_is_indented_like_its_line():
    @substitute_docstring(rate="rate : int\n    Samples per second.")
    def read(rate):
        """Read audio.

        Parameters
        ----------
        %(rate)s
        """

    assert inspect.cleandoc(read.__doc__).endswith("---\nrate : int\n    Samples per second.")


def test_docstring_without_the_line():
    def read(rate):
        """Read audio."""

    with pytest.raises(ValueError, match=r"has no line %\(rate\)s"):
        substitute_docstring(rate="rate : int")(read)
