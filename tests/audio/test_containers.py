"""Sound of videos and of other containers that PyAV decodes."""

import contextlib
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.audio import _containers, read_audio
from sklearn_ser.audio._containers import container_format
from sklearn_ser.audio._source import AudioBytes
from sklearn_ser.audit import audit_corpus
from sklearn_ser.exceptions import AudioError, MissingDependencyError
from sklearn_ser.store import FeatureStore
from tests.audio.containers import voice, write_container
from tests.conftest import LevelExtractor

# (suffix, format of FFmpeg, codec, rate, channels, video, is lossless)
CONTAINERS = [
    ("mp4", "mp4", "aac", 48000, 2, "mpeg4", False),
    ("m4a", "ipod", "aac", 44100, 1, None, False),
    ("m4a", "ipod", "alac", 44100, 2, None, True),
    ("mov", "mov", "pcm_s16le", 16000, 1, "mpeg4", True),
    ("3gp", "3gp", "libopencore_amrnb", 8000, 1, None, False),
    ("mkv", "matroska", "aac", 48000, 2, "mpeg4", False),
    ("webm", "webm", "libopus", 48000, 1, "libvpx", False),
    ("avi", "avi", "libmp3lame", 44100, 2, "mpeg4", False),
    ("avi", "avi", "pcm_s16le", 44100, 2, None, True),
    ("aac", "adts", "aac", 44100, 1, None, False),
    ("wma", "asf", "wmav2", 44100, 2, None, False),
    ("ts", "mpegts", "aac", 48000, 2, "mpeg4", False),
    ("mpg", "mpeg", "mp2", 44100, 2, "mpeg2video", False),
    ("amr", "amr", "libopencore_amrnb", 8000, 1, None, False),
]
NAMES = [f"{suffix} with {codec}" for suffix, _, codec, *_ in CONTAINERS]
each_container = pytest.mark.parametrize("kind", CONTAINERS, ids=NAMES)


def kinds(*suffixes):
    """Return the first container of each suffix."""
    return [next(kind for kind in CONTAINERS if kind[0] == suffix) for suffix in suffixes]


@pytest.fixture(autouse=True)
def _needs_av():
    pytest.importorskip("av", reason="needs the extra 'video'")


def write(path, kind, seconds=2.0):
    _, container, codec, rate, n_channels, video, _ = kind
    sound = voice(rate, seconds, n_channels)
    return write_container(path, container, codec, sound, rate=rate, video=video, seconds=seconds)


@each_container
def test_the_sound_of_a_container_is_read(kind, tmp_path):
    suffix, _, codec, rate, _, _, is_lossless = kind
    path = tmp_path / f"name.{suffix}"
    expected = write(path, kind).mean(axis=0)
    signal = read_audio(path, rate)
    assert signal.dtype == np.float32
    if is_lossless:
        assert len(signal) == len(expected)
        np.testing.assert_allclose(signal, expected, atol=2 / 32768)
        return
    # An encoder adds up to 2200 samples, most of them ahead of the sound.
    assert -600 <= len(signal) - len(expected) <= 2304
    lags = range(-2304, 2305)
    part = expected[4000:8000]
    window = signal[4000 + lags[0] : 8000 + lags[-1]]
    energy = np.cumsum(np.square(window, dtype=float))
    levels = np.sqrt(energy[3999:] - np.r_[0, energy[:-4000]])
    similarity = np.correlate(window, part, "valid") / levels / np.linalg.norm(part)
    best = int(np.argmax(similarity))
    # AMR encodes speech by a model, not by its waveform.
    assert similarity[best] > (0.5 if "amr" in codec else 0.98)
    assert levels[best] / np.linalg.norm(part) == pytest.approx(
        1, abs=0.4 if "amr" in codec else 0.1
    )


