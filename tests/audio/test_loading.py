"""Audio loading: the signal of one utterance."""

import csv
import datetime
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.exceptions import AudioError, AudioWarning

RATE = 16000
TOP = np.float32(32767 / 32768)


def tone(seconds=0.5, rate=RATE, hertz=440.0, level=0.5):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def wav(tmp_path):
    """Half a second of 16-bit noise; its samples as soundfile reads them."""
    path = tmp_path / "noise.wav"
    samples = np.random.default_rng(0).integers(-32768, 32768, RATE // 2, dtype=np.int16)
    samples[:2] = -32768, 32767
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


# Formats and scales --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au"])
def test_16_bit_files_are_bit_equal_to_what_soundfile_reads(suffix, wav, tmp_path):
    path = tmp_path / f"copy.{suffix}"
    soundfile.write(path, soundfile.read(wav, dtype="int16")[0], RATE, subtype="PCM_16")
    signal = read_audio(path)
    np.testing.assert_array_equal(signal, soundfile.read(wav, dtype="float32")[0])
    assert (signal.dtype, signal.ndim, signal[0], signal[1]) == (np.float32, 1, -1, TOP)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_formats_round_trip(suffix, rate, tmp_path):
    path = tmp_path / f"tone.{suffix}"
    written = tone(1, rate)
    soundfile.write(path, written, rate)
    signal = read_audio(path, sampling_rate=rate)
    assert len(signal) == len(written)
    # mp3 and ogg lose a little, wav and flac half a 16-bit step
    np.testing.assert_allclose(signal, written, atol=0.03 if suffix in ("mp3", "ogg") else 4e-5)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_sample_formats_of_wav_have_the_same_scale(subtype, tmp_path):
    soundfile.write(tmp_path / "tone.wav", tone(), RATE, subtype=subtype)
    np.testing.assert_allclose(read_audio(tmp_path / "tone.wav"), tone(), atol=0.02)


def test_the_content_counts_not_the_name(wav, tmp_path):
    soundfile.write(tmp_path / "tone.flac", tone(), RATE)
    renamed = (tmp_path / "tone.flac").rename(tmp_path / "tone.wav")
    np.testing.assert_allclose(read_audio(renamed), tone(), atol=4e-5)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("dtype", "scale", "silence"),
    [("i1", 128, 0), ("u1", 128, 128), ("i2", 32768, 0), ("i4", 2**31, 0)],
)
def test_integers_are_scaled_by_the_full_scale_of_their_dtype(dtype, scale, silence, order):
    dtype = np.dtype(dtype).newbyteorder(order)
    info = np.iinfo(dtype)
    values = np.array([info.min, silence, silence + scale // 2, info.max], dtype=dtype)
    top = min(TOP, np.float32((scale - 1) / scale))
    np.testing.assert_array_equal(read_audio(values), np.float32([-1, 0, 0.5, top]))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "longdouble"])
def test_floats_of_any_width_are_taken_as_they_are(dtype):
    signal = read_audio(np.array([-1, 0, 0.25, 1], dtype=dtype))
    assert signal.dtype == np.dtype("float32")
    np.testing.assert_array_equal(signal, np.float32([-1, 0, 0.25, TOP]))


def test_views_of_any_strides_come_out_contiguous():
    ramp = np.linspace(-0.5, 0.5, 801, dtype=np.float32)
    for view in (ramp[::-1], ramp[::2], np.stack([ramp, ramp], axis=1).T[0]):
        signal = read_audio(view)
        assert signal.flags.c_contiguous
        assert signal.flags.writeable
        np.testing.assert_array_equal(signal, view)


def test_silence_is_let_in():
    np.testing.assert_array_equal(read_audio(np.zeros(800)), np.zeros(800))


# Channels, rates, offset ---------------------------------------------------------------------


