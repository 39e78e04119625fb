"""GroupScaler: which statistics scale which row."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ser import load_model, save_model
from sklearn_ser.exceptions import AudioError, MetadataError
from sklearn_ser.model_selection import LeaveOneCorpusOut
from sklearn_ser.preprocessing import FrameScaler, FunctionalsPooling, GroupScaler, SkipFailedRows

NESTED = ["corpus", "speaker"]


@parametrize_with_checks([GroupScaler(), GroupScaler(shrinkage=0, min_samples=2)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def make_features(*groups, seed=0, n_features=3, dtype=np.float32):
    """Features as an extractor gives them; `groups` are (corpus, speaker, rows, offset)."""
    rng = np.random.default_rng(seed)
    parts, ids = [], []
    for corpus, speaker, size, offset in groups:
        parts.append(rng.normal(offset, 1 + abs(offset), size=(size, n_features)))
        ids += [(corpus, speaker)] * size
    index = pd.MultiIndex.from_tuples(ids, names=NESTED)
    columns = [f"f{feature}" for feature in range(n_features)]
    return pd.DataFrame(np.concatenate(parts).astype(dtype), index=index, columns=columns)


@pytest.fixture
def train():
    return make_features(
        ("emodb", "emodb/03", 30, 0.0),
        ("emodb", "emodb/08", 12, 1.0),
        ("emodb", "emodb/09", 4, 2.0),  # too small for statistics of its own
        ("nemo", "nemo/EB0", 15, -3.0),
        ("nemo", "nemo/IC0", 20, -5.0),
    )


def rows_one_by_one(scaler, X):
    return pd.concat([scaler.transform(X.iloc[[row]]) for row in range(len(X))])


def standardized(X, reference=None):
    return StandardScaler().fit(X if reference is None else reference).transform(X)


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-4, atol=1e-5)


# Known groups ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_by_it_is_a_standard_scaler(train, dtype):
    X = train.astype(dtype)
    X["f1"] = dtype(0.1)  # constant
    scaler, expected = GroupScaler().fit(X), StandardScaler().fit(X.astype(np.float64))
    np.testing.assert_allclose(scaler.mean_, expected.mean_)
    np.testing.assert_allclose(scaler.scale_, expected.scale_)
    np.testing.assert_allclose(scaler.var_, expected.var_, atol=1e-15)
    assert scaler.n_samples_seen_ == len(X)
    assert scaler.group_keys_ == []
    close(scaler.transform(X), expected.transform(X.astype(np.float64)))


@pytest.mark.parametrize("by", ["corpus", "speaker"])
def test_known_groups_equal_a_standard_scaler_each(train, by):
    scaled = GroupScaler(by=by, min_samples=2).fit_transform(train)
    for _, rows in train.groupby(level=by):
        close(scaled.loc[scaled.index.isin(rows.index)], standardized(rows))


def test_nested_without_shrinkage_is_by_the_inner_group(train):
    nested = GroupScaler(by=NESTED, shrinkage=0, min_samples=2).fit_transform(train)
    close(nested, GroupScaler(by="speaker", min_samples=2).fit_transform(train))


def test_shrinkage_by_hand():
    index = pd.MultiIndex.from_tuples([("c", "a")] * 2 + [("c", "b")] * 2, names=NESTED)
    X = pd.DataFrame({"f": [0.0, 2.0, 4.0, 10.0]}, index=index)
    scaler = GroupScaler(by=NESTED, shrinkage=6.0, min_samples=2).fit(X)
    # c: mean 4, variance 14. a: mean 1, variance 1, weight 2 / (2 + 6) = 1/4. b: mean 7, var 9.
    assert scaler.group_keys_ == [["c"], ["c", "a"], ["c", "b"]]
    assert scaler.group_sizes_.tolist() == [4, 2, 2]
    assert scaler.group_means_.ravel().tolist() == [4.0, 0.25 * 1 + 0.75 * 4, 0.25 * 7 + 0.75 * 4]
    assert scaler.group_vars_.ravel().tolist() == [14.0, 0.25 + 0.75 * 14, 0.25 * 9 + 0.75 * 14]
    expected = (X["f"] - [3.25, 3.25, 4.75, 4.75]) / np.sqrt([10.75, 10.75, 12.75, 12.75])
    close(scaler.transform(X)["f"], expected)


def test_three_levels_lean_each_on_the_next():
    X = make_features(("c", "a", 40, 0.0), ("c", "b", 40, 3.0))
    X["recording"] = np.tile(["r1", "r2"], 40)
    by = [*NESTED, "recording"]
    scaler = GroupScaler(by=by, shrinkage=20.0).fit(X)
    mean = dict(zip(map(tuple, scaler.group_keys_), scaler.group_means_, strict=True))
    own = X[(X["recording"] == "r1").to_numpy() & (X.index.get_level_values("speaker") == "a")]
    own = own.drop(columns="recording").to_numpy(np.float64).mean(axis=0)
    np.testing.assert_allclose(mean["c", "a", "r1"], 0.5 * own + 0.5 * mean["c", "a"])
    assert len(scaler.group_keys_) == 1 + 2 + 4


def test_a_group_too_small_in_training_takes_the_group_around_it(train):
    scaler = GroupScaler(by=NESTED).fit(train)
    assert ["emodb", "emodb/09"] not in scaler.group_keys_
    small = train.xs("emodb/09", level="speaker", drop_level=False)
    emodb = train.xs("emodb", level="corpus")
    close(scaler.transform(small), standardized(small.to_numpy(), emodb.to_numpy()))


@pytest.mark.parametrize("by", [None, "corpus", "speaker", NESTED])
def test_known_groups_do_not_depend_on_the_batch(train, by):
    scaler = GroupScaler(by=by).fit(train)
    pd.testing.assert_frame_equal(rows_one_by_one(scaler, train), scaler.transform(train))


def test_constant_features_get_scale_one():
    X = make_features(("a", "a", 12, 1.0), ("b", "b", 12, 2.0))
    X["f0"] = np.float32(0.1)
    X["f1"] = np.where(X.index.get_level_values("corpus") == "a", 5.0, 7.0).astype(np.float32)
    scaled = GroupScaler(by="corpus").fit_transform(X)
    assert scaled["f0"].abs().max() < 1e-6
    assert (scaled["f1"] == 0).all()


# Unknown groups ----------------------------------------------------------------------------


def test_an_unknown_group_is_scaled_by_its_rows_of_the_batch(train):
    scaler = GroupScaler(by="corpus").fit(train)
    test = make_features(("urdu", "urdu/SF1", 11, 40.0), ("tess", "tess/1", 10, -40.0), seed=1)
    scaled = scaler.transform(test)
    close(scaled[:11], standardized(test[:11].to_numpy()))
    close(scaled[11:], standardized(test[11:].to_numpy()))


def test_an_unknown_group_too_small_is_scaled_by_the_training_set(train):
    scaler = GroupScaler(by="corpus").fit(train)
    test = make_features(("urdu", "urdu/SF1", 9, 40.0), ("tess", "tess/1", 30, -40.0), seed=1)
    close(scaler.transform(test)[:9], standardized(test[:9].to_numpy(), train.to_numpy()))


def test_an_unknown_speaker_leans_on_its_known_corpus(train):
    scaler = GroupScaler(by=NESTED, shrinkage=20.0).fit(train)
    test = make_features(("emodb", "emodb/99", 20, 9.0), seed=1)
    emodb, own = train.loc["emodb"].to_numpy(np.float64), test.to_numpy(np.float64)
    mean = 0.5 * own.mean(axis=0) + 0.5 * emodb.mean(axis=0)
    var = 0.5 * own.var(axis=0) + 0.5 * emodb.var(axis=0)
    close(scaler.transform(test), (own - mean) / np.sqrt(var))


def test_an_unknown_speaker_leans_on_its_unknown_corpus(train):
    scaler = GroupScaler(by=NESTED, shrinkage=20.0).fit(train)
    test = make_features(("urdu", "SF1", 20, 9.0), ("urdu", "SF2", 5, 30.0), seed=1)
    urdu, own = test.to_numpy(np.float64), test[:20].to_numpy(np.float64)
    mean = 0.5 * own.mean(axis=0) + 0.5 * urdu.mean(axis=0)
    var = 0.5 * own.var(axis=0) + 0.5 * urdu.var(axis=0)
    scaled = scaler.transform(test)
    close(scaled[:20], (own - mean) / np.sqrt(var))
    close(scaled[20:], standardized(test[20:].to_numpy(), urdu))


def test_the_same_speaker_name_in_two_corpora_is_two_speakers():
    X = make_features(("a", "1", 20, 0.0), ("b", "1", 20, 50.0))
    scaled = GroupScaler(by=NESTED, shrinkage=0).fit_transform(X)
    close(scaled[:20], standardized(X[:20].to_numpy()))


# Rows without a group ----------------------------------------------------------------------


def test_without_ids_the_training_set_scales(train):
    scaler = GroupScaler(by=NESTED).fit(train)
    bare = train.reset_index(drop=True)
    expected = standardized(train.to_numpy())
    close(scaler.transform(bare), expected)
    pd.testing.assert_frame_equal(rows_one_by_one(scaler, bare), scaler.transform(bare))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        close(scaler.transform(train.to_numpy()), expected)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("by", ["corpus", NESTED])
def test_a_missing_id_is_no_group(train, by, missing):
    scaler = GroupScaler(by=by).fit(train)
    test = make_features(("emodb", "emodb/03", 40, 7.0), seed=1).reset_index()
    test["corpus"] = test["corpus"].astype(object)
    test.loc[:19, "corpus"] = missing
    scaled = scaler.transform(test)
    expected = standardized(test[["f0", "f1", "f2"]][:20].to_numpy(), train.to_numpy())
    close(scaled[:20], expected)
    np.testing.assert_array_equal(rows_one_by_one(scaler, test[:20]), scaled[:20])


def test_a_missing_speaker_is_scaled_by_the_corpus(train):
    scaler = GroupScaler(by=NESTED).fit(train)
    test = make_features(("nemo", None, 20, 7.0), seed=1)
    expected = standardized(test.to_numpy(), train.loc["nemo"].to_numpy())
    close(scaler.transform(test), expected)
    close(scaler.transform(test.droplevel("speaker")), expected)


def test_missing_ids_at_fit_count_for_the_larger_groups():
    X = make_features(("a", "1", 12, 0.0), ("a", None, 12, 5.0), (None, None, 12, 9.0))
    scaler = GroupScaler(by=NESTED).fit(X)
    assert scaler.group_keys_ == [["a"], ["a", "1"]]
    assert scaler.group_sizes_.tolist() == [24, 12]
    assert scaler.n_samples_seen_ == 36
    close(scaler.transform(X)[24:], standardized(X[24:].to_numpy(), X.to_numpy()))


@pytest.mark.parametrize("form", [int, float, str, np.int8])
def test_ids_match_across_types(form):
    X = pd.DataFrame({"f": np.arange(20.0), "speaker": np.repeat([3, 4], 10)})
    scaler = GroupScaler(by="speaker").fit(X)
    assert scaler.group_keys_ == [["3"], ["4"]]
    other = X.assign(speaker=[form(number) for number in X["speaker"]]).astype({"speaker": object})
    other.loc[0, "speaker"] = np.nan  # what makes pandas turn integers into floats
    np.testing.assert_array_equal(scaler.transform(other)[1:], scaler.transform(X)[1:])
    mixed = X.astype({"speaker": object})
    mixed.loc[::2, "speaker"] = [form(number) for number in X["speaker"][::2]]
    assert GroupScaler(by="speaker").fit(mixed).group_sizes_.tolist() == [10, 10]


# Failed audio and bad numbers --------------------------------------------------------------


@pytest.mark.parametrize("by", [None, "corpus", NESTED])
def test_failed_rows_stay_nan_and_count_nowhere(train, by):
    rng = np.random.default_rng(0)
    failed = rng.permutation(len(train)) < 10
    holed = train.copy()
    holed[failed] = np.nan
    scaler, without = GroupScaler(by=by).fit(holed), GroupScaler(by=by).fit(train[~failed])
    test = make_features(("urdu", "urdu/1", 15, 30.0), ("nemo", "nemo/IC0", 5, 1.0), seed=1)
    np.testing.assert_array_equal(scaler.mean_, without.mean_)
    np.testing.assert_array_equal(scaler.group_means_, without.group_means_)
    scaled = scaler.transform(holed)
    assert scaled[failed].isna().all(axis=None)
    pd.testing.assert_frame_equal(scaled[~failed], without.transform(train[~failed]))

    holed_test = test.copy()
    holed_test.iloc[[0, 17]] = np.nan
    rest = np.delete(np.arange(20), [0, 17])
    found = scaler.transform(holed_test)
    pd.testing.assert_frame_equal(found.iloc[rest], scaler.transform(test.iloc[rest]))
    assert found.iloc[[0, 17]].isna().all(axis=None)


def test_failed_rows_do_not_make_a_group_large_enough(train):
    scaler = GroupScaler(by="corpus").fit(train)
    test = make_features(("urdu", "urdu/1", 12, 30.0), seed=1)
    test.iloc[:3] = np.nan
    close(scaler.transform(test)[3:], standardized(test[3:].to_numpy(), train.to_numpy()))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "Input X contains NaN: row 5, feature 1. .*failed audio"),
        (np.inf, r"Input X contains infinity or a value too large for dtype\('float32'\): row 5"),
    ],
)
def test_single_bad_values_raise(train, value, message):
    scaler = GroupScaler(by="corpus").fit(train)
    train.iloc[2] = np.nan  # a failed row is none
    train.iloc[5, 1] = value
    for method in (scaler.transform, GroupScaler().fit):
        with pytest.raises(ValueError, match=message):
            method(train)


def test_nothing_but_failed_rows(train):
    with pytest.raises(AudioError, match="every row of X is NaN"):
        GroupScaler().fit(train * np.nan)
    assert GroupScaler().fit(train).transform(train * np.nan).isna().all(axis=None)


# Parameters and errors ---------------------------------------------------------------------


def test_ids_missing_at_fit_raise(train):
    message = (
        r"GroupScaler\(by='recording'\) needs 'recording' for each row: neither a column nor an "
        r"index level .* set_output\(transform='pandas'\)"
    )
    with pytest.raises(MetadataError, match=message):
        GroupScaler(by="recording").fit(train)
    with pytest.raises(MetadataError, match=r"needs 'corpus'.*X is a ndarray, which has no"):
        GroupScaler(by=NESTED).fit(train.to_numpy())


def test_text_columns_are_named(train):
    frame = train.assign(file="a.wav", emotion=pd.Categorical(["anger"] * len(train)))
    with pytest.raises(
        MetadataError, match=r"these columns of X are not numeric: .*'emotion'\. Give it"
    ):
        GroupScaler().fit(frame.astype({"file": "category"}))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"by": []}, r"by is empty, expected one or more .* Use by=None"),
        ({"by": ["corpus", "corpus"]}, "by must be one or more different names of ids"),
        ({"by": [1]}, "by must be one or more different names of ids"),
        ({"by": 3}, "'by' parameter of GroupScaler"),
        ({"shrinkage": -1.0}, "'shrinkage' parameter of GroupScaler"),
        ({"min_samples": 1}, "'min_samples' parameter of GroupScaler"),
    ],
)
def test_parameters_are_checked_at_fit(train, parameters, message):
    with pytest.raises(ValueError, match=message):
        GroupScaler(**parameters).fit(train)


# Frames in, frames out ---------------------------------------------------------------------


@pytest.mark.parametrize("by", [None, "corpus"])
def test_frames_raise(by):
    cells = [np.ones((3, 2)), np.zeros((4, 2))] * 2
    X = pd.DataFrame({"frames": cells, "corpus": list("aabb")})
    with pytest.raises(ValueError, match=r"holds frame sequences\. Pool them .* by FrameScaler"):
        GroupScaler(by=by).fit(X)


def test_columns_of_ids_become_index_levels(train):
    levels = GroupScaler(by=NESTED).fit(train).transform(train)
    assert levels.index.equals(train.index)
    assert (levels.dtypes == np.float32).all()
    columns = train.reset_index().assign(text="a01")
    columns.index = [f"row{row}" for row in range(len(train))]
    scaler = GroupScaler(by=NESTED).fit(columns)
    scaled = scaler.transform(columns)
    assert scaler.feature_names_in_.tolist() == scaled.columns.tolist() == ["f0", "f1", "f2"]
    assert scaler.get_feature_names_out().tolist() == ["f0", "f1", "f2"]
    assert scaled.index.names == [None, "corpus", "speaker", "text"]
    assert scaled.index.get_level_values(0).tolist() == columns.index.tolist()
    np.testing.assert_array_equal(scaled, levels)
    assert GroupScaler().fit_transform(columns).index.equals(scaled.index)


def test_a_column_takes_the_place_of_a_level_of_its_name(train):
    both = train.assign(corpus="one")
    scaled = GroupScaler(by="corpus").fit_transform(both)
    assert scaled.index.names == ["corpus", "speaker"]
    assert set(scaled.index.get_level_values("corpus")) == {"one"}
    close(scaled, standardized(train.to_numpy()))


def test_arrays_stay_arrays():
    X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    scaled = GroupScaler().fit_transform(X)
    assert isinstance(scaled, np.ndarray)
    assert scaled.dtype == np.float32
    framed = GroupScaler().set_output(transform="pandas").fit_transform(X)
    assert framed.columns.tolist() == ["x0", "x1"]


def test_ids_survive_a_pipeline(train):
    """A second scaler by group, after steps with pandas output, still finds the ids."""
    y = np.tile(["anger", "sadness"], len(train) // 2 + 1)[: len(train)]
    model = make_pipeline(
        GroupScaler(by="corpus"),
        StandardScaler().set_output(transform="pandas"),
        GroupScaler(by=NESTED),
        SVC(),
    ).fit(train, y)
    assert model[2].group_keys_[0] == ["emodb"]
    assert model.predict(train).shape == y.shape
    union = FeatureUnion([("a", GroupScaler(by="corpus")), ("b", GroupScaler(by=NESTED))])
    union.set_output(transform="pandas")
    assert union.fit_transform(train).index.equals(train.index)
    search = GridSearchCV(
        make_pipeline(GroupScaler(), SVC()),
        {"groupscaler__by": [None, "corpus", NESTED], "groupscaler__shrinkage": [0.0, 20.0]},
        cv=LeaveOneCorpusOut(),
        error_score="raise",
    ).fit(train, y)
    assert len(search.cv_results_["params"]) == 6
    assert np.isfinite(cross_val_score(model, train, y, cv=LeaveOneCorpusOut())).all()


def test_a_step_that_loses_the_ids_is_told(train):
    model = make_pipeline(StandardScaler(), GroupScaler(by="corpus"))
    with pytest.raises(MetadataError, match=r"call set_output\(transform='pandas'\) on that step"):
        model.fit(train)


def test_copies_and_files(train, tmp_path):
    scaler = GroupScaler(by=NESTED).fit(train)
    save_model(scaler, tmp_path / "scaler.ser")
    again = load_model(tmp_path / "scaler.ser")
    pd.testing.assert_frame_equal(again.transform(train), scaler.transform(train))
    assert clone(scaler).get_params() == scaler.get_params()
    assert "GroupScaler" in scaler._repr_html_()


def test_large_offsets_keep_their_precision():
    X = make_features(("a", "a", 50, 0.0), dtype=np.float64) + 1e9
    close(GroupScaler(by="corpus").fit_transform(X), standardized(X.to_numpy() - 1e9))


ids = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["1", "2", None])),
    min_size=2,
    max_size=25,
)


@settings(max_examples=60)
@given(train_ids=ids, test_ids=ids, shrinkage=st.sampled_from([0.0, 3.0]), data=st.data())
def test_the_order_of_rows_never_matters(train_ids, test_ids, shrinkage, data):
    rng = np.random.default_rng(0)

    def features(pairs):
        index = pd.MultiIndex.from_tuples(pairs, names=NESTED)
        return pd.DataFrame(rng.normal(size=(len(pairs), 2)), index=index, columns=["f", "g"])

    X, new = features(train_ids), features(test_ids)
    scaler = GroupScaler(by=NESTED, shrinkage=shrinkage, min_samples=3).fit(X)
    order = np.array(data.draw(st.permutations(range(len(new)))))
    again = clone(scaler).fit(X.iloc[::-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = scaler.transform(new).to_numpy()
        found = again.transform(new.iloc[order]).to_numpy()
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found, expected[order], rtol=1e-6, atol=1e-6)


def test_columns_of_two_levels_raise():
    """As groupby().agg() returns."""
    columns = pd.MultiIndex.from_product([["loudness", "pitch"], ["mean", "std"]])
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)), columns=columns)
    joined = X.set_axis(X.columns.map("_".join), axis=1)
    text = r"The columns of X have 2 levels \(such as \('loudness', 'mean'\)\), one is expec"
    for step in (GroupScaler(), SkipFailedRows(LinearSVC()), FrameScaler(), FunctionalsPooling()):
        with pytest.raises(ValueError, match=text):
            step.fit(X, np.arange(30) % 2)
    with pytest.raises(ValueError, match=text):
        GroupScaler().fit(joined).transform(X)
    assert GroupScaler().fit(joined).n_features_in_ == 4


def test_names_that_occur_twice():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "a", "corpus"])
    text = r"Columns of X have the same name: \['a'\]\. Unique names are expected: rename or drop"
    for step in (GroupScaler(), SkipFailedRows(LinearSVC()), FrameScaler(), FunctionalsPooling()):
        with pytest.raises(ValueError, match=text):
            step.fit(X, np.arange(30) % 2)
