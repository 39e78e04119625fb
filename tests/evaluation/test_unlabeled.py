import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import (
    MFCC,
    FunctionalsPooling,
    MTLNeuralClassifier,
    SpeakerKFold,
    cross_corpus_validate,
    make_mtl_aug,
    make_speech_corpus,
)
from sklearn_ser.evaluation import EvaluationResult, fit_model
from sklearn_ser.exceptions import AudioWarning, EvaluationWarning, MetadataError
from sklearn_ser.model_selection import SemiSupervisedSplit
from sklearn_ser.neural_network import PseudoLabels

SEEN = []


class Spy(ClassifierMixin, BaseEstimator):
    """Records its training rows (their number is their only feature) and their y."""

    cache_revision = 1

    def __init__(self, unlabeled=None):
        self.unlabeled = unlabeled

    def fit(self, X, y):
        SEEN.append(dict(zip(np.asarray(X)[:, 0].astype(int).tolist(), y, strict=True)))
        self.classes_ = np.unique([label for label in y if label not in (None, -1)])
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def seen():
    SEEN.clear()
    return SEEN


def unlabeled_of(frame, trained):
    return sorted(row for row in trained if frame["emotion"].isna()[row])


@pytest.mark.parametrize(
    ("protocol", "corpora"),
    [
        ("leave-one-corpus-out", {"a": "bc", "b": "ac"}),
        ("pairwise", {"a": "bc", "b": "ac"}),
        ("within-corpus", {"a": "ac", "b": "bc"}),
        ("aggregated", {"a": "abc", "b": "abc"}),
    ],
)
def test_unlabeled_samples_of_training_corpora_are_used(half_labeled, seen, protocol, corpora):
    frame, X = half_labeled
    result = cross_corpus_validate(
        {"spy": Spy(unlabeled="nan")}, frame, X=X, aux=(), protocol=protocol, n_splits=3
    )
    tested = result.predictions.groupby("fold", sort=False)
    assert len(seen) == len(tested)
    for trained, (_, part) in zip(seen, tested, strict=True):
        speakers = set(part["speaker"])
        expected = [
            row
            for row in frame.index[frame["emotion"].isna()]
            if frame["corpus"][row] in corpora[part["corpus"].iloc[0]]
            and frame["speaker"][row] not in speakers
        ]
        assert unlabeled_of(frame, trained) == expected
        assert {frame["speaker"][row] for row in trained}.isdisjoint(speakers)
        assert all(label == frame["emotion"][row] for row, label in trained.items())
    # Each labeled sample is tested once.
    assert sorted(result.predictions["row"]) == frame.index[frame["emotion"].notna()].tolist()


def test_speakers_of_a_shared_recording_stay_away_from_the_test(half_labeled, seen):
    frame, X = half_labeled
    # Row 2 (a0, no label) is of the recording of rows 3 and 4 (a1).
    frame["recording"] = [f"r{row}" for row in frame.index]
    frame.loc[[2, 3, 4], "recording"] = "shared"
    result = cross_corpus_validate(
        {"spy": Spy(unlabeled="nan")}, frame, X=X, aux=(), protocol="within-corpus", n_splits=3
    )
    for trained, (_, part) in zip(
        seen, result.predictions.groupby("fold", sort=False), strict=True
    ):
        if {"a0", "a1"} & set(part["speaker"]):
            assert {2, 5}.isdisjoint(trained)


def test_supervised_estimators_get_none_and_their_finished_folds_stay_valid(
    half_labeled, seen, tmp_path
):
    frame, X = half_labeled
    data = {"frame": frame, "X": X, "aux": (), "out": tmp_path}
    alone = cross_corpus_validate({"svm": Spy()}, **data)
    assert len(seen) == 2
    assert all(unlabeled_of(frame, trained) == [] for trained in seen)
    assert alone.info["unlabeled"] == {}
    both = cross_corpus_validate({"svm": Spy(), "spy": Spy(unlabeled="nan")}, **data)
    assert [len(unlabeled_of(frame, trained)) for trained in seen[2:]] == [12, 12]
    of_svm = both.predictions[both.predictions["estimator"] == "svm"]
    pd.testing.assert_frame_equal(of_svm, alone.predictions)
    line = "spy was also trained on 12 unlabeled samples, none of a speaker under test"
    assert line in both.remarks()
    assert line in EvaluationResult.load(tmp_path).remarks()
    assert not any("svm was also" in remark for remark in both.remarks())


