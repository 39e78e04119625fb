"""Audio loading: files with more audio than their first header says, and parts of any codec."""

import io
import itertools
import os
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_ser.audio import read_audio
from sklearn_ser.exceptions import AudioError
from sklearn_ser.preprocessing import window_table

run = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
RATE = 16000
# Syllables with pauses: an encoder of variable bit rate uses few bits for the pauses.
TIME = np.arange(6 * RATE) / RATE
SPEECH = 0.3 * np.sin(2 * np.pi * 200 * TIME) * (np.sin(2 * np.pi * 1.5 * TIME) > 0)
SPEECH += 0.02 * np.random.default_rng(0).normal(size=len(TIME))
SUBTYPES = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS", "FLAC": "PCM_16", "WAV": "PCM_16"}
FORMATS = [*SUBTYPES, "AIFF", "OPUS"]


def encode(signal, file_format, rate=RATE, **options):
    buffer = io.BytesIO()
    subtype = SUBTYPES.get(file_format, "PCM_16")
    if file_format == "OPUS":
        file_format, subtype = "OGG", "OPUS"
    soundfile.write(buffer, signal, rate, format=file_format, subtype=subtype, **options)
    return buffer.getvalue()


def mp3(signal, rate=RATE, mode="VARIABLE", level=0.4):
    return encode(signal, "MP3", rate, bitrate_mode=mode, compression_level=level)


