"""Speech for the checks of audio steps, generated once per process in a temporary folder.

The utterances are short, seeded, and of different lengths, so that padding of batches is detected.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from sklearn_ser.audio import read_audio
from sklearn_ser.datasets import make_speech_corpus
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
