"""Networks on a GPU (on the CPU with SKLEARN_SER_GPU_TESTS=cpu)."""

import os
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from torch import nn

from sklearn_ser import LogMelSpectrogram, load_model, save_model
from sklearn_ser.neural_network import (
    AdversarialTraining,
    BatchSpecAugment,
    ClassificationTask,
    ConsistencyTask,
    ContrastiveTask,
    DomainAdversarialTask,
    ELMClassifier,
    HighLevelFeatures,
    MTLNeuralClassifier,
    PseudoLabels,
    ReconstructionTask,
)
from sklearn_ser.neural_network._module import build_module
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.encoders._registry import ENCODERS, takes_frames
from sklearn_ser.preprocessing import FrameScaler
from sklearn_ser.robustness import adversarial_robustness

N_ROWS, N_FEATURES = 72, 8


class OwnRows(nn.Module):
    """With what takes its chance from torch's global generators, and its buffers along."""

    def __init__(self, n_features):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3)
        )

    def forward(self, x):
        return self.layers(x)


class OwnFrames(nn.Module):
    on_frames = True

    def __init__(self, n_features):
        super().__init__()
        self.layer = nn.Linear(n_features, 6)

    def forward(self, x, lengths):
        there = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        return (self.layer(x) * there[:, :, None]).sum(dim=1) / lengths[:, None]


KINDS = {
    **{name: {"encoder": name} for name in ENCODERS},
    "residual": {"encoder": "mlp", "encoder_params": {"residual": True}, "hidden_units": (8, 8)},
    "frame_dnn mean": {"encoder": "frame_dnn", "encoder_params": {"pooling": "mean"}},
    "lstm frames": {
        "encoder": "lstm",
        "encoder_params": {"pooling": "frames", "bidirectional": True},
    },
    "lstm last": {"encoder": "lstm", "encoder_params": {"bidirectional": True}},
    "own rows": {"encoder": OwnRows},
    "own frames": {"encoder": OwnFrames},
}
#: Whose kernels, cuDNN's and attention's, may add in an order of chance on a GPU.
OF_LIBRARIES = ("lstm", "lstm frames", "lstm last", "cnn_blstm", "conformer")
#: One that takes rows, and of sequences one that pools and one that answers frame by frame.
FEW = ("mlp", "attention", "lstm frames")
EVERY_TASK = {
    "gender": ClassificationTask(class_weight="balanced", label_smoothing=0.1, focal_gamma=1.0),
    "arousal": "mse",
    "valence": "ccc",
    "corpus": DomainAdversarialTask(hidden_units=(4,)),
    "rebuilt": ReconstructionTask(hidden_units=(4,)),
    "heard": ReconstructionTask(target="augmented"),
    "clusters": ContrastiveTask(across="corpus"),
    "pseudo": ConsistencyTask(threshold=0.0),
}
WAYS = {
    "uncertainty": {"loss_weighting": "uncertainty"},
    "pcgrad": {"loss_weighting": "pcgrad"},
    "losses": {
        "y_task__class_weight": "balanced",
        "y_task__focal_gamma": 1.0,
        "y_task__logit_adjustment": 1.0,
    },
    "swa": {
        "optimization__weight_averaging": "swa",
        "validation__refit": False,
        "early_stopping": False,
    },
    "ema": {
        "optimization__weight_averaging": "ema",
        "optimization__max_grad_norm": 1.0,
        "optimization__lr_schedule": "cosine",
    },
    "mixup": {"perturbation__mixup_alpha": 0.4, "perturbation__dropout": 0.1},
    "specaugment": {"perturbation__augmenters": [BatchSpecAugment(2, 3, 2, 3, fill="mean")]},
    "fgsm": {"adversarial_training": AdversarialTraining()},
    "pgd": {"adversarial_training": AdversarialTraining("pgd", n_steps=2, norm="l2")},
    "vat": {"adversarial_training": AdversarialTraining("vat"), "perturbation__mixup_alpha": 0.2},
    "pseudo labels": {"pseudo_labels": PseudoLabels(max_rounds=2, consistency=2, min_rows=1)},
    "calibrated": {"calibrate": True, "validation__monitor": "score"},
    "several": {"n_estimators": 2, "calibrate": True},
    "mixed precision": {"compute__mixed_precision": True},
    "full precision": {"compute__mixed_precision": False},
    "double precision": {"compute__dtype": "float64"},
    "whole batches": {"batch_size": None, "optimization__warmup": 0.5},
}


@pytest.fixture(scope="module")
def device():
    """The GPU; without one a test is skipped, unless the CPU is asked for to try the tests."""
    asked = os.environ.get("SKLEARN_SER_GPU_TESTS")
    if asked is None and not torch.cuda.is_available():
        pytest.skip("needs a GPU that torch can use")
    return asked or "cuda"


