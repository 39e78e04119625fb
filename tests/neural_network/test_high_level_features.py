"""HighLevelFeatures with small substitutes for a frame-level network."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import LeaveOneCorpusOut, SpeakerKFold
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures, MTLNeuralClassifier
from tests.conftest import make_frames_table


def frames_of(X):
    return list(X["frames"]) if isinstance(X, pd.DataFrame) else X


class Rows(LogisticRegression):
    """Takes feature vectors, for scikit-learn's checks; each is two frames, x and -x."""

    def predict_frame_proba(self, X):
        frames = self.predict_proba(X), self.predict_proba(-np.asarray(X))
        return {"y": list(np.stack(frames, axis=1))}


@parametrize_with_checks([HighLevelFeatures(Rows())])
def test_estimator_check(estimator, check):
    check(estimator)


class Frames(ClassifierMixin, BaseEstimator):
    """Naive Bayes over frames for each task, which records the arguments of `fit`."""

    __metadata_request__fit = {"aux": True, "groups": "speaker", "sample_weight": True}
    seen = []

    def __init__(self, smoothing=1e-9):
        self.smoothing = smoothing

    def fit(self, X, y, aux=None, groups=None, sample_weight=None):
        self.seen.append({"X": X, "y": y, "aux": aux, "groups": groups, "weight": sample_weight})
        sequences, y = frames_of(X), np.asarray(y)
        known = [row for row, frames in enumerate(sequences) if isinstance(frames, np.ndarray)]
        columns = {} if aux is None else {name: aux[name].to_numpy() for name in aux}
        self.models_ = {}
        for task, labels in {"y": y, **columns}.items():
            if len(set(labels[known])) > 1:
                of_frames = np.repeat(labels[known], [len(sequences[row]) for row in known])
                stacked = np.vstack([sequences[row] for row in known])
                self.models_[task] = GaussianNB(var_smoothing=self.smoothing).fit(
                    stacked, of_frames
                )
        classes = {task: model.classes_ for task, model in self.models_.items()}
        self.classes_ = classes.pop("y")
        self.aux_classes_ = classes
        self.n_features_in_ = stacked.shape[1]
        return self

    def predict_frame_proba(self, X):
        return {
            task: [
                model.predict_proba(f) if isinstance(f, np.ndarray) else None for f in frames_of(X)
            ]
            for task, model in self.models_.items()
        }


class GivenPosteriors(Frames):
    """X are the posteriors: two columns of `y`, then two of `gender`."""

    def predict_frame_proba(self, X):
        parts = {"gender": slice(2, 4), "y": slice(0, 2)}
        return {
            task: [None if f is None else f[:, part] for f in X] for task, part in parts.items()
        }


@pytest.fixture
def seen():
    Frames.seen.clear()
    return Frames.seen


GENDER = pd.DataFrame({"gender": ["male", "female", "male"]})


def test_statistics():
    X = [
        np.array([[0.25, 0.75, 0.5, 0.5], [0.5, 0.5, 1.0, 0.0]]),
        np.array([[0.125, 0.875, 0.25, 0.75]]),
        np.array([[0.5, 0.5, 0.5, 0.5], [0.75, 0.25, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]] * 2),
        None,
    ]
    step = HighLevelFeatures(GivenPosteriors(), threshold=0.5).fit(
        X[:3], ["b", "a", "b"], aux=GENDER
    )
    assert step.get_feature_names_out().tolist() == [
        f"{task}_{label}_{statistic}"
        for task, label in [("y", "a"), ("y", "b"), ("gender", "female"), ("gender", "male")]
        for statistic in ("max", "min", "mean", "above")
    ]
    expected = [
        [0.5, 0.25, 0.375, 0, 0.75, 0.5, 0.625, 0.5, 1, 0.5, 0.75, 0.5, 0.5, 0, 0.25, 0],
        [0.125, 0.125, 0.125, 0, 0.875, 0.875, 0.875, 1, 0.25, 0.25, 0.25, 0, 0.75, 0.75, 0.75, 1],
        [1, 0.5, 0.75, 2 / 3, 0.5, 0, 0.25, 0, 0.5, 0, 1 / 6, 0, 1, 0.5, 5 / 6, 2 / 3],
        [np.nan] * 16,
    ]
    features = step.transform(X)
    np.testing.assert_allclose(features, expected, rtol=1e-15)
    assert features.dtype == np.float64


