"""Cache keys: what changes them, and what does not."""

import enum
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from sklearn_ser.audio import _loading, open_audio
from sklearn_ser.feature_extraction import (
    AudioExtractor,
    LogMelSpectrogram,
    OpenSmileExtractor,
    SpeakerEmbedding,
)
from sklearn_ser.store import _keys
from sklearn_ser.store._keys import NoRevision, NoStableContent, encoded
from sklearn_ser.store._stored_rows import StoredRows


def noise(seed=0, n_samples=8000):
    return np.random.default_rng(seed).normal(scale=0.05, size=n_samples).astype("float32")


@pytest.fixture
def file(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(), 16000)
    return str(tmp_path / "a.wav")


def key_of(X, extractor=None, row=0):
    """Return the key of a row, or None."""
    extractor = OpenSmileExtractor() if extractor is None else extractor
    extractor.set_params(store="anywhere")
    table = open_audio(
        X,
        audio=extractor.audio,
        sampling_rate=extractor._sampling_rate,
        min_duration=extractor._min_duration,
        beyond_full_scale=extractor.beyond_full_scale,
        remove_dc=extractor.remove_dc,
    )
    found = StoredRows(extractor, table)._keys(range(len(table))).get(row)
    return None if found is None else found.key


def with_attribute(name, value, cls=OpenSmileExtractor):
    """Return an extractor of the same class name with another class attribute."""
    return type(cls.__name__, (cls,), {name: value, "__module__": cls.__module__})()


# The audio --------------------------------------------------------------------------------------


