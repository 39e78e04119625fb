"""One audio cell (a path, an array, a pair) -> its signal (behind `sklearn_ser.audio`)."""

import math
import numbers
import os
import stat
from contextlib import contextmanager

import numpy as np
import pandas as pd
import soundfile

from sklearn_ser.audio._derived import DerivedAudio, chain_of
from sklearn_ser.audio._signal import (
    as_array,
    check_duration,
    check_rate,
    finish,
    sample_span,
    seconds,
    shortened,
    to_mono,
)
from sklearn_ser.exceptions import AudioError


class ReadingOptions:
    """How to read, checked once."""

    def __init__(self, sampling_rate, min_duration, beyond_full_scale, remove_dc):
        self.sampling_rate = check_rate(sampling_rate, "sampling_rate")
        if not isinstance(min_duration, numbers.Real) or not 0 <= min_duration < math.inf:
            raise AudioError(f"min_duration must be seconds, at least 0, got {min_duration!r}")
        self.min_duration = float(min_duration)
        if beyond_full_scale not in ("raise", "clip"):
            raise AudioError(
                f"beyond_full_scale must be 'raise' or 'clip', got {beyond_full_scale!r}"
            )
        if not isinstance(remove_dc, bool | np.bool_):
            raise AudioError(f"remove_dc must be True or False, got {remove_dc!r}")
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc


#: How a cell is read where only its length matters.
_PLAINLY = ReadingOptions(16000, 0.0, "clip", False)


def read_cell(cell, start, end, options, row):
    """The signal of one cell, and the peak if it was clipped."""
    try:
        start, end = seconds(start, "start"), seconds(end, "end")
        if isinstance(cell, DerivedAudio):
            signal, rate, clipped_peak = _derived(cell, start, end, options)
        else:
            array, rate, lossy = _samples(cell, start, end, options.sampling_rate)
            signal, clipped_peak = to_mono(array, options.beyond_full_scale, lossy)
        check_duration(len(signal), rate, options.min_duration)
        is_finished = isinstance(cell, DerivedAudio) and rate == options.sampling_rate
        if is_finished and not options.remove_dc:
            return signal, clipped_peak  # an array of nobody else's, and in range
        return finish(signal, rate, options.sampling_rate, options.remove_dc), clipped_peak
    except AudioError as error:
        raise AudioError(error.reason, row=row, file=file_of(cell)) from error.__cause__
    except MemoryError as error:
        raise AudioError(
            "not enough memory to read this: give shorter parts with start and end",
            row=row,
            file=file_of(cell),
        ) from error


def _derived(cell, start, end, options):
    """Samples of a cell that is made from another, their rate, and the source's clipped peak."""
    reading = ReadingOptions(cell.sampling_rate, 0.0, options.beyond_full_scale, options.remove_dc)
    signal, clipped_peak = read_cell(cell.source, cell.start, cell.end, reading, None)
    made = cell.make(signal)
    first, stop = sample_span(start, end, len(made), cell.sampling_rate)
    return made[first:stop], cell.sampling_rate, clipped_peak


def _samples(cell, start, end, sampling_rate):
    """Samples of a cell from `start` to `end`, their rate, and whether the format is lossy."""
    path = path_of(cell)
    if path:
        return decode(path, start, end)
    array, rate = array_and_rate(cell, sampling_rate)
    first, stop = sample_span(start, end, array.shape[-1], rate)
    return array[..., first:stop], rate, False


def cell_extent(cell, start, end, sampling_rate):
    """Where the part of a cell from `start` to `end` lies; of a file only the header is read.

    Returns
    -------
    first, stop : int
        The part's first sample and one past its last.
    rate : int or float
        In Hz; `sampling_rate` for a bare array.
    """
    start, end = seconds(start, "start"), seconds(end, "end")
    path = path_of(cell)
    if path:
        return extent(path, start, end)
    if isinstance(cell, DerivedAudio):
        array, rate, _ = _derived(cell, math.nan, math.nan, _PLAINLY)
    else:
        array, rate = array_and_rate(cell, sampling_rate)
    return *sample_span(start, end, array.shape[-1], rate), rate


def array_and_rate(cell, sampling_rate):
    """The samples of a cell that is no path, 1-D or (channels, samples), and their rate."""
    if is_missing(cell) or path_of(cell) == "":
        raise AudioError(f"no audio in this row ({cell!r}): give a path or an array")
    rate = sampling_rate
    if isinstance(cell, os.PathLike):
        raise AudioError(
            f"a {type(cell).__name__} whose __fspath__ gives no path: expected str or bytes from it"
        )
    if isinstance(cell, tuple):
        cell, rate = _pair(cell)
    if isinstance(cell, bytes | dict | set | numbers.Number | np.generic) or (
        not isinstance(cell, list) and not hasattr(cell, "__array__")
    ):
        raise AudioError(
            f"no audio but a {type(cell).__name__} ({shortened(cell)}): expected a path, a 1-D "
            f"array or a pair (array, rate)"
        )
    return as_array(cell), rate


