"""Audio loading: files that are not regular, damaged files of every format, and long ones.


An AudioError with row and file or a usable signal, within bounded time and memory. Arrays and
objects of every kind are in test_audio_properties.py, whole steps in
feature_extraction/test_bad_input.py.
"""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sklearn_ser.audio import read_audio
from sklearn_ser.exceptions import AudioError, AudioWarning

RATE = 16000
NOISE = np.random.default_rng(0).normal(0, 0.2, RATE // 2).clip(-1, 1)
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files and signals")

run = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@contextlib.contextmanager
def within(seconds):
    """Fail, and do not hang, where the body takes longer."""

    def stop(*_):
        raise TimeoutError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_or_none(path, **options):
    """Return the signal, or None if the file raises an AudioError with its row and path."""
    try:
        found = read_audio(path, row=4, **options)
    except AudioError as caught:
        error, found = caught, None
    if found is None:
        assert (error.row, error.file) == (4, str(path))
        assert len(error.reason) > 20
        return None
    assert found.dtype == np.float32
    assert found.ndim == 1
    assert len(found) > 0
    assert np.abs(found).max() <= 1
    return found


# Things in a folder that are no audio files ---------------------------------------------------

SPECIAL = {
    "a dangling link": lambda path: path.symlink_to(path.with_name("nothing")),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to a folder": lambda path: path.symlink_to(path.parent),
    "a named pipe": os.mkfifo if hasattr(os, "mkfifo") else None,
    "a link to a named pipe": lambda path: (
        os.mkfifo(path.with_name("pipe")),
        path.symlink_to(path.with_name("pipe")),
    ),
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a device of nothing": lambda path: path.symlink_to("/dev/null"),
    "a terminal or none": lambda path: path.symlink_to("/dev/tty"),
    "a folder": Path.mkdir,
    "a file of the kernel": lambda path: path.symlink_to("/proc/self/status"),
    "an image": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9),
    "an archive": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 9),
    "a text": lambda path: path.write_text("anger\nsadness\n" * 99),
    "zeros": lambda path: path.write_bytes(bytes(9999)),
}


@POSIX
@pytest.mark.parametrize("name", SPECIAL)
def test_what_is_no_audio_file_raises_without_blocking(name, tmp_path):
    path = tmp_path / "speech.wav"
    SPECIAL[name](path)
    with within(20):
        assert read_or_none(path) is None


@POSIX
def test_a_socket_raises(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("speech.wav")
        listening.listen()
        with within(20), pytest.raises(AudioError, match="this is not a regular file"):
            read_audio("speech.wav")


@pytest.mark.parametrize(
    "path",
    ["a\0.wav", "a" * 5000 + ".wav", "a/" * 5000, "\ud800.wav", "\udcff.wav" * 9, " ", ".", "~"],
)
def test_paths_that_lead_nowhere_raise(path):
    assert read_or_none(path) is None


@POSIX
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not allow such names")
def test_a_name_that_is_no_utf8_opens(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path / "k") + b"\xe4se.wav")
    soundfile.write(tmp_path / "plain.wav", NOISE, RATE)
    os.rename(tmp_path / "plain.wav", path)
    assert len(read_or_none(path)) == len(NOISE)


# Damaged files of every format ----------------------------------------------------------------


def encode(file_format, subtype, n_channels):
    buffer = io.BytesIO()
    signal = np.stack([NOISE, -NOISE[::-1]], axis=1)[:, :n_channels]
    soundfile.write(buffer, signal, RATE, format=file_format, subtype=subtype)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def encoded():
    """Half a second of noise in whatever libsndfile writes: (format, subtype, channels) -> bytes.

    Combinations that it cannot write are left out, such as two channels where a format has one.
    """
    contents = {}
    # SD2 keeps its header in a second file, "._", which libsndfile leaves in the working folder.
    for file_format in sorted({*soundfile.available_formats()} - {"SD2"}):
        for subtype in sorted(soundfile.available_subtypes(file_format)):
            for n_channels in (1, 2):
                with contextlib.suppress(soundfile.LibsndfileError, TypeError):
                    contents[file_format, subtype, n_channels] = encode(
                        file_format, subtype, n_channels
                    )
    return {kind: content for kind, content in contents.items() if content}


