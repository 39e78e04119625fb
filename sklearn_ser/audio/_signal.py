"""Conversion of samples to mono float32 within full scale at one sampling rate.

The errors raised here hold a reason only; `_decoding.read_reference` adds the row and the file.
"""

from __future__ import annotations

import datetime
import math
import numbers

import numpy as np
import pandas as pd
import soxr

from sklearn_ser.exceptions import AudioError

#: Largest sample that is returned, the largest of 16-bit audio. openSMILE wraps +1.0.
TOP = np.float32(32767 / 32768)

# Normalizing to the peak gives float64 peaks that round to 1.0 in float32.
_FULL_SCALE = 1 + 2**-24

# mp3, ogg and opus decode to slightly larger samples than were encoded, up to about 1.4 for noise
# at full scale. Twice full scale is not an overshoot of a decoder.
_LOSSY_FULL_SCALE = 2.0

_SIXTEEN_BIT_STEP = 1 / 32768

# Power that is left of two channels when they are averaged: 1/2 if they are independent. Above
# -20 dB, they differ enough for their mean to hold speech.
_MOST_CANCELED = 0.01

# dtype -> (value of silence, full scale)
_INTEGER_SCALES = {
    np.dtype(np.uint8): (128, 128),
    np.dtype(np.int8): (0, 128),
    np.dtype(np.int16): (0, 32768),
    np.dtype(np.int32): (0, 2**31),
}

_SLOWEST_RATE, _FASTEST_RATE = 1000, 1_000_000  # Hz

# Tables round times to milliseconds: an end this far beyond the audio is taken as its end.
_END_TOLERANCE = 0.005  # seconds


def check_rate(rate, name):
    """Validate a sampling rate; return it as int or float."""
    is_number = isinstance(rate, numbers.Real) and not isinstance(rate, bool | np.bool_)
    if not is_number or not _SLOWEST_RATE <= rate <= _FASTEST_RATE:
        raise AudioError(
            f"{name} must be a number of samples per second (Hz) from {_SLOWEST_RATE} to "
            f"{_FASTEST_RATE}, got {shortened(rate)}"
        )
    return int(rate) if rate == int(rate) else float(rate)


def is_missing(value):
    """Return whether a value is None, NaN, NaT, NA or an empty string."""
    if isinstance(value, str):
        return not value
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def seconds(value, name):
    """Convert a start or end to float seconds, NaN where it is missing."""
    if type(value) is float:
        return value
    if is_missing(value):
        return math.nan
    try:
        if isinstance(value, datetime.timedelta):  # pandas.Timedelta is one
            return value.total_seconds()
        if isinstance(value, np.timedelta64):
            return float(value / np.timedelta64(1, "s"))
        if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
            return float(value)
    except (TypeError, OverflowError):
        # A timedelta64 in months, or an integer beyond the largest float.
        pass
    raise AudioError(
        f"{name} must be a number of seconds or a timedelta, got {shortened(value)}: convert the "
        f"column with pandas.to_numeric or pandas.to_timedelta"
    )


def all_seconds(values, name):
    """Convert a column of starts or ends to float seconds; return it and the faults by row."""
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return pd.TimedeltaIndex(values).total_seconds().to_numpy(dtype=float), {}
    if getattr(values.dtype, "kind", "O") in "iuf":
        return pd.Series(values).to_numpy(dtype=float, na_value=np.nan), {}
    converted, faults = np.empty(len(values)), {}
    for row, value in enumerate(values):
        try:
            converted[row] = seconds(value, name)
        except AudioError as error:
            faults[row] = error.reason
            converted[row] = -np.inf  # an invalid time
    return converted, faults


def sample_span(start: float, end: float, n_samples: int, rate: float) -> tuple[int, int]:
    """Return the first sample of a segment in seconds (NaN: all), and one past its last."""
    if n_samples == 0:
        raise AudioError("the audio is empty (0 samples): leave this row out")
    duration = n_samples / rate
    first, stop = 0, n_samples
    if start == start:
        if start < 0:
            raise AudioError(f"start is {start:g} s: a start cannot be negative")
        if start >= duration:
            raise AudioError(f"start is {start:g} s, but the audio ends at {duration:.6g} s")
        first = round(start * rate)
    if end == end:
        if start == start and start >= end:
            raise AudioError(f"start ({start:g} s) must be before end ({end:g} s)")
        if end <= 0:
            raise AudioError(f"end is {end:g} s: an end must be greater than 0")
        if end > duration + _END_TOLERANCE:
            raise AudioError(
                f"end is {end:g} s, but the audio ends at {duration:.6g} s: correct the end, or "
                f"leave it empty to read up to the end of the audio"
            )
        stop = min(round(end * rate), n_samples)
    if first >= stop:
        until = f"end ({end:g} s)" if end == end else f"the audio's end ({duration:.6g} s)"
        raise AudioError(f"no sample lies between start ({start:g} s) and {until}")
    return first, stop


def window_bounds(length: int, window: int, hop: int, shortest: int) -> list[tuple[int, int]]:
    """Return the starts and ends of windows that cover a length, one every `hop`.

    A rest at the end that is below `shortest` is covered by a full window with more overlap.
    """
    if length <= window:
        return [(0, length)]
    bounds = [(start, start + window) for start in range(0, length - window + 1, hop)]
    rest = bounds[-1][0] + hop
    if bounds[-1][1] < length:
        bounds.append((rest, length) if length - rest >= shortest else (length - window, length))
    return bounds


def in_samples(seconds: float, sampling_rate: float) -> int:
    """Convert a duration to a number of samples, at least one."""
    return max(1, round(seconds * sampling_rate))


