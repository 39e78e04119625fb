import pandas as pd
import pytest
from matplotlib.figure import Figure

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.inspection import ConfusionDisplay, UARDisplay


@pytest.fixture
def result():
    """Two corpora, two emotions; one estimator in both settings."""
    truth = ["anger", "sadness", "anger", "sadness"]
    settings = {
        "transductive": truth,
        "single": ["anger", "anger", None, "sadness"],
    }
    tables = [
        pd.DataFrame(
            {
                "estimator": "svm",
                "setting": setting,
                "seed": 0,
                "fold": "",
                "train": "",
                "row": range(4),
                "corpus": ["a", "a", "b", "b"],
                "speaker": ["a/1", "a/2", "b/1", "b/2"],
                "truth": truth,
                "prediction": predictions,
                "failed": [prediction is None for prediction in predictions],
            }
        )
        for setting, predictions in settings.items()
    ]
    return EvaluationResult(
        pd.concat(tables, ignore_index=True),
        labels=["anger", "sadness"],
        protocol="leave-one-corpus-out",
    )


def test_uar_display_draws_the_summary(result):
    ax = Figure().subplots()
    display = UARDisplay.from_result(result, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    single = display.dots_["svm", "single"]
    assert single.get_ydata().tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert single.get_fillstyle() == "full"
    assert display.dots_["svm", "transductive"].get_fillstyle() == "none"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "mean"]
    assert display.chance == 0.5


def test_confusion_display_shows_one_setting(result):
    ax = Figure().subplots()
    display = ConfusionDisplay.from_result(result, "svm", setting="single", normalise=False, ax=ax)
    assert isinstance(display, ConfusionDisplay)
    assert display.confusion_matrix.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert list(display.display_labels) == ["anger", "sadness", "none"]
    transductive = ConfusionDisplay.from_result(result, "svm", ax=Figure().subplots())
    assert transductive.confusion_matrix.tolist() == [[1, 0], [0, 1]]
