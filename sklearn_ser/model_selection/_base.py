"""What all splitters by an id share: where the id is found, checks, indices, repr."""

from abc import abstractmethod

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._ids import require_id


class IdSplitter(BaseCrossValidator):
    """Base of the splitters by an id (corpus, speaker, ...).

    A subclass names its id in `_id_name` and in ``__metadata_request__split``, and gives `split`
    and `get_n_splits` the argument of that name (scikit-learn reads it from their signature). The
    ids of the rows are, in this order: the named argument (metadata routing), `groups` (routing
    off), the column or index level of X of that name.
    """

    _id_name = None

    def _iter_indices(self, masks, y):
        """The splits of these masks, each of which must have every class to train on."""
        for number, (train, test) in enumerate(masks):
            refuse_lost_classes(self, y, train, number)
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _find_groups(self, X, y, groups, ids, name=None):
        """Code of each row's group, and the groups' names in sorted order.

        `name` is the id, where it is not `_id_name`.
        """
        name = self._id_name if name is None else name
        values = self._find_ids(X, groups, ids, name)
        check_consistent_length(X, y, values)
        missing = np.flatnonzero(pd.isna(values))
        if len(missing):
            shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            raise MetadataError(
                f"{type(self).__name__} needs the {name} of every row, but it is missing "
                f"(None or NaN) in {len(missing)} of {len(values)} rows: {shown}. Fill it in, or "
                f"drop these rows."
            )
        return sorted_codes(values)

    def _find_ids(self, X, groups, ids, id_name):
        for given, argument in ((ids, id_name), (groups, "groups")):
            if given is None:
                continue
            values = np.asarray(given, dtype=object)
            if values.ndim != 1:
                raise MetadataError(
                    f"{argument}= must have one value per row (one-dimensional), got the shape "
                    f"{values.shape}."
                )
            return values
        name = type(self).__name__
        try:
            return require_id(X, id_name, wanted_by=name).to_numpy(dtype=object)
        except MetadataError as error:
            looked = f"neither {id_name}= (with metadata routing on) nor groups= (with routing off)"
            if id_name != self._id_name:  # groups are another id
                looked = f"no {id_name}= (with metadata routing on)"
            raise MetadataError(f"{name} got {looked}, and found none in X. {error}") from None

    def _too_few(self, names, least, id_name=None):
        """The error for fewer than `least` groups: how many there are, which, and the minimum."""
        id_name = self._id_name if id_name is None else id_name
        shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        return MetadataError(
            f"{self!r} needs at least {least} different values of {id_name!r}, found "
            f"{len(names)} ({shown})."
        )


class OneIdSplitter(IdSplitter):
    """Base of the splitters that need one id alone; a subclass yields masks in `_iter_masks`."""

    @abstractmethod
    def _iter_masks(self, codes, names, y):
        """Yield (train, test), two boolean masks of shape (n_samples,) for each split.

        `codes` holds for each row the position of its id in `names`, which are sorted.
        """

    @abstractmethod
    def _check_groups(self, names):
        """Raise where there are too few groups; see `_too_few`."""

    def _split(self, X, y, groups, ids):
        codes, names = self._find_groups(X, y, groups, ids)
        self._check_groups(names)
        return self._iter_indices(self._iter_masks(codes, names, y), y)


class LeaveOneIdOut(OneIdSplitter):
    """Base of the splitters that test on one id at a time."""

    def _n_splits(self, X, y, groups, ids):
        _, names = self._find_groups(X, y, groups, ids)
        self._check_groups(names)
        return len(names)

    def _check_groups(self, names):
        if len(names) < 2:
            raise self._too_few(names, least=2)

    def _iter_masks(self, codes, names, y):
        for code in range(len(names)):
            yield codes != code, codes == code


def sorted_codes(values):
    """Code of each value, and the distinct values in sorted order, which the codes count."""
    codes, found = pd.factorize(values)
    order = _sorted_positions(found)
    rank = np.empty(len(found), dtype=np.intp)
    rank[order] = np.arange(len(found))
    return rank[codes], [found[position] for position in order]


def refuse_lost_classes(splitter, y, train, number):
    """Raise where a class of y is in no training row of a split.

    Rows without a label (None, NaN) do not count; where y has no classes nothing is checked.

    Parameters
    ----------
    splitter : splitter
    y : array-like of shape (n_samples,) or None
    train : ndarray of bool of shape (n_samples,)
    number : int
        Of the split, from 0.
    """
    labels = class_codes(y)
    if labels is None:
        return
    codes, classes = labels
    counts = np.bincount(codes[train & (codes >= 0)], minlength=len(classes))
    lost = [classes[code] for code in np.flatnonzero(counts == 0)]
    if lost:
        only = ", ".join(map(repr, lost))
        raise MetadataError(
            f"split {number} of {splitter!r} leaves no training row of {only} (of the classes "
            f"{', '.join(map(repr, classes))}): all of them are on the test side or left out. Use "
            "fewer folds, drop these classes or merge them, or add data of them."
        )


def class_codes(y):
    """Code of each row's class (-1: no label) and the classes, or None where y has none."""
    values = np.asarray(y, dtype=object)
    if values.ndim != 1:
        return None
    codes, classes = pd.factorize(values)
    if any(isinstance(label, float) and not label.is_integer() for label in classes):
        return None  # continuous
    return codes, list(classes)


def _sorted_positions(values):
    """Positions that sort `values`; as text where they do not compare with each other."""
    positions = range(len(values))
    try:
        return sorted(positions, key=lambda position: values[position])
    except TypeError:
        return sorted(positions, key=lambda i: (str(values[i]), type(values[i]).__name__))
