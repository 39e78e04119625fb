"""Training rows with copies: stacked, and each with the rows that it was made from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_ser.augmentation._named import seed_of, seeded
from sklearn_ser.utils._failed import failed_rows
from sklearn_ser.utils._frames import is_frames


@dataclass
class TrainingRows:
    """Rows to train on, and where they come from in what `fit` was given.

    Parameters
    ----------
    X : array-like of n_rows rows
    sources : ndarray of int of shape (n_rows, 2)
        The rows of `fit` that each was made from; twice the same where it is one. The first one
        gives the ids and other metadata.
    labels : ndarray of int of shape (n_rows,)
        The row of `fit` whose label each has.
    kinds : ndarray of object of shape (n_rows,)
        What made it; None where that is not to be learned.
    weights : ndarray of float of shape (n_rows,)
        Factors of the sample weights.
    synthetic : ndarray of bool of shape (n_rows,)
        Made by a sampler: no auxiliary target of any row holds, nor its weight.
    original : ndarray of bool of shape (n_rows,)
        Unchanged rows.
    """

    X: object
    sources: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray
    weights: np.ndarray
    synthetic: np.ndarray
    original: np.ndarray

    @classmethod
    def of(cls, X, kind):
        """The rows of X as they are."""
        n_rows = _num_samples(X)
        rows = np.arange(n_rows)
        return cls(
            X,
            np.column_stack([rows, rows]),
            rows,
            _repeated(kind, n_rows),
            np.ones(n_rows),
            np.zeros(n_rows, dtype=bool),
            np.ones(n_rows, dtype=bool),
        )

    def __len__(self):
        return len(self.labels)

    def take(self, rows):
        """Only these rows, in this order."""
        fields = {name: values[rows] for name, values in vars(self).items() if name != "X"}
        return TrainingRows(X=_safe_indexing(self.X, rows), **fields)

    def copied(self, X, kind, rows=None):
        """Copies of rows, one each, by what made them."""
        rows = np.arange(len(self)) if rows is None else rows
        return TrainingRows(
            X,
            self.sources[rows],
            self.labels[rows],
            _repeated(kind, len(rows)),
            self.weights[rows],
            self.synthetic[rows],
            np.zeros(len(rows), dtype=bool),
        )


def joined(parts):
    """Several `TrainingRows` one after the other."""
    fields = {
        name: np.concatenate([vars(part)[name] for part in parts])
        for name in vars(parts[0])
        if name != "X"
    }
    return TrainingRows(X=stack([part.X for part in parts]), **fields)


def stack(parts):
    """Rows of several containers one after the other, in a container of the same kind.

    Beside tables (an augmenter of audio gives one, whatever it is given), lists and arrays of
    cells become the one column that those have.

    Parameters
    ----------
    parts : list of array-like

    Returns
    -------
    array-like
    """
    if len(parts) == 1:
        return parts[0]
    tables = [part for part in parts if isinstance(part, pd.DataFrame)]
    if tables:
        return _stacked_tables([_as_table(part, tables[0]) for part in parts], tables[0])
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    if all(isinstance(part, pd.Series) for part in parts):
        return pd.concat(parts)
    arrays_made = any(_is_numeric(part) for part in parts[1:])
    if arrays_made and not isinstance(parts[0], list):
        arrays = [np.asarray(part) for part in parts]
        shapes = [array.shape[1:] for array in arrays]
        if len(set(shapes)) == 1:
            return np.concatenate(arrays)
        if not is_frames(parts[0]):
            raise ValueError(
                f"an augmenter made rows of the shapes {shapes[1:]} of rows of the shape "
                f"{shapes[0]}: it must keep the features."
            )
    return [cell for part in parts for cell in _cells(part)]


def _is_numeric(part):
    return isinstance(part, np.ndarray) and part.dtype != object and part.ndim >= 2


def _stacked_tables(tables, first):
    for table in tables:
        if list(table.columns) != list(first.columns):
            raise ValueError(
                f"an augmenter changed the columns of X: {list(first.columns)} and "
                f"{list(table.columns)}."
            )
    stacked = pd.concat(tables)
    stacked.attrs.update(tables[0].attrs)
    return stacked


def _as_table(part, like):
    if isinstance(part, pd.DataFrame):
        return part
    column = np.empty(_num_samples(part), dtype=object)
    for row, cell in enumerate(_cells(part)):
        column[row] = cell
    index = part.index if isinstance(part, pd.Series) else None
    return pd.DataFrame({like.columns[0]: pd.Series(column, index=index, dtype=object)})


def _cells(part):
    if isinstance(part, np.ndarray) and part.dtype == object and part.ndim == 2:
        part = part[:, 0]
    return list(part)


def _repeated(value, n_rows):
    made = np.empty(n_rows, dtype=object)
    made[:] = value
    return made


def numbers_of(X):
    """Rows of features as an array of floats, or None where X is something else.

    A list of arrays, of equal length or not, is audio or frames.
    """
    if is_frames(X) or (isinstance(X, list | tuple) and X and not isinstance(X[0], list)):
        return None
    try:
        values = np.asarray(X)
    except ValueError:
        return None
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        return None
    return values if values.dtype.kind == "f" else values.astype(float)


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
