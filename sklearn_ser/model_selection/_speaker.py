"""Splitters by speaker: over all corpora, within each corpus, and disjoint in sentences too."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sklearn_ser.model_selection._base import (
    IdSplitter,
    OneIdSplitter,
    Split,
    class_codes,
    join_groups,
    n_splits_sections,
    split_sections,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import id_codes, require_id, rows_by_code
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class SpeakerSplitter(OneIdSplitter):
    """Base class of splitters by speaker."""

    _id_name = "speaker"
    __metadata_request__split = {"speaker": True}

    @substitute_docstring(sections=split_sections("speaker"))
    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> Iterator[Split]:
        """Generate the indices of training and test samples.

        %(sections)s
        """
        return self._split(X, y, groups, speaker)

    @substitute_docstring(sections=n_splits_sections("speaker"))
    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> int:
        """Return the number of splits.

        %(sections)s
        """
        return self._count_splits(X, y, groups, speaker)


@public_module("sklearn_ser.model_selection")
class LeaveOneSpeakerOut(SpeakerSplitter):
    """Leave-one-speaker-out (LOSO) splitter: each speaker is the test set once.

    This is the classical protocol of small corpora. Few speakers have all emotions, so that the
    score of one test set is noisy, and the mean of UARs over the classes that are present is not
    the UAR of the corpus: pool the predictions of all test sets, as
    :func:`~sklearn_ser.evaluation.cross_corpus_validate` does, or use :class:`SpeakerKFold`.

    The speaker of each sample is taken from ``speaker=`` (with metadata routing), else from
    ``groups=`` (without routing), else from the column or index level ``"speaker"`` of X.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import LeaveOneSpeakerOut
    >>> X = pd.DataFrame({"loudness": range(4), "speaker": ["b", "a", "c", "b"]})
    >>> for train, test in LeaveOneSpeakerOut().split(X):
    ...     print(X["speaker"][test].unique().tolist(), train, test)
    ['a'] [0 2 3] [1]
    ['b'] [1 2] [0 3]
    ['c'] [0 1 3] [2]
    """


class _SpeakerFolds(IdSplitter):
    """Base class of splitters into folds of speakers."""

    _parameter_constraints = {
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def _validate_params(self) -> None:
        super()._validate_params()
        # StackingClassifier replaces random_state=None by a RandomState, in any splitter.
        set_by_user = not isinstance(self.random_state, np.random.RandomState | None)
        if set_by_user and not self.shuffle:
            raise ValueError(
                f"Setting random_state={self.random_state!r} has no effect with shuffle=False. "
                f"Leave random_state at None, or set shuffle=True."
            )

    def _assign(self, codes, n_groups, n_folds, y):
        """Return the fold of each sample."""
        rng = check_random_state(self.random_state) if self.shuffle else None
        return folds_of_groups(codes, n_groups, n_folds, y, rng)


@public_module("sklearn_ser.model_selection")
class SpeakerKFold(_SpeakerFolds, SpeakerSplitter):
    """Speaker-disjoint K-fold splitter with balanced classes.

    Speakers are assigned to folds so that each fold has about 1 / `n_splits` of the samples of
    each class and of all samples; then speakers are moved and swapped as long as that improves the
    balance. Where whole speakers do not allow it (a speaker with half of the samples of a class, a
    class with fewer speakers than folds), a fold may have few samples of a class or none.

    The speaker of each sample is taken from ``speaker=`` (with metadata routing), else from
    ``groups=`` (without routing), else from the column or index level ``"speaker"`` of X.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most the number of speakers.
    shuffle : bool, default=False
        Whether to start from a random order of the speakers instead of the largest first. The
        folds then depend on `random_state` and are balanced about as well. They never depend on
        the order of the samples.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of speakers. Used only with ``shuffle=True``.

    See Also
    --------
    sklearn.model_selection.StratifiedGroupKFold : Assigns the groups one by one, without the moves
        and swaps.

    Notes
    -----
    Unlabeled samples (None, NaN) count only in the sizes of folds, as do all samples if y is None
    or continuous.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import SpeakerKFold
    >>> X = pd.DataFrame({"loudness": range(6), "speaker": ["a", "a", "b", "b", "c", "d"]})
    >>> y = ["anger", "sadness", "anger", "sadness", "anger", "sadness"]
    >>> for train, test in SpeakerKFold(n_splits=3).split(X, y):
    ...     print(X["speaker"][test].unique().tolist(), train, test)
    ['a'] [2 3 4 5] [0 1]
    ['b'] [0 1 4 5] [2 3]
    ['c', 'd'] [0 1 2 3] [4 5]
    """

    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups, speaker : object
            Ignored.

        Returns
        -------
        int
            Number of splits.
        """
        self._validate_params()
        return self.n_splits

    @property
    def _min_groups(self) -> int:
        return self.n_splits

    def _iter_masks(self, codes: np.ndarray, names: list, y: ArrayLike | None) -> Iterator[Split]:
        folds = self._assign(codes, len(names), self.n_splits, y)
        for fold in range(self.n_splits):
            yield folds != fold, folds == fold


