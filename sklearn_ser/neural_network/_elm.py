"""Extreme learning machine: random hidden units, and output weights in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve, svd
from scipy.special import expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_is_fitted,
    validate_data,
)

from sklearn_ser.neural_network._class_weight import weights_of_classes
from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._failed_rows import (
    accuracy_with_missing,
    failed_rows,
    insert_missing_rows,
    warn_failed_rows,
)
from sklearn_ser.utils._ids import ids_as_levels
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import check_all_labeled

ACTIVATIONS = {
    "linear": lambda values: values,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda values: np.maximum(values, 0.0),
}
#: Fraction of the trace of the Gram matrix; a larger ridge keeps its condition number below 1e8.
_SAFE_RIDGE = 1e-8


@public_module("sklearn_ser.neural_network")
@substitute_docstring(
    X="X : array-like of shape (n_samples, n_features)\n    Features.",
    sample_weight="""
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.""",
)
class ELMClassifier(ClassifierMixin, SuggestingEstimator):
    """Extreme learning machine: random hidden units, output weights by ridge regression.

    A network with one hidden layer whose weights W and biases b are drawn from N(0, 1) and not
    trained [1]_. With the hidden outputs ``H = activation(X W + b)`` and the one-hot encoded
    classes T, the output weights are ``beta = (H'H + alpha I)^-1 H'T``, in closed form. The
    predicted label is the class of the largest score in ``H beta``.

    In speech emotion recognition it classifies utterances by statistics of the frame-level
    predictions of a network (:class:`HighLevelFeatures`): [2]_ (DNN), [3]_ (LSTM), [4]_
    (multi-task). The defaults are those of the code released by the first author of [4]_.

    Parameters
    ----------
    n_hidden : int, default=50
        Number of hidden units.
    activation : {"linear", "sigmoid", "tanh", "relu"}, default="linear"
        Activation of the hidden units. "linear" is the identity, as in the released code: the
        scores are then linear in X, by ridge regression on random combinations of the features.
        The literature [1]_ uses "sigmoid". All but "linear" require features of about unit scale.
    alpha : float, default=1.0
        Strength of the ridge penalty, at least 0. The released code uses 1 (its 1 / omega). With 0
        the pseudo-inverse of H is used, as in [1]_.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes, as in scikit-learn's classifiers.
    random_state : int, RandomState instance or None, default=None
        Seed of W and b.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    hidden_weights_ : ndarray of shape (n_features, n_hidden)
        Weights W of the hidden units.
    hidden_bias_ : ndarray of shape (n_hidden,)
        Biases b of the hidden units.
    output_weights_ : ndarray of shape (n_hidden, n_classes)
        Output weights beta.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X has column names.

    See Also
    --------
    HighLevelFeatures : Features that this classifier was proposed for.
    sklearn.linear_model.RidgeClassifier : A classifier without hidden units, with an intercept.

    Notes
    -----
    With fewer samples than hidden units the same weights are computed as
    ``H'(HH' + alpha I)^-1 T``, and with an alpha that is tiny compared to H'H, from the singular
    values of H. In all three a sample weight of k is equivalent to k copies of the sample. All
    computations are in float64.

    Rows of X that are entirely NaN (failed audio) are excluded from training with a
    TrainingWarning, and their predictions are missing (NaN for numeric labels, else None). Any
    other NaN raises an error.

    With metadata routing enabled, `fit` requests ``sample_weight``.

    References
    ----------
    .. [1] Huang, G.-B., Zhu, Q.-Y., Siew, C.-K. (2006). Extreme learning machine: Theory and
       applications. Neurocomputing 70, 489-501.
    .. [2] Han, K., Yu, D., Tashev, I. (2014). Speech Emotion Recognition Using Deep Neural Network
       and Extreme Learning Machine. Interspeech 2014.
    .. [3] Lee, J., Tashev, I. (2015). High-level Feature Representation using Recurrent Neural
       Network for Speech Emotion Recognition. Interspeech 2015.
    .. [4] Kim, J., Englebienne, G., Truong, K. P., Evers, V. (2017). Towards Speech Emotion
       Recognition "in the wild" using Aggregated Corpora and Deep Multi-Task Learning.
       Interspeech 2017. https://arxiv.org/abs/1708.03920

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ser.neural_network import ELMClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> elm = ELMClassifier(activation="sigmoid", random_state=0).fit(X, y)
    >>> elm.predict(X[::50]), elm.output_weights_.shape
    (array([0, 1, 2]), (50, 3))
    """

    # Like the network before it in a Pipeline.
    __metadata_request__fit = {"sample_weight": True}

    _parameter_constraints = {
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": ["random_state"],
    }

    classes_: np.ndarray

    def __init__(
        self,
        n_hidden: int = 50,
        activation: Literal["linear", "sigmoid", "tanh", "relu"] = "linear",
        *,
        alpha: float = 1.0,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_hidden = n_hidden
        self.activation = activation
        self.alpha = alpha
        self.class_weight = class_weight
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Draw the hidden units and solve for the output weights.

        Parameters
        ----------
        %(X)s
        y : array-like of shape (n_samples,)
            Class labels.
        %(sample_weight)s

        Returns
        -------
        self : ELMClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If X or y is invalid, or there are fewer than two classes among the samples with usable
            features and a weight above 0.

        Warns
        -----
        TrainingWarning
            If rows of failed audio are excluded.
        """
        X = ids_as_levels(X)
        check_all_labeled(y, "ELMClassifier")
        rows, labels = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(labels)
        weights = _check_sample_weight(
            sample_weight, rows, dtype=np.float64, ensure_non_negative=True
        )
        failed = self._failed_rows(rows)
        warn_failed_rows(failed)
        self.classes_ = np.unique(labels[~failed])
        used = ~failed & (weights > 0)
        rows, labels, weights = rows[used], labels[used], weights[used]
        present = np.unique(labels)
        if len(present) < 2:
            found = f"only 1 class, {present.tolist()[0]!r}" if len(present) else "no class"
            raise ValueError(
                "ELMClassifier needs samples of at least 2 classes in y; among the samples with a "
                f"weight above 0 and usable features there is {found}."
            )
        by_class = weights_of_classes(self.class_weight, present, labels, weights)
        roots = np.sqrt(weights * by_class[np.searchsorted(present, labels)])[:, np.newaxis]
        generator = check_random_state(self.random_state)
        self.hidden_weights_ = generator.standard_normal((rows.shape[1], self.n_hidden))
        self.hidden_bias_ = generator.standard_normal(self.n_hidden)
        targets = labels[:, np.newaxis] == self.classes_
        self.output_weights_ = _ridge(roots * self._hidden(rows), roots * targets, self.alpha)
        return self

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Compute the scores ``H beta``: estimates of 1 for the class of a sample, 0 for others.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            For two classes, the score of the second minus that of the first. NaN for failed audio.
        """
        scores, failed = self._scores(X)
        if len(self.classes_) == 2:
            scores = scores[:, 1] - scores[:, 0]
        return insert_missing_rows(scores, failed)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the class of the largest score.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Class labels, missing (None, or NaN for numeric labels) for failed audio.
        """
        scores, failed = self._scores(X)
        return insert_missing_rows(self.classes_[scores.argmax(axis=1)], failed)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Compute the softmax of the scores, which ranks classes but is not calibrated.

        Scores are close to 0 and 1, so that these probabilities are much too even: for two
        classes, the scores 1 and 0 give 0.73. They rank classes and samples correctly, which
        suffices for soft voting and areas under curves. For calibrated probabilities use
        :class:`~sklearn.calibration.CalibratedClassifierCV`, which is based on the scores.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`; rows sum to 1. NaN for failed audio.
        """
        scores, failed = self._scores(X)
        return insert_missing_rows(softmax(scores, axis=1), failed)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Compute the logarithm of :meth:`predict_proba`.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Logarithms of the probabilities in the order of `classes_`. NaN for failed audio.
        """
        scores, failed = self._scores(X)
        return insert_missing_rows(log_softmax(scores, axis=1), failed)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the accuracy, in which failed audio counts as misclassified.

        Parameters
        ----------
        %(X)s
        y : array-like of shape (n_samples,)
            True labels.
        %(sample_weight)s

        Returns
        -------
        score : float
            Mean accuracy.
        """
        return accuracy_with_missing(y, self.predict(X), sample_weight)

    def _hidden(self, X):
        return ACTIVATIONS[self.activation](X @ self.hidden_weights_ + self.hidden_bias_)

    def _scores(self, X):
        """Return the scores of the rows with usable features, and the mask of failed rows."""
        check_is_fitted(self)
        X = ids_as_levels(X)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        failed = self._failed_rows(X)
        return self._hidden(X[~failed]) @ self.output_weights_, failed

    def _failed_rows(self, X):
        failed = failed_rows(X)
        assert_all_finite(X[~failed], input_name="X", estimator_name=type(self).__name__)
        return failed


def _ridge(A, B, alpha):
    """Return the smallest matrix M that minimizes ||A M - B||^2 + alpha ||M||^2."""
    n_samples, n_inputs = A.shape
    primal = n_samples >= n_inputs
    gram = A.T @ A if primal else A @ A.T
    if alpha > _SAFE_RIDGE * np.trace(gram):
        np.fill_diagonal(gram, np.diagonal(gram) + alpha)
        if primal:
            return solve(gram, A.T @ B, assume_a="pos")
        return A.T @ solve(gram, B, assume_a="pos")
    # The ridge is too small for the normal equations, which square the condition number.
    left, values, right = svd(A, full_matrices=False)
    values = np.where(values > values[0] * max(A.shape) * np.finfo(A.dtype).eps, values, 0.0)
    inverse = np.divide(values, values**2 + alpha, where=values > 0, out=np.zeros_like(values))
    return right.T @ (inverse[:, np.newaxis] * (left.T @ B))
