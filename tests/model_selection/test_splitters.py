"""Behavior of all splitters by an id: look-up of ids, errors, use in scikit-learn's tools."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import clone, config_context
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import (
    LeaveOneCorpusOut,
    LeaveOneLanguageOut,
    LeaveOneSpeakerOut,
    SpeakerKFold,
)

SPLITTERS = [
    LeaveOneCorpusOut(),
    LeaveOneSpeakerOut(),
    LeaveOneLanguageOut(),
    SpeakerKFold(n_splits=3),
    SpeakerKFold(n_splits=2, shuffle=True, random_state=0),
]
NAMES = {
    "LeaveOneCorpusOut": "corpus",
    "LeaveOneSpeakerOut": "speaker",
    "LeaveOneLanguageOut": "language",
    "SpeakerKFold": "speaker",
}

every_splitter = pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)


def name_of(splitter):
    return NAMES[type(splitter).__name__]


def make_data(seed=0, n_groups=4, size=12):
    rng = np.random.RandomState(seed)
    ids = np.repeat([f"id{group}" for group in range(n_groups)], size)
    return rng.randn(len(ids), 3), np.tile(["anger", "sadness"], len(ids) // 2), ids


def as_lists(splits):
    return [(train.tolist(), test.tolist()) for train, test in splits]


@every_splitter
@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical, pd.Index])
def test_named_argument_groups_column_and_level_are_one(splitter, kind):
    name = name_of(splitter)
    X, y, ids = make_data()
    expected = as_lists(splitter.split(X, y, **{name: kind(ids)}))
    frame = pd.DataFrame(X, columns=list("abc"))
    column = frame.assign(**{name: ids})
    level = column.set_index(["a", name])
    assert expected == as_lists(splitter.split(X, y, groups=kind(ids)))
    assert expected == as_lists(splitter.split(column, y))
    assert expected == as_lists(splitter.split(level, y))
    assert len(expected) == splitter.get_n_splits(X, y, **{name: kind(ids)})
    assert len(expected) == splitter.get_n_splits(column, y)
    assert len(expected) == splitter.get_n_splits(X, y, groups=ids)


@every_splitter
def test_the_named_argument_wins_over_groups_and_groups_over_x(splitter):
    name = name_of(splitter)
    X, y, ids = make_data()
    other = np.roll(ids, 5)
    expected = as_lists(splitter.split(X, y, groups=ids))
    column = pd.DataFrame(X).assign(**{name: other})
    assert as_lists(splitter.split(column, y)) != expected
    assert as_lists(splitter.split(column, y, groups=ids)) == expected
    assert as_lists(splitter.split(column, y, groups=other, **{name: ids})) == expected


@every_splitter
@settings(max_examples=40)
@given(data=st.data())
def test_groups_stay_whole_and_every_row_is_tested_once(splitter, data):
    ids = data.draw(st.lists(st.integers(0, 9), min_size=4, max_size=40))
    y = data.draw(st.lists(st.sampled_from(["a", "b", None]), min_size=len(ids), max_size=len(ids)))
    ids = np.array([*ids, 0, 1, 2])  # enough groups for every splitter
    y = np.array([*y, "a", "b", None], dtype=object)
    leaves_one_out = not isinstance(splitter, SpeakerKFold)
    of_class = {label: set(ids[y == label]) for label in "ab"}
    try:
        splits = list(splitter.split(np.zeros((len(ids), 1)), y, groups=ids))
    except MetadataError:
        # A class that enough groups have is never lost.
        assert min(map(len, of_class.values())) < len(set(ids))
        assert not leaves_one_out or min(map(len, of_class.values())) == 1
        return
    assert not leaves_one_out or min(map(len, of_class.values())) > 1
    for train, _ in splits:
        assert set(y[train]) >= {"a", "b"}
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(ids)))
    for train, test in splits:
        assert len(test)
        assert not set(ids[train]) & set(ids[test])
        assert sorted([*train, *test]) == list(range(len(ids)))
    assert as_lists(splits) == as_lists(splitter.split(np.zeros((len(ids), 1)), y, groups=ids))

    order = np.array(data.draw(st.permutations(range(len(ids)))))
    shuffled = splitter.split(np.zeros((len(ids), 1)), y[order], groups=ids[order])
    for (_, test), (_, again) in zip(splits, shuffled, strict=True):
        assert set(test) == set(order[again])


@every_splitter
def test_absent_ids(splitter):
    name = name_of(splitter)
    X, y, _ = make_data()
    message = (
        rf"got neither {name}= \(with metadata routing\) nor groups= \(without routing\), and X "
        rf"has none. .*neither a column nor an index level"
    )
    for table in (X, pd.DataFrame(X)):
        with pytest.raises(MetadataError, match=message):
            splitter.split(table, y)


@every_splitter
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_ids_name_their_rows(splitter, missing):
    X, y, ids = make_data()
    ids = ids.astype(object)
    ids[[3, 17]] = missing
    message = (
        rf"{name_of(splitter)} of every sample, but it is missing .* in samples 3, 17 \(of 48\)\."
    )
    with pytest.raises(MetadataError, match=message):
        splitter.split(X, y, groups=ids)


@every_splitter
def test_ids_of_the_wrong_shape(splitter):
    X, y, ids = make_data()
    with pytest.raises(MetadataError, match=r"groups must be one-dimensional, .*\(48, 1\)"):
        splitter.split(X, y, groups=ids[:, None])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        splitter.split(X, y, groups=ids[1:])


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (
            LeaveOneCorpusOut(),
            r"unique value of 'corpus' \('a'\), but LeaveOneCorpusOut expects at least 2\. Use",
        ),
        (
            SpeakerKFold(n_splits=3),
            r"Found 1 unique value of 'speaker' \('a'\), but SpeakerKFold expects at least 3\.",
        ),
    ],
)
def test_too_few_groups(splitter, message):
    with pytest.raises(MetadataError, match=message):
        splitter.split(np.zeros((4, 1)), groups=["a"] * 4)


def test_get_n_splits_of_one_corpus():
    with pytest.raises(MetadataError, match="Found 1 unique value of 'corpus'"):
        LeaveOneCorpusOut().get_n_splits(np.zeros((2, 1)), groups=["a", "a"])


@every_splitter
def test_ids_of_several_kinds(splitter):
    ids = np.array([1, "1", 2.5, "yes", 1, 7], dtype=object)
    splits = list(splitter.split(np.zeros((6, 1)), groups=ids))
    assert all(not set(ids[train]) & set(ids[test]) for train, test in splits)


@every_splitter
def test_repr_pickle_and_clone(splitter):
    X, y, ids = make_data()
    search = GridSearchCV(DummyClassifier(), {}, cv=splitter)
    assert type(splitter).__name__ in repr(splitter)
    assert type(splitter).__name__ in repr(search)
    assert "GridSearchCV" in search._repr_html_()
    expected = as_lists(splitter.split(X, y, groups=ids))
    for copied in (pickle.loads(pickle.dumps(splitter)), clone(splitter, safe=False)):
        assert repr(copied) == repr(splitter)
        assert as_lists(copied.split(X, y, groups=ids)) == expected
    assert repr(clone(search).cv) == repr(splitter)


@every_splitter
@pytest.mark.parametrize("where", ["routed", "groups", "column", "level"])
def test_in_scikit_learns_tools(splitter, where):
    """cross_validate, cross_val_score, cross_val_predict and GridSearchCV give the same folds."""
    name = name_of(splitter)
    X, y, ids = make_data()
    splits = list(splitter.split(X, y, groups=ids))
    model = LogisticRegression()
    expected = cross_val_score(model, X, y, cv=splits)
    X = pd.DataFrame(X, columns=list("abc"))
    if where == "level":
        X = X.set_index(pd.Index(ids, name=name), append=True)
    if where == "column":
        X[name] = ids
        model = _only_numbers()
    passed = {"routed": {name: ids}, "groups": {"groups": ids}}.get(where, {})
    with config_context(enable_metadata_routing=where == "routed"):
        cv_args = {"params": passed} if where == "routed" else passed
        result = cross_validate(model, X, y, cv=splitter, **cv_args)
        np.testing.assert_allclose(result["test_score"], expected)
        np.testing.assert_allclose(cross_val_score(model, X, y, cv=splitter, **cv_args), expected)
        assert len(cross_val_predict(model, X, y, cv=splitter, **cv_args)) == len(y)
        search = GridSearchCV(model, {}, cv=splitter).fit(X, y, **passed)
    assert search.n_splits_ == len(splits)
    assert search.best_score_ == pytest.approx(expected.mean())


def _only_numbers():
    numbers = make_column_transformer(("passthrough", make_column_selector(dtype_include="number")))
    return make_pipeline(numbers, LogisticRegression())


@every_splitter
@pytest.mark.parametrize("routing", [False, True])
def test_nested(splitter, routing):
    """The outer fold hands the inner search its own rows' ids."""
    name = name_of(splitter)
    X, y, ids = make_data(n_groups=6)
    X = pd.DataFrame(X, columns=list("abc"))
    if not routing:
        X = X.set_index(pd.Index(ids, name=name))
    inner = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=splitter)
    with config_context(enable_metadata_routing=routing):
        result = cross_validate(
            inner,
            X,
            y,
            cv=splitter if not isinstance(splitter, SpeakerKFold) else SpeakerKFold(2),
            params={name: ids} if routing else None,
            return_estimator=True,
            return_indices=True,
        )
    for search, train in zip(result["estimator"], result["indices"]["train"], strict=True):
        expected = clone(splitter, safe=False).get_n_splits(X.iloc[train], groups=ids[train])
        assert search.n_splits_ == expected


@pytest.mark.slow
@every_splitter
def test_in_two_processes(splitter):
    X, y, ids = make_data()
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=splitter)
    alone = clone(search).fit(X, y, groups=ids).cv_results_["mean_test_score"]
    with config_context(enable_metadata_routing=True):
        routed = clone(search).set_params(n_jobs=2).fit(X, y, **{name_of(splitter): ids})
    np.testing.assert_array_equal(routed.cv_results_["mean_test_score"], alone)


def test_leave_one_corpus_out_equals_leave_one_group_out():
    X, y, ids = make_data()
    expected = LeaveOneGroupOut().split(X, y, ids)
    assert as_lists(LeaveOneCorpusOut().split(X, y, corpus=ids)) == as_lists(expected)
