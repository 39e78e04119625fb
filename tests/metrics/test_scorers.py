"""Scorers of all metrics in scikit-learn's tools, with unlabeled samples and absent classes."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import config_context, metrics
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.svm import LinearSVC

from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.metrics import (
    concordance_cc,
    equal_error_rate,
    expected_calibration_error,
    group_gap,
    macro_auc_score,
    macro_f1_score,
    make_group_scorer,
    make_recall_scorers,
    make_ser_scorer,
    multiclass_brier_score,
    recall_by_class,
    uar_score,
    war_score,
)

EMOTIONS = np.array(["anger", "happiness", "neutral", "sadness"])
OF_CLASSES = {
    "uar": (uar_score, "predict", 1),
    "war": (war_score, "predict", 1),
    "macro_f1": (macro_f1_score, "predict", 1),
    "auc": (macro_auc_score, "predict_proba", 1),
    "neg_eer": (equal_error_rate, "predict_proba", -1),
    "neg_brier": (multiclass_brier_score, "predict_proba", -1),
    "neg_ece": (expected_calibration_error, "predict_proba", -1),
}
OF_NUMBERS = {
    "ccc": (concordance_cc, 1),
    "pearson": (lambda y, p: stats.pearsonr(y[~np.isnan(y)], p[~np.isnan(y)]).statistic, 1),
    "neg_mae": (lambda y, p: np.nanmean(np.abs(y - p)), -1),
}


def data(n_classes=4, n_rows=80):
    rng = np.random.default_rng(0)
    code = np.arange(n_rows) % n_classes
    return rng.normal(size=(n_rows, 5)) + np.eye(5)[code], EMOTIONS[code].astype(object)


class Constant(ClassifierMixin, BaseEstimator):
    """Classifier with fixed probabilities."""

    def __init__(self, probabilities, classes):
        self.probabilities = probabilities
        self.classes = classes
        self.classes_ = np.asarray(classes)

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.asarray(self.probabilities, dtype=float)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", OF_CLASSES)
def test_a_scorer_is_its_metric_of_the_labeled_samples(name, n_classes):
    function, method, sign = OF_CLASSES[name]
    X, y = data(n_classes)
    model = LogisticRegression().fit(X, y.astype(str))
    partly_labeled = y.copy()
    partly_labeled[::7] = None
    labeled = np.arange(len(y)) % 7 != 0
    given = getattr(model, method)(X)[labeled]
    scorer = make_ser_scorer(name)
    assert scorer(model, X, partly_labeled) == pytest.approx(sign * function(y[labeled], given))
    weight = np.random.default_rng(1).uniform(0, 2, size=len(y))
    expected = sign * function(y[labeled], given, sample_weight=weight[labeled])
    assert scorer(model, X, partly_labeled, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_scorers_of_numbers(name):
    function, sign = OF_NUMBERS[name]
    X, _ = data()
    y = X @ np.arange(5) + np.random.default_rng(1).normal(size=len(X))
    model = LinearRegression().fit(X, y)
    y[::7] = np.nan
    scorer = make_ser_scorer(name)
    assert scorer(model, X, y) == pytest.approx(sign * function(y, model.predict(X)))
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1e4]}, scoring=scorer, cv=KFold(3))
    assert search.fit(X[~np.isnan(y)], y[~np.isnan(y)]).best_params_ == {"alpha": 0.1}


@pytest.mark.parametrize("routing", [False, True])
def test_all_together_in_scikit_learns_tools(routing):
    X, y = data()
    scoring = {name: make_ser_scorer(name) for name in OF_CLASSES} | make_recall_scorers(EMOTIONS)
    with config_context(enable_metadata_routing=routing):
        found = cross_validate(LogisticRegression(), X, y, scoring=scoring, cv=KFold(2))
        search = GridSearchCV(
            LogisticRegression(),
            {"C": [1e-6, 1.0]},
            scoring={name: scoring[name] for name in ("uar", "neg_brier")},
            refit="neg_brier",
            cv=KFold(2),
        )
        assert search.fit(X, y).best_params_ == {"C": 1.0}
    model = LogisticRegression().fit(X[40:], y[40:])
    for name, (function, method, sign) in OF_CLASSES.items():
        expected = sign * function(y[:40], getattr(model, method)(X[:40]))
        assert found[f"test_{name}"][0] == pytest.approx(expected)
    recalls = recall_by_class(y[:40], model.predict(X[:40]))
    for label in EMOTIONS:
        assert found[f"test_recall_{label}"][0] == pytest.approx(recalls[label])


@pytest.mark.parametrize("name", [*OF_CLASSES, *OF_NUMBERS])
def test_scorers_take_routed_weights_and_survive_pickle(name):
    X, y = data()
    number = name in OF_NUMBERS
    y = X @ np.arange(5) if number else y
    weight = np.random.default_rng(2).uniform(0, 1, size=len(y))
    model = (Ridge() if number else LogisticRegression()).fit(X, y)
    with config_context(enable_metadata_routing=True):
        scorer = copy.deepcopy(make_ser_scorer(name)).set_score_request(sample_weight=True)
        scorer = pickle.loads(pickle.dumps(scorer))
        every = np.arange(len(y))
        found = cross_validate(
            model.set_fit_request(sample_weight=False),
            X,
            y,
            scoring=scorer,
            cv=[(every, every)],
            params={"sample_weight": weight},
        )
    expected = make_ser_scorer(name)(model, X, y, sample_weight=weight)
    assert found["test_score"] == [pytest.approx(expected)]


def test_decision_values_serve_where_there_are_no_probabilities():
    X, y = data()
    svm = LinearSVC().fit(X, y)
    expected = macro_auc_score(y, svm.decision_function(X))
    assert make_ser_scorer("auc")(svm, X, y) == pytest.approx(expected)
    X, y = data(2)
    svm = LinearSVC().fit(X, y)
    expected = metrics.roc_auc_score(y, svm.decision_function(X))
    assert make_ser_scorer("auc")(svm, X, y) == pytest.approx(expected)


def test_a_class_that_was_never_trained_on_has_no_probability():
    model, X = Constant([[1, 0], [0.5, 0.5], [0, 1]], ["anger", "sadness"]), np.zeros((3, 1))
    y_true = ["anger", "fear", "sadness"]
    full = [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1]]
    assert make_ser_scorer("neg_brier")(model, X, y_true) == -multiclass_brier_score(y_true, full)
    for labels in (None, ["fear", "sadness", "anger"]):
        scorer = make_ser_scorer("auc", labels=labels)
        assert scorer(model, X, y_true) == pytest.approx(macro_auc_score(y_true, full))


def test_a_class_absent_from_the_fold():
    model, X = Constant([[1, 0], [0, 1]], ["anger", "sadness"]), np.zeros((2, 1))
    assert np.isnan(make_ser_scorer("auc")(model, X, ["anger", "anger"]))
    assert np.isnan(make_recall_scorers(["fear"])["recall_fear"](model, X, ["anger", "anger"]))
    for metric, text, score in (
        ("uar", "no sample of class 'sadness' .2 samples.: the UAR is the mean", 0.5),
        ("macro_f1", "macro_f1 is the mean over the other 1", 2 / 3),
        ("war", "war does not depend on them", 0.5),
        ("auc", r"auc is undefined \(NaN\)", np.nan),
    ):
        scorer = make_ser_scorer(metric, labels=["anger", "sadness"])
        with pytest.warns(EvaluationWarning, match=text):
            found = scorer(model, X, ["anger", "anger"])
        assert found == pytest.approx(score, nan_ok=True)
    with pytest.raises(MetadataError, match="y_true has the unknown label 'fear'; labels are"):
        make_ser_scorer("war", labels=["anger", "sadness"])(model, X, ["anger", "fear"])


def test_failed_audio_is_wrong_or_has_no_probabilities():
    model = Constant([[1, 0], [np.nan, np.nan], [0, 1]], ["anger", "sadness"])
    X, y_true = np.zeros((3, 1)), ["anger", "sadness", "sadness"]
    assert make_ser_scorer("neg_brier")(model, X, y_true) == 0.0
    assert make_ser_scorer("auc")(model, X, y_true) == 1.0


def test_a_custom_metric():
    X, y = data()
    y[0] = None
    model = LogisticRegression().fit(X[1:], y[1:].astype(str))
    scorer = make_ser_scorer(lambda t, p: np.mean(t != p), greater_is_better=False)
    assert scorer(model, X, y) == pytest.approx(make_ser_scorer("war")(model, X, y) - 1)
    assert make_ser_scorer(uar_score)(model, X, y) == make_ser_scorer("uar")(model, X, y)


@pytest.mark.parametrize("figure", ["worst", "gap", "ratio"])
def test_scorers_of_groups(figure):
    X, y = data()
    model = LogisticRegression().fit(X, y)
    gender = np.where(np.arange(80) % 8 < 4, "female", "male")
    table = pd.DataFrame(X, index=pd.Index(gender, name="gender"))
    model = LogisticRegression().fit(table, y)
    expected = group_gap(y, model.predict(table), gender)
    value = {
        "worst": expected.scores["score"].min(),
        "gap": -expected.gap,
        "ratio": expected.ratio,
    }[figure]
    scorer = make_group_scorer(by="gender", figure=figure)
    assert scorer(model, table, y) == pytest.approx(value)
    every = [(np.arange(80), np.arange(80))]
    found = cross_validate(model, table, y, scoring={"gap": scorer}, cv=every)
    assert found["test_gap"] == [pytest.approx(value)]
    with config_context(enable_metadata_routing=True):  # X without the group
        asks = copy.deepcopy(scorer).set_score_request(group="gender")
        found = cross_validate(
            LogisticRegression(), X, y, scoring=asks, cv=every, params={"gender": gender}
        )
    assert found["test_score"] == [pytest.approx(value)]


def test_errors_of_group_scorers():
    X, y = data()
    model = LogisticRegression().fit(X, y)
    with pytest.raises(MetadataError, match="a scorer of groups needs 'gender' for each row"):
        make_group_scorer(by="gender")(model, X, y)
    with pytest.raises(ValueError, match="figure must be 'worst', 'gap' or 'ratio'; got 'best'"):
        make_group_scorer(by="gender", figure="best")
    table = pd.DataFrame(X, index=pd.Index(y, name="gender"))
    with pytest.raises(MetadataError, match="groups do not support sample_weight"):
        make_group_scorer("war", by="gender")(model, table, y, sample_weight=np.ones(80))
    for name in ("recall", "brier"):
        with pytest.raises(ValueError, match=rf"one of 'uar', .*, 'neg_brier', .*; got '{name}'"):
            make_ser_scorer(name)
