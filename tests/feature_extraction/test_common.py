"""What every audio step promises, driven by one list of instances."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import skops.io
import soundfile
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.datasets import make_speech_corpus
from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.feature_extraction import OpenSmileExtractor, SpeakerEmbedding

EXTRACTORS = [
    OpenSmileExtractor(),
    OpenSmileExtractor("IS09"),
    SpeakerEmbedding(),
    SpeakerEmbedding("unit", target_dbfs=None),
]
each_extractor = pytest.mark.parametrize(
    "extractor",
    [clone(extractor) for extractor in EXTRACTORS],
    ids=[repr(extractor) for extractor in EXTRACTORS],
)
IDS = ["corpus", "speaker", "language", "text"]


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    """Eight utterances as 16-bit files, with ids and labels."""
    root = tmp_path_factory.mktemp("speech")
    return make_speech_corpus(
        n_speakers=2, n_utterances=1, duration=0.5, root=root, random_state=0
    ).frame


@pytest.fixture(scope="module")
def signals(frame):
    return [soundfile.read(file, dtype="float32")[0] for file in frame["file"]]


@each_extractor
def test_clone_and_parameters(extractor):
    copy = clone(extractor).set_params(on_error="ignore", n_jobs=2)
    assert copy.get_params() == {**extractor.get_params(), "on_error": "ignore", "n_jobs": 2}
    assert vars(clone(copy)) == copy.get_params()


@each_extractor
def test_pickle_and_skops_after_use(extractor, signals):
    used = clone(extractor).set_params(on_error="ignore")
    expected = used.fit_transform([*signals[:1], "missing.wav"])
    for_skops = skops.io.dumps(used)
    trusted = skops.io.get_untrusted_types(data=for_skops)
    assert [name.rpartition(".")[2] for name in trusted] == [type(extractor).__name__]
    for copy in (pickle.loads(pickle.dumps(used)), skops.io.loads(for_skops, trusted=trusted)):
        assert copy.failures_ == used.failures_
        pd.testing.assert_frame_equal(copy.transform([*signals[:1], "missing.wav"]), expected)


@each_extractor
def test_is_stateless(extractor, signals):
    check_is_fitted(extractor)
    before = vars(clone(extractor))
    fitted = clone(extractor).fit(signals)
    assert vars(fitted) == before
    pd.testing.assert_frame_equal(
        clone(extractor).transform(signals[:2]), clone(extractor).fit_transform(signals[:2])
    )


@each_extractor
@pytest.mark.parametrize("empty", [[], pd.DataFrame({"file": []}), pd.Series([], dtype=object)])
def test_no_rows(extractor, empty):
    features = clone(extractor).fit_transform(empty)
    assert features.shape == (0, len(extractor.get_feature_names_out()))
    assert set(features.dtypes) == {np.dtype("float32")}


@each_extractor
def test_one_row_equals_that_row_among_others(extractor, frame):
    whole = extractor.fit_transform(frame)
    alone = extractor.fit_transform(frame.iloc[[3]])
    assert whole.shape == (len(frame), len(extractor.get_feature_names_out()))
    pd.testing.assert_frame_equal(alone, whole.iloc[[3]])


@each_extractor
def test_list_array_series_and_frame_give_the_same(extractor, frame, signals):
    expected = extractor.fit_transform(frame).to_numpy()
    as_objects = np.empty(len(signals), dtype=object)
    as_objects[:] = signals
    inputs = {
        "paths": list(frame["file"]),
        "Series": frame["file"],
        "object array": as_objects,
        "signals": signals,
        "pairs": [(signal, 16000) for signal in signals],
        "frame of signals": pd.DataFrame({"file": signals}),
    }
    for name, X in inputs.items():
        found = extractor.transform(X).to_numpy()
        np.testing.assert_array_equal(found, expected, err_msg=name)


@each_extractor
def test_named_audio_column(extractor, frame):
    renamed = frame.rename(columns={"file": "wave"})
    found = clone(extractor).set_params(audio="wave").fit_transform(renamed)
    pd.testing.assert_frame_equal(found, extractor.fit_transform(frame))
    with pytest.raises(AudioError, match=r"no column and no index level 'file'"):
        extractor.transform(renamed)


@each_extractor
def test_start_and_end_are_read(extractor, frame, signals):
    parts = frame.assign(start=0.1, end=0.35)
    found = extractor.fit_transform(parts).to_numpy()
    expected = extractor.fit_transform([signal[1600:5600] for signal in signals]).to_numpy()
    np.testing.assert_array_equal(found, expected)


@each_extractor
def test_order_of_rows_is_irrelevant(extractor, frame):
    order = np.random.default_rng(0).permutation(len(frame))
    shuffled = extractor.fit_transform(frame.iloc[order])
    pd.testing.assert_frame_equal(shuffled, extractor.fit_transform(frame).iloc[order])


@each_extractor
def test_n_jobs_is_irrelevant(extractor, frame):
    bad = frame.assign(file=[*frame["file"][:5], "missing.wav", *frame["file"][6:]])
    serial = clone(extractor).set_params(on_error="ignore", n_jobs=1)
    threads = clone(extractor).set_params(on_error="ignore", n_jobs=3)
    pd.testing.assert_frame_equal(threads.fit_transform(bad), serial.fit_transform(bad))
    assert threads.failures_ == serial.failures_


@pytest.mark.slow
@pytest.mark.parametrize("extractor", [OpenSmileExtractor(), SpeakerEmbedding()])
def test_processes_give_the_same(extractor, frame, signals):
    expected = extractor.fit_transform(frame)
    in_processes = clone(extractor).set_params(n_jobs=2)
    with parallel_config(backend="loky"):
        pd.testing.assert_frame_equal(in_processes.fit_transform(frame), expected)
        with pytest.raises(AudioError, match=r"^row 1: the audio is empty"):
            in_processes.transform([signals[0], np.zeros(0), signals[1], np.zeros(0)])


@each_extractor
def test_names_and_width(extractor, signals):
    names = clone(extractor).get_feature_names_out()
    features = extractor.fit_transform(signals[:1])
    assert names.dtype == object
    assert len(set(names)) == len(names)
    assert list(features.columns) == list(names)
    assert set(features.dtypes) == {np.dtype("float32")}


@each_extractor
def test_set_output(extractor, frame):
    expected = extractor.fit_transform(frame)
    for transform in ("pandas", "default"):
        found = clone(extractor).set_output(transform=transform).fit_transform(frame)
        pd.testing.assert_frame_equal(found, expected)
    with config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(clone(extractor).fit_transform(frame), expected)


@each_extractor
def test_failed_rows_are_nan_recorded_and_warned_about_once(extractor, signals):
    X = [signals[0], "missing.wav", signals[1], np.zeros(8000), signals[2][:10]]
    with pytest.warns(AudioWarning) as caught:
        found = clone(extractor).set_params(on_error="warn").transform(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    assert message.startswith("3 of 5 rows could not be used and became rows of NaN:")
    assert "row 1, file 'missing.wav': the file does not exist" in message

    ignoring = clone(extractor).set_params(on_error="ignore")
    pd.testing.assert_frame_equal(ignoring.transform(X), found)
    assert list(found.isna().all(axis=1)) == [False, True, False, True, True]
    assert found.iloc[[0, 2]].notna().all(axis=None)
    assert [(record["row"], record["file"]) for record in ignoring.failures_] == [
        (1, "missing.wav"),
        (3, None),
        (4, None),
    ]
    assert ignoring.failures_[1]["reason"].startswith("digital silence: every sample is 0")
    ignoring.transform(signals[:1])
    assert ignoring.failures_ == []


@each_extractor
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_name_the_first_row_and_file(extractor, signals, n_jobs):
    X = [signals[0], signals[1], "missing.wav", signals[2], "also_missing.wav"]
    with pytest.raises(AudioError, match=r"^row 2, file 'missing.wav': .* does not exist") as info:
        clone(extractor).set_params(n_jobs=n_jobs).transform(X)
    assert (info.value.row, info.value.file) == (2, "missing.wav")


@each_extractor
def test_beyond_full_scale(extractor, signals):
    loud = signals[0] / np.abs(signals[0]).max() * 1.5
    with pytest.raises(AudioError, match=r"^row 0: the peak is 1.5, beyond full scale"):
        extractor.transform([loud])
    clipping = clone(extractor).set_params(beyond_full_scale="clip")
    with pytest.warns(AudioWarning, match=r"clipped to \[-1, 1\]"):
        found = clipping.transform([loud])
    pd.testing.assert_frame_equal(found, extractor.transform([np.clip(loud, -1, 1)]))


@each_extractor
def test_remove_dc(extractor, signals):
    centred = signals[0] - signals[0].mean(dtype=np.float64)
    shifted = signals[0] * 0.5 + 0.25
    found = clone(extractor).set_params(remove_dc=True).transform([shifted]).to_numpy()
    expected = extractor.transform([centred * 0.5]).to_numpy()
    left = extractor.transform([shifted]).to_numpy()
    assert np.median(np.abs(found - expected)) < 0.1 * np.median(np.abs(left - expected))


@each_extractor
def test_ids_become_index_levels_and_survive(extractor, frame):
    found = make_pipeline(clone(extractor), StandardScaler()).set_output(transform="pandas")
    scaled = found.fit_transform(frame)
    union = FeatureUnion([("one", clone(extractor)), ("two", SpeakerEmbedding("unit"))])
    joined = union.set_output(transform="pandas").fit_transform(frame)
    for features in (scaled, joined):
        assert list(features.index.names) == IDS
        for name in IDS:
            assert list(features.index.get_level_values(name)) == list(frame[name])
    assert joined.shape[1] == len(extractor.get_feature_names_out()) + 256


@each_extractor
def test_failed_rows_are_the_same_in_a_union(extractor, signals):
    X = [signals[0], np.zeros(8000), signals[0][:900], np.array([np.nan] * 8000)]
    union = FeatureUnion(
        [
            ("one", clone(extractor).set_params(on_error="ignore")),
            ("two", OpenSmileExtractor("GeMAPSv01b", on_error="ignore")),
        ]
    )
    failed = np.isnan(union.fit_transform(X))
    assert failed[1:].all()
    assert not failed[0].any()


@each_extractor
def test_label_columns_change_nothing(extractor, frame):
    expected = extractor.fit_transform(frame[["file", *IDS]])
    labelled = frame.assign(emotion="anger", arousal=np.nan, target=np.arange(len(frame)))
    pd.testing.assert_frame_equal(extractor.fit_transform(labelled), expected)
    without_ids = extractor.fit_transform(frame[["file", "emotion"]])
    np.testing.assert_array_equal(without_ids.to_numpy(), expected.to_numpy())
    assert list(without_ids.index) == list(frame.index)


@each_extractor
@pytest.mark.parametrize("routing", [False, True])
def test_in_a_pipeline(extractor, frame, routing):
    with config_context(enable_metadata_routing=routing):
        model = make_pipeline(clone(extractor), StandardScaler(), LinearSVC())
        if routing:
            model[1].set_fit_request(sample_weight=False)
            model[2].set_fit_request(sample_weight=True)
            model.fit(frame, frame["emotion"], sample_weight=np.ones(len(frame)))
        else:
            model.fit(frame, frame["emotion"])
        assert list(model.predict(frame)) == list(frame["emotion"])


def test_grid_search_over_feature_sets(frame):
    model = make_pipeline(OpenSmileExtractor(), StandardScaler(), LinearSVC())
    search = GridSearchCV(
        model,
        {"opensmileextractor__feature_set": ["GeMAPSv01b", "eGeMAPSv02"]},
        cv=GroupKFold(2),
        error_score="raise",
    )
    search.fit(frame, frame["emotion"], groups=frame["speaker"])
    assert search.best_params_["opensmileextractor__feature_set"] in ("GeMAPSv01b", "eGeMAPSv02")
    assert len(search.best_estimator_[:-1].get_feature_names_out()) in (62, 88)


@each_extractor
def test_html_repr(extractor):
    assert type(extractor).__name__ in estimator_html_repr(extractor)


@each_extractor
def test_silent_without_verbose_and_where_nobody_looks(extractor, signals, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for verbose in (0, 1):
            clone(extractor).set_params(verbose=verbose).fit_transform(signals[:1])
    assert capfd.readouterr() == ("", "")


def test_importing_the_extractors_loads_neither_torch_nor_opensmile():
    code = (
        "import sys, sklearn_ser.feature_extraction as f\n"
        "f.OpenSmileExtractor(); f.SpeakerEmbedding()\n"
        "sys.exit(bool({'torch', 'opensmile'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
