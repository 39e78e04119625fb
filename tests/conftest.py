"""Set-up for every test: quiet thread pools, the corpora's folder, seeds."""

import os

# Before anything loads OpenMP: on a loaded machine, idle threads that spin stall small fits.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import pytest
from hypothesis import settings

# No test depends on the clock: on a loaded machine, milliseconds become seconds.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

PROJECT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark every test that uses the shared folder as one that needs the real corpora."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("corpora")


def find_shared():
    """The folder that holds corpora/, noise/, rir/ and embeddings/, or None."""
    named = os.environ.get("SKLEARN_SER_SHARED")
    folder = Path(named) if named else PROJECT.parent / "shared"
    return folder if (folder / "corpora").is_dir() else None


@pytest.fixture(scope="session")
def shared():
    """The shared folder; a test that asks for it is skipped without it, and fails in CI."""
    folder = find_shared()
    if folder is None:
        message = "no real corpora: set SKLEARN_SER_SHARED to the folder that holds corpora/"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)  # no audio is in the repository; CI has it and fails above instead
    return folder
