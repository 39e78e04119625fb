import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.preprocessing import LabelEncoder, OneHotEncoder
from sklearn.svm import LinearSVC

from sklearn_ser.datasets import Corpus, make_speech_corpus
from sklearn_ser.exceptions import CorpusError


@pytest.fixture(scope="module")
def corpus():
    return make_speech_corpus(4, 2, random_state=0)


def test_frame_without_a_column_of_the_contract():
    frame = pd.DataFrame({"file": ["a.wav"], "emotion": ["anger"]})
    with pytest.raises(CorpusError, match=r"corpus 'x' lacks the column\(s\) \['corpus', 'speaker"):
        Corpus(frame, "x")


def test_repr_names_the_counts(corpus):
    assert repr(corpus) == (
        "<Corpus synthetic: 32 utterances, 4 speakers (2 female, 2 male), xx, acted; "
        "anger 8, happiness 8, neutral 8, sadness 8>"
    )
    assert len(corpus) == 32


def test_repr_with_unknown_values():
    columns = ["gender", "language", "naturalness", "text"]
    frame = pd.DataFrame(None, index=[0, 1], columns=columns, dtype=object)
    frame = frame.assign(file=["a", "b"], corpus="x", speaker="x/1", emotion="anger")
    assert repr(Corpus(frame, "x")) == "<Corpus x: 2 utterances, 1 speakers; anger 2>"


def test_description_counts(corpus):
    described = corpus.describe()
    expected = {"utterances": 32, "speakers": 4, "female": 2, "male": 2, "anger": 8}
    row = described.counts.loc["synthetic"].to_dict()
    assert {key: row[key] for key in expected} == expected
    assert described.values.loc[("gender", "male")].to_dict() == {"utterances": 16, "speakers": 2}
    assert described.speakers["utterances"].tolist() == [8] * 4
    assert described.missing.empty
    assert described.dropped.columns.tolist() == ["corpus", "emotion", "reason", "utterances"]
    assert str(described).endswith("Nothing was left out.")


def test_description_of_missing_values_and_hours(tmp_path):
    two_centihours = (np.zeros(8000 * 72), 8000)
    files = [two_centihours, two_centihours, str(tmp_path / "none.wav")]
    frame = pd.DataFrame({"file": files, "end": [float("nan"), 36, 1]}).assign(
        corpus="x", speaker=["x/1", "x/1", "x/2"], gender=None, language=None, emotion=None,
        naturalness=None, text=["x/a", None, "x/a"],
    )  # fmt: skip
    described = Corpus(frame, "x").describe(durations=True)
    assert described.counts.loc["x"].to_dict() == {
        "utterances": 3, "speakers": 2, "female": 0, "male": 0, "hours": pytest.approx(0.03),
        "unlabeled": 3,
    }  # fmt: skip
    assert described.missing.to_dict() == {
        "end": 1, "gender": 3, "language": 3, "emotion": 3, "naturalness": 3, "text": 1, "hours": 1,
    }  # fmt: skip
    assert str(described).splitlines()[0] == "x: 3 utterances, 0.03 hours"
    assert described.speakers["hours"].tolist() == pytest.approx([0.03, 0])


def test_description_escapes_names(corpus):
    frame = corpus.frame.assign(corpus="<b>\x1b[1m", language="<i>")
    html = Corpus(frame, "<b>")._repr_html_()
    assert "<table" in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "\x1b" not in str(Corpus(frame, "<b>").describe())


def test_selection_keeps_votes_and_what_was_left_out(corpus):
    votes = pd.DataFrame({"anger": range(len(corpus))})
    dropped = pd.DataFrame([{"corpus": "s", "file": "f", "emotion": None, "reason": "r"}])
    full = Corpus(corpus.frame, "s", license="l", dropped_rows=dropped, votes=votes)
    part = full.select(emotion="anger", gender="male")
    positions = np.flatnonzero(
        (corpus.frame["emotion"] == "anger") & (corpus.frame["gender"] == "male")
    )
    assert part.votes["anger"].tolist() == positions.tolist()
    assert part.frame["speaker"].tolist() == corpus.frame["speaker"][positions].tolist()
    assert part.frame.index.tolist() == list(range(4))
    assert part.dropped_rows.equals(dropped)
    assert part.license == "l"


@pytest.mark.parametrize("kind", ["list", "array", "series", "nullable", "function"])
def test_masks(corpus, kind):
    mask = (corpus.frame["emotion"] == "anger").tolist()
    given = {
        "list": mask,
        "array": np.array(mask),
        "series": pd.Series(mask, index=range(5, 5 + len(mask))),
        "nullable": pd.Series([value or None for value in mask], dtype="boolean"),
        "function": lambda frame: frame["emotion"] == "anger",
    }[kind]
    assert corpus.select(given).frame["emotion"].tolist() == ["anger"] * 8


@pytest.mark.parametrize(
    ("mask", "values", "message"),
    [
        (None, {"emotoin": "anger"}, r"no column 'emotoin'.*Did you mean 'emotion'\?"),
        (None, {"emotion": "angr"}, r"has the emotion 'angr'; its values are .*mean 'anger'\?"),
        (None, {"speaker": ["synthetic/s1", "s2"]}, "has the speaker 's2'; its values are"),
        (None, {"gender": None}, "has the gender None; its values are"),
        ([False] * 32, {}, r"meets the conditions \(the mask\) together"),
        ([True] * 3, {}, "the mask has 3 values; expected 32, one per row of the frame"),
        ([5, 7] * 16, {}, "the mask is not a sequence of bool"),
    ],
)  # fmt: skip
def test_selection_errors(corpus, mask, values, message):
    with pytest.raises(CorpusError, match=message):
        corpus.select(mask, **values)


def test_split_by_official_parts(corpus):
    parts = np.array(["train", "test"], dtype=object)[np.arange(32) % 2]
    parts[5] = None
    full = Corpus(corpus.frame.assign(split=parts, fold="1"), "s")
    assert {part: len(of) for part, of in full.split().items()} == {
        "test": 15,
        "train": 16,
        None: 1,
    }
    assert list(full.split("fold")) == ["1"]
    assert list(full.split("gender")) == ["female", "male"]
    with pytest.raises(CorpusError, match="no official parts"):
        corpus.split()
    with pytest.raises(CorpusError, match="has no column 'parts'"):
        corpus.split("parts")


@pytest.mark.parametrize(
    "cv",
    [GroupKFold(2), LeaveOneGroupOut(), StratifiedGroupKFold(2), StratifiedKFold(2)],
    ids=lambda cv: type(cv).__name__,
)
@pytest.mark.parametrize(
    "estimator", [LinearSVC(), DummyClassifier()], ids=lambda e: type(e).__name__
)
def test_columns_serve_as_y_and_groups(corpus, estimator, cv):
    frame = corpus.frame
    X = DictVectorizer(sparse=False).fit_transform([{e: 1.0} for e in frame["emotion"]])
    groups = None if isinstance(cv, StratifiedKFold) else frame["speaker"]
    scores = cross_validate(estimator, X, frame["emotion"], groups=groups, cv=cv)["test_score"]
    # One-hot labels as features: the linear model must be perfect, so y kept its order and values.
    assert (scores == 1).all() if isinstance(estimator, LinearSVC) else (scores == 0.25).all()


def test_columns_serve_encoders(corpus):
    frame = corpus.frame
    codes = LabelEncoder().fit_transform(frame["emotion"])
    assert sorted(set(codes)) == [0, 1, 2, 3]
    assert OneHotEncoder().fit_transform(frame[["gender"]]).shape == (32, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pd.concat([frame, frame])["text"].dtype == object
