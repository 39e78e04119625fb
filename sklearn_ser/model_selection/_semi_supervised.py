"""Splitter of partly labeled samples for semi-supervised learning."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils._param_validation import HasMethods, Interval, validate_parameter_constraints
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import _check_method_params

from sklearn_ser.model_selection._base import Split
from sklearn_ser.model_selection._speaker import SpeakerKFold
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import SENTINEL_CONSTRAINTS, Sentinel, labeled_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.utils.metadata_routing import MetadataRequest


_PARAMETERS = """\
X : array-like of shape (n_samples, ...), default=None
    Samples.
y : array-like of shape (n_samples,), default=None
    Labels, with the sentinel value for unlabeled samples.
groups : array-like of shape (n_samples,), default=None
    Groups for `cv`.
**metadata : array-likes of shape (n_samples,)
    Metadata for `cv`, by name.
"""


@public_module("sklearn_ser.model_selection")
class SemiSupervisedSplit:
    """Semi-supervised splitter: unlabeled samples are in each training set and in no test set.

    The labeled samples are split by another splitter. Unlabeled samples are trained on wherever
    they come from: those of the test corpus, too, for adaptation to its unlabeled speech.

    Parameters
    ----------
    cv : splitter or int
        Splitter of the labeled samples, or the number of speaker-disjoint folds
        (:class:`SpeakerKFold`). Its metadata (``speaker``, ``corpus``) are those of this splitter.
    unlabeled : -1 or "nan", default="nan"
        Sentinel value of unlabeled samples in `y`, as in
        :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`; "nan" is NaN, None or pd.NA.

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
        "unlabeled": [*SENTINEL_CONSTRAINTS],
    }

    def __init__(self, cv: BaseCrossValidator | int, *, unlabeled: Sentinel = "nan") -> None:
        self.cv = cv
        self.unlabeled = unlabeled

    @substitute_docstring(parameters=_PARAMETERS)
    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **metadata: Any,
    ) -> Iterator[Split]:
        """Generate the indices of training and test samples.

        Parameters
        ----------
        %(parameters)s

        Yields
        ------
        train : ndarray of int
            Sorted indices of the training samples, which include all unlabeled samples.
        test : ndarray of int
            Indices of labeled test samples.

        Raises
        ------
        ValueError
            If `y` is None, or no sample is labeled.
        """
        splitter, rows, arguments = self._labeled(X, y, groups, metadata)
        unlabeled = np.ones(len(np.asarray(y, dtype=object)), dtype=bool)
        unlabeled[rows] = False
        for train, test in splitter.split(**arguments):
            mask = unlabeled.copy()
            mask[rows[train]] = True
            yield np.flatnonzero(mask), rows[test]

    @substitute_docstring(parameters=_PARAMETERS)
    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **metadata: Any,
    ) -> int:
        """Return the number of splits, which is that of `cv` for the labeled samples.

        Parameters
        ----------
        %(parameters)s

        Returns
        -------
        int
            Number of splits.
        """
        if X is None or y is None:
            return self._splitter().get_n_splits(X, y, groups, **metadata)
        splitter, _, arguments = self._labeled(X, y, groups, metadata)
        return splitter.get_n_splits(**arguments)

    def get_metadata_routing(self) -> MetadataRequest:
        """Return the metadata request of `cv`.

        Returns
        -------
        MetadataRequest
            Requests of metadata by method.
        """
        return get_routing_for_object(self._splitter())

    def __repr__(self) -> str:
        return f"SemiSupervisedSplit({self.cv!r}, unlabeled={self.unlabeled!r})"

    def _splitter(self) -> BaseCrossValidator:
        parameters = {"cv": self.cv, "unlabeled": self.unlabeled}
        validate_parameter_constraints(self._parameter_constraints, parameters, type(self).__name__)
        return SpeakerKFold(int(self.cv)) if isinstance(self.cv, Integral) else check_cv(self.cv)

    def _labeled(self, X, y, groups, metadata):
        """Return the splitter, the indices of labeled samples, and the arguments for these."""
        splitter = self._splitter()
        if y is None:
            raise ValueError(f"{self!r} needs y to identify unlabeled samples, but y is None.")
        check_consistent_length(X, y)
        rows = np.flatnonzero(labeled_rows(y, self.unlabeled))
        if not len(rows):
            raise ValueError(
                f"y has no labeled sample (unlabeled={self.unlabeled!r}), but test sets consist of "
                f"labeled samples."
            )
        metadata = {"groups": groups, **metadata}
        passed = {name: value for name, value in metadata.items() if value is not None}
        arguments = {
            "X": _safe_indexing(X, rows),
            "y": _safe_indexing(y, rows),
            **_check_method_params(X, passed, rows),
        }
        return splitter, rows, arguments
