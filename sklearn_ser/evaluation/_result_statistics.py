"""What may be concluded from an evaluation: intervals, paired tests, ranks, scores of groups."""

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._fold import SINGLE, TRANSDUCTIVE
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import (
    cluster_interval,
    critical_difference,
    group_scores,
    holm,
    paired_test,
)
from sklearn_ser.metrics._intervals import MIN_CLUSTERS

#: Metrics that intervals and tests are made for: they need classes, and take seeds in columns.
CLASS_METRICS = ("uar", "war", "macro_f1")
MEAN = "mean"


class ResultStatistics:
    """Intervals and tests of an :class:`EvaluationResult`, by the functions of `metrics`."""

    def intervals(self, metric="uar", *, method="t", confidence=0.95, min_clusters=MIN_CLUSTERS):
        """Scores of each estimator on each test corpus, and their mean, with intervals.

        Parameters
        ----------
        metric : {"uar", "war", "macro_f1"}, default="uar"
        method, confidence, min_clusters
            As for :func:`~sklearn_ser.metrics.cluster_interval`: speakers are the clusters, seeds
            are averaged within each, and below `min_clusters` speakers there is no interval.

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, corpus ("mean" last: each corpus counts the same),
            estimate, low, high, speakers, note (why there is no interval, or ""). The intervals
            speak of further speakers of these corpora, not of further corpora.
        """
        _check_metric(metric)
        rows = []
        for (estimator, setting), part in self._of_each():
            items = _items(part)
            for tested, piece in _tested(items):
                strata = piece["tested"] if tested == MEAN else None
                found = cluster_interval(
                    piece["y_true"],
                    piece[_seeds(piece)],
                    piece["speaker"],
                    metric=metric,
                    method=method,
                    confidence=confidence,
                    strata=strata,
                    labels=self.labels,
                    min_clusters=min_clusters,
                )
                rows.append(
                    {
                        "estimator": estimator,
                        "setting": setting,
                        "corpus": tested,
                        "estimate": found.estimate,
                        "low": found.low,
                        "high": found.high,
                        "speakers": found.n_clusters,
                        "note": found.note,
                    }
                )
        return pd.DataFrame(rows)

    def compare(
        self,
        baseline=None,
        *,
        metric="uar",
        method="sign-flip",
        setting=None,
        by_corpus=False,
        confidence=0.95,
    ):
        """Paired tests between estimators on the same utterances, speaker by speaker.

        Parameters
        ----------
        baseline : str, optional
            The estimator that every other is compared with; by default every pair is compared.
        metric : {"uar", "war", "macro_f1"}, default="uar"
        method : {"sign-flip", "wilcoxon", "t", "mcnemar"}, default="sign-flip"
            Of :func:`~sklearn_ser.metrics.paired_test`. "mcnemar" takes the first seed alone.
        setting : {"single", "transductive"}, optional
            By default "transductive", of those that have it.
        by_corpus : bool, default=False
            Rows for each test corpus beside those for the mean over the corpora.
        confidence : float, default=0.95

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, baseline, baseline_setting, corpus, difference (estimator
            less baseline), low, high, p, p_holm (corrected for all rows of the table), smallest_p
            (no difference can have a smaller one with so few speakers), speakers, and
            corpora_better: in how many of the test corpora (of "pairwise": pairs of training and
            test corpora) the estimator is ahead. Where only one of the two has the setting, the
            other one's is in its column. p speaks of further speakers of these corpora;
            whether the next corpus agrees, `corpora_better` hints at, and no test of a handful of
            corpora can tell.
        """
        _check_metric(metric)
        parts = {name: self._of(name, self._setting_of(name, setting)) for name in self.estimators}
        settings = {name: part["setting"].iloc[0] for name, part in parts.items()}
        if baseline is not None and baseline not in parts:
            self._of(baseline, None)  # raises
        names = list(parts)
        others = [(name, baseline) for name in names if name != baseline]
        if baseline is None:
            others = [(b, a) for i, a in enumerate(names) for b in names[i + 1 :]]
        rows = []
        for name, against in others:
            items = _items(parts[name], parts[against], names=(name, against))
            found = {
                tested: self._paired(piece, tested, metric, method, confidence)
                for tested, piece in _tested(items)
            }
            own = [test.difference for tested, test in found.items() if tested != MEAN]
            shown = found if by_corpus else {k: v for k, v in found.items() if k == MEAN}
            for tested, test in (shown or found).items():
                rows.append(
                    {
                        "estimator": name,
                        "setting": settings[name],
                        "baseline": against,
                        "baseline_setting": settings[against],
                        "corpus": tested,
                        "difference": test.difference,
                        "low": test.low,
                        "high": test.high,
                        "p": test.p_value,
                        "p_holm": np.nan,
                        "smallest_p": test.smallest_p,
                        "speakers": test.n_clusters,
                        "corpora_better": f"{sum(value > 0 for value in own)} of {len(own)}",
                    }
                )
        table = pd.DataFrame(rows, columns=_COMPARED)
        return table.assign(p_holm=holm(table["p"].astype(float)))

    def ranks(self, metric="uar", *, setting=None, **parameters):
        """Average ranks of the estimators over speakers, and which are not told apart.

        Parameters
        ----------
        metric : {"uar", "war", "macro_f1"}, default="uar"
        setting : {"single", "transductive"}, optional
            By default "transductive", of those that have it.
        **parameters
            Of :func:`~sklearn_ser.metrics.critical_difference`.

        Returns
        -------
        CriticalDifference
        """
        _check_metric(metric)
        columns = {}
        for name in self.estimators:
            items = _items(self._of(name, self._setting_of(name, setting)))
            found = cluster_interval(
                items["y_true"],
                items[_seeds(items)],
                items["speaker"],  # one block, after however many trainings
                metric=metric,
                min_clusters=2,
            )
            columns[name] = found.values
        # Someone of whom there is no score (too few classes) is nobody to rank by.
        return critical_difference(pd.DataFrame(columns).dropna(), **parameters)

    def by(self, column, *, metric="uar", setting=None):
        """Scores of groups of utterances: by gender, speaker, language, corpus, fold.

        Parameters
        ----------
        column : str
            Of `predictions` or of `utterances`.
        metric : str or callable, default="uar"
            A metric of classes, as for :func:`~sklearn_ser.metrics.group_scores`.
        setting : {"single", "transductive"}, optional
            By default "transductive", of those that have it.

        Returns
        -------
        pandas.DataFrame
            Columns estimator, setting, group (named as the column), score, utterances, gap: how
            far below the best group of the estimator it is. Means over seeds. A group that lacks a
            class of the label set has no "uar": it is NaN, as no mean over other classes would
            compare. Utterances of an unknown group are left out.
        """
        rows = []
        for name in self.estimators:
            part = self._of(name, self._setting_of(name, setting))
            items = _items(part.assign(group=self._column(part, column)), more=("group",))
            found = group_scores(
                items["y_true"],
                items[_seeds(items)],
                items["group"],
                metric=metric,
                labels=self.labels,
            )
            best = found["score"].max()
            for group, score, n in zip(found.index, found["score"], found["n"], strict=True):
                rows.append(
                    {
                        "estimator": name,
                        "setting": part["setting"].iloc[0],
                        column: group,
                        "score": score,
                        "utterances": n,
                        "gap": best - score,
                    }
                )
        return pd.DataFrame(
            rows, columns=["estimator", "setting", column, "score", "utterances", "gap"]
        )

    def _paired(self, piece, tested, metric, method, confidence):
        first, second = (
            piece[[name for name in _seeds(piece) if name[0] == which]] for which in (0, 1)
        )
        if method == "mcnemar":  # one prediction per utterance: the first seed's
            first, second = first.iloc[:, 0], second.iloc[:, 0]
        return paired_test(
            piece["y_true"],
            first,
            second,
            piece["speaker"],
            method=method,
            metric=metric,
            strata=piece["tested"] if tested == MEAN else None,
            labels=self.labels,
            confidence=confidence,
        )

    def _of_each(self):
        return self.predictions.groupby(["estimator", "setting"], sort=False)

    def _setting_of(self, estimator, setting):
        """The setting asked for, or the only one that an estimator without it has."""
        if setting not in (None, SINGLE, TRANSDUCTIVE):
            raise ValueError(f"setting must be {SINGLE!r} or {TRANSDUCTIVE!r}, got {setting!r}")
        has = self.predictions.loc[self.predictions["estimator"] == estimator, "setting"].unique()
        return setting if setting in has else None

    def _column(self, part, column):
        if column in part:
            return part[column].to_numpy(dtype=object)
        if column in self.utterances:
            return self.utterances[column].reindex(part["row"]).to_numpy(dtype=object)
        raise MetadataError(
            f"no column {column!r} to group by: predictions have {list(part.columns[:11])}, and of "
            f"the utterances {list(self.utterances.columns)} are known. An evaluation keeps what "
            "its frame says of gender, language, naturalness, text, recording and file."
        )


