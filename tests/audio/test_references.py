"""Audio references of other libraries: encoded bytes, file objects, dicts and decoders."""

import io
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.audit import audit_corpus
from sklearn_ser.augmentation import Gain
from sklearn_ser.datasets import load_corpus
from sklearn_ser.evaluation import predict_table
from sklearn_ser.exceptions import AudioError, CorpusError
from sklearn_ser.store import FeatureStore
from tests.conftest import LevelExtractor

RATE = 16000


def sound(seed=0, n_samples=RATE):
    return np.random.default_rng(seed).integers(-3000, 3000, n_samples) / 32768


def content(seed=0, container="WAV", n_samples=RATE):
    file = io.BytesIO()
    soundfile.write(file, sound(seed, n_samples), RATE, format=container)
    return file.getvalue()


class Decoder:
    """Stand-in for torchcodec.decoders.AudioDecoder, which needs an installation of FFmpeg."""

    def __init__(self, samples, rate=RATE):
        self._samples, self._rate = samples, rate

    def get_all_samples(self):
        import torch

        if self._samples is None:
            raise RuntimeError("no stream")
        data = torch.as_tensor(np.atleast_2d(self._samples), dtype=torch.float32)
        return SimpleNamespace(data=data, sample_rate=self._rate)

    def __reduce__(self):
        raise TypeError("cannot pickle a decoder")


def references(seed, folder):
    """Return the same sound in every form."""
    path = Path(f"{seed}.wav")
    if folder is not None:
        path = folder / path
        path.write_bytes(content(seed))
    return {
        "path": path,
        "bytes": content(seed),
        "bytearray": bytearray(content(seed)),
        "memoryview": memoryview(content(seed)),
        "BytesIO": io.BytesIO(content(seed)),
        "flac bytes": content(seed, "FLAC"),
        "dict of path": {"path": str(path), "bytes": None},
        "dict of path alone": {"path": path},
        "dict of bytes": {"bytes": content(seed), "path": "name.wav"},
        "dict of bytes without a path": {"bytes": content(seed), "path": None},
        "dict of array": {"path": "name.wav", "array": sound(seed), "sampling_rate": RATE},
        "dict of a list": {"array": sound(seed).tolist(), "sampling_rate": RATE},
        "decoder": Decoder(sound(seed)),
    }


FORMS = list(references(0, None))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_alike(form, tmp_path):
    reference = references(0, tmp_path)[form]
    for _ in range(2):  # the position of a file object does not matter
        np.testing.assert_array_equal(read_audio(reference), sound().astype("float32"))
    part = read_audio(reference, start=0.25, end=0.5)
    np.testing.assert_array_equal(part, sound()[4000:8000].astype("float32"))
    assert len(read_audio(reference, 8000)) == 8000


@pytest.mark.parametrize("form", FORMS)
def test_steps_take_every_form(form, tmp_path):
    """With ids, with jobs, with a store, augmented, and cut into segments."""
    X = pd.DataFrame({"file": [references(seed, tmp_path)[form] for seed in range(4)]})
    X["speaker"] = list("aabb")
    arrays = X.assign(file=[sound(seed).astype("float32") for seed in range(4)])
    expected = LevelExtractor().fit_transform(arrays)
    store = FeatureStore(tmp_path / "store")
    for options in ({}, {"n_jobs": 2}, {"store": store}, {"store": store}):
        features = LevelExtractor(**options).fit_transform(X)
        pd.testing.assert_frame_equal(features, expected)
    augmented = Gain(random_state=0).augment(X)
    of_arrays = LevelExtractor().fit_transform(Gain(random_state=0).augment(arrays))
    for options in ({}, {"n_jobs": 2}):
        features = LevelExtractor(**options).fit_transform(augmented)
        pd.testing.assert_frame_equal(features, of_arrays)
    assert len(LevelExtractor().fit_transform(X["file"].tolist())) == 4
    assert len(LevelExtractor().fit_transform(X["file"].to_numpy())) == 4


