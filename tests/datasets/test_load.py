import datetime

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.datasets import Corpus, concat_corpora, load_corpus
from sklearn_ser.exceptions import CorpusError

KNOWN = ("emodb", "ravdess", "nemo", "urdu")


def table(**columns):
    """A small table in the generic layout, with arrays for audio; None leaves a column out."""
    columns = {
        "file": [np.zeros(8000, dtype="float32") for _ in range(4)],
        "speaker": ["01", "01", "02", "02"],
        "emotion": ["anger", "Sad", "joy", "neutral"],
        "gender": ["f", "f", "M", "male"],
    } | columns
    return pd.DataFrame({name: values for name, values in columns.items() if values is not None})


def load(**columns):
    return load_corpus(table(**columns), name="mine")


@pytest.fixture
def folder(tmp_path):
    """A folder in the generic layout, with files that are there but hold no audio."""
    (tmp_path / "audio").mkdir()
    for name in "abcd":
        (tmp_path / "audio" / f"{name}.wav").touch()
    (tmp_path / "metadata.csv").write_text(
        "file,speaker,emotion,sex,text_id,age,note,arousal\n"
        "audio/a.wav,03,angry,w,007,31,fine,0.5\n"
        "audio/b.wav,03,neutral,w,007,31,,\n"
        "audio/c.wav,NA,sad,m,008,,012,0.25\n"
        "audio/d.wav,NA,neutral,m,,,x,NaN\n"
    )
    (tmp_path / "LICENSE.txt").write_text("mine alone")
    return tmp_path


# ---------------------------------------------------------------------------------- real corpora


@pytest.fixture(scope="module")
def real(shared):
    return {name: load_corpus(name, shared / "corpora" / name, verbose=0) for name in KNOWN}


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "utterances", "female", "male", "emotions", "language", "naturalness"),
    [
        ("emodb", 339, 5, 5, 4, "de", "acted"),
        ("ravdess", 1439, 12, 12, 8, "en", "acted"),
        ("nemo", 816, 4, 5, 6, "pl", "acted"),
        ("urdu", 400, 11, 18, 4, "ur", "natural"),
    ],
)
def test_contract_on_real_corpora(
    real, name, utterances, female, male, emotions, language, naturalness
):
    corpus = real[name]
    frame = corpus.frame
    counts = corpus.describe().counts.loc[name]
    assert counts[["utterances", "female", "male"]].tolist() == [utterances, female, male]
    columns = ("file", "corpus", "speaker", "gender", "language", "emotion", "naturalness", "text")
    assert tuple(frame.columns[:8]) == columns
    assert frame["emotion"].nunique() == emotions
    assert set(frame["language"]) == {language}
    assert set(frame["naturalness"]) == {naturalness}
    assert all(isinstance(s, str) and s.startswith(f"{name}/") for s in frame["speaker"])
    assert frame["file"].is_unique
    assert frame.index.equals(pd.RangeIndex(utterances))
    assert corpus.description
    assert corpus.license
    assert corpus.citation


@pytest.mark.corpora
def test_details_of_real_corpora(real):
    emodb, ravdess, urdu = (real[name].frame for name in ("emodb", "ravdess", "urdu"))
    assert {"emodb/03", "emodb/08"} < set(emodb["speaker"])
    assert emodb["naturalness_rating"].between(0.45, 1).all()
    assert [n for n in KNOWN if "naturalness_rating" in real[n].frame] == ["emodb"]
    assert set(ravdess["text"]) == {"ravdess/01", "ravdess/02"}
    assert set(ravdess["intensity"]) == {"normal", "strong"}
    assert urdu["recording"].value_counts().unique().tolist() == [2]
    assert urdu["text"].isna().all()
    assert "Known flaw: 26 of the 29 speakers" in real["urdu"].description
    assert "Known flaw: Half as many neutral" in real["ravdess"].description
    assert [n for n in KNOWN if "recording" in real[n].frame] == ["urdu"]


