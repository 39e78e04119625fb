"""What an evaluation found: one tidy table of predictions, and everything derived from it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._fold import probability_columns
from sklearn_ser.evaluation._result_statistics import ResultStatistics
from sklearn_ser.evaluation._tables import as_labels
from sklearn_ser.evaluation._text_tables import as_markdown, cells_of
from sklearn_ser.exceptions import SerError
from sklearn_ser.metrics import (
    expected_calibration_error,
    macro_auc_score,
    macro_f1_score,
    multiclass_brier_score,
    uar_score,
    war_score,
)
from sklearn_ser.utils._public import public_module


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


_PREDICTIONS = "predictions.parquet"
_UTTERANCES = "utterances.parquet"
_DETAILS = "result.json"
#: Failed utterances that remarks list one by one.
_MOST_SHOWN = 10
_OF_CLASSES = {"uar": uar_score, "war": war_score, "macro_f1": macro_f1_score}
_OF_PROBABILITIES = {
    "auc": macro_auc_score,
    "ece": expected_calibration_error,
    "brier": multiclass_brier_score,
}
_METRICS = (*_OF_CLASSES, *_OF_PROBABILITIES)


@public_module("sklearn_ser.evaluation")
class EvaluationResult(ResultStatistics, ResultOutputs):
    """Predictions of every estimator, seed and fold, and the scores that follow from them.

    Made by :func:`cross_corpus_validate`.

    Parameters
    ----------
    predictions : pandas.DataFrame
        One row per utterance, estimator, seed and setting: `estimator`, `setting`, `seed`, `fold`,
        `train` (training corpora), `row` (position in the evaluated frame), `corpus`, `speaker`,
        `y_true`, `y_pred`, `failed` (its audio could not be used: counted as a miss) and one
        probability column ``p_<label>`` per label (NaN where the estimator gives none).
    labels : list
        The fixed label set.
    protocol : str
    dropped : pandas.DataFrame, optional
        Rows that are not tested, by corpus, label and reason.
    notes : pandas.DataFrame, optional
        What was warned about while the folds ran: estimator, note and number of fits.
    failures : pandas.DataFrame, optional
        Utterances whose audio could not be used: row, file and reason.
    utterances : pandas.DataFrame, optional
        What is known of the evaluated utterances beside the predictions (file, gender, language,
        ...), by `row`.
    info : dict, optional
        How it was made: estimators in words, versions, seconds.

    Notes
    -----
    `setting` is ``"single"`` where each utterance was predicted as if it had come alone, and
    ``"transductive"`` where the test corpus's own unlabeled statistics were used. An estimator
    that scales by test groups has both.
    """

    def __init__(
        self,
        predictions,
        *,
        labels,
        protocol,
        dropped=None,
        notes=None,
        failures=None,
        utterances=None,
        info=None,
    ):
        self.predictions = predictions
        self.labels = list(labels)
        self.protocol = protocol
        self.dropped = _table_of(dropped, ["corpus", "label", "reason", "rows"])
        self.notes = _table_of(notes, ["estimator", "note", "fits"])
        self.failures = _table_of(failures, ["row", "file", "reason"])
        self.utterances = pd.DataFrame() if utterances is None else utterances
        self.info = dict(info or {})

    @property
    def estimators(self):
        """Names of the estimators, in the order given."""
        return list(self.predictions["estimator"].unique())

    def scores(self):
        """Recall, accuracy and calibration per estimator, setting, seed and test corpus.

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, seed, train, corpus, uar, war, macro_f1, auc, ece, brier,
            utterances, failed, speakers; the predictions of all folds of a corpus are pooled.
            `train` is empty unless the protocol is "pairwise". `uar` is the unweighted average
            recall, `war` accuracy, `macro_f1` the mean F1 of the classes; utterances whose audio
            failed are misses in these. `auc` (one class against the rest, mean), `ece` (expected
            calibration error, lower is better) and `brier` (lower is better) are of the
            probabilities: failed utterances have none and are left out of them, and they are NaN
            for an estimator that gives none.
        """
        return self._scores_of(_METRICS)

    def summary(self, metric="uar"):
        """One row per estimator and setting, one column per test corpus, mean and pooled last.

        Parameters
        ----------
        metric : {"uar", "war", "macro_f1", "auc", "ece", "brier"}, default="uar"
            As in :meth:`scores`.

        Returns
        -------
        pandas.DataFrame
            Means over seeds. `mean` is over the corpora (each counts the same), `pooled` is the
            score of all test predictions together (each utterance counts the same; where the
            emotions' shares differ by corpus, guessing can score above 1 / number of emotions).
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
        # pivot_table makes every pair of estimator and setting, also those that do not exist.
        table = table.loc[list(dict.fromkeys(scores[index].itertuples(index=False, name=None)))]
        table = table[sorted(table.columns)]
        table.columns.name = None
        table["mean"] = table.mean(axis=1, skipna=False)
        by_seed = self._with_test_keys().groupby([*index, "seed"], sort=False)
        pooled = pd.Series({key: self._score(part, metric) for key, part in by_seed})
        table["pooled"] = pooled.groupby(level=[0, 1], sort=False).mean().reindex(table.index)
        return table

    def remarks(self):
        """What a reader of the scores must know: rows left out, failed audio, warnings.

        Returns
        -------
        list of str
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
        for name, (least, most) in self.info.get("unlabeled", {}).items():
            n_rows = most if least == most else f"{least} to {most}"
            lines.append(
                f"{name} was also trained on {n_rows} rows without a label, none of a speaker "
                "under test"
            )
        missed = self.predictions.loc[self.predictions["failed"], "row"].unique()
        if len(missed):
            lines.append(f"{len(missed)} utterances without usable audio, counted as misses")
            known = self.failures[self.failures["row"].isin(missed)]
            shown = known.head(_MOST_SHOWN)
            lines += [f"  {r.file or f'row {r.row}'}: {r.reason}" for r in shown.itertuples()]
            if len(known) > len(shown):
                lines.append(f"  and {len(known) - len(shown)} more, in `failures`")
        for estimator, part in self.predictions.groupby("estimator", sort=False):
            try:
                self._of_probabilities(part, "ece")
            except ValueError as error:
                lines.append(f"no calibration error for {estimator}: {error}")
        lines += [f"note ({r.estimator}, {r.fits} fits): {r.note}" for r in self.notes.itertuples()]
        return lines

    def confusion(self, estimator, *, setting=None, normalize=True):
        """Confusion matrix of one estimator, pooled over corpora, folds and seeds.

        Parameters
        ----------
        estimator : str
        setting : {"single", "transductive"}, optional
            By default "transductive" where there is one.
        normalize : bool, default=True
            Shares of each true class instead of counts.

        Returns
        -------
        pandas.DataFrame
            Truth in rows, prediction in columns; a last column ``none`` (``no prediction`` where
            a label has that name) counts utterances without a prediction, if there are any.
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

    def save(self, folder):
        """Write predictions and details under `folder`; :meth:`load` reads them back."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.predictions.to_parquet(folder / _PREDICTIONS)
        self.utterances.to_parquet(folder / _UTTERANCES)
        details = {
            "labels": self.labels,
            "protocol": self.protocol,
            "info": self.info,
            "dropped": self.dropped.to_dict("list"),
            "notes": self.notes.to_dict("list"),
            "failures": self.failures.to_dict("list"),
        }
        (folder / _DETAILS).write_text(json.dumps(details, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder):
        """Read what :meth:`save` wrote."""
        folder = Path(folder)
        if not (folder / _DETAILS).is_file():
            raise SerError(f"{str(folder)!r} holds no evaluation: {_DETAILS} is not there")
        details = json.loads((folder / _DETAILS).read_text(encoding="utf-8"))
        predictions = pd.read_parquet(folder / _PREDICTIONS)
        for name in ("y_true", "y_pred"):
            predictions[name] = as_labels(predictions[name], details["labels"])
        known = (folder / _UTTERANCES).is_file()  # not in folders of older versions
        return cls(
            predictions,
            labels=details["labels"],
            protocol=details["protocol"],
            utterances=pd.read_parquet(folder / _UTTERANCES) if known else None,
            info=details.get("info"),
            **{name: pd.DataFrame(details[name]) for name in ("dropped", "notes", "failures")},
        )

    def __repr__(self):
        seeds = self.predictions["seed"].nunique()
        head = (
            f"EvaluationResult: {self.protocol}, unweighted average recall over "
            f"{len(self.labels)} emotions ({', '.join(map(str, self.labels))}), {seeds} seed(s)"
        )
        return "\n".join([head, self.summary().round(3).to_string(), *self.remarks()])

    def _repr_html_(self):
        return self.summary().style.format(precision=3).to_html()

    def _of(self, estimator, setting):
        part = self.predictions[self.predictions["estimator"] == estimator]
        if part.empty:
            raise ValueError(
                f"no estimator {estimator!r} in this result: it has "
                f"{list(self.predictions['estimator'].unique())}"
            )
        settings = list(part["setting"].unique())
        setting = setting or ("transductive" if "transductive" in settings else settings[0])
        if setting not in settings:
            raise ValueError(f"{estimator!r} has the settings {settings}, not {setting!r}")
        return part[part["setting"] == setting]

    def _with_test_keys(self):
        """Predictions with `train` kept only where it tells the rows of a corpus apart."""
        if self.protocol == "pairwise":
            return self.predictions
        return self.predictions.assign(train="")

    def _scores_of(self, metrics):
        keys = ["estimator", "setting", "seed", "train", "corpus"]
        rows = []
        for key, part in self._with_test_keys().groupby(keys, sort=False):
            rows.append(
                {
                    **dict(zip(keys, key, strict=True)),
                    **{name: self._score(part, name) for name in metrics},
                    "utterances": len(part),
                    "failed": int(part["failed"].sum()),
                    "speakers": part["speaker"].nunique(),
                }
            )
        return pd.DataFrame(rows)

    def _score(self, part, metric):
        if metric in _OF_CLASSES:
            return _OF_CLASSES[metric](part["y_true"], part["y_pred"], labels=self.labels)
        try:
            return self._of_probabilities(part, metric)
        except ValueError:  # told in remarks(); the other scores stand
            return float("nan")

    def _of_probabilities(self, part, metric):
        """A metric of probabilities; ValueError where the numbers are none."""
        columns = probability_columns(self.labels)
        if not set(columns) <= set(part.columns):
            return float("nan")
        known = part[part[columns].notna().all(axis=1)]
        if known.empty:
            return float("nan")
        return _OF_PROBABILITIES[metric](known["y_true"], known[columns], labels=self.labels)


def _table_of(table, columns):
    """The table with None where something is missing, which JSON can hold, unlike NaN."""
    table = pd.DataFrame(columns=columns) if table is None else table.astype(object)
    return table.where(table.notna(), None)
