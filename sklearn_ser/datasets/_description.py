"""Description of a corpus: what is in it, what is missing, and what was left out."""

from __future__ import annotations

import html
from dataclasses import dataclass

import pandas as pd

from sklearn_ser.audio._decoding import reference_extent
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._printable import printable
from sklearn_ser.utils._progress import progress

#: Heading of the utterances without an emotion.
UNLABELED = "unlabeled"
#: Columns whose values are counted.
_COUNTED = ("emotion", "gender", "naturalness", "language")
#: Rate in Hz of arrays without one, the default of audio steps.
_DEFAULT_RATE = 16000


@dataclass(frozen=True, repr=False)
class CorpusDescription:
    """Counts of a corpus, as returned by `Corpus.describe`; printing it shows them.

    Attributes
    ----------
    name : str
        Name of the corpus.
    counts : DataFrame
        One row per corpus: utterances, speakers, female and male speakers, hours if they were
        asked for, then utterances of each emotion, and unlabeled ones if there are any.
    values : DataFrame
        Utterances and speakers (and hours) of each value of emotion, gender, naturalness and
        language, indexed by column and value.
    speakers : DataFrame
        Gender and utterances (and hours) of each speaker, and its utterances of each emotion.
    missing : Series
        Number of utterances without a value, by column; columns that are complete are absent.
    dropped : DataFrame
        Number of utterances that were left out, by corpus, emotion and reason.
    """

    name: str
    counts: pd.DataFrame
    values: pd.DataFrame
    speakers: pd.DataFrame
    missing: pd.Series
    dropped: pd.DataFrame

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self._total()}",
            self.counts.to_string(float_format="{:.3g}".format),
        ]
        lines += self._facts()
        return printable("\n".join([*lines, *self._left_out()]))

    def _repr_html_(self) -> str:
        heading = html.escape(printable(f"{self.name}: {self._total()}"))
        lines = map(html.escape, map(printable, [*self._facts(), *self._left_out()]))
        table = self.counts.to_html(float_format="{:.3g}".format)
        return f"<p>{heading}</p>{table}<p>{'<br>'.join(lines)}</p>"

    def _total(self):
        hours = f", {self.counts['hours'].sum():.3g} hours" if "hours" in self.counts else ""
        return f"{self.counts['utterances'].sum()} utterances{hours}"

    def _facts(self):
        of_each = self.speakers["utterances"]
        yield (
            f"utterances per speaker: {of_each.min()} to {of_each.max()}, "
            f"median {of_each.median():g}"
        )
        for column in ("naturalness", "language"):
            if column in self.values.index.get_level_values("column"):
                counts = self.values.loc[column, "utterances"]
                yield f"{column}: " + ", ".join(f"{v} {count}" for v, count in counts.items())
        if len(self.missing):
            yield "missing: " + ", ".join(f"{c} {count}" for c, count in self.missing.items())

    def _left_out(self):
        if self.dropped.empty:
            return ["Nothing was left out."]
        return [
            f"Left out: {self.dropped['utterances'].sum()} utterances",
            *(
                f"  {row.corpus}: {row.utterances} {row.emotion or UNLABELED}: {row.reason}"
                for row in self.dropped.itertuples()
            ),
        ]


def describe(name, frame, dropped, durations, verbose):
    """Return the description of the rows of a corpus."""
    if durations:
        frame = frame.assign(hours=_hours(frame, verbose))
    emotions = frame["emotion"].fillna(UNLABELED)
    aggregated = {"utterances": ("file", "size")} | (
        {"hours": ("hours", "sum")} if durations else {}
    )
    with_speakers = {
        "utterances": ("file", "size"),
        "speakers": ("speaker", "nunique"),
    } | aggregated
    by_corpus = frame.groupby("corpus")
    of_speakers = frame.drop_duplicates("speaker")
    genders = pd.crosstab(of_speakers["corpus"], of_speakers["gender"])
    counts = by_corpus.agg(**{k: with_speakers[k] for k in ("utterances", "speakers")})
    counts = counts.join(
        genders.reindex(counts.index, columns=["female", "male"], fill_value=0).astype(int)
    )
    if durations:
        counts["hours"] = by_corpus["hours"].sum()
    counted = frame.assign(emotion=emotions)
    values = {c: counted.groupby(c).agg(**with_speakers) for c in _COUNTED}
    values = pd.concat(
        {c: part for c, part in values.items() if len(part)}, names=["column", "value"]
    )
    by_speaker = frame.groupby("speaker")
    speakers = by_speaker.agg(gender=("gender", "first"), **aggregated)
    missing = frame.isna().sum()
    return CorpusDescription(
        name,
        counts.join(pd.crosstab(frame["corpus"], emotions)),
        values,
        speakers.join(pd.crosstab(frame["speaker"], emotions)),
        missing[missing > 0],
        dropped,
    )


def _hours(frame, verbose):
    """Return the duration of each utterance, NaN where the audio cannot be used."""
    spans = [frame[c] if c in frame else [None] * len(frame) for c in ("start", "end")]
    rows = zip(frame["file"], *spans, strict=True)
    hours = []
    for file, start, end in progress(
        rows, total=len(frame), desc="durations", unit="utterance", verbose=verbose
    ):
        try:
            first, stop, rate = reference_extent(file, start, end, _DEFAULT_RATE)
            hours.append((stop - first) / rate / 3600)
        except AudioError:
            hours.append(float("nan"))
    return hours