@pytest.mark.corpora
def test_duplicates_are_dropped_with_a_message(shared, capsys):
    root = shared / "corpora" / "ravdess"
    corpus = load_corpus("ravdess", root, verbose=1)
    assert capsys.readouterr().err == (
        "ravdess: left out 1 utterance(s), marked as a duplicate "
        "(audio/03-01-03-01-02-02-07.flac); drop_duplicates=False retains them\n"
    )
    assert corpus.dropped.to_dict("records") == [
        {
            "corpus": "ravdess",
            "emotion": "happiness",
            "reason": "marked as a duplicate",
            "utterances": 1,
        }
    ]
    assert "ravdess: 1 happiness: marked as a duplicate" in str(corpus.describe())
    everything = load_corpus("ravdess", root, drop_duplicates=False)
    assert len(everything) == 1440
    assert everything.dropped.empty
    assert capsys.readouterr().err == ""


@pytest.mark.corpora
def test_a_known_name_with_the_folder_of_another_corpus(shared):
    with pytest.raises(CorpusError, match="is 'emodb', not 'ravdess'"):
        load_corpus("ravdess", shared / "corpora" / "emodb")


# --------------------------------------------------------------------------------- generic layout


def test_generic_folder(folder):
    corpus = load_corpus("mine", folder)
    frame = corpus.frame
    assert frame["file"].tolist() == [str(folder / "audio" / f"{name}.wav") for name in "abcd"]
    assert frame["speaker"].tolist() == ["mine/03", "mine/03", "mine/NA", "mine/NA"]
    assert frame["text"].tolist() == ["mine/007", "mine/007", "mine/008", None]
    assert frame["emotion"].tolist() == ["anger", "neutral", "sadness", "neutral"]
    assert frame["gender"].tolist() == ["female", "female", "male", "male"]
    assert frame["language"].tolist() == [None] * 4
    assert frame["arousal"].fillna(-1).tolist() == [0.5, -1, 0.25, -1]
    assert frame["age"].fillna(-1).tolist() == [31, 31, -1, -1]
    assert frame["note"].tolist() == ["fine", None, "012", "x"]
    assert corpus.license == "mine alone"
    assert corpus.name == "mine"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(folder, separator):
    path = folder / "metadata.csv"
    path.write_text(path.read_text().replace(",", separator), encoding="utf-8-sig")
    assert len(load_corpus("mine", folder)) == 4


def test_all_ways_in_give_the_same_frame(folder):
    expected = load_corpus("mine", folder).frame
    path = folder / "metadata.csv"
    data = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    ways = {
        "path object": load_corpus(path, name="mine"),
        "string": load_corpus(str(path), name="mine"),
        "folder": load_corpus(folder, name="mine"),
        "reader": load_corpus(lambda root: data.astype({"age": float}), folder, name="mine"),
        "frame": load_corpus(data.astype({"age": float}), folder, name="mine"),
    }
    for way, corpus in ways.items():
        pd.testing.assert_frame_equal(corpus.frame, expected, obj=way)
    assert load_corpus(path).name == folder.name


def test_a_saved_frame_loads_again_unchanged(folder):
    frame = load_corpus("mine", folder).frame
    frame.to_csv(folder / "saved.csv", index=False)
    pd.testing.assert_frame_equal(load_corpus(folder / "saved.csv").frame, frame)
    pd.testing.assert_frame_equal(load_corpus(frame).frame, frame)


