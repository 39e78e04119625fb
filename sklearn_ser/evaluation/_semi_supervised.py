"""Selection of unlabeled training samples, and support for them in estimators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin, VarianceThreshold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from sklearn_ser.augmentation import AugmentingClassifier
from sklearn_ser.evaluation._audio_steps import search_grids
from sklearn_ser.model_selection import SemiSupervisedSplit
from sklearn_ser.preprocessing import SkipFailedRows
from sklearn_ser.utils._nested_estimators import nested_estimators

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from sklearn_ser.evaluation._evaluation_data import EvaluationData
    from sklearn_ser.evaluation._protocols import Fold
    from sklearn_ser.utils._unlabeled import Sentinel


def find_obstacle(estimator: BaseEstimator, sentinel: Sentinel) -> str | None:
    """Explain why an estimator with a sentinel value cannot use unlabeled samples; None if it can.

    The semi-supervised estimator may be inside `estimator`; `sentinel` is its `unlabeled`.
    """
    if isinstance(estimator, Pipeline):
        for name, step in estimator.steps[:-1]:
            if _uses_labels(step, sentinel):
                return f"its step {name!r} learns from labels and would take them for a class"
        return find_obstacle(estimator.steps[-1][1], sentinel)
    if hasattr(estimator, "param_grid") or hasattr(estimator, "param_distributions"):
        return _find_obstacle_in_search(estimator, sentinel)
    if isinstance(estimator, AugmentingClassifier | SkipFailedRows):
        return find_obstacle(estimator.estimator, sentinel)
    if getattr(estimator, "unlabeled", None) == sentinel:
        return None
    return f"{type(estimator).__name__} learns from labels and would take them for a class"


def _find_obstacle_in_search(search, sentinel):
    if not isinstance(search.cv, SemiSupervisedSplit):
        return "its search would test on them; give the search cv=SemiSupervisedSplit(...)"
    if search.cv.unlabeled != sentinel:
        return f"its search has cv={search.cv!r}; give the splitter the same sentinel value"
    if hasattr(search, "min_resources"):
        return "a search by halving counts the classes of y; use GridSearchCV instead"
    for grid in search_grids(search):
        for name, values in grid.items():
            if name.split("__")[-1] == "unlabeled":
                return f"its search sets {name!r}"
            candidates = values if isinstance(values, list | tuple) else ()
            if any(hasattr(value, "fit") and _uses_labels(value, sentinel) for value in candidates):
                return f"its search tries steps for {name!r} that learn from labels"
    return find_obstacle(search.estimator, sentinel)


def _uses_labels(step, sentinel):
    """Return whether a step before the last one learns from labels.

    scikit-learn's tag `target_tags.required` alone does not show this (SelectKBest: False).
    """
    if getattr(step, "unlabeled", None) == sentinel or isinstance(step, VarianceThreshold):
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
    parts = nested_estimators(step)
    return any(part is not step and _uses_labels(part, sentinel) for part in parts)


def _requires_y(method):
    y = None if method is None else signature(method).parameters.get("y")
    return y is not None and y.default is y.empty


def with_unlabeled(fold: Fold, data: EvaluationData, *, with_test: bool) -> Fold:
    """Add unlabeled samples to the training part of a fold.

    These are the unlabeled samples of the training corpora and of corpora without any label, but
    none of a speaker under test. `with_test` adds the samples under test, and the other unlabeled
    samples of their corpora; their labels and auxiliary targets are to be hidden (`Fold.hidden`).
    """
    rows = np.arange(len(data.y), len(data.row))
    corpus, speaker = data.corpus, data.kept_together
    not_trained = set(corpus[: len(data.y)]) - set(corpus[fold.train])
    is_tested = np.isin(speaker[rows], list(set(speaker[fold.test])))
    allowed = ~is_tested & ~np.isin(corpus[rows], list(not_trained))
    train = np.append(fold.train, rows[allowed])
    if not with_test:
        return replace(fold, train=train)
    in_test_corpora = np.isin(corpus[rows], list(set(corpus[fold.test])))
    hidden = np.append(fold.test, rows[~allowed & in_test_corpora])
    return replace(fold, train=np.append(train, hidden), hidden=hidden)


def hide_aux(aux: pd.DataFrame, hidden: np.ndarray, known: Sequence[str]) -> pd.DataFrame:
    """Set the auxiliary targets of hidden samples to missing, apart from the `known` columns."""
    is_shown = ~np.isin(np.arange(len(aux)), hidden)
    # (As floats, integers would become targets of a regression.)
    nullable = {"b": "boolean", "i": "Int64", "u": "Int64"}
    columns = {
        name: column.astype(nullable.get(column.dtype.kind, column.dtype)).where(is_shown)
        for name, column in aux.items()
        if name not in known
    }
    return aux.assign(**columns)