def test_channels_are_averaged_alike_in_files_and_arrays(tmp_path):
    left, right = tone(level=0.5), tone(hertz=300, level=0.25)
    samples = np.round(np.stack([left, right]) * 32768).astype(np.int16)
    soundfile.write(tmp_path / "stereo.wav", samples.T, RATE)
    signal = read_audio(tmp_path / "stereo.wav")
    np.testing.assert_allclose(signal, (left + right) / 2, atol=4e-5)
    np.testing.assert_array_equal(signal, read_audio(samples))
    np.testing.assert_array_equal(signal, read_audio(samples / 32768))


def test_equal_channels_average_to_themselves():
    signal = tone().astype(np.float32)
    np.testing.assert_array_equal(read_audio(np.stack([signal, signal])), signal)
    np.testing.assert_array_equal(read_audio(signal[None, :]), signal)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_frequency_and_level(rate, tmp_path):
    soundfile.write(tmp_path / "tone.wav", tone(1, rate, level=0.9), rate, subtype="FLOAT")
    signal = read_audio(tmp_path / "tone.wav", sampling_rate=RATE)
    assert len(signal) == RATE
    middle = slice(RATE // 10, -RATE // 10)  # the filter rings at both ends
    np.testing.assert_allclose(signal[middle], tone(1, level=0.9)[middle], atol=1e-4)
    np.testing.assert_array_equal(signal, read_audio((tone(1, rate, level=0.9), rate)))


def test_resampling_removes_what_the_lower_rate_cannot_hold():
    signal = read_audio((tone(1, 44100, hertz=12000), 44100))
    assert np.abs(signal[RATE // 10 : -RATE // 10]).max() < 1e-4


def test_a_bare_array_is_at_the_asked_rate():
    assert len(read_audio(np.zeros(800), sampling_rate=48000)) == 800
    assert len(read_audio((np.zeros(800), np.array(16000)), sampling_rate=48000)) == 2400


def test_overshoot_of_the_resampler_is_limited_silently():
    square = np.sign(tone(1, 44100, hertz=200)) * 0.999
    signal = read_audio((square, 44100))
    assert signal.min() == -1
    assert signal.max() == TOP


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_overshoot_of_lossy_decoders_is_limited_silently(suffix, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.4, RATE).clip(-1, 1)
    soundfile.write(tmp_path / f"noise.{suffix}", noise, RATE)
    assert np.abs(soundfile.read(tmp_path / f"noise.{suffix}")[0]).max() > 1.05
    assert read_audio(tmp_path / f"noise.{suffix}").max() == TOP


def test_a_lossy_file_far_beyond_full_scale_raises(tmp_path):
    soundfile.write(tmp_path / "loud.ogg", tone(level=4), RATE)
    with pytest.raises(AudioError, match=r"loud\.ogg': the peak is [34]\.\d+, beyond full scale"):
        read_audio(tmp_path / "loud.ogg")


def test_remove_dc_subtracts_the_mean_of_what_is_read():
    shifted = tone() + 0.25
    np.testing.assert_allclose(read_audio(shifted, remove_dc=True), tone(), atol=1e-6)
    assert read_audio(shifted).mean() == pytest.approx(0.25)
    halves = np.concatenate([np.full(RATE, -0.5), np.full(RATE, 0.5)])
    np.testing.assert_array_equal(read_audio(halves, end=1.0, remove_dc=True), np.zeros(RATE))


# Parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_part_of_a_file_is_that_part_of_the_whole(suffix, tmp_path):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(2), RATE)
    whole = read_audio(path)
    # For an mp3 a seek alone loses the first tenths of a second.
    np.testing.assert_allclose(read_audio(path, start=0.5, end=1.25), whole[8000:20000], atol=1e-6)
    np.testing.assert_array_equal(read_audio(path, end=0.5), whole[:8000])
    np.testing.assert_allclose(read_audio(path, start=1.5), whole[24000:], atol=1e-6)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0.1, 0.3),
        (pd.Timedelta("100ms"), datetime.timedelta(milliseconds=300)),
        (np.timedelta64(100, "ms"), np.float32(0.3)),
    ],
)
def test_times_may_be_numbers_or_timedeltas(start, end, wav):
    expected = soundfile.read(wav, dtype="float32")[0][1600:4800]
    np.testing.assert_array_equal(read_audio(wav, start=start, end=end), expected)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NaT, pd.NA])
