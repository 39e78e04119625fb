"""Splits by speaker."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from sklearn_ser.model_selection._base import OneIdSplitter, class_codes
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.model_selection")
class SpeakerKFold(OneIdSplitter):
    """K folds with no speaker in two of them, and the classes as even over them as possible.

    Speakers are dealt to folds so that every fold holds about 1 / `n_splits` of the rows of each
    class and of all rows; then speakers are moved and swapped as long as that evens them out
    further. Where whole speakers do not allow it (a speaker with half of the rows of a class, a
    class with fewer speakers than folds), a fold may have little or nothing of a class.

    The speaker of each row is taken from ``speaker=`` (with metadata routing on), else from
    ``groups=`` (with routing off), else from the column or index level ``"speaker"`` of X.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most the number of speakers.
    shuffle : bool, default=False
        Start from a random order of the speakers instead of the largest first, for folds that
        differ from one `random_state` to the next and are about as well balanced. The order of
        the rows never matters.
    random_state : int, RandomState instance or None, default=None
        Used with ``shuffle=True`` only.

    See Also
    --------
    sklearn.model_selection.StratifiedGroupKFold : Deals the groups one by one and leaves it there.

    Notes
    -----
    Rows without a label (None, NaN) count only by their number, as do all rows where y is None or
    continuous.

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

    _id_name = "speaker"
    __metadata_request__split = {"speaker": True}

    _parameter_constraints = {
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X, y=None, groups=None, speaker=None):
        """Indices of the training and the test rows, fold by fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length counts, unless the speaker has to be found in it.
        y : array-like of shape (n_samples,), default=None
            The classes to balance.
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
            If the speaker is found nowhere, is missing in a row, there are fewer speakers than
            folds, or the training rows of a split lack a class.
        """
        self._check_parameters()
        return self._split(X, y, groups, speaker)

    def get_n_splits(self, X=None, y=None, groups=None, speaker=None):
        """Number of folds; needs no argument.

        Parameters
        ----------
        X, y, groups, speaker : object
            Not used.

        Returns
        -------
        int
        """
        self._check_parameters()
        return self.n_splits

    def _check_parameters(self):
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )
        # StackingClassifier puts a generator where it finds None, in any splitter.
        set_by_hand = not isinstance(self.random_state, np.random.RandomState | None)
        if set_by_hand and not self.shuffle:
            raise ValueError(
                f"random_state={self.random_state!r} has no effect with shuffle=False: leave it "
                f"at None, or set shuffle=True."
            )

    def _check_groups(self, names):
        if len(names) < self.n_splits:
            raise self._too_few(names, least=self.n_splits)

    def _iter_masks(self, codes, names, y):
        sizes = np.bincount(codes, minlength=len(names))
        counts = np.column_stack([*class_counts(y, codes, len(names)), sizes])
        if self.shuffle:
            order = check_random_state(self.random_state).permutation(len(names))
        else:
            order = np.argsort(-sizes, kind="stable")
        folds = assign_folds(counts, self.n_splits, order)[codes]
        for fold in range(self.n_splits):
            yield folds != fold, folds == fold


def class_counts(y, codes, n_groups):
    """For each class, how many rows each group has in it; nothing where y has no classes."""
    found = class_codes(y)
    if found is None:
        return []
    labels, classes = found
    # In an order that does not depend on the rows', so that rounding does not either.
    by_name = sorted(range(len(classes)), key=lambda position: str(classes[position]))
    return [np.bincount(codes[labels == position], minlength=n_groups) for position in by_name]


#: Above this many groups no pair is tried for a swap (that takes n_groups**2 numbers); with so
#: many groups, moves alone balance the folds.
_MOST_GROUPS_FOR_SWAPS = 1000

#: A change that gains less than this is rounding.
_LEAST_GAIN = 1e-10


def assign_folds(counts, n_folds, order):
    """Put each group into one fold so that every fold holds its share of every class.

    What is minimized is the sum, over folds and classes, of the squared difference between the
    fold's share of that class and 1 / `n_folds`. A class counts the same however rare it is. The
    groups are dealt one by one to the fold where each does least harm; then groups are moved, and
    pairs swapped, as long as that helps (the best such step first). No randomness.

    Parameters
    ----------
    counts : ndarray of shape (n_groups, n_classes)
        Rows of each group in each class. One column must count all its rows, so that no group
        is for free and no fold stays empty.
    n_folds : int
        At most n_groups.
    order : ndarray of shape (n_groups,)
        The groups in the order in which they are dealt.

    Returns
    -------
    ndarray of int of shape (n_groups,)
        Fold of each group; none is empty.
    """
    totals = counts.sum(axis=0)
    shares = counts[:, totals > 0] / totals[totals > 0]
    folds = np.empty(len(shares), dtype=np.intp)
    loads = np.zeros((n_folds, shares.shape[1]))
    for group in order:
        # Squared distance grows by 2 load.share + a constant; ties go to the emptier fold.
        harm = np.round(loads @ shares[group], 12)
        folds[group] = np.lexsort((loads.sum(axis=1), harm))[0]
        loads[folds[group]] += shares[group]
    return _improved(shares, folds, loads)


def _improved(shares, folds, loads):
    """Take the best move or swap until none is left that helps."""
    lengths = np.einsum("ij,ij->i", shares, shares)
    with_swaps = len(shares) <= _MOST_GROUPS_FOR_SWAPS
    products = shares @ shares.T if with_swaps else None
    while True:
        # overlap[g, f]: group g's share times fold f's load. Half the change in the objective:
        # moving g from a to b costs overlap[g, b] - overlap[g, a] + |share of g|**2.
        overlap = shares @ loads.T
        own = overlap[np.arange(len(folds)), folds]
        moves = overlap - own[:, None] + lengths[:, None]
        moves[np.arange(len(folds)), folds] = 0
        group, target = np.unravel_index(np.argmin(moves), moves.shape)
        other, gain = None, moves[group, target]
        if with_swaps:
            # Both at once: each leaves before the other comes, hence the product of the two.
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
