"""Recall by training corpus and test corpus."""

import numpy as np
import pandas as pd

from sklearn_ser.inspection._panels import (
    draw_heatmap,
    fit_cells,
    in_rows,
    is_leftmost,
    make_panels,
    wrapped,
)
from sklearn_ser.inspection._selection import estimator_names, predictions_of, recall_of
from sklearn_ser.utils._public import public_module

_PANELS_A_ROW = 3


@public_module("sklearn_ser.inspection")
class CorpusHeatmapDisplay:
    """Unweighted average recall by training corpus (rows) and test corpus (columns).

    Use :meth:`from_result`, with a result of the protocol "pairwise". Colors go from chance to 1;
    what is below chance has the lightest. The diagonal is hatched, or holds the recall within
    each corpus (speakers disjoint), framed, where such a result is given too.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Estimator -> recall, training corpora in rows and test corpora in columns; NaN where there
        is none.
    chance : float
        Recall of guessing.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each estimator.
    figure_ : matplotlib Figure
    images_ : dict of str to matplotlib AxesImage
    texts_ : dict of str to ndarray of matplotlib Text
        The numbers in the cells; hidden where they would be too small to read.
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

    def __init__(self, tables, *, chance):
        self.tables = tables
        self.chance = chance

    @classmethod
    def from_result(cls, result, estimators=None, *, setting=None, within=None, ax=None):
        """Draw a result of the protocol "pairwise".

        Parameters
        ----------
        result : EvaluationResult
        estimators : str or list of str, default=None
            Which; all by default. A panel each.
        setting : {"single", "transductive"}, default=None
            By default "transductive" where there is one.
        within : EvaluationResult, default=None
            Of the protocol "within-corpus" and the same estimators: fills the diagonal.
        ax : matplotlib Axes, array of Axes or Figure, default=None
            One Axes for each estimator, or a figure for all of them.

        Returns
        -------
        CorpusHeatmapDisplay

        Raises
        ------
        ValueError
            If a result is of another protocol, their labels differ, or an estimator or setting is
            in none of them.
        """
        for given, wanted in ((result, "pairwise"), (within, "within-corpus")):
            if given is not None and given.protocol != wanted:
                raise ValueError(
                    f"CorpusHeatmapDisplay needs a result of the protocol {wanted!r} here, got one "
                    f"of {given.protocol!r}: cross_corpus_validate(..., protocol={wanted!r})"
                )
        if within is not None and list(within.labels) != list(result.labels):
            raise ValueError(
                f"the two results have different labels, {result.labels} and {within.labels}: "
                f"evaluate both with the same labels="
            )
        tables = {}
        for name in estimator_names(result, estimators):
            cells = _recalls(predictions_of(result, name, setting), result.labels)
            if within is not None:
                part = predictions_of(within, name, setting).assign(train=lambda t: t["corpus"])
                cells = pd.concat([cells, _recalls(part, result.labels)])
            corpora = sorted(set(cells.index.get_level_values(0)) | set(cells.index.levels[1]))
            tables[name] = cells.unstack().reindex(index=corpora, columns=corpora)
        return cls(tables, chance=1 / len(result.labels)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or Figure, default=None
            One Axes for each estimator, or a figure for all of them.

        Returns
        -------
        CorpusHeatmapDisplay
        """
        n_corpora = max(len(table) for table in self.tables.values())
        side = float(np.clip(0.45 * n_corpora + 1.2, 2.6, 6.0))
        self.axes_ = make_panels(
            ax,
            in_rows(len(self.tables), _PANELS_A_ROW, ax=ax, size=1.8, margin=0.9),
            size=(side, side),
            what=", ".join(self.tables),
            margin=0.9,
        )
        self.figure_ = self.axes_[0].figure
        self.images_, self.texts_ = {}, {}
        for panel_ax, (name, table) in zip(self.axes_, self.tables.items(), strict=True):
            self.images_[name], self.texts_[name] = draw_heatmap(
                panel_ax, table, form=".2f", low=self.chance, high=1.0
            )
            _frame_diagonal(panel_ax, table)
            panel_ax.set_title(wrapped(name, 30), fontsize="medium")
            panel_ax.set_xlabel("test corpus")
            if is_leftmost(panel_ax):
                panel_ax.set_ylabel("training corpus")
        self.colorbar_ = self.figure_.colorbar(
            next(iter(self.images_.values())),
            ax=self.axes_,
            fraction=0.05,
            extend="min",
            shrink=1 / max(1, -(-len(self.tables) // _PANELS_A_ROW)),
            anchor=(0.0, 1.0),
            aspect=25,
        )
        self.colorbar_.set_label("unweighted average recall", fontsize="small")
        ticks = [tick for tick in (0.2, 0.4, 0.6, 0.8, 1.0) if tick > self.chance + 0.07]
        self.colorbar_.set_ticks([self.chance, *ticks], labels=["chance", *map(str, ticks)])
        fit_cells(self.axes_, list(self.texts_.values()))
        return self


def _recalls(part, labels):
    """Recall by training and test corpus, mean over seeds (each has the same rows)."""
    parts = part.groupby(["train", "corpus"])
    return pd.Series({key: recall_of(rows, labels) for key, rows in parts})


def _frame_diagonal(ax, table):
    """What was trained on other speakers of the test corpus itself is another kind of figure."""
    from matplotlib.patches import Rectangle

    for place in np.flatnonzero(np.isfinite(np.diagonal(table.to_numpy(dtype=float)))):
        corner = (place - 0.47, place - 0.47)
        ax.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor="black", linewidth=1.2))
