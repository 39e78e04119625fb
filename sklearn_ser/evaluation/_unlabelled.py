"""Rows without a label: trained on by estimators that learn from them, never tested."""

from dataclasses import replace

import numpy as np


def with_unlabelled(fold, data):
    """The fold with rows without a label in its training part.

    Those of its training corpora, and of corpora that have no label at all; none of a speaker
    under test, so that what is tested stays unheard.

    Parameters
    ----------
    fold : Fold
    data : EvaluationData

    Returns
    -------
    Fold
    """
    rows = np.arange(len(data.y), len(data.row))
    untrained = set(data.corpus[: len(data.y)]) - set(data.corpus[fold.train])
    tested = set(data.kept_together[fold.test])
    allowed = [
        corpus not in untrained and speaker not in tested
        for corpus, speaker in zip(data.corpus[rows], data.kept_together[rows], strict=True)
    ]
    return replace(fold, train=np.append(fold.train, rows[np.asarray(allowed, dtype=bool)]))


def count_unlabelled(jobs, data):
    """How many rows without a label each estimator had in training, at least and at most.

    Returns
    -------
    dict of str to list of int
        Of those that learn from such rows, where there are any.
    """
    counts = {}
    for job in jobs:
        if job.prepared.learns_unlabelled and len(data.row) > len(data.y):
            n_rows = int((job.fold.train >= len(data.y)).sum())
            least, most = counts.get(job.name, (n_rows, n_rows))
            counts[job.name] = [min(least, n_rows), max(most, n_rows)]
    return counts
