"""Attributes and methods that meta-estimators delegate to their inner estimator."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils._set_output import _safe_set_output
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.utils._ids import as_frame, ids_as_levels
from sklearn_ser.utils._nested_estimators import nested_estimators
from sklearn_ser.utils._routing import arguments_through, routing_for
from sklearn_ser.utils._types import Samples


def inner_has(name: str) -> Callable[[Any], bool]:
    """Return a check for `available_if`: whether the inner estimator has the attribute."""

    def check(self):
        inner_method(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


def inner_method(estimator: Any, name: str) -> Any:
    """Return a method of an estimator, `predict_aux` also of the last step of a Pipeline."""
    if name == "predict_aux" and isinstance(estimator, Pipeline):
        last = inner_method(estimator.steps[-1][1], name)
        # A Pipeline of one step has nothing before it.
        before = estimator[:-1].transform if len(estimator.steps) > 1 else (lambda X: X)
        return lambda X: last(before(X))
    return getattr(estimator, name)


def _delegated(method: str, summary: str, returns: str) -> Any:
    """Return a method that calls the one of the fitted inner estimator, if it has one."""

    def call(self, X: Samples) -> np.ndarray | pd.DataFrame:
        return self._call_inner(method, X)

    call.__name__ = method
    call.__doc__ = f"""{summary}

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        {returns}
            Output of the inner estimator.
        """
    return available_if(inner_has(method))(call)


class InnerAttributes:
    """Predictions, attributes, tags, output configuration and routing of a meta-estimator."""

    estimator: BaseEstimator
    estimator_: Any
    fit: Callable[..., Any]

    predict = _delegated(
        "predict", "Predict the label of each sample.", "ndarray of shape (n_samples,)"
    )
    predict_proba = _delegated(
        "predict_proba",
        "Predict the probability of each class of `classes_`.",
        "ndarray of shape (n_samples, n_classes)",
    )
    predict_log_proba = _delegated(
        "predict_log_proba",
        "Predict the logarithm of the probability of each class of `classes_`.",
        "ndarray of shape (n_samples, n_classes)",
    )
    decision_function = _delegated(
        "decision_function",
        "Compute the decision values of the inner estimator.",
        "ndarray of shape (n_samples,) or (n_samples, n_classes)",
    )
    transform = _delegated(
        "transform",
        "Transform each sample.",
        "ndarray or DataFrame of shape (n_samples, n_outputs)",
    )

    predict_aux = _delegated(
        "predict_aux",
        "Predict the auxiliary targets, by the last step of a Pipeline.",
        "DataFrame of n_samples rows",
    )

    @available_if(inner_has("score"))
    def score(self, X: Samples, y: ArrayLike | None = None, **metadata: Any) -> float:
        """Return the score of the inner estimator.

        Parameters
        ----------
        X : array-like of n_samples samples
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        **metadata : array-likes of n_samples values
            Metadata, as in `fit`.

        Returns
        -------
        float
            Mean accuracy.
        """
        check_is_fitted(self)
        given = arguments_through(self, "score", metadata)
        with routing_for(self.estimator_, given):
            return self._score_inner(self._with_ids_as_levels(X), y, given)

    def _score_inner(self, X, y, given):
        return self.estimator_.score(X, y, **given)

    @available_if(inner_has("transform"))
    def fit_transform(
        self, X: Samples, y: ArrayLike | None = None, **metadata: Any
    ) -> np.ndarray | pd.DataFrame:
        """Fit, then transform the same samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,), default=None
            Labels.
        **metadata : array-likes of n_samples values
            Metadata, as in `fit`.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_outputs)
            Output of `transform` for the same samples.
        """
        return self.fit(X, y, **metadata).transform(X)

    def _call_inner(self, method, X):
        check_is_fitted(self)
        return inner_method(self.estimator_, method)(self._with_ids_as_levels(X))

    def _with_ids_as_levels(self, X):
        """Return features with ids as index levels, unless columns are selected inside."""
        X = as_frame(X)
        if not isinstance(X, pd.DataFrame):
            return X
        parts = nested_estimators(self.estimator)
        if any(isinstance(part, ColumnTransformer) for part in parts):
            return X
        features = ids_as_levels(X)
        # An audio step reads its column alone.
        return features if all(map(is_numeric_dtype, {*features.dtypes})) else X

    @available_if(inner_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the outputs of `transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored, or passed to the inner estimator.

        Returns
        -------
        ndarray of str
            Names of the output columns.
        """
        check_is_fitted(self)
        return self.estimator_.get_feature_names_out(input_features)

    @available_if(inner_has("transform"))
    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the output container of `transform`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None

        Returns
        -------
        self : object
            The estimator itself.
        """
        for estimator in (self.estimator, getattr(self, "estimator_", None)):
            if estimator is not None:
                _safe_set_output(estimator, transform=transform)
        return self

    @property
    def classes_(self) -> np.ndarray:
        return self.estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        return self.estimator_.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return a router that passes all metadata on to the inner estimator.

        Returns
        -------
        MetadataRouter
            Requests of metadata by method.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping()
            .add(caller="fit", callee="fit")
            .add(caller="fit_transform", callee="fit")
            .add(caller="score", callee="score"),
        )

    def __sklearn_tags__(self):
        tags = deepcopy(get_tags(self.estimator))
        tags.array_api_support = False
        return tags
