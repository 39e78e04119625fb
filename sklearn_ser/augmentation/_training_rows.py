"""Training samples with augmented copies, and the original samples that each was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._frames import is_frames
from sklearn_ser.utils._ids import ids_as_levels, with_features
from sklearn_ser.utils._nested_estimators import parameters_named


@dataclass
class TrainingRows:
    """Training samples, and where they come from among the samples of `fit`."""

    X: Any
    #: The samples of `fit` that each was made from, of shape (n_rows, 2); twice the same if it is a
    #: single one. The first one gives the ids and other metadata.
    sources: np.ndarray
    labels: np.ndarray  # the sample of `fit` that gives the label
    kinds: np.ndarray  # the name of the augmenter; None where it is not an auxiliary target
    weights: np.ndarray  # factors of the sample weights
    #: Whether a sampler made the sample, which then has no auxiliary targets and a weight of 1.
    synthetic: np.ndarray
    original: np.ndarray  # whether the sample is unchanged

    @classmethod
    def of(cls, X: Any, kind: str) -> TrainingRows:
        """Return the samples of `fit` unchanged."""
        n_rows = _num_samples(X)
        rows = np.arange(n_rows)
        return cls(
            X,
            np.column_stack([rows, rows]),
            rows,
            np.full(n_rows, kind, dtype=object),
            np.ones(n_rows),
            np.zeros(n_rows, dtype=bool),
            np.ones(n_rows, dtype=bool),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> TrainingRows:
        """Return only these rows, in this order."""
        fields = {name: values[rows] for name, values in vars(self).items() if name != "X"}
        return TrainingRows(X=_safe_indexing(self.X, rows), **fields)

    def copied(self, X: Any, kind: str, rows: np.ndarray) -> TrainingRows:
        """Return copies X of some rows, made by the augmenter `kind`."""
        return TrainingRows(
            X,
            self.sources[rows],
            self.labels[rows],
            np.full(len(rows), kind, dtype=object),
            self.weights[rows],
            self.synthetic[rows],
            np.zeros(len(rows), dtype=bool),
        )


def joined(parts: list[TrainingRows]) -> TrainingRows:
    """Concatenate several `TrainingRows`."""
    fields = {
        name: np.concatenate([vars(part)[name] for part in parts])
        for name in vars(parts[0])
        if name != "X"
    }
    return TrainingRows(X=_stacked([part.X for part in parts]), **fields)


def _stacked(parts):
    """Concatenate samples; lists and arrays of audio become the column of tables beside them."""
    if len(parts) == 1:
        return parts[0]
    tables = [part for part in parts if isinstance(part, pd.DataFrame)]
    if tables:
        return _stacked_tables([_as_table(part, tables[0]) for part in parts])
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    if all(isinstance(part, pd.Series) for part in parts):
        return pd.concat(parts)
    any_numeric = any(
        isinstance(part, np.ndarray) and part.dtype != object and part.ndim >= 2
        for part in parts[1:]
    )
    if any_numeric and not isinstance(parts[0], list):
        arrays = [np.asarray(part) for part in parts]
        shapes = [array.shape[1:] for array in arrays]
        if len(set(shapes)) == 1:
            return np.concatenate(arrays)
        if not is_frames(parts[0]):
            raise ValueError(
                f"An augmenter returned samples of the shapes {shapes[1:]} for samples of the "
                f"shape {shapes[0]}: it must retain the features."
            )
    return [value for part in parts for value in _values(part)]


def _stacked_tables(tables):
    columns = list(tables[0].columns)
    for table in tables:
        if list(table.columns) != columns:
            raise ValueError(
                f"An augmenter changed the columns of X from {columns} to {list(table.columns)}: "
                "it must retain them."
            )
    stacked = pd.concat(tables)
    stacked.attrs.update(tables[0].attrs)
    return stacked


def _as_table(part, like):
    if isinstance(part, pd.DataFrame):
        return part
    index = part.index if isinstance(part, pd.Series) else None
    return pd.DataFrame({like.columns[0]: pd.Series(_values(part), index=index, dtype=object)})


def _values(part):
    if isinstance(part, np.ndarray) and part.dtype == object and part.ndim == 2:
        part = part[:, 0]
    return list(part)


def numbers_of(X: Any) -> np.ndarray | None:
    """Return features as an array of floats, or None if X holds audio or frames."""
    X = ids_as_levels(X)
    if is_frames(X) or (isinstance(X, list | tuple) and X and not isinstance(X[0], list)):
        return None
    try:
        values = np.asarray(X)
    except ValueError:
        return None
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        return None
    return values if values.dtype.kind == "f" else values.astype(float)


def copies_of(
    rows: TrainingRows,
    augmenters: Mapping[str, Any],
    n_copies: int,
    seed: int,
    y: Any,
    labeled: np.ndarray,
) -> list[TrainingRows]:
    """Return `n_copies` copies of each row by each augmenter; `y` is that of `fit`."""
    parts = []
    # How often the source of each row stands before it.
    occurrence = pd.Series(rows.sources[:, 0]).groupby(rows.sources[:, 0]).cumcount().to_numpy()
    for name, augmenter in augmenters.items():
        for copy in range(n_copies):
            if hasattr(augmenter, "augment_rows"):
                mixed = _mixtures(rows, name, augmenter, seed_of(seed, name, copy), y, labeled)
                parts += [mixed] if len(mixed) else []
                continue
            for time in range(int(occurrence.max()) + 1 if len(occurrence) else 0):
                chosen = np.flatnonzero(occurrence == time)
                X = rows.X if len(chosen) == len(rows) else _safe_indexing(rows.X, chosen)
                step = _seeded(augmenter, seed, name, copy, time)
                parts.append(rows.copied(_augmented(step, name, X), name, chosen))
    return parts


def _augmented(augmenter, name, X):
    # `augment` always changes samples, `fit_transform` of a Pipeline those to be trained on.
    has_method = hasattr(augmenter, "augment")
    augmented = augmenter.augment(X) if has_method else augmenter.fit_transform(X)
    if _num_samples(augmented) != _num_samples(X):
        raise ValueError(
            f"Augmenter {name!r} returned {_num_samples(augmented)} samples for "
            f"{_num_samples(X)}: it must return one for each."
        )
    features = numbers_of(X) if isinstance(X, pd.DataFrame) else None
    if features is not None and isinstance(augmented, np.ndarray):
        if augmented.shape != features.shape:
            raise ValueError(
                f"Augmenter {name!r} returned an array of shape {augmented.shape} for a table of "
                f"shape {features.shape}: it must retain the features."
            )
        return pd.DataFrame(augmented, index=X.index, columns=X.columns)
    return augmented


def _mixtures(rows, name, augmenter, seed, y, labeled):
    """Return the mixtures that a label-aware augmenter makes of the labeled rows."""
    usable = labeled[rows.labels] & ~rows.synthetic
    if is_frames(rows.X) or numbers_of(rows.X) is not None:
        usable &= ~failed_rows(rows.X)  # a mixture with them would fail, too
    usable = np.flatnonzero(usable)
    X = _safe_indexing(rows.X, usable)
    labels = _safe_indexing(y, rows.labels[usable])
    mixed, pairs, label_of, weights = augmenter.augment_rows(
        X, np.asarray(labels), np.random.default_rng(seed)
    )
    pairs, label_of = usable[np.asarray(pairs, dtype=int)], usable[np.asarray(label_of, dtype=int)]
    mixtures = rows.copied(mixed, name, pairs[:, 0])
    mixtures.sources = np.column_stack([rows.sources[pairs[:, 0], 0], rows.sources[pairs[:, 1], 0]])
    mixtures.labels = rows.labels[label_of]
    mixtures.weights = np.asarray(weights, dtype=float)
    return mixtures


def _seeded(augmenter, seed, *parts, keep_own=False):
    """Return a clone with seeds derived from `seed`, or from (or, to keep) those that it has."""
    augmenter = clone(augmenter, safe=False)
    if not hasattr(augmenter, "get_params"):
        return augmenter
    for name, own in parameters_named(augmenter, "random_state").items():
        if keep_own and own is not None:
            continue
        if isinstance(own, np.random.RandomState):
            own = int(own.randint(np.iinfo(np.int32).max))
        augmenter.set_params(**{name: seed_of(seed if own is None else own, *parts, name)})
    return augmenter


def seed_of(*parts: Any) -> int:
    """Return a seed derived from numbers and names."""
    words = [byte for part in parts for byte in (*str(part).encode(), 0)]
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)


#: A synthetic row lies between two rows that are among this many nearest ones of its class.
_NEAREST = 200


def resampled(
    sampler: Any, rows: TrainingRows, y: Any, labeled: np.ndarray, seed: int
) -> TrainingRows:
    """Resample the labeled rows of `fit` with a sampler, and retain unlabeled ones."""
    known = np.flatnonzero(labeled)
    features = _safe_indexing(rows.X, known)
    features = features if sparse.issparse(features) else numbers_of(features)
    classes = np.asarray(_safe_indexing(y, known))
    # Rows without features are identified by text, which no sampler accepts as a feature.
    stand_ins = np.array([[f"row {row}"] for row in known], dtype=object)
    step = _seeded(sampler, seed, "resampler", keep_own=True)
    try:
        X, new_y = step.fit_resample(stand_ins if features is None else features, classes)
    except ValueError as error:
        if features is None and "row " in str(error):
            raise ValueError(
                f"{type(sampler).__name__} uses features, and X has none yet (it holds audio or "
                "frame sequences). Use RandomOverSampler or RandomUnderSampler, or put "
                "AugmentingClassifier behind the step that extracts the features."
            ) from error
        raise
    rest = np.flatnonzero(~labeled)
    indices = getattr(step, "sample_indices_", None)
    if indices is not None and (features is None or _is_equal(X, features[indices])):
        return rows.take(np.concatenate([known[indices], rest]))
    if features is None:
        raise ValueError(
            f"{type(sampler).__name__} does not say which samples it chose (it has no "
            "sample_indices_), and X has no features to find them by (it holds audio or frame "
            "sequences). Use a sampler with sample_indices_, such as RandomUnderSampler."
        )
    if sparse.issparse(X):
        raise ValueError(
            f"X is sparse, and {type(sampler).__name__} makes new samples, which needs dense "
            "features. Give X.toarray(), or a sampler that chooses samples."
        )
    chosen, new = _chosen_and_new(features, classes, X, np.asarray(new_y))
    kept = rows.take(np.concatenate([known[chosen], rest]))
    if not new:
        return kept
    values, labels = np.asarray(X)[new], np.asarray(new_y)[new]
    if indices is not None:  # each is a changed copy of one sample
        parents = np.column_stack([indices[new]] * 2)
    else:
        parents = _parents(values.astype(float), labels, features, classes)
    missing = (parents < 0).any(axis=1)
    if missing.any():
        raise ValueError(
            f"{type(sampler).__name__} made {missing.sum()} new samples that do not lie on a line "
            "through two samples, so that splits inside the estimator could not keep them out of "
            "the training where the samples that they were made from are tested. Use a sampler "
            "that interpolates between two samples, as SMOTE does, or one that chooses samples."
        )
    return joined([kept, _synthetic(rows, known[parents], values)])


def _is_equal(first, second):
    if sparse.issparse(first):
        return (first != second).nnz == 0
    return np.array_equal(first, second, equal_nan=True)


def _chosen_and_new(features, classes, X, y):
    """Return the positions of chosen samples, identified by their values, and of new ones in X."""
    unused: dict[Any, list[int]] = {}
    for position in reversed(range(len(classes))):
        unused.setdefault((features[position].tobytes(), classes[position]), []).append(position)
    chosen, new = [], []
    for position in range(len(X)):
        equal = unused.get((np.asarray(X[position], features.dtype).tobytes(), y[position]))
        if equal:
            chosen.append(equal.pop())
        else:
            new.append(position)
    return np.array(chosen, dtype=int), new


def _synthetic(rows, parents, values):
    """Return new rows; the nearer parent gives ids and groups, splitters know both."""
    synthetic = rows.take(parents[:, 0])
    is_list = isinstance(synthetic.X, list)
    synthetic.X = values.tolist() if is_list else with_features(synthetic.X, values)
    synthetic.sources = parents
    synthetic.kinds[:] = None
    synthetic.synthetic[:] = True
    synthetic.original[:] = False
    return synthetic


#: Largest sine of the angle between the directions of two parents.
_MAX_SINE = 1e-6


def _parents(X, y, features, classes):
    """Return the two rows that each synthetic row lies between, the nearer first; -1 if unknown.

    Samplers of the SMOTE kind do not say which they are. Most interpolate between rows of a class;
    the borderline kind also between classes, and the SVM kind extrapolates beyond the nearer one.
    """
    precision = 10 * np.finfo(features.dtype).eps
    features = np.asarray(features, dtype=float)
    parents = np.full((len(X), 2), -1)
    everything = np.arange(len(features))
    for position, (row, label) in enumerate(zip(X, y, strict=True)):
        for candidates in (np.flatnonzero(classes == label), everything):
            pair = _on_a_line(row, features[candidates], precision)
            if pair is not None:
                parents[position] = candidates[list(pair)]
                break
    return parents


def _on_a_line(row, features, precision):
    """Return the positions of two rows with `row` on a line through them, or None."""
    if not len(features):
        return None
    differences = features - row
    distances = np.linalg.norm(differences, axis=1)
    nearest = np.argsort(distances, kind="stable")[:_NEAREST]
    differences, distances = differences[nearest], distances[nearest]
    if distances[0] == 0:
        return nearest[0], nearest[0]
    directions = differences / distances[:, None]
    cosines = directions @ directions.T
    sines = np.sqrt(np.maximum(0, 1 - cosines**2))
    closer, further = np.minimum.outer(distances, distances), np.maximum.outer(distances, distances)
    sines /= _MAX_SINE + precision * (np.abs(row).max() + further) / closer
    # Two rows are on the same side only if they are apart: any two that are alike are in line.
    for possible in (cosines < 0, (cosines > 0) & (further >= 2 * closer)):
        first, second = divmod(int(np.argmin(np.where(possible, sines, np.inf))), len(sines))
        if possible[first, second] and sines[first, second] <= 1:
            # (sorted by distance)
            return nearest[min(first, second)], nearest[max(first, second)]
    return None
