import os
import pickle
import re

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.datasets import (
    Corpus,
    concat_corpora,
    detect_corpus,
    list_corpora,
    load_corpus,
    make_speech_corpus,
)
from sklearn_ser.datasets._corpus import NUMBER_COLUMNS, REQUIRED_COLUMNS
from sklearn_ser.datasets._known_corpora import CORPUS_NAMES, reader_of
from sklearn_ser.datasets._labels import NATURALNESS_SPELLINGS
from sklearn_ser.datasets._reader import Coded, Scaled, field_names
from sklearn_ser.exceptions import CorpusError, CorpusWarning

PARTIAL = pytest.mark.filterwarnings(
    "ignore:.*The copy is partial:sklearn_ser.exceptions.CorpusWarning"
)

EMODB = ("03a01Fa", "03a01Wc", "08b02Tb", "16a04Nb")
RAVDESS = tuple(f"03-01-0{e}-01-0{t}-01-{s:02}" for e in (3, 4) for t in (1, 2) for s in (1, 2))


def write(root, *files, text=""):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def emodb(tmp_path):
    root = tmp_path / "emodb"
    write(root, *(f"wav/{name}.wav" for name in EMODB))
    return root


@pytest.fixture
def ravdess(tmp_path):
    root = tmp_path / "ravdess"
    write(root, *(f"Actor_{name[-2:]}/{name}.wav" for name in RAVDESS))
    return root


@pytest.fixture
def crema(tmp_path):
    root = tmp_path / "crema"
    write(root, "AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_IEO_HAP_HI.wav")
    write(
        root,
        "VideoDemographics.csv",
        text="ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,x,y\n1002,21,Female,x,y\n",
    )
    answers = [
        ("1", "1", "1001_DFA_ANG_XX", "A"),
        ("2", "1", "1001_DFA_ANG_XX", "N"),
        ("3", "2", "1001_DFA_ANG_XX", "H"),
        ("137526", "1", "1001_DFA_ANG_XX", "S"),
    ]
    lines = [",queryType,clipName,respEmo", *map(",".join, answers)]
    write(root, "finishedResponses.csv", text="\n".join(lines))
    return root


@pytest.fixture
def podcast(tmp_path):
    root = tmp_path / "podcast"
    write(root, *(f"Audios/MSP-PODCAST_000{n}_0008.wav" for n in (1, 2, 3)))
    write(
        root,
        "Labels/labels_consensus.csv",
        text=(
            "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
            "MSP-PODCAST_0001_0008.wav,N,4.0,2.5,7,12,Female,Train\n"
            "MSP-PODCAST_0002_0008.wav,X,1,7,4,Unknown,Unknown,Development\n"
        ),
    )
    return root


# --------------------------------------------------------------------------- one folder, one line


@PARTIAL
def test_original_layout_gives_the_contract(emodb):
    frame = load_corpus("emodb", emodb).frame
    assert tuple(frame.columns[: len(REQUIRED_COLUMNS)]) == REQUIRED_COLUMNS
    assert frame["file"].tolist() == [str(emodb / "wav" / f"{name}.wav") for name in EMODB]
    assert frame["speaker"].tolist() == ["emodb/03", "emodb/03", "emodb/08", "emodb/16"]
    assert frame["emotion"].tolist() == ["happiness", "anger", "sadness", "neutral"]
    assert frame["gender"].tolist() == ["male", "male", "female", "female"]
    assert frame["text"].tolist() == ["emodb/a01", "emodb/a01", "emodb/b02", "emodb/a04"]
    assert frame["age"].tolist() == [31, 31, 34, 31]
    assert set(frame["language"]) == {"de"}
    assert set(frame["naturalness"]) == {"acted"}
    assert "naturalness_rating" not in frame.columns


@PARTIAL
def test_table_of_listeners_with_decimal_commas_in_latin_1(emodb):
    text = "sample\trecognized\tnatural\n03a01Fa.wav\t90,00\t75,25\n08b02Tb.wav\t80\t\nä\t\t\n"
    (emodb / "listener_judgements.txt").write_bytes(text.encode("latin-1"))
    frame = load_corpus("emodb", emodb).frame
    assert frame["naturalness_rating"].fillna(-1).tolist() == [0.7525, -1, -1, -1]
    assert frame["recognition_rating"].fillna(-1).tolist() == [0.9, -1, 0.8, -1]


