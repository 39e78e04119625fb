"""The benchmarks can be started: all that they import is there."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
#: As for a script, the folder comes first on the path.
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


def test_every_benchmark_imports():
    assert "training" in NAMES
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *NAMES],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
