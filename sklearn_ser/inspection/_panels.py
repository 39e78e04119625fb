"""Where a display draws: panels of a new figure or of one that was given, or Axes."""

import re

import numpy as np

#: Width of a letter of medium size, in inches.
LETTER = 0.085


def make_panels(ax, places, *, size, what, margin=1.5):
    """The Axes of the panels, in their order.

    Parameters
    ----------
    ax : Axes, array of Axes, Figure, SubFigure or None
        None makes a figure; a figure that is given gets the panels, and keeps its size.
    places : list of (int, int)
        Row and column of each panel in a new figure.
    size : (float, float)
        Width and height of a panel of a new figure, in inches.
    what : str
        What the panels are, for the error about another number of Axes.
    margin : float, default=1.5
        Width beside the panels, in inches: of legends and of names of rows.

    Returns
    -------
    list of Axes
    """
    n_rows, n_columns = (max(numbers) + 1 for numbers in zip(*places, strict=True))
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(
            figsize=(size[0] * n_columns + margin, size[1] * n_rows), layout="constrained"
        )
    if hasattr(ax, "add_gridspec"):
        grid = ax.add_gridspec(n_rows, n_columns)
        return [ax.add_subplot(grid[place]) for place in places]
    axes = list(np.asarray(ax, dtype=object).ravel())
    if len(axes) != len(places):
        raise ValueError(
            f"this display has {len(places)} panel{'s' if len(places) > 1 else ''} ({what}), but "
            f"ax has {len(axes)} Axes: give one for each panel, or None for a new figure"
        )
    return axes


def in_rows(n_panels, most, *, ax=None, size=None, margin=0.0):
    """Places of panels that stand in rows of at most `most`, fewer in a narrow figure.

    Parameters
    ----------
    n_panels, most : int
    ax : as in :func:`make_panels`
        Only a figure that is given has a width of its own.
    size : float, optional
        Least width of a panel in inches, by which they are counted in it.
    margin : float, default=0.0
        Width beside the panels, in inches.

    Returns
    -------
    list of (int, int)
    """
    if hasattr(ax, "add_gridspec"):
        most = min(most, max(1, int((width_of(ax) - margin) / size)))
    return [divmod(panel, most) for panel in range(n_panels)]


def is_leftmost(ax):
    """Whether an Axes is in the first column of a grid, or in none."""
    spec = ax.get_subplotspec()
    return spec is None or spec.is_first_col()


def width_of(figure):
    """Width of a figure or subfigure, in inches."""
    return figure.bbox.width / figure.dpi


def wrapped(name, width=24):
    """A name on several lines where it is long, broken after spaces and between words."""
    lines = [""]
    for part in re.findall(r"\(?[^ _\-/(,+.]*[ _\-/,+.]?", str(name)):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def name_width(figure):
    """How many letters names of rows may have on a line: about a third of the figure."""
    return int(np.clip(0.38 * width_of(figure) / LETTER, 10, 24))


def settle(axes):
    """Lay out the figure of some Axes now, so that sizes can be read off it."""
    axes[0].figure.figure.draw_without_rendering()


def size_of(ax):
    """Width and height of an Axes, in points."""
    box = ax.get_window_extent()
    return box.width * 72 / ax.figure.dpi, box.height * 72 / ax.figure.dpi


def tidy_axes(ax):
    """Only the two lines that carry ticks."""
    ax.spines[["top", "right"]].set_visible(False)


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


