"""Self-training: what is chosen, when it ends, what is kept, and how it goes with the rest."""

import pickle
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklearn_ser import load_model, save_model, uar_scorer
from sklearn_ser.exceptions import SerError, TrainingWarning
from sklearn_ser.neural_network import (
    ClassificationTask,
    InputPerturbation,
    MTLNeuralClassifier,
    PseudoLabels,
)
from sklearn_ser.neural_network._module import build_module
from sklearn_ser.neural_network._random import numpy_stream
from sklearn_ser.neural_network.encoders._registry import ENCODERS
from sklearn_ser.neural_network.tasks._classification import FittedClassification
from sklearn_ser.neural_network.training._batch_perturbation import BatchPerturbation
from sklearn_ser.neural_network.training._batches import ResidentRows
from sklearn_ser.neural_network.training._pseudo_labels import (
    PredictedLabels,
    _Labeler,
    _reason_to_stop,
    class_quotas,
    select_rows,
)

FREE = {"stability": 0.0, "tolerance": None, "min_rows": 1}


def net(pseudo_labels=None, **parameters):
    given = {"max_epochs": 6, "hidden_units": (16,), "lr": 0.01, "random_state": 0}
    given |= {"validation__refit": False, "perturbation__noise": 0.0, "unlabeled": "nan"}
    given |= {"pseudo_labels": pseudo_labels}
    return MTLNeuralClassifier().set_params(**(given | parameters))


