"""Splits that leave out one speaker, or one language, at a time."""

from sklearn_ser.model_selection._base import LeaveOneIdOut


class LeaveOneSpeakerOut(LeaveOneIdOut):
    """Test on each speaker in turn, train on all the others.

    The classical protocol of small corpora (LOSO). A single speaker seldom speaks every emotion,
    so the score of one test part is noisy, and UAR over the classes present in it is not the UAR
    of the corpus: pool the predictions of all parts, as
    :func:`~sklearn_ser.evaluation.cross_corpus_validate` does, or use :class:`SpeakerKFold`.

    The speaker of each row is taken from ``speaker=`` (with metadata routing on), else from
    ``groups=`` (with routing off), else from the column or index level ``"speaker"`` of X.

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

    _id_name = "speaker"
    __metadata_request__split = {"speaker": True}

    def split(self, X, y=None, groups=None, speaker=None):
        """Indices of the training and the test rows, speaker by speaker.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless the speaker has to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes, of which every training part must have all.
        groups : array-like of shape (n_samples,), default=None
            The speaker of each row, where `speaker` is not given.
        speaker : array-like of shape (n_samples,), default=None
            The speaker of each row.

        Returns
        -------
        generator of (ndarray, ndarray)
            Training and test indices.

        Raises
        ------
        MetadataError
            If the speaker is found nowhere, is missing in a row, there is only one, or the training
            rows of a split lack a class.
        """
        return self._split(X, y, groups, speaker)

    def get_n_splits(self, X=None, y=None, groups=None, speaker=None):
        """Number of splits, which is the number of speakers; arguments as for `split`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        speaker : array-like of shape (n_samples,), default=None

        Returns
        -------
        int
        """
        return self._n_splits(X, y, groups, speaker)


class LeaveOneLanguageOut(LeaveOneIdOut):
    """Test on each language in turn, train on all the others.

    With one corpus to a language this is :class:`LeaveOneCorpusOut`; with several, no corpus of
    the tested language is trained on, which is the harder and more honest question.

    The language of each row is taken from ``language=`` (with metadata routing on), else from
    ``groups=`` (with routing off), else from the column or index level ``"language"`` of X.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import LeaveOneLanguageOut
    >>> X = pd.DataFrame({"loudness": range(4), "language": ["de", "en", "en", "ur"]})
    >>> for train, test in LeaveOneLanguageOut().split(X):
    ...     print(X["language"][test].unique().tolist(), train, test)
    ['de'] [1 2 3] [0]
    ['en'] [0 3] [1 2]
    ['ur'] [0 1 2] [3]
    """

    _id_name = "language"
    __metadata_request__split = {"language": True}

    def split(self, X, y=None, groups=None, language=None):
        """Indices of the training and the test rows, language by language.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless the language has to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes, of which every training part must have all.
        groups : array-like of shape (n_samples,), default=None
            The language of each row, where `language` is not given.
        language : array-like of shape (n_samples,), default=None
            The language of each row.

        Returns
        -------
        generator of (ndarray, ndarray)
            Training and test indices.

        Raises
        ------
        MetadataError
            If the language is found nowhere, is missing in a row, there is only one, or the
            training rows of a split lack a class.
        """
        return self._split(X, y, groups, language)

    def get_n_splits(self, X=None, y=None, groups=None, language=None):
        """Number of splits, which is the number of languages; arguments as for `split`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        language : array-like of shape (n_samples,), default=None

        Returns
        -------
        int
        """
        return self._n_splits(X, y, groups, language)
