"""OpenSmileExtractor: bit-equal to opensmile itself, and clear errors."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import opensmile
import pytest

from sklearn_ser.audio import read_audio
from sklearn_ser.datasets import make_speech_corpus
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import OpenSmileExtractor, SlidingWindows
from sklearn_ser.feature_extraction._opensmile import (
    STANDARD_LEVELS,
    fast_sink_of_standard_set,
    feature_sets,
    load_engine,
    standard_levels,
    standard_path,
)
from sklearn_ser.inspection import feature_groups
from sklearn_ser.store import FeatureStore

SETS_AND_LEVELS = [(name, level) for name in feature_sets() for level in standard_levels(name)]


def reference(feature_set, feature_level):
    """Return an object of opensmile, without its warnings about older sets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Feature set .* is deprecated")
        return opensmile.Smile(
            feature_set=opensmile.FeatureSet[feature_set],
            feature_level=opensmile.FeatureLevel(STANDARD_LEVELS[feature_level]),
        )


@pytest.fixture(scope="module")
def signal():
    corpus = make_speech_corpus(n_speakers=1, n_utterances=1, random_state=0)
    return corpus.frame["file"].iloc[0][0]


@pytest.mark.parametrize(("feature_set", "feature_level"), SETS_AND_LEVELS)
def test_bit_equal_to_opensmile(signal, feature_set, feature_level):
    expected = reference(feature_set, feature_level).process_signal(signal, 16000)
    found = OpenSmileExtractor(feature_set, feature_level).fit_transform([signal])
    if feature_level == "functionals":
        assert list(found.columns) == list(expected.columns)
        values = found.to_numpy()
    else:
        assert found.attrs["frame_features"] == list(expected.columns)
        values = found["frames"][0]
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected.to_numpy())


def test_known_levels_are_those_that_opensmile_has():
    for feature_set in feature_sets():
        for feature_level in set(STANDARD_LEVELS) - set(standard_levels(feature_set)):
            with pytest.raises(ValueError, match="is not available for feature set"):
                reference(feature_set, feature_level)


@pytest.mark.parametrize(("feature_set", "n_jobs"), [("eGeMAPSv02", 1), ("ComParE_2016", 3)])
def test_an_utterance_has_no_influence_on_the_next(feature_set, n_jobs):
    """Objects of the C library are used again: for loud, quiet, short and long signals."""
    rng = np.random.default_rng(0)
    signals = [
        rng.uniform(-scale, scale, size=round(16000 * seconds)).astype(np.float32)
        for scale in (0.9, 1e-3)
        for seconds in (0.07, 0.3, 1.1)
        for _ in range(4)
    ]
    smile = reference(feature_set, "functionals")
    expected = np.vstack([smile(signal, 16000)[0, :, 0] for signal in signals])
    extractor = OpenSmileExtractor(feature_set, n_jobs=n_jobs)
    for _ in range(2):
        order = rng.permutation(len(signals))
        found = extractor.fit_transform([signals[position] for position in order])
        np.testing.assert_array_equal(found.to_numpy(), expected[order])


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.parametrize(
    ("feature_set", "feature_level", "n"),
    [
        ("eGeMAPSv02", "functionals", 60),
        ("ComParE_2016", "functionals", 200),
        ("ComParE_2016", "lld_de", 60),
    ],
)
def test_real_utterances_in_two_orders(shared, feature_set, feature_level, n):
    rng = np.random.default_rng(0)
    files = sorted((shared / "corpora").rglob("*.flac"))
    files = np.array([str(file) for file in rng.choice(files, size=n, replace=False)])
    smile = reference(feature_set, feature_level)
    expected = [smile(read_audio(file), 16000)[0].T for file in files]
    extractor = OpenSmileExtractor(feature_set, feature_level, n_jobs=2)
    for _ in range(2):
        order = rng.permutation(len(files))
        found = extractor.fit_transform(list(files[order]))
        found = found["frames"] if feature_level != "functionals" else found.to_numpy()[:, None]
        for position, values in zip(order, found, strict=True):
            np.testing.assert_array_equal(values, expected[position], err_msg=files[position])


@pytest.mark.corpora
def test_bit_equal_to_opensmile_on_a_file(shared):
    files = sorted((shared / "corpora" / "emodb" / "audio").rglob("*.flac"))[:2]
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected = smile.process_files([str(file) for file in files])
    found = OpenSmileExtractor().fit_transform(files)
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


def test_other_rates_are_resampled_first(signal):
    from scipy.signal import resample_poly

    doubled = resample_poly(signal, 2, 1)
    at_16_khz, at_32_khz = OpenSmileExtractor().fit_transform([signal, (doubled, 32000)]).to_numpy()
    spread = np.abs(at_16_khz) + 1e-3
    assert np.median(np.abs(at_32_khz - at_16_khz) / spread) < 0.01


@pytest.mark.parametrize("feature_set", ["eGeMAPS", "GeMAPSv01a"])
def test_older_sets_give_no_warning(signal, feature_set):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OpenSmileExtractor(feature_set).fit_transform([signal])


def test_built_once_for_all_extractors_of_a_set():
    assert load_engine("eGeMAPSv02", "functionals") is load_engine("eGeMAPSv02", "functionals")
    assert load_engine("eGeMAPSv02", "functionals") is not load_engine("eGeMAPSv02", "lld")


