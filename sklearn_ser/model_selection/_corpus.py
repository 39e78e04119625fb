"""Splitters by corpus and language."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection._base import (
    IdSplitter,
    OneIdSplitter,
    Split,
    n_splits_sections,
    split_sections,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._ids import rows_by_code
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import labeled_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class CorpusSplitter(OneIdSplitter):
    """Base class of splitters by corpus."""

    _id_name = "corpus"
    __metadata_request__split = {"corpus": True}

    @substitute_docstring(sections=split_sections("corpus"))
    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        corpus: ArrayLike | None = None,
    ) -> Iterator[Split]:
        """Generate the indices of training and test samples.

        %(sections)s
        """
        return self._split(X, y, groups, corpus)

    @substitute_docstring(sections=n_splits_sections("corpus"))
    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        corpus: ArrayLike | None = None,
    ) -> int:
        """Return the number of splits.

        %(sections)s
        """
        return self._count_splits(X, y, groups, corpus)


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


@public_module("sklearn_ser.model_selection")
class PairwiseCorpusSplit(CorpusSplitter):
    """Pairwise splitter: train on one corpus and test on another, for each ordered pair.

    The scores show how well models transfer from one corpus to another. The pairs are sorted by
    training corpus, then by test corpus. The corpus of each sample is taken from ``corpus=`` (with
    metadata routing), else from ``groups=`` (without routing), else from the column or index level
    ``"corpus"`` of X.

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

    def _n_splits(self, n_groups: int) -> int:
        return n_groups * (n_groups - 1)

    def _iter_masks(self, codes: np.ndarray, names: list, y: ArrayLike | None) -> Iterator[Split]:
        for source in range(len(names)):
            for target in range(len(names)):
                if source != target:
                    yield codes == source, codes == target


@public_module("sklearn_ser.model_selection")
class CorpusAdaptationSplit(IdSplitter):
    """Adaptation splitter: test on each corpus, with a few labeled utterances of it in training.

    The scores show the value of `n_target` labeled utterances of the target corpus. The utterances
    are those of whole speakers, drawn at random until there are enough of them (some utterances of
    the last speaker may be left out). These speakers are not tested, so that adaptation to a corpus
    is measured and not recognition of its speakers.

    For a curve over `n_target` (0 is no adaptation) compare splitters that differ in `n_target`
    only: with the same int as `random_state` and the same `held_out` they have the same test sets,
    and the training set of a larger `n_target` contains that of a smaller one.

    Corpus and speaker of each sample are taken from ``corpus=`` and ``speaker=`` (with metadata
    routing), else the corpus from ``groups=`` (without routing), else from the columns or index
    levels ``"corpus"`` and ``"speaker"`` of X.

    Parameters
    ----------
    n_target : int, default=20
        Number of labeled utterances of the test corpus in training. Unlabeled samples (None, NaN
        in y) of the test corpus are not trained on.
    held_out : float, default=0.5
        Share of the speakers of the test corpus, at least one of them, that these utterances are
        drawn from; the others are tested.
    n_repeats : int, default=1
        Number of random draws for each corpus.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import CorpusAdaptationSplit
    >>> X = pd.DataFrame({"corpus": ["x"] * 4 + ["y"] * 6, "speaker": list("aabbcccddd")})
    >>> for train, test in CorpusAdaptationSplit(n_target=2, random_state=0).split(X):
    ...     print(X["corpus"][test].iloc[0], len(train), X["speaker"][test].unique().tolist())
    x 8 ['a']
    y 6 ['d']
    """

    _id_name = "corpus"
    __metadata_request__split = {"corpus": True, "speaker": True}

    _parameter_constraints = {
        "n_target": [Interval(Integral, 0, None, closed="left")],
        "held_out": [Interval(Real, 0, 1, closed="neither")],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_target: int = 20,
        *,
        held_out: float = 0.5,
        n_repeats: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_target = n_target
        self.held_out = held_out
        self.n_repeats = n_repeats
        self.random_state = random_state

    @substitute_docstring(sections=split_sections("corpus", "speaker"))
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
        self._validate_params()
        corpora, names = self._find_groups(X, y, groups, corpus, minimum=2)
        speakers, speaker_names = self._find_groups(X, y, None, speaker, "speaker")
        labeled = np.ones(len(corpora), dtype=bool)
        if y is not None and np.ndim(y) == 1:
            labeled = labeled_rows(y)
        masks = self._masks(corpora, names, speakers, speaker_names, labeled)
        return self._iter_indices(masks, y)

    @substitute_docstring(sections=n_splits_sections("corpus", "speaker"))
    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        corpus: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> int:
        """Return the number of splits, `n_repeats` for each corpus.

        %(sections)s
        """
        self._validate_params()
        _, names = self._find_groups(X, y, groups, corpus, minimum=2)
        return len(names) * self.n_repeats

    def _masks(self, corpora, names, speakers, speaker_names, labeled):
        rng = check_random_state(self.random_state)
        for code, name in enumerate(names):
            target = corpora == code
            own = np.flatnonzero(target)
            present, own_codes = np.unique(speakers[own], return_inverse=True)
            own_names = [speaker_names[position] for position in present]
            self._check_n_groups(own_names, 2, "speaker", f" in corpus {name!r}")
            usable = [own[part] for part in rows_by_code(own_codes, len(present))]
            usable = [rows[labeled[rows]] for rows in usable]
            for _ in range(self.n_repeats):
                drawn = rng.permutation(len(present))
                n_given = min(max(1, round(self.held_out * len(drawn))), len(drawn) - 1)
                trained, tested = drawn[:n_given], drawn[n_given:]
                rows = np.concatenate([rng.permutation(usable[speaker]) for speaker in trained])
                if len(rows) < self.n_target:
                    raise MetadataError(
                        f"The {n_given} speakers of corpus {name!r} that are not tested have "
                        f"{len(rows)} labeled utterances, but {type(self).__name__} expects at "
                        f"least n_target={self.n_target}. Decrease n_target or increase held_out."
                    )
                train = ~target & ~np.isin(speakers, present)
                train[rows[: self.n_target]] = True
                yield train, target & np.isin(speakers, present[tested])
