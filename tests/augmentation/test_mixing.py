"""Mixup and CutMix: samples of two samples, whose weights give the loss of a soft label."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import (
    AugmentingClassifier,
    LogMelSpectrogram,
    MTLNeuralClassifier,
    load_model,
    save_model,
    uar_scorer,
)
from sklearn_ser.audio import open_audio, read_audio
from sklearn_ser.augmentation import CutMix, Mixup
from sklearn_ser.exceptions import AudioError, MetadataError

Y = np.array(["anger", "calm", "fear"])[np.arange(60) % 3]


def features(n=60):
    return np.random.default_rng(0).normal(size=(n, 4)) + np.arange(n)[:, None] % 3


def mix(step, X, y=Y, seed=0):
    return step.augment_rows(X, y, np.random.default_rng(seed))


@pytest.mark.parametrize("step", [Mixup(), CutMix(), Mixup(alpha=5.0, least=0.4)])
def test_a_mixture_has_the_weight_of_one_row(step):
    made, sources, labels, weights = mix(step, features())
    assert len(made) == len(sources) == len(labels) == len(weights)
    total = pd.Series(weights).groupby(sources[:, 0]).sum()
    assert len(total) == 60
    np.testing.assert_allclose(total, 1.0)
    for row in range(60):
        mine = np.flatnonzero(sources[:, 0] == row)
        first, second = sources[mine[0]]
        assert first != second
        assert len(mine) == (1 if Y[first] == Y[second] else 2)
        assert (made[mine] == made[mine[0]]).all()
        assert labels[mine].tolist() == [first, second][: len(mine)]
    shares = weights[np.isin(labels - sources[:, 0], 0) & (weights < 1)]
    least = step.least if isinstance(step, Mixup) else 0.25  # one of four columns
    assert shares.min() >= 0.5
    assert shares.max() <= 1 - least + 1e-12


def test_mixup_is_the_weighted_mean():
    X = features()
    made, sources, labels, weights = mix(Mixup(), X)
    for row in np.flatnonzero(labels == sources[:, 0]):
        first, second = sources[row]
        if weights[row] < 1:
            expected = weights[row] * X[first] + (1 - weights[row]) * X[second]
            np.testing.assert_allclose(made[row], expected)


def test_cutmix_takes_neighboring_columns():
    X = np.arange(60)[:, None] + np.zeros(20)
    made, sources, labels, weights = mix(CutMix(), X)
    for row in np.flatnonzero((labels == sources[:, 0]) & (weights < 1)):
        first, second = sources[row]
        assert set(made[row]) == {first, second}
        assert (made[row] == first).mean() == pytest.approx(weights[row])
        assert (np.diff(made[row]) != 0).sum() <= 2


def test_two_weighted_rows_have_the_loss_of_a_soft_label():
    X = features()
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    made, sources, labels, weights = mix(Mixup(), X)
    soft = np.zeros((60, 3))
    np.add.at(soft, (sources[:, 0], pd.factorize(Y, sort=True)[0][labels]), weights)
    one = made[np.unique(sources[:, 0], return_index=True)[1]]
    by_soft_labels = -(soft * model.predict_log_proba(one)).sum() / 60
    by_rows = log_loss(Y[labels], model.predict_proba(made), sample_weight=weights)
    assert by_rows == pytest.approx(by_soft_labels)


def test_frames_are_mixed_moment_by_moment():
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(n, 3)).astype(np.float32) for n in (4, 9, 6)]
    made, sources, _, weights = mix(Mixup(), frames, ["a", "b", "c"])
    for row in range(3):
        first, second = sources[row]
        expected = [
            weights[row] * frames[first][t]
            + (1 - weights[row]) * frames[second][t % len(frames[second])]
            for t in range(len(frames[first]))
        ]
        np.testing.assert_allclose(made[row], expected, rtol=1e-5)
        assert made[row].dtype == np.float32
    table = LogMelSpectrogram().fit_transform([rng.normal(size=8000) / 9 for _ in range(3)])
    made = mix(CutMix(), table, ["a", "b", "c"])[0]
    assert made.attrs == table.attrs
    assert [frames.shape for frames in made["frames"]][:3] == [
        frames.shape for frames in table["frames"]
    ]
    table.iloc[1, 0] = np.nan
    assert mix(Mixup(), table, ["a", "a", "a"])[0]["frames"].isna().sum() >= 2


def speech(n=4):
    rng = np.random.default_rng(1)
    return [(0.1 * rng.normal(size=4000 + 1000 * i)).astype(np.float32) for i in range(n)]


def test_audio_is_mixed_when_it_is_read(tmp_path):
    signals = speech()
    X = pd.DataFrame({"file": signals, "speaker": list("abcd"), "start": [0.0, 0.1, np.nan, 0.0]})
    made, sources, _, weights = mix(Mixup(), X, ["p", "q", "r", "s"])
    assert made["speaker"].tolist()[:4] == list("abcd")
    assert made["start"].isna().all()
    heard = list(open_audio(made))
    cut = [signals[0], signals[1][1600:], signals[2], signals[3]]
    for row in range(4):
        first, second = sources[row]
        partner = np.resize(cut[second], len(cut[first]))
        expected = weights[row] * cut[first] + (1 - weights[row]) * partner
        np.testing.assert_allclose(heard[row], expected, atol=1e-6)
        np.testing.assert_array_equal(heard[row], heard[4 + row])
    assert repr(made["file"].iloc[0]).startswith("MixedAudio(")

    step = LogMelSpectrogram(store=tmp_path / "store")
    frames = step.transform(made)["frames"]
    for cell, stored in zip(heard, frames, strict=True):
        np.testing.assert_array_equal(LogMelSpectrogram().transform([cell])["frames"][0], stored)
    other = mix(Mixup(), X, ["p", "q", "r", "s"], seed=1)[0]
    assert not np.array_equal(step.transform(other)["frames"].iloc[0], frames.iloc[0])


def test_cutmix_of_audio():
    signals = [np.full(1000, 0.1), np.full(1500, 0.2)]
    made, _, _, weights = mix(CutMix(), signals, ["a", "b"])
    for row, own in enumerate((0.1, 0.2)):
        heard = read_audio(made["file"].iloc[row])
        assert np.isclose(heard, own).mean() == pytest.approx(weights[row], abs=0.001)
        assert np.isclose(heard, 0.3 - own).sum() == (~np.isclose(heard, own)).sum()


def test_mixtures_are_checked_and_scaled_down():
    loud = [np.full(1000, 0.9, np.float32), np.full(1000, -0.9, np.float32)]
    heard = read_audio(mix(Sum(), loud[:1] * 2, ["a", "b"])[0]["file"].iloc[0])
    assert np.abs(heard).max() <= np.float32(32767 / 32768)
    assert np.abs(heard).max() > 0.999
    with pytest.raises(
        AudioError, match=r"Broken returned an array of shape \(1000,\).*NaN or Inf"
    ):
        read_audio(mix(Broken(), loud, ["a", "b"])[0]["file"].iloc[0])


class Sum(Mixup):
    @staticmethod
    def _mix(first, second, share, rng):
        return first + second, share


class Broken(Mixup):
    @staticmethod
    def _mix(first, second, share, rng):
        return first * np.nan, share


def test_draws():
    X = features()
    same = [mix(Mixup(), X, seed=2)[0] for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert not np.array_equal(same[0], mix(Mixup(), X, seed=3)[0])
    assert len(mix(Mixup(), X[:1], Y[:1])[0]) == 0


@pytest.mark.parametrize("routing_off", [True, False])
def test_in_a_search_over_pipelines_that_request_weights(routing_off):
    X = features()
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        logistic = LogisticRegression().set_fit_request(sample_weight=True)
        scorers = {
            name: deepcopy(get_scorer(scorer)).set_score_request(sample_weight=False)
            for name, scorer in {"uar": uar_scorer, "accuracy": "accuracy"}.items()
        }
    search = GridSearchCV(
        make_pipeline(scaler, logistic),
        {"logisticregression__C": [0.1, 1.0]},
        scoring=scorers if routing_off else scorers["accuracy"],
        refit="accuracy",
        error_score="raise",
        cv=3,
    )
    with config_context(enable_metadata_routing=not routing_off):
        model = AugmentingClassifier(search, Mixup(), random_state=0).fit(X, Y)
        assert model.score(X, Y) > 0.7
    assert model.estimator_.best_estimator_[0].n_samples_seen_ == sum(model.n_rows_.values())


def test_weights_are_multiplied_with_those_of_the_user(recorder):
    X = features(20)
    weights = np.linspace(1, 3, 20)
    model = AugmentingClassifier(recorder, Mixup(), random_state=0)
    aux = pd.DataFrame({"gender": np.arange(20) % 2, "age": np.arange(20.0)})
    seen = model.fit(X, Y[:20], sample_weight=weights, aux=aux).estimator_.seen_
    plain = AugmentingClassifier(recorder, Mixup(), random_state=0).fit(X, Y[:20]).estimator_.seen_
    np.testing.assert_array_equal(plain["X"], seen["X"])
    labels = [Y[:20].tolist().index(label) for label in seen["y"][20:40]]
    assert len(labels) == 20
    first = slice(20, 40)
    np.testing.assert_allclose(seen["weight"][first], plain["weight"][first] * weights)
    mixed = seen["aux"].iloc[20:]
    assert set(mixed["augmentation"]) == {"mixup"}
    assert mixed["age"].isna().all()
    assert 0.2 < mixed["gender"].isna().mean() < 0.8
    assert seen["aux"].iloc[:20].notna().all(axis=None)
    assert seen["aux"]["gender"].dtype == "Int64"  # codes of classes, not values


def test_unlabeled_samples_are_not_mixed(recorder):
    y = Y[:20].astype(object)
    y[::2] = None
    seen = AugmentingClassifier(recorder, Mixup()).fit(features(20), y).estimator_.seen_
    assert pd.isna(seen["y"][20:]).sum() == 0
    net = MTLNeuralClassifier(unlabeled=-1, max_epochs=1, early_stopping=False, random_state=0)
    codes = np.where(np.arange(20) % 2, np.arange(20) % 3, -1)
    model = AugmentingClassifier(net, Mixup(), random_state=0).fit(features(20), codes)
    assert 10 <= model.n_rows_["mixup"] <= 20
    assert -1 not in model.classes_


@pytest.mark.parametrize("of_frames", [False, True])
def test_failed_audio_is_not_mixed(recorder, of_frames):
    X = [np.full((4, 2), row, dtype="float32") for row in range(20)] if of_frames else features(20)
    if of_frames:
        X[3] = X[8] = None
    else:
        X[[3, 8]] = np.nan
    seen = AugmentingClassifier(recorder, Mixup(), random_state=0).fit(X, Y[:20]).estimator_.seen_
    failed = [row is None or bool(np.isnan(row).all()) for row in seen["X"]]
    assert np.flatnonzero(failed).tolist() == [3, 8]  # no good row is lost with them
    assert seen["weight"][20:].sum() == pytest.approx(18)


def test_an_estimator_without_weights_is_an_error():
    with pytest.raises(MetadataError, match="have sample weights, and KNeighborsClassifier takes"):
        AugmentingClassifier(KNeighborsClassifier(), Mixup()).fit(features(), Y)


def test_in_a_file(tmp_path):
    X = features()
    model = AugmentingClassifier(
        make_pipeline(StandardScaler(), LogisticRegression()), [Mixup(), CutMix()], random_state=0
    ).fit(X, Y)
    save_model(model, tmp_path / "model.ser")
    loaded = load_model(tmp_path / "model.ser")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_bad_parameters():
    with pytest.raises(ValueError, match="'least' parameter of Mixup must be a float in the range"):
        mix(Mixup(least=0.5), features())


def test_without_labels():
    with pytest.raises(ValueError, match="y is None, but samplers and augmenters that mix samples"):
        AugmentingClassifier(StandardScaler(), Mixup()).fit(features())


@pytest.mark.parametrize(
    "estimator",
    [HistGradientBoostingClassifier(max_iter=2), CalibratedClassifierCV(LinearSVC(), cv=3)],
    ids=lambda value: type(value).__name__,
)
def test_ordinary_classifiers_take_mixtures(estimator):
    if isinstance(estimator, CalibratedClassifierCV):
        with config_context(enable_metadata_routing=True):
            estimator.estimator.set_fit_request(sample_weight=True)
            estimator.set_fit_request(sample_weight=True)
    model = AugmentingClassifier(estimator, {"m": Mixup()}, random_state=0).fit(features(), Y)
    assert set(model.predict(features())) <= set(Y)
