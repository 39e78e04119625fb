"""Audio loading: files or arrays to mono float32 within full scale at one sampling rate.

Every step that processes audio reads it through this module, so that all steps receive the same
samples and reject the same faults. openSMILE itself wraps samples at full scale, accepts NaN, and
returns different features at different sampling rates.

**Input.** A pandas DataFrame with an audio column (`audio=`, by default "file") and optionally
``start`` and ``end`` in seconds (numbers or timedeltas; where missing, the start or end of the
audio); a list, tuple, 1-D object array or Series of audio references; a 2-D array of equal-length
utterances, of shape (n_utterances, n_samples); an audformat filewise or segmented index, or a
DataFrame or Series with one. A Series whose index has a level named `audio` is read by its index
(its values are labels), unless the Series itself has that name.

An audio reference is a path (str or Path; relative paths start at the working directory), an
array, a pair ``(array, rate)``, or the content of an audio file: bytes, a binary file object (read
from its start), or a dict of Hugging Face ``datasets``, ``{"path", "bytes"}`` or ``{"array",
"sampling_rate"}``. It may also be a decoder of TorchCodec, or the output of an augmenter
(``AddNoise().augment(X)``), which is computed when it is read. A bare array is assumed to be at the
requested `sampling_rate`; a pair is resampled. A plain list of floats is treated as an array.
Arrays have the shape (samples,) or (channels, samples).

**Output**, one utterance at a time: a new mono float32 array in [-1, 32767/32768] at the requested
rate. Files that libsndfile reads are decoded (wav, flac, ogg, mp3, ...), and the sound of videos
and other containers (mp4, webm, ...; extra ``video``); channels are averaged,
int16 is divided by 32768 (int8, uint8, int32 by their respective full scale), other rates are
resampled with soxr ("HQ": 20 bits; the length is rounded). A segment of a file is cut first and
then resampled; only that segment is decoded. 16-bit files at the requested rate are bit-equal to
what soundfile reads.

**Full scale.** Samples beyond [-1, 1] in arrays and in lossless files raise an error (or are
clipped with a warning, ``beyond_full_scale="clip"``): such audio was scaled wrongly. Three
overshoots that a user cannot correct are limited silently: exactly +1.0, the ringing of the
resampler, and that of lossy decoders (mp3, ogg, opus; up to 2.0).

**Errors.** The following raise an :class:`~sklearn_ser.exceptions.AudioError` with the row and the
file: a missing, empty or undecodable file, NaN or Inf, empty or too short audio, a start or end
outside the audio (an end may be 5 ms beyond it), samples of unknown scale (int64, bool, ...),
channel-last arrays, channels that cancel each other out (their mean is 20 dB or more below what
independent ones would leave), audio below one step of 16 bits. Digital silence is accepted, and
what lossy decoders leave of it is rounded to it.

**Length.** The audio counts, not what the first header says: the frames of an mp3 are counted,
files that were joined end to end (mp3, ogg, flac, wav, aiff) are read whole, and the wav file of a
recorder that was stopped before it wrote the length is read to its end. Other formats raise an
error that states both lengths. A truncated wav, ogg or mp3 is shorter; a truncated flac, mp4, mkv,
webm or avi raises an error.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from sklearn_ser.audio._decoding import ReadingOptions, file_of, read_reference
from sklearn_ser.audio._input import AudioReferences, find_references
from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import AudioInput, AudioSource
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Part of the cache keys of feature stores. Incremented whenever the same audio is loaded as
#: different samples.
REVISION = 2

_OPTION_TEXTS = {
    "min_duration": """
        min_duration : float, default=0.0
            Minimum duration in seconds; shorter audio raises an error.""",
    "beyond_full_scale": """
        beyond_full_scale : {"raise", "clip"}, default="raise"
            Handling of samples beyond [-1, 1]: raise an error, or clip with an AudioWarning.""",
    "remove_dc": """
        remove_dc : bool, default=False
            Whether to subtract the mean of the samples.""",
}


@public_module("sklearn_ser.audio")
@substitute_docstring(**_OPTION_TEXTS)
def read_audio(
    source: AudioSource,
    sampling_rate: float = 16000,
    *,
    start: float | timedelta | None = None,
    end: float | timedelta | None = None,
    min_duration: float = 0.0,
    beyond_full_scale: Literal["raise", "clip"] = "raise",
    remove_dc: bool = False,
    row: int | None = None,
) -> NDArray[np.float32]:
    """Read one utterance as mono float32 at one rate.

    Parameters
    ----------
    source : str, Path, array, (array, rate), bytes, file object, dict or decoder
        Path of a file; samples of shape (samples,) or (channels, samples), of which a bare array
        is assumed to be at `sampling_rate`; or the content of a file as bytes, a binary file
        object, or a dict or decoder of Hugging Face ``datasets``.
    sampling_rate : int or float, default=16000
        Sampling rate of the result in Hz.
    start, end : float or timedelta, optional
        Segment to read, in seconds. None or NaN is the start or end of the audio.
    %(min_duration)s
    %(beyond_full_scale)s
    %(remove_dc)s
    row : int, optional
        Row to report in error messages.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        Samples in [-1, 32767/32768].

    Raises
    ------
    AudioError
        If the audio cannot be used.
    MissingDependencyError
        If the file is a container that only the extra ``video`` reads.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> stereo = np.array([[16384, 0, -16384], [0, 0, -16384]], dtype="int16")
    >>> read_audio(stereo)
    array([ 0.25,  0.  , -0.5 ], dtype=float32)
    >>> read_audio((np.zeros(44100), 44100), sampling_rate=16000).shape
    (16000,)
    >>> read_audio("missing.wav")
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.AudioError: file 'missing.wav': the file does not exist: relative ...
    """
    options = ReadingOptions(sampling_rate, min_duration, beyond_full_scale, remove_dc)
    signal, clipped_peak = read_reference(source, start, end, options, row)
    if clipped_peak is not None:
        warn_user(_clipped(clipped_peak, row, file_of(source)), AudioWarning)
    return signal


@public_module("sklearn_ser.audio")
@substitute_docstring(**_OPTION_TEXTS)
def open_audio(
    X: AudioInput,
    *,
    audio: str = "file",
    sampling_rate: float = 16000,
    min_duration: float = 0.0,
    beyond_full_scale: Literal["raise", "clip"] = "raise",
    remove_dc: bool = False,
) -> AudioTable:
    """Open a table of utterances without reading any of them.

    Parameters
    ----------
    X : DataFrame, Series, Index, list, tuple or ndarray
        Table or sequence of paths, 1-D arrays, ``(array, rate)`` pairs or other references, as
        :func:`read_audio` takes them; a table may have ``start`` and ``end`` in seconds.
    audio : str, default="file"
        Name of the column, Series or index level that holds the audio.
    sampling_rate : int or float, default=16000
        Sampling rate of the utterances read, in Hz.
    %(min_duration)s
    %(beyond_full_scale)s
    %(remove_dc)s

    Returns
    -------
    AudioTable
        Sequence of utterances; ``table.read(i)`` and iteration load them one at a time, and
        ``table.index`` holds the ids.

    Raises
    ------
    AudioError
        If X has no audio in a known form. Faults of single rows are raised when they are read.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser.audio import open_audio
    >>> frame = pd.DataFrame({"file": [np.zeros(800), np.zeros(900)], "speaker": ["a", "b"]})
    >>> table = open_audio(frame)
    >>> [len(signal) for signal in table]
    [800, 900]
    >>> list(table.index)
    ['a', 'b']
    >>> open_audio(frame.rename(columns={"file": "wave"}))
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.AudioError: X has no column and no index level 'file' ...
    >>> len(open_audio(frame.rename(columns={"file": "wave"}), audio="wave"))
    2
    """
    options = ReadingOptions(sampling_rate, min_duration, beyond_full_scale, remove_dc)
    return AudioTable(find_references(X, audio), options)


class AudioTable:
    """Sequence of utterances that are read one at a time, as returned by :func:`open_audio`.

    Nothing is cached and no file stays open; several threads may read concurrently.

    `index` is that of tables computed from the utterances: the id columns of X (corpus, speaker,
    language, text, recording; columns or index levels, those present, in this order) as a
    MultiIndex, or as a plain named Index of strings where there is only one; without ids, or if all
    of them are index levels, the index of X, or a RangeIndex. `clipped` holds the peaks of the
    clipped rows among those read so far, by row; only the first is warned about.
    """

    def __init__(self, references: AudioReferences, options: ReadingOptions):
        self.index = references.index
        self.clipped: dict[int, float] = {}
        self.references = references
        self.options = options
        self._rows: list[int] | None = None  # rows in the table of which this one is a subset
        self._warns = True

    def __len__(self) -> int:
        return len(self.references.values)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self.read(i) for i in range(len(self)))

    def __repr__(self) -> str:
        return f"AudioTable({len(self)} utterances, {self.options.sampling_rate:g} Hz)"

    def part(self, rows: Sequence[int]) -> AudioTable:
        """Return the rows at some positions as a table for a worker process.

        Its errors report the rows of the original table, whose :meth:`note_clipped` warns of what
        it clips.
        """
        part = AudioTable(self.references.part(rows), self.options)
        part._rows = [self._row(i) for i in rows]
        part._warns = False
        return part

    def note_clipped(self, clipped: dict[int, float]) -> None:
        """Record clipped rows, and warn if these are the first."""
        is_first = bool(clipped) and not self.clipped
        self.clipped.update(clipped)
        if is_first and self._warns:
            row = min(clipped)
            warn_user(
                f"{_clipped(clipped[row], row, self.file(row))} (the first such row; further ones "
                f"are clipped without a warning)",
                AudioWarning,
            )

    def file(self, i: int) -> str | None:
        """Return the path of row `i` (or of the audio it is derived from), or None for an array."""
        return file_of(self.references.values[i])

    def read(self, i: int) -> NDArray[np.float32]:
        """Read row `i`, or raise an AudioError if its audio cannot be used."""
        references, i = self.references, operator.index(i)
        start, end = references.span(i)
        row = self._row(i)
        if i in references.faults:
            raise AudioError(references.faults[i], row=row, file=self.file(i))
        signal, clipped_peak = read_reference(references.values[i], start, end, self.options, row)
        if clipped_peak is not None:
            self.note_clipped({row: clipped_peak})
        return signal

    def _row(self, i):
        return i if self._rows is None else self._rows[i]


def _clipped(peak, row, file):
    reason = f"the peak is {peak:.6g}, beyond full scale: clipped to [-1, 1]"
    return str(AudioError(reason, row=row, file=file))
