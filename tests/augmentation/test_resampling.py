"""Samplers of imbalanced-learn inside AugmentingClassifier."""

import numpy as np
import pandas as pd
import pytest
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline as SamplingPipeline
from imblearn.under_sampling import ClusterCentroids, NearMiss, RandomUnderSampler, TomekLinks
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.svm import LinearSVC

from sklearn_ser import (
    AugmentingClassifier,
    MTLNeuralClassifier,
    SpeakerEmbedding,
    load_model,
    make_speech_corpus,
    save_model,
)
from sklearn_ser.augmentation import FeatureNoise, Gain
from sklearn_ser.exceptions import MetadataError, ModelFileError

Y = np.array(["anger"] * 30 + ["calm"] * 20 + ["fear"] * 10)
AUX = pd.DataFrame({"gender": np.arange(60) % 2})


def features():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)) + pd.factorize(Y)[0][:, None]
    index = pd.Index([f"s{row % 7}" for row in range(60)], name="speaker")
    return pd.DataFrame(X, columns=list("abcd"), index=index)


def fit(recorder, resampler, X=None, y=Y, **params):
    model = AugmentingClassifier(recorder, resampler=resampler, random_state=0, **params)
    X = features() if X is None else X
    return model.fit(X, y, aux=AUX, sample_weight=np.arange(60.0)), X


@pytest.mark.parametrize(
    "sampler", [RandomOverSampler(), RandomUnderSampler(), NearMiss(), TomekLinks()], ids=str
)
def test_samplers_with_sample_indices(sampler, recorder):
    model, X = fit(recorder, sampler)
    seen = model.estimator_.seen_
    rows = seen["weight"].astype(int)
    np.testing.assert_array_equal(seen["X"], X.iloc[rows])
    assert seen["y"].tolist() == Y[rows].tolist()
    assert seen["aux"]["gender"].tolist() == (rows % 2).tolist()
    assert list(seen["speaker"]) == X.index[rows].tolist()
    counts = pd.Series(seen["y"]).value_counts()
    if not isinstance(sampler, TomekLinks):
        assert set(counts) == {30 if isinstance(sampler, RandomOverSampler) else 10}
    assert list(seen["aux"].columns) == ["gender"]  # no augmenter, no such target


@pytest.mark.parametrize("sampler", [SMOTE(k_neighbors=3), ADASYN(n_neighbors=3), SMOTEENN()],
                         ids=str)  # fmt: skip
def test_synthetic_rows(sampler, recorder):
    model, X = fit(recorder, sampler)
    seen = model.estimator_.seen_
    synthetic = seen["aux"]["gender"].isna().to_numpy()
    assert synthetic.sum() > 10
    assert (seen["weight"][synthetic] == 1).all()
    rows = seen["weight"][~synthetic].astype(int)
    np.testing.assert_array_equal(seen["X"][~synthetic], X.iloc[rows])
    assert seen["y"][~synthetic].tolist() == Y[rows].tolist()
    if isinstance(sampler, SMOTE):
        assert sorted(rows) == list(range(60))
        assert set(pd.Series(seen["y"]).value_counts()) == {30}
        assert model.n_rows_ == {"original": 60, "synthetic": 30}
    # Ids are those of a row of the class near by.
    for values, label, speaker in zip(
        seen["X"].to_numpy()[synthetic], seen["y"][synthetic],
        np.asarray(seen["speaker"])[synthetic], strict=True,
    ):  # fmt: skip
        distance = np.linalg.norm(X.to_numpy() - values, axis=1)
        distance[label != Y] = np.inf
        assert speaker in X.index[np.argsort(distance)[:6]]


def test_parents_of_synthetic_samples():
    X = features().to_numpy()
    made, made_y = SMOTE(random_state=0, k_neighbors=3).fit_resample(X, Y)
    from sklearn_ser.augmentation._training_rows import _parents

    parents = _parents(made[60:], made_y[60:], X, Y)
    for row, label, (first, second) in zip(made[60:], made_y[60:], parents, strict=True):
        assert Y[first] == Y[second] == label
        around = np.linalg.norm(X[first] - row) + np.linalg.norm(X[second] - row)
        assert around == pytest.approx(np.linalg.norm(X[first] - X[second]))
        assert np.linalg.norm(X[first] - row) <= np.linalg.norm(X[second] - row)


