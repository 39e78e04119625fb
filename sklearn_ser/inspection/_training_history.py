"""Training history of networks: losses, validation scores and loss weights over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.inspection._plotting import (
    AxesLike,
    Display,
    DisplayWithoutOptions,
    hide_spines,
    legend_mark,
    names_as_text,
    shared_parameters,
)
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures
from sklearn_ser.utils._nested_estimators import Estimators, named_estimators
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

_DASHED = (0, (3, 1.5))


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class TrainingHistoryDisplay(Display):
    """Losses and validation scores over the epochs; a subplot for each task.

    Use :meth:`from_estimators`. Dashed lines are training losses (with dropout, noise and mixup, as
    in training), solid lines the loss and score on the validation samples of early stopping, and a
    dot is the best epoch. The score is the unweighted average recall of a classification task, and
    the concordance correlation coefficient of a regression task. An ensemble has a faint line for
    each member and a strong one for their mean, which ends at the last epoch of the shortest
    member.

    Parameters
    ----------
    histories : dict of str to DataFrame
        Name -> ``history_`` of a fitted network.
    best_epochs : dict of str to list of int
        Name -> best epoch of each member.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each subplot: the losses by task, then the scores by task.
    figure_ : matplotlib Figure
    lines_ : dict of (estimator, column) to matplotlib Line2D
        Lines, such as ``lines_["net", "valid_loss_gender"]``; those of the mean of an ensemble.
    dots_ : dict of (estimator, column) to list of matplotlib Line2D
        Best epoch of each member, on the validation line, or on the training line without
        validation samples.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by number of training samples.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.inspection import TrainingHistoryDisplay
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> X, y = np.eye(60), ["anger", "sadness"] * 30
    >>> net = MTLNeuralClassifier(max_epochs=3, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimators(net)
    >>> [(ax.get_ylabel(), ax.get_title()) for ax in display.axes_]
    [('loss', 'y'), ('validation score', 'y')]
    """

    histories: Mapping[str, pd.DataFrame]
    best_epochs: Mapping[str, Sequence[int]]

    @classmethod
    @shared_parameters
    def from_estimators(
        cls,
        estimators: Estimators,
        *,
        tasks: str | Sequence[str] | None = None,
        values: Sequence[Literal["loss", "score"]] = ("loss", "score"),
        ax: AxesLike = None,
    ) -> Self:
        """Draw the training of one or several fitted networks.

        Parameters
        ----------
        %(networks)s
        %(tasks)s
        %(values)s
        %(ax_and_return)s

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        ValueError
            If an estimator contains no network, or as in :meth:`plot`.
        """
        networks = _find_networks(estimators)
        return cls(
            {name: network.history_ for name, network in networks.items()},
            {name: network.members_["best_epoch"].tolist() for name, network in networks.items()},
        ).plot(tasks=tasks, values=values, ax=ax)

    @shared_parameters
    @names_as_text()
    def plot(
        self,
        *,
        tasks: str | Sequence[str] | None = None,
        values: Sequence[Literal["loss", "score"]] = ("loss", "score"),
        ax: AxesLike = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        %(tasks)s
        %(values)s
        %(ax_and_return)s

        Raises
        ------
        ValueError
            If a task is unknown, there is nothing to draw, or the number of Axes is wrong.
        """
        subplots = self._subplots(self._validate_tasks(tasks), values)
        rows = list(dict.fromkeys(value for value, _ in subplots))
        columns = list(dict.fromkeys(task for _, task in subplots))
        self._make_subplots(
            ax,
            [f"{value} of {task}" for value, task in subplots],
            size=(3.2, 2.6),
            positions=[(rows.index(value), columns.index(task)) for value, task in subplots],
        )
        self.lines_: dict[tuple[str, str], Line2D] = {}
        self.dots_: dict[tuple[str, str], list[Line2D]] = {}
        for axes, (value, task) in zip(self.axes_, subplots, strict=True):
            self._draw(axes, value, task)
            ylabel = "loss" if value == "loss" else "validation score"
            axes.set(title=task, xlabel="epoch", ylabel=ylabel)
            _use_integer_ticks(axes)
            hide_spines(axes)
        end_of_first_row = [value for value, _ in subplots].count(rows[0]) - 1
        self._legend_beside(subplot=end_of_first_row, handles=self._legend_handles())
        return self._with_literal_text()

    def _validate_tasks(self, tasks):
        known = _column_suffixes(self.histories, "train_loss_")
        if tasks is None:
            return known
        tasks = [tasks] if isinstance(tasks, str) else list(tasks)
        if not tasks or any(task not in known for task in tasks):
            raise ValueError(f"tasks must be some of {known}, got {tasks}.")
        return tasks

    def _subplots(self, tasks, values):
        if not len(values) or not set(values) <= {"loss", "score"}:
            raise ValueError(f"values must be a tuple of 'loss', 'score' or both, got {values!r}.")
        subplots = [("loss", task) for task in tasks if "loss" in values]
        subplots += [
            ("score", task)
            for task in tasks
            if "score" in values
            and any(
                _has_values(history, f"valid_score_{task}") for history in self.histories.values()
            )
        ]
        if not subplots:
            raise ValueError(
                f"There are no validation scores of {tasks}. They exist if validation samples "
                f"(early_stopping=True) have targets of the task, and not for all kinds of tasks. "
                f"Add 'loss' to values."
            )
        return subplots

    def _draw(self, ax, value, task):
        columns = {f"train_{value}_{task}": _DASHED, f"valid_{value}_{task}": "-"}
        for index, (name, history) in enumerate(self.histories.items()):
            present = [column for column in columns if _has_values(history, column)]
            for column in present:
                self.lines_[name, column] = _draw_curve(
                    ax, history, column, color=f"C{index}", linestyle=columns[column]
                )
            for member, epoch in enumerate(self.best_epochs[name]):
                self._mark_best_epoch(ax, f"C{index}", name, present, member, epoch)

    def _mark_best_epoch(self, ax, color, name, columns, member, epoch):
        """Draw a dot on the validation line, or on the training line if that has no value."""
        history = self.histories[name]
        key = (member, epoch) if history.index.nlevels > 1 else epoch
        known = [column for column in columns if np.isfinite(history[column].loc[key])]
        if known:
            (dot,) = ax.plot(
                epoch,
                float(history[known[-1]].loc[key]),
                "o",
                color=color,
                markersize=6 if len(self.best_epochs[name]) == 1 else 4,
                markeredgecolor="white",
                zorder=3,  # above the lines of networks that are drawn later
            )
            self.dots_.setdefault((name, known[-1]), []).append(dot)

    def _legend_handles(self):
        several = len(self.histories) > 1
        handles = [
            legend_mark(color=f"C{index}", linestyle="-", label=name)
            for index, name in enumerate(self.histories)
            if several
        ]
        color = "dimgray" if several else "C0"
        for prefix, linestyle, label in (
            ("train_", _DASHED, "training"),
            ("valid_", "-", "validation"),
        ):
            if any(column.startswith(prefix) for _, column in self.lines_):
                handles.append(legend_mark(color=color, linestyle=linestyle, label=label))
        return [*handles, legend_mark(color=color, marker="o", mec="white", label="best epoch")]


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class TaskWeightsDisplay(DisplayWithoutOptions):
    """Weights of the tasks' losses over the epochs; a subplot for each network.

    Use :meth:`from_estimators`. With ``loss_weighting="fixed"`` the lines are horizontal; learned
    weights vary. A task has the same color in all subplots. An ensemble has a faint line for each
    member and a strong one for their mean, which ends at the last epoch of the shortest member.

    Parameters
    ----------
    histories : dict of str to DataFrame
        Name -> ``history_`` of a fitted network, with a column ``weight_<task>`` for each task.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each network, with a common vertical scale.
    figure_ : matplotlib Figure
    lines_ : dict of (estimator, task) to matplotlib Line2D
        Lines; those of the mean of an ensemble.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser.inspection import TaskWeightsDisplay
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> X, y = np.eye(40), ["anger", "sadness"] * 20
    >>> aux = pd.DataFrame({"gender": ["female", "female", "male", "male"] * 10})
    >>> net = MTLNeuralClassifier(loss_weighting="uncertainty", max_epochs=3, random_state=0)
    >>> display = TaskWeightsDisplay.from_estimators(net.fit(X, y, aux=aux))
    >>> list(display.lines_)
    [('MTLNeuralClassifier', 'y'), ('MTLNeuralClassifier', 'gender')]
    """

    histories: Mapping[str, pd.DataFrame]

    @classmethod
    @shared_parameters
    def from_estimators(cls, estimators: Estimators, *, ax: AxesLike = None) -> Self:
        """Draw the loss weights of one or several fitted networks.

        Parameters
        ----------
        %(networks)s
        %(ax_and_return)s

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        ValueError
            If an estimator contains no network, or the number of Axes is wrong.
        """
        networks = _find_networks(estimators)
        return cls({name: network.history_ for name, network in networks.items()}).plot(ax=ax)

    def _plot(self, ax: AxesLike) -> None:
        n_subplots = len(self.histories)
        self._make_subplots(ax, [*self.histories], size=(3.6, 2.8))
        self.lines_: dict[tuple[str, str], Line2D] = {}
        tasks = _column_suffixes(self.histories, "weight_")
        for axes, (name, history) in zip(self.axes_, self.histories.items(), strict=True):
            for index, task in enumerate(tasks):
                if f"weight_{task}" in history:
                    self.lines_[name, task] = _draw_curve(
                        axes, history, f"weight_{task}", color=f"C{index}", label=task
                    )
            axes.set(xlabel="epoch", ylabel="weight of the loss")
            if n_subplots > 1:
                axes.set_title(name)
            _use_integer_ticks(axes)
            hide_spines(axes)
        highest = max(axes.get_ylim()[1] for axes in self.axes_)
        for axes in self.axes_:
            axes.set_ylim(0, highest)
        first_of_task: dict[str, Line2D] = {}
        for (_, task), line in self.lines_.items():
            first_of_task.setdefault(task, line)
        self._legend_beside(list(first_of_task.values()), list(first_of_task))


def _find_networks(estimators):
    """Return the network inside each of one or several fitted estimators, by name."""
    return {name: _find_network(name, item) for name, item in named_estimators(estimators).items()}


def _find_network(name, estimator):
    check_is_fitted(estimator)
    inner = estimator
    while not hasattr(inner, "history_"):
        if isinstance(inner, Pipeline):
            # Before an ELM the network is inside a step that computes its features.
            last, before = inner.steps[-1][1], [step for _, step in inner.steps[:-1]]
            holders = [step for step in before if isinstance(step, HighLevelFeatures)]
            inner = holders[-1] if isinstance(last, ELMClassifier) and holders else last
        elif hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        elif hasattr(inner, "estimator_"):
            inner = inner.estimator_
        else:
            ends = "" if inner is estimator else f" that ends in {type(inner).__name__}"
            raise ValueError(
                f"The estimator {name!r} has no training history: it is of type "
                f"{type(estimator).__name__}{ends}. Pass a fitted MTLNeuralClassifier, or a "
                f"Pipeline or search that ends in one."
            )
    return inner


def _column_suffixes(histories, prefix):
    """Return the suffixes of the columns with a prefix, without repetitions."""
    suffixes = [
        column.removeprefix(prefix)
        for history in histories.values()
        for column in history.columns
        if column.startswith(prefix)
    ]
    return list(dict.fromkeys(suffixes))


def _has_values(history, column):
    return column in history and bool(history[column].notna().any())


def _draw_curve(ax, history, column, **style):
    """Draw a column over the epochs; return its line, or that of the mean over members."""
    values = history[column]
    if values.index.nlevels > 1:
        by_member = values.unstack(level="member").dropna(axis=1, how="all")
        faint = style | {"alpha": 0.25, "linewidth": 0.8, "label": None}
        for member in by_member:
            one = by_member[member].dropna()
            ax.plot(one.index, one.to_numpy(), **faint)
        values = by_member.dropna().mean(axis=1)
    marker = "o" if len(values) == 1 else None  # a line of one point is invisible
    (line,) = ax.plot(values.index, values.to_numpy(), marker=marker, markersize=3, **style)
    return line


def _use_integer_ticks(ax):
    ax.xaxis.get_major_locator().set_params(integer=True)
