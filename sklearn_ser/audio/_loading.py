"""The one door by which audio enters: files or arrays -> mono float32 in range at one rate.

Every step that touches audio takes it from here, so that all of them hear the same samples and
refuse the same faults. openSMILE by itself wraps samples at full scale, accepts NaN, and gives
other numbers at other rates.

**What may come in.** A pandas DataFrame with an audio column (`audio=`, by default "file") and
optionally ``start`` and ``end`` in seconds (numbers or timedeltas; missing: the audio's own
start or end); a list, tuple, 1-D object array or Series of audio cells; a 2-D array of
equal-length utterances, of shape (n_utterances, n_samples); an audformat filewise or segmented
index, or a DataFrame or Series with one. A Series whose index has a level named `audio` is read
by its index (its values are labels), unless the Series itself has that name.

A cell is a path (str or Path; relative ones start at the working directory), an array, or a pair
``(array, rate)``. A bare array counts as being at the asked `sampling_rate`; a pair is resampled.
A cell may also be what an augmenter made (``AddNoise().augment(X)``), which is computed when it
is read. A plain list of floats is taken for an array. Arrays are (samples,) or
(channels, samples).

**What comes out**, one utterance at a time: mono float32 in [-1, 32767/32768] at the asked
rate, in memory of its own. Files that libsndfile reads are decoded (wav, flac, ogg, mp3, ...),
channels are averaged, int16 is divided by 32768 (int8, uint8, int32 likewise by their own full
scale), other rates are resampled with soxr ("HQ": 20 bits; the length is the rounded one). A part
of a file is cut first and resampled then; only that part is decoded. 16-bit files at the asked
rate come out bit-equal to what soundfile reads.

**Full scale.** Samples beyond [-1, 1] in arrays and in lossless files are refused (or clipped
with a warning, ``beyond_full_scale="clip"``): such audio was scaled wrongly. Three overshoots are
limited silently, since nobody can mend them: exactly +1.0, the ringing of our own resampler, and
that of lossy decoders (mp3, ogg, opus; up to 2.0).

**What is refused**, always as one :class:`~sklearn_ser.exceptions.AudioError` with its row and
file: a missing, empty or undecodable file, NaN or Inf, empty or too short audio, a start or end
outside the audio (an end may be 5 ms beyond it), samples of unknown scale (int64, bool, ...),
channel-last arrays. Silence is let in. A wav, ogg or mp3 that was cut off is shorter, as
libsndfile reads it; a flac that was cut off is refused. An mp3 of variable bit rate without a
table of contents (a Xing header) tells its length by a guess, and libsndfile reads no further:
convert such files first.
"""

import math
import operator
import warnings

from sklearn_ser.audio._cell import ReadingOptions, file_of, read_cell
from sklearn_ser.audio._failures import failure_records, handle_failures
from sklearn_ser.audio._table import find_cells
from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.utils._public import public_module

#: Raised by one whenever the same audio would leave this door as other samples: feature stores
#: keep the old apart.
REVISION = 1

__all__ = ["AudioTable", "failure_records", "handle_failures", "open_audio", "read_audio"]


@public_module("sklearn_ser.audio")
def read_audio(
    source,
    sampling_rate=16000,
    *,
    start=None,
    end=None,
    min_duration=0.0,
    beyond_full_scale="raise",
    remove_dc=False,
    row=None,
):
    """Read one utterance as mono float32 at one rate.

    Parameters
    ----------
    source : str, Path, array or (array, rate)
        A file, or samples of shape (samples,) or (channels, samples). A bare array counts as
        being at `sampling_rate`.
    sampling_rate : int or float, default=16000
        Rate of the result in Hz.
    start, end : float or timedelta, optional
        The part to read, in seconds; None or NaN: the audio's own start or end.
    min_duration : float, default=0.0
        Seconds below which the audio is refused.
    beyond_full_scale : {"raise", "clip"}, default="raise"
        What to do with samples beyond [-1, 1]: refuse, or clip with an AudioWarning.
    remove_dc : bool, default=False
        Subtract the mean of what is read.
    row : int, optional
        The row that an error names.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        In [-1, 32767/32768].

    Raises
    ------
    AudioError
        If the audio cannot be used; it says what was found, what was expected and what to do.

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
    signal, clipped_peak = read_cell(source, start, end, options, row)
    if clipped_peak is not None:
        warnings.warn(_clipped(clipped_peak, row, file_of(source)), AudioWarning, stacklevel=2)
    return signal


@public_module("sklearn_ser.audio")
def open_audio(
    X,
    *,
    audio="file",
    sampling_rate=16000,
    min_duration=0.0,
    beyond_full_scale="raise",
    remove_dc=False,
):
    """Open a table of utterances without reading any of them.

    Parameters
    ----------
    X : DataFrame, Series, Index, list, tuple or ndarray
        See the text at the top of this module.
    audio : str, default="file"
        Name of the column, Series or index level that holds the audio.
    sampling_rate : int or float, default=16000
    min_duration : float, default=0.0
    beyond_full_scale : {"raise", "clip"}, default="raise"
    remove_dc : bool, default=False
        As in :func:`read_audio`.

    Returns
    -------
    AudioTable

    Raises
    ------
    AudioError
        If X has no audio in a known form. Faults of single rows show when they are read.

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
    return AudioTable(find_cells(X, audio), options)


