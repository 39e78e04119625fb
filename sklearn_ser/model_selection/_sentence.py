"""Folds that are disjoint in speakers and in sentences."""

from numbers import Integral

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_ser.model_selection._base import IdSplitter
from sklearn_ser.model_selection._speaker import assign_folds, class_counts
from sklearn_ser.utils._ids import require_id
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.model_selection")
class SentenceSpeakerKFold(IdSplitter):
    """Test on speakers *and* sentences that the training part does not have.

    In acted corpora every speaker says the same few sentences, and a model can learn how a sentence
    is said instead of how an emotion sounds. Speakers are dealt to `n_splits` folds and sentences
    to `n_sentence_splits`; each pair of a speaker fold and a sentence fold is tested once, with all
    rows that share neither its speakers nor its sentences for training. The rows that share one of
    the two take no part in that split: of 5 and 2 folds, 2/5 of the rows train.

    Speaker and text of each row are taken from ``speaker=`` and ``text=`` (with metadata routing
    on), else the speaker from ``groups=`` (with routing off), else from the columns or index levels
    ``"speaker"`` and ``"text"`` of X.

    Parameters
    ----------
    n_splits : int, default=5
        Folds of speakers, at least 2.
    n_sentence_splits : int, default=2
        Folds of sentences, at least 2.
    keep_together : str or list of str, default=None
        Columns or index levels of X, such as "recording": speakers who share a value are dealt as
        one, so that rows of one recording are never on both sides. Missing values tie nobody.
    shuffle : bool, default=False
        Deal in a random order instead of the largest first.
    random_state : int, RandomState instance or None, default=None
        Used with ``shuffle=True`` only.

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
        n_splits=5,
        n_sentence_splits=2,
        *,
        keep_together=None,
        shuffle=False,
        random_state=None,
    ):
        self.n_splits = n_splits
        self.n_sentence_splits = n_sentence_splits
        self.keep_together = keep_together
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X, y=None, groups=None, speaker=None, text=None):
        """Indices of the training and the test rows, split by split.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless ids have to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes to balance, of which every training part must have all.
        groups : array-like of shape (n_samples,), default=None
            The speaker of each row, where `speaker` is not given.
        speaker, text : array-like of shape (n_samples,), default=None
            The speaker and the sentence of each row.

        Returns
        -------
        generator of (ndarray, ndarray)
            Training and test indices. A pair of folds without any row is left out.

        Raises
        ------
        MetadataError
            If an id is found nowhere or missing in a row, there are fewer speakers or sentences
            than folds, or the training rows of a split lack a class.
        """
        speakers, sentences = self._folds(X, y, groups, speaker, text)
        return self._iter_indices(_pairs(speakers, sentences), y)

    def get_n_splits(self, X=None, y=None, groups=None, speaker=None, text=None):
        """Number of splits: pairs of folds that have a row; arguments as for `split`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        speaker, text : array-like of shape (n_samples,), default=None

        Returns
        -------
        int
        """
        return sum(1 for _ in _pairs(*self._folds(X, y, groups, speaker, text)))

    def _folds(self, X, y, groups, speaker, text):
        """The speaker fold and the sentence fold of each row."""
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )
        rng = check_random_state(self.random_state) if self.shuffle else None
        codes, names = self._find_groups(X, y, groups, speaker)
        codes, names = self._joined(X, codes, names)
        if len(names) < self.n_splits:
            raise self._too_few(names, least=self.n_splits)
        sentences, texts = self._find_groups(X, y, None, text, "text")
        if len(texts) < self.n_sentence_splits:
            raise self._too_few(texts, self.n_sentence_splits, "text")
        return (
            _dealt(codes, len(names), self.n_splits, y, rng),
            _dealt(sentences, len(texts), self.n_sentence_splits, y, rng),
        )

    def _joined(self, X, codes, names):
        """Speakers who share a value of `keep_together` as one."""
        columns = self.keep_together or []
        columns = [columns] if isinstance(columns, str) else columns
        first, second = [np.arange(len(names))], [np.arange(len(names))]
        for column in columns:
            values = require_id(X, column, wanted_by=type(self).__name__)
            shared, _ = pd.factorize(values)
            for value in range(shared.max(initial=-1) + 1):
                tied = np.unique(codes[shared == value])
                first.append(np.full(len(tied), tied[0]))
                second.append(tied)
        pairs = np.concatenate(first), np.concatenate(second)
        graph = coo_array((np.ones(len(pairs[0])), pairs), shape=(len(names), len(names)))
        n_joined, joined = connected_components(graph, directed=False)
        return joined[codes], [
            "+".join(str(names[place]) for place in np.flatnonzero(joined == part))
            for part in range(n_joined)
        ]


def _dealt(codes, n_groups, n_folds, y, rng):
    """Fold of each row."""
    sizes = np.bincount(codes, minlength=n_groups)
    counts = np.column_stack([*class_counts(y, codes, n_groups), sizes])
    order = np.argsort(-sizes, kind="stable") if rng is None else rng.permutation(n_groups)
    return assign_folds(counts, n_folds, order)[codes]


def _pairs(speakers, sentences):
    for one in np.unique(speakers):
        for other in np.unique(sentences):
            test = (speakers == one) & (sentences == other)
            if test.any():
                yield (speakers != one) & (sentences != other), test
