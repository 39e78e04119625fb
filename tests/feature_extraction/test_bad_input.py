"""Invalid input of audio steps: one type of error, or a row of NaN with its record.

Never a crash, a hang or a silent NaN, and never an influence on other rows.
"""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone

from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.feature_extraction import (
    MFCC,
    LogMelSpectrogram,
    OpenSmileExtractor,
    Prosody,
    SlidingWindows,
    SpeakerEmbedding,
)
from tests.conftest import LevelExtractor

RATE = 16000


STEPS = [
    LevelExtractor(),
    OpenSmileExtractor(),
    OpenSmileExtractor("ComParE_2016", "lld"),
    SpeakerEmbedding(),
    SpeakerEmbedding("unit", target_dbfs=None),
    SpeakerEmbedding("partials"),
    SpeakerEmbedding("frames"),
    LogMelSpectrogram(deltas=1, normalize="utterance"),
    MFCC(),
    Prosody(),
    SlidingWindows(SpeakerEmbedding("unit"), window=0.2, hop=0.1, pooling="frames"),
]
each_step = pytest.mark.parametrize("step", STEPS, ids=repr)
_EXAMPLES = {LevelExtractor: 150, MFCC: 40, LogMelSpectrogram: 40}


def run(step, test):
    """Test a property of a step: the same examples each time, fewer if the step is slow."""
    with_settings = settings(
        max_examples=_EXAMPLES.get(type(step), 15),
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with_settings(test)()


def voice(seconds, seed=0):
    """Return a synthetic vowel with some noise."""
    time_axis = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * 130 * time_axis
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 9))
    noise = np.random.default_rng(seed).normal(scale=0.01, size=len(time_axis))
    return (0.1 * harmonics + noise).astype(np.float32)


GOOD = [voice(0.4, seed=1), voice(0.25, seed=2)]


