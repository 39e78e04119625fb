"""FrameScaler: exact statistics, by the training set or by utterance."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, estimator_html_repr

from sklearn_ser import load_model, save_model
from sklearn_ser.exceptions import AudioError
from sklearn_ser.preprocessing import FrameScaler, FunctionalsPooling
from tests.conftest import make_frames_table

PER = ["training", "utterance"]


# scikit-learn generates no checks for frames: its suite needs rows. These ask for no data.
CHECKS_WITHOUT_DATA = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("check", CHECKS_WITHOUT_DATA)
def test_scikit_learn_checks(check):
    for step in [FrameScaler(), FrameScaler(per="utterance")]:
        getattr(estimator_checks, check)(type(step).__name__, step)


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    sizes = (5, 1, 300, 40)
    return [rng.normal([3.0, -200.0, 0.5], [1.0, 30.0, 1e-3], (n, 3)) for n in sizes]


@pytest.fixture
def table(sequences):
    index = pd.Index(["s1", "s2", "s3", "s4", "s5"], name="speaker")
    cells = [sequence.astype(np.float32) for sequence in sequences]
    return make_frames_table([*cells[:2], None, *cells[2:]], index, ["a", "b", "c"])


def test_by_the_training_set_it_is_a_standard_scaler_over_all_frames(sequences):
    expected = StandardScaler().fit(np.concatenate(sequences))
    scaler = FrameScaler().fit(sequences)
    np.testing.assert_allclose(scaler.mean_, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaler.var_, expected.var_, rtol=1e-10)
    assert scaler.n_frames_seen_ == 346
    for found, sequence in zip(scaler.transform(sequences)["frames"], sequences, strict=True):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected.transform(sequence), rtol=1e-9, atol=1e-9)


def test_a_large_offset_costs_no_precision():
    rng = np.random.default_rng(0)
    sequences = [rng.normal(1e6, 1e-2, (200, 1)) for _ in range(20)]
    whole = np.concatenate(sequences)
    scaler = FrameScaler().fit(sequences)
    np.testing.assert_allclose(scaler.var_, whole.var(axis=0), rtol=1e-5)


def test_order_of_utterances_matters_only_to_rounding(sequences):
    there, back = FrameScaler().fit(sequences), FrameScaler().fit(sequences[::-1])
    np.testing.assert_allclose(there.mean_, back.mean_, rtol=1e-13)
    np.testing.assert_allclose(there.var_, back.var_, rtol=1e-11)


def test_by_utterance_each_is_scaled_by_its_own(sequences):
    found = FrameScaler(per="utterance").fit(sequences[:1]).transform(sequences)["frames"]
    for scaled, sequence in zip(found, sequences, strict=True):
        expected = StandardScaler().fit_transform(sequence)
        np.testing.assert_allclose(scaled, expected, rtol=1e-7, atol=1e-9)
    assert (found[1] == 0).all()  # one frame


@pytest.mark.parametrize("per", PER)
def test_only_mean_or_only_deviation(sequences, per):
    sequence = sequences[2]
    for with_mean in (True, False):
        for with_std in (True, False):
            scaler = FrameScaler(per, with_mean=with_mean, with_std=with_std)
            found = scaler.fit_transform([sequence])["frames"][0]
            expected = StandardScaler(with_mean=with_mean, with_std=with_std)
            np.testing.assert_allclose(found, expected.fit_transform(sequence), rtol=1e-9)


@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e5])
def test_constant_features(per, value):
    cells = [np.full((n, 2), value, dtype=np.float32) for n in (3, 70, 1000)]
    scaler = FrameScaler(per).fit(cells)
    for cell in scaler.transform(cells)["frames"]:
        assert np.abs(cell).max() <= 1e-7 * value
    if per == "training":
        assert scaler.scale_.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7])
def test_rounding_in_the_means_of_a_constant_is_no_variance(value):
    cell = np.full((1000, 1), value)
    assert cell.mean() != value  # what the test is about
    for cells in ([cell], [cell, cell[:100]], [cell[:70], cell, cell[:3]]):
        scaler = FrameScaler().fit(cells)
        assert scaler.var_.tolist() == [0.0]
        assert scaler.scale_.tolist() == [1.0]


@pytest.mark.parametrize("per", PER)
def test_tables_keep_ids_names_types_and_failed_rows(table, per):
    before = [None if np.isscalar(cell) else cell.copy() for cell in table["frames"]]
    found = FrameScaler(per).fit_transform(table)
    pd.testing.assert_index_equal(found.index, table.index)
    assert found.attrs["frame_features"] == ["a", "b", "c"]
    assert pd.isna(found["frames"].iloc[2])
    for scaled, cell, kept in zip(found["frames"], table["frames"], before, strict=True):
        if kept is not None:
            assert (scaled.shape, scaled.dtype) == (cell.shape, np.float32)
            np.testing.assert_array_equal(cell, kept)  # the input stays as it was


@pytest.mark.parametrize("per", PER)
def test_every_form_of_frames_gives_the_same(per):
    rng = np.random.default_rng(0)
    sequences = list(rng.normal(size=(3, 7, 2)))
    as_objects = np.empty(3, dtype=object)
    as_objects[:] = sequences
    expected = FrameScaler(per).fit_transform(sequences)["frames"]
    forms = (
        pd.Series(sequences),
        make_frames_table(sequences, pd.RangeIndex(3), []),
        as_objects,
        as_objects[:, np.newaxis],
        np.stack(sequences),
    )
    for X in forms:
        for found, cell in zip(FrameScaler(per).fit_transform(X)["frames"], expected, strict=True):
            np.testing.assert_array_equal(found, cell)


def test_integers_become_float32():
    found = FrameScaler().fit_transform([np.array([[1], [3]]), np.array([[5], [7]])])["frames"]
    assert found[0].dtype == np.float32
    np.testing.assert_allclose(np.concatenate(list(found)).std(), 1.0)


@pytest.mark.parametrize("per", PER)
def test_clone_pickle_model_file_and_repr(table, per, tmp_path):
    scaler = FrameScaler(per).fit(table)
    assert clone(scaler).get_params() == scaler.get_params()
    save_model(scaler, tmp_path / "scaler.ser")
    expected = scaler.transform(table)["frames"]
    for copy in (pickle.loads(pickle.dumps(scaler)), load_model(tmp_path / "scaler.ser")):
        for found, cell in zip(copy.transform(table)["frames"], expected, strict=True):
            np.testing.assert_array_equal(found, cell)
    assert "FrameScaler" in estimator_html_repr(scaler)


@pytest.mark.parametrize("transform", ["default", "pandas"])
def test_set_output_in_a_pipeline(table, transform):
    model = make_pipeline(FrameScaler(), FunctionalsPooling(("mean",)))
    found = model.set_output(transform=transform).fit_transform(table)
    assert (
        list(found.columns) == list(model.get_feature_names_out()) == ["a_mean", "b_mean", "c_mean"]
    )
    assert list(found.index) == list(table.index)
    assert list(model[:1].get_feature_names_out()) == ["frames"]


def test_no_rows_and_nothing_but_failed_audio(table):
    scaler = FrameScaler().fit(table)
    assert scaler.transform(table.iloc[:0]).shape == (0, 1)
    assert scaler.transform([]).shape == (0, 1)
    assert pd.isna(scaler.transform(table.iloc[[2]])["frames"].iloc[0])
    with pytest.raises(AudioError, match=r"the audio of every row of X failed: FrameScaler needs"):
        FrameScaler().fit(table.iloc[[2]])
    assert pd.isna(FrameScaler(per="utterance").fit_transform(table.iloc[[2]])["frames"].iloc[0])


def test_wrong_parameter_and_unfitted(table):
    with pytest.raises(ValueError, match=r"'per' parameter of FrameScaler must be"):
        FrameScaler(per="corpus").fit(table)
    with pytest.raises(NotFittedError):
        FrameScaler(per="utterance").transform(table)
