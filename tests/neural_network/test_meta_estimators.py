"""Inside scikit-learn's own tools, with metadata routing on and off."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import MTLNeuralClassifier


class Watched(MTLNeuralClassifier):
    """Notes what reaches `fit`, in a list that survives cloning."""

    seen = []

    def fit(self, X, y, aux=None, groups=None, sample_weight=None, speaker=None):
        groups = speaker if groups is None else groups
        self.seen.append((np.asarray(X), aux, groups, sample_weight))
        return super().fit(X, y, aux=aux, groups=groups, sample_weight=sample_weight)


@pytest.fixture
def watched():
    Watched.seen.clear()
    return Watched(max_epochs=2, random_state=0)


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def check_alignment(speech, weights=None):
    """Every fit saw, row by row, what belongs to the rows of X."""
    place = {row.tobytes(): position for position, row in enumerate(speech.X)}
    for X, aux, groups, sample_weight in Watched.seen:
        rows = [place[row.tobytes()] for row in X]
        assert aux["gender"].tolist() == speech.aux["gender"].iloc[rows].tolist()
        assert np.asarray(groups).tolist() == speech.speaker[rows].tolist()
        if weights is not None:
            assert np.asarray(sample_weight).tolist() == weights[rows].tolist()
    return len(Watched.seen)


@pytest.mark.usefixtures("routing")
def test_grid_search_routes_and_slices_everything(speech, watched):
    weights = np.linspace(0.5, 1.5, 240)
    search = GridSearchCV(
        make_pipeline("passthrough", watched.set_score_request(sample_weight=True)),
        {"watched__tasks": [None, "auto"], "watched__dropout": [0.0, 0.5]},
        cv=SpeakerKFold(3),
    )
    search.fit(speech.X, speech.y, aux=speech.aux, speaker=speech.speaker, sample_weight=weights)
    assert check_alignment(speech, weights) == 4 * 3 + 1
    assert search.best_estimator_[-1].validation_split_["kind"] == "groups"


def test_grid_search_without_routing_slices_fit_params(speech, watched):
    search = GridSearchCV(
        make_pipeline("passthrough", watched),
        {"watched__dropout": [0.0, 0.5]},
        cv=KFold(3, shuffle=True, random_state=0),
    )
    search.fit(speech.X, speech.y, watched__aux=speech.aux, watched__groups=speech.speaker)
    assert check_alignment(speech) == 2 * 3 + 1


@pytest.mark.usefixtures("routing")
def test_a_scaler_is_told_whether_it_wants_weights(speech):
    model = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=False),
        MTLNeuralClassifier(max_epochs=2, random_state=0),
    )
    model.fit(
        speech.X, speech.y, aux=speech.aux, speaker=speech.speaker, sample_weight=np.ones(240)
    )
    assert model[-1].aux_classes_["gender"].tolist() == ["female", "male"]


@pytest.mark.usefixtures("routing")
def test_nested_cross_validation(speech):
    inner = GridSearchCV(
        MTLNeuralClassifier(max_epochs=2, random_state=0),
        {"dropout": [0.0, 0.5]},
        cv=SpeakerKFold(2),
    )
    scores = cross_validate(
        inner,
        speech.X,
        speech.y,
        cv=SpeakerKFold(2),
        params={"aux": speech.aux, "speaker": speech.speaker},
        error_score="raise",
    )
    assert np.isfinite(scores["test_score"]).all()


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: CalibratedClassifierCV(net, cv=3),
        lambda net: BaggingClassifier(net, n_estimators=2, random_state=0),
        lambda net: VotingClassifier([("a", net), ("b", net)], voting="soft"),
        OneVsRestClassifier,
    ],
    ids=["calibrated", "bagging", "voting", "one against the rest"],
)
def test_ensembles_and_calibration(speech, watched, wrap):
    model = wrap(watched).fit(speech.X, speech.y, aux=speech.aux, speaker=speech.speaker)
    assert check_alignment(speech) in (2, 3)
    assert model.predict_proba(speech.X).shape == (240, 3)


@pytest.mark.usefixtures("routing")
def test_stacking_with_a_final_estimator_that_takes_aux(speech):
    """As in the notes on MTLNeuralClassifier."""
    X = pd.DataFrame(speech.X, index=pd.Index(speech.speaker, name="speaker")).add_prefix("f")
    Watched.seen.clear()
    model = StackingClassifier(
        [("net", Watched(max_epochs=5, random_state=0)), ("svm", LinearSVC())],
        final_estimator=MTLNeuralClassifier(tasks=None, lr=0.01, random_state=0),
        cv=SpeakerKFold(3),
    ).fit(X, speech.y, aux=speech.aux)
    assert len(Watched.seen) == 1 + 3
    place = {row.tobytes(): position for position, row in enumerate(speech.X)}
    for rows, aux, _, _ in Watched.seen:
        expected = speech.aux["gender"].iloc[[place[row.tobytes()] for row in rows]]
        assert aux["gender"].tolist() == expected.tolist()
    assert model.named_estimators_["net"].validation_split_["kind"] == "groups"
    assert model.final_estimator_.aux_classes_ == {}
    assert model.score(X, speech.y) > 0.8


def test_stacking_without_auxiliary_targets_takes_any_final_estimator(speech):
    model = StackingClassifier(
        [("net", MTLNeuralClassifier(max_epochs=5, random_state=0)), ("svm", LinearSVC())], cv=3
    ).fit(speech.X, speech.y)
    assert model.score(speech.X, speech.y) > 0.8


@pytest.mark.usefixtures("routing")
def test_the_representation_feeds_an_svm(speech):
    model = make_pipeline(MTLNeuralClassifier(max_epochs=10, random_state=0), LinearSVC())
    model.fit(speech.X, speech.y, aux=speech.aux, speaker=speech.speaker)
    assert model.score(speech.X, speech.y) > 0.7
