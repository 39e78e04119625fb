"""Leave-one-out splitters by corpus, speaker and language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sklearn_ser.model_selection._base import (
    CorpusSplitter,
    OneIdSplitter,
    SpeakerSplitter,
    Split,
    n_splits_sections,
    split_sections,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@public_module("sklearn_ser.model_selection")
class LeaveOneCorpusOut(CorpusSplitter):
    """Leave-one-corpus-out splitter: each corpus is the test set once, the others are trained on.

    The score is that of speech from an unseen corpus. The test sets are the corpora in sorted
    order. The corpus of each sample is taken from ``corpus=`` (with metadata routing), else from
    ``groups=`` (without routing), else from the column or index level ``"corpus"`` of X.

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

    Features made by the extractors have the corpus as an index level, so that searches find it:

    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> y = ["anger", "anger", "sadness", "anger", "sadness"]
    >>> cross_val_score(DummyClassifier(), X.set_index("corpus"), y, cv=LeaveOneCorpusOut())
    array([1. , 0.5, 0.5])
    """


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


@public_module("sklearn_ser.model_selection")
class LeaveOneLanguageOut(OneIdSplitter):
    """Leave-one-language-out splitter: each language is the test set once.

    With one corpus per language it is :class:`LeaveOneCorpusOut`. With several, no corpus of the
    test language is in the training set, which is harder.

    The language of each sample is taken from ``language=`` (with metadata routing), else from
    ``groups=`` (without routing), else from the column or index level ``"language"`` of X.

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

    @substitute_docstring(sections=split_sections("language"))
    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        language: ArrayLike | None = None,
    ) -> Iterator[Split]:
        """Generate the indices of training and test samples.

        %(sections)s
        """
        return self._split(X, y, groups, language)

    @substitute_docstring(sections=n_splits_sections("language"))
    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        language: ArrayLike | None = None,
    ) -> int:
        """Return the number of splits, which is the number of languages.

        %(sections)s
        """
        return self._count_splits(X, y, groups, language)
