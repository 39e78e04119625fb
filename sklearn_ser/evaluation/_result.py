"""Result of an evaluation: one tidy table of predictions, and everything derived from it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
import pandas as pd

from sklearn_ser import inspection  # (its plots are loaded on first use)
from sklearn_ser.evaluation._predictions_table import (
    FORMAT,
    MEAN,
    SINGLE,
    TRANSDUCTIVE,
    as_labels,
    probability_columns,
)
from sklearn_ser.evaluation._report import as_latex, as_markdown, write_model_card, write_report
from sklearn_ser.exceptions import MetadataError, SerError
from sklearn_ser.metrics import (
    cluster_interval,
    critical_difference,
    expected_calibration_error,
    group_scores,
    holm,
    macro_auc_score,
    multiclass_brier_score,
)
from sklearn_ser.metrics._class_scores import score_groups
from sklearn_ser.metrics._intervals import MIN_CLUSTERS
from sklearn_ser.metrics._significance import paired_tests
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._files import replace_files
from sklearn_ser.utils._printable import encodable, printable, printable_name
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sklearn_ser.metrics import CriticalDifference


class HasFindings(Protocol):
    """Report of an audit, in a folder that is imported after this one."""

    @property
    def findings(self) -> pd.DataFrame: ...


_PREDICTIONS = "predictions.parquet"
_UTTERANCES = "utterances.parquet"
_DETAILS = "result.json"
#: Attributes of EvaluationResult that are saved in `_DETAILS`, with their columns.
_TABLES = {
    "dropped": ["corpus", "label", "reason", "rows"],
    "notes": ["estimator", "note", "fits"],
    "failures": ["row", "file", "reason"],
    "best_params": ["estimator", "seed", "fold", "parameter", "value"],
}
#: Number of failed utterances that remarks list one by one.
_MAX_SHOWN = 10
_CLASS_METRICS = ("uar", "war", "macro_f1")
_PROBABILITY_METRICS: dict[str, Callable] = {
    "auc": macro_auc_score,
    "ece": expected_calibration_error,
    "brier": multiclass_brier_score,
}
_METRICS = (*_CLASS_METRICS, *_PROBABILITY_METRICS)

Setting = Literal["single", "transductive"]
ClassMetric = Literal["uar", "war", "macro_f1"]
Metric = Literal["uar", "war", "macro_f1", "auc", "ece", "brier"]


_PARAMETERS = {
    "any_metric": """
        metric : {"uar", "war", "macro_f1", "auc", "ece", "brier"}, default="uar"
            Metric, as in :meth:`scores`.""",
    "class_metric": """
        metric : {"uar", "war", "macro_f1"}, default="uar"
            Metric of the predicted classes, as in :meth:`scores`.""",
    "setting": """
        setting : {"single", "transductive"}, optional
            By default "transductive" for estimators that have it.""",
    "digits": """
        digits : int, default=3
            Number of decimals.""",
}


@public_module("sklearn_ser.evaluation")
@substitute_docstring(**_PARAMETERS)
class EvaluationResult:
    """Predictions of every estimator, seed and fold, and the scores derived from them.

    Returned by :func:`cross_corpus_validate`.

    Parameters
    ----------
    predictions : pandas.DataFrame
        One row per utterance, estimator, seed and setting: `estimator`, `setting`, `seed`, `fold`,
        `train` (training corpora), `row` (position in the evaluated frame), `corpus`, `speaker`,
        `y_true`, `y_pred`, `failed` (its audio could not be used: counted as a miss) and one
        probability column ``p_<label>`` per label (NaN if the estimator gives none).
    labels : list
        The fixed label set.
    protocol : str
        Name of the protocol.
    dropped : pandas.DataFrame, optional
        Numbers of rows that are not tested, by corpus, label and reason.
    notes : pandas.DataFrame, optional
        Warnings raised in the folds: estimator, note and number of fits.
    failures : pandas.DataFrame, optional
        Utterances whose audio could not be used: row, file and reason.
    utterances : pandas.DataFrame, optional
        Further columns of the evaluated utterances (file, gender, language, ...), by `row`.
    best_params : pandas.DataFrame, optional
        Parameters chosen by searches: estimator, seed, fold, parameter and value (as text).
    info : dict, optional
        Provenance: reprs of the estimators, versions, seconds.

    Notes
    -----
    `setting` is ``"single"`` if each utterance was predicted on its own, and ``"transductive"`` if
    unlabeled utterances of the test corpus were used: their statistics for scaling, or the
    utterances themselves in training (``unlabeled_test="train"``). An estimator that scales by
    test groups has both settings; one that was trained on the utterances under test has
    "transductive" only.
    """

    def __init__(
        self,
        predictions: pd.DataFrame,
        *,
        labels: Sequence,
        protocol: str,
        dropped: pd.DataFrame | None = None,
        notes: pd.DataFrame | None = None,
        failures: pd.DataFrame | None = None,
        utterances: pd.DataFrame | None = None,
        best_params: pd.DataFrame | None = None,
        info: dict | None = None,
    ):
        self.predictions = predictions
        self.labels = list(labels)
        self.protocol = protocol
        self.dropped = _as_table(dropped, "dropped")
        self.notes = _as_table(notes, "notes")
        self.failures = _as_table(failures, "failures")
        self.best_params = _as_table(best_params, "best_params")
        self.utterances = pd.DataFrame() if utterances is None else utterances
        self.info = dict(info or {})

    @property
    def estimators(self) -> list[str]:
        """Names of the estimators, in the order of the evaluation."""
        return list(self.predictions["estimator"].unique())

    def scores(self) -> pd.DataFrame:
        """Compute all metrics per estimator, setting, seed and test corpus.

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, seed, train, corpus, uar, war, macro_f1, auc, ece, brier,
            utterances, failed, speakers; the predictions of all folds of a corpus are pooled.
            `train` is empty unless the protocol is "pairwise". `uar` is the unweighted average
            recall, `war` the accuracy, `macro_f1` the mean F1 of the classes; utterances with
            failed audio are misses in these. `auc` (one class against the rest, mean), `ece`
            (expected calibration error, lower is better) and `brier` (lower is better) are
            computed from probabilities: failed utterances are left out, and they are NaN for an
            estimator without probabilities.
        """
        return self._scores_of(_METRICS)

    def summary(self, metric: Metric = "uar") -> pd.DataFrame:
        """Tabulate a metric: one row per estimator and setting, one column per test corpus.

        Parameters
        ----------
        %(any_metric)s

        Returns
        -------
        pandas.DataFrame
            Means over seeds. The last columns are `mean`, over the corpora (equal weights), and
            `pooled`, the score of all test predictions together (each utterance has the same
            weight; if class frequencies differ by corpus, chance can exceed 1 / number of
            classes).
        """
        if metric not in _METRICS:
            raise ValueError(f"metric must be one of {', '.join(_METRICS)}, got {metric!r}")
        scores = self._scores_of([metric])
        tested = scores["corpus"].where(
            scores["train"] == "", scores["train"] + " -> " + scores["corpus"]
        )
        index = ["estimator", "setting"]
        table = scores.assign(tested=tested).pivot_table(
            index=index, columns="tested", values=metric, aggfunc="mean", sort=False, dropna=False
        )
        # pivot_table has a row for every pair of estimator and setting, also without scores.
        table = table.loc[list(dict.fromkeys(scores[index].itertuples(index=False, name=None)))]
        table = table[sorted(table.columns)]
        table.columns.name = None
        table["mean"] = table.mean(axis=1, skipna=False)
        pooled = self._scores_of([metric], [*index, "seed"]).groupby(index, sort=False)[metric]
        table["pooled"] = pooled.mean().reindex(table.index)
        return table

    def remarks(self) -> list[str]:
        """List what qualifies the scores: rows left out, failed audio, warnings.

        Returns
        -------
        list of str
            One line per remark.
        """
        lines = []
        if len(self.dropped):
            parts = [
                f"{r.rows} {r.label or r.reason} of {r.corpus}" for r in self.dropped.itertuples()
            ]
            verb = "not tested" if self.info.get("unlabeled") else "left out"
            lines.append(
                f"{verb}, {self.dropped['rows'].sum()} rows outside the label set: "
                f"{', '.join(parts)}"
            )
        with_test = self.info.get("unlabeled_test") == "train"
        source = "those under test among them" if with_test else "none of a speaker under test"
        for name, (least, greatest) in self.info.get("unlabeled", {}).items():
            n_samples = greatest if least == greatest else f"{least} to {greatest}"
            lines.append(f"{name} was also trained on {n_samples} unlabeled samples, {source}")
        missed = self.predictions.loc[self.predictions["failed"], "row"].unique()
        if len(missed):
            lines.append(f"{len(missed)} utterances without usable audio, counted as misses")
            known = self.failures[self.failures["row"].isin(missed)]
            shown = known.head(_MAX_SHOWN)
            lines += [
                f"  {printable_name(r.file) if r.file else f'row {r.row}'}: {r.reason}"
                for r in shown.itertuples()
            ]
            if len(known) > len(shown):
                lines.append(f"  and {len(known) - len(shown)} more, in `failures`")
        for estimator, part in self.predictions.groupby("estimator", sort=False):
            try:
                self._score_probabilities(part, "ece")
            except ValueError as error:
                lines.append(f"no calibration error for {estimator}: {error}")
        lines += [f"note ({r.estimator}, {r.fits} fits): {r.note}" for r in self.notes.itertuples()]
        return lines

    def confusion(
        self, estimator: str, *, setting: Setting | None = None, normalize: bool = True
    ) -> pd.DataFrame:
        """Compute the confusion matrix of one estimator, pooled over corpora, folds and seeds.

        Parameters
        ----------
        estimator : str
            Name of the estimator.
        setting : {"single", "transductive"}, optional
            By default "transductive" if there is one.
        normalize : bool, default=True
            Whether to divide the counts by the size of each true class.

        Returns
        -------
        pandas.DataFrame
            True labels in rows, predictions in columns; a last column ``none`` (``no prediction``
            if a label has that name) counts utterances without a prediction, if there are any.
        """
        part = self._of(estimator, setting)
        none = "none" if "none" not in self.labels else "no prediction"
        has = part["y_pred"].notna()
        predicted = part["y_pred"].where(has, none)
        columns = self.labels + ([] if has.all() else [none])
        counts = pd.crosstab(part["y_true"], predicted).reindex(
            index=self.labels, columns=columns, fill_value=0
        )
        counts.index.name, counts.columns.name = "y_true", "y_pred"
        return counts.div(counts.sum(axis=1), axis=0) if normalize else counts

    def intervals(
        self,
        metric: ClassMetric = "uar",
        *,
        method: str = "t",
        confidence: float = 0.95,
        min_clusters: int = MIN_CLUSTERS,
    ) -> pd.DataFrame:
        """Compute confidence intervals of each estimator on each test corpus and of their mean.

        Parameters
        ----------
        %(class_metric)s
        method, confidence, min_clusters : object
            As in :func:`~sklearn_ser.metrics.cluster_interval`: speakers are the clusters, seeds
            are averaged within each, and there is no interval below `min_clusters` speakers.

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, corpus (last "mean", with equal weights), estimate, low,
            high, speakers, note (why there is no interval, or ""). The intervals account for the
            choice of speakers from these corpora, not for the choice of corpora.
        """
        _check_metric(metric)
        records = []
        for (estimator, setting), part in self.predictions.groupby(
            ["estimator", "setting"], sort=False
        ):
            items, y_pred = _items(part)
            for tested, rows in _by_tested_corpus(items):
                piece = items.iloc[rows]
                strata = piece["tested"] if tested == MEAN else None
                interval = cluster_interval(
                    piece["y_true"],
                    y_pred[rows],
                    piece["speaker"],
                    metric=metric,
                    method=method,
                    confidence=confidence,
                    strata=strata,
                    labels=self.labels,
                    min_clusters=min_clusters,
                )
                bounds = interval.estimate, interval.low, interval.high
                records.append(
                    (estimator, setting, tested, *bounds, interval.n_clusters, interval.note)
                )
        return pd.DataFrame(records, columns=_INTERVALS)

    def compare(
        self,
        baseline: str | None = None,
        *,
        metric: ClassMetric = "uar",
        method: Literal["sign-flip", "wilcoxon", "t", "mcnemar"] = "sign-flip",
        setting: Setting | None = None,
        by_corpus: bool = False,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Test differences between estimators on the same utterances, paired by speaker.

        Parameters
        ----------
        baseline : str, optional
            Estimator that every other one is compared with; by default every pair is compared.
        %(class_metric)s
        method : {"sign-flip", "wilcoxon", "t", "mcnemar"}, default="sign-flip"
            Method of :func:`~sklearn_ser.metrics.paired_test`. "mcnemar" uses the first seed only.
        %(setting)s
        by_corpus : bool, default=False
            Whether to add rows for each test corpus to those for the mean over the corpora.
        confidence : float, default=0.95
            Confidence level of the intervals.

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, baseline, baseline_setting, corpus, difference (estimator
            minus baseline), low, high, p, p_holm (corrected for all rows of the table), smallest_p
            (least p that this number of speakers can reach), speakers, and corpora_better: in how
            many of the test corpora (with "pairwise": pairs of training and test corpora) the
            estimator is better. If only one of the two has the setting, the column of the other
            one holds its own. p accounts for the choice of speakers from these corpora, not for
            the choice of corpora, for which `corpora_better` is an indication.
        """
        _check_metric(metric)
        parts = self._parts(setting)
        settings = {name: part["setting"].iloc[0] for name, part in parts.items()}
        if baseline is not None and baseline not in parts:
            self._of(baseline, None)  # raises
        if baseline is None:
            pairs = [(name, against) for against, name in combinations(parts, 2)]
        else:
            pairs = [(name, baseline) for name in parts if name != baseline]
        tests = self._paired_tests(parts, pairs, metric, method, confidence)
        rows = []
        for name, against in pairs:
            by_tested = tests[name, against]
            own = [test.difference for tested, test in by_tested.items() if tested != MEAN]
            shown = {k: v for k, v in by_tested.items() if by_corpus or k == MEAN} or by_tested
            for tested, test in shown.items():
                rows.append(
                    (
                        *(name, settings[name], against, settings[against], tested),
                        *(test.difference, test.low, test.high, test.p_value, np.nan),
                        *(test.smallest_p, test.n_clusters),
                        f"{sum(value > 0 for value in own)} of {len(own)}",
                    )
                )
        table = pd.DataFrame(rows, columns=_COMPARED)
        return table.assign(p_holm=holm(table["p"].astype(float)))

    def ranks(
        self, metric: ClassMetric = "uar", *, setting: Setting | None = None, **parameters: Any
    ) -> CriticalDifference:
        """Compute average ranks of the estimators over speakers, with critical differences.

        Parameters
        ----------
        %(class_metric)s
        %(setting)s
        **parameters
            Parameters of :func:`~sklearn_ser.metrics.critical_difference`.

        Returns
        -------
        CriticalDifference
            Ranks, p-values and groups of estimators.
        """
        _check_metric(metric)
        columns = {}
        for name, part in self._parts(setting).items():
            items, y_pred = _items(part)
            # One block per speaker, however many training corpora there are.
            blocks = items["y_true"], y_pred, items["speaker"]
            columns[name] = cluster_interval(*blocks, metric=metric, min_clusters=2).values
        # A speaker without a score (too few classes) is not a block.
        return critical_difference(pd.DataFrame(columns).dropna(), **parameters)

    def by(
        self,
        column: str,
        *,
        metric: str | Callable = "uar",
        setting: Setting | None = None,
    ) -> pd.DataFrame:
        """Compute scores of groups of utterances: by gender, speaker, language, corpus, fold.

        Parameters
        ----------
        column : str
            Column of `predictions` or `utterances`.
        metric : str or callable, default="uar"
            Metric of class predictions, as in :func:`~sklearn_ser.metrics.group_scores`.
        %(setting)s

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, group (named like the column), score, utterances, gap
            (difference to the best group of the estimator). Means over seeds. "uar" is NaN for a
            group that lacks a class of the label set: a mean over the other classes would not be
            comparable. Utterances without a group are left out.
        """
        tables = []
        for name, part in self._parts(setting).items():
            items, y_pred = _items(part)
            scores = group_scores(
                items["y_true"],
                y_pred,
                self._column(part, column)[items["position"]],
                metric=metric,
                labels=self.labels,
            )
            table = scores.rename(columns={"n": "utterances"}).rename_axis(column).reset_index()
            table.insert(0, "estimator", name)
            table.insert(1, "setting", part["setting"].iloc[0])
            tables.append(table.assign(gap=table["score"].max() - table["score"]))
        return pd.concat(tables, ignore_index=True)

    def save(self, folder: str | Path) -> None:
        """Write the result to a folder, from which :meth:`load` reads it.

        Parameters
        ----------
        folder : str or Path
            Folder to write to, which is created if it is absent.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tables = {
            folder / _PREDICTIONS: self.predictions.to_parquet(),
            folder / _UTTERANCES: self.utterances.to_parquet(),
        }
        details = {
            "format": FORMAT,
            "sha256": {file.name: _digest(content) for file, content in tables.items()},
            "labels": self.labels,
            "protocol": self.protocol,
            "info": self.info,
            **{name: getattr(self, name).to_dict("list") for name in _TABLES},
        }
        text = json.dumps(details, indent=2)
        contents = {**tables, folder / _DETAILS: text.encode()}
        replace_files({file: [content] for file, content in contents.items()})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a result that :meth:`save` wrote.

        Parameters
        ----------
        folder : str or Path

        Returns
        -------
        EvaluationResult

        Raises
        ------
        SerError
            If there is no result in the folder, one of another version of the format, or one whose
            files are damaged or belong to several results.
        """
        folder = Path(folder)
        if not (folder / _DETAILS).is_file():
            raise SerError(f"{str(folder)!r} holds no evaluation: {_DETAILS} does not exist")
        try:
            details = json.loads((folder / _DETAILS).read_bytes())
            version = details.get("format", 1)
        except (ValueError, AttributeError):
            raise _damaged(folder, _DETAILS) from None
        if version != FORMAT:
            raise SerError(
                f"{str(folder)!r} holds an evaluation in format {version}, and this version of "
                f"sklearn-ser reads format {FORMAT}: run the evaluation again, or read it with the "
                "version that wrote it"
            )
        if not _are_details(details):
            raise _damaged(folder, _DETAILS)
        tables = {}
        for name in (_PREDICTIONS, _UTTERANCES):
            content = (folder / name).read_bytes() if (folder / name).is_file() else b""
            if _digest(content) != details["sha256"].get(name):
                raise _damaged(folder, name)
            tables[name] = pd.read_parquet(io.BytesIO(content))
        predictions = tables[_PREDICTIONS]
        for name in ("y_true", "y_pred"):
            predictions[name] = as_labels(predictions[name], details["labels"])
        try:
            further = {name: pd.DataFrame(details[name]) for name in _TABLES}
        except ValueError:  # columns of several lengths
            raise _damaged(folder, _DETAILS) from None
        return cls(
            predictions,
            labels=details["labels"],
            protocol=details["protocol"],
            utterances=tables[_UTTERANCES],
            info=details["info"],
            **further,
        )

    def to_json(self, path: str | Path | None = None) -> str | None:
        """Write scores, summary, intervals and provenance as JSON.

        Parameters
        ----------
        path : str or Path, optional
            File to write to; by default the text is returned.

        Returns
        -------
        str or None
            Undefined numbers are null.
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
        return _write_or_return(json.dumps(content, indent=2, default=str), path)

    def to_markdown(self, metric: Metric = "uar", digits: int = 3) -> str:
        """Return the summary as a Markdown table.

        Parameters
        ----------
        %(any_metric)s
        %(digits)s

        Returns
        -------
        str
            Text of the table.
        """
        return as_markdown(self.summary(metric).reset_index(), digits)

    def to_latex(self, metric: Metric = "uar", digits: int = 3) -> str:
        """Return the summary as a LaTeX table (booktabs).

        Parameters
        ----------
        %(any_metric)s
        %(digits)s

        Returns
        -------
        str
            Text of the table.
        """
        return as_latex(self.summary(metric).reset_index(), digits)

    def report(
        self,
        path: str | Path,
        *,
        baseline: str | None = None,
        audit: HasFindings | None = None,
        title: str | None = None,
    ) -> None:
        """Write one self-contained HTML page: protocol, scores, tests, plots, groups, versions.

        Parameters
        ----------
        path : str or Path
            File to write to.
        baseline : str, optional
            Estimator that the others are compared with; the first one by default.
        audit : AuditReport, optional
            Result of :func:`~sklearn_ser.audit.audit_corpus`, whose findings are listed.
        title : str, optional
            Title of the page.
        """
        write_report(self, path, baseline=baseline, audit=audit, title=title)

    def model_card(
        self,
        estimator: str,
        path: str | Path | None = None,
        *,
        baseline: str | None = None,
        audit: HasFindings | None = None,
    ) -> str | None:
        """Write a model card in Markdown: intended use, evaluation, limits.

        Its sections follow Mitchell et al., "Model cards for model reporting", FAT* 2019.

        Parameters
        ----------
        estimator : str
            Name of the model in this result.
        path : str or Path, optional
            File to write to; by default the text is returned.
        baseline : str, optional
            Estimator that it is compared with; the first other one by default.
        audit : AuditReport, optional
            Result of :func:`~sklearn_ser.audit.audit_corpus`.

        Returns
        -------
        str or None
            Text of the card, or None if it is written to a file.
        """
        card = write_model_card(self, estimator, baseline=baseline, audit=audit)
        return _write_or_return(card, path)

    def plot_scores(self, *, ax: Axes | None = None) -> inspection.UARDisplay:
        """Plot recalls by corpus with intervals: :class:`~sklearn_ser.inspection.UARDisplay`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw in; by default those of a new figure.

        Returns
        -------
        UARDisplay
            The display, drawn.
        """
        return inspection.UARDisplay.from_result(self, ax=ax)

    def plot_confusion(
        self, estimator: str, *, by_corpus: bool = False, **parameters: Any
    ) -> inspection.ConfusionDisplay:
        """Plot the confusions of one estimator:
        :class:`~sklearn_ser.inspection.ConfusionDisplay`.

        Parameters
        ----------
        estimator : str
            Name of the estimator.
        by_corpus : bool, default=False
            Whether to draw one matrix per corpus.
        **parameters
            Parameters of `from_result` of the display.

        Returns
        -------
        ConfusionDisplay
            The display, drawn.
        """
        return inspection.ConfusionDisplay.from_result(
            self, estimator, by_corpus=by_corpus, **parameters
        )

    def plot_heatmap(
        self, estimators: str | Sequence[str] | None = None, **parameters: Any
    ) -> inspection.CorpusHeatmapDisplay:
        """Plot training corpora against test corpora ("pairwise"):
        :class:`~sklearn_ser.inspection.CorpusHeatmapDisplay`.

        Parameters
        ----------
        estimators : str or list of str, optional
            Estimators that are shown; by default all of them.
        **parameters
            Parameters of `from_result` of the display.

        Returns
        -------
        CorpusHeatmapDisplay
            The display, drawn.
        """
        return inspection.CorpusHeatmapDisplay.from_result(self, estimators, **parameters)

    def plot_groups(self, by: str = "gender", **parameters: Any) -> inspection.GroupGapDisplay:
        """Plot recalls of groups and their gaps:
        :class:`~sklearn_ser.inspection.GroupGapDisplay`.

        Parameters
        ----------
        by : str, default="gender"
            Column of `predictions` or `utterances` with the groups.
        **parameters
            Parameters of `from_result` of the display.

        Returns
        -------
        GroupGapDisplay
            The display, drawn.
        """
        frame = None
        if by not in ("corpus", "speaker"):
            self._column(self.predictions, by)  # (raises if it is unknown)
            frame = self.utterances.reindex(range(int(self.predictions["row"].max()) + 1))
        return inspection.GroupGapDisplay.from_result(self, by, frame=frame, **parameters)

    def plot_reliability(
        self, estimators: str | Sequence[str] | None = None, **parameters: Any
    ) -> inspection.ReliabilityDisplay:
        """Plot the calibration of probabilities:
        :class:`~sklearn_ser.inspection.ReliabilityDisplay`.

        Parameters
        ----------
        estimators : str or list of str, optional
            Estimators that are shown; by default all of them.
        **parameters
            Parameters of `from_result` of the display.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.
        """
        return inspection.ReliabilityDisplay.from_result(self, estimators, **parameters)

    def plot_ranks(
        self,
        metric: ClassMetric = "uar",
        *,
        setting: Setting | None = None,
        ax: Axes | None = None,
    ) -> inspection.CriticalDifferenceDisplay:
        """Plot a critical-difference diagram over speakers:
        :class:`~sklearn_ser.inspection.CriticalDifferenceDisplay`.

        Parameters
        ----------
        %(class_metric)s
        %(setting)s
        ax : matplotlib.axes.Axes, optional
            Axes to draw in; by default those of a new figure.

        Returns
        -------
        CriticalDifferenceDisplay
            The display, drawn.
        """
        ranks = self.ranks(metric, setting=setting)
        return inspection.CriticalDifferenceDisplay(ranks.average_ranks, ranks.cliques).plot(ax=ax)

    def __repr__(self) -> str:
        seeds = self.predictions["seed"].nunique()
        head = (
            f"EvaluationResult: {self.protocol}, unweighted average recall over "
            f"{len(self.labels)} emotions ({', '.join(map(str, self.labels))}), {seeds} seed(s)"
        )
        return printable("\n".join([head, self.summary().round(3).to_string(), *self.remarks()]))

    def _repr_html_(self) -> str:
        return self.summary().to_html(float_format="{:.3f}".format)

    def _of(self, estimator, setting):
        """Select the predictions of one estimator in one setting, "transductive" by default."""
        part = self.predictions[self.predictions["estimator"] == estimator]
        if part.empty:
            raise ValueError(f"no estimator {estimator!r} in this result: it has {self.estimators}")
        settings = list(part["setting"].unique())
        setting = setting or _chosen_setting(settings)
        if setting not in settings:
            raise ValueError(f"{estimator!r} has the settings {settings}, not {setting!r}")
        return part[part["setting"] == setting]

    def _scores_of(self, metrics, keys=("estimator", "setting", "seed", "train", "corpus")):
        """Compute metrics by `keys`; `train` is one of them only if it distinguishes scores."""
        used = [name for name in keys if name != "train" or self.protocol == "pairwise"]
        groups = self.predictions.groupby(used, sort=False)
        table = pd.DataFrame({"utterances": groups.size()}).reset_index()
        columns = {name: table[name] if name in used else "" for name in keys}
        codes, n = groups.ngroup().to_numpy(), len(table)
        y_true, y_pred = (self.predictions[name].to_numpy() for name in ("y_true", "y_pred"))
        for name in metrics:
            columns[name] = (
                score_groups(name, y_true, y_pred, self.labels, codes, n)
                if name in _CLASS_METRICS
                else [self._probability_score(part, name) for _, part in groups]
            )
        columns |= {
            "utterances": table["utterances"],
            "failed": groups["failed"].sum().to_numpy(dtype=int),
            "speakers": groups["speaker"].nunique().to_numpy(),
        }
        return pd.DataFrame(columns)

    def _probability_score(self, part, metric):
        try:
            return self._score_probabilities(part, metric)
        except ValueError:  # (reported in remarks(); the other scores are valid)
            return float("nan")

    def _score_probabilities(self, part, metric):
        """Compute a metric of probabilities; raise ValueError if they are not probabilities."""
        columns = probability_columns(self.labels)
        if not set(columns) <= set(part.columns):
            return float("nan")
        known = part[part[columns].notna().all(axis=1)]
        if known.empty:
            return float("nan")
        return _PROBABILITY_METRICS[metric](known["y_true"], known[columns], labels=self.labels)

    def _paired_tests(self, parts, pairs, metric, method, confidence):
        """Test pairs of estimators; return a dict of pair to a dict of tested corpus to test."""
        names = list(dict.fromkeys(name for pair in pairs for name in pair))
        items = {name: _items(parts[name]) for name in names}
        tests: dict = {pair: {} for pair in pairs}
        for first, second in pairs:
            _check_same_utterances(first, second, items[first][0], items[second][0])
        if not pairs:
            return tests
        table = items[names[0]][0]
        n_seeds = 1 if method == "mcnemar" else None  # (one prediction per utterance)
        for tested, rows in _by_tested_corpus(table):
            piece = table.iloc[rows]
            found = paired_tests(
                piece["y_true"],
                [items[name][1][rows, :n_seeds] for name in names],
                piece["speaker"],
                [(names.index(first), names.index(second)) for first, second in pairs],
                method=method,
                metric=metric,
                strata=piece["tested"] if tested == MEAN else None,
                labels=self.labels,
                confidence=confidence,
            )
            for pair, test in zip(pairs, found, strict=True):
                tests[pair][tested] = test
        return tests

    def _parts(self, setting):
        """Select the predictions of each estimator, in its default setting if it lacks this one."""
        if setting not in (None, SINGLE, TRANSDUCTIVE):
            raise ValueError(f"setting must be {SINGLE!r} or {TRANSDUCTIVE!r}, got {setting!r}")
        rows: dict[str, dict[str, np.ndarray]] = {}
        found = self.predictions.groupby(["estimator", "setting"], sort=False).indices
        for (name, own), positions in found.items():
            rows.setdefault(name, {})[own] = positions
        return {
            name: self.predictions.iloc[rows[name][_chosen_setting(rows[name], setting)]]
            for name in self.estimators
        }

    def _column(self, part, column):
        if column in part:
            return part[column].to_numpy(dtype=object)
        if column in self.utterances:
            return self.utterances[column].reindex(part["row"]).to_numpy(dtype=object)
        raise MetadataError(
            f"there is no column {column!r} to group by: predictions have "
            f"{list(part.columns[:11])}, and utterances have {list(self.utterances.columns)}. An "
            "evaluation copies the columns gender, language, naturalness, text, recording and file "
            "of its frame."
        )


def _chosen_setting(settings, setting=None):
    """Return `setting` if it is one of `settings`, else "transductive", else the first one."""
    return next(name for name in (setting, TRANSDUCTIVE, *settings) if name in settings)


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _are_details(details):
    """Return whether the fields of `_DETAILS` have the types that `save` gives them."""
    tables = [details.get(name) for name in _TABLES]
    if not all(isinstance(value, dict) for value in (details.get("sha256"), *tables)):
        return False
    return (
        isinstance(details.get("labels"), list)
        and all(isinstance(label, str | int | float) for label in details["labels"])
        and isinstance(details.get("protocol"), str)
        and isinstance(details.get("info"), dict)
        and all(
            {*columns} <= {*table} for columns, table in zip(_TABLES.values(), tables, strict=True)
        )
        and all(isinstance(column, list) for table in tables for column in table.values())
    )


def _damaged(folder, name):
    return SerError(
        f"the evaluation in {str(folder)!r} cannot be read: {name} is missing, damaged or that of "
        "another evaluation. Run the evaluation again with this folder as `out`: finished folds "
        "are loaded"
    )


def _write_or_return(text, path):
    if path is None:
        return text
    Path(path).write_text(encodable(text), encoding="utf-8")
    return None


def _records(table):
    table = table.astype(object).replace({np.nan: None})
    return table.to_dict("records")


def _as_table(table, name):
    """Return a table of objects with None where values are missing, unlike NaN valid in JSON."""
    table = pd.DataFrame(columns=_TABLES[name]) if table is None else table.astype(object)
    return table.where(table.notna(), None)


_INTERVALS = ["estimator", "setting", "corpus", "estimate", "low", "high", "speakers", "note"]
_COMPARED = [
    *("estimator", "setting", "baseline", "baseline_setting", "corpus", "difference"),
    *("low", "high", "p", "p_holm", "smallest_p", "speakers", "corpora_better"),
]


def _check_metric(metric):
    """Check for metrics that intervals and tests support: they need classes."""
    if metric not in _CLASS_METRICS:
        raise ValueError(f"metric must be one of {', '.join(_CLASS_METRICS)}, got {metric!r}")


def _items(part):
    """Return a table of one row per utterance and training corpora, and y_pred by seed.

    `position` in the table is that of the first seed in `part`.
    """
    # (`train` distinguishes rows in "pairwise" only; elsewhere it follows from the fold)
    seeds = np.unique(part["seed"], return_inverse=True)[1]
    trains = pd.factorize(part["train"], sort=True)[0]
    order = np.lexsort((trains, part["row"], seeds))
    n_seeds, n = seeds.max() + 1, len(part)
    utterances = np.column_stack([part["row"], trains])[order]
    by_seed = np.split(utterances, np.flatnonzero(np.diff(seeds[order])) + 1)
    if not all(np.array_equal(one, by_seed[0]) for one in by_seed):
        # (an utterance without prediction would count as a miss)
        raise MetadataError(
            f"{part['estimator'].iloc[0]!r} was not tested on the same utterances with each of "
            f"its {n_seeds} seeds: {n} predictions of {len(np.unique(utterances, axis=0))} "
            f"utterances."
        )
    order = order.reshape(n_seeds, -1)
    items = part[["row", "train", "corpus", "speaker", "y_true"]].iloc[order[0]]
    items = items.reset_index(drop=True).assign(position=order[0])
    tested = items["corpus"].astype(str)
    if items["row"].duplicated().any():  # tested after training on different corpora
        tested = items["train"].astype(str) + " -> " + tested
    return items.assign(tested=tested), part["y_pred"].to_numpy(dtype=object)[order].T


def _check_same_utterances(name, other, items, others):
    keys = ["row", "train", "corpus", "speaker", "y_true"]
    if not items[keys].equals(others[keys]):
        raise MetadataError(
            f"{name!r} and {other!r} were not tested on the same utterances: {len(items)} and "
            f"{len(others)} of them."
        )


def _by_tested_corpus(items):
    """List each tested corpus with its rows, and "mean" with all rows if there are several."""
    pieces = sorted(items.groupby("tested").indices.items())
    return [*pieces, (MEAN, np.arange(len(items)))] if len(pieces) > 1 else pieces
