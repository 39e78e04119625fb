"""Layout, legends, colors, score axes and heat maps that the displays share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast

import numpy as np
import pandas as pd

from sklearn_ser.utils._docstrings import substitute_docstring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

AxesLike: TypeAlias = "Axes | Sequence[Axes] | np.ndarray | Figure | SubFigure | None"
T = TypeVar("T")

_PARAMETERS = """\
ax : matplotlib Axes, array of Axes or Figure, default=None
    One Axes for each subplot, or a figure for all of them; by default a new figure.
result : EvaluationResult
    Evaluation to draw.
networks : estimator, dict of str to estimator, or list of (str, estimator)
    Fitted :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, or a Pipeline, a search
    or another meta-estimator that contains one; or several of them with their names.
estimators : str or list of str, default=None
    Names of the estimators to draw; all by default.
setting : {"single", "transductive"}, default=None
    Setting of the predictions; by default "transductive" if the result has it.
y_true : array-like of shape (n_samples,)
    True labels.
y_pred : array-like of shape (n_samples,)
    Predicted labels; None or NaN for samples without a prediction.
labels : sequence of shape (n_labels,), default=None
    Fixed label set, in the order of rows, columns or probabilities; by default the sorted
    values of `y_true`.
name : str, default="estimator"
    Name of the estimator.
corpus : array-like of shape (n_samples,), default=None
    Corpus of each sample; adds a subplot for each corpus.
speaker : array-like of shape (n_samples,), default=None
    Speaker of each sample, for intervals; there are none without it.
normalize : bool, default=True
    Draw shares of each true class instead of counts.
n_bins : int, default=15
    Number of bins of equal width from 0 to 1.
tasks : str or list of str, default=None
    Tasks to draw, all by default; the main task is called ``"y"``.
values : tuple of {"loss", "score"}, default=("loss", "score")
    Columns to draw. Scores are left out if there are none: without validation samples, or
    for a task that has no score.
value : {"uar", "accuracy", "changed", "loss"}, default="uar"
    Column to draw; only adversarial robustness has "loss". Intervals are those of the
    recall."""
_SHARED = {text.partition(" ")[0]: text for text in re.split(r"\n(?=\w)", _PARAMETERS)}
_SHARED["networks"] = _SHARED["networks"].replace("networks", "estimators", 1)


def shared_parameters(documented: T) -> T:
    """Replace lines ``%(name)s`` of a docstring by the texts of the parameters that displays share.

    The line ``%(ax_and_return)s`` is the parameter `ax` and the section Returns with the display.
    """
    display = getattr(documented, "__qualname__", "").partition(".")[0]
    texts = {
        "ax_and_return": f"{_SHARED['ax']}\n\nReturns\n-------\n{display}\n    The display, drawn.",
        **_SHARED,
    }
    names = re.findall(r"%\((\w+)\)s", documented.__doc__ or "")
    return substitute_docstring(**{name: texts[name] for name in names})(documented)


#: Width of a letter of medium size, in inches.
LETTER_WIDTH = 0.085


@contextmanager
def names_as_text() -> Iterator[None]:
    """Draw texts of this context as they are: a "$" in a name does not begin a formula."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):
        yield