@PARTIAL
def test_any_audio_format_stands_for_wav_and_one_format_is_loaded(emodb):
    for number, name in enumerate(EMODB):
        (emodb / f"wav/{name}.wav").rename(emodb / f"wav/{name}{('.flac', '.MP3')[number % 2]}")
    write(emodb, f"wav/{EMODB[0]}.ogg", "wav/._03a01Fa.wav", "__MACOSX/wav/03a01Fa.wav", "read.me")
    corpus = load_corpus("emodb", emodb)
    assert [os.path.splitext(f)[1] for f in corpus.frame["file"]] == [".flac", ".MP3"] * 2
    assert corpus.dropped_rows["file"].tolist() == [str(emodb / f"wav/{EMODB[0]}.ogg")]
    assert corpus.dropped_rows["reason"].tolist() == ["another format of a loaded file"]


@PARTIAL
def test_a_second_copy_in_another_folder_is_left_out(ravdess):
    write(ravdess, f"audio_speech_actors_01-24/Actor_01/{RAVDESS[0]}.wav")
    corpus = load_corpus("ravdess", ravdess)
    assert len(corpus) == len(RAVDESS)
    assert corpus.dropped_rows["reason"].tolist() == ["copy of a file in another folder"]
    assert corpus.frame["file"][0] == str(ravdess / f"Actor_01/{RAVDESS[0]}.wav")


@PARTIAL
def test_linked_folders_are_read_once(emodb, tmp_path):
    link = tmp_path / "link"
    link.mkdir()
    (link / "data").symlink_to(emodb)
    (emodb / "wav" / "loop").symlink_to(emodb)
    assert len(load_corpus("emodb", link)) == len(EMODB)


@PARTIAL
def test_known_duplicate_is_dropped(ravdess):
    names = ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")
    write(ravdess, *(f"Actor_07/{name}.wav" for name in names))
    assert len(load_corpus("ravdess", ravdess)) == len(RAVDESS) + 1
    both = load_corpus("ravdess", ravdess, drop_duplicates=False).frame
    copies = both[both["duplicate_of"].notna()]
    assert [os.path.basename(f) for f in copies["file"]] == [f"{names[1]}.wav"]
    assert copies["duplicate_of"].tolist() == [str(ravdess / f"Actor_07/{names[0]}.wav")]


@PARTIAL
def test_missing_labels_are_kept_and_unknown_speakers_grouped(podcast):
    with pytest.warns(CorpusWarning, match=r"1 audio file\(s\) .* first 'Audios/MSP-PODCAST_0003"):
        corpus = load_corpus("msp-podcast", podcast)
    frame = corpus.frame
    assert frame["emotion"].tolist() == ["neutral", None]
    assert frame["emotion_code"].tolist() == ["N", "X"]
    assert frame["speaker"].tolist() == ["msp-podcast/12", "msp-podcast/podcast0002"]
    assert frame["gender"].tolist() == ["female", None]
    assert frame["split"].tolist() == ["train", "dev"]
    ratings = frame[["arousal", "valence", "dominance"]].to_numpy()
    np.testing.assert_allclose(ratings, [[0.5, 0.25, 1], [0, 1, 0.5]])
    assert corpus.dropped_rows["reason"].tolist() == ["not in Labels/labels_consensus.csv"]
    assert "arousal from 1 to 7" in corpus.description
    assert corpus.votes is None


@PARTIAL
def test_nouns_outside_the_usual_ten_need_no_map(tmp_path):
    write(tmp_path, "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav")
    line = "[6.2 - 8.2]\tSes01F_impro01_M000\tfru\t[2.5000, 2.0000, 5.0000]\n"
    answers = "C-E1:\tFrustration; Anger;\t(x)\nC-E2:\tOther;\t()\nC-M1:\tExcited;\t()\n"
    write(tmp_path, "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", text=line + answers)
    corpus = load_corpus("iemocap", tmp_path)
    row = corpus.frame.iloc[0]
    assert (row["emotion"], row["speaker"], row["gender"]) == (
        "frustration",
        "iemocap/Ses01M",
        "male",
    )
    assert corpus.votes.loc[0].loc[lambda votes: votes > 0].to_dict() == {
        "anger": 1,
        "frustration": 1,
        "other": 1,
    }
    pd.testing.assert_frame_equal(load_corpus(corpus.frame).frame, corpus.frame)
    merged = load_corpus("iemocap", tmp_path, emotion_map={"excitement": "happiness"})
    assert "excitement" not in merged.votes.columns
    with pytest.raises(CorpusError, match="emotion_map has the key 'boredom', which no utterance"):
        load_corpus("iemocap", tmp_path, emotion_map={"boredom": None})


# ------------------------------------------------------------------- warnings and errors


