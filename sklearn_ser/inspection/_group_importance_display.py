"""Bars of how much groups of features matter."""

import numpy as np

from sklearn_ser.inspection._panels import (
    fit_rows,
    legend_below,
    make_panels,
    name_rows,
    names_margin,
    series_style,
    tidy_axes,
    wrapped,
)
from sklearn_ser.inspection._selection import FEWEST_SPEAKERS
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.inspection")
class GroupImportanceDisplay:
    """Importances of groups of features as bars, with intervals over speakers, or the speakers.

    Use :meth:`from_table`.

    Parameters
    ----------
    table : pandas.DataFrame
        As :func:`grouped_permutation_importance` gives it, ``attrs`` and all.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    bars_ : BarContainer
    intervals_ : dict of str to matplotlib Line2D
        Of each group, where there is one.
    speakers_ : dict of str to matplotlib Line2D
        The falls of the single speakers' scores, with fewer than 8 speakers.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_ser.inspection import GroupImportanceDisplay, grouped_permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["loudness_sma3_amean", "mfcc1_sma3"])
    >>> y = np.where(X["loudness_sma3_amean"] > 0, "anger", "sadness")
    >>> model = LogisticRegression().fit(X, y)
    >>> speaker = np.arange(80) // 10
    >>> table = grouped_permutation_importance(model, X, y, speaker=speaker, random_state=0)
    >>> display = GroupImportanceDisplay.from_table(table)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['prosody (1)', 'spectrum (1)']
    """

    def __init__(self, table):
        self.table = table

    @classmethod
    def from_table(cls, table, *, ax=None):
        """Draw a table of importances.

        Parameters
        ----------
        table : pandas.DataFrame
            See the class.
        ax : matplotlib Axes or Figure, default=None

        Returns
        -------
        GroupImportanceDisplay
        """
        return cls(table).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, default=None

        Returns
        -------
        GroupImportanceDisplay
        """
        table, attrs = self.table, self.table.attrs
        names = [f"{group} ({n})" for group, n in table["n_features"].items()]
        (self.ax_,) = make_panels(
            ax,
            [(0, 0)],
            size=(4.2, 1.4 + 0.34 * len(names)),
            what="importance",
            margin=names_margin(names),
        )
        self.figure_ = self.ax_.figure
        name_rows(self.ax_, names)
        style, dark = series_style(3), "0.15"
        self.bars_ = self.ax_.barh(
            range(len(table)), table["importance"], height=0.55, color=style["color"], zorder=2
        )
        self.ax_.axvline(0, color="0.4", linewidth=0.8, zorder=1)
        self.intervals_, self.speakers_ = {}, {}
        for row, (group, found) in enumerate(table.iterrows()):
            own = list(attrs.get("speakers", {}).get(group, {}).values())
            if np.isfinite(found["low"]):
                (self.intervals_[group],) = self.ax_.plot(
                    [found["low"], found["high"]], [row] * 2, color=dark, linewidth=1.5, zorder=3
                )
            elif 1 < len(own) < FEWEST_SPEAKERS:
                (self.speakers_[group],) = self.ax_.plot(
                    own, [row] * len(own), "|", color=dark, markersize=9, zorder=3
                )
        self._numbers()
        within = "over all rows" if attrs.get("across_speakers") else "within speakers"
        of = f" (from {attrs['score']:.2f})" if "score" in attrs else ""
        self.ax_.set_xlabel(wrapped(f"fall of the score{of}, features permuted {within}", 34))
        tidy_axes(self.ax_)
        self.ax_.spines["left"].set_visible(False)
        self._legend()
        fit_rows([self.ax_], len(names), 1)
        return self

    def _numbers(self):
        """The importances beside the longest marks."""
        low, high = self.ax_.get_xlim()
        end = high + 0.2 * (high - low)
        self.ax_.set_xlim(low, end)
        for row, value in enumerate(self.table["importance"]):
            self.ax_.text(end, row, f"{value:.2f}", ha="right", va="center", fontsize=8)

    def _legend(self):
        marks = {"95 % over speakers": self.intervals_, "a speaker": self.speakers_}
        shown = {label: next(iter(lines.values())) for label, lines in marks.items() if lines}
        if shown:
            legend_below(self.figure_, [self.ax_], list(shown.values()), list(shown))
