"""Decoding of audio references (a path, an array, or a pair of array and rate) to samples."""

from __future__ import annotations

import math
import numbers
import os
import threading
from contextlib import contextmanager
from typing import Any

import numpy as np
import soundfile

from sklearn_ser.audio._containers import CONTAINERS, ContainerStream, container_format
from sklearn_ser.audio._derived import DerivedAudio, source_chain
from sklearn_ser.audio._signal import (
    as_array,
    check_duration,
    check_rate,
    finish,
    is_missing,
    sample_span,
    seconds,
    shortened,
    to_mono,
)
from sklearn_ser.audio._source import AudioBytes, AudioFile
from sklearn_ser.audio._streams import ByteRange, RangeFile, find_streams
from sklearn_ser.exceptions import AudioError, SerError


class ReadingOptions:
    """Validated options of audio loading."""

    def __init__(
        self,
        sampling_rate: float,
        min_duration: float,
        beyond_full_scale: str,
        remove_dc: bool,
    ):
        self.sampling_rate = check_rate(sampling_rate, "sampling_rate")
        if not isinstance(min_duration, numbers.Real) or not 0 <= float(min_duration) < math.inf:
            raise AudioError(
                f"min_duration must be a number of seconds of at least 0, got {min_duration!r}"
            )
        self.min_duration: float = float(min_duration)
        if beyond_full_scale not in ("raise", "clip"):
            raise AudioError(
                f"beyond_full_scale must be 'raise' or 'clip', got {beyond_full_scale!r}"
            )
        if not isinstance(remove_dc, bool | np.bool_):
            raise AudioError(f"remove_dc must be True or False, got {remove_dc!r}")
        self.beyond_full_scale: str = beyond_full_scale
        self.remove_dc: bool = bool(remove_dc)


#: Options for audio of which only the length is needed.
_ANY_AUDIO = ReadingOptions(16000, 0.0, "clip", False)


def read_reference(reference, start, end, options, row):
    """Read one audio reference; return its signal, and the peak if it was clipped."""
    try:
        start, end = seconds(start, "start"), seconds(end, "end")
        if isinstance(reference, DerivedAudio):
            signal, rate, clipped_peak = _derived(reference, start, end, options)
        else:
            array, rate, lossy = _samples(reference, start, end, options.sampling_rate)
            signal, clipped_peak = to_mono(array, options.beyond_full_scale, lossy)
        check_duration(len(signal), rate, options.min_duration)
        is_finished = isinstance(reference, DerivedAudio) and rate == options.sampling_rate
        if is_finished and not options.remove_dc:
            return signal, clipped_peak  # a new array already, and within full scale
        return finish(signal, rate, options.sampling_rate, options.remove_dc), clipped_peak
    except AudioError as error:
        raise AudioError(error.reason, row=row, file=file_of(reference)) from error.__cause__
    except MemoryError as error:
        raise AudioError(
            "there is not enough memory to read this audio: give shorter segments by start and end",
            row=row,
            file=file_of(reference),
        ) from error


def _derived(reference, start, end, options):
    """Return the samples of derived audio, their rate, and the peak if the source was clipped."""
    reading = ReadingOptions(
        reference.sampling_rate, 0.0, options.beyond_full_scale, options.remove_dc
    )
    signal, clipped_peak = read_reference(
        reference.source, reference.start, reference.end, reading, None
    )
    samples = reference.make(signal)
    first, stop = sample_span(start, end, len(samples), reference.sampling_rate)
    return samples[first:stop], reference.sampling_rate, clipped_peak


def _samples(reference, start, end, sampling_rate):
    """Return the samples from `start` to `end`, their rate, and whether the format is lossy."""
    source = _source(reference)
    if source is not None:
        return decode(source, start, end)
    array, rate = array_and_rate(reference, sampling_rate)
    first, stop = sample_span(start, end, array.shape[-1], rate)
    return array[..., first:stop], rate, is_decoder(reference)


