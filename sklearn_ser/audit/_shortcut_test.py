"""Shortcut tests: whether a label can be predicted from something that is not speech.

A small tree is given one confounder (the recording's length, its noise floor, ...) and predicts
the labels of unseen speakers. Its unweighted average recall is compared with chance by two tests
that must both reject: a t interval over speakers, and labels permuted within speakers (what
remains then is due to the speakers themselves), or, if most speakers have one label, labels
randomly assigned to whole speakers.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import GroupKFold
from sklearn.tree import DecisionTreeClassifier

from sklearn_ser.metrics import cluster_interval

#: Number of folds; fewer with fewer speakers.
MAX_FOLDS = 10
N_PERMUTATIONS = 999
#: Assignments of labels to speakers, none of which may score as high: a test at the level
#: 1 / (1 + N_ASSIGNMENTS).
N_ASSIGNMENTS = 99
ASSIGNMENT_LEVEL = 0.01
#: p of the first test above which the second cannot change the outcome.
MAX_P_TO_PERMUTE = 0.05
#: Smallest number of rows per class, and of speakers, for which a test is run.
MIN_ROWS_PER_CLASS, MIN_SPEAKERS = 4, 3


@dataclass
class ShortcutTest:
    """UAR with its 95 % interval over speakers, chance, and the larger p of the two tests."""

    uar: float
    low: float
    high: float
    chance: float
    p: float

    @property
    def min_effect(self):
        """Lower end of the interval on a scale from 0 (chance) to 1 (label determined)."""
        return (self.low - self.chance) / (1 - self.chance)


def run_shortcut_test(
    numbers: np.ndarray, labels: np.ndarray, speakers: np.ndarray, rng: np.random.Generator
) -> ShortcutTest | None:
    """Predict labels from the values of a confounder, cross-validated over speakers.

    Returns None if the values do not vary, or there are too few data. NaN is an unknown value.
    """
    known = np.isfinite(numbers).any(axis=1)
    numbers, labels, speakers = numbers[known], labels[known].astype(str), speakers[known]
    varies = any(len(np.unique(column[~np.isnan(column)])) > 1 for column in numbers.T)
    if not varies or not _has_enough_data(labels, speakers):
        return None
    test = compare_with_chance(labels, _predict(numbers, labels, speakers), speakers, rng)
    if (
        test is not None
        and test.p < ASSIGNMENT_LEVEL
        and not _most_have_several(labels, speakers)
        and _assignment_scores_as_high(test.uar, numbers, labels, speakers, rng)
    ):
        test.p = 1.0
    return test


def compare_with_chance(
    y_true: np.ndarray, y_pred: np.ndarray, speakers: np.ndarray, rng: np.random.Generator
) -> ShortcutTest | None:
    """Compare predictions for unseen speakers with chance; None if there are too few data."""
    y_true, y_pred, speakers = (v.astype(str) for v in (y_true, y_pred, speakers))
    if not _has_enough_data(y_true, speakers):
        return None
    classes = np.unique(y_true)
    chance, freedom = 1 / len(classes), len(np.unique(speakers)) - 1
    uar = _uar(y_true, y_pred)
    interval = cluster_interval(y_true, y_pred, speakers, min_clusters=2)
    # If only one speaker has a class, nothing is known about that class in other speakers.
    low, high = (0.0, 1.0) if np.isnan(interval.low) else (interval.low, interval.high)
    # If the interval was clipped at 0 or 1, the other half gives the standard error.
    spread = max(high - uar, uar - low) / stats.t.ppf(0.975, freedom)
    p = float(stats.t.sf((uar - chance) / max(spread, 1e-9), freedom))
    if p < MAX_P_TO_PERMUTE:
        p = max(p, _permutation_p(uar, y_true, y_pred, speakers, classes, rng))
    return ShortcutTest(uar, low, high, chance, p)


def _uar(y_true, y_pred):
    return float(np.mean([(y_pred[y_true == name] == name).mean() for name in np.unique(y_true)]))


def _has_enough_data(labels, speakers):
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    n_speakers = len(np.unique(speakers.astype(str)))
    return len(classes) > 1 and counts.min() >= MIN_ROWS_PER_CLASS and n_speakers >= MIN_SPEAKERS


def _predict(numbers, labels, speakers):
    predicted = np.empty_like(labels)
    n_classes = len(np.unique(labels))
    folds = GroupKFold(min(MAX_FOLDS, len(np.unique(speakers.astype(str)))))
    for train, test in folds.split(numbers, labels, speakers.astype(str)):
        tree = DecisionTreeClassifier(
            max_leaf_nodes=2 * n_classes,
            min_samples_leaf=max(3, len(train) // 50),
            class_weight="balanced",
            random_state=0,
        )
        predicted[test] = tree.fit(numbers[train], labels[train]).predict(numbers[test])
    return predicted


def _permutation_p(uar, y_true, y_pred, speakers, classes, rng):
    """Return the p value of permuting the labels within speakers; 0 if that changes nothing.

    The predictions stay as they are: those for a speaker do not depend on the speaker's labels.
    """
    codes = np.unique(speakers, return_inverse=True)[1]
    true_codes, pred_codes = np.searchsorted(classes, y_true), np.searchsorted(classes, y_pred)
    order = np.lexsort((np.arange(len(codes)), codes))
    codes, true_codes, pred_codes = codes[order], true_codes[order], pred_codes[order]
    if not _most_have_several(true_codes, codes):
        return 0.0
    weights = 1 / np.bincount(true_codes) / len(classes)
    n_as_high = 0
    for _ in range(N_PERMUTATIONS):
        permuted = true_codes[np.lexsort((rng.random(len(codes)), codes))]
        n_as_high += weights[permuted[permuted == pred_codes]].sum() >= uar - 1e-12
    return (1 + n_as_high) / (1 + N_PERMUTATIONS)


def _most_have_several(labels, speakers):
    """Return whether at least half of the speakers have more than one label."""
    codes, names = pd.factorize(speakers)
    n_labels = [len(np.unique(labels[codes == k])) for k in range(len(names))]
    return np.mean(np.array(n_labels) > 1) >= 0.5


def _assignment_scores_as_high(uar, numbers, labels, speakers, rng):
    """Return whether any random assignment of labels to whole speakers scores as high.

    If speakers have one label each, permutations within them change nothing, and the interval is
    too short if a few speakers have most of the rows. The tree is refitted for each assignment.
    """
    codes, names = pd.factorize(speakers)
    label_of_speaker = np.array(
        [pd.Series(labels[codes == k]).mode()[0] for k in range(len(names))]
    )
    for _ in range(N_ASSIGNMENTS):
        assigned = rng.permutation(label_of_speaker)[codes]
        if _uar(assigned, _predict(numbers, assigned, speakers)) >= uar:
            return True
    return False