def test_components_that_a_level_does_not_need_are_disabled():
    def idle(feature_set, level):
        lines = fast_sink_of_standard_set(standard_path(feature_set), level).splitlines()
        return [line for line in lines if "cExternalMessageInterface" in line]

    assert [line.split(".")[0] for line in idle("ComParE_2016", "func")] == [
        "instance[is13_lldconcat]",
        "instance[is13_llddeconcat]",
        "instance[is13_funcconcat]",
        "instance[is13_def0sel]",
    ]
    assert any("functionalsF0" in line for line in idle("eGeMAPSv02", "lld"))
    assert not any("functionalsF0" in line for line in idle("eGeMAPSv02", "func"))


def test_unknown_set_lists_the_known_ones():
    extractor = OpenSmileExtractor("eGeMAPS02")
    message = (
        r"must be one of .*ComParE_2016.*eGeMAPSv02.*IS13, or the path of a \.conf file\. Got 'eG"
    )
    for use in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match=message):
            use([])
    with pytest.raises(ValueError, match=message):
        extractor.get_feature_names_out()


def test_missing_level_of_a_set_lists_its_levels():
    message = r"must be one of the levels of eGeMAPSv02, 'functionals', 'lld'\. Got 'lld_de' inst"
    with pytest.raises(ValueError, match=message):
        OpenSmileExtractor(feature_level="lld_de").fit([])
    message = r"levels of IS09, 'functionals', 'lld', 'lld_de'\. Got 'func' instead"
    with pytest.raises(ValueError, match=message):
        OpenSmileExtractor("IS09", "func").get_feature_names_out()


def test_frames(signal):
    extractor = OpenSmileExtractor("IS09", "lld", on_error="ignore", n_jobs=2)
    assert list(extractor.get_feature_names_out()) == ["frames"]
    found = extractor.fit_transform([signal, "missing.wav", signal[:8000]])
    assert list(found.columns) == ["frames"]
    assert [frames.shape for frames in found["frames"].drop(1)] == [
        (len(signal) // 160, 16),
        (49, 16),
    ]
    assert np.isnan(found["frames"][1])
    assert found["frames"][0].flags.writeable
    assert found.attrs["frame_features"][0] == "pcm_RMSenergy_sma"
    assert extractor.failures_[0]["row"] == 1


def test_unvoiced_frames_have_a_pitch_of_zero(signal):
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, size=8000)
    found = OpenSmileExtractor("eGeMAPSv02", "lld").fit_transform([noise])
    pitch = found.attrs["frame_features"].index("F0semitoneFrom27.5Hz_sma3nz")
    assert (found["frames"][0][:, pitch] == 0).sum() > 10


@pytest.mark.parametrize(
    ("feature_set", "feature_level", "shortest"),
    [*((*pair, 1120 if pair[0] in ("IS10", "IS11", "IS12") else 960) for pair in SETS_AND_LEVELS)],
)
def test_shortest_utterance(feature_set, feature_level, shortest):
    noise = np.random.default_rng(0).normal(scale=0.1, size=shortest)
    extractor = OpenSmileExtractor(feature_set, feature_level)
    found = extractor.fit_transform([noise]).iloc[0]
    assert np.isfinite(found.get("frames", found)).all(axis=None)
    with pytest.raises(AudioError, match=rf"row 0: .* needs at least {shortest / 16000:g} s"):
        extractor.transform([noise[:-1]])


def test_features_that_are_not_finite_are_a_failure(signal, monkeypatch):
    def half_nan(self, signal):
        return np.where(np.arange(88) < 44, np.nan, 1.0)

    monkeypatch.setattr(OpenSmileExtractor, "_extract", half_nan)
    message = r"row 0: 44 of the 88 features of OpenSmileExtractor are NaN or infinite"
    with pytest.raises(AudioError, match=message):
        OpenSmileExtractor().fit_transform([signal])
    features = OpenSmileExtractor(on_error="ignore").fit_transform([signal])
    assert features.isna().all(axis=None)


@pytest.mark.parametrize("level", ["functionals", "lld"])
@pytest.mark.parametrize("feature_set", ["ComParE_2016", "emobase", "IS09", "eGeMAPSv02"])
def test_plain_names_are_unique_and_of_the_same_group(feature_set, level):
    names = OpenSmileExtractor(feature_set, level)._feature_names()
    plain = OpenSmileExtractor(feature_set, level, plain_names=True)._feature_names()
    assert len(set(plain)) == len(plain) == len(names)
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9_]*", name) for name in plain)
    for name, other in zip(names, plain, strict=True):
        assert list(feature_groups([name], detail=True)) == list(
            feature_groups([other], detail=True)
        )


def test_plain_names_are_those_of_the_output_and_share_the_store(signal, tmp_path):
    step = OpenSmileExtractor("emobase", store=str(tmp_path))
    features = step.fit_transform([signal])
    assert "mfcc_sma[1]_max" in features.columns
    plain = step.set_params(plain_names=True).fit_transform([signal])
    assert list(plain.columns) == list(step.get_feature_names_out())
    assert "mfcc_sma_1_max" in plain.columns
    np.testing.assert_array_equal(plain, features)
    assert FeatureStore(tmp_path).info()["entries"] == 1
    windows = SlidingWindows(OpenSmileExtractor("IS09", plain_names=True), window=0.5, hop=0.25)
    assert not any("[" in name for name in windows.get_feature_names_out())


def test_plain_names_that_would_be_equal(signal, monkeypatch):
    engine = SimpleNamespace(names=["a[1]", "a.1"])
    monkeypatch.setattr(OpenSmileExtractor, "_engine", lambda _: engine)
    with pytest.raises(ValueError, match=r"gives several features of 'IS09' the same name: .* Set"):
        OpenSmileExtractor("IS09", plain_names=True).transform([signal])