#: Paul Tol's "bright" scheme, which color-blind readers can tell apart, and a few more.
EMOTION_COLORS = {
    "anger": "#EE6677",
    "happiness": "#CCBB44",
    "sadness": "#4477AA",
    "neutral": "#999999",
    "fear": "#AA3377",
    "disgust": "#228833",
    "surprise": "#66CCEE",
    "boredom": "#996633",
    "calm": "#88CCAA",
    "contempt": "#222222",
}
#: Told apart in print, by size and outline alike.
MARKERS = ("o", "^", "s", "D", "v", "P", "*", "X")
#: Of estimators and groups, after Okabe and Ito: told apart by color-blind readers, and in gray as
#: dark and light take turns. There is one marker more than colors, so that pairs repeat late.
SERIES_COLORS = ("#0072B2", "#E69F00", "#222222", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")


def series_style(place):
    """Color and marker of the line, group or estimator at this place, as keyword arguments."""
    return {
        "color": SERIES_COLORS[place % len(SERIES_COLORS)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def colors_of(labels):
    """A color for each label: that of the emotion, else one of matplotlib's in turn."""
    others = [label for label in labels if label not in EMOTION_COLORS]
    return {label: EMOTION_COLORS.get(label) or f"C{others.index(label)}" for label in labels}


#: Sequential: darker is more, in color and in gray.
COLOR_MAP = "Blues"
_LARGEST, _SMALLEST = 10.0, 4.5  # font sizes in points
_WIDTH_OF_A_LETTER = 0.62  # in font sizes


def draw_heatmap(ax, table, *, form, low, high, missing=""):
    """Draw one table.

    Parameters
    ----------
    ax : Axes
    table : DataFrame of float of shape (n_rows, n_columns)
        Row and column names become tick labels. NaN is an empty, hatched cell.
    form : str
        Of the numbers, such as ``".2f"``.
    low, high : float
        Values of the lightest and the darkest color.
    missing : str, default=""
        What stands in an empty cell.

    Returns
    -------
    image : AxesImage
    texts : ndarray of Text of shape (n_rows, n_columns)
        Not yet fitted into the cells: see :func:`fit_cells`.
    """
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    values = table.to_numpy(dtype=float)
    colors = mpl.colormaps[COLOR_MAP]
    image = ax.imshow(values, cmap=colors, vmin=low, vmax=high, aspect="auto")
    texts = np.empty(values.shape, dtype=object)
    for (row, column), value in np.ndenumerate(values):
        known = np.isfinite(value)
        if not known:
            ax.add_patch(
                Rectangle(
                    (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", ec="0.85", lw=0
                )
            )
        dark = known and np.mean(image.cmap(image.norm(value))[:3]) < 0.5
        texts[row, column] = ax.text(
            column,
            row,
            format(value, form) if known else missing,
            ha="center",
            va="center",
            color="white" if dark else "black",
        )
    ax.set_xticks(range(table.shape[1]), [str(name) for name in table.columns])
    ax.set_yticks(range(table.shape[0]), [str(name) for name in table.index])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image, texts


def fit_cells(axes, texts):
    """Turn tick labels that would touch, and size the numbers by their cells; the layout is drawn.

    Numbers that would be too small to read are hidden.

    Parameters
    ----------
    axes : list of Axes
        Of one figure.
    texts : list of ndarray of Text
        Of each of them.
    """
    settle(axes)
    for ax, cells in zip(axes, texts, strict=True):
        width, height = _cell(ax, cells.shape)
        _fit_labels(ax.get_xticklabels(), width, turned=True)
        _fit_labels(ax.get_yticklabels(), height, turned=False)
    settle(axes)
    for ax, cells in zip(axes, texts, strict=True):
        width, height = _cell(ax, cells.shape)
        letters = max(len(text.get_text()) for text in cells.flat)
        size = min(width / (_WIDTH_OF_A_LETTER * max(letters, 1) + 0.4), 0.6 * height, _LARGEST)
        for text in cells.flat:
            text.set(fontsize=max(size, 1.0), visible=bool(size >= _SMALLEST))


def _fit_labels(labels, room, *, turned):
    """Make labels small enough for their cells; those below an axis also turn, if they must."""
    usual = labels[0].get_fontsize()
    longest = max(len(label.get_text()) for label in labels)
    style = {"fontsize": float(np.clip(0.8 * room, _SMALLEST, usual))}
    if turned and longest * _WIDTH_OF_A_LETTER * usual <= room:
        style = {}
    elif turned and 0.6 * room >= usual:  # lines at 45 degrees are 0.7 of a cell apart
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    elif turned:
        style["rotation"] = 90
    for label in labels:
        label.set(**style)


def _cell(ax, shape):
    """Width and height of a cell, in points."""
    width, height = size_of(ax)
    return width / shape[1], height / shape[0]
