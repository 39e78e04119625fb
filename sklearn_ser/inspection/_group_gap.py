"""Recall by group of speakers, and the gap between the best and the worst group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.inspection._plotting import (
    MARKERS,
    AxesLike,
    DisplayWithoutOptions,
    draw_score,
    label_rows,
    legend_mark,
    max_name_length,
    names_margin,
    row_offset,
    series_style,
    set_score_axis,
    shared_parameters,
    wrap_name,
)
from sklearn_ser.inspection._predictions import (
    check_frame,
    estimator_names,
    recall_tables,
    result_of_predictions,
    scores_by,
)
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike

    from sklearn_ser.evaluation import EvaluationResult


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class GroupGapDisplay(DisplayWithoutOptions):
    """Unweighted average recall of each group, with the gap between the best and the worst.

    Use :meth:`from_result` or :meth:`from_predictions`. There is a row for each estimator, and in
    it a dot for each group, with a 95 % interval over the group's speakers or, with fewer than 8, a
    stroke for each speaker. With more than 8 groups (such as speakers) each group is a stroke on
    one line, and the worst is named. A group without one of the emotions has no comparable recall:
    it is left out of the gap, and labeled or counted as such.

    Overlapping intervals of two groups do not show that there is no gap.

    Parameters
    ----------
    table : DataFrame
        One row per estimator and group: `estimator`, `group`, `uar` (NaN if an emotion is absent),
        `low`, `high` (NaN without an interval), `utterances`, `speakers`.
    by : str
        Name of the grouping variable.
    chance : float
        Recall of random predictions.
    speaker_scores : DataFrame, default=None
        One row per speaker: `estimator`, `group`, `speaker`, `uar`.

    Attributes
    ----------
    gaps_ : DataFrame
        Per estimator: `gap` (best minus worst recall), `ratio` (worst divided by best), `worst`,
        `best`, and `left_out`, the number of groups without a recall. NaN with fewer than two
        groups.
    ax_, figure_ : matplotlib Axes and Figure
    dots_ : dict of (estimator, group) to matplotlib Line2D
    bars_ : dict of (estimator, group) to matplotlib Line2D
        Intervals, if there are any.

    Examples
    --------
    >>> from sklearn_ser.inspection import GroupGapDisplay
    >>> y_true = ["anger", "sadness"] * 4
    >>> y_pred = ["anger", "sadness", "anger", "sadness", "anger", "anger", "anger", "sadness"]
    >>> gender = ["female"] * 4 + ["male"] * 4
    >>> display = GroupGapDisplay.from_predictions(y_true, y_pred, gender, by="gender")
    >>> display.gaps_[["gap", "ratio", "worst"]]
                gap  ratio worst
    estimator
    estimator  0.25   0.75  male
    """

    table: pd.DataFrame
    _: KW_ONLY
    by: str
    chance: float
    speaker_scores: pd.DataFrame | None = None

    @classmethod
    @shared_parameters
    def from_result(
        cls,
        result: EvaluationResult,
        by: str = "corpus",
        *,
        frame: pd.DataFrame | None = None,
        estimators: str | Sequence[str] | None = None,
        setting: Literal["single", "transductive"] | None = None,
        ax: AxesLike = None,
    ) -> Self:
        """Draw the groups of an evaluation.

        Parameters
        ----------
        %(result)s
        by : str, default="corpus"
            "corpus", "speaker", or a column of `frame`, such as "gender" or "language".
        frame : DataFrame, default=None
            Table that was evaluated. Rows without a value are left out.
        %(estimators)s
        %(setting)s
        %(ax_and_return)s

        Raises
        ------
        ValueError
            If `by` is neither in the predictions nor in `frame`, `frame` is not the table that was
            evaluated, or there is no such estimator or setting.
        """
        names = estimator_names(result, estimators)
        parts = {name: result._of(name, setting) for name in names}
        groups = {name: _group_values(part, by, frame) for name, part in parts.items()}
        return cls._from_groups(parts, groups, by, result.labels).plot(ax=ax)

    @classmethod
    def _from_groups(cls, parts, groups, by, labels):
        """Compute the recalls from the predictions of each estimator and their groups."""
        conditions = [
            ({"estimator": name, "group": str(group)}, rows)
            for name, part in parts.items()
            for group, rows in part.groupby(groups[name].to_numpy(dtype=object), sort=True)
        ]
        if not conditions:
            raise ValueError(
                f"No row has a value of {by!r}, so there are no groups to compare. Choose another "
                f"column for by=."
            )
        table, speaker_scores = recall_tables(conditions, labels)
        return cls(table, by=by, chance=1 / len(labels), speaker_scores=speaker_scores)

    @classmethod
    @shared_parameters
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        groups: ArrayLike,
        *,
        by: str = "group",
        speaker: ArrayLike | None = None,
        labels: Sequence | None = None,
        name: str = "estimator",
        ax: AxesLike = None,
    ) -> Self:
        """Draw the groups of given predictions.

        Parameters
        ----------
        %(y_true)s
        %(y_pred)s
        groups : array-like of shape (n_samples,)
            Group of each sample; samples with a missing value are left out.
        by : str, default="group"
            Name of the grouping variable.
        %(speaker)s
        %(labels)s
        %(name)s
        %(ax_and_return)s
        """
        result = result_of_predictions(y_true, y_pred, labels=labels, speaker=speaker, name=name)
        check_consistent_length(y_true, groups)
        values = pd.Series(np.asarray(groups, dtype=object))
        part = result.predictions
        return cls._from_groups({name: part}, {name: values}, by, result.labels).plot(ax=ax)

    @property
    def gaps_(self) -> pd.DataFrame:
        rows = {}
        for name, part in self.table.groupby("estimator", sort=False):
            scores = part.set_index("group")["uar"].dropna()
            gap: dict[str, Any] = {"gap": np.nan, "ratio": np.nan, "worst": None, "best": None}
            if len(scores) > 1:
                worst, best = scores.min(), scores.max()
                gap = {
                    "gap": best - worst,
                    "ratio": worst / best if best > 0 else np.nan,
                    "worst": scores.idxmin(),
                    "best": scores.idxmax(),
                }
            rows[name] = {**gap, "left_out": len(part) - len(scores)}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("estimator")

    def _plot(self, ax: AxesLike) -> None:
        gaps = self.gaps_
        names = list(gaps.index)
        groups = list(dict.fromkeys(self.table["group"]))
        n_per_row = len(groups) if len(groups) <= len(MARKERS) else 1
        as_strokes = n_per_row < len(groups)
        self._make_subplots(
            ax,
            [f"recall by {self.by}"],
            size=(4.2, 1.3 + len(names) * (0.2 + 0.17 * n_per_row)),
            margin=names_margin(names),
        )
        self.dots_: dict[tuple[str, str], Line2D] = {}
        self.bars_: dict[tuple[str, str], Line2D] = {}
        label_rows(self.ax_, names)
        chance = set_score_axis(self.ax_, self.chance)
        label = f"unweighted average recall by {self.by}"
        self.ax_.set_xlabel(wrap_name(label, 2 * max_name_length(self.figure_)))
        gap_axis = self.ax_.secondary_yaxis("right")
        gap_axis.set_yticks(
            range(len(names)), [_gap_text(gaps.loc[name], n_per_row == 1) for name in names]
        )
        gap_axis.tick_params(length=0, labelsize=7.5)
        gap_axis.spines[:].set_visible(False)
        of_speakers: dict[tuple, np.ndarray] = {}
        if self.speaker_scores is not None:
            of_speakers = scores_by(self.speaker_scores, "estimator", "group")
        for row, name in enumerate(names):
            own = self.table[self.table["estimator"] == name].set_index("group")
            if as_strokes:
                self._draw_strokes(row, name, own, gaps.loc[name])
            else:
                self._draw_dots(row, name, own, groups, of_speakers)
        self._add_legend(groups, chance, as_strokes)
        self._fit_row_text(len(names), n_per_row)

    def _draw_dots(self, row, name, own, groups, of_speakers):
        for index, group in enumerate(groups):
            if group not in own.index:
                continue
            score, y = own.loc[group], row + row_offset(index, len(groups))
            if not np.isfinite(score["uar"]):
                text = f"{group}: not every emotion"
                self.ax_.text(0.0, y, text, va="center", fontsize=7, color="0.3")
                continue
            speaker_scores = of_speakers.get((name, group), []) if score["speakers"] > 1 else []
            self.dots_[name, group], bar, _ = draw_score(
                self.ax_, y, score, speaker_scores, style=series_style(index)
            )
            if bar is not None:
                self.bars_[name, group] = bar

    def _draw_strokes(self, row, name, own, gap):
        known = own["uar"].dropna()
        for group, score in known.items():
            (self.dots_[name, group],) = self.ax_.plot(
                [score], [row], "|", markersize=11, color=series_style(0)["color"], alpha=0.75
            )
        if gap["worst"] is not None:
            low = known.min()
            self.ax_.annotate(
                gap["worst"],
                (low, row),
                xytext=(0, -6),
                textcoords="offset points",
                ha="left" if low < 0.5 else "right",
                va="top",
                fontsize=7,
            )

    def _add_legend(self, groups, chance, as_strokes):
        styles = [{**series_style(index), "markersize": 5.5} for index in range(len(groups))]
        labels = [str(group) for group in groups]
        if as_strokes:
            styles, labels = [{**series_style(0), "marker": "|"}], [f"one {self.by}"]
        handles = [legend_mark(**style) for style in styles]
        self._legend_below([*handles, chance], [*labels, "chance"])


def _gap_text(gap, count_left_out):
    lines = ["gap unknown"]
    if np.isfinite(gap["gap"]):
        lines = [f"gap {gap['gap']:.2f}", f"ratio {gap['ratio']:.2f}"]
    if gap["left_out"] and count_left_out:
        lines.append(f"{gap['left_out']} left out")
    return "\n".join(lines)


def _group_values(part, by, frame):
    """Return the group of each prediction, from the predictions or from the frame."""
    if by in ("corpus", "speaker"):
        return part[by]
    if frame is None or by not in frame.columns:
        given = "there is no frame" if frame is None else f"frame has {list(frame.columns)}"
        raise ValueError(
            f"by is {by!r}, but must be 'corpus', 'speaker' or a column of frame=, the table that "
            f"was evaluated; {given}."
        )
    check_frame(frame, part)
    return pd.Series(frame[by].to_numpy(dtype=object)[part["row"].to_numpy()], index=part.index)
