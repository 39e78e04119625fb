"""Augmentation of batches: new masks in each epoch, for the encoder, in training only."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_ser import load_model, save_model
from sklearn_ser.neural_network import BatchSpecAugment, MTLNeuralClassifier, ReconstructionTask
from sklearn_ser.neural_network._sequences import FrameBatch


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(lengths, n_features=6):
    n_frames = int(sum(lengths))
    frames = torch.arange(1.0, 1 + n_frames * n_features).view(n_frames, n_features)
    return FrameBatch(frames, torch.tensor(lengths))


def net(**params):
    given = {"hidden_units": (8,), "max_epochs": 3, "early_stopping": False, "dropout": 0.0}
    given |= {"perturbation__noise": 0.0, "random_state": 0}
    return MTLNeuralClassifier().set_params(**given | params)


@pytest.mark.parametrize("fill", [0.0, "mean", -2.0])
def test_masks_are_bands_and_stretches(fill):
    given = batch([40, 25, 60, 33])
    given = given.with_frames(torch.randn(given.frames.shape, generator=generator(1)))
    augment = BatchSpecAugment(1, 3, 2, 8, time_share=0.25, fill=fill)
    seen = augment(given, generator())
    assert seen.lengths.tolist() == given.lengths.tolist()
    values = given.frames.split(given.lengths.tolist())
    masked_any = 0
    for old, new in zip(values, seen.frames.split(given.lengths.tolist()), strict=True):
        filled = old.mean(dim=0).expand_as(old) if fill == "mean" else torch.full_like(old, fill)
        masked = new != old
        torch.testing.assert_close(new[masked], filled[masked])
        band, time = masked.all(dim=0), masked.all(dim=1)
        assert bool((masked == (band[None] | time[:, None])).float().mean() > 0.95)
        assert int(band.sum()) <= 3
        assert int(time.sum()) <= 2 * min(8, int(0.25 * len(old)))
        masked_any += int(masked.any())
    assert masked_any >= 3


def test_widths_and_places_are_even():
    ones = torch.ones(4000, 10)
    masked = BatchSpecAugment(1, 4)(ones, generator()) == 0
    counts = torch.bincount(masked.sum(dim=1), minlength=5) / 4000
    torch.testing.assert_close(counts, torch.full((5,), 0.2), atol=0.03, rtol=0)
    assert (masked.int().diff(dim=1).abs().sum(dim=1) <= 2).all()
    longer = BatchSpecAugment(0, 0, 1, 5, time_share=1.0)(batch([10] * 4000, 1), generator())
    masked = longer.frames.view(4000, 10) == 0
    counts = torch.bincount(masked.sum(dim=1), minlength=6) / 4000
    torch.testing.assert_close(counts, torch.full((6,), 1 / 6), atol=0.03, rtol=0)


def test_nothing_to_mask():
    given = batch([3, 1, 2])
    for augment in (BatchSpecAugment(0, 9, 0, 9), BatchSpecAugment(2, 0, 2, 0)):
        torch.testing.assert_close(augment(given, generator()).frames, given.frames)
    wide = BatchSpecAugment(1, 99, 1, 99, time_share=1.0)(given, generator())
    assert wide.frames.shape == given.frames.shape


class Spy:
    """Writes down what it is given, and what it draws."""

    def __init__(self):
        self.seen, self.drawn = [], []

    def __deepcopy__(self, memo):
        return self

    def __call__(self, given, generator):
        self.seen.append(given)
        self.drawn.append(float(torch.rand(1, generator=generator)))
        return given


def test_each_batch_of_each_epoch_is_redrawn_and_no_prediction(frames):
    spy = Spy()
    model = net(perturbation__augmenters=[spy], batch_size=40).fit(frames.X, frames.y)
    assert len(spy.drawn) == len(set(spy.drawn)) >= 9
    assert all(isinstance(given, FrameBatch) for given in spy.seen)
    calls = len(spy.drawn)
    model.predict(frames.X)
    model.transform(frames.X)
    assert len(spy.drawn) == calls
    first = spy.drawn[:calls]
    spy.drawn = []
    net(perturbation__augmenters=[spy], batch_size=40).fit(frames.X, frames.y)
    assert spy.drawn == first


def test_validation_samples_are_not_masked(speech):
    spy = Spy()
    model = net(perturbation__augmenters=[spy], early_stopping=True, validation__refit=False)
    model.fit(speech.X, speech.y, groups=speech.speaker)
    n_rows = sum(len(given) for given in spy.seen)
    assert n_rows == 3 * model.validation_split_["n_train"]


def test_augmenters_have_streams_of_their_own(speech):
    plain = net(dropout=0.3, perturbation__noise=0.5).fit(speech.X, speech.y)
    same = clone(plain).set_params(perturbation__augmenters=[BatchSpecAugment(0, 0)])
    np.testing.assert_array_equal(
        same.fit(speech.X, speech.y).predict_proba(speech.X), plain.predict_proba(speech.X)
    )
    one, two = Spy(), Spy()
    clone(plain).set_params(perturbation__augmenters=[one, two]).fit(speech.X, speech.y)
    assert not set(one.drawn) & set(two.drawn)


def test_what_is_reconstructed_is_the_batch_before(speech):
    def first_loss(target, **params):
        tasks = {"rebuilt": ReconstructionTask(target=target, weight=1.0)}
        model = net(tasks=tasks, max_epochs=1, batch_size=None, **params)
        return model.fit(speech.X, speech.y).history_["train_loss_rebuilt"].iloc[0]

    zeros = [lambda given, generator: torch.zeros_like(given)]
    spread = float((speech.X**2).mean() / speech.X.var())
    clean, augmented = (first_loss(target, perturbation__augmenters=zeros)
                        for target in ("clean", "augmented"))  # fmt: skip
    assert clean > 0.5 * spread
    assert augmented < 0.3
    assert clean != first_loss("clean")


@pytest.mark.parametrize("encoder", ["attention", "cnn_blstm"])
def test_it_trains_on_frames(encoder, frames, tmp_path):
    model = net(
        encoder=encoder,
        encoder_params={"channels": [4, 8]} if encoder == "cnn_blstm" else None,
        hidden_units=(8,),
        perturbation__augmenters=["specaugment", BatchSpecAugment(1, 1, 1, 3, fill="mean")],
    ).fit(frames.X, frames.y, aux=frames.aux)
    save_model(model, tmp_path / "m.ser")
    loaded = load_model(tmp_path / "m.ser")
    np.testing.assert_array_equal(loaded.predict_proba(frames.X), model.predict_proba(frames.X))
    assert loaded.perturbation.augmenters[1].time_width == 3
    assert loaded.perturbation.augmenters[0] == "specaugment"


def test_in_a_search(speech):
    grid = {"perturbation__augmenters": [None, ["specaugment"], [BatchSpecAugment(1, 3)]]}
    search = GridSearchCV(net(max_epochs=2), grid, cv=2, error_score="raise")
    search.fit(speech.X, speech.y)
    assert len(search.cv_results_["params"]) == 3


def test_partial_fit_uses_it_too(speech):
    spy = Spy()
    model = net(perturbation__augmenters=[spy])
    for _ in range(2):
        model.partial_fit(speech.X, speech.y, classes=np.unique(speech.y))
    assert len(set(spy.drawn)) == len(spy.drawn) > 0


def test_invalid_augmenters_raise_an_error(speech):
    def fit(given):
        net(perturbation__augmenters=given).fit(speech.X, speech.y)

    with pytest.raises(
        ValueError, match=r"perturbation__augmenters\[0\] is 'cutout': the names are \['spe"
    ):
        fit(["cutout"])
    with pytest.raises(
        TypeError, match=r"perturbation__augmenters\[1\] must be a name or an object"
    ):
        fit(["specaugment", 3])
    with pytest.raises(
        TypeError, match=r"perturbation__augmenters\[0\] must be a name or an object"
    ):
        fit([BatchSpecAugment])
    with pytest.raises(ValueError, match="'time_share' parameter of BatchSpecAugment"):
        fit([BatchSpecAugment(time_share=3)])
    with pytest.raises(
        ValueError, match="perturbation: The 'augmenters' parameter of InputPerturbation"
    ):
        fit("specaugment")