def reference_extent(reference, start, end, sampling_rate):
    """Return the first sample of a segment, one past its last, and the rate, without decoding."""
    start, end = seconds(start, "start"), seconds(end, "end")
    source = _source(reference)
    if source is not None:
        with _opened(source) as streams:
            return _span(streams, start, end)
    if isinstance(reference, DerivedAudio):
        array, rate, _ = _derived(reference, math.nan, math.nan, _ANY_AUDIO)
    else:
        array, rate = array_and_rate(reference, sampling_rate)
    return *sample_span(start, end, array.shape[-1], rate), rate


def encoding_of(reference):
    """Return container, coding and number of channels of encoded audio, None for an array."""
    source = _source(reference)
    if source is None:
        return None
    with _opened(source) as streams:
        return f"{streams[0].coding}, {streams[0].n_channels} channel(s)"


def array_and_rate(reference, sampling_rate):
    """Return the array of a reference that is neither a path nor encoded, and its sampling rate."""
    content = _content(reference)
    if is_missing(content):
        raise AudioError(
            f"no audio in this row (found {shortened(reference)}): expected a path, a 1-D array or "
            f"a pair (array, rate); fill it in or leave this row out"
        )
    rate = sampling_rate
    if isinstance(content, tuple):
        content, rate = _pair(content)
    elif is_decoder(content):
        try:
            samples = content.get_all_samples()
        except Exception as error:
            raise AudioError(
                f"the decoder failed ({error}): give the path or the content of the file instead, "
                f"which datasets returns for Audio(decode=False)"
            ) from error
        content, rate = samples.data.numpy(), check_rate(samples.sample_rate, "the decoder's rate")
    if isinstance(content, bytes | dict | set | numbers.Number | np.generic) or (
        not isinstance(content, list) and not hasattr(content, "__array__")
    ):
        is_path = isinstance(content, os.PathLike)
        found = "without a valid path" if is_path else f"({shortened(content)})"
        raise AudioError(
            f"found an object of type {type(content).__name__} {found}; expected a path, a 1-D "
            f"array, a pair (array, rate), or the content of a file (bytes, a binary file, or a "
            f"dict with 'path', 'bytes', or 'array' and 'sampling_rate')"
        )
    return as_array(content), rate


def _content(reference):
    """Return the audio in a dict, as `datasets` of Hugging Face has them; else the reference."""
    if not isinstance(reference, dict):
        return reference
    if reference.get("array") is not None:
        if reference.get("sampling_rate") is None:
            raise AudioError(
                f"a dict with 'array' without 'sampling_rate' (it has {[*reference]}): give both"
            )
        return reference["array"], reference["sampling_rate"]
    if reference.get("bytes") is not None:
        return reference["bytes"]
    return reference.get("path") if {"path", "bytes", "array"} & {*reference} else reference


def is_decoder(reference):
    """Return whether a reference is a decoder of TorchCodec, which `datasets` gives."""
    return hasattr(reference, "get_all_samples")


def _pair(reference):
    if len(reference) != 2:
        raise AudioError(f"a tuple of length {len(reference)}: expected a pair (array, rate)")
    array, rate = reference
    if path_of(array) is not None:
        raise AudioError(
            "a pair of path and rate: give the path alone, the rate is read from the file"
        )
    if isinstance(array, numbers.Number) and not isinstance(rate, numbers.Number):
        raise AudioError("a pair (rate, array), as scipy returns it: expected (array, rate)")
    if isinstance(rate, np.ndarray) and rate.ndim == 0:
        rate = rate.item()  # as loaded from an .npz file
    return array, check_rate(rate, "the rate in (array, rate)")


def path_of(reference):
    """Return the path of a reference, or None where it is not a path."""
    if isinstance(reference, dict) and reference.get("array") is None:
        reference = reference.get("path") if reference.get("bytes") is None else None
    if isinstance(reference, str):
        return str(reference)
    if isinstance(reference, os.PathLike):
        try:
            return os.fsdecode(reference)
        except Exception:  # raised by a foreign __fspath__: `array_and_rate` reports it
            return None
    return None


