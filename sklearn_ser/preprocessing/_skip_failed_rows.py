"""A meta-estimator that keeps rows of failed audio away from an estimator that refuses NaN."""

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn import config_context
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
from sklearn_ser.utils._ids import ID_COLUMNS
from sklearn_ser.utils._inner_estimator import InnerAttributes, inner_has
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_through, routing_is_on


@public_module("sklearn_ser.preprocessing")
class SkipFailedRows(MetaEstimatorMixin, InnerAttributes, BaseEstimator):
    """Train without the rows of failed audio, and predict a missing label for them.

    An audio step with ``on_error="warn"`` or ``"ignore"`` gives a row of NaN (or NaN in the place
    of a frame sequence) where it could not use the audio, which most of scikit-learn refuses.
    Around such an estimator, this one leaves rows that are NaN throughout out of `fit` (with one
    warning that says how many and which) and gives them a missing output afterwards. A row with
    only some NaN still reaches the inner estimator, which refuses it as always. Without failed rows
    nothing differs from the inner estimator.

    Which of `predict`, `predict_proba`, `decision_function`, `transform`, `predict_aux`, `score`
    and `get_feature_names_out` there are depends on the inner estimator.

    Parameters
    ----------
    estimator : estimator
        Such as ``LinearSVC()``, a Pipeline of scaler and SVM, or a GridSearchCV over one.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    classes_ : ndarray of shape (n_classes,)
        Of the inner estimator, if it is a classifier.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had column names.

    See Also
    --------
    MTLNeuralClassifier : Does the same on its own account.

    Notes
    -----
    Put it around ensembles, not into them: voting, bagging and calibration take a missing
    prediction for the first class. To score predictions with missing labels use
    ``scoring=uar_scorer`` or None; scikit-learn's own scorers refuse them.

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

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y=None, **metadata):
        """Fit a clone of the estimator on the rows that are not failed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
            Ids in the columns or the index of a DataFrame stay with their rows.
        y : array-like of shape (n_samples,)
        **metadata : array-likes of n_samples rows
            For the inner estimator (`sample_weight`, `aux`, `speaker`, ...); the same rows are
            left out of them. With metadata routing on, it must have requested them; with routing
            off, it gets those it requested and those its `fit` names, and the rest is dropped.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If every row of X is NaN throughout.
        MetadataError
            If an array of metadata has a value for each usable row, instead of for every row.

        Warns
        -----
        TrainingWarning
            If rows are left out.
        """
        failed = _failed_rows(X)
        warn_failed_rows(failed)
        metadata = {name: value for name, value in metadata.items() if value is not None}
        if failed.any():
            check_consistent_length(X, y)
            usable = np.flatnonzero(~failed)
            _refuse_shortened(metadata, len(failed), len(usable))
            metadata = _check_method_params(X, metadata, usable)
            X = _safe_indexing(X, usable)
            y = None if y is None else _safe_indexing(y, usable)
        self._shape_of_frames = _shape_of_frames(X)
        given = arguments_through(self, "fit", metadata)
        # What the inner estimator's parts consume reaches them only with routing on.
        with config_context(enable_metadata_routing=bool(given) or routing_is_on()):
            self.estimator_ = clone(self.estimator).fit(X, y, **given)
        return self

    @available_if(inner_has("predict"))
    def predict(self, X):
        """Predict each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples,)
            Missing (None, or NaN where the predictions are numbers) in rows of failed audio.
        """
        return self._spread("predict", X)

    @available_if(inner_has("predict_proba"))
    def predict_proba(self, X):
        """Probability of each class of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            NaN in rows of failed audio.
        """
        return self._spread("predict_proba", X)

    @available_if(inner_has("decision_function"))
    def decision_function(self, X):
        """Decision values of the inner estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            NaN in rows of failed audio.
        """
        return self._spread("decision_function", X)

    @available_if(inner_has("predict_aux"))
    def predict_aux(self, X):
        """Auxiliary predictions of the inner estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        DataFrame of n_samples rows
            Missing in rows of failed audio.
        """
        return self._spread("predict_aux", X)

    @available_if(inner_has("transform"))
    def transform(self, X):
        """Transform each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_outputs)
            NaN in rows of failed audio.
        """
        return self._spread("transform", X)

    @available_if(inner_has("transform"))
    def fit_transform(self, X, y=None, **metadata):
        """Fit, then transform the same rows.

        Parameters
        ----------
        X, y, **metadata
            As in `fit`.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_outputs)
            NaN in rows of failed audio.
        """
        return self.fit(X, y, **metadata).transform(X)

    @available_if(inner_has("score"))
    def score(self, X, y=None, **metadata):
        """Score of the inner estimator; a row of failed audio counts as a miss.

        Where there are failed rows: a search scores the predictions, missing ones among them, by
        its own scorer, which must count a missing prediction as a miss as
        :data:`~sklearn_ser.metrics.uar_scorer` does. Any other classifier gives its accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        **metadata : array-likes of n_samples rows
            As in `fit`.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there are failed rows and the inner estimator is no classifier: it has no misses.
        """
        check_is_fitted(self)
        present = {name: value for name, value in metadata.items() if value is not None}
        given = arguments_through(self, "score", present)
        with config_context(enable_metadata_routing=bool(given) or routing_is_on()):
            if not self._failed_rows(X).any():
                return self.estimator_.score(X, y, **given)
            if not is_classifier(self):
                raise ValueError(
                    f"X has rows that are entirely NaN (failed audio), and the score of "
                    f"{type(self.estimator).__name__} cannot count them as misses: it is no "
                    "classifier. Leave these rows out of X and y."
                )
            return self._score_with_misses(X, y, given)

    def _spread(self, method, X):
        """Output of an inner method for the usable rows, spread over all rows."""
        check_is_fitted(self)
        failed = self._failed_rows(X)
        call = getattr(self.estimator_, method)
        if not failed.any():
            return call(X)
        if failed.all():
            # Shape and type of the output are only known from some row; its values are not used.
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
        """One row of zeros, in the form of X."""
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

    def _score_with_misses(self, X, y, given):
        search = _search_that_scores(self.estimator_)
        if search is not None:
            routed = process_routing(search, "score", **given)["scorer"]["score"] if given else {}
            scores = search.scorer_(self, X, y, **routed)
            return scores[search.refit] if search.multimetric_ else scores
        return accuracy_with_missing(y, self.predict(X), given.get("sample_weight"))


def _failed_rows(X, of_frames=False):
    """As failed_rows, for whatever `fit` may be given; id columns do not count as features."""
    if issparse(X):
        return np.zeros(X.shape[0], dtype=bool)
    features = X[_feature_names(X)] if isinstance(X, pd.DataFrame) else X
    if of_frames:  # even where none is left to show it
        return np.array([sequence is None for sequence in as_sequences(features)], dtype=bool)
    return failed_rows(features)


def _feature_names(X):
    return [name for name in X.columns if name not in ID_COLUMNS]


def _refuse_shortened(metadata, n_rows, n_usable):
    for name, value in metadata.items():
        if hasattr(value, "__len__") and _num_samples(value) == n_usable:
            raise MetadataError(
                f"{name} has {n_usable} values, as many as X has rows that are not NaN throughout "
                f"(failed audio). Give one for each of the {n_rows} rows of X: they are left out "
                "together."
            )


def _shape_of_frames(X):
    """Shape of the first frame sequence of X; None if X has rows of features."""
    features = X[_feature_names(X)] if isinstance(X, pd.DataFrame) else X
    return list(as_sequences(features)[0].shape) if is_frames(features) else None


def _search_that_scores(estimator):
    """The fitted search whose scorer gives the estimator's `score`, or None."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif not hasattr(estimator, "best_estimator_"):
            return None
        elif estimator.scoring is None:
            estimator = estimator.best_estimator_
        else:
            return estimator
