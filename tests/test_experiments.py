"""The experiments import, without the corpora, and use the public API alone."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "experiments").rglob("*.py")) + sorted((ROOT / "examples").glob("*.py"))
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in FILES
    if path.is_relative_to(ROOT / "experiments")
]
RESULTS = sorted((ROOT / "experiments").rglob("results/*.parquet"))
#: Experiments that use private names, and why.
PRIVATE = {
    "planted_flaws.py": "`audit_corpus` would decode the corpus for each of hundreds of flaws",
}
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


def imported_names(path):
    """Return the dotted names that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_experiment_imports_without_the_corpora(tmp_path):
    assert "experiments.adaptation.comparison" in MODULES
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *MODULES],
        cwd=ROOT,
        env=os.environ | {"SKLEARN_SER_SHARED": str(tmp_path / "absent")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_public_names_are_imported(path):
    private = [
        name
        for name in imported_names(path)
        if name.split(".")[0] == "sklearn_ser" and any(p.startswith("_") for p in name.split("."))
    ]
    assert private == [] or path.name in PRIVATE


def test_there_are_published_results():
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_published_predictions_are_of_corpora_whose_terms_allow_it(path):
    assert set(pd.read_parquet(path)["corpus"]) <= {"emodb", "nemo", "ravdess"}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_published_results_load(path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from experiments.results import load_published

    result = load_published(path.with_suffix(""))
    assert result.summary().notna().all(axis=None)
