"""imbalanced-learn's samplers on training rows, whatever the rows are."""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import _safe_indexing

from sklearn_ser.augmentation._named import seeded
from sklearn_ser.augmentation._rows import joined, numbers_of

#: A synthetic row lies between two rows that are among this many nearest ones of its class.
_NEAREST = 200


def resampled(sampler, rows, y, labeled, seed):
    """Training rows as a sampler wants them; those without a label stay.

    Parameters
    ----------
    sampler : imbalanced-learn sampler
    rows : TrainingRows
        Of the rows of `fit`, in their order.
    y : array-like
    labeled : ndarray of bool of shape (n_rows,)
    seed : int

    Returns
    -------
    TrainingRows

    Raises
    ------
    ValueError
        If the sampler looks at features, or makes new rows, and X has no features.
    """
    given = np.flatnonzero(labeled)
    features = _safe_indexing(rows.X, given)
    features = features if sparse.issparse(features) else numbers_of(features)
    classes = np.asarray(_safe_indexing(y, given))
    # What has no features is told apart by text, which no sampler takes for a feature.
    stand_ins = np.array([[f"row {row}"] for row in given], dtype=object)
    step = seeded(sampler, seed, "resampler")
    try:
        made, made_y = step.fit_resample(stand_ins if features is None else features, classes)
    except ValueError as error:
        if features is None and "row " in str(error):
            raise ValueError(
                f"{type(sampler).__name__} looks at features, and X has none yet (audio or frame "
                "sequences). Take RandomOverSampler or RandomUnderSampler, or let "
                "AugmentingClassifier stand behind the step that makes the features."
            ) from error
        raise
    rest = np.flatnonzero(~labeled)
    if hasattr(step, "sample_indices_"):
        return rows.take(np.concatenate([given[step.sample_indices_], rest]))
    if features is None:
        raise ValueError(
            f"{type(sampler).__name__} has no sample_indices_, so that it cannot tell which rows "
            "it took, and X has no features to know them by (audio or frame sequences)."
        )
    return _with_synthetic(rows, given, rest, features, classes, made, np.asarray(made_y))


def _with_synthetic(rows, given, rest, features, classes, made, made_y):
    if sparse.issparse(made):
        raise ValueError("a sampler that makes new rows needs dense features here: X is sparse.")
    unused = {}
    for place in reversed(range(len(given))):
        unused.setdefault((features[place].tobytes(), classes[place]), []).append(place)
    kept, new = [], []
    for place in range(len(made)):
        known = unused.get((np.asarray(made[place], features.dtype).tobytes(), made_y[place]))
        if known:
            kept.append(known.pop())
        else:
            new.append(place)
    parts = [rows.take(np.concatenate([given[np.array(kept, dtype=int)], rest]))]
    if new:
        parents = _parents(np.asarray(made, float)[new], made_y[new], features, classes)
        parents = given[parents]
        # The nearer one gives ids, and so groups; early stopping and splitters know both.
        X = _safe_indexing(rows.X, parents[:, 0])
        synthetic = rows.take(parents[:, 0])
        synthetic.X = _with_values(X, np.asarray(made)[new])
        synthetic.sources = parents
        synthetic.kinds[:] = None
        synthetic.synthetic[:] = True
        synthetic.original[:] = False
        parts.append(synthetic)
    return joined(parts)


def _with_values(X, values):
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame(values, index=X.index, columns=X.columns)
    return values.tolist() if isinstance(X, list) else values


def _parents(made, made_y, features, classes):
    """For each synthetic row, the two rows of its class that it lies between, the nearer first.

    Samplers of the SMOTE kind do not tell. Where there is no such pair (a sampler that does not
    interpolate), the two that come nearest to it.
    """
    features = np.asarray(features, dtype=float)
    found = np.empty((len(made), 2), dtype=int)
    for place, (row, label) in enumerate(zip(made, made_y, strict=True)):
        candidates = np.flatnonzero(classes == label)
        away = features[candidates] - row
        distance = np.linalg.norm(away, axis=1)
        nearest = np.argsort(distance, kind="stable")[:_NEAREST]
        candidates, away, distance = candidates[nearest], away[nearest], distance[nearest]
        directions = away / np.maximum(distance, np.finfo(float).tiny)[:, None]
        # Between two rows, it sees them in opposite directions.
        opposite = directions @ directions.T
        first, second = np.unravel_index(np.argmin(opposite), opposite.shape)
        if distance[first] > distance[second]:
            first, second = second, first
        if distance[0] == 0:
            first = second = 0
        found[place] = candidates[[first, second]]
    return found