class AudioTable:
    """Utterances that are read one at a time; made by :func:`open_audio`.

    Nothing is cached and no file stays open; several threads may read at once.

    Attributes
    ----------
    index : pandas.Index
        For what is computed from the table: the id columns of X (corpus, speaker, language,
        text, recording; columns or index levels, those present, in this order) as a MultiIndex,
        or as a plain named Index where there is only one; without ids X's own index, or a
        RangeIndex.
    clipped : dict of int to float
        Row -> peak of the rows read so far that were clipped. Only the first is warned about.
    """

    def __init__(self, cells, options):
        self.index = cells.index
        self.clipped = {}
        self._cells = cells
        self._options = options
        self._rows = None  # of the table that this one is a part of
        self._warns = True

    def __len__(self):
        return len(self._cells.values)

    def __iter__(self):
        return (self.read(i) for i in range(len(self)))

    def __repr__(self):
        return f"AudioTable({len(self)} utterances, {self._options.sampling_rate:g} Hz)"

    def part(self, rows):
        """Some rows as a table of their own, which is all that a worker process needs.

        A part gives no warnings: it only notes what it clips, for :meth:`note_clipped`.

        Parameters
        ----------
        rows : range or sequence of int
            Row `i` of the part is row ``rows[i]`` here, and errors call it that.

        Returns
        -------
        AudioTable
        """
        part = AudioTable(self._cells.part(rows), self._options)
        part._rows = [self._row(i) for i in rows]
        part._warns = False
        return part

    def note_clipped(self, clipped):
        """Take over what a part clipped, and warn if these are the first such rows.

        Parameters
        ----------
        clipped : dict of int to float
            Row -> peak, as `clipped` of a part has them.
        """
        first_ever = bool(clipped) and not self.clipped
        self.clipped.update(clipped)
        if first_ever:
            row = min(clipped)
            self._warn_of_clipping(clipped[row], row, self.file(row), stacklevel=3)

    def file(self, i):
        """The path of row `i` as it was given (or that it was made from), or None for an array.

        Parameters
        ----------
        i : int

        Returns
        -------
        str or None
        """
        return file_of(self._cells.values[i])

    def read(self, i):
        """Read row `i`.

        Parameters
        ----------
        i : int

        Returns
        -------
        ndarray of shape (n_samples,), float32

        Raises
        ------
        AudioError
            With the row and its file.
        """
        cells, i = self._cells, operator.index(i)
        start = math.nan if cells.starts is None else cells.starts[i]
        end = math.nan if cells.ends is None else cells.ends[i]
        row = self._row(i)
        if i in cells.faults:
            raise AudioError(cells.faults[i], row=row, file=self.file(i))
        signal, clipped_peak = read_cell(cells.values[i], start, end, self._options, row)
        if clipped_peak is not None:
            self.clipped[row] = clipped_peak
            if self._warns and len(self.clipped) == 1:
                self._warn_of_clipping(clipped_peak, row, self.file(i), stacklevel=3)
        return signal

    def _row(self, i):
        return i if self._rows is None else self._rows[i]

    @staticmethod
    def _warn_of_clipping(peak, row, file, stacklevel):
        warnings.warn(
            f"{_clipped(peak, row, file)} (the first such row; further ones are clipped without a "
            f"warning)",
            AudioWarning,
            stacklevel=stacklevel,
        )


def _clipped(peak, row, file):
    reason = f"the peak is {peak:.6g}, beyond full scale: clipped to [-1, 1]"
    return str(AudioError(reason, row=row, file=file))