_COMPARED = [
    *("estimator", "setting", "baseline", "baseline_setting", "corpus", "difference"),
    *("low", "high", "p", "p_holm", "smallest_p", "speakers", "corpora_better"),
]


def _check_metric(metric):
    if metric not in CLASS_METRICS:
        raise ValueError(f"metric must be one of {', '.join(CLASS_METRICS)}, got {metric!r}")


def _items(*parts, names=(), more=()):
    """One row per utterance and training corpora, one column ``(which, seed)`` per prediction.

    Parameters
    ----------
    *parts : DataFrame
        Predictions of one or two estimators.
    names : tuple of str
        Of the estimators, for the error where they do not have the same utterances.
    more : tuple of str
        Further columns to keep.
    """
    keys = ["row", "train", "corpus", "speaker", "y_true", *more]
    tables = []
    for which, part in enumerate(parts):
        # (rows are told apart by `train` in "pairwise" alone; elsewhere it goes with the fold)
        table = part.set_index([*keys, "seed"])["y_pred"].unstack("seed")
        if len(part) != table.size:  # (else who was not asked would count as a miss)
            raise MetadataError(
                f"{part['estimator'].iloc[0]!r} was not tested on the same utterances with each of "
                f"its {table.shape[1]} seeds: {len(part)} predictions of {len(table)} utterances."
            )
        tables.append(table.set_axis([(which, seed) for seed in table.columns], axis=1))
    if len(tables) == 2 and not tables[0].index.equals(tables[1].index):
        raise MetadataError(
            f"{names[0]!r} and {names[1]!r} were not tested on the same utterances: "
            f"{len(tables[0])} and {len(tables[1])} of them."
        )
    joined = pd.concat(tables, axis=1)
    index = joined.index.to_frame(index=False)
    joined = joined.reset_index(drop=True)
    joined.columns = pd.Index(list(joined.columns), tupleize_cols=False)
    trained = index["train"].astype(str)
    tells_apart = index["row"].duplicated().any()
    tested = index["corpus"].astype(str)
    index["tested"] = trained + " -> " + tested if tells_apart else tested
    return pd.concat([index, joined], axis=1)


def _seeds(items):
    return [name for name in items.columns if isinstance(name, tuple)]


def _tested(items):
    """Each tested corpus with its rows, and all rows under "mean" where there are several."""
    pieces = list(items.groupby("tested", sort=True))
    return [*pieces, (MEAN, items)] if len(pieces) > 1 else pieces
