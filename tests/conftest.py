"""Set-up for every test: quiet thread pools, the folder of the corpora, a fake audio step."""

import os

# Before anything loads OpenMP: on a loaded machine, idle threads that spin stall small fits.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MPLBACKEND", "Agg")

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from sklearn_ser.feature_extraction import AudioExtractor

# No test depends on the clock: on a loaded machine, milliseconds become seconds.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

PROJECT = Path(__file__).resolve().parents[1]

# Names of the encoders; test_classifier.py compares them with the documentation.
ENCODERS = ("mlp", "attention", "layers", "frame_dnn", "lstm", "cnn_blstm", "conformer")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark every test that uses the shared folder as one that needs the real corpora."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("corpora")


class LevelExtractor(AudioExtractor):
    """Audio step that costs nothing: level, peak and zero crossings of each utterance.

    Tests import it from `tests.conftest`, and subclass it.
    """

    cache_revision = 1

    def __init__(
        self,
        power=1,
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        super().__init__(
            audio=audio,
            on_error=on_error,
            beyond_full_scale=beyond_full_scale,
            remove_dc=remove_dc,
            store=store,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.power = power

    def _feature_names(self):
        return ["level", "peak", "crossings"]

    def _extract(self, signal):
        level = np.mean(np.abs(signal) ** self.power)
        crossings = np.mean(signal[1:] * signal[:-1] < 0) if len(signal) > 1 else 0.0
        return np.array([level, np.abs(signal).max(), crossings])


def make_frames_table(sequences, index, names, attrs=None):
    """Return a table of frame sequences as audio steps do; None is failed audio."""
    values = np.empty(len(sequences), dtype=object)
    values[:] = [np.nan if sequence is None else sequence for sequence in sequences]
    table = pd.DataFrame({"frames": pd.Series(values, index=index)})
    table.attrs = {"frame_features": list(names), **(attrs or {})}
    return table


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


@contextmanager
def changed_torch_state():
    """Give torch every state by which its users could change the results of a network."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            yield
    finally:
        torch.set_default_dtype(before)