@pytest.mark.parametrize("is_long", [False, True])
@each_container
def test_a_part_is_that_of_the_whole(kind, is_long, tmp_path, monkeypatch):
    """Long audio is decoded from a position ahead of the part."""
    if is_long:
        monkeypatch.setattr(_containers, "_SHORT", 0.0)
    path, rate = tmp_path / f"name.{kind[0]}", kind[3]
    write(path, kind, seconds=6.0)
    whole = read_audio(path, rate)
    for start, end in [(0, 0.5), (2.25, 3), (4.1, 4.1 + 1 / 16), (5, None)]:
        part = read_audio(path, rate, start=start, end=end)
        expected = whole[round(start * rate) : None if end is None else round(end * rate)]
        # AAC and AC-3 fill bands with noise that depends on what was decoded before.
        atol = 0.002 if is_long and kind[2] == "aac" else 1e-5 if is_long else 0
        np.testing.assert_allclose(part, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("kind", kinds("mp4", "webm"))
def test_a_part_of_long_audio_is_not_decoded_from_the_start(kind, tmp_path, monkeypatch):
    path, rate = tmp_path / f"name.{kind[0]}", kind[3]
    write(path, kind, seconds=20.0)
    monkeypatch.setattr(_containers, "_SHORT", 0.0)
    read_audio(path, rate, end=0.1)  # counts the samples
    decoded = []
    frames = _containers._frames

    def counted(packets):
        for time, samples in frames(packets):
            decoded.append(samples.shape[1])
            yield time, samples

    monkeypatch.setattr(_containers, "_frames", counted)
    read_audio(path, rate, start=18, end=18.5)
    assert sum(decoded) < 4 * rate


def test_every_name_of_a_container_has_the_content_that_is_looked_for(tmp_path):
    found = {}
    for kind in CONTAINERS:
        write(tmp_path / "name", kind, seconds=0.5)
        content = (tmp_path / "name").read_bytes()
        found[kind[0]] = container_format(AudioBytes(content))
        assert container_format(AudioBytes(b"ID3\4\0\0\0\0\0\3abc" + content)) == found[kind[0]]
    assert set(found.values()) == set(_containers._START.groupindex)
    assert set(found) | {"wmv"} == set(_containers.CONTAINERS.split(", "))


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "W64", "NIST"])
def test_other_files_are_left_to_libsndfile(container, tmp_path):
    soundfile.write(tmp_path / "name", np.zeros(16000), 16000, format=container)
    assert container_format(AudioBytes((tmp_path / "name").read_bytes())) is None


def test_a_name_does_not_matter(tmp_path):
    expected = write(tmp_path / "a.mov", *kinds("mov")).mean(axis=0)
    name = os.fsdecode(os.fsencode(tmp_path / "k") + b"\xe4se: http:|x.wav")
    os.rename(tmp_path / "a.mov", name)
    np.testing.assert_allclose(read_audio(name), expected, atol=2 / 32768)


@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mp4", {}),
        ("mp4", {"movflags": "faststart"}),
        ("mp4", {"movflags": "frag_keyframe"}),
        *((suffix, {}) for suffix in ("mkv", "webm", "avi", "wma")),
    ],
)
def test_a_truncated_container_raises(suffix, options, kept, tmp_path):
    path = tmp_path / f"name.{suffix}"
    (_, container, codec, rate, _, video, _), *_ = kinds(suffix)
    write_container(path, container, codec, rate=rate, video=video, options=options)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(
        AudioError,
        match=r"^row 2, file .*: (the file has \d+ bytes, but states that it has \d+: "
        r"the recording or a copy of it broke off\. Copy it again, or repair it, for example with "
        r"ffmpeg$"
        r"|the file cannot be decoded \(Invalid data)",
    ):
        read_audio(path, row=2)


