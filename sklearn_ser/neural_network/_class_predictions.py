"""What a fitted multi-task network says of its main task."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d

from sklearn_ser.utils._alignment import refuse_other_order
from sklearn_ser.utils._failed import with_missing
from sklearn_ser.utils._unlabeled import labeled_rows


class ClassPredictions(ClassifierMixin):
    """Labels, probabilities, and how many are right."""

    def predict(self, X):
        """Most probable label of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples,)
            Missing (None, or NaN for numeric labels) in rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].decode(outputs[0]), failed)

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
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].probabilities(outputs[0]), failed)

    def score(self, X, y, sample_weight=None):
        """Accuracy; a row of failed audio counts as a miss.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
        y : array-like of shape (n_samples,)
            Rows without a label, as `unlabeled` marks them, do not count.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            NaN where no row has a label.
        """
        refuse_other_order(y, X, "y", "X")
        predicted = self.predict(X).astype(object)
        truth = column_or_1d(y).astype(object)
        check_consistent_length(predicted, truth, sample_weight)
        labeled = labeled_rows(truth, self.unlabeled)
        if not labeled.any():
            return float("nan")
        weights = None if sample_weight is None else np.asarray(sample_weight)[labeled]
        return float(np.average(predicted[labeled] == truth[labeled], weights=weights))
