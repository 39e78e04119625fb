import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_ser


def test_import_is_light():
    code = (
        "import sys, sklearn_ser; "
        "print([m for m in ('torch', 'opensmile', 'sklearn', 'transformers') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sklearn_ser.__all__)
def test_public_name_loads(name):
    assert getattr(sklearn_ser, name) is not None


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'sklearn_ser' has no attribute 'nonsense'"):
        _ = sklearn_ser.nonsense


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "tools"])
def test_no_script_hides_a_module_of_python(folder):
    """A script's folder comes first on the path of the scripts beside it."""
    scripts = list((Path(__file__).parents[1] / folder).glob("*.py"))
    assert scripts
    assert not {path.stem for path in scripts} & set(sys.stdlib_module_names)
