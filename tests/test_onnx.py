"""Networks as ONNX files: what comes out under onnxruntime, and what is refused."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser import MTLNeuralClassifier, export_onnx
from sklearn_ser.exceptions import MissingDependencyError, SerError
from sklearn_ser.neural_network._encoders import ENCODERS

N_FEATURES = 16
PARAMS = {
    "mlp": {"encoder_params": {"residual": True}, "hidden_units": (8, 8)},
    "conformer": {"hidden_units": (8, 8)},
    "cnn_blstm": {"encoder_params": {"channels": (4, 8)}, "hidden_units": (8,)},
    "lstm": {
        "encoder_params": {"bidirectional": True, "pooling": "frames"},
        "hidden_units": (8, 6),
    },
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
    model = MTLNeuralClassifier(encoder=encoder, **given | params)
    return model.fit(rows(encoder, generator), y)


def assert_equal(model, file, encoder, dtype=np.float32):
    session = onnxruntime.InferenceSession(file.read_bytes())
    generator = np.random.default_rng(1)
    for shape in shapes(encoder):
        x = generator.normal(size=shape).astype(dtype)
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


def test_a_pipeline_is_refused(tmp_path):
    model = make_pipeline(StandardScaler(), MTLNeuralClassifier())
    message = r"export_onnx\(pipeline\[-1\], \.\.\.\): the steps before it, \['standardscaler'\]"
    with pytest.raises(SerError, match=message):
        export_onnx(model, tmp_path / "net.onnx")


def test_other_estimators_are_refused(tmp_path):
    with pytest.raises(SerError, match=r"takes a MTLNeuralClassifier, got a StandardScaler"):
        export_onnx(StandardScaler(), tmp_path / "net.onnx")


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sklearn-ser\[export\]'"):
        export_onnx(MTLNeuralClassifier(), tmp_path / "net.onnx")
