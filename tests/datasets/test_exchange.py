import io
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest
import soundfile

from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.datasets import Corpus, fetch_corpus, load_corpus, make_speech_corpus
from sklearn_ser.exceptions import CorpusError, MissingDependencyError

# audformat 1.4 calls pandas with arguments that pandas 3.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")


@pytest.fixture
def corpus(tmp_path):
    return make_speech_corpus(2, 1, name="mine", root=tmp_path, random_state=0)


@pytest.fixture
def parts(corpus):
    """Corpus with parts of files, ids, numbers, truth values, unlabeled samples and splits."""
    n = len(corpus)
    return Corpus(
        corpus.frame.assign(
            emotion=corpus.frame["emotion"].where(corpus.frame.index > 0, None),
            gender=pd.Series([None] * n, dtype=object),
            start=[0.0, 0.1] * (n // 2),
            end=[float("nan"), 0.3] * (n // 2),
            recording=pd.Series([f"mine/{i // 2}" for i in range(n)], dtype=object),
            split=pd.Series(["train", "test"] * (n // 2), dtype=object),
            age=range(n),
            is_loud=[True, False] * (n // 2),
        ),
        "mine",
        license="CC0",
        description="two lines\nof text",
    )


def assert_same(loaded, corpus):
    pd.testing.assert_frame_equal(loaded.frame, corpus.frame, check_like=True)
    assert loaded.name == corpus.name


ROUND_TRIPS = ["to_csv", "to_audformat", "to_dataset"]


def round_trip(corpus, method, tmp_path):
    if method == "to_csv":
        corpus.to_csv(tmp_path / "table.csv")
        return load_corpus(tmp_path / "table.csv")
    pytest.importorskip({"to_audformat": "audformat", "to_dataset": "datasets"}[method])
    return load_corpus(getattr(corpus, method)())


@pytest.mark.parametrize("method", ROUND_TRIPS)
def test_round_trip(corpus, tmp_path, method):
    loaded = round_trip(corpus, method, tmp_path)
    assert_same(loaded, corpus)
    if method != "to_csv":
        assert loaded.license == corpus.license


@pytest.mark.parametrize("method", ROUND_TRIPS)
def test_round_trip_of_all_kinds_of_columns(parts, tmp_path, method):
    loaded = round_trip(parts, method, tmp_path)
    numbers = {"age": int, "is_loud": bool}
    if method == "to_csv":
        numbers["is_loud"] = lambda value: value == "True"
    frame = loaded.frame
    for column, convert in numbers.items():
        frame = frame.assign(**{column: [convert(value) for value in frame[column]]})
    loaded = Corpus(frame, loaded.name)
    assert_same(loaded, parts)


def test_csv_paths_are_relative_below_its_folder(corpus, tmp_path):
    (tmp_path / "tables").mkdir()
    corpus.to_csv(tmp_path / "table.csv")
    corpus.to_csv(tmp_path / "tables" / "table.csv")
    written = [
        pd.read_csv(tmp_path / name)["file"][0] for name in ("table.csv", "tables/table.csv")
    ]
    assert written == [
        f"audio/{corpus.frame['file'][0].rpartition('/')[2]}",
        corpus.frame["file"][0],
    ]


@pytest.mark.parametrize("method", ["to_csv", "to_audformat"])
def test_audio_in_memory_has_no_path(method, tmp_path):
    pytest.importorskip("audformat")
    corpus = make_speech_corpus(2, 1)
    with pytest.raises(CorpusError, match=f"row 0 has audio that is not a file; {method} stores"):
        getattr(corpus, method)(*([tmp_path / "x.csv"] if method == "to_csv" else []))


# Tables in files -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl", "ndjson"])
def test_tables_in_files(tmp_path, suffix):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    table = pd.DataFrame(
        {"file_name": ["a.wav", "b.wav"], "speaker": ["03", "04"], "label": ["angry", None],
         "valence": [0.5, None]}
    )  # fmt: skip
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        table.to_parquet(path)
    elif suffix in ("csv", "tsv"):
        table.to_csv(path, sep="\t" if suffix == "tsv" else ",", index=False)
    else:
        table.to_json(path, orient="records", lines=True)
    for given in (path, str(path)):
        corpus = load_corpus(given, name="mine")
        assert corpus.frame["file"].tolist() == [str(tmp_path / f"{x}.wav") for x in "ab"]
        assert corpus.frame["speaker"].tolist() == ["mine/03", "mine/04"]
        assert corpus.frame["emotion"].tolist() == ["anger", None]
        assert corpus.frame["valence"].tolist()[0] == 0.5


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_folder_with_a_table_of_another_format(tmp_path, suffix):
    (tmp_path / "a.wav").touch()
    table = pd.DataFrame({"file_name": ["a.wav"], "speaker": ["03"], "emotion": ["sad"]})
    if suffix == "parquet":
        table.to_parquet(tmp_path / "metadata.parquet")
    else:
        table.to_json(tmp_path / "metadata.jsonl", orient="records", lines=True)
    assert load_corpus("mine", tmp_path).frame["emotion"].tolist() == ["sadness"]
    assert load_corpus(tmp_path).frame["emotion"].tolist() == ["sadness"]


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [("parquet", "expected a Parquet file"), ("jsonl", "expected one JSON object per line")],
)
def test_damaged_tables(tmp_path, suffix, expected):
    path = tmp_path / f"table.{suffix}"
    path.write_text("{no table")
    with pytest.raises(CorpusError, match=f"cannot be read as a table .*{expected}"):
        load_corpus(path)
    with pytest.raises(CorpusError, match=r"cannot be read as a table .*No such file"):
        load_corpus(tmp_path / f"none.{suffix}")


# audformat ------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path):
    """Database as those of audb: labels by split, speakers with their sex in the scheme."""
    audformat = pytest.importorskip("audformat")
    for name in "abc":
        (tmp_path / f"{name}.wav").touch()
    database = audformat.Database("mini", languages=["deu"], license="CC0-1.0", description="text")
    database.schemes["emotion"] = audformat.Scheme("str", labels=["anger", "neutral"])
    speakers = {"1": {"sex": "female"}, "2": {"sex": "male"}}
    database.schemes["speaker"] = audformat.Scheme("str", labels=speakers)
    database.schemes["confidence"] = audformat.Scheme("float")

    def add(table, files, split=None, **columns):
        database[table] = audformat.Table(audformat.filewise_index(files), split_id=split)
        for name, values in columns.items():
            database[table][name] = audformat.Column(scheme_id=name)
            database[table][name].set(values)

    for split in ("train", "test"):
        database.splits[split] = audformat.Split(split)
    add("emotion.train", ["a.wav", "b.wav"], "train", emotion=["anger", "neutral"])
    add("emotion.test", ["c.wav"], "test", emotion=["anger"], confidence=[0.5])
    add("files", ["a.wav", "b.wav", "c.wav"], speaker=["1", "2", "1"])
    database.save(tmp_path)
    return audformat.Database.load(tmp_path)


def test_database_with_splits_and_fields_of_schemes(database, tmp_path):
    corpus = load_corpus(database)
    frame = corpus.frame.sort_values("file", ignore_index=True)
    assert frame["file"].tolist() == [str(tmp_path / f"{name}.wav") for name in "abc"]
    assert frame["split"].tolist() == ["train", "train", "test"]
    assert frame["speaker"].tolist() == ["mini/1", "mini/2", "mini/1"]
    assert frame["gender"].tolist() == ["female", "male", "female"]
    assert frame["language"].tolist() == ["de"] * 3
    assert frame["confidence"].tolist()[2] == 0.5
    assert (corpus.name, corpus.license, corpus.description) == ("mini", "CC0-1.0", "text")
    assert set(corpus.split("official")) == {"train", "test"}


# datasets of Hugging Face ---------------------------------------------------------------------


@pytest.fixture
def hub():
    return pytest.importorskip("datasets")


def test_embedded_audio_is_read_when_it_is_needed(hub, corpus, tmp_path):
    contents = [Path(file).read_bytes() for file in corpus.frame["file"]]
    cells = [{"bytes": content, "path": f"{i}.wav"} for i, content in enumerate(contents)]
    table = {"audio": cells, "path": ["x"] * 8, "speaker_id": [3] * 8, "label": [0, 1] * 4}
    features = hub.Features(
        audio=hub.Audio(), path=hub.Value("string"), speaker_id=hub.Value("int64"),
        label=hub.ClassLabel(names=["angry", "sad"]),
    )  # fmt: skip
    source = hub.Dataset(hub.table.InMemoryTable(pyarrow.table(table, features.arrow_schema)))
    source.save_to_disk(tmp_path / "saved")
    source = hub.load_from_disk(tmp_path / "saved").select([5, 2])
    loaded = load_corpus(source, name="mine")
    assert loaded.frame["emotion"].tolist() == ["sadness", "anger"]
    assert loaded.frame["speaker"].tolist() == ["mine/3"] * 2
    assert loaded.frame["path"].tolist() == ["x"] * 2
    assert [file.read() for file in loaded.frame["file"]] == [contents[5], contents[2]]
    assert pickle.loads(pickle.dumps(loaded.frame["file"][0])).read() == contents[5]
    assert repr(loaded.frame["file"][0]) == "DatasetAudio(row 0, '5.wav')"
    expected = [read_audio(corpus.frame["file"][row]) for row in (5, 2)]
    for signal, of_file in zip(open_audio(loaded.frame), expected, strict=True):
        np.testing.assert_array_equal(signal, of_file)
    again = load_corpus(loaded.to_dataset())
    assert [file.read() for file in again.frame["file"]] == [contents[5], contents[2]]


def test_splits_of_a_dataset_dict(hub, corpus):
    source = corpus.to_dataset()
    both = hub.DatasetDict(train=source.select(range(6)), test=source.select(range(6, 8)))
    loaded = load_corpus(both)
    assert loaded.frame["split"].tolist() == ["train"] * 6 + ["test"] * 2
    assert loaded.frame.drop(columns="split").equals(corpus.frame)


def test_audio_in_memory_becomes_a_float_file(hub):
    corpus = make_speech_corpus(2, 1, random_state=0)
    source = corpus.to_dataset()
    content = source.cast_column("audio", hub.Audio(decode=False))[3]["audio"]["bytes"]
    samples, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    expected, expected_rate = corpus.frame["file"][3]
    assert rate == expected_rate
    np.testing.assert_array_equal(samples, np.asarray(expected, dtype="float32"))
    assert source.info.license == corpus.license


def test_unusable_data_sets(hub, corpus):
    source = corpus.to_dataset()
    with pytest.raises(CorpusError, match=r"got a IterableDataset; .*without streaming=True"):
        load_corpus(source.to_iterable_dataset())
    second = source.select_columns("audio").rename_column("audio", "second")
    with pytest.raises(CorpusError, match=r"several columns of audio, \['audio', 'second'\]"):
        load_corpus(hub.concatenate_datasets([source, second], axis=1))


# Published corpora ----------------------------------------------------------------------------


def test_fetch_from_a_repository_of_audb(database, tmp_path, monkeypatch):
    audb = pytest.importorskip("audb")
    audbackend = pytest.importorskip("audbackend")
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(800), 8000)
    (tmp_path / "host").mkdir()
    repository = audb.Repository("repo", str(tmp_path / "host"), "file-system")
    audbackend.backend.FileSystem.create(str(tmp_path / "host"), "repo")
    audb.publish(tmp_path, "1.0.0", repository, verbose=False)
    monkeypatch.setattr(audb.config, "REPOSITORIES", [repository])
    corpus = fetch_corpus("mini", version="1.0.0", cache=tmp_path / "cache")
    assert len(corpus) == 3
    assert corpus.name == "mini"
    with pytest.raises(
        CorpusError, match=r"'mini' cannot be fetched with audb .*expected a network"
    ):
        fetch_corpus("mini", version="9.9.9", cache=tmp_path / "cache")


def test_fetch_from_the_hub_without_a_network(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(hub.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(CorpusError, match=r"'a/b' cannot be fetched with datasets .*in the cache"):
        fetch_corpus("a/b", cache=tmp_path)


def test_fetch_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "audb", None)
    with pytest.raises(MissingDependencyError, match=re.escape("'sklearn-ser[audb]'")):
        fetch_corpus("emodb")


@pytest.mark.parametrize(
    "kind", ["bytes", "file", "dict of bytes", "dict of array", "pair", "array"]
)
def test_audio_in_memory_goes_into_a_dataset(kind):
    pytest.importorskip("datasets")
    signal = np.full(8000, 0.1, dtype=np.float32)
    content = io.BytesIO()
    soundfile.write(content, signal, 16000, format="WAV", subtype="FLOAT")
    audio = {
        "bytes": content.getvalue(),
        "file": content,
        "dict of bytes": {"bytes": content.getvalue(), "path": None},
        "dict of array": {"array": signal, "sampling_rate": 16000},
        "pair": (signal, 16000),
        "array": signal,
    }[kind]
    table = pd.DataFrame({"file": [audio], "speaker": ["1"], "emotion": ["anger"]})
    back = load_corpus(load_corpus(table, name="mine").to_dataset(), name="mine")
    np.testing.assert_array_equal(read_audio(back.frame["file"][0]), signal)
