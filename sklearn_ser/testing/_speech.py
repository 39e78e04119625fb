"""Speech that the checks of audio steps run on: made once per process, kept in a temporary folder.

Small, seeded, and of differing lengths, so that a step that pads a batch shows it.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from sklearn_ser.utils._ids import ID_COLUMNS

#: Of the files, in Hz.
SAMPLING_RATE = 16000
# Samples of the utterances: short, for speed, and all different.
_LENGTHS = (6800, 8000, 7600, 7000)
#: Id columns of `Speech.frame`, in the order in which they become index levels: all there are.
IDS = ID_COLUMNS


@dataclass(frozen=True)
class Speech:
    """Utterances and their files.

    Attributes
    ----------
    frame : DataFrame
        Column ``file`` (paths of 16-bit files), ids, and labels (``emotion``, ...): four
        utterances, two emotions, two speakers.
    signals : tuple of ndarray of shape (n_samples,), float32
        What the files hold. Read-only, so that no step can change it unseen.
    folder : Path
        Removed at the end of the process.
    """

    frame: pd.DataFrame
    signals: tuple
    folder: Path

    @property
    def X(self):
        """A copy of what a user would pass: the audio column and the ids."""
        return self.frame[["file", *IDS]].copy()

    @property
    def y(self):
        """The emotions."""
        return self.frame["emotion"].copy()

    def new_folder(self):
        """An empty folder of its own, below `folder`."""
        return Path(tempfile.mkdtemp(dir=self.folder))


@cache
def speech():
    """The speech of this process.

    Returns
    -------
    Speech
    """
    # Here, not above: utils stands below datasets and audio.
    from sklearn_ser.audio import read_audio
    from sklearn_ser.datasets import make_speech_corpus

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
    """Write what the files of `Speech` hold, so that it is read back to the bit.

    Parameters
    ----------
    file : str or Path
    samples : ndarray of shape (n_samples,) or (n_channels, n_samples)
        Multiples of 1/32768.
    """
    integers = np.round(samples * 32768).astype(np.int16)
    soundfile.write(file, integers.T, SAMPLING_RATE, subtype="PCM_16")


def equal_length_signals():
    """The signals, cut to the length of the shortest.

    Returns
    -------
    ndarray of shape (n_utterances, n_samples), float32
    """
    signals = speech().signals
    shortest = min(map(len, signals))
    return np.stack([signal[:shortest] for signal in signals])


def object_array(cells):
    """A 1-D object array of any cells, also of arrays of equal length (numpy would stack those)."""
    array = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        array[row] = cell
    return array
