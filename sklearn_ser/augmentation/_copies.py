"""Copies of training rows by augmenters, each by the interface that it has."""

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_ser.augmentation._named import seed_of, seeded
from sklearn_ser.augmentation._rows import numbers_of
from sklearn_ser.utils._failed import failed_rows
from sklearn_ser.utils._frames import is_frames


def copies_of(rows, augmenters, n_copies, seed, y, labeled):
    """What each augmenter makes of each row, `n_copies` times.

    Rows that a sampler drew several times are copied with different seeds.

    Parameters
    ----------
    rows : TrainingRows
    augmenters : dict of str to augmenter
    n_copies : int
    seed : int
    y : array-like or None
        Of `fit`.
    labeled : ndarray of bool
        Which rows of `fit` have a label.

    Returns
    -------
    list of TrainingRows
    """
    parts = []
    times = _times_before(rows.sources[:, 0])
    for name, augmenter in augmenters.items():
        for copy in range(n_copies):
            if hasattr(augmenter, "augment_rows"):
                made = _mixtures(rows, name, augmenter, (seed, name, copy), y, labeled)
                parts += [made] if len(made) else []
                continue
            for time in range(int(times.max()) + 1 if len(times) else 0):
                chosen = np.flatnonzero(times == time)
                X = rows.X if len(chosen) == len(rows) else _safe_indexing(rows.X, chosen)
                step = seeded(augmenter, seed, name, copy, time)
                parts.append(rows.copied(_augmented(step, name, X), name, chosen))
    return parts


def _times_before(values):
    """How often each value stands before."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])[: len(ordered)]
    counts = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    times = np.empty(len(values), dtype=int)
    times[order] = counts
    return times


def _augmented(augmenter, name, X):
    # `augment` changes rows always, `fit_transform` of a Pipeline those to be trained on.
    made = augmenter.augment(X) if hasattr(augmenter, "augment") else augmenter.fit_transform(X)
    if _num_samples(made) != _num_samples(X):
        raise ValueError(
            f"augmenter {name!r} made {_num_samples(made)} rows of {_num_samples(X)}: it must make "
            "one of each."
        )
    features = numbers_of(X) if isinstance(X, pd.DataFrame) else None
    if features is not None and isinstance(made, np.ndarray):
        if made.shape != features.shape:
            raise ValueError(
                f"augmenter {name!r} made an array of shape {made.shape} of a table of shape "
                f"{features.shape}: it must keep the features."
            )
        return pd.DataFrame(made, index=X.index, columns=X.columns)
    return made


def _mixtures(rows, name, augmenter, seed, y, labeled):
    """Rows that a label-aware augmenter makes."""
    usable = labeled[rows.labels] & ~rows.synthetic
    if is_frames(rows.X) or numbers_of(rows.X) is not None:
        usable &= ~failed_rows(rows.X)  # with which a good row would be lost, too
    usable = np.flatnonzero(usable)
    X = _safe_indexing(rows.X, usable)
    labels = _safe_indexing(y, rows.labels[usable])
    rng = np.random.default_rng(seed_of(*seed))
    made, pairs, label_of, weights = augmenter.augment_rows(X, np.asarray(labels), rng)
    pairs, label_of = usable[np.asarray(pairs, dtype=int)], usable[np.asarray(label_of, dtype=int)]
    mixed = rows.copied(made, name, pairs[:, 0])
    mixed.sources = np.column_stack([rows.sources[pairs[:, 0], 0], rows.sources[pairs[:, 1], 0]])
    mixed.labels = rows.labels[label_of]
    mixed.weights = np.asarray(weights, dtype=float)
    return mixed