def test_relative_root_gives_absolute_paths(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert load_corpus("mine", folder.name).frame["file"][0] == str(folder / "audio" / "a.wav")


def test_numbers_as_ids_become_strings():
    frame = load(speaker=[1, 1, 2, 2], text=[3.0, 4.0, None, 3.0]).frame
    assert frame["speaker"].tolist() == ["mine/1", "mine/1", "mine/2", "mine/2"]
    assert frame["text"].tolist() == ["mine/3", "mine/4", None, "mine/3"]


@pytest.mark.parametrize("dtype", ["str", "string", "category", object])
def test_any_text_dtype_becomes_object(dtype):
    frame = load(emotion=pd.Series(["anger", "sad", "joy", "neutral"], dtype=dtype)).frame
    assert frame["emotion"].dtype == object
    assert frame["emotion"].tolist() == ["anger", "sadness", "happiness", "neutral"]


def test_unknown_gender_and_naturalness_remain_empty():
    frame = load(
        gender=["f", None, "", float("nan")], naturalness=["Posed", None, "", "natural"]
    ).frame
    assert frame["gender"].tolist() == ["female", None, None, None]
    assert frame["naturalness"].tolist() == ["acted", None, None, "natural"]


def test_the_table_given_is_not_changed():
    data = table()
    before = data.copy()
    load_corpus(data, name="mine")
    pd.testing.assert_frame_equal(data, before)


def test_duplicates_by_relative_name(folder, capsys):
    path = folder / "metadata.csv"
    data = pd.read_csv(path, dtype=str, keep_default_na=False).assign(
        duplicate_of=[None, "audio/a.wav", None, "audio/elsewhere.wav"]
    )
    corpus = load_corpus(data, folder, name="mine", verbose=1)
    # The original of the last file is not in the table, so the file is not a duplicate here.
    assert corpus.frame["file"].map(lambda file: file[-5]).tolist() == ["a", "c", "d"]
    assert "left out 1 utterance(s), marked as a duplicate (audio/b.wav)" in capsys.readouterr().err


def test_emotion_map_by_label_by_noun_and_to_none(capsys):
    labels = ["furious", "Sad", "joy", None]
    corpus = load_corpus(
        table(emotion=labels),
        name="mine",
        emotion_map={"furious": "anger", "sadness": "low", "joy": None, "": None},
        verbose=0,
    )
    assert corpus.frame["emotion"].tolist() == ["anger", "low"]
    assert corpus.dropped["utterances"].tolist() == [1, 1]
    assert corpus.dropped["reason"].unique().tolist() == ["mapped to nothing by emotion_map"]
    assert "mine: 1 unlabeled: mapped to nothing" in str(corpus.describe())
    assert capsys.readouterr().err == ""


# ----------------------------------------------------------------------------------------- errors


def test_name_without_a_table(tmp_path):
    message = r"corpus 'mine': no metadata.csv in .* Known corpora are .*generic layout"
    with pytest.raises(CorpusError, match=message):
        load_corpus("mine", tmp_path)
    with pytest.raises(
        CorpusError, match=r"corpus 'emodb': 0 of the 0 audio files in .* have known"
    ):
        load_corpus("emodb", tmp_path)
    with pytest.raises(CorpusError, match=r"corpus 'emodb': there is no folder '.*nowhere'"):
        load_corpus("emodb", tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="corpus 'emodb' needs root, the folder of the corpus"):
        load_corpus("emodb")
    with pytest.raises(CorpusError, match="load_corpus got a int; expected a name, a path"):
        load_corpus(3)


def test_csv_that_is_none(tmp_path):
    with pytest.raises(CorpusError, match=r"missing.csv' cannot be read as a table"):
        load_corpus(tmp_path / "missing.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(CorpusError, match="expected a CSV file in UTF-8, one line per utterance"):
        load_corpus(tmp_path / "empty.csv")
    (tmp_path / "bytes.csv").write_bytes(b"file,speaker\n\xff\xfe\x00")
    with pytest.raises(CorpusError, match=r"bytes.csv' cannot be read as a table"):
        load_corpus(tmp_path / "bytes.csv")


def test_reader_that_returns_something_else():
    def my_reader(root):
        return []

    with pytest.raises(CorpusError, match="the reader 'my_reader' returned a list; expected a Da"):
        load_corpus(my_reader, name="mine")


def test_missing_columns():
    with pytest.raises(CorpusError, match=r"lacks the column\(s\) \['speaker'\]; it has \['file'"):
        load(speaker=None)
    with pytest.raises(CorpusError, match="the table of corpus 'mine' has no rows"):
        load_corpus(table().iloc[:0], name="mine")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"speaker": ["1", "", None, "2"]}, "column 'speaker' is empty in rows 1, 2; every"),
        ({"file": [None, "a.wav", "b.wav", "c.wav"]}, "column 'file' is empty in row 0; every"),
        ({"gender": ["f", "f", "x", "m"]}, "column 'gender' has 'x' (row 2); expected female (f,"),
        ({"naturalness": ["real"] * 4}, "has 'real' (rows 0, 1, 2, 3); expected acted (posed"),
        ({"arousal": ["1", "high", "", "2"]}, "column 'arousal' has 'high' in row 1; expected a n"),
        ({"naturalness_rating": [0, 0.5, 80, 1]}, "has 80.0 in row 2; expected a number from 0 to"),
        ({"natural_pct": [0, 50, 101, 100]}, "has 1.01 in row 2; expected a number from 0 to 1"),
        ({"natural_pct": [0, 50, "many", 100]}, "'natural_pct' has 'many' in row 2; expected a n"),
        ({"start": [0, 1, 2, -1]}, "row 3: 'start' and 'end' are seconds in the file"),
        ({"start": [0, 1, 2, 3], "end": [1, 2, 2, 4]}, "row 2: 'start' and 'end' are seconds"),
        ({"file": ["a", "b", "a", "c"]}, "rows 0, 2 are the same utterance ('"),
        ({"emotion": ["anger", "love", "odd", "love"]}, "'love' (rows 1, 3), 'odd' (row 2). Known"),
        ({"emotion": None, "Emotion": ["anger"] * 4}, "no column 'emotion', but 'Emotion'; rename"),
        ({"start": ["1", "soon", "", "2"]}, "row 1: start must be a number of seconds or a timede"),
        ({"corpus": ["a", "a", "b", "b"]}, "holds several corpora ('a', 'b'); load them one by"),
    ],
)
def test_cells_that_cannot_be_used(columns, message):
    with pytest.raises(CorpusError) as raised:
        load_corpus(table(**columns), name=None if "corpus" in columns else "mine")
    assert message in str(raised.value)


