import pandas as pd
import pytest

from sklearn_ser.datasets import concat_corpora, list_label_maps, load_corpus
from sklearn_ser.exceptions import CorpusError

EMOTIONS = (
    *("anger", "boredom", "calm", "disgust", "fear"),
    *("happiness", "neutral", "sadness", "surprise"),
)


def corpus_of(*emotions, votes=None):
    rows = [
        {"file": (([0.0] * 8), 16000), "speaker": str(i % 2), "emotion": emotion, "end": 0.0001}
        for i, emotion in enumerate(emotions)
    ]
    corpus = load_corpus(pd.DataFrame(rows), name="mine")
    corpus.votes = votes
    return corpus


def test_arousal_and_valence_of_the_released_code():
    # papers.md, 1.3: (arousal, valence) of the first author for eNTERFACE'05, 0 low and 2 high.
    written = {
        "anger": ("high", "negative"),
        "disgust": ("low", "negative"),
        "fear": ("high", "negative"),
        "happiness": ("high", "positive"),
        "sadness": ("low", "negative"),
        "surprise": ("high", "positive"),
    }
    corpus = corpus_of(*written)
    pairs = zip(
        corpus.map_labels("kim2017-arousal").frame["emotion"],
        corpus.map_labels("kim2017-valence").frame["emotion"],
        strict=True,
    )
    assert list(pairs) == list(written.values())


def test_quadrants_leave_neutral_out():
    mapped = corpus_of("boredom", "neutral", "fear").map_labels("quadrants")
    assert mapped.frame["emotion"].tolist() == ["low-negative", "high-negative"]
    assert mapped.dropped.to_dict("records") == [
        {"corpus": "mine", "emotion": "neutral", "reason": "no label in quadrants", "utterances": 1}
    ]


@pytest.mark.parametrize("name", list_label_maps().index)
def test_every_map_is_cited_and_maps_to_its_classes(name):
    of = list_label_maps().loc[name]
    assert of["description"]
    assert of["citation"]
    corpus = corpus_of(*EMOTIONS)
    mapped = corpus.map_labels(name)
    assert set(mapped.frame["emotion"]) == set(of["classes"].split(", "))
    assert len(mapped) + len(mapped.dropped_rows) == len(corpus)


def test_unlabeled_samples_and_votes():
    votes = pd.DataFrame({"anger": [2.0, 0, 1], "fear": [1.0, 0, 1], "calm": [0.0, 3, 2]})
    corpus = corpus_of("anger", None, "fear", votes=votes)
    mapped = corpus.map_labels({"anger": "strong", "fear": "strong"})
    assert mapped.frame["emotion"].tolist() == ["strong", None, "strong"]
    assert mapped.votes.to_dict("list") == {"strong": [3.0, 0.0, 2.0]}
    assert corpus.frame["emotion"].tolist() == ["anger", None, "fear"]


def test_dict_by_other_spellings_and_function():
    corpus = corpus_of("anger", "sadness")
    assert corpus.map_labels({"angry": "bad", "sad": None}).frame["emotion"].tolist() == ["bad"]
    assert corpus.map_labels(lambda emotion: emotion[:3]).frame["emotion"].tolist() == [
        "ang",
        "sad",
    ]


def test_a_column_for_an_auxiliary_target():
    corpus = corpus_of("anger", "neutral", None)
    mapped = corpus.map_labels("ekman", column="basic")
    assert mapped.frame["emotion"].tolist() == ["anger", "neutral", None]
    assert mapped.frame["basic"].tolist() == ["anger", None, None]
    assert mapped.dropped.empty


def test_mapped_corpora_can_be_concatenated():
    first = corpus_of("anger", "sadness")
    second = load_corpus(
        first.frame.assign(emotion=["fear", "calm"]).drop(columns="corpus"), name="other"
    )
    both = concat_corpora([c.map_labels("kim2017-arousal") for c in (first, second)])
    assert both.frame["emotion"].tolist() == ["high", "low", "high", "low"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("kim2017-valance", r"no label map 'kim2017-valance'.*Did you mean 'kim2017-valence'\?"),
        ({"angry": "x", "anger": "y"}, "'angry' is mapped to 'x' and 'anger' to 'y', but both are"),
        ({"anger": "High"}, "'anger' is mapped to 'High'; expected a lower-case noun"),
        ({"fear": "high"}, r"no utterance of corpus 'mine' has a label in the dict: its emotions"),
        (3, "map_labels got a int; expected the name of a label map"),
        (lambda emotion: 1, "'anger' is mapped to 1; expected a lower-case noun"),
    ],
)
def test_errors(labels, message):
    with pytest.raises(CorpusError, match=message):
        corpus_of("anger").map_labels(labels)


def test_a_column_with_another_meaning():
    with pytest.raises(CorpusError, match="column='gender': this column has another meaning"):
        corpus_of("anger").map_labels("ekman", column="gender")
