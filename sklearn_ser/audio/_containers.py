"""Sound of videos, and of the other containers that PyAV (FFmpeg) decodes, not libsndfile.

A container states lengths and times only roughly, and some count times in milliseconds. All of the
audio is decoded once to count its samples: the position of each frame is the number of samples
before it. A part of a long file is decoded from a frame whose time is in that index.
"""

from __future__ import annotations

import functools
import io
import re
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np

from sklearn_ser.audio._mpeg import id3_length
from sklearn_ser.audio._source import AudioFile
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._extras import import_extra

#: Containers that are read, as they are named in errors.
CONTAINERS = "mp4, m4a, mov, 3gp, mkv, webm, avi, aac, amr, wma, wmv, ts, mpg"
_PURPOSE = f"Reading the sound of containers ({CONTAINERS})"

_BROKEN_OFF = (
    "the recording or a copy of it broke off. Copy it again, or repair it, for example with ffmpeg"
)

# Start of the content by FFmpeg's name of the format. FFmpeg is told the format: of those that it
# would infer, some (playlists) make it open further files and addresses.
_START = re.compile(
    rb"(?P<mov>.{4}(?:ftyp|moov|mdat|wide|free|skip))"
    rb"|(?P<matroska>\x1aE\xdf\xa3)"
    rb"|(?P<avi>RIFF.{4}AVI )"
    rb"|(?P<aac>\xff[\xf0\xf1\xf8\xf9])"
    rb"|(?P<asf>\x30\x26\xb2\x75\x8e\x66\xcf\x11)"
    rb"|(?P<mpegts>G.{187}G)"
    rb"|(?P<mpeg>\0\0\x01\xba)"
    rb"|(?P<amr>#!AMR)",
    re.DOTALL,
)
_HEAD = 256  # bytes

# Seconds of sound that may be missing between the times of frames: these are rounded.
_MOST_MISSING = 0.25

# Decoders that are in the same state a second after any frame. (That of AMR is not.)
_WITHOUT_MEMORY = re.compile("pcm_|alac|flac|mp[123]|aac|opus|vorbis|e?ac3|wma")
# A part is decoded from this number of seconds before it: decoders remember what came before.
_RUN_UP = 1.0
# Audio up to this duration (seconds) is decoded as a whole whichever part of it is read.
_SHORT = 60.0


class _Stream(NamedTuple):
    """Properties of an audio stream, with the time and the first sample of each frame."""

    rate: int
    n_channels: int
    is_lossy: bool
    codec: str
    times: np.ndarray
    starts: np.ndarray  # one more than times: the last is the number of samples


class ContainerStream:
    """Audio stream of a container."""

    def __init__(self, source, container_format):
        self._source, self._format = source, container_format
        if container_format in _STATED_SIZES:
            _check_complete(source, container_format)
        parts: list[np.ndarray] = []
        with _opened(source, container_format) as container:
            is_short = container.duration is not None and container.duration < _SHORT * 1e6
            if is_short or source.state is None:
                self._stream = _decode(container, parts if is_short else None)
        if not is_short and source.state is not None:
            self._stream = _cached_stream(source.state, container_format)
        self._samples = np.concatenate(parts, axis=1) if parts else None
        self.rate, self.n_channels, self.is_lossy, codec, _, starts = self._stream
        self.coding = f"{container_format} {codec}"
        self.n_samples = int(starts[-1])

    def read(self, first, stop):
        """Return samples of shape (samples, channels) of a part, as the codec gives them."""
        if self._samples is not None:
            return self._samples[:, first:stop].T
        times, starts = self._stream.times, self._stream.starts
        frame = int(np.searchsorted(starts, first - _RUN_UP * self.rate)) - 1
        samples = None
        may_seek = frame > 0 and _WITHOUT_MEMORY.match(self._stream.codec)
        if may_seek and bool((np.diff(times) > 0).all()):
            with suppress(import_extra("av", "video", _PURPOSE).FFmpegError):  # after a seek
                samples = self._read_from(frame, first, stop)
        return (self._read_from(0, first, stop) if samples is None else samples).T

    def _read_from(self, frame, first, stop):
        """Return a part, decoded from a frame on, or None if a seek does not lead there."""
        times, starts = self._stream.times, self._stream.starts
        latest = first - _RUN_UP / 2 * self.rate
        parts, at = [], 0
        with _opened(self._source, self._format) as container:
            audio = container.streams.audio[0]
            if frame:
                container.seek(int(times[frame]), stream=audio)
            for time, samples in _frames(container.demux(audio)):
                if frame:
                    found = min(int(np.searchsorted(times, time)), len(times) - 1)
                    if times[found] != time and not at:
                        continue  # the first frame after a seek may be cut
                    if times[found] != time or starts[found] != (at or min(starts[found], latest)):
                        return None
                    at = int(starts[found])
                if at + samples.shape[1] > first:
                    parts.append(samples[:, max(0, first - at) : stop - at])
                at += samples.shape[1]
                if at >= stop:
                    break
        return np.concatenate(parts, axis=1)

    def close(self):
        """Do nothing: no file stays open between reads."""


def container_format(source):
    """Return FFmpeg's name of the format of a container, or None for any other file."""
    with source.open() as file:
        return _format_of(file)


