"""Heat maps of recall by training corpus and test corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd

from sklearn_ser.inspection._plotting import (
    AxesLike,
    DisplayWithoutOptions,
    draw_heatmap,
    is_leftmost,
    shared_parameters,
    wrap_name,
)
from sklearn_ser.inspection._predictions import estimator_names, recall_of
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.image import AxesImage

    from sklearn_ser.evaluation import EvaluationResult

_MAX_COLUMNS = 3


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class CorpusHeatmapDisplay(DisplayWithoutOptions):
    """Unweighted average recall by training corpus (rows) and test corpus (columns).

    Use :meth:`from_result`, with a result of the protocol "pairwise". Colors range from chance to
    1; recalls below chance have the lightest color. The diagonal is hatched or, if such a result is
    given, holds the speaker-disjoint recall within each corpus, framed.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Estimator -> recall, with training corpora in rows and test corpora in columns; NaN if
        there is none.
    chance : float
        Recall of random predictions.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each estimator.
    figure_ : matplotlib Figure
    images_ : dict of str to matplotlib AxesImage
    texts_ : dict of str to ndarray of matplotlib Text
        Texts in the cells; hidden if they would be too small to read.
    colorbar_ : matplotlib Colorbar

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.inspection import CorpusHeatmapDisplay
    >>> names = ["emodb", "ravdess"]
    >>> table = pd.DataFrame([[float("nan"), 0.5], [0.7, float("nan")]], names, names)
    >>> display = CorpusHeatmapDisplay({"svm": table}, chance=0.25).plot()
    >>> display.texts_["svm"][1, 0].get_text()
    '0.70'
    """

    tables: Mapping[str, pd.DataFrame]
    _: KW_ONLY
    chance: float

    @classmethod
    @shared_parameters
    def from_result(
        cls,
        result: EvaluationResult,
        estimators: str | Sequence[str] | None = None,
        *,
        setting: Literal["single", "transductive"] | None = None,
        within: EvaluationResult | None = None,
        ax: AxesLike = None,
    ) -> Self:
        """Draw an evaluation by the protocol "pairwise".

        Parameters
        ----------
        result : EvaluationResult
            Result of the protocol "pairwise".
        %(estimators)s
        %(setting)s
        within : EvaluationResult, default=None
            Result of the protocol "within-corpus" for the same estimators, for the diagonal.
        %(ax_and_return)s

        Raises
        ------
        ValueError
            If a result is of another protocol, their labels differ, a result lacks an estimator or
            the setting, or the number of Axes is wrong.
        """
        for given, protocol in ((result, "pairwise"), (within, "within-corpus")):
            if given is not None and given.protocol != protocol:
                raise ValueError(
                    f"CorpusHeatmapDisplay got a result of the protocol {given.protocol!r}, but "
                    f"needs one of {protocol!r} here. Evaluate with "
                    f"cross_corpus_validate(..., protocol={protocol!r})."
                )
        if within is not None and list(within.labels) != list(result.labels):
            raise ValueError(
                f"The two results have different labels, {result.labels} and {within.labels}. "
                f"Evaluate both with the same labels=."
            )
        tables = {}
        for name in estimator_names(result, estimators):
            recalls = _recalls(result._of(name, setting), result.labels)
            if within is not None:
                part = within._of(name, setting).assign(train=lambda t: t["corpus"])
                recalls = pd.concat([recalls, _recalls(part, result.labels)])
            corpora = sorted(set(recalls.index.get_level_values(0)) | set(recalls.index.levels[1]))
            tables[name] = recalls.unstack().reindex(index=corpora, columns=corpora)
        return cls(tables, chance=1 / len(result.labels)).plot(ax=ax)

    def _plot(self, ax: AxesLike) -> None:
        n_corpora = max(len(table) for table in self.tables.values())
        side = float(np.clip(0.45 * n_corpora + 1.2, 2.6, 6.0))
        self._make_subplots(
            ax,
            [*self.tables],
            size=(side, side),
            margin=0.9,
            n_columns=_MAX_COLUMNS,
            min_width=1.8,
            min_margin=0.9,
        )
        self.images_: dict[str, AxesImage] = {}
        self.texts_: dict[str, np.ndarray] = {}
        for axes, (name, table) in zip(self.axes_, self.tables.items(), strict=True):
            self.images_[name], self.texts_[name] = draw_heatmap(
                axes, table, fmt=".2f", low=self.chance, high=1.0
            )
            _frame_diagonal(axes, table)
            axes.set_title(wrap_name(name, 30), fontsize="medium")
            axes.set_xlabel("test corpus")
            if is_leftmost(axes):
                axes.set_ylabel("training corpus")
        self.colorbar_ = self.figure_.colorbar(
            next(iter(self.images_.values())),
            ax=self.axes_,
            fraction=0.05,
            extend="min",
            shrink=1 / max(1, -(-len(self.tables) // _MAX_COLUMNS)),
            anchor=(0.0, 1.0),
            aspect=25,
        )
        self.colorbar_.set_label("unweighted average recall", fontsize="small")
        ticks = [tick for tick in (0.2, 0.4, 0.6, 0.8, 1.0) if tick > self.chance + 0.07]
        self.colorbar_.set_ticks([self.chance, *ticks], labels=["chance", *map(str, ticks)])
        self._fit_heatmap_text(list(self.texts_.values()))


def _recalls(part, labels):
    """Return the recall by training and test corpus, the mean over seeds with the same rows."""
    parts = part.groupby(["train", "corpus"])
    return pd.Series({key: recall_of(rows, labels) for key, rows in parts})


def _frame_diagonal(ax, table):
    """Frame the recalls within a corpus, which are not cross-corpus ones."""
    from matplotlib.patches import Rectangle

    for index in np.flatnonzero(np.isfinite(np.diagonal(table.to_numpy(dtype=float)))):
        corner = (index - 0.47, index - 0.47)
        ax.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor="black", linewidth=1.2))
