"""Confusion matrix of one estimator of an evaluation."""

from sklearn.metrics import ConfusionMatrixDisplay


class ConfusionDisplay(ConfusionMatrixDisplay):
    """scikit-learn's confusion matrix plot, made from an evaluation's pooled predictions.

    Use :meth:`from_result`. Utterances whose audio failed stand in a column of their own, ``none``.
    """

    @classmethod
    def from_result(cls, result, estimator, *, setting=None, normalise=True, ax=None):
        """Draw the pooled confusion matrix of one estimator.

        Parameters
        ----------
        result : EvaluationResult
        estimator : str
        setting : {"single", "transductive"}, optional
            By default "transductive" where there is one.
        normalise : bool, default=True
            Shares of each true class instead of counts.
        ax : matplotlib Axes, optional

        Returns
        -------
        ConfusionDisplay
        """
        table = result.confusion(estimator, setting=setting, normalise=normalise)
        square = table.reindex(index=table.columns, fill_value=0)
        display = cls(square.to_numpy(), display_labels=list(table.columns))
        display.plot(ax=ax, values_format=".2f" if normalise else "d", colorbar=False, cmap="Blues")
        display.ax_.set_title(estimator)
        return display
