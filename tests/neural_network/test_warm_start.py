"""Fine-tuning on a target corpus: a later fit goes on from an earlier one."""

import numpy as np
import pandas as pd
import pytest
from skorch.callbacks import Callback

from sklearn_ser.neural_network import MTLNeuralClassifier


def net(**parameters):
    given = {
        "max_epochs": 15,
        "random_state": 0,
        "validation__refit": False,
        "perturbation__noise": 0.0,
    }
    return MTLNeuralClassifier().set_params(**given | parameters)


def corpus(seed, n_rows, shift):
    """Feature 0 tells the emotion; where it is told is shifted, and feature 1 misleads."""
    generator = np.random.default_rng(seed)
    y = generator.choice(["anger", "neutral", "sadness"], n_rows)
    X = generator.normal(size=(n_rows, 8)).astype(np.float32)
    X[:, 0] += 2.5 * (y == "anger") - 2.5 * (y == "sadness") + shift
    return X, y


@pytest.fixture(scope="module")
def corpora():
    return corpus(0, 600, 0.0), corpus(1, 60, 2.5), corpus(2, 600, 2.5)


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_fine_tuning_helps_on_the_target_corpus(corpora, way):
    source, target, unseen = corpora
    model = net(warm_start=True).fit(*source)
    before = model.score(*unseen)
    further = {"early_stopping": False, "lr": 0.003, "batch_size": 16}
    scratch = net(**further).fit(*target).score(*unseen)
    model.set_params(**further)
    if way == "fit":
        model.fit(*target)
    else:
        for _ in range(15):
            model.partial_fit(*target)
    after = model.score(*unseen)
    assert before < 0.6
    assert after > before + 0.2
    assert after > scratch + 0.02


def test_it_continues_from_the_weights_with_the_same_classes_and_scales(speech):
    model = net(warm_start=True).fit(speech.X, speech.y, aux=speech.aux)
    mean, n_before = model.predict_aux(speech.X)["arousal"], model.n_iter_
    before = model.net_.module_.encoder.state_dict()
    rows = speech.y != "sadness"
    model.set_params(lr=1e-30, optimization__weight_decay=0.0, early_stopping=False, max_epochs=3)
    model.fit(speech.X[rows], speech.y[rows], aux=speech.aux[rows] + {"gender": "", "arousal": 9})
    assert model.classes_.tolist() == ["anger", "neutral", "sadness"]
    for name, value in model.net_.module_.encoder.state_dict().items():
        np.testing.assert_allclose(value, before[name], atol=1e-12)
    # Values are learned on the first fit's scale, so that old answers stay what they were.
    np.testing.assert_allclose(model.predict_aux(speech.X)["arousal"], mean, atol=1e-5)
    # The history goes on, as that of partial_fit does.
    assert (model.n_iter_, len(model.history_)) == (n_before + 3, n_before + 3)
    assert model.history_.index.tolist() == list(range(1, n_before + 4))
    assert model.best_epoch_ == n_before + 3
    model.partial_fit(speech.X, speech.y)
    assert model.n_iter_ == n_before + 4


def test_each_network_of_an_ensemble_continues_from_its_own_weights(speech):
    model = net(warm_start=True, n_estimators=3, max_epochs=2)
    model.fit(speech.X, speech.y)
    before = model.transform(speech.X)
    model.set_params(lr=1e-30, optimization__weight_decay=0.0).fit(speech.X, speech.y)
    np.testing.assert_allclose(model.transform(speech.X), before, atol=1e-6)


def test_without_aux_auxiliary_heads_stay_as_they_are(speech):
    model = net(warm_start=True).fit(speech.X, speech.y, aux=speech.aux)
    head = model.net_.module_.heads[1].weight.detach().clone()
    n_before = model.n_iter_
    model.fit(speech.X, speech.y)
    # No loss, and so no gradient: weight decay alone draws at it.
    found = model.net_.module_.heads[1].weight.detach()
    np.testing.assert_allclose(found / head, (found / head).mean(), rtol=1e-4)
    losses = model.history_["train_loss_gender"]
    assert losses.iloc[:n_before].notna().all()
    assert losses.iloc[n_before:].isna().all()


def test_it_needs_a_fit_to_go_on_from(speech):
    cold = net().fit(speech.X, speech.y)
    warm = net(warm_start=True).fit(speech.X, speech.y)
    assert warm._weights == cold._weights
    assert warm.fit(speech.X, speech.y)._weights != cold._weights
    assert cold.fit(speech.X, speech.y)._weights == cold._weights


def test_best_weights_of_a_warm_start_are_of_this_training(speech):
    y = np.random.default_rng(0).permutation(speech.y)
    model = net(warm_start=True, patience=2).fit(speech.X, speech.y, groups=speech.speaker)
    n_before = model.n_iter_
    model.fit(speech.X, y, groups=speech.speaker)
    assert model.best_epoch_ == model.history_["valid_loss_y"].iloc[n_before:].idxmin()
    assert isinstance(model.history_, pd.DataFrame)


class Samples(Callback):
    """Record the samples that are trained on and those that validate, once for each fit."""

    def __init__(self):
        self.fits = []

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.fits.append(None)

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        parts = (dataset_train.x.numpy(), dataset_valid.x.numpy())
        self.fits[-1] = [{row.tobytes() for row in part} for part in parts]


@pytest.mark.parametrize("random_state", [None, 0, np.random.RandomState(0)], ids=str)
@pytest.mark.filterwarnings("ignore:early stopping monitors")
def test_samples_that_were_trained_on_do_not_validate(random_state):
    (X, y), seen = corpus(0, 200, 0.0), Samples()
    model = net(warm_start=True, max_epochs=2, random_state=random_state, callbacks=[seen])
    model.fit(X, y).fit(X, y).set_params(random_state=7).fit(X, y)
    (trained, valid), *later = seen.fits
    assert len(valid) > 20
    for trained_again, valid_again in later:
        assert not valid_again & trained
        assert (trained_again, valid_again) == (trained, valid)
    other = net(max_epochs=2, callbacks=[seen], random_state=7).fit(X, y)
    assert other.validation_split_["n_valid"] == len(valid)
    assert seen.fits[-1][1] != valid  # another seed, another split
