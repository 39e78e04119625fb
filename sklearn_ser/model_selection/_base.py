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

    A subclass names its id in `_id_name` and in ``__metadata_request__split``, gives `split` and
    `get_n_splits` the argument of that name (scikit-learn reads it from their signature), and
    yields masks in `_iter_masks`. The ids of the rows are, in this order: the named argument
    (metadata routing), `groups` (routing off), the column or index level of X of that name.
    """

    _id_name = None

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
        return self._iter_indices(codes, names, y)

    def _iter_indices(self, codes, names, y):
        for train, test in self._iter_masks(codes, names, y):
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _find_groups(self, X, y, groups, ids):
        """Code of each row's group, and the groups' names in sorted order."""
        values = self._find_ids(X, groups, ids)
        check_consistent_length(X, y, values)
        missing = np.flatnonzero(pd.isna(values))
        if len(missing):
            shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            raise MetadataError(
                f"{type(self).__name__} needs the {self._id_name} of every row, but it is missing "
                f"(None or NaN) in {len(missing)} of {len(values)} rows: {shown}. Fill it in, or "
                f"drop these rows."
            )
        codes, found = pd.factorize(values)
        order = _sorted_positions(found)
        rank = np.empty(len(found), dtype=np.intp)
        rank[order] = np.arange(len(found))
        return rank[codes], [found[position] for position in order]

    def _find_ids(self, X, groups, ids):
        for given, argument in ((ids, self._id_name), (groups, "groups")):
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
            return require_id(X, self._id_name, wanted_by=name).to_numpy(dtype=object)
        except MetadataError as error:
            raise MetadataError(
                f"{name} got neither {self._id_name}= (with metadata routing on) nor groups= (with "
                f"routing off), and found none in X. {error}"
            ) from None

    def _too_few(self, names, least):
        """The error for fewer than `least` groups: how many there are, which, and the minimum."""
        shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        return MetadataError(
            f"{self!r} needs at least {least} different values of {self._id_name!r}, found "
            f"{len(names)} ({shown})."
        )


def _sorted_positions(values):
    """Positions that sort `values`; as text where they do not compare with each other."""
    positions = range(len(values))
    try:
        return sorted(positions, key=lambda position: values[position])
    except TypeError:
        return sorted(positions, key=lambda i: (str(values[i]), type(values[i]).__name__))
