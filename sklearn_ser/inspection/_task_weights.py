"""The weight of each task's loss over the epochs of training."""

from sklearn_ser.inspection._histories import draw_curve, find_histories, named_columns
from sklearn_ser.inspection._panels import make_panels, tidy_axes


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
