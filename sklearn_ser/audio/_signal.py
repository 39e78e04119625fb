"""Samples of any accepted kind -> mono float32 in range at one rate (behind `sklearn_ser.audio`).

Functions here know neither rows nor files: they raise `AudioError` with a reason only, and
`sklearn_ser.audio` adds the place.
"""

import datetime
import math
import numbers

import numpy as np
import pandas as pd
import soxr

from sklearn_ser.exceptions import AudioError

#: The largest sample that leaves the door: what 16-bit audio can hold. openSMILE wraps +1.0.
TOP = np.float32(32767 / 32768)

# A float64 peak that rounds to 1.0 in float32 is 1.0: normalizing to the peak gives such values.
_FULL_SCALE = 1 + 2**-24

# mp3, ogg and opus decode to a little more than what was encoded, up to about 1.4 for noise at
# full scale. Twice full scale is no longer a decoder's overshoot.
_LOSSY_FULL_SCALE = 2.0

# dtype -> (value of silence, full scale)
_INTEGER_SCALES = {
    np.dtype(np.uint8): (128, 128),
    np.dtype(np.int8): (0, 128),
    np.dtype(np.int16): (0, 32768),
    np.dtype(np.int32): (0, 2**31),
}

_SLOWEST_RATE, _FASTEST_RATE = 1000, 1_000_000  # Hz

# Tables round their times to milliseconds: an end this far beyond the audio is its end.
_END_TOLERANCE = 0.005  # seconds


def check_rate(rate, name):
    """`rate` as int or float, or an AudioError that calls it `name`."""
    is_number = isinstance(rate, numbers.Real) and not isinstance(rate, bool | np.bool_)
    if not is_number or not _SLOWEST_RATE <= rate <= _FASTEST_RATE:
        raise AudioError(
            f"{name} must be a number of samples per second (Hz) from {_SLOWEST_RATE} to "
            f"{_FASTEST_RATE}, got {shortened(rate)}"
        )
    return int(rate) if rate == int(rate) else float(rate)


def seconds(value, name):
    """A start or end as float seconds; NaN where it is missing."""
    if value is None or value is pd.NaT or value is pd.NA:
        return math.nan
    try:
        if isinstance(value, datetime.timedelta):  # pandas.Timedelta is one
            return value.total_seconds()
        if isinstance(value, np.timedelta64):
            return float(value / np.timedelta64(1, "s"))
        if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
            return float(value)
    except (TypeError, OverflowError):
        # A timedelta64 in months, or an integer beyond the largest float: said below.
        pass
    raise AudioError(
        f"{name} must be a number of seconds or a timedelta, got {shortened(value)}: convert the "
        f"column with pandas.to_numeric or pandas.to_timedelta"
    )


def sample_span(start, end, n_samples, rate):
    """First sample and one past the last of the part from `start` to `end` seconds.

    Parameters
    ----------
    start, end : float
        Seconds; NaN is the audio's own start or end.
    n_samples : int
        Length of the whole audio.
    rate : float

    Returns
    -------
    first, stop : int
    """
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
                f"leave it empty to read up to the audio's own end"
            )
        stop = min(round(end * rate), n_samples)
    if first >= stop:
        until = f"end ({end:g} s)" if end == end else f"the audio's end ({duration:.6g} s)"
        raise AudioError(f"no sample lies between start ({start:g} s) and {until}")
    return first, stop


