"""One audio cell (a path, an array, a pair) -> its signal (behind `sklearn_ser.audio`)."""

import math
import numbers
import os

import numpy as np
import pandas as pd

from sklearn_ser._audio_decode import decode, extent
from sklearn_ser._audio_signal import (
    as_array,
    check_duration,
    check_rate,
    finish,
    sample_span,
    seconds,
    shortened,
    to_mono,
)
from sklearn_ser._derived_audio import DerivedAudio, chain_of
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
