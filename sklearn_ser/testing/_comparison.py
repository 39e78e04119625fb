"""Speech of the checks, the output of audio steps for it, and its comparison.

The speech is generated once per process in a temporary folder. The utterances are short, seeded,
and of different lengths, so that padding of batches is detected.
"""

from __future__ import annotations

import atexit
import pickle
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from sklearn.base import clone

from sklearn_ser.audio import read_audio
from sklearn_ser.datasets import make_speech_corpus
from sklearn_ser.exceptions import AudioError, MissingDependencyError
from sklearn_ser.utils._frames import FRAMES
from sklearn_ser.utils._ids import ID_COLUMNS

#: Sampling rate of the files in Hz.
SAMPLING_RATE = 16000
# Numbers of samples of the utterances.
_LENGTHS = (6800, 8000, 7600, 7000)


@dataclass(frozen=True)
class Speech:
    """Utterances and their files.

    `frame` has the column ``file`` (paths of 16-bit files), ids, and labels: four utterances, two
    emotions, two speakers. `signals` are their content, float32 and read-only, so that no step can
    modify them. The temporary `folder` is removed at the end of the process.
    """

    frame: pd.DataFrame
    signals: tuple
    folder: Path

    @property
    def X(self) -> pd.DataFrame:
        """Copy of the audio column and the ids."""
        return self.frame[["file", *ID_COLUMNS]].copy()

    @property
    def y(self) -> pd.Series:
        """Emotions of the utterances."""
        return self.frame["emotion"].copy()

    def new_folder(self) -> Path:
        """Create an empty folder below `folder`."""
        return Path(tempfile.mkdtemp(dir=self.folder))


