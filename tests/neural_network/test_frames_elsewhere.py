"""Networks of frame sequences at rest, in threads, processes, searches and pipelines."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline

from sklearn_ser import load_model, save_model
from sklearn_ser.exceptions import SerError
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.preprocessing import FrameScaler
from tests.conftest import make_frames_table

ENCODERS = ["attention", "layers"]


def net(**parameters):
    return MTLNeuralClassifier().set_params(
        **({"hidden_units": (8,), "max_epochs": 3, "random_state": 0} | parameters)
    )


def input_for(encoder, frames):
    """The frames; for "layers" the first three of each sequence."""
    if encoder == "attention":
        return frames.X
    cells = [sequence[:3] for sequence in frames.sequences]
    return make_frames_table(cells, frames.X.index, frames.X.attrs["frame_features"])


@pytest.fixture(scope="module", params=ENCODERS)
def fitted(request, frames):
    """Network and X. Do not fit again."""
    X = input_for(request.param, frames)
    return net(encoder=request.param).fit(X, frames.y, aux=frames.aux), X


def through_a_file(model, folder):
    path = folder / "model.ser"
    save_model(model, path)
    return load_model(path)


def assert_same(model, other, X):
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    assert np.array_equal(model.transform(X), other.transform(X))
    assert model.feature_names_in_.tolist() == other.feature_names_in_.tolist()
    if model.encoder == "layers":
        assert np.array_equal(model.layer_weights_, other.layer_weights_)


def test_copies_and_files_predict_the_same(fitted, tmp_path):
    model, X = fitted
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_same(copied, model, X)
    loaded = through_a_file(make_pipeline("passthrough", model), tmp_path)
    assert_same(loaded[-1], model, X)
    assert b"torch" not in pickle.dumps(model)


def architecture(**changes):
    return lambda state: {"_architecture": state["_architecture"] | changes}


@pytest.mark.parametrize(
    ("encoder", "change", "text"),
    [
        ("attention", architecture(n_layers=3), "_architecture is .*, not a dict of"),
        ("attention", architecture(encoder="layers"), "not a dict of .*'n_layers'"),
        (
            "attention",
            architecture(encoder="mlp"),
            "encoder_params is .*, it must have .'residual'",
        ),
        (
            "attention",
            architecture(encoder="mlp", encoder_params={"residual": False}),
            "in its weights and absent in",
        ),
        ("attention", architecture(hidden_units=[9]), r"\(8,\)\) in its weights and .*\(9,\)"),
        ("attention", architecture(hidden_units=[10**9]), "too large for"),
        (
            "layers",
            architecture(n_layers=10**9),
            r"n_layers is 1000000000, too large for \d+ bytes",
        ),
        ("layers", architecture(n_layers=4), r"'encoder.layer_scores' is \('F32', \(3,\)\) in its"),
        ("layers", architecture(n_layers="3"), r"\['n_layers'\] is '3', not a positive integer"),
        ("layers", architecture(n_layers=True), r"\['n_layers'\] is True, not a positive integer"),
        ("layers", architecture(n_features=4), r"\(8, 5\)\) in its weights and .*\(8, 4\)"),
    ],
)
def test_a_damaged_state_raises(frames, encoder, change, text):
    model = net(encoder=encoder, max_epochs=1).fit(input_for(encoder, frames), frames.y)
    state = model.__getstate__()
    with pytest.raises(SerError, match=f"the state of the neural network is damaged: .*{text}"):
        MTLNeuralClassifier().__setstate__({**state, **change(state)})


@pytest.mark.parametrize("encoder", ENCODERS)
def test_fits_repeat_bit_for_bit_wherever_they_run(frames, encoder):
    X = input_for(encoder, frames)

    def weights(seed):
        model = net(encoder=encoder, random_state=seed)
        return model.fit(X, frames.y, aux=frames.aux)._weights[0]

    in_a_row = [weights(seed) for seed in range(3)]
    assert len(set(in_a_row)) == 3
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(weights, range(3))) == in_a_row
    assert Parallel(2)(delayed(weights)(seed) for seed in range(2)) == in_a_row[:2]


def test_global_generators_are_not_read(frames):
    before = torch.get_rng_state()
    net().fit(frames.X, frames.y).predict(frames.X)
    assert torch.equal(torch.get_rng_state(), before)


class Halved(TransformerMixin, BaseEstimator):
    """A step that gives frames, as audio steps and scalers of frames do."""

    def __init__(self, *, by=2.0):
        self.by = by

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        cells = [sequence / self.by for sequence in X["frames"]]
        return make_frames_table(cells, X.index, X.attrs["frame_features"])

    def __sklearn_is_fitted__(self):
        return True


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_in_a_search_over_a_pipeline(frames, n_jobs):
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            make_pipeline(
                Halved(), net(encoder="attention", max_epochs=15, batch_size=16, lr=0.01)
            ),
            {"halved__by": [1.0, 2.0], "mtlneuralclassifier__hidden_units": [(8,), (8, 8)]},
            cv=SpeakerKFold(3),
            n_jobs=n_jobs,
        ).fit(frames.X, frames.y, aux=frames.aux, speaker=frames.speaker)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores.max() > 0.5
    assert search.best_estimator_[-1].validation_split_["kind"] == "groups"
    assert search.predict(frames.X.iloc[:3]).shape == (3,)


def test_a_pipeline_tells_the_names_of_the_representation(frames):
    pipeline = make_pipeline(FrameScaler(), MTLNeuralClassifier(max_epochs=1, hidden_units=(2,)))
    names = pipeline.fit(frames.X, frames.y).get_feature_names_out()
    assert list(names) == [f"mtlneuralclassifier{i}" for i in range(4)]
    net = pipeline[-1]
    assert list(net.get_feature_names_out(list("vwxyz"))) == list(names)
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        net.get_feature_names_out(["frame"])
    assert len(net.fit(frames.sequences, frames.y).get_feature_names_out(["frames"])) == 4


def test_cross_val_predict_slices_every_form(frames):
    cells = np.empty(120, dtype=object)
    cells[:] = frames.sequences
    predicted = [
        cross_val_predict(net(), X, frames.y, cv=SpeakerKFold(3), groups=frames.speaker).tolist()
        for X in (frames.X, frames.sequences, cells, frames.X["frames"])
    ]
    assert predicted[1:] == predicted[2:] + predicted[1:2]
    # The table carries speakers, by which early stopping holds out rows.
    assert np.mean(np.array(predicted[0]) == predicted[3]) > 0.5
