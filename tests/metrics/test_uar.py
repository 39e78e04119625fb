"""UAR compared with scikit-learn's metrics; scorers with unlabeled samples."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.metrics import make_ser_scorer, uar_score, uar_scorer

EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])


class Constant(BaseEstimator):
    """Classifier with fixed predictions."""

    def __init__(self, predictions):
        self.predictions = predictions

    def predict(self, X):
        return self.predictions


FORMS = {
    "str": lambda codes: EMOTIONS[codes],
    "object": lambda codes: EMOTIONS[codes].astype(object),
    "list": lambda codes: EMOTIONS[codes].tolist(),
    "series": lambda codes: pd.Series(EMOTIONS[codes], index=np.arange(len(codes))[::-1]),
    "category": lambda codes: pd.Series(EMOTIONS[codes]).astype("category"),
    "int": lambda codes: codes - 1,
    "float": lambda codes: codes.astype(float),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_equals_scikit_learn(form, weighted):
    rng = np.random.RandomState(0)
    true_codes, predicted_codes = rng.randint(3, size=60), rng.randint(4, size=60)
    y_true, y_pred = FORMS[form](true_codes), FORMS[form](predicted_codes)
    weight = rng.rand(60) if weighted else None
    score = uar_score(y_true, y_pred, sample_weight=weight)
    expected = recall_score(
        true_codes,
        predicted_codes,
        average="macro",
        labels=np.unique(true_codes),
        sample_weight=weight,
    )
    assert score == pytest.approx(expected)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        balanced = balanced_accuracy_score(true_codes, predicted_codes, sample_weight=weight)
    assert score == pytest.approx(balanced)
    assert isinstance(score, float)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1))
def test_equals_macro_recall_over_the_classes_present(pairs):
    y_true, y_pred = map(list, zip(*pairs, strict=True))
    expected = recall_score(y_true, y_pred, average="macro", labels=sorted(set(y_true)))
    assert uar_score(y_true, y_pred) == pytest.approx(expected)


def test_an_unknown_prediction_is_wrong_and_not_a_class():
    # scikit-learn's macro recall would count "fear" as a third class with recall 0.
    assert uar_score(["anger", "sadness"], ["anger", "fear"]) == 0.5


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_prediction_is_wrong(missing):
    y_true = ["anger", "anger", "sadness"]
    assert uar_score(y_true, ["anger", missing, "sadness"]) == 0.75
    assert uar_score(y_true, [missing] * 3) == 0.0


def test_numbers_compare_across_dtypes():
    assert uar_score([0, 1, 1], [0.0, 1.0, np.nan]) == 0.75
    assert uar_score([True, False], [1, 0]) == 1.0


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["anger", "sadness"], 0.75),
        (["sadness", "anger"], 0.75),
        (["anger", "fear", "sadness"], float("nan")),
    ],
)
def test_a_fixed_label_set_is_nan_where_a_class_is_absent(labels, expected):
    score = uar_score(["anger", "anger", "sadness"], ["anger", "fear", "sadness"], labels=labels)
    assert score == pytest.approx(expected, nan_ok=True)


def test_a_class_without_weight_is_absent():
    y_true, y_pred = ["anger", "sadness"], ["anger", "anger"]
    assert uar_score(y_true, y_pred, sample_weight=[1, 0]) == 1.0
    fixed = uar_score(y_true, y_pred, sample_weight=[1, 0], labels=["anger", "sadness"])
    assert np.isnan(fixed)


def test_undefined_is_nan():
    assert np.isnan(uar_score([], []))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "labels", "message"),
    [
        (
            ["a", None, "b", np.nan],
            list("abab"),
            None,
            r"in samples 1, 3\. Drop these",
        ),
        (
            ["a", "c"],
            ["a", "c"],
            ["a", "b"],
            r"the unknown label 'c' in sample 1; labels",
        ),
        ([1, 2], ["1", "2"], None, "y_true has numbers and y_pred has strings"),
        ([[1, 2]], [[1, 2]], None, r"y_true must be one-dimensional, .* shape \(1, 2\)"),
        (["a"], ["a"], ["a", "a"], "labels must be one or more distinct labels"),
        (["a"], ["a"], [], "labels must be one or more distinct labels"),
    ],
)
def test_errors(y_true, y_pred, labels, message):
    with pytest.raises(MetadataError, match=message):
        uar_score(y_true, y_pred, labels=labels)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        uar_score(["a", "b"], ["a"])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, -1], r"finite and not negative, but is -1.0 in sample 1\. Set the weight"),
        ([np.nan, 1], "finite and not negative, but is nan in sample 0"),
        ([[1], [1]], r"one-dimensional, with one weight per sample; got .* \(2, 1\)"),
    ],
)
def test_invalid_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        uar_score(["a", "b"], ["a", "b"], sample_weight=weight)


@pytest.mark.parametrize(
    "scorer", [uar_scorer, make_ser_scorer("uar", labels=["anger", "sadness"])]
)
@pytest.mark.parametrize("missing", [None, np.nan])
def test_scorers_drop_unlabeled_samples(scorer, missing):
    y_true = np.array(["anger", missing, "sadness", "anger"], dtype=object)
    model, X = Constant(["anger", "sadness", "anger", "anger"]), np.zeros((4, 1))
    assert scorer(model, X, y_true) == 0.5
    assert scorer(model, X, y_true, sample_weight=[1, 9, 0, 1]) == 1.0


def test_a_scorer_without_any_label_gives_nan():
    assert np.isnan(uar_scorer(Constant([1.0, 1.0]), np.zeros((2, 1)), [np.nan, np.nan]))


def test_minus_one_is_an_ordinary_label():
    assert uar_scorer(Constant([1, 1]), np.zeros((2, 1)), [-1, 1]) == 0.5


def test_a_scorer_with_labels_names_absent_classes():
    scorer = make_ser_scorer("uar", labels=pd.Index(EMOTIONS))
    with pytest.warns(EvaluationWarning, match=r"no sample of classes 'neutral', 'sadness' \(2"):
        score = scorer(Constant(["anger", "anger"]), np.zeros((2, 1)), ["anger", "happiness"])
    assert score == 0.5


def test_a_scorer_with_labels_raises_for_an_unknown_label():
    with pytest.raises(MetadataError, match="y_true has the unknown label 'boredom'; labels are"):
        make_ser_scorer("uar", labels=EMOTIONS)(Constant(["anger"]), np.zeros((1, 1)), ["boredom"])


@pytest.mark.parametrize("scorer", [uar_scorer, make_ser_scorer("uar", labels=[0, 1])])
def test_scorers_serve_searches_and_survive_pickle(scorer):
    rng = np.random.RandomState(0)
    X, y = rng.randn(60, 3), rng.randint(2, size=60)
    cv = KFold(3)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, scoring=scorer, cv=cv)
    again = pickle.loads(pickle.dumps(search)).fit(X, y)
    expected = cross_validate(again.best_estimator_, X, y, cv=cv, scoring="balanced_accuracy")
    assert again.best_score_ == pytest.approx(expected["test_score"].mean())


def test_scorer_takes_routed_weights():
    X, y = np.zeros((4, 1)), ["a", "a", "b", "b"]
    weight = np.array([1.0, 1.0, 0.0, 0.0])
    with config_context(enable_metadata_routing=True):
        model = DummyClassifier(strategy="constant", constant="a")
        scores = cross_validate(
            model.set_fit_request(sample_weight=False),
            X,
            y,
            cv=[([0, 1, 2, 3], [0, 1, 2, 3])],
            scoring=copy.deepcopy(uar_scorer).set_score_request(sample_weight=True),
            params={"sample_weight": weight},
        )
    assert scores["test_score"] == [1.0]


@pytest.mark.parametrize("scorer", [uar_scorer, make_ser_scorer("uar", labels=["a", "b"])])
def test_scorers_drop_samples_with_the_sentinel_value_of_the_estimator(scorer):
    class SemiSupervised(BaseEstimator, ClassifierMixin):
        def __init__(self, unlabeled=-1):
            self.unlabeled = unlabeled

        def fit(self, X, y):
            self.classes_ = np.array(["a", "b"])
            return self

        def predict(self, X):
            return np.array(["a", "a", "b", "b"], dtype=object)

    y_true, X = np.array(["a", -1, "b", -1], dtype=object), np.zeros((4, 1))
    assert scorer(SemiSupervised().fit(X, y_true), X, y_true) == 1.0
    assert scorer(make_pipeline(SemiSupervised()).fit(X, y_true), X, y_true) == 1.0
    folds = [([0, 1], [0, 1, 2, 3])]
    search = GridSearchCV(SemiSupervised(), {"unlabeled": [-1]}, scoring=scorer, cv=folds)
    assert search.fit(X, y_true).score(X, y_true) == 1.0
    assert search.best_score_ == 1.0


def test_minus_one_is_an_ordinary_label_to_others():
    assert uar_scorer(Constant([-1, -1]), np.zeros((2, 1)), [-1, 1]) == 0.5
