"""Equal seeds give equal numbers, whatever else runs, and no global generator is touched."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._module import build_module
from sklearn_ser.neural_network._random import Dropout, global_randomness, torch_stream


def fit(speech, seed=0, aux=True, **parameters):
    model = MTLNeuralClassifier().set_params(
        max_epochs=4, random_state=seed, device="cpu", **parameters
    )
    return model.fit(speech.X, speech.y, aux=speech.aux if aux else None, groups=speech.speaker)


def test_one_seed_one_network(speech):
    assert fit(speech)._weights == fit(speech)._weights
    assert fit(speech)._weights != fit(speech, seed=1)._weights


def test_fits_in_threads_equal_fits_in_a_row(speech):
    in_a_row = [fit(speech, seed)._weights for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        in_threads = list(pool.map(lambda seed: fit(speech, seed)._weights, range(4)))
    assert in_threads == in_a_row


def test_global_generators_are_neither_read_nor_seeded(speech):
    def states():
        # The legacy generator is the global one, which is what is watched here.
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = states()
    fit(speech).predict(speech.X)
    assert states() == before


def test_single_task_is_the_same_with_and_without_aux(speech):
    with_aux = fit(speech, tasks=None)
    without = fit(speech, tasks=None, aux=False)
    inferred = fit(speech, aux=False)
    assert with_aux._weights == without._weights == inferred._weights
    assert with_aux.predict_aux(speech.X).shape == (240, 0)
    assert with_aux.predict_aux_proba(speech.X) == {}


def test_a_further_head_leaves_all_first_weights_alone():
    def first_weights(heads):
        architecture = {
            "encoder": "mlp",
            "encoder_params": {"residual": False},
            "n_features": 4,
            "hidden_units": [5, 3],
            "activation": "relu",
            "dropout": 0.5,
            "dtype": "float32",
            "heads": heads,
            "head_units": {},
        }
        return build_module(architecture, device="cpu", seed=3).state_dict()

    alone, both = first_weights({"y": 3}), first_weights({"gender": 2, "y": 3})
    for name in ("encoder.layers.0.weight", "encoder.layers.1.bias"):
        assert torch.equal(alone[name], both[name])
    assert torch.equal(alone["heads.0.weight"], both["heads.1.weight"])


def test_dropout_keeps_the_mean_and_is_off_in_prediction():
    dropout = Dropout(0.3, torch_stream(0, "dropout"))
    x = torch.ones(100, 1000)
    dropped = dropout(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert dropped.max().item() == pytest.approx(1 / 0.7)
    assert torch.equal(dropout.eval()(x), x)


def test_streams_differ_by_name_and_seed():
    draws = {
        torch.rand(1, generator=torch_stream(seed, name)).item()
        for seed in (0, 1)
        for name in ("encoder", "dropout", "head y", "head gender")
    }
    assert len(draws) == 8


def test_the_global_generators_of_all_gpus_are_put_back(monkeypatch):
    """Named one by one: torch warns where there are several and none is named."""
    given = []

    def fork_rng(devices):
        given.append(devices)
        return contextlib.nullcontext()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.random, "fork_rng", fork_rng)
    state = torch.get_rng_state()
    with global_randomness(0):
        pass
    torch.set_rng_state(state)
    assert given == [[0, 1]]
