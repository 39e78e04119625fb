"""Adversarial training: what is sought, what is learned, and how it goes with the rest."""

import pickle
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

from sklearn_ser import load_model, save_model
from sklearn_ser.neural_network import (
    AdversarialTraining,
    ConsistencyTask,
    MTLNeuralClassifier,
    PseudoLabels,
)
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.tasks._losses import MultiTaskLoss
from sklearn_ser.neural_network.training._adversarial_training import (
    AdversarialLoss,
    Ball,
    without_dropout,
)
from sklearn_ser.neural_network.training._batch_perturbation import Mix

METHODS = ("fgsm", "pgd", "vat")
BATCHES = {
    "rows": torch.zeros(4, 6, dtype=torch.float64),
    "frames": FrameSequences.packed(torch.zeros(10, 3, dtype=torch.float64), [2, 5, 1, 2]).batch(),
}


def net(adversarial_training=None, **parameters):
    given = {"max_epochs": 3, "hidden_units": (16,), "lr": 0.01, "random_state": 0}
    given |= {"validation__refit": False, "early_stopping": False}
    return MTLNeuralClassifier().set_params(
        adversarial_training=adversarial_training, **(given | parameters)
    )


def weights_of(model):
    return model.net_.module_.state_dict()


def numpy_global_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002


def all_equal(one, other):
    return all(
        torch.equal(value, weights_of(other)[name]) for name, value in weights_of(one).items()
    )


# The ball


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_changes_stay_in_the_ball_and_reach_its_edge(kind, norm):
    batch, ball = BATCHES[kind], Ball(norm, 0.3)
    values = getattr(batch, "frames", batch)
    generator = torch.Generator().manual_seed(0)
    far = 5.0 * torch.randn(values.shape, generator=generator, dtype=torch.float64)
    for change in (ball.projected(far, batch), 0.3 * ball.steepest(far, batch)):
        assert torch.allclose(ball.size(change, batch), torch.tensor(0.3, dtype=torch.float64))
    drawn = ball.drawn(values, batch, generator)
    assert (ball.size(drawn, batch) <= 0.3 + 1e-12).all()
    assert (ball.size(drawn, batch) > 0.0).all()
    assert torch.allclose(ball.projected(drawn, batch), drawn)
    # Of the sequences one by one, or of the rows.
    lengths = batch.lengths.tolist() if kind == "frames" else [1] * len(batch)
    parts = far.split(lengths)
    by_hand = [p.abs().max() if norm == "inf" else p.square().mean().sqrt() for p in parts]
    assert torch.allclose(ball.size(far, batch), torch.stack(by_hand))


@pytest.mark.parametrize("kind", BATCHES)
def test_gradients_too_small_to_square_have_a_direction(kind):
    batch, ball = BATCHES[kind], Ball("l2", 1.0)
    shape = getattr(batch, "frames", batch).shape
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 1e-30
    gradient[0] *= 1e20  # beside it the others are nothing
    assert torch.allclose(ball.size(ball.steepest(gradient, batch), batch), torch.ones(4))
    gradient[:] = 0.0
    assert torch.equal(ball.steepest(gradient, batch), gradient)


# Against plain torch


class Plain(torch.nn.Module):
    """The network's layers as they stand, in plain torch."""

    def __init__(self, model):
        super().__init__()
        module = model.net_.module_
        self.first, self.head = module.encoder.layers[0], module.heads[0]

    def forward(self, x):
        return self.head(torch.relu(self.first(x)))


@pytest.fixture(scope="module")
def trained(speech):
    """Do not fit again."""
    return net(tasks=None, compute__dtype="float64", perturbation__noise=0.0, dropout=0.0).fit(
        speech.X, speech.y
    )


def loss_now(model, spec, X, y, scale, mix=None, seed=0):
    """The further loss of one batch, and the net."""
    net_ = model.net_
    net_.procedure.autocast = None
    codes = torch.from_numpy(np.searchsorted(model.classes_, y))
    weights = torch.ones(len(y), dtype=torch.float64)
    term = AdversarialLoss(spec, scale=scale, seed=seed, device="cpu")
    return term(
        net_, torch.tensor(np.asarray(X).tolist(), dtype=torch.float64), codes, weights, mix
    )