class CustomPath:
    """A path object that raises an exception, or returns any other value."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        if isinstance(self.path, Exception):
            raise self.path
        return self.path


def values_of(table):
    """Return the features of each row, or None for a failed one; no row is partly NaN or Inf."""
    rows = table["frames"] if list(table.columns) == ["frames"] else table.to_numpy()
    found = []
    for row in rows:
        missing = not isinstance(row, np.ndarray) or bool(np.isnan(row).all())
        assert missing or np.isfinite(row).all()
        found.append(None if missing else row)
    return found


def check_rows(step, X, bad, expected):
    """Check the property: row `bad` may fail, the other rows have the `expected` features."""
    ignoring = clone(step).set_params(on_error="ignore")
    found = values_of(ignoring.transform(X))
    failed = [row for row, values in enumerate(found) if values is None]
    assert failed in ([], [bad])
    assert [record["row"] for record in ignoring.failures_] == failed
    assert all(len(record["reason"]) > 10 for record in ignoring.failures_)
    good = [values for row, values in enumerate(found) if row != bad]
    for values, others in zip(good, expected, strict=True):
        np.testing.assert_allclose(values, others, rtol=1e-5, atol=1e-6)
    raising = clone(step).set_params(on_error="raise")
    if failed:
        with pytest.raises(AudioError, match=f"^row {bad}") as caught:
            raising.transform(X)
        assert caught.value.reason == ignoring.failures_[0]["reason"]
    else:
        assert len(raising.transform(X)) == len(found)
    return bool(failed)


def column(*cells):
    """Return audio as a Series, which does not change it."""
    series = pd.Series([None] * len(cells), dtype=object)
    for row, cell in enumerate(cells):
        series.iat[row] = cell
    return series


AMPLITUDES = [1e-45, 1e-38, 1e-30, 1e-10, 1 / 32768, 1e-3, 0.5, 1.0]
LENGTHS = [0, 1, 2, 399, 400, 800, 959, 960, 961, 1119, 1120, 1600, 4000, 8001]


@st.composite
def signals(draw):
    """Signals in range, of every length, most of them unlike a voice."""
    n = draw(st.sampled_from(LENGTHS))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    place = int(rng.integers(n)) if n else 0
    shape = draw(
        st.sampled_from(
            [
                np.zeros(n),
                np.ones(n),
                -np.ones(n),
                rng.uniform(-1, 1, n),
                np.eye(1, n, place)[0],
                np.linspace(-1, 1, n),
                np.where(np.arange(n) % 2, 1.0, -1.0),
                np.where(np.arange(n) < n // 2, 0.0, rng.uniform(-1, 1, n)),
                np.where(np.arange(n) < n // 2, rng.uniform(-1, 1, n), 0.0),
                0.9 + 0.1 * rng.uniform(-1, 1, n),
                np.sin(2 * np.pi * rng.uniform(1, 7999) * np.arange(n) / RATE),
                np.sign(np.sin(2 * np.pi * rng.uniform(1, 7999) * np.arange(n) / RATE)),
            ]
        )
    )
    return (shape * draw(st.sampled_from(AMPLITUDES))).astype(np.float32)


@st.composite
def spoilt_signals(draw):
    """Valid signals with some invalid samples."""
    signal = GOOD[0].astype(draw(st.sampled_from([np.float16, np.float32, np.float64])))
    value = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1.5, -7.0, 6e4, 1e-40]))
    places = st.lists(st.integers(0, len(signal) - 1), min_size=1, max_size=3)
    signal[draw(places)] = value
    return signal


ODD_ARRAYS = hnp.arrays(
    st.one_of(
        hnp.floating_dtypes(endianness="?"),
        hnp.integer_dtypes(endianness="?"),
        hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.complex_number_dtypes(),
        hnp.boolean_dtypes(),
        hnp.unicode_string_dtypes(),
        hnp.byte_string_dtypes(),
        hnp.datetime64_dtypes(),
        hnp.timedelta64_dtypes(),
        st.just(np.dtype(object)),
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
    fill=st.nothing(),
)
LONG_ARRAYS = st.builds(
    lambda dtype, seed, shape: (
        np.random.default_rng(seed).integers(0, 2, size=shape) * 100
    ).astype(dtype),
    st.sampled_from("?bBhHiIlLefdgFUOMm"),
    st.integers(0, 9),
    st.sampled_from([(2000,), (1, 2000), (2, 2000), (2000, 2), (2, 2, 900), (40, 40)]),
)
RATES = st.one_of(
    st.sampled_from([0, -1, 1, 999, 8000, 22050, 44100.0, 1_000_001, 2**70, math.nan, math.inf]),
    st.sampled_from(["16000", None, True, 16000j, np.int64(8000), np.float32(16000), [16000]]),
    st.sampled_from([np.array(8000), np.array([8000]), np.nan, np.str_("8000"), 10**400]),
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary()
NESTED = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.frozensets(PLAIN, max_size=2)
    ),
    max_leaves=8,
)
CELLS = st.one_of(
    signals(),
    spoilt_signals(),
    ODD_ARRAYS,
    LONG_ARRAYS,
    NESTED,
    st.tuples(st.one_of(signals(), ODD_ARRAYS, LONG_ARRAYS), RATES),
    st.lists(st.lists(st.floats(-1, 1), max_size=3), max_size=3),
    st.sampled_from([pd.NaT, pd.NA, pd.Series([0.1]), object(), type, len, range(9), {1}]),
    st.builds(CustomPath, PLAIN | st.sampled_from([OSError("offline"), KeyError("path")])),
)


@each_step
def test_any_cell(step):
    expected = values_of(step.transform(column(*GOOD)))

    @given(CELLS, st.integers(0, 2))
    def check(cell, bad):
        cells = list(GOOD)
        cells.insert(bad, cell)
        check_rows(step, column(*cells), bad, expected)

    run(step, check)


@pytest.mark.parametrize("path", [None, 7, ["a.wav"], OSError("offline"), TypeError("no path")])
def test_a_path_object_without_a_path(path, tmp_path):
    message = (
        "found an object of type CustomPath without a valid path; expected a path, a 1-D array, "
        "a pair (array, rate), or the content of a file (bytes, a binary file, or a dict with "
        "'path', 'bytes', or 'array' and 'sampling_rate')"
    )
    for parameters in ({}, {"n_jobs": 2}, {"store": tmp_path / "store"}):
        step = LevelExtractor(on_error="ignore", **parameters)
        assert check_rows(
            step,
            column(GOOD[0], CustomPath(path), GOOD[1]),
            1,
            values_of(LevelExtractor().transform(column(*GOOD))),
        )
        step.transform(column(GOOD[0], CustomPath(path)))
        assert step.failures_ == [{"row": 1, "file": None, "reason": message}]


@each_step
def test_any_signal_gives_features_or_fails(step):
    expected = values_of(step.transform(column(*GOOD)))
    failed = []

    @given(signals())
    def check(signal):
        failed.append(check_rows(step, column(*GOOD, signal), 2, expected))

    run(step, check)
    # Lengths and silences differ, so that the test sees both.
    assert set(failed) == {False, True}


TIMES = st.one_of(
    st.none() | st.floats() | st.floats(-0.1, 0.5) | st.timedeltas(),
    st.timedeltas(datetime.timedelta(0), datetime.timedelta(seconds=0.5)),
    st.sampled_from(["0.1", "", True, 0.1j, 10**400, pd.NaT, pd.NA, object(), [0.1], b"0"]),
    st.sampled_from([np.timedelta64(100, "ms"), np.timedelta64(1, "M"), np.float16(0.1)]),
    st.sampled_from([pd.Timestamp("2026-01-01"), datetime.time(1), np.int8(0), np.array(0.1)]),
)


@pytest.mark.parametrize(
    ("step", "kind"),
    [(step, "array") for step in STEPS]
    + [(LevelExtractor(), kind) for kind in ("wav", "flac", "mp3")],
    ids=repr,
)
def test_any_start_and_end(step, kind, tmp_path):
    source = GOOD[0]
    if kind != "array":
        source = str(tmp_path / f"voice.{kind}")
        soundfile.write(source, GOOD[0], RATE)
    expected = values_of(step.transform(column(*GOOD)))

    @given(TIMES, TIMES)
    def check(start, end):
        X = pd.DataFrame({"file": column(source, *GOOD)})
        X["start"], X["end"] = column(start, None, None), column(end, None, None)
        check_rows(step, X, 0, expected)

    run(step, check)


@pytest.mark.parametrize(
    "start", [pd.Series(["0.1", "0.2"]), pd.Series([1j, 2j]), pd.Series([True, False])]
)
def test_a_column_of_invalid_times_fails_row_by_row(start):
    step = LevelExtractor(on_error="warn")
    with pytest.warns(AudioWarning, match="2 of 2 rows could not be used"):
        found = step.transform(pd.DataFrame({"file": GOOD, "start": start}))
    assert found.isna().all(axis=None)
    assert "start must be a number of seconds" in step.failures_[1]["reason"]


@pytest.mark.parametrize("step", [*{type(step): step for step in STEPS}.values()], ids=repr)
def test_silence_is_found_before_features_are_computed(step, monkeypatch, tmp_path):
    """So that long silence costs no more than reading it."""
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(60 * RATE), RATE)
    extract, n_samples = type(step)._extract_batch, []

    def recorded(self, signals):
        n_samples.extend(map(len, signals))
        return extract(self, signals)

    monkeypatch.setattr(type(step), "_extract_batch", recorded)
    ignoring = clone(step).set_params(on_error="ignore")
    found = values_of(ignoring.transform(column(GOOD[0], str(path))))
    assert n_samples == [len(GOOD[0])]
    assert [values is None for values in found] == [False, True]
    assert ignoring.failures_[0]["reason"].startswith("digital silence: every sample is 0")
