"""Rows without a label inside scikit-learn's tools: refused where they would become a class."""

import re

import numpy as np
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser.metrics import uar_scorer
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import MTLNeuralClassifier

RECODING = {
    "CalibratedClassifierCV": lambda net: CalibratedClassifierCV(net, cv=3),
    "BaggingClassifier": lambda net: BaggingClassifier(net, n_estimators=2),
    "VotingClassifier": lambda net: VotingClassifier([("a", net), ("b", LinearSVC())]),
    "StackingClassifier": lambda net: StackingClassifier(
        [("a", net)], final_estimator=LogisticRegression(), cv=KFold(3)
    ),
    "AdaBoostClassifier": lambda net: AdaBoostClassifier(net, n_estimators=2),
    "a multiclass meta-estimator": OneVsRestClassifier,
    "a multiclass meta-estimator ": OneVsOneClassifier,
}


@pytest.fixture(scope="module")
def codes(speech):
    """Labels 0, 1, 2, and -1 in two rows of five."""
    y = np.unique(speech.y, return_inverse=True)[1]
    return np.where(np.arange(240) % 5 < 2, -1, y)


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def net(**parameters):
    return MTLNeuralClassifier().set_params(
        **{"max_epochs": 2, "random_state": 0, "unlabeled": -1} | parameters
    )


def refusal(name):
    return pytest.raises(
        ValueError,
        match=re.escape(
            f"unlabeled=-1 does not work inside {name.strip()}, which recodes the labels: rows "
            "without a label would be taken for a class of their own. Fit it on labeled rows with "
            "unlabeled=None, or put the network outermost."
        ),
    )


# Neither a Pipeline nor a search takes the sample_weight that AdaBoost needs.
@pytest.mark.parametrize(
    ("name", "inner"),
    [
        *((name, "net") for name in RECODING),
        *(
            (name, inner)
            for name in RECODING
            for inner in ("pipeline", "search")
            if "Ada" not in name
        ),
    ],
)
def test_refused_by_name(speech, codes, name, inner):
    wrapped = net()
    if inner == "pipeline":
        wrapped = make_pipeline(StandardScaler(), wrapped)
    elif inner == "search":
        wrapped = GridSearchCV(wrapped, {"dropout": [0.5]}, cv=KFold(2), error_score="raise")
    with refusal(name):
        RECODING[name](wrapped).fit(speech.X, codes)


@pytest.mark.parametrize("name", [name for name in RECODING if "Ada" not in name])
def test_refused_in_workers_too(speech, codes, name):
    """Where the stack begins with what the meta-estimator runs there, in threads as elsewhere."""
    expected = name
    if name in ("VotingClassifier", "StackingClassifier"):
        expected = "VotingClassifier or StackingClassifier"
    with parallel_config(backend="threading"), refusal(expected):
        RECODING[name](net()).set_params(n_jobs=2).fit(speech.X, codes)


@pytest.mark.slow
def test_refused_in_processes_too(speech, codes):
    with refusal("VotingClassifier or StackingClassifier"):
        RECODING["VotingClassifier"](net()).set_params(n_jobs=2).fit(speech.X, codes)


@pytest.mark.parametrize("wrap", [MultiOutputClassifier, ClassifierChain])
def test_refused_with_several_outputs(speech, codes, wrap):
    with refusal("a multioutput meta-estimator"):
        wrap(net()).fit(speech.X, np.column_stack([codes, codes]))


def test_refused_inside_an_evaluation_of_them(speech, codes):
    with refusal("VotingClassifier"):
        cross_validate(
            RECODING["VotingClassifier"](net()), speech.X, codes, cv=KFold(2), error_score="raise"
        )


def test_a_network_that_was_fitted_before_may_be_calibrated(speech, codes):
    fitted = net().fit(speech.X, codes)
    known = codes >= 0
    model = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(speech.X[known], codes[known])
    assert model.predict_proba(speech.X).shape == (240, 3)
    # Without unlabeled rows, nothing is refused.
    model = CalibratedClassifierCV(net(unlabeled=None), cv=2).fit(speech.X[known], codes[known])
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("marker", [-1, "nan"])
def test_supported_where_labels_are_left_alone(speech, codes, marker):
    """With a splitter object; rows without a label count in no score."""
    known = codes >= 0
    y = codes if marker == -1 else np.where(known, codes, np.nan)
    scoring = None if marker == -1 else uar_scorer
    pipeline = make_pipeline(StandardScaler(), net(unlabeled=marker))
    direct = net().fit(StandardScaler().fit_transform(speech.X), codes, groups=speech.speaker)
    pipeline.fit(speech.X, y, speaker=speech.speaker)
    assert pipeline[-1]._weights == direct._weights
    grid = {"mtlneuralclassifier__dropout": [0.1, 0.5]}
    metadata = {"aux": speech.aux, "speaker": speech.speaker}
    given = {"cv": SpeakerKFold(2), "scoring": scoring, "error_score": "raise"}
    for search in (
        GridSearchCV(pipeline, grid, **given),
        RandomizedSearchCV(pipeline, grid, n_iter=2, random_state=0, **given),
    ):
        search.fit(speech.X, y, **metadata)
        assert search.classes_.tolist() == [0, 1, 2]
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    _, train, test = learning_curve(
        net(unlabeled=marker), speech.X, y, params=metadata, train_sizes=[0.5, 1.0], **given
    )
    assert np.isfinite([train, test]).all()
    found = cross_validate(
        net(unlabeled=marker),
        speech.X,
        y,
        params=metadata,
        return_estimator=True,
        return_indices=True,
        **given,
    )
    folds = zip(found["estimator"], found["indices"]["test"], found["test_score"], strict=True)
    for model, rows, score in folds:
        rows = rows[known[rows]]
        right = model.predict(speech.X[rows]) == codes[rows]
        expected = (
            right.mean()
            if scoring is None
            else np.mean([right[codes[rows] == label].mean() for label in range(3)])
        )
        assert score == pytest.approx(expected)


def test_the_score_leaves_rows_without_a_label_out(speech, codes):
    model = net().fit(speech.X, codes)
    known = codes >= 0
    weights = np.linspace(0, 1, 240)
    right = model.predict(speech.X) == codes
    assert model.score(speech.X, codes) == right[known].mean()
    assert model.score(speech.X, codes, sample_weight=weights) == pytest.approx(
        np.average(right[known], weights=weights[known])
    )
    assert np.isnan(model.score(speech.X, np.full(240, -1)))
    # Where -1 marks nothing, it is a label that the network does not know.
    assert model.set_params(unlabeled=None).score(speech.X, codes) == right.mean()


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("unlabeled", [-1, "nan"])
def test_cross_val_predict_of_probabilities_is_refused(speech, unlabeled, n_jobs):
    labels = np.unique(speech.y, return_inverse=True)[1] + 1.0
    y = np.where(np.arange(240) % 4 == 0, -1 if unlabeled == -1 else np.nan, labels)
    net = MTLNeuralClassifier(unlabeled=unlabeled, tasks=None, max_epochs=1, random_state=0)
    given = {"cv": SpeakerKFold(2), "groups": speech.speaker, "n_jobs": n_jobs}
    text = r"does not work inside cross_val_predict\(method='predict_proba'\), which recodes"
    with pytest.raises(ValueError, match=text):
        cross_val_predict(net, speech.X, y, method="predict_proba", **given)
    assert set(cross_val_predict(net, speech.X, y, **given)) <= {1.0, 2.0, 3.0}