@pytest.fixture(scope="module")
def data():
    """y has rows without a label, aux missing values; sequences are of 2 to 9 frames."""
    generator = np.random.default_rng(0)
    emotion = np.tile(["anger", "neutral", "sadness"], N_ROWS // 3).astype(object)
    speaker = np.repeat(np.arange(6), N_ROWS // 6)
    rows = generator.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    rows[:, 0] += 2.0 * (emotion == "anger") - 2.0 * (emotion == "sadness")
    frames = [row + generator.normal(size=(2 + i % 8, N_FEATURES)) for i, row in enumerate(rows)]
    aux = pd.DataFrame(
        {
            "gender": np.where(speaker % 2, "female", "male"),
            "arousal": rows[:, 1].astype(float),
            "valence": rows[:, 2].astype(float),
            "corpus": np.where(np.arange(N_ROWS) % 4 < 2, "one", "other"),
        }
    )
    aux.loc[::7, ["gender", "arousal"]] = None
    y = emotion.copy()
    y[::5] = None
    return {
        "rows": rows,
        "frames": frames,
        "layers": [row + np.ones((3, 1), np.float32) * row for row in rows],
        "emotion": emotion,
        "y": y,
        "aux": aux,
        "speaker": speaker,
    }


def input_for(kind, data):
    encoder = KINDS[kind]["encoder"]
    if encoder == "layers":
        return data["layers"]
    return data["frames"] if takes_frames(encoder) else data["rows"]


def net(kind, device, **parameters):
    given = {"hidden_units": (8,), "max_epochs": 2, "batch_size": 24, "random_state": 0}
    return MTLNeuralClassifier().set_params(device=device, **given | KINDS[kind] | parameters)


def multi_task(kind, device, **parameters):
    given = {"tasks": EVERY_TASK, "unlabeled": "nan", "perturbation__noise": 0.1}
    return net(kind, device, **given | parameters)


def fit(model, X, data):
    return model.fit(X, data["y"], aux=data["aux"], groups=data["speaker"])


def assert_answers(model, X, device):
    """Everything that a fitted network can be asked, of one row and of all."""
    assert next(model.net_.module_.parameters()).device.type == torch.device(device).type
    probabilities, shared = model.predict_proba(X), model.transform(X)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert np.isfinite(shared).all()
    assert set(model.predict(X)) <= set(model.classes_)
    np.testing.assert_allclose(model.predict_proba(X[:1]), probabilities[:1], atol=5e-3)
    history = model.history_
    assert np.isfinite(history[["train_loss", "train_loss_y"]]).all(axis=None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_encoder_with_every_task(kind, device, data, tmp_path):
    X = input_for(kind, data)
    model = fit(multi_task(kind, device), X, data)
    assert_answers(model, X, device)
    assert list(model.predict_aux(X)) == ["gender", "arousal", "valence", "corpus"]
    assert set(model.predict_aux_proba(X)) == {"gender", "corpus"}
    assert len(model.score_aux(X, data["aux"])) == 4
    if kind == "layers":
        assert model.layer_weights_.sum() == pytest.approx(1.0)

    elsewhere = pickle.loads(pickle.dumps(model))
    assert_same(elsewhere, model, X)
    if not kind.startswith("own"):
        save_model(model, tmp_path / "model.ser")
        assert_same(load_model(tmp_path / "model.ser"), model, X)
    # Where there is no GPU: the same network, in other arithmetic.
    elsewhere.set_params(device="cpu")
    assert next(elsewhere.net_.module_.parameters()).device.type == "cpu"
    np.testing.assert_allclose(elsewhere.predict_proba(X), model.predict_proba(X), atol=5e-3)

    before, n_epochs = model._weights, model.n_iter_
    for goes_on in (model, elsewhere):
        goes_on.partial_fit(X, data["y"], aux=data["aux"])
        goes_on.partial_fit(X, data["y"], aux=data["aux"])
        assert len(goes_on.history_) == n_epochs + 2
    assert model._weights != before
    assert_answers(model, X, device)


def assert_same(model, other, X):
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    assert np.array_equal(model.transform(X), other.transform(X))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", FEW)
def test_every_way_of_training(kind, way, device, data):
    X = input_for(kind, data)
    model = multi_task(kind, device, **WAYS[way])
    assert_answers(fit(model, X, data), X, device)
    if "adversarial_training" in WAYS[way]:
        assert np.isfinite(model.history_["adversarial_loss"]).all()
    if "pseudo_labels" in WAYS[way]:
        assert model.pseudo_labels_["selected"].iloc[1] > 0
    model.partial_fit(X, data["y"], aux=data["aux"])
    assert_answers(model, X, device)


@pytest.mark.parametrize("kind", FEW)
def test_partial_fit_from_the_start_and_through_pickle(kind, device, data):
    X = input_for(kind, data)
    model = multi_task(kind, device, loss_weighting="uncertainty")
    model.partial_fit(X, data["y"], ["anger", "neutral", "sadness"], aux=data["aux"])
    other = pickle.loads(pickle.dumps(model))
    for each in (model, other):
        each.partial_fit(X, data["y"], aux=data["aux"])
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("kind", FEW)
def test_warm_start_goes_on(kind, device, data):
    X = input_for(kind, data)
    model = fit(multi_task(kind, device, warm_start=True, n_estimators=2), X, data)
    before = model._weights
    assert_answers(fit(model, X, data), X, device)
    assert model._weights != before


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "own rows"])
def test_fits_repeat_and_come_close_to_the_cpu(kind, device, data):
    """Without chance that is of each device its own."""
    X = input_for(kind, data)

    def on(where):
        model = net(kind, where, dropout=0.0, perturbation__noise=0.0, compute__dtype="float64")
        return model.fit(X, data["emotion"], aux=data["aux"]).predict_proba(X)

    found = on(device)
    np.testing.assert_allclose(on(device), found, atol=slack(kind, device, 1e-9), rtol=0.0)
    np.testing.assert_allclose(on("cpu"), found, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_fits_repeat_as_they_are_by_default(kind, device, data):
    X = input_for(kind, data)
    first, second = (fit(multi_task(kind, device), X, data).predict_proba(X) for _ in range(2))
    np.testing.assert_allclose(first, second, atol=slack(kind, device, 0.02), rtol=0.0)


def slack(kind, device, of_libraries):
    """How far two fits may be apart: bit for bit the same, but for those kernels on a GPU."""
    return of_libraries if kind in OF_LIBRARIES and device != "cpu" else 0.0


@pytest.mark.parametrize("kind", ["frame_dnn", "lstm frames"])
def test_statistics_of_frames(kind, device, data):
    X = input_for(kind, data)
    step = HighLevelFeatures(net(kind, device))
    features = step.fit_transform(X, data["emotion"], aux=data["aux"][["corpus"]])
    assert features.shape == (N_ROWS, 4 * (3 + 2))
    assert np.isfinite(features).all()
    assert ELMClassifier(random_state=0).fit(features, data["emotion"]).score(
        features, data["emotion"]
    ) > 1 / 3  # fmt: skip


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
@pytest.mark.parametrize("kind", ["mlp", "lstm", "cnn_blstm", "conformer", "lstm frames"])
def test_attacks(kind, attack, device, data):
    X = input_for(kind, data)
    model = net(kind, device, n_estimators=2).fit(X, data["emotion"])
    table = adversarial_robustness(
        model, X, data["emotion"], attack=attack, epsilons=(0.5,), n_steps=2, n_restarts=2
    )
    clean, attacked = table["loss"]
    assert attacked > clean


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_attacks_on_recordings(norm, device):
    generator = np.random.default_rng(0)
    audio = [0.1 * generator.normal(size=3200 + 160 * row) for row in range(12)]
    y = np.tile(["anger", "sadness"], 6)
    model = make_pipeline(
        LogMelSpectrogram(n_mels=16), FrameScaler(), net("lstm", device, early_stopping=False)
    ).fit(audio, y)
    table = adversarial_robustness(
        model, audio, y, attack="pgd", space="waveform", norm=norm, epsilons=(-20,), n_steps=2
    )
    clean, attacked = table["loss"]
    assert attacked > clean


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "own rows"])
def test_an_utterance_does_not_depend_on_its_batch(kind, device, data):
    """In double precision; in single precision GPUs round products of some layers to ten bits."""
    X = input_for(kind, data)
    model = net(kind, device, compute__dtype="float64", max_epochs=1).fit(X, data["emotion"])
    alone = np.vstack([model.predict_proba(X[row : row + 1]) for row in range(0, N_ROWS, 9)])
    np.testing.assert_allclose(alone, model.predict_proba(X)[::9], atol=1e-9)


def test_a_mask_on_the_device_picks_sequences(device):
    sequences = FrameSequences.packed(torch.arange(12.0).view(6, 2), [1, 2, 3]).to(device)
    mask = torch.tensor([True, False, True]).to(device)
    assert sequences[mask].lengths.tolist() == [1, 3]
    assert sequences[mask].batch().frames.cpu()[:, 0].tolist() == [0.0, 6.0, 8.0, 10.0]


def test_first_weights_are_those_of_the_cpu(device):
    architecture = {
        "encoder": "mlp", "encoder_params": {"residual": False}, "n_features": 4,
        "hidden_units": [3], "activation": "relu", "dropout": 0.5, "dtype": "float32",
        "heads": {"y": 2}, "head_units": {},
    }  # fmt: skip
    here, there = (build_module(architecture, device=d, seed=0) for d in ("cpu", device))
    for first, second in zip(here.parameters(), there.parameters(), strict=True):
        assert torch.equal(first, second.cpu())
