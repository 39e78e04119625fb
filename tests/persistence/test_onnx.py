"""Export of networks to ONNX: output under onnxruntime, and errors."""

import copy
import json
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_ser import MTLNeuralClassifier
from sklearn_ser.exceptions import MissingDependencyError, ModelFileError, SerError
from sklearn_ser.persistence import export_onnx
from tests.conftest import ENCODERS

N_FEATURES = 16
PARAMS = {
    "mlp": {"encoder_params": {"residual": True}, "hidden_units": (8, 8)},
    "conformer": {"hidden_units": (8, 8)},
    "cnn_blstm": {"encoder_params": {"channels": (4, 8)}, "hidden_units": (8,)},
    "lstm": {
        "encoder_params": {"bidirectional": True, "pooling": "frames"},
        "hidden_units": (8, 6),
        "compute__dtype": "float64",
    },
    "frame_dnn": {"activation": "gelu", "compute__dtype": "float64"},
}


def rows(encoder, generator, n_rows=24):
    """Training rows of the kind that an encoder takes."""
    if encoder == "mlp":
        return generator.normal(size=(n_rows, N_FEATURES)).astype(np.float32)
    if encoder == "layers":
        return generator.normal(size=(n_rows, 4, N_FEATURES)).astype(np.float32)
    return [
        generator.normal(size=(20 + row % 7, N_FEATURES)).astype(np.float32)
        for row in range(n_rows)
    ]


def shapes(encoder):
    """Shapes to ask for, none of them that of training."""
    if encoder == "mlp":
        return [(1, N_FEATURES), (7, N_FEATURES)]
    if encoder == "layers":
        return [(1, 4, N_FEATURES), (7, 4, N_FEATURES)]
    return [(batch, time, N_FEATURES) for batch, time in ((1, 1), (3, 2), (1, 5), (2, 101))]


def fit(encoder, **params):
    generator = np.random.default_rng(0)
    y = np.tile(["anger", "neutral", "sadness"], 8)
    given = {"hidden_units": (8,), "max_epochs": 1, "random_state": 0, **PARAMS.get(encoder, {})}
    model = MTLNeuralClassifier().set_params(encoder=encoder, **given | params)
    return model.fit(rows(encoder, generator), y)


