"""Corpus of emotional speech: a table with one row per utterance."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklearn_ser.audio._signal import is_missing
from sklearn_ser.datasets._description import UNLABELED, CorpusDescription, describe
from sklearn_ser.datasets._exchange import to_csv, to_database, to_dataset
from sklearn_ser.datasets._label_maps import Labels, labels_of
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._ids import short_list
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from audformat import Database
    from datasets import Dataset

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
        emotions = frame["emotion"].fillna(UNLABELED).value_counts().sort_index()
        facts = [
            f"{len(frame)} utterances",
            f"{frame['speaker'].nunique()} speakers" + (f" ({genders})" if genders else ""),
            *kinds,
        ]
        labels = ", ".join(f"{label} {count}" for label, count in emotions.items())
        return f"<Corpus {self.name}: {', '.join(facts)}; {labels}>"

    def _repr_html_(self) -> str:
        return self.describe()._repr_html_()

    def describe(self, *, durations: bool = False, verbose: int = 0) -> CorpusDescription:
        """Count what is in the corpus, what is missing, and what was left out.

        Parameters
        ----------
        durations : bool, default=False
            Whether to count hours, too, for which every audio file is opened (not decoded). Audio
            that cannot be used counts as missing.
        verbose : int, default=0
            Verbosity level. Above 0, the progress of `durations` is shown.

        Returns
        -------
        CorpusDescription
            Counts that are shown when printed, with the tables ``counts`` (one row per corpus),
            ``values`` (of emotion, gender, naturalness and language), ``speakers``, ``missing``
            and ``dropped``.

        Examples
        --------
        >>> from sklearn_ser.datasets import make_speech_corpus
        >>> corpus = make_speech_corpus(n_speakers=2, n_utterances=1, random_state=0)
        >>> corpus.describe()
        synthetic: 8 utterances
                   utterances  speakers  female  male  anger  happiness  neutral  sadness
        corpus
        synthetic           8         2       1     1      2          2        2        2
        utterances per speaker: 4 to 4, median 4
        naturalness: acted 8
        language: xx 8
        Nothing was left out.
        >>> int(corpus.describe().values.loc[("gender", "female"), "utterances"])
        4
        """
        return describe(self.name, self.frame, self.dropped, durations, verbose)

    def select(
        self,
        mask: ArrayLike | Callable[[pd.DataFrame], ArrayLike] | None = None,
        /,
        **values: Any,
    ) -> Corpus:
        """Select utterances.

        Parameters
        ----------
        mask : array-like of bool or callable, optional
            Whether to retain each row of `frame`, or a function of `frame` that returns that.
        **values : str, float, None or list of these
            Values to retain of a column; None is a missing value.

        Returns
        -------
        Corpus
            Corpus of the utterances that meet all conditions, in their order, with their votes.
            ``dropped_rows`` is unchanged.

        Raises
        ------
        CorpusError
            If there is no such column, a value does not occur, or no utterance is selected.

        Examples
        --------
        >>> from sklearn_ser.datasets import make_speech_corpus
        >>> corpus = make_speech_corpus(n_speakers=2, n_utterances=1, random_state=0)
        >>> corpus.select(emotion=["anger", "sadness"], gender="female")
        <Corpus synthetic: 2 utterances, 1 speakers (1 female), xx, acted; anger 1, sadness 1>
        >>> len(corpus.select(lambda frame: frame["speaker"] == "synthetic/s1"))
        4
        """
        is_selected = np.ones(len(self), dtype=bool)
        if mask is not None:
            is_selected &= _as_mask(mask(self.frame) if callable(mask) else mask, len(self))
        for column, wanted in values.items():
            is_selected &= self._has_values(column, wanted)
        if not is_selected.any():
            conditions = [*(["the mask"] if mask is not None else []), *values]
            raise CorpusError(
                f"no utterance of corpus {self.name!r} meets the conditions "
                f"({', '.join(conditions)}) together; expected at least one. Remove a condition."
            )
        return self._with(self.frame[is_selected], self.votes)

    def split(self, by: str = "official") -> dict[Any, Corpus]:
        """Split the corpus into parts.

        Parameters
        ----------
        by : str, default="official"
            Column of `frame` whose values are the parts. ``"official"`` is the column ``split``,
            or ``fold`` without it: the parts that the authors of the corpus, or a published
            benchmark, defined.

        Returns
        -------
        dict of Corpus
            Parts by value, in the order of the values; utterances without a value are the part
            None, which is the last.

        Raises
        ------
        CorpusError
            If there is no such column.

        See Also
        --------
        sklearn_ser.audit.audit_split : Find speakers and recordings on both sides of a split.

        Examples
        --------
        >>> from sklearn_ser.datasets import make_speech_corpus
        >>> corpus = make_speech_corpus(n_speakers=2, n_utterances=1, random_state=0)
        >>> {part: len(corpus) for part, corpus in corpus.split("gender").items()}
        {'female': 4, 'male': 4}
        """
        columns = [c for c in ("split", "fold") if c in self.frame] if by == "official" else [by]
        if not columns:
            raise CorpusError(
                f"corpus {self.name!r} has no official parts (neither a column 'split' nor "
                f"'fold'); split it by another column with split(by=...), or with SpeakerKFold."
            )
        column = self._column(columns[0])
        parts = sorted(column.dropna().unique())
        if column.isna().any():
            parts.append(None)
        return {part: self.select(**{columns[0]: part}) for part in parts}

    def map_labels(self, labels: Labels, *, column: str = "emotion") -> Corpus:
        """Translate the emotions to another label set.

        Parameters
        ----------
        labels : str, dict or callable
            Name of :func:`list_label_maps` (``"kim2017-valence"``), label by emotion, or function
            of an emotion that returns a label. Keys of a dict may be other spellings of an
            emotion. Emotions that are absent, or have the label None, have no label.
        column : str, default="emotion"
            Column for the labels. In ``emotion``, votes are translated and summed as well, and
            utterances with an emotion that has no label are left out. Another column is added, for
            auxiliary targets; it is None for these utterances, and none is left out.

        Returns
        -------
        Corpus
            Corpus with the labels, whose ``dropped_rows`` also lists what was left out. Unlabeled
            samples are retained.

        Raises
        ------
        CorpusError
            If there is no such map, a dict is contradictory, or no utterance would have a label.

        Examples
        --------
        >>> from sklearn_ser.datasets import make_speech_corpus
        >>> corpus = make_speech_corpus(n_speakers=2, n_utterances=1, random_state=0)
        >>> corpus.map_labels("kim2017-valence")
        <Corpus synthetic: 8 utterances, 2 speakers (1 female, 1 male), xx, acted;
        negative 4, positive 4>
        >>> print(corpus.map_labels("ekman").describe().dropped.to_string(index=False))
           corpus emotion                reason  utterances
        synthetic neutral no label in ekman           2
        >>> corpus.map_labels("kim2017-arousal", column="arousal_class").frame["arousal_class"][0]
        'high'
        """
        if column in REQUIRED_COLUMNS and column != "emotion":
            raise CorpusError(
                f"column={column!r}: this column has another meaning; expected 'emotion' or a new "
                f"name, such as 'arousal_class'."
            )
        emotions = self.frame["emotion"]
        everywhere = {*emotions.dropna(), *(() if self.votes is None else self.votes.columns)}
        by_emotion, name = labels_of(labels, everywhere)
        mapped = emotions.map(by_emotion).astype(object)
        mapped = mapped.where(mapped.notna(), None)
        left_out = emotions.notna() & mapped.isna()
        if mapped.isna().all() and len(mapped):
            raise CorpusError(
                f"no utterance of corpus {self.name!r} has a label in {name}: its emotions are "
                f"{sorted(set(emotions.dropna()))}. Map some of them."
            )
        if column != "emotion":
            return self._with(self.frame.assign(**{column: mapped}), self.votes)
        votes = None if self.votes is None else map_votes(self.votes, by_emotion)
        reason = f"no label in {name}"
        dropped = [self.dropped_rows, rows_left_out(self.frame, left_out, reason)]
        return self._with(
            self.frame.assign(emotion=mapped)[~left_out],
            votes,
            pd.concat(dropped, ignore_index=True),
        )

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the frame as a CSV file that :func:`load_corpus` reads.

        Parameters
        ----------
        path : path-like
            The file. Paths of audio below its folder are written relative to it.

        Raises
        ------
        CorpusError
            If audio is not in files.

        See Also
        --------
        Corpus.to_dataset : Stores description, license and citation, and audio in memory.

        Examples
        --------
        >>> import tempfile
        >>> from sklearn_ser.datasets import load_corpus, make_speech_corpus
        >>> with tempfile.TemporaryDirectory() as root:
        ...     corpus = make_speech_corpus(2, 1, root=root, random_state=0)
        ...     corpus.to_csv(f"{root}/table.csv")
        ...     load_corpus(f"{root}/table.csv").frame.equals(corpus.frame)
        True
        """
        to_csv(self, path)

    def to_audformat(self) -> Database:
        """Convert the corpus to an audformat Database.

        Returns
        -------
        audformat.Database
            Database with one table, ``utterances``, and one scheme per column; segmented if the
            corpus has ``start`` or ``end``. It holds the license, and the description with the
            citation. :func:`load_corpus` reads it.

        Raises
        ------
        CorpusError
            If audio is not in files.
        MissingDependencyError
            If audformat is not installed (extra ``audb``).

        Examples
        --------
        >>> import tempfile
        >>> from sklearn_ser.datasets import make_speech_corpus
        >>> with tempfile.TemporaryDirectory() as root:
        ...     database = make_speech_corpus(2, 1, root=root).to_audformat()
        >>> database.schemes["emotion"].labels
        ['anger', 'happiness', 'neutral', 'sadness']
        """
        return to_database(self)

    def to_dataset(self) -> Dataset:
        """Convert the corpus to a data set of Hugging Face.

        Returns
        -------
        datasets.Dataset
            Data set with the columns of `frame`: ``audio`` instead of ``file``, with paths, or with
            float WAV files for audio in memory; ``emotion`` as ClassLabel. It holds description,
            license and citation. :func:`load_corpus` reads it.

        Raises
        ------
        MissingDependencyError
            If `datasets` is not installed (extra ``datasets``).

        Examples
        --------
        >>> from sklearn_ser.datasets import load_corpus, make_speech_corpus
        >>> corpus = make_speech_corpus(n_speakers=2, n_utterances=1)
        >>> load_corpus(corpus.to_dataset())  # doctest: +SKIP
        <Corpus synthetic: 8 utterances, 2 speakers (1 female, 1 male), xx, acted;
        anger 2, happiness 2, neutral 2, sadness 2>
        """
        return to_dataset(self)

    def _with(self, frame, votes, dropped_rows=None):
        """Return this corpus with these rows of `frame`, and of the votes."""
        return Corpus(
            frame.reset_index(drop=True),
            self.name,
            description=self.description,
            license=self.license,
            citation=self.citation,
            dropped_rows=self.dropped_rows if dropped_rows is None else dropped_rows,
            votes=None if votes is None else votes.loc[frame.index].reset_index(drop=True),
        )

    def _column(self, name):
        if name not in self.frame.columns:
            near = difflib.get_close_matches(name, self.frame.columns, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise CorpusError(
                f"corpus {self.name!r} has no column {name!r}; it has {list(self.frame.columns)}."
                f"{hint}"
            )
        return self.frame[name]

    def _has_values(self, name, wanted):
        """Whether each row has one of some values in a column; each of them must occur."""
        column = self._column(name)
        is_list = pd.api.types.is_list_like(wanted)
        found = np.zeros(len(column), dtype=bool)
        for value in wanted if is_list else [wanted]:
            is_value = column.isna() if is_missing(value) else column == value
            if not is_value.any():
                known = sorted(map(str, column.dropna().unique()))
                near = difflib.get_close_matches(str(value), known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise CorpusError(
                    f"no utterance of corpus {self.name!r} has the {name} {value!r}; its values "
                    f"are {short_list(known)}.{hint}"
                )
            found |= is_value.to_numpy(dtype=bool)
        return found

    @property
    def dropped(self) -> pd.DataFrame:
        """Number of utterances that were left out, by corpus, emotion and reason."""
        counts = self.dropped_rows.groupby(
            ["corpus", "emotion", "reason"], dropna=False, sort=True
        ).size()
        counts = counts.rename("utterances").reset_index()
        emotion = counts["emotion"].astype(object)  # NaN throughout if all are unlabeled
        return text_as_object(counts.assign(emotion=emotion))


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


def _as_mask(mask, length):
    """Return a mask of rows as an array, missing values as False; raise if it is none."""
    try:
        values = pd.Series(mask).astype("boolean").fillna(False).to_numpy(dtype=bool)
    except (TypeError, ValueError) as error:
        raise CorpusError(
            f"the mask is not a sequence of bool ({error}); expected {length}, one per row of the "
            f"frame."
        ) from error
    if len(values) != length:
        raise CorpusError(
            f"the mask has {len(values)} values; expected {length}, one per row of the frame."
        )
    return values


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
