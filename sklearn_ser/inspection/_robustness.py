"""Recall of several estimators as disturbances grow, with intervals over speakers."""

import numpy as np
import pandas as pd

from sklearn_ser.inspection._panels import MARKERS, make_panels, tidy_axes
from sklearn_ser.utils._public import public_module

_LABELS = {
    "uar": "unweighted average recall",
    "accuracy": "accuracy",
    "changed": "share of decisions changed",
    "loss": "mean loss",
}


@public_module("sklearn_ser.inspection")
class RobustnessDisplay:
    """Curves of several estimators over growing disturbances: a panel a kind of disturbance.

    Use :meth:`from_table`. From left to right the inputs get worse, beginning with those that are
    as they are; the levels stand evenly spaced. Bars are the table's intervals, those of the recall
    over speakers, which overlap for paired figures even where one estimator is surely better than
    the other: compare the same rows' predictions for that. What has no level (reverberation, a
    codec) stands side by side in a last panel. A dotted line is the recall of guessing.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`~sklearn_ser.evaluation.adversarial_robustness` or
        :func:`~sklearn_ser.evaluation.noise_robustness` gives it, or several of one kind, one
        after the other.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
    lines_ : dict of (estimator, panel) to matplotlib Line2D
    bars_ : dict of (estimator, panel) to matplotlib LineCollection
        The intervals, where there are any.

    See Also
    --------
    UARDisplay : Recall by test corpus.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_ser.robustness._adversarial import adversarial_robustness
    >>> from sklearn_ser.inspection import RobustnessDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["anger", "sadness"], 50)
    >>> X = rng.normal(size=(100, 5)) + (y == "anger")[:, None]
    >>> model = LogisticRegression().fit(X, y)
    >>> table = adversarial_robustness(model, X, y, speaker=np.arange(100) // 20)
    >>> display = RobustnessDisplay.from_table(table)
    >>> [label.get_text() for label in display.axes_[0].get_xticklabels()]
    ['0', '0.01', '0.03', '0.1', '0.3']
    """

    def __init__(self, table):
        self.table = table

    @classmethod
    def from_table(cls, table, *, value="uar", ax=None):
        """Draw a table of robustness.

        Parameters
        ----------
        table : pandas.DataFrame
            See the class.
        value, ax
            As in :meth:`plot`.

        Returns
        -------
        RobustnessDisplay
        """
        return cls(table).plot(value=value, ax=ax)

    def plot(self, *, value="uar", ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        value : {"uar", "accuracy", "changed", "loss"}, default="uar"
            What to draw; "loss" is there for adversarial robustness only. Intervals are those of
            the recall.
        ax : matplotlib Axes or array of Axes, default=None
            One for each panel.

        Returns
        -------
        RobustnessDisplay

        Raises
        ------
        ValueError
            If the table is none of robustness, has no such value, or there is another number of
            Axes.
        """
        panels = self._panels(value)
        self.axes_ = make_panels(
            ax,
            [(0, place) for place in range(len(panels))],
            size=(3.4, 3.2),
            what=", ".join(panels),
        )
        self.figure_ = self.axes_[0].figure
        self.lines_, self.bars_ = {}, {}
        names = list(dict.fromkeys(self.table["estimator"]))
        for panel_ax, (title, panel) in zip(self.axes_, panels.items(), strict=True):
            for place, name in enumerate(names):
                self._draw(panel_ax, title, panel, value, name, place, len(names))
            if value == "uar":
                chance = 1.0 / self.table["n_classes"].iloc[0]
                panel_ax.axhline(chance, color="gray", linestyle=":", label="chance")
            panel_ax.set_xticks(range(len(panel.ticks)), panel.ticks, rotation=panel.rotation)
            panel_ax.set_xlim(-0.4, len(panel.ticks) - 0.6)
            panel_ax.set(title=title, xlabel=panel.xlabel)
            if value != "loss":
                panel_ax.set_ylim(0.0, 1.0)
            tidy_axes(panel_ax)
        self.axes_[0].set_ylabel(_LABELS[value])
        self.axes_[-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
        return self

    def _draw(self, ax, title, panel, value, name, place, n_names):
        own = panel.rows[panel.rows["estimator"] == name].set_index("tick")
        own = own.reindex(panel.ticks)
        shift = 0.08 * (place - (n_names - 1) / 2)
        positions = np.arange(len(own)) + shift
        style = {"color": f"C{place}", "marker": MARKERS[place % len(MARKERS)], "markersize": 5}
        (self.lines_[name, title],) = ax.plot(
            positions, own[value], label=name, linestyle="-" if panel.ordered else "", **style
        )
        known = own["uar_low"].notna().to_numpy() & own["uar"].notna().to_numpy()
        if value == "uar" and known.any():
            self.bars_[name, title] = ax.vlines(
                positions[known],
                own["uar_low"][known],
                own["uar_high"][known],
                color=f"C{place}",
                linewidth=1.2,
                alpha=0.6,
            )

    def _panels(self, value):
        missing = {"estimator", "uar", "uar_low", "uar_high", "n_classes"} - {*self.table.columns}
        kinds = [{"attack", "epsilon"}, {"condition", "snr"}]
        fitting = [kind for kind in kinds if kind <= {*self.table.columns}]
        if missing or not fitting:
            raise ValueError(
                "RobustnessDisplay draws a table that adversarial_robustness or noise_robustness "
                f"gave; this one has the columns {list(self.table.columns)}"
            )
        if value not in _LABELS or value not in self.table:
            known = [name for name in _LABELS if name in self.table]
            raise ValueError(f"value must be one of {known}, got {value!r}")
        if fitting[0] == kinds[0]:
            return _attack_panels(self.table)
        return _noise_panels(self.table)


class _Panel:
    """Rows of a table, each with its tick; the ticks from left to right."""

    def __init__(self, rows, ticks, xlabel, *, ordered=True):
        self.rows, self.ticks, self.xlabel, self.ordered = rows, ticks, xlabel, ordered
        self.rotation = 0 if ordered else 30


def _attack_panels(table):
    panels = {}
    for attack, rows in table.groupby("attack", sort=False):
        levels = sorted(rows["epsilon"].unique())
        ticks = ["clean" if np.isinf(level) else f"{level:g}" for level in levels]
        unit = "epsilon (dB)" if np.isinf(levels[0]) else "epsilon"
        rows = rows.assign(tick=rows["epsilon"].map(dict(zip(levels, ticks, strict=True))))
        panels[attack] = _Panel(rows, ticks, unit)
    return panels


def _noise_panels(table):
    clean = table[np.isposinf(table["snr"])].assign(tick="clean")
    rest = table[~np.isposinf(table["snr"])]
    panels = {}
    for condition, rows in rest.dropna(subset="snr").groupby("condition", sort=False):
        levels = sorted(rows["snr"].unique(), reverse=True)
        rows = rows.assign(tick=rows["snr"].map("{:g}".format))
        ticks = ["clean", *map("{:g}".format, levels)]
        panels[condition] = _Panel(pd.concat([clean, rows]), ticks, "SNR (dB)")
    if "level" in rest:  # of other conditions, in the order in which they were given
        for condition, rows in rest.dropna(subset="level").groupby("condition", sort=False):
            rows = rows.assign(tick=rows["level"].map("{:g}".format))
            ticks = ["clean", *dict.fromkeys(rows["tick"])]
            panels[condition] = _Panel(pd.concat([clean, rows]), ticks, "level")
        rest = rest[rest["level"].isna()]
    others = rest[rest["snr"].isna()]
    if len(others) or not panels:
        rows = pd.concat([clean, others.assign(tick=others["condition"])])
        ticks = list(dict.fromkeys(rows["tick"]))
        panels["other conditions"] = _Panel(rows, ticks, "", ordered=False)
    return panels
