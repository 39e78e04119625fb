"""An evaluation as tables, files and plots."""

import json
from pathlib import Path

import numpy as np

from sklearn_ser.evaluation._text_tables import as_markdown, cells_of


class ResultOutputs:
    """Ways out of an :class:`EvaluationResult`."""

    def to_frame(self):
        """A copy of the tidy predictions, from which everything else is derived.

        Returns
        -------
        pandas.DataFrame
        """
        return self.predictions.copy()

    def to_parquet(self, path):
        """Write the tidy predictions to one Parquet file; :meth:`save` keeps all the rest too."""
        self.predictions.to_parquet(path)

    def to_json(self, path=None):
        """Scores, summary, intervals and how it was made as JSON.

        Parameters
        ----------
        path : str or Path, optional
            Written there; by default the text is returned.

        Returns
        -------
        str or None
            A number that is not defined is null.
        """
        content = {
            "protocol": self.protocol,
            "labels": self.labels,
            "info": self.info,
            "summary": _records(self.summary().reset_index()),
            "scores": _records(self.scores()),
            "intervals": _records(self.intervals()),
            "remarks": self.remarks(),
        }
        text = json.dumps(content, indent=2, default=str)
        if path is None:
            return text
        Path(path).write_text(text, encoding="utf-8")
        return None

    def to_markdown(self, metric="uar", digits=3):
        """The summary as a Markdown table; see :meth:`summary` for `metric`."""
        return as_markdown(self.summary(metric).reset_index(), digits)

    def to_latex(self, metric="uar", digits=3):
        """The summary as a LaTeX table (booktabs); see :meth:`summary` for `metric`."""
        table = self.summary(metric).reset_index()
        head, *rows = [[_escaped(cell) for cell in row] for row in cells_of(table, digits)]
        return "\n".join(
            [
                rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
                r"\toprule",
                " & ".join(head) + r" \\",
                r"\midrule",
                *(" & ".join(row) + r" \\" for row in rows),
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )

    def report(self, path, *, baseline=None, audit=None, title=None):
        """Write one self-contained HTML page: protocol, scores, tests, plots, groups, versions.

        Parameters
        ----------
        path : str or Path
        baseline : str, optional
            The estimator that the others are compared with; the first one by default.
        audit : AuditReport, optional
            Of :func:`~sklearn_ser.evaluation.audit_corpus`, whose findings are listed.
        title : str, optional
        """
        from sklearn_ser.evaluation._report import write_report

        write_report(self, path, baseline=baseline, audit=audit, title=title)

    def model_card(self, estimator, path=None, *, baseline=None, audit=None):
        """A model card in Markdown: what the model is for, how it was tested, where it fails.

        After the sections of Mitchell et al., "Model cards for model reporting", FAT* 2019.

        Parameters
        ----------
        estimator : str
            The model's name in this result.
        path : str or Path, optional
            Written there; by default the text is returned.
        baseline : str, optional
            What it is compared with; the first other estimator by default.
        audit : AuditReport, optional

        Returns
        -------
        str or None
        """
        from sklearn_ser.evaluation._model_card import model_card

        text = model_card(self, estimator, baseline=baseline, audit=audit)
        if path is None:
            return text
        Path(path).write_text(text, encoding="utf-8")
        return None

    def plot_scores(self, *, ax=None):
        """Recalls by corpus, with intervals: :class:`~sklearn_ser.inspection.UARDisplay`."""
        from sklearn_ser.inspection import UARDisplay

        return UARDisplay.from_result(self, ax=ax)

    def plot_confusion(self, estimator, *, by_corpus=False, **parameters):
        """:class:`~sklearn_ser.inspection.ConfusionDisplay` of one estimator."""
        from sklearn_ser.inspection import ConfusionDisplay

        return ConfusionDisplay.from_result(self, estimator, by_corpus=by_corpus, **parameters)

    def plot_heatmap(self, estimators=None, **parameters):
        """Training corpora against test corpora, of "pairwise":
        :class:`~sklearn_ser.inspection.CorpusHeatmapDisplay`.
        """
        from sklearn_ser.inspection import CorpusHeatmapDisplay

        return CorpusHeatmapDisplay.from_result(self, estimators, **parameters)

    def plot_groups(self, by="gender", **parameters):
        """Recall of groups and their gaps: :class:`~sklearn_ser.inspection.GroupGapDisplay`."""
        from sklearn_ser.inspection import GroupGapDisplay

        frame = None
        if by not in ("corpus", "speaker"):
            self._column(self.predictions, by)  # (says what there is, where it is unknown)
            frame = self.utterances.reindex(range(int(self.predictions["row"].max()) + 1))
        return GroupGapDisplay.from_result(self, by, frame=frame, **parameters)

    def plot_reliability(self, estimators=None, **parameters):
        """How far probabilities can be believed:
        :class:`~sklearn_ser.inspection.ReliabilityDisplay`.
        """
        from sklearn_ser.inspection import ReliabilityDisplay

        return ReliabilityDisplay.from_result(self, estimators, **parameters)

    def plot_ranks(self, metric="uar", *, setting=None, ax=None):
        """Critical-difference diagram over speakers:
        :class:`~sklearn_ser.inspection.CriticalDifferenceDisplay`.
        """
        from sklearn_ser.inspection import CriticalDifferenceDisplay

        found = self.ranks(metric, setting=setting)
        return CriticalDifferenceDisplay(found.average_ranks, found.cliques).plot(ax=ax)


_LATEX = {mark: f"\\{mark}" for mark in "&%_#${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _records(table):
    table = table.astype(object).replace({np.nan: None})
    return table.to_dict("records")


def _escaped(cell):
    return "".join(_LATEX.get(mark, mark) for mark in cell)