def test_features_equal_the_released_formula(frames):
    """The released code computes count * mean / sum instead of the fraction of frames."""
    step = HighLevelFeatures(Frames()).fit(frames.X, frames.y, aux=frames.aux[["gender"]])
    features = step.set_output(transform="pandas").transform(frames.X)
    for task, posteriors in step.estimator_.predict_frame_proba(frames.X).items():
        classes = step.estimator_.models_[task].classes_
        for row, p in enumerate(posteriors):
            portions = np.sum(p > 0.3, axis=0) * p.mean(axis=0) / p.sum(axis=0)
            found = features.iloc[row][[f"{task}_{label}_above" for label in classes]]
            np.testing.assert_allclose(found, portions)


def test_the_index_is_retained(frames):
    step = HighLevelFeatures(Frames()).set_output(transform="pandas")
    table = step.fit_transform(frames.X, frames.y)
    assert table.index.equals(frames.X.index)
    assert table.columns.tolist() == step.get_feature_names_out().tolist()
    assert table.shape == (120, 12)
    assert isinstance(clone(step).set_output(transform="default").fit_transform(frames.X, frames.y),
                      np.ndarray)  # fmt: skip


def test_samples_are_independent(frames):
    step = HighLevelFeatures(Frames()).fit(frames.X, frames.y)
    whole = step.transform(frames.X)
    for row in (0, 7, 119):
        assert np.array_equal(step.transform(frames.X.iloc[[row]])[0], whole[row])


def test_threshold_may_change_after_fit(frames):
    step = HighLevelFeatures(Frames()).fit(frames.X, frames.y)
    low = step.set_params(threshold=0.0).transform(frames.X)
    assert (low[:, 3::4] == 1.0).all()


def test_metadata_of_the_network_with_routing_disabled(frames, seen):
    gender, weights = frames.aux[["gender"]], np.arange(120.0)
    step = HighLevelFeatures(Frames())
    step.fit(frames.X, frames.y, aux=gender, groups=frames.speaker, sample_weight=weights)
    step.fit(frames.X, frames.y, aux=gender, speaker=frames.speaker, corpus=frames.speaker)
    pipeline = make_pipeline(step, ELMClassifier())
    pipeline.fit(frames.X, frames.y, highlevelfeatures__aux=gender)
    assert [each["aux"] is gender for each in seen] == [True] * 3
    assert [each["groups"] is frames.speaker for each in seen] == [True, True, False]
    assert [each["weight"] is weights for each in seen] == [True, False, False]


def test_metadata_of_the_network_with_routing_enabled(frames, seen):
    gender, weights = frames.aux[["gender"]], np.arange(1.0, 121.0)
    pipeline = make_pipeline(HighLevelFeatures(Frames()), ELMClassifier(random_state=0))
    with config_context(enable_metadata_routing=True):
        pipeline.fit(frames.X, frames.y, aux=gender, speaker=frames.speaker, sample_weight=weights)
        requests_nothing = Frames().set_fit_request(aux=None, groups=False, sample_weight=False)
        with pytest.raises(UnsetMetadataPassedError, match="aux"):
            HighLevelFeatures(requests_nothing).fit(frames.X, frames.y, aux=gender)
        with pytest.raises(TypeError, match="corpus"):
            HighLevelFeatures(Frames()).fit(frames.X, frames.y, corpus=frames.speaker)
    (got,) = seen
    assert got["aux"] is gender
    assert got["groups"] is frames.speaker
    assert got["weight"] is weights
    plain = ELMClassifier(random_state=0)
    plain.fit(pipeline[0].transform(frames.X), frames.y, sample_weight=weights)
    assert np.array_equal(pipeline[-1].output_weights_, plain.output_weights_)


