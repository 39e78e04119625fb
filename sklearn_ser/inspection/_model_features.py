"""A fitted model from audio, split where its features are a table."""

import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.evaluation._extraction import extract, split_extraction, that_predicts
from sklearn_ser.utils._frames import is_frames


def model_and_features(estimator, X):
    """What predicts from a table of features, and that table.

    Parameters
    ----------
    estimator : fitted estimator
        Of features; or a Pipeline that begins with audio steps, alone, within a search or within
        an AugmentingClassifier.
    X : array-like or DataFrame
        What `estimator` predicts from.

    Returns
    -------
    model : fitted estimator
    features : DataFrame or array-like of shape (n_rows, n_features)

    Raises
    ------
    ValueError
        If the features stay frame sequences to the end.
    """
    check_is_fitted(estimator)
    model = that_predicts(estimator)
    extraction, _ = split_extraction(model)
    features = X
    if extraction:
        features, _ = extract(extraction, X)
    if isinstance(model, Pipeline):
        steps = model.steps[len(extraction) :]
        # On the way from frames to statistics of them.
        while is_frames(features) and len(steps) > 1:
            (_, step), *steps = steps
            if step is not None and step != "passthrough":
                features = step.transform(features)
        model = Pipeline(steps)
    if is_frames(features):
        raise ValueError(
            "this model gets frame sequences, which have no columns that could be permuted by "
            "group: put FunctionalsPooling before it, or explain a model of utterance features"
        )
    if not isinstance(features, pd.DataFrame) and not hasattr(features, "shape"):
        raise ValueError(
            f"X must be a table of features, or audio for a Pipeline that begins with an audio "
            f"step; got {type(features).__name__} for a {type(model).__name__}"
        )
    return model, features
