"""The benchmarks can be started: they import, and none hides a module of Python's own."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
#: As a script has it, the folder comes first on the path.
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


def test_no_benchmark_hides_a_module_of_the_standard_library():
    assert "race" in NAMES
    assert not set(NAMES) & set(sys.stdlib_module_names)


def test_every_benchmark_imports():
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *NAMES],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