def test_every_format_is_there(encoded):
    assert {"WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64"} <= {
        kind[0] for kind in encoded
    }
    assert len(encoded) > 80


def test_every_format_is_read_whole(encoded, tmp_path):
    failed = set()
    for (file_format, subtype, n_channels), content in encoded.items():
        path = tmp_path / "speech"
        path.write_bytes(content)
        found = read_or_none(path)
        if found is None:
            failed.add("DWVW" if subtype.startswith("DWVW") else file_format)
        else:
            # Some formats know one rate only, and say so; some write whole blocks.
            n_expected = len(NOISE) * RATE / soundfile.info(path).samplerate
            assert abs(len(found) - n_expected) <= 4096, (file_format, subtype, n_channels)
    # No header at all; a codec in which libsndfile cannot seek.
    assert failed <= {"RAW", "DWVW"}


@st.composite
def damage(draw, encoded):
    """A file that was cut off, overwritten in places, or claims numbers of its own."""
    kind = draw(st.sampled_from(sorted(encoded)), label="kind")
    content = bytearray(encoded[kind])
    places = st.integers(0, min(200, len(content)) - 1) | st.integers(0, len(content) - 1)
    if draw(st.booleans(), label="cut"):
        del content[draw(places, label="kept bytes") :]
    for _ in range(draw(st.integers(0, 4), label="flips")):
        if content:
            content[draw(places) % len(content)] = draw(st.integers(0, 255))
    number = draw(st.sampled_from([b"", b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(8)]), label="claim")
    place = draw(places, label="its place")
    content[place : place + len(number)] = number
    return bytes(content)


@POSIX
def test_any_damaged_file(encoded, tmp_path):
    path = tmp_path / "damaged"

    @run
    @given(damage(encoded), st.sampled_from([None, 0.1, 0.3, 9.0, 1e9]))
    def check(content, start):
        path.write_bytes(content)
        with within(20), warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)  # a flipped bit of a float is clipped
            found = read_or_none(path, start=start, beyond_full_scale="clip")
        # At the lowest rate that a header may name, a sample of the file becomes 16.
        assert found is None or len(found) <= 16 * 8 * len(content) + 16 * 1152

    check()


@given(st.sampled_from([0, 1, 7, 999, 1_000_001, 2**31 - 1, 2**32 - 1]))
@example(rate=1)
@run
def test_a_rate_that_no_audio_has_raises(tmp_path, rate):
    path = tmp_path / "speech.wav"
    soundfile.write(path, NOISE, RATE)
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"sampling rate in the file's header must be|be decoded"):
        read_audio(path)


# Long files -----------------------------------------------------------------------------------

MEASURE = """
import resource, sys
from sklearn_ser.audio import read_audio
import pandas, soundfile, soxr  # before the measurement
def peak():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024)
n_read, read = [], soundfile.SoundFile.read
def counted(*args, **options):
    block = read(*args, **options)
    n_read.append(len(block))
    return block
soundfile.SoundFile.read = counted
before = peak()
signal = read_audio(sys.argv[1], {rate})
print(len(signal), (peak() - before) / signal.nbytes, sum(n_read))
"""


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize(("rate", "most"), [(16000, 2.3), (8000, 5.0)])
def test_an_hour_takes_no_more_than_some_copies_of_itself(rate, most, tmp_path):
    block = np.tile(NOISE, 120)
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", RATE, 1, "PCM_16") as file:
        for _ in range(60):
            file.write(block)
    command = [sys.executable, "-c", MEASURE.format(rate=rate), str(tmp_path / "hour.wav")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    n_samples, copies, n_read = map(float, done.stdout.split())
    assert n_samples == 3600 * rate
    assert copies < most
    assert n_read == 3600 * RATE  # each sample once