def as_array(values):
    """Convert to a 1-D or (channels, samples) ndarray of a dtype with a known full scale."""
    if np.ma.is_masked(values):
        raise AudioError(
            "a masked array with missing samples: repair the audio or leave this row out"
        )
    try:
        array = np.asarray(values)
        if array.dtype == object:
            # A row of np.array(signals, dtype=object), which is 2-D for signals of equal length.
            array = np.asarray(array.tolist())
    except Exception as error:
        raise AudioError(
            f"a {type(values).__name__} that is not an array of samples ({error}): give a 1-D array"
        ) from error
    if array.dtype.kind != "f" and array.dtype.newbyteorder("=") not in _INTEGER_SCALES:
        dtype = "string" if array.dtype.kind in "US" else array.dtype
        raise AudioError(
            f"{dtype} samples have no agreed full scale: give floats in [-1, 1] or "
            f"uint8, int8, int16 or int32 integers"
        )
    if array.ndim not in (1, 2):
        raise AudioError(
            f"an array of shape {array.shape}: expected (samples,) or (channels, samples)"
        )
    if array.ndim == 2 and array.shape[0] > array.shape[1] > 0:
        raise AudioError(
            f"an array of shape {array.shape} looks channel-last: expected (channels, samples), "
            f"so give its transpose (`.T`)"
        )
    return array


def to_mono(array, beyond_full_scale, lossy=False):
    """Return validated samples as mono float32 (maybe sharing memory), and the peak if clipped.

    The output of a lossy decoder may overshoot full scale, and then so does the signal.
    """
    if array.size == 0:
        raise AudioError("the audio is empty (0 samples): leave this row out")
    clipped_peak = peak = None
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            low, high = float(array.min()), float(array.max())
        peak = max(-low, high)
        if not math.isfinite(peak):  # minimum and maximum are NaN if any sample is
            raise _not_finite(array)
        if peak > (_LOSSY_FULL_SCALE if lossy else _FULL_SCALE):
            if beyond_full_scale == "raise":
                is_16_bit = 100 < peak <= 32768
                hint = " (these look like 16-bit values: divide by 32768)" if is_16_bit else ""
                raise AudioError(
                    f"the peak is {peak:.6g}, beyond full scale: expected samples in [-1, 1]. "
                    f"Scale the audio{hint}, or set beyond_full_scale='clip' to clip it"
                )
            array, clipped_peak = np.clip(array, -1, 1), peak
        array = array.astype(np.float32, copy=False)
    else:
        silence, full_scale = _INTEGER_SCALES[array.dtype.newbyteorder("=")]
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
        array = ((array - silence) / full_scale).astype(np.float32, copy=False)
    if array.ndim == 2:
        channels, array = array, array[0]
        if len(channels) > 1:
            array, peak = channels.mean(axis=0, dtype=np.float32), None
            _check_channels(channels, array)
    if peak is None:
        peak = float(np.abs(array).max())
    if 0 < peak < _SIXTEEN_BIT_STEP:
        if lossy:
            return np.zeros_like(array), clipped_peak  # a residue of the decoder in silence
        raise AudioError(
            f"the peak is {peak:.3g}, below one step of 16-bit audio ({_SIXTEEN_BIT_STEP:.3g}): "
            f"this is silence. Scale the audio (it may have been divided by its full scale twice), "
            f"or leave this row out"
        )
    return array, clipped_peak


def _check_channels(channels, mono):
    """Raise an AudioError if the channels cancel each other out."""
    level, left = float(np.var(channels, axis=1).mean()), float(np.var(mono))
    # The mean of n independent channels has 1/n of their power, that of inverted ones far less.
    if left * len(channels) < 2 * _MOST_CANCELED * level:
        decibels = f"{10 * math.log10(left / level):.0f} dB" if left > 0 else "silence"
        raise AudioError(
            f"the {len(channels)} channels cancel each other out: their mean is {decibels} beside "
            f"them, since one is probably inverted. Give one channel, or invert it back"
        )


def check_duration(n_samples, rate, min_duration):
    """Raise an AudioError if the audio is shorter than `min_duration` seconds."""
    if n_samples / rate < min_duration - 0.5 / rate:
        raise AudioError(
            f"the audio lasts {n_samples / rate:.6g} s, but this step needs at least "
            f"{min_duration:.6g} s: leave this row out or join it with its neighbor"
        )


def finish(signal, rate, sampling_rate, remove_dc):
    """Subtract the mean if requested, resample, and limit to [-1, 32767/32768]; a new array.

    The limiter gives no warning: it cuts the overshoot of the resampler (a filter rings at steep
    edges), of a lossy decoder or of the subtracted mean, none of which the user can correct.
    """
    if remove_dc:
        signal = signal - np.float32(signal.mean(dtype=np.float64))
    if rate != sampling_rate:
        signal = soxr.resample(np.ascontiguousarray(signal), rate, sampling_rate, quality="HQ")
        if len(signal) == 0:
            raise AudioError(f"the audio is too short: no sample is left at {sampling_rate:g} Hz")
    return np.clip(signal, np.float32(-1), TOP)


def shortened(value):
    """Return a repr that is short enough for an error message."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:80]}..."


def _not_finite(array):
    bad = ~np.isfinite(array.astype(float))  # long doubles may exceed the largest float
    count = int(bad.sum())
    first = int(np.argmax(bad.any(axis=0) if bad.ndim == 2 else bad))
    return AudioError(
        f"{count} of {array.size} samples {'is' if count == 1 else 'are'} NaN or infinite, the "
        f"first at sample {first}: repair the audio or leave this row out"
    )
