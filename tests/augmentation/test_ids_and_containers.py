"""Ids in tables of any library, output containers: augmenters, meta-estimators, scalers."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import soundfile
from imblearn.over_sampling import SMOTE
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import AdaBoostClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import GroupScaler, SkipFailedRows, cross_corpus_validate
from sklearn_ser.audio import open_audio
from sklearn_ser.augmentation import (
    AddNoise,
    AugmentingClassifier,
    CutMix,
    FeatureNoise,
    Gain,
    Mixup,
    SpecAugment,
)
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.feature_extraction import LogMelSpectrogram, SpeakerEmbedding
from sklearn_ser.preprocessing import FrameScaler, FunctionalsPooling, window_table

LIBRARIES = {
    "pandas": lambda frame: frame,
    "polars": lambda frame: pl.DataFrame({name: frame[name].tolist() for name in frame}),
    "pyarrow": lambda frame: pa.table({name: frame[name].tolist() for name in frame}),
}
every_library = pytest.mark.parametrize("to_library", LIBRARIES.values(), ids=LIBRARIES)

SPEAKER = np.arange(120) // 12
#: Each speaker has one label: a classifier that sees ids makes no error.
Y = np.where(SPEAKER % 2, "anger", "sadness")


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    columns = {"speaker": SPEAKER, "f0": rng.normal(size=120), "corpus": SPEAKER // 5}
    return pd.DataFrame(columns | {"f1": rng.normal(size=120)})


@every_library
def test_scaler_finds_ids_in_columns(features, to_library):
    expected = GroupScaler(by="corpus").fit_transform(features)
    X = to_library(features)
    step = GroupScaler(by="corpus").fit(X)
    assert step.feature_names_in_.tolist() == ["f0", "f1"]
    pd.testing.assert_frame_equal(step.transform(X), expected)
    assert expected.index.names == [None, "speaker", "corpus"]
    assert GroupScaler().fit(X).n_features_in_ == 2
    with pytest.raises(MetadataError, match="'language' for each row: neither a column nor"):
        GroupScaler(by="language").fit(X)


@every_library
@pytest.mark.parametrize(
    "model",
    [
        SkipFailedRows(LogisticRegression()),
        SkipFailedRows(make_pipeline(GroupScaler(by="corpus"), LogisticRegression())),
        SkipFailedRows(GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)),
        AugmentingClassifier(LogisticRegression(), FeatureNoise(0.5), random_state=0),
        AugmentingClassifier(SkipFailedRows(LogisticRegression()), None),
        AugmentingClassifier(LogisticRegression(), [Mixup(), CutMix()], random_state=0),
        AugmentingClassifier(LogisticRegression(), None, resampler=SMOTE(random_state=0)),
    ],
    ids=lambda model: " ".join(repr(model).split())[:60],
)
def test_meta_estimators_do_not_learn_ids(features, to_library, model):
    y = np.where(np.arange(120) < 40, "sadness", Y)
    without = clone(model).fit(features.set_index(["speaker", "corpus"], append=True), y)
    X = to_library(features)
    fitted = clone(model).fit(X, y)
    assert fitted.n_features_in_ == 2
    assert fitted.feature_names_in_.tolist() == ["f0", "f1"]
    assert fitted.predict(X).tolist() == without.predict(features[["f0", "f1"]].set_index(
        [features["speaker"], features["corpus"]], append=True)).tolist()  # fmt: skip
    assert fitted.score(X, y) == np.mean(fitted.predict(X) == y)


def test_failed_rows_of_a_polars_table(features):
    features.loc[3, ["f0", "f1"]] = np.nan
    X = LIBRARIES["polars"](features)
    with pytest.warns(UserWarning, match=r"1 of 120 rows of X are entirely NaN .*: row 3"):
        model = SkipFailedRows(LogisticRegression()).fit(X, Y)
    assert model.predict(X)[3] is None


@every_library
def test_column_transformers_select_ids(features, to_library):
    scaled = ColumnTransformer([("s", GroupScaler(by="corpus"), ["corpus", "f0", "f1"])])
    for model in (SkipFailedRows, AugmentingClassifier):
        fitted = model(make_pipeline(scaled, LinearSVC())).fit(features, Y)
        assert fitted.predict(features).shape == (120,)
        assert fitted.estimator_[-1].n_features_in_ == 2
    assert GroupScaler(by="corpus").fit(to_library(features)).get_feature_names_out(
        ["speaker", "f0", "corpus", "f1"]
    ).tolist() == ["f0", "f1"]  # fmt: skip


def test_ids_passed_through_by_a_column_transformer(features):
    for verbose in (False, True):
        selected = ColumnTransformer(
            [("scale", StandardScaler(), ["f0", "f1"]), ("ids", "passthrough", ["corpus"])],
            verbose_feature_names_out=verbose,
        )
        step = make_pipeline(selected.set_output(transform="pandas"), GroupScaler(by="corpus"))
        names = ["scale__f0", "scale__f1"] if verbose else ["f0", "f1"]
        assert list(step.fit(features).get_feature_names_out()) == names
        assert step.transform(features).index.get_level_values("corpus").tolist() == (
            features["corpus"].tolist()
        )


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("index", [None, [f"r{i}" for i in range(120)], [0] * 120])
@pytest.mark.parametrize("dtype", [None, "category"])
def test_ids_in_the_index_let_a_scaler_stand_beside_other_steps(features, index, drop, dtype):
    features = features if index is None else features.set_axis(index)
    features = features if dtype is None else features.astype({"corpus": dtype, "speaker": dtype})
    X = features.set_index(["speaker", "corpus"], append=True, drop=drop)
    ids = [[], []] if drop else [["corpus"], ["speaker", "corpus"]]
    selected = ColumnTransformer(
        [
            ("a", GroupScaler(by="corpus"), [*ids[0], "f0"]),
            ("b", make_pipeline(GroupScaler(by="speaker"), PCA(1)), ["f0", "f1", *ids[1]]),
            ("c", StandardScaler(), ["f1"]),
        ]
    ).set_output(transform="pandas")
    model = make_pipeline(selected, GroupScaler(by=["corpus", "speaker"]), LinearSVC()).fit(X, Y)
    found = model[:-1].transform(X)
    assert found.index.equals(X.index)
    assert list(found.columns) == ["a__f0", "b__pca0", "c__f1"]
    assert model[-1].n_features_in_ == 3
    alone = GroupScaler(by="corpus").fit_transform(features[["corpus", "f0"]])
    np.testing.assert_array_equal(selected.transform(X)["a__f0"], alone["f0"])
    assert model[:-1].transform(X.iloc[:1]).index.equals(X.index[:1])


def test_lost_ids_are_reported_with_what_a_column_transformer_needs(features):
    selected = ColumnTransformer([("a", StandardScaler(), ["f0"])], remainder="drop")
    text = r"The steps of a ColumnTransformer need it in the index: X\.set_index\(\['corpus'\], app"
    with pytest.raises(MetadataError, match=text):
        make_pipeline(selected, GroupScaler(by="corpus")).fit(features)


def test_ids_alone_are_no_features(features):
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(120, 0\)\) .* by GroupScaler"):
        GroupScaler(by="corpus").fit(features[["corpus", "speaker"]])


@every_library
def test_feature_noise_leaves_ids_as_they_are(features, to_library):
    noisy = FeatureNoise(random_state=0).augment(to_library(features))
    assert list(noisy.columns) == list(features.columns)
    pd.testing.assert_frame_equal(noisy[["speaker", "corpus"]], features[["speaker", "corpus"]])
    alone = FeatureNoise(random_state=0).augment(features[["f0", "f1"]])
    pd.testing.assert_frame_equal(noisy[["f0", "f1"]], alone)
    named = features.assign(speaker=[f"s{i}" for i in SPEAKER])
    assert FeatureNoise().fit_transform(named)["speaker"].tolist() == named["speaker"].tolist()


@pytest.mark.parametrize("mixer", [Mixup(), CutMix()])
def test_mixtures_have_the_ids_of_their_first_sample(features, mixer):
    mixed, sources, _, _ = mixer.augment_rows(features, Y, np.random.default_rng(0))
    for name in ("speaker", "corpus"):
        assert mixed[name].tolist() == features[name].to_numpy()[sources[:, 0]].tolist()
    alone, *_ = mixer.augment_rows(features[["f0", "f1"]], Y, np.random.default_rng(0))
    np.testing.assert_array_equal(mixed[["f0", "f1"]], alone)


def frames(seed=0):
    rng = np.random.default_rng(seed)
    sequences = [rng.normal(size=(5 + row, 2)) for row in range(4)]
    return pd.DataFrame({"frames": sequences, "speaker": [1, 1, 2, 2]})


@pytest.mark.parametrize("step", [FrameScaler(), FunctionalsPooling(("mean",))])
def test_frame_steps_turn_id_columns_into_levels(step):
    X = frames()
    result = step.fit_transform(X)
    assert result.index.names == [None, "speaker"]
    expected = clone(step).fit_transform(X[["frames"]])
    pd.testing.assert_frame_equal(result.droplevel("speaker"), expected)


@pytest.mark.parametrize(
    "step",
    [
        FeatureNoise(),
        AugmentingClassifier(LogisticRegression()),
        AugmentingClassifier(LogisticRegression(), [FeatureNoise(), Mixup()]),
    ],
)
def test_names_of_columns_that_cannot_be_understood(features, step):
    twice = features[["f0", "f1", "f0"]]
    with pytest.raises(ValueError, match=r"Columns of X have the same name: \['f0'\]"):
        step.fit(twice, Y)
    levels = features.set_axis(pd.MultiIndex.from_product([["a", "b"], ["c", "d"]]), axis=1)
    with pytest.raises(ValueError, match=r"The columns of X have 2 levels .* one is expected"):
        step.fit(levels, Y)


@pytest.mark.parametrize("step", [FrameScaler(), FunctionalsPooling(("mean",))])
def test_frames_with_ids_in_a_column_transformer(step):
    selected = ColumnTransformer([("step", step, ["frames", "speaker"])])
    names = ["step__frames"] if isinstance(step, FrameScaler) else [
        "step__frame_000_mean", "step__frame_001_mean"]  # fmt: skip
    result = selected.set_output(transform="pandas").fit_transform(frames())
    assert list(result.columns) == list(selected.get_feature_names_out()) == names


# Output containers --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(0)
    signals = [(0.05 * rng.normal(size=8000)).astype(np.float32) for _ in range(12)]
    ids = {"corpus": np.repeat(["A", "B"], 6), "speaker": np.repeat(list("uvwx"), 3)}
    return pd.DataFrame({"file": signals, **ids}), np.tile(["a", "b", "c"], 4)


@pytest.mark.parametrize("container", ["pandas", "polars", "default"])
@pytest.mark.parametrize("by_config", [False, True])
def test_pipelines_set_the_output_of_every_step(recordings, container, by_config):
    X, y = recordings
    pipeline = make_pipeline(
        AddNoise(random_state=0), LogMelSpectrogram(n_mels=8), SpecAugment(random_state=0),
        FrameScaler(), FunctionalsPooling(("mean", "std")), StandardScaler(), FeatureNoise(),
        LinearSVC(),
    )  # fmt: skip
    if by_config:
        with config_context(transform_output=container):
            pipeline.fit(X, y)
            result, sequences = pipeline[:-1].transform(X), pipeline[:4].transform(X)
    else:
        pipeline = clone(pipeline.set_output(transform=container)).fit(X, y)
        result, sequences = pipeline[:-1].transform(X), pipeline[:4].transform(X)
    kinds = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "default": np.ndarray}
    assert isinstance(result, kinds[container])
    # Only pandas holds frame sequences, with the ids in the index.
    assert isinstance(sequences, pd.DataFrame)
    assert sequences.index.names == ["corpus", "speaker"]
    names = pipeline[:-1].get_feature_names_out()
    assert list(names[:2]) == ["mel_00_mean", "mel_01_mean"]
    if container != "default":
        assert list(result.columns) == list(names)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_augmenters_of_audio_keep_their_table(recordings, container):
    X, _ = recordings
    step = Gain(-6.0, random_state=0)
    expected = list(open_audio(step.augment(X)))
    step.set_output(transform=container)
    for given in (X, X["file"].tolist(), X["file"].to_numpy()):
        result = step.fit_transform(given)
        assert isinstance(result, pd.DataFrame)
        assert all(map(np.array_equal, open_audio(result), expected))
        assert step.transform(given) is given
    assert list(step.fit_transform(X).columns) == ["file", "corpus", "speaker"]


def test_ids_reach_a_scaler_behind_augmented_audio(recordings):
    X, y = recordings
    steps = AddNoise(random_state=0), SpeakerEmbedding(), StandardScaler()
    pipeline = make_pipeline(*steps, GroupScaler(by="corpus", min_samples=2), LinearSVC())
    pipeline.set_output(transform="pandas").fit(X, y)
    assert pipeline[-2].group_keys_ == [["A"], ["B"]]


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_names_of_noisy_features(features, container):
    kind = {"pandas": pd.DataFrame, "polars": pl.DataFrame}[container]
    step = FeatureNoise(random_state=0).set_output(transform=container)
    result = step.fit_transform(features[["f0", "f1"]])
    assert isinstance(result, kind)
    assert list(result.columns) == ["f0", "f1"]
    assert list(step.fit_transform(features[["f0", "f1"]].to_numpy()).columns) == ["x0", "x1"]
    assert list(step.transform(np.zeros((2, 2))).columns) == ["x0", "x1"]


# Estimators without metadata routing --------------------------------------------------------------


@pytest.mark.parametrize("meta", [SkipFailedRows, AugmentingClassifier])
@pytest.mark.parametrize("routing", [False, True])
def test_estimators_that_do_not_implement_routing(features, meta, routing):
    X, weight = features[["f0", "f1"]], np.linspace(0.1, 1.0, 120)
    boosting = AdaBoostClassifier(n_estimators=3, random_state=0)
    search = GridSearchCV(boosting, {"n_estimators": [2, 3]}, cv=2)
    with config_context(enable_metadata_routing=routing):
        for inner in (boosting, make_pipeline(StandardScaler(), boosting), search):
            expected = clone(inner).fit(X, Y).predict(X)
            assert meta(inner).fit(X, Y).predict(X).tolist() == expected.tolist()
        if routing:
            with pytest.raises(NotImplementedError, match="has not implemented metadata routing"):
                meta(boosting).fit(X, Y, speaker=SPEAKER)
            return
        model = meta(boosting).fit(X, Y, speaker=SPEAKER, sample_weight=weight)
        expected = clone(boosting).fit(X, Y, weight).predict_proba(X)
        np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_boosting_across_corpora_and_with_mixtures(features):
    frame = features.assign(emotion=Y, speaker=[f"{c}/{s}" for c, s in
                            zip(features["corpus"], SPEAKER, strict=True)])  # fmt: skip
    boosting = AdaBoostClassifier(n_estimators=3, random_state=0)
    frame["corpus"] = np.where(features["corpus"] == 0, "A", "B")
    result = cross_corpus_validate({"boosting": boosting}, frame, X=["f0", "f1"], aux=(), verbose=0)
    assert result.predictions["y_pred"].notna().all()
    model = AugmentingClassifier(boosting, Mixup(), random_state=0).fit(features[["f0", "f1"]], Y)
    assert model.n_rows_["mixup"] > 120


@every_library
def test_audio_in_tables_of_any_library(tmp_path, to_library):
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{row}.wav") for row in range(3)]
    for path in paths:
        soundfile.write(path, 0.05 * rng.normal(size=16000), 16000)
    times = {"start": [0.0, 0.1, 0.2], "end": [0.5, 0.6, 1.0]}
    frame = pd.DataFrame({"file": paths, "speaker": [1, 1, 2], **times})
    expected = LogMelSpectrogram().fit_transform(frame)
    X = to_library(frame)
    result = LogMelSpectrogram().fit_transform(X)
    assert result.index.equals(expected.index)
    assert all(map(np.array_equal, result["frames"], expected["frames"]))
    softer = Gain(-6.0).augment(X)
    assert list(softer.columns) == list(frame.columns)
    assert all(map(np.array_equal, open_audio(softer), open_audio(Gain(-6.0).augment(frame))))
    pd.testing.assert_frame_equal(window_table(X, 0.3, 0.2), window_table(frame, 0.3, 0.2))
    model = AugmentingClassifier(
        make_pipeline(SpeakerEmbedding(), LogisticRegression()), Gain(-6.0), random_state=0
    ).fit(X, ["a", "b", "a"])
    assert model.predict(X).shape == (3,)
