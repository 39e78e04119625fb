"""Rows without a label: trained on by estimators that learn from them, never tested."""

from dataclasses import replace
from inspect import signature

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin, VarianceThreshold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from sklearn_ser.augmentation import AugmentingClassifier
from sklearn_ser.evaluation._extraction import grids_of
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.model_selection import SemiSupervisedSplit
from sklearn_ser.preprocessing import SkipFailedRows
from sklearn_ser.utils._failed import failed_rows
from sklearn_ser.utils._nested_estimators import nested_estimators
from sklearn_ser.utils._unlabeled import own_sentinel, sentinel_of
from sklearn_ser.utils._warnings import warn_user


class Marks:
    """How each estimator knows rows without a label.

    Parameters
    ----------
    estimators : dict of str to estimator

    Attributes
    ----------
    told : dict of str to {-1, "nan", None}
        By their parameter `unlabeled`.
    obstacles : dict of str to str
        Why some that are told of such rows cannot be given any.
    used : dict of str to {-1, "nan", None}
        None where there is an obstacle.
    """

    def __init__(self, estimators):
        self.told = {name: sentinel_of(found) for name, found in estimators.items()}
        found = {
            name: _obstacle(estimators[name], mark)
            for name, mark in self.told.items()
            if mark is not None
        }
        self.obstacles = {name: reason for name, reason in found.items() if reason is not None}
        self.used = {
            name: None if name in self.obstacles else mark for name, mark in self.told.items()
        }

    def warn_of_left_out(self, dropped):
        """Say which estimators do without the rows that they are told of, and why."""
        n_rows = dropped["rows"][dropped["reason"].eq("no label")].sum()
        for name, reason in self.obstacles.items() if n_rows else ():
            warn_user(
                f"{n_rows} rows have no label and are left out of the training of {name!r}, though "
                f"it is told of such rows (unlabeled={self.told[name]!r}): {reason}. If they are "
                "to be left out, set unlabeled=None.",
                EvaluationWarning,
            )


def _obstacle(estimator, mark):
    """Why an estimator that holds one with `mark` cannot be given such rows, or None."""
    if isinstance(estimator, Pipeline):
        for name, step in estimator.steps[:-1]:
            if _reads_labels(step, mark):
                return f"its step {name!r} learns from labels, and would take them for a class"
        return _obstacle(estimator.steps[-1][1], mark)
    if hasattr(estimator, "param_grid") or hasattr(estimator, "param_distributions"):
        return _obstacle_of_search(estimator, mark)
    if isinstance(estimator, AugmentingClassifier | SkipFailedRows):
        return _obstacle(estimator.estimator, mark)
    if own_sentinel(estimator) == mark:
        return None
    return f"{type(estimator).__name__} learns from labels, and would take them for a class"


def _obstacle_of_search(search, mark):
    if not isinstance(search.cv, SemiSupervisedSplit):
        return "its search would test on them; give the search cv=SemiSupervisedSplit(...)"
    if search.cv.unlabeled != mark:
        return f"its search has cv={search.cv!r}; give that the same mark"
    if hasattr(search, "min_resources"):
        return "a search by halving counts the classes of y; take GridSearchCV"
    for grid in grids_of(search):
        for name, values in grid.items():
            if name.split("__")[-1] == "unlabeled":
                return f"its search sets {name!r}"
            tried = values if isinstance(values, list | tuple) else ()
            if any(hasattr(value, "fit") and _reads_labels(value, mark) for value in tried):
                return f"its search tries steps for {name!r} that learn from labels"
    return _obstacle(search.estimator, mark)


def _reads_labels(step, mark):
    """Whether a step before the last learns from labels, by all that can be told from outside.

    scikit-learn's tag alone does not tell (SelectKBest: no labels required).
    """
    if own_sentinel(step) == mark or isinstance(step, VarianceThreshold):
        return False
    if isinstance(step, SelectorMixin) or hasattr(step, "fit_resample"):
        return True
    if hasattr(step, "__sklearn_tags__") and get_tags(step).target_tags.required:
        return True
    if any(_requires_y(getattr(step, name, None)) for name in ("fit", "fit_transform")):
        return True
    is_composite = isinstance(step, Pipeline | FeatureUnion | ColumnTransformer)
    if type(step).__module__.startswith("sklearn.") and not is_composite:
        return False  # (IterativeImputer holds a regressor, which learns from features)
    return any(part is not step and _reads_labels(part, mark) for part in nested_estimators(step))


def _requires_y(method):
    y = None if method is None else signature(method).parameters.get("y")
    return y is not None and y.default is y.empty


def with_unlabeled(fold, data):
    """The fold with rows without a label in its training part.

    Those of its training corpora, and of corpora that have no label at all; none of a speaker
    under test, so that what is tested stays unheard.

    Parameters
    ----------
    fold : Fold
    data : EvaluationData

    Returns
    -------
    Fold
    """
    rows = np.arange(len(data.y), len(data.row))
    untrained = set(data.corpus[: len(data.y)]) - set(data.corpus[fold.train])
    tested = set(data.kept_together[fold.test])
    allowed = [
        corpus not in untrained and speaker not in tested
        for corpus, speaker in zip(data.corpus[rows], data.kept_together[rows], strict=True)
    ]
    return replace(fold, train=np.append(fold.train, rows[np.asarray(allowed, dtype=bool)]))


def count_unlabeled(jobs, data):
    """How many rows without a label each estimator had in training, at least and at most.

    Returns
    -------
    dict of str to list of int
        Of those that learn from such rows, where there are any.
    """
    counts, failed = {}, {}
    for job in jobs:
        part = job.prepared
        if part.learns_unlabeled and len(data.row) > len(data.y):
            if job.name not in failed:
                failed[job.name] = failed_rows(part.X) if part.failed is None else part.failed
            train = job.fold.train[~failed[job.name][job.fold.train]]
            n_rows = int((train >= len(data.y)).sum())
            least, most = counts.get(job.name, (n_rows, n_rows))
            counts[job.name] = [min(least, n_rows), max(most, n_rows)]
    return counts