@pytest.mark.parametrize("form", FORMS)
def test_a_store_goes_by_the_content(form, tmp_path):
    store = FeatureStore(tmp_path / "store")
    first = LevelExtractor(store=store).fit_transform([references(0, tmp_path)[form]])
    n_entries = store.info()["entries"]
    assert n_entries == 1
    again = LevelExtractor(store=store).fit_transform([references(0, tmp_path)[form]])
    assert store.info()["entries"] == 1
    np.testing.assert_array_equal(first, again)
    other = LevelExtractor(store=store).fit_transform([references(1, tmp_path)[form]])
    assert store.info()["entries"] == 2
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("form", FORMS)
def test_a_corpus_takes_every_form(form, tmp_path):
    table = pd.DataFrame({"file": [references(seed, tmp_path)[form] for seed in range(4)]})
    table = table.assign(speaker=list("aabb"), emotion=["anger", "joy"] * 2)
    corpus = load_corpus(table, name="own")
    assert len(corpus.frame) == 4
    features = LevelExtractor().fit_transform(corpus.frame)
    assert not features.isna().any(axis=None)
    corpus = load_corpus(table.rename(columns={"file": "audio"}), name="own")
    assert "file" in corpus.frame
    report = audit_corpus(corpus.frame)
    assert "unreadable audio" not in set(report.findings["flaw"])


def test_a_dict_of_a_path_in_a_corpus_is_that_path(tmp_path):
    (tmp_path / "a.wav").write_bytes(content())
    cells = [{"path": "a.wav", "bytes": None}, {"path": "b.wav", "bytes": None}]
    table = pd.DataFrame({"file": cells[:1], "speaker": "a", "emotion": "anger"})
    frame = load_corpus(table, tmp_path, name="own").frame
    assert frame["file"].tolist() == [str(tmp_path / "a.wav")]
    table = pd.DataFrame({"file": cells, "speaker": "a", "emotion": "anger"})
    with pytest.raises(CorpusError, match=r"1 of the 2 audio files of corpus 'own' do not exist"):
        load_corpus(table, tmp_path, name="own")


@pytest.mark.parametrize("library", ["pandas", "pyarrow", "polars"])
def test_tables_with_structs(library, tmp_path):
    """As `datasets` writes them to Parquet."""
    cells = [{"bytes": content(seed), "path": f"{seed}.wav"} for seed in range(2)]
    table = pyarrow.table({"file": cells, "speaker": ["a", "b"]})
    convert = {"pandas": pyarrow.Table.to_pandas, "pyarrow": lambda table: table}
    X = convert.get(library, polars.from_arrow)(table)
    features = LevelExtractor().fit_transform(X)
    expected = LevelExtractor().fit_transform([sound(seed).astype("float32") for seed in range(2)])
    np.testing.assert_allclose(features, expected)
    assert list(features.index) == ["a", "b"]


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "W64", "NIST"])
def test_bytes_are_read_like_a_file(container, tmp_path):
    """Joined streams, exact lengths of mp3 and parts, too."""
    joined = content(0, container) + content(1, container)
    for data in (content(0, container), joined):
        (tmp_path / "a").write_bytes(data)
        outcomes = []
        for reference in (tmp_path / "a", data, io.BytesIO(data), {"bytes": data}):
            try:
                parts = [read_audio(reference), read_audio(reference, start=0.3, end=0.7)]
            except AudioError as error:
                parts = [np.frombuffer(error.reason.encode(), "uint8")]
            outcomes.append(parts)
        for outcome in outcomes[1:]:
            for part, expected in zip(outcome, outcomes[0], strict=True):
                np.testing.assert_array_equal(part, expected)


def test_bytes_of_long_files(tmp_path):
    """Files above a megabyte are examined without reading them into memory."""
    data = content(0, n_samples=60 * RATE) + content(1, n_samples=RATE)
    (tmp_path / "a.wav").write_bytes(data)
    assert len(read_audio(data)) == len(read_audio(tmp_path / "a.wav")) == 61 * RATE


def test_bytes_of_containers(tmp_path):
    pytest.importorskip("av", reason="needs the extra 'video'")
    from tests.audio.containers import write_container

    write_container(tmp_path / "a.mp4", "mp4", "aac", video="mpeg4")
    data = (tmp_path / "a.mp4").read_bytes()
    for reference in (data, io.BytesIO(data), {"path": "a.mp4", "bytes": data}):
        np.testing.assert_array_equal(read_audio(reference), read_audio(tmp_path / "a.mp4"))


