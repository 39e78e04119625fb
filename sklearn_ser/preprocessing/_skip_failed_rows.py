"""Meta-estimator that excludes rows of failed audio from an estimator without support for NaN."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._failed_rows import (
    accuracy_with_missing,
    failed_rows,
    insert_missing_rows,
    warn_failed_rows,
)
from sklearn_ser.utils._frames import as_sequences, is_frames
from sklearn_ser.utils._ids import id_columns, ids_as_levels
from sklearn_ser.utils._inner_estimator import InnerAttributes, inner_has, inner_method
from sklearn_ser.utils._nested_estimators import parameters_named
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_through, routing_for
from sklearn_ser.utils._types import Samples
from sklearn_ser.utils._unlabeled import check_all_labeled


@public_module("sklearn_ser.preprocessing")
class SkipFailedRows(MetaEstimatorMixin, InnerAttributes, BaseEstimator):
    """Fit without the rows of failed audio, and predict a missing label for them.

    An audio step with ``on_error="warn"`` or ``"ignore"`` returns a row of NaN (or NaN in place of
    a frame sequence) for unusable audio, which most estimators of scikit-learn reject. This
    meta-estimator leaves rows that are entirely NaN out of `fit` (with one warning that lists them)
    and gives them a missing output afterwards: NaN, or None where outputs are not numbers. Rows
    that are partly NaN are passed on to the inner estimator. Without failed rows it is equivalent
    to the inner estimator.

    The methods `predict`, `predict_proba`, `decision_function`, `transform`, `predict_aux`, `score`
    and `get_feature_names_out` are available if the inner estimator has them.

    Parameters
    ----------
    estimator : estimator
        Estimator to wrap, such as ``LinearSVC()``, a Pipeline of scaler and SVM, or a GridSearchCV.

    Attributes
    ----------
    estimator_ : estimator
        Fitted clone of `estimator`.
    classes_ : ndarray of shape (n_classes,)
        Classes of the inner estimator, if it is a classifier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names.

    See Also
    --------
    MTLNeuralClassifier : Classifier that handles failed audio itself.

    Notes
    -----
    Wrap ensembles in it, not the estimators inside: voting, bagging and calibration treat a missing
    prediction as the first class. To score predictions with missing labels use
    ``scoring=uar_scorer`` or None; the scorers of scikit-learn reject them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import LinearSVC
    >>> from sklearn_ser import SkipFailedRows
    >>> X, y = np.array([[-1.0], [-2.0], [1.0], [2.0]]), ["calm", "calm", "anger", "anger"]
    >>> svm = SkipFailedRows(LinearSVC()).fit(X, y)
    >>> svm.predict([[3.0], [np.nan]])
    array(['anger', None], dtype=object)
    """

    def __init__(self, estimator: BaseEstimator):
        self.estimator = estimator

    def fit(self, X: Samples, y: ArrayLike | None = None, **metadata: Any) -> Self:
        """Fit a clone of the estimator on the usable rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
            Features, with ids in the columns or the index of a DataFrame.
        y : array-like of shape (n_samples,)
            Targets.
        **metadata : array-likes of n_samples rows
            Metadata of the inner estimator (`sample_weight`, `aux`, `speaker`, ...), of which the
            same rows are left out. With metadata routing enabled, it must have requested them;
            otherwise it receives those that it requested or that its `fit` names, and the rest is
            dropped.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If every row of X is entirely NaN, or a sample has no label (unless the inner estimator
            is semi-supervised).
        MetadataError
            If metadata has a value per usable row, instead of per row.

        Warns
        -----
        TrainingWarning
            If rows are left out.
        """
        X = self._with_ids_as_levels(X)
        if not parameters_named(self.estimator, "unlabeled"):  # (these check y themselves)
            check_all_labeled(y, type(self.estimator).__name__)
        failed = _failed_rows(X)
        warn_failed_rows(failed)
        metadata = {name: value for name, value in metadata.items() if value is not None}
        if failed.any():
            check_consistent_length(X, y)
            usable = np.flatnonzero(~failed)
            _check_metadata_length(metadata, len(failed), len(usable))
            metadata = _check_method_params(X, metadata, usable)
            X = _safe_indexing(X, usable)
            y = None if y is None else _safe_indexing(y, usable)
        self._shape_of_frames = _shape_of_frames(X)
        given = arguments_through(self, "fit", metadata)
        with routing_for(self.estimator, given):
            self.estimator_ = clone(self.estimator).fit(X, y, **given)
        return self

    @available_if(inner_has("score"))
    def score(self, X: Samples, y: ArrayLike | None = None, **metadata: Any) -> float:
        """Score the inner estimator; a row of failed audio counts as an incorrect prediction.

        With failed rows, a search scores all predictions by its scorer, which must count a missing
        prediction as incorrect, as :data:`~sklearn_ser.metrics.uar_scorer` does. The score of any
        other classifier is its accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        **metadata : array-likes of n_samples rows
            Metadata of the inner estimator.

        Returns
        -------
        float
            Mean accuracy.

        Raises
        ------
        ValueError
            If there are failed rows and the inner estimator is not a classifier.
        """
        return super().score(X, y, **metadata)

    def _score_inner(self, X, y, given):
        if not self._failed_rows(X).any():
            return super()._score_inner(X, y, given)
        if not is_classifier(self):
            raise ValueError(
                f"X has rows that are entirely NaN (failed audio), which the score of "
                f"{type(self.estimator).__name__} cannot count as incorrect "
                "predictions, because it is not a classifier. Leave these rows out of X and y."
            )
        search = _search_that_scores(self.estimator_)
        if search is not None:
            routed = process_routing(search, "score", **given)["scorer"]["score"] if given else {}
            scores = search.scorer_(self, X, y, **routed)
            return scores[search.refit] if search.multimetric_ else scores
        return accuracy_with_missing(y, self.predict(X), given.get("sample_weight"))

    def _call_inner(self, method, X):
        """Call an inner method for the usable rows, and insert missing outputs for the others."""
        check_is_fitted(self)
        X = self._with_ids_as_levels(X)
        failed = self._failed_rows(X)
        call = inner_method(self.estimator_, method)
        if not failed.any():
            return call(X)
        if failed.all():
            # A row of zeros gives the shape and dtype of the output; its values are not used.
            values = call(self._zero_row(X))[:0]
        else:
            values = call(_safe_indexing(X, np.flatnonzero(~failed)))
        if not isinstance(values, pd.DataFrame):
            return insert_missing_rows(np.asarray(values), failed)
        columns = {
            name: insert_missing_rows(values[name].to_numpy(), failed) for name in values.columns
        }
        return pd.DataFrame(columns, index=X.index if isinstance(X, pd.DataFrame) else None)

    def _failed_rows(self, X):
        return _failed_rows(X, of_frames=self._shape_of_frames is not None)

    def _zero_row(self, X):
        """Return one row of zeros in the container of X."""
        if self._shape_of_frames is not None:
            zeros = np.zeros((1, *self._shape_of_frames), dtype=np.float32)
            if not isinstance(X, pd.DataFrame):
                return zeros
            row = X.iloc[[0]].copy()
            (column,) = _feature_names(row)
            row[column] = pd.Series([zeros[0]], index=row.index, dtype=object)
            return row
        if not isinstance(X, pd.DataFrame):
            return np.zeros_like(_safe_indexing(X, [0]))
        row = X.iloc[[0]].copy()
        row[_feature_names(row)] = 0.0
        return row


def _failed_rows(X, of_frames=False):
    """Return the mask of failed rows; id columns are ignored."""
    if issparse(X):
        return np.zeros(X.shape[0], dtype=bool)
    features = ids_as_levels(X)
    if of_frames:  # also where the audio of every row failed
        return np.array([sequence is None for sequence in as_sequences(features)], dtype=bool)
    return failed_rows(features)


def _feature_names(X):
    ids = id_columns(X.columns)
    return [name for name in X.columns if name not in ids]


def _check_metadata_length(metadata, n_rows, n_usable):
    """Raise for metadata from which the failed rows were removed already."""
    for name, value in metadata.items():
        if hasattr(value, "__len__") and _num_samples(value) == n_usable:
            raise MetadataError(
                f"{name} has {n_usable} values, one per usable row of X. Give one for each of the "
                f"{n_rows} rows of X: the values of failed audio are left out together with their "
                "rows."
            )


def _shape_of_frames(X):
    """Return the shape of the first frame sequence of X; None if X has rows of features."""
    features = ids_as_levels(X)
    return list(as_sequences(features)[0].shape) if is_frames(features) else None


def _search_that_scores(estimator):
    """Return the fitted search whose scorer computes the `score` of an estimator, or None."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif not hasattr(estimator, "best_estimator_"):
            return None
        elif estimator.scoring is None:
            estimator = estimator.best_estimator_
        else:
            return estimator