@pytest.mark.parametrize("kind", kinds("mp4", "mkv", "avi", "wma"))
def test_joined_containers_raise(kind, tmp_path):
    path = tmp_path / f"name.{kind[0]}"
    write(path, kind)
    n_bytes = path.stat().st_size
    path.write_bytes(2 * path.read_bytes())
    message = rf"the file holds joined files, the first of which ends at byte {n_bytes} of"
    with pytest.raises(AudioError, match=message):
        read_audio(path)


@pytest.mark.parametrize("kind", kinds("mp4", "mkv"))
def test_sound_with_gaps_raises(kind, tmp_path):
    import av

    path = tmp_path / f"gap.{kind[0]}"
    write(tmp_path / "whole", kind)
    with av.open(str(tmp_path / "whole")) as whole, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(whole.streams.audio[0])
        for number, packet in enumerate(whole.demux(whole.streams.audio[0])):
            if packet.dts is not None and not 20 <= number < 60:
                packet.stream = stream
                output.mux(packet)
    with pytest.raises(
        AudioError,
        match=r"parts of the sound are missing: there are 1\.\d+ s of it in [12]\.\d+ s\. Copy the "
        r"file again if it is damaged; if the recording has gaps, fill them, with ffmpeg -i FI",
    ):
        read_audio(path)


def test_joined_aac_is_read_whole(tmp_path):
    write(tmp_path / "a.aac", *kinds("aac"))
    once = read_audio(tmp_path / "a.aac", 44100)
    (tmp_path / "a.aac").write_bytes(2 * (tmp_path / "a.aac").read_bytes())
    assert len(read_audio(tmp_path / "a.aac", 44100)) == 2 * len(once)


def test_a_recording_of_a_browser_states_no_length(tmp_path):
    path = tmp_path / "a.webm"
    write_container(path, "webm", "libopus", options={"live": "1"})
    assert len(read_audio(path)) == 32000
    assert len(read_audio(path, start=1)) == 16000


def test_several_audio_streams_raise(tmp_path):
    write_container(tmp_path / "a.mkv", "matroska", "aac", n_audio=2)
    with pytest.raises(
        AudioError,
        match=r"a\.mkv': the file has 2 audio streams \(aac 48000 Hz, aac 48000 Hz\): expected "
        r"one\. Extract the one to read, for example the first with ffmpeg -i FILE -map 0:a:0 NEW",
    ):
        read_audio(tmp_path / "a.mkv")


def test_a_video_without_audio_raises(tmp_path):
    write_container(tmp_path / "a.mp4", "mp4", "aac", video="mpeg4", n_audio=0)
    message = r"a\.mp4': the file has no audio stream \(found: video\): leave this row out$"
    with pytest.raises(AudioError, match=message):
        read_audio(tmp_path / "a.mp4")


def test_damage_within_a_container_never_passes_as_a_part(tmp_path):
    """A frame whose bytes are noise still decodes to its length, or raises."""
    path = tmp_path / "a.aac"
    write(path, *kinds("aac"))
    content, length = path.read_bytes(), len(read_audio(path, 44100))
    rng = np.random.default_rng(0)
    for _ in range(20):
        at = int(rng.integers(200, len(content) - 200))
        path.write_bytes(content[:at] + rng.bytes(100) + content[at + 100 :])
        with contextlib.suppress(AudioError):
            assert len(read_audio(path, 44100)) == length


def test_sound_beyond_full_scale(tmp_path):
    """Lossy codecs overshoot, as those of libsndfile do."""
    square = np.sign(np.sin(np.arange(96000) / 40))[None]
    write_container(tmp_path / "a.m4a", "ipod", "aac", square)
    assert np.abs(read_audio(tmp_path / "a.m4a")).max() <= 1


def test_the_missing_extra_is_one_clear_error(tmp_path, monkeypatch):
    write(tmp_path / "a.mp4", *kinds("mp4"))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        MissingDependencyError,
        match=r"^Reading the sound of containers \(mp4, m4a, .*\) needs the package 'av', which is "
        r"not installed: pip install 'sklearn-ser\[video\]'$",
    ):
        read_audio(tmp_path / "a.mp4")
    with pytest.raises(MissingDependencyError, match="sklearn-ser"):
        LevelExtractor(on_error="warn").fit_transform([tmp_path / "a.mp4"])