def test_search_and_cross_validation_slice_metadata(frames, seen):
    pipeline = make_pipeline(HighLevelFeatures(Frames()), ELMClassifier(random_state=0))
    grid = {"highlevelfeatures__threshold": [0.3, 0.5], "elmclassifier__n_hidden": [20]}
    search = GridSearchCV(pipeline, grid, cv=SpeakerKFold(2))
    aux = pd.DataFrame({"gender": frames.aux["gender"], "row": np.arange(120) % 2})
    speaker = pd.Series(frames.speaker, index=np.arange(120) + 1000)
    with config_context(enable_metadata_routing=True):
        scores = cross_validate(
            search, frames.X, frames.y, cv=SpeakerKFold(3),
            params={"aux": aux, "speaker": speaker}, error_score="raise",
        )["test_score"]  # fmt: skip
    assert (scores > 0.5).all()
    assert len(seen) == 3 * (2 * 2 + 1)
    for each in seen:
        rows = np.asarray(each["groups"].index) - 1000
        assert each["X"].equals(frames.X.iloc[rows])
        assert each["y"].tolist() == frames.y[rows].tolist()
        assert each["aux"]["row"].tolist() == (rows % 2).tolist()


def test_the_memory_of_a_pipeline_caches_the_network(frames, tmp_path, seen):
    pipeline = make_pipeline(HighLevelFeatures(Frames()), ELMClassifier(), memory=str(tmp_path))
    grid = {"elmclassifier__n_hidden": [5, 20, 50]}
    GridSearchCV(pipeline, grid, cv=SpeakerKFold(2)).fit(frames.X, frames.y)
    assert len(seen) == 2 + 1


def expected_out_of_fold(frames, splits, aux=None):
    """Compute the features of each sample with a step fitted without it."""
    features = np.full((120, 12 if aux is None else 20), np.nan)
    for train, test in splits:
        part = HighLevelFeatures(Frames())
        part.fit(
            frames.X.iloc[train], frames.y[train], aux=None if aux is None else aux.iloc[train]
        )
        features[test] = part.transform(frames.X.iloc[test])
    return features


def test_out_of_fold_features(frames, seen):
    gender = frames.aux[["gender"]]
    step = HighLevelFeatures(Frames(), cv=3)
    got = step.fit_transform(frames.X, frames.y, aux=gender)
    assert len(seen) == 4
    splits = list(SpeakerKFold(3).split(frames.X, frames.y))
    np.testing.assert_array_equal(got, expected_out_of_fold(frames, splits, gender))
    whole = HighLevelFeatures(Frames()).fit(frames.X, frames.y, aux=gender)
    np.testing.assert_array_equal(step.transform(frames.X), whole.transform(frames.X))
    assert not np.array_equal(got, step.transform(frames.X))


@pytest.mark.parametrize("routing", [False, True])
def test_metadata_of_splitters(frames, seen, routing):
    """A list has no id columns: speakers and corpora are passed as metadata."""
    X = list(frames.sequences)
    corpus = np.where(np.arange(120) % 2, "emodb", "urdu")
    by_corpus = list(LeaveOneCorpusOut().split(X, groups=corpus))
    by_speaker = list(SpeakerKFold(3).split(X, frames.y, groups=frames.speaker))
    speaker = {"speaker" if routing else "groups": frames.speaker}
    with config_context(enable_metadata_routing=routing):
        for cv, metadata, splits in [
            (3, speaker, by_speaker),
            (SpeakerKFold(3), speaker, by_speaker),
            (LeaveOneCorpusOut(), {**speaker, "corpus": corpus}, by_corpus),
            (by_corpus, speaker, by_corpus),
        ]:
            got = HighLevelFeatures(Frames(), cv=cv).fit_transform(X, frames.y, **metadata)
            np.testing.assert_array_equal(got, expected_out_of_fold(frames, splits))
            if metadata is speaker and splits is by_speaker:
                pipeline = make_pipeline(HighLevelFeatures(Frames(), cv=cv), ELMClassifier())
                if routing:
                    pipeline.fit(X, frames.y, **metadata)
                else:
                    pipeline.fit(X, frames.y, highlevelfeatures__groups=frames.speaker)
    trained_without = {tuple(np.unique(each["groups"])) for each in seen[1:4]}
    assert len(trained_without) == 3


