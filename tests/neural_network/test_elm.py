"""ELMClassifier: closed form, exact weights, scikit-learn's contract."""

import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ser import load_model, save_model
from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import ELMClassifier

ACTIVATIONS = {
    "linear": lambda z: z,
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: z * (z > 0),
}


@parametrize_with_checks(
    [
        ELMClassifier(),
        ELMClassifier(activation="sigmoid", n_hidden=120, class_weight="balanced"),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.array(["anger", "calm", "fear"])[np.arange(60) % 3]
    X = rng.normal(size=(60, 4)) + np.arange(60)[:, None] % 3
    return X, y, rng.integers(0, 4, size=60).astype(float)


def reference(model, X, y, weights):
    """Output weights by the two formulae of the docstring, with plain inverses."""
    H = ACTIVATIONS[model.activation](X @ model.hidden_weights_ + model.hidden_bias_)
    T = (y[:, None] == np.unique(y)).astype(float)
    root = np.sqrt(weights)[:, None]
    H, T = root * H, root * T
    n_rows, n_hidden = H.shape
    primal = np.linalg.inv(H.T @ H + model.alpha * np.eye(n_hidden)) @ H.T @ T
    dual = H.T @ np.linalg.inv(H @ H.T + model.alpha * np.eye(n_rows)) @ T
    return primal, dual


@pytest.mark.parametrize("n_hidden", [5, 50, 200])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_output_weights_are_those_of_the_formula(rows, activation, n_hidden):
    X, y, weights = rows
    for given in (None, weights):
        model = ELMClassifier(n_hidden, activation, alpha=0.5, random_state=0)
        model.fit(X, y, sample_weight=given)
        primal, dual = reference(model, X, y, np.ones(60) if given is None else given)
        np.testing.assert_allclose(primal, dual, atol=1e-9)
        np.testing.assert_allclose(model.output_weights_, primal, atol=1e-9)
        scores = ACTIVATIONS[activation](X @ model.hidden_weights_ + model.hidden_bias_) @ primal
        np.testing.assert_allclose(model.decision_function(X), scores, atol=1e-9)
        assert model.predict(X).tolist() == np.unique(y)[scores.argmax(axis=1)].tolist()
        odds = np.exp(scores)
        expected = odds / odds.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-9)


def test_hidden_units_are_standard_normal_and_follow_the_seed(rows):
    X, y, _ = rows
    model = ELMClassifier(4000, random_state=3).fit(X, y)
    drawn = np.vstack([model.hidden_weights_, model.hidden_bias_])
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03
    again, other = (ELMClassifier(4000, random_state=seed).fit(X, y) for seed in (3, 4))
    assert np.array_equal(again.output_weights_, model.output_weights_)
    assert not np.array_equal(other.hidden_weights_, model.hidden_weights_)


@pytest.mark.parametrize("n_hidden", [5, 200])
def test_the_limits_of_no_ridge(rows, n_hidden):
    """alpha=0 is the pseudo-inverse, and a tiny ridge converges to it."""
    X, y, _ = rows
    fit = [
        ELMClassifier(n_hidden, "tanh", alpha=alpha, random_state=0).fit(X, y)
        for alpha in (0.0, 1e-12)
    ]
    H = np.tanh(X @ fit[0].hidden_weights_ + fit[0].hidden_bias_)
    expected = np.linalg.pinv(H) @ (y[:, None] == np.unique(y))
    for model in fit:
        np.testing.assert_allclose(model.output_weights_, expected, atol=1e-6)


def test_few_features_and_a_tiny_ridge():
    """Linear hidden units of 1 feature have rank 2, which no inverse of H'H survives."""
    X, y = np.arange(40.0)[:, None] * 1e4, np.repeat([0, 1], 20)
    for alpha in (0.0, 1e-9):
        model = ELMClassifier(100, alpha=alpha, random_state=0).fit(X, y)
        line = np.polyval(np.polyfit(X[:, 0], 2.0 * y - 1.0, 1), X[:, 0])
        np.testing.assert_allclose(model.decision_function(X), line, atol=1e-6)
        assert model.score(X, y) == 1.0


def test_linear_is_a_linear_classifier(rows):
    """Ridge regression on random combinations of [X, 1]."""
    X, y, _ = rows
    model = ELMClassifier(random_state=0).fit(X, y)
    mixed = X @ model.hidden_weights_ + model.hidden_bias_
    ridge = Ridge(alpha=1.0, fit_intercept=False).fit(mixed, y[:, None] == np.unique(y))
    np.testing.assert_allclose(model.output_weights_, ridge.coef_.T, atol=1e-9)
    middle = (X[0] + X[1]) / 2
    a, b, between = model.decision_function(np.stack([X[0], X[1], middle]))
    np.testing.assert_allclose(between, (a + b) / 2)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"anger": 2.0, "calm": 1.0, "fear": 3}])
