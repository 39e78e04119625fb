"""Critical difference diagrams: average ranks of estimators, with bars that join similar ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_ser.inspection._plotting import (
    LETTER_WIDTH,
    AxesLike,
    DisplayWithoutOptions,
    axes_size,
    figure_width,
    wrap_name,
)
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from matplotlib.text import Text


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class CriticalDifferenceDisplay(DisplayWithoutOptions):
    """Average ranks on a line, the best on the left; bars join estimators that do not differ.

    The diagram of Demšar [1]_. The display does no test: it draws the outcome of one. The names are
    on both sides of the Axes: a given figure needs ``layout="constrained"``, which makes room for
    them.

    Parameters
    ----------
    ranks : pandas.Series of float, or dict of str to float
        Name of the estimator -> average rank; 1 is best.
    cliques : list of list of str
        Groups of estimators between which no significant difference was found. Groups of one are
        not drawn.
    critical_difference : float, default=None
        Critical difference of the test, for the label of the axis.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    names_ : dict of str to matplotlib Text
    lines_ : dict of str to matplotlib Line2D
        Line from each rank to its name.
    bars_ : list of matplotlib Line2D
        One for each clique of two or more, in the order of `cliques`.

    Raises
    ------
    ValueError
        If there are fewer than two ranks, one is missing or below 1, or a clique has an estimator
        without a rank.

    References
    ----------
    .. [1] J. Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", Journal of
       Machine Learning Research 7, 2006, pp. 1-30.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.inspection import CriticalDifferenceDisplay
    >>> ranks = pd.Series({"net": 1.2, "svm": 1.9, "dummy": 2.9})
    >>> display = CriticalDifferenceDisplay(ranks, [["net", "svm"], ["dummy"]]).plot()
    >>> len(display.bars_)
    1
    """

    ranks: pd.Series | Mapping[str, float]
    cliques: Sequence[Sequence[str]]
    _: KW_ONLY
    critical_difference: float | None = None

    def _plot(self, ax: AxesLike) -> None:
        ranks, cliques = self._validate()
        n_left = (len(ranks) + 1) // 2
        names = self._wrapped_names(ranks, ax)
        levels = _levels([ranks[clique] for clique in cliques])
        # Vertical positions in lines of text from the top: the scale at 0, the bars, the names.
        first = 0.5 + 0.6 * (max(levels, default=-1) + 1) + 0.6
        heights, depth = _heights([name.count("\n") + 1 for name in names], n_left, first)
        self._make_subplots(
            ax,
            ["average ranks"],
            size=(4.2, 0.7 + 0.18 * depth),
            margin=2 * LETTER_WIDTH * max(len(name) for name in names) + 0.6,
        )
        low, high = 1.0, float(max(len(ranks), np.ceil(ranks.max())))
        self._set_scale(low, high, depth)
        self.names_: dict[str, Text] = {}
        self.lines_: dict[str, Line2D] = {}
        edge = 0.03 * (high - low)
        for index, (name, rank) in enumerate(ranks.items()):
            left, height, text = index < n_left, heights[index], names[index]
            end = low - edge if left else high + edge
            (self.lines_[name],) = self.ax_.plot(
                [rank, rank, end], [0, height, height], color="0.35", linewidth=1, clip_on=False
            )
            self.names_[name] = self.ax_.text(
                end - edge if left else end + edge,
                height,
                f"{text}  {rank:.2f}" if left else f"{rank:.2f}  {text}",
                ha="right" if left else "left",
                va="center",
                fontsize="small",
            )
        self.bars_: list[Line2D] = []
        for clique, level in zip(cliques, levels, strict=True):
            own, height = ranks[clique], 0.5 + 0.6 * level
            ends = [own.min() - 0.4 * edge, own.max() + 0.4 * edge]
            self.bars_ += self.ax_.plot(
                ends, [height] * 2, color="black", linewidth=3.5, solid_capstyle="butt", zorder=3
            )
        self._update_layout()
        line_height = axes_size(self.ax_)[1] / depth
        for label in self.names_.values():
            label.set_fontsize(float(np.clip(0.8 * line_height, 4.0, label.get_fontsize())))

    def _wrapped_names(self, ranks, ax):
        """Return names on one line for a new figure, else wrapped to the width of the figure."""
        if ax is None:
            return [str(name) for name in ranks.index]
        figure = ax if hasattr(ax, "add_gridspec") else np.asarray(ax).ravel()[0].figure
        width = int(max(10, (figure_width(figure) - 1.2) / 2 / LETTER_WIDTH - 3))
        return [wrap_name(name, width) for name in ranks.index]

    def _set_scale(self, low, high, depth):
        ax = self.ax_
        ax.set(xlim=(low, high), ylim=(depth, -0.1), yticks=[])
        ax.spines[["left", "right", "bottom"]].set_visible(False)
        ax.xaxis.tick_top()
        ax.xaxis.set_label_position("top")
        step = int(np.ceil((high - low) / 10))
        ax.set_xticks(np.arange(low, high + 0.5, step))
        label = "average rank (1 is best)"
        if self.critical_difference is not None:
            label += f", critical difference {self.critical_difference:.2f}"
        ax.set_xlabel(wrap_name(label, int(0.8 * figure_width(ax.figure) / LETTER_WIDTH)))

    def _validate(self):
        ranks = pd.Series(self.ranks, dtype=float).sort_values(kind="stable")
        if len(ranks) < 2 or not ranks.index.is_unique:
            raise ValueError(
                f"ranks must have two or more estimators with different names, got "
                f"{list(ranks.index)}."
            )
        invalid = ranks[~(ranks >= 1)]
        if len(invalid):
            raise ValueError(
                f"Average ranks must be 1 (best) or more, but that of {invalid.index[0]!r} is "
                f"{invalid.iloc[0]}."
            )
        cliques = [list(clique) for clique in self.cliques]
        unknown = sorted({name for clique in cliques for name in clique} - set(ranks.index))
        if unknown:
            raise ValueError(
                f"cliques has the estimators {unknown}, which are not in ranks: "
                f"{list(ranks.index)}."
            )
        return ranks, [clique for clique in cliques if len(set(clique)) > 1]


def _heights(n_lines, n_left, first):
    """Return the vertical centers of the names, and the depth of the diagram."""
    # The best are on the left from top to bottom, the others on the right from bottom to top, so
    # that no line to a name crosses another name.
    heights = np.empty(len(n_lines))
    ends = []
    for indices in (range(n_left), range(len(n_lines) - 1, n_left - 1, -1)):
        height = first
        for index in indices:
            heights[index] = height + n_lines[index] / 2
            height += n_lines[index] + 0.5
        ends.append(height)
    return heights, max(ends)


def _levels(spans):
    """Return the lowest free level for each span of ranks, so that bars do not overlap."""
    levels: list[int] = []
    taken: list[tuple[int, float, float]] = []
    for span in spans:
        low, high = span.min(), span.max()
        level = 0
        while any(at == level and low <= end and start <= high for at, start, end in taken):
            level += 1
        taken.append((level, low, high))
        levels.append(level)
    return levels
