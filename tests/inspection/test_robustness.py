"""RobustnessDisplay."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser.inspection import RobustnessDisplay
from sklearn_ser.robustness import adversarial_robustness


@pytest.fixture(scope="module")
def attacked(speech, multi):
    svm = make_pipeline(StandardScaler(), LinearSVC(dual=False)).fit(speech.X, speech.y)
    models = {"net": multi, "svm": svm}
    speaker = [f"s{i % 8}" for i in range(len(speech.y))]  # intervals need eight speakers
    return pd.concat(
        adversarial_robustness(
            models, speech.X, speech.y, speaker=speaker, epsilons=[0.1, 0.3], attack=attack
        )
        for attack in ("fgsm", "pgd")
    )


@pytest.fixture
def noisy():
    rows = [
        {"estimator": name, "condition": condition, "snr": snr, "uar": uar - 0.1 * (name == "b")}
        for name in "ab"
        for condition, snr, uar in [
            ("clean", np.inf, 0.8),
            ("cafe", 0.0, 0.4),
            ("cafe", 10.0, 0.6),
            ("street", 10.0, 0.5),
            ("room", np.nan, 0.7),
            ("mp3", np.nan, 0.75),
        ]
    ]
    table = pd.DataFrame(rows)
    return table.assign(uar_low=table["uar"] - 0.1, uar_high=table["uar"] + 0.1, n_classes=4)


def ticks(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def test_a_subplot_for_each_attack(attacked):
    display = RobustnessDisplay.from_table(attacked)
    assert [ax.get_title() for ax in display.axes_] == ["fgsm", "pgd"]
    assert ticks(display.axes_[0]) == ["0", "0.1", "0.3"]
    for (name, attack), line in display.lines_.items():
        own = attacked[(attacked["estimator"] == name) & (attacked["attack"] == attack)]
        assert line.get_ydata().tolist() == own["uar"].tolist()
        segments = display.bars_[name, attack].get_segments()
        assert [segment[0, 1] for segment in segments] == own["uar_low"].tolist()
        assert [segment[1, 1] for segment in segments] == own["uar_high"].tolist()
    assert display.figure_ is display.axes_[0].figure
    names = [text.get_text() for text in display.axes_[-1].get_legend().get_texts()]
    assert names == ["net", "svm", "chance"]


def test_decibels_begin_with_the_clean_waveform(attacked):
    table = attacked[attacked["attack"] == "fgsm"].assign(attack="fgsm waveform")
    table["epsilon"] = table["epsilon"].map({0.0: -np.inf, 0.1: -40.0, 0.3: -20.0})
    ax = RobustnessDisplay.from_table(table).axes_[0]
    assert ticks(ax) == ["clean", "-40", "-20"]
    assert ax.get_xlabel() == "epsilon (dB)"


def test_a_subplot_for_each_noise_and_one_for_the_rest(noisy):
    display = RobustnessDisplay.from_table(noisy)
    assert [ax.get_title() for ax in display.axes_] == ["cafe", "street", "other conditions"]
    assert ticks(display.axes_[0]) == ["clean", "10", "0"]
    assert ticks(display.axes_[2]) == ["clean", "room", "mp3"]
    assert display.lines_["a", "cafe"].get_ydata().tolist() == [0.8, 0.6, 0.4]
    assert display.lines_["b", "street"].get_ydata() == pytest.approx([0.7, 0.4])
    assert display.lines_["a", "other conditions"].get_ydata().tolist() == [0.8, 0.7, 0.75]
    assert display.lines_["a", "other conditions"].get_linestyle() == "None"


def test_other_values_and_given_axes(attacked, noisy):
    ax = Figure().subplots(1, 2)
    display = RobustnessDisplay.from_table(attacked, value="loss", ax=ax)
    assert display.axes_ == list(ax)
    assert display.bars_ == {}
    assert display.axes_[0].get_ylabel() == "mean loss"
    alone = noisy[noisy["condition"] == "clean"]
    assert len(RobustnessDisplay(alone).plot().axes_) == 1
    no_speakers = noisy.assign(uar_low=np.nan, uar_high=np.nan)
    assert RobustnessDisplay.from_table(no_speakers).bars_ == {}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda table: {"table": table[["uar"]]},
            "but RobustnessDisplay needs a result of adversarial_robustness or",
        ),
        (
            lambda table: {"table": table, "value": "loss"},
            "value must be one of ['uar'], got 'loss'",
        ),
        (
            lambda table: {"table": table, "ax": Figure().subplots()},
            "ax has 1 Axes, but this display has 3 subplots (cafe, street, other conditions)",
        ),
    ],
)
def test_errors(noisy, change, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        RobustnessDisplay.from_table(**change(noisy))
