"""Adversarial robustness: attacks against references, their checks, spaces and side effects."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklearn_ser import (
    AugmentingClassifier,
    FeatureStore,
    FrameScaler,
    GroupScaler,
    LogMelSpectrogram,
    MTLNeuralClassifier,
    SkipFailedRows,
    uar_score,
)
from sklearn_ser.augmentation import Gain
from sklearn_ser.exceptions import EvaluationWarning, MetadataError, SerError
from sklearn_ser.robustness import adversarial_robustness
from sklearn_ser.robustness._adversarial import check_ball
from sklearn_ser.robustness._attacked_features import differentiable
from sklearn_ser.robustness._attacked_waveform import TorchFrameScaler, TorchLogMel
from tests.conftest import changed_torch_state

EPSILONS = (0.05, 0.2, 0.5)


@pytest.fixture(scope="module")
def data():
    """150 rows of 10 speakers; three features depend on the emotion."""
    rng = np.random.default_rng(0)
    y = np.tile(["anger", "neutral", "sadness"], 50)
    speaker = np.repeat([f"s{i}" for i in range(10)], 15)
    X = rng.normal(size=(150, 6))
    X[:, :3] += 2.0 * (y[:, None] == ["anger", "neutral", "sadness"])
    X *= [1.0, 5.0, 0.1, 1.0, 1.0, 1.0]
    return pd.DataFrame(X, index=pd.Index(speaker, name="speaker")).add_prefix("f"), y


def net(**parameters):
    given = {"max_epochs": 5, "hidden_units": (16,), "lr": 0.01, "random_state": 0}
    return MTLNeuralClassifier().set_params(**(given | parameters))


@pytest.fixture(scope="module")
def models(data):
    """Do not fit again."""
    X, y = data
    search = GridSearchCV(
        make_pipeline(GroupScaler(by=None), LinearSVC(dual=False)), {"linearsvc__C": [0.01, 0.1]}
    )
    return {
        "net": make_pipeline(StandardScaler(), net()).fit(X, y),
        "ensemble": make_pipeline(StandardScaler(), net(n_estimators=3, calibrate=True)).fit(X, y),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        "svm": SkipFailedRows(search).fit(X, y),
        "ridge": RidgeClassifier().fit(X, y),
    }


# Figures


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_the_state_of_torch_does_not_change_the_figures(data, models, attack):
    X, y = data
    some = {"net": models["net"], "logistic": models["logistic"]}
    settings = {"epsilons": EPSILONS, "attack": attack, "n_steps": 3, "random_state": 0}
    expected = adversarial_robustness(some, X, y, **settings)
    with changed_torch_state():
        pd.testing.assert_frame_equal(adversarial_robustness(some, X, y, **settings), expected)


def test_one_row_for_each_estimator_and_epsilon(data, models):
    X, y = data
    table, predictions = adversarial_robustness(
        models, X, y, epsilons=EPSILONS, return_predictions=True
    )
    assert table["estimator"].tolist() == [name for name in models for _ in range(4)]
    assert table["epsilon"].tolist() == [0.0, *EPSILONS] * 5
    assert (table["attack"] == "fgsm").all()
    assert (table["masked"] == 0.0).all()
    for name, own in table.groupby("estimator", sort=False):
        own = own.reset_index()
        assert own.loc[0, "uar"] == uar_score(y, models[name].predict(X))
        assert own["loss"].is_monotonic_increasing
        assert own["uar"].iloc[-1] < own["uar"].iloc[0] - 0.15
        assert own["changed"].iloc[0] == 0.0
        assert (own["uar_low"] < own["uar"]).all()
        assert (own["uar_high"] >= own["uar"]).all()
    assert (table["n_speakers"] == 10).all()
    # The scores are those of the predictions.
    one = predictions.query("estimator == 'net' and epsilon == 0.2")
    found = table.query("estimator == 'net' and epsilon == 0.2").iloc[0]
    assert found["uar"] == uar_score(one["y_true"], one["y_pred"])
    assert found["accuracy"] == (one["y_true"] == one["y_pred"]).mean()
    clean = predictions.query("estimator == 'net' and epsilon == 0.0")
    changed = clean["y_pred"].to_numpy() != one["y_pred"].to_numpy()
    assert found["changed"] == changed.mean()
    assert one["speaker"].tolist() == X.index.tolist()


@pytest.mark.parametrize("model", [LinearSVC(dual=False), LogisticRegression()])
def test_of_two_classes_a_linear_model_is_attacked_exactly(data, model):
    """The worst change of every value is against the sign of its weight."""
    X, y = data
    X, y = X[y != "neutral"], y[y != "neutral"]
    fitted = make_pipeline(StandardScaler(), model).fit(X, y)
    inputs = fitted[:-1].transform(X)
    side = np.where(y == fitted.classes_[1], 1.0, -1.0)
    margins = side * fitted[-1].decision_function(inputs)
    table = adversarial_robustness(fitted, X, y, epsilons=EPSILONS)
    weights = np.abs(fitted[-1].coef_[0]) @ inputs.std(axis=0)
    for epsilon, accuracy, loss in table[["epsilon", "accuracy", "loss"]].to_numpy():
        worst = margins - epsilon * weights
        assert accuracy == (worst > 0).mean()
        assert loss == pytest.approx(np.log1p(np.exp(-worst)).mean())


def test_fgsm_of_a_network_against_plain_torch(data, models):
    X, y = data
    scaler, fitted = models["net"]
    inputs = torch.tensor(scaler.transform(X).astype(np.float32), requires_grad=True)
    module = fitted.net_.module_
    codes = torch.from_numpy(np.searchsorted(fitted.classes_, y))
    logits = module.heads[0](torch.relu(module.encoder.layers[0](inputs)))
    loss = torch.nn.functional.cross_entropy(logits, codes)
    (gradient,) = torch.autograd.grad(loss, inputs)
    spread = inputs.detach().std(dim=0, correction=0)
    for relative, unit in ((True, spread), (False, 1.0)):
        changed = (inputs + 0.2 * unit * gradient.sign()).detach()
        table = adversarial_robustness(models["net"], X, y, epsilons=[0.2], relative=relative)
        assert table["accuracy"].iloc[1] == fitted.score(changed.numpy(), y)
        assert table["loss"].iloc[0] == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_pgd_is_at_least_as_strong_as_one_step(data, models, norm):
    X, y = data
    common = {"epsilons": EPSILONS, "norm": norm, "random_state": 0}
    one = adversarial_robustness(models["net"], X, y, **common)
    several = adversarial_robustness(
        models["net"], X, y, attack="pgd", n_steps=8, n_restarts=2, **common
    )
    assert (several["loss"] >= one["loss"] - 1e-6).all()
    assert several["loss"].iloc[-1] > one["loss"].iloc[-1]
    assert set(several["attack"]) == {"pgd" if norm == "inf" else "pgd l2"}


def test_figures_depend_on_the_seed_and_not_on_other_estimators(data, models):
    X, y = data
    common = {"epsilons": [0.2], "attack": "pgd", "n_steps": 2, "n_restarts": 2}
    before = torch.get_rng_state()
    first, again, other = (
        adversarial_robustness(given, X, y, random_state=seed, **common)
        for given, seed in (
            ({"net": models["net"]}, 0),
            ({"ridge": models["ridge"], "net": models["net"]}, 0),
            ({"net": models["net"]}, 1),
        )
    )
    assert first.equals(again[again["estimator"] == "net"].reset_index(drop=True))
    assert first["loss"].iloc[1] != other["loss"].iloc[1]
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("routing", [False, True])
def test_estimators_stay_as_they_are(data, models, routing):
    X, y = data
    with config_context(enable_metadata_routing=routing):
        before = {name: models[name].predict(X).tolist() for name in models}
        state = dict(vars(models["net"][-1]))
        adversarial_robustness(models, X, y, epsilons=[0.5], attack="pgd", n_steps=2)
        assert {name: models[name].predict(X).tolist() for name in models} == before
    after = vars(models["net"][-1])
    assert after.keys() == state.keys()
    assert all(after[name] is state[name] for name in state)
    module = models["net"][-1].net_.module_
    assert not module.training
    assert all(parameter.grad is None for parameter in module.parameters())


# Frames


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(1)
    y = np.tile(["anger", "sadness"], 30)
    X = [rng.normal(size=(4 + row % 9, 3)) + (y[row] == "anger") for row in range(60)]
    return X, y


@pytest.mark.parametrize("encoder", ["attention", "lstm", "cnn_blstm", "frame_dnn"])
def test_frame_sequences(sequences, encoder):
    X, y = sequences
    params = {"channels": [8]} if encoder == "cnn_blstm" else None
    fitted = make_pipeline(FrameScaler(), net(encoder=encoder, encoder_params=params, max_epochs=8))
    fitted.fit(X, y)
    table = adversarial_robustness(
        fitted, X, y, epsilons=[0.1, 1.0], speaker=np.arange(60) % 6, attack="pgd", n_steps=3
    )
    assert table["loss"].is_monotonic_increasing
    assert table["uar"].iloc[2] < table["uar"].iloc[0]
    assert table["uar"].iloc[0] == uar_score(y, fitted.predict(X))
    assert (table["n_speakers"] == 6).all()
    assert table[["uar_low", "uar_high"]].isna().all(axis=None)  # fewer than 8


def test_a_row_alone(sequences, data, models):
    """A batch of one row, as a very long utterance makes."""
    X, y = sequences
    fitted = net().fit(X, y)
    table = adversarial_robustness(fitted, X[7:8], y[7:8], epsilons=[0.1])
    assert table["n_rows"].tolist() == [1, 1]
    assert table["loss"].iloc[1] > table["loss"].iloc[0]
    X, y = data
    table = adversarial_robustness(models["net"], X[:1], y[:1], epsilons=[0.1], relative=False)
    assert table["loss"].iloc[1] > table["loss"].iloc[0]
    with pytest.raises(MetadataError, match=r"varies over the 1 usable rows .* relative=False"):
        adversarial_robustness(models["net"], X[:1], y[:1], epsilons=[0.1])


# Failed audio, transfer


def test_failed_rows_are_misses(data, models):
    X, y = data
    holes = X.copy()
    holes.iloc[:30] = np.nan
    table = adversarial_robustness(models["net"], holes, y, epsilons=[0.1])
    rest = adversarial_robustness(models["net"], X[30:], y[30:], epsilons=[0.1])
    assert np.allclose(table["accuracy"], rest["accuracy"] * 120 / 150)
    assert np.allclose(table["loss"], rest["loss"], rtol=1e-5)


def test_examples_of_a_surrogate_are_tested_on_any_classifier(data, models):
    X, y = data
    others = {
        "rbf": make_pipeline(StandardScaler(), SVC()).fit(X, y),
        "net": models["net"],
    }
    table = adversarial_robustness(
        others, X, y, epsilons=EPSILONS, surrogate=models["net"][-1]
    ).set_index("estimator")
    own = adversarial_robustness(models["net"], X, y, epsilons=EPSILONS)
    assert np.array_equal(table.loc["net", "uar"], own["uar"])
    assert table.loc["rbf", "uar"].iloc[-1] < table.loc["rbf", "uar"].iloc[0] - 0.1


# Checks


def test_masked_gradients_are_reported(data):
    X, y = data
    fitted = net(perturbation__noise=0.0, max_epochs=30, dropout=0.0).fit(X * 1e4, y)
    right = fitted.predict(X * 1e6) == y  # with a loss of exactly 0
    with pytest.raises(SerError, match="Estimator 'MTLNeuralClassifier' has no gradient: the loss"):
        adversarial_robustness(fitted, X[right] * 1e6, y[right])
    text = r"has no gradient in \d+ of 150 samples \(masked gradients\): the attack does not"
    with pytest.warns(EvaluationWarning, match=text):
        table = adversarial_robustness(fitted, X * 1e4, y, attack="pgd")
    assert 0.01 < table["masked"].iloc[0] < 1.0


def test_a_falling_loss_is_reported(data):
    """A curved loss may fall far along a straight line, for which one step is too long."""
    X, y = data
    fitted = net(max_epochs=30, activation="tanh", perturbation__noise=0.0, dropout=0.0).fit(X, y)
    text = r"under attack='fgsm' the mean loss falls from .* at epsilon=.* to .* though the larger"
    with pytest.warns(EvaluationWarning, match=text):
        adversarial_robustness(fitted, X, y, epsilons=np.geomspace(1, 1000, 7))


def test_a_change_outside_its_ball_is_an_error():
    check_ball(np.array([0.1, 0.100001]), 0.1, "net")
    text = "An adversarial change of size 0.11 for estimator 'net' is outside of its ball of radius"
    with pytest.raises(SerError, match=text):
        check_ball(np.array([0.1, 0.11]), 0.1, "net")


@pytest.mark.parametrize(
    ("model", "change", "text"),
    [
        (
            GaussianNB(),
            {},
            "Estimator 'GaussianNB' ends in a GaussianNB, whose gradient is not known. Supported "
            "are an MTLNeuralClassifier, or a linear model of scikit-learn that has coef_",
        ),
        (SVC(kernel="linear"), {}, "Estimator 'SVC' ends in a SVC, whose gradient is not known"),
        (
            LogisticRegression(),
            {"epsilons": [0.0, 0.1]},
            "epsilons must be one or more finite numbers above 0, got [0.0, 0.1]",
        ),
        (LogisticRegression(), {"attack": "cw"}, "The 'attack' parameter of adversarial_robus"),
        (
            LogisticRegression(),
            {"space": "waveform"},
            'space="waveform" needs the gradient of every step, and supports '
            "LogMelSpectrogram, FrameScaler and MTLNeuralClassifier, in this order; estimator "
            "'LogisticRegression' is LogisticRegression. Give such a Pipeline as surrogate=",
        ),
        (LogisticRegression(), {"speaker": ["a"]}, "speaker has 1 rows and y has 150"),
    ],
)
def test_errors(data, model, change, text):
    X, y = data
    with pytest.raises(ValueError, match=re.escape(text)):
        adversarial_robustness(model.fit(X, y), X, y, **change)


def test_errors_of_labels(data, models):
    X, y = data
    strange = np.where(y == "anger", "fear", y)
    text = "y holds the labels ['fear'], which are unknown to estimator 'Pipeline': its classes are"
    with pytest.raises(MetadataError, match=re.escape(text)):
        adversarial_robustness(models["net"], X, strange)
    missing = y.astype(object)
    missing[3] = None
    with pytest.raises(MetadataError, match=r"^y has missing labels \(None or NaN\) in sample"):
        adversarial_robustness(models["net"], X, missing)


def test_labels_in_another_order_are_errors(data, models):
    X, y = data
    rows = X.reset_index(drop=True)[30:]
    labels = pd.Series(y)[30:]
    with pytest.raises(MetadataError, match="y has the index labels of X in another order"):
        adversarial_robustness(models["net"], rows, labels[::-1])
    speaker = pd.Series(X.index)[30:]
    with pytest.raises(MetadataError, match="speaker has the index labels of X in another order"):
        adversarial_robustness(models["net"], rows, labels, speaker=speaker[::-1])
    adversarial_robustness(models["net"], rows, labels, epsilons=[0.1], speaker=speaker)


# The waveform


@pytest.fixture(scope="module")
def recordings():
    """40 short tones with noise, whose pitch depends on the label."""
    rng = np.random.default_rng(0)
    y = np.tile(["anger", "sadness"], 20)
    cells = []
    for row in range(40):
        n = 3200 + 160 * (row % 7) + row
        time = np.arange(n) / 16000
        tone = 0.2 * np.sin(2 * np.pi * (400 if y[row] == "anger" else 460) * time)
        cells.append((tone + 0.02 * rng.normal(size=n)).astype(np.float32))
    speaker = np.repeat([f"s{i}" for i in range(8)], 5)
    return pd.DataFrame({"file": cells, "speaker": speaker}), y


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_mels": 26, "deltas": 2, "top_db": None, "hop_length": 0.016},
        {"n_mels": 20, "normalize": "utterance", "deltas": 1, "remove_dc": True},
        {"n_fft": 801, "window_length": 0.05, "n_mels": 30, "top_db": 20.0, "floor_db": -40.0},
    ],
)
@pytest.mark.parametrize("per", ["training", "utterance"])
def test_the_front_end_in_torch_equals_that_of_the_package(recordings, parameters, per):
    X, _ = recordings
    step = LogMelSpectrogram(**parameters)
    frames = step.fit_transform(X)
    scaler = FrameScaler(per=per).fit(frames)
    scaled = scaler.transform(frames)
    for row in (0, 7, 11):
        signal = torch.from_numpy(X["file"][row])
        found = TorchLogMel(step)(signal)
        assert found.shape == frames["frames"].iloc[row].shape
        assert np.allclose(found, frames["frames"].iloc[row], atol=2e-3, rtol=1e-4)
        again = TorchFrameScaler(scaler)(found)
        assert np.allclose(again, scaled["frames"].iloc[row], atol=5e-3)


def test_gradients_of_the_front_end_are_those_of_small_steps(recordings):
    step = LogMelSpectrogram(n_mels=8, normalize="utterance", deltas=1)
    convert = TorchLogMel(step)
    convert.taper, convert.filters = convert.taper.double(), convert.filters.double()
    signal = torch.tensor(recordings[0]["file"][0][:1200], dtype=torch.float64, requires_grad=True)
    weights = torch.randn(
        convert(signal).shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    (gradient,) = torch.autograd.grad((convert(signal) * weights).sum(), signal)
    for place in (100, 600, 1100):
        step_ = torch.zeros_like(signal)
        step_[place] = 1e-6
        with torch.no_grad():
            rise = ((convert(signal + step_) - convert(signal - step_)) * weights).sum() / 2e-6
        assert gradient[place].item() == pytest.approx(rise.item(), rel=1e-4, abs=1e-6)


@pytest.fixture(scope="module")
def listener(recordings):
    X, y = recordings
    front = LogMelSpectrogram(n_mels=20, hop_length=0.02)
    return make_pipeline(front, FrameScaler(), net(max_epochs=20)).fit(X, y)


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_waveforms(recordings, listener, norm):
    X, y = recordings
    table = adversarial_robustness(
        listener, X, y, space="waveform", epsilons=[-60, -30, -12], norm=norm, attack="pgd",
        n_steps=4,
    )  # fmt: skip
    assert table["epsilon"].tolist() == [-np.inf, -60, -30, -12]
    assert table["uar"].iloc[0] == uar_score(y, listener.predict(X))
    assert table["uar"].iloc[-1] < table["uar"].iloc[0] - 0.3
    assert table["loss"].is_monotonic_increasing
    assert table["snr"].iloc[0] == np.inf
    if norm == "l2":  # at most: some steps end within the ball
        assert (table["snr"].iloc[1:] >= [59.9, 29.9, 11.9]).all()
        assert (table["snr"].iloc[1:] < [66, 36, 18]).all()


@pytest.mark.parametrize("augmented", [False, True])
def test_attacked_recordings_are_tested_on_any_estimator_and_not_stored(
    recordings, listener, tmp_path, augmented
):
    X, y = recordings
    step = LogMelSpectrogram(n_mels=20, hop_length=0.02, store=tmp_path / "store")
    stored = make_pipeline(
        step, FrameScaler(per="utterance"), net(max_epochs=20, encoder="frame_dnn")
    )
    if augmented:
        stored = AugmentingClassifier(stored, Gain(-3.0), random_state=0)
    stored.fit(X, y)
    truly = uar_score(y, stored.predict(X))  # whose features are stored
    n_entries = FeatureStore(tmp_path / "store").info()["entries"]
    table = adversarial_robustness(
        {"other": stored}, X, y, space="waveform", epsilons=[-10], surrogate=listener
    )
    assert table["uar"].iloc[0] == truly
    assert len(table) == 2
    inner = stored.estimator_ if augmented else stored
    assert inner[0].store == tmp_path / "store"
    assert FeatureStore(tmp_path / "store").info()["entries"] == n_entries


def test_waveforms_in_lists_and_tables_of_parts(recordings, listener):
    X, y = recordings
    parts = X.assign(start=0.0, end=0.15)
    kwargs = {"space": "waveform", "epsilons": [-20]}
    cut = [(cell[:2400], 16000) for cell in X["file"]]
    one = adversarial_robustness(listener, parts, y, **kwargs)
    other = adversarial_robustness(listener, cut, y, **kwargs)
    assert one["uar"].equals(other["uar"])
    assert one["loss"].equals(other["loss"])


# What has the gradients


def test_the_function_with_gradients_predicts_like_the_estimator(data, sequences):
    X, y = data
    for parameters in ({}, {"n_estimators": 3, "calibrate": True}, {"compute__dtype": "float64"}):
        fitted = net(**parameters).fit(X, y)
        source = differentiable(fitted, "net")
        found = source.log_probabilities(source.pack(X)).exp().detach().numpy()
        assert np.allclose(found, fitted.predict_proba(X), atol=1e-6)
    X, y = sequences
    for encoder in ("attention", "lstm", "frame_dnn"):
        fitted = net(encoder=encoder, n_estimators=2).fit(X, y)
        source = differentiable(fitted, "net")
        found = source.log_probabilities(source.pack(X).batch()).exp().detach().numpy()
        assert np.allclose(found, fitted.predict_proba(X), atol=1e-6)
