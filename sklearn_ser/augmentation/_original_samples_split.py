"""OriginalSamplesSplit: a splitter that keeps augmented copies with their originals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import StackingClassifier
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import _check_method_params, _num_samples

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.utils._nested_estimators import nested_estimators
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import consumed
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Name of the metadata that holds the original samples of each sample.
SOURCES = "sources"


@public_module("sklearn_ser.augmentation")
class OriginalSamplesSplit:
    """Split original samples, and let augmented copies follow their originals.

    A copy or a mixture is trained on only where all the samples that it was made from are training
    samples. The test samples are originals: of each, the first sample that was made from it alone,
    which is the unchanged one where there is one.

    :class:`AugmentingClassifier` puts this splitter around every parameter ``cv`` inside its
    estimator, so that it is rarely needed by name: for a splitter that is a parameter of another
    name, and for copies that were made without AugmentingClassifier.

    Parameters
    ----------
    cv : int, splitter or iterable of (train, test), default=None
        Splitter of the original samples, as in :class:`~sklearn.model_selection.GridSearchCV`.
        Indices in an iterable are numbers of original samples, as in `sources`.
    test_copies : bool, default=False
        Whether the copies of the test samples are tested as well, so that each sample is tested
        once: for estimators that train on out-of-fold predictions of their parts, such as stacks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import KFold
    >>> from sklearn_ser.augmentation import OriginalSamplesSplit
    >>> sources = np.array([0, 1, 0, 1])  # two samples, and a copy of each
    >>> cv = OriginalSamplesSplit(KFold(2))
    >>> for train, test in cv.split(np.zeros((4, 1)), sources=sources):
    ...     print(train, test)
    [1 3] [0]
    [0 2] [1]
    """

    # Set by `keep_copies_together`: the sources of all samples, for estimators that do not route
    # metadata to their splitter, and the parameter that this splitter stands in for.
    _sources: np.ndarray | None = None
    _replaced: Any = None

    def __init__(
        self,
        cv: int | Iterable[tuple[ArrayLike, ArrayLike]] | BaseCrossValidator | None = None,
        *,
        test_copies: bool = False,
    ):
        self.cv: Any = cv
        self.test_copies = test_copies

    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        sources: ArrayLike | None = None,
        **metadata: Any,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate indices of training and test samples.

        Parameters
        ----------
        X : array-like of n_samples samples
            Samples.
        y : array-like of shape (n_samples,), default=None
            Labels.
        groups : array-like of shape (n_samples,), default=None
            Groups for `cv`.
        sources : array-like of int of shape (n_samples,) or (n_samples, k)
            Numbers of the original samples that each sample was made from.
        **metadata : array-likes of n_samples values
            Metadata for `cv`, such as ``speaker``.

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        MetadataError
            If `sources` is missing.
        """
        known = self._known_sources(X, sources)
        originals = _originals(known)
        numbers = known[originals, 0]
        arguments = _rows_of(X, y, {"groups": groups, **metadata}, originals)
        for train, test in self._splits(numbers, arguments):
            tested = originals[test]
            if self.test_copies:
                tested = np.flatnonzero(np.isin(known[:, 0], numbers[test]))
            yield np.flatnonzero(np.isin(known, numbers[train]).all(axis=1)), tested

    def get_n_splits(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        sources: ArrayLike | None = None,
        **metadata: Any,
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups, sources, **metadata : object
            Parameters of `split`.

        Returns
        -------
        int
            Number of splits.
        """
        if X is None or not hasattr(self.cv, "split"):
            return check_cv(self.cv).get_n_splits()
        originals = _originals(self._known_sources(X, sources))
        arguments = _rows_of(X, y, {"groups": groups, **metadata}, originals)
        return self.cv.get_n_splits(**arguments)

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what `cv` requests, and ``sources``.

        Returns
        -------
        MetadataRequest
            Requests of metadata by method.
        """
        is_splitter = hasattr(self.cv, "split")
        request = get_routing_for_object(self.cv) if is_splitter else MetadataRequest(owner=self)
        request.split.add_request(param=SOURCES, alias=True)
        return request

    def __repr__(self) -> str:
        return f"OriginalSamplesSplit({self.cv!r})"

    def _known_sources(self, X, sources):
        if sources is None and self._sources is not None and _num_samples(X) == len(self._sources):
            return self._sources
        if sources is None:
            raise MetadataError(
                f"{self!r} got {_num_samples(X)} samples without `sources`, which it needs to keep "
                "copies of test samples out of the training samples. The estimator with this "
                "splitter does not route metadata to it: put AugmentingClassifier inside that "
                "estimator, or use one that routes metadata, such as GridSearchCV."
            )
        return np.asarray(sources).reshape(_num_samples(X), -1)

    def _splits(self, numbers, arguments):
        """Return splits of the original samples, as indices among `numbers`."""
        if hasattr(self.cv, "split") or isinstance(self.cv, Integral | None):
            return check_cv(self.cv, arguments["y"], classifier=True).split(**arguments)
        positions = {number: position for position, number in enumerate(numbers.tolist())}
        every = np.arange(numbers.max() + 1)
        return (
            [[positions[number] for number in every[part] if number in positions] for part in split]
            for split in self.cv
        )


def _originals(sources):
    """Return the positions of the first sample of each original, in the order of their numbers."""
    single = np.flatnonzero((sources == sources[:, :1]).all(axis=1))
    return single[np.unique(sources[single, 0], return_index=True)[1]]


def _rows_of(X, y, metadata, rows):
    given = _check_method_params(X, metadata, rows)
    return {
        "X": _safe_indexing(X, rows),
        "y": None if y is None else _safe_indexing(y, rows),
        **{name: value for name, value in given.items() if value is not None},
    }


#: Parameters of searches that may hold estimators.
_GRIDS = ("param_grid", "param_distributions")
#: Parameters by which estimators hold out training samples by themselves, with the values that
#: switch this off: of scikit-learn, skorch (`train_split`) and SciKeras (`validation_split`).
#: `probability` of SVC affects its probabilities alone.
_HOLD_OUT = {
    "early_stopping": False,
    "n_iter_no_change": None,
    "oob_score": False,
    "probability": False,
    "train_split": None,
    "validation_split": 0.0,
}


def keep_copies_together(estimator: BaseEstimator, sources: np.ndarray) -> BaseEstimator:
    """Return a clone whose splitters keep copies together; raise for others that cannot."""
    prepared = clone(estimator)
    parts = prepared.get_params()
    for part in [prepared, *parts.values()]:
        _check_holds_out_nothing(part, sources)
    for name, value in parts.items():
        path, _, last = name.rpartition("__")
        owner = parts.get(path) if path else prepared
        if last in _GRIDS:
            prepared.set_params(**{name: _prepared_grid(value, owner, sources)})
        elif last == "cv":
            prepared.set_params(**{name: _prepared_splitter(owner, value, sources)})
    for part in [prepared, *prepared.get_params().values()]:
        if isinstance(part, StackingClassifier):
            _check_stack(part)
    return prepared


#: scikit-learn's histogram boosting stops early by default with more training samples.
_N_SAMPLES_OF_AUTO = 10_000


def _check_holds_out_nothing(part, sources):
    """Raise, or warn, if an estimator holds out training samples without knowing of copies."""
    has_copies = len(np.unique(sources[:, 0])) < len(sources) or (sources != sources[:, :1]).any()
    if not has_copies or not hasattr(part, "get_params") or isinstance(part, type):
        return
    params = part.get_params(deep=False)
    for name, off in _HOLD_OUT.items():
        is_off = params.get(name) in (None, False, "deprecated")
        is_off |= "valid_ds" in getattr(params.get(name), "keywords", ())  # predefined_split
        is_off |= params.get(name) == "auto" and len(sources) <= _N_SAMPLES_OF_AUTO
        is_off |= name == "n_iter_no_change" and "early_stopping" in params
        if is_off or _requests_sources(part):
            continue
        if name == "probability":
            warn_user(
                f"{type(part).__name__}(probability=True) calibrates its probabilities in folds "
                "of its own, which separate augmented copies from their originals, so that the "
                "probabilities are too close to 0 and 1. Use CalibratedClassifierCV inside "
                "AugmentingClassifier, whose folds keep copies together.",
                TrainingWarning,
            )
            continue
        raise MetadataError(
            f"{type(part).__name__}({name}={params[name]!r}) holds out training samples by "
            "itself, and trains on augmented copies of them. Set "
            f"{name}={off}, and choose its settings by a search inside AugmentingClassifier, which "
            "keeps copies together. (An estimator that requests `sources` in fit is accepted.)"
        )


def _requests_sources(part):
    """Return whether an estimator requests `sources` itself, not just an estimator inside it."""
    request = part._get_metadata_request() if isinstance(part, BaseEstimator) else None
    return request is not None and bool(request.consumes("fit", [SOURCES]))


def _check_stack(stack):
    """Raise if the parts of a stack request metadata, which reach its final estimator as well."""
    known = dict.fromkeys(("aux", "corpus", "groups", "speaker", SOURCES), True)
    requested = sorted(consumed(stack, "fit", known))
    if requested:
        raise MetadataError(
            f"The parts of a StackingClassifier request {', '.join(requested)}, as networks and "
            "searches do, and scikit-learn passes these to the final estimator as well, which "
            "does not take them. Put an AugmentingClassifier around each part of the stack instead."
        )


def _prepared_splitter(owner, cv, sources):
    """Return the parameter `cv` of an estimator as a splitter that keeps copies together."""
    if isinstance(cv, str) or not hasattr(owner, "get_params"):  # "prefit"
        return cv
    if isinstance(cv, Real) and not isinstance(cv, Integral):
        raise MetadataError(
            f"cv={cv!r} of {type(owner).__name__} holds out a share of the samples, and copies of "
            "them would stay among those that it trains on. Give a splitter or a number of folds."
        )
    inner = cv
    if type(owner).__module__.startswith("sklearn_ser."):
        if cv is None:
            return None
        inner = SpeakerKFold(int(cv)) if isinstance(cv, Integral) else cv
    names = owner.get_params(deep=False)
    scores = "scoring" in names or names.get("ensemble") in ("auto", True)
    splitter = OriginalSamplesSplit(inner, test_copies=not scores)
    if isinstance(cv, OriginalSamplesSplit):
        splitter.cv, splitter.test_copies = cv.cv, cv.test_copies
    splitter._sources, splitter._replaced = sources, cv
    return splitter


def _prepared_grid(grid, search, sources):
    """Return the grids of a search, with the splitters of the estimators in them prepared."""
    if not hasattr(grid, "items"):
        return [_prepared_grid(each, search, sources) for each in grid]
    for name, values in grid.items():
        path, _, last = name.rpartition("__")
        owner = search.estimator.get_params().get(path) if path else search.estimator
        is_list = isinstance(values, list | tuple | np.ndarray)
        if last in _HOLD_OUT and is_list and hasattr(owner, "set_params"):
            for value in np.asarray(values, dtype=object).tolist():
                _check_holds_out_nothing(clone(owner).set_params(**{last: value}), sources)
        if last == "cv":
            raise MetadataError(
                f"The search varies {name!r}. Inside AugmentingClassifier splitters keep copies "
                "together and cannot be searched: set one splitter in the estimator."
            )
    return {
        name: [
            keep_copies_together(value, sources) if isinstance(value, BaseEstimator) else value
            for value in values
        ]
        if isinstance(values, list | tuple)
        else values
        for name, values in grid.items()
    }


def restore_splitters(fitted: BaseEstimator) -> None:
    """Give fitted estimators back the `cv` that `keep_copies_together` replaced, in place."""
    for part in nested_estimators(fitted):
        for name, value in vars(part).items():
            if isinstance(value, OriginalSamplesSplit) and value._sources is not None:
                setattr(part, name, value._replaced)
