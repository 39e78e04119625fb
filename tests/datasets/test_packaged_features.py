import json

import numpy as np
import pandas as pd
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.datasets import load_features
from sklearn_ser.datasets._known_corpora import CORPUS_NAMES, reader_of
from sklearn_ser.datasets._packaged_features import DATA, ORIGIN
from sklearn_ser.feature_extraction import OpenSmileExtractor, SpeakerEmbedding
from sklearn_ser.utils._ids import ID_COLUMNS

COUNTS = {"emodb": 339, "ravdess": 1439, "nemo": 816}


@pytest.fixture(scope="module")
def both():
    return load_features("both")


@pytest.mark.parametrize(
    ("features", "n_features"), [("egemaps", 88), ("ge2e", 512), ("both", 600)]
)
def test_shapes_names_and_alignment(features, n_features):
    data = load_features(features)
    assert data.X.shape == (2594, n_features)
    assert data.feature_names == list(data.X.columns)
    assert (data.X.dtypes == np.float32).all()
    assert np.isfinite(data.X.to_numpy()).all()
    ids = [name for name in ID_COLUMNS if name in data.frame.columns]
    assert list(data.X.index.names) == ids == ["corpus", "speaker", "language", "text"]
    for name in ids:
        assert data.X.index.get_level_values(name).tolist() == data.frame[name].tolist()
    assert data.frame["corpus"].value_counts().to_dict() == COUNTS


def test_names_are_the_extractors(both):
    names = [*OpenSmileExtractor("eGeMAPSv02").get_feature_names_out()]
    names += [*SpeakerEmbedding(pooling="mean_std").get_feature_names_out()]
    assert both.feature_names == names


def test_frame_keeps_the_contract(both):
    frame = both.frame
    assert frame["emotion"].dtype == object
    assert frame["emotion"].nunique() == 8
    assert frame.groupby("corpus")["naturalness_rating"].count().to_dict() == {
        "emodb": 339,
        "nemo": 0,
        "ravdess": 0,
    }
    assert frame["file"].str.fullmatch(r"audio/[\w-]+\.flac").all()
    assert "urdu" not in set(frame["corpus"])


def test_only_what_may_be_packaged_is_packaged(both):
    allowed = {name for name in CORPUS_NAMES if reader_of(name).numbers_may_be_packaged}
    assert set(both.licenses) == set(both.frame["corpus"]) == allowed == set(COUNTS)
    assert not [path.name for path in DATA.iterdir() if "urdu" in path.name.lower()]
    assert "CC0 1.0" in both.licenses["emodb"]
    assert "CC BY-NC-SA 4.0" in both.licenses["ravdess"]
    assert "CC BY-NC-SA 4.0" in both.licenses["nemo"]
    for name in CORPUS_NAMES:
        facts = reader_of(name)
        assert (facts.citation in both.DESCR) == (name in COUNTS)


def test_small_and_recorded():
    assert sum(path.stat().st_size for path in DATA.glob("*.parquet")) < 5e6
    origin = json.loads((DATA / ORIGIN).read_text())
    assert origin["utterances"] == COUNTS
    assert {"opensmile", "torch", "sklearn-ser"} < set(origin["versions"])


def test_unknown_features():
    with pytest.raises(InvalidParameterError, match="'features' parameter of load_features must"):
        load_features("mfcc")


@pytest.mark.corpora
def test_numbers_are_what_the_extractors_give(both, shared):
    few = both.frame.groupby("corpus").sample(2, random_state=0)
    files = [shared / "corpora" / row.corpus / row.file for row in few.itertuples()]
    X = few[list(both.X.index.names)].assign(file=list(map(str, files)))
    expected = both.X.iloc[few.index]
    egemaps = OpenSmileExtractor("eGeMAPSv02").fit_transform(X)
    pd.testing.assert_frame_equal(egemaps, expected.iloc[:, :88], rtol=1e-5)
    ge2e = SpeakerEmbedding(pooling="mean_std").fit_transform(X)
    pd.testing.assert_frame_equal(ge2e, expected.iloc[:, 88:], rtol=2e-3, atol=1e-4)