def test_open_files(tmp_path):
    (tmp_path / "a.wav").write_bytes(content())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.wav", "a.wav")
    with (
        open(tmp_path / "a.wav", "rb") as file,
        zipfile.ZipFile(tmp_path / "a.zip") as archive,
        archive.open("a.wav") as member,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        spooled.write(content())
        file.seek(100)
        for each in (file, member, spooled):
            np.testing.assert_array_equal(read_audio(each), sound().astype("float32"))
        assert file.tell() == 100
        features = LevelExtractor(n_jobs=2).fit_transform([file, member, spooled])
        assert not features.isna().any(axis=None)


def test_threads_share_a_file_object():
    file = io.BytesIO(content())
    with ThreadPoolExecutor(4) as pool:
        for signal in pool.map(lambda _: read_audio(file), range(40)):
            np.testing.assert_array_equal(signal, sound().astype("float32"))


class Pipe(io.BytesIO):
    def seek(self, *args):
        raise OSError("underlying stream is not seekable")


def closed():
    file = io.BytesIO(content())
    file.close()
    return file


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (b"", r"^row 1: the content is empty \(0 bytes\): expected that of an audio file$"),
        (io.BytesIO(), r"^row 1: the content is empty \(0 bytes\)"),
        (b"a/b.wav", r"^row 1: the file cannot be decoded \(.*; bytes are the content of a f"),
        (content()[:30], r"^row 1: the file cannot be decoded"),
        (io.StringIO("a"), r"^row 1: the file object was opened as text: open it in binary mode"),
        (
            Pipe(content()),
            r"^row 1: the file object cannot be read \(underlying stream is not seekable\): "
            r"expected an open, seekable binary file; give its path or its bytes$",
        ),
        (closed(), r"^row 1: the file object cannot be read \(I/O operation on closed file"),
        ({"path": None, "bytes": None}, r"^row 1: no audio in this row \(found {'path': None"),
        ({"path": "", "bytes": None}, r"^row 1, file '': no audio in this row"),
        ({}, r"^row 1: found an object of type dict \({}\); expected a path, a 1-D array, a pair "),
        ({"file": "a.wav"}, r"^row 1: found an object of type dict .* or a dict with 'path', "),
        (
            {"array": sound(), "path": "a.wav"},
            r"^row 1, file 'a\.wav': a dict with 'array' without 'sampling_rate' \(it has "
            r"\['array', 'path'\]\): give both$",
        ),
        (
            {"array": sound(), "sampling_rate": "16k"},
            r"^row 1: the rate in \(array, rate\) must be a number of samples per second",
        ),
        ({"path": "no.wav", "bytes": None}, r"^row 1, file 'no\.wav': the file does not exist"),
        ({"path": "n.wav", "bytes": b"abc"}, r"^row 1, file 'n\.wav': the file cannot be decoded"),
        (
            Decoder(None),
            r"^row 1: the decoder failed \(no stream\): give the path or the content of the f",
        ),
        (Decoder(np.full(900, np.nan)), r"^row 1: 900 of 900 samples are NaN"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_raises_for_its_row(reference, message):
    table = open_audio([sound(), reference])
    assert len(table.read(0)) == RATE
    with pytest.raises(AudioError, match=message):
        table.read(1)
    with pytest.warns(match="1 of 2"):
        features = LevelExtractor(on_error="warn").fit_transform([sound(), reference])
    assert features.isna().all(axis=1).tolist() == [False, True]


def test_lossy_decoders_may_overshoot():
    assert read_audio(Decoder(np.full(900, 1.3))).max() == np.float32(32767 / 32768)
    with pytest.raises(AudioError, match="beyond full scale"):
        read_audio((np.full(900, 1.3), RATE))


@pytest.mark.parametrize(
    "X", [content(), io.BytesIO(content()), {"path": "a.wav"}, {"bytes": b"a"}, Decoder(sound())]
)
def test_a_single_reference_is_no_table(X):
    with pytest.raises(
        AudioError, match=r"^X is a single audio reference \(.*\): wrap it in a list"
    ):
        open_audio(X)


def test_predictions_name_the_files(tmp_path):
    X = [references(seed, tmp_path)["dict of bytes"] for seed in range(4)]
    model = make_pipeline(LevelExtractor(), LogisticRegression()).fit(X, list("abab"))
    assert predict_table(model, X)["file"].tolist() == ["name.wav"] * 4
