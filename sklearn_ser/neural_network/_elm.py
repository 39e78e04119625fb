"""ELMClassifier: a hidden layer that stays random, and output weights in closed form."""

from numbers import Integral, Real

import numpy as np
from scipy.linalg import solve, svd
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
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
from sklearn_ser.utils._failed import (
    accuracy_with_misses,
    failed_rows,
    report_left_out,
    with_missing,
)
from sklearn_ser.utils._public import public_module

ACTIVATIONS = {
    "linear": lambda values: values,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda values: np.maximum(values, 0.0),
}
#: With a ridge above this part of the trace of the Gram matrix, its condition number is below 1e8.
_SAFE_RIDGE = 1e-8


@public_module("sklearn_ser.neural_network")
class ELMClassifier(ClassifierMixin, BaseEstimator):
    """Extreme learning machine: random hidden units, output weights by ridge regression.

    A network with one hidden layer whose weights W and biases b are drawn once from N(0, 1) and
    never trained [1]_. With the hidden outputs ``H = activation(X W + b)`` and the classes as rows
    of 0 and 1 in T, the output weights are ``beta = (H'H + alpha I)^-1 H'T``, in one step; the
    label is the class of the largest score in ``H beta``.

    In speech emotion recognition it decides on utterances by what a network says of their frames,
    summed up by :class:`HighLevelFeatures`: [2]_ (DNN), [3]_ (LSTM), [4]_ (multi-task). The
    defaults are those of the trainer that the first author of [4]_ released.

    Parameters
    ----------
    n_hidden : int, default=50
        Number of hidden units.
    activation : {"linear", "sigmoid", "tanh", "relu"}, default="linear"
        Of the hidden units. "linear" is no activation at all, as in the released code: the scores
        are then linear in X, by ridge regression on random combinations of the features. The
        literature [1]_ has "sigmoid". All but "linear" want features of about unit scale.
    alpha : float, default=1.0
        Strength of the ridge, at least 0. The released code has 1 (its 1 / omega). 0 takes the
        pseudo-inverse of H, as [1]_ does.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes, as everywhere in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        W, then b, are drawn from it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of `y`.
    hidden_weights_ : ndarray of shape (n_features, n_hidden)
        W.
    hidden_bias_ : ndarray of shape (n_hidden,)
        b.
    output_weights_ : ndarray of shape (n_hidden, n_classes)
        beta.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had column names.

    See Also
    --------
    HighLevelFeatures : Makes the features that this was proposed for.
    sklearn.linear_model.RidgeClassifier : The same without hidden units, with an intercept.

    Notes
    -----
    With fewer rows than hidden units the same weights come from ``H'(HH' + alpha I)^-1 T``; where
    alpha is tiny beside H'H, from the singular values of H. In all three a weight of k equals k
    copies of the row. Everything is computed in float64.

    Rows of X that are entirely NaN (audio that could not be used) are left out of training with a
    TrainingWarning; the predictions for them are missing (None for labels that are not numbers,
    NaN else). Any other NaN is refused.

    With metadata routing on, ``fit`` asks for ``sample_weight``.

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

    # As the network before it in a Pipeline does.
    __metadata_request__fit = {"sample_weight": True}

    _parameter_constraints = {
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self, n_hidden=50, activation="linear", *, alpha=1.0, class_weight=None, random_state=None
    ):
        self.n_hidden = n_hidden
        self.activation = activation
        self.alpha = alpha
        self.class_weight = class_weight
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Draw the hidden units and solve for the output weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y cannot be used, or fewer than two classes are left.

        Warns
        -----
        TrainingWarning
            If rows of failed audio are left out.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        failed = self._failed_rows(X)
        report_left_out(failed)
        self.classes_ = np.unique(y[~failed])
        used = ~failed & (weights > 0)
        X, y, weights = X[used], y[used], weights[used]
        present = np.unique(y)
        if len(present) < 2:
            found = f"only 1 class, {present.tolist()[0]!r}" if len(present) else "no class"
            raise ValueError(
                "ELMClassifier needs rows of at least 2 classes in y; among the rows with a weight "
                f"above 0 and usable features there is {found}."
            )
        by_class = weights_of_classes(self.class_weight, present, y, weights)
        roots = np.sqrt(weights * by_class[np.searchsorted(present, y)])[:, np.newaxis]
        generator = check_random_state(self.random_state)
        self.hidden_weights_ = generator.standard_normal((X.shape[1], self.n_hidden))
        self.hidden_bias_ = generator.standard_normal(self.n_hidden)
        targets = y[:, np.newaxis] == self.classes_
        self.output_weights_ = _ridge(roots * self._hidden(X), roots * targets, self.alpha)
        return self

    def decision_function(self, X):
        """Scores ``H beta``: least-squares estimates of 1 for the own class, 0 for the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) of two classes
            Of two classes, the score of the second less that of the first. NaN in rows of failed
            audio.
        """
        scores, failed = self._scores(X)
        if len(self.classes_) == 2:
            scores = scores[:, 1] - scores[:, 0]
        return with_missing(scores, failed)

    def predict(self, X):
        """The class of the largest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Missing (None, or NaN for numeric labels) in rows of failed audio.
        """
        scores, failed = self._scores(X)
        return with_missing(self.classes_[scores.argmax(axis=1)], failed)

    def predict_proba(self, X):
        """Softmax of the scores: an order of the classes, not calibrated probabilities.

        Scores lie around 0 and 1, and so these numbers are much too even: with two classes, the
        score 1 against 0 gives 0.73. They rank classes and rows rightly, which is what soft voting
        and areas under curves need. For probabilities use
        :class:`~sklearn.calibration.CalibratedClassifierCV`, which takes the scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1. NaN in rows of failed audio.
        """
        scores, failed = self._scores(X)
        return with_missing(softmax(scores, axis=1), failed)

    def score(self, X, y, sample_weight=None):
        """Accuracy; a row of failed audio counts as a miss.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        return accuracy_with_misses(y, self.predict(X), sample_weight)

    def _hidden(self, X):
        return ACTIVATIONS[self.activation](X @ self.hidden_weights_ + self.hidden_bias_)

    def _scores(self, X):
        """Scores of the rows that can be used, and which rows failed."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        failed = self._failed_rows(X)
        return self._hidden(X[~failed]) @ self.output_weights_, failed

    def _failed_rows(self, X):
        failed = failed_rows(X)
        assert_all_finite(X[~failed], input_name="X", estimator_name=type(self).__name__)
        return failed


def _ridge(A, B, alpha):
    """The matrix M with the least ||A M - B||^2 + alpha ||M||^2; of several, the smallest.

    Parameters
    ----------
    A : ndarray of shape (n_rows, n_inputs)
    B : ndarray of shape (n_rows, n_outputs)
    alpha : float

    Returns
    -------
    ndarray of shape (n_inputs, n_outputs)
    """
    n_rows, n_inputs = A.shape
    primal = n_rows >= n_inputs
    gram = A.T @ A if primal else A @ A.T
    if alpha > _SAFE_RIDGE * np.trace(gram):
        np.fill_diagonal(gram, np.diagonal(gram) + alpha)
        if primal:
            return solve(gram, A.T @ B, assume_a="pos")
        return A.T @ solve(gram, B, assume_a="pos")
    # Too little ridge for the normal equations, which square the condition number.
    left, values, right = svd(A, full_matrices=False)
    values = np.where(values > values[0] * max(A.shape) * np.finfo(A.dtype).eps, values, 0.0)
    inverse = np.divide(values, values**2 + alpha, where=values > 0, out=np.zeros_like(values))
    return right.T @ (inverse[:, np.newaxis] * (left.T @ B))
