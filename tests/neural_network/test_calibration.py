"""calibrate=True: temperatures from held-out speakers, by themselves and inside scikit-learn."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network.training._calibration import fit_temperature


def net(**parameters):
    given = {
        "max_epochs": 40,
        "random_state": 0,
        "validation__refit": False,
        "perturbation__noise": 0.0,
    }
    return MTLNeuralClassifier().set_params(**given | parameters)


@pytest.fixture(scope="module")
def overfitted(speech):
    """Rows and labels on which a network that is trained too long is far too sure of itself."""
    generator = np.random.default_rng(3)
    wrong = generator.random(240) < 0.4
    y = np.where(wrong, generator.permutation(speech.y), speech.y)
    parameters = {"early_stopping": False, "dropout": 0.0, "lr": 0.01, "max_epochs": 30}
    return y, parameters


def loss(model, X, y):
    truth = np.searchsorted(model.classes_, y)
    return -np.log(model.predict_proba(X)[np.arange(len(y)), truth]).mean()


def test_the_temperature_is_the_best_of_a_grid(speech, overfitted):
    y, parameters = overfitted
    model = net(calibrate=True, **parameters).fit(speech.X, y, groups=speech.speaker)
    assert model.validation_split_["kind"] == "groups"
    assert model.n_iter_ == 30
    held_out = np.isin(speech.speaker, model.validation_split_["groups"])
    temperature = model.members_["temperature"][0]
    # The outputs up to a constant of each row, which a softmax does not see.
    outputs = np.log(model.predict_proba(speech.X[held_out])) * temperature
    truth = np.searchsorted(model.classes_, y[held_out])
    grid = np.geomspace(0.05, 20, 4000)
    losses = [
        -log_softmax(outputs / value, axis=1)[np.arange(len(truth)), truth].mean() for value in grid
    ]
    assert temperature == pytest.approx(grid[np.argmin(losses)], rel=5e-3)
    assert temperature > 1.5
    plain = net(calibrate=False, **parameters)
    plain.fit(speech.X[~held_out], y[~held_out])
    assert loss(model, speech.X[held_out], y[held_out]) < min(losses) + 1e-6
    assert loss(model, speech.X[held_out], y[held_out]) < -0.1 + (
        -log_softmax(outputs, axis=1)[np.arange(len(truth)), truth].mean()
    )


def test_of_frames_the_temperature_is_that_of_their_mean(frames):
    model = net(encoder="frame_dnn", calibrate=True, max_epochs=10, lr=0.01)
    model.fit(frames.X, frames.y)
    temperature = model.members_["temperature"][0]
    assert abs(temperature - 1.0) > 0.1
    means = np.array([part.mean(axis=0) for part in model.predict_frame_proba(frames.X)["y"]])
    honest = means ** (1.0 / temperature)
    honest /= honest.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(frames.X), honest, atol=1e-6)
    plain = clone(model).set_params(calibrate=False).fit(frames.X, frames.y)
    np.testing.assert_allclose(plain.predict_proba(frames.X), means, atol=1e-6)
    assert (plain.predict(frames.X) == model.predict(frames.X)).all()


def test_labels_are_unchanged_and_other_tasks_too(speech):
    plain = net().fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    model = net(calibrate=True).fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    assert model._weights == plain._weights
    assert model.members_["temperature"][0] != 1.0
    assert np.array_equal(model.predict(speech.X), plain.predict(speech.X))
    assert not np.allclose(model.predict_proba(speech.X), plain.predict_proba(speech.X))
    assert model.predict_aux(speech.X).equals(plain.predict_aux(speech.X))
    expected = plain.predict_proba(speech.X) ** (1 / model.members_["temperature"][0])
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(speech.X), expected, atol=1e-6)


def test_each_network_has_a_temperature_of_its_own(speech):
    model = net(calibrate=True, n_estimators=3).fit(speech.X, speech.y, groups=speech.speaker)
    temperatures = model.members_["temperature"]
    assert temperatures.nunique() == 3
    first = net(calibrate=True).fit(speech.X, speech.y, groups=speech.speaker)
    assert temperatures[0] == first.members_["temperature"][0]


def test_refit_keeps_the_temperature_of_the_first_training(speech):
    model = net(calibrate=True, validation__refit=True).fit(
        speech.X, speech.y, groups=speech.speaker
    )
    first = net(calibrate=True).fit(speech.X, speech.y, groups=speech.speaker)
    assert model.members_["temperature"].tolist() == first.members_["temperature"].tolist()
    assert model._weights != first._weights


def test_weights_of_rows_count_and_those_of_classes_do_not(speech, overfitted):
    y, parameters = overfitted

    def temperature(sample_weight=None, **more):
        model = net(calibrate=True, **parameters | more | {"max_epochs": 1})
        model.fit(speech.X, y, groups=speech.speaker, sample_weight=sample_weight)
        return model.members_["temperature"][0]

    plain = temperature(lr=1e-30)
    assert temperature(lr=1e-30, y_task__class_weight={"anger": 50.0}) == plain
    assert temperature(np.where(y == "anger", 50.0, 1.0), lr=1e-30) != plain


@pytest.mark.parametrize("early_stopping", [True, False])
def test_with_nothing_to_hold_out_it_is_one_and_said(speech, early_stopping):
    rows = np.r_[:15, 100:115]
    model = net(calibrate=True, early_stopping=early_stopping, max_epochs=2)
    message = (
        r"^calibrate=True: no samples could be held out, because 0\.2 of the 30 labeled samples, "
        r"class by class, is 6, and at least 10 are needed\. Probabilities are not calibrated "
        r"\(the temperature is 1\)\.$"
    )
    with pytest.warns(TrainingWarning, match=message) as caught:
        model.fit(speech.X[rows], speech.y[rows])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.members_["temperature"].tolist() == [1.0]


def test_without_groups_rows_are_held_out_class_by_class(speech):
    model = net(calibrate=True, early_stopping=False, max_epochs=2).fit(speech.X, speech.y)
    assert model.validation_split_["kind"] == "stratified"
    assert model.members_["temperature"][0] != 1.0


def test_groups_that_cannot_be_separated_are_reported_for_calibration(speech):
    model = net(calibrate=True, early_stopping=False, max_epochs=2)
    message = (
        "^calibration uses samples of speakers that are also trained on, because there are fewer"
    )
    with pytest.warns(TrainingWarning, match=message):
        model.fit(speech.X, speech.y, groups=["one"] * 240)


def test_a_frame_network_and_failed_audio(frames):
    X = list(frames.sequences)
    X[5] = None
    with pytest.warns(TrainingWarning, match="1 of 120 rows"):
        model = net(calibrate=True, max_epochs=3).fit(X, frames.y, groups=frames.speaker)
    assert model.members_["temperature"][0] != 1.0
    assert np.isnan(model.predict_proba(X)[5]).all()


def test_inside_scikit_learns_calibration(speech, overfitted):
    y, parameters = overfitted
    half = speech.speaker < "s06"
    with config_context(enable_metadata_routing=True):
        model = CalibratedClassifierCV(
            net(calibrate=True, **parameters), method="temperature", cv=3
        ).fit(speech.X[half], y[half], aux=speech.aux[half], speaker=speech.speaker[half])
    plain = net(**parameters).fit(speech.X[half], y[half])
    assert loss(model, speech.X[~half], y[~half]) < loss(plain, speech.X[~half], y[~half])
    for one in model.calibrated_classifiers_:
        assert one.estimator.members_["temperature"][0] > 1.0


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_temperature_of_outputs_that_are_scaled_is_their_scale(scale):
    """Labels drawn from the softmax itself, whose temperature is 1 by construction."""
    generator = np.random.default_rng(0)
    outputs = generator.normal(size=(20000, 4))
    probabilities = np.exp(log_softmax(outputs, axis=1))
    codes = (generator.random((20000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(outputs * scale, codes, np.ones(20000)) == pytest.approx(scale, rel=0.05)


def test_certain_and_hopeless_outputs_stay_in_bounds():
    codes = np.array([0, 1] * 10)
    right = 5.0 * np.eye(2)[codes]
    assert 0.05 <= fit_temperature(right, codes, np.ones(20)) < 0.2  # where the loss is 0
    assert fit_temperature(-right, codes, np.ones(20)) == pytest.approx(20.0, rel=0.01)
