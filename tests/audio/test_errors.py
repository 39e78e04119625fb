"""Audio loading: errors and their messages."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.audio import read_audio
from sklearn_ser.exceptions import AudioError

RATE = 16000


@pytest.fixture
def wav(tmp_path):
    """Half a second of silence."""
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE // 2), RATE)
    return tmp_path / "silence.wav"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (None, r"^row 3: no audio in this row \(found None\): expected a path, a 1-D array or a"),
        (np.nan, r"^row 3: no audio in this row \(found nan\)"),
        (pd.NaT, r"^row 3: no audio in this row \(found NaT\)"),
        (pd.NA, r"^row 3: no audio in this row \(found <NA>\)"),
        ("", r"^row 3, file '': no audio in this row \(found ''\)"),
        (3.5, r"^row 3: found an object of type float \(3\.5\); expected a path, a 1-D array, a"),
        (
            b"a.wav",
            r"^row 3: the file cannot be decoded \(.*; bytes are the content of a f",
        ),
        ({"wave": [0.0]}, r"^row 3: found an object of type dict \({'wave': \[0\.0\]}\); expected"),
        ([], r"^row 3: the audio is empty \(0 samples\): leave this row out$"),
        (
            np.ma.array([0.1, 0.2], mask=[False, True]),
            r"^row 3: a masked array with missing samples: repair the audio or leav",
        ),
        (np.zeros((2, 0)), r"^row 3: the audio is empty \(0 samples\)"),
        (np.zeros((0, 800)), r"^row 3: the audio is empty \(0 samples\)"),
        (np.zeros((2, 3, 4)), r"^row 3: an array of shape \(2, 3, 4\): expected \(samples,\) or"),
        (np.zeros(()), r"^row 3: an array of shape \(\): expected \(samples,\) or \(channels, sam"),
        (
            np.zeros((48000, 2)),
            r"^row 3: an array of shape \(48000, 2\) looks channel-last: expected \(channels, "
            r"samples\), so give its transpose \(`\.T`\)$",
        ),
        (np.zeros((48000, 1)), r"an array of shape \(48000, 1\) looks channel-last"),
        (
            np.zeros(800, dtype=int),
            r"^row 3: int64 samples have no agreed full scale: give floats in \[-1, 1\] or uint8, "
            r"int8, int16 or int32 integers$",
        ),
        (np.zeros(800, dtype=bool), r"^row 3: bool samples have no agreed full scale"),
        (np.zeros(800, dtype=np.uint16), r"^row 3: uint16 samples have no agreed full scale"),
        (np.zeros(800, dtype=complex), r"^row 3: complex128 samples have no agreed full scale"),
        (np.array(["0.1", "0.2"]), r"^row 3: string samples have no agreed full scale"),
        ([2**70, 0], r"^row 3: object samples have no agreed full scale"),
        (
            [[0.1, 0.2], [0.1]],
            r"^row 3: a list that is not an array of samples \(.*\): give a 1-D arr",
        ),
        ((np.zeros(9), 8000, 1), r"^row 3: a tuple of length 3: expected a pair \(array, rate\)$"),
        (
            (8000, np.zeros(9)),
            r"^row 3: a pair \(rate, array\), as scipy returns it: expected \(arr",
        ),
        (
            ("a.wav", 8000),
            r"^row 3: a pair of path and rate: give the path alone, the rate is read from",
        ),
        ((np.zeros(9), 0), r"^row 3: the rate in \(array, rate\) must be a number of samples per "),
        ((np.zeros(9), np.inf), r"^row 3: the rate in \(array, rate\) must be .*, got inf$"),
        ((np.zeros(9), "16k"), r"^row 3: the rate in \(array, rate\) must be .*, got '16k'$"),
        ((np.zeros(9), True), r"^row 3: the rate in \(array, rate\) must be .*, got True$"),
        (
            (np.zeros(1), 1_000_000),
            r"^row 3: the audio is too short: no sample is left at 16000 Hz$",
        ),
        (
            np.array([0, np.nan, np.inf, 0]),
            r"^row 3: 2 of 4 samples are NaN or infinite, the first at sample 1: repair the audio "
            r"or leave this row out$",
        ),
        (np.array([[0, 0], [0, -np.inf]]), r"^row 3: 1 of 4 samples is NaN .* first at sample 1:"),
        (np.full(9, 1e300), r"^row 3: the peak is 1e\+300, beyond full scale"),
    ],
)
def test_cells_without_audio_raise(cell, message):
    with pytest.raises(AudioError, match=message):
        read_audio(cell, row=3)


def write_header_only(path):
    soundfile.write(path, np.zeros(0), RATE)


def write_nan(path):
    soundfile.write(path, np.array([0, 0, np.nan]), RATE, subtype="FLOAT")


def write_cut_off_flac(path):
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, RATE), RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:-1000])


def write_flac_of_unknown_length(path):
    soundfile.write(path, np.zeros(RATE), RATE, format="FLAC")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that hold the number of samples
    content[22:26] = bytes(4)
    path.write_bytes(content)


UNDECODABLE = (
    r"the file cannot be decoded \(.+\): expected one of aiff, au, .*w64, wav, .*; or, with the "
    r"extra 'video', mp4, .*\. It may be damag"
)

BAD_FILES = {
    "missing.wav": (
        lambda path: None,
        r"the file does not exist: relative paths start at the working directory \(",
    ),
    "folder.wav": (Path.mkdir, r"this is a folder: expected an audio file$"),
    "zero.wav": (Path.touch, r"the file is empty \(0 bytes\): copy or convert it again$"),
    "text.wav": (lambda path: path.write_text("audio " * 99), UNDECODABLE),
    "headerless.raw": (
        lambda path: path.write_bytes(bytes(99)),
        r"the file cannot be decoded \(a file without a header\): expected one of",
    ),
    "cut_in_the_header.wav": (
        lambda path: path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfm"),
        UNDECODABLE,
    ),
    "cut_off.flac": (write_cut_off_flac, UNDECODABLE),
    "unknown_length.flac": (
        write_flac_of_unknown_length,
        r"the header of the file does not state its length \(it was written to a pipe\): convert",
    ),
    "header_only.wav": (write_header_only, r"the audio is empty \(0 samples\)"),
    "nan.wav": (write_nan, r"1 of 3 samples is NaN or infinite, the first at sample 2"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_raise(name, tmp_path):
    write, message = BAD_FILES[name]
    write(tmp_path / name)
    with pytest.raises(AudioError, match=rf"^row 5, file '.*{name}': {message}") as caught:
        read_audio(tmp_path / name, row=5)
    assert caught.value.file == str(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_raises_without_blocking(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match=r"pipe\.wav': this is not a regular file"):
        read_audio(tmp_path / "pipe.wav")


def test_a_path_that_no_file_can_have_raises():
    with pytest.raises(
        AudioError, match=r"the file cannot be opened \(.*embedded null (byte|character)"
    ):
        read_audio("a\0b.wav")


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-0.1, None, r"start is -0\.1 s: a start cannot be negative$"),
        (0.5, None, r"start is 0\.5 s, but the audio ends at 0\.5 s$"),
        (0.2, 0.2, r"start \(0\.2 s\) must be before end \(0\.2 s\)$"),
        (0.3, 0.2, r"start \(0\.3 s\) must be before end \(0\.2 s\)$"),
        (None, 0, r"end is 0 s: an end must be greater than 0$"),
        (
            None,
            0.7,
            r"end is 0\.7 s, but the audio ends at 0\.5 s: correct the end, or leave it em",
        ),
        (None, np.inf, r"end is inf s, but the audio ends at 0\.5 s"),
        (np.inf, None, r"start is inf s, but the audio ends at 0\.5 s"),
        (0.1, 0.10001, r"no sample lies between start \(0\.1 s\) and end \(0\.10001 s\)$"),
        (
            0.49999,
            None,
            r"no sample lies between start \(0\.49999 s\) and the audio's end \(0\.5 s",
        ),
        ("0.1", None, r"start must be a number of seconds or a timedelta, got '0\.1'"),
        (None, False, r"end must be a number of seconds or a timedelta, got False"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "array"])
def test_parts_that_do_not_exist_raise(kind, start, end, message, wav):
    source = wav if kind == "file" else np.zeros(RATE // 2)
    with pytest.raises(AudioError, match=message):
        read_audio(source, start=start, end=end)


def test_too_short_tells_both_durations(wav):
    with pytest.raises(
        AudioError,
        match=r"the audio lasts 0\.05 s, but this step needs at least 0\.06 s: leave this row out",
    ):
        read_audio(wav, start=0.1, end=0.15, min_duration=0.06)
    assert len(read_audio(wav, start=0.1, end=0.16, min_duration=0.06)) == 960
