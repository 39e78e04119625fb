"""Rows without a label: trained on by estimators that learn from them, never tested."""

from dataclasses import replace
from inspect import signature

import numpy as np
from sklearn.feature_selection import SelectorMixin, VarianceThreshold
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sklearn_ser.augmentation import AugmentingClassifier
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.model_selection import UnlabelledInTraining
from sklearn_ser.preprocessing import SkipFailedRows
from sklearn_ser.utils._parts import parts_of
from sklearn_ser.utils._unlabelled import unlabelled_mark
from sklearn_ser.utils._user_line import warn_user


class Marks:
    """How each estimator knows rows without a label.

    Parameters
    ----------
    estimators : dict of str to estimator

    Attributes
    ----------
    told : dict of str to {-1, "nan", None}
        By their parameter `unlabelled`.
    obstacles : dict of str to str
        Why some that are told of such rows cannot be given any.
    used : dict of str to {-1, "nan", None}
        None where there is an obstacle.
    """

    def __init__(self, estimators):
        self.told = {name: unlabelled_mark(found) for name, found in estimators.items()}
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
                f"it is told of such rows (unlabelled={self.told[name]!r}): {reason}",
                EvaluationWarning,
            )


def _obstacle(estimator, mark):
    """Why an estimator that holds one with `mark` cannot be given such rows, or None."""
    if isinstance(estimator, Pipeline):
        for name, step in estimator.steps[:-1]:
            if any(_reads_labels(part, mark) for part in parts_of(step)):
                return f"its step {name!r} would take them for a class"
        return _obstacle(estimator.steps[-1][1], mark)
    if hasattr(estimator, "param_grid") or hasattr(estimator, "param_distributions"):
        if not isinstance(estimator.cv, UnlabelledInTraining):
            return "its search would test on them; give the search cv=UnlabelledInTraining(...)"
        if estimator.cv.unlabelled != mark:
            return f"its search has cv={estimator.cv!r}; give that the same mark"
        return _obstacle(estimator.estimator, mark)
    if isinstance(estimator, AugmentingClassifier | SkipFailedRows):
        return _obstacle(estimator.estimator, mark)
    if _own_mark(estimator) == mark:
        return None
    return f"{type(estimator).__name__} would take them for a class"


def _reads_labels(step, mark):
    """Whether a step before the last learns from labels, by all that can be told from outside.

    scikit-learn's tag alone does not tell (SelectKBest: no labels required).
    """
    if _own_mark(step) == mark or isinstance(step, VarianceThreshold):
        return False
    if isinstance(step, SelectorMixin) or hasattr(step, "fit_resample"):
        return True
    y = signature(step.fit).parameters.get("y") if hasattr(step, "fit") else None
    return get_tags(step).target_tags.required or (y is not None and y.default is y.empty)


def _own_mark(estimator):
    return estimator.get_params(deep=False).get("unlabelled")


def with_unlabelled(fold, data):
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


def count_unlabelled(jobs, data):
    """How many rows without a label each estimator had in training, at least and at most.

    Returns
    -------
    dict of str to list of int
        Of those that learn from such rows, where there are any.
    """
    counts = {}
    for job in jobs:
        if job.prepared.learns_unlabelled and len(data.row) > len(data.y):
            n_rows = int((job.fold.train >= len(data.y)).sum())
            least, most = counts.get(job.name, (n_rows, n_rows))
            counts[job.name] = [min(least, n_rows), max(most, n_rows)]
    return counts
