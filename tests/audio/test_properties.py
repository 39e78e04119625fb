"""Audio loading: properties for arbitrary input, a usable signal or an AudioError."""

import io
import itertools
import math
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.exceptions import AudioError, AudioWarning

TOP = np.float32(32767 / 32768)
FULL_SCALE = {"int8": 2**7, "int16": 2**15, "int32": 2**31}
KNOWN_DTYPES = {"float16", "float32", "float64", "uint8", "int8", "int16", "int32"}

# tmp_path is shared by the examples of one test on purpose: each writes a file of its own name.
run = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
RATES = st.sampled_from([1000, 8000, 11025, 16000, 22050, 44100, 48000, 192000, 22050.5])
numbering = itertools.count()


def read_strictly(source, **options):
    """The signal, or None for an AudioError; any other exception or warning fails the test."""
    error = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore" if "beyond_full_scale" in options else "error", AudioWarning)
        try:
            signal = read_audio(source, row=0, **options)
        except AudioError as caught:
            error = caught
    if error is not None:
        assert error.row == 0
        assert str(error).startswith("row 0")
        return None
    assert type(signal) is np.ndarray
    assert signal.dtype == np.dtype(np.float32)
    assert signal.ndim == 1
    assert len(signal) > 0
    assert np.isfinite(signal).all()
    assert signal.min() >= -1
    assert signal.max() <= TOP
    assert signal.flags.owndata
    return signal


def n_resampled(n_samples, rate, sampling_rate):
    return math.floor(n_samples * sampling_rate / rate + 0.5)


@run
@given(
    hnp.arrays(
        st.one_of(
            hnp.floating_dtypes(endianness="?"),
            hnp.integer_dtypes(endianness="?"),
            hnp.unsigned_integer_dtypes(endianness="?"),
            hnp.complex_number_dtypes(),
            hnp.boolean_dtypes(),
            hnp.unicode_string_dtypes(),
            hnp.datetime64_dtypes(),
        ),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=20),
    ),
    st.none() | RATES,
    st.sampled_from(["raise", "clip"]),
    st.booleans(),
)
def test_any_array(array, rate, beyond_full_scale, remove_dc):
    options = {"remove_dc": remove_dc}
    if beyond_full_scale == "clip":
        options["beyond_full_scale"] = "clip"
    signal = read_strictly(array if rate is None else (array, rate), **options)
    known = array.dtype.newbyteorder("=").name in KNOWN_DTYPES | {"longdouble", "float128"}
    if signal is not None:
        assert known
        assert len(signal) == n_resampled(array.shape[-1], rate or 16000, 16000)
    elif rate is None and known and array.ndim == 1 and array.size:
        # The only faults that such an array can have
        peak = np.abs(array.astype(float)).max() / FULL_SCALE.get(array.dtype.name, 1)
        assert (
            not np.isfinite(array).all()
            or (beyond_full_scale == "raise" and peak > 1)
            or 0 < peak < 1 / 32768
        )


@run
@given(
    st.sampled_from(sorted(KNOWN_DTYPES)),
    st.sampled_from([None, 1, 2, 6]),
    st.integers(6, 2000),
    st.integers(0, 2**32 - 1),
    RATES,
    RATES,
)
def test_good_arrays_are_always_read_and_keep_their_duration(
    dtype, n_channels, n_samples, seed, rate, sampling_rate
):
    rng = np.random.default_rng(seed)
    shape = n_samples if n_channels is None else (n_channels, n_samples)
    if dtype.startswith("float"):
        array = rng.uniform(-1, 1, shape).astype(dtype)
    else:
        array = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    n_expected = n_resampled(array.shape[-1], rate, sampling_rate)
    signal = read_strictly((array, rate), sampling_rate=sampling_rate)
    if n_expected:
        assert len(signal) == n_expected
    else:
        assert signal is None


@run
@given(
    hnp.arrays(np.float64, st.integers(1, 500), elements=st.floats(-1, 1)),
    st.floats(0.01, 1),
    st.booleans(),
)
def test_scaling_what_comes_in_scales_what_goes_out(array, factor, remove_dc):
    array = np.append(array, 0.5)  # far from silence
    whole = read_audio(array, remove_dc=remove_dc)
    scaled = read_audio(array * factor, remove_dc=remove_dc)
    # Where the mean's removal reached full scale, the limiter acted.
    free = (whole > -1) & (whole < TOP)
    np.testing.assert_allclose(scaled[free], whole[free] * factor, atol=1e-6)


WAVE = 0.4 * np.sin(np.arange(1600) / 7)