def as_array(values):
    """An array-like cell as a 1-D or (channels, samples) ndarray of a dtype with a known scale."""
    if np.ma.is_masked(values):
        raise AudioError(
            "a masked array, some samples of which are missing: repair the audio or leave this "
            "row out"
        )
    try:
        array = np.asarray(values)
        if array.dtype == object:
            # Rows of np.array(signals, dtype=object), which is 2-D for signals of equal length.
            array = np.asarray(array.tolist())
    except Exception as error:
        raise AudioError(
            f"a {type(values).__name__} that is no array of samples ({error}): give a 1-D array"
        ) from error
    if array.dtype.kind != "f" and array.dtype.newbyteorder("=") not in _INTEGER_SCALES:
        raise AudioError(
            f"{_dtype_name(array)} samples have no agreed full scale: give floats in [-1, 1] or "
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
    """Check the samples, scale integers, average the channels.

    Parameters
    ----------
    array : ndarray of shape (samples,) or (channels, samples)
    beyond_full_scale : {"raise", "clip"}
    lossy : bool
        Whether a lossy decoder made the samples, whose own overshoot is no fault of the audio.

    Returns
    -------
    signal : float32 ndarray of shape (samples,)
        It may share memory with `array`, and overshoot where `lossy`.
    clipped_peak : float or None
        The peak, where samples beyond full scale were clipped.
    """
    if array.size == 0:
        raise AudioError("the audio is empty (0 samples): leave this row out")
    clipped_peak = None
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            low, high = float(array.min()), float(array.max())
        peak = max(-low, high)
        if not math.isfinite(low + high):
            _raise_if_not_finite(array)
        if peak > (_LOSSY_FULL_SCALE if lossy else _FULL_SCALE):
            if beyond_full_scale == "raise":
                raise AudioError(_beyond_full_scale_reason(peak))
            array, clipped_peak = np.clip(array, -1, 1), peak
        array = array.astype(np.float32, copy=False)
    else:
        silence, full_scale = _INTEGER_SCALES[array.dtype.newbyteorder("=")]
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
        array = ((array - silence) / full_scale).astype(np.float32, copy=False)
    if array.ndim == 2:
        array = array[0] if len(array) == 1 else array.mean(axis=0, dtype=np.float32)
    return array, clipped_peak


def check_duration(n_samples, rate, min_duration):
    """Raise where the audio is shorter than the step that reads it needs."""
    if n_samples / rate < min_duration - 0.5 / rate:
        raise AudioError(
            f"the audio lasts {n_samples / rate:.6g} s, but this step needs at least "
            f"{min_duration:.6g} s: leave this row out or join it with its neighbor"
        )


def finish(signal, rate, sampling_rate, remove_dc):
    """Remove the mean if asked to, resample, and limit to [-1, 32767/32768]; a new array.

    The limiter is silent: what it cuts is the overshoot of our own resampler (a filter rings at
    steep edges), of a lossy decoder or of the mean's removal, none of which the user can mend.
    """
    if remove_dc:
        signal = signal - np.float32(signal.mean(dtype=np.float64))
    if rate != sampling_rate:
        try:
            signal = soxr.resample(np.ascontiguousarray(signal), rate, sampling_rate, quality="HQ")
        except Exception as error:
            raise AudioError(
                f"resampling from {rate:g} to {sampling_rate:g} Hz failed ({error})"
            ) from error
        if len(signal) == 0:
            raise AudioError(f"too short: no sample is left at {sampling_rate:g} Hz")
    return np.clip(signal, np.float32(-1), TOP)


def shortened(value, most=80):
    """A repr that fits into a message."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}..."


def _dtype_name(array):
    return "string" if array.dtype.kind in "US" else str(array.dtype)


def _raise_if_not_finite(array):
    bad = ~np.isfinite(array)
    count = int(bad.sum())
    if not count:
        return  # finite numbers whose sum overflowed
    first = int(np.argmax(bad.any(axis=0) if bad.ndim == 2 else bad))
    raise AudioError(
        f"{count} of {array.size} samples {'is' if count == 1 else 'are'} NaN or infinite, the "
        f"first at sample {first}: repair the audio or leave this row out"
    )


def _beyond_full_scale_reason(peak):
    hint = " (these look like 16-bit values: divide by 32768)" if 100 < peak <= 32768 else ""
    return (
        f"the peak is {peak:.6g}, beyond full scale: expected samples in [-1, 1]. Scale the "
        f"audio{hint}, or set beyond_full_scale='clip' to clip it"
    )
