"""Unlabeled samples of y inside scikit-learn's meta-estimators and searches."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
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
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.metrics import uar_scorer
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import MTLNeuralClassifier

NONE_UNLABELED = r"^unlabeled=-1 is set, and y does not contain -1: all samples count as labeled\."

#: Meta-estimators that encode y, which turns -1 into a class.
ENCODING = {
    "bagging": lambda net: BaggingClassifier(net, n_estimators=2),
    "voting": lambda net: VotingClassifier([("a", net), ("b", LinearSVC())]),
    "stacking": lambda net: StackingClassifier(
        [("a", net)], final_estimator=LogisticRegression(), cv=KFold(3)
    ),
    "one-vs-rest": OneVsRestClassifier,
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


@pytest.mark.parametrize("name", ENCODING)
def test_warns_inside_meta_estimators_that_encode_labels(speech, codes, name):
    with pytest.warns(TrainingWarning, match=NONE_UNLABELED):
        ENCODING[name](net()).fit(speech.X, codes)


def test_warns_once_per_fit_and_not_in_partial_fit(speech, codes):
    labeled = codes >= 0
    X, y = speech.X[labeled], codes[labeled]
    with pytest.warns(TrainingWarning, match=NONE_UNLABELED) as caught:
        model = net(n_estimators=2, warm_start=True).fit(X, y, groups=speech.speaker[labeled])
    assert len(caught) == 1
    assert "set unlabeled=None to avoid this warning" in str(caught[0].message)
    # A call of partial_fit may well have no unlabeled sample.
    model.partial_fit(X, y)
    model.fit(speech.X, codes)
    net(unlabeled="nan").fit(X, y)


def test_a_fitted_network_can_be_calibrated(speech, codes):
    fitted = net().fit(speech.X, codes)
    known = codes >= 0
    model = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(speech.X[known], codes[known])
    assert model.predict_proba(speech.X).shape == (240, 3)
    model = CalibratedClassifierCV(net(unlabeled=None), cv=2).fit(speech.X[known], codes[known])
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("marker", [-1, "nan"])
def test_searches_and_validation_with_unlabeled_samples(speech, codes, marker):
    """With a splitter object; unlabeled samples count in no score."""
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


def test_score_ignores_unlabeled_samples(speech, codes):
    model = net().fit(speech.X, codes)
    known = codes >= 0
    weights = np.linspace(0, 1, 240)
    right = model.predict(speech.X) == codes
    assert model.score(speech.X, codes) == right[known].mean()
    assert model.score(speech.X, codes, sample_weight=weights) == pytest.approx(
        np.average(right[known], weights=weights[known])
    )
    assert np.isnan(model.score(speech.X, np.full(240, -1)))
    # With unlabeled=None, -1 is a label that the network does not know.
    assert model.set_params(unlabeled=None).score(speech.X, codes) == right.mean()


def test_cross_val_predict(speech):
    y = np.unique(speech.y, return_inverse=True)[1] + 1.0
    y[::4] = np.nan
    given = {"cv": SpeakerKFold(2), "groups": speech.speaker}
    assert set(cross_val_predict(net(unlabeled="nan"), speech.X, y, **given)) <= {1.0, 2.0, 3.0}
