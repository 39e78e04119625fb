import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as imblearn_pipeline
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import AugmentingClassifier, SkipFailedRows, cross_corpus_validate
from sklearn_ser.augmentation import FeatureNoise
from sklearn_ser.evaluation import fit_model
from sklearn_ser.evaluation._semi_supervised import find_obstacle
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.model_selection import SemiSupervisedSplit

LEFT_OUT = r"^15 unlabeled samples are left out of the training of '{}', although it has unlabeled="


@pytest.mark.filterwarnings("ignore:unlabeled=-1 is set, and y does not contain -1")
@pytest.mark.parametrize("sentinel", [-1, "nan"])
@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (
            lambda net: make_pipeline(net, LinearSVC(C=0.01)),
            "LinearSVC learns from labels and would take",
        ),
        (
            lambda net: make_pipeline(SelectKBest(k=1), net),
            "its step 'selectkbest' learns from labels and would take them for a class",
        ),
        (
            lambda net: make_pipeline(FeatureUnion([("best", SelectKBest(k=1))]), net),
            "its step 'featureunion' learns from labels and would take them for a class",
        ),
        (
            lambda net: imblearn_pipeline(RandomOverSampler(), net),
            "its step 'randomoversampler' learns from labels",
        ),
        (
            lambda net: GridSearchCV(net, {}, cv=2),
            r"its search would test on them; give the search cv=SemiSupervisedSplit\(\.\.\.\)",
        ),
        (
            lambda net: GridSearchCV(
                net, {}, cv=SemiSupervisedSplit(2, unlabeled={-1: "nan"}.get(net.unlabeled, -1))
            ),
            r"its search has cv=SemiSupervisedSplit\(2, unlabeled=.*\); give the splitter the same",
        ),
    ],
    ids=["SVM", "KBest", "union", "sampler", "cv=2", "other sentinel"],
)
def test_estimators_that_would_take_them_for_a_class_get_none_with_a_warning(
    half_labeled, small_net, inside, reason, sentinel
):
    frame, X = half_labeled
    X = np.random.default_rng(0).normal(size=(len(frame), 2))
    estimator = inside(small_net(sentinel))
    with pytest.warns(EvaluationWarning, match=LEFT_OUT.format("net") + f".*: .*{reason}"):
        result = cross_corpus_validate(
            {"net": estimator, "dummy": DummyClassifier()}, frame, X=X, aux=()
        )
    assert result.info["unlabeled"] == {}
    assert not result.predictions["failed"].any()
    name = type(estimator).__name__
    with pytest.warns(EvaluationWarning, match=LEFT_OUT.format(name) + f".*: .*{reason}"):
        model = fit_model(estimator, frame, X=X, aux=())
    assert sorted(model.classes_) == ["anger", "sadness"]


@pytest.mark.parametrize(
    "around",
    [
        lambda net: make_pipeline(StandardScaler(), SkipFailedRows(net)),
        lambda net: AugmentingClassifier(net, FeatureNoise(0.1)),
        lambda net: GridSearchCV(net, {}, cv=SemiSupervisedSplit(2)),
        lambda net: make_pipeline(clone(net), net),
    ],
    ids=["SkipFailedRows", "AugmentingClassifier", "search", "network before it"],
)
def test_semi_supervised_estimators_inside_others_get_them(half_labeled, small_net, around):
    frame, X = half_labeled
    result = cross_corpus_validate({"net": around(small_net("nan"))}, frame, X=X, aux=())
    assert result.info["unlabeled"] == {"net": [12, 12]}


def test_meta_estimators_that_learn_from_labels_get_labeled_samples_alone(half_labeled, small_net):
    frame, X = half_labeled
    calibrated = CalibratedClassifierCV(small_net("nan"), cv=2)
    with pytest.warns(EvaluationWarning, match="CalibratedClassifierCV learns from labels"):
        cross_corpus_validate({"net": calibrated}, frame, X=X, aux=())


class OwnSelector(TransformerMixin, BaseEstimator):
    """Uses labels, which only the signature of `fit_transform` shows."""

    def fit(self, X, y=None):
        return self

    def fit_transform(self, X, y):
        return self.fit(X, y).transform(X)

    def transform(self, X):
        return X


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (lambda net: make_pipeline(OwnSelector(), net), "its step 'ownselector' learns from label"),
        (lambda net: make_pipeline(Plain(), net), "its step 'plain' learns from labels"),
        (
            lambda net: GridSearchCV(
                Pipeline([("red", "passthrough"), ("net", net)]),
                {"red": ["passthrough", SelectKBest(k=1)]},
                cv=SemiSupervisedSplit(2),
            ),
            "its search tries steps for 'red' that learn from labels",
        ),
        (
            lambda net: GridSearchCV(net, {"unlabeled": [None]}, cv=SemiSupervisedSplit(2)),
            "its search sets 'unlabeled'",
        ),
        (
            lambda net: HalvingGridSearchCV(net, {"max_epochs": [1]}, cv=SemiSupervisedSplit(2)),
            "a search by halving counts the classes of y; use GridSearchCV instead",
        ),
    ],
    ids=["fit_transform", "no BaseEstimator", "candidates", "sentinel", "halving"],
)
def test_obstacles_further_inside(small_net, inside, reason):
    assert find_obstacle(inside(small_net("nan")), "nan").startswith(reason)


class Plain:
    """A step without scikit-learn's base class."""

    def fit(self, X, y):
        return self


@pytest.mark.parametrize(
    "step",
    [
        IterativeImputer(BayesianRidge()),
        RandomTreesEmbedding(),
        VarianceThreshold(),
        FunctionTransformer(),
        make_pipeline(StandardScaler(), PCA()),
        "passthrough",
    ],
    ids=lambda step: type(step).__name__,
)
def test_steps_without_labels_are_no_obstacle(small_net, step):
    assert find_obstacle(make_pipeline(step, small_net("nan")), "nan") is None