def file_of(reference):
    """Return the path or name of a reference or of the audio it is derived from, or None."""
    reference = source_chain(reference)[0]
    if isinstance(reference, dict):
        reference = reference.get("path")  # a mere name beside bytes or an array
    return path_of(getattr(reference, "name", None) if is_open_file(reference) else reference)


def is_open_file(reference):
    """Return whether a reference is a file-like object."""
    return hasattr(reference, "read") and hasattr(reference, "seek")


# Several threads may read the same file object, which has one position.
_POSITION = threading.Lock()


def encoded_content(reference):
    """Return the content of an audio file as bytes, or None where the reference has none."""
    content = _content(reference)
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    if not is_open_file(content):
        return None
    try:
        with _POSITION:
            position = content.tell()
            content.seek(0)
            content, opened = content.read(), content
            opened.seek(position)
    except Exception as error:
        raise AudioError(
            f"the file object cannot be read ({error}): expected an open, seekable binary file; "
            f"give its path or its bytes"
        ) from error
    if not isinstance(content, bytes):
        raise AudioError("the file object was opened as text: open it in binary mode, 'rb'")
    return content


def _source(reference):
    """Return the encoded audio of a reference, or None where it is not encoded."""
    path = path_of(reference)
    if path:
        return AudioFile(path)
    content = encoded_content(reference)
    return None if content is None else AudioBytes(content)


_MPEG_SUBTYPES = {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"}
_LOSSY_SUBTYPES = {"VORBIS", "OPUS"} | _MPEG_SUBTYPES

# Bytes of a sample in uncompressed audio.
_SAMPLE_SIZES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}
_LONGEST_HEADER = 8192  # bytes
_LONGEST_PATH = 4096  # bytes

# Number of samples decoded ahead of a part in MPEG audio outside of mp3 files.
_MPEG_RUN_UP = 16 * 1152

# Samples that are decoded at once to get to a part, where a codec cannot seek.
_BLOCK = 2**20

# Number of frames that libsndfile reports for a stream whose header lacks the length.
_UNKNOWN_LENGTH = 2**63 - 1

# Start of the files that stand for others, and the command that fetches these.
_POINTERS = {b"version https://git-lfs": "git lfs pull", b"/annex/objects/": "git annex get"}


def decode(source, start, end):
    """Return float32 samples of a segment of a file, the rate, and whether the format is lossy."""
    with _opened(source) as streams:
        first, stop, rate = _span(streams, start, end)
        parts, before = [], 0
        for stream in streams:
            bounds = max(first - before, 0), min(stop - before, stream.n_samples)
            if bounds[0] < bounds[1]:
                parts.append(stream.read(*bounds))
            before += stream.n_samples
        array = parts[0] if len(parts) == 1 else np.concatenate(parts)
        # A truncated file is shorter than its header states: the decoded samples count. A segment
        # with an explicit end must be complete.
        if len(array) < stop - first and (end == end or len(array) == 0):
            raise AudioError(
                f"the file ends at {(first + len(array)) / rate:.6g} s, before the end of the "
                f"requested segment ({stop / rate:.6g} s)"
            )
        return array.T, rate, streams[0].is_lossy


class _SoundFile(soundfile.SoundFile):
    """File that soundfile does not seek in after each read: some codecs cannot."""

    def seekable(self):
        return False