@pytest.mark.parametrize(("n_hidden", "alpha"), [(20, 1.0), (300, 1.0), (20, 0.0)])
def test_a_weight_is_equivalent_to_copies(rows, class_weight, n_hidden, alpha):
    X, y, weights = rows
    model = ELMClassifier(
        n_hidden, "sigmoid", alpha=alpha, class_weight=class_weight, random_state=0
    )
    copies = np.repeat(np.arange(60), weights.astype(int))
    weighted = clone(model).fit(X, y, sample_weight=weights)
    copied = clone(model).fit(X[copies], y[copies])
    np.testing.assert_allclose(
        weighted.decision_function(X), copied.decision_function(X), atol=1e-8
    )


def test_class_weights_are_row_weights(rows):
    X, y, _ = rows
    keep = (y != "fear") | (np.arange(60) < 20)
    X, y = X[keep], y[keep]
    balanced = ELMClassifier(class_weight="balanced", random_state=0).fit(X, y)
    counts = pd.Series(y).map(pd.Series(y).value_counts()).to_numpy()
    by_hand = ELMClassifier(random_state=0).fit(X, y, sample_weight=len(y) / (3 * counts))
    np.testing.assert_allclose(balanced.output_weights_, by_hand.output_weights_)


def test_a_class_of_weight_0_stays_a_class(rows):
    X, y, _ = rows
    for class_weight in (None, "balanced"):
        model = ELMClassifier(class_weight=class_weight, random_state=0)
        model.fit(X, y, sample_weight=(y != "fear").astype(float))
        assert model.classes_.tolist() == ["anger", "calm", "fear"]
        assert (model.output_weights_[:, 2] == 0).all()
        without = ELMClassifier(class_weight=class_weight, random_state=0)
        without.fit(X[y != "fear"], y[y != "fear"])
        np.testing.assert_allclose(model.output_weights_[:, :2], without.output_weights_)


def test_two_classes_have_one_decision_value(rows):
    X, y, _ = rows
    X, y = X[y != "fear"], y[y != "fear"]
    model = ELMClassifier(random_state=0).fit(X, y)
    decision = model.decision_function(X)
    assert decision.shape == (40,)
    assert model.predict(X).tolist() == np.where(decision > 0, "calm", "anger").tolist()
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-decision)))


def test_failed_audio_is_excluded_and_predictions_are_missing(rows):
    X, y, weights = rows
    holed = X.copy()
    holed[[2, 7]] = np.nan
    good = np.setdiff1d(np.arange(60), [2, 7])
    with pytest.warns(TrainingWarning, match="2 of 60 rows of X are entirely NaN") as caught:
        model = ELMClassifier(random_state=0).fit(holed, y, sample_weight=weights)
    assert caught[0].filename == __file__
    plain = ELMClassifier(random_state=0).fit(X[good], y[good], sample_weight=weights[good])
    assert np.array_equal(model.output_weights_, plain.output_weights_)
    assert model.predict(holed)[[2, 7]].tolist() == [None, None]
    assert model.predict(holed)[good].tolist() == plain.predict(X[good]).tolist()
    for method in ("decision_function", "predict_proba"):
        values = getattr(model, method)(holed)
        assert np.isnan(values[[2, 7]]).all()
        assert np.isfinite(values[good]).all()
    hits = model.predict(X[good]) == y[good]
    assert model.score(holed, y) == pytest.approx(hits.sum() / 60)
    assert model.predict(holed[[2]]).tolist() == [None]
    partly = X.copy()
    partly[4, 1] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(partly)


