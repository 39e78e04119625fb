"""Corpus of emotional speech: a table with one row per utterance."""

from __future__ import annotations

import pandas as pd

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module

#: Columns of every ``Corpus.frame``; None where a value is unknown.
REQUIRED_COLUMNS = (
    "file",
    "corpus",
    "speaker",
    "gender",
    "language",
    "emotion",
    "naturalness",
    "text",
)
#: Numeric columns that are present only where known; NaN where a value is unknown.
NUMBER_COLUMNS = ("start", "end", "naturalness_rating", "arousal", "valence", "dominance")
#: Columns with a fixed meaning that are present only where known.
OPTIONAL_COLUMNS = (
    "start",
    "end",
    "recording",
    "naturalness_rating",
    "arousal",
    "valence",
    "dominance",
    "intensity",
)
#: Ids that are unique only within their corpus: stored as ``corpus/id``.
PREFIXED_COLUMNS = ("speaker", "text", "recording")

# Heading of the utterances without an emotion.
_UNLABELED = "unlabeled"

#: Columns of ``Corpus.dropped_rows``.
DROPPED_COLUMNS = ("corpus", "file", "emotion", "reason")


@public_module("sklearn_ser.datasets")
class Corpus:
    """Emotional speech as a table, with its description, license and citation.

    Corpora are returned by :func:`load_corpus`, :func:`concat_corpora` and
    :func:`make_speech_corpus`, which validate the table.

    Parameters
    ----------
    frame : DataFrame
        Table with one row per utterance, see *Notes*.
    name : str
        Name of the corpus, or of the aggregation.
    description, license, citation : str, default=""
        Description of the corpus, its license, and the paper to cite.
    dropped_rows : DataFrame, optional
        Utterances that were left out, and audio files that are no utterance: columns corpus, file,
        emotion, reason.
    votes : DataFrame, optional
        Number of raters who chose each emotion (columns), for the rows of `frame`; NaN where
        nothing is known. The labels may include some that no utterance has as its emotion.

    Attributes
    ----------
    frame, name, description, license, citation, dropped_rows, votes
        The parameters of the same names; `dropped_rows` is empty by default, `votes` None.

    Notes
    -----
    ``frame`` has the columns

    - ``file``: path, 1-D array or ``(array, sampling_rate)``;
    - ``corpus``, ``speaker``, ``text``: ids as strings. Speakers and texts are written
      ``corpus/id`` (``emodb/03``), so that speaker 03 of one corpus is distinguished from
      speaker 03 of another, and likewise for sentences;
    - ``gender``: female, male;
    - ``language``: as the corpus says, normally an ISO 639-1 code;
    - ``emotion``: a lower-case noun (anger, happiness, sadness, neutral, fear, disgust, surprise,
      boredom, calm, contempt, or a value of an ``emotion_map``), None for an unlabeled sample;
    - ``naturalness``: acted, elicited, natural;

    and, where known, ``start`` and ``end`` (seconds in the file), ``recording`` (``corpus/id``;
    utterances cut from one recording must stay on one side of a split), ``naturalness_rating``
    (judgment of listeners, 0 to 1), ``arousal``, ``valence``, ``dominance``, ``intensity``. Any
    other column is retained unchanged. Text columns have the dtype object and None where a value is
    unknown (as scikit-learn's estimators and splitters expect in ``y`` and ``groups``); numeric
    columns have NaN.

    Examples
    --------
    >>> from sklearn_ser.datasets import make_speech_corpus
    >>> corpus = make_speech_corpus(n_speakers=2, n_utterances=1, random_state=0)
    >>> corpus
    <Corpus synthetic: 8 utterances, 2 speakers (1 female, 1 male), xx, acted;
    anger 2, happiness 2, neutral 2, sadness 2>
    >>> len(corpus)
    8
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        name: str,
        *,
        description: str = "",
        license: str = "",
        citation: str = "",
        dropped_rows: pd.DataFrame | None = None,
        votes: pd.DataFrame | None = None,
    ):
        missing = [column for column in REQUIRED_COLUMNS if column not in frame.columns]
        if missing:
            raise CorpusError(
                f"the frame of corpus {name!r} lacks the column(s) {missing}; a Corpus needs "
                f"{list(REQUIRED_COLUMNS)} (None where a value is unknown). Use load_corpus to "
                f"create one from a folder, a CSV file or a DataFrame."
            )
        self.frame = frame
        self.name = name
        self.description = description
        self.license = license
        self.citation = citation
        if dropped_rows is None:
            dropped_rows = pd.DataFrame(columns=list(DROPPED_COLUMNS), dtype=object)
        self.dropped_rows = dropped_rows
        if votes is not None and not votes.index.equals(frame.index):
            raise CorpusError(
                f"the votes of corpus {name!r} have {len(votes)} rows with another index than the "
                f"{len(frame)} rows of its frame; expected one row per utterance, in its order."
            )
        self.votes = votes

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        frame = self.frame
        by_gender = frame.drop_duplicates("speaker")["gender"].value_counts()
        genders = ", ".join(f"{by_gender[g]} {g}" for g in ("female", "male") if g in by_gender)
        kinds = [
            " and ".join(values)
            for values in (_unique(frame["language"]), _unique(frame["naturalness"]))
            if values
        ]
        emotions = frame["emotion"].fillna(_UNLABELED).value_counts().sort_index()
        facts = [
            f"{len(frame)} utterances",
            f"{frame['speaker'].nunique()} speakers" + (f" ({genders})" if genders else ""),
            *kinds,
        ]
        labels = ", ".join(f"{label} {count}" for label, count in emotions.items())
        return f"<Corpus {self.name}: {', '.join(facts)}; {labels}>"

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    def summary(self) -> pd.DataFrame:
        """Count utterances and speakers per corpus.

        Returns
        -------
        DataFrame
            One row per corpus: utterances, speakers, female and male speakers, then utterances of
            each emotion, and unlabeled ones if there are any.
        """
        frame = self.frame
        speakers = frame.drop_duplicates("speaker")
        by_gender = pd.crosstab(speakers["corpus"], speakers["gender"])
        table = frame.groupby("corpus")["speaker"].agg(utterances="size", speakers="nunique")
        table = table.join(by_gender.reindex(table.index, columns=["female", "male"], fill_value=0))
        emotions = frame["emotion"].fillna(_UNLABELED)
        return table.join(pd.crosstab(frame["corpus"], emotions))

    @property
    def dropped(self) -> pd.DataFrame:
        """Number of utterances that were left out, by corpus, emotion and reason."""
        counts = self.dropped_rows.groupby(
            ["corpus", "emotion", "reason"], dropna=False, sort=True
        ).size()
        counts = counts.rename("utterances").reset_index()
        emotion = counts["emotion"].astype(object)  # NaN throughout if all are unlabeled
        return text_as_object(counts.assign(emotion=emotion))

    def report(self) -> str:
        """Describe the corpus, and what was left out and why, as text.

        Returns
        -------
        str
            Text of the report.
        """
        lines = [f"{self.name}: {len(self)} utterances", self.summary().to_string()]
        dropped = self.dropped
        if dropped.empty:
            lines.append("Nothing was left out.")
        else:
            lines.append(f"Left out: {len(self.dropped_rows)} utterances")
            lines += [
                f"  {row.corpus}: {row.utterances} {row.emotion or _UNLABELED}: {row.reason}"
                for row in dropped.itertuples()
            ]
        return "\n".join(lines)


def check_corpus_name(name):
    """Raise if a name cannot be the prefix of an id before a "/"."""
    if not isinstance(name, str) or not name or "/" in name:
        raise CorpusError(f"name={name!r}: expected a non-empty string without '/'.")


def text_as_object(frame):
    """Convert text columns to dtype object with None: scikit-learn rejects pandas' missing text."""
    columns = {}
    for column, values in frame.items():
        if pd.api.types.is_object_dtype(values) or isinstance(values.dtype, pd.StringDtype):
            values = values.astype(object)
            columns[column] = values.where(values.notna(), None)
    return frame.assign(**columns)


def rows_left_out(frame, left_out, reason):
    """Return the rows of `frame` where `left_out` is true as ``Corpus.dropped_rows``."""
    rows = frame.loc[left_out, ["corpus", "file", "emotion"]].reset_index(drop=True)
    return rows.assign(reason=pd.Series([reason] * len(rows), dtype=object))


def map_votes(votes, emotion_map):
    """Return votes with columns renamed and merged by `emotion_map`; None leaves one out."""
    nouns = {column: emotion_map.get(column, column) for column in votes.columns}
    kept = [column for column in votes.columns if nouns[column] is not None]
    summed = votes[kept].T.groupby(nouns, sort=False).sum(min_count=1).T
    return summed.rename_axis(columns=votes.columns.name)


def in_contract_order(frame):
    """Sort the columns: those of a corpus in a fixed order, then the others."""
    standard = [c for c in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS) if c in frame.columns]
    return frame[standard + [c for c in frame.columns if c not in standard]]


def _unique(values):
    return sorted(values.dropna().unique())