def _format_of(file):
    head = file.read(_HEAD)
    if at := id3_length(head):
        file.seek(at)
        head = file.read(_HEAD)
    start = _START.match(head)
    return start and start.lastgroup


def decoder_version(content):
    """Return the version of PyAV if it decodes the file that begins with some bytes, else b""."""
    return _version() if _format_of(io.BytesIO(content)) else b""


@functools.cache
def _version():
    try:
        return f"av {version('av')}".encode()
    except PackageNotFoundError:
        return b""


@functools.lru_cache(maxsize=16)
def _cached_stream(state, container_format):
    with _opened(AudioFile(state[0]), container_format) as container:
        return _decode(container)


@contextmanager
def _opened(source, container_format):
    """Open a container that holds one audio stream."""
    av = import_extra("av", "video", _PURPOSE)
    with source.open() as file, av.open(_Nameless(file), format=container_format) as container:
        streams = container.streams
        if not streams.audio:
            raise AudioError(
                f"the file has no audio stream (found: "
                f"{', '.join(each.type for each in streams) or 'nothing'}): leave this row out"
            )
        if len(streams.audio) > 1:
            kinds = ", ".join(f"{each.codec_context.name} {each.rate} Hz" for each in streams.audio)
            raise AudioError(
                f"the file has {len(streams.audio)} audio streams ({kinds}): expected one. Extract "
                f"the one to read, for example the first with ffmpeg -i FILE -map 0:a:0 NEW.wav"
            )
        yield container


class _Nameless:
    """File without its name: PyAV gives that to FFmpeg, but not every name is valid UTF-8."""

    def __init__(self, file):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _decode(container, parts=None):
    """Decode all of the audio of a container; return its `_Stream`, and append samples to parts."""
    audio = container.streams.audio[0]
    times, lengths = [], []
    for time, samples in _frames(container.demux(audio)):
        times.append(-1 if time is None else time)
        lengths.append(samples.shape[1])
        if parts is not None:
            parts.append(samples)
    codec, starts = audio.codec_context.codec, np.cumsum([0, *lengths])
    if times:
        passed = float((times[-1] - times[0]) * audio.time_base)
        found = starts[-2] / audio.rate
        if passed > found + _MOST_MISSING:
            raise AudioError(
                f"parts of the sound are missing: there are {found:.6g} s of it in "
                f"{passed:.6g} s. Copy the file again if it is damaged; if the recording has gaps, "
                f"fill them, with ffmpeg -i FILE -af aresample=async=1 NEW.wav"
            )
    all_times = np.array(times, dtype=np.int64)
    return _Stream(audio.rate, audio.channels, not codec.lossless, codec.name, all_times, starts)


def _frames(packets):
    """Yield the time of each frame, and its samples of shape (channels, samples)."""
    kind = None
    for packet in packets:
        if packet.is_corrupt:
            raise AudioError(f"the file ends, or is damaged, within the audio: {_BROKEN_OFF}")
        for frame in packet.decode():
            found = frame.sample_rate, len(frame.layout.channels)
            if found != (kind := kind or found):
                raise AudioError(
                    f"the audio changes from {kind[0]} Hz with {kind[1]} channel(s) to {found[0]} "
                    f"Hz with {found[1]}: expected one rate and number of channels. Convert it, "
                    f"for example with ffmpeg"
                )
            samples = frame.to_ndarray()
            if not frame.format.is_planar:
                samples = samples.reshape(-1, kind[1]).T
            yield frame.pts, samples


def _check_complete(source, container_format):
    """Raise an AudioError for a truncated file and for joined ones: FFmpeg reads a part of them."""
    with source.open() as file:
        stated = _STATED_SIZES[container_format](file, source.size)
        file.seek(stated)
        following = _START.match(file.read(_HEAD))
    if following and following.lastgroup == container_format:
        raise AudioError(
            f"the file holds joined files, the first of which ends at byte {stated} of "
            f"{source.size}: expected one. Split it"
        )
    if stated > source.size:
        raise AudioError(
            f"the file has {source.size} bytes, but states that it has {stated}: {_BROKEN_OFF}"
        )


def _avi_size(file, size):
    stated = int.from_bytes(file.read(8)[4:], "little")
    return size if stated == 2**32 - 1 else 8 + stated


def _asf_size(file, size):
    head = file.read(2**16)
    at = head.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))  # properties of the file
    return (0 if at < 0 else int.from_bytes(head[at + 40 : at + 48], "little")) or size


def _matroska_size(file, size):
    """Return the end of the second element, the segment; the first is a header."""
    for is_segment in (False, True):
        head = file.read(12)
        length = 9 - head[4].bit_length()  # of the number, which follows an id of four bytes
        number = int.from_bytes(head[4 : 4 + length], "big") - (1 << 7 * length)
        stop = file.seek(4 + length - len(head), 1)
        if is_segment:
            return size if number == (1 << 7 * length) - 1 else stop + number
        file.seek(number, 1)


def _mov_size(file, size):
    """Return the end of the last box before another file."""
    stop = 0
    while stop < size:
        file.seek(stop)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if name == b"ftyp" and stop:
            return stop
        if length < 8 or not (name.isascii() and name.decode().isprintable()):
            return size  # the last box reaches to the end, or other content follows
        stop += length
    return stop


_STATED_SIZES = {
    "mov": _mov_size,
    "matroska": _matroska_size,
    "avi": _avi_size,
    "asf": _asf_size,
}