def test_a_key_is_32_bytes_and_the_same_in_another_process(file):
    key = key_of([file])
    assert isinstance(key, bytes)
    assert len(key) == 32
    code = (
        "from sklearn_ser.audio import open_audio\n"
        "from sklearn_ser.feature_extraction import OpenSmileExtractor\n"
        "from sklearn_ser.store._stored_rows import StoredRows\n"
        "import sys\n"
        "extractor = OpenSmileExtractor(store='x')\n"
        "table = open_audio([sys.argv[1]], min_duration=extractor._min_duration)\n"
        "print(StoredRows(extractor, table)._keys([0])[0].key.hex())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code, file]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == key.hex()


def test_bytes_of_the_file_count_even_with_equal_size_and_times(file):
    before, status = key_of([file]), os.stat(file)
    content = bytearray(Path(file).read_bytes())
    content[-1] ^= 1
    Path(file).write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = os.stat(file)
    assert (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert key_of([file]) != before


def test_the_path_of_the_file_does_not_count(file, tmp_path, monkeypatch):
    key = key_of([file])
    os.utime(file, (1, 1))
    (tmp_path / "other").mkdir()
    copy = tmp_path / "other" / "b.wav"
    copy.write_bytes(Path(file).read_bytes())
    link = tmp_path / "link.wav"
    link.symlink_to(file)
    monkeypatch.chdir(tmp_path)
    for path in (file, str(copy), copy, link, "a.wav", "other/../a.wav"):
        assert key_of([path]) == key
    # Some decoders use the suffix if the bytes do not identify the format.
    assert key_of([copy.rename(tmp_path / "b.vox")]) != key


def test_start_and_end(file):
    def key(start, end):
        return key_of(pd.DataFrame({"file": [file], "start": [start], "end": [end]}))

    spans = [(np.nan, np.nan), (0.1, np.nan), (np.nan, 0.1), (0.1, 0.2), (0.1, 0.3), (0.2, 0.3)]
    assert len({key(*span) for span in spans}) == len(spans)
    assert key(np.nan, np.nan) == key(None, None) == key(0, np.nan) == key_of([file])
    assert key(pd.Timedelta("100ms"), pd.Timedelta("200ms")) == key(0.1, 0.2)
    assert key(-np.float64(np.nan), 0.1) == key(0.0, 0.1)
    assert key(-0.1, 0.1) != key(0.1, 0.1)


def test_arrays():
    signal = noise()
    key = key_of([signal])
    assert key_of([signal.copy()]) == key
    assert key_of([(signal, 16000)]) == key
    assert key_of([(signal, 16000.0)]) == key
    assert key_of([np.asfortranarray(np.stack([signal] * 2))]) == key_of([np.stack([signal] * 2)])
    assert key_of([np.stack([noise(7)] * 2)[:, ::2]]) == key_of([np.stack([noise(7)[::2]] * 2)])
    others = [
        signal[1:],
        noise(1),
        signal.astype("float64"),
        (signal * 32767).astype("int16"),
        (signal, 8000),
        np.stack([signal, signal]),
        np.stack([signal, signal]).reshape(4, -1),
    ]
    keys = [key_of([other]) for other in others]
    assert len({key, *keys}) == len(others) + 1


def test_equal_bytes_of_other_dtype_or_shape():
    integers = np.arange(-4000, 4000, dtype="int16")
    views = [integers, integers.astype(">i2"), integers.view("int32"), integers.reshape(2, -1)]
    assert len({key_of([view]) for view in views}) == len(views)


def test_a_bare_array_has_the_rate_of_the_step():
    class At8000(SpeakerEmbedding):
        cache_revision = 1
        _sampling_rate = 8000

    assert key_of([noise()], At8000()) == key_of([(noise(), 8000)], At8000())
    assert key_of([noise()], At8000()) != key_of([(noise(), 16000)], At8000())


@pytest.mark.parametrize(
    "cell",
    ["missing.wav", "", None, np.nan, ".", "/dev/null", 3, {}, StringIO("a"), "nul\0.wav",
     np.array([["a"]]), ("a.wav", 16000), (1, 2, 3), np.arange(5), "wrong.wav"],
)  # fmt: skip
def test_what_cannot_be_read_has_no_key(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = np.empty(2, dtype=object)
    X[:] = [noise(), cell]
    assert key_of(X, row=1) is None
    assert key_of(X, row=0) is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert key_of([tmp_path / "pipe.wav"]) is None


def test_the_order_of_rows_and_their_neighbors_do_not_count(tmp_path):
    files = []
    for seed in range(60):  # enough for several threads
        soundfile.write(tmp_path / f"{seed}.wav", noise(seed, 1000), 16000)
        files.append(str(tmp_path / f"{seed}.wav"))
    alone = [key_of([file]) for file in files]
    assert len(set(alone)) == 60
    assert [key_of(files, row=row) for row in range(60)] == alone
    assert [key_of(files[::-1], row=59 - row) for row in range(60)] == alone


def test_many_segments_of_a_file_read_it_once(file, monkeypatch):
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *args: opened.append(args[0]) or real(*args))
    starts = np.arange(400) / 1000
    X = pd.DataFrame({"file": file, "start": starts, "end": starts + 0.1})
    extractor = OpenSmileExtractor(store="anywhere")
    stored = StoredRows(extractor, open_audio(X))
    keys = [*stored._keys(range(200)).values(), *stored._keys(range(200, 400)).values()]
    assert len({each.key for each in keys}) == 400
    assert opened.count(file) == 1


# The step ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        OpenSmileExtractor("GeMAPSv01b"),
        OpenSmileExtractor("IS10"),
        OpenSmileExtractor(remove_dc=True),
        OpenSmileExtractor(beyond_full_scale="clip"),
        SpeakerEmbedding(),
        SpeakerEmbedding("unit"),
        SpeakerEmbedding(target_dbfs=-29),
        SpeakerEmbedding(target_dbfs=None),
        LogMelSpectrogram(),
        with_attribute("cache_revision", 1000),
        with_attribute("_sampling_rate", 8000),
        with_attribute("_min_duration", 0.07),
        with_attribute("_versions", lambda self: {"opensmile": "0"}),
        with_attribute("_versions", lambda self: {}),
    ],
    ids=str,
)
def test_what_counts(other):
    assert key_of([noise()], other) != key_of([noise()])


