"""Splits of training rows with copies: made for the original rows, and copies go along."""

from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.ensemble import StackingClassifier
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import _check_method_params, _num_samples

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.utils._nested_estimators import nested_estimators, parameters_named
from sklearn_ser.utils._routing import consumed
from sklearn_ser.utils._warnings import warn_user

#: Metadata by which a splitter, wherever it stands in an estimator, learns of copies.
SOURCES, ORIGINAL_ROWS = "sources", "original_rows"


class SplitOriginals:
    """Splits the original rows; trains on copies of training rows, tests on originals alone.

    What :class:`AugmentingClassifier` puts around the splitters inside its estimator. A row made
    from several others is trained on where all of them are.

    Parameters
    ----------
    cv : splitter, int, None or iterable of (train, test)
        As the inner estimator was given it; positions in an iterable are those of rows of `fit`.
    sources : ndarray of int of shape (n_rows, 2)
        The original rows that each row was made from.
    original_rows : ndarray of bool of shape (n_rows,)
    classifier : bool
        For ``cv`` a number: whether folds are stratified.
    unseen : sequence of str
        Metadata that `cv` must not get: it was made up.
    copies_too : bool
        Test on copies of test rows as well, so that each row is tested once: for estimators
        that are trained on what their parts say of unseen rows.
    """

    def __init__(self, cv, sources, original_rows, *, classifier=True, unseen=(), copies_too=False):
        self.cv = cv
        self.sources = sources
        self.original_rows = original_rows
        self.classifier = classifier
        self.unseen = unseen
        self.copies_too = copies_too

    def split(self, X, y=None, groups=None, sources=None, original_rows=None, **metadata):
        """Indices of training and test rows; metadata is what `cv` takes, row by row."""
        sources, original_rows = self._origins(X, sources, original_rows)
        rows, arguments = self._of_originals(X, y, groups, metadata, sources, original_rows)
        ids = sources[rows, 0]
        if hasattr(self.cv, "split") or isinstance(self.cv, Integral | None):
            splits = self._splitter(arguments["y"]).split(**arguments)
        else:
            places = {source: place for place, source in enumerate(ids.tolist())}
            splits = (
                [[places[row] for row in np.arange(ids.max() + 1)[part] if row in places]
                 for part in split]
                for split in self.cv
            )  # fmt: skip
        for train, test in splits:
            in_train = np.isin(sources, ids[train]).all(axis=1)
            tested = rows[test]
            if self.copies_too:
                tested = np.flatnonzero(np.isin(sources[:, 0], ids[test]))
            yield np.flatnonzero(in_train), tested

    def get_n_splits(
        self, X=None, y=None, groups=None, sources=None, original_rows=None, **metadata
    ):
        """Number of splits."""
        if not (hasattr(self.cv, "split") or isinstance(self.cv, Integral | None)):
            return len(list(self.cv))
        if X is None:
            return self._splitter(y).get_n_splits()
        sources, original_rows = self._origins(X, sources, original_rows)
        _, arguments = self._of_originals(X, y, groups, metadata, sources, original_rows)
        return self._splitter(arguments["y"]).get_n_splits(**arguments)

    def get_metadata_routing(self):
        """What `cv` asks for, and where copies come from."""
        if hasattr(self.cv, "split"):
            request = get_routing_for_object(self.cv)
            for name in self.unseen:
                request.split.requests.pop(name, None)
        else:
            request = MetadataRequest(owner=self)
        for name in (SOURCES, ORIGINAL_ROWS):
            request.split.add_request(param=name, alias=True)
        return request

    def __repr__(self):
        return f"SplitOriginals({self.cv!r})"

    def _splitter(self, y):
        return check_cv(self.cv, y, classifier=self.classifier)

    def _origins(self, X, sources, original_rows):
        if sources is not None and original_rows is not None:
            return np.asarray(sources), np.asarray(original_rows, dtype=bool)
        if _num_samples(X) == len(self.sources):
            return self.sources, self.original_rows
        raise MetadataError(
            f"the splitter {self.cv!r} inside an AugmentingClassifier got {_num_samples(X)} of "
            f"{len(self.sources)} rows, and not where they come from, so that copies of a row "
            "would cross the split: the estimator that holds it does not route metadata to it."
        )

    def _of_originals(self, X, y, groups, metadata, sources, original_rows):
        """One row for each original, and what the splitter is given of them."""
        order = np.lexsort((~original_rows, sources[:, 0]))
        single = order[(sources[order] == sources[order, :1]).all(axis=1)]
        rows = single[np.unique(sources[single, 0], return_index=True)[1]]
        given = _check_method_params(X, {"groups": groups, **metadata}, rows)
        given = {name: value for name, value in given.items() if value is not None}
        return rows, {
            "X": _safe_indexing(X, rows),
            "y": None if y is None else _safe_indexing(y, rows),
            **given,
        }


