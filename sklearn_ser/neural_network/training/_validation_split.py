"""Which training rows decide when to stop: rows of speakers that are not trained on."""

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.model_selection._base import sorted_codes
from sklearn_ser.neural_network._random import numpy_stream
from sklearn_ser.utils._warnings import warn_user

#: With fewer rows to validate on than this, their loss is mostly chance: no early stopping.
FEWEST_VALIDATION_ROWS = 10


def hold_out(
    rows,
    groups,
    fraction,
    seed,
    turn=0,
    *,
    purpose="early stopping watches",
    reason="early_stopping=False",
    sources=None,
):
    """Choose the rows that decide when to stop, and warn where groups could not be kept apart.

    Parameters
    ----------
    rows : ResidentRows
        The main task is the first.
    groups : ndarray of shape (n_rows,) or None
    fraction : float or None
        None holds nothing out.
    seed : int
    turn : int
        Which of the equally sized choices of groups is taken, the best one first: the networks of
        an ensemble hold out different groups, so that each row trains most of them.
    purpose : str
        What the rows are for, to be said in the warning.
    reason : str
        Why nothing is held out, if `fraction` is None.
    sources : ndarray of int of shape (n_rows, k), optional
        The original rows that each row was made from: no row is trained on of which a source is
        held out, and mixtures of several are not watched.

    Returns
    -------
    train, valid : ndarray of int
        Positions.
    record : dict
        See :func:`split_validation`.
    """
    codes = np.where(rows.weights[:, 0].cpu() > 0, rows.targets[0].cpu(), -1)
    if fraction is None:
        valid, train, record, weaker = no_validation(codes, reason)
    else:
        valid, train, record, weaker = split_validation(
            codes, groups, fraction, numpy_stream(seed, "validation"), turn, sources
        )
    if weaker and turn == 0:
        warn_user(
            f"{purpose} rows of speakers that are also trained on, because {record['reason']}",
            TrainingWarning,
        )
    return np.flatnonzero(train), np.flatnonzero(valid), record


def split_validation(codes, groups, fraction, generator, turn=0, sources=None):
    """Choose the validation rows.

    With groups: whole groups of about `fraction` of the labeled rows, chosen so that every class
    stays in training and is about as frequent in both parts. Without, or where that cannot be:
    rows at random, class by class.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
        Class of each row, -1 for a row that cannot be validated on (no label, weight 0).
    groups : ndarray of shape (n_rows,) or None
        Rows without a group (None, NaN) count together as one group.
    fraction : float
    generator : numpy.random.Generator
    turn : int
    sources : ndarray of int of shape (n_rows, k), optional
        See :func:`hold_out`.

    Returns
    -------
    valid, train : ndarray of bool of shape (n_rows,)
        Unlabeled rows of held-out groups are in neither part.
    record : dict
        ``kind`` ("groups", "stratified" or "none"), ``n_train`` and ``n_valid`` (labeled rows),
        ``groups`` (those held out, as strings), ``reason`` (why not by groups, or why not at all).
    weaker : bool
        Whether groups were given but could not be used.
    """
    labeled = codes >= 0
    at_random = _random_rows(codes, fraction, generator, sources)
    n_labeled, n_random = _n_originals(labeled, sources), _n_originals(at_random, sources)
    if n_random < FEWEST_VALIDATION_ROWS:
        return no_validation(
            codes,
            f"{fraction} of the {n_labeled} labeled rows, class by class, is {n_random}, and at "
            f"least {FEWEST_VALIDATION_ROWS} are needed",
        )
    reason = "no groups were given"
    if groups is not None:
        ids, names = pd.factorize(groups, use_na_sentinel=False)
        held_out, reason = _choose_groups(codes[labeled], ids[labeled], fraction, turn)
        if held_out is not None:
            held = np.isin(ids, held_out)
            valid, train = _apart(held, labeled, sources)
            if not valid.any():
                return no_validation(codes, "the rows of held-out groups are mixtures")
            names = sorted(str(names[i]) for i in held_out)
            return valid, train, _record("groups", codes, valid, train, groups=names), False
    valid, train = _apart(at_random, labeled, sources)
    record = _record("stratified", codes, valid, train, reason=reason)
    return valid, train, record, groups is not None


def no_validation(codes, reason):
    """As :func:`split_validation`, with every row in training."""
    nowhere = np.zeros(len(codes), dtype=bool)
    return nowhere, ~nowhere, _record("none", codes, nowhere, ~nowhere, reason=reason), False


def _choose_groups(codes, ids, fraction, turn):
    """The groups to hold out, or None and the reason."""
    n_groups = len(np.unique(ids))
    if n_groups < 2:
        return None, f"there are fewer than two groups ({n_groups})"
    overall = np.bincount(codes) / len(codes)
    n_splits = min(n_groups, max(2, round(1 / fraction)))
    choices = []
    places, names = sorted_codes(ids)
    # The masks themselves: `split` refuses them all where one of them loses a class.
    for train, valid in SpeakerKFold(n_splits)._iter_masks(places, names, codes):
        counts = np.bincount(codes[train], minlength=len(overall))
        if (counts[overall > 0] == 0).any():
            continue
        shares = np.bincount(codes[valid], minlength=len(overall)) / valid.sum()
        mismatch = abs(valid.sum() / len(codes) - fraction) + abs(shares - overall).sum() / 2
        choices.append((mismatch, np.unique(ids[valid])))
    if not choices:
        return None, "every split by groups takes a whole class out of training"
    choices.sort(key=lambda choice: choice[0])
    return choices[turn % len(choices)][1], None


def _n_originals(rows, sources):
    """How many rows these are, copies not counted."""
    return int(rows.sum()) if sources is None else len(np.unique(sources[rows, 0]))


def _apart(held, labeled, sources):
    """The rows to watch and those to train on, given those that are held out."""
    if sources is None:
        return held & labeled, ~held
    mixed = (sources != sources[:, :1]).any(axis=1)
    held_sources = sources[held, 0]  # a mixture has the group of its first source
    return held & labeled & ~mixed, ~np.isin(sources, held_sources).any(axis=1)


def _random_rows(codes, fraction, generator, sources=None):
    """About `fraction` of each class's rows, never all of them; copies of a row go together."""
    chosen = np.zeros(len(codes), dtype=bool)
    firsts = np.flatnonzero(codes >= 0)
    if sources is not None:
        firsts = firsts[np.unique(sources[firsts, 0], return_index=True)[1]]
    for code in np.unique(codes[firsts]):
        rows = firsts[codes[firsts] == code]
        n_valid = min(round(len(rows) * fraction), len(rows) - 1)
        chosen[generator.permutation(rows)[:n_valid]] = True
    return chosen if sources is None else np.isin(sources[:, 0], sources[chosen, 0])


def _record(kind, codes, valid, train, groups=(), reason=""):
    groups = list(groups)
    return {
        "kind": kind,
        "n_train": int((train & (codes >= 0)).sum()),
        "n_valid": int(valid.sum()),
        "groups": groups,
        "reason": reason,
    }