@pytest.mark.parametrize(
    "sampler",
    [
        SMOTE(k_neighbors=3),
        BorderlineSMOTE(kind="borderline-2"),  # also between classes
        SVMSMOTE(k_neighbors=3, out_step=0.5),  # also beyond a sample
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_synthetic_rows_cross_no_split(sampler, monkeypatch):
    seen = []

    class Splits(KFold):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                seen.append((X.iloc[train], X.iloc[test]))
                yield train, test

    from sklearn.linear_model import LogisticRegression

    fitted = []
    fit_plain = LogisticRegression.fit

    def spy(self, X, y, sample_weight=None):
        fitted.append(X)
        return fit_plain(self, X, y, sample_weight)

    monkeypatch.setattr(LogisticRegression, "fit", spy)
    cv = Splits(3, shuffle=True, random_state=0)
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=cv)
    AugmentingClassifier(search, resampler=sampler, random_state=0).fit(features(), Y)
    X = features().to_numpy()
    for trained, (train, test) in zip(fitted, seen, strict=False):
        assert len(train) + len(test) == 60  # originals alone are split
        held = {row.tobytes() for row in test.to_numpy()}
        known = {row.tobytes() for row in X}
        rows = trained.to_numpy()
        synthetic = [row for row in rows if row.tobytes() not in known]
        assert not any(row.tobytes() in held for row in rows)
        assert 0 < len(synthetic) < 30
        for row in synthetic:  # it is on a line through two rows, neither of which is tested
            away = X - row
            away /= np.linalg.norm(away, axis=1, keepdims=True)
            in_line = np.abs(away @ away.T) - np.eye(60)
            ends = np.unravel_index(np.argmax(in_line), (60, 60))
            assert in_line[ends] == pytest.approx(1)
            assert not any(X[end].tobytes() in held for end in ends)


def test_repeated_samples_have_different_copies(recorder):
    model, _ = fit(recorder, RandomOverSampler(), augmenters={"noise": FeatureNoise()})
    seen = model.estimator_.seen_
    assert model.n_rows_ == {"original": 90, "noise": 90}
    noisy = seen["X"].to_numpy()[90:]
    assert len(np.unique(noisy, axis=0)) == 90


def test_unlabeled_samples_are_retained(recorder):
    y = Y.astype(object)
    y[::5] = None
    model, _ = fit(recorder, RandomUnderSampler(), y=y)
    seen = model.estimator_.seen_
    assert pd.isna(seen["y"]).sum() == 12
    assert set(pd.Series(seen["y"]).value_counts()) == {8}


def test_audio_and_frames(recorder):
    signals = [np.full(800, row / 100) for row in range(60)]
    frames = [np.full((3, 2), float(row)) for row in range(60)]
    for X in (pd.DataFrame({"file": signals}), frames, signals):
        augmenters = None if X is frames else {"soft": Gain(-6.0)}
        model, _ = fit(recorder, RandomUnderSampler(), X=X, augmenters=augmenters)
        seen = model.estimator_.seen_
        assert len(seen["X"]) == (30 if X is frames else 60)
        if X is frames:
            assert [cell[0, 0] for cell in seen["X"]] == seen["weight"].tolist()
        with pytest.raises(ValueError, match="SMOTE uses features, and X has none yet"):
            fit(recorder, SMOTE(), X=X)
        with pytest.raises(ValueError, match="NearMiss uses features, and X has none yet"):
            fit(recorder, NearMiss(), X=X)


def test_a_sampler_without_sample_indices(recorder):
    class Halves(BaseEstimator):
        def fit_resample(self, X, y):
            return X[::2], y[::2]

    with pytest.raises(ValueError, match="Halves does not say which samples it chose"):
        fit(recorder, Halves(), X=[f"{row}.wav" for row in range(60)])
    assert fit(recorder, Halves())[0].n_rows_ == {"original": 30}


def test_samples_made_of_many_are_an_error(recorder):
    text = r"ClusterCentroids made \d+ new samples that do not lie on a line through two samples"
    with pytest.raises(ValueError, match=text):
        fit(recorder, ClusterCentroids())
    assert fit(recorder, ClusterCentroids(voting="hard"))[0].n_rows_ == {"original": 30}


def test_the_changed_copies_of_a_sampler_are_trained_on(recorder):
    model, X = fit(recorder, RandomOverSampler(shrinkage=1.0, random_state=0))
    assert model.n_rows_ == {"original": 60, "synthetic": 30}
    expected, _ = RandomOverSampler(shrinkage=1.0, random_state=0).fit_resample(X, Y)
    seen = model.estimator_.seen_
    np.testing.assert_array_equal(seen["X"], expected)
    assert seen["aux"]["gender"].isna().tolist() == [False] * 60 + [True] * 30


def test_with_the_net():
    net = MTLNeuralClassifier(max_epochs=1, random_state=0)
    model = AugmentingClassifier(net, FeatureNoise(), resampler=SMOTE(), random_state=0)
    model.fit(features(), Y, aux=AUX)
    assert model.estimator_.validation_split_["kind"] == "groups"
    assert model.n_rows_ == {"original": 60, "synthetic": 30, "featurenoise": 90}


def test_the_seed_is_the_meta_estimators(recorder):
    first, second = (fit(recorder, RandomOverSampler())[0].estimator_.seen_ for _ in range(2))
    np.testing.assert_array_equal(first["weight"], second["weight"])


def test_a_model_file_holds_no_sampler(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.repeat(["a", "b"], [40, 20])
    model = AugmentingClassifier(LogisticRegression(), resampler=SMOTE(random_state=0)).fit(X, y)
    with pytest.raises(ModelFileError, match="SMOTE"):
        save_model(model, tmp_path / "a.ser")
    save_model(model.set_params(resampler=None), tmp_path / "a.ser")
    assert load_model(tmp_path / "a.ser").predict(X).tolist() == model.predict(X).tolist()


def test_a_pipeline_of_imbalanced_learn_behind_audio_steps():
    """What is fitted behind them is of the class that was given, and takes samplers as steps."""
    frame = make_speech_corpus(n_speakers=2, n_utterances=1, random_state=0).frame
    model = AugmentingClassifier(
        SamplingPipeline(
            [("ge2e", SpeakerEmbedding()), ("over", RandomOverSampler()), ("svm", LinearSVC())]
        ),
        {"noise": FeatureNoise()},
        random_state=0,
    ).fit(frame[["file"]], frame["emotion"])
    assert isinstance(model.estimator_, SamplingPipeline)
    assert list(model.estimator_.named_steps) == ["ge2e", "over", "svm"]
    assert model.n_rows_["noise"] == len(frame)


@pytest.mark.parametrize("given", ["aux", "groups"])
def test_a_sampler_before_a_network_is_sent_to_the_classifier_that_takes_it(given):
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.repeat(["a", "b"], [40, 20])
    values = {"aux": np.tile(["f", "m"], 30), "groups": np.repeat(np.arange(20), 3)}[given]
    model = SamplingPipeline([("smote", SMOTE(random_state=0)), ("net", MTLNeuralClassifier())])
    with pytest.raises(MetadataError, match=r"\(A sampler .* AugmentingClassifier\(resampler="):
        model.fit(X, y, **{f"net__{given}": values})


@pytest.mark.parametrize(
    "sampler",
    [
        RandomOverSampler(random_state=3),
        RandomUnderSampler(random_state=3),
        RandomOverSampler(random_state=np.random.RandomState(3)),
        SMOTE(random_state=3),
        SMOTEENN(smote=SMOTE(random_state=3)),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_the_seed_of_a_sampler_is_used(rows, recorder, sampler):
    X, y, _ = rows
    X, y = X[:50], y[:50]
    features, labels = clone(sampler).fit_resample(X, y)
    expected = sorted(map(tuple, np.column_stack([features.to_numpy(), labels])))
    for seed in (0, 1):
        model = AugmentingClassifier(recorder, None, resampler=sampler, random_state=seed)
        seen = model.fit(X, y).estimator_.seen_
        drawn = np.column_stack([seen["X"].to_numpy(), seen["y"]])
        assert sorted(map(tuple, drawn)) == expected


def test_a_sampler_without_a_seed_gets_one(rows, recorder):
    X, y, _ = rows
    X, y = X[:50], y[:50]

    def drawn(sampler, seed):
        model = AugmentingClassifier(recorder, None, resampler=sampler, random_state=seed)
        return model.fit(X, y).estimator_.seen_["X"]["row"].tolist()

    assert drawn(RandomUnderSampler(), 0) == drawn(RandomUnderSampler(), 0)
    assert drawn(RandomUnderSampler(), 0) != drawn(RandomUnderSampler(), 1)


def test_the_seed_of_an_augmenter_is_used(rows, recorder):
    X, y, _ = rows
    X = X.to_numpy()

    def copies(augmenter, seed, **params):
        params = {"keep_original": False, "random_state": seed, **params}
        return AugmentingClassifier(recorder, augmenter, **params).fit(X, y).estimator_.seen_["X"]

    for own in (3, np.random.RandomState(3)):
        seeded = FeatureNoise(random_state=own)
        np.testing.assert_array_equal(copies(seeded, 0), copies(seeded, 1))
        both = copies(seeded, 0, copies=2)
        assert not np.array_equal(both[:60], both[60:])
    assert not np.array_equal(copies(seeded, 0), copies(FeatureNoise(random_state=4), 0))
    assert not np.array_equal(copies(FeatureNoise(), 0), copies(FeatureNoise(), 1))
