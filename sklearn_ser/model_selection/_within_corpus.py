"""Speaker-disjoint folds inside each corpus."""

import numpy as np

from sklearn_ser.model_selection._base import IdSplitter
from sklearn_ser.model_selection._speaker import SpeakerKFold


class WithinCorpusSpeakerKFold(IdSplitter):
    """Speaker-disjoint folds inside each corpus: train and test on one and the same corpus.

    The question it asks: how well does a model do on new speakers of a corpus that it knows? Each
    corpus in turn, in sorted order, is split by :class:`SpeakerKFold`; one with fewer speakers than
    `n_splits` has a fold for each. Every row is tested once.

    Corpus and speaker of each row are taken from ``corpus=`` and ``speaker=`` (with metadata
    routing on), else the speaker from ``groups=`` (with routing off), else from the columns or
    index levels ``"corpus"`` and ``"speaker"`` of X.

    Parameters
    ----------
    n_splits : int, default=5
        Folds of each corpus, at least 2.
    shuffle : bool, default=False
        As in :class:`SpeakerKFold`.
    random_state : int, RandomState instance or None, default=None
        Used with ``shuffle=True`` only.

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

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X, y=None, groups=None, corpus=None, speaker=None):
        """Indices of the training and the test rows, fold by fold and corpus by corpus.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless corpus or speaker have to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes to balance, of which every training part must have all.
        groups : array-like of shape (n_samples,), default=None
            The speaker of each row, where `speaker` is not given.
        corpus, speaker : array-like of shape (n_samples,), default=None
            The corpus and the speaker of each row.

        Returns
        -------
        generator of (ndarray, ndarray)
            Training and test indices.

        Raises
        ------
        MetadataError
            If corpus or speaker are found nowhere or missing in a row, a corpus has one speaker
            only, or the training rows of a split lack a class.
        """
        return self._iter_indices(self._masks(X, y, groups, corpus, speaker), y)

    def get_n_splits(self, X=None, y=None, groups=None, corpus=None, speaker=None):
        """Number of splits over all corpora; arguments as for `split`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        corpus, speaker : array-like of shape (n_samples,), default=None

        Returns
        -------
        int
        """
        parts = self._parts(X, y, groups, corpus, speaker)
        return sum(splitter.n_splits for splitter, *_ in parts)

    def _masks(self, X, y, groups, corpus, speaker):
        parts = self._parts(X, y, groups, corpus, speaker)
        return (masks for part in parts for masks in _fold_masks(*part, y))

    def _parts(self, X, y, groups, corpus, speaker):
        """For each corpus its splitter, mask, and codes and names of its speakers."""
        speakers, speaker_names = self._find_groups(X, y, groups, speaker)
        corpora, corpus_names = self._find_groups(X, y, None, corpus, "corpus")
        parts = []
        for code, name in enumerate(corpus_names):
            rows = corpora == code
            present, own = np.unique(speakers[rows], return_inverse=True)
            names = [speaker_names[place] for place in present]
            if len(names) < 2:
                self._refuse_one_speaker(name, names)
            n_splits = min(self.n_splits, len(names))
            splitter = SpeakerKFold(n_splits, shuffle=self.shuffle, random_state=self.random_state)
            splitter._check_parameters()
            parts.append((splitter, rows, own, names))
        return parts

    def _refuse_one_speaker(self, corpus, names):
        error = self._too_few(names, least=2)
        raise type(error)(f"corpus {corpus!r}: {error}")


def _fold_masks(splitter, rows, codes, names, y):
    of_rows = None if y is None else np.asarray(y, dtype=object)[rows]
    for train, test in splitter._iter_masks(codes, names, of_rows):
        masks = np.zeros((2, len(rows)), dtype=bool)
        masks[:, rows] = train, test
        yield tuple(masks)
