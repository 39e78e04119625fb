"""Names from a user's table are drawn as they are, whatever characters they have."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from sklearn_ser.inspection import (
    ConfusionDisplay,
    CorpusHeatmapDisplay,
    CriticalDifferenceDisplay,
    GroupGapDisplay,
    GroupImportanceDisplay,
    ReliabilityDisplay,
    RepresentationDisplay,
    RobustnessDisplay,
    TaskWeightsDisplay,
    TimelineDisplay,
    TrainingHistoryDisplay,
    UARDisplay,
)

NAMES = (r"$\alpha_x$ \x$", "$", "_a_$b$", r"\frac{", "100 % {0} #&~^", "<b>")


def predictions(name):
    rng = np.random.default_rng(0)
    y_true = np.array([name, "b"], dtype=object)[np.arange(80) % 2]
    return y_true, np.where(rng.random(80) < 0.8, y_true, "b"), rng.dirichlet([1, 1], size=80)


def confusion(name):
    y_true, y_pred, _ = predictions(name)
    corpus = np.repeat([name, "k"], 40)
    return ConfusionDisplay.from_predictions(y_true, y_pred, corpus=corpus, name=name)


def reliability(name):
    y_true, _, y_proba = predictions(name)
    corpus = np.repeat([name, "k"], 40)
    return ReliabilityDisplay.from_predictions(
        y_true, y_proba, corpus=corpus, name=name, labels=[name, "b"]
    )


def group_gap(name):
    y_true, y_pred, _ = predictions(name)
    groups = np.repeat([name, "h"], 40)
    return GroupGapDisplay.from_predictions(y_true, y_pred, groups, by=name, name=name)


def critical_difference(name):
    return CriticalDifferenceDisplay({name: 1.2, "z": 1.8}, [[name, "z"]]).plot()


def corpus_heatmap(name):
    table = pd.DataFrame([[np.nan, 0.5], [0.7, np.nan]], [name, "q"], [name, "q"])
    return CorpusHeatmapDisplay({name: table}, chance=0.25).plot()


def robustness(name):
    table = pd.DataFrame({"estimator": [name] * 3 + ["o"] * 3, "epsilon": [0, 0.1, 0.3] * 2})
    return RobustnessDisplay.from_table(
        table.assign(attack=name, uar=0.5, uar_low=0.4, uar_high=0.6, n_classes=4)
    )


def histories(name):
    losses = {f"{part}_loss_{name}": [1.0, 0.5] for part in ("train", "valid")}
    weights = {f"weight_{name}": [1.0, 1.0], "weight_o": [1.0, 2.0]}
    table = pd.DataFrame({**losses, **weights}, index=pd.Index([1, 2], name="epoch"))
    return {name: table, "o": table}


def training_history(name):
    return TrainingHistoryDisplay(histories(name), {name: [2], "o": [2]}).plot()


def task_weights(name):
    return TaskWeightsDisplay(histories(name)).plot()


def timeline(name):
    windows = pd.DataFrame({"row": 0, "file": name, "start": [0.0, 2.0], "end": [4.0, 6.0]})
    columns = {"label": [name, "b"], f"p_{name}": [0.7, 0.2], "p_b": [0.3, 0.8]}
    return TimelineDisplay.from_predictions(windows.assign(**columns))


def representation(name):
    points = {name: np.random.default_rng(0).normal(size=(80, 2))}
    labels = predictions(name)[0]
    return RepresentationDisplay(points, labels, method="pca", style=labels).plot()


def group_importance(name):
    columns = {"importance": 0.1, "low": np.nan, "high": np.nan, "n_features": 3}
    return GroupImportanceDisplay(pd.DataFrame(columns, index=[name])).plot()


def uar(name):
    rows = pd.DataFrame({"estimator": [name, "o"], "setting": "single", "corpus": name, "uar": 0.5})
    table = rows.assign(low=np.nan, high=np.nan, utterances=5, speakers=2)
    return UARDisplay(table, rows.assign(speaker="s"), chance=0.25).plot()


DISPLAYS = (
    confusion,
    corpus_heatmap,
    critical_difference,
    group_gap,
    group_importance,
    reliability,
    representation,
    robustness,
    task_weights,
    timeline,
    training_history,
    uar,
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("draw", DISPLAYS)
def test_names_are_drawn_as_they_are(draw, name):
    figure = draw(name).figure_
    figure.savefig(io.BytesIO(), format="svg")
    texts = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "".join(name.split()) in "".join(texts.split())


def test_a_legend_has_every_name():
    (legend,) = [a.get_legend() for a in robustness("_a").axes_]
    assert [text.get_text() for text in legend.get_texts()] == ["_a", "o", "chance"]


def test_the_setting_of_mathematics_is_left_as_it_is():
    group_gap("$x$")
    assert mpl.rcParams["text.parse_math"]
