"""Confusion matrices of one estimator, over all predictions and by corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.inspection._plotting import (
    AxesLike,
    Display,
    draw_heatmap,
    is_leftmost,
    names_as_text,
    shared_parameters,
    wrap_name,
)
from sklearn_ser.inspection._predictions import ALL, result_of_predictions, split_by_corpus
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class ConfusionDisplay(Display):
    """Confusion matrices of one estimator: a subplot of all predictions, and one for each corpus.

    Use :meth:`from_result` or :meth:`from_predictions`. Utterances without a prediction (failed
    audio) are in a separate column, ``none``. A class that is absent from a corpus is a row of
    hatched cells.

    Parameters
    ----------
    counts : dict of str to DataFrame
        Corpus, or "all" -> counts with `y_true` in rows and `y_pred` in columns.
    name : str
        Name of the estimator.
    n_utterances : dict of str to int, optional
        Corpus, or "all" -> number of utterances, if each is counted once for every seed.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each subplot.
    figure_ : matplotlib Figure
    tables_ : dict of str to DataFrame
        Numbers in the cells: shares of each true class, or counts.
    images_ : dict of str to matplotlib AxesImage
    texts_ : dict of str to ndarray of matplotlib Text
        Texts in the cells; hidden if they would be too small to read.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : One confusion matrix.

    Examples
    --------
    >>> from sklearn_ser.inspection import ConfusionDisplay
    >>> y_true = ["anger", "anger", "sadness", "sadness"]
    >>> y_pred = ["anger", "sadness", "sadness", None]
    >>> display = ConfusionDisplay.from_predictions(y_true, y_pred)
    >>> display.tables_["all"]
    y_pred   anger  sadness  none
    y_true
    anger      0.5      0.5   0.0
    sadness    0.0      0.5   0.5
    """

    counts: Mapping[str, pd.DataFrame]
    name: str
    _: KW_ONLY
    n_utterances: Mapping[str, int] | None = None

    @classmethod
    @shared_parameters
    def from_result(
        cls,
        result: EvaluationResult,
        estimator: str,
        *,
        setting: Literal["single", "transductive"] | None = None,
        by_corpus: bool = False,
        normalize: bool = True,
        ax: AxesLike = None,
    ) -> Self:
        """Draw the confusion matrices of one estimator of an evaluation.

        Parameters
        ----------
        %(result)s
        estimator : str
            Name of the estimator.
        %(setting)s
        by_corpus : bool, default=False
            Whether to add a subplot for each test corpus.
        %(normalize)s
        %(ax_and_return)s

        Raises
        ------
        ValueError
            If the result has no such estimator or setting, or the number of Axes is wrong.
        """
        part = result._of(estimator, setting)
        parts = split_by_corpus(part) if by_corpus else {ALL: part}
        counts, n_utterances = {}, {}
        for name, rows in parts.items():
            one = EvaluationResult(rows, labels=result.labels, protocol=result.protocol)
            counts[name] = one.confusion(estimator, normalize=False)
            n_utterances[name] = rows["row"].nunique()
        return cls(counts, estimator, n_utterances=n_utterances).plot(normalize=normalize, ax=ax)

    @classmethod
    @shared_parameters
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        labels: Sequence | None = None,
        corpus: ArrayLike | None = None,
        name: str = "estimator",
        normalize: bool = True,
        ax: AxesLike = None,
    ) -> Self:
        """Draw the confusion matrices of given predictions.

        Parameters
        ----------
        %(y_true)s
        %(y_pred)s
        %(labels)s
        %(corpus)s
        %(name)s
        %(normalize)s
        %(ax_and_return)s
        """
        result = result_of_predictions(y_true, y_pred, labels=labels, corpus=corpus, name=name)
        return cls.from_result(
            result, name, by_corpus=corpus is not None, normalize=normalize, ax=ax
        )

    @shared_parameters
    @names_as_text()
    def plot(self, *, normalize: bool = True, ax: AxesLike = None) -> Self:
        """Draw the confusion matrices.

        Parameters
        ----------
        %(normalize)s
        %(ax_and_return)s
        """
        self._make_subplots(
            ax, [*self.counts], size=(3.6, 3.6), margin=0.4, n_columns=3, min_width=2.6
        )
        self.tables_: dict[str, pd.DataFrame] = {}
        self.images_: dict[str, AxesImage] = {}
        self.texts_: dict[str, np.ndarray] = {}
        for axes, (name, counts) in zip(self.axes_, self.counts.items(), strict=True):
            sums = counts.sum(axis=1)
            table = counts.div(sums.where(sums > 0), axis=0) if normalize else counts
            self.tables_[name] = table
            fmt, high = (".2f", 1) if normalize else (".0f", max(1, table.to_numpy().max()))
            self.images_[name], self.texts_[name] = draw_heatmap(
                axes, table, fmt=fmt, low=0, high=high
            )
            axes.set_title(self._title(name), fontsize="medium")
            axes.set_xlabel("predicted label")
            if is_leftmost(axes):
                axes.set_ylabel("true label")
        self._fit_heatmap_text(list(self.texts_.values()))
        return self._with_literal_text()

    def _title(self, name):
        lines = [] if len(self.counts) > 1 and name != ALL else [wrap_name(self.name, 32)]
        parts = [] if len(self.counts) == 1 else ["all corpora" if name == ALL else name]
        if self.n_utterances is not None:
            parts.append(f"{self.n_utterances[name]} utterances")
        return "\n".join([*lines, *([", ".join(parts)] if parts else [])])