def _pair(cell):
    if len(cell) != 2:
        raise AudioError(f"a tuple of length {len(cell)}: expected a pair (array, rate)")
    array, rate = cell
    if path_of(array) is not None:
        raise AudioError("a pair of path and rate: give the path alone, its file tells the rate")
    if isinstance(array, numbers.Number) and not isinstance(rate, numbers.Number):
        raise AudioError("a pair (rate, array), as scipy reads it: expected (array, rate)")
    if isinstance(rate, np.ndarray) and rate.ndim == 0:
        rate = rate.item()  # as it comes out of an .npz file
    return array, check_rate(rate, "the rate in (array, rate)")


def path_of(cell):
    """The cell's path, or None where it is no path, or one that does not tell its text."""
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, os.PathLike):
        try:
            return os.fsdecode(cell)
        except Exception:  # someone else's __fspath__: `array_and_rate` refuses the cell
            return None
    return None


def file_of(cell):
    """The path that a cell is, or was made from; None where there is none."""
    return path_of(chain_of(cell)[0])


def is_missing(cell):
    return (
        cell is None
        or cell is pd.NaT
        or cell is pd.NA
        or (isinstance(cell, numbers.Real) and cell != cell)
    )


_MPEG_SUBTYPES = {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"}
_LOSSY_SUBTYPES = {"VORBIS", "OPUS"} | _MPEG_SUBTYPES

# An mp3 frame borrows bits from frames before it. After a seek these are missing and the decoder
# gives silence, up to 0.3 s of it in trials; 10 frames ahead cured every one, so 16 are decoded.
_MPEG_RUN_UP = 16 * 1152

# libsndfile's "unknown": a stream whose header does not tell its length.
_UNKNOWN_LENGTH = 2**63 - 1


def decode(path, start, end):
    """Read the part of an audio file from `start` to `end` seconds (NaN: the file's own ends).

    The file is closed again on return.

    Returns
    -------
    array : float32 ndarray of shape (samples,) or (channels, samples)
    rate : int
    lossy : bool
        Whether the format decodes to a little more than was encoded (mp3, ogg, opus).
    """
    with _opened(path) as opened:
        return _read_part(opened, start, end)


def extent(path, start, end):
    """Where the part of a file from `start` to `end` seconds lies, by its header alone.

    Returns
    -------
    first, stop : int
        The part's first sample and one past its last.
    rate : int
    """
    with _opened(path) as opened:
        return _span(opened, start, end)


@contextmanager
def _opened(path):
    _check_file(path)
    try:
        # soundfile encodes a str strictly, and so refuses names that are not valid UTF-8.
        with soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path)) as opened:
            yield opened
    except (AudioError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, TypeError):  # soundfile's answer to .raw: the rate must be given
            detail = "a file without a header"
        else:
            detail = f"{getattr(error, 'error_string', error)}".strip().rstrip(".")
        raise AudioError(
            f"the file cannot be decoded ({detail}): expected wav, flac, ogg or mp3. It may be "
            f"damaged, cut off or of another format; convert it, for example with ffmpeg"
        ) from error


def _check_file(path):
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise AudioError(
            f"the file does not exist: relative paths start at the working directory "
            f"({os.getcwd()!r})"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"the file cannot be opened ({reason})") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError("this is a folder: expected an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError("this is no regular file: expected an audio file")
    if status.st_size == 0:
        raise AudioError("the file is empty (0 bytes): copy or convert it again")


def _span(opened, start, end):
    # A damaged header may claim a rate of 1 Hz, at which resampling would fill the memory.
    rate = check_rate(opened.samplerate, "the sampling rate in the file's header")
    n_frames = opened.frames
    if n_frames == _UNKNOWN_LENGTH:
        raise AudioError(
            "the file's header does not tell its length (it was written to a pipe): write it "
            "again, for example with ffmpeg, straight to a file"
        )
    return *sample_span(start, end, n_frames, rate), rate


def _read_part(opened, start, end):
    first, stop, rate = _span(opened, start, end)
    run_up = min(first, _MPEG_RUN_UP) if opened.subtype in _MPEG_SUBTYPES else 0
    if first > run_up:
        opened.seek(first - run_up)
    array = opened.read(stop - first + run_up, dtype="float32")[run_up:]
    # An mp3 without a table of contents only estimates its length: what was decoded counts. A
    # part that was asked for by its end must be there.
    if len(array) < stop - first and (end == end or len(array) == 0):
        raise AudioError(
            f"the file breaks off at {(first + len(array)) / rate:.6g} s, before the end of the "
            f"part that was asked for ({stop / rate:.6g} s)"
        )
    return array.T, rate, opened.subtype in _LOSSY_SUBTYPES
