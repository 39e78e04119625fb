"""FunctionalsPooling: every statistic against a formula of numpy or scipy."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, estimator_html_repr

from sklearn_ser import load_model, save_model
from sklearn_ser.feature_extraction import MFCC, LogMelSpectrogram
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.preprocessing import FrameScaler, FunctionalsPooling, GroupScaler
from tests.conftest import make_frames_table

HOP = 0.02
FUNCTIONALS = [
    "mean",
    "std",
    "min",
    "max",
    "range",
    "skewness",
    "kurtosis",
    "slope",
    "intercept",
    "regression_error",
    "mean_abs_delta",
    "rising_slope_mean",
    "rising_slope_std",
    "falling_slope_mean",
    "falling_slope_std",
]
EVERY = (*FUNCTIONALS, "p00", "p07", "p50", "p99")
VOICING_STATISTICS = [
    "voiced_fraction",
    "voiced_segments_per_second",
    "voiced_segment_length_mean",
    "voiced_segment_length_std",
    "unvoiced_segment_length_mean",
    "unvoiced_segment_length_std",
]


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
    for step in [FunctionalsPooling()]:
        getattr(estimator_checks, check)(type(step).__name__, step)


def make_sequence(n_frames=40, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=(n_frames, n_features)), axis=0).astype(np.float32)


@pytest.fixture
def table():
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 3)], names=["corpus", "speaker"])
    return make_frames_table(
        [make_sequence(20, 2), None, make_sequence(31, 2, 1)], index, ["x", "y"]
    )


@pytest.mark.parametrize("step", [LogMelSpectrogram(n_mels=8), MFCC(5, n_mels=8)])
def test_the_table_tells_the_hop(step):
    noise = np.random.default_rng(0).normal(scale=0.05, size=8000)
    table = FrameScaler().fit_transform(step.set_params(hop_length=0.025).transform([noise]))
    assert table.attrs["hop_length"] == 0.025
    from_table = FunctionalsPooling(("slope",)).fit(table)
    assert from_table.hop_length_ == 0.025
    pd.testing.assert_frame_equal(
        from_table.transform(table),
        FunctionalsPooling(("slope",), hop_length=0.025).fit_transform(table),
    )
    assert FunctionalsPooling(hop_length=1).fit(table).hop_length_ == 1.0  # whatever it says
    assert FunctionalsPooling().fit(list(table["frames"])).hop_length_ == 0.010


def pooled(sequence, functional, **parameters):
    """One statistic of each feature of one sequence."""
    step = FunctionalsPooling((functional,), hop_length=HOP, **parameters)
    return step.fit_transform([sequence]).to_numpy()[0]


def stretches(series):
    """Slopes per second of the stretches that only rise or only fall, one frame at a time."""
    found, start = [], 0
    for frame in range(1, len(series)):
        last = frame == len(series) - 1
        if last or np.sign(series[frame + 1] - series[frame]) != np.sign(
            series[frame] - series[frame - 1]
        ):
            found.append((series[frame] - series[start]) / ((frame - start) * HOP))
            start = frame
    return np.array(found)


def line(series):
    """Slope, intercept and root-mean-square error of the regression line."""
    times = np.arange(len(series)) * HOP
    fit = scipy.stats.linregress(times, series)
    error = series - (fit.slope * times + fit.intercept)
    return fit.slope, fit.intercept, np.sqrt(np.mean(error**2))


FORMULAS = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "range": np.ptp,
    "skewness": scipy.stats.skew,
    "kurtosis": scipy.stats.kurtosis,
    "slope": lambda series: line(series)[0],
    "intercept": lambda series: line(series)[1],
    "regression_error": lambda series: line(series)[2],
    "mean_abs_delta": lambda series: np.abs(np.diff(series)).mean() / HOP,
    "rising_slope_mean": lambda series: stretches(series)[stretches(series) > 0].mean(),
    "rising_slope_std": lambda series: stretches(series)[stretches(series) > 0].std(),
    "falling_slope_mean": lambda series: stretches(series)[stretches(series) < 0].mean(),
    "falling_slope_std": lambda series: stretches(series)[stretches(series) < 0].std(),
    "p00": np.min,
    "p07": lambda series: np.percentile(series, 7),
    "p50": np.median,
    "p99": lambda series: np.percentile(series, 99),
}


@pytest.mark.parametrize("functional", EVERY)
@pytest.mark.parametrize("n_frames", [6, 40, 41])
def test_functionals_equal_their_formulas(functional, n_frames):
    sequence = make_sequence(n_frames)
    expected = [FORMULAS[functional](column) for column in sequence.T.astype(np.float64)]
    np.testing.assert_allclose(pooled(sequence, functional), expected, rtol=1e-5, atol=1e-6)


def test_plateaus_neither_rise_nor_fall():
    sequence = np.array([0.0, 1.0, 3.0, 3.0, 3.0, 5.0, 4.0])[:, np.newaxis]
    # Rising: 3 in two frames, 2 in one. Falling: -1 in one.
    np.testing.assert_allclose(pooled(sequence, "rising_slope_mean") * HOP, [1.75])
    np.testing.assert_allclose(pooled(sequence, "rising_slope_std") * HOP, [0.25])
    np.testing.assert_allclose(pooled(sequence, "falling_slope_mean") * HOP, [-1.0])


@pytest.mark.parametrize("value", [0.0, 0.1, -73.2, 1e6])
@pytest.mark.parametrize("n_frames", [1, 2, 50])
def test_constant_features_and_single_frames_are_finite(value, n_frames):
    sequence = np.full((n_frames, 2), value, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = FunctionalsPooling(EVERY).fit_transform([sequence]).iloc[0]
    level = {"mean", "min", "max", "intercept", "p00", "p07", "p50", "p99"}
    for name, statistic in found.items():
        is_level = name.split("_", 2)[2] in level
        assert statistic == pytest.approx(np.float32(value) if is_level else 0.0, abs=1e-9), name


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7])
def test_rounding_in_the_mean_of_a_constant_is_no_variance(value):
    sequence = np.full((1000, 1), value)
    assert sequence.mean() != value  # what the test is about
    for functional in ("std", "skewness", "kurtosis"):
        assert pooled(sequence, functional).tolist() == [0.0]


def test_two_frames():
    found = FunctionalsPooling(EVERY, hop_length=0.5).fit_transform([np.array([[1.0], [3.0]])])
    found.columns = EVERY
    assert found.loc[0, ["slope", "intercept", "regression_error"]].tolist() == [4.0, 1.0, 0.0]
    assert found.loc[0, ["mean_abs_delta", "rising_slope_mean"]].tolist() == [4.0, 4.0]
    assert found.loc[0, ["falling_slope_mean", "falling_slope_std"]].tolist() == [0.0, 0.0]


# Voicing -----------------------------------------------------------------------------------

VOICED = np.array([0, 0, 1, 1, 1, 0, 1, 1, 0, 0], dtype=bool)


@pytest.fixture
def spoken():
    values = np.column_stack([np.arange(10.0) ** 2, VOICED, np.sin(np.arange(10.0))])
    return make_frames_table([values], pd.RangeIndex(1), ["pitch", "voicing", "energy"])


def test_rhythm_of_voicing(spoken):
    step = FunctionalsPooling(("mean",), voicing="voicing", hop_length=HOP)
    found = step.fit_transform(spoken).iloc[0]
    assert list(found.index) == ["pitch_mean", "energy_mean", *VOICING_STATISTICS]
    on, off = np.array([3, 2]) * HOP, np.array([2, 1, 2]) * HOP
    expected = [0.5, 2 / (10 * HOP), on.mean(), on.std(), off.mean(), off.std()]
    np.testing.assert_allclose(found[VOICING_STATISTICS], expected, rtol=1e-6)


def test_statistics_of_voiced_and_unvoiced_frames(spoken):
    step = FunctionalsPooling(
        ("mean", "p50"), voicing="voicing", frames=("voiced", "unvoiced", "all")
    )
    found = step.fit_transform(spoken).iloc[0]
    pitch, energy = spoken["frames"][0][:, 0], spoken["frames"][0][:, 2]
    assert found["pitch_voiced_mean"] == pytest.approx(pitch[VOICED].mean())
    assert found["pitch_voiced_p50"] == pytest.approx(np.median(pitch[VOICED]))
    assert found["energy_unvoiced_mean"] == pytest.approx(energy[~VOICED].mean())
    assert found["energy_mean"] == pytest.approx(energy.mean())
    assert len(found) == 3 * 2 * 2 + 6


def test_times_and_stretches_do_not_bridge_gaps(spoken):
    names = ("slope", "intercept", "mean_abs_delta", "rising_slope_mean")
    step = FunctionalsPooling(names, voicing="voicing", frames="voiced", hop_length=HOP)
    found = step.fit_transform(spoken).iloc[0]
    frames = np.flatnonzero(VOICED)
    fit = scipy.stats.linregress(frames * HOP, frames**2.0)
    assert found["pitch_voiced_slope"] == pytest.approx(fit.slope)
    assert found["pitch_voiced_intercept"] == pytest.approx(fit.intercept, rel=1e-4)
    # 4, 9, 16 | 36, 49: differences 5, 7 | 13 and never 36 - 16.
    assert found["pitch_voiced_mean_abs_delta"] == pytest.approx((5 + 7 + 13) / 3 / HOP)
    assert found["pitch_voiced_rising_slope_mean"] == pytest.approx((6 + 13) / 2 / HOP)


@pytest.mark.parametrize(
    ("level", "absent", "rhythm"),
    [
        (0.0, "voiced", [0, 0, 0, 0, 4 * HOP, 0]),
        (1.0, "unvoiced", [1, 1 / (4 * HOP), 4 * HOP, 0, 0, 0]),
    ],
)
def test_without_any_such_frame_statistics_are_zero(level, absent, rhythm):
    sequence = np.column_stack([np.full(4, 7.0), np.full(4, level)])
    step = FunctionalsPooling(EVERY, voicing="frame_001", frames=absent, hop_length=HOP)
    found = step.fit_transform([sequence]).to_numpy()[0]
    assert (found[: len(EVERY)] == 0).all()
    np.testing.assert_allclose(found[len(EVERY) :], rhythm, rtol=1e-6)


# A well-behaved transformer ----------------------------------------------------------------


def test_ids_names_and_failed_rows(table):
    step = FunctionalsPooling(("mean", "max")).fit(table)
    found = step.transform(table)
    assert list(found.columns) == ["x_mean", "y_mean", "x_max", "y_max"]
    assert list(step.get_feature_names_out()) == list(found.columns)
    assert set(found.dtypes) == {np.dtype("float32")}
    pd.testing.assert_index_equal(found.index, table.index)
    assert list(found.isna().all(axis=1)) == [False, True, False]
    assert found.iloc[[0, 2]].notna().all(axis=None)
    assert step.frame_features_ == ["x", "y"]


def test_every_form_of_frames_gives_the_same():
    sequences = [make_sequence(12, 2, seed) for seed in range(3)]
    as_objects = np.empty(3, dtype=object)
    as_objects[:] = sequences
    expected = FunctionalsPooling(EVERY).fit_transform(sequences)
    for X in (
        pd.Series(sequences),
        make_frames_table(sequences, pd.RangeIndex(3), []),
        as_objects,
        as_objects[:, np.newaxis],
        np.stack(sequences),
        np.stack(sequences).astype(np.float64),
    ):
        pd.testing.assert_frame_equal(FunctionalsPooling(EVERY).fit_transform(X), expected)


def test_rows_do_not_depend_on_their_neighbors(table):
    step = FunctionalsPooling(EVERY).fit(table)
    rows = [step.transform(table.iloc[[row]]) for row in (2, 1, 0)]
    pd.testing.assert_frame_equal(pd.concat(rows[::-1]), step.transform(table))


def test_no_rows(table):
    step = FunctionalsPooling().fit(table)
    for empty in (table.iloc[:0], [], np.empty((0, 5, 2))):
        assert step.transform(empty).shape == (0, 14)
    assert FunctionalsPooling().fit_transform(table.iloc[[1]]).shape == (1, 14)
    with pytest.raises(ValueError, match=r"none of the 0 rows of X has a frame sequence"):
        FunctionalsPooling().fit([])


def test_clone_pickle_model_file_and_repr(table, tmp_path):
    step = FunctionalsPooling(("mean", "p20"), hop_length=0.016).fit(table)
    assert clone(step).get_params() == step.get_params()
    save_model(step, tmp_path / "step.ser")
    for copy in (pickle.loads(pickle.dumps(step)), load_model(tmp_path / "step.ser")):
        pd.testing.assert_frame_equal(copy.transform(table), step.transform(table))
    assert "FunctionalsPooling" in estimator_html_repr(step)


def test_set_output(table):
    expected = FunctionalsPooling().fit_transform(table)
    for transform in ("default", "pandas"):
        found = FunctionalsPooling().set_output(transform=transform).fit_transform(table)
        pd.testing.assert_frame_equal(found, expected)


def test_from_audio_to_a_grid_search():
    rng = np.random.default_rng(0)
    low = np.sin(np.arange(8000) / 10) * rng.uniform(0.1, 0.5, size=(6, 1))
    high = np.sin(np.arange(8000) / 2) * rng.uniform(0.1, 0.5, size=(6, 1))
    signals, labels = list(np.concatenate([low, high])), np.repeat(["low", "high"], 6)
    both = FeatureUnion(
        [
            (
                "mel",
                make_pipeline(LogMelSpectrogram(n_mels=20), FrameScaler(), FunctionalsPooling()),
            ),
            ("mfcc", make_pipeline(MFCC(5, deltas=0), FunctionalsPooling(("mean",)))),
        ]
    )
    model = make_pipeline(both, StandardScaler(), LogisticRegression())
    model.set_output(transform="pandas")
    grid = {"featureunion__mel__functionalspooling__functionals": [("mean",), ("slope", "p50")]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(signals, labels)
    assert search.best_score_ == 1.0
    names = search.best_estimator_[0].get_feature_names_out()
    assert len(names) in (25, 45)
    assert names[-1] == "mfcc__mfcc_04_mean"


# Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"functionals": ("mean", "median")}, r"functionals must be .*p00 to p99.*\['median'\]"),
        ({"functionals": ()}, r"functionals must be one or more of .*; got \(\)"),
        ({"functionals": ("p100",)}, r"got \['p100'\]"),
        (
            {"functionals": ("mean", "mean")},
            r"functionals must be different, got \('mean', 'mean'\)",
        ),
        ({"functionals": "mean"}, r"'functionals' parameter of FunctionalsPooling must be"),
        ({"frames": "voiced"}, r"frames='voiced' needs voicing="),
        ({"frames": "loud", "voicing": "x"}, r"frames must be one or more of all, voiced, unvoi"),
        ({"voicing": "voicing"}, r"no feature of the frames has the name 'voicing' .* 'x', 'y'"),
        ({"hop_length": 0}, r"'hop_length' parameter of FunctionalsPooling must be"),
    ],
)
def test_wrong_parameters(table, parameters, message):
    with pytest.raises(ValueError, match=message):
        FunctionalsPooling(**parameters).fit(table)


@pytest.mark.parametrize("step", [FunctionalsPooling(), FrameScaler()])
def test_anything_but_frame_sequences_raises(step, table):
    for X in (np.ones((3, 2)), pd.DataFrame({"a": [1.0]}), ["a.wav"], [np.ones(3)], "frames"):
        with pytest.raises(ValueError, match=r"needs frame sequences: .* Found"):
            clone(step).fit(X)
    fitted = clone(step).fit(table)
    with pytest.raises(ValueError, match=r"fitted on frames of 2 features, those of X have 3"):
        fitted.transform([make_sequence()])
    other = make_frames_table(list(table["frames"]), table.index, ["x", "z"])
    with pytest.raises(
        ValueError, match=r"other features of frames: feature 1 was 'y', but it is 'z'"
    ):
        fitted.transform(other)


@pytest.mark.parametrize("step", [FunctionalsPooling(), FrameScaler()])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values_within_a_sequence_raise_with_the_row(step, value):
    bad = make_sequence()
    bad[[4, 7], 1] = value
    message = r"^row 1: 2 values of the sequence are NaN or infinite, the first in frame 4, feat"
    with pytest.raises(ValueError, match=message):
        clone(step).fit([make_sequence(), bad])
    with pytest.raises(ValueError, match=message):
        clone(step).fit([make_sequence()]).transform([make_sequence(), bad])
    words = [np.array([["a", "b"]])]
    with pytest.raises(
        ValueError, match=r"^row 0: \w+ expects numbers, but the sequence has the dtype <U1"
    ):
        clone(step).fit(words)


@pytest.mark.parametrize(
    ("peak", "functional"),
    [
        (1e200, "mean"),
        (1e200, "skewness"),  # finite, but of a variance that is not
        (3e38, "range"),
        (1e38, "slope"),
        (1e38, "mean_abs_delta"),
    ],
)
def test_frames_too_large_for_float32_raise_with_the_row(peak, functional):
    large = np.array([[0.0, -1.0], [0.0, 1.0]]) * [1.0, peak]
    message = rf"^row 2: the .* is {re.escape(f'{peak:.3g}')}; .* range of float32 \(at"
    step = FunctionalsPooling((functional,)).fit([make_sequence(n_features=2)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            step.transform([make_sequence(n_features=2), None, large])
    assert np.isfinite(step.transform([large / peak * 1e35])).all(axis=None)


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize(
    "step", [FrameScaler(), FunctionalsPooling(), MTLNeuralClassifier(), GroupScaler()]
)
def test_steps_with_frames_cannot_be_united(step, output):
    union = FeatureUnion([("mel", LogMelSpectrogram(n_mels=8)), ("cepstrum", MFCC(5, n_mels=8))])
    noise = np.random.default_rng(0).normal(scale=0.05, size=(4, 2000))
    pipeline = make_pipeline(union.set_output(transform=output), step)
    message = rf"({type(step).__name__}|the network) is given 2 columns .*cannot be united column"
    with pytest.raises(ValueError, match=message):
        pipeline.fit(list(noise), ["a", "b", "a", "b"])
