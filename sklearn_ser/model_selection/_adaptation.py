"""Leave one corpus out, but for a stated number of its utterances."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection._base import IdSplitter


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