def test_fgsm_is_one_step_along_the_sign(speech, trained):
    scale = torch.linspace(0.5, 2.0, 8, dtype=torch.float64)
    loss, total = loss_now(
        trained, AdversarialTraining(epsilon=0.2), speech.X[:30], speech.y[:30], scale
    )
    plain = Plain(trained)
    x = torch.tensor(speech.X[:30], dtype=torch.float64, requires_grad=True)
    codes = torch.from_numpy(np.searchsorted(trained.classes_, speech.y[:30]))
    (gradient,) = torch.autograd.grad(functional.cross_entropy(plain(x), codes), x)
    changed = x.detach() + 0.2 * scale * gradient.sign()
    expected = functional.cross_entropy(plain(changed), codes)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert total.item() == 30.0
    # Its gradients are those of the weights with the change held fixed.
    module = trained.net_.module_
    (found,) = torch.autograd.grad(loss, module.heads[0].weight)
    (by_hand,) = torch.autograd.grad(expected, plain.head.weight)
    assert torch.allclose(found, by_hand, rtol=1e-10)


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_pgd_is_projected_steps_from_a_place_in_the_ball(speech, trained, norm):
    spec = AdversarialTraining("pgd", epsilon=0.3, n_steps=4, norm=norm, step_size=0.2)
    scale = torch.linspace(0.5, 2.0, 8, dtype=torch.float64)
    X, y = torch.tensor(speech.X[:20], dtype=torch.float64), speech.y[:20]
    term = AdversarialLoss(spec, scale=scale, seed=3, device="cpu")
    change = term.ball.drawn(X, X, term.generator)  # where it begins
    plain, codes = Plain(trained), torch.from_numpy(np.searchsorted(trained.classes_, y))
    for _ in range(4):
        change = change.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(
            functional.cross_entropy(plain(X + change * scale), codes), change
        )
        if norm == "inf":
            change = (change.detach() + 0.2 * gradient.sign()).clamp(-0.3, 0.3)
        else:
            root = np.sqrt(8)
            step = 0.2 * root * gradient / gradient.norm(dim=1, keepdim=True)
            change = change.detach() + step
            length = change.norm(dim=1, keepdim=True) / root
            change = change * (0.3 / length).clamp_max(1.0)
    expected = functional.cross_entropy(plain(X + change * scale), codes)
    loss, _ = loss_now(trained, spec, X, y, scale, seed=3)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)


def test_vat_finds_the_direction_in_which_probabilities_move_most(speech, trained):
    """With many power iterations: the first eigenvector of the divergence's curvature."""
    spec = AdversarialTraining("vat", epsilon=0.01, n_steps=200, step_size=1e-4)
    plain, scale = Plain(trained), torch.ones(8, dtype=torch.float64)
    for row in range(3):
        x = torch.tensor(speech.X[row : row + 1], dtype=torch.float64)
        loss, total = loss_now(trained, spec, x, speech.y[row : row + 1], scale)
        probabilities = plain(x).softmax(dim=1).detach()

        def divergence(change, x=x, probabilities=probabilities):
            found = plain(x + change).log_softmax(dim=1)
            return functional.kl_div(found, probabilities, reduction="sum")

        curvature = torch.autograd.functional.hessian(divergence, torch.zeros_like(x))
        largest = torch.linalg.eigvalsh(curvature.reshape(8, 8))[-1].item()
        # A change whose root mean square is epsilon has the length epsilon sqrt(8).
        expected = 0.5 * largest * 0.01**2 * 8
        assert loss.item() == pytest.approx(expected, rel=0.02)
        assert total.item() == 1.0


def test_sequences_are_changed_frame_by_frame_and_nothing_else(frames):
    model = net(tasks=None, compute__dtype="float64", hidden_units=(8,)).fit(frames.X, frames.y)
    spec = AdversarialTraining(epsilon=0.2)
    codes = torch.from_numpy(np.searchsorted(model.classes_, frames.y[:7]))
    packed = FrameSequences.packed(
        torch.from_numpy(np.concatenate(frames.sequences[:7]).astype(np.float64)),
        [len(sequence) for sequence in frames.sequences[:7]],
    )
    net_ = model.net_
    term = AdversarialLoss(spec, scale=torch.ones(5), seed=0, device="cpu")
    weights = torch.ones(7, dtype=torch.float64)
    together, _ = term(net_, packed[torch.arange(7)].batch(), codes, weights, None)
    alone = [
        term(net_, packed[[row]].batch(), codes[[row]], weights[[row]], None)[0].item()
        for row in range(7)
    ]
    assert together.item() == pytest.approx(np.mean(alone), rel=1e-9)


