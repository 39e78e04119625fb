"""Confusion matrices of one estimator: of all predictions, and corpus by corpus."""

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.inspection._panels import (
    draw_heatmap,
    fit_cells,
    in_rows,
    is_leftmost,
    make_panels,
    wrapped,
)
from sklearn_ser.inspection._selection import predictions_of, result_of_predictions
from sklearn_ser.utils._public import public_module

_POOLED = "all"
_PANELS_A_ROW = 3


@public_module("sklearn_ser.inspection")
class ConfusionDisplay:
    """Confusion matrices of one estimator: a panel of all predictions, and one for each corpus.

    Use :meth:`from_result` or :meth:`from_predictions`. Utterances without a prediction (failed
    audio) stand in a column of their own, ``none``. A class that a corpus does not have is a row of
    hatched cells.

    Parameters
    ----------
    counts : dict of str to DataFrame
        Panel -> truth in rows, prediction in columns.
    name : str
        Of the estimator.
    n_utterances : dict of str to int, optional
        Panel -> utterances in it, where they were counted once for every seed.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
    tables_ : dict of str to DataFrame
        What was drawn: shares of each true class, or counts.
    images_ : dict of str to matplotlib AxesImage
    texts_ : dict of str to ndarray of matplotlib Text
        The numbers in the cells; hidden where they would be too small to read.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : One matrix, of any estimator.

    Examples
    --------
    >>> from sklearn_ser.inspection import ConfusionDisplay
    >>> truth = ["anger", "anger", "sadness", "sadness"]
    >>> display = ConfusionDisplay.from_predictions(truth, ["anger", "sadness", "sadness", None])
    >>> display.tables_["all"]
    y_pred   anger  sadness  none
    y_true
    anger      0.5      0.5   0.0
    sadness    0.0      0.5   0.5
    """

    def __init__(self, counts, name, *, n_utterances=None):
        self.counts = counts
        self.name = name
        self.n_utterances = n_utterances

    @classmethod
    def from_result(
        cls, result, estimator, *, setting=None, by_corpus=False, normalize=True, ax=None
    ):
        """Draw the confusions of one estimator of an evaluation.

        Parameters
        ----------
        result : EvaluationResult
        estimator : str
        setting : {"single", "transductive"}, optional
            By default "transductive" where there is one.
        by_corpus : bool, default=False
            A panel for each test corpus as well.
        normalize, ax
            As in :meth:`plot`.

        Returns
        -------
        ConfusionDisplay

        Raises
        ------
        ValueError
            If the result has no such estimator or setting, or there is another number of Axes.
        """
        part = predictions_of(result, estimator, setting)
        panels = {_POOLED: part}
        if by_corpus:
            panels |= {str(name): rows for name, rows in part.groupby("corpus")}
        counts, n_utterances = {}, {}
        for name, rows in panels.items():
            alone = EvaluationResult(rows, labels=result.labels, protocol=result.protocol)
            counts[name] = alone.confusion(estimator, normalize=False)
            n_utterances[name] = rows["row"].nunique()
        return cls(counts, estimator, n_utterances=n_utterances).plot(normalize=normalize, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        *,
        labels=None,
        corpus=None,
        name="estimator",
        normalize=True,
        ax=None,
    ):
        """Draw the confusions of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
        y_pred : array-like of shape (n_rows,)
            None or NaN where there is no prediction.
        labels : sequence, default=None
            The fixed label set, in the order of rows and columns; by default the sorted `y_true`.
        corpus : array-like of shape (n_rows,), default=None
            Gives a panel for each corpus as well.
        name : str, default="estimator"
        normalize, ax
            As in :meth:`plot`.

        Returns
        -------
        ConfusionDisplay
        """
        result = result_of_predictions(y_true, y_pred, labels=labels, corpus=corpus, name=name)
        return cls.from_result(
            result, name, by_corpus=corpus is not None, normalize=normalize, ax=ax
        )

    def plot(self, *, normalize=True, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        normalize : bool, default=True
            Shares of each true class instead of counts.
        ax : matplotlib Axes, array of Axes or Figure, default=None
            One Axes for each panel, or a figure for all of them.

        Returns
        -------
        ConfusionDisplay
        """
        self.axes_ = make_panels(
            ax,
            in_rows(len(self.counts), _PANELS_A_ROW, ax=ax, size=2.6),
            size=(3.6, 3.6),
            what=", ".join(self.counts),
            margin=0.4,
        )
        self.figure_ = self.axes_[0].figure
        self.tables_, self.images_, self.texts_ = {}, {}, {}
        for panel_ax, (name, counts) in zip(self.axes_, self.counts.items(), strict=True):
            sums = counts.sum(axis=1)
            table = counts.div(sums.where(sums > 0), axis=0) if normalize else counts
            self.tables_[name] = table
            self.images_[name], self.texts_[name] = draw_heatmap(
                panel_ax,
                table,
                form=".2f" if normalize else ".0f",
                low=0,
                high=1 if normalize else max(1, table.to_numpy().max()),
            )
            panel_ax.set_title(self._title(name), fontsize="medium")
            panel_ax.set_xlabel("y_pred")
            if is_leftmost(panel_ax):
                panel_ax.set_ylabel("y_true")
        fit_cells(self.axes_, list(self.texts_.values()))
        return self

    def _title(self, panel):
        lines = [] if len(self.counts) > 1 and panel != _POOLED else [wrapped(self.name, 32)]
        what = [] if len(self.counts) == 1 else ["all corpora" if panel == _POOLED else panel]
        if self.n_utterances is not None:
            what.append(f"{self.n_utterances[panel]} utterances")
        return "\n".join([*lines, *([", ".join(what)] if what else [])])
