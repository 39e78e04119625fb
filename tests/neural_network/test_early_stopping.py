"""Early stopping: validation samples, monitored quantity, refit on all samples."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import EarlyStopping

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier

CORPUS = np.repeat(["emodb", "nemo", "ravdess", "urdu"], 60)  # of three speakers each


def net(**parameters):
    given = {
        "max_epochs": 2,
        "random_state": 0,
        "validation__refit": False,
        "perturbation__noise": 0.0,
    }
    return MTLNeuralClassifier().set_params(**given | parameters)


def table(speech, *names):
    """X with index levels."""
    levels = {"speaker": speech.speaker, "corpus": CORPUS}
    X = pd.DataFrame(speech.X).add_prefix("f")
    return X.set_index(pd.MultiIndex.from_arrays([levels[name] for name in names], names=names))


def held_out(model):
    assert model.validation_split_["kind"] == "groups"
    return model.validation_split_["groups"]


def test_groups_by_an_index_level_of_x(speech):
    X = table(speech, "speaker", "corpus")
    [corpus] = held_out(net(validation__by="corpus").fit(X, speech.y))
    assert corpus in CORPUS
    assert set(held_out(net().fit(X, speech.y))) <= set(speech.speaker)
    # It is asked for by name: groups, which may be there for the splitter, do not count.
    model = net(validation__by="corpus").fit(X, speech.y, groups=speech.speaker)
    assert held_out(model) == [corpus]
    same = net().fit(speech.X, speech.y, groups=CORPUS)
    assert same._weights == model._weights


def test_groups_by_an_index_level_of_a_table_of_frames(frames):
    corpus = pd.Index(np.repeat(["a", "b", "c"], 40), name="corpus")
    X = pd.DataFrame({"frames": frames.sequences}, index=corpus)
    assert held_out(net(validation__by="corpus").fit(X, frames.y))[0] in "abc"


def test_groups_by_a_column_of_aux(speech):
    aux = speech.aux.assign(corpus=CORPUS)
    model = net(validation__by="corpus", tasks={"gender": "auto"}).fit(speech.X, speech.y, aux=aux)
    assert set(held_out(model)) <= set(CORPUS)
    assert list(model.aux_classes_) == ["gender"]
    # Rows of failed audio are taken out of it with the rest.
    X = speech.X.copy()
    X[:70] = np.nan
    with pytest.warns(TrainingWarning, match="70 of 240 rows"):
        model.fit(X, speech.y, aux=aux)
    assert not set(held_out(model)) & {"emodb"}


def test_no_such_groups(speech):
    message = (
        "validation__by='corpus' is neither a column nor an index level of X, nor a column of aux. "
        "Pass X as a DataFrame that has it, or set validation__by=None for the groups (speakers) "
        "passed to fit."
    )
    for X, aux in ((speech.X, None), (table(speech, "speaker"), speech.aux)):
        with pytest.raises(MetadataError, match=f"^{re.escape(message)}$"):
            net(validation__by="corpus").fit(X, speech.y, aux=aux, groups=speech.speaker)


def test_the_score_may_decide(speech):
    y = np.random.default_rng(1).permutation(speech.y)
    parameters = {"max_epochs": 60, "patience": 5, "lr": 0.01}
    model = net(validation__monitor="score", **parameters).fit(speech.X, y, groups=speech.speaker)
    scores = model.history_["valid_score_y"]
    assert model.best_epoch_ == scores.idxmax()  # the first of equals
    assert model.n_iter_ == model.best_epoch_ + 5
    rows = np.isin(speech.speaker, held_out(model))
    assert balanced_accuracy_score(y[rows], model.predict(speech.X[rows])) == pytest.approx(
        scores.max()
    )
    by_loss = net(**parameters).fit(speech.X, y, groups=speech.speaker)
    assert by_loss.best_epoch_ == by_loss.history_["valid_loss_y"].idxmin()
    assert by_loss.best_epoch_ != model.best_epoch_


class StopAfter(EarlyStopping):
    """Ends a training after some epochs, in skorch's manner."""

    def __init__(self, n_epochs):
        super().__init__(monitor="train_loss")
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.n_epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"optimization__lr_schedule": "cosine", "optimization__warmup": 0.2},
        {"optimization__weight_averaging": "swa", "max_epochs": 12},
        {
            "optimization__weight_averaging": "ema",
            "perturbation__mixup_alpha": 0.3,
            "perturbation__noise": 0.2,
            "perturbation__dropout": 0.1,
        },
    ],
    ids=["plain", "schedule", "swa", "random"],
)
def test_refit_is_a_fit_of_the_best_number_of_epochs_on_all_rows(speech, parameters):
    y = np.where(np.arange(240) % 5 == 0, np.roll(speech.y, 1), speech.y)
    given = {"max_epochs": 40, "patience": 4, "lr": 0.02} | parameters
    searched = net(**given).fit(speech.X, y, aux=speech.aux, groups=speech.speaker)
    model = net(validation__refit=True, **given).fit(
        speech.X, y, aux=speech.aux, groups=speech.speaker
    )
    best = model.best_epoch_
    assert 1 < best < model.n_iter_
    pd.testing.assert_frame_equal(model.history_, searched.history_)
    assert model._weights != searched._weights
    # Planned for max_epochs as the first training was, but for SWA, which would never begin.
    if parameters.get("optimization__weight_averaging") != "swa":
        same = net(early_stopping=False, callbacks=[StopAfter(best)], **given)
        assert model._weights == same.fit(speech.X, y, aux=speech.aux)._weights
    if "optimization__lr_schedule" not in parameters:
        plain = net(early_stopping=False, **given | {"max_epochs": best})
        assert model._weights == plain.fit(speech.X, y, aux=speech.aux)._weights


