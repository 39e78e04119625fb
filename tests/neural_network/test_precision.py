"""Mixed precision and compilation: the same network, by other arithmetic."""

import numpy as np
import pytest
import torch

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network import DomainAdversarialTask, MTLNeuralClassifier
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.encoders._conformer import _positions
from sklearn_ser.neural_network.training._train_network import mixed_precision


def fitted(data, **parameters):
    model = MTLNeuralClassifier(max_epochs=6, random_state=0, device="cpu").set_params(**parameters)
    return model.fit(data.X, data.y, aux=data.aux, groups=data.speaker)


@pytest.mark.parametrize("kind", ["speech", "frames"])
def test_bfloat16_comes_close(kind, request):
    data = request.getfixturevalue(kind)
    full, mixed = fitted(data), fitted(data, compute__mixed_precision=True)
    assert mixed._weights != full._weights
    np.testing.assert_allclose(mixed.history_["train_loss"], full.history_["train_loss"], rtol=0.02)
    np.testing.assert_allclose(mixed.predict_proba(data.X), full.predict_proba(data.X), atol=0.05)
    assert mixed.net_.module_.heads[0].weight.dtype == full.net_.module_.heads[0].weight.dtype
    assert fitted(data, compute__mixed_precision=True)._weights == mixed._weights


def test_auto_is_full_precision_on_a_cpu(speech):
    assert fitted(speech, compute__mixed_precision="auto")._weights == (
        fitted(speech, compute__mixed_precision=False)._weights
    )


def test_double_precision_is_not_mixed(speech):
    message = r"^compute__mixed_precision=True requires compute__dtype='float32', found 'float64'\."
    with pytest.raises(SerError, match=message):
        fitted(speech, compute__mixed_precision=True, compute__dtype="float64")
    assert fitted(speech, compute__mixed_precision="auto", compute__dtype="float64").n_iter_ == 6


# torch's compiler runs into warnings of its own, and hides them, which as errors they escape.
@pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("kind", ["speech", "frames"])
def test_compiled_without_optimization_it_is_the_same_network(kind, request):
    data = request.getfixturevalue(kind)
    parameters = {"tasks": {"gender": DomainAdversarialTask(), "arousal": "mse"}, "max_epochs": 3}
    plain = fitted(data, **parameters)
    compiled = fitted(data, compute__compile="eager", **parameters)
    assert compiled._weights == plain._weights
    assert np.array_equal(compiled.predict_proba(data.X), plain.predict_proba(data.X))


@pytest.mark.parametrize(("capability", "mixed"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_auto_is_bfloat16_on_gpus_that_have_it(capability, mixed, monkeypatch):
    """Older ones emulate it, and say that they support it."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype: (kind, dtype))
    found = mixed_precision("auto", "cuda:1", torch.float32)
    assert found == (("cuda", torch.bfloat16) if mixed else None)


def test_means_of_many_frames_are_exact_in_bfloat16():
    batch = FrameSequences.packed(torch.zeros(1003, 1), [1000, 3]).batch()
    values = torch.ones(1003, 2, dtype=torch.bfloat16)
    values[1000:] = 2.5
    assert batch.means(values).tolist() == [[1.0, 1.0], [2.5, 2.5]]
    assert batch.means(values).dtype == torch.bfloat16


def test_frames_late_in_a_long_sequence_have_positions_of_their_own_in_bfloat16():
    batch = FrameSequences.packed(torch.zeros(600, 1), [600]).batch()
    full = _positions(batch, torch.zeros(600, 8))
    mixed = _positions(batch, torch.zeros(600, 8, dtype=torch.bfloat16))
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), full, atol=0.01, rtol=0.0)


def test_an_unknown_compiler_is_an_error_that_names_it(speech):
    with pytest.raises(Exception, match="'no such'"):
        fitted(speech, compute__compile="no such")
