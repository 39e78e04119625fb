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
