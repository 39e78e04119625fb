"""n_estimators: several networks that answer as one."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax

from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network.training._fit_ensemble import member_seed


def net(**parameters):
    return MTLNeuralClassifier().set_params(
        **{
            "max_epochs": 3,
            "random_state": 0,
            "perturbation__noise": 0.0,
            "validation__refit": False,
            "n_estimators": 3,
        }
        | parameters
    )


@pytest.fixture(scope="module")
def fitted(speech):
    """Do not fit again."""
    return net().fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)


def answers(model, X):
    """Of each network alone, through its torch module: the outputs of all heads."""
    with torch.no_grad():
        return [
            [output.double().numpy() for output in one.module_(torch.tensor(X))]
            for one in model._nets()
        ]


def test_probabilities_are_the_mean_of_the_members(speech, fitted):
    members = answers(fitted, speech.X)
    assert len(members) == 3
    expected = np.mean([softmax(outputs[0], axis=1) for outputs in members], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(speech.X), expected, atol=1e-7)
    assert np.array_equal(fitted.predict(speech.X), fitted.classes_[expected.argmax(axis=1)])
    gender = np.mean([softmax(outputs[1], axis=1) for outputs in members], axis=0)
    np.testing.assert_allclose(fitted.predict_aux_proba(speech.X)["gender"], gender, atol=1e-7)
    arousal = np.mean([outputs[2][:, 0] for outputs in members], axis=0)
    arousal = arousal * speech.aux["arousal"].std(ddof=0) + speech.aux["arousal"].mean()
    np.testing.assert_allclose(fitted.predict_aux(speech.X)["arousal"], arousal, atol=1e-6)


def test_representations_stand_side_by_side(speech, fitted):
    shared = fitted.transform(speech.X)
    assert shared.shape == (240, 3 * 128)
    for place, one in enumerate(fitted._nets()):
        head = one.module_.heads[0]
        outputs = shared[:, 128 * place : 128 * (place + 1)] @ head.weight.detach().numpy().T
        outputs += head.bias.detach().numpy()
        np.testing.assert_allclose(outputs, answers(fitted, speech.X)[place][0], atol=1e-5)
    names = fitted.get_feature_names_out()
    assert names.tolist() == [f"mtlneuralclassifier{i}" for i in range(384)]
    table = net(max_epochs=1).set_output(transform="pandas").fit(speech.X, speech.y)
    assert table.transform(speech.X).columns.tolist() == names.tolist()


def test_members_hold_out_other_speakers(speech, fitted):
    members = fitted.members_
    assert members.index.tolist() == [0, 1, 2]
    assert members.index.name == "member"
    assert members.columns.tolist() == [
        "n_iter",
        "best_epoch",
        "temperature",
        "n_valid",
        "held_out",
    ]
    groups = [set(text.split(", ")) for text in members["held_out"]]
    assert not set.intersection(*groups)
    assert all(group <= set(speech.speaker) for group in groups)
    assert members["n_valid"].tolist() == [
        np.isin(speech.speaker, list(group)).sum() for group in groups
    ]
    assert fitted.validation_split_["groups"] == sorted(groups[0])
    assert len(set(fitted._weights)) == 3


def test_history_has_a_level_for_the_member(speech, fitted):
    history = fitted.history_
    assert history.index.names == ["member", "epoch"]
    assert history.loc[2].index.tolist() == [1, 2, 3]
    alone = net(n_estimators=1).fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    pd.testing.assert_frame_equal(history.loc[0], alone.history_)
    assert history["train_loss"].groupby("member").first().nunique() == 3


def test_the_first_is_the_network_of_the_seed_and_the_others_have_seeds_of_their_own(speech):
    class Draws(np.random.RandomState):
        """Gives one seed, whatever is asked for."""

        def randint(self, *args, **kwargs):
            return self.given

    parameters = {"early_stopping": False, "max_epochs": 2}
    ensemble = net(**parameters).fit(speech.X, speech.y)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    for place, weights in enumerate(ensemble._weights):
        state = Draws()
        state.given = member_seed(seed, place)
        alone = net(n_estimators=1, random_state=state, **parameters).fit(speech.X, speech.y)
        assert alone._weights == [weights]
    more = net(n_estimators=4, **parameters).fit(speech.X, speech.y)
    assert more._weights[:3] == ensemble._weights


def test_pickled_it_is_the_same(speech, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(speech.X), fitted.predict_proba(speech.X))
    assert np.array_equal(again.transform(speech.X), fitted.transform(speech.X))
    pd.testing.assert_frame_equal(again.members_, fitted.members_)
    pd.testing.assert_frame_equal(again.history_, fitted.history_)


def test_rows_of_failed_audio_and_frames(frames):
    X = list(frames.sequences)
    model = net(max_epochs=1).fit(X, frames.y, aux=frames.aux)
    expected = model.predict_proba(X)
    X[3] = None
    found = model.predict_proba(X)
    assert np.isnan(found[3]).all()
    np.testing.assert_allclose(np.delete(found, 3, 0), np.delete(expected, 3, 0), atol=1e-6)
    assert model.transform(X).shape == (120, 3 * 256)


def test_more_networks_are_not_worse_than_the_mean_of_their_losses(speech, fitted):
    """Jensen: the loss of a mean of probabilities is at most the mean of the losses."""
    truth = np.searchsorted(fitted.classes_, speech.y)
    rows = np.arange(240)

    def loss(probabilities):
        return -np.log(probabilities[rows, truth]).mean()

    alone = [loss(softmax(outputs[0], axis=1)) for outputs in answers(fitted, speech.X)]
    assert loss(fitted.predict_proba(speech.X)) < np.mean(alone)