@pytest.mark.parametrize(
    "same",
    [
        OpenSmileExtractor(n_jobs=2),
        OpenSmileExtractor(verbose=1),
        OpenSmileExtractor(on_error="ignore"),
        OpenSmileExtractor(feature_set=np.str_("eGeMAPSv02")),
        OpenSmileExtractor(remove_dc=np.False_),
        OpenSmileExtractor().set_output(transform="pandas"),
    ],
    ids=str,
)
def test_what_does_not_count(same):
    assert key_of([noise()], same) == key_of([noise()])


def test_the_name_of_the_audio_column_and_other_columns_do_not_count(file):
    frame = pd.DataFrame({"wave": [file], "speaker": ["a"], "emotion": ["anger"]}, index=[7])
    assert key_of(frame, OpenSmileExtractor(audio="wave")) == key_of([file])


@pytest.mark.parametrize("package", ["soundfile", "libsndfile", "soxr", "libsoxr", "numpy"])
def test_versions_of_audio_loading_count(package, monkeypatch):
    before = key_of([noise()])
    versions = {**_keys._audio_versions(), package: "another"}
    assert len(versions) == 5
    monkeypatch.setattr(_keys, "_audio_versions", lambda: versions)
    assert key_of([noise()]) != before


def test_the_revision_of_audio_loading_counts(monkeypatch):
    before = key_of([noise()])
    monkeypatch.setattr(_loading, "REVISION", _loading.REVISION + 1)
    assert key_of([noise()]) != before


def test_the_version_of_sklearn_ser_does_not_count(monkeypatch):
    before = key_of([noise()])
    monkeypatch.setattr("sklearn_ser.__version__", "99")
    assert key_of([noise()]) == before


def test_an_extractor_of_another_module_is_another(monkeypatch):
    moved = with_attribute("__doc__", "the same")
    assert key_of([noise()], moved) == key_of([noise()])
    type(moved).__module__ = "sklearn_ser.feature_extraction._elsewhere"
    assert key_of([noise()], moved) == key_of([noise()])
    type(moved).__module__ = "of_the_user"
    type(moved).cache_revision = 1
    assert key_of([noise()], moved) != key_of([noise()])


# Values of parameters ---------------------------------------------------------------------------


class Holder(LogMelSpectrogram):
    """An audio step with a parameter that can be anything."""

    cache_revision = 1

    def __init__(self, value=None, *, remove_dc=False, store=None):
        super().__init__(remove_dc=remove_dc, store=store)
        self.value = value


class Color(enum.Enum):
    RED = 1
    BLUE = 2


DIFFERENT = [
    None, True, False, 0, 1, 1.0, 0.0, -0.0, float("nan"), "1", "None", b"1", "", b"", (), [], {},
    set(), (1,), [1], [[1]], (1, 1), (1, (1,)), ((1, 1),), {"a": 1}, {1: "a"}, {"a": None}, {1},
    ["ab", "c"], ["a", "bc"], "é", "e\u0301", Path("1"), Color.RED, Color.BLUE,
    np.array([1]), np.array([1.0]), np.array([[1]]), np.array(["1"], dtype=object),
    np.dtype("float32"), np.dtype("float64"), StandardScaler(), StandardScaler(with_mean=False),
    StandardScaler().fit([[1.0], [2.0]]), StandardScaler().fit([[1.0], [3.0]]), 1j,
    OpenSmileExtractor(), OpenSmileExtractor("IS09"), with_attribute("cache_revision", 1000),
    with_attribute("_versions", lambda self: {"opensmile": "0"}),
]  # fmt: skip


def test_different_parameters_have_different_keys():
    keys = [key_of([noise()], Holder(value)) for value in DIFFERENT]
    assert None not in keys
    assert len(set(keys)) == len(DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        (np.float64(0.5), 0.5),
        (np.int32(3), 3),
        (np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(6).reshape(2, 3)),
        (StandardScaler(), StandardScaler()),
        (OpenSmileExtractor(n_jobs=2, verbose=1, store="x"), OpenSmileExtractor()),
    ],
)
def test_equal_parameters_have_equal_keys(one, other):
    assert key_of([noise()], Holder(one)) == key_of([noise()], Holder(other))


