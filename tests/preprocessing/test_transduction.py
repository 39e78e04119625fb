"""Context managers that forbid or record statistics of the batch."""

import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser.preprocessing import GroupScaler
from sklearn_ser.preprocessing._transduction import record_transduction, without_batch_statistics

NESTED = ["corpus", "speaker"]


def make_features(groups, seed=0):
    rng = np.random.default_rng(seed)
    pairs = [pair for *pair, size in groups for _ in range(size)]
    index = pd.MultiIndex.from_tuples(list(map(tuple, pairs)), names=NESTED)
    return pd.DataFrame(rng.normal(size=(len(pairs), 3)), index=index, columns=list("xyz"))


TRAIN = make_features([("a", "a1", 12), ("a", "a2", 12), ("b", "b1", 20)])
TEST = make_features([("a", "a1", 11), ("a", "a9", 13), ("c", "c1", 15), ("c", "c2", 3)], seed=1)


def one_by_one(method, X):
    return np.concatenate([method(X.iloc[[row]]) for row in range(len(X))])


@pytest.mark.parametrize("by", [None, "corpus", "speaker", NESTED])
def test_one_at_a_time_equals_row_by_row(by):
    scaler = GroupScaler(by=by).fit(TRAIN)
    with without_batch_statistics():
        together = scaler.transform(TEST)
    np.testing.assert_array_equal(together, one_by_one(scaler.transform, TEST))
    assert (by is None) == np.array_equal(together, scaler.transform(TEST))


pairs = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from(["a1", "b1", "c1", None])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=50)
@given(pairs, st.sampled_from(["corpus", "speaker", NESTED]))
def test_one_at_a_time_equals_row_by_row_whatever_the_ids(found, by):
    scaler = GroupScaler(by=by, min_samples=2).fit(TRAIN)
    X = make_features([(*pair, 1) for pair in found])
    with without_batch_statistics(), record_transduction() as groups:
        together = scaler.transform(X)
        alone = one_by_one(scaler.transform, X)
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, one_by_one(scaler.transform, X))
    assert not groups


def test_recorded_groups():
    scaler = GroupScaler(by=NESTED).fit(TRAIN)
    with record_transduction() as groups:
        scaler.transform(TRAIN)
        one_by_one(scaler.transform, TEST)
        scaler.transform(TEST.reset_index(drop=True))
    assert not groups
    with record_transduction() as groups:
        scaler.transform(TEST)
        scaler.transform(TEST)
    assert groups == [("a", "a9"), ("c",), ("c", "c1")]
    scaler.transform(TEST[24:].set_axis(TEST.index[24:].set_levels(["d", "e"], level="corpus")))
    assert len(groups) == 3  # closed


def test_records_nest():
    scaler = GroupScaler(by="corpus").fit(TRAIN)
    with record_transduction() as outer:
        with record_transduction() as inner:
            scaler.transform(TEST)
        with record_transduction() as later, without_batch_statistics():
            scaler.transform(TEST)
    assert inner == outer == [("c",)]
    assert not later


def test_both_end_with_an_error():
    scaler = GroupScaler(by="corpus").fit(TRAIN)
    with (
        pytest.raises(ZeroDivisionError),
        without_batch_statistics(),
        record_transduction() as groups,
    ):
        1 / 0  # noqa: B018
    with record_transduction() as later:
        scaler.transform(TEST)
    assert later
    assert not groups


def _search():
    scaling = FeatureUnion([("corpus", GroupScaler(by="corpus")), ("both", GroupScaler(by=NESTED))])
    model = make_pipeline(scaling.set_output(transform="pandas"), LogisticRegression())
    return GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, cv=3)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(GroupScaler(by="corpus"), LogisticRegression()),
        make_pipeline(
            StandardScaler().set_output(transform="pandas"),
            GroupScaler(by=NESTED),
            LogisticRegression(),
        ),
        _search(),
    ],
    ids=["pipeline", "later step", "search over a union"],
)
def test_through_pipelines_and_searches(model):
    model.fit(TRAIN, np.tile(["anger", "sadness"], len(TRAIN) // 2))
    with record_transduction() as groups:
        batch = model.predict_proba(TEST)
    assert groups
    with without_batch_statistics(), record_transduction() as groups:
        alone = model.predict_proba(TEST)
    assert not groups
    np.testing.assert_allclose(alone, one_by_one(model.predict_proba, TEST))
    assert not np.allclose(alone, batch)


def test_other_threads_are_left_alone():
    scaler, results = GroupScaler(by="corpus").fit(TRAIN), []
    with without_batch_statistics():
        thread = threading.Thread(target=lambda: results.append(scaler.transform(TEST)))
        thread.start()
        thread.join()
    pd.testing.assert_frame_equal(results[0], scaler.transform(TEST))
