"""SkipFailedRows around estimators that take frame sequences."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import MTLNeuralClassifier, SkipFailedRows
from sklearn_ser.exceptions import TrainingWarning
from tests.conftest import make_frames_table

FAILED = [3, 8]
GOOD = np.setdiff1d(np.arange(40), FAILED)


def sequences(X):
    return X["frames"] if isinstance(X, pd.DataFrame) else X


class MeanOverTime(TransformerMixin, BaseEstimator):
    """A step that rejects failed rows."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.stack([sequence.mean(axis=0) for sequence in sequences(X)])

    def __sklearn_is_fitted__(self):
        return True


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(0)
    y = np.tile(["anger", "calm"], 20)
    cells = [
        generator.normal(size=(generator.integers(4, 9), 3)) + 2 * (label == "anger") for label in y
    ]
    cells = [None if row in FAILED else cell for row, cell in enumerate(cells)]
    index = pd.Index(np.repeat(["s1", "s2", "s3", "s4"], 10), name="speaker")
    return make_frames_table(cells, index, ["a", "b", "c"]), y


def forms(table):
    cells = [None if isinstance(cell, float) else cell for cell in table["frames"]]
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return {"table": table, "list": cells, "objects": array, "series": table["frames"]}


@pytest.mark.parametrize("form", ["table", "list", "objects", "series"])
def test_failed_rows_of_every_form_are_left_out_and_missing(table, form):
    X, y = table
    given = forms(X)[form]
    with pytest.warns(TrainingWarning, match=r"2 of 40 rows of X .* left out of training: rows 3"):
        model = SkipFailedRows(make_pipeline(MeanOverTime(), LinearSVC())).fit(given, y)
    alone = make_pipeline(MeanOverTime(), LinearSVC()).fit(X.iloc[GOOD], y[GOOD])
    predicted = model.predict(given)
    assert predicted[GOOD].tolist() == alone.predict(X.iloc[GOOD]).tolist()
    assert predicted[FAILED].tolist() == [None, None]
    assert np.isnan(model.decision_function(given)[FAILED]).all()
    assert model.score(given, y) == np.mean(predicted == y)


@pytest.mark.filterwarnings("ignore:2 of 40 rows")
@pytest.mark.parametrize("form", ["table", "list", "objects", "series"])
def test_where_all_rows_failed_all_predictions_are_missing(table, form):
    X, y = table
    model = SkipFailedRows(make_pipeline(MeanOverTime(), LinearSVC())).fit(X, y)
    model = pickle.loads(pickle.dumps(model))
    only_failed = forms(X.iloc[FAILED])[form]
    assert model.predict(only_failed).tolist() == [None, None]
    assert model.decision_function(only_failed).shape == (2,)


def test_without_failed_rows_nothing_differs(table):
    X, y = table
    inner = make_pipeline(MeanOverTime(), LinearSVC())
    model = SkipFailedRows(inner).fit(X.iloc[GOOD], y[GOOD])
    alone = clone(inner).fit(X.iloc[GOOD], y[GOOD])
    np.testing.assert_array_equal(
        model.decision_function(X.iloc[GOOD]), alone.decision_function(X.iloc[GOOD])
    )


@pytest.mark.filterwarnings("ignore:2 of 40 rows")
@pytest.mark.parametrize("encoder", ["attention", "layers"])
def test_around_the_network(table, encoder):
    X, y = table
    if encoder == "layers":
        X = X.map(lambda cell: cell if isinstance(cell, float) else cell[:4])
    net = MTLNeuralClassifier(encoder=encoder, max_epochs=2, random_state=0)
    model = SkipFailedRows(net).fit(X, y, groups=X.index.to_numpy())
    alone = clone(net).fit(X.iloc[GOOD], y[GOOD], groups=X.index.to_numpy()[GOOD])
    np.testing.assert_array_equal(model.predict_proba(X)[GOOD], alone.predict_proba(X.iloc[GOOD]))
    assert model.transform(X.iloc[FAILED]).shape == alone.transform(X.iloc[FAILED]).shape
    assert model.predict_aux(X).index.equals(X.index)
