"""Recall by group of speakers, and the gap between the best and the worst group."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklearn_ser.inspection._panels import (
    MARKERS,
    draw_score,
    fit_rows,
    lane,
    legend_below,
    make_panels,
    name_rows,
    name_width,
    names_margin,
    score_axis,
    series_style,
    wrapped,
)
from sklearn_ser.inspection._selection import (
    estimator_names,
    predictions_of,
    recall_with_interval,
    refuse_another_frame,
    result_of_predictions,
    speaker_recalls,
)
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.inspection")
class GroupGapDisplay:
    """Unweighted average recall of each group, with the gap between best and worst.

    Use :meth:`from_result` or :meth:`from_predictions`. A row for each estimator; in it a lane for
    each group, with a 95 % interval over the group's speakers, or, of fewer than 8, the speakers
    themselves as strokes. With more than 8 groups (such as speakers) all of them are strokes in one
    lane, and the worst is named. A group that lacks an emotion has no recall that could be compared
    with the others': it counts in no gap, and the legend or the row says so.

    Intervals of two groups that overlap do not show that there is no gap.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per estimator and group: `estimator`, `group`, `uar` (NaN: lacks an emotion),
        `low`, `high` (NaN: no interval), `utterances`, `speakers`.
    by : str
        What the groups are.
    chance : float
        Recall of guessing.
    singles : pandas.DataFrame, default=None
        One row per speaker: `estimator`, `group`, `speaker`, `uar`.

    Attributes
    ----------
    gaps_ : pandas.DataFrame
        Per estimator: `gap` (best less worst), `ratio` (worst by best), `worst`, `best`, and
        `left_out`, the number of groups without a recall. NaN with fewer than two groups.
    ax_, figure_ : matplotlib Axes and Figure
    dots_ : dict of (estimator, group) to matplotlib Line2D
    bars_ : dict of (estimator, group) to matplotlib Line2D
        Intervals, where there are any.

    Examples
    --------
    >>> from sklearn_ser.inspection import GroupGapDisplay
    >>> truth = ["anger", "sadness"] * 4
    >>> display = GroupGapDisplay.from_predictions(
    ...     truth, ["anger", "sadness", "anger", "sadness", "anger", "anger", "anger", "sadness"],
    ...     ["female"] * 4 + ["male"] * 4, by="gender")
    >>> display.gaps_[["gap", "ratio", "worst"]]
                gap  ratio worst
    estimator
    estimator  0.25   0.75  male
    """

    def __init__(self, table, *, by, chance, singles=None):
        self.table = table
        self.by = by
        self.chance = chance
        self.singles = singles

    @classmethod
    def from_result(
        cls, result, by="corpus", *, frame=None, estimators=None, setting=None, ax=None
    ):
        """Draw the groups of an evaluation.

        Parameters
        ----------
        result : EvaluationResult
        by : str, default="corpus"
            "corpus", "speaker", or a column of `frame`, such as "gender" or "language".
        frame : pandas.DataFrame, default=None
            What was evaluated, row by row. Rows without a value are left out.
        estimators : str or list of str, default=None
            Which; all by default.
        setting : {"single", "transductive"}, default=None
            By default "transductive" where there is one.
        ax : matplotlib Axes, default=None

        Returns
        -------
        GroupGapDisplay

        Raises
        ------
        ValueError
            If `by` is neither in the predictions nor in `frame`, `frame` is not what was
            evaluated, or there is no such estimator or setting.
        """
        names = estimator_names(result, estimators)
        parts = {name: predictions_of(result, name, setting) for name in names}
        groups = {name: group_values(part, by, frame) for name, part in parts.items()}
        return cls._of_groups(parts, groups, by, result.labels).plot(ax=ax)

    @classmethod
    def _of_groups(cls, parts, groups, by, labels):
        """From name -> predictions, and name -> group of each of them, a Series."""
        rows, singles = [], []
        for name, part in parts.items():
            for group, own in part.groupby(groups[name].to_numpy(dtype=object), sort=True):
                place = {"estimator": name, "group": str(group)}
                by_speaker = speaker_recalls(own)
                found = recall_with_interval(own, labels)
                counts = {"utterances": own["row"].nunique(), "speakers": len(by_speaker)}
                rows.append({**place, **found, **counts})
                singles.append(
                    pd.DataFrame(
                        {**place, "speaker": by_speaker.index, "uar": by_speaker.to_numpy()}
                    )
                )
        if not rows:
            raise ValueError(f"no row has a value of {by!r}: there are no groups to compare")
        return cls(
            pd.DataFrame(rows),
            by=by,
            chance=1 / len(labels),
            singles=pd.concat(singles, ignore_index=True),
        )

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, groups, *, by="group", speaker=None, labels=None, name="estimator",
        ax=None,
    ):  # fmt: skip
        """Draw the groups of predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_rows,)
        groups : array-like of shape (n_rows,)
            The group of each row; missing values are left out.
        by : str, default="group"
            What the groups are.
        speaker : array-like of shape (n_rows,), default=None
            For intervals; without it there are none.
        labels : sequence, default=None
            The fixed label set; by default the values of `y_true`.
        name : str, default="estimator"
        ax : matplotlib Axes, default=None

        Returns
        -------
        GroupGapDisplay
        """
        known = np.zeros(len(y_true), dtype=int) if speaker is None else speaker
        result = result_of_predictions(y_true, y_pred, labels=labels, speaker=known, name=name)
        check_consistent_length(y_true, groups)
        values = pd.Series(np.asarray(groups, dtype=object))
        part = predictions_of(result, name)
        return cls._of_groups({name: part}, {name: values}, by, result.labels).plot(ax=ax)

    @property
    def gaps_(self):
        rows = {}
        for name, part in self.table.groupby("estimator", sort=False):
            scores = part.set_index("group")["uar"].dropna()
            found = {"gap": np.nan, "ratio": np.nan, "worst": None, "best": None}
            if len(scores) > 1:
                worst, best = scores.min(), scores.max()
                found = {
                    "gap": best - worst,
                    "ratio": worst / best if best > 0 else np.nan,
                    "worst": scores.idxmin(),
                    "best": scores.idxmax(),
                }
            rows[name] = {**found, "left_out": len(part) - len(scores)}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("estimator")

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes, default=None

        Returns
        -------
        GroupGapDisplay
        """
        gaps = self.gaps_
        names = list(gaps.index)
        groups = list(dict.fromkeys(self.table["group"]))
        self._lanes = len(groups) if len(groups) <= len(MARKERS) else 1
        (self.ax_,) = make_panels(
            ax,
            [(0, 0)],
            size=(4.2, 1.3 + len(names) * (0.2 + 0.17 * self._lanes)),
            what=f"recall by {self.by}",
            margin=names_margin(names),
        )
        self.figure_ = self.ax_.figure
        self.dots_, self.bars_ = {}, {}
        name_rows(self.ax_, names)
        chance = score_axis(self.ax_, self.chance)
        label = f"unweighted average recall by {self.by}"
        self.ax_.set_xlabel(wrapped(label, 2 * name_width(self.figure_)))
        gap_axis = self.ax_.secondary_yaxis("right")
        gap_axis.set_yticks(range(len(names)), [self._gap(gaps.loc[name]) for name in names])
        gap_axis.tick_params(length=0, labelsize=7.5)
        gap_axis.spines[:].set_visible(False)
        for row, name in enumerate(names):
            mine = self.table[self.table["estimator"] == name].set_index("group")
            if self._lanes == 1 and len(groups) > 1:
                self._draw_many(row, name, mine, gaps.loc[name])
            else:
                self._draw_lanes(row, name, mine, groups)
        self._legend(groups, chance)
        fit_rows([self.ax_], len(names), self._lanes)
        return self

    def _draw_lanes(self, row, name, mine, groups):
        for place, group in enumerate(groups):
            if group not in mine.index:
                continue
            found, height = mine.loc[group], lane(row, place, len(groups))
            if not np.isfinite(found["uar"]):
                self.ax_.text(
                    0.0, height, f"{group}: not every emotion", va="center", fontsize=7, color="0.3"
                )
                continue
            singles = []
            if self.singles is not None and found["speakers"] > 1:
                own = self.singles
                own = own[(own["estimator"] == name) & (own["group"] == group)]
                singles = own["uar"].to_numpy()
            dot, bar, _ = draw_score(
                self.ax_,
                height,
                found["uar"],
                found["low"],
                found["high"],
                singles,
                style=series_style(place),
            )
            self.dots_[name, group] = dot
            if bar is not None:
                self.bars_[name, group] = bar

    def _draw_many(self, row, name, mine, gap):
        known = mine["uar"].dropna()
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

    def _gap(self, gap):
        lines = ["no gap known"]
        if np.isfinite(gap["gap"]):
            lines = [f"gap {gap['gap']:.2f}", f"ratio {gap['ratio']:.2f}"]
        if gap["left_out"] and self._lanes == 1:
            lines.append(f"{gap['left_out']} lack an emotion")
        return "\n".join(lines)

    def _legend(self, groups, chance):
        from matplotlib.lines import Line2D

        if self._lanes == 1 and len(groups) > 1:
            mark = Line2D([], [], marker="|", linestyle="", color=series_style(0)["color"])
            handles, labels = [mark], [f"a {self.by}"]
        else:
            handles = [
                Line2D([], [], linestyle="", markersize=5.5, **series_style(place))
                for place in range(len(groups))
            ]
            labels = [str(group) for group in groups]
        legend_below(self.figure_, [self.ax_], [*handles, chance], [*labels, "chance"])


def group_values(part, by, frame):
    """The group of each prediction, as a Series; from the predictions, else from the frame."""
    if by in ("corpus", "speaker"):
        return part[by]
    if frame is None or by not in frame.columns:
        seen = "no frame was given" if frame is None else f"frame has {list(frame.columns)}"
        raise ValueError(
            f"by must be 'corpus', 'speaker' or a column of frame=, the table that was evaluated; "
            f"got {by!r}, and {seen}"
        )
    refuse_another_frame(frame, part)
    return pd.Series(frame[by].to_numpy(dtype=object)[part["row"].to_numpy()], index=part.index)
