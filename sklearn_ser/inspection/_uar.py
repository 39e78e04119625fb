"""Unweighted average recall of several estimators, corpus by corpus, with intervals."""

import numpy as np
import pandas as pd

from sklearn_ser.inspection._panels import (
    draw_score,
    fit_rows,
    in_rows,
    is_leftmost,
    lane,
    legend_below,
    make_panels,
    name_rows,
    names_margin,
    score_axis,
    series_style,
    wrapped,
)
from sklearn_ser.inspection._selection import FEWEST_SPEAKERS, recall_with_interval, speaker_recalls
from sklearn_ser.utils._public import public_module

_PANELS_A_ROW = 5
_SETTINGS = ("single", "transductive")
_MEAN = "mean"


@public_module("sklearn_ser.inspection")
class UARDisplay:
    """Unweighted average recall: a row for each estimator, a panel for each test corpus.

    Use :meth:`from_result`. A filled dot is one utterance at a time; an open one used the test
    corpus's own statistics (transductive). Bars are 95 % intervals over the speakers of that
    corpus: rows of one speaker are no independent draws. Of a corpus with fewer than 8 speakers,
    such an interval says little, and the speakers are drawn instead, each a stroke at the mean
    recall of the emotions that they speak. The last panel is the mean over the corpora, each of
    which counts the same; it has no interval, since a handful of corpora says little about others.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per estimator, setting and test corpus: `estimator`, `setting`, `corpus`, `uar`,
        `low`, `high` (NaN: no interval), `speakers`.
    singles : pandas.DataFrame
        One row per speaker: `estimator`, `setting`, `corpus`, `speaker`, `uar`.
    chance : float
        Recall of guessing.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each corpus, and the mean.
    figure_ : matplotlib Figure
    dots_, bars_, speakers_ : dict of (estimator, setting, corpus) to matplotlib Line2D
        The scores; their intervals, where there are any; the single speakers, where they are drawn.

    See Also
    --------
    GroupGapDisplay : Scores of groups of speakers.
    CorpusHeatmapDisplay : Every training corpus by every test corpus.
    """

    def __init__(self, table, singles, *, chance):
        self.table = table
        self.singles = singles
        self.chance = chance

    @classmethod
    def from_result(cls, result, *, ax=None):
        """Draw an :class:`~sklearn_ser.evaluation.EvaluationResult`.

        Parameters
        ----------
        result : EvaluationResult
            Seeds are pooled: the recall of their predictions together is the mean of theirs.
        ax : matplotlib Axes, array of Axes or Figure, default=None
            As in :meth:`plot`.

        Returns
        -------
        UARDisplay
        """
        predictions = result.predictions
        tested = predictions["corpus"].astype(str)
        if result.protocol == "pairwise":
            tested = predictions["train"] + " -> " + tested
        rows, singles = [], []
        keys = ["estimator", "setting", "tested"]
        for key, part in predictions.assign(tested=tested).groupby(keys, sort=False):
            place = dict(zip(["estimator", "setting", "corpus"], key, strict=True))
            by_speaker = speaker_recalls(part)
            found = recall_with_interval(part, result.labels)
            rows.append({**place, **found, "speakers": len(by_speaker)})
            singles.append(
                pd.DataFrame({**place, "speaker": by_speaker.index, "uar": by_speaker.to_numpy()})
            )
        table = pd.DataFrame(rows).sort_values("corpus", kind="stable")
        chance = 1 / len(result.labels)
        return cls(table, pd.concat(singles, ignore_index=True), chance=chance).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or Figure, default=None
            One Axes for each corpus and one for the mean, or a figure for all of them.

        Returns
        -------
        UARDisplay

        Raises
        ------
        ValueError
            If there is another number of Axes.
        """
        corpora = list(dict.fromkeys(self.table["corpus"]))
        panels = [*corpora, *([_MEAN] if len(corpora) > 1 else [])]
        names = self._names()
        settings = [name for name in _SETTINGS if name in set(self.table["setting"])]
        margin = names_margin(names)
        self.axes_ = make_panels(
            ax,
            in_rows(len(panels), _PANELS_A_ROW, ax=ax, size=1.3, margin=0.75 * margin),
            size=(
                max(1.65, 4.5 / len(panels)),
                1.5 + 0.22 * len(names) * len(settings),
            ),
            what=", ".join(panels),
            margin=margin,
        )
        self.figure_ = self.axes_[0].figure
        self.dots_, self.bars_, self.speakers_ = {}, {}, {}
        for panel_ax, panel in zip(self.axes_, panels, strict=True):
            name_rows(panel_ax, names, shown=is_leftmost(panel_ax))
            chance = score_axis(panel_ax, self.chance)
            panel_ax.set_title(self._title(panel), fontsize="small")
            for row, name in enumerate(names):
                own = [s for s in settings if self._has(name, s)]
                for number, setting in enumerate(own):
                    height = lane(row, number, len(own))
                    self._draw(panel_ax, panel, name, setting, height)
        self._legend(settings, chance)
        fit_rows(self.axes_, len(names), len(settings))
        return self

    def _draw(self, ax, panel, name, setting, height):
        mine = (self.table["estimator"] == name) & (self.table["setting"] == setting)
        rows = self.table[mine & ((self.table["corpus"] == panel) | (panel == _MEAN))]
        if rows.empty:
            return
        row, singles = rows.iloc[0], []
        score, low, high = row["uar"], row["low"], row["high"]
        if panel == _MEAN:
            score, low, high = rows["uar"].mean(skipna=False), np.nan, np.nan
        else:
            own = self.singles
            own = own[(own["estimator"] == name) & (own["setting"] == setting)]
            singles = own.loc[own["corpus"] == panel, "uar"].to_numpy()
        filled = setting != "transductive"
        key = (name, setting, panel)
        self.dots_[key], bar, speakers = draw_score(
            ax, height, score, low, high, singles, filled=filled, style=series_style(0)
        )
        if bar is not None:
            self.bars_[key] = bar
        if speakers is not None:
            self.speakers_[key] = speakers

    def _legend(self, settings, chance):
        from matplotlib.lines import Line2D

        style = {**series_style(0), "markersize": 5.5}
        words = {"single": "one utterance at a time", "transductive": "transductive"}
        handles = [
            Line2D(
                [], [], linestyle="", markerfacecolor="white" if s != "single" else None, **style
            )
            for s in settings
        ]
        labels = [words[s] for s in settings]
        if self.bars_:
            handles.append(Line2D([], [], color=style["color"], linewidth=1.8))
            labels.append("95 % over speakers")
        if self.speakers_:
            handles.append(Line2D([], [], linestyle="", **{**style, "marker": "|"}))
            labels.append(f"a speaker (fewer than {FEWEST_SPEAKERS})")
        legend_below(self.figure_, self.axes_, [*handles, chance], [*labels, "chance"])

    def _names(self):
        return list(dict.fromkeys(self.table["estimator"]))

    def _has(self, name, setting):
        return ((self.table["estimator"] == name) & (self.table["setting"] == setting)).any()

    def _title(self, panel):
        if panel == _MEAN:
            return f"mean of\n{self.table['corpus'].nunique()} corpora"
        speakers = self.table.loc[self.table["corpus"] == panel, "speakers"].max()
        return f"{wrapped(panel, 16)}\n{speakers} speaker{'s' if speakers > 1 else ''}"
