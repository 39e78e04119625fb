"""Unweighted average recall of several estimators, corpus by corpus."""

import numpy as np


class UARDisplay:
    """Dots of the unweighted average recall: one column a test corpus, one colour an estimator.

    Use :meth:`from_result`. A filled dot is one utterance at a time; an open one used the test
    corpus's own statistics (transductive).

    Parameters
    ----------
    table : pandas.DataFrame
        As :meth:`EvaluationResult.summary` gives it.
    chance : float
        Recall of guessing.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    dots_ : dict of (estimator, setting) to matplotlib Line2D
    """

    def __init__(self, table, *, chance):
        self.table = table
        self.chance = chance

    @classmethod
    def from_result(cls, result, *, ax=None):
        """Draw an :class:`~sklearn_ser.evaluation.EvaluationResult`.

        Parameters
        ----------
        result : EvaluationResult
        ax : matplotlib Axes, optional

        Returns
        -------
        UARDisplay
        """
        table = result.summary().drop(columns="pooled")
        return cls(table, chance=1 / len(result.labels)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Returns
        -------
        UARDisplay
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(1.2 * self.table.shape[1] + 3, 4), layout="constrained")
        estimators = list(self.table.index.get_level_values("estimator").unique())
        positions = np.arange(self.table.shape[1])
        self.dots_ = {}
        for (estimator, setting), row in self.table.iterrows():
            place = estimators.index(estimator)
            shift = 0.12 * (place - (len(estimators) - 1) / 2)
            (self.dots_[estimator, setting],) = ax.plot(
                positions + shift,
                row.to_numpy(),
                "o",
                color=f"C{place}",
                fillstyle="full" if setting == "single" else "none",
                label=f"{estimator}, {setting}",
            )
        ax.axhline(self.chance, color="grey", linestyle=":", label="chance")
        ax.axvline(positions[-1] - 0.5, color="lightgrey")
        ax.set_xticks(positions, self.table.columns, rotation=30 if len(positions) > 6 else 0)
        ax.set(ylabel="unweighted average recall", ylim=(0, 1))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
