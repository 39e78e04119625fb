"""A corpus of emotional speech: one table, one row per utterance, with what is known about it."""

import pandas as pd

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module

#: Columns that every ``Corpus.frame`` has; None where nothing is known.
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
#: Numbers that a frame has where they are known; NaN in the rows where they are not.
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
#: Ids that mean something only inside their corpus: stored as ``corpus/id``.
PREFIXED_COLUMNS = ("speaker", "text", "recording")

_DROPPED_COLUMNS = ("corpus", "file", "emotion", "reason")


@public_module("sklearn_ser.datasets")
class Corpus:
    """Emotional speech as one table, with its description, license and citation.

    Made by :func:`load_corpus`, :func:`concat_corpora` and :func:`make_speech_corpus`, which check
    what they put in.

    Parameters
    ----------
    frame : DataFrame
        One row per utterance, see *Notes*.
    name : str
        Name of the corpus, or of the aggregation.
    description, license, citation : str, default=""
    dropped_rows : DataFrame, optional
        Utterances that were left out: columns corpus, file, emotion, reason.

    Attributes
    ----------
    frame, name, description, license, citation
        As given.
    dropped_rows : DataFrame
        One row per utterance that was left out: corpus, file, emotion, reason.

    Notes
    -----
    ``frame`` has the columns

    - ``file``: path, 1-D array or ``(array, sampling_rate)``;
    - ``corpus``, ``speaker``, ``text``: ids as strings. Speakers and texts are written
      ``corpus/id`` (``emodb/03``), so that speaker 03 of one corpus is never taken for speaker 03
      of another, nor sentence 01 for another corpus's sentence 01;
    - ``gender``: female, male;
    - ``language``: as the corpus says, normally an ISO 639-1 code;
    - ``emotion``: a lower-case noun (anger, happiness, sadness, neutral, fear, disgust, surprise,
      boredom, calm, contempt, or what an ``emotion_map`` made of them);
    - ``naturalness``: acted, elicited, natural;

    and, where known, ``start`` and ``end`` (seconds in the file), ``recording`` (``corpus/id``;
    utterances cut from one recording must stay on one side of a split), ``naturalness_rating``
    (listeners' judgment, 0 to 1), ``arousal``, ``valence``, ``dominance``, ``intensity``. Any
    other column is kept as it came. Text columns have the dtype object and None where a value is
    unknown (what scikit-learn's estimators and splitters take as ``y`` and ``groups``); numbers
    have NaN there.

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

    def __init__(self, frame, name, *, description="", license="", citation="", dropped_rows=None):
        missing = [column for column in REQUIRED_COLUMNS if column not in frame.columns]
        if missing:
            raise CorpusError(
                f"the frame of corpus {name!r} lacks the column(s) {missing}; a Corpus needs "
                f"{list(REQUIRED_COLUMNS)} (None where nothing is known). load_corpus makes one "
                f"from a folder, a CSV file or a DataFrame."
            )
        self.frame = frame
        self.name = name
        self.description = description
        self.license = license
        self.citation = citation
        self.dropped_rows = no_dropped_rows() if dropped_rows is None else dropped_rows

    def __len__(self):
        return len(self.frame)

    def __repr__(self):
        frame = self.frame
        by_gender = frame.drop_duplicates("speaker")["gender"].value_counts()
        genders = ", ".join(f"{by_gender[g]} {g}" for g in ("female", "male") if g in by_gender)
        kinds = [
            " and ".join(values)
            for values in (_known(frame["language"]), _known(frame["naturalness"]))
            if values
        ]
        emotions = frame["emotion"].value_counts().sort_index()
        facts = [
            f"{len(frame)} utterances",
            f"{frame['speaker'].nunique()} speakers" + (f" ({genders})" if genders else ""),
            *kinds,
        ]
        labels = ", ".join(f"{label} {count}" for label, count in emotions.items())
        return f"<Corpus {self.name}: {', '.join(facts)}; {labels}>"

    def _repr_html_(self):
        return self.summary().to_html()

    def summary(self):
        """Counts per corpus.

        Returns
        -------
        DataFrame
            One row per corpus: utterances, speakers, of these female and male, then utterances
            of each emotion.
        """
        frame = self.frame
        people = frame.drop_duplicates("speaker").groupby("corpus")["gender"]
        grouped = frame.groupby("corpus")
        table = pd.DataFrame(
            {
                "utterances": grouped.size(),
                "speakers": grouped["speaker"].nunique(),
                "female": people.apply(lambda gender: int((gender == "female").sum())),
                "male": people.apply(lambda gender: int((gender == "male").sum())),
            }
        )
        return table.join(pd.crosstab(frame["corpus"], frame["emotion"]))

    @property
    def dropped(self):
        """How many utterances were left out, by corpus, emotion and reason (a DataFrame)."""
        counts = self.dropped_rows.groupby(
            ["corpus", "emotion", "reason"], dropna=False, sort=True
        ).size()
        counts = counts.rename("utterances").reset_index()
        emotion = counts["emotion"].astype(object)
        return counts.assign(emotion=emotion.where(emotion.notna(), None))

    def report(self):
        """What is in the corpus and what was left out and why, as text.

        Returns
        -------
        str
        """
        lines = [f"{self.name}: {len(self)} utterances", self.summary().to_string()]
        dropped = self.dropped
        if dropped.empty:
            lines.append("Nothing was left out.")
        else:
            lines.append(f"Left out: {len(self.dropped_rows)} utterances")
            lines += [
                f"  {row.corpus}: {row.utterances} {row.emotion or 'unlabeled'}: {row.reason}"
                for row in dropped.itertuples()
            ]
        return "\n".join(lines)


def check_corpus_name(name):
    """Refuse a name that cannot stand before the "/" of a speaker's id."""
    if not isinstance(name, str) or not name or "/" in name:
        raise CorpusError(f"name={name!r}: expected a string that is not empty and has no '/'.")


def no_dropped_rows():
    """An empty table of utterances that were left out."""
    return pd.DataFrame({column: pd.Series(dtype=object) for column in _DROPPED_COLUMNS})


def rows_left_out(frame, left_out, reason):
    """The rows of `frame` where `left_out` is true, as a table for ``Corpus.dropped_rows``."""
    rows = frame.loc[left_out, ["corpus", "file", "emotion"]].reset_index(drop=True)
    return rows.assign(reason=pd.Series([reason] * len(rows), dtype=object))


def in_contract_order(frame):
    """`frame` with the columns of the contract first, in its order, then the others."""
    known = [c for c in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS) if c in frame.columns]
    return frame[known + [c for c in frame.columns if c not in known]]


def _known(values):
    return sorted(values.dropna().unique())