def with_split_originals(estimator, sources, original_rows, unseen=()):
    """A clone whose every splitter keeps copies of a row on one side.

    Parameters
    ----------
    estimator : estimator
    sources, original_rows, unseen
        As of :class:`SplitOriginals`.

    Returns
    -------
    estimator
    """
    prepared = clone(estimator)
    _refuse_metadata_in_stacks(prepared)
    if not np.asarray(original_rows).all():
        _warn_of_held_out_copies(prepared, len(sources))
    for name, value in prepared.get_params().items():
        path, _, last = name.rpartition("__")
        if last in _GRIDS:
            prepared.set_params(**{name: _grids(value, sources, original_rows, unseen)})
        if last != "cv":
            continue
        owner = prepared.get_params()[path] if path else prepared
        cv = _splitter_of(owner, value)
        if cv is None:
            continue
        wrapped = SplitOriginals(
            cv.given,
            sources,
            original_rows,
            classifier=is_classifier(getattr(owner, "estimator", owner)),
            unseen=unseen,
            copies_too=not _scores(owner),
        )
        wrapped.given = value
        prepared.set_params(**{name: wrapped})
    return prepared


#: Parameters of searches that may hold estimators.
_GRIDS = ("param_grid", "param_distributions")


def _grids(given, sources, original_rows, unseen):
    """The grids of a search, the splitters of the estimators in them wrapped as well."""
    if not hasattr(given, "items"):
        return [_grids(each, sources, original_rows, unseen) for each in given]
    found = {}
    for name, values in given.items():
        if name.rpartition("__")[2] == "cv":
            raise MetadataError(
                f"the search varies {name!r}: inside AugmentingClassifier splitters keep copies "
                "together and cannot be searched. Set one in the estimator."
            )
        listed = isinstance(values, list | tuple)
        found[name] = values if not listed else [
            with_split_originals(value, sources, original_rows, unseen)
            if isinstance(value, BaseEstimator) else value
            for value in values
        ]  # fmt: skip
    return found


def with_own_splitters(fitted):
    """Give fitted estimators back the `cv` that they were given.

    The wrapper knows the rows of this fit alone.

    Parameters
    ----------
    fitted : estimator
        Changed in place, with all that it holds.
    """
    for part in nested_estimators(fitted):
        for name, value in vars(part).items():
            if isinstance(value, SplitOriginals):
                setattr(part, name, value.given)


def _refuse_metadata_in_stacks(estimator):
    """scikit-learn's stacks hand all that their parts ask for to the final estimator as well."""
    for part in [estimator, *estimator.get_params().values()]:
        if not isinstance(part, StackingClassifier):
            continue
        known = dict.fromkeys(("aux", "speaker", "corpus", "groups", SOURCES), True)
        asked = sorted(consumed(part, "fit", known))
        if asked:
            raise MetadataError(
                f"a StackingClassifier whose parts ask for {', '.join(asked)} (networks and "
                "searches do) cannot be fitted inside AugmentingClassifier: it hands them to its "
                "final estimator as well. Put AugmentingClassifier around each of its parts."
            )


#: With more rows scikit-learn's histogram boosting stops early by default.
_ROWS_OF_AUTO = 10_000


def _warn_of_held_out_copies(estimator, n_rows):
    """Some of scikit-learn's classifiers hold rows out by themselves, and know of no copies."""
    for part in [estimator, *estimator.get_params().values()]:
        if not type(part).__module__.startswith("sklearn.") or not hasattr(part, "get_params"):
            continue
        given = part.get_params(deep=False)
        stops = given.get("early_stopping", False)
        told = {
            "early_stopping": stops is True or (stops == "auto" and n_rows > _ROWS_OF_AUTO),
            "n_iter_no_change": "early_stopping" not in given
            and "validation_fraction" in given
            and given.get("n_iter_no_change") is not None,
            "oob_score": bool(given.get("oob_score", False)),
            "probability": given.get("probability", False) is True,  # of SVC, by five folds
        }
        for name in (name for name, holds_out in told.items() if holds_out):
            warn_user(
                f"{type(part).__name__}({name}={given[name]!r}) holds rows out at random, among "
                "them copies of rows that it trains on: what it finds there is too good. Leave "
                f"{name} at False or None, and use a search or CalibratedClassifierCV inside "
                "AugmentingClassifier instead, which keep copies together.",
                TrainingWarning,
            )


