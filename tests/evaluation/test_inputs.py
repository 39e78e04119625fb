"""Kinds of tables and estimators that an evaluation understands or rejects with one error."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import cross_corpus_validate, make_speech_corpus
from sklearn_ser.datasets import Corpus
from sklearn_ser.evaluation import fit_model
from sklearn_ser.exceptions import MetadataError
from tests.conftest import LevelExtractor

SVM = make_pipeline(LevelExtractor(), LinearSVC())


@pytest.fixture(scope="module")
def corpus():
    return make_speech_corpus(n_speakers=4, n_utterances=1, random_state=0)


def evaluate(frame, estimators=SVM):
    return cross_corpus_validate(estimators, frame, aux=(), protocol="within-corpus", n_splits=2)


KINDS = {
    "Corpus": lambda corpus: corpus,
    "list of dicts": lambda corpus: corpus.frame.to_dict("records"),
    "tuple of dicts": lambda corpus: tuple(corpus.frame.to_dict("records")),
    "dict of columns": lambda corpus: dict(corpus.frame.items()),
    "has to_pandas": lambda corpus: SimpleNamespace(to_pandas=lambda: corpus.frame),
    "audio in the index": lambda corpus: corpus.frame.set_index("file"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_any_kind_are_understood(corpus, kind):
    expected = evaluate(corpus.frame).predictions
    frame = KINDS[kind](corpus)
    pd.testing.assert_frame_equal(evaluate(frame).predictions, expected)
    assert len(fit_model(SVM, frame, aux=()).predict(corpus.frame[["file"]].head(2))) == 2


def test_a_table_of_polars_is_understood(corpus):
    polars = pytest.importorskip("polars")
    frame = corpus.frame.drop(columns="file")
    X = np.random.default_rng(0).normal(size=(len(frame), 3))
    arguments = {"X": X, "aux": (), "protocol": "within-corpus", "n_splits": 2}
    expected = cross_corpus_validate(LinearSVC(), frame, **arguments).predictions
    found = cross_corpus_validate(LinearSVC(), polars.from_pandas(frame), **arguments)
    pd.testing.assert_frame_equal(found.predictions, expected)


@pytest.fixture(scope="module")
def numbers():
    """Noise, beside the label and the speaker as numbers."""
    rng = np.random.default_rng(0)
    label, talker = np.tile([0, 1], 40), np.repeat(np.arange(8), 10)
    table = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80)})
    return table.assign(emotion=label, talker=talker, corpus=talker % 2)


TABLES = {
    "pandas": lambda table: table,
    "polars": lambda table: pytest.importorskip("polars").from_pandas(table),
    "pyarrow": lambda table: pytest.importorskip("pyarrow").Table.from_pandas(table),
}


@pytest.mark.parametrize("kind", TABLES)
def test_the_label_in_a_table_of_features_is_an_error(numbers, kind):
    X = TABLES[kind](numbers[["a", "emotion"]])
    for function in (cross_corpus_validate, fit_model):
        with pytest.raises(MetadataError, match="X holds the column 'emotion', which is the label"):
            function(LinearSVC(), numbers, X=X, aux=(), speaker="talker")


@pytest.mark.parametrize("kind", [*TABLES, "list"])
def test_ids_in_a_table_of_features_are_no_features(numbers, kind):
    names = ["a", "talker", "b", "corpus"]
    X = names if kind == "list" else TABLES[kind](numbers[names])
    model = fit_model(LinearSVC(), numbers, X=X, aux=(), speaker="talker")
    assert model.feature_names_in_.tolist() == ["a", "b"]
    chosen = {"aux": (), "speaker": "talker"}
    found = cross_corpus_validate(LinearSVC(), numbers, X=X, **chosen).predictions
    expected = cross_corpus_validate(LinearSVC(), numbers, X=["a", "b"], **chosen).predictions
    pd.testing.assert_frame_equal(found, expected)


class Database:
    """Looks like that of audformat."""

    schemes = tables = {}


@pytest.mark.parametrize(
    ("make_frame", "message"),
    [
        (lambda corpus: [corpus, corpus], "frame is a list.*Join the corpora with concat_corpora"),
        (lambda corpus: "corpora/emodb", "frame is a str.*Load a corpus with load_corpus"),
        (lambda corpus: Database(), "frame is a database of audformat.*Convert it with load_cor"),
        (lambda corpus: Corpus, "frame is the class Corpus, but must have one row per utterance"),
        (lambda corpus: None, "frame is a NoneType, but must"),
        (lambda corpus: np.zeros((3, 2)), "frame is a ndarray, but must"),
        (lambda corpus: corpus.frame["file"], "frame is a Series, but must"),
        (lambda corpus: [["a.wav", "anger"]], "frame is a list, but must"),
    ],
)
def test_other_tables_are_one_error(corpus, make_frame, message):
    for function in (evaluate, lambda frame: fit_model(SVM, frame, aux=())):
        with pytest.raises(MetadataError, match=message):
            function(make_frame(corpus))


def test_ambiguous_columns_are_one_error(corpus):
    frame = corpus.frame
    twice = pd.concat([frame, frame[["speaker"]]], axis=1)
    levels = frame.set_axis(pd.MultiIndex.from_product([["table"], frame.columns]), axis=1)
    for function in (evaluate, lambda frame: fit_model(SVM, frame, aux=())):
        with pytest.raises(
            ValueError, match=r"^Columns of frame have the same name: \['speaker'\]"
        ):
            function(twice)
        with pytest.raises(ValueError, match=r"^The columns of frame have 2 levels \(such as"):
            function(levels)


@pytest.mark.parametrize(
    ("estimators", "message"),
    [
        (LinearSVC, "'LinearSVC' is the class LinearSVC, not an instance: write LinearSVC"),
        ({"svm": LinearSVC}, "estimator 'svm' is the class LinearSVC, not an instance"),
        ([("a", SVM), ("b", LogisticRegression)], "estimator 'b' is the class LogisticRegression"),
        ([SVM, SVM], r"a list of \(name, estimator\); found Pipeline"),
        ({"svm": "LinearSVC"}, "estimator 'svm' has no fit: it is a str"),
        ({"svm": None}, "estimator 'svm' has no fit: it is a NoneType"),
        ("svm", r"a list of \(name, estimator\); got a str"),
        (None, r"a list of \(name, estimator\); got a NoneType"),
        (pd.DataFrame({"file": ["a.wav"]}), "got a DataFrame"),
        ({1: SVM}, r"found \(1, Pipeline"),
        ({}, "estimators must have one or more unique names"),
    ],
)
def test_other_estimators_are_one_error(corpus, estimators, message):
    with pytest.raises(ValueError, match=message):
        evaluate(corpus.frame, estimators)


def test_a_class_is_no_model(corpus):
    with pytest.raises(ValueError, match="is the class LinearSVC, not an instance"):
        fit_model(LinearSVC, corpus.frame, aux=())
