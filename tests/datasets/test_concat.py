import pandas as pd
import pytest

from sklearn_ser.datasets import concat_corpora, load_corpus, make_speech_corpus
from sklearn_ser.exceptions import CorpusError


def corpus(name, emotions, n_speakers=2):
    return make_speech_corpus(n_speakers, 1, emotions, name=name, duration=0.4, random_state=0)


@pytest.fixture(scope="module")
def three():
    return [
        corpus("a", ("anger", "calm", "neutral", "disgust")),
        corpus("b", ("anger", "neutral", "boredom")),
        corpus("c", ("anger", "neutral", "calm"), n_speakers=3),
    ]


def counts(joined):
    return joined.describe().counts.drop(columns=["speakers", "female", "male"]).to_dict("index")


def test_nothing_is_dropped_unless_said(three):
    joined = concat_corpora(three)
    assert len(joined) == sum(len(one) for one in three) == 8 + 6 + 9
    assert joined.name == "a + b + c"
    assert joined.dropped.empty
    assert joined.frame["speaker"].nunique() == 7
    assert joined.frame.index.equals(pd.RangeIndex(23))
    assert "a: Synthetic speech" in joined.description


def test_maps_for_all_for_one_and_to_nothing(three):
    joined = concat_corpora(
        three, emotion_map={"calm": "neutral", "disgust": None, "c": {"calm": None}}
    )
    assert counts(joined) == {
        "a": {"utterances": 6, "anger": 2, "boredom": 0, "neutral": 4},
        "b": {"utterances": 6, "anger": 2, "boredom": 2, "neutral": 2},
        "c": {"utterances": 6, "anger": 3, "boredom": 0, "neutral": 3},
    }
    reason = "mapped to nothing by emotion_map"
    assert joined.dropped.to_dict("records") == [
        {"corpus": "a", "emotion": "disgust", "reason": reason, "utterances": 2},
        {"corpus": "c", "emotion": "calm", "reason": reason, "utterances": 3},
    ]


def test_shared_labels(three):
    joined = concat_corpora(three, emotions="shared")
    assert set(joined.frame["emotion"]) == {"anger", "neutral"}
    assert joined.dropped.set_index(["corpus", "emotion"])["utterances"].to_dict() == {
        ("a", "calm"): 2,
        ("a", "disgust"): 2,
        ("b", "boredom"): 2,
        ("c", "calm"): 3,
    }
    assert joined.dropped["reason"].unique().tolist() == ["not in every corpus"]
    assert len(joined.dropped_rows) == 9


def test_given_labels(three):
    joined = concat_corpora(three, emotions=("neutral", "boredom"))
    assert set(joined.frame["emotion"]) == {"neutral", "boredom"}
    assert joined.dropped["reason"].unique().tolist() == ["not among emotions"]
    assert "  c: 3 anger: not among emotions" in str(joined.describe()).splitlines()


def test_losses_of_the_single_corpora_stay_in_the_report(three):
    table = three[0].frame.assign(emotion=["anger", "odd", "neutral", "calm"] * 2)
    single = load_corpus(table, name="a", emotion_map={"odd": None}, verbose=0)
    joined = concat_corpora([single, three[1]])
    assert joined.dropped[["corpus", "emotion", "utterances"]].to_numpy().tolist() == [
        ["a", "odd", 2]
    ]


def test_a_joined_corpus_can_be_joined_again(three):
    first = concat_corpora(three[:2], emotions="shared")
    joined = concat_corpora([first, three[2]], emotion_map={"a": {"neutral": "calm"}})
    assert counts(joined)["a"] == {"utterances": 4, "anger": 2, "calm": 2, "neutral": 0}
    assert counts(joined)["b"] == {"utterances": 4, "anger": 2, "calm": 0, "neutral": 2}
    assert len(joined.dropped_rows) == len(first.dropped_rows) == 6


def test_columns_that_only_some_corpora_have(three):
    table = three[0].frame.assign(recording=["r1", "r2"] * 4, age=31)
    joined = concat_corpora([load_corpus(table, name="a"), three[1]]).frame
    assert joined["recording"].tolist() == ["a/r1", "a/r2"] * 4 + [None] * 6
    assert joined["age"].isna().sum() == 6
    assert joined["recording"].dtype == object


def test_dict_and_single_corpus(three):
    named = concat_corpora({one.name: one for one in three})
    pd.testing.assert_frame_equal(named.frame, concat_corpora(three).frame)
    assert len(concat_corpora(three[0], emotions=["anger"])) == 2