def test_out_of_fold_with_scikit_learns_splitters(frames):
    """Groups are passed to splitters that take them, and ignored by others."""
    for cv in (KFold(3), GroupKFold(3)):
        step = HighLevelFeatures(Frames(), cv=cv)
        got = step.fit_transform(frames.X, frames.y, groups=frames.speaker)
        splits = cv.split(frames.X, groups=frames.speaker if isinstance(cv, GroupKFold) else None)
        np.testing.assert_array_equal(got, expected_out_of_fold(frames, splits))


def test_out_of_fold_with_failed_audio(frames):
    cells = [None if row in (3, 50) else frames.sequences[row] for row in range(120)]
    X = make_frames_table(cells, frames.X.index, list("vwxyz"))
    got = HighLevelFeatures(Frames(), cv=3).fit_transform(X, frames.y)
    assert np.flatnonzero(np.isnan(got).all(axis=1)).tolist() == [3, 50]
    assert np.isnan(got).sum() == 2 * 12


def test_out_of_fold_errors(frames):
    female = (frames.aux["gender"] == "female").to_numpy()
    by_gender = [(female, ~female), (~female, female)]  # masks serve as well as positions
    step = HighLevelFeatures(Frames(), cv=by_gender)
    message = (
        "the training samples of fold 0 of cv lack the labels ['female', 'male'] of task 'gender'. "
        "Its network must learn the same tasks and labels"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        step.fit_transform(frames.X, frames.y, aux=frames.aux[["gender"]])
    with pytest.raises(
        ValueError, match=r"cv must assign each sample to exactly one test set, .* sample \d+ is in"
    ):
        HighLevelFeatures(Frames(), cv=ShuffleSplit(2, random_state=0)).fit_transform(
            frames.X, frames.y
        )
    with pytest.raises(MetadataError, match="SpeakerKFold got neither speaker="):
        HighLevelFeatures(Frames(), cv=3).fit_transform(frames.sequences, frames.y)


def test_invalid_parameters_raise(frames):
    message = "'estimator' parameter of HighLevelFeatures must be an object implementing 'fit' and"
    with pytest.raises(ValueError, match=message):
        HighLevelFeatures(LogisticRegression()).fit(frames.X, frames.y)
    for params in ({"threshold": 1.0}, {"threshold": -0.1}, {"cv": 1}):
        name = next(iter(params))
        with pytest.raises(ValueError, match=f"'{name}' parameter of HighLevelFeatures must be"):
            HighLevelFeatures(Frames(), **params).fit(frames.X, frames.y)
    with pytest.raises(NotFittedError):
        HighLevelFeatures(Frames()).transform(frames.X)
    with pytest.raises(NotFittedError):
        HighLevelFeatures(Frames()).get_feature_names_out()


class Pooled(Frames):
    def predict_frame_proba(self, X):
        raise ValueError("this network pools its frames")


def test_errors_of_the_network_are_passed_on(frames):
    for method in ("fit", "fit_transform"):  # fit raises what transform would
        with pytest.raises(ValueError, match="this network pools its frames"):
            getattr(HighLevelFeatures(Pooled()), method)(frames.X, frames.y)


def test_parameters_clones_and_repr(frames):
    step = HighLevelFeatures(Frames(smoothing=0.2), threshold=0.4, cv=3)
    assert clone(step).get_params()["estimator__smoothing"] == 0.2
    step.set_params(estimator__smoothing=0.3)
    fitted = clone(step).fit(frames.X, frames.y)
    assert fitted.estimator_.smoothing == 0.3
    assert fitted.estimator_ is not fitted.estimator
    assert fitted.n_features_in_ == 5
    assert not hasattr(step, "n_features_in_")
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(loaded.transform(frames.X), fitted.transform(frames.X))
    html = fitted._repr_html_()
    assert "HighLevelFeatures" in html
    assert "Frames" in html


@pytest.mark.parametrize(
    "parameters",
    [{}, {"encoder": "lstm"}, {"encoder": "frame_dnn", "encoder_params": {"pooling": "mean"}}],
)
def test_a_network_that_does_not_predict_frames_raises_before_training(frames, parameters):
    step = HighLevelFeatures(MTLNeuralClassifier(max_epochs=10**9, **parameters))
    for method in (step.fit, step.fit_transform):
        with pytest.raises(ValueError, match="computes one representation for a whole sequence"):
            method(frames.X, frames.y)
