import warnings

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
from sklearn_ser.datasets._corpus import REQUIRED_COLUMNS
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
    frame = pd.DataFrame(
        {column: pd.Series([None, None], dtype=object) for column in REQUIRED_COLUMNS}
    )
    frame = frame.assign(file=["a", "b"], corpus="x", speaker="x/1", emotion="anger")
    assert repr(Corpus(frame, "x")) == "<Corpus x: 2 utterances, 1 speakers; anger 2>"


def test_summary_counts_speakers_once(corpus):
    expected = {"utterances": 32, "speakers": 4, "female": 2, "male": 2, "anger": 8}
    row = corpus.summary().loc["synthetic"].to_dict()
    assert {key: row[key] for key in expected} == expected
    assert "<table" in corpus._repr_html_()


def test_report_without_losses(corpus):
    assert corpus.report().endswith("Nothing was left out.")
    assert list(corpus.dropped.columns) == ["corpus", "emotion", "reason", "utterances"]
    assert corpus.dropped.empty


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