def test_segments_of_one_file_are_different_utterances(folder):
    rows = {"speaker": ["1", "1"], "emotion": ["anger", "sad"], "file": ["audio/a.wav"] * 2}
    corpus = load_corpus(pd.DataFrame(rows | {"start": [0, 1], "end": [1, 2]}), folder, name="mine")
    assert corpus.frame["end"].tolist() == [1.0, 2.0]


def test_unknown_label_error():
    with pytest.raises(CorpusError) as raised:
        load(emotion=["anger", "love", "sad", "calm"])
    assert "anger (angry, ang)" in str(raised.value)
    assert "emotion_map={'love': 'anger'}" in str(raised.value)
    assert "emotion_map={'love': None}" in str(raised.value)


@pytest.mark.parametrize(
    ("emotion_map", "message"),
    [
        ({"angr": "sadness"}, r"has the key 'angr', which no utterance.*Did you mean 'anger'\?"),
        ({"anger": "Angry"}, "'anger' is mapped to 'Angry'; expected a lower-case noun, or None"),
        ({"anger": 3}, "'anger' is mapped to 3; expected a lower-case noun, or None"),
        (
            {"anger": None, "sadness": None, "happiness": None, "neutral": None},
            "corpus 'mine': no utterance is left after emotion_map=",
        ),
    ],
)
def test_invalid_emotion_maps(emotion_map, message):
    with pytest.raises(CorpusError, match=message):
        load_corpus(table(), name="mine", emotion_map=emotion_map)


def test_missing_files_are_counted_once(folder):
    for name in "bd":
        (folder / "audio" / f"{name}.wav").unlink()
    message = r"2 of the 4 audio files of corpus 'mine' do not exist: '.*b.wav', '.*d.wav'. Paths"
    with pytest.raises(CorpusError, match=message):
        load_corpus("mine", folder)