class _Given:
    """A `cv` that means folds, None among them."""

    def __init__(self, given):
        self.given = given


def _splitter_of(owner, cv):
    """What `cv` means to its owner, or None where it has no folds or takes no splitter."""
    if isinstance(cv, str) or not hasattr(owner, "get_params"):
        return None
    if isinstance(cv, Real) and not isinstance(cv, Integral):
        raise ValueError(
            f"cv={cv!r} of {type(owner).__name__}, a share of the rows, would put copies on both "
            "sides: inside AugmentingClassifier give a splitter or a number of folds."
        )
    ours = type(owner).__module__.partition(".")[0] == __name__.partition(".")[0]
    constraints = getattr(owner, "_parameter_constraints", {}).get("cv", ["cv_object"])
    if ours:  # whole numbers are speaker-disjoint folds in this package, and None is none
        cv = SpeakerKFold(cv) if isinstance(cv, Integral) else cv
        return None if cv is None else _Given(cv)
    return _Given(cv) if "cv_object" in constraints else None


def _scores(owner):
    """Whether test rows are only scored (or calibrated on), so that copies may be left out."""
    names = owner.get_params(deep=False)
    return "scoring" in names or names.get("ensemble") in ("auto", True)


#: Attribute of a scorer whose requests are ours alone.
_OURS = "_asks_for_our_weights"


def let_ask_for_weights(estimator):
    """Let parts that do not say so take sample weights: predictors do, and nothing else.

    Parameters
    ----------
    estimator : estimator
        A clone, which is changed.

    Returns
    -------
    classes : set of type
        Of the estimators in it that have requests only since.
    scoring : dict of str to (str, list or dict)
        Parameters that hold scorers since, as they were.
    """
    changed, scoring = set(), {}
    with config_context(enable_metadata_routing=True):
        for name, value in parameters_named(estimator, "scoring").items():
            if value is not None and not callable(value):
                scoring[name] = value
                estimator.set_params(**{name: _scorers(value)})
        for part in [estimator, *estimator.get_params().values()]:
            for each in part.values() if isinstance(part, dict) else [part]:
                _set_requests(each, changed)
    return changed, scoring


def _scorers(scoring):
    if isinstance(scoring, str):  # "loss" of histogram boosting, say, is no scorer
        return deepcopy(get_scorer(scoring)) if scoring in get_scorer_names() else scoring
    if not isinstance(scoring, dict):
        scoring = dict(zip(scoring, scoring, strict=True))
    return {name: _scorers(each) if isinstance(each, str) else each
            for name, each in scoring.items()}  # fmt: skip


def _set_requests(part, changed):
    if isinstance(part, type):
        return
    # Rows that are scored are unchanged ones, of weight 1, so that `score` may have it or not; but
    # scikit-learn's Pipeline cannot be scored where its last step says no.
    predicts = hasattr(part, "predict")
    for method, answer in (("fit", predicts), ("score", predicts)):
        if not hasattr(part, f"set_{method}_request"):
            continue
        routing = part.get_metadata_routing()
        if not isinstance(routing, MetadataRequest):  # one that hands them on, and may take them
            routing = routing._self_request
            if routing is None:
                continue
        requests = getattr(routing, method).requests
        # A scorer's signature does not say that it takes weights.
        unset = requests.get("sample_weight", None if callable(part) else False) is None
        if unset:
            if not hasattr(part, "_metadata_request"):
                if callable(part):  # a scorer, of which fitted parts hold copies, as of estimators
                    setattr(part, _OURS, True)
                else:
                    changed.add(type(part))
            getattr(part, f"set_{method}_request")(sample_weight=answer)


def forget_requests(fitted, classes, scoring):
    """Take our requests out of all fitted parts: a model file cannot hold them.

    Parameters
    ----------
    fitted : estimator
    classes, scoring
        As :func:`let_ask_for_weights` returned them.
    """
    for part in nested_estimators(fitted):
        if type(part) in classes:
            vars(part).pop("_metadata_request", None)
        for scorer in _scorers_in(list(vars(part).values())):
            if vars(scorer).pop(_OURS, False):
                vars(scorer).pop("_metadata_request", None)
    fitted.set_params(**scoring)


def _scorers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _scorers_in(each)
    elif callable(value) and hasattr(value, "set_score_request") and not isinstance(value, type):
        yield value