def without_table(content):
    """An mp3 without its first frame, which holds its length."""
    assert b"Info" in content[:80] or b"Xing" in content[:80]
    rates = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    bits = 72000 * rates[content[2] >> 4]
    return content[bits // RATE + (content[2] >> 1 & 1) :]


def read(tmp_path, content, **options):
    """The signal, where the file may give no warning."""
    path = tmp_path / "speech"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_audio(path, **options)


# Joined files --------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", FORMATS)
def test_joined_files_are_read_whole(file_format, tmp_path):
    contents = [encode(SPEECH[:n], file_format) for n in (3 * RATE, RATE, 2 * RATE)]
    parts = [read(tmp_path, content) for content in contents]
    whole = read(tmp_path, b"".join(contents))
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    for start, end in ((0.5, 2.5), (2.5, 3.5), (3.0, 4.0), (3.25, 3.5), (2.5, 5.5), (4.5, None)):
        part = read(tmp_path, b"".join(contents), start=start, end=end)
        expected = whole[int(start * RATE) : None if end is None else int(end * RATE)]
        np.testing.assert_allclose(part, expected, atol=1e-6)


@pytest.mark.parametrize("file_format", FORMATS)
def test_joined_files_of_other_rates_or_channels_raise(file_format, tmp_path):
    stereo = np.stack([SPEECH, np.roll(SPEECH, 99)], axis=1)[:RATE]
    content = encode(SPEECH[:RATE], file_format)
    for other in (encode(stereo, file_format), encode(SPEECH[:24000], file_format, 24000)):
        with pytest.raises(AudioError, match=r"2 joined streams of different kinds \(16000 Hz wit"):
            read(tmp_path, content + other)


@pytest.mark.parametrize("file_format", ["AU", "CAF", "RF64"])
def test_joined_files_that_are_not_split_raise(file_format, tmp_path):
    content = encode(SPEECH, file_format)
    assert len(read(tmp_path, content)) == len(SPEECH)
    message = r"the header of the file states 6 s, but the file has bytes for 12.* s: files were jo"
    with pytest.raises(AudioError, match=message):
        read(tmp_path, content * 2)


def test_a_multiplexed_ogg_file_is_one_stream(tmp_path):
    first, second = encode(SPEECH[:RATE], "OGG"), encode(SPEECH[:RATE], "OGG")
    at = first.index(b"OggS", 4)
    end = second.index(b"OggS", 4)
    # The first page of another stream follows that of the first, as in a video.
    content = first[:at] + second[:end] + first[at:]
    np.testing.assert_array_equal(read(tmp_path, content), read(tmp_path, first))


# Unfinished and wrong headers of wav files ----------------------------------------------------


def wav(samples, data_size, riff_size, chunks=b"", subtype=1, width=2):
    form = struct.pack("<HHIIHH", subtype, 1, RATE, RATE * width, width, 8 * width)
    return (
        b"RIFF"
        + struct.pack("<I", riff_size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + chunks
        + b"data"
        + struct.pack("<I", data_size)
        + samples
    )


SAMPLES = (SPEECH * 32767).astype("<i2").tobytes()
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\0"


@pytest.mark.parametrize("chunks", [b"", LIST], ids=["no chunk", "a chunk before"])
@pytest.mark.parametrize("silence", [0, 4000], ids=["speech first", "silence first"])
@pytest.mark.parametrize(
    "sizes",
    [(0, 0), (0, 36), (0, 2**32 - 1), (2**32 - 1, 2**32 - 1), (32000, 32036), (65536, 0)],
    ids=str,
)
def test_a_wav_of_a_killed_recorder_is_read_to_its_end(sizes, silence, chunks, tmp_path):
    samples = bytes(2 * silence) + SAMPLES
    found = read(tmp_path, wav(samples, *sizes, chunks))
    expected = np.frombuffer(samples, "<i2") / np.float32(32768)
    np.testing.assert_array_equal(found, expected)
    part = read(tmp_path, wav(samples, *sizes, chunks), start=1, end=2)
    np.testing.assert_array_equal(part, expected[RATE : 2 * RATE])


@pytest.mark.parametrize(("subtype", "width", "dtype"), [(1, 1, "u1"), (7, 1, "u1"), (3, 4, "<f4")])
def test_killed_recorders_of_other_sample_formats(subtype, width, dtype, tmp_path):
    samples = np.random.default_rng(0).integers(0x60, 0x7F, 4 * RATE).astype("u1").tobytes()
    if dtype == "<f4":
        samples = SPEECH.astype(dtype).tobytes()
    found = read(tmp_path, wav(samples, 0, 36, subtype=subtype, width=width))
    assert len(found) == len(samples) // width


@pytest.mark.parametrize(
    "rest",
    [LIST, LIST * 3, b"\0", bytes(9999), b"TAG" + b"a" * 125, b"ID3\3\0\0" + b"a" * 9000, b"ab"],
    ids=["chunk", "chunks", "pad byte", "zeros", "ID3v1", "ID3v2", "two bytes"],
)
def test_what_follows_the_samples_of_a_wav_is_no_audio(rest, tmp_path):
    size = len(SAMPLES)
    found = read(tmp_path, wav(SAMPLES + rest, size, size + 36))
    assert len(found) == len(SPEECH)


def test_a_wav_with_a_header_alone_is_empty(tmp_path):
    for content in (wav(b"", 0, 36), wav(LIST, 0, 36 + len(LIST))):
        with pytest.raises(AudioError, match=r"the audio is empty \(0 samples\)"):
            read(tmp_path, content)


def test_a_file_of_many_bytes_is_not_called_empty(tmp_path):
    content = bytearray(encode(SPEECH, "AU"))
    content[8:12] = bytes(4)
    with pytest.raises(
        AudioError, match="no samples, but the file has 192024 bytes: files were"
    ) as raised:
        read(tmp_path, bytes(content))
    assert "leave this row out" not in str(raised.value)


# mp3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("mode", "level"), [("CONSTANT", 0.9), ("CONSTANT", 0.2), ("VARIABLE", 0.5)]
)
def test_an_mp3_is_bit_equal_to_what_soundfile_reads(mode, level, n_channels, rate, tmp_path):
    signal = np.stack([SPEECH, np.roll(SPEECH, 50)], axis=1)[: 2 * rate, :n_channels]
    content = mp3(signal, rate, mode, level)
    expected = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]
    expected = expected.T.mean(axis=0) if n_channels == 2 else expected[:, 0]
    whole = read(tmp_path, content, sampling_rate=rate)
    np.testing.assert_array_equal(whole, expected)
    rng = np.random.default_rng(0)
    for start, stop in np.sort(rng.integers(0, len(whole) // 40, (8, 2)) * 40 + [0, 40]):
        part = read(tmp_path, content, sampling_rate=rate, start=start / rate, end=stop / rate)
        np.testing.assert_array_equal(part, whole[start:stop])


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT", "AVERAGE"])
@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\3\x10" + bytes(400)], ids=["", "ID3"])
def test_an_mp3_without_a_table_is_read_whole(mode, tag, tmp_path):
    content = mp3(SPEECH, mode=mode, level=0.3)
    expected = read(tmp_path, content)
    bare = tag + without_table(content)
    found = read(tmp_path, bare)
    # Without the table, the delay of the encoder and of the decoder is not cut off.
    delayed = found[576 + 529 :][: len(expected)]
    assert abs(len(found) - len(expected)) < 4 * 576
    np.testing.assert_allclose(delayed, expected[: len(delayed)], atol=1e-6)
    windows = window_table([str(tmp_path / "speech")], 1.0, 0.5)
    ends = windows["end"].tolist()
    assert ends[-1] * RATE == len(found)
    for start, end in zip(windows["start"], ends, strict=True):
        part = read_audio(tmp_path / "speech", start=start, end=end)
        np.testing.assert_array_equal(part, found[round(start * RATE) : round(end * RATE)])


def test_an_mp3_of_several_takes_without_tables(tmp_path):
    content = without_table(mp3(SPEECH)) + b"TAG" + b"x" * 125 + without_table(mp3(SPEECH))
    assert len(read(tmp_path, content)) / RATE == pytest.approx(12, abs=0.2)
    content = mp3(SPEECH) + without_table(mp3(SPEECH))
    assert len(read(tmp_path, content)) / RATE == pytest.approx(12, abs=0.2)


def test_a_truncated_mp3_has_the_length_of_its_frames(tmp_path):
    content = mp3(SPEECH)
    whole = read(tmp_path, content)
    found = read(tmp_path, content[: len(content) // 2])
    assert 0.3 * len(whole) < len(found) < 0.8 * len(whole)
    np.testing.assert_allclose(found, whole[: len(found)], atol=1e-6)
    windows = window_table([str(tmp_path / "speech")], 0.5, 0.5)
    assert windows["end"].iloc[-1] * RATE == len(found)


def test_damage_in_an_mp3_costs_a_few_frames(tmp_path):
    content = bytearray(without_table(mp3(SPEECH)))
    for damage in (b"", b"\xff\xff\xff\xff", bytes(3000), b"\xff\xf3" * 9):
        damaged = content[:5000] + damage + content[5000 + len(damage) // 2 :]
        found = read_audio(write(tmp_path, damaged), beyond_full_scale="clip")
        assert len(found) > 4 * RATE


def write(tmp_path, content):
    path = tmp_path / "speech"
    path.write_bytes(content)
    return path


@run
@given(st.integers(0, 4999), st.integers(1, 4999), st.sampled_from(["CONSTANT", "VARIABLE"]))
def test_any_part_of_an_mp3_is_that_part(mp3_files, start, length, mode):
    path, whole = mp3_files[mode]
    start = min(start, len(whole) - 1)
    stop = min(start + length * 3, len(whole))
    part = read_audio(path, start=start / RATE, end=stop / RATE)
    if part.any():
        np.testing.assert_array_equal(part, whole[start:stop])
    else:  # what a decoder leaves of silence
        np.testing.assert_allclose(whole[start:stop], 0, atol=1 / 32768)


@pytest.fixture(scope="module")
def mp3_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mp3")
    files = {}
    for mode in ("CONSTANT", "VARIABLE"):
        (folder / mode).write_bytes(mp3(SPEECH[:RATE], mode=mode, level=0.9))
        files[mode] = folder / mode, read_audio(folder / mode)
    return files


# Silence on stdout and stderr, seeking ---------------------------------------------------------

READ_PARTS = """
import sys
from sklearn_ser.audio import read_audio
from sklearn_ser.exceptions import AudioError
for path in sys.argv[1:]:
    for start in [None, *range(5)]:
        try:
            read_audio(path, start=start, end=None if start is None else start + 0.7)
        except AudioError:
            pass
"""


def test_nothing_is_printed(tmp_path):
    paths = []
    for number, (mode, level) in enumerate(itertools.product(("CONSTANT", "VARIABLE"), (0.2, 0.9))):
        whole = mp3(SPEECH, mode=mode, level=level)
        bare = without_table(whole) if b"LAME" in whole[:200] else whole
        for kind, content in {
            "whole": whole,
            "bare": bare,
            "joined": whole * 2,
            "cut": whole[: len(whole) // 2],
            "tagged": whole + b"TAG" + b"x" * 125,
        }.items():
            path = tmp_path / f"{number}_{kind}.mp3"
            path.write_bytes(content)
            paths.append(path)
    dump = bytearray(encode(SPEECH, "SDS"))
    for place in (21, 24, 21 + 127, 21 + 3 * 127, 21 + 5 * 127 + 1, 22 + 9 * 127, 20 + 7 * 127):
        dump[place] ^= 0x55
    (tmp_path / "damaged.sds").write_bytes(dump)
    (tmp_path / "cut.sds").write_bytes(encode(SPEECH, "SDS")[:-200])
    paths += [tmp_path / "damaged.sds", tmp_path / "cut.sds"]
    done = subprocess.run(
        [sys.executable, "-c", READ_PARTS, *map(str, paths)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_an_intact_sample_dump_is_read(tmp_path):
    assert len(read(tmp_path, encode(SPEECH, "SDS"))) == len(SPEECH)


def every_codec():
    for file_format in sorted({*soundfile.available_formats()} - {"SD2", "RAW"}):
        for subtype in sorted(soundfile.available_subtypes(file_format)):
            for rate in (RATE, 8000):
                buffer = io.BytesIO()
                try:
                    soundfile.write(
                        buffer, SPEECH[:RATE], rate, format=file_format, subtype=subtype
                    )
                except (soundfile.LibsndfileError, TypeError):
                    continue
                yield f"{file_format} {subtype}", buffer.getvalue()
                break


CODECS = dict(every_codec())


@pytest.mark.parametrize("codec", CODECS)
def test_a_part_is_that_part_of_the_whole_in_every_codec(codec, tmp_path):
    try:
        rate = soundfile.info(io.BytesIO(CODECS[codec])).samplerate
        whole = read(tmp_path, CODECS[codec], sampling_rate=rate)
    except (AudioError, soundfile.LibsndfileError):
        assert codec.startswith("AIFF DWVW")  # libsndfile cannot read what it writes
        return
    start, end = 4000 / rate, 9000 / rate
    part = read(tmp_path, CODECS[codec], sampling_rate=rate, start=start, end=end)
    np.testing.assert_allclose(part, whole[4000:9000], atol=1e-6)


# Pointers instead of audio ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "command"),
    [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "git lfs pull",
        ),
        ("/annex/objects/MD5E-s123--0a.wav\n", "git annex get"),
    ],
)
def test_a_pointer_of_git_says_so(content, command, tmp_path):
    message = rf"the file is a pointer of git, not audio: fetch the audio, with '{command}'$"
    with pytest.raises(AudioError, match=message):
        read(tmp_path, content.encode())


def test_a_link_to_nothing_says_so(tmp_path):
    (tmp_path / "speech.wav").symlink_to(".git/annex/objects/a.wav")
    message = r"is a link to '.git/annex/objects/a.wav', which does not exist: .*'git annex get'"
    with pytest.raises(AudioError, match=message):
        read_audio(tmp_path / "speech.wav")