@pytest.mark.parametrize("mix", [None, Mix(torch.tensor([2, 0, 1, 3]), 0.3)])
def test_the_loss_of_y_alone_is_that_among_the_others(trained, mix):
    loss = MultiTaskLoss(trained._fitted_tasks())
    outputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    targets, weights = torch.tensor([0, 2, -1, 1]), torch.tensor([[1.0], [2.0], [0.0], [0.5]])
    if mix is None:
        (expected,) = loss.per_task([outputs], [targets], weights)
    else:
        (expected,) = loss.mixed([outputs], [targets], weights, mix)
    assert loss.main(outputs, targets, weights[:, 0], mix) == expected


# What it brings


def two_views(n_rows, seed):
    """Feature 0 tells the class surely; 40 others tell it together, each hardly at all."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, size=n_rows)
    sign = 2 * y[:, None] - 1
    X = 0.35 * sign + generator.normal(size=(n_rows, 41))
    X[:, :1] = 1.5 * sign + 0.6 * generator.normal(size=(n_rows, 1))
    return X.astype(np.float32), y


def robust_accuracy(model, X, y, epsilon):
    """After one step along the sign, in plain torch."""
    plain, x = Plain(model), torch.tensor(X, requires_grad=True)
    (gradient,) = torch.autograd.grad(functional.cross_entropy(plain(x), torch.from_numpy(y)), x)
    return model.score((x.detach() + epsilon * gradient.sign()).numpy(), y)


@pytest.fixture(scope="module")
def robust_scores():
    X, y = two_views(400, 0)
    X_test, y_test = two_views(1000, 1)
    common = {"max_epochs": 25, "dropout": 0.0, "perturbation__noise": 0.0, "tasks": None}
    scores = {}
    for method in (None, *METHODS):
        spec = method and AdversarialTraining(method, epsilon=0.4, weight=1.0)
        model = net(spec, **common).fit(X, y)
        scores[method] = robust_accuracy(model, X_test, y_test, 0.4), model.score(X_test, y_test)
    return scores


@pytest.mark.parametrize("method", METHODS)
def test_it_makes_networks_robust(robust_scores, method):
    plain, _ = robust_scores[None]
    robust, clean = robust_scores[method]
    assert robust > plain + 0.05
    assert clean > 0.9


def test_vat_learns_from_unlabeled_samples(speech):
    y = speech.y.astype(object)
    y[60:] = None
    other = np.array(speech.X)
    other[60:, :] = other[60:, ::-1]
    spec, common = AdversarialTraining("vat", weight=2.0), {"unlabeled": "nan", "tasks": None}
    common["perturbation__noise"] = 0.0
    models = [net(spec, **common).fit(X, y) for X in (speech.X, other)]
    assert not all_equal(*models)
    # Without a label in a batch there is still a divergence, and no loss of y.
    model = net(spec, batch_size=1, max_epochs=1, **common).fit(speech.X, y)
    assert np.isfinite(model.history_["adversarial_loss"]).all()


# With the rest


def test_none_and_weight_0_change_nothing(speech):
    models = [
        net(spec).fit(speech.X, speech.y, aux=speech.aux)
        for spec in (None, AdversarialTraining("vat", weight=0.0))
    ]
    assert all_equal(*models)
    assert models[0].history_.equals(models[1].history_)
    assert "adversarial_loss" not in models[1].history_


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["rows", "attention", "frame_dnn"])
def test_it_goes_with_everything(speech, frames, method, kind):
    """Mixup, tasks of all kinds, weighting, averaging, and no global generator."""
    data = speech if kind == "rows" else frames
    y = data.y.astype(object)
    y[::4] = None
    tasks = {
        "gender": "adversarial",
        "arousal": "ccc",
        "pseudo": ConsistencyTask(start=0.0),
        "input": "reconstruction",
    }
    spec = AdversarialTraining(method, n_steps=None if method == "fgsm" else 2)
    for parameters in (
        {
            "perturbation__mixup_alpha": 0.3,
            "loss_weighting": "pcgrad",
            "optimization__weight_averaging": "ema",
        },
        {"loss_weighting": "uncertainty", "n_estimators": 2, "early_stopping": True},
    ):
        torch_state, numpy_state = torch.get_rng_state(), numpy_global_state()
        model, again = (
            net(
                spec,
                encoder="mlp" if kind == "rows" else kind,
                tasks=tasks,
                unlabeled="nan",
                max_epochs=2,
                **parameters,
            ).fit(data.X, y, aux=data.aux, groups=data.speaker)
            for _ in range(2)
        )
        assert all_equal(model, again)
        assert np.isfinite(model.history_["adversarial_loss"]).all()
        assert torch.equal(torch.get_rng_state(), torch_state)
        assert np.array_equal(numpy_global_state(), numpy_state)


def test_the_history_has_the_loss_of_the_changed_rows(speech):
    model = net(
        AdversarialTraining(epsilon=1e-9, weight=1e-9),
        dropout=0.0,
        perturbation__noise=0.0,
        tasks=None,
        compute__dtype="float64",
    ).fit(speech.X, speech.y, sample_weight=np.linspace(0.1, 2.0, 240))
    # So small a change is none: it is the loss of y before each step.
    table = model.history_
    assert np.allclose(table["adversarial_loss"], table["train_loss_y"], rtol=1e-6)


def test_pseudo_labels_warm_start_and_partial_fit(speech):
    y = speech.y.astype(object)
    y[::2] = None
    spec = AdversarialTraining("pgd", n_steps=2)
    rounds = PseudoLabels(max_rounds=1, stability=0.0, tolerance=None, min_rows=1)
    model = net(spec, pseudo_labels=rounds, unlabeled="nan", warm_start=True)
    model.fit(speech.X, y, groups=speech.speaker)
    assert len(model.pseudo_labels_) == 2
    model.fit(speech.X, y, groups=speech.speaker)
    model.partial_fit(speech.X, y)
    assert np.isfinite(model.history_["adversarial_loss"]).all()
    assert len(model.history_) == 7  # of both fits and the call of partial_fit


def test_dropout_is_off_while_the_change_is_sought_and_on_again(frames):
    model = net(encoder="lstm", tasks=None).fit(frames.X, frames.y)
    module = model.net_.module_.train()
    with without_dropout(module):
        kinds = {type(part).__name__: part.training for part in module.modules()}
        assert kinds["LSTM"]
        assert not kinds["Dropout"]
    assert all(part.training for part in module.modules())


def test_in_a_search(speech):
    model = make_pipeline(StandardScaler(), net(AdversarialTraining(), max_epochs=1))
    name = "mtlneuralclassifier__adversarial_training__epsilon"
    search = GridSearchCV(model, {name: [0.1, 2.0]}, cv=PredefinedSplit(np.arange(240) // 120))
    search.fit(speech.X, speech.y)
    assert search.best_params_[name] in (0.1, 2.0)
    assert model[-1].adversarial_training.epsilon == 0.1


def test_at_rest(speech, tmp_path):
    fitted = net(AdversarialTraining("vat", n_steps=2)).fit(speech.X, speech.y)
    save_model(fitted, tmp_path / "net.ser")
    for loaded in (pickle.loads(pickle.dumps(fitted)), load_model(tmp_path / "net.ser")):
        assert loaded.history_.equals(fitted.history_)
        assert loaded.get_params()["adversarial_training__n_steps"] == 2
        assert np.array_equal(loaded.predict_proba(speech.X), fitted.predict_proba(speech.X))
        loaded.partial_fit(speech.X, speech.y)


# Parameters


def test_parameters():
    spec = AdversarialTraining("pgd", epsilon=0.3)
    model = net(spec)
    assert "adversarial_training__epsilon" not in model.get_params(deep=False)
    copy = clone(model).set_params(adversarial_training__epsilon=0.7)
    found = (copy.adversarial_training.epsilon, model.adversarial_training.epsilon, spec.epsilon)
    assert found == (0.7, 0.3, 0.3)
    assert spec._resolved() == (5, 0.15, "inf")
    assert AdversarialTraining("vat", epsilon=2.0)._resolved() == (1, 0.2, "l2")
    assert AdversarialTraining(epsilon=2.0, norm="l2")._resolved() == (1, 2.0, "l2")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("fgsm", "'adversarial_training' parameter of MTLNeuralClassifier must be an instance of"),
        (
            AdversarialTraining("fgm"),
            "adversarial_training: The 'method' parameter of AdversarialTraining must be a str",
        ),
        (AdversarialTraining(epsilon=0.0), "adversarial_training: The 'epsilon' parameter of"),
        (
            AdversarialTraining(n_steps=3),
            "adversarial_training: method='fgsm' takes one step, and n_steps is 3. Set "
            'n_steps=None, or method="pgd".',
        ),
    ],
)
def test_errors_of_fit(speech, spec, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        net(spec).fit(speech.X, speech.y)


def test_errors_of_set_params():
    text = (
        "cannot set adversarial_training__epsilon: adversarial_training is None. "
        "Set adversarial_training=AdversarialTraining() first."
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        net().set_params(adversarial_training__epsilon=0.2)