def test_a_partial_copy_is_reported_once(emodb, recwarn):
    load_corpus("emodb", emodb)
    assert [str(w.message) for w in recwarn] == [
        f"corpus 'emodb': found 4 utterances of 3 speakers in {str(emodb)!r}; expected 535 or 816 "
        f"utterances of 10 speakers. The copy is partial, or a release that this reader does not "
        f"know."
    ]


def test_a_missing_side_table_is_reported(crema):
    (crema / "VideoDemographics.csv").unlink()
    message = r"expected 7442 utterances of 91 speakers. Missing tables: VideoDemographics.csv. The"
    with pytest.warns(CorpusWarning, match=message):
        frame = load_corpus("crema-d", crema).frame
    assert frame["gender"].isna().all()


@PARTIAL
def test_unknown_audio_is_listed(emodb):
    write(emodb, "wav/03a01Xa.wav", "wav/notes.txt")
    message = (
        r"1 audio file\(s\) in .* are no utterance that the reader knows and are left out, "
        r"first 'wav/03a01Xa.wav'; Corpus.dropped_rows lists them"
    )
    with pytest.warns(CorpusWarning, match=message):
        corpus = load_corpus("emodb", emodb)
    row = corpus.dropped_rows.iloc[0].to_dict()
    assert row == {
        "corpus": "emodb",
        "file": str(emodb / "wav/03a01Xa.wav"),
        "emotion": None,
        "reason": "unknown file name",
    }
    assert "emodb: 1 unlabeled: unknown file name" in str(corpus.describe())


def test_a_folder_of_another_corpus(ravdess):
    with pytest.raises(CorpusError) as raised:
        load_corpus("emodb", ravdess)
    assert str(raised.value) == (
        f"corpus 'emodb': 0 of the 8 audio files in {str(ravdess)!r} have known names, not "
        f"'Actor_01/{RAVDESS[0]}.wav', 'Actor_01/{RAVDESS[2]}.wav', 'Actor_01/{RAVDESS[4]}.wav'; "
        f"expected paths like 'wav/03a01Fa.wav'. The folder fits 'ravdess': "
        f"load_corpus('ravdess', root)."
    )


def test_a_folder_of_no_corpus(tmp_path, emodb):
    write(tmp_path / "mine", "a.wav", "b.wav", f"{EMODB[0]}.wav")
    with pytest.raises(
        CorpusError, match=r"1 of the 3 .* not 'a.wav', 'b.wav'; expected paths"
    ) as e:
        load_corpus("emodb", tmp_path / "mine")
    assert "Give the folder that holds these paths, or add a metadata.csv" in str(e.value)
    with pytest.raises(CorpusError, match=r"corpus 'mine': no metadata.csv .* fits 'emodb': load"):
        load_corpus("mine", emodb)
    with pytest.raises(CorpusError, match="Did you mean 'emodb'"):
        load_corpus("EmoDB", tmp_path / "mine")


def test_a_missing_required_table(podcast):
    (podcast / "Labels/labels_consensus.csv").rename(podcast / "labels.csv")
    message = r"3 of the 3 audio .*, and there is no labels_con.* expected paths like 'Audios/MSP"
    with pytest.raises(CorpusError, match=message):
        load_corpus("msp-podcast", podcast)


CONSENSUS = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        (
            "labels_consensus.csv",
            "file,label\nx.wav,N\n",
            r"sus.csv' has the columns \['file', 'label'\]; expected the columns \['FileName'",
        ),
        (
            "labels_consensus.csv",
            CONSENSUS,
            r"consensus.csv' has no rows; expected one or more per",
        ),
        (
            "labels_consensus.csv",
            CONSENSUS + "a,1\nb,1,2,3,4,5,6,7,8,9\n",
            r"consensus.csv' cannot be read as a table .* columns separated by ','",
        ),
        (
            "labels_consensus.csv",
            "FileName,Emotion,SpkrID\nMSP-PODCAST_0001_0008.wav,N,1\n",
            r"\['EmoClass'\] of the emotions are in no table; the tables have .*'Emotion'",
        ),
        (
            "labels_detailed.csv",
            "FileName,Label\nMSP-PODCAST_0001_0008.wav,Sad\n",
            r"led.csv' has the columns .*'FileName'\]; expected the columns \['EmoClass_Major'\]",
        ),
    ],
)
def test_a_table_of_another_kind(podcast, table, content, message):
    write(podcast, f"Labels/{table}", text=content)
    with pytest.raises(CorpusError, match=message):
        load_corpus("msp-podcast", podcast)


