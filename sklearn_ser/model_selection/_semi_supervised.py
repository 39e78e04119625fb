"""Rows without a label: always trained on, never tested."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import _check_method_params

from sklearn_ser.model_selection._speaker import SpeakerKFold
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import labeled_rows


@public_module("sklearn_ser.model_selection")
class SemiSupervisedSplit:
    """Split the rows that have a label; put those that have none into every training part.

    For semi-supervised learning: whatever is known of unlabeled speech may be used, and only
    labeled rows are scored. Rows without a label are those that `y` marks so; where they come
    from does not matter, so that a corpus whose labels are hidden may be the one that is tested
    (adaptation to its unlabeled speech).

    Parameters
    ----------
    cv : splitter or int
        Splits the labeled rows, as if there were no others. A number means that many
        speaker-disjoint folds (:class:`SpeakerKFold`). Where it takes metadata (``speaker``,
        ``corpus``), so does this one.
    unlabeled : -1 or "nan", default="nan"
        What marks a row without a label in `y`, as in
        :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`; "nan" is NaN, None or NA.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import LeaveOneCorpusOut, SemiSupervisedSplit
    >>> X = pd.DataFrame({"loudness": range(6), "corpus": list("aabbcc")})
    >>> y = ["anger", "calm", "calm", "anger", None, None]
    >>> for train, test in SemiSupervisedSplit(LeaveOneCorpusOut()).split(X, y):
    ...     print(train, test)
    [2 3 4 5] [0 1]
    [0 1 4 5] [2 3]
    """

    _parameter_constraints = {
        "cv": [HasMethods(["split", "get_n_splits"]), Interval(Integral, 2, None, closed="left")],
        "unlabeled": [Options(Integral, {-1}), StrOptions({"nan"})],
    }

    def __init__(self, cv, *, unlabeled="nan"):
        self.cv = cv
        self.unlabeled = unlabeled

    def split(self, X, y=None, groups=None, **metadata):
        """Indices of the training and the test rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
            Labels, of which some are missing.
        groups : array-like of shape (n_samples,), default=None
            For `cv`.
        **metadata : array-likes of shape (n_samples,)
            For `cv`, by the names that it takes.

        Yields
        ------
        train : ndarray of int
            Sorted; all rows without a label are among them.
        test : ndarray of int
            Rows with a label.

        Raises
        ------
        ValueError
            If `y` is missing, or no row has a label.
        """
        splitter, rows, arguments = self._labeled(X, y, groups, metadata)
        trained = np.ones(len(y), dtype=bool)
        trained[rows] = False
        for train, test in splitter.split(**arguments):
            mask = trained.copy()
            mask[rows[train]] = True
            yield np.flatnonzero(mask), rows[test]

    def get_n_splits(self, X=None, y=None, groups=None, **metadata):
        """Number of splits, which is that of `cv` on the labeled rows; arguments as for `split`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), default=None
        y : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
        **metadata : array-likes of shape (n_samples,)

        Returns
        -------
        int
        """
        if X is None or y is None:
            return self._splitter().get_n_splits(X, y, groups, **metadata)
        splitter, _, arguments = self._labeled(X, y, groups, metadata)
        return splitter.get_n_splits(**arguments)

    def get_metadata_routing(self):
        """What `cv` asks for.

        Returns
        -------
        MetadataRequest
        """
        return get_routing_for_object(self._splitter())

    def __repr__(self):
        return f"SemiSupervisedSplit({self.cv!r}, unlabeled={self.unlabeled!r})"

    def _splitter(self):
        given = {"cv": self.cv, "unlabeled": self.unlabeled}
        validate_parameter_constraints(self._parameter_constraints, given, type(self).__name__)
        return SpeakerKFold(self.cv) if isinstance(self.cv, Integral) else check_cv(self.cv)

    def _labeled(self, X, y, groups, metadata):
        """The splitter, the rows with a label, and what the splitter is given of them."""
        splitter = self._splitter()
        if y is None:
            raise ValueError(f"{self!r} needs y, which tells the rows without a label.")
        check_consistent_length(X, y)
        rows = np.flatnonzero(labeled_rows(np.asarray(y, dtype=object), self.unlabeled))
        if not len(rows):
            raise ValueError(
                f"no row of y has a label (unlabeled={self.unlabeled!r}): nothing to test."
            )
        metadata = {"groups": groups, **metadata}
        given = {name: value for name, value in metadata.items() if value is not None}
        taken = {
            "X": _safe_indexing(X, rows),
            "y": _safe_indexing(y, rows),
            **_check_method_params(X, given, rows),
        }
        return splitter, rows, taken
