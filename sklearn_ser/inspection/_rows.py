"""Scores as dots in named rows, with intervals or the single speakers, and numbers beside them."""

import numpy as np

from sklearn_ser.inspection._panels import (
    LETTER,
    name_width,
    settle,
    size_of,
    tidy_axes,
    width_of,
    wrapped,
)

#: Right end of the scale of scores: beyond 1 stand the numbers.
SCALE_END = 1.34


def lane(row, place, n_lanes):
    """Height of the lane number `place` of a row."""
    return row + 0.8 * ((place + 0.5) / n_lanes - 0.5)


def names_margin(names):
    """Width of names beside their rows in a figure that is made for them, in inches."""
    return 0.3 + LETTER * max(len(line) for name in names for line in wrapped(name).split("\n"))


def name_rows(ax, names, *, shown=True):
    """Rows from the top down, with names (on several lines where they are long) and faint bands."""
    ax.set_ylim(len(names) - 0.5, -0.5)
    width = name_width(ax.figure)
    ax.set_yticks(range(len(names)), [wrapped(name, width) for name in names])
    ax.tick_params(axis="y", length=0, labelleft=shown)
    for row in range(0, len(names), 2):
        ax.axhspan(row - 0.5, row + 0.5, color="0.95", linewidth=0, zorder=0)


def fit_rows(axes, n_rows, n_lanes):
    """Make names and numbers small enough for their rows and lanes, once all is drawn.

    Parameters
    ----------
    axes : list of Axes
        Of one figure.
    n_rows : int
    n_lanes : int
        Of the row that has most.
    """
    settle(axes)
    for ax in axes:
        height = size_of(ax)[1] / n_rows
        for label in ax.get_yticklabels():
            lines = label.get_text().count("\n") + 1
            label.set_fontsize(max(4.0, min(label.get_fontsize(), 0.7 * height / lines)))
        for text in ax.texts:
            text.set_fontsize(max(4.0, min(text.get_fontsize(), 0.72 * height / n_lanes)))


def score_axis(ax, chance):
    """A scale from 0 to 1 with the line of chance, and room for numbers beyond it."""
    ax.set_xlim(-0.03, SCALE_END)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    line = ax.axvline(chance, color="0.4", linestyle=":", linewidth=1, label="chance", zorder=1)
    tidy_axes(ax)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_bounds(0, 1)
    return line


def draw_score(ax, height, score, low, high, singles, *, filled=True, style, label=None):
    """One score: a dot, its interval or the speakers, and the number.

    Parameters
    ----------
    ax : Axes
    height : float
    score, low, high : float
        NaN is not drawn.
    singles : array-like of float
        Scores of the single speakers, drawn where there is no interval.
    filled : bool, default=True
    style : dict
        `color` and `marker`.
    label : str, default=None

    Returns
    -------
    dot : Line2D
    bar : Line2D or None
    speakers : Line2D or None
    """
    bar = speakers = None
    if np.isfinite(low) and np.isfinite(high):
        (bar,) = ax.plot([low, high], [height] * 2, color=style["color"], linewidth=1.8, zorder=2)
    elif len(singles):
        (speakers,) = ax.plot(
            singles,
            [height] * len(singles),
            linestyle="",
            marker="|",
            markersize=7,
            color=style["color"],
            alpha=0.8,
            zorder=2,
        )
    (dot,) = ax.plot(
        [score],
        [height],
        linestyle="",
        markersize=5.5,
        markerfacecolor=style["color"] if filled else "white",
        zorder=3,
        label=label,
        **style,
    )
    if np.isfinite(score):
        ax.text(SCALE_END - 0.02, height, f"{score:.2f}", ha="right", va="center", fontsize=7.5)
    return dot, bar, speakers


def legend_below(figure, axes, handles, labels):
    """A legend under all panels: of the figure where its layout makes room, else of the last Axes.

    Only the constrained layout does; without it the legend stands below the labels of the Axes.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.transforms import ScaledTranslation

    if not isinstance(figure.figure.get_layout_engine(), ConstrainedLayoutEngine):
        ax = axes[-1]
        below = ax.transAxes + ScaledTranslation(0, -0.6, figure.dpi_scale_trans)
        return ax.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(0, 0),
            bbox_transform=below,
            frameon=False,
            fontsize="small",
        )
    longest = max(len(line) for label in labels for line in label.split("\n"))
    each = LETTER * longest + 0.6  # inches, with the handle
    return figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=int(np.clip(width_of(figure) / each, 1, len(labels))),
        frameon=False,
        fontsize="small",
    )
