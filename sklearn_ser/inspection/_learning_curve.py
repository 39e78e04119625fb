"""Losses and held-out scores of each task over the epochs of training."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.inspection._panels import make_panels, tidy_axes
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures
from sklearn_ser.utils._nested_estimators import named_estimators
from sklearn_ser.utils._public import public_module

_DASHED = (0, (3, 1.5))


@public_module("sklearn_ser.inspection")
class TrainingHistoryDisplay:
    """Losses and held-out scores of every task over the epochs; a panel a task.

    Use :meth:`from_estimators`. Dashed lines are the loss on training rows (as training saw them:
    with dropout, noise and mixup), solid lines the loss and score on the rows held out for early
    stopping, a dot the epoch whose weights were kept. The score is the unweighted average recall of
    a task with labels and the concordance correlation of one with values. A network of several
    members has a faint line for each and a strong one for their mean, which ends where the first
    of them does.

    Parameters
    ----------
    histories : dict of str to DataFrame
        Name -> ``history_`` of a fitted network.
    best_epochs : dict of str to list of int
        Name -> epoch kept, of each member.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One a panel: the losses by task, then the scores by task.
    figure_ : matplotlib Figure
    lines_ : dict of (estimator, column) to matplotlib Line2D
        ``lines_["net", "valid_loss_gender"]``; that of the mean, where there are members.
    dots_ : dict of (estimator, column) to list of matplotlib Line2D
        One for each member; on the held-out line, or on the training line where nothing was held
        out.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores over the number of training rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.inspection import TrainingHistoryDisplay
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> X, y = np.eye(60), ["anger", "sadness"] * 30
    >>> net = MTLNeuralClassifier(max_epochs=3, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimators(net)
    >>> [(ax.get_ylabel(), ax.get_title()) for ax in display.axes_]
    [('loss', 'y'), ('held-out score', 'y')]
    """

    def __init__(self, histories, best_epochs):
        self.histories = histories
        self.best_epochs = best_epochs

    @classmethod
    def from_estimators(cls, estimators, *, tasks=None, values=("loss", "score"), ax=None):
        """Draw the training of one or several fitted networks.

        Parameters
        ----------
        estimators : estimator, dict of str to estimator, or list of (str, estimator)
            Each a fitted :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, or a Pipeline,
            a search or another meta-estimator around one.
        tasks, values, ax
            As in :meth:`plot`.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        ValueError
            If an estimator is not fitted or holds no network, or as in :meth:`plot`.
        """
        return cls(*find_histories(estimators)).plot(tasks=tasks, values=values, ax=ax)

    def plot(self, *, tasks=None, values=("loss", "score"), ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        tasks : str or list of str, default=None
            The tasks to draw, all by default; the main task is called ``"y"``.
        values : tuple of {"loss", "score"}, default=("loss", "score")
            What to draw. Scores are left out where there are none: nothing was held out, or the
            task has no score.
        ax : matplotlib Axes or array of Axes, default=None
            One for each panel.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        ValueError
            If a task is not known, nothing is left to draw, or there is another number of Axes.
        """
        panels = self._panels(self._chosen(tasks), values)
        rows = list(dict.fromkeys(value for value, _ in panels))
        columns = list(dict.fromkeys(task for _, task in panels))
        self.axes_ = make_panels(
            ax,
            [(rows.index(value), columns.index(task)) for value, task in panels],
            size=(3.2, 2.6),
            what=", ".join(f"{value} of {task}" for value, task in panels),
        )
        self.figure_ = self.axes_[0].figure
        self.lines_, self.dots_ = {}, {}
        for panel_ax, (value, task) in zip(self.axes_, panels, strict=True):
            self._draw(panel_ax, value, task)
            panel_ax.set(
                title=task, xlabel="epoch", ylabel="loss" if value == "loss" else "held-out score"
            )
            panel_ax.xaxis.get_major_locator().set_params(integer=True)
            tidy_axes(panel_ax)
        end_of_first_row = [value for value, _ in panels].count(rows[0]) - 1
        self.axes_[end_of_first_row].legend(
            handles=self._legend(),
            loc="upper left",
            bbox_to_anchor=(1.02, 1),
            frameon=False,
        )
        return self

    def _chosen(self, tasks):
        known = named_columns(self.histories, "train_loss_")
        if tasks is None:
            return known
        tasks = [tasks] if isinstance(tasks, str) else tasks
        unknown = [task for task in tasks if task not in known]
        if unknown or not len(tasks):
            raise ValueError(f"tasks must be some of {known}, got {list(tasks)}")
        return list(tasks)

    def _panels(self, tasks, values):
        if not len(values) or not set(values) <= {"loss", "score"}:
            raise ValueError(f"values must be 'loss', 'score' or both, in a tuple; got {values!r}")
        panels = [("loss", task) for task in tasks if "loss" in values]
        panels += [
            ("score", task)
            for task in tasks
            if "score" in values
            and any(
                has_values(history, f"valid_score_{task}") for history in self.histories.values()
            )
        ]
        if not panels:
            raise ValueError(
                f"no scores to draw for {tasks}: there are some only where rows that have the "
                f"task's target were held out (early_stopping=True), and not for all kinds of tasks"
            )
        return panels

    def _draw(self, ax, value, task):
        columns = {f"train_{value}_{task}": _DASHED, f"valid_{value}_{task}": "-"}
        for place, (name, history) in enumerate(self.histories.items()):
            present = [column for column in columns if has_values(history, column)]
            for column in present:
                self.lines_[name, column] = draw_curve(
                    ax, history, column, color=f"C{place}", linestyle=columns[column]
                )
            for member, epoch in enumerate(self.best_epochs[name]):
                self._mark(ax, place, name, present, member, epoch)

    def _mark(self, ax, place, name, columns, member, epoch):
        """A dot on the held-out line; on the training line where that has no value."""
        values = {
            column: value_at(self.histories[name], column, member, epoch) for column in columns
        }
        known = [column for column, value in values.items() if np.isfinite(value)]
        if known:
            (dot,) = ax.plot(
                epoch,
                values[known[-1]],
                "o",
                color=f"C{place}",
                markersize=6 if len(self.best_epochs[name]) == 1 else 4,
                markeredgecolor="white",
                zorder=3,  # above the lines of networks that are drawn later
            )
            self.dots_.setdefault((name, known[-1]), []).append(dot)

    def _legend(self):
        from matplotlib.lines import Line2D

        several = len(self.histories) > 1
        handles = [
            Line2D([], [], color=f"C{place}", label=name)
            for place, name in enumerate(self.histories)
            if several
        ]
        gray = "dimgray" if several else "C0"
        if any(column.startswith("train_") for _, column in self.lines_):
            handles.append(Line2D([], [], color=gray, linestyle=_DASHED, label="training rows"))
        if any(column.startswith("valid_") for _, column in self.lines_):
            handles.append(Line2D([], [], color=gray, label="held-out rows"))
        handles.append(
            Line2D([], [], color=gray, marker="o", linestyle="", label="weights kept", mec="white")
        )
        return handles


@public_module("sklearn_ser.inspection")
class TaskWeightsDisplay:
    """The weight that each task's loss had, over the epochs; a panel a network.

    Use :meth:`from_estimators`. With ``loss_weighting="fixed"`` the lines are level; learned
    weights move. A task keeps its color from panel to panel. A network of several members has a
    faint line for each and a strong one for their mean, which ends where the first of them does.

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
        That of the mean, where there are members.

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

    def __init__(self, histories):
        self.histories = histories

    @classmethod
    def from_estimators(cls, estimators, *, ax=None):
        """Draw the weights of one or several fitted networks.

        Parameters
        ----------
        estimators : estimator, dict of str to estimator, or list of (str, estimator)
            Each a fitted :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, or a Pipeline,
            a search or another meta-estimator around one.
        ax : matplotlib Axes or array of Axes, default=None
            One for each network.

        Returns
        -------
        TaskWeightsDisplay

        Raises
        ------
        ValueError
            If an estimator is not fitted or holds no network, or there is another number of Axes.
        """
        histories, _ = find_histories(estimators)
        return cls(histories).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            One for each network.

        Returns
        -------
        TaskWeightsDisplay

        Raises
        ------
        ValueError
            If there is another number of Axes.
        """
        n_panels = len(self.histories)
        self.axes_ = make_panels(
            ax,
            [(0, column) for column in range(n_panels)],
            size=(3.6, 2.8),
            what=", ".join(self.histories),
        )
        self.figure_ = self.axes_[0].figure
        self.lines_ = {}
        tasks = named_columns(self.histories, "weight_")
        for panel_ax, (name, history) in zip(self.axes_, self.histories.items(), strict=True):
            for place, task in enumerate(tasks):
                if f"weight_{task}" in history:
                    self.lines_[name, task] = draw_curve(
                        panel_ax, history, f"weight_{task}", color=f"C{place}", label=task
                    )
            panel_ax.set(xlabel="epoch", ylabel="weight of the loss")
            if n_panels > 1:
                panel_ax.set_title(name)
            panel_ax.xaxis.get_major_locator().set_params(integer=True)
            tidy_axes(panel_ax)
        highest = max(panel_ax.get_ylim()[1] for panel_ax in self.axes_)
        for panel_ax in self.axes_:
            panel_ax.set_ylim(0, highest)
        first_of_task = {}
        for (_, task), line in self.lines_.items():
            first_of_task.setdefault(task, line)
        self.axes_[-1].legend(
            first_of_task.values(),
            first_of_task.keys(),
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            frameon=False,
        )
        return self


def find_histories(estimators):
    """Histories and best epochs of one or several fitted networks, by name.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Each a fitted network, or a Pipeline, a search or another meta-estimator around one, or a
        Pipeline of it and an ELM.

    Returns
    -------
    histories : dict of str to DataFrame
    best_epochs : dict of str to list of int
        One for each member.

    Raises
    ------
    NotFittedError
        If one is not fitted.
    ValueError
        If there is no network in one.
    """
    networks = {
        name: _find_network(estimator, name)
        for name, estimator in named_estimators(estimators).items()
    }
    return (
        {name: network.history_ for name, network in networks.items()},
        {name: network.members_["best_epoch"].tolist() for name, network in networks.items()},
    )


def named_columns(histories, prefix):
    """What follows `prefix` in the names of columns, each once, in the order of the histories."""
    found = [
        column.removeprefix(prefix)
        for history in histories.values()
        for column in history.columns
        if column.startswith(prefix)
    ]
    return list(dict.fromkeys(found))


def has_values(history, column):
    """Whether there is such a column, and a row with a value in it."""
    return column in history and bool(history[column].notna().any())


def draw_curve(ax, history, column, **style):
    """One column over the epochs: a line, or the members' lines, faint, below their mean.

    The mean ends where the first member does.

    Returns
    -------
    Line2D
        The line, or that of the mean.
    """
    values = history[column]
    if values.index.nlevels > 1:
        by_member = values.unstack(level="member").dropna(axis=1, how="all")
        faint = style | {"alpha": 0.25, "linewidth": 0.8, "label": None}
        for member in by_member:
            one = by_member[member].dropna()
            ax.plot(one.index, one.to_numpy(), **faint)
        values = by_member.dropna().mean(axis=1)
    marker = "o" if len(values) == 1 else None  # a line of one point cannot be seen
    (line,) = ax.plot(values.index, values.to_numpy(), marker=marker, markersize=3, **style)
    return line


def value_at(history, column, member, epoch):
    """The value of a column in one epoch of one member."""
    place = (member, epoch) if history.index.nlevels > 1 else epoch
    return float(history[column].loc[place])


def _find_network(estimator, name):
    check_is_fitted(estimator)
    seen = estimator
    while not hasattr(seen, "history_"):
        if isinstance(seen, Pipeline):
            # Before an ELM it is a step of features that holds the network.
            last, before = seen.steps[-1][1], [step for _, step in seen.steps[:-1]]
            holders = [step for step in before if isinstance(step, HighLevelFeatures)]
            seen = holders[-1] if isinstance(last, ELMClassifier) and holders else last
        elif hasattr(seen, "best_estimator_"):
            seen = seen.best_estimator_
        elif hasattr(seen, "estimator_"):
            seen = seen.estimator_
        else:
            inside = "" if seen is estimator else f", and ends in {type(seen).__name__}"
            raise ValueError(
                f"{name!r} has no training history: it is a {type(estimator).__name__}{inside}. "
                f"Give a fitted MTLNeuralClassifier, or a Pipeline or search that ends in one"
            )
    return seen