def test_inputs_are_not_changed(three):
    before = [one.frame.copy() for one in three]
    concat_corpora(three, emotion_map={"calm": "neutral"}, emotions="shared")
    for one, frame in zip(three, before, strict=True):
        pd.testing.assert_frame_equal(one.frame, frame)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emotions": "all"}, "emotions='all': expected a sequence of labels, 'shared' or None"),
        (
            {"emotions": ["anger", "fear"]},
            r"no utterance has 'fear'; the labels after .* \['anger'",
        ),
        ({"emotions": ["boredom"]}, r"no utterance of corpus 'a' is left: its emotions are"),
        (
            {"emotion_map": {"fear": None}},
            "has the key 'fear', which no utterance of these corpora has",
        ),
        ({"emotion_map": {"calms": None}}, r"Did you mean 'calm'\?"),
        ({"emotion_map": {"b": {"calm": None}}}, "'calm', which no utterance of corpus 'b' has"),
        ({"emotion_map": {"d": {"calm": None}}}, r"corpus 'd', which is not among \['a', 'b', 'c'"),
        ({"emotion_map": {"calm": 1}}, "'calm' is mapped to 1; expected a lower-case noun"),
        ({"emotion_map": {"a": {"calm": "No"}}}, "'calm' is mapped to 'No'; expected a lower-case"),
    ],
)
def test_wrong_arguments(three, arguments, message):
    with pytest.raises(CorpusError, match=message):
        concat_corpora(three, **arguments)


def test_corpora_that_cannot_be_concatenated(three):
    with pytest.raises(CorpusError, match="several of the corpora have the name 'a'"):
        concat_corpora([three[0], three[0]])
    with pytest.raises(CorpusError, match="the key of corpus 'a' is 'x'; expected the name"):
        concat_corpora({"x": three[0]})
    with pytest.raises(CorpusError, match="got a DataFrame; expected Corpus objects"):
        concat_corpora([three[0].frame])
    with pytest.raises(CorpusError, match="got no corpus"):
        concat_corpora([])
    with pytest.raises(CorpusError, match="no emotion occurs in every corpus"):
        concat_corpora([corpus("a", ("anger",)), corpus("b", ("calm",))], emotions="shared")


def test_unlabeled_samples_are_retained(three):
    table = three[0].frame.assign(emotion=["anger", None, "neutral", "calm"] * 2)
    partly, none = load_corpus(table, name="a"), load_corpus(table.assign(emotion=None), name="a")
    joined = concat_corpora([partly, three[1]], emotions="shared")
    assert counts(joined)["a"] == {"utterances": 6, "anger": 2, "neutral": 2, "unlabeled": 2}
    assert counts(joined)["b"] == {"utterances": 4, "anger": 2, "neutral": 2, "unlabeled": 0}
    assert joined.frame["emotion"].isna().sum() == 2
    assert joined.dropped["emotion"].tolist() == ["calm", "boredom"]
    assert len(concat_corpora([none, three[1]], emotions="shared")) == 8 + 6
    assert len(concat_corpora([none, three[1]], emotion_map={"b": {"boredom": None}})) == 8 + 4
    with pytest.raises(CorpusError, match="no emotion occurs in every corpus"):
        concat_corpora([none], emotions="shared")
    labeled = concat_corpora([partly, three[1]], emotion_map={"": None})
    assert labeled.frame["emotion"].notna().all()
    assert labeled.dropped["emotion"].tolist() == [None]
    assert labeled.dropped["utterances"].tolist() == [2]


@pytest.mark.corpora
def test_four_real_corpora(shared):
    names = ("emodb", "ravdess", "nemo", "urdu")
    loaded = [load_corpus(name, shared / "corpora" / name, verbose=0) for name in names]
    joined = concat_corpora(loaded, emotions="shared")
    assert sorted(joined.frame["emotion"].unique()) == ["anger", "happiness", "neutral", "sadness"]
    assert joined.describe().counts["utterances"].to_dict() == {
        "emodb": 339,
        "nemo": 564,
        "ravdess": 671,
        "urdu": 400,
    }
    assert joined.frame["speaker"].nunique() == 10 + 24 + 9 + 29
    losses = joined.dropped.groupby("corpus")["utterances"].sum().to_dict()
    assert losses == {"ravdess": 1440 - 671, "nemo": 816 - 564}
    known = joined.frame.groupby("corpus")["naturalness_rating"].count()
    assert known.to_dict() == {"emodb": 339, "nemo": 0, "ravdess": 0, "urdu": 0}
