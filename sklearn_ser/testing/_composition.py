"""Checks of an audio step inside scikit-learn: Pipeline, FeatureUnion, GridSearchCV."""

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_ser.testing._outputs import (
    assert_same,
    assert_same_index,
    is_frame_table,
    plain,
    reference,
    values_by_row,
)
from sklearn_ser.testing._speech import speech


def mean_of_frames(table):
    """The mean over time of every row of a table of frames."""
    means = [frames.mean(axis=0) for frames in values_by_row(table)]
    return pd.DataFrame(means, index=table.index)


def _to_rows(step):
    """Steps that make rows of numbers of what the step gives."""
    return [FunctionTransformer(mean_of_frames)] if is_frame_table(reference(step)) else []


def check_in_a_pipeline(step):
    """Before a scaler and a classifier, metadata routing on or off, ids intact."""
    X, y = speech().X, speech().y
    model = make_pipeline(plain(step), *_to_rows(step), StandardScaler(), LogisticRegression())
    predicted = model.fit(X, y).predict(X)
    with config_context(enable_metadata_routing=True):
        model[-1].set_fit_request(sample_weight=True)
        model[-2].set_fit_request(sample_weight=False)
        again = model.fit(X, y, sample_weight=np.ones(len(X))).predict(X)
    if not np.array_equal(predicted, again):
        raise AssertionError("with metadata routing the pipeline predicts otherwise")
    scaling = make_pipeline(plain(step), *_to_rows(step), StandardScaler())
    scaled = scaling.set_output(transform="pandas").fit_transform(X)
    expected = plain(step).set_output(transform="pandas").fit(X).transform(X)
    assert_same_index(scaled, expected, "behind StandardScaler")


def check_in_a_feature_union(step):
    """Beside itself in a FeatureUnion: both halves equal, the ids intact."""
    X, expected = speech().X, reference(step)
    parts = [(name, make_pipeline(plain(step), *_to_rows(step))) for name in ("one", "two")]
    joined = FeatureUnion(parts).fit(X).transform(X)
    values = np.asarray(joined)
    width = values.shape[1] // 2
    assert_same(values[:, :width], values[:, width:], "two equal halves of a FeatureUnion differ")
    alone = mean_of_frames(expected) if is_frame_table(expected) else expected
    assert_same(values[:, :width], alone, "in a FeatureUnion the numbers differ")
    table = FeatureUnion(parts).set_output(transform="pandas").fit(X).transform(X)
    assert_same_index(
        table, plain(step).set_output(transform="pandas").fit(X).transform(X), "union"
    )


def check_in_a_grid_search(step):
    """GridSearchCV slices X, clones the step and scores without an error."""
    X, y = speech().X, speech().y
    model = make_pipeline(plain(step), *_to_rows(step), StandardScaler(), LogisticRegression())
    search = GridSearchCV(
        model, {"logisticregression__C": [1.0]}, cv=GroupKFold(2), error_score="raise"
    )
    search.fit(X, y, groups=X["speaker"])
    if not np.isfinite(search.best_score_):
        raise AssertionError(f"the score is {search.best_score_}")