@pytest.mark.parametrize("labels", [("anger", "sadness"), (0, 1)], ids=["texts", "numbers"])
@pytest.mark.parametrize("sentinel", [-1, "nan"])
def test_a_net_is_fitted_as_by_hand(half_labeled, labels, sentinel):
    frame, _ = half_labeled
    frame["emotion"] = frame["emotion"].map(dict(zip(("anger", "sadness"), labels, strict=True)))
    X = np.random.default_rng(0).normal(size=(len(frame), 5)).astype(np.float32)
    net = MTLNeuralClassifier(
        tasks={"site": "classification"}, unlabeled=sentinel, max_epochs=3, random_state=0
    )
    frame["site"] = frame["corpus"]
    result = cross_corpus_validate({"net": net}, frame, X=X, aux=["site"])
    labeled = frame["emotion"].notna()
    train = np.append(
        np.flatnonzero(labeled & (frame["corpus"] == "b")),
        np.flatnonzero(~labeled & frame["corpus"].isin(["b", "c"])),
    )
    y = (
        frame["emotion"]
        .astype(object)
        .where(frame["emotion"].notna(), -1 if sentinel == -1 else None)
    )
    fitted = net.fit(X[train], y.to_numpy(object)[train], aux=frame[["site"]].iloc[train])
    tested = np.flatnonzero(frame["emotion"].notna() & (frame["corpus"] == "a"))
    part = result.predictions[result.predictions["corpus"] == "a"]
    assert part["row"].tolist() == tested.tolist()
    assert part["y_true"].tolist() == frame["emotion"][tested].astype(type(labels[0])).tolist()
    expected = fitted.predict_proba(X[tested])
    np.testing.assert_allclose(part[[f"p_{label}" for label in labels]], expected, atol=1e-6)


def test_minus_one_in_the_frame_is_a_sentinel_value(half_labeled, seen):
    frame, X = half_labeled
    frame["emotion"] = frame["emotion"].map({"anger": 1, "sadness": 2}).fillna(-1).astype(int)
    result = cross_corpus_validate({"spy": Spy(unlabeled=-1)}, frame, X=X, aux=())
    assert result.labels == [1, 2]
    assert [sum(label == -1 for label in trained.values()) for trained in seen] == [12, 12]
    assert all(type(label) is not float for trained in seen for label in trained.values())


def test_a_search_with_unlabeled_samples(feature_table):
    frame, X = feature_table
    hidden = frame.assign(emotion=frame["emotion"].where(frame.index % 3 > 0, None))
    net = MTLNeuralClassifier(
        tasks=None, unlabeled="nan", pseudo_labels=PseudoLabels(max_rounds=1), max_epochs=3
    )
    search = GridSearchCV(
        make_pipeline(StandardScaler(), net),
        {"mtlneuralclassifier__optimization__weight_decay": [0.0, 0.1]},
        cv=SemiSupervisedSplit(SpeakerKFold(2)),
        scoring="accuracy",
    )
    result = cross_corpus_validate({"net": search, "svm": LinearSVC()}, hidden, X=X, aux=())
    assert result.info["unlabeled"] == {"net": [48, 48]}
    assert result.dropped["rows"].sum() == 72
    assert not result.predictions["failed"].any()
    assert len(result.predictions) == 2 * 144


def test_two_sentinel_values_in_one_estimator_are_an_error(half_labeled):
    frame, X = half_labeled
    both = make_pipeline(Spy(unlabeled=-1), Spy(unlabeled="nan"))
    said = (
        r"^Parts of the estimator have different sentinel values of unlabeled samples: "
        r"\{'spy-1__unlabeled': -1, 'spy-2__unlabeled': 'nan'\}\. "
        r"Set all of them to the same value\.$"
    )
    with pytest.raises(ValueError, match=said):
        cross_corpus_validate({"two": both}, frame, X=X, aux=())


@pytest.fixture(scope="module")
def half_labeled_speech():
    """Speech of six speakers, two of them unlabeled."""
    frame = make_speech_corpus(n_speakers=6, n_utterances=1, random_state=0).frame
    hidden = frame["speaker"].isin(sorted(frame["speaker"].unique())[:2])
    return frame.assign(emotion=frame["emotion"].where(~hidden, None))


def test_failed_audio_of_an_unlabeled_sample_is_no_miss(half_labeled_speech):
    frame = half_labeled_speech.copy()
    untested, tested = (frame.index[frame["emotion"].isna() == empty][3] for empty in (True, False))
    for row in (untested, tested):
        frame.at[row, "file"] = np.zeros(8000, np.float32)
    model = make_pipeline(
        MFCC(on_error="warn"),
        FunctionalsPooling(),
        StandardScaler(),
        MTLNeuralClassifier(tasks=None, unlabeled="nan", max_epochs=2, random_state=0),
    )
    with (
        pytest.warns(AudioWarning, match="^2 of ") as caught,
        pytest.warns(EvaluationWarning, match=f"^1 utterances .*misses: row {tested}: "),
    ):
        result = cross_corpus_validate(model, frame, aux=(), protocol="aggregated", n_splits=2)
    assert caught[0].filename == __file__
    assert sorted(result.failures["row"]) == sorted([tested, untested])
    shown = [line for line in result.remarks() if "silence" in line]
    assert shown == [
        f"  row {tested}: digital silence: every sample is 0, so no features "
        "can be computed; leave the utterance out"
    ]
    assert sorted(result.predictions["row"]) == frame.index[frame["emotion"].notna()].tolist()