@pytest.mark.parametrize("name", [None, "", "a/b", 3])
def test_a_table_without_a_usable_name(name):
    with pytest.raises(CorpusError, match=r"give name=|expected a non-empty string"):
        load_corpus(table(), name=name)


def test_corpus_object_is_returned():
    assert isinstance(load(), Corpus)


def test_a_table_after_its_name():
    by_name = load_corpus("mine", table())
    pd.testing.assert_frame_equal(by_name.frame, load().frame)
    assert by_name.name == "mine"


# -------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    "times",
    [
        pd.to_timedelta([0.5, 1, 1.25, 3], unit="s"),
        pd.to_timedelta([0.5, 1, 1.25, 3], unit="s").astype("timedelta64[ms]"),
        pd.Series(pd.to_timedelta([0.5, 1, 1.25, 3], unit="s"), dtype="duration[us][pyarrow]"),
        pd.Series(pd.to_timedelta([0.5, 1, 1.25, 3], unit="s"), dtype=object),
        [datetime.timedelta(seconds=s) for s in (0.5, 1, 1.25, 3)],
        [np.timedelta64(ms, "ms") for ms in (500, 1000, 1250, 3000)],
        ["0 days 00:00:00.500000", "00:00:01", "1.25", " 3 "],
        [np.float32(0.5), 1, "1.25", pd.Timedelta(3, "s")],
        pd.array([0.5, 1, 1.25, 3], dtype="double[pyarrow]"),
    ],
    ids=lambda times: str(getattr(times, "dtype", type(times[0]))),
)
def test_times_of_any_kind_are_seconds(times):
    frame = load(start=times).frame
    assert frame["start"].tolist() == [0.5, 1, 1.25, 3]
    assert frame["start"].dtype == float


@pytest.mark.parametrize(
    "missing", [None, float("nan"), pd.NaT, pd.NA, "", "NaT", np.timedelta64("NaT", "s")]
)
def test_a_missing_end_is_open(missing):
    frame = load(start=[0, 1, 2, 3], end=[pd.Timedelta(1, "s"), missing, missing, missing]).frame
    assert frame["end"].tolist()[0] == 1
    assert frame["end"].isna().tolist() == [False, True, True, True]
    assert "end" not in load(end=[missing] * 4).frame


def test_segments_of_audformat(folder):
    index = pd.MultiIndex.from_arrays(
        [["audio/a.wav"] * 2, pd.to_timedelta(["0.5s", "2s"]), pd.to_timedelta(["1.5s", None])],
        names=["file", "start", "end"],
    )
    data = pd.DataFrame({"speaker": [1, 2], "emotion": ["anger", "sad"]}, index)
    for given in (data, data.reset_index()):
        frame = load_corpus(given, folder, name="mine").frame
        assert frame["file"].tolist() == [str(folder / "audio" / "a.wav")] * 2
        assert frame["start"].tolist() == [0.5, 2]
        assert frame["end"].fillna(-1).tolist() == [1.5, -1]
    saved = folder / "segments.csv"
    data.to_csv(saved)
    pd.testing.assert_frame_equal(load_corpus(saved, name="mine").frame, frame)


