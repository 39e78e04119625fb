"""Robustness to noise: conditions, seeds, scores, errors."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import (
    FunctionalsPooling,
    LogMelSpectrogram,
    MTLNeuralClassifier,
    SkipFailedRows,
    uar_score,
)
from sklearn_ser.audio import read_audio
from sklearn_ser.augmentation import AddNoise, AudioAugmenter, AugmentingClassifier, Gain
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.inspection import RobustnessDisplay
from sklearn_ser.robustness import _noise as module
from sklearn_ser.robustness import noise_robustness


class Hiss(AudioAugmenter):
    """White noise at a ratio, like AddNoise."""

    def __init__(
        self, snr=10.0, noises="white", *, p=1.0, audio="file", sampling_rate=16000,
        train_only=True, random_state=None,
    ):  # fmt: skip
        self.snr = snr
        self.noises = noises
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _augment(self, signal, rng):
        noise = rng.normal(size=len(signal))
        return signal + noise * signal.std() / noise.std() * 10.0 ** (-self.snr / 20.0)


@pytest.fixture(scope="module")
def recordings():
    """48 short tones with a little noise, whose pitch depends on the label."""
    rng = np.random.default_rng(0)
    y = np.tile(["anger", "sadness"], 24)
    cells = []
    for row in range(48):
        time = np.arange(3200 + 40 * (row % 5)) / 16000
        tone = 0.1 * np.sin(2 * np.pi * (400 if y[row] == "anger" else 600) * time)
        cells.append((tone + 0.002 * rng.normal(size=len(time))).astype(np.float32))
    return pd.DataFrame({"file": cells, "speaker": np.repeat([f"s{i}" for i in range(8)], 6)}), y


@pytest.fixture(scope="module")
def models(recordings):
    """Do not fit again."""
    X, y = recordings
    front = LogMelSpectrogram(n_mels=20, hop_length=0.02)
    rows = make_pipeline(FunctionalsPooling(), StandardScaler(), LinearSVC(C=0.01))
    net = MTLNeuralClassifier(hidden_units=(8,), max_epochs=10, random_state=0)
    search = GridSearchCV(rows, {"linearsvc__C": [0.01, 0.1]}, cv=2)
    return {
        "svm": make_pipeline(clone(front), SkipFailedRows(search)).fit(X, y),
        "net": make_pipeline(clone(front), FunctionalsPooling(), StandardScaler(), net).fit(X, y),
    }


HISS = {level: Hiss(level) for level in (20, 0, -30)}


@pytest.mark.parametrize("routing", [False, True])
def test_one_row_for_each_estimator_and_condition(recordings, models, routing):
    X, y = recordings
    with config_context(enable_metadata_routing=routing):
        table, predictions = noise_robustness(
            models,
            X,
            y,
            noises={},
            conditions={"hiss": HISS, "softer": Gain(-6.0)},
            random_state=0,
            return_predictions=True,
        )
    assert table["estimator"].tolist() == ["svm"] * 5 + ["net"] * 5
    assert table["condition"].tolist() == ["clean", "hiss", "hiss", "hiss", "softer"] * 2
    assert np.isposinf(table["snr"]).tolist() == ([True] + [False] * 4) * 2
    assert table["snr"].isna().tolist() == ([False] + [True] * 4) * 2
    assert table["level"].tolist()[1:4] == [20.0, 0.0, -30.0]
    assert table["level"].isna().tolist() == ([True] + [False] * 3 + [True]) * 2
    assert (table["n_speakers"] == 8).all()
    for name, own in table.groupby("estimator"):
        assert own["uar"].iloc[0] == uar_score(y, models[name].predict(X)) > 0.9
        assert own["uar"].iloc[3] < 0.75
        assert own["changed"].iloc[0] == 0.0
        one = predictions[(predictions["estimator"] == name) & (predictions["level"] == -30.0)]
        assert own["uar"].iloc[3] == uar_score(one["y_true"], one["y_pred"])
    assert len(predictions) == 2 * 5 * 48


def test_predictions_are_those_for_the_augmented_recordings(recordings, models):
    X, y = recordings
    augmenter = Hiss(-5.0, random_state=7)
    _, predictions = noise_robustness(
        models, X, y, noises={}, conditions={"hiss": augmenter}, return_predictions=True
    )
    for name, model in models.items():
        one = predictions[(predictions["estimator"] == name) & (predictions["condition"] == "hiss")]
        assert one["y_pred"].tolist() == model.predict(augmenter.augment(X)).tolist()


def test_seeds(recordings, models, monkeypatch):
    X, y = recordings
    given = Hiss(-12.0)
    heard = {}

    def listen(estimator, table, extracted):
        heard["last"] = read_audio(table["file"].iloc[0])
        return y

    monkeypatch.setattr(module, "_predict", listen)

    def said(seed, **conditions):
        noise_robustness(models["net"], X, y, noises={}, conditions=conditions, random_state=seed)
        return heard["last"].tolist()

    assert said(0, hiss=given) == said(0, softer=Gain(), hiss=given)
    assert said(0, hiss=given) != said(1, hiss=given)
    assert said(0, hiss=Hiss(-12.0, random_state=3)) == said(1, hiss=Hiss(-12.0, random_state=3))
    # Of a Pipeline every part.
    both = make_pipeline(Gain(), Hiss(-12.0))
    assert said(0, hiss=both) == said(0, hiss=both) != said(0, hiss=given)
    assert given.random_state is None
    assert both[0].random_state is None


def test_noises_are_added_at_each_ratio(recordings, models):
    X, y = recordings
    cafe = 0.1 * np.random.default_rng(1).normal(size=32000).astype(np.float32)
    kinds = {"hum": "pink", "cafe": cafe}
    made = module._disturbances(kinds, (0, 10), {}, 0, "file")
    assert all(np.isnan(level) for *_, level in made)
    made = {where[:2]: augmenter for where, augmenter in made.items()}
    assert list(made) == [("hum", 10.0), ("hum", 0.0), ("cafe", 10.0), ("cafe", 0.0)]
    assert made["hum", 10.0].random_state == made["hum", 0.0].random_state
    assert made["hum", 0.0].random_state != made["cafe", 0.0].random_state
    signal = X["file"][0]
    for (_, snr), augmenter in made.items():
        noise = read_audio(augmenter.augment(X)["file"][0]) - signal
        assert 20 * np.log10(signal.std() / noise.std()) == pytest.approx(snr, abs=0.1)
    table = noise_robustness(models["svm"], X, y, noises=kinds, conditions={}, snrs=[0])
    assert table["condition"].tolist() == ["clean", "hum", "cafe"]


def test_default_conditions(recordings, models):
    X, y = recordings
    table, predictions = noise_robustness(
        models["svm"], X, y, snrs=[10], random_state=0, return_predictions=True
    )
    names = ["clean", "white noise", "pink noise", "brown noise"]
    assert table["condition"].tolist() == [*names, "reverberation", "telephone band", "codec"]
    assert predictions["y_pred"].notna().all()


def test_equal_audio_steps_extract_once(recordings, models, monkeypatch):
    X, y = recordings
    calls = []
    own = LogMelSpectrogram.transform
    monkeypatch.setattr(
        LogMelSpectrogram, "transform", lambda self, X: calls.append(1) or own(self, X)
    )
    noise_robustness(models, X, y, noises={}, conditions={"softer": Gain(-6.0)})
    assert len(calls) == 2


def test_equal_audio_steps_extract_once_within_others_too(recordings, models, monkeypatch):
    X, y = recordings
    rest = [FunctionalsPooling(), StandardScaler(), LinearSVC(C=0.01)]
    plain = make_pipeline(clone(models["svm"][0]), *rest)
    held = {
        "plain": plain.fit(X, y),
        "augmented": AugmentingClassifier(plain, Gain(6.0), random_state=0).fit(X, y),
        "searched": GridSearchCV(plain, {"linearsvc__C": [0.01, 0.001]}, cv=2).fit(X, y),
    }
    expected = {name: model.predict(X).tolist() for name, model in held.items()}
    calls = []
    own = LogMelSpectrogram.transform
    monkeypatch.setattr(
        LogMelSpectrogram, "transform", lambda self, X: calls.append(1) or own(self, X)
    )
    _, found = noise_robustness(held, X, y, noises={}, conditions={}, return_predictions=True)
    assert len(calls) == 1
    for name, rows in found.groupby("estimator"):
        assert rows["y_pred"].tolist() == expected[name]


def test_failed_audio_is_a_miss(recordings, models):
    X, y = recordings
    broken = X.copy()
    broken.at[0, "file"] = np.zeros(10, dtype=np.float32)
    front = clone(models["net"][0]).set_params(on_error="ignore")
    model = make_pipeline(front, *[step for _, step in models["net"].steps[1:]])
    table, predictions = noise_robustness(
        model,
        broken,
        y,
        noises={},
        conditions={"softer": Gain(-6.0)},
        return_predictions=True,
    )
    assert (table["accuracy"] <= 47 / 48).all()
    assert predictions.loc[predictions["row"] == 0, "y_pred"].tolist() == [None, None]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"conditions": {"hiss": "white"}},
            "conditions['hiss'] must be an augmenter (with a method augment), a Pipeline of "
            "augmenters, or a dict of level to augmenter; got 'white'",
        ),
        ({"conditions": {"hiss": {"loud": Gain()}}}, "conditions['hiss'] has the level 'loud': le"),
        (
            {"conditions": {"clean": Gain()}},
            "Conditions must have different names, none of them 'clean'; got ['clean']",
        ),
        ({"conditions": [Gain()]}, "The 'conditions' parameter of noise_robustness must be an"),
    ],
)
def test_errors(recordings, models, change, text):
    X, y = recordings
    with pytest.raises(ValueError, match=re.escape(text)):
        noise_robustness(models, X, y, noises={}, **change)


def test_errors_of_estimators(recordings, models):
    X, y = recordings
    features = LinearSVC().fit(np.eye(48), y)
    text = "Estimator 'LinearSVC' has no audio step, so that noise cannot be added to its input."
    with pytest.raises(ValueError, match=text):
        noise_robustness(features, X, y)
    other = make_pipeline(LogMelSpectrogram(audio="sound"), FunctionalsPooling(), LinearSVC())
    other.fit(X.rename(columns={"file": "sound"}), y)
    text = re.escape("read their audio from different columns, ['file', 'sound']. Give estimators")
    with pytest.raises(ValueError, match=text):
        noise_robustness({**models, "other": other}, X, y, noises={}, conditions={})


def test_meta_estimators_of_scikit_learn(recordings):
    X, y = recordings
    pipeline = make_pipeline(
        LogMelSpectrogram(n_mels=8), FunctionalsPooling(), StandardScaler(), LinearSVC(C=0.01)
    )
    voting = VotingClassifier([("a", pipeline)]).fit(X, y)
    table = noise_robustness(voting, X, y, noises={}, conditions={"hiss": Hiss(-5.0)})
    assert table["condition"].tolist() == ["clean", "hiss"]


def test_other_levels_have_their_own_column(recordings, models):
    X, y = recordings
    steps = {0.3: Hiss(-5.0), 0.8: Hiss(-15.0)}
    table = noise_robustness(models, X, y, noises={}, conditions={"room": steps})
    rooms = table[table["condition"] == "room"]
    assert rooms["snr"].isna().all()
    assert rooms["level"].unique().tolist() == [0.3, 0.8]
    display = RobustnessDisplay.from_table(table)
    assert display.axes_[0].get_xlabel() == "level"
    ticks = [label.get_text() for label in display.axes_[0].get_xticklabels()]
    assert ticks == ["clean", "0.3", "0.8"]


def test_noise_that_a_model_was_trained_with_is_reported(recordings):
    X, y = recordings
    rows = make_pipeline(
        LogMelSpectrogram(n_mels=8), FunctionalsPooling(), StandardScaler(), LinearSVC(C=0.01)
    )
    model = AugmentingClassifier(rows, AddNoise(), random_state=0).fit(X[["file"]], y)
    with pytest.warns(EvaluationWarning, match="was trained on copies with 'white noise', 'pink"):
        noise_robustness(model, X, y, snrs=[10], conditions={})
    table = noise_robustness(model, X, y, noises={"violet": "violet"}, snrs=[10], conditions={})
    assert table["condition"].tolist() == ["clean", "violet"]


def test_a_file_of_a_folder_that_a_model_was_trained_with_is_reported(tmp_path, monkeypatch):
    for name in ("heard", "heard_not"):
        (tmp_path / name).mkdir()
    folder = tmp_path / "heard"
    model = AugmentingClassifier(LinearSVC(), AddNoise(noises=["pink", str(folder)]))
    monkeypatch.chdir(tmp_path)
    kinds = {"street": "heard/street.wav", "inner": folder / "in" / "a.wav", "all": str(tmp_path)}
    for name, noise in kinds.items():
        with pytest.warns(EvaluationWarning, match=f"was trained on copies with '{name}'"):
            module._warn_of_known_noises({"model": model}, {name: noise, "other": "violet"})
    module._warn_of_known_noises({"model": model}, {"rain": tmp_path / "heard_not" / "rain.wav"})


def test_intervals_need_as_many_speakers_as_elsewhere(recordings, models):
    X, y = recordings
    conditions = {"softer": Gain(-6.0), "hiss": Hiss(0)}
    for n_speakers, has_interval in ((2, False), (7, False), (8, True)):
        given = X.assign(speaker=np.arange(48) % n_speakers)
        table = noise_robustness(models["svm"], given, y, noises={}, conditions=conditions)
        assert (table["n_speakers"] == n_speakers).all()
        assert table[["uar_low", "uar_high"]].notna().all(axis=None) == has_interval
        assert table["uar"].notna().all()
