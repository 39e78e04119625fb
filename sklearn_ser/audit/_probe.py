"""Cheat probes: can the label be told from something that is no speech at all?

A small tree sees one nuisance (the recording's length, its noise floor, ...) and predicts the
label of speakers that it has not seen. Its unweighted average recall is held against chance by
two tests that must both reject: a t interval over speakers, and labels shuffled within speakers
(what is left then is what speakers have of their own), or, where most speakers have one label,
dealt anew to whole speakers.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import GroupKFold
from sklearn.tree import DecisionTreeClassifier

from sklearn_ser.metrics import cluster_interval

#: Folds, at most; fewer with fewer speakers.
MOST_FOLDS = 10
N_SHUFFLES = 999
#: Deals of labels to speakers, none of which may do as well: a test at 1 / (1 + N_DEALS).
N_DEALS = 99
LEVEL_OF_DEALS = 0.01
#: p of the first test, above which the second cannot change anything.
WORTH_SHUFFLING = 0.05
#: Least rows of a class and least speakers for a probe to say anything.
FEWEST_OF_CLASS, FEWEST_SPEAKERS = 4, 3


@dataclass
class Probe:
    """Outcome of one probe.

    Attributes
    ----------
    uar, low, high : float
        Unweighted average recall and its 95 % interval over speakers.
    chance : float
        1 / number of classes.
    p : float
        The larger of the two tests'.
    """

    uar: float
    low: float
    high: float
    chance: float
    p: float

    @property
    def effect(self):
        """0 at chance, 1 where the label is determined."""
        return (self.uar - self.chance) / (1 - self.chance)

    @property
    def least_effect(self):
        """The same of the interval's lower end."""
        return (self.low - self.chance) / (1 - self.chance)


def run_probe(numbers, labels, speakers, rng):
    """Predict labels from some numbers, over speakers.

    Parameters
    ----------
    numbers : ndarray of float of shape (n_rows, n_numbers)
        NaN: unknown.
    labels, speakers : ndarray of object of shape (n_rows,)
    rng : numpy.random.Generator

    Returns
    -------
    Probe or None
        None where the numbers do not vary, or there is too little data.
    """
    known = np.isfinite(numbers).any(axis=1)
    numbers, labels, speakers = numbers[known], labels[known].astype(str), speakers[known]
    varies = any(len(np.unique(column[~np.isnan(column)])) > 1 for column in numbers.T)
    if not varies or not _is_enough(labels, speakers):
        return None
    probe = judge(labels, _predict(numbers, labels, speakers), speakers, rng)
    is_open = probe.p < LEVEL_OF_DEALS and not _have_several(labels, speakers)
    if is_open and _dealt_does_as_well(probe.uar, numbers, labels, speakers, rng):
        probe.p = 1.0
    return probe


def judge(labels, predicted, speakers, rng):
    """Hold predictions of unseen speakers against chance.

    Parameters
    ----------
    labels, predicted, speakers : ndarray of shape (n_rows,)
    rng : numpy.random.Generator

    Returns
    -------
    Probe or None
        None where there is too little data.
    """
    labels, predicted, speakers = (v.astype(str) for v in (labels, predicted, speakers))
    if not _is_enough(labels, speakers):
        return None
    classes = np.unique(labels)
    chance, freedom = 1 / len(classes), len(np.unique(speakers)) - 1
    uar = float(np.mean([(predicted[labels == name] == name).mean() for name in classes]))
    found = cluster_interval(labels, predicted, speakers, min_clusters=2)
    # Where a class has one speaker only nothing is known of others.
    low, high = (0.0, 1.0) if np.isnan(found.low) else (found.low, found.high)
    # Of an interval that was cut off at 0 or 1 the other half counts.
    spread = max(high - uar, uar - low) / stats.t.ppf(0.975, freedom)
    p = float(stats.t.sf((uar - chance) / max(spread, 1e-9), freedom))
    if p < WORTH_SHUFFLING:
        p = max(p, _shuffled_p(uar, labels, predicted, speakers, classes, rng))
    return Probe(uar, low, high, chance, p)


def _is_enough(labels, speakers):
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    n_speakers = len(np.unique(speakers.astype(str)))
    return len(classes) > 1 and counts.min() >= FEWEST_OF_CLASS and n_speakers >= FEWEST_SPEAKERS


def _predict(numbers, labels, speakers):
    predicted = np.empty_like(labels)
    n_classes = len(np.unique(labels))
    folds = GroupKFold(min(MOST_FOLDS, len(np.unique(speakers.astype(str)))))
    for train, test in folds.split(numbers, labels, speakers.astype(str)):
        tree = DecisionTreeClassifier(
            max_leaf_nodes=2 * n_classes,
            min_samples_leaf=max(3, len(train) // 50),
            class_weight="balanced",
            random_state=0,
        )
        predicted[test] = tree.fit(numbers[train], labels[train]).predict(numbers[test])
    return predicted


def _shuffled_p(uar, labels, predicted, speakers, classes, rng):
    """How often labels that are shuffled within speakers are found as well; 0 where none can be.

    The predictions stay: those of a speaker do not depend on the speaker's own labels.
    """
    who = np.unique(speakers, return_inverse=True)[1]
    truth, said = np.searchsorted(classes, labels), np.searchsorted(classes, predicted)
    order = np.lexsort((np.arange(len(who)), who))
    who, truth, said = who[order], truth[order], said[order]
    if not _have_several(truth, who):
        return 0.0
    weights = 1 / np.bincount(truth) / len(classes)
    as_high = 0
    for _ in range(N_SHUFFLES):
        mixed = truth[np.lexsort((rng.random(len(who)), who))]
        as_high += weights[mixed[mixed == said]].sum() >= uar - 1e-12
    return (1 + as_high) / (1 + N_SHUFFLES)


def _have_several(labels, speakers):
    """Whether half of the speakers have more than one label."""
    who, names = pd.factorize(speakers)
    n_labels = [len(np.unique(labels[who == k])) for k in range(len(names))]
    return np.mean(np.array(n_labels) > 1) >= 0.5


def _dealt_does_as_well(uar, numbers, labels, speakers, rng):
    """Whether labels dealt anew to whole speakers are found as well, in any of many deals.

    Where speakers have one label, shuffles within them change nothing, and the interval is too
    short if a few speakers have most of the rows. The tree is fitted to each deal.
    """
    who, names = pd.factorize(speakers)
    own = np.array([pd.Series(labels[who == k]).mode()[0] for k in range(len(names))])
    for _ in range(N_DEALS):
        dealt = rng.permutation(own)[who]
        classes = np.unique(dealt)
        predicted = _predict(numbers, dealt, speakers)
        if np.mean([(predicted[dealt == name] == name).mean() for name in classes]) >= uar:
            return True
    return False
