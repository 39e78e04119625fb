"""Folds that are disjoint in speakers and in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sklearn_ser.model_selection._base import (
    IdSplitter,
    Split,
    join_groups,
    n_splits_sections,
    split_sections,
)
from sklearn_ser.model_selection._speaker import folds_of_groups
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import require_id
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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
        self._check_n_groups(names, self.n_splits)
        sentences, texts = self._find_groups(X, y, None, text, "text")
        self._check_n_groups(texts, self.n_sentence_splits, "text")
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
            shared, _ = pd.factorize(require_id(X, column, owner=type(self).__name__))
            joined = join_groups(joined[codes], len(names), shared)[joined]
        return joined[codes], [
            "+".join(str(names[position]) for position in np.flatnonzero(joined == part))
            for part in range(joined.max(initial=-1) + 1)
        ]


def _pairs(speakers: np.ndarray, sentences: np.ndarray) -> Iterator[Split]:
    for one in np.unique(speakers):
        for other in np.unique(sentences):
            test = (speakers == one) & (sentences == other)
            if test.any():
                yield (speakers != one) & (sentences != other), test
