"""Warnings and errors of audio steps, and combinations of several steps."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser.audio import read_audio
from sklearn_ser.datasets import make_speech_corpus
from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.feature_extraction import MFCC, OpenSmileExtractor, SpeakerEmbedding
from sklearn_ser.preprocessing import GroupScaler

each_extractor = pytest.mark.parametrize(
    "extractor", [OpenSmileExtractor("GeMAPSv01b"), SpeakerEmbedding(), MFCC()], ids=repr
)


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    """Four utterances of two speakers as files, with ids and labels."""
    return make_speech_corpus(
        n_speakers=2,
        n_utterances=1,
        emotions=("anger", "sadness"),
        duration=0.4,
        root=tmp_path_factory.mktemp("speech"),
        random_state=0,
    ).frame


@each_extractor
def test_the_warning_names_number_rows_and_reasons_at_the_line_of_the_caller(extractor, frame):
    signal = read_audio(frame["file"][0])
    X = [signal, "missing.wav", signal, np.zeros(8000), signal[:10], None]
    with pytest.warns(AudioWarning) as caught:
        clone(extractor).set_params(on_error="warn").transform(X)
    assert [warning.filename for warning in caught] == [__file__]
    lines = str(caught[0].message).splitlines()
    assert lines[0] == "4 of 6 rows could not be used and became rows of NaN:"
    assert lines[1].startswith("  row 1, file 'missing.wav': the file does not exist")
    assert lines[2].startswith("  row 3: digital silence: every sample is 0, so no features")
    assert lines[3].startswith("  row 4: the audio lasts 0.000625 s, but this step needs at least")
    assert lines[4:] == ["  ... 1 more"]


@each_extractor
def test_errors_say_what_was_found_expected_and_what_to_do(extractor, frame):
    with pytest.raises(AudioError, match=r"^row 1: digital silence: .* leave the utterance out"):
        extractor.transform([frame["file"][0], np.zeros(8000)])
    with pytest.raises(AudioError, match=r"^X has no column and no index level 'file' to take the"):
        extractor.transform(frame.rename(columns={"file": "wave"}))
    with pytest.raises(AudioError, match=r"^row 0: the peak is 1.5, beyond full scale: expected"):
        extractor.transform([np.full(8000, 1.5)])


def test_the_same_rows_fail_in_a_union_of_steps(frame):
    signal = read_audio(frame["file"][0])
    X = [signal, np.zeros(8000), signal[:900], np.full(8000, np.nan)]
    union = FeatureUnion(
        [
            ("one", SpeakerEmbedding(on_error="ignore")),
            ("two", OpenSmileExtractor("GeMAPSv01b", on_error="ignore")),
        ]
    )
    failed = np.isnan(union.fit_transform(X))
    assert failed[1:].all()
    assert not failed[0].any()


def test_a_union_of_steps_retains_the_ids(frame):
    union = FeatureUnion(
        [("one", OpenSmileExtractor("GeMAPSv01b")), ("two", SpeakerEmbedding("unit"))]
    )
    joined = union.set_output(transform="pandas").fit_transform(frame)
    assert joined.shape == (4, 62 + 256)
    assert list(joined.index.names) == ["corpus", "speaker", "language", "text"]
    assert list(joined.index.get_level_values("speaker")) == list(frame["speaker"])


def test_grid_search_over_feature_sets(frame):
    model = make_pipeline(OpenSmileExtractor(), StandardScaler(), LinearSVC())
    search = GridSearchCV(
        model,
        {"opensmileextractor__feature_set": ["GeMAPSv01b", "eGeMAPSv02"]},
        cv=GroupKFold(2),
        error_score="raise",
    )
    search.fit(frame, frame["emotion"], groups=frame["speaker"])
    found = search.best_params_["opensmileextractor__feature_set"]
    width = {"GeMAPSv01b": 62, "eGeMAPSv02": 88}[found]
    assert len(search.best_estimator_[:-1].get_feature_names_out()) == width


def test_importing_the_extractors_loads_no_heavy_library():
    code = (
        "import sys, sklearn_ser.feature_extraction as f\n"
        "for name in f.__all__:\n"
        "    getattr(f, name)\n"
        "f.OpenSmileExtractor(); f.SpeakerEmbedding(); f.MFCC()\n"
        "print(sorted({'torch', 'opensmile', 'transformers', 'librosa', 'dask'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_two_audio_steps_in_a_column_transformer(frame, output):
    columns = ["file", "corpus", "speaker"]
    first, second = SpeakerEmbedding(), SpeakerEmbedding("unit")
    union = ColumnTransformer([("a", first, columns), ("b", second, columns)])
    found = union.set_output(transform=output).fit_transform(frame)
    expected = pd.concat(
        [first.transform(frame[columns]), second.transform(frame[columns])], axis=1
    )
    np.testing.assert_array_equal(found, expected)
    if output == "pandas":
        pd.testing.assert_index_equal(found.index, expected.index)
        assert list(found.columns[[0, -1]]) == ["a__ge2e_mean_000", "b__ge2e_unit_255"]


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("index", [None, list("dbca"), [0, 0, 1, 1]])
def test_audio_steps_with_different_ids_in_a_column_transformer(frame, index, drop):
    table = frame[["file", "corpus", "speaker"]].assign(duration=[4.0, 3.0, 2.0, 1.0])
    table = table if index is None else table.set_axis(index)
    X = table.set_index(["corpus", "speaker"], append=True, drop=drop)
    kept = [] if drop else ["corpus"]
    union = ColumnTransformer(
        [
            ("a", SpeakerEmbedding(), ["file", *kept]),
            ("b", SpeakerEmbedding("unit"), ["file"]),
            ("c", StandardScaler(), ["duration"]),
        ]
    ).set_output(transform="pandas")
    found = union.fit_transform(X)
    assert found.index.equals(X.index)
    parts = [SpeakerEmbedding().transform(table), SpeakerEmbedding("unit").transform(table)]
    np.testing.assert_array_equal(found.iloc[:, :-1], np.hstack(parts))
    assert found["c__duration"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(union.transform(X.iloc[:1]), found.iloc[:1])
    scaled = GroupScaler(by="speaker", min_samples=2).fit_transform(found)
    assert scaled.index.equals(X.index)


def test_numbered_speakers_are_not_taken_for_row_numbers(frame):
    X = frame[["file"]].assign(speaker=[2, 0, 3, 1], duration=[1.0, 2.0, 3.0, 4.0])
    assert SpeakerEmbedding().transform(X).index.tolist() == ["2", "0", "3", "1"]
    union = ColumnTransformer(
        [("a", SpeakerEmbedding(), ["file", "speaker"]), ("b", "passthrough", ["duration"])]
    ).set_output(transform="pandas")
    with pytest.raises(ValueError, match="inconsistent number of samples"):
        union.fit(X)
    found = union.fit_transform(X.set_index("speaker", append=True, drop=False))
    assert found["b__duration"].tolist() == [1.0, 2.0, 3.0, 4.0]
