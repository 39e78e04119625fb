"""A table of numbers as colored cells, with the numbers in them where they fit."""

import numpy as np

from sklearn_ser.inspection._panels import settle, size_of

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
