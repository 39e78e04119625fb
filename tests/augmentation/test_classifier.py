"""AugmentingClassifier: copies of training samples, with their metadata."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn import clone, config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ser import (
    AugmentingClassifier,
    MTLNeuralClassifier,
    SpeakerKFold,
    load_model,
    save_model,
    uar_scorer,
)
from sklearn_ser.augmentation import FeatureNoise, Mixup, OriginalSamplesSplit
from sklearn_ser.exceptions import MetadataError

TWO = {"weak": FeatureNoise(0.01), "strong": FeatureNoise(0.5)}


@parametrize_with_checks(
    [
        AugmentingClassifier(LogisticRegression(), FeatureNoise(), random_state=0),
        AugmentingClassifier(StandardScaler(), FeatureNoise(), random_state=0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


class Mark(BaseEstimator):
    """Adds a number to the column "c"."""

    def __init__(self, by=0.001):
        self.by = by

    def augment(self, X):
        return X.assign(c=X["c"] + self.by)


METADATA = {
    "aux": pd.DataFrame({"gender": np.arange(60) % 2}),
    "speaker": [f"s{row // 10}" for row in range(60)],
    "sample_weight": np.arange(60.0),
}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("piped", [False, True])
def test_copies_have_all_metadata_of_their_original(recorder, rows, routing, piped):
    X, y, _ = rows
    model = AugmentingClassifier(recorder, {"up": Mark(), "down": Mark(-0.001)}, copies=2)
    with config_context(enable_metadata_routing=routing or piped):
        outer = Pipeline([("all", model)]) if piped else model
        outer.fit(X, y, **METADATA)
    fitted = outer[-1] if piped else outer
    seen = fitted.estimator_.seen_
    source = np.tile(np.arange(60), 5)
    assert seen["X"]["row"].tolist() == source.tolist()
    moved = (seen["X"]["c"].to_numpy() - X["c"].to_numpy()[source]).round(3)
    assert moved.tolist() == np.repeat([0.0, 0.001, 0.001, -0.001, -0.001], 60).tolist()
    assert seen["y"].tolist() == y[source].tolist()
    assert seen["speaker"] == [METADATA["speaker"][row] for row in source]
    assert seen["weight"].tolist() == source.tolist()
    assert seen["aux"]["gender"].tolist() == (source % 2).tolist()
    kinds = np.repeat(["original", "up", "up", "down", "down"], 60).tolist()
    assert seen["aux"]["augmentation"].tolist() == kinds
    assert fitted.n_rows_ == {"original": 60, "up": 120, "down": 120}


def test_without_originals_and_with_another_name(recorder, rows):
    X, y, _ = rows
    model = AugmentingClassifier(recorder, [("up", Mark())], keep_original=False, task="kind")
    seen = model.fit(X, y).estimator_.seen_
    assert seen["aux"].columns.tolist() == ["kind"]
    assert set(seen["aux"]["kind"]) == {"up"}
    assert len(seen["X"]) == 60
    assert seen["weight"] is None


def test_test_samples_are_never_changed(recorder, rows):
    X, y, _ = rows
    model = AugmentingClassifier(recorder, Mark()).fit(X, y)
    model.predict(X)
    assert model.estimator_.asked_ is X


def test_the_kind_is_not_passed_where_nothing_takes_it(rows):
    X, y, _ = rows
    model = AugmentingClassifier(LinearSVC(random_state=0), TWO, random_state=0)
    off = model.fit(X, y, aux=METADATA["aux"])
    with config_context(enable_metadata_routing=True):
        on = clone(model).fit(X, y)
    np.testing.assert_array_equal(off.decision_function(X), on.decision_function(X))
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "predict_aux")


class TakesAux(ClassifierMixin, BaseEstimator):
    """Names `aux` in `fit`, and asks for nothing."""

    def fit(self, X, y, aux=None):
        self.classes_, self.aux_ = np.unique(y), aux
        return self


def test_the_kind_reaches_a_fit_that_names_aux(rows):
    X, y, _ = rows
    model = AugmentingClassifier(TakesAux(), {"up": Mark()})
    assert model.fit(X, y).estimator_.aux_["augmentation"].value_counts().to_dict() == {
        "original": 60,
        "up": 60,
    }
    given = model.fit(X, y, aux=METADATA["aux"]).estimator_.aux_
    assert list(given) == ["gender", "augmentation"]
    with config_context(enable_metadata_routing=True):  # where one has to ask
        assert model.fit(X, y).estimator_.aux_ is None


def test_unlabeled_samples_have_copies(recorder, rows):
    X, y, _ = rows
    y = y.astype(object)
    y[::2] = None
    seen = AugmentingClassifier(recorder, Mark()).fit(X, y).estimator_.seen_
    assert pd.isna(seen["y"]).sum() == 60


def test_speakers_in_X_reach_the_inner_estimator(recorder, rows):
    X, y, speaker = rows
    for table in (X.assign(speaker=speaker), X.set_index(pd.Index(speaker, name="speaker"))):
        seen = AugmentingClassifier(recorder, Mark()).fit(table, y).estimator_.seen_
        assert list(seen["speaker"]) == [*speaker, *speaker]


def test_an_estimator_that_requests_sources_gets_them(rows):
    class TakesSources(ClassifierMixin, BaseEstimator):
        __metadata_request__fit = {"sources": True}

        def fit(self, X, y, sources=None):
            self.sources_ = sources
            return self

    X, y, _ = rows
    given = AugmentingClassifier(TakesSources(), Mark()).fit(X, y).estimator_.sources_
    np.testing.assert_array_equal(given, np.tile(np.arange(60), 2)[:, None] * [1, 1])


def test_seeds(rows):
    X, y = rows[0][["a", "b", "c"]], rows[1]
    model = AugmentingClassifier(LogisticRegression(max_iter=1000), TWO, copies=2, random_state=3)
    weights = model.fit(X, y).estimator_.coef_
    np.testing.assert_array_equal(weights, clone(model).fit(X, y).estimator_.coef_)
    other = clone(model).set_params(random_state=4).fit(X, y).estimator_.coef_
    assert not np.allclose(weights, other)


def test_copies_differ(recorder, rows):
    X, y, _ = rows
    model = AugmentingClassifier(recorder, TWO, copies=3, random_state=0).fit(X, y)
    columns = model.estimator_.seen_["X"]["a"].to_numpy().reshape(7, 60)
    assert len(np.unique(columns[:, 0])) == 7
    alone = AugmentingClassifier(recorder, {"strong": TWO["strong"]}, random_state=0)
    made = alone.fit(X[:5], y[:5]).estimator_.seen_["X"]["a"].to_numpy()[5:]
    np.testing.assert_array_equal(made, columns[4, :5])


def test_pipelines_of_augmenters(recorder, rows):
    X, y, _ = rows
    chain = make_pipeline(FeatureNoise(0.1), FeatureNoise(0.1))
    model = AugmentingClassifier(recorder, [("twice", chain)], random_state=0).fit(X, y)
    made = model.estimator_.seen_["X"]["a"].to_numpy()[60:] - X["a"].to_numpy()
    assert 0.1 < made.std() < 0.2


def test_any_kind_of_rows(recorder):
    class Same(BaseEstimator):
        def augment(self, X):
            return X

    y = ["anger", "calm"]
    for X in (
        np.eye(2), np.ones((2, 3, 4)), ["a.wav", "b.wav"], [np.ones((2, 3)), np.ones((4, 3))],
        pd.Series(["a.wav", "b.wav"]), np.array(["a.wav", "b.wav"], dtype=object),
    ):  # fmt: skip
        seen = AugmentingClassifier(recorder, Same()).fit(X, y).estimator_.seen_["X"]
        cells = isinstance(X, np.ndarray) and X.dtype.kind == "O"
        assert type(seen) is (list if cells else type(X))
        assert len(seen) == 4
        assert all(
            np.array_equal(a, b) for a, b in zip(list(seen)[:2], list(seen)[2:], strict=True)
        )


def test_parameters_within(rows):
    X, y = rows[0][["a", "b", "c"]], rows[1]
    for augmenters in (TWO, list(TWO.items())):
        model = AugmentingClassifier(LogisticRegression(max_iter=1000), augmenters)
        assert model.get_params()["augmenters__strong__scale"] == 0.5
        copy = clone(model).set_params(augmenters__strong__scale=2, estimator__C=7)
        assert copy.get_params()["augmenters__strong__scale"] == 2
        assert copy.estimator.C == 7
        assert type(copy.augmenters) is type(augmenters)
        assert TWO["strong"].scale == 0.5
        copy.set_params(augmenters__strong=None)
        assert copy.fit(X, y).n_rows_ == {"original": 60, "weak": 60}
        with pytest.raises(
            ValueError, match=r"no augmenter 'loud': the augmenters are \['weak', '"
        ):
            model.set_params(augmenters__loud__scale=1)
    with pytest.raises(ValueError, match=r"no augmenter 'weak': the augmenters are \[\]"):
        AugmentingClassifier(LogisticRegression()).set_params(augmenters__weak__scale=1)
    single = AugmentingClassifier(LogisticRegression(), FeatureNoise())
    assert single.set_params(augmenters__scale=3).augmenters.scale == 3
    unnamed = AugmentingClassifier(LogisticRegression(), [FeatureNoise(), Mark(), FeatureNoise()])
    names = [name.split("__")[1] for name in unnamed.get_params() if name.count("__") == 1]
    assert names[-3:] == ["featurenoise-1", "mark", "featurenoise-2"]
    unnamed.set_params(**{"augmenters__featurenoise-2__scale": 5})
    assert unnamed.get_params()["augmenters__featurenoise-2__scale"] == 5


def test_in_scikit_learns_tools(rows):
    X, y, speaker = rows
    model = AugmentingClassifier(make_pipeline(StandardScaler(), LogisticRegression()), TWO,
                                 random_state=0)  # fmt: skip
    grid = {"augmenters__strong__scale": [0.1, 5.0], "estimator__logisticregression__C": [0.1, 1]}
    search = GridSearchCV(model, grid, cv=SpeakerKFold(3)).fit(X, y, groups=speaker)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    scores = cross_validate(model, X, y, cv=3, error_score="raise", return_estimator=True)
    assert [fitted.n_rows_["weak"] for fitted in scores["estimator"]] == [40, 40, 40]
    assert all(fitted.estimator_[0].n_samples_seen_ == 120 for fitted in scores["estimator"])


def test_around_the_net(rows):
    X, y, speaker = rows
    net = MTLNeuralClassifier(max_epochs=2, random_state=0)
    model = AugmentingClassifier(make_pipeline(StandardScaler(), net), TWO, random_state=0)
    model.fit(X, y, aux=METADATA["aux"], speaker=speaker)
    assert model.estimator_[-1].aux_classes_["augmentation"].tolist() == [
        "original", "strong", "weak"
    ]  # fmt: skip
    assert model.estimator_[-1].validation_split_["kind"] == "groups"
    assert model.estimator_[-1].validation_split_["n_valid"] == 30
    assert model.predict_proba(X).shape == (60, 3)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        model = AugmentingClassifier(make_pipeline(scaler, net), TWO, random_state=0)
        result = cross_validate(
            model, X, y, params={"aux": METADATA["aux"], "speaker": speaker}, cv=SpeakerKFold(2),
            error_score="raise",
        )  # fmt: skip
    assert len(result["test_score"]) == 2


def test_in_a_file(rows, tmp_path):
    X, y, _ = rows
    model = AugmentingClassifier(LinearSVC(random_state=0), TWO, random_state=0)
    search = GridSearchCV(LinearSVC(), {"C": [0.1, 1.0]}, cv=SpeakerKFold(2))
    inner = AugmentingClassifier(search, list(TWO.items()), random_state=0)
    wrapped = clone(inner).set_params(estimator__cv=OriginalSamplesSplit(SpeakerKFold(2)))
    X = X.assign(speaker=np.arange(60) % 4)
    for each in (model, inner, wrapped):
        each.fit(X, y)
        save_model(each, tmp_path / "model.ser")
        loaded = load_model(tmp_path / "model.ser")
        np.testing.assert_array_equal(loaded.predict(X), each.predict(X))
        assert loaded.get_params()["augmenters__strong__scale"] == 0.5


@pytest.mark.parametrize("scoring", [None, uar_scorer], ids=["score", "uar"])
def test_a_search_over_mixed_samples_in_a_file(rows, tmp_path, scoring):
    X, y, _ = rows
    with config_context(enable_metadata_routing=True):
        svm = LinearSVC(C=0.1).set_fit_request(sample_weight=True)
        if scoring is None:
            svm.set_score_request(sample_weight=False)
        else:
            scoring = deepcopy(scoring).set_score_request(sample_weight=False)
    search = GridSearchCV(svm, {"max_iter": [900, 1000]}, cv=2, scoring=scoring)
    model = AugmentingClassifier(search, Mixup(), random_state=0).fit(X, y)
    save_model(model, tmp_path / "model.ser")
    loaded = load_model(tmp_path / "model.ser")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_metadata_requests_of_the_inner_estimator_stay_as_they_are(rows):
    X, y, _ = rows
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LinearSVC(C=0.1)),
        {"linearsvc__C": [0.1]},
        cv=2,
        scoring="accuracy",
    )
    fitted = AugmentingClassifier(search, Mark(), random_state=0).fit(X, y).estimator_
    assert fitted.scoring == "accuracy"
    for part in (*fitted.estimator, *fitted.best_estimator_):
        assert not hasattr(part, "_metadata_request")
    text = "training samples have sample weights, and GridSearchCV takes none.*set_fit_request"
    for mixed in (Mixup(), [Mixup(), Mark()]):
        with pytest.raises(MetadataError, match=text):
            AugmentingClassifier(search, mixed).fit(X, y)
    with pytest.raises(MetadataError, match=text):
        AugmentingClassifier(search, Mark()).fit(X, y, sample_weight=np.ones(60))


def test_html_and_repr():
    model = AugmentingClassifier(make_pipeline(StandardScaler(), LinearSVC()), TWO)
    html = model._repr_html_()
    for text in ("strong: FeatureNoise", "estimator: Pipeline", "StandardScaler"):
        assert text in html
    assert "AugmentingClassifier(augmenters={'strong': FeatureNoise(scale=0.5)" in repr(model)
    assert AugmentingClassifier(LinearSVC(), ["faulty"])._repr_html_()


def test_bad_input(rows):
    X, y, _ = rows
    svm = LinearSVC()

    def fit(augmenters=None, metadata=None, **params):
        AugmentingClassifier(svm, augmenters, **params).fit(X, y, **(metadata or {}))

    class Halves:
        def augment(self, X):
            return X[::2]

    class Renames:
        def augment(self, X):
            return X.rename(columns={"a": "z"})

    with pytest.raises(TypeError, match="Augmenter 'str' must have a method augment, augment_rows"):
        fit("noise")
    with pytest.raises(TypeError, match=r"augmenters\[1\] has no name and others do"):
        fit([("a", Mark()), Mark()])
    with pytest.raises(ValueError, match="different names, got"):
        fit([("a", Mark()), ("a", Mark())])
    with pytest.raises(ValueError, match="cannot be called 'original'"):
        fit({"original": Mark()})
    with pytest.raises(ValueError, match='names without "__"'):
        fit({"a__b": Mark()})
    with pytest.raises(ValueError, match="Augmenter 'halves' returned 30 samples for 60"):
        fit(Halves())
    with pytest.raises(ValueError, match="An augmenter changed the columns of X"):
        fit(Renames())
    with pytest.raises(ValueError, match="keep_original=False leaves no training samples"):
        fit(keep_original=False)
    with pytest.raises(MetadataError, match="aux has a column 'augmentation', in which"):
        fit(Mark(), {"aux": pd.DataFrame({"augmentation": y})})
    with pytest.raises(MetadataError, match="speaker has 59 rows and X has 60"):
        fit(Mark(), {"speaker": range(59)})
    with pytest.raises(MetadataError, match="aux has the index labels of X in another order"):
        AugmentingClassifier(svm, Mark()).fit(
            X.set_index(X.index + 5), y, aux=METADATA["aux"].set_index(X.index + 5)[::-1]
        )
    with pytest.raises(MetadataError, match="aux is a dict"):
        fit(Mark(), {"aux": {"gender": list(y)}})
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        AugmentingClassifier(svm, Mark()).fit(X, y[:-1])


def test_a_forest_too(rows):
    X, y, _ = rows
    forest = RandomForestClassifier(5, random_state=0)
    assert AugmentingClassifier(forest, TWO).fit(X, y).score(X, y) > 0.8


def test_weights_reach_a_pipeline_with_routing_off():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.tile(["a", "b", "c"], 20)
    weights = np.where(np.arange(60) < 30, 0.0, 1.0)
    model = AugmentingClassifier(
        make_pipeline(StandardScaler(with_mean=False, with_std=False), LinearSVC(C=0.01)),
        FeatureNoise(),
        random_state=0,
    )
    weighted = model.fit(X, y, sample_weight=weights).decision_function(X)
    assert not np.allclose(weighted, model.fit(X, y).decision_function(X))
    mixed = clone(model).set_params(augmenters=Mixup())
    assert mixed.fit(X, y, sample_weight=weights).n_rows_["original"] == 60


def test_a_step_that_makes_arrays_of_tables(recorder, rows):
    """As most transformers of scikit-learn do: the table's names and ids are put back."""
    X, y, speaker = rows
    X = X.set_index(pd.Index(speaker, name="speaker"))
    model = AugmentingClassifier(
        recorder, {"louder": FunctionTransformer(lambda X: X.to_numpy() + 1)}
    )
    seen = model.fit(X, y).estimator_.seen_["X"]
    pd.testing.assert_frame_equal(seen[60:], X + 1)
    model.set_params(augmenters={"short": FunctionTransformer(lambda X: X.to_numpy()[:, :2])})
    text = r"'short' returned an array of shape \(60, 2\) for a table of shape \(60, 4\)"
    with pytest.raises(ValueError, match=text):
        model.fit(X, y)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_unlabeled_samples_that_an_estimator_does_not_take_are_named(missing):
    X = np.arange(24.0).reshape(12, 2)
    y = np.array([0.0, 1.0] * 6, dtype=object if missing is None else float)
    y[[3, 5]] = missing
    model = AugmentingClassifier(make_pipeline(StandardScaler(), LinearSVC()), FeatureNoise())
    with pytest.raises(
        ValueError,
        match="y is None or NaN in 2 of 12 samples, first in row 3, and LinearSVC needs labeled "
        r"samples.* MTLNeuralClassifier\(unlabeled='nan'\)",
    ):
        model.fit(X, y)