class Display:
    """Base of the displays, whose `plot` sets the subplots and draws."""

    axes_: list[Axes]

    @property
    def ax_(self) -> Axes:
        """The only subplot."""
        return self.axes_[0]

    @property
    def figure_(self) -> Figure:
        """Figure of the subplots; a subfigure has the same methods, but `savefig`."""
        return cast("Figure", self.axes_[0].figure)

    def _with_literal_text(self) -> Self:
        """Show names as they are: a dollar sign does not begin mathematics."""
        from matplotlib.text import Text

        for artist in (*self.axes_, *self.figure_.legends):
            for text in artist.findobj(Text):
                text.set(parse_math=False, usetex=False)
        return self

    def _make_subplots(
        self,
        ax: AxesLike,
        names: Sequence[str],
        *,
        size: tuple[float, float],
        margin: float = 1.5,
        n_columns: int | None = None,
        min_width: float | None = None,
        min_margin: float = 0.0,
        positions: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Set the Axes of named subplots: given ones, those of a given figure, or of a new one."""
        # In a given figure there are fewer columns if subplots would be narrower than `min_width`
        # beside a margin of `min_margin`. Lengths are in inches.
        figure: Any = ax
        if positions is None:
            columns = n_columns or len(names)
            if min_width and hasattr(figure, "add_gridspec"):
                columns = min(columns, max(1, int((figure_width(figure) - min_margin) / min_width)))
            positions = [divmod(number, columns) for number in range(len(names))]
        shape = [max(numbers) + 1 for numbers in zip(*positions, strict=True)]
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(
                figsize=(size[0] * shape[1] + margin, size[1] * shape[0]), layout="constrained"
            )
        if hasattr(figure, "add_gridspec"):
            grid = figure.add_gridspec(*shape)
            self.axes_ = [figure.add_subplot(grid[position]) for position in positions]
            return
        axes = list(np.asarray(ax, dtype=object).ravel())
        if len(axes) != len(positions):
            raise ValueError(
                f"ax has {len(axes)} Axes, but this display has {len(positions)} "
                f"subplot{'s' if len(positions) > 1 else ''} ({', '.join(names)}). Pass one Axes "
                f"for each subplot, or None for a new figure."
            )
        self.axes_ = axes

    def _update_layout(self) -> None:
        """Apply the layout of the figure, so that sizes can be measured."""
        figure: Any = self._with_literal_text().figure_
        figure.figure.draw_without_rendering()

    def _fit_row_text(self, n_rows: int, n_per_row: int) -> None:
        """Reduce the font size of names and numbers to the height of their rows."""
        self._update_layout()
        for ax in self.axes_:
            height = axes_size(ax)[1] / n_rows
            for label in ax.get_yticklabels():
                lines = label.get_text().count("\n") + 1
                label.set_fontsize(max(4.0, min(label.get_fontsize(), 0.7 * height / lines)))
            for text in ax.texts:
                text.set_fontsize(max(4.0, min(text.get_fontsize(), 0.72 * height / n_per_row)))

    def _fit_heatmap_text(self, texts: Sequence[np.ndarray]) -> None:
        """Rotate tick labels that would overlap; fit numbers into their cells, or hide them."""
        self._update_layout()
        for ax, numbers in zip(self.axes_, texts, strict=True):
            width, height = _cell_size(ax, numbers.shape)
            _fit_tick_labels(ax.get_xticklabels(), width, rotate=True)
            _fit_tick_labels(ax.get_yticklabels(), height, rotate=False)
        self._update_layout()
        for ax, numbers in zip(self.axes_, texts, strict=True):
            width, height = _cell_size(ax, numbers.shape)
            letters = max(len(text.get_text()) for text in numbers.flat)
            size = width / (_RELATIVE_LETTER_WIDTH * max(letters, 1) + 0.4)
            size = min(size, 0.6 * height, _MAX_FONT_SIZE)
            for text in numbers.flat:
                text.set(fontsize=max(size, 1.0), visible=bool(size >= _MIN_FONT_SIZE))

    def _legend_beside(self, *args: Any, subplot: int = -1, **kwargs: Any) -> Legend:
        """Add a legend to the right of a subplot."""
        style = {"loc": "upper left", "bbox_to_anchor": (1.02, 1), "frameon": False}
        return self.axes_[subplot].legend(*args, **style, **kwargs)

    def _legend_below(self, handles, labels) -> Legend:
        """Add a legend below all subplots."""
        # Only the constrained layout makes room for a legend of the figure.
        from matplotlib.layout_engine import ConstrainedLayoutEngine
        from matplotlib.transforms import ScaledTranslation

        figure: Any = self.figure_
        if not isinstance(figure.figure.get_layout_engine(), ConstrainedLayoutEngine):
            ax = self.axes_[-1]
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
        width = LETTER_WIDTH * longest + 0.6  # inches, with the handle
        return figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=int(np.clip(figure_width(figure) / width, 1, len(labels))),
            frameon=False,
            fontsize="small",
        )


class DisplayWithoutOptions(Display, ABC):
    """Base of the displays whose `plot` takes only the Axes."""

    @shared_parameters
    @names_as_text()
    def plot(self, *, ax: AxesLike = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        %(ax)s

        Returns
        -------
        self : object
            The display itself.
        """
        self._plot(ax)
        return self._with_literal_text()

    @abstractmethod
    def _plot(self, ax: AxesLike) -> None:
        """Set the subplots and draw."""


def is_leftmost(ax: Axes) -> bool:
    """Return whether an Axes is in the first column of a grid, or in no grid."""
    spec = ax.get_subplotspec()
    return spec is None or spec.is_first_col()


def figure_width(figure: Any) -> float:
    """Return the width of a figure or subfigure, in inches."""
    return figure.bbox.width / figure.dpi


def wrap_name(name, width: int = 24) -> str:
    """Wrap a long name, after spaces and between words."""
    lines = [""]
    for part in re.findall(r"\(?[^ _\-/(,+.]*[ _\-/,+.]?", str(name)):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def max_name_length(figure: Figure | SubFigure) -> int:
    """Return the length of lines of row names in letters: about a third of the figure."""
    return int(np.clip(0.38 * figure_width(figure) / LETTER_WIDTH, 10, 24))


def axes_size(ax: Axes) -> tuple[float, float]:
    """Return width and height of an Axes, in points."""
    box = ax.get_window_extent()
    return box.width * 72 / ax.figure.dpi, box.height * 72 / ax.figure.dpi


def hide_spines(ax: Axes) -> None:
    """Hide the spines without ticks."""
    ax.spines[["top", "right"]].set_visible(False)


#: Right end of a score axis: scores end at 1, their numbers are written beyond.
SCORE_AXIS_END = 1.34


def row_offset(index: int, count: int) -> float:
    """Return the offset of one of several marks in a row."""
    return 0.8 * ((index + 0.5) / count - 0.5)


def names_margin(names: Sequence[str]) -> float:
    """Return the width that row names need in a new figure, in inches."""
    longest = max(len(line) for name in names for line in wrap_name(name).split("\n"))
    return 0.3 + LETTER_WIDTH * longest


def label_rows(ax: Axes, names: Sequence[str], *, labeled: bool = True) -> None:
    """Set up rows from top to bottom, with wrapped names and alternating background."""
    ax.set_ylim(len(names) - 0.5, -0.5)
    width = max_name_length(ax.figure)
    ax.set_yticks(range(len(names)), [wrap_name(name, width) for name in names])
    ax.tick_params(axis="y", length=0, labelleft=labeled)
    for row in range(0, len(names), 2):
        ax.axhspan(row - 0.5, row + 0.5, color="0.95", linewidth=0, zorder=0)


def set_score_axis(ax: Axes, chance: float) -> Line2D:
    """Set up an axis from 0 to 1, with room for numbers beyond it; return the line of chance."""
    ax.set_xlim(-0.03, SCORE_AXIS_END)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    line = ax.axvline(chance, color="0.4", linestyle=":", linewidth=1, label="chance", zorder=1)
    hide_spines(ax)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_bounds(0, 1)
    return line


def draw_score(
    ax: Axes,
    y: float,
    score: Mapping[str, float] | pd.Series,
    speaker_scores,
    *,
    style: dict[str, Any],
    filled: bool = True,
) -> tuple[Line2D, Line2D | None, Line2D | None]:
    """Draw `uar` as a dot with its number and the interval from `low` to `high`, or the speakers.

    Returns the dot, the bar of the interval or None, and the strokes of the speakers or None.
    """
    uar = score["uar"]
    bar, speakers = draw_spread(ax, y, score, speaker_scores, color=style["color"])
    (dot,) = ax.plot(
        [uar],
        [y],
        linestyle="",
        markersize=5.5,
        markerfacecolor=style["color"] if filled else "white",
        zorder=3,
        **style,
    )
    if np.isfinite(uar):
        ax.text(SCORE_AXIS_END - 0.02, y, f"{uar:.2f}", ha="right", va="center", fontsize=7.5)
    return dot, bar, speakers


def draw_spread(
    ax: Axes, y: float, score: Mapping[str, float] | pd.Series, speaker_scores, *, color: str
) -> tuple[Line2D | None, Line2D | None]:
    """Draw the interval from `low` to `high` or, if it is NaN, a stroke for each speaker."""
    bar = speakers = None
    ends = [score["low"], score["high"]]
    if np.isfinite(ends).all():
        (bar,) = ax.plot(ends, [y] * 2, color=color, linewidth=1.8, zorder=2.5)
    elif len(speaker_scores):
        ys = [y] * len(speaker_scores)
        (speakers,) = ax.plot(
            speaker_scores, ys, "|", markersize=7, color=color, alpha=0.8, zorder=2.5
        )
    return bar, speakers


def legend_mark(**style: Any) -> Line2D:
    """Return a mark for a legend; a line if `style` has a linestyle."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **{"linestyle": "", **style})


#: Paul Tol's "bright" scheme, which color-blind readers can distinguish, and a few more.
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
#: Distinguishable in print by size and outline.
MARKERS = ("o", "^", "s", "D", "v", "P", "*", "X")
#: Colors of estimators and groups, after Okabe and Ito: distinguishable by color-blind readers, and
#: in gray, since dark and light ones alternate. With one color fewer than markers, the same pair is
#: repeated late.
SERIES_COLORS = ("#0072B2", "#E69F00", "#222222", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")


def series_style(index: int) -> dict[str, Any]:
    """Return color and marker of a line, group or estimator, as keyword arguments."""
    return {
        "color": SERIES_COLORS[index % len(SERIES_COLORS)],
        "marker": MARKERS[index % len(MARKERS)],
    }


def label_colors(labels: Sequence) -> dict[Any, str]:
    """Return a color for each label: that of the emotion, or one of matplotlib's cycle."""
    others = [label for label in labels if label not in EMOTION_COLORS]
    return {label: EMOTION_COLORS.get(label) or f"C{others.index(label)}" for label in labels}


#: Sequential color map: darker is higher, in color and in gray.
COLOR_MAP = "Blues"
_MAX_FONT_SIZE, _MIN_FONT_SIZE = 10.0, 4.5  # points
_RELATIVE_LETTER_WIDTH = 0.62  # in font sizes


def draw_heatmap(ax: Axes, table: pd.DataFrame, *, fmt: str, low: float, high: float):
    """Draw a table of numbers, NaN as hatched cells; return the image and an array of the texts."""
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    values = table.to_numpy(dtype=float)
    colors = mpl.colormaps[COLOR_MAP]
    image = ax.imshow(values, cmap=colors, vmin=low, vmax=high, aspect="auto")
    texts = np.empty(values.shape, dtype=object)
    for (row, column), value in np.ndenumerate(values):
        known = np.isfinite(value)
        if not known:
            corner = (column - 0.5, row - 0.5)
            ax.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", ec="0.85", lw=0))
        dark = known and np.mean(colors(image.norm(value))[:3]) < 0.5
        texts[row, column] = ax.text(
            column,
            row,
            format(value, fmt) if known else "",
            ha="center",
            va="center",
            color="white" if dark else "black",
        )
    ax.set_xticks(range(table.shape[1]), [str(name) for name in table.columns])
    ax.set_yticks(range(table.shape[0]), [str(name) for name in table.index])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image, texts


def _fit_tick_labels(labels, room, *, rotate):
    """Reduce the font size of tick labels to their cells; rotate those of columns if necessary."""
    default = labels[0].get_fontsize()
    longest = max(len(label.get_text()) for label in labels)
    style: dict[str, Any] = {"fontsize": float(np.clip(0.8 * room, _MIN_FONT_SIZE, default))}
    if rotate and longest * _RELATIVE_LETTER_WIDTH * default <= room:
        style = {}
    elif rotate and 0.6 * room >= default:  # lines at 45 degrees are 0.7 of a cell apart
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    elif rotate:
        style["rotation"] = 90
    for label in labels:
        label.set(**style)


def _cell_size(ax, shape):
    """Return width and height of a cell, in points."""
    width, height = axes_size(ax)
    return width / shape[1], height / shape[0]
