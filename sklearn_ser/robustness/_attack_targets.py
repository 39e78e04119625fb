"""What an attack needs of a fitted estimator: its last step's inputs, and gradients there."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.robustness._gradients import DifferentiableLinear, DifferentiableNetwork
from sklearn_ser.utils._frames import frame_features, frame_marks, frames_table

SUPPORTED = (
    "an MTLNeuralClassifier, or a linear model of scikit-learn that has coef_ (LinearSVC, "
    "LogisticRegression, RidgeClassifier, ...), alone, at the end of a Pipeline, or found by a "
    "search"
)


def open_chain(estimator):
    """The steps before the classifier at the end of an estimator, and that classifier.

    Parameters
    ----------
    estimator : estimator
        Fitted: a classifier, or Pipelines, searches and this package's meta-estimators around one.

    Returns
    -------
    steps : list of transformer
    last : classifier
    """
    check_is_fitted(estimator)
    steps, last = [], estimator
    while True:
        if isinstance(last, Pipeline):
            steps += [step for _, step in last.steps[:-1] if step not in (None, "passthrough")]
            last = last.steps[-1][1]
        elif hasattr(last, "best_estimator_"):
            last = last.best_estimator_
        elif type(last).__module__.startswith("sklearn_ser.") and hasattr(last, "estimator_"):
            last = last.estimator_  # SkipFailedRows and the like, which predict rows as they are
        else:
            return steps, last


def transformed(steps, X):
    """What the steps make of X, one after the other."""
    for step in steps:
        X = step.transform(X)
    return X


def gradients_of(last, name):
    """The classifier as a function with gradients.

    Raises
    ------
    MetadataError
        If it is of no supported kind; it says which are.
    """
    if isinstance(last, MTLNeuralClassifier):
        return DifferentiableNetwork(last)
    if _is_linear(last):
        return DifferentiableLinear(last)
    raise MetadataError(
        f"estimator {name!r} ends in a {type(last).__name__}, whose gradient is not known. "
        f"Supported are {SUPPORTED}. For anything else give surrogate=, a fitted one of these on "
        "the same inputs, whose adversarial examples are tried on it."
    )


def _is_linear(last):
    if not all(hasattr(last, name) for name in ("coef_", "intercept_", "classes_")):
        return False
    n_rows = 1 if len(last.classes_) == 2 else len(last.classes_)
    weights = last.coef_
    if not isinstance(weights, np.ndarray) or weights.shape[:1] != (n_rows,) or weights.ndim != 2:
        return False
    # SVC(kernel="linear") of several classes has the weights of pairs of them, and a
    # network's coefs_ are none: decision values must be what the weights say.
    probe = np.random.default_rng(0).normal(size=(4, weights.shape[1]))
    if not hasattr(last, "decision_function"):
        return False
    if hasattr(last, "feature_names_in_"):
        given = pd.DataFrame(probe, columns=last.feature_names_in_)
    else:
        given = probe
    found = np.asarray(last.decision_function(given)).reshape(4, -1)
    expected = probe @ weights.T + last.intercept_
    return found.shape == expected.shape and np.allclose(found, expected, rtol=1e-4, atol=1e-6)


def with_values(X, values):
    """A container like X, of features or frames, that holds other values.

    Parameters
    ----------
    X : DataFrame, ndarray or frame sequences
    values : Tensor of shape (n_rows, n_features), or FrameSequences
        Of all rows of X.
    """
    if isinstance(values, FrameSequences):
        parts = [
            values.frames[start : start + length].cpu().numpy()
            for start, length in zip(values.starts.tolist(), values.lengths.tolist(), strict=True)
        ]
        index = X.index if isinstance(X, pd.DataFrame | pd.Series) else pd.RangeIndex(len(parts))
        names = frame_features(X, values.frames.shape[1])
        return frames_table(parts, index, names, frame_marks(X))
    array = values.cpu().numpy()
    if isinstance(X, pd.DataFrame):
        return pd.DataFrame(array, columns=X.columns, index=X.index)
    return array