@public_module("sklearn_ser.model_selection")
class WithinCorpusSpeakerKFold(_SpeakerFolds):
    """Speaker-disjoint K-fold splitter within each corpus: training and test set of one corpus.

    The score is that of new speakers of a known corpus. The corpora, in sorted order, are split
    one after the other by :class:`SpeakerKFold`; a corpus with fewer speakers than `n_splits` has
    one fold per speaker. Each sample is tested once.

    Corpus and speaker of each sample are taken from ``corpus=`` and ``speaker=`` (with metadata
    routing), else the speaker from ``groups=`` (without routing), else from the columns or index
    levels ``"corpus"`` and ``"speaker"`` of X.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds of each corpus, at least 2.
    shuffle : bool, default=False
        Whether to start from a random order of the speakers, as in :class:`SpeakerKFold`.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of speakers. Used only with ``shuffle=True``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import WithinCorpusSpeakerKFold
    >>> X = pd.DataFrame({"corpus": ["x"] * 3 + ["y"] * 3, "speaker": list("abcdde")})
    >>> for train, test in WithinCorpusSpeakerKFold(n_splits=3).split(X):
    ...     print(X["corpus"][test].iloc[0], train, test)
    x [1 2] [0]
    x [0 2] [1]
    x [0 1] [2]
    y [5] [3 4]
    y [3 4] [5]
    """

    _id_name = "speaker"
    __metadata_request__split = {"corpus": True, "speaker": True}

    @substitute_docstring(sections=split_sections("corpus", "speaker", groups="speaker"))
    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        corpus: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> Iterator[Split]:
        """Generate the indices of training and test samples.

        %(sections)s
        """
        parts = self._by_corpus(X, y, groups, corpus, speaker)
        return self._iter_indices(self._masks(parts, y), y)

    @substitute_docstring(sections=n_splits_sections("corpus", "speaker", groups="speaker"))
    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        corpus: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> int:
        """Return the number of splits of all corpora.

        %(sections)s
        """
        parts = self._by_corpus(X, y, groups, corpus, speaker)
        return sum(n_folds for *_, n_folds in parts)

    def _by_corpus(self, X, y, groups, corpus, speaker):
        """Return, for each corpus, mask and speaker codes of its samples, and numbers of both."""
        self._validate_params()
        speakers, speaker_names = self._find_groups(X, y, groups, speaker)
        corpora, corpus_names = self._find_groups(X, y, None, corpus, "corpus")
        parts = []
        for code, name in enumerate(corpus_names):
            rows = corpora == code
            present, own = np.unique(speakers[rows], return_inverse=True)
            names = [speaker_names[position] for position in present]
            self._check_n_groups(names, 2, "speaker", f" in corpus {name!r}")
            parts.append((rows, own, len(names), min(self.n_splits, len(names))))
        return parts

    def _masks(self, parts, y):
        for rows, codes, n_speakers, n_folds in parts:
            own_y = None if y is None else np.asarray(y, dtype=object)[rows]
            folds = np.full(len(rows), -1)
            folds[rows] = self._assign(codes, n_speakers, n_folds, own_y)
            for fold in range(n_folds):
                yield rows & (folds != fold), folds == fold


