"""MPEG layer 3 (mp3) streams: exact lengths, and decoding of any part.

libsndfile takes the length of an mp3 from a table in its first frame (Xing, Info) or estimates it
from the bit rate, and reads no further; here the frames are counted. A part is decoded as a stream
of its own. An mp3 frame borrows bytes from frames before it, so these are part of that stream, but
muted: after a seek the decoder would decode them without the bytes that they borrow themselves,
which fails with messages on stderr.
"""

from __future__ import annotations

import functools
import io
import struct
from dataclasses import dataclass

import numpy as np
import soundfile

# kbit/s by index: MPEG 1, and MPEG 2 with lower rates.
_BIT_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz

# The decoder drops this number of samples from a stream whose first frame is a table.
_DECODER_DELAY = 529
# Its filter bank is in the same state every 8 frames. A part starts at the same state as in the
# whole, so that both are equal to the last bit.
_PERIOD = 8
# The transform overlaps by one frame, and the filter bank remembers another.
_RUN_UP = 2
_MOST_BORROWED = 511  # bytes


@dataclass(frozen=True)
class _Header:
    """Properties of a frame; `side` and `body` are the positions of its parameters and data."""

    length: int
    n_samples: int
    rate: int
    n_channels: int
    side: int
    body: int

    @property
    def kind(self):
        """Rate and number of channels, equal in all frames of a stream."""
        return self.rate, self.n_channels


@functools.lru_cache(maxsize=4096)
def _header(head):
    """Return the header in four bytes, or None if they are not one of layer 3."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, bit_rate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bit_rate in (0, 15) or rate == 3:
        return None
    is_mpeg_1, n_channels = version == 3, 1 if head[3] >> 6 == 3 else 2
    n_samples, hertz = 1152 if is_mpeg_1 else 576, _RATES[version][rate]
    kilobits = _BIT_RATES[0 if is_mpeg_1 else 1][bit_rate]
    length = n_samples // 8 * kilobits * 1000 // hertz + (head[2] >> 1 & 1)
    side = 4 if head[1] & 1 else 6  # after a checksum
    n_parameters = (17, 32) if is_mpeg_1 else (9, 17)
    return _Header(length, n_samples, hertz, n_channels, side, side + n_parameters[n_channels - 1])


def is_layer_3(head):
    """Return whether bytes begin with the header of a frame of layer 3."""
    return _header(bytes(head[:4])) is not None


def id3_length(head):
    """Return the length of an ID3v2 tag from its first 10 bytes, 0 without one."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 127
    return length + (20 if head[5] & 16 else 10)


def mpeg_streams(source, data, at, size):
    """Return the streams in the bytes of a file from a position on, as `MpegStream`."""
    streams: list[list[int]] = []
    kind = None
    while at is not None:
        header = _header(data[at : at + 4])
        if header is None or at + header.length > size:
            at = _next_frame(data, at + 1, size)
            continue
        is_table = data[at + header.body : at + header.body + 4] in (b"Xing", b"Info")
        if header.kind != kind or is_table:
            kind = header.kind
            streams.append([])
        streams[-1].append(at)
        at += header.length
    complete = [MpegStream(source, data, offsets) for offsets in streams]
    return [stream for stream in complete if stream.n_samples > 0]


def _next_frame(data, at, size):
    """Return the position of the next frame that another frame, or the end, follows, or None."""
    while (at := data.find(b"\xff", at, size)) >= 0:
        header = _header(data[at : at + 4])
        if header is not None:
            stop = at + header.length
            following = _header(data[stop : stop + 4])
            if stop == size or (following is not None and following.kind == header.kind):
                return at
        at += 1
    return None


