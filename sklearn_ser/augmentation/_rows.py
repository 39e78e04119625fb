"""Training rows with copies: stacked, and each with the rows that it was made from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

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
