"""Mixup, noise and dropout of the inputs: what the encoder sees, in training only."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_ser.neural_network import InputPerturbation, MTLNeuralClassifier, ReconstructionTask
from sklearn_ser.neural_network._sequences import FrameBatch
from sklearn_ser.neural_network.tasks import _losses
from sklearn_ser.neural_network.training._batch_perturbation import BatchPerturbation


def plain_net(**params):
    """A network without what the defaults add to a single training."""
    return MTLNeuralClassifier().set_params(
        **{"validation__refit": False, "perturbation__noise": 0.0} | params
    )


def perturbation(**parameters):
    settings = InputPerturbation(**{"noise": 0.0} | parameters)
    return BatchPerturbation(settings, seed=0, device="cpu")


def test_mixup_is_a_weighted_mean_of_two_rows_with_the_share_noted():
    mixing = perturbation(mixup_alpha=0.4)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        x = torch.randn(9, 3, generator=generator)
        clean, seen, mix = mixing(x)
        partner = x[mix.partner]
        torch.testing.assert_close(seen, mix.share * x + (1 - mix.share) * partner)
        assert seen is clean
        assert sorted(mix.partner.tolist()) == list(range(9))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha):
    mixing = perturbation(mixup_alpha=alpha)
    shares = np.array([mixing(torch.zeros(2, 1))[2].share for _ in range(4000)])
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_frames_are_mixed_with_the_partners_at_the_same_time():
    lengths = [3, 5, 2]
    frames = torch.arange(10.0).unsqueeze(1)
    mixing = perturbation(mixup_alpha=0.4)
    clean, _, mix = mixing(FrameBatch(frames, torch.tensor(lengths)))
    starts = [0, 3, 8]
    expected = []
    for row, partner in enumerate(mix.partner.tolist()):
        own = frames[starts[row] : starts[row] + lengths[row]]
        other = frames[starts[partner] : starts[partner] + lengths[partner]]
        other = torch.cat([other] * 3)[: lengths[row]]  # a shorter one begins again
        expected.append(mix.share * own + (1 - mix.share) * other)
    torch.testing.assert_close(clean.frames, torch.cat(expected))
    assert clean.lengths.tolist() == lengths


def test_noise_and_dropout_have_the_requested_moments():
    x = torch.ones(500, 400)
    clean, noisy, mix = perturbation(noise=0.3)(x)
    assert clean is x
    assert mix is None
    assert (noisy - x).mean().item() == pytest.approx(0.0, abs=0.003)
    assert (noisy - x).std().item() == pytest.approx(0.3, rel=0.01)
    _, dropped, _ = perturbation(dropout=0.25)(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert dropped.max().item() == pytest.approx(1 / 0.75)
    _, both, _ = perturbation(noise=0.3, dropout=0.25)(x)
    assert (both == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert both.mean().item() == pytest.approx(1.0, abs=0.01)


class Seen(Callback):
    """Notes the inputs of the encoder, in training and in validation."""

    def __init__(self):
        self.inputs = {True: [], False: []}

    def on_train_begin(self, net, **kwargs):
        def note(module, given):
            self.inputs[module.training].append(given[0].clone())

        net.module_.encoder.register_forward_pre_hook(note)


def test_only_training_rows_are_perturbed_and_only_in_training(speech):
    seen = Seen()
    model = plain_net(
        perturbation__noise=0.5,
        perturbation__dropout=0.2,
        perturbation__mixup_alpha=0.4,
        max_epochs=2,
        callbacks=[seen],
    )
    model.fit(speech.X, speech.y, groups=speech.speaker)
    known = {row.tobytes() for row in speech.X}
    held_out = torch.cat(seen.inputs[False]).numpy()
    assert len(held_out) == 2 * model.validation_split_["n_valid"]
    assert {row.tobytes() for row in held_out} <= known
    trained = torch.cat(seen.inputs[True]).numpy()
    assert len(trained) == 2 * model.validation_split_["n_train"]
    assert not {row.tobytes() for row in trained} & known
    assert (trained == 0).mean() == pytest.approx(0.2, abs=0.03)
    assert np.array_equal(model.predict_proba(speech.X), model.predict_proba(speech.X))


def test_both_rows_targets_are_learned_by_their_shares(speech, monkeypatch):
    """Of every kind of task, labeled in part: the loss of a step from its parts by hand."""
    noted = []
    mixed = _losses.MultiTaskLoss.mixed

    def note(self, outputs, targets, weights, mix, inputs=None, frame_batch=None):
        losses = mixed(self, outputs, targets, weights, mix, inputs, frame_batch)
        noted.append((outputs, targets, mix, inputs, losses))
        return losses

    monkeypatch.setattr(_losses.MultiTaskLoss, "mixed", note)
    aux = speech.aux.copy()
    aux.loc[::3, "gender"] = None
    plain_net(
        perturbation__mixup_alpha=1.0,
        perturbation__noise=0.1,
        tasks={"gender": "auto", "arousal": "mse", "x": ReconstructionTask()},
        max_epochs=1,
        random_state=0,
    ).fit(speech.X, speech.y, aux=aux)
    assert len(noted) > 2
    for outputs, targets, mix, inputs, losses in noted:
        partner, share = mix.partner, mix.share
        y, gender, arousal, copy = (output.detach() for output in outputs)
        # Cross-entropy with soft targets, where both rows of a pair are labeled throughout.
        soft = share * one_hot(targets[0], 3) + (1 - share) * one_hot(targets[0][partner], 3)
        expected = -(soft * y.log_softmax(1)).sum(1).mean()
        torch.testing.assert_close(losses[0].detach(), expected)
        # Means over the rows that have a label of their own, and over those whose partner has.
        logs = gender.log_softmax(1)
        parts = []
        for code in (targets[1], targets[1][partner]):
            known = code >= 0
            parts.append(-logs[known].gather(1, code[known].unsqueeze(1)).mean())
        torch.testing.assert_close(losses[1].detach(), share * parts[0] + (1 - share) * parts[1])
        squared = [
            (arousal[:, 0] - target).square().mean() for target in (targets[2], targets[2][partner])
        ]
        torch.testing.assert_close(
            losses[2].detach(), share * squared[0] + (1 - share) * squared[1]
        )
        # The clean input of a mixed row is the mixed row.
        torch.testing.assert_close(losses[3].detach(), (copy - inputs.clean).square().mean())
        assert not torch.equal(inputs.clean, inputs.seen)


def one_hot(codes, n_classes):
    return torch.nn.functional.one_hot(codes, n_classes).float()


def test_mixup_trains_on_frames(frames):
    model = plain_net(
        perturbation__mixup_alpha=0.2,
        perturbation__noise=0.1,
        perturbation__dropout=0.1,
        max_epochs=25,
        random_state=0,
    )
    model.fit(frames.X, frames.y, aux=frames.aux)
    assert np.isfinite(model.history_["train_loss"]).all()
    assert model.score(frames.X, frames.y) > 0.6


def test_noise_is_in_units_of_each_features_spread(speech):
    scales = np.array([0.01, 1.0, 5.0, 0.0, 1.0, 1.0, 1.0, 100.0], dtype=np.float32)
    noted = []

    class Noted(Callback):
        def on_train_begin(self, net, **kwargs):
            noted.append(net.procedure.perturbation.scale)

    params = {
        "perturbation__noise": 0.5,
        "max_epochs": 1,
        "early_stopping": False,
        "callbacks": [Noted()],
    }
    plain_net(**params).fit(speech.X * scales, speech.y)
    expected = (speech.X * scales).std(axis=0)
    np.testing.assert_allclose(noted[0].numpy(), expected, rtol=1e-4)
    frames = [
        row[None].repeat(1 + place % 3, axis=0) for place, row in enumerate(speech.X * scales)
    ]
    plain_net(**params).fit(frames, speech.y)
    expected = np.concatenate(frames).std(axis=0)
    np.testing.assert_allclose(noted[1].numpy(), expected, rtol=1e-4, atol=1e-6)