@public_module("sklearn_ser.model_selection")
class SentenceSpeakerKFold(IdSplitter):
    """Splitter that is disjoint in speakers *and* sentences.

    In acted corpora all speakers say the same few sentences, and a model can learn how a sentence
    is said instead of how an emotion sounds. Speakers are assigned to `n_splits` folds and
    sentences to `n_sentence_splits`. Each pair of a speaker fold and a sentence fold is a test set
    once; samples with neither its speakers nor its sentences are the training set. Samples with one
    of the two are left out of that split: with 5 and 2 folds, 2/5 of the samples are trained on.

    Speaker and text of each sample are taken from ``speaker=`` and ``text=`` (with metadata
    routing), else the speaker from ``groups=`` (without routing), else from the columns or index
    levels ``"speaker"`` and ``"text"`` of X.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds of speakers, at least 2.
    n_sentence_splits : int, default=2
        Number of folds of sentences, at least 2.
    keep_together : str or list of str, default=None
        Columns or index levels of X, such as "recording". Speakers with a common value are in the
        same fold, so that a recording is never on both sides. Missing values are ignored.
    shuffle : bool, default=False
        Whether to assign speakers and sentences in random order instead of the largest first.
    random_state : int, RandomState instance or None, default=None
        Seed of the order. Used only with ``shuffle=True``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import SentenceSpeakerKFold
    >>> X = pd.DataFrame({"speaker": list("aabb"), "text": ["hello", "bye"] * 2})
    >>> for train, test in SentenceSpeakerKFold(n_splits=2).split(X):
    ...     print(train, test)
    [2] [1]
    [3] [0]
    [0] [3]
    [1] [2]
    """

    _id_name = "speaker"
    __metadata_request__split = {"speaker": True, "text": True}

    _parameter_constraints = {
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "n_sentence_splits": [Interval(Integral, 2, None, closed="left")],
        "keep_together": [str, list, tuple, None],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_splits: int = 5,
        n_sentence_splits: int = 2,
        *,
        keep_together: str | list[str] | None = None,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.n_sentence_splits = n_sentence_splits
        self.keep_together = keep_together
        self.shuffle = shuffle
        self.random_state = random_state

    @substitute_docstring(sections=split_sections("speaker", "text"))
    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
        text: ArrayLike | None = None,
    ) -> Iterator[Split]:
        """Generate the indices of training and test samples.

        %(sections)s
        """
        speakers, sentences = self._assign_folds(X, y, groups, speaker, text)
        return self._iter_indices(_pairs(speakers, sentences), y)

    @substitute_docstring(sections=n_splits_sections("speaker", "text"))
    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
        text: ArrayLike | None = None,
    ) -> int:
        """Return the number of splits, which is the number of pairs of folds that have a sample.

        %(sections)s
        """
        speakers, sentences = self._assign_folds(X, y, groups, speaker, text)
        return len(list(_pairs(speakers, sentences)))

    def _assign_folds(self, X, y, groups, speaker, text):
        """Return the speaker fold and the sentence fold of each sample."""
        self._validate_params()
        rng = check_random_state(self.random_state) if self.shuffle else None
        codes, names = self._join_speakers(X, *self._find_groups(X, y, groups, speaker))
        self._check_n_groups(names, self.n_splits, "speaker")
        sentences, texts = self._find_groups(X, y, None, text, "text", self.n_sentence_splits)
        return (
            folds_of_groups(codes, len(names), self.n_splits, y, rng),
            folds_of_groups(sentences, len(texts), self.n_sentence_splits, y, rng),
        )

    def _join_speakers(self, X, codes, names):
        """Return codes and names of speakers, with one for all that must be kept together."""
        columns = self.keep_together or []
        columns = [columns] if isinstance(columns, str) else columns
        joined = np.arange(len(names))
        for column in columns:
            shared, _ = id_codes(require_id(X, column, owner=type(self).__name__))
            joined = join_groups(joined[codes], len(names), shared)[joined]
        parts = rows_by_code(joined, joined.max(initial=-1) + 1)
        return joined[codes], ["+".join(str(names[code]) for code in part) for part in parts]