def test_nothing_is_printed(tmp_path):
    """FFmpeg writes its messages to stderr unless it is told not to."""
    write(tmp_path / "a.aac", *kinds("aac"))
    content = (tmp_path / "a.aac").read_bytes()
    (tmp_path / "a.aac").write_bytes(content[:4000] + bytes(500) + content[4500:])
    code = (
        "import sys; from sklearn_ser.audio import read_audio\n"
        "try: read_audio(sys.argv[1])\n"
        "except ValueError: pass"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "a.aac")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_steps_workers_stores_and_audits_take_videos(tmp_path):
    paths = [str(tmp_path / f"{i}.mp4") for i in range(4)]
    for i, path in enumerate(paths):
        write_container(path, "mp4", "aac", video="mpeg4", seconds=1 + i / 4)
    X = pd.DataFrame({"file": paths, "speaker": list("aabb")})
    expected = LevelExtractor().fit_transform(X)
    assert not expected.isna().any(axis=None)
    store = FeatureStore(tmp_path / "store")
    for _ in range(2):
        features = LevelExtractor(n_jobs=2, store=store).fit_transform(X)
        pd.testing.assert_frame_equal(features, expected)
    report = audit_corpus(X.assign(emotion=["anger", "joy"] * 2, corpus="a"))
    assert "unreadable audio" not in set(report.findings["flaw"])


def test_the_version_of_pyav_is_a_part_of_the_keys_of_containers_alone(tmp_path, monkeypatch):
    from sklearn_ser.store._file_digests import FileDigests

    write(tmp_path / "a.mp4", *kinds("mp4"))
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8000)
    paths = [str(tmp_path / name) for name in ("a.mp4", "a.wav")]
    before = FileDigests().of(paths)
    monkeypatch.setattr(_containers, "_version", lambda: b"av 99")
    after = FileDigests().of(paths)
    assert [before[path].digest == after[path].digest for path in paths] == [False, True]


def test_a_nist_sphere_file(tmp_path):
    sound = 0.3 * np.sin(np.arange(8000) / 9)
    for subtype in ("PCM_16", "ULAW", "ALAW"):
        soundfile.write(tmp_path / "a.sph", sound, 8000, format="NIST", subtype=subtype)
        np.testing.assert_allclose(read_audio(tmp_path / "a.sph", 8000), sound, atol=0.01)


def test_a_nist_sphere_file_that_is_compressed_by_shorten(tmp_path):
    fields = b"NIST_1A\n   1024\nsample_count -i 8000\nsample_rate -i 8000\nchannel_count -i 1\n"
    coding = b"sample_n_bytes -i 2\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    (tmp_path / "a.sph").write_bytes((fields + coding).ljust(1024) + b"ajkg\2" + bytes(999))
    with pytest.raises(
        AudioError,
        match=r"a\.sph': the file is a NIST sphere file that is compressed by shorten: expected "
        r"one without compression\. Convert it, with sph2pipe -f wav FILE NEW\.wav or ffmpeg -i FI",
    ):
        read_audio(tmp_path / "a.sph")


def test_the_error_names_every_format_that_is_read(tmp_path):
    (tmp_path / "a.txt").write_text("no audio")
    with pytest.raises(AudioError) as caught:
        read_audio(tmp_path / "a.txt")
    names = re.search(
        r"expected one of (.*); or, with the extra 'video', (.*)\. It", str(caught.value)
    )
    known = {name.lower() for name in soundfile.available_formats()}
    assert {*names[1].split(", ")} == known - {"raw"}
    assert {"aiff", "au", "caf", "w64", "nist"} <= {*names[1].split(", ")}
    assert names[2] == _containers.CONTAINERS