def test_a_missing_start_or_end_is_that_of_the_file(missing, wav):
    assert len(read_audio(wav, start=missing, end=missing)) == RATE // 2


def test_an_end_a_little_beyond_the_audio_is_its_end(wav):
    assert len(read_audio(wav, start=0.25, end=0.504)) == RATE // 4
    assert len(read_audio((np.zeros(100), 1000), end=0.104, sampling_rate=1000)) == 100
    with pytest.raises(AudioError, match=r"end is 0\.506 s, but the audio ends at 0\.5 s: correct"):
        read_audio(wav, end=0.506)


def test_a_part_of_a_long_file_does_not_load_the_file(tmp_path):
    soundfile.write(tmp_path / "long.flac", np.zeros(600 * RATE, dtype=np.int16), RATE)
    tracemalloc.start()
    signal = read_audio(tmp_path / "long.flac", start=500, end=501)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(signal) == RATE
    assert peak < 1e6  # the second is 64 kB, the file 38 MB as float32


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts handles as Linux does")
def test_no_file_stays_open(wav, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    table = open_audio([wav, tmp_path / "text.wav"])
    before = len(os.listdir("/proc/self/fd"))
    kept = table.read(0)
    with pytest.raises(AudioError) as caught:
        table.read(1)
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(kept)
    assert caught


# Full scale ----------------------------------------------------------------------------------


def test_exactly_full_scale_is_limited_silently():
    np.testing.assert_array_equal(read_audio(np.array([1.0, -1.0])), np.float32([TOP, -1]))
    normalized = np.array([1 + 1e-9, 0.0])  # 1.0 in float32
    np.testing.assert_array_equal(read_audio(normalized), np.float32([TOP, 0]))


@pytest.mark.parametrize("kind", ["array", "pair", "stereo", "file"])
def test_beyond_full_scale_raises_or_clips_with_a_warning(kind, tmp_path):
    loud = tone(level=0.5) * 3
    source = {
        "array": loud,
        "pair": (loud, RATE),
        "stereo": np.stack([loud, loud]),
        "file": tmp_path / "loud.wav",
    }[kind]
    soundfile.write(tmp_path / "loud.wav", loud, RATE, subtype="FLOAT")
    with pytest.raises(
        AudioError,
        match=r"the peak is 1\.5, beyond full scale: expected samples in \[-1, 1\]\. Scale the "
        r"audio, or set beyond_full_scale='clip' to clip it$",
    ):
        read_audio(source)
    with pytest.warns(AudioWarning, match=r"the peak is 1\.5, beyond full scale: clipped to"):
        signal = read_audio(source, beyond_full_scale="clip")
    np.testing.assert_array_equal(signal, np.clip(loud, -1, TOP).astype(np.float32))


def test_one_channel_beyond_full_scale_is_enough():
    with pytest.raises(AudioError, match=r"the peak is 1\.5, beyond full scale"):
        read_audio(np.stack([tone(level=0.5) * 3, np.zeros(8000)]))


def test_error_for_floats_that_look_like_16_bit_values():
    with pytest.raises(AudioError, match=r"\(these look like 16-bit values: divide by 32768\)"):
        read_audio(tone() * 32768)


# Real speech ---------------------------------------------------------------------------------


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "nemo", "urdu"])
def test_real_speech_is_bit_equal_to_what_soundfile_reads(corpus, shared):
    folder = shared / "corpora" / corpus
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as opened:
        names = [row["file"] for row in csv.DictReader(opened)][::100]
    assert names
    paths = [folder / name for name in names]
    for path, signal in zip(paths, open_audio(paths, min_duration=0.1), strict=True):
        np.testing.assert_array_equal(signal, soundfile.read(path, dtype="float32")[0])
