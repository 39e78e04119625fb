"""OpenSmileExtractor: the same numbers as opensmile itself, and clear refusals."""

import warnings

import numpy as np
import opensmile
import pytest

from sklearn_ser.datasets import make_speech_corpus
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import OpenSmileExtractor
from sklearn_ser.feature_extraction._opensmile import _build_smile, load_smile


@pytest.fixture(scope="module")
def signal():
    corpus = make_speech_corpus(n_speakers=1, n_utterances=1, random_state=0)
    return corpus.frame["file"].iloc[0][0]


@pytest.mark.parametrize("feature_set", ["eGeMAPSv02", "GeMAPSv01b", "IS09", "IS10"])
def test_bit_equal_to_opensmile(signal, feature_set):
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[feature_set],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    expected = smile.process_signal(signal, 16000)
    found = OpenSmileExtractor(feature_set).fit_transform([signal])
    assert list(found.columns) == list(expected.columns)
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


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
    _build_smile.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OpenSmileExtractor(feature_set).fit_transform([signal])


def test_built_once_for_all_extractors_of_a_set():
    assert load_smile("eGeMAPSv02", "functionals") is load_smile("eGeMAPSv02", "functionals")


def test_unknown_set_lists_the_known_ones():
    extractor = OpenSmileExtractor("eGeMAPS02")
    message = r"must be one of .*ComParE_2016.*eGeMAPSv02.*IS13\. Got 'eGeMAPS02' instead"
    for use in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match=message):
            use([])
    with pytest.raises(ValueError, match=message):
        extractor.get_feature_names_out()


def test_other_level_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'feature_level'.*\{'functionals'\}.*Got 'lld'"):
        OpenSmileExtractor(feature_level="lld").fit([])


@pytest.mark.parametrize(
    ("feature_set", "shortest"), [("eGeMAPSv02", 960), ("IS09", 960), ("IS10", 1120)]
)
def test_shortest_utterance(feature_set, shortest):
    noise = np.random.default_rng(0).normal(scale=0.1, size=shortest)
    extractor = OpenSmileExtractor(feature_set)
    assert np.isfinite(extractor.fit_transform([noise]).to_numpy()).all()
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
