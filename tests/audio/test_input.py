"""Audio loading: forms of X, the index, and failures of rows."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.audio import open_audio
from sklearn_ser.exceptions import AudioError, AudioWarning

RATE = 16000


@pytest.fixture(scope="module")
def signals():
    """Three equal-length utterances, exact in 16 bits."""
    times = np.arange(RATE // 2) / RATE
    tones = [0.5 * np.sin(2 * np.pi * hertz * times) for hertz in (220.0, 330.0, 440.0)]
    return [(np.round(tone * 32768) / 32768).astype(np.float32) for tone in tones]


@pytest.fixture(scope="module")
def files(signals, tmp_path_factory):
    """The same three utterances as 16-bit files, in three formats that keep every bit."""
    folder = tmp_path_factory.mktemp("audio")
    paths = [str(folder / name) for name in ("a.wav", "b.flac", "c.aiff")]
    for path, signal in zip(paths, signals, strict=True):
        soundfile.write(path, (signal * 32768).astype(np.int16), RATE, subtype="PCM_16")
    return paths


def segmented(files, starts, ends):
    times = [pd.to_timedelta(values, unit="s") for values in (starts, ends)]
    return pd.MultiIndex.from_arrays([files, *times], names=["file", "start", "end"])


def whole_files(files):
    return segmented(files, [0.0, 0.0, 0.0], [0.5, None, 0.5])


def object_array(cells, shape=None):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array if shape is None else array.reshape(shape)


LABELS = {"emotion": ["anger", "fear", "calm"]}

# Each makes X from the files and the signals; all must give the same three signals.
CONTAINERS = {
    "list of paths": lambda files, signals: files,
    "list of Path": lambda files, signals: [Path(file) for file in files],
    "tuple of paths": lambda files, signals: tuple(files),
    "object array of paths": lambda files, signals: object_array(files),
    "string array": lambda files, signals: np.array(files),
    "one-column array": lambda files, signals: pd.DataFrame({"file": files}).to_numpy(),
    "Series of paths": lambda files, signals: pd.Series(files),
    "Series of another name": lambda files, signals: pd.Series(files, name="path"),
    "extension array": lambda files, signals: pd.array(files),
    "plain index": lambda files, signals: pd.Index(files),
    "DataFrame": lambda files, signals: pd.DataFrame({"file": files} | LABELS),
    "categorical column": lambda files, signals: pd.DataFrame({"file": pd.Categorical(files)}),
    "filewise index": lambda files, signals: pd.Index(files, name="file"),
    "filewise table": lambda files, signals: pd.DataFrame(LABELS, pd.Index(files, name="file")),
    "segmented index": lambda files, signals: whole_files(files),
    "segmented table": lambda files, signals: pd.DataFrame(LABELS, whole_files(files)),
    "segmented labels": lambda files, signals: pd.Series(LABELS["emotion"], whole_files(files)),
    "list of arrays": lambda files, signals: signals,
    "Series of arrays": lambda files, signals: pd.Series(signals),
    "object array of arrays": lambda files, signals: object_array(signals),
    "object array that is 2-D": lambda files, signals: np.array(signals, dtype=object),
    "2-D array": lambda files, signals: np.array(signals),
    "2-D int16 array": lambda files, signals: (np.array(signals) * 32768).astype(np.int16),
    "3-D array": lambda files, signals: np.array(signals)[:, None, :],
    "DataFrame of arrays": lambda files, signals: pd.DataFrame({"file": signals}),
    "lists of floats": lambda files, signals: [signal.tolist() for signal in signals],
    "pairs": lambda files, signals: [(signal, RATE) for signal in signals],
    "array of pairs": lambda files, signals: object_array(
        [part for signal in signals for part in (signal, RATE)], shape=(3, 2)
    ),
    "mixture": lambda files, signals: [files[0], signals[1], (signals[2], RATE)],
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_signals(container, files, signals):
    table = open_audio(CONTAINERS[container](files, signals))
    assert len(table) == len(table.index) == 3
    for signal, expected in zip(table, signals, strict=True):
        assert signal.dtype == np.float32
        np.testing.assert_array_equal(signal, expected)


@pytest.mark.parametrize(
    "X",
    [
        [],
        (),
        np.array([]),
        np.array([], dtype=object),
        np.empty((0, 800)),
        pd.Series([], dtype=object),
        pd.DataFrame({"file": []}),
        pd.DataFrame({"file": [], "start": [], "end": [], "speaker": []}),
        pd.MultiIndex.from_arrays([[], [], []], names=["file", "start", "end"]),
    ],
    ids=lambda X: f"{type(X).__name__}{getattr(X, 'shape', '')}",
)
def test_no_rows_give_a_table_of_length_0(X):
    table = open_audio(X)
    assert len(table) == 0
    assert list(table) == []
    assert len(table.index) == 0


def test_a_table_has_no_shape(signals):
    # A container with .shape but without take or iloc fails wherever scikit-learn indexes rows.
    assert not hasattr(open_audio(signals), "shape")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a.wav", r"^X is a single path \('a\.wav'\): wrap it in a list, \[path\]$"),
        (Path("a.wav"), r"^X is a single path .*: wrap it in a list"),
        (np.zeros(800), r"^X is a single array of shape \(800,\): wrap it in a list, \[array\]"),
        (np.array(0.5), r"^X is a single array of shape \(\)"),
        ((np.zeros(800), 8000), r"^X is a single \(array, rate\) pair: wrap it in a list"),
        (
            [0.0, 0.1, 0.2],
            r"^X is a list of numbers, that is a single signal: give it as an array in",
        ),
        (np.zeros((800, 2)), r"^X is an array of shape \(800, 2\), which looks like a single chan"),
        (
            np.array([["a", "b", "c"]]),
            r"^X is an array of shape \(1, 3\) with elements of type str_: give one column",
        ),
        (None, r"^X is a builtins\.NoneType: expected a pandas DataFrame or Series, a list or an"),
        ({"file": ["a.wav"]}, r"^X is a builtins\.dict: expected a pandas DataFrame or Series"),
        ((x for x in "ab"), r"^X is a builtins\.generator: expected a pandas DataFrame or Series"),
        (
            pd.DataFrame({"path": ["a.wav"]}),
            r"^X has no column and no index level 'file' to take the audio from: it has the "
            r"columns \['path'\] and the index levels \[\]\. Name the one that holds the audio "
            r"with audio=$",
        ),
        (
            pd.DataFrame([["a.wav", "b.wav"]], columns=["file", "file"]),
            r"^X has duplicate column names \(\['file', 'file'\]\)",
        ),
        (
            pd.MultiIndex.from_arrays([["a"], ["b"]], names=["path", "speaker"]),
            r"^X is an index with the levels \['path', 'speaker'\], none of which is 'file'",
        ),
    ],
)
def test_invalid_tables_raise(X, message):
    with pytest.raises(AudioError, match=message):
        open_audio(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"sampling_rate": 0},
            r"^sampling_rate must be a number of samples per second \(Hz\) from",
        ),
        ({"sampling_rate": 16}, r"from 1000 to 1000000, got 16$"),
        ({"sampling_rate": np.nan}, r"^sampling_rate must be .* got nan$"),
        ({"sampling_rate": "16000"}, r"^sampling_rate must be .* got '16000'$"),
        ({"sampling_rate": True}, r"^sampling_rate must be .* got True$"),
        ({"min_duration": -1}, r"^min_duration must be a number of seconds of at least 0, got -1$"),
        (
            {"min_duration": np.nan},
            r"^min_duration must be a number of seconds of at least 0, got nan$",
        ),
        ({"beyond_full_scale": "scale"}, r"^beyond_full_scale must be 'raise' or 'clip', got 'sc"),
        ({"remove_dc": "no"}, r"^remove_dc must be True or False, got 'no'$"),
    ],
)
def test_options_are_checked_when_the_table_is_opened(options, message):
    with pytest.raises(AudioError, match=message):
        open_audio([], **options)


# Starts, ends, names -------------------------------------------------------------------------

TIMES = {
    "float": ([0.1, np.nan, 0.1], [0.3, 0.2, np.nan]),
    "float32": (np.float32([0.1, np.nan, 0.1]), np.float32([0.3, 0.2, np.nan])),
    "nullable": (pd.array([0.1, None, 0.1]), pd.array([0.3, 0.2, None])),
    "timedelta": (
        pd.to_timedelta([0.1, None, 0.1], unit="s"),
        pd.to_timedelta([0.3, 0.2, None], unit="s"),
    ),
    "objects": (object_array([0.1, None, pd.Timedelta("100ms")]), object_array([0.3, 0.2, pd.NaT])),
}


@pytest.mark.parametrize("times", TIMES)
def test_start_and_end_columns_cut_files_and_arrays_alike(times, files, signals):
    starts, ends = TIMES[times]
    for column in (files, signals):
        table = open_audio(pd.DataFrame({"file": column, "start": starts, "end": ends}))
        expected = [signals[0][1600:4800], signals[1][:3200], signals[2][1600:]]
        for signal, part in zip(table, expected, strict=True):
            np.testing.assert_array_equal(signal, part)


def test_an_invalid_time_fails_its_row_when_that_is_read(files, signals):
    times = pd.DataFrame({"start": [0.05, "half", None], "end": [True, 0.2, None]}, dtype=object)
    table = open_audio(times.assign(file=files[:3]))
    with pytest.raises(AudioError) as caught:
        table.read(1)
    assert (caught.value.row, caught.value.file) == (1, str(files[1]))
    assert caught.value.reason == (
        "start must be a number of seconds or a timedelta, got 'half': convert the column with "
        "pandas.to_numeric or pandas.to_timedelta"
    )
    with pytest.raises(AudioError, match=r"^row 0, file .*: end must be .*, got True: convert"):
        table.part([2, 0]).read(1)
    np.testing.assert_array_equal(table.read(2), signals[2])


@pytest.mark.parametrize("value", [1j, "0.1", object(), np.datetime64("2026-01-01"), [0.1]])
@pytest.mark.parametrize("name", ["start", "end"])
def test_invalid_times_raise_for_every_dtype(value, name, signals):
    cells = pd.DataFrame({"file": list(signals[:2])})
    for column in (pd.Series([value] * 2), pd.Series([value] * 2, dtype=object)):
        with pytest.raises(AudioError, match=f"^row 1: {name} must be a number of seconds or a ti"):
            open_audio(cells.assign(**{name: column})).read(1)


def test_a_segmented_index_cuts(files, signals):
    table = open_audio(segmented(files, [0.1, 0, 0.1], [0.3, 0.2, None]))
    assert [len(signal) for signal in table] == [3200, 3200, 6400]
    np.testing.assert_array_equal(table.read(0), signals[0][1600:4800])


def test_start_and_end_in_the_index_do_not_cut_arrays_of_a_column(files, signals):
    # Such arrays were made from the segments: cutting them again would be wrong.
    index = segmented(files, [0.1, 0.1, 0.1], [0.3, 0.3, 0.3])
    table = open_audio(pd.DataFrame({"wave": signals}, index=index), audio="wave")
    np.testing.assert_array_equal(table.read(0), signals[0])
    table = open_audio(pd.Series(signals, index=index, name="wave"), audio="wave")
    np.testing.assert_array_equal(table.read(0), signals[0])


def test_columns_start_and_end_cut_files_of_the_index(files):
    frame = pd.DataFrame({"file": files, "start": 0.1, "end": 0.2}).set_index("file")
    assert [len(signal) for signal in open_audio(frame)] == [1600, 1600, 1600]


def test_audio_names_the_column(files, signals):
    frame = pd.DataFrame({"file": ["missing.wav"] * 3, "clean": files})
    np.testing.assert_array_equal(open_audio(frame, audio="clean").read(2), signals[2])


# The index -----------------------------------------------------------------------------------


def test_several_ids_make_a_multiindex_in_fixed_order(signals):
    frame = pd.DataFrame({"file": signals, "speaker": list("abc"), "emotion": "anger", "text": "t"})
    index = open_audio(frame.assign(corpus="x").set_index("corpus")).index
    assert index.names == ["corpus", "speaker", "text"]
    assert index.get_level_values("speaker").tolist() == list("abc")


def test_a_single_id_makes_a_plain_named_index(signals):
    index = open_audio(pd.DataFrame({"file": signals, "speaker": list("aab")})).index
    assert not isinstance(index, pd.MultiIndex)
    assert index.names == ["speaker"]
    tables = [pd.DataFrame({name: [1.0, 2.0, 3.0]}, index=index) for name in "xy"]
    joined = pd.concat(tables, axis=1)  # what FeatureUnion does; the ids repeat
    pd.testing.assert_index_equal(joined.index, index)


def test_without_ids_the_index_is_that_of_X(files, signals):
    assert open_audio(pd.Series(signals, index=[5, 6, 7])).index.tolist() == [5, 6, 7]
    assert open_audio(pd.DataFrame({"file": files}, index=[5, 6, 7])).index.tolist() == [5, 6, 7]
    index = whole_files(files)
    pd.testing.assert_index_equal(open_audio(index).index, index)
    pd.testing.assert_index_equal(open_audio(signals).index, pd.RangeIndex(3))


# Rows that fail ------------------------------------------------------------------------------


def test_an_error_names_row_and_file(files):
    table = open_audio([files[0], "no/such.wav", np.zeros(0)])
    assert len(table.read(0)) == 8000
    with pytest.raises(AudioError, match=r"^row 1, file 'no/such\.wav': the file does not exist"):
        table.read(1)
    with pytest.raises(AudioError, match=r"^row 2: the audio is empty \(0 samples\)") as caught:
        table.read(np.int64(2))
    assert caught.value.row == 2
    assert type(caught.value.row) is int
    assert caught.value.file is None
    with pytest.raises(IndexError):
        table.read(3)


def test_file_tells_the_path_as_it_was_given():
    table = open_audio(["a.wav", Path("b") / "c.wav", np.zeros(8), None])
    assert [table.file(i) for i in range(4)] == ["a.wav", str(Path("b") / "c.wav"), None, None]


def test_clipping_warns_once_for_a_table_and_lists_every_row(signals):
    table = open_audio([signals[0], signals[0] * 3, signals[0] * 4], beyond_full_scale="clip")
    expected = r"^row 1: the peak is 1\.5, beyond full scale: clipped to \[-1, 1\] \(the first such"
    with pytest.warns(AudioWarning, match=expected) as caught:
        list(table)
    assert len(caught) == 1
    assert table.clipped == {1: 1.5, 2: 2.0}


# Use by others -------------------------------------------------------------------------------


def test_a_table_pickles_and_threads_may_share_it(files, signals):
    table = pickle.loads(pickle.dumps(open_audio(files * 20)))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(table.read, range(60)))
    for i, signal in enumerate(results):
        np.testing.assert_array_equal(signal, signals[i % 3])


def test_iteration_is_lazy(files):
    rows = iter(open_audio([files[0], "missing.wav"]))
    assert len(next(rows)) == 8000
    with pytest.raises(AudioError, match=r"^row 1, file 'missing\.wav'"):
        next(rows)


def test_what_is_read_belongs_to_the_caller():
    mine = np.full(800, 0.25, dtype=np.float32)
    signal = open_audio([mine]).read(0)
    signal[:] = 0
    assert mine[0] == np.float32(0.25)


def test_opening_a_hundred_thousand_rows():
    n_rows = 100_000
    frame = pd.DataFrame(
        {
            "file": [f"{i}.wav" for i in range(n_rows)],
            "start": object_array([0.1 * i for i in range(n_rows)]),
            "end": pd.to_timedelta(np.arange(n_rows), unit="s"),
            "speaker": [f"s{i % 100}" for i in range(n_rows)],
            "corpus": "c",
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(open_audio(frame)) == n_rows
