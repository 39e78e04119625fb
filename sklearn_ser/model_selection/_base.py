"""Base classes of splitters by an id, and encoding of ids and classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import validate_parameter_constraints

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._ids import format_items, id_codes, require_id

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Split: TypeAlias = tuple[np.ndarray, np.ndarray]
#: A splitter of this package or of scikit-learn.
Splitter: TypeAlias = BaseCrossValidator | BaseShuffleSplit


def split_sections(*ids: str, groups: str | None = None) -> str:
    """Return the docstring sections of `split` by some ids; `groups` is the first by default."""
    return f"""\
{_parameters(ids, groups)}
Returns
-------
splits : iterator of (train, test)
    Indices of the training samples and of the test samples of each split, as arrays of int.

Raises
------
MetadataError
    If {" or ".join(ids)} is absent or missing in a sample, there are too few unique values, or a
    training set lacks a class.
"""


def n_splits_sections(*ids: str, groups: str | None = None) -> str:
    """Return the docstring sections of `get_n_splits` by some ids."""
    parameters = _parameters(ids, groups).replace(", ...)\n", ", ...), default=None\n")
    return f"""\
{parameters}
Returns
-------
int
    Number of splits.
"""


def _parameters(ids: tuple[str, ...], groups: str | None) -> str:
    groups = groups or ids[0]
    described = "".join(
        f"{name} : array-like of shape (n_samples,), default=None\n    The {name} of each sample.\n"
        for name in ids
    )
    return f"""\
Parameters
----------
X : array-like of shape (n_samples, ...)
    Samples. Only their number is used, unless {" or ".join(ids)} is a column or index level of X.
y : array-like of shape (n_samples,), default=None
    Classes, all of which must be in each training set. Unlabeled samples (None, NaN) have none.
groups : array-like of shape (n_samples,), default=None
    The {groups} of each sample, if `{groups}` is None.
{described}"""


class IdSplitter(BaseCrossValidator):
    """Base class of splitters by an id.

    A subclass sets `_id_name` and ``__metadata_request__split``; its `split` and `get_n_splits`
    have an argument of that name. Ids come from this argument (metadata routing), else `groups`
    (no routing), else the column or index level of X of that name.
    """

    _id_name: str
    _parameter_constraints: dict[str, list] = {}

    def _validate_params(self) -> None:
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )

    def _iter_indices(self, masks: Iterable[Split], y: ArrayLike | None) -> Iterator[Split]:
        """Yield the indices of masks, after a check that all classes are in the training set."""
        codes, classes = class_codes(y) or (None, [])
        for number, (train, test) in enumerate(masks):
            trained = () if codes is None else np.unique(codes[train])
            absent = [label for code, label in enumerate(classes) if code not in trained]
            if absent:
                raise MetadataError(
                    f"The training set of split {number} of {self!r} has no sample of "
                    f"{', '.join(map(repr, absent))} (classes: {', '.join(map(repr, classes))}): "
                    "all are in the test set or left out. Use fewer folds, drop or merge these "
                    "classes, or add data."
                )
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _find_groups(self, X, y, groups, ids, name=None, minimum=1):
        """Return the code of each sample and the unique values of an id in sorted order."""
        name = self._id_name if name is None else name
        values = self._find_ids(X, groups, ids, name)
        check_consistent_length(X, y, values)
        codes, names = id_codes(values)
        missing = np.flatnonzero(codes < 0)
        if len(missing):
            raise MetadataError(
                f"{type(self).__name__} needs the {name} of every sample, but it is missing "
                f"(None or NaN) in {format_items(missing, 'sample')} (of {len(values)}). Fill it "
                f"in, or drop these samples."
            )
        self._check_n_groups(names, minimum, name)
        return codes, names

    def _find_ids(self, X, groups, ids, id_name):
        for value, argument in ((ids, id_name), (groups, "groups")):
            if value is None:
                continue
            values = np.asarray(value, dtype=object)
            if values.ndim != 1:
                raise MetadataError(
                    f"{argument} must be one-dimensional, with one value per sample; got an array "
                    f"of shape {values.shape}."
                )
            return values
        name = type(self).__name__
        try:
            return require_id(X, id_name, owner=name).to_numpy(dtype=object)
        except MetadataError as error:
            arguments = f"neither {id_name}= (with metadata routing) nor groups= (without routing)"
            if id_name != self._id_name:  # groups= is another id
                arguments = f"no {id_name}= (with metadata routing)"
            raise MetadataError(f"{name} got {arguments}, and X has none. {error}") from None

    def _check_n_groups(self, names, minimum, id_name, where=""):
        if len(names) >= minimum:
            return
        shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        raise MetadataError(
            f"Found {len(names)} unique value{'' if len(names) == 1 else 's'} of {id_name!r}"
            f"{where} ({shown}), but {type(self).__name__} expects at least {minimum}. Use fewer "
            f"folds, another splitter, or more data."
        )


class OneIdSplitter(IdSplitter):
    """Base class of splitters by a single id; without changes each id is the test set once."""

    @property
    def _min_groups(self) -> int:
        return 2

    def _iter_masks(self, codes: np.ndarray, names: list, y: ArrayLike | None) -> Iterator[Split]:
        """Yield masks of training and test samples, by the codes of ids and the sorted ids."""
        for code in range(len(names)):
            yield codes != code, codes == code

    def _n_splits(self, n_groups: int) -> int:
        return n_groups

    def _split(self, X, y, groups, ids):
        self._validate_params()
        codes, names = self._find_groups(X, y, groups, ids, minimum=self._min_groups)
        return self._iter_indices(self._iter_masks(codes, names, y), y)

    def _count_splits(self, X, y, groups, ids):
        _, names = self._find_groups(X, y, groups, ids, minimum=self._min_groups)
        return self._n_splits(len(names))


def join_groups(codes: np.ndarray, n_groups: int, shared: np.ndarray) -> np.ndarray:
    """Return a code of each group, the same for groups with a sample of the same shared value."""
    known = shared >= 0  # -1: no value
    n_nodes = n_groups + shared.max(initial=-1) + 1
    links = coo_array(
        (np.ones(known.sum()), (codes[known], n_groups + shared[known])), (n_nodes, n_nodes)
    )
    return connected_components(links, directed=False)[1][:n_groups]


def class_codes(y: ArrayLike | None) -> tuple[np.ndarray, list] | None:
    """Return class codes (-1 for unlabeled samples) and classes; None if y has no classes."""
    values = np.asarray(y, dtype=object)
    if values.ndim != 1:
        return None
    codes, classes = pd.factorize(values)
    if any(isinstance(label, float) and not label.is_integer() for label in classes):
        return None  # continuous
    # (an array of strings holds np.str_, whose name would be part of error messages)
    return codes, [label.item() if isinstance(label, np.generic) else label for label in classes]