@cache
def speech() -> Speech:
    """Return the speech of this process."""
    folder = Path(tempfile.mkdtemp(prefix="sklearn-ser-checks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    frame = make_speech_corpus(
        n_speakers=2,
        n_utterances=1,
        emotions=("anger", "sadness"),
        duration=0.4,
        sampling_rate=SAMPLING_RATE,
        random_state=0,
    ).frame
    files = [str(folder / f"{row}.wav") for row in range(len(frame))]
    for file, (signal, rate), n_samples in zip(files, frame["file"], _LENGTHS, strict=True):
        soundfile.write(file, signal[:n_samples], rate, subtype="PCM_16")
    signals = tuple(read_audio(file, SAMPLING_RATE) for file in files)
    for signal in signals:
        signal.flags.writeable = False
    recordings = [f"recording {row}" for row in range(len(frame))]
    return Speech(frame.assign(file=files, recording=recordings), signals, folder)


def write_16_bit(file, samples):
    """Write a file that is read back bit-equally; samples are multiples of 1/32768."""
    integers = np.round(samples * 32768).astype(np.int16)
    soundfile.write(file, integers.T, SAMPLING_RATE, subtype="PCM_16")


def equal_length_signals():
    """Return the signals, cut to the length of the shortest, as one array."""
    signals = speech().signals
    shortest = min(map(len, signals))
    return np.stack([signal[:shortest] for signal in signals])


def object_array(references):
    """Return a 1-D object array, also of arrays of equal length (which numpy would stack)."""
    array = np.empty(len(references), dtype=object)
    for row, reference in enumerate(references):
        array[row] = reference
    return array


# In another batch, a network may sum in another order.
RTOL, ATOL = 1e-5, 1e-6

# Values of common parameters in the checks, unless a check sets them.
_PLAIN = {
    "audio": "file",
    "on_error": "raise",
    "beyond_full_scale": "raise",
    "remove_dc": False,
    "store": None,
    "n_jobs": None,
    "verbose": 0,
}

_references: dict[Any, Any] = {}


def has_parameter(step, name):
    """Return whether the step itself has this parameter."""
    return name in step.get_params(deep=False)


def plain(step):
    """Return an unfitted clone with the common parameters of audio steps at their defaults."""
    common = {name: value for name, value in _PLAIN.items() if has_parameter(step, name)}
    return clone(step).set_params(**common)


def fitted(step, **parameters):
    """Return a plain clone with the given parameters, fitted on the speech."""
    return plain(step).set_params(**parameters).fit(speech().X, speech().y)


def sampling_rate_of(step):
    """Return the sampling rate in Hz that a step assumes for bare arrays."""
    return getattr(step, "sampling_rate", SAMPLING_RATE)


def pairs(signals):
    """Return pairs of signal and rate, which are equivalent to the files for any step."""
    return [(signal, SAMPLING_RATE) for signal in signals]


def reference(step):
    """Return the output of a plain, fitted clone for the speech, computed once per step."""
    try:
        key = (type(step), pickle.dumps(step.get_params()))
    except Exception:  # parameters that cannot be pickled: check_pickle reports them
        return fitted(step).transform(speech().X)
    if key not in _references:
        _references[key] = fitted(step).transform(speech().X)
    return _references[key].copy()


def forget_references():
    """Clear the cached outputs: a file that a parameter names may have changed."""
    _references.clear()


def is_table(output):
    """Return whether the output has an index."""
    return isinstance(output, pd.DataFrame)


def is_frame_table(output):
    """Return whether this is the output of a frame-level step."""
    return is_table(output) and list(output.columns) == [FRAMES]


def values_by_row(output):
    """Return the array of each utterance, None where a frame-level step has no frames."""
    if is_frame_table(output):
        return [frames if isinstance(frames, np.ndarray) else None for frames in output[FRAMES]]
    values = np.asarray(output)
    if values.ndim != 2:
        raise AssertionError(
            f"transform returned an array of shape {values.shape}: expected two dimensions"
        )
    return list(values)


def failed(output):
    """Return for each row whether it is that of failed audio: entirely NaN, or without frames."""
    return [values is None or bool(np.isnan(values).all()) for values in values_by_row(output)]


def assert_finite(output, what):
    """Raise if a value is NaN or infinite."""
    for row, values in enumerate(values_by_row(output)):
        if values is None or not np.isfinite(values).all():
            raise AssertionError(f"{what}: row {row} has NaN or infinite values, or no values")


def assert_same(actual, expected, what, *, exact=True):
    """Raise if two outputs differ in a row; their types and indexes are ignored.

    Outputs may be lists returned by `values_by_row`. ``exact=False`` allows differences that
    another composition of batches may cause in a network.
    """
    actual, expected = (
        output if isinstance(output, list) else values_by_row(output)
        for output in (actual, expected)
    )
    if len(actual) != len(expected):
        raise AssertionError(f"{what}: {len(actual)} rows instead of {len(expected)}")
    rtol, atol = (0, 0) if exact else (RTOL, ATOL)
    for row, (one, other) in enumerate(zip(actual, expected, strict=True)):
        if (one is None) != (other is None):
            raise AssertionError(f"{what}: row {row} has values in only one of the two")
        if one is not None:
            np.testing.assert_allclose(
                one, other, rtol=rtol, atol=atol, equal_nan=True, err_msg=f"{what}: row {row}"
            )


def assert_same_index(actual, expected, what):
    """Raise if two tables differ in their index."""
    try:
        pd.testing.assert_index_equal(actual.index, expected.index, exact="equiv")
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from None


@contextmanager
def audio_error(what, row, file=None):
    """Expect an AudioError with the given row and file."""
    try:
        yield
    except MissingDependencyError:
        raise
    except AudioError as error:
        if (error.row, error.file) != (row, file) or not str(error).startswith(f"row {row}"):
            raise AssertionError(
                f"{what}: the AudioError names row {error.row} and file {error.file!r} instead of "
                f"row {row} and file {file!r}: {error}"
            ) from error
    except Exception as error:
        raise AssertionError(
            f"{what}: {type(error).__name__} ({error}) instead of an AudioError"
        ) from error
    else:
        raise AssertionError(f"{what}: no AudioError")
