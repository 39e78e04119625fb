"""Files that continue in another file: one recording, cut.

A single junction seldom proves that two files belong together, but many do: of neighbours in
the order of names, each pair's score is ranked among those of the same end with other starts and
of the same start with other ends, and the product of the two ranks is compared with that of
pairs that are no neighbours. Such ranks need no assumption on what speech is like.
"""

import re
from itertools import pairwise

import numpy as np
from scipy import stats

from sklearn_ser.evaluation._audit_junction import VIEWS, pair_scores, scores

#: Files that each junction is ranked among, and pairs that are no neighbours.
N_RIVALS, N_CONTROLS = 500, 20_000
#: A pair counts as found where this part of those found can be chance.
FALSE_DISCOVERY = 0.05
#: Of the test that neighbours are like other pairs; and the least number of junctions found.
SIGNIFICANT, FEWEST = 1e-4, 3
#: Ranks at which neighbours and others are compared.
_THRESHOLDS = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)


def natural_key(text):
    """Sorts S2 before S10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _parts(text)]


def _parts(text):
    return [part for part in re.split(r"(\d+)", text) if part]


def neighbours(names, groups):
    """Pairs of rows that follow each other in the order of their names, group by group.

    Parameters
    ----------
    names : list of str
    groups : sequence of shape (n_rows,)
        Speakers.

    Returns
    -------
    list of (int, int)
    """
    order = sorted(
        range(len(names)), key=lambda row: (str(groups[row]), natural_key(names[row]), row)
    )
    return [(i, j) for i, j in pairwise(order) if groups[i] == groups[j]]


def continuing(ends, starts, pairs, groups, rng):
    """Which of these pairs of rows are one recording that was cut.

    Parameters
    ----------
    ends, starts : list of (tuple or None)
        Of :func:`~sklearn_ser.evaluation._audit_junction.edges`, by row.
    pairs : list of (int, int)
        The first may continue in the second.
    groups : sequence of shape (n_rows,)
    rng : numpy.random.Generator

    Returns
    -------
    found : list of (int, int)
    n_testable : int
        Pairs of which neither edge is silence.
    control : float
        Part of other pairs that ranks as high as those found.
    """
    has_end = [row for row, end in enumerate(ends) if end is not None]
    has_start = [row for row, start in enumerate(starts) if start is not None]
    testable = [(i, j) for i, j in pairs if ends[i] is not None and starts[j] is not None]
    if len(testable) < FEWEST or len(has_end) < 20 or len(has_start) < 20:
        return [], len(testable), np.nan
    controls = _controls(has_end, has_start, set(pairs), groups, rng)
    tested = np.array(testable + controls)
    ranks = _ranks(ends, starts, tested, has_end, has_start, rng)
    ours, others = np.sort(ranks[: len(testable)]), np.sort(ranks[len(testable) :])
    best = None
    for limit in _THRESHOLDS:
        n_found = int(np.searchsorted(ours, limit, side="right"))
        chance = (np.searchsorted(others, limit, side="right") + 1) / (len(others) + 1)
        p = stats.binom.sf(n_found - 1, len(ours), chance) * len(_THRESHOLDS)
        few_false = chance * len(ours) <= FALSE_DISCOVERY * n_found
        if n_found >= FEWEST and p < SIGNIFICANT and few_false:
            best = (limit, chance)
    if best is None:
        return [], len(testable), np.nan
    limit, chance = best
    found = [pair for pair, rank in zip(testable, ranks, strict=False) if rank <= limit]
    return found, len(testable), float(chance)


def _controls(has_end, has_start, excluded, groups, rng):
    """Pairs of rows that are no neighbours, of one group as far as there are enough."""
    by_group = {}
    for row in has_start:
        by_group.setdefault(groups[row], []).append(row)
    within = []
    for i in has_end:
        rows = by_group.get(groups[i], ())
        if len(rows) > 200:
            rows = rng.choice(rows, 200, replace=False).tolist()
        within += [(i, j) for j in rows if j != i and (i, j) not in excluded]
    if len(within) > N_CONTROLS:
        within = [within[k] for k in rng.choice(len(within), N_CONTROLS, replace=False)]
    if len(within) < 1000:
        ends, starts = rng.choice(has_end, N_CONTROLS), rng.choice(has_start, N_CONTROLS)
        within += [
            (i, j)
            for i, j in set(zip(ends.tolist(), starts.tolist(), strict=True))
            if i != j and (i, j) not in excluded
        ]
    return within


def _ranks(ends, starts, pairs, has_end, has_start, rng):
    """Product of a pair's rank among rival starts and among rival ends, each from 0 to 1."""
    rival_starts = _sample(has_start, rng)
    rival_ends = _sample(has_end, rng)
    products = []
    for view in range(len(VIEWS)):
        score = pair_scores(ends, starts, pairs, view)
        by_start = scores([ends[i] for i in has_end], [starts[j] for j in rival_starts], view)
        by_end = scores([ends[i] for i in rival_ends], [starts[j] for j in has_start], view)
        place_of_end = {row: k for k, row in enumerate(has_end)}
        place_of_start = {row: k for k, row in enumerate(has_start)}
        # No file is a rival of itself.
        for k, row in enumerate(rival_starts):
            if row in place_of_end:
                by_start[place_of_end[row], k] = -np.inf
        for k, row in enumerate(rival_ends):
            if row in place_of_start:
                by_end[k, place_of_start[row]] = -np.inf
        by_start, by_end = np.sort(by_start, axis=1), np.sort(by_end, axis=0)
        product = np.empty(len(pairs))
        for k, (i, j) in enumerate(pairs):
            row = by_start[place_of_end[i]]
            column = by_end[:, place_of_start[j]]
            better = len(row) - np.searchsorted(row, score[k], side="right")
            later = len(column) - np.searchsorted(column, score[k], side="right")
            product[k] = (1 + better) / (1 + len(row)) * (1 + later) / (1 + len(column))
        products.append(product)
    return len(VIEWS) * np.minimum.reduce(products)


def _sample(rows, rng):
    if len(rows) <= N_RIVALS:
        return list(rows)
    return sorted(rng.choice(rows, N_RIVALS, replace=False).tolist())
