"""Deal groups that must not be cut into folds of equal size and equal class shares."""

import numpy as np

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
