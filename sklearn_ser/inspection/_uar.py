"""Unweighted average recall of several estimators by test corpus, with intervals."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from sklearn_ser.inspection._plotting import (
    AxesLike,
    DisplayWithoutOptions,
    draw_score,
    is_leftmost,
    label_rows,
    legend_mark,
    names_margin,
    row_offset,
    series_style,
    set_score_axis,
    shared_parameters,
    wrap_name,
)
from sklearn_ser.inspection._predictions import MIN_SPEAKERS, recall_tables, scores_by, select
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

    from sklearn_ser.evaluation import EvaluationResult

#: Settings and their names in the legend.
_SETTINGS = {"single": "one utterance at a time", "transductive": "transductive"}
_MEAN = "mean"


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class UARDisplay(DisplayWithoutOptions):
    """Unweighted average recall: a row for each estimator, a subplot for each test corpus.

    Use :meth:`from_result`. A filled dot is the recall for one utterance at a time; an open one is
    that with statistics of the whole test corpus (transductive). Bars are 95 % intervals over the
    speakers of the corpus, since utterances of one speaker are not independent. With fewer than 8
    speakers such an interval means little, and a stroke for each speaker is drawn instead, at the
    mean recall of that speaker's emotions. The last subplot is the mean over the corpora, each
    with the same weight; it has no interval, since a few corpora say little about others.

    Parameters
    ----------
    table : DataFrame
        One row per estimator, setting and test corpus: `estimator`, `setting`, `corpus`, `uar`,
        `low`, `high` (NaN without an interval), `utterances`, `speakers`.
    speaker_scores : DataFrame
        One row per speaker: `estimator`, `setting`, `corpus`, `speaker`, `uar`.
    chance : float
        Recall of random predictions.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each corpus, and one for the mean.
    figure_ : matplotlib Figure
    dots_, bars_, speakers_ : dict of (estimator, setting, corpus) to matplotlib Line2D
        Scores; their intervals, if there are any; scores of the speakers, if they are drawn.

    See Also
    --------
    GroupGapDisplay : Recall by group of speakers.
    CorpusHeatmapDisplay : Recall by training and test corpus.
    """

    table: pd.DataFrame
    speaker_scores: pd.DataFrame
    _: KW_ONLY
    chance: float

    @classmethod
    @shared_parameters
    def from_result(cls, result: EvaluationResult, *, ax: AxesLike = None) -> Self:
        """Draw an :class:`~sklearn_ser.evaluation.EvaluationResult`.

        Parameters
        ----------
        result : EvaluationResult
            Evaluation to draw. Seeds are pooled: the recall of their pooled predictions is the mean
            of their recalls.
        %(ax_and_return)s
        """
        predictions = result.predictions
        tested = predictions["corpus"].astype(str)
        if result.protocol == "pairwise":
            tested = predictions["train"] + " -> " + tested
        columns = ["estimator", "setting", "corpus"]
        parts = predictions.assign(corpus=tested).groupby(columns, sort=False)
        conditions = [(dict(zip(columns, values, strict=True)), part) for values, part in parts]
        table, speaker_scores = recall_tables(conditions, result.labels)
        table = table.sort_values("corpus", kind="stable")
        return cls(table, speaker_scores, chance=1 / len(result.labels)).plot(ax=ax)

    def _plot(self, ax: AxesLike) -> None:
        corpora = list(dict.fromkeys(self.table["corpus"]))
        subplots = [*corpora, *([_MEAN] if len(corpora) > 1 else [])]
        names = list(dict.fromkeys(self.table["estimator"]))
        settings = [name for name in _SETTINGS if name in set(self.table["setting"])]
        settings_of = {
            name: [s for s in settings if s in set(rows["setting"])]
            for name, rows in self.table.groupby("estimator")
        }
        of_speakers = scores_by(self.speaker_scores, "estimator", "setting", "corpus")
        margin = names_margin(names)
        self._make_subplots(
            ax,
            subplots,
            size=(max(1.65, 4.5 / len(subplots)), 1.5 + 0.22 * len(names) * len(settings)),
            margin=margin,
            n_columns=5,
            min_width=1.3,
            min_margin=0.75 * margin,
        )
        self.dots_: dict[tuple[str, str, str], Line2D] = {}
        self.bars_: dict[tuple[str, str, str], Line2D] = {}
        self.speakers_: dict[tuple[str, str, str], Line2D] = {}
        for axes, corpus in zip(self.axes_, subplots, strict=True):
            label_rows(axes, names, labeled=is_leftmost(axes))
            chance = set_score_axis(axes, self.chance)
            axes.set_title(self._title(corpus), fontsize="small")
            for row, name in enumerate(names):
                own = settings_of[name]
                for index, setting in enumerate(own):
                    y = row + row_offset(index, len(own))
                    self._draw(axes, corpus, name, setting, y, of_speakers)
        self._add_legend(settings, chance)
        self._fit_row_text(len(names), len(settings))

    def _draw(self, ax, corpus, name, setting, y, of_speakers):
        key = (name, setting, corpus)
        rows = select(self.table, estimator=name, setting=setting)
        if corpus == _MEAN:
            score = {"uar": rows["uar"].mean(skipna=False), "low": np.nan, "high": np.nan}
            strokes = []
        else:
            rows = select(rows, corpus=corpus)
            if rows.empty:
                return
            score, strokes = rows.iloc[0], of_speakers.get(key, [])
        filled = setting != "transductive"
        self.dots_[key], bar, speakers = draw_score(
            ax, y, score, strokes, style=series_style(0), filled=filled
        )
        if bar is not None:
            self.bars_[key] = bar
        if speakers is not None:
            self.speakers_[key] = speakers

    def _add_legend(self, settings, chance):
        style = {**series_style(0), "markersize": 5.5}
        marks = {
            _SETTINGS[setting]: legend_mark(mfc=None if setting == "single" else "white", **style)
            for setting in settings
        }
        if self.bars_:
            marks["95 % over speakers"] = next(iter(self.bars_.values()))
        if self.speakers_:
            marks[f"one speaker (fewer than {MIN_SPEAKERS})"] = legend_mark(
                **{**style, "marker": "|"}
            )
        marks["chance"] = chance
        self._legend_below(list(marks.values()), list(marks))

    def _title(self, corpus):
        if corpus == _MEAN:
            return f"mean of\n{self.table['corpus'].nunique()} corpora"
        speakers = self.table.loc[self.table["corpus"] == corpus, "speakers"].max()
        return f"{wrap_name(corpus, 16)}\n{speakers} speaker{'s' if speakers > 1 else ''}"
