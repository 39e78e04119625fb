"""Where a display draws: panels of a new figure, or Axes that were given."""

import numpy as np


def make_panels(ax, places, *, size, what):
    """The Axes of the panels, in their order.

    Parameters
    ----------
    ax : Axes, array of Axes or None
        None makes a figure.
    places : list of (int, int)
        Row and column of each panel in a new figure.
    size : (float, float)
        Width and height of a panel of a new figure, in inches.
    what : str
        What the panels are, for the error about another number of Axes.

    Returns
    -------
    list of Axes
    """
    if ax is None:
        import matplotlib.pyplot as plt

        n_rows, n_columns = (max(numbers) + 1 for numbers in zip(*places, strict=True))
        figure = plt.figure(
            figsize=(size[0] * n_columns + 1.5, size[1] * n_rows), layout="constrained"
        )
        grid = figure.add_gridspec(n_rows, n_columns)
        return [figure.add_subplot(grid[place]) for place in places]
    axes = list(np.asarray(ax, dtype=object).ravel())
    if len(axes) != len(places):
        raise ValueError(
            f"this display has {len(places)} panel{'s' if len(places) > 1 else ''} ({what}), but "
            f"ax has {len(axes)} Axes: give one for each panel, or None for a new figure"
        )
    return axes


def tidy_axes(ax):
    """Only the two lines that carry ticks."""
    ax.spines[["top", "right"]].set_visible(False)