def test_invalid_input_raises(rows):
    X, y, _ = rows
    message = (
        "needs samples of at least 2 classes in y; among the samples with a weight above 0 and "
    )
    with pytest.raises(ValueError, match=re.escape(message + "usable features there is only 1")):
        ELMClassifier().fit(X[::3], y[::3])
    with pytest.raises(ValueError, match=re.escape(message) + ".* only 1 class, 'calm'"):
        ELMClassifier().fit(X, y, sample_weight=(y == "calm").astype(float))
    failed = np.where(np.arange(60)[:, None] < 1, np.nan, X)
    with (
        pytest.warns(TrainingWarning, match="1 of 60 rows"),
        pytest.raises(ValueError, match=re.escape(message) + ".* no class"),
    ):
        ELMClassifier().fit(failed, y, sample_weight=(np.arange(60) < 1).astype(float))
    with pytest.raises(ValueError, match="all 60 rows of X are entirely NaN"):
        ELMClassifier().fit(np.full((60, 4), np.nan), y)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        ELMClassifier().fit(X, y, sample_weight=np.full(60, -1.0))
    with pytest.raises(ValueError, match="'activation' parameter of ELMClassifier must be a str"):
        ELMClassifier(activation="softmax").fit(X, y)
    with pytest.raises(ValueError, match="the weight of class 'calm' is -1, and must be a finite"):
        ELMClassifier(class_weight={"calm": -1}).fit(X, y)
    for params in ({"n_hidden": 0}, {"alpha": -1.0}):
        with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter of ELMClassifier"):
            ELMClassifier(**params).fit(X, y)


def test_calibration_improves_probabilities(rows):
    X, y, _ = rows
    elm = ELMClassifier(activation="tanh", random_state=0)
    calibrated = CalibratedClassifierCV(elm, cv=3).fit(X, y)
    alone = elm.fit(X, y)
    y_true = y[:, None] == alone.classes_
    loss = {
        name: np.mean((model.predict_proba(X) - y_true) ** 2)
        for name, model in {"alone": alone, "calibrated": calibrated}.items()
    }
    assert loss["calibrated"] < loss["alone"]


def test_grid_search(rows):
    X, y, _ = rows
    grid = {"n_hidden": [2, 40], "activation": ["linear", "tanh"], "alpha": [0.1, 10.0]}
    search = GridSearchCV(ELMClassifier(random_state=0), grid, cv=3).fit(X, y)
    assert search.best_params_["n_hidden"] == 40


def test_saved_and_loaded(rows, tmp_path):
    X, y, _ = rows
    model = ELMClassifier(activation="relu", random_state=0).fit(X, y)
    save_model(model, tmp_path / "elm.ser")
    for loaded in (load_model(tmp_path / "elm.ser"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(loaded.decision_function(X), model.decision_function(X))


def test_torch_is_not_imported():
    code = (
        "import sys; from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures; "
        "ELMClassifier().fit([[0.0], [1.0]], [0, 1]).predict([[0.5]]); "
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_ids_in_a_table_are_no_features(rows, library):
    X, y, _ = rows
    features = pd.DataFrame(X).add_prefix("f")
    table = features.assign(speaker=np.arange(len(X)) // 4, corpus=0)
    if library == "polars":
        table = pytest.importorskip("polars").from_pandas(table)
    elif library == "pyarrow":
        table = pytest.importorskip("pyarrow").Table.from_pandas(table)
    model = ELMClassifier(random_state=0).fit(table, y)
    alone = ELMClassifier(random_state=0).fit(features, y)
    assert model.feature_names_in_.tolist() == features.columns.tolist()
    expected = alone.decision_function(features)
    for given in (table, features):
        np.testing.assert_array_equal(model.decision_function(given), expected)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, ""])
@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_samples_without_a_label_are_named(rows, missing, dtype):
    X, y, _ = rows
    y = pd.Series(y.astype(str), dtype=object)
    y[[7, 9]] = missing
    message = (
        "ELMClassifier needs the label of every sample, and y has none (None, NaN or an empty "
        "string) in rows 7, 9. Leave these samples out."
    )
    for labels in (y.astype(dtype), y.to_numpy(object), y.tolist()):
        with pytest.raises(ValueError, match=re.escape(message)):
            ELMClassifier().fit(X, labels)


def test_logarithms_of_probabilities(rows):
    X, y, _ = rows
    model = ELMClassifier(random_state=0).fit(X, y)
    logarithms = model.predict_log_proba(X)
    np.testing.assert_allclose(np.exp(logarithms), model.predict_proba(X))
