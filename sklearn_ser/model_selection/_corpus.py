"""Splits by corpus."""

from sklearn_ser.model_selection._base import LeaveOneIdOut, OneIdSplitter


class LeaveOneCorpusOut(LeaveOneIdOut):
    """Test on each corpus in turn, train on all the others.

    The question it asks: how well does the model do on speech from a corpus it has never seen?
    The test sets are the corpora in sorted order. The corpus of each row is taken from ``corpus=``
    (with metadata routing on), else from ``groups=`` (with routing off), else from the column or
    index level ``"corpus"`` of X.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import LeaveOneCorpusOut
    >>> corpora = ["nemo", "emodb", "nemo", "urdu", "urdu"]
    >>> X = pd.DataFrame({"loudness": range(5), "corpus": corpora})
    >>> for train, test in LeaveOneCorpusOut().split(X):
    ...     print(X["corpus"][test].unique().tolist(), train, test)
    ['emodb'] [0 2 3 4] [1]
    ['nemo'] [1 3 4] [0 2]
    ['urdu'] [0 1 2] [3 4]

    It takes part in searches without further ado when X carries the corpus, since features made
    by the extractors keep it as an index level:

    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> y = ["anger", "anger", "sadness", "anger", "sadness"]
    >>> cross_val_score(DummyClassifier(), X.set_index("corpus"), y, cv=LeaveOneCorpusOut())
    array([1. , 0.5, 0.5])
    """

    _id_name = "corpus"
    __metadata_request__split = {"corpus": True}

    def split(self, X, y=None, groups=None, corpus=None):
        """Indices of the training and the test rows, corpus by corpus.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless the corpus has to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes, of which every training part must have all.
        groups : array-like of shape (n_samples,), default=None
            The corpus of each row, where `corpus` is not given.
        corpus : array-like of shape (n_samples,), default=None
            The corpus of each row.

        Returns
        -------
        generator of (ndarray, ndarray)
            Training and test indices.

        Raises
        ------
        MetadataError
            If the corpus is found nowhere, is missing in a row, there is only one, or the training
            rows of a split lack a class.
        """
        return self._split(X, y, groups, corpus)

    def get_n_splits(self, X=None, y=None, groups=None, corpus=None):
        """Number of splits, which is the number of corpora; arguments as for `split`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        corpus : array-like of shape (n_samples,), default=None

        Returns
        -------
        int
        """
        return self._n_splits(X, y, groups, corpus)


class PairwiseCorpusSplit(OneIdSplitter):
    """Train on one corpus, test on another: every ordered pair.

    The question it asks: what carries over from this corpus to that one? The pairs come in sorted
    order, training corpus by training corpus. The corpus of each row is taken from ``corpus=``
    (with metadata routing on), else from ``groups=`` (with routing off), else from the column or
    index level ``"corpus"`` of X.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import PairwiseCorpusSplit
    >>> X = pd.DataFrame({"corpus": ["nemo", "emodb", "nemo", "urdu", "urdu"]})
    >>> splitter = PairwiseCorpusSplit()
    >>> splitter.get_n_splits(X)
    6
    >>> train, test = next(splitter.split(X))
    >>> X["corpus"][train].unique().tolist(), X["corpus"][test].unique().tolist()
    (['emodb'], ['nemo'])
    """

    _id_name = "corpus"
    __metadata_request__split = {"corpus": True}

    def split(self, X, y=None, groups=None, corpus=None):
        """Indices of the training and the test rows, pair by pair.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless the corpus has to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes, of which every corpus must have all.
        groups : array-like of shape (n_samples,), default=None
            The corpus of each row, where `corpus` is not given.
        corpus : array-like of shape (n_samples,), default=None
            The corpus of each row.

        Returns
        -------
        generator of (ndarray, ndarray)
            Training and test indices.

        Raises
        ------
        MetadataError
            If the corpus is found nowhere, is missing in a row, there is only one, or a corpus
            lacks a class.
        """
        return self._split(X, y, groups, corpus)

    def get_n_splits(self, X=None, y=None, groups=None, corpus=None):
        """Number of ordered pairs of corpora; arguments as for `split`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        corpus : array-like of shape (n_samples,), default=None

        Returns
        -------
        int
        """
        _, names = self._find_groups(X, y, groups, corpus)
        self._check_groups(names)
        return len(names) * (len(names) - 1)

    def _check_groups(self, names):
        if len(names) < 2:
            raise self._too_few(names, least=2)

    def _iter_masks(self, codes, names, y):
        for source in range(len(names)):
            for target in range(len(names)):
                if source != target:
                    yield codes == source, codes == target