def test_mtl_aug_from_audio(half_labeled_speech):
    frame = half_labeled_speech
    model = make_mtl_aug(MFCC(), speed=(), encoder="frame_dnn", max_epochs=2, random_state=0)
    result = cross_corpus_validate({"net": model}, frame, aux=(), protocol="aggregated", n_splits=2)
    n_rows = int(frame["emotion"].isna().sum())
    assert result.info["unlabeled"] == {"net": [n_rows, n_rows]}
    assert len(result.predictions) == len(frame) - n_rows


def test_a_search_scored_by_accuracy_with_numbered_classes(half_labeled, small_net):
    frame, _ = half_labeled
    frame["emotion"] = frame["emotion"].map({"anger": 0, "sadness": 1})
    X = np.random.default_rng(0).normal(size=(len(frame), 2))
    search = GridSearchCV(
        small_net("nan"), {"max_epochs": [1, 2]}, cv=SemiSupervisedSplit(2), scoring="accuracy"
    )
    model = fit_model(search, frame, X=X, aux=())
    assert np.isfinite(model.cv_results_["mean_test_score"]).all()
    result = cross_corpus_validate({"net": search}, frame, X=X, aux=())
    assert set(result.predictions["y_pred"]) <= {0, 1}
    assert set(result.predictions["y_true"]) == {0, 1}


def test_booleans_stay_booleans(half_labeled, small_net):
    frame, _ = half_labeled
    frame["emotion"] = frame["emotion"].map({"anger": True, "sadness": False}).astype("boolean")
    X = np.random.default_rng(0).normal(size=(len(frame), 2))
    for sentinel in (-1, "nan"):
        assert fit_model(small_net(sentinel), frame, X=X, aux=()).classes_.tolist() == [False, True]


def test_folds_do_not_depend_on_semi_supervised_estimators(half_labeled):
    frame, X = half_labeled
    frame["recording"] = [f"r{row}" for row in frame.index]
    frame.loc[[2, 5], "recording"] = "shared"  # of a0 and a1, both unlabeled
    data = {"frame": frame, "X": X, "aux": (), "protocol": "within-corpus", "n_splits": 3}
    alone = cross_corpus_validate({"svm": Spy()}, **data).predictions
    both = cross_corpus_validate({"svm": Spy(), "net": Spy(unlabeled="nan")}, **data).predictions
    of_svm = both[both["estimator"] == "svm"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_svm, alone)
    folds = alone.groupby("speaker")["fold"].first()
    assert folds["a0"] == folds["a1"]


def test_unused_audio_is_not_read(half_labeled_speech, small_net):
    frame = half_labeled_speech.copy()
    frame.at[frame.index[frame["emotion"].isna()][0], "file"] = np.zeros(8000, np.float32)
    pipelines = {
        "svm": make_pipeline(MFCC(), FunctionalsPooling(), LinearSVC(C=0.01)),
        "net": make_pipeline(
            MFCC(on_error="ignore"), FunctionalsPooling(), StandardScaler(), small_net("nan")
        ),
    }
    result = cross_corpus_validate(pipelines, frame, aux=(), protocol="aggregated", n_splits=2)
    n_rows = int(frame["emotion"].isna().sum())
    assert result.info["unlabeled"] == {"net": [n_rows - 1, n_rows - 1]}
    assert f"not tested, {n_rows} rows outside the label set" in result.remarks()[0]


def test_a_speaker_of_an_unlabeled_corpus_and_of_another_is_an_error(half_labeled):
    frame, X = half_labeled
    frame.loc[frame["speaker"] == "c1", "speaker"] = "a1"
    with pytest.raises(MetadataError, match=r"^speaker 'a1' is in two corpora"):
        cross_corpus_validate({"spy": Spy(unlabeled="nan")}, frame, X=X, aux=())


def test_fit_model_uses_unlabeled_samples(half_labeled, seen):
    frame, X = half_labeled
    fit_model(Spy(unlabeled="nan"), frame, X=X, aux=())
    fit_model(Spy(), frame, X=X, aux=())
    assert [len(trained) for trained in seen] == [27, 12]
    assert unlabeled_of(frame, seen[0]) == frame.index[frame["emotion"].isna()].tolist()
