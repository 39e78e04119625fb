"""Splits by corpus."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection._base import IdSplitter, LeaveOneIdOut, OneIdSplitter
from sklearn_ser.model_selection._speaker import SpeakerKFold
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.model_selection")
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


@public_module("sklearn_ser.model_selection")
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


@public_module("sklearn_ser.model_selection")
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


@public_module("sklearn_ser.model_selection")
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


@public_module("sklearn_ser.model_selection")
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


@public_module("sklearn_ser.model_selection")
class CorpusAdaptationSplit(IdSplitter):
    """Test on each corpus in turn, with a few labeled utterances of it in training.

    The question it asks: what are `n_target` labeled utterances of the place where the model is to
    work worth? They are those of whole speakers, drawn at random until there are enough (of the
    last one only as many as needed), and no row of these speakers is tested: adaptation to a corpus
    is measured, not recognition of its speakers.

    To see what each further utterance brings, compare splitters that differ in `n_target` alone (0
    is no adaptation): with the same int as `random_state` and the same `held_out` they test the
    same rows, and a larger `n_target` trains on the rows of a smaller one and more.

    Corpus and speaker of each row are taken from ``corpus=`` and ``speaker=`` (with metadata
    routing on), else the corpus from ``groups=`` (with routing off), else from the columns or index
    levels ``"corpus"`` and ``"speaker"`` of X.

    Parameters
    ----------
    n_target : int, default=20
        Labeled utterances of the tested corpus in training. Rows without a label (None, NaN in y)
        do not count, and are not used.
    held_out : float, default=0.5
        Share of the corpus's speakers, at least one, that may be drawn from; the others are tested.
    n_repeats : int, default=1
        Draws of each corpus.
    random_state : int, RandomState instance or None, default=None

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

    def __init__(self, n_target=20, *, held_out=0.5, n_repeats=1, random_state=None):
        self.n_target = n_target
        self.held_out = held_out
        self.n_repeats = n_repeats
        self.random_state = random_state

    def split(self, X, y=None, groups=None, corpus=None, speaker=None):
        """Indices of the training and the test rows, corpus by corpus.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless corpus or speaker have to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes, of which every training part must have all.
        groups : array-like of shape (n_samples,), default=None
            The corpus of each row, where `corpus` is not given.
        corpus, speaker : array-like of shape (n_samples,), default=None
            The corpus and the speaker of each row.

        Returns
        -------
        generator of (ndarray, ndarray)
            Training and test indices.

        Raises
        ------
        MetadataError
            If corpus or speaker are found nowhere or missing in a row, there is one corpus only, a
            corpus has one speaker only or too few labeled utterances, or the training rows of a
            split lack a class.
        """
        self._check_parameters()
        corpora, names = self._find_groups(X, y, groups, corpus)
        self._check_corpora(names)
        speakers, speaker_names = self._find_groups(X, y, None, speaker, "speaker")
        labeled = np.ones(len(corpora), dtype=bool)
        if y is not None and np.ndim(y) == 1:
            labeled = ~np.asarray(pd.isna(np.asarray(y, dtype=object)))
        masks = self._masks(corpora, names, speakers, speaker_names, labeled)
        return self._iter_indices(masks, y)

    def get_n_splits(self, X=None, y=None, groups=None, corpus=None, speaker=None):
        """Number of splits, `n_repeats` for each corpus; arguments as for `split`.

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
        self._check_parameters()
        _, names = self._find_groups(X, y, groups, corpus)
        self._check_corpora(names)
        return len(names) * self.n_repeats

    def _check_parameters(self):
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )

    def _check_corpora(self, names):
        if len(names) < 2:
            raise self._too_few(names, least=2)

    def _masks(self, corpora, names, speakers, speaker_names, labeled):
        rng = check_random_state(self.random_state)
        for code, name in enumerate(names):
            target = corpora == code
            present = np.unique(speakers[target])
            if len(present) < 2:
                error = self._too_few([speaker_names[place] for place in present], 2, "speaker")
                raise MetadataError(f"corpus {name!r}: {error}")
            for _ in range(self.n_repeats):
                drawn = rng.permutation(present)
                n_given = min(max(1, round(self.held_out * len(drawn))), len(drawn) - 1)
                given, tested = drawn[:n_given], drawn[n_given:]
                rows = self._target_rows(target & labeled, speakers, given, rng)
                if len(rows) < self.n_target:
                    raise MetadataError(
                        f"{self!r} wants {self.n_target} labeled utterances of corpus {name!r} in "
                        f"training, but the {n_given} speakers that are not tested have "
                        f"{len(rows)}: lower n_target, or raise held_out"
                    )
                train = ~target & ~np.isin(speakers, present)
                train[rows[: self.n_target]] = True
                yield train, target & np.isin(speakers, tested)

    def _target_rows(self, usable, speakers, given, rng):
        """Rows that may be trained on, speaker by speaker, each speaker's in random order."""
        return np.concatenate(
            [rng.permutation(np.flatnonzero(usable & (speakers == speaker))) for speaker in given]
        )
