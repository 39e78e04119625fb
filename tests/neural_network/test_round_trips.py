"""Round trips of fitted estimators through pickle, joblib and model files."""

import io
import pickle
from copy import copy

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from sklearn_ser import load_model, save_model
from sklearn_ser.exceptions import ModelFileError, SerError
from sklearn_ser.neural_network import (
    ClassificationTask,
    ConsistencyTask,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
    RegressionTask,
)
from tests.conftest import ENCODERS

OBJECTS = {
    "gender": ClassificationTask(label_smoothing=0.1, class_weight={"female": 2.0, "male": 1.0}),
    "energy": RegressionTask(column="arousal", loss="ccc", weight=0.2),
    "speaker": DomainAdversarialTask(hidden_units=(6,), strength=0.5),
    "rebuilt": ReconstructionTask(hidden_units=[5], target="augmented"),
    "clusters": ContrastiveTask(across="gender", n_components=7),
}
NAMES = {
    "gender": "classification",
    "arousal": "ccc",
    "speaker": "adversarial",
    "rebuilt": "reconstruction",
    "clusters": "contrastive",
}
CASES = {
    "task objects": {"tasks": OBJECTS, "perturbation__noise": 0.1},
    "short names": {"tasks": NAMES},
    "automatic tasks": {"tasks": "auto"},
    "one task": {"tasks": None},
    "ensemble": {"tasks": NAMES, "n_estimators": 3, "calibrate": True},
    "uncertainty": {"tasks": NAMES, "loss_weighting": "uncertainty"},
    "pcgrad": {"tasks": NAMES, "loss_weighting": "pcgrad"},
    "double precision": {"tasks": NAMES, "compute__dtype": "float64"},
    "averaged": {
        "optimization__weight_averaging": "ema",
        "perturbation__mixup_alpha": 0.2,
        "validation__refit": True,
    },
    "settings": {
        "y_task__class_weight": {"anger": 2.0, "neutral": 1.0, "sadness": 1.0},
        "hidden_units": np.array([6, 4]),
        "random_state": np.random.RandomState(3),
    },
}


def through_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model, folder):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def through_model_file(model, folder):
    save_model(model, folder / "m.ser")
    return load_model(folder / "m.ser")


WAYS = [through_pickle, through_joblib, through_model_file]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@pytest.fixture(scope="module")
def aux(speech):
    return speech.aux.assign(speaker=speech.speaker)


def make(**params):
    given = {"hidden_units": (8,), "max_epochs": 2, "batch_size": 120, "random_state": 0}
    return MTLNeuralClassifier().set_params(**given | params)


def assert_same(loaded, model, X):
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert np.array_equal(loaded.transform(X), model.transform(X))
    pd.testing.assert_frame_equal(loaded.predict_aux(X), model.predict_aux(X))
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    pd.testing.assert_frame_equal(loaded.members_, model.members_)
    assert loaded.validation_split_ == model.validation_split_
    assert repr(loaded.tasks) == repr(model.tasks)
    assert loaded.get_params().keys() == model.get_params().keys()


@pytest.mark.parametrize("params", CASES.values(), ids=CASES)
def test_everything_comes_back(speech, aux, tmp_path, params):
    model = make(**params).fit(speech.X, speech.y, aux=aux, groups=speech.speaker)
    for way in WAYS:
        assert_same(way(model, tmp_path), model, speech.X)


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - {"mlp"}))
def test_encoders_of_frames(frames, tmp_path, encoder):
    # All of one length, as "layers" asks for, with bands enough for "cnn_blstm".
    X = [np.resize(sequence, (6, 16)) for sequence in frames.sequences[:60]]
    params = {"encoder_params": {"pooling": "frames"}} if encoder == "lstm" else {}
    model = make(encoder=encoder, tasks={"rebuilt": "reconstruction"}, **params)
    model.partial_fit(X, frames.y[:60], classes=np.unique(frames.y))
    for way in WAYS:
        loaded = way(model, tmp_path)
        assert_same(loaded, model, X)
        assert loaded._states == model._states


def test_unlabeled_rows(speech, aux, tmp_path):
    y = speech.y.astype(object)
    y[::4] = np.nan
    tasks = {"gender": "auto", "pseudo": ConsistencyTask(threshold=0.0, start=0.0)}
    model = make(unlabeled="nan", tasks=tasks, perturbation__noise=0.5)
    model.fit(speech.X, y, aux=aux, groups=speech.speaker)
    for way in WAYS:
        assert_same(way(model, tmp_path), model, speech.X)


@ways
def test_one_that_was_interrupted(speech, tmp_path, way):
    class CtrlC(Callback):
        epochs = 0

        def on_epoch_begin(self, net, **_):
            self.epochs += 1
            if self.epochs == 4:  # in the second network
                raise KeyboardInterrupt

    model = make(n_estimators=3, callbacks=[CtrlC()])
    with pytest.warns(match="interrupted"), pytest.raises(KeyboardInterrupt):
        model.fit(speech.X, speech.y, groups=speech.speaker)
    model.set_params(callbacks=None)
    assert_same(way(model, tmp_path), model, speech.X)