class Opaque:
    pass


class Unversioned(BaseEstimator):
    __module__ = "of_no_package"


@pytest.mark.parametrize(
    "value",
    [len, lambda x: x, Opaque(), Opaque, np.random.default_rng(0), [1, {"a": len}], Unversioned(),
     StandardScaler(copy=Opaque()), iter([]), np.array([len], dtype=object)],
)  # fmt: skip
def test_what_has_no_stable_content_has_no_key(value):
    with pytest.raises(NoStableContent):
        encoded(value)


some_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


def typed(value):
    """Return a value in a form in which 1, True and 1.0 differ."""
    if isinstance(value, list):
        return ("list", *map(typed, value))
    if isinstance(value, dict):
        return ("dict", frozenset((key, typed(inner)) for key, inner in value.items()))
    return (type(value), value)


@given(some_values, some_values)
def test_encoded_values_are_equal_exactly_where_the_values_are(one, other):
    assert (encoded(one) == encoded(other)) == (typed(one) == typed(other))


# Classes of the user ----------------------------------------------------------------------------


def own_class(base=LogMelSpectrogram, **attributes):
    """An extractor of a class of the user, with these attributes."""
    return type("Own", (base,), {"__module__": "of_the_user", **attributes})()


def test_the_revision_of_a_users_class_counts():
    key = key_of([noise()], own_class(cache_revision=1))
    assert key_of([noise()], own_class(cache_revision=1, _extract=None)) == key
    assert key_of([noise()], own_class(cache_revision=2)) != key
    assert key_of([noise()], own_class(OpenSmileExtractor, cache_revision=1)) != key
    assert key_of([noise()], LogMelSpectrogram()) != key


def test_revisions_of_base_classes_count():
    first, second = (type(own_class(cache_revision=revision)) for revision in (1, 2))
    keys = [key_of([noise()], own_class(base, cache_revision=1)) for base in (first, first, second)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("base", [LogMelSpectrogram, type(own_class(cache_revision=1))])
def test_a_users_class_without_a_revision_of_its_own_has_no_key(base):
    with pytest.raises(NoRevision, match="the class Own does not declare cache_revision"):
        _keys.extractor_digest(own_class(base), open_audio([]).options)
    with pytest.raises(NoRevision):  # also within another step
        encoded(Holder(own_class(base)))


def test_what_a_frozen_part_of_a_step_has_learned_counts():
    parts = [FrozenEstimator(StandardScaler().fit([[1.0], [end]])) for end in (2.0, 3.0, 3.0)]
    keys = [key_of([noise()], Holder(part)) for part in parts]
    assert keys[0] != keys[1] == keys[2]


def test_a_users_class_with_a_clone_of_its_own_has_no_key():
    extractor = own_class(cache_revision=1, __sklearn_clone__=lambda self: self)
    with pytest.raises(NoStableContent, match="the class Own defines __sklearn_clone__, so that"):
        _keys.extractor_digest(extractor, open_audio([]).options)


def test_a_users_class_has_the_same_key_in_a_process_that_unpickles_it():
    cloudpickle = pytest.importorskip("cloudpickle")

    class Base(AudioExtractor):
        cache_revision = 1

        def _feature_names(self):
            return ["peak"]

        def _extract(self, signal):
            return [signal.max()]

    class Local(Base):
        # cloudpickle drops attributes that are identical to those of the base.
        cache_revision = 1

    Base.__module__ = Local.__module__ = "__main__"  # so that they are pickled by value
    code = (
        "import pickle, sys\n"
        "from sklearn_ser.store._keys import extractor_digest\n"
        "from sklearn_ser.audio import open_audio\n"
        "extractor = pickle.loads(bytes.fromhex(sys.stdin.read()))\n"
        "print(extractor_digest(extractor, open_audio([]).options).hex())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        input=cloudpickle.dumps(Local()).hex(),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = _keys.extractor_digest(Local(), open_audio([]).options)
    assert printed.stdout.strip() == expected.hex()