@run
@given(
    st.floats(0.9, 1.1),
    st.sampled_from([np.float32, np.float64, np.int16, np.int32]),
    st.integers(0, 3),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["array", "wav", "ogg"]),
)
def test_an_inverted_channel_is_always_found(tmp_path, gain, dtype, n_pairs, seed, kind):
    rng = np.random.default_rng(seed)
    noise = 1e-3 * rng.normal(size=(2, len(WAVE)))
    pairs = [np.stack([WAVE, -gain * WAVE]) + noise] * max(1, n_pairs)
    channels = rng.permutation(np.concatenate(pairs))
    if kind == "array":
        scale = 1 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
        source = (channels * scale).astype(dtype)
    else:
        source = tmp_path / f"inverted.{kind}"
        soundfile.write(source, channels.T, 16000)
    with pytest.raises(AudioError, match=r"channels cancel each other out: their mean is -\d\d dB"):
        read_audio(source)
    # The same channels, not inverted, and delayed ones, are speech.
    assert len(read_audio(np.abs(channels))) == len(WAVE)
    assert len(read_audio(np.stack([WAVE, -gain * np.roll(WAVE, 8)]))) == len(WAVE)


@run
@given(
    st.floats(1e-30, 0.99),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["f4", "f8", "i4"]),
)
def test_audio_below_a_step_of_16_bits_is_silence(steps, n_channels, seed, dtype):
    channels = np.random.default_rng(seed).uniform(0.1, 1, (n_channels, 400))
    channels *= steps / 32768 / channels.max()
    if dtype == "i4":
        channels = np.maximum(1, channels * 2**31)
    with pytest.raises(AudioError, match=r"below one step of 16-bit audio \(3\.05e-05\): this is"):
        read_audio(channels.astype(dtype))
    assert read_audio(np.full((n_channels, 400), 1.01 / 32768)).any()


@pytest.mark.parametrize("array", [np.zeros(9), np.zeros((2, 9)), np.zeros((3, 9), dtype="int16")])
def test_digital_silence_is_read(array):
    assert not read_audio(array).any()


@run
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        ),
        max_leaves=8,
    )
)
@example([[1.0], [1.0, 2.0]])
@example(([0.0] * 9, 10**400))
@example((None, None))
@example([10**400])
def test_any_object_as_a_cell(cell):
    read_strictly(cell)


@run
@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.floats())
    )
)
def test_any_object_as_x(X):
    try:
        table = open_audio(X)
    except AudioError:
        return
    assert isinstance(X, list)
    assert len(table) == len(X)


TIMES = st.none() | st.floats() | st.floats(-0.1, 0.2) | st.timedeltas()


@run
@given(TIMES, TIMES)
@pytest.mark.parametrize("kind", ["array", "wav", "flac", "mp3"])
def test_any_start_and_end(kind, tmp_path, start, end):
    source = np.linspace(-0.5, 0.5, 1600)
    if kind != "array":
        path = tmp_path / f"ramp.{kind}"
        if not path.exists():
            soundfile.write(path, source, 16000)
        source = path
    signal = read_strictly(source, start=start, end=end)
    if signal is not None:
        assert len(signal) <= 1600


@pytest.fixture(scope="module")
def encoded():
    """Half a second of noise, encoded, by suffix."""
    noise = np.random.default_rng(0).normal(0, 0.2, 8000).clip(-1, 1)
    contents = {}
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff"):
        buffer = io.BytesIO()
        soundfile.write(buffer, noise, 16000, format=suffix)
        contents[suffix] = buffer.getvalue()
    return contents


@run
@given(st.data(), st.sampled_from(["wav", "flac", "ogg", "mp3", "aiff"]), st.booleans())
def test_any_cut_off_or_renamed_file(encoded, tmp_path, data, suffix, cut):
    content = encoded[suffix]
    if cut:
        content = content[: data.draw(st.integers(0, len(content)), label="kept bytes")]
    name = data.draw(st.sampled_from(["wav", "flac", "ogg", "mp3", "txt", "raw"]), label="suffix")
    path = tmp_path / f"{next(numbering)}.{name}"
    path.write_bytes(content)
    signal = read_strictly(path)
    path.unlink()
    if signal is not None:
        assert len(signal) <= 8000
    if not cut and name != "raw":
        assert len(signal) == 8000


@run
@given(st.data(), st.sampled_from(["wav", "flac", "ogg", "mp3", "aiff"]))
def test_any_damaged_file(encoded, tmp_path, data, suffix):
    content = bytearray(encoded[suffix])
    places = st.integers(0, 99) | st.integers(0, len(content) - 1)
    for place, value in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6), label="damage"
    ):
        content[place] = value
    path = tmp_path / f"{next(numbering)}.{suffix}"
    path.write_bytes(content)
    read_strictly(path, beyond_full_scale="clip")
    path.unlink()


@run
@given(st.binary(max_size=300))
def test_any_bytes_as_a_file(tmp_path, content):
    path = tmp_path / f"{next(numbering)}.wav"
    path.write_bytes(content)
    read_strictly(path, beyond_full_scale="clip")
    path.unlink()
