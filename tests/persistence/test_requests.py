"""Model files of estimators with metadata requests."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser import MTLNeuralClassifier, uar_scorer
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures
from sklearn_ser.persistence import load_model, save_model

X, y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def requests_of(model, method="fit"):
    return getattr(model.get_metadata_routing(), method).requests


def owners_of(model):
    request = model._metadata_request
    return [request.owner, request.fit.owner, request.score.owner]


def through_file(model, tmp_path):
    save_model(model, tmp_path / "m.ser")
    return load_model(tmp_path / "m.ser")


def test_pipeline_with_requests_is_saved_and_usable(tmp_path):
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    model = make_pipeline(scaler, ELMClassifier(random_state=0)).fit(X, y)
    loaded = through_file(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert requests_of(loaded[0]) == {"sample_weight": False}
    weights = np.linspace(0.1, 1.0, len(y))
    again, expected = (
        clone(each).fit(X, y, sample_weight=weights).predict_proba(X) for each in (loaded, model)
    )
    np.testing.assert_array_equal(again, expected)


def test_what_saving_does_not_change(tmp_path):
    model = StandardScaler().set_fit_request(sample_weight=False).fit(X)
    cloned = clone(model).fit(X)
    before = owners_of(cloned)
    save_model(cloned, tmp_path / "m.ser")
    assert all(now is then for now, then in zip(owners_of(cloned), before, strict=True))
    assert owners_of(load_model(tmp_path / "m.ser")) == ["StandardScaler"] * 3


def test_owners_are_restored_after_an_error(tmp_path):
    scaler = StandardScaler().set_fit_request(sample_weight=False).fit(X)
    scaler.extra = compile("1", "x", "eval")
    with pytest.raises(Exception, match="the model cannot be saved to a file"):
        save_model(scaler, tmp_path / "m.ser")
    assert owners_of(scaler) == [scaler] * 3


def test_search_of_a_network_with_requests_and_a_scorer_with_weights(tmp_path):
    net = MTLNeuralClassifier(max_epochs=1, random_state=0).set_score_request(sample_weight=True)
    net.set_fit_request(aux=False)
    scorer = uar_scorer.set_score_request(sample_weight=True)
    search = GridSearchCV(net, {"dropout": [0.1, 0.2]}, cv=2, scoring=scorer)
    search.fit(X, y, sample_weight=np.ones(len(y)))
    loaded = through_file(search, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))
    found = loaded.best_estimator_
    assert requests_of(found) == requests_of(net)
    assert requests_of(found, "score") == {"sample_weight": True}
    assert "sample_weight" in loaded.scorer_.get_metadata_routing().score.requests


def test_requests_within_a_meta_estimator(tmp_path):
    frames = np.repeat(X[:, None], 3, axis=1)
    net = MTLNeuralClassifier(
        encoder="frame_dnn", hidden_units=(4,), max_epochs=1, random_state=0
    ).set_fit_request(sample_weight=False)
    model = HighLevelFeatures(net).fit(frames, y)
    loaded = through_file(model, tmp_path)
    np.testing.assert_array_equal(loaded.transform(frames), model.transform(frames))
    assert requests_of(loaded.estimator)["sample_weight"] is False


def test_errors_of_a_loaded_model_name_its_class(tmp_path):
    scaler = StandardScaler().set_partial_fit_request(sample_weight=True).fit(X)
    model = make_pipeline(through_file(scaler, tmp_path), ELMClassifier())
    with pytest.raises(UnsetMetadataPassedError, match=r"StandardScaler\.fit"):
        model.fit(X, y, sample_weight=np.ones(len(y)))
