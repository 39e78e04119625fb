"""SkipFailedRows: rows of failed audio never reach the estimator."""

import copy
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import clone, config_context
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_ser import (
    MTLNeuralClassifier,
    SkipFailedRows,
    SpeakerKFold,
    load_model,
    make_speech_corpus,
    make_svm_baseline,
    save_model,
    uar_score,
    uar_scorer,
)
from sklearn_ser.evaluation import cross_corpus_validate, fit_model, predict_table
from sklearn_ser.exceptions import AudioWarning, EvaluationWarning, MetadataError, TrainingWarning

FAILED = np.array([1, 4, 40])


@parametrize_with_checks(
    [
        SkipFailedRows(LogisticRegression()),
        SkipFailedRows(DecisionTreeClassifier(max_depth=3, random_state=0)),
        SkipFailedRows(LinearSVC()),
        SkipFailedRows(StandardScaler()),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def rows():
    """60 rows of 3 classes and 6 speakers, as a table with ids in its index; 3 rows failed."""
    rng = np.random.default_rng(0)
    y = np.array(["anger", "calm", "fear"])[np.arange(60) % 3]
    X = rng.normal(size=(60, 4)) + np.arange(60)[:, None] % 3
    X[FAILED] = np.nan
    speaker = np.array([f"s{row // 10}" for row in range(60)])
    return pd.DataFrame(X, columns=list("abcd"), index=pd.Index(speaker, name="speaker")), y


GOOD = np.setdiff1d(np.arange(60), FAILED)


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what `fit` and `score` were given."""

    def fit(self, X, y, aux=None, speaker=None, sample_weight=None):
        self.classes_ = np.unique(y)
        self.seen_ = {"X": X, "y": y, "aux": aux, "speaker": speaker, "weight": sample_weight}
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):
        return float(np.average(self.predict(X) == y, weights=sample_weight))


METADATA = {
    "aux": pd.DataFrame({"gender": np.arange(60) % 2}),
    "speaker": np.arange(60).tolist(),
    "sample_weight": pd.Series(np.arange(60.0), index=np.arange(60)[::-1]),
}


def assert_metadata_is_sliced(seen, X, y):
    pd.testing.assert_frame_equal(seen["X"], X.iloc[GOOD])
    assert seen["y"].tolist() == y[GOOD].tolist()
    assert seen["aux"]["gender"].tolist() == (GOOD % 2).tolist()
    assert seen["speaker"] == GOOD.tolist()
    assert seen["weight"].tolist() == GOOD.tolist()


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
def test_metadata_loses_the_same_rows(rows):
    X, y = rows
    off = SkipFailedRows(Recorder()).fit(X, y, **METADATA, nobody_asks_for=np.zeros(60))
    assert_metadata_is_sliced(off.estimator_.seen_, X, y)
    with config_context(enable_metadata_routing=True):
        recorder = Recorder().set_fit_request(aux=True, speaker=True, sample_weight=True)
        on = SkipFailedRows(recorder).fit(X, y, **METADATA)
        assert_metadata_is_sliced(on.estimator_.seen_, X, y)
        outer = Pipeline([("skip", SkipFailedRows(recorder))]).fit(X, y, **METADATA)
        assert_metadata_is_sliced(outer[-1].estimator_.seen_, X, y)
        with pytest.raises(UnsetMetadataPassedError, match="aux"):
            SkipFailedRows(Recorder()).fit(X, y, aux=METADATA["aux"])
        with pytest.raises(TypeError, match="nobody_asks_for"):
            SkipFailedRows(recorder).fit(X, y, nobody_asks_for=np.zeros(60))


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
def test_lists_are_sliced_too(rows):
    X, y = rows
    listed = SkipFailedRows(Recorder()).fit(X.to_numpy().tolist(), y.tolist())
    assert listed.estimator_.seen_["X"] == X.iloc[GOOD].to_numpy().tolist()
    assert listed.estimator_.seen_["y"] == y[GOOD].tolist()


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
def test_metadata_of_usable_rows_only_raises(rows):
    X, y = rows
    message = r"speaker has 57 values, one per usable row of X. Give one for each of the 60 rows"
    with pytest.raises(MetadataError, match=message):
        SkipFailedRows(Recorder()).fit(X, y, speaker=GOOD)


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
def test_y_of_another_length_raises(rows):
    X, y = rows
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SkipFailedRows(LinearSVC()).fit(X, y[GOOD])


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
@pytest.mark.parametrize("inner", [LogisticRegression(), LinearSVC(), StandardScaler(), Ridge()])
def test_equals_the_inner_estimator_on_the_good_rows(inner, rows):
    X, y = rows
    y = pd.factorize(y)[0] if is_regressor(inner) else y
    model, plain = SkipFailedRows(inner).fit(X, y), clone(inner).fit(X.iloc[GOOD], y[GOOD])
    methods = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")
    for method in methods:
        assert hasattr(model, method) == hasattr(plain, method)
        if not hasattr(plain, method):
            continue
        got, expected = getattr(model, method)(X), getattr(plain, method)(X.iloc[GOOD])
        np.testing.assert_array_equal(got[GOOD], expected)
        assert pd.isna(got[FAILED]).all()
        only_failed = getattr(model, method)(X.iloc[FAILED])
        assert only_failed.dtype == got.dtype
        assert only_failed.shape == (3, *got.shape[1:])
        assert pd.isna(only_failed).all()
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list("abcd")


def test_without_failed_rows_nothing_differs(rows):
    X, y = rows[0].iloc[GOOD], rows[1][GOOD]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, plain = SkipFailedRows(LogisticRegression()).fit(X, y), LogisticRegression()
    plain.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert model.predict(X).dtype == plain.predict(X).dtype
    assert model.score(X, y) == plain.score(X, y)
    assert model.classes_.tolist() == plain.classes_.tolist()


def test_numeric_labels_are_missing_as_nan(rows):
    X = rows[0]
    with pytest.warns(TrainingWarning):
        model = SkipFailedRows(LinearSVC()).fit(X, np.arange(60) % 3)
    predicted = model.predict(X)
    assert predicted.dtype == np.float64
    assert np.flatnonzero(np.isnan(predicted)).tolist() == FAILED.tolist()


def test_one_warning_names_the_rows(rows):
    X, y = rows
    text = (
        "3 of 60 rows of X are entirely NaN (failed audio) and are left out of training: "
        "rows 1, 4, 40"
    )
    with pytest.warns(TrainingWarning, match=f"^{re.escape(text)}$") as caught:
        SkipFailedRows(LinearSVC()).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(TrainingWarning, match=f"^{re.escape(text)}$") as caught:
        MTLNeuralClassifier(max_epochs=1, early_stopping=False).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    X = X.copy()
    X.iloc[10:14] = np.nan
    with pytest.warns(TrainingWarning, match=r"^7 of 60 .*: rows 1, 4, 10, 11, 12 and 2 more$"):
        SkipFailedRows(LinearSVC()).fit(X, y)
    X = X.fillna(0.0)
    X.iloc[1] = np.nan
    with pytest.warns(TrainingWarning, match=r"^1 of 60 .*: row 1$"):
        SkipFailedRows(LinearSVC()).fit(X, y)


def test_what_raises(rows):
    X, y = rows
    with pytest.raises(ValueError, match=r"all 60 rows of X are entirely NaN .*nothing to train"):
        SkipFailedRows(LinearSVC()).fit(X * np.nan, y)
    partly = X.iloc[GOOD].copy()
    partly.iloc[0, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        SkipFailedRows(LinearSVC()).fit(partly, y[GOOD])
    model = SkipFailedRows(LinearSVC()).fit(X.iloc[GOOD], y[GOOD])
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(partly)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X.iloc[FAILED, :2])
    with pytest.raises(NotFittedError):
        SkipFailedRows(LinearSVC()).predict(X)


def test_id_columns_are_no_features(rows):
    X, y = rows
    X = X.assign(corpus="here").reset_index()
    inner = make_pipeline(make_column_transformer(("passthrough", list("abcd"))), LinearSVC())
    with pytest.warns(TrainingWarning, match="3 of 60"):
        model = SkipFailedRows(inner).fit(X, y)
    assert model.predict(X.iloc[FAILED]).tolist() == [None] * 3


def test_kind_is_that_of_the_inner_estimator():
    assert is_classifier(SkipFailedRows(LinearSVC()))
    assert is_regressor(SkipFailedRows(Ridge()))
    assert is_classifier(SkipFailedRows(GridSearchCV(LinearSVC(), {"C": [1]})))
    assert not hasattr(SkipFailedRows(LinearSVC()), "transform")
    assert not hasattr(SkipFailedRows(LinearSVC()), "predict_aux")


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
def test_score_counts_a_failed_row_as_incorrect(rows):
    X, y = rows
    tree = SkipFailedRows(DecisionTreeClassifier(random_state=0)).fit(X, y)
    assert tree.score(X, y) == pytest.approx(57 / 60)
    weights = np.where(np.isin(np.arange(60), FAILED), 2.0, 1.0)
    assert tree.score(X, y, sample_weight=weights) == pytest.approx(57 / 63)
    assert tree.score(X.iloc[FAILED], y[FAILED]) == 0.0
    assert uar_scorer(tree, X, y) == pytest.approx(uar_score(y, tree.predict(X)))

    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {}, scoring=uar_scorer, cv=2)
    for inner in (search, make_pipeline(StandardScaler(), search)):
        model = SkipFailedRows(inner).fit(X, y)
        assert model.score(X, y) == pytest.approx(uar_score(y, model.predict(X)))
        assert model.score(X, y) < 1
    accuracy = SkipFailedRows(clone(search).set_params(scoring=None)).fit(X, y)
    assert accuracy.score(X, y) == pytest.approx(57 / 60)

    ridge = SkipFailedRows(Ridge()).fit(X, np.arange(60.0))
    with pytest.raises(ValueError, match=r"score of Ridge cannot count as incorrect predictions"):
        ridge.score(X, np.arange(60.0))


@pytest.mark.filterwarnings("ignore:.* rows of X are entirely NaN")
def test_in_scikit_learns_tools(rows):
    X, y = rows
    model = SkipFailedRows(LinearSVC(random_state=0))
    scores = cross_val_score(model, X, y, cv=SpeakerKFold(3), scoring=uar_scorer)
    expected = []
    for train, test in SpeakerKFold(3).split(X, y):
        kept = np.intersect1d(train, GOOD)
        fitted = LinearSVC(random_state=0).fit(X.iloc[kept], y[kept])
        predicted = np.full(60, None)
        predicted[GOOD] = fitted.predict(X.iloc[GOOD])
        expected.append(uar_score(y[test], predicted[test]))
    np.testing.assert_allclose(scores, expected)

    search = GridSearchCV(model, {"estimator__C": [1e-3, 1.0]}, scoring=uar_scorer, cv=3)
    assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()
    assert search.predict(X)[FAILED].tolist() == [None] * 3


@pytest.mark.filterwarnings("ignore:.* rows of X are entirely NaN")
def test_metadata_through_outer_tools(rows):
    X, y = rows[0].reset_index(drop=True), rows[1]
    speaker = np.arange(60) // 10
    weights = np.linspace(0.1, 3, 60)
    with config_context(enable_metadata_routing=True):
        svm = LinearSVC(random_state=0).set_fit_request(sample_weight=True)
        unweighted = copy.deepcopy(uar_scorer).set_score_request(sample_weight=False)
        inner = GridSearchCV(svm, {"C": [1e-3, 1.0]}, scoring=unweighted, cv=SpeakerKFold(3))
        model = Pipeline([("scale", MinMaxScaler()), ("search", SkipFailedRows(inner))])
        given = {"speaker": speaker, "sample_weight": weights}
        requests = get_routing_for_object(model)
        assert requests.consumes("fit", [*given, "aux"]) == set(given)
        result = cross_validate(
            model, X, y, params=given, cv=SpeakerKFold(2), scoring=unweighted,
            return_estimator=True, return_indices=True, error_score="raise",
        )  # fmt: skip
        outer = GridSearchCV(model, {"scale__clip": [False]}, cv=SpeakerKFold(2))
        outer.set_params(scoring=unweighted).fit(X, y, **given)
        direct = clone(model).fit(X, y, **given)
        np.testing.assert_array_equal(outer.predict(X), direct.predict(X))
        for fitted, train in zip(result["estimator"], result["indices"]["train"], strict=True):
            kept = np.intersect1d(train, GOOD)
            scaled = fitted[:-1].transform(X)
            alone = clone(inner).fit(
                scaled[kept], y[kept], speaker=speaker[kept], sample_weight=weights[kept]
            )
            np.testing.assert_array_equal(
                fitted.decision_function(X)[GOOD], alone.decision_function(scaled[GOOD])
            )
    off = SkipFailedRows(inner).fit(direct[:-1].transform(X), y, **given, aux=y)
    np.testing.assert_array_equal(off.predict(direct[:-1].transform(X)), direct.predict(X))


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
def test_around_the_net(rows):
    X, y = rows
    aux = pd.DataFrame({"gender": np.where(np.arange(60) % 2, "f", "m")})
    net = MTLNeuralClassifier(max_epochs=2, random_state=0)
    speaker = X.index.to_numpy()
    model = SkipFailedRows(net).fit(X, y, aux=aux, speaker=speaker)
    alone = clone(net).fit(X.iloc[GOOD], y[GOOD], aux=aux.iloc[GOOD], groups=speaker[GOOD])
    np.testing.assert_array_equal(model.predict_proba(X)[GOOD], alone.predict_proba(X.iloc[GOOD]))
    predicted = model.predict_aux(X)
    assert predicted.index.equals(X.index)
    assert predicted["gender"].isna().to_numpy().nonzero()[0].tolist() == FAILED.tolist()
    assert model.predict_aux(X.iloc[FAILED]).isna().all(axis=None)


@pytest.mark.filterwarnings("ignore:3 of 60 rows")
def test_pandas_output_keeps_the_index(rows):
    X, y = rows
    model = SkipFailedRows(StandardScaler()).set_output(transform="pandas")
    table = model.fit_transform(X, y)
    assert table.index.equals(X.index)
    assert table.columns.tolist() == model.get_feature_names_out().tolist() == list("abcd")
    assert table.isna().all(axis=1).to_numpy().nonzero()[0].tolist() == FAILED.tolist()


@pytest.fixture(scope="module")
def spoiled():
    frame = make_speech_corpus(n_speakers=6, n_utterances=1, random_state=0).frame
    frame.at[5, "file"] = "nowhere.wav"
    return frame


def svm(on_error):
    return make_svm_baseline("egemaps", on_error=on_error, cv=3, Cs=[1e-3, 1e-2])


@pytest.mark.parametrize("on_error", ["warn", "ignore"])
def test_svm_baseline_with_a_missing_file(on_error, spoiled, tmp_path):
    X, y = spoiled[["file", "corpus", "speaker"]], spoiled["emotion"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = svm(on_error).fit(X, y)
    ours = [entry.category for entry in caught]
    assert ours == ([AudioWarning] if on_error == "warn" else []) + [TrainingWarning]
    model.set_params(features__on_error="ignore")
    predicted = model.predict(X)
    assert np.flatnonzero(pd.isna(predicted)).tolist() == [5]
    alone = svm("raise").fit(X.drop(index=5), y.drop(index=5))
    assert np.delete(predicted, 5).tolist() == alone.predict(X.drop(index=5)).tolist()

    save_model(model, tmp_path / "svm.ser")
    loaded = load_model(tmp_path / "svm.ser")
    assert loaded.predict(X).tolist() == predicted.tolist()
    assert loaded.score(X, y) == uar_score(y, predicted)


@pytest.mark.filterwarnings("ignore:.* rows of X are entirely NaN")
def test_svm_baseline_cross_validated_with_a_missing_file(spoiled):
    X, y = spoiled[["file", "corpus", "speaker"]], spoiled["emotion"]
    scores = cross_val_score(
        svm("ignore"), X, y, cv=SpeakerKFold(2), scoring=uar_scorer, error_score="raise"
    )
    assert (scores > 0.25).all()


def test_svm_baseline_in_our_own_evaluation(spoiled):
    model = fit_model(svm("ignore"), spoiled, aux=())
    table = predict_table(model, spoiled[["file"]].iloc[4:7])
    assert table["label"].isna().tolist() == [False, True, False]
    two = spoiled.assign(corpus=np.where(spoiled.index < len(spoiled) // 2, "a", "b"))
    with pytest.warns(EvaluationWarning, match="1 utterances had no usable audio"):
        result = cross_corpus_validate({"SVM": svm("ignore")}, two, aux=(), verbose=0)
    assert result.predictions["failed"].sum() >= 1


def test_groups_serve_an_inner_splitter_by_speaker():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 3)), np.tile(["anger", "calm"], 12)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=SpeakerKFold(3))
    by_groups = SkipFailedRows(search).fit(X, y, groups=np.arange(24) // 4)
    by_speaker = SkipFailedRows(search).fit(X, y, speaker=np.arange(24) // 4)
    scores = [model.estimator_.cv_results_["mean_test_score"] for model in (by_groups, by_speaker)]
    np.testing.assert_array_equal(*scores)
