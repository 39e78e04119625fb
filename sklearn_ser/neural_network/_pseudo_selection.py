"""Which rows without a label are sure enough of one."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """Labels that a network gives to rows without one.

    Parameters
    ----------
    labels : ndarray of int of shape (n_rows,)
        Codes of the classes, of all these rows.
    chosen : ndarray of int
        Which of these rows are to be learned, in rising order.
    """

    labels: np.ndarray
    chosen: np.ndarray

    def agreement(self, other):
        """Share of all rows that have the same label in both."""
        return float((self.labels == other.labels).mean())

    def counts(self, n_classes):
        """How many rows of each class were chosen."""
        return np.bincount(self.labels[self.chosen], minlength=n_classes)

    def is_almost(self, other, share):
        """Whether the rows chosen in both, with one label, are this share of those in either."""
        both = np.intersect1d(self.chosen, other.chosen)
        same = (self.labels[both] == other.labels[both]).sum()
        return bool(same >= share * len(np.union1d(self.chosen, other.chosen)))


def choose_rows(probabilities, votes, quotas, *, threshold, agreement):
    """Label rows, and choose those whose label is taken for true.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_classes)
    votes : ndarray of shape (n_rows,) or None
        Share of the perturbed copies of each row that get the row's own label; None: not asked.
    quotas : ndarray of int of shape (n_classes,), or int
        Most rows of each class, or of all together. The most probable ones are taken; of equally
        probable ones, the first.
    threshold, agreement : float
        Least probability and least share of votes.

    Returns
    -------
    Found
    """
    labels = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    sure = confidence >= threshold
    if votes is not None:
        sure &= votes >= agreement
    by_confidence = np.argsort(-confidence, kind="stable")
    by_confidence = by_confidence[sure[by_confidence]]
    if np.ndim(quotas) == 0:
        return Found(labels, np.sort(by_confidence[:quotas]))
    chosen = [
        by_confidence[labels[by_confidence] == code][:quota] for code, quota in enumerate(quotas)
    ]
    return Found(labels, np.sort(np.concatenate(chosen)))


def class_quotas(balance, share, n_rows, priors):
    """Most rows to choose of each class, or of all where nothing is balanced.

    Parameters
    ----------
    balance : {"equal", "prior"} or None
    share : float
        Of the rows.
    n_rows : int
        Rows without a label.
    priors : ndarray of shape (n_classes,)
        Share of each class among the labeled rows.

    Returns
    -------
    ndarray of int of shape (n_classes,), or int
        Rounded up: at least one row, unless the class's share is 0.
    """
    if balance is None:
        return int(np.ceil(share * n_rows))
    if balance == "equal":
        priors = np.full(len(priors), 1.0 / len(priors))
    return np.ceil(share * n_rows * priors).astype(int)
