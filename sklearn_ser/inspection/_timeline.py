"""Emotion over time: probabilities of the windows of recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from sklearn_ser.inspection._plotting import (
    AxesLike,
    DisplayWithoutOptions,
    hide_spines,
    label_colors,
    shared_parameters,
)
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Polygon

#: Height of the row of a label, of which the rest separates it from the next one.
_HEIGHT = 0.85
#: Opacity of the probabilities of labels that are not predicted.
_FAINT = 0.4


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class TimelineDisplay(DisplayWithoutOptions):
    """Probabilities of each label over time; a subplot for each recording.

    Use :meth:`from_predictions`. Each label has a row, in which the height of the area is its
    probability (the full height is 1); it is opaque where the label is predicted. Without
    probabilities, predicted labels have the full height. Hatched parts have no label: the audio
    could not be used, or has too little speech. Where windows overlap, the border between two is
    midway between their centers.

    Parameters
    ----------
    table : DataFrame
        Result of :func:`~sklearn_ser.evaluation.predict_timeline`, or some rows of it.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each recording.
    figure_ : matplotlib Figure
    areas_ : dict of (recording, label) to list of matplotlib PolyCollection
        Areas where the label is predicted, and where it is not; the recording is its number in
        the column `row`.
    gaps_ : dict of recording to list of matplotlib Polygon
        Parts without a label.

    See Also
    --------
    sklearn_ser.evaluation.predict_timeline : Predict each window of each recording.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import make_single_task_net, make_speech_corpus
    >>> from sklearn_ser.evaluation import fit_model, predict_timeline
    >>> from sklearn_ser.inspection import TimelineDisplay
    >>> speech = make_speech_corpus(n_speakers=4, random_state=0).frame
    >>> model = fit_model(make_single_task_net("egemaps", max_epochs=5), speech, aux=())
    >>> recording = np.concatenate([signal for signal, rate in speech["file"].head(4)])
    >>> timeline = predict_timeline(model, [recording], window=1.0, hop=0.5, smoothing=1.5)
    >>> display = TimelineDisplay.from_predictions(timeline)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['anger', 'happiness', 'neutral', 'sadness']
    """

    table: pd.DataFrame

    @classmethod
    @shared_parameters
    def from_predictions(cls, table: pd.DataFrame, *, ax: AxesLike = None) -> Self:
        """Draw predictions over time.

        Parameters
        ----------
        table : DataFrame
            Result of :func:`~sklearn_ser.evaluation.predict_timeline`, or some rows of it, such as
            ``table[table["row"] == 3]`` for one recording.
        %(ax_and_return)s

        Raises
        ------
        ValueError
            If it is not such a table, no window has a label, or the number of Axes is wrong.
        """
        return cls(table).plot(ax=ax)

    def _plot(self, ax: AxesLike) -> None:
        labels = self._labels()
        parts = dict(list(self.table[self.table["start"].notna()].groupby("row")))
        names = {row: _name(row, part["file"].iloc[0]) for row, part in parts.items()}
        self._make_subplots(
            ax, [*names.values()], size=(7.0, 0.9 + 0.3 * len(labels)), n_columns=1, margin=0.0
        )
        self.areas_: dict[tuple[int, object], list[PolyCollection]] = {}
        self.gaps_: dict[int, list[Polygon]] = {}
        for axes, (row, part) in zip(self.axes_, parts.items(), strict=True):
            self._draw(axes, row, part.sort_values("start"), labels)
            axes.set_title(names[row], loc="left", fontsize="medium")
        self.axes_[-1].set_xlabel("time in seconds")
        self._legend_below(*self._legend_entries(any(labels.values())))

    def _labels(self):
        """Return the labels by their probability columns, or None for those without one."""
        missing = {"row", "file", "start", "end", "label"} - set(self.table.columns)
        if missing:
            raise ValueError(
                f"The table has no column {sorted(missing)[0]!r}: expected a result of "
                f"predict_timeline. Predictions of whole recordings have no time line."
            )
        predicted = self.table["label"].dropna().unique()
        if not len(predicted):
            raise ValueError(
                "No window has a label, so there is nothing to draw: the column 'error' of the "
                "table holds the reasons."
            )
        columns = [name for name in self.table.columns if name.startswith("p_")]
        by_name = {f"p_{label}": label for label in predicted}
        labels = {by_name.get(name, name.removeprefix("p_")): name for name in columns}
        return labels or dict.fromkeys(sorted(predicted, key=str))

    def _draw(self, ax, row, part, labels):
        from matplotlib import rcParams

        outline = rcParams["axes.edgecolor"]  # visible on any background, unlike dark colors
        edges = _edges(part)
        has_label = part["label"].notna().to_numpy()
        colors = label_colors([*labels])
        for position, (label, column) in enumerate(labels.items()):
            is_own = part["label"].to_numpy(dtype=object) == label
            height = is_own if column is None else part[column].to_numpy(float)
            base = len(labels) - 1.0 - position
            self.areas_[row, label] = [
                ax.fill_between(
                    np.repeat(edges, 2)[1:-1],
                    base,
                    np.repeat(np.where(drawn, base + _HEIGHT * height, np.nan), 2),
                    facecolor=colors[label],
                    edgecolor=outline,
                    alpha=alpha,
                    linewidth=width,
                )
                for drawn, alpha, width in (
                    (is_own, 1.0, 0.5),
                    (has_label & ~is_own, _FAINT, 0.0),
                )
            ]
            ax.axhline(base, color=outline, linewidth=0.5, zorder=0.5)
        self.gaps_[row] = [
            ax.axvspan(
                *span, facecolor="none", edgecolor="0.5", hatch="////", linewidth=0, zorder=0.2
            )
            for span in zip(edges[:-1][~has_label], edges[1:][~has_label], strict=True)
        ]
        ax.set(xlim=(edges[0], edges[-1]), ylim=(0, len(labels)))
        centers = len(labels) - 1 + _HEIGHT / 2 - np.arange(len(labels))
        ax.set_yticks(centers, [str(label) for label in labels])
        ax.tick_params(axis="y", length=0)
        hide_spines(ax)

    def _legend_entries(self, has_probabilities):
        from matplotlib.patches import Patch

        entries = {"predicted": Patch(facecolor="0.5")}
        if has_probabilities:
            entries["not predicted"] = Patch(facecolor="0.5", alpha=_FAINT)
        if any(self.gaps_.values()):
            entries["no label"] = Patch(facecolor="none", edgecolor="0.5", hatch="////")
        return [*entries.values()], [*entries]


def _edges(part):
    """Return the borders of windows: midway between their centers, and both ends."""
    starts, ends = part["start"].to_numpy(float), part["end"].to_numpy(float)
    centers = (starts + ends) / 2
    return np.concatenate([starts[:1], (centers[1:] + centers[:-1]) / 2, ends[-1:]])


def _name(row, file):
    """Return the name of a file without its folders, or the number of an array."""
    if pd.isna(file):
        return f"recording {row}"
    return str(file).replace("\\", "/").rsplit("/", 1)[-1]
