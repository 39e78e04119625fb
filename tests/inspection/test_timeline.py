"""TimelineDisplay: probabilities of windows over time."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sklearn_ser.inspection import TimelineDisplay

P = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [np.nan] * 3, [0.1, 0.2, 0.7]])
LABELS = ["anger", "neutral", "sadness"]


@pytest.fixture(scope="module")
def table():
    """Two recordings with overlapping windows, a gap, and one that could not be opened."""
    windows = pd.DataFrame(
        {
            "row": [0] * 4 + [1] * 4 + [2],
            "file": ["a/one.wav"] * 4 + [None] * 4 + ["missing.wav"],
            "start": [0.0, 2, 4, 5, 0, 2, 4, 5, np.nan],
            "end": [4.0, 6, 8, 9, 4, 6, 8, 9, np.nan],
            "label": ["anger", "neutral", None, "sadness"] * 2 + [None],
        }
    )
    values = np.vstack([P, P[:, ::-1], [[np.nan] * 3]])
    windows.loc[4:7, "label"] = ["sadness", "neutral", None, "anger"]
    return windows.assign(**{f"p_{label}": values[:, i] for i, label in enumerate(LABELS)})


def spans(areas):
    """Return (start, end, height) of the parts of an area."""
    boxes = [path.get_extents() for path in areas.get_paths() if len(path.vertices)]
    return [(b.x0, b.x1, pytest.approx(b.height)) for b in boxes]


def test_areas_have_the_height_of_probabilities(table):
    display = TimelineDisplay.from_predictions(table)
    assert [ax.get_title(loc="left") for ax in display.axes_] == ["one.wav", "recording 1"]
    assert [text.get_text() for text in display.axes_[0].get_yticklabels()] == LABELS
    own, other = display.areas_[0, "anger"]
    assert spans(own) == [(0, 3, 0.85 * 0.6)]
    assert [part[:2] for part in spans(other)] == [(3, 5), (6.5, 9)]
    assert other.get_alpha() < own.get_alpha() == 1
    assert spans(display.areas_[1, "anger"][0]) == [(6.5, 9, 0.85 * 0.7)]
    (gap,) = display.gaps_[0]
    assert (gap.get_extents().x0, gap.get_extents().x1) != (0, 0)
    assert (gap.get_x(), gap.get_x() + gap.get_width()) == (5, 6.5)
    assert display.axes_[0].get_xlim() == (0, 9)


def legend(figure):
    (found,) = figure.legends
    return [text.get_text() for text in found.get_texts()]


def test_legend_and_given_axes(table):
    one = table[table["row"] == 0]
    figure = Figure(figsize=(5, 3), layout="constrained")
    assert TimelineDisplay.from_predictions(one, ax=figure).figure_ is figure
    assert legend(figure) == ["predicted", "not predicted", "no label"]
    whole = TimelineDisplay.from_predictions(one[one["label"].notna()])
    assert legend(whole.figure_) == ["predicted", "not predicted"]
    _, ax = plt.subplots()
    assert TimelineDisplay.from_predictions(one, ax=ax).ax_ is ax
    with pytest.raises(ValueError, match=r"this display has 2 subplots \(one.wav, recording 1\)"):
        TimelineDisplay.from_predictions(table, ax=ax)


def test_predictions_without_probabilities(table):
    labels = table[["row", "file", "start", "end", "label"]]
    display = TimelineDisplay.from_predictions(labels)
    assert spans(display.areas_[0, "neutral"][0]) == [(3, 5, 0.85)]
    assert legend(display.figure_) == ["predicted", "no label"]


def test_labels_that_are_numbers_and_are_not_predicted(table):
    names = dict(zip(LABELS, range(3), strict=True))
    columns = {f"p_{name}": f"p_{number}" for name, number in names.items()}
    labels = pd.Series([names.get(label) for label in table["label"]], dtype=object)
    numbers = table.assign(label=labels).rename(columns=columns)
    display = TimelineDisplay.from_predictions(numbers)
    assert spans(display.areas_[0, 0][0]) == [(0, 3, 0.85 * 0.6)]
    one = TimelineDisplay.from_predictions(table.iloc[:1])
    assert list(one.areas_) == [(0, "anger"), (0, "neutral"), (0, "sadness")]


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_areas_are_visible_on_any_background(table, style):
    renamed = table.replace("anger", "contempt").rename(columns={"p_anger": "p_contempt"})
    with plt.style.context(style):
        display = TimelineDisplay.from_predictions(renamed)
        (outline,) = display.areas_[0, "contempt"][0].get_edgecolor()
        background = display.figure_.get_facecolor()
        display.figure_.savefig(io.BytesIO())
    assert abs(outline[0] - background[0]) == 1


def test_other_tables(table):
    with pytest.raises(ValueError, match=r"^The table has no column 'end': expected a "):
        TimelineDisplay.from_predictions(table[["file", "label"]])
    with pytest.raises(ValueError, match=r"^No window has a label, so there is nothing to draw: "):
        TimelineDisplay.from_predictions(table[table["label"].isna()])