def test_audformat_database(folder):
    audformat = pytest.importorskip("audformat")
    db = audformat.Database("mine", license="CC0-1.0")
    db.schemes["speaker"] = audformat.Scheme(labels={"1": {"gender": "female"}, "2": {}})
    db["files"] = audformat.Table(audformat.filewise_index(["audio/a.wav", "audio/b.wav"]))
    db["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    db["files"]["speaker"].set(["1", "2"])
    with pytest.raises(
        CorpusError, match=r"no scheme 'emotion', but \['speaker'\]; give the table"
    ):
        load_corpus(db, folder)
    db.schemes["emotion"] = audformat.Scheme(labels=["anger", "sadness"])
    db["files"]["emotion"] = audformat.Column(scheme_id="emotion")
    db["files"]["emotion"].set(["anger", "sadness"])
    corpus = load_corpus(db, folder)
    assert corpus.name == "mine"
    columns = ["speaker", "gender", "emotion"]
    assert corpus.frame[columns].to_numpy().tolist() == [
        ["mine/1", "female", "anger"],
        ["mine/2", None, "sadness"],
    ]
    assert corpus.frame["file"][0] == str(folder / "audio" / "a.wav")


# ------------------------------------------------------------------------------- kinds of tables


def test_tables_of_any_library_and_plain_python():
    expected = load().frame
    data = table()
    plain = data.drop(columns="file")
    ways = {
        "list of dicts": data.to_dict("records"),
        "dict": data.to_dict("list"),
        "indexed": data.set_index("speaker"),
        "reader": lambda root: data.to_dict("records"),
    }
    for way, given in ways.items():
        frame = load_corpus(given, name="mine").frame
        drop = ["file"]  # other arrays of the same values
        pd.testing.assert_frame_equal(
            frame.drop(columns=drop), expected.drop(columns=drop), obj=way
        )
        by_name = load_corpus("mine", given) if way != "reader" else load()
        assert len(by_name) == 4
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    plain["file"] = [f"{name}.wav" for name in "abcd"]
    for given in (polars.from_pandas(plain), pyarrow.Table.from_pandas(plain)):
        with pytest.raises(
            CorpusError, match="4 of the 4 audio files of corpus 'mine' do not exist"
        ):
            load_corpus(given, name="mine")


@pytest.mark.parametrize(
    "given", [[], [1, 2], ["a.wav"], 3, {"a.wav"}, {"file": ["a"], "speaker": []}]
)
def test_what_is_no_table(given):
    with pytest.raises(CorpusError, match=r"expected a name, a path to a CSV|is not a table"):
        load_corpus(given, name="mine")


@pytest.mark.parametrize("column", ["emotion", "file", "corpus", "start", "age"])
def test_columns_of_one_name(column, folder):
    data = table(corpus="mine", start=[0, 1, 2, 3], age=3)
    message = rf"several columns named \['{column}'\]; expected one column of each name"
    with pytest.raises(CorpusError, match=message):
        load_corpus(pd.concat([data, data[[column]]], axis=1), name="mine")
    path = folder / "twice.csv"
    path.write_text(f'"{column}";speaker;"{column}"\n1;2;3\n')
    with pytest.raises(CorpusError, match=message):
        load_corpus(path)


def test_columns_of_two_levels():
    data = table()
    data.columns = pd.MultiIndex.from_product([["a"], data.columns])
    with pytest.raises(CorpusError, match=r"columns of two levels, \[\('a', 'file'\)"):
        load_corpus(data, name="mine")


def test_a_pointer_of_git_lfs_instead_of_a_table(folder):
    (folder / "metadata.csv").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"
    )
    with pytest.raises(
        CorpusError, match=r"is a pointer of git-lfs, not a table: fetch it with 'git lf"
    ):
        load_corpus("mine", folder)


# ----------------------------------------------------------------------------- unlabeled samples


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, "", " "])
def test_missing_emotions_are_unlabeled_samples(missing):
    corpus = load(emotion=["angry", missing, missing, "sad"])
    assert corpus.frame["emotion"].tolist() == ["anger", None, None, "sadness"]
    assert corpus.dropped.empty
    assert repr(corpus).endswith("anger 1, sadness 1, unlabeled 2>")
    assert corpus.describe().counts.loc["mine", "unlabeled"] == 2
    dropped = load_corpus(
        table(emotion=["angry", missing, "joy", "sad"]), name="mine", emotion_map={"": None}
    )
    assert dropped.frame["emotion"].tolist() == ["anger", "happiness", "sadness"]
    assert (
        "  mine: 1 unlabeled: mapped to nothing by emotion_map"
        in str(dropped.describe()).splitlines()
    )
    mapped = load_corpus(table(emotion=[missing] * 4), name="mine", emotion_map={"": "calm"})
    assert set(mapped.frame["emotion"]) == {"calm"}


