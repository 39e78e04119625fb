"""Reliability curves: accuracy of predictions by their confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._predictions_table import probability_columns
from sklearn_ser.inspection._plotting import (
    AxesLike,
    DisplayWithoutOptions,
    hide_spines,
    is_leftmost,
    series_style,
    shared_parameters,
    wrap_name,
)
from sklearn_ser.inspection._predictions import (
    ALL,
    estimator_names,
    result_of_predictions,
    select,
    split_by_corpus,
    with_probabilities,
)
from sklearn_ser.metrics import cluster_interval, expected_calibration_error
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
    from numpy.typing import ArrayLike

    from sklearn_ser.evaluation import EvaluationResult

_MAX_ESTIMATORS = 4
_MAX_ESTIMATORS_WITH_INTERVALS = 2
_MIN_PREDICTIONS = 5


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class ReliabilityDisplay(DisplayWithoutOptions):
    """Accuracy by confidence, with the expected calibration error; a subplot for each corpus.

    Use :meth:`from_result` or :meth:`from_predictions`. Predictions are sorted into bins of equal
    width by their confidence, the highest probability. A point is at the mean confidence and the
    accuracy of a bin, larger if the bin has more predictions; bins with fewer than 5 are not drawn.
    Below the diagonal the estimator is overconfident, above it underconfident. With one or two
    estimators, thin bars are 95 % intervals over speakers, in bins with at least 8 of them. The
    numbers are expected calibration errors (ECE) over the same bins, means over seeds as in
    :meth:`~sklearn_ser.evaluation.EvaluationResult.summary`; in a small corpus they are above 0 by
    chance alone.

    Parameters
    ----------
    curves : DataFrame
        One row per corpus ("all" for all of them), estimator and non-empty bin: `corpus`,
        `estimator`, `confidence`, `accuracy`, `low`, `high` (NaN without an interval),
        `predictions`.
    errors : DataFrame
        One row per corpus and estimator: `corpus`, `estimator`, `ece`.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each subplot.
    figure_ : matplotlib Figure
    lines_ : dict of (estimator, corpus) to matplotlib Line2D
    texts_ : dict of (estimator, corpus) to matplotlib Text
        Calibration errors.

    See Also
    --------
    sklearn_ser.metrics.expected_calibration_error : The calibration error.
    sklearn.calibration.CalibrationDisplay : Reliability curve of a binary classifier.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", Proc.
    ICML, 2017. https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> from sklearn_ser.inspection import ReliabilityDisplay
    >>> y_true = ["anger", "anger", "anger", "sadness"]
    >>> y_proba = [[0.75, 0.25]] * 4
    >>> display = ReliabilityDisplay.from_predictions(y_true, y_proba)
    >>> display.errors["ece"].tolist()
    [0.0]
    """

    curves: pd.DataFrame
    errors: pd.DataFrame

    @classmethod
    @shared_parameters
    def from_result(
        cls,
        result: EvaluationResult,
        estimators: str | Sequence[str] | None = None,
        *,
        setting: Literal["single", "transductive"] | None = None,
        by_corpus: bool = True,
        n_bins: int = 15,
        ax: AxesLike = None,
    ) -> Self:
        """Draw the calibration of estimators of an evaluation.

        Parameters
        ----------
        %(result)s
        estimators : str or list of str, default=None
            Names of at most 4 estimators; all by default.
        %(setting)s
        by_corpus : bool, default=True
            Whether to add a subplot for each test corpus, if there are several.
        %(n_bins)s
        %(ax_and_return)s

        Raises
        ------
        ValueError
            If there are too many estimators, one has no probabilities, `n_bins` is below 1, or
            there is no such estimator or setting.
        """
        names = estimator_names(result, estimators)
        if len(names) > _MAX_ESTIMATORS:
            raise ValueError(
                f"{len(names)} estimators cannot be distinguished in one plot, at most "
                f"{_MAX_ESTIMATORS} can. Choose some of {names} in estimators=."
            )
        if n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, got {n_bins}.")
        columns = probability_columns(result.labels)
        curves, errors = [], []
        for name in names:
            part = with_probabilities(result._of(name, setting), columns, name)
            several = by_corpus and part["corpus"].nunique() > 1
            parts = split_by_corpus(part) if several else {ALL: part}
            for corpus, rows in parts.items():
                key = {"corpus": corpus, "estimator": name}
                by_seed = [
                    expected_calibration_error(
                        one["y_true"], one[columns], labels=result.labels, n_bins=n_bins
                    )
                    for _, one in rows.groupby("seed")
                ]
                errors.append({**key, "ece": float(np.mean(by_seed))})
                curves += [{**key, **bin_} for bin_ in _bins(rows, columns, result.labels, n_bins)]
        return cls(pd.DataFrame(curves), pd.DataFrame(errors)).plot(ax=ax)

    @classmethod
    @shared_parameters
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        labels: Sequence | None = None,
        corpus: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
        name: str = "estimator",
        n_bins: int = 15,
        ax: AxesLike = None,
    ) -> Self:
        """Draw the calibration of given probabilities.

        Parameters
        ----------
        %(y_true)s
        y_proba : array-like of shape (n_samples, n_labels)
            Probabilities, with a column for each label (``classes_``).
        %(labels)s
        %(corpus)s
        %(speaker)s
        %(name)s
        %(n_bins)s
        %(ax_and_return)s
        """
        result = result_of_predictions(
            y_true, y_proba=y_proba, labels=labels, corpus=corpus, speaker=speaker, name=name
        )
        return cls.from_result(result, name, n_bins=n_bins, ax=ax)

    def _plot(self, ax: AxesLike) -> None:
        corpora = list(dict.fromkeys(self.errors["corpus"]))
        names = list(dict.fromkeys(self.errors["estimator"]))
        self._make_subplots(ax, corpora, size=(2.7, 2.9), margin=0.4, n_columns=3, min_width=2.2)
        self.lines_: dict[tuple[str, str], Line2D] = {}
        self.texts_: dict[tuple[str, str], Text] = {}
        for axes, corpus in zip(self.axes_, corpora, strict=True):
            (diagonal,) = axes.plot(
                [0, 1], [0, 1], color="0.4", linestyle=":", linewidth=1, zorder=1
            )
            for index, name in enumerate(names):
                self._draw(axes, corpus, name, index)
            axes.set(xlim=(0, 1.02), ylim=(0, 1.02), box_aspect=1, xlabel="confidence")
            if len(corpora) > 1:
                axes.set_title("all corpora" if corpus == ALL else corpus, fontsize="medium")
            if is_leftmost(axes):
                axes.set_ylabel("accuracy")
            hide_spines(axes)
        lines = [self.lines_[name, corpora[0]] for name in names]
        labels = [wrap_name(name, 30) for name in names]
        legend = self._legend_below([*lines, diagonal], [*labels, "perfectly calibrated"])
        for handle in legend.get_lines():
            handle.set_markersize(6)

    def _draw(self, ax, corpus, name, index):
        bins = select(self.curves, corpus=corpus, estimator=name)
        curve = bins[bins["predictions"] >= _MIN_PREDICTIONS]
        size = 10 + 130 * curve["predictions"] / bins["predictions"].sum()
        style = series_style(index)
        (self.lines_[name, corpus],) = ax.plot(
            curve["confidence"], curve["accuracy"], linewidth=1.3, markersize=0, **style, zorder=2
        )
        marks = {"edgecolors": "white", "linewidths": 0.4, "zorder": 3, **style}
        ax.scatter("confidence", "accuracy", size, data=curve, **marks)
        if self.errors["estimator"].nunique() <= _MAX_ESTIMATORS_WITH_INTERVALS:
            color = style["color"]
            ax.vlines(
                "confidence", "low", "high", data=curve, color=color, linewidth=0.8, alpha=0.7
            )
        ece = select(self.errors, corpus=corpus, estimator=name)["ece"].iloc[0]
        height = 0.97 - 0.085 * index
        self.texts_[name, corpus] = ax.text(
            0.1,
            height,
            f"ECE {ece:.2f}",
            transform=ax.transAxes,
            va="top",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            zorder=4,
        )
        on_axes = {"transform": ax.transAxes, "zorder": 5}
        ax.plot(0.05, height - 0.035, markersize=5, linestyle="", **on_axes, **style)


def _bins(rows, columns, labels, n_bins):
    """Yield confidence, accuracy and interval over speakers of each non-empty bin."""
    probabilities = rows[columns].to_numpy()
    confidence = probabilities.max(axis=1)
    y_true = rows["y_true"].to_numpy(dtype=object)
    y_pred = np.asarray(labels, dtype=object)[probabilities.argmax(axis=1)]
    speakers = rows["speaker"].to_numpy(dtype=object)
    # A bin includes its upper edge and not its lower one, as in expected_calibration_error.
    numbers = np.searchsorted(np.arange(1, n_bins) / n_bins, confidence, side="left")
    for number in np.unique(numbers):
        own = numbers == number
        interval = cluster_interval(y_true[own], y_pred[own], speakers[own], metric="war")
        yield {
            "confidence": confidence[own].mean(),
            "accuracy": (y_true == y_pred)[own].mean(),
            "low": interval.low,
            "high": interval.high,
            "predictions": int(own.sum()),
        }