@ways
@pytest.mark.parametrize("loss_weighting", ["fixed", "uncertainty", "pcgrad"])
def test_training_goes_on_as_if_nothing_had_happened(speech, aux, tmp_path, way, loss_weighting):
    model = make(tasks=OBJECTS, loss_weighting=loss_weighting, n_estimators=2)
    classes = np.unique(speech.y)
    for _ in range(2):
        model.partial_fit(speech.X, speech.y, classes=classes, aux=aux)
    loaded = way(model, tmp_path)
    for each in (model, loaded):
        each.partial_fit(speech.X[:150], speech.y[:150], aux=aux[:150])
    assert loaded._weights == model._weights
    assert loaded._states == model._states
    assert_same(loaded, model, speech.X)


@ways
def test_warm_start_goes_on_too(speech, aux, tmp_path, way):
    model = make(warm_start=True).fit(speech.X, speech.y, aux=aux, groups=speech.speaker)
    loaded = way(model, tmp_path)
    for each in (model, loaded):
        each.fit(speech.X[:180], speech.y[:180], aux=aux[:180], groups=speech.speaker[:180])
    assert_same(loaded, model, speech.X)


@pytest.mark.parametrize("weights", [0.3, 0.0])
def test_further_training_with_a_task_left_out_restarts_its_steps(speech, aux, weights):
    model = make(tasks={"gender": "classification"}, loss_weighting="uncertainty")
    classes = np.unique(speech.y)
    model.partial_fit(speech.X, speech.y, classes=classes, aux=aux)
    model.set_params(tasks__gender__weight=weights)
    model.partial_fit(speech.X, speech.y, aux=aux)
    assert (model.history_["weight_gender"].iloc[-1] > 0) == (weights > 0)


class Watch(Callback):
    """Knows how often it was called."""

    calls_ = 0

    def on_epoch_end(self, net, **_):
        self.calls_ += 1


def test_callbacks_stay_out_of_a_model_file_only(speech, tmp_path):
    watch = Watch()
    model = make(callbacks=[watch], validation__refit=False).fit(speech.X, speech.y)
    assert watch.calls_ == 2
    assert through_pickle(model, tmp_path).callbacks[0].calls_ == 2
    search = GridSearchCV(model, {"dropout": [0.1]}, cv=2, n_jobs=1).fit(speech.X, speech.y)
    for saved, found in (
        (model, lambda loaded: [loaded]),
        (
            make_pipeline(StandardScaler(), model).fit(speech.X, speech.y),
            lambda loaded: loaded[-1:],
        ),
        (search, lambda loaded: [loaded.estimator, loaded.best_estimator_]),
    ):
        loaded = through_model_file(saved, tmp_path)
        assert [net.callbacks for net in found(loaded)] == [None] * len(found(loaded))
        assert np.array_equal(loaded.predict_proba(speech.X), saved.predict_proba(speech.X))
    assert model.callbacks == [watch]
    assert search.estimator.callbacks == [watch]


@ways
def test_a_search_over_tasks_in_a_pipeline(speech, aux, tmp_path, way):
    model = make_pipeline(StandardScaler(), make(tasks={"gender": "adversarial"}))
    search = GridSearchCV(
        model,
        {
            "mtlneuralclassifier__tasks__gender__strength": [0.1, 1.0],
            "mtlneuralclassifier__tasks": [{"gender": DomainAdversarialTask()}],
        },
        cv=3,
    )
    search.fit(speech.X, speech.y, mtlneuralclassifier__aux=aux)
    loaded = way(search, tmp_path)
    assert repr(loaded.best_params_) == repr(search.best_params_)
    assert_same(loaded.best_estimator_[-1], search.best_estimator_[-1], speech.X)
    assert np.array_equal(loaded.predict(speech.X), search.predict(speech.X))


class Narrow(nn.Module):
    def __init__(self, n_features, width=3):
        super().__init__()
        self.layer = nn.Linear(n_features, width)

    def forward(self, x):
        return self.layer(x)


def test_a_custom_encoder_comes_back_where_its_name_is_trusted(speech, tmp_path):
    model = make(encoder=Narrow, encoder_params={"width": 4}).fit(speech.X, speech.y)
    assert_same(through_pickle(model, tmp_path), model, speech.X)
    save_model(model, tmp_path / "m.ser")
    name = f"{__name__}.Narrow"
    with pytest.raises(ModelFileError, match=rf"'{name}', which is not trusted.*trusted=\['{name}"):
        load_model(tmp_path / "m.ser")
    assert_same(load_model(tmp_path / "m.ser", trusted=[name]), model, speech.X)
    other = copy(model)
    other._architecture = model._architecture | {"encoder_params": {"width": 5}}
    with pytest.raises(ModelFileError, match=r"size mismatch for encoder\.module\.layer"):
        save_model(other, tmp_path / "m.ser")
    for architecture, text in (
        (
            model._architecture | {"encoder": StandardScaler},
            r"encoder is <class .*StandardScaler'>, not a class of torch",
        ),
        ({"encoder": Narrow}, r"its architecture must have \['activation', "),
    ):
        state = model.__getstate__() | {"_architecture": architecture}
        with pytest.raises(SerError, match=f"damaged: {text}"):
            MTLNeuralClassifier().__setstate__(state)
