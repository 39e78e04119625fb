"""How often an estimator is right where it is so and so sure: reliability curves."""

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._predictions_table import probability_columns
from sklearn_ser.inspection._panels import (
    in_rows,
    is_leftmost,
    legend_below,
    make_panels,
    series_style,
    tidy_axes,
    wrapped,
)
from sklearn_ser.inspection._selection import (
    FEWEST_SPEAKERS,
    estimator_names,
    predictions_of,
    result_of_predictions,
)
from sklearn_ser.metrics import cluster_interval, expected_calibration_error
from sklearn_ser.utils._public import public_module

_POOLED = "all"
_PANELS_A_ROW = 3
_MOST_LINES = 4
_MOST_INTERVALS = 2
_FEWEST_DECISIONS = 5


@public_module("sklearn_ser.inspection")
class ReliabilityDisplay:
    """Share of right decisions over confidence, with the calibration error; a panel a corpus.

    Use :meth:`from_result` or :meth:`from_predictions`. Decisions are put into bins of equal width
    by their confidence, the highest probability; a point stands at their mean confidence and the
    share of them that were right, larger the more of them there are; a bin of fewer than 5 is not
    drawn. Below the diagonal the estimator is surer than it should be, above it less sure. Of one
    or two estimators, thin bars are 95 % intervals over speakers, in bins with at least 8 of them.
    The numbers are expected calibration errors (ECE) of the same bins, which are more than 0 by
    chance alone in a small corpus.

    Parameters
    ----------
    curves : pandas.DataFrame
        One row per panel, estimator and bin with decisions in it: `panel`, `estimator`,
        `confidence`, `accuracy`, `low`, `high` (NaN: no interval), `decisions`.
    errors : pandas.DataFrame
        One row per panel and estimator: `panel`, `estimator`, `ece`.
    chance : float
        No confidence is below it.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
    lines_ : dict of (estimator, panel) to matplotlib Line2D
    texts_ : dict of (estimator, panel) to matplotlib Text
        The calibration errors.

    See Also
    --------
    sklearn_ser.metrics.expected_calibration_error : The number.
    sklearn.calibration.CalibrationDisplay : Of two classes.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", Proc.
    ICML, 2017. https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> from sklearn_ser.inspection import ReliabilityDisplay
    >>> truth = ["anger", "anger", "anger", "sadness"]
    >>> proba = [[0.75, 0.25]] * 4
    >>> display = ReliabilityDisplay.from_predictions(truth, proba)
    >>> display.errors["ece"].tolist()
    [0.0]
    """

    def __init__(self, curves, errors, *, chance):
        self.curves = curves
        self.errors = errors
        self.chance = chance

    @classmethod
    def from_result(
        cls, result, estimators=None, *, setting=None, by_corpus=True, n_bins=10, ax=None
    ):
        """Draw the calibration of estimators of an evaluation.

        Parameters
        ----------
        result : EvaluationResult
        estimators : str or list of str, default=None
            At most 4, which are told apart in one panel; all by default.
        setting : {"single", "transductive"}, default=None
            By default "transductive" where there is one.
        by_corpus : bool, default=True
            A panel for each test corpus as well, where there are several.
        n_bins : int, default=10
            Bins of equal width from 0 to 1.
        ax : matplotlib Axes, array of Axes or Figure, default=None
            One Axes for each panel, or a figure for all of them.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If there are too many estimators, one gives no probabilities, `n_bins` is below 1, or
            there is no such estimator or setting.
        """
        names = estimator_names(result, estimators)
        if len(names) > _MOST_LINES:
            raise ValueError(
                f"{len(names)} estimators cannot be told apart in one panel: name at most "
                f"{_MOST_LINES} of {names} in estimators="
            )
        if n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, got {n_bins}")
        columns = probability_columns(result.labels)
        curves, errors = [], []
        for name in names:
            part = predictions_of(result, name, setting)
            if not {*columns} <= {*part.columns} or part[columns].isna().all(axis=None):
                raise ValueError(
                    f"{name!r} gives no probabilities, so it has no confidence to judge: leave it "
                    f"out, or put it into sklearn.calibration.CalibratedClassifierCV"
                )
            part = part[part[columns].notna().all(axis=1)]
            panels = {_POOLED: part}
            if by_corpus and part["corpus"].nunique() > 1:
                panels |= {str(corpus): rows for corpus, rows in part.groupby("corpus")}
            for panel, rows in panels.items():
                place = {"panel": panel, "estimator": name}
                ece = expected_calibration_error(
                    rows["y_true"], rows[columns], labels=result.labels, n_bins=n_bins
                )
                errors.append({**place, "ece": ece})
                curves += [
                    {**place, **bin_} for bin_ in _bins(rows, columns, result.labels, n_bins)
                ]
        chance = 1 / len(result.labels)
        return cls(pd.DataFrame(curves), pd.DataFrame(errors), chance=chance).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls, y_true, y_proba, *, labels=None, corpus=None, speaker=None, name="estimator",
        n_bins=10, ax=None,
    ):  # fmt: skip
        """Draw the calibration of probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
        y_proba : array-like of shape (n_rows, n_labels)
        labels : sequence of shape (n_labels,), default=None
            The class of each column (``classes_``); by default the sorted values of `y_true`.
        corpus : array-like of shape (n_rows,), default=None
            Gives a panel for each corpus as well.
        speaker : array-like of shape (n_rows,), default=None
            For intervals; without it there are none.
        name : str, default="estimator"
        n_bins, ax
            As in :meth:`from_result`.

        Returns
        -------
        ReliabilityDisplay
        """
        known = np.zeros(len(y_true), dtype=int) if speaker is None else speaker
        result = result_of_predictions(
            y_true, y_proba=y_proba, labels=labels, corpus=corpus, speaker=known, name=name
        )
        return cls.from_result(result, name, n_bins=n_bins, ax=ax)

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or Figure, default=None
            One Axes for each panel, or a figure for all of them.

        Returns
        -------
        ReliabilityDisplay
        """
        panels = list(dict.fromkeys(self.errors["panel"]))
        names = list(dict.fromkeys(self.errors["estimator"]))
        self.axes_ = make_panels(
            ax,
            in_rows(len(panels), _PANELS_A_ROW, ax=ax, size=2.2),
            size=(2.7, 2.9),
            what=", ".join(panels),
            margin=0.4,
        )
        self.figure_ = self.axes_[0].figure
        self.lines_, self.texts_ = {}, {}
        for panel_ax, panel in zip(self.axes_, panels, strict=True):
            (diagonal,) = panel_ax.plot(
                [0, 1], [0, 1], color="0.4", linestyle=":", linewidth=1, zorder=1
            )
            for place, name in enumerate(names):
                self._draw(panel_ax, panel, name, place)
            panel_ax.set(xlim=(0, 1.02), ylim=(0, 1.02), box_aspect=1, xlabel="confidence")
            panel_ax.set_title("all corpora" if panel == _POOLED else panel, fontsize="medium")
            if len(panels) == 1:
                panel_ax.set_title("")
            if is_leftmost(panel_ax):
                panel_ax.set_ylabel("share right")
            tidy_axes(panel_ax)
        lines = [self.lines_[name, panels[0]] for name in names]
        labels = [wrapped(name, 30) for name in names]
        legend = legend_below(
            self.figure_, self.axes_, [*lines, diagonal], [*labels, "as sure as right"]
        )
        for handle in legend.get_lines():
            handle.set_markersize(6)
        return self

    def _draw(self, ax, panel, name, place):
        mine = (self.curves["panel"] == panel) & (self.curves["estimator"] == name)
        curve = self.curves[mine & (self.curves["decisions"] >= _FEWEST_DECISIONS)]
        size = 10 + 130 * curve["decisions"] / self.curves.loc[mine, "decisions"].sum()
        style = series_style(place)
        (self.lines_[name, panel],) = ax.plot(
            curve["confidence"], curve["accuracy"], linewidth=1.3, markersize=0, **style, zorder=2
        )
        ax.scatter(
            curve["confidence"],
            curve["accuracy"],
            s=size,
            color=style["color"],
            marker=style["marker"],
            edgecolors="white",
            linewidths=0.4,
            zorder=3,
        )
        if self.errors["estimator"].nunique() <= _MOST_INTERVALS:
            ax.vlines(
                curve["confidence"],
                curve["low"],
                curve["high"],
                color=style["color"],
                linewidth=0.8,
                alpha=0.7,
            )
        rows = (self.errors["panel"] == panel) & (self.errors["estimator"] == name)
        ece = self.errors.loc[rows, "ece"].iloc[0]
        height = 0.97 - 0.085 * place
        self.texts_[name, panel] = ax.text(
            0.1,
            height,
            f"ECE {ece:.2f}",
            transform=ax.transAxes,
            va="top",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            zorder=4,
        )
        ax.plot(
            0.05,
            height - 0.035,
            transform=ax.transAxes,
            markersize=5,
            linestyle="",
            zorder=5,
            **style,
        )


def _bins(rows, columns, labels, n_bins):
    """Mean confidence and accuracy of each bin with rows in it, with an interval over speakers."""
    probabilities = rows[columns].to_numpy()
    confidence = probabilities.max(axis=1)
    decided = np.asarray(labels, dtype=object)[probabilities.argmax(axis=1)]
    right = decided == rows["y_true"].to_numpy(dtype=object)
    speakers = rows["speaker"].to_numpy(dtype=object)
    # A bin has its upper edge and not its lower one, as in expected_calibration_error.
    numbers = np.searchsorted(np.arange(1, n_bins) / n_bins, confidence, side="left")
    for number in np.unique(numbers):
        own = numbers == number
        low = high = float("nan")
        if len(set(speakers[own])) >= FEWEST_SPEAKERS:
            found = cluster_interval(
                rows["y_true"].to_numpy(dtype=object)[own],
                decided[own],
                speakers[own],
                metric="war",
                min_clusters=FEWEST_SPEAKERS,
            )
            low, high = found.low, found.high
        yield {
            "confidence": confidence[own].mean(),
            "accuracy": right[own].mean(),
            "low": low,
            "high": high,
            "decisions": int(own.sum()),
        }