@pytest.fixture(scope="module")
def half(speech):
    """Labels of every other utterance of each speaker; None elsewhere."""
    y = speech.y.astype(object)
    y[np.arange(240) // 3 % 2 == 1] = None
    y.setflags(write=False)
    return y


@pytest.fixture(scope="module")
def fitted(speech, half):
    """Do not fit again."""
    return net(PseudoLabels(max_rounds=2, **FREE)).fit(speech.X, half, groups=speech.speaker)


# What is chosen


def chosen_by_hand(probabilities, votes, quotas, threshold, agreement):
    taken = []
    order = sorted(range(len(probabilities)), key=lambda row: -max(probabilities[row]))
    left = [quotas] if np.ndim(quotas) == 0 else list(quotas)
    for row in order:
        code = int(np.argmax(probabilities[row]))
        place = 0 if np.ndim(quotas) == 0 else code
        sure = max(probabilities[row]) >= threshold
        if sure and (votes is None or votes[row] >= agreement) and left[place] > 0:
            taken.append(row)
            left[place] -= 1
    return sorted(taken)


@pytest.mark.parametrize("quotas", [25, 0, np.array([10, 3, 0]), np.array([99, 99, 99])])
@pytest.mark.parametrize("threshold", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("voted", [False, True])
def test_choice_is_that_of_a_plain_reference(quotas, threshold, voted):
    generator = np.random.default_rng(0)
    # Few different values, so that there are ties.
    probabilities = generator.integers(1, 6, size=(80, 3)) / 1.0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    votes = generator.integers(0, 5, size=80) / 4 if voted else None
    found = select_rows(probabilities, votes, quotas, threshold=threshold, agreement=0.75)
    assert found.selected.tolist() == chosen_by_hand(probabilities, votes, quotas, threshold, 0.75)
    assert np.array_equal(found.codes, probabilities.argmax(axis=1))
    assert found.counts(3).sum() == len(found.selected)


def test_quotas():
    priors = np.array([0.5, 0.5, 0.0])
    assert class_quotas("equal", 0.5, 10, priors).tolist() == [2, 2, 2]
    assert class_quotas("prior", 0.5, 10, priors).tolist() == [3, 3, 0]
    assert class_quotas(None, 0.35, 10, priors) == 4


def test_how_alike_two_rounds_are():
    one = PredictedLabels(np.array([0, 1, 1, 0]), np.array([0, 1, 2]))
    other = PredictedLabels(np.array([0, 0, 1, 0]), np.array([0, 1, 2, 3]))
    assert one.agreement(other) == 0.75
    assert one.is_almost(one, 1.0)
    assert one.is_almost(other, 0.5)  # rows 0 and 2, of four
    assert not one.is_almost(other, 0.51)


def test_no_class_gets_more_than_its_quota(speech, half):
    y = half.copy()
    y[(speech.y == "sadness") & (np.arange(240) % 4 != 0)] = None
    table = {}
    for balance in ("equal", "prior", None):
        spec = PseudoLabels(max_rounds=2, share=0.5, balance=balance, **FREE)
        table[balance] = net(spec).fit(speech.X, y).pseudo_labels_
    counts = ["n_anger", "n_neutral", "n_sadness"]
    n_rows = pd.isna(y).sum()
    for number in (1, 2):
        most = 0.25 * number * n_rows
        assert (table["equal"].loc[number, counts] <= np.ceil(most / 3)).all()
        # Stratified validation takes a fifth of every class: the shares stay.
        shares = np.array([(y == name).sum() for name in ("anger", "neutral", "sadness")])
        quotas = np.ceil(most * shares / shares.sum()) + 1
        assert (table["prior"].loc[number, counts] <= quotas).all()
        assert table[None].loc[number, "selected"] == np.ceil(most)
    assert table["prior"].loc[2, "n_sadness"] < table["equal"].loc[2, "n_sadness"]


def labeler(spec, *, dropout=0.0, class_weight=None):
    """A labeler of six rows, of which the last three have no label, and a network."""
    own = ENCODERS["mlp"].specific_parameters
    architecture = {
        "encoder": "mlp",
        "encoder_params": {name: kind.default for name, kind in own.items()},
        "n_features": 4,
        "hidden_units": [8],
        "activation": "relu",
        "dropout": dropout,
        "dtype": "float32",
        "heads": {"y": 2},
        "head_units": {},
    }
    spec_of_y = ClassificationTask(class_weight=class_weight)
    task = FittedClassification("y", 1.0, spec_of_y, np.array(["a", "b"]))
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
    codes = torch.tensor([0, 0, 1, -1, -1, -1])
    weights = torch.tensor([[1.0], [1.0], [2.0], [0.0], [0.0], [0.0]])
    plain = torch.tensor([[1.0], [1.0], [1.0], [1.0], [3.0], [0.0]])
    rows = ResidentRows(x, [codes], weights, plain)
    valid = rows.take(np.array([0, 2]))
    module = build_module(architecture, device="cpu", seed=0)
    settings = SimpleNamespace(tasks=[task], seed=7, device="cpu")
    return _Labeler(spec, valid, rows, np.arange(6), settings), module


def test_chosen_rows_get_their_label_and_weight():
    spec = PseudoLabels(weight=0.5, share=1.0, max_rounds=1, balance=None)
    labels, _ = labeler(spec, class_weight={"a": 1.0, "b": 2.0})
    assert labels.positions.tolist() == [3, 4]  # a row of weight 0 is not labeled
    given = labels.labeled(PredictedLabels(np.array([0, 1]), np.array([1])))
    assert given.targets[0].tolist() == [0, 0, 1, -1, 1, -1]
    # weight x sample_weight x that of the class
    assert given.weights[:, 0].tolist() == [1.0, 1.0, 2.0, 0.0, 0.5 * 3.0 * 2.0, 0.0]
    assert given.plain_weights[:, 0].tolist() == [1.0, 1.0, 1.0, 1.0, 0.5 * 3.0, 0.0]
    assert labels.rows.targets[0].tolist() == [0, 0, 1, -1, -1, -1]
    assert labels.rows.weights[:, 0].tolist() == [1.0, 1.0, 2.0, 0.0, 0.0, 0.0]


def test_votes_are_those_of_perturbed_copies():
    spec = PseudoLabels(consistency=20, input_noise=2.0, share=1.0, max_rounds=1)
    labels, module = labeler(spec)
    module.eval()
    with torch.no_grad():
        clean = module(labels.x)[0].argmax(dim=1)
        seed = int(numpy_stream(7, "pseudo labels 1").integers(2**31))
        noise = BatchPerturbation(InputPerturbation(noise=2.0), seed=seed, device="cpu")
        copies = [module(noise(labels.x)[1])[0].argmax(dim=1) for _ in range(20)]
    expected = torch.stack([copy == clean for copy in copies]).double().mean(dim=0).numpy()
    assert 0.0 < expected.min() < 1.0
    np.testing.assert_allclose(labels._votes(module, clean.numpy(), 1), expected)


def test_copies_are_perturbed_by_dropout_too_and_the_network_is_unchanged():
    spec = PseudoLabels(consistency=50, input_noise=0.0, share=1.0, max_rounds=1)
    labels, module = labeler(spec, dropout=0.9)
    module.eval()
    found = labels(module, 1)
    votes = labels._votes(module, found.codes, 1)
    assert votes.min() < 1.0
    assert not any(part.training for part in module.modules())
    calm, module = labeler(spec)
    assert (calm._votes(module, calm(module, 1).codes, 1) == 1.0).all()


def test_rows_that_are_not_consistent_are_not_chosen(speech, half):
    def n_selected(**parameters):
        spec = PseudoLabels(max_rounds=1, share=1.0, balance=None, **parameters, **FREE)
        return net(spec, dropout=0.0).fit(speech.X, half).pseudo_labels_.loc[1, "selected"]

    everything = n_selected()
    assert everything == pd.isna(half).sum()
    assert n_selected(consistency=5, agreement=1.0, input_noise=0.0) == everything
    assert 0 < n_selected(consistency=5, agreement=1.0, input_noise=2.0) < everything


# When it ends


def test_why_it_ends():
    spec = PseudoLabels(min_rows=2, stability=0.8)
    nothing = PredictedLabels(np.array([], dtype=int), np.array([], dtype=int))
    first = PredictedLabels(np.zeros(10, dtype=int), np.array([0, 1, 2]))
    moved = PredictedLabels(np.array([1, 1, 1] + [0] * 7), np.array([0, 1, 2]))
    shaken = PredictedLabels(np.array([1, 1] + [0] * 8), np.array([0, 1, 2]))
    more = PredictedLabels(first.codes, np.array([0, 1, 2, 3]))
    few = PredictedLabels(first.codes, np.array([4]))
    assert _reason_to_stop(spec, nothing, None) == "nothing unlabeled"
    assert _reason_to_stop(spec, few, first) == "min_rows"
    assert _reason_to_stop(spec, moved, first) == "stability"
    assert _reason_to_stop(spec, shaken, first) == ""
    assert _reason_to_stop(spec, first, first) == "settled"
    assert _reason_to_stop(spec, more, first) == ""
    assert _reason_to_stop(spec, first, None) == ""


def test_it_ends_after_max_rounds(fitted):
    table = fitted.pseudo_labels_
    assert table.index.tolist() == [0, 1, 2]
    assert table["stopped"].tolist() == ["", "", "max_rounds"]
    assert table["retained"].tolist() == [False, False, True]
    assert table["agreement"].isna().tolist() == [True, True, False]
    assert table["agreement"][2] > 0.5
    assert table["valid_loss"].nunique() == 3
    assert table["selected"].tolist() == table.filter(like="n_").sum(axis=1).tolist()


def test_too_few_sure_rows(speech, half, fitted):
    plain = net().fit(speech.X, half, groups=speech.speaker)
    text = r"^pseudo_labels had no effect: fewer than min_rows=10 of the unlabeled samples"
    with pytest.warns(TrainingWarning, match=text) as caught:
        model = net(PseudoLabels(threshold=1.0)).fit(speech.X, half, groups=speech.speaker)
    assert len(caught) == 1
    assert model.pseudo_labels_["stopped"].tolist() == ["min_rows"]
    assert model.pseudo_labels_["retained"].tolist() == [True]
    # The first round is the plain fit, bit for bit; further ones are not.
    assert model._weights == plain._weights
    assert fitted._weights != plain._weights


def test_unstable_labels_end_the_rounds(speech, half):
    spec = PseudoLabels(stability=1.0, tolerance=None)
    X = speech.X * np.where(np.arange(8) == 0, 0.2, 1.0)  # hard to tell
    table = net(spec, max_epochs=2).fit(X, half, groups=speech.speaker).pseudo_labels_
    assert table["stopped"].tolist() == ["", "stability"]
    assert table["retained"].tolist() == [False, True]


def test_a_round_that_is_worse_on_validation_samples_is_dropped(speech):
    # What has no label looks otherwise, and teaches the wrong thing.
    y, X = speech.y.astype(object), speech.X.copy()
    y[120:] = None
    X[120:, 0] = np.random.default_rng(0).normal(size=120)
    X[120:, 3] += 4.0
    spec = PseudoLabels(stability=0.0, tolerance=0.0, weight=20.0, share=1.0, max_rounds=5)
    model = net(spec).fit(X, y, groups=speech.speaker)
    table = model.pseudo_labels_
    assert table["stopped"].iloc[-1] == "tolerance"
    assert table["retained"].iloc[-2]
    assert table["retained"].sum() == 1
    assert table["valid_loss"].iloc[-1] > table["valid_loss"].iloc[:-1].min()
    # What is kept is the network of the round before.
    shares = {"share": 1.0 * (len(table) - 2) / 5, "max_rounds": len(table) - 2}
    before = net() if len(table) == 2 else net(clone(spec).set_params(**shares))
    assert before.fit(X, y, groups=speech.speaker)._weights == model._weights
    assert len(net(PseudoLabels(**FREE)).fit(X, y).pseudo_labels_) == 5


def test_nothing_to_label(speech):
    model = net(PseudoLabels()).fit(speech.X, speech.y, groups=speech.speaker)
    assert model.pseudo_labels_["stopped"].tolist() == ["nothing unlabeled"]
    assert model._weights == net().fit(speech.X, speech.y, groups=speech.speaker)._weights


class Interrupt(Callback):
    """Ctrl-C in the epoch with this number, counted over all rounds."""

    def __init__(self, epoch):
        self.left = epoch

    def on_batch_begin(self, net, training=None, **kwargs):
        if self.left == 0 and training:
            raise KeyboardInterrupt

    def on_epoch_end(self, net, **kwargs):
        self.left -= 1


@pytest.mark.parametrize(("epoch", "n_rounds"), [(3, 1), (8, 1), (14, 2)])
def test_interrupted(speech, half, epoch, n_rounds):
    spec = PseudoLabels(max_rounds=3, **FREE)
    model = net(spec, early_stopping=False, callbacks=[Interrupt(epoch)])
    with pytest.warns(TrainingWarning, match="interrupted"), pytest.raises(KeyboardInterrupt):
        model.fit(speech.X, half)
    table = model.pseudo_labels_
    assert len(table) == n_rounds
    assert table.iloc[-1][["retained", "stopped"]].tolist() == [True, "interrupted"]
    assert model.predict(speech.X).shape == (240,)


# What it does, and with what


def test_it_helps_where_the_unlabeled_rows_lie_elsewhere():
    generator = np.random.default_rng(0)
    truth = np.tile([0, 1], 200)
    X = generator.normal(size=(400, 4)).astype(np.float32)
    # A second feature tells the classes too, among the unlabeled rows only.
    X[:, 0] += 1.5 * (2 * truth - 1)
    X[200:, 0] -= 0.5 * (2 * truth - 1)[200:]
    X[200:, 1] += 3.0 * (2 * truth - 1)[200:]
    y = np.where(np.arange(400) < 200, truth, -1)
    spec = PseudoLabels(stability=0.0, tolerance=None)
    scores = {}
    for name, given in {"without": None, "with": spec}.items():
        model = net(given, unlabeled=-1, max_epochs=20).fit(X, y)
        scores[name] = model.score(X[200:], truth[200:])
    assert scores["with"] > scores["without"] + 0.05


def test_only_rows_of_speakers_that_are_trained_on_are_labeled(speech, half):
    spec = PseudoLabels(max_rounds=1, share=1.0, balance=None, **FREE)
    model = net(spec).fit(speech.X, half, groups=speech.speaker)
    held_out = np.isin(speech.speaker, model.validation_split_["groups"])
    assert held_out.any()
    assert model.pseudo_labels_.loc[1, "selected"] == (pd.isna(half) & ~held_out).sum()
    # Whatever those rows of the others are, they change nothing.
    X = speech.X.copy()
    X[pd.isna(half) & held_out] = 100.0
    assert net(spec).fit(X, half, groups=speech.speaker)._weights == model._weights


def test_repeats_bit_for_bit(speech, half):
    def weights():
        spec = PseudoLabels(max_rounds=2, consistency=3, **FREE)
        model = net(spec, perturbation__noise=0.2, tasks={"rebuilt": "reconstruction"})
        return model.fit(speech.X, half, groups=speech.speaker)

    one, other = weights(), weights()
    assert one._weights == other._weights
    assert one.pseudo_labels_.equals(other.pseudo_labels_)


def test_every_network_of_an_ensemble_labels_for_itself(speech, half):
    model = net(PseudoLabels(max_rounds=1, **FREE), n_estimators=2)
    model.fit(speech.X, half, groups=speech.speaker)
    table = model.pseudo_labels_
    assert table.index.names == ["member", "round"]
    assert len(table) == 4
    assert table.loc[0, "valid_loss"].tolist() != table.loc[1, "valid_loss"].tolist()
    assert model.predict_proba(speech.X).shape == (240, 3)


def test_with_refit_calibration_and_class_weights(speech, half):
    spec = PseudoLabels(max_rounds=1, **FREE)
    given = {"y_task__class_weight": "balanced", "calibrate": True}
    model = net(spec, **given).fit(speech.X, half, groups=speech.speaker)
    again = net(spec, validation__refit=True, **given).fit(speech.X, half, groups=speech.speaker)
    assert model._temperatures[0] != 1.0
    assert again.pseudo_labels_.equals(model.pseudo_labels_)
    assert again._weights != model._weights
    # The labels are learned in the last training, too.
    without = net(validation__refit=True, **given).fit(speech.X, half, groups=speech.speaker)
    assert again._weights != without._weights


def test_without_early_stopping_samples_are_held_out_nevertheless(speech, half):
    spec = PseudoLabels(max_rounds=1, **FREE)
    model = net(spec, early_stopping=False).fit(speech.X, half, groups=speech.speaker)
    assert model.validation_split_["kind"] == "groups"
    assert model.pseudo_labels_["valid_loss"].notna().all()
    few = np.arange(24)
    y = half[few].copy()
    y[:12] = speech.y[:12]
    model = net(spec).fit(speech.X[few], y)
    assert model.validation_split_["kind"] == "none"
    assert model.pseudo_labels_["valid_loss"].isna().all()
    assert model.pseudo_labels_["retained"].tolist() == [False, True]


def test_frames(frames):
    y = frames.y.astype(object)
    y[::2] = None
    spec = PseudoLabels(max_rounds=1, consistency=2, **FREE)
    model = net(spec, max_epochs=2).fit(frames.X, y)
    assert model.pseudo_labels_.loc[1, "selected"] > 0


def test_warm_start_and_partial_fit(speech, half):
    model = net(PseudoLabels(max_rounds=1, **FREE), warm_start=True)
    model.fit(speech.X, half).fit(speech.X, half)
    table = model.pseudo_labels_
    # One more pass over labeled rows gives no labels, and leaves the record as it was.
    before = model._weights
    model.partial_fit(speech.X, half)
    assert model._weights != before
    assert model.pseudo_labels_.equals(table)
    fresh = net(PseudoLabels()).partial_fit(speech.X, half, classes=np.unique(speech.y))
    with pytest.raises(AttributeError, match="pseudo_labels_ is available only after fit with"):
        fresh.pseudo_labels_  # noqa: B018


def test_in_pipelines_searches_and_cross_validation(speech, half):
    # Unlabeled rows in every training part, and a scorer that leaves them out of the test parts.
    fold = np.where(pd.isna(half), -1, np.arange(240) // 120)
    model = make_pipeline(StandardScaler(), net(PseudoLabels(max_rounds=1, **FREE), max_epochs=4))
    name = "mtlneuralclassifier__pseudo_labels__weight"
    search = GridSearchCV(
        model,
        {name: [0.2, 5.0]},
        cv=PredefinedSplit(fold),
        scoring={"uar": uar_scorer, "log": "neg_log_loss"},
        refit="uar",
    )
    search.fit(speech.X, half)
    assert search.best_params_[name] in (0.2, 5.0)
    assert search.cv_results_["mean_test_uar"].min() > 0.5
    assert len(set(search.cv_results_["mean_test_log"])) == 2
    assert len(search.best_estimator_[-1].pseudo_labels_) == 2
    codes = np.where(pd.isna(half), -1, np.unique(speech.y, return_inverse=True)[1])
    found = cross_validate(
        model.set_params(mtlneuralclassifier__unlabeled=-1),
        speech.X,
        codes,
        cv=PredefinedSplit(fold),
        error_score="raise",
        return_estimator=True,
    )
    assert all(len(one[-1].pseudo_labels_) == 2 for one in found["estimator"])
    assert found["test_score"].min() > 0.4


# Parameters, rest


def test_parameters(speech):
    spec = PseudoLabels(share=0.3)
    model = net(spec)
    assert model.get_params()["pseudo_labels__share"] == 0.3
    assert "pseudo_labels__share" not in model.get_params(deep=False)
    copy = clone(model).set_params(pseudo_labels__share=0.7)
    assert (copy.pseudo_labels.share, model.pseudo_labels.share, spec.share) == (0.7, 0.3, 0.3)
    shared = net(spec).set_params(pseudo_labels__weight=1.0, pseudo_labels__share=0.1)
    assert spec.get_params() == PseudoLabels(share=0.3).get_params()
    assert (shared.pseudo_labels.weight, shared.pseudo_labels.share) == (1.0, 0.1)
    replaced = net().set_params(pseudo_labels__share=0.2, pseudo_labels=PseudoLabels())
    assert replaced.pseudo_labels.share == 0.2


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"pseudo_labels": "equal"}, "'pseudo_labels' parameter of MTLNeuralClassifier must be"),
        (
            {"pseudo_labels": PseudoLabels(share=0.0)},
            "pseudo_labels: The 'share' parameter of PseudoLabels must be a float in the range",
        ),
        (
            {"pseudo_labels": PseudoLabels(), "unlabeled": None},
            "pseudo_labels needs unlabeled samples, and unlabeled=None says that every sample is "
            "labeled. Set unlabeled=-1 or unlabeled='nan', and use that value in y.",
        ),
    ],
)
def test_errors_of_fit(speech, parameters, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        net(**parameters).fit(speech.X, speech.y)


def test_errors_of_set_params():
    text = "cannot set pseudo_labels__share: pseudo_labels is None. Set pseudo_labels=PseudoLabels("
    with pytest.raises(ValueError, match=re.escape(text)):
        net().set_params(pseudo_labels__share=0.2)
    with pytest.raises(ValueError, match="Invalid parameter 'shares' for estimator PseudoLabels"):
        net(PseudoLabels()).set_params(pseudo_labels__shares=0.2)


def test_without_it_there_is_no_record(speech, half):
    model = net(max_epochs=1).fit(speech.X, half)
    assert not hasattr(model, "pseudo_labels_")


def test_at_rest(speech, fitted, tmp_path):
    save_model(fitted, tmp_path / "net.ser")
    for loaded in (pickle.loads(pickle.dumps(fitted)), load_model(tmp_path / "net.ser")):
        assert loaded.pseudo_labels_.equals(fitted.pseudo_labels_)
        assert loaded.get_params()["pseudo_labels__max_rounds"] == 2
        assert np.array_equal(loaded.predict_proba(speech.X), fitted.predict_proba(speech.X))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rounds: rounds * 2, "_rounds is not a list of 1"),
        (lambda rounds: [[]], "_rounds[0] is [], not rounds of"),
        (lambda rounds: [["text"]], "_rounds[0][0] is 'text', not a dict of"),
        (
            lambda rounds: [[{**rounds[0][0], "retained": 1}]],
            "_rounds[0][0]['retained'] is 1, not of type bool",
        ),
        (lambda rounds: [[{**rounds[0][0], "counts": [0]}]], "_rounds[0] is [{"),
        (lambda rounds: [[{**rounds[0][0], "more": 1}]], "_rounds[0][0] is {"),
    ],
)
def test_a_damaged_record_raises_an_error(fitted, change, text):
    state = fitted.__getstate__()
    with pytest.raises(SerError, match=f"is damaged: .*{re.escape(text)}"):
        MTLNeuralClassifier().__setstate__({**state, "_rounds": change(state["_rounds"])})


def test_further_training_may_have_no_labeled_sample(speech, half):
    spec = PseudoLabels(balance="prior", max_rounds=1, **FREE)
    model = net(spec, warm_start=True).fit(speech.X, half, groups=speech.speaker)
    model.fit(speech.X, np.full(len(half), None), groups=speech.speaker)
    assert model.pseudo_labels_["selected"].iloc[-1] > 0


def test_a_class_may_be_called_as_a_column_is(speech, half):
    y = np.where(half == "anger", "selected", half)
    model = net(PseudoLabels(max_rounds=1, **FREE)).fit(speech.X, y, groups=speech.speaker)
    assert model.pseudo_labels_.columns.is_unique