class _LibsndfileStream:
    """Stream that libsndfile decodes."""

    def __init__(self, source):
        self._opened = _SoundFile(source)
        self.rate, self.n_channels = self._opened.samplerate, self._opened.channels
        self.n_samples = self._opened.frames
        self.is_lossy = self._opened.subtype in _LOSSY_SUBTYPES
        self.coding = f"{self._opened.format} {self._opened.subtype}"

    def check_length(self, size):
        """Raise an AudioError if a file of `size` bytes holds much more than its header states."""
        n_bytes = _SAMPLE_SIZES.get(self._opened.subtype, 0) * self.n_channels
        # `find_streams` has checked most; a sample dump has more bytes than samples.
        is_checked = self._opened.format in ("WAV", "WAVEX", "AIFF", "SDS")
        if self.n_samples == 0 and size > _LONGEST_HEADER:
            found = f"no samples, but the file has {size} bytes"
        elif n_bytes and not is_checked and size > 1.5 * n_bytes * self.n_samples + _LONGEST_HEADER:
            found = (
                f"{self.n_samples / self.rate:.6g} s, but the file has bytes for "
                f"{size / n_bytes / self.rate:.6g} s"
            )
        else:
            return
        raise AudioError(
            f"the header of the file states {found}: files were joined, or the recording or a copy "
            f"of it broke off. Repair or convert it, for example with ffmpeg"
        )

    def read(self, first, stop):
        """Return float32 samples of shape (samples,) or (samples, channels) of a part."""
        run_up = min(first, _MPEG_RUN_UP) if self._opened.subtype in _MPEG_SUBTYPES else 0
        if first > run_up:
            try:
                self._opened.seek(first - run_up)
            except soundfile.LibsndfileError:
                for at in range(0, first - run_up, _BLOCK):
                    self._opened.read(min(_BLOCK, first - run_up - at), dtype="float32")
        return self._opened.read(stop - first + run_up, dtype="float32")[run_up:]

    def close(self):
        """Close the file."""
        self._opened.close()


@contextmanager
def _opened(source):
    """Open the streams of a file: one, unless several files were joined."""
    closed: list[Any] = []
    try:
        container = container_format(source)
        streams: list[Any] = [] if container else [*find_streams(source)]
        if container:
            streams = [ContainerStream(source, container)]
        elif not streams:
            closed.append(_LibsndfileStream(source.for_soundfile()))
            closed[0].check_length(source.size)
            streams = [*closed]
        elif isinstance(streams[0], ByteRange):
            closed += [RangeFile(source, stream) for stream in streams]
            streams = [_LibsndfileStream(file) for file in closed]
            closed = streams + closed
        yield streams
    except (SerError, MemoryError):
        raise
    except Exception as error:
        raise _undecodable(source, error) from error
    finally:
        for opened in closed:
            opened.close()


def _undecodable(source, error):
    with source.open() as file:
        head = file.read(1024)
    for mark, command in _POINTERS.items():
        if head[:64].startswith(mark):
            return AudioError(
                f"the file is a pointer of git, not audio: fetch the audio, with {command!r}"
            )
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        return AudioError(
            "the file is a NIST sphere file that is compressed by shorten: expected one without "
            "compression. Convert it, with sph2pipe -f wav FILE NEW.wav or ffmpeg -i FILE NEW.wav"
        )
    if isinstance(error, TypeError):  # soundfile needs the rate of a .raw file
        detail = "a file without a header"
    else:
        text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        detail = str(text).strip().rstrip(".")
    if isinstance(source, AudioBytes) and source.size < _LONGEST_PATH:
        detail += "; bytes are the content of a file, not its path"
    readable = ", ".join(sorted(set(map(str.lower, soundfile.available_formats())) - {"raw"}))
    return AudioError(
        f"the file cannot be decoded ({detail}): expected one of {readable}; or, with the extra "
        f"'video', {CONTAINERS}. It may be damaged, truncated or of another format; convert it, "
        f"for example with ffmpeg"
    )


def _span(streams, start, end):
    kinds = {(stream.rate, stream.n_channels) for stream in streams}
    if len(kinds) > 1:
        found = " and ".join(f"{rate} Hz with {n} channel(s)" for rate, n in sorted(kinds))
        raise AudioError(
            f"the file holds {len(streams)} joined streams of different kinds ({found}): expected "
            f"one rate and number of channels. Split it, for example with ffmpeg"
        )
    # A damaged header may state a rate of 1 Hz, from which resampling would fill the memory.
    rate = check_rate(streams[0].rate, "the sampling rate in the file's header")
    n_samples = sum(stream.n_samples for stream in streams)
    if n_samples >= _UNKNOWN_LENGTH:
        raise AudioError(
            "the header of the file does not state its length (it was written to a pipe): convert "
            "it, for example with ffmpeg, to a regular file"
        )
    return *sample_span(start, end, n_samples, rate), rate