def test_refit_without_validation_samples_is_the_fit(speech):
    plain = net(early_stopping=False).fit(speech.X, speech.y)
    assert (
        net(early_stopping=False, validation__refit=True).fit(speech.X, speech.y)._weights
        == plain._weights
    )


@pytest.mark.parametrize(
    "step",
    [
        StandardScaler(),
        PCA(3),
        FeatureUnion([("a", StandardScaler()), ("b", "passthrough")]),
        FunctionTransformer(np.asarray),
    ],
)
def test_lost_ids_are_reported(speech, step):
    """The step drops the index, in which the speakers are."""
    X = pd.DataFrame(speech.X, index=pd.Index(speech.speaker, name="speaker"))
    X.columns = X.columns.astype(str)
    net = MTLNeuralClassifier(max_epochs=1, random_state=0)
    message = (
        "^early stopping monitors samples of speakers that are also trained on, because no speaker "
        r"ids reached the network\. Steps that return arrays by default \(StandardScaler, PCA, "
        r"FeatureUnion and others of scikit-learn\) drop the ids in the index of X: call "
        r"set_output\(transform='pandas'\) on the Pipeline\. Or pass the speakers: as groups= to "
        r"fit, through a Pipeline as NAME__groups= with the name of the network's step"
    )
    model = make_pipeline(clone(step), clone(net))
    with pytest.warns(TrainingWarning, match=message):
        model.fit(X, speech.y)
    assert model[-1].validation_split_["kind"] == "stratified"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, speech.y, mtlneuralclassifier__groups=speech.speaker)
        assert model[-1].validation_split_["kind"] == "groups"
        if not isinstance(step, FunctionTransformer):
            model = make_pipeline(clone(step), clone(net)).set_output(transform="pandas")
            assert model.fit(X, speech.y)[-1].validation_split_["kind"] == "groups"
        net.set_params(early_stopping=False).fit(speech.X, speech.y)


def test_lost_ids_are_reported_for_other_purposes(speech):
    net = MTLNeuralClassifier(max_epochs=1, early_stopping=False, calibrate=True, random_state=0)
    with pytest.warns(TrainingWarning, match=r"^calibration uses .* no speaker ids reached"):
        net.fit(speech.X, speech.y)


def test_speaker_is_another_name_of_groups(speech):
    net = MTLNeuralClassifier(max_epochs=2, random_state=0)
    first = clone(net).fit(speech.X, speech.y, groups=speech.speaker)
    second = clone(net).fit(speech.X, speech.y, speaker=speech.speaker)
    assert first._weights == second._weights
    with pytest.raises(MetadataError, match="groups and speaker were both passed"):
        net.fit(speech.X, speech.y, groups=speech.speaker, speaker=speech.speaker)


@pytest.mark.parametrize(
    "make",
    [
        lambda net: CalibratedClassifierCV(net, ensemble=False, cv=2),
        lambda net: StackingClassifier([("net", net)], MTLNeuralClassifier(max_epochs=1), cv=2),
    ],
)
def test_speakers_reach_networks_that_are_routed_to_twice(speech, make):
    """Cross_val_predict inside a meta-estimator routes metadata a second time."""
    model = make(MTLNeuralClassifier(max_epochs=1, random_state=0))
    with config_context(enable_metadata_routing=True):
        model.fit(speech.X, speech.y, speaker=speech.speaker)
