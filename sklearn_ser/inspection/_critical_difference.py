"""Average ranks of many estimators on a line, with bars that join those not told apart."""

import numpy as np
import pandas as pd

from sklearn_ser.inspection._panels import LETTER, make_panels, settle, size_of, width_of, wrapped
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.inspection")
class CriticalDifferenceDisplay:
    """Average ranks on a line, the best on the left; a bar joins estimators not told apart.

    The diagram after Demšar [1]_. Which estimators are told apart is for a test to say, not for
    this display.

    Parameters
    ----------
    ranks : pandas.Series of float
        Name of the estimator -> average rank; 1 is best.
    cliques : list of list of str
        Groups of estimators between which no difference was found. Only groups of two or more are
        drawn.
    critical_difference : float, default=None
        Named beside the scale, where the test has one.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    names_ : dict of str to matplotlib Text
    lines_ : dict of str to matplotlib Line2D
        From each rank to its name.
    bars_ : list of matplotlib Line2D
        One for each clique of two or more, in the order of `cliques`.

    Raises
    ------
    ValueError
        If there are fewer than two ranks, one is missing or below 1, or a clique names an
        estimator that has no rank.

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

    def __init__(self, ranks, cliques, *, critical_difference=None):
        self.ranks = ranks
        self.cliques = cliques
        self.critical_difference = critical_difference

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Names stand on both sides of the line, outside of it: give the figure a layout engine
            (``layout="constrained"``), which makes room for them.

        Returns
        -------
        CriticalDifferenceDisplay
        """
        ranks, cliques = self._checked()
        n_left = (len(ranks) + 1) // 2
        names = self._names(ranks, ax)
        levels = _levels([ranks[clique] for clique in cliques])
        # Downwards in lines of text: the scale at 0, the bars, then the names.
        first = 0.5 + 0.6 * (max(levels, default=-1) + 1) + 0.6
        heights, depth = _heights([name.count("\n") + 1 for name in names], n_left, first)
        (self.ax_,) = make_panels(
            ax,
            [(0, 0)],
            size=(4.2, 0.7 + 0.18 * depth),
            what="average ranks",
            margin=2 * LETTER * max(len(name) for name in names) + 0.6,
        )
        self.figure_ = self.ax_.figure
        low, high = 1.0, float(max(len(ranks), np.ceil(ranks.max())))
        self._scale(low, high, depth)
        self.names_, self.lines_ = {}, {}
        edge = 0.03 * (high - low)
        for place, (name, rank) in enumerate(ranks.items()):
            left, height, said = place < n_left, heights[place], names[place]
            end = low - edge if left else high + edge
            (self.lines_[name],) = self.ax_.plot(
                [rank, rank, end], [0, height, height], color="0.35", linewidth=1, clip_on=False
            )
            self.names_[name] = self.ax_.text(
                end - edge if left else end + edge,
                height,
                f"{said}  {rank:.2f}" if left else f"{rank:.2f}  {said}",
                ha="right" if left else "left",
                va="center",
                fontsize="small",
            )
        self.bars_ = []
        for clique, level in zip(cliques, levels, strict=True):
            own, height = ranks[clique], 0.5 + 0.6 * level
            ends = [own.min() - 0.4 * edge, own.max() + 0.4 * edge]
            self.bars_ += self.ax_.plot(
                ends, [height] * 2, color="black", linewidth=3.5, solid_capstyle="butt", zorder=3
            )
        settle([self.ax_])
        line = size_of(self.ax_)[1] / depth
        for text in self.names_.values():
            text.set_fontsize(float(np.clip(0.8 * line, 4.0, text.get_fontsize())))
        return self

    def _names(self, ranks, ax):
        """Names on one line in a figure of their own, else on as many as they need in its width."""
        if ax is None:
            return [str(name) for name in ranks.index]
        figure = ax if hasattr(ax, "add_gridspec") else np.asarray(ax).ravel()[0].figure
        width = int(max(10, (width_of(figure) - 1.2) / 2 / LETTER - 3))
        return [wrapped(name, width) for name in ranks.index]

    def _scale(self, low, high, depth):
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
        ax.set_xlabel(wrapped(label, int(0.8 * width_of(ax.figure) / LETTER)))

    def _checked(self):
        ranks = pd.Series(self.ranks, dtype=float).sort_values(kind="stable")
        if len(ranks) < 2 or not ranks.index.is_unique:
            raise ValueError(
                f"ranks must name two or more estimators, each once, got {list(ranks.index)}"
            )
        wrong = ranks[~(ranks >= 1)]
        if len(wrong):
            raise ValueError(
                f"average ranks are 1 (best) or more, but {wrong.index[0]!r} has {wrong.iloc[0]}"
            )
        cliques = [list(clique) for clique in self.cliques]
        strangers = sorted({name for clique in cliques for name in clique} - set(ranks.index))
        if strangers:
            raise ValueError(
                f"cliques name {strangers}, which have no rank; ranks has {list(ranks.index)}"
            )
        return ranks, [clique for clique in cliques if len(set(clique)) > 1]


def _heights(n_lines, n_left, first):
    """Where the names stand, each in the middle of its lines, and the depth of the whole.

    The best stand on the left from the top down, the others on the right from the bottom up, so
    that no line to a name crosses another name.
    """
    heights = np.empty(len(n_lines))
    ends = []
    for places in (range(n_left), range(len(n_lines) - 1, n_left - 1, -1)):
        height = first
        for place in places:
            heights[place] = height + n_lines[place] / 2
            height += n_lines[place] + 0.5
        ends.append(height)
    return heights, max(ends)


def _levels(spans):
    """The first free height of each span of ranks, from its left end to its right one."""
    levels, taken = [], []
    for span in spans:
        low, high = span.min(), span.max()
        level = 0
        while any(at == level and low <= end and start <= high for at, start, end in taken):
            level += 1
        taken.append((level, low, high))
        levels.append(level)
    return levels
