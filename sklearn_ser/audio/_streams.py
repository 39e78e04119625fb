"""Files with more audio than libsndfile reads: joined streams, and headers with a wrong length.

libsndfile reads as many samples as the first header of a file states. Files that were joined end to
end, and those of a recorder that was stopped before it wrote the length, hold more. They are read
as several files, each of which has a correct header.
"""

from __future__ import annotations

import functools
import mmap
import os
import struct
from typing import NamedTuple

from sklearn_ser.audio._mpeg import MpegStream, id3_length, is_layer_3, mpeg_streams
from sklearn_ser.audio._source import AudioBytes, AudioFile
from sklearn_ser.exceptions import AudioError

_DUMP_MARK = b"\xf0\x7e"

_MOST_PADDING = 4096  # bytes

# Files below this size are examined each time they are read; the result for others is cached.
_CACHED_SIZE = 2**20
_BLOCK = 2**20


class ByteRange(NamedTuple):
    """Stream in the bytes from `start` to `stop` of a file, the first replaced by `header`."""

    start: int
    stop: int
    header: bytes = b""


class RangeFile:
    """One stream of a file, as a file that libsndfile can read."""

    def __init__(self, source: AudioFile | AudioBytes, stream: ByteRange):
        self._file = source.open()
        self._stream = stream
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position relative to the start, the current position or the end."""
        size = self._stream.stop - self._stream.start
        self._position = offset + (0, self._position, size)[whence]
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, count: int) -> bytes:
        """Read at most `count` bytes."""
        start, stop, header = self._stream
        data = header[self._position : self._position + count]
        position = start + self._position + len(data)
        self._file.seek(position)
        data += self._file.read(max(0, min(count - len(data), stop - position)))
        self._position += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def find_streams(source: AudioFile | AudioBytes) -> list[ByteRange] | list[MpegStream]:
    """Return the streams of a file, or an empty list if libsndfile reads the whole of it."""
    if source.size < _CACHED_SIZE or source.state is None:
        return _find_streams(source)
    return _cached_streams(source.state)


@functools.lru_cache(maxsize=16)
def _cached_streams(state):
    return _find_streams(AudioFile(state[0]))


def _find_streams(source):
    size = source.size
    with source.open() as file:
        data = head = file.read(10 if size >= _CACHED_SIZE else size)
        at = id3_length(head)
        if at:
            file.seek(at)
            head = file.read(4)
        search = mpeg_streams if is_layer_3(head) else _SEARCHES.get(head[:4])
        search = _sample_dump if head.startswith(_DUMP_MARK) else search
        if search is None:
            return []
        if isinstance(source, AudioBytes):
            streams = search(source, source.content, at, size)
        elif size < _CACHED_SIZE:
            streams = search(source, data, at, size)
        else:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                streams = search(source, data, at, size)
    return [] if streams == [ByteRange(at, size)] else streams


def _flac(_source, data, at, size):
    """Return one range per FLAC stream: a mark, and the header of a block of 34 bytes."""
    starts = _positions(data, (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22"), at, size)
    return _between(starts or [at], size)


def _ogg(_source, data, at, size):
    """Return one range per link of a chained Ogg file; several first pages begin a single link."""
    starts, next_page = [], -1
    for position in _positions(data, (b"OggS\0\x02",), at, size):
        if position != next_page:
            starts.append(position)
        n_segments = sum(data[position + 26 : position + 27])
        lengths = data[position + 27 : position + 27 + n_segments]
        next_page = position + 27 + len(lengths) + sum(lengths)
    return _between(starts or [at], size)


def _positions(data, marks, at, size):
    """Return the positions of marks: of bytes, and from the end, as both are found faster."""
    found = set()
    for start in range(at, size, _BLOCK):
        block = data[start : start + _BLOCK + len(marks[0]) - 1]
        for mark in marks:
            position = block.rfind(mark)
            while position >= 0:
                found.add(start + position)
                position = block.rfind(mark, 0, position)
    return sorted(found)


def _sample_dump(_source, data, _at, size):
    """Raise for a damaged MIDI sample dump: libsndfile would print its errors to stdout."""
    for block in range(21, size - 126, 127):
        if data[block : block + 2] != _DUMP_MARK or data[block + 126] != 0xF7:
            raise AudioError(f"the file is a MIDI sample dump that is damaged at byte {block}")
    return []


def _between(starts, size):
    return [ByteRange(start, stop) for start, stop in zip(starts, [*starts[1:], size], strict=True)]


def _chunked(_source, data, at, size):
    """Return one range per joined wav or AIFF file, with a corrected header where it is wrong."""
    container = data[at : at + 4]
    streams = []
    while at < size and data[at : at + 4] == container:
        streams.append(_container(data, at, size, container))
        at = streams[-1].stop
    return streams


def _container(data, start, size, container):
    order, audio = ("<", b"data") if container == b"RIFF" else (">", _AUDIO_CHUNKS[container])
    at, audio_at, audio_length = start + 12, None, 0
    while at + 8 <= size:
        name, length = struct.unpack(f"{order}4sI", data[at : at + 8])
        if name == container:
            return ByteRange(start, at)
        is_name = name.isascii() and name.decode().isprintable()
        if audio_at is not None and not (is_name and at + length <= size):
            break  # samples, not a chunk
        if name == audio and audio_at is None:
            audio_at, audio_length = at, length
        at += 8 + length
        at += length % 2 and data[at : at + 4] != container
    if audio_at is None or at >= size or (audio_length and _is_padding(data, at, size)):
        return ByteRange(start, size)
    header = bytearray(data[start : audio_at + 8])
    for position, length in ((4, size - start - 8), (len(header) - 4, size - audio_at - 8)):
        struct.pack_into(f"{order}I", header, position, min(length, 2**32 - 1))
    return ByteRange(start, size, bytes(header))


def _is_padding(data, at, size):
    """Return whether bytes after the audio are few, zeros or a tag of mp3 files, not samples."""
    head = data[at : at + _MOST_PADDING]
    return size - at < _MOST_PADDING or not any(head) or head[:3] in (b"ID3", b"TAG", b"APE")


_AUDIO_CHUNKS = {b"RIFF": b"data", b"RIFX": b"data", b"FORM": b"SSND"}
_SEARCHES = dict.fromkeys(_AUDIO_CHUNKS, _chunked) | {b"fLaC": _flac, b"OggS": _ogg}