def assert_equal(model, file, encoder):
    session = onnxruntime.InferenceSession(file.read_bytes())
    generator = np.random.default_rng(1)
    for shape in shapes(encoder):
        x = generator.normal(size=shape).astype(np.float32)
        probabilities, representation = session.run(None, {"x": x})
        same = x if encoder == "mlp" else list(x)
        np.testing.assert_allclose(probabilities, model.predict_proba(same), atol=1e-5)
        np.testing.assert_allclose(representation, model.transform(same), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_onnxruntime_gives_the_same_for_any_length_and_number(tmp_path, encoder):
    model = fit(encoder)
    assert_equal(model, export_onnx(model, tmp_path / "net.onnx"), encoder)


@pytest.mark.slow
def test_ensembles_temperatures_and_what_the_file_says(tmp_path):
    model = fit("mlp", n_estimators=3)
    model._temperatures = [0.5, 2.0, 3.0]
    file = export_onnx(model, str(tmp_path / "net.onnx"))
    assert_equal(model, file, "mlp")
    said = {entry.key: json.loads(entry.value) for entry in onnx.load(file).metadata_props
            if entry.key in ("classes", "features")}  # fmt: skip
    assert said == {"classes": ["anger", "neutral", "sadness"], "features": []}


@pytest.mark.slow
def test_a_temperature_of_a_network_of_frames(tmp_path):
    model = fit("lstm")
    model._temperatures = [2.5]
    assert_equal(model, export_onnx(model, tmp_path / "net.onnx"), "lstm")


class Own(nn.Module):
    """An encoder of a user's own: the mean of a layer over the frames."""

    on_frames = True

    def __init__(self, n_features):
        super().__init__()
        self.layer = nn.Linear(n_features, 4)

    def forward(self, x, lengths):
        there = (torch.arange(x.shape[1]) < lengths[:, None])[:, :, None]
        return (self.layer(x) * there).sum(dim=1) / lengths[:, None]


class OfOneLength(Own):
    """One that says something else for every length, which no exporter can follow."""

    def forward(self, x, lengths):
        return super().forward(x, lengths) * float(np.int64(x.shape[1]))


@pytest.mark.slow
def test_custom_encoders(tmp_path):
    model = fit(Own)
    assert_equal(model, export_onnx(model, tmp_path / "net.onnx"), "attention")
    message = r"the encoder 'OfOneLength' cannot be exported to ONNX: for an input of shape \(1, 1"
    with pytest.raises(SerError, match=message):
        export_onnx(fit(OfOneLength), tmp_path / "other.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.slow
def test_names_of_features_and_no_trace_of_the_export(tmp_path):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["f0", "jitter", "hnr"])
    model = MTLNeuralClassifier(max_epochs=1, random_state=0).fit(X, np.arange(30) % 2)
    state, generator = model.__getstate__(), torch.get_rng_state()
    (tmp_path / "net.onnx").write_text("an old one")
    proto = onnx.load(export_onnx(model, tmp_path / "net.onnx"))
    said = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(said["features"]) == ["f0", "jitter", "hnr"]
    assert json.loads(said["classes"]) == [0, 1]
    assert proto.producer_name == "sklearn_ser"
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(model.__dict__[name] is value for name, value in state.items())


@pytest.mark.parametrize(
    ("place", "text"),
    [(".", "this is a folder"), ("nowhere/net.onnx", r"there is no folder '.*nowhere'")],
)
def test_paths_that_cannot_be_written_raise_first(tmp_path, place, text):
    with pytest.raises(ModelFileError, match=f"cannot write .*: {text}"):
        export_onnx(fit("mlp"), tmp_path / place)


def test_it_is_compared_on_the_cpu_wherever_the_network_runs(tmp_path):
    """GPUs round products to ten bits; compared to these, every file would fail."""
    model = fit("mlp")
    with_gpu = copy.copy(model).set_params(device="cuda")
    file = export_onnx(with_gpu, tmp_path / "net.onnx")
    assert with_gpu.device == "cuda"
    assert_equal(model, file, "mlp")


def test_only_fitted_networks(tmp_path):
    with pytest.raises(NotFittedError, match="This MTLNeuralClassifier instance is not fitted yet"):
        export_onnx(MTLNeuralClassifier(), tmp_path / "net.onnx")


def test_a_pipeline_raises(tmp_path):
    model = make_pipeline(StandardScaler(), MTLNeuralClassifier())
    message = r"export_onnx\(pipeline\[-1\], \.\.\.\)\. The steps before it, \['standardscaler'\]"
    with pytest.raises(SerError, match=message):
        export_onnx(model, tmp_path / "net.onnx")


def test_other_estimators_raise(tmp_path):
    with pytest.raises(SerError, match=r"expects an MTLNeuralClassifier, got a StandardScaler\.$"):
        export_onnx(StandardScaler(), tmp_path / "net.onnx")
    search = GridSearchCV(DummyClassifier(), {}, cv=2).fit(np.zeros((4, 1)), [0, 1, 0, 1])
    with pytest.raises(SerError, match=r"GridSearchCV\. Of a search, export best_estimator_\.$"):
        export_onnx(search, tmp_path / "net.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_without_the_extra_it_is_named(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"needs the package '{package}', .* pip install 'sklearn-ser\[export\]'"
    with pytest.raises(MissingDependencyError, match=message):
        export_onnx(MTLNeuralClassifier(), tmp_path / "net.onnx")


def test_classes_that_json_cannot_hold_raise(tmp_path):
    y = np.repeat(np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"), 20)
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    model = MTLNeuralClassifier(tasks=None, max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(SerError, match="the classes of this network are date, which an ONNX file"):
        export_onnx(model, tmp_path / "a.onnx")