def test_a_table_of_other_files(podcast):
    text = CONSENSUS + "MSP-PODCAST_9999_0001.wav,N,4,4,4,1,Male,Train\n"
    write(podcast, "Labels/labels_consensus.csv", text=text)
    message = (
        r"none of the 3 .* is in 'Labels/labels_consensus.csv', which has 'MSP-PODCAST_9999_000"
    )
    with pytest.raises(CorpusError, match=message):
        load_corpus("msp-podcast", podcast)


@PARTIAL
def test_answers_of_older_releases(podcast):
    (podcast / "Audios/MSP-PODCAST_0003_0008.wav").unlink()
    answers = ["W1; Neutral; Neutral,Sad; A:4.0; V:4.0; D:4.0;", "W2; Other-Odd; x; A:4; V:4; D:4;"]
    lines = [f'MSP-PODCAST_0001_0008.wav,"{answer}"' for answer in answers]
    write(podcast, "Labels/labels_detailed.csv", text="\n".join(["FileName,EmoDetail", *lines]))
    votes = load_corpus("msp-podcast", podcast).votes
    assert votes.loc[0, ["neutral", "other", "sadness"]].tolist() == [1, 1, 0]
    assert votes.loc[1].isna().all()


@pytest.mark.parametrize("table", ["VideoDemographics.csv", "finishedResponses.csv"])
def test_a_pointer_of_git_lfs_in_place_of_a_table(crema, table):
    write(crema, table, text="version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    message = rf"{table}' is a pointer of git-lfs, not a table: fetch it with 'git lfs pull'"
    with pytest.raises(CorpusError, match=message):
        load_corpus("crema-d", crema)


@PARTIAL
def test_an_unknown_code_of_a_table(podcast):
    table = podcast / "Labels/labels_consensus.csv"
    table.write_text(table.read_text().replace(",X,", ",Q,"))
    (podcast / "Audios/MSP-PODCAST_0003_0008.wav").unlink()
    with pytest.raises(CorpusError, match=r"unknown label\(s\): 'Q' \(row 1\)"):
        load_corpus("msp-podcast", podcast)
    assert len(load_corpus("msp-podcast", podcast, emotion_map={"Q": "fear"})) == 2


# --------------------------------------------------------------------------------------- detection


@PARTIAL
def test_detection(emodb, ravdess, crema):
    assert [detect_corpus(root) for root in (emodb, ravdess, crema)] == [
        "emodb",
        "ravdess",
        "crema-d",
    ]
    assert load_corpus("auto", ravdess).name == "ravdess"
    assert load_corpus("auto", ravdess, name="mine").frame["speaker"][0] == "mine/01"


def test_detection_of_nothing(tmp_path, emodb):
    with pytest.raises(CorpusError, match=r"there is no folder '.*nowhere'"):
        detect_corpus(tmp_path / "nowhere")
    write(tmp_path / "mine", "x.wav", "y.wav", f"{EMODB[0]}.wav")
    message = (
        r"no known corpus fits the 3 audio files in .*, first '03a01Fa.wav', .*\(emodb knows 1\)"
    )
    with pytest.raises(CorpusError, match=message):
        detect_corpus(tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=r"fits the 0 audio files in .*\(no reader knows any of"):
        load_corpus("auto", tmp_path / "empty")


def test_detection_of_several(emodb, ravdess, tmp_path):
    for name in EMODB:
        write(ravdess, f"wav/{name}.wav")
    for name in RAVDESS[:4]:
        (ravdess / f"Actor_{name[-2:]}/{name}.wav").unlink()
    message = (
        r"several corpora fit the 8 audio files .*: emodb and ravdess \(banglaser knows 4, emodb kn"
    )
    with pytest.raises(CorpusError, match=message):
        detect_corpus(ravdess)


@PARTIAL
def test_a_metadata_csv_of_something_else_is_no_obstacle(emodb):
    write(emodb, "metadata.csv", text="id,f0,jitter\n1,200,0.1\n")
    assert len(load_corpus("emodb", emodb)) == len(load_corpus("auto", emodb)) == len(EMODB)


def test_detection_by_folders_where_names_have_one_form(ravdess, tmp_path):
    assert detect_corpus(ravdess) == "ravdess"
    write(tmp_path / "bangla", *(f"BanglaSER/{name}.wav" for name in RAVDESS))
    assert detect_corpus(tmp_path / "bangla") == "banglaser"


def test_auto_reads_the_generic_layout(tmp_path):
    write(tmp_path, "a.wav")
    write(tmp_path, "metadata.csv", text="file,speaker,emotion,corpus\na.wav,1,anger,mine\n")
    assert load_corpus("auto", tmp_path).name == "mine"


# ------------------------------------------------------------------------------------------- votes


@PARTIAL
def test_votes_are_aligned_with_the_frame(crema):
    corpus = load_corpus("crema-d", crema)
    assert corpus.votes.index.equals(corpus.frame.index)
    assert corpus.votes.loc[0].to_dict() == {
        "anger": 1,
        "disgust": 0,
        "fear": 0,
        "happiness": 0,
        "neutral": 1,
        "sadness": 0,
    }
    assert corpus.votes.loc[1].isna().all()
    restored = pickle.loads(pickle.dumps(corpus))
    pd.testing.assert_frame_equal(restored.votes, corpus.votes)


@PARTIAL
def test_votes_follow_selection_and_maps(crema):
    only_first = load_corpus("crema-d", crema, emotion_map={"happiness": None, "neutral": "calm"})
    assert only_first.frame["emotion"].tolist() == ["anger"]
    assert "happiness" not in only_first.votes.columns
    assert only_first.votes.loc[0, ["anger", "calm"]].tolist() == [1, 1]
    merged = load_corpus("crema-d", crema, emotion_map={"neutral": "anger"})
    assert merged.votes.loc[0, "anger"] == 2


@PARTIAL
def test_votes_follow_concatenation(crema):
    rated = load_corpus("crema-d", crema)
    other = make_speech_corpus(2, 1, ("anger", "neutral"), name="other")
    both = concat_corpora([other, rated], emotion_map={"crema-d": {"happiness": "delight"}})
    assert both.votes.index.equals(both.frame.index)
    of_rated = both.votes[both.frame["corpus"] == "crema-d"].reset_index(drop=True)
    assert of_rated.loc[0, ["anger", "delight"]].tolist() == [1, 0]
    assert both.votes[both.frame["corpus"] == "other"].isna().all(axis=None)
    assert concat_corpora([other]).votes is None
    anger = concat_corpora([rated, other], emotions=["anger"])
    assert anger.votes.loc[0, "anger"] == 1
    assert len(anger.votes) == len(anger.frame)


def test_votes_of_another_length():
    frame = make_speech_corpus(2, 1, ("anger", "neutral")).frame
    message = r"votes of corpus 'mine' have 1 rows with another index than the 4 rows of its frame"
    with pytest.raises(CorpusError, match=message):
        Corpus(frame, "mine", votes=pd.DataFrame({"anger": [1]}))


# ------------------------------------------------------------------------------------ declarations


@pytest.mark.parametrize("name", CORPUS_NAMES)
def test_declaration(name):
    reader = reader_of(name)
    assert reader.name == name
    known, unknown = reader.match([os.path.splitext(reader.example)[0]])
    assert not unknown
    fields = set(*known.values())
    assert reader.license
    assert reader.citation
    assert reader.homepage.startswith("http")
    assert set(reader.kinds) <= set(NATURALNESS_SPELLINGS)
    assert all(re.fullmatch("[a-z]{2,3}", language) for language in reader.languages)
    assert {"speaker", "language", "naturalness"} <= set(reader.columns)
    assert all(noun == noun.lower() for noun in reader.nouns)
    assert set(reader.emotions) <= reader.nouns
    # Of several tables, later ones may be joined on columns of the first.
    tables = {f for table in reader.tables[:1] for f in field_names(table.on)}
    assert tables <= {f for p in reader.files for f in re.compile(p).groupindex} | {"stem"}
    if not reader.tables:
        groups = {f for p in reader.files for f in re.compile(p).groupindex} | {"stem"}
        for column, of in reader.columns.items():
            templates = of.template if isinstance(of, Coded | Scaled) else of
            for template in [templates] if isinstance(templates, str) else templates:
                assert set(field_names(template)) <= groups, column
    for column, of in reader.columns.items():
        assert not isinstance(of, Scaled) or column in NUMBER_COLUMNS or column.endswith("_rating")
    assert fields


def test_list_of_corpora():
    table = list_corpora()
    assert tuple(table.index) == CORPUS_NAMES == tuple(sorted(CORPUS_NAMES))
    assert set(table["tried_on"]) <= {"real files", "original names", "synthetic tree"}
    assert table.loc["emodb", "utterances"] == "535 or 816"
    assert table.loc["urdu", "emotions"] == "anger 100, happiness 100, neutral 100, sadness 100"
    assert table.loc["nemo", "emotions"] == "anger, fear, happiness, neutral, sadness, surprise"
    assert table.loc["iemocap", "votes"]
