"""Recall of several estimators by strength of a disturbance, with intervals over speakers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import numpy as np
import pandas as pd

from sklearn_ser.inspection._plotting import (
    MARKERS,
    AxesLike,
    Display,
    hide_spines,
    names_as_text,
    shared_parameters,
)
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D


_LABELS = {
    "uar": "unweighted average recall",
    "accuracy": "accuracy",
    "changed": "share of changed predictions",
    "loss": "mean loss",
}
_Value: TypeAlias = Literal["uar", "accuracy", "changed", "loss"]


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class RobustnessDisplay(Display):
    """Curves of several estimators by strength of a disturbance; a subplot for each disturbance.

    Use :meth:`from_table`. The disturbance increases from left to right, beginning with the
    original inputs; its levels are evenly spaced. Bars are the intervals of the recall over
    speakers. They may overlap even if one estimator is significantly better than the other: use a
    paired test of the predictions for that. Disturbances without a level (reverberation, a codec)
    are side by side in the last subplot. A dotted line is the recall of random predictions.

    Parameters
    ----------
    table : DataFrame
        Result of :func:`~sklearn_ser.robustness.adversarial_robustness` or
        :func:`~sklearn_ser.robustness.noise_robustness`, or several of one kind, concatenated.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each subplot.
    figure_ : matplotlib Figure
    lines_ : dict of (estimator, disturbance) to matplotlib Line2D
    bars_ : dict of (estimator, disturbance) to matplotlib LineCollection
        Intervals, if there are any.

    See Also
    --------
    UARDisplay : Recall by test corpus.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_ser.inspection import RobustnessDisplay
    >>> from sklearn_ser.robustness import adversarial_robustness
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["anger", "sadness"], 50)
    >>> X = rng.normal(size=(100, 5)) + (y == "anger")[:, None]
    >>> model = LogisticRegression().fit(X, y)
    >>> table = adversarial_robustness(model, X, y, speaker=np.arange(100) // 20)
    >>> display = RobustnessDisplay.from_table(table)
    >>> [label.get_text() for label in display.axes_[0].get_xticklabels()]
    ['0', '0.01', '0.03', '0.1', '0.3']
    """

    table: pd.DataFrame

    @classmethod
    @shared_parameters
    def from_table(cls, table: pd.DataFrame, *, value: _Value = "uar", ax: AxesLike = None) -> Self:
        """Draw a table of robustness.

        Parameters
        ----------
        table : DataFrame
            Result of :func:`~sklearn_ser.robustness.adversarial_robustness` or
            :func:`~sklearn_ser.robustness.noise_robustness`.
        %(value)s
        %(ax_and_return)s
        """
        return cls(table).plot(value=value, ax=ax)

    @shared_parameters
    @names_as_text()
    def plot(self, *, value: _Value = "uar", ax: AxesLike = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        %(value)s
        %(ax_and_return)s

        Raises
        ------
        ValueError
            If the table is not one of robustness, has no such value, or the number of Axes is
            wrong.
        """
        subplots = self._subplots(value)
        self._make_subplots(ax, [*subplots], size=(3.4, 3.2))
        self.lines_: dict[tuple[str, str], Line2D] = {}
        self.bars_: dict[tuple[str, str], LineCollection] = {}
        names = list(dict.fromkeys(self.table["estimator"]))
        for axes, (title, subplot) in zip(self.axes_, subplots.items(), strict=True):
            for index, name in enumerate(names):
                shift = 0.08 * (index - (len(names) - 1) / 2)
                self._draw(axes, title, subplot, value, name, index, shift)
            if value == "uar":
                chance = 1.0 / self.table["n_classes"].iloc[0]
                chance_line = axes.axhline(chance, color="gray", linestyle=":")
            ticks = subplot.ticks
            axes.set_xticks(range(len(ticks)), ticks, rotation=0 if subplot.ordered else 30)
            axes.set_xlim(-0.4, len(ticks) - 0.6)
            axes.set(title=title, xlabel=subplot.xlabel)
            if value != "loss":
                axes.set_ylim(0.0, 1.0)
            hide_spines(axes)
        self.axes_[0].set_ylabel(_LABELS[value])
        handles, labels = [self.lines_[name, title] for name in names], list(names)
        if value == "uar":
            handles, labels = [*handles, chance_line], [*labels, "chance"]
        # Not by the labels of lines: matplotlib leaves out those that begin with "_".
        self._legend_beside(handles, labels)
        return self._with_literal_text()

    def _draw(self, ax, title, subplot, value, name, index, shift):
        own = subplot.rows[subplot.rows["estimator"] == name].set_index("tick")
        own = own.reindex(subplot.ticks)
        positions = np.arange(len(own)) + shift
        (self.lines_[name, title],) = ax.plot(
            positions,
            own[value],
            linestyle="-" if subplot.ordered else "",
            color=f"C{index}",
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
        )
        known = own["uar_low"].notna().to_numpy() & own["uar"].notna().to_numpy()
        if value == "uar" and known.any():
            self.bars_[name, title] = ax.vlines(
                positions[known],
                own["uar_low"][known],
                own["uar_high"][known],
                color=f"C{index}",
                linewidth=1.2,
                alpha=0.6,
            )

    def _subplots(self, value):
        missing = {"estimator", "uar", "uar_low", "uar_high", "n_classes"} - {*self.table.columns}
        kinds = [{"attack", "epsilon"}, {"condition", "snr"}]
        fitting = [kind for kind in kinds if kind <= {*self.table.columns}]
        if missing or not fitting:
            raise ValueError(
                f"The table has the columns {list(self.table.columns)}, but RobustnessDisplay "
                f"needs a result of adversarial_robustness or noise_robustness."
            )
        if value not in _LABELS or value not in self.table:
            known = [name for name in _LABELS if name in self.table]
            raise ValueError(f"value must be one of {known}, got {value!r}.")
        if fitting[0] == kinds[0]:
            return _attack_subplots(self.table)
        return _noise_subplots(self.table)


@dataclass
class _Subplot:
    """Rows of a table with the column `tick`, the ticks from left to right, and their label."""

    rows: pd.DataFrame
    ticks: list[str]
    xlabel: str
    ordered: bool = True


def _attack_subplots(table):
    subplots = {}
    for attack, rows in table.groupby("attack", sort=False):
        levels = sorted(rows["epsilon"].unique())
        ticks = ["clean" if np.isinf(level) else f"{level:g}" for level in levels]
        unit = "epsilon (dB)" if np.isinf(levels[0]) else "epsilon"
        rows = rows.assign(tick=rows["epsilon"].map(dict(zip(levels, ticks, strict=True))))
        subplots[attack] = _Subplot(rows, ticks, unit)
    return subplots


def _noise_subplots(table):
    clean = table[np.isposinf(table["snr"])].assign(tick="clean")
    rest = table[~np.isposinf(table["snr"])]
    subplots = {}
    for condition, rows in rest.dropna(subset="snr").groupby("condition", sort=False):
        levels = sorted(rows["snr"].unique(), reverse=True)
        rows = rows.assign(tick=rows["snr"].map("{:g}".format))
        ticks = ["clean", *map("{:g}".format, levels)]
        subplots[condition] = _Subplot(pd.concat([clean, rows]), ticks, "SNR (dB)")
    if "level" in rest:  # of other conditions, in their given order
        for condition, rows in rest.dropna(subset="level").groupby("condition", sort=False):
            rows = rows.assign(tick=rows["level"].map("{:g}".format))
            ticks = ["clean", *dict.fromkeys(rows["tick"])]
            subplots[condition] = _Subplot(pd.concat([clean, rows]), ticks, "level")
        rest = rest[rest["level"].isna()]
    others = rest[rest["snr"].isna()]
    if len(others) or not subplots:
        rows = pd.concat([clean, others.assign(tick=others["condition"])])
        ticks = list(dict.fromkeys(rows["tick"]))
        subplots["other conditions"] = _Subplot(rows, ticks, "", ordered=False)
    return subplots