class MpegStream:
    """Frames of one rate and number of channels, without the table that may precede them."""

    is_lossy = True
    coding = "MP3 MPEG_LAYER_III"  # as libsndfile names container and coding

    def __init__(self, source, data, offsets):
        self._source, at = source, offsets[0]
        first = _header(data[offsets[0] : offsets[0] + 4])
        n_listed, delay, padding = _table(data[offsets[0] : offsets[0] + first.length], first)
        if n_listed is not None:
            offsets = offsets[1:]
        stop = offsets[-1] + _header(data[offsets[-1] : offsets[-1] + 4]).length if offsets else 0
        self.rate, self.n_channels = first.kind
        self._bounds = np.array([*offsets, stop], dtype=np.int64)
        self._n_per_frame, self._body = first.n_samples, first.body
        self._n_skipped = 0 if delay is None else delay + _DECODER_DELAY
        n_decoded = len(offsets) * first.n_samples
        self.n_samples = n_decoded - self._n_skipped
        if n_listed == len(offsets) and delay is not None:
            self.n_samples = min(self.n_samples, n_decoded - delay - padding)
        # The decoder reads the whole of such a file as it is.
        self._is_regular = n_listed == len(offsets) and at == id3_length(data) and stop == len(data)

    def read(self, first, stop):
        """Return float32 samples of shape (samples,) or (samples, 2) of a part."""
        if self._is_regular and (first, stop) == (0, self.n_samples):
            return soundfile.read(self._source.for_soundfile(), dtype="float32")[0]
        first, stop = first + self._n_skipped, stop + self._n_skipped
        n_per_frame, bounds = self._n_per_frame, self._bounds
        last = min(len(bounds) - 1, -(-stop // n_per_frame))
        complete = max(0, first // n_per_frame - _RUN_UP)
        begin = complete
        while begin > 0 and self._n_data(begin, complete) < _MOST_BORROWED:
            begin -= 1
        shift = self._n_skipped // n_per_frame
        begin = (begin + shift) // _PERIOD * _PERIOD - shift
        if first - begin * n_per_frame < _DECODER_DELAY:
            begin -= _PERIOD
        n_padding, begin = max(0, -begin), max(0, begin)
        with self._source.open() as file:
            file.seek(bounds[begin])
            data = file.read(int(bounds[last] - bounds[begin]))
        frames, n_available = [], 0
        for index, at in enumerate((bounds[begin:last] - bounds[begin]).tolist(), begin):
            header = _header(data[at : at + 4])
            frame = data[at : at + header.length]
            frames.append(frame if index >= complete else _muted(frame, header, n_available))
            n_available += header.length - header.body
        silence = _with_head(frames[0], bytes(len(frames[0]) - 4))
        n_frames = n_padding + len(frames)
        stream = b"".join([_new_table(frames[0], n_frames + 1), *[silence] * n_padding, *frames])
        with soundfile.SoundFile(io.BytesIO(stream)) as opened:
            samples = opened.read(n_frames * n_per_frame - _DECODER_DELAY, dtype="float32")
        at = first - (begin - n_padding) * n_per_frame - _DECODER_DELAY
        return samples[at : at + stop - first]

    def _n_data(self, begin, end):
        return self._bounds[end] - self._bounds[begin] - (end - begin) * self._body


def _table(frame, header):
    """Return number of frames, delay and padding (None: no room for them), or None three times."""
    if frame[header.body : header.body + 4] not in (b"Xing", b"Info"):
        return None, None, None
    flags, n_listed = struct.unpack(">II", frame[header.body + 4 : header.body + 12])
    fields = ((1, 4), (2, 4), (4, 100), (8, 4))
    at = header.body + 8 + sum(length for flag, length in fields if flags & flag)
    delays = frame[at + 21 : at + 24]
    if len(delays) < 3:
        return n_listed, None, 0
    return n_listed, delays[0] << 4 | delays[1] >> 4, (delays[1] & 15) << 8 | delays[2]


def _muted(frame, header, n_available):
    """Return a frame that is silent, but lends its bytes, and those that it borrows, to others."""
    parameters = bytearray(header.body - header.side)
    is_mpeg_1 = header.n_samples == 1152
    borrowed = frame[header.side] << is_mpeg_1
    if is_mpeg_1:
        borrowed |= frame[header.side + 1] >> 7
        parameters[0], parameters[1] = divmod(min(borrowed, n_available) << 7, 256)
    else:
        parameters[0] = min(borrowed, n_available)
    return _with_head(frame, parameters + bytes(header.side - 4) + frame[header.body :])


def _with_head(frame, content):
    """Return a frame of the kind of another one with new content, without a checksum."""
    return bytes([frame[0], frame[1] | 1, *frame[2:4], *content])


def _new_table(frame, n_frames):
    """Return a frame that states the number of frames of a stream."""
    head = bytes([frame[0], frame[1] | 1, 9 << 4 | frame[2] & 12, frame[3]])
    header = _header(head)
    content = b"Info" + struct.pack(">II", 1, n_frames)
    return head + (bytes(header.body - 4) + content).ljust(header.length - 4, b"\0")