def _pairs(speakers: np.ndarray, sentences: np.ndarray) -> Iterator[Split]:
    for one in np.unique(speakers):
        for other in np.unique(sentences):
            test = (speakers == one) & (sentences == other)
            if test.any():
                yield (speakers != one) & (sentences != other), test


def folds_of_groups(
    codes: np.ndarray,
    n_groups: int,
    n_folds: int,
    y: ArrayLike | None,
    rng: np.random.RandomState | None,
) -> np.ndarray:
    """Return the fold of each sample; groups are in random order, or largest first without rng."""
    sizes = np.bincount(codes, minlength=n_groups)
    labels, classes = class_codes(y) or (codes, [])
    # Classes are sorted, so that rounding does not depend on the order of the samples.
    by_name = sorted(range(len(classes)), key=lambda position: str(classes[position]))
    counts = [np.bincount(codes[labels == position], minlength=n_groups) for position in by_name]
    order = np.argsort(-sizes, kind="stable") if rng is None else rng.permutation(n_groups)
    return assign_folds(np.column_stack([*counts, sizes]), n_folds, order)[codes]


#: With more groups no swaps are tried (they take n_groups**2 numbers): moves alone balance folds
#: of so many groups.
_MOST_GROUPS_FOR_SWAPS = 1000

#: Smaller gains are rounding errors.
_LEAST_GAIN = 1e-10


def assign_folds(counts: np.ndarray, n_folds: int, order: np.ndarray) -> np.ndarray:
    """Assign groups, given their samples in each class and in all, to folds with balanced classes.

    The objective is the sum, over folds and classes, of the squared difference between the share
    of the class in the fold and 1 / `n_folds`, so that rare classes count the same as others. The
    groups are assigned in the given order to the fold with the smallest increase of the objective;
    then the best move of a group or swap of a pair is made until none improves the objective.
    """
    totals = counts.sum(axis=0)
    shares = counts[:, totals > 0] / totals[totals > 0]
    folds = np.empty(len(shares), dtype=np.intp)
    loads = np.zeros((n_folds, shares.shape[1]))
    for group in order:
        # The objective grows by 2 load.share + a constant; ties go to the emptier fold.
        growth = np.round(loads @ shares[group], 12)
        folds[group] = np.lexsort((loads.sum(axis=1), growth))[0]
        loads[folds[group]] += shares[group]
    return _improve_folds(shares, folds, loads)


def _improve_folds(shares: np.ndarray, folds: np.ndarray, loads: np.ndarray) -> np.ndarray:
    """Make the best move or swap until none improves the objective."""
    lengths = np.einsum("ij,ij->i", shares, shares)
    products = shares @ shares.T if len(shares) <= _MOST_GROUPS_FOR_SWAPS else None
    while True:
        # overlap[g, f]: group g's share times fold f's load. Half the change in the objective:
        # moving g from a to b costs overlap[g, b] - overlap[g, a] + |share of g|**2.
        overlap = shares @ loads.T
        own = overlap[np.arange(len(folds)), folds]
        moves = overlap - own[:, None] + lengths[:, None]
        moves[np.arange(len(folds)), folds] = 0
        group, target = np.unravel_index(np.argmin(moves), moves.shape)
        other, gain = None, moves[group, target]
        if products is not None:
            # The product of the two: each leaves its fold before the other joins it.
            across = overlap[:, folds] - own[:, None] + lengths[:, None]
            swaps = across + across.T - 2 * products
            swaps[folds[:, None] == folds] = 0
            first, second = np.unravel_index(np.argmin(swaps), swaps.shape)
            if swaps[first, second] < gain:
                group, other, gain = first, second, swaps[first, second]
                target = folds[second]
        if gain > -_LEAST_GAIN:
            return folds
        source = folds[group]
        moved = shares[group] - (0 if other is None else shares[other])
        loads[source] -= moved
        loads[target] += moved
        folds[group] = target
        if other is not None:
            folds[other] = source