@pytest.mark.parametrize("emotion", [None, [None] * 4, pd.Categorical([None] * 4, ["y"])])
def test_a_corpus_without_any_label(emotion):
    corpus = load(emotion=emotion)
    assert corpus.frame["emotion"].tolist() == [None] * 4
    assert corpus.frame["emotion"].dtype == object
    assert "unlabeled" in str(corpus.describe())
    assert load_corpus(corpus.frame).frame["emotion"].tolist() == [None] * 4


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, ""])
def test_missing_values_are_one_thing_in_every_column(missing):
    some = [missing, "x", missing, missing]
    corpus = load(
        gender=[missing, "f", missing, missing],
        text=some,
        recording=some,
        language=some,
        duplicate_of=[missing] * 4,
        arousal=[missing, 0.5, missing, "0.25"],
        corpus=[missing] * 4,
    )
    frame = corpus.frame
    for column in ("text", "recording"):
        assert frame[column].tolist() == [None, "mine/x", None, None]
    assert frame["language"].tolist() == [None, "x", None, None]
    assert frame["gender"].tolist() == [None, "female", None, None]
    assert frame["arousal"].fillna(-1).tolist() == [-1, 0.5, -1, 0.25]
    assert "duplicate_of" not in frame
    with pytest.raises(CorpusError, match="column 'speaker' is empty in row 2"):
        load(speaker=["1", "1", missing, "2"])


# What a new user types ----------------------------------------------------------------------------


def _table(**columns):
    signals = [np.full(16000, level, dtype=np.float32) for level in (0.1, 0.2)]
    return pd.DataFrame({"file": signals, "speaker": ["1", "2"], **columns})


def test_targets_of_emotion_map_are_nouns_in_any_spelling():
    corpus = load_corpus(
        _table(emotion=["froh", "happy"]), name="mine", emotion_map={"froh": "happy"}
    )
    assert corpus.frame["emotion"].tolist() == ["happiness", "happiness"]
    other = load_corpus(_table(emotion=["calm", "happy"]), name="other")
    joined = concat_corpora([corpus, other], emotion_map={"other": {"calm": "happy"}})
    assert set(joined.frame["emotion"]) == {"happiness"}


def test_times_with_a_decimal_comma_are_no_nanoseconds():
    with pytest.raises(CorpusError, match=r"rows 0, 1: start must be a number .* got '0,1'"):
        load_corpus(_table(emotion="anger", start="0,1", end="0,3"), name="mine")
    frame = load_corpus(
        _table(emotion="anger", start="0.1", end="0 days 00:00:00.3"), name="mine"
    ).frame
    assert frame["start"].tolist() == [0.1, 0.1]
    assert frame["end"].tolist() == [0.3, 0.3]


@pytest.mark.parametrize("column", ["arousal", "valence", "dominance"])
def test_ratings_outside_their_range(column):
    message = (
        rf"corpus 'mine': column '{column}' has 4.5 in row 1; expected a number from 0 to 1 \(map "
        r"its range by \(value - lowest\) / \(highest - lowest\)\)\."
    )
    with pytest.raises(CorpusError, match=message):
        load_corpus(_table(emotion="anger", **{column: [None, 4.5]}), name="mine")


def test_a_misspelled_key_of_a_label_map():
    corpus = load_corpus(_table(emotion=["anger", "sadness"]), name="mine")
    message = r"the label map has the key 'angr', which no utterance .* Did you mean 'anger'\?"
    with pytest.raises(CorpusError, match=message):
        corpus.map_labels({"angr": "negative", "sadness": "negative"})
    # (a map for several corpora may have more)
    assert len(corpus.map_labels({"anger": "bad", "sadness": "bad", "fear": "bad"})) == 2
