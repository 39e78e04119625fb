"""TrainingHistoryDisplay and TaskWeightsDisplay of networks and estimators that contain one."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_ser import make_dnn_elm
from sklearn_ser.inspection import TaskWeightsDisplay, TrainingHistoryDisplay
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.preprocessing import SkipFailedRows


def axes(n):
    return Figure().subplots(1, n, squeeze=False)[0]


def test_lines_are_the_columns_of_the_history(single):
    display = TrainingHistoryDisplay.from_estimators(single)
    assert [(ax.get_ylabel(), ax.get_title()) for ax in display.axes_] == [
        ("loss", "y"),
        ("validation score", "y"),
    ]
    assert set(display.lines_) == {
        ("MTLNeuralClassifier", column)
        for column in ("train_loss_y", "valid_loss_y", "valid_score_y")
    }
    for (_, column), line in display.lines_.items():
        assert line.get_xdata().tolist() == single.history_.index.tolist()
        np.testing.assert_array_equal(line.get_ydata(), single.history_[column])
    assert display.lines_["MTLNeuralClassifier", "train_loss_y"].is_dashed()
    assert not display.lines_["MTLNeuralClassifier", "valid_loss_y"].is_dashed()
    assert [text.get_text() for text in display.axes_[0].get_legend().texts] == [
        "training",
        "validation",
        "best epoch",
    ]


def test_the_best_epoch_is_marked_on_the_validation_line(single):
    display = TrainingHistoryDisplay.from_estimators(single)
    (dot,) = display.dots_["MTLNeuralClassifier", "valid_loss_y"]
    assert dot.get_xdata() == [single.best_epoch_]
    assert dot.get_ydata() == [single.history_["valid_loss_y"].min()]
    assert ("MTLNeuralClassifier", "train_loss_y") not in display.dots_


def test_several_networks_and_their_tasks(single, multi):
    display = TrainingHistoryDisplay.from_estimators({"single-task": single, "multi-task": multi})
    assert [(ax.get_ylabel(), ax.get_title()) for ax in display.axes_] == [
        (label, task)
        for label in ("loss", "validation score")
        for task in ("y", "gender", "arousal")
    ]
    colors = {name: line.get_color() for (name, _), line in display.lines_.items()}
    assert colors["single-task"] != colors["multi-task"]
    assert ("multi-task", "valid_score_arousal") in display.lines_
    assert ("single-task", "train_loss_gender") not in display.lines_
    assert [text.get_text() for text in display.axes_[2].get_legend().texts][:2] == [
        "single-task",
        "multi-task",
    ]


def test_scores_are_below_the_losses_of_their_task(speech):
    tasks = {"whole": "reconstruction", "gender": "classification"}  # the first has no score
    net = MTLNeuralClassifier(tasks=tasks, hidden_units=(8,), max_epochs=2, random_state=0)
    display = TrainingHistoryDisplay.from_estimators(net.fit(speech.X, speech.y, aux=speech.aux))
    display.figure_.draw_without_rendering()
    left = {
        (ax.get_ylabel(), ax.get_title()): ax.get_subplotspec().colspan.start
        for ax in display.axes_
    }
    assert ("validation score", "whole") not in left
    assert left["validation score", "gender"] == left["loss", "gender"] == 2


def test_selected_tasks_and_values_on_given_axes(multi):
    given = axes(2)
    display = TrainingHistoryDisplay.from_estimators(
        multi, tasks=["gender", "y"], values=("score",), ax=given
    )
    assert display.axes_ == list(given)
    assert display.figure_ is given[0].figure
    assert [ax.get_title() for ax in given] == ["gender", "y"]
    again = display.plot(tasks=["y"], values=("loss",), ax=Figure().subplots())
    assert [column for _, column in again.lines_] == ["train_loss_y", "valid_loss_y"]


def test_without_validation_samples_the_dot_is_on_the_training_line(speech):
    net = MTLNeuralClassifier(hidden_units=(4,), max_epochs=3, early_stopping=False, random_state=0)
    net.fit(speech.X, speech.y)
    display = TrainingHistoryDisplay.from_estimators(net)
    assert [column for _, column in display.lines_] == ["train_loss_y"]
    assert display.dots_["MTLNeuralClassifier", "train_loss_y"][0].get_xdata() == [3]
    with pytest.raises(ValueError, match=r"There are no validation scores of \['y'\]"):
        display.plot(values=("score",))


def test_the_dot_of_an_epoch_of_partial_fit_is_on_the_training_line(speech):
    net = MTLNeuralClassifier(hidden_units=(4,), max_epochs=3, random_state=0)
    net.fit(speech.X, speech.y, groups=speech.speaker).partial_fit(speech.X, speech.y)
    display = TrainingHistoryDisplay.from_estimators(net, values=("loss",))
    (dot,) = display.dots_["MTLNeuralClassifier", "train_loss_y"]
    assert dot.get_xdata() == [4]
    assert dot.get_ydata() == [net.history_.loc[4, "train_loss_y"]]


def test_a_task_without_validation_samples_has_no_score(speech):
    net = MTLNeuralClassifier(hidden_units=(4,), max_epochs=2, random_state=0)
    net.fit(speech.X, speech.y, groups=speech.speaker)
    validation = np.isin(speech.speaker, net.validation_split_["groups"])
    aux = speech.aux[["arousal"]].mask(validation[:, None])
    net.fit(speech.X, speech.y, aux=aux, groups=speech.speaker)
    display = TrainingHistoryDisplay.from_estimators(net)
    assert [(ax.get_ylabel(), ax.get_title()) for ax in display.axes_] == [
        ("loss", "y"),
        ("loss", "arousal"),
        ("validation score", "y"),
    ]
    assert ("MTLNeuralClassifier", "valid_loss_arousal") not in display.lines_


def test_members_are_fainter_than_their_mean(ensemble):
    history, members = ensemble.history_, ensemble.members_
    shortest = members["n_iter"].min()
    assert shortest < members["n_iter"].max()  # the premise
    display = TrainingHistoryDisplay.from_estimators(ensemble, tasks=["y"], values=("loss",))
    mean = display.lines_["MTLNeuralClassifier", "valid_loss_y"]
    by_member = history["valid_loss_y"].unstack("member").loc[:shortest]
    assert mean.get_xdata().tolist() == list(range(1, shortest + 1))
    np.testing.assert_allclose(mean.get_ydata(), by_member.mean(axis=1))
    (ax,) = display.axes_
    faint = [line for line in ax.lines if line.get_alpha() is not None]
    assert len(faint) == 6
    assert max(line.get_alpha() for line in faint) < 0.5
    dots = display.dots_["MTLNeuralClassifier", "valid_loss_y"]
    assert [dot.get_xdata()[0] for dot in dots] == members["best_epoch"].tolist()
    for member, dot in enumerate(dots):
        best = history.loc[member, "valid_loss_y"].min()
        assert dot.get_ydata()[0] == pytest.approx(best)


def test_fixed_and_learned_loss_weights(ensemble, multi):
    display = TaskWeightsDisplay.from_estimators({"fixed": ensemble, "learned": multi})
    assert set(display.lines_) == {
        ("fixed", "y"),
        ("fixed", "gender"),
        ("learned", "y"),
        ("learned", "gender"),
        ("learned", "arousal"),
    }
    np.testing.assert_allclose(display.lines_["fixed", "gender"].get_ydata(), 0.3)
    learned = display.lines_["learned", "y"]
    np.testing.assert_array_equal(learned.get_ydata(), multi[-1].history_["weight_y"])
    assert len(set(learned.get_ydata())) == 5
    for task in ("y", "gender"):
        assert (
            display.lines_["fixed", task].get_color() == display.lines_["learned", task].get_color()
        )
    assert [ax.get_title() for ax in display.axes_] == ["fixed", "learned"]
    first, second = (ax.get_ylim() for ax in display.axes_)
    assert first == second
    assert first[0] == 0
    assert [text.get_text() for text in display.axes_[-1].get_legend().texts] == [
        "y",
        "gender",
        "arousal",
    ]


@pytest.mark.parametrize("display", [TrainingHistoryDisplay, TaskWeightsDisplay])
def test_networks_inside_searches_and_meta_estimators(display, speech):
    net = MTLNeuralClassifier(hidden_units=(4,), max_epochs=2, random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), net), {}, cv=KFold(2))
    wrapped = SkipFailedRows(search).fit(speech.X, speech.y)
    inner = wrapped.estimator_.best_estimator_[-1]
    histories = display.from_estimators(wrapped).histories
    assert list(histories) == ["SkipFailedRows"]
    assert histories["SkipFailedRows"].equals(inner.history_)


@pytest.mark.parametrize("display", [TrainingHistoryDisplay, TaskWeightsDisplay])
def test_the_network_before_an_elm(display):
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(n, 3)).astype("float32") for n in rng.integers(3, 6, size=12)]
    model = make_dnn_elm(None, max_epochs=2, random_state=0).fit(frames, np.tile(["a", "b"], 6))
    history = display.from_estimators({"DNN-ELM": model}).histories["DNN-ELM"]
    assert history.equals(model["highlevel"].estimator_.history_)


@pytest.mark.parametrize("display", [TrainingHistoryDisplay, TaskWeightsDisplay])
def test_errors_without_a_fitted_network(display, speech, single):
    svm = make_pipeline(StandardScaler(), SVC()).fit(speech.X, speech.y)
    message = (
        r"The estimator 'svm' has no training history: it is of type Pipeline that ends in SVC\. "
        r"Pass a fitted MTLNeuralClassifier, or a Pipeline or search that ends in one"
    )
    with pytest.raises(ValueError, match=message):
        display.from_estimators({"net": single, "svm": svm})
    with pytest.raises(NotFittedError, match="MTLNeuralClassifier instance is not fitted yet"):
        display.from_estimators(MTLNeuralClassifier())
    with pytest.raises(
        ValueError, match=r"'SVC' has no training history: it is of type SVC\. Pass"
    ):
        display.from_estimators(svm[-1])


def test_errors_of_drawing(single):
    display = TrainingHistoryDisplay.from_estimators(single)
    with pytest.raises(ValueError, match=r"tasks must be some of \['y'\], got \['gender'\]"):
        display.plot(tasks=["gender"])
    with pytest.raises(ValueError, match="values must be a tuple of 'loss', 'score' or both"):
        display.plot(values=("accuracy",))
    message = (
        r"ax has 1 Axes, but this display has 2 subplots \(loss of y, score of y\)\. Pass one "
    )
    with pytest.raises(ValueError, match=message):
        display.plot(ax=Figure().subplots())
    with pytest.raises(ValueError, match=r"ax has 3 Axes, but this display has 1 subplot \(net\)"):
        TaskWeightsDisplay.from_estimators({"net": single}, ax=axes(3))
