"""Importance of groups of features, and errors with high confidence."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import (
    AugmentingClassifier,
    FunctionalsPooling,
    GroupScaler,
    LogMelSpectrogram,
    OpenSmileExtractor,
    SkipFailedRows,
    SpeakerKFold,
    make_speech_corpus,
    uar_scorer,
)
from sklearn_ser.augmentation import AddNoise
from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.exceptions import EvaluationWarning, MetadataError, TrainingWarning
from sklearn_ser.inspection import (
    GroupImportanceDisplay,
    confident_errors,
    feature_groups,
    grouped_permutation_importance,
)


class Threshold(LogisticRegression):
    """Predicts anger if the loudness is above the mean of the voice, which the mfcc contains."""

    def fit(self, X, y=None):
        self.classes_ = np.array(["anger", "sadness"], dtype=object)
        return self

    def predict(self, X):
        X = pd.DataFrame(np.asarray(X)[:, :3])
        return np.where(X[0] + X[1] > 2 * X[2], "anger", "sadness").astype(object)


def voices(n_speakers=10, rows=30, seed=0):
    """Return two equal loudness columns whose mean depends on the speaker, and that mean."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat([f"s{i:02d}" for i in range(n_speakers)], rows)
    mean = np.repeat(3 * rng.normal(size=n_speakers), rows)
    louder = rng.normal(size=len(speaker))
    X = pd.DataFrame(
        {
            "loudness_sma3_amean": mean + louder,
            "loudness_sma3_percentile50.0": mean + louder,
            "mfcc1_sma3_amean": mean,
            "jitterLocal_sma3nz_amean": rng.normal(size=len(speaker)),
        }
    )
    y = np.where(louder > 0, "anger", "sadness").astype(object)
    return X, y, speaker


def importance(X, y, **kwargs):
    return grouped_permutation_importance(Threshold().fit(X), X, y, random_state=0, **kwargs)


# ----------------------------------------------------------------------------- permutation by group


def test_groups_are_permuted_within_speakers():
    X, y, speaker = voices()
    table = importance(X, y, speaker=speaker)
    assert list(table.index[:1]) == ["prosody"]
    assert table.loc["prosody", "importance"] == pytest.approx(0.5, abs=0.1)
    assert table.loc["spectrum", "importance"] == 0  # it is constant within a speaker
    assert table.loc["voice quality", ["importance", "low", "high", "std"]].tolist() == [0] * 4
    assert table["n_features"].to_dict() == {"prosody": 2, "spectrum": 1, "voice quality": 1}
    assert table.attrs["score"] == 1.0
    across = importance(X, y, speaker=speaker, across_speakers=True)
    assert across.loc["spectrum", "importance"] > 0.2  # the speaker matters then


def test_the_interval_is_over_speakers():
    """With equally many rows of each, the jackknife of accuracy is a t interval over speakers."""
    X, y, speaker = voices(n_speakers=12)
    y[speaker == "s03"] = "anger"  # a speaker for whom the model is wrong
    table = importance(X, y, speaker=speaker, scoring="accuracy")
    decreases = np.array(list(table.attrs["speakers"]["prosody"].values()))
    row = table.loc["prosody"]
    assert decreases.mean() == pytest.approx(row["importance"])
    half = stats.t.ppf(0.975, 11) * decreases.std(ddof=1) / np.sqrt(12)
    assert half > 0
    interval = [decreases.mean() - half, decreases.mean() + half]
    assert [row["low"], row["high"]] == pytest.approx(interval)


def test_few_speakers_have_no_interval():
    X, y, speaker = voices(n_speakers=7)
    table = importance(X, y, speaker=speaker, n_repeats=2)
    assert table[["low", "high"]].isna().all(axis=None)
    assert list(table.attrs["speakers"]["prosody"]) == sorted(set(speaker))
    assert table.attrs["n_speakers"] == 7


def test_one_column_over_all_rows_is_scikit_learns_importance():
    X, y, _ = voices(rows=40)
    columns, X = list(X.columns), X.to_numpy()
    model = LogisticRegression().fit(X, y)
    ours = grouped_permutation_importance(
        model,
        X,
        y,
        {name: [position] for position, name in enumerate(columns)},
        across_speakers=True,
        scoring="neg_log_loss",
        n_repeats=20,
        random_state=0,
    )
    theirs = permutation_importance(
        model, X, y, scoring="neg_log_loss", n_repeats=20, random_state=1
    )
    for name, mean in zip(columns, theirs.importances_mean, strict=True):
        assert ours.loc[name, "importance"] == pytest.approx(mean, rel=0.1, abs=0.01)
    assert ours.attrs["n_speakers"] == 0


def test_results_are_reproducible_and_inputs_unchanged():
    X, y, speaker = voices()
    X.index = pd.Index(speaker, name="speaker")
    before = X.copy()
    first, again = importance(X, y), importance(X, y)
    pd.testing.assert_frame_equal(first, again)
    pd.testing.assert_frame_equal(X, before)
    other = grouped_permutation_importance(Threshold().fit(X), X, y, random_state=1)
    assert first.loc["prosody", "importance"] != other.loc["prosody", "importance"]


def test_failed_rows_and_ids_are_left_out():
    X, y, speaker = voices()
    whole = importance(X, y, speaker=speaker)
    failed = pd.concat([X, pd.DataFrame(np.nan, index=[0], columns=X.columns)], ignore_index=True)
    failed["speaker"] = [*speaker, "s00"]
    pd.testing.assert_frame_equal(importance(failed, [*y, "anger"]), whole)


@pytest.fixture(scope="module")
def speech():
    corpus = make_speech_corpus(n_speakers=4, n_utterances=1, random_state=0)
    return corpus.frame[["file", "corpus", "speaker"]], corpus.frame["emotion"].to_numpy()


def test_the_output_of_the_audio_steps_of_a_pipeline_is_permuted(speech, tmp_path):
    X, y = speech
    X = pd.concat([X, X.iloc[:1].assign(file="nowhere.wav")], ignore_index=True)
    y = np.append(y, y[0])
    step = OpenSmileExtractor("eGeMAPSv02", on_error="ignore", store=tmp_path)
    svm = SkipFailedRows(make_pipeline(GroupScaler(by="speaker"), LinearSVC(C=0.01)))
    with pytest.warns(TrainingWarning, match="1 of 17 rows of X are entirely NaN"):
        model = make_pipeline(step, svm).fit(X, y)
    table = grouped_permutation_importance(model, X, y, n_repeats=3, random_state=0)
    features = step.transform(X)
    expected = grouped_permutation_importance(model[-1], features, y, n_repeats=3, random_state=0)
    pd.testing.assert_frame_equal(table, expected)
    assert set(table.index) == {"prosody", "spectrum", "voice quality"}
    assert table["importance"].max() > 0


def test_statistics_of_frames_within_a_search_and_an_augmenter(speech):
    X, y = speech
    pooled = make_pipeline(
        LogMelSpectrogram(n_mels=8), FunctionalsPooling(("mean", "std")), LinearSVC(C=1e-4)
    )
    search = GridSearchCV(
        pooled, {"linearsvc__C": [1e-4]}, cv=SpeakerKFold(2), scoring=uar_scorer
    ).fit(X, y)
    table = grouped_permutation_importance(search, X, y, "details", n_repeats=2, random_state=0)
    assert table["n_features"].to_dict() == {"spectrum: bands": 16}
    augmented = AugmentingClassifier(pooled, [AddNoise(random_state=0)]).fit(X, y)
    table = grouped_permutation_importance(augmented, X, y, n_repeats=2, random_state=0)
    assert table["n_features"].to_dict() == {"spectrum": 16}


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({}, MetadataError, "(speaker=) needs 'speaker' for each row"),
        (
            {"speaker": [None, *["a"] * 299]},
            MetadataError,
            "The speaker is missing (None or NaN) in 1 of 300 rows, first in row 0",
        ),
        (
            {"speaker": np.arange(300)},
            ValueError,
            "None of the 300 speakers has two rows, so nothing can be permuted within speakers",
        ),
        (
            {"groups_of_features": {"pitch": ["f0"]}, "across_speakers": True},
            ValueError,
            "Group 'pitch' has the unknown columns ['f0']; the features are ['loudness_sma3_ame",
        ),
        (
            {"groups_of_features": {"pitch": []}, "across_speakers": True},
            ValueError,
            "Group 'pitch' has no columns; the features are ",
        ),
        (
            {"groups_of_features": "pitch", "across_speakers": True},
            ValueError,
            "groups_of_features must be 'groups', 'details' or a dict, got 'pitch'",
        ),
        ({"n_repeats": 0}, ValueError, "n_repeats must be an integer of at least 1, got 0"),
    ],
)
def test_errors_of_importance(kwargs, error, text):
    X, y, _ = voices()
    with pytest.raises(error, match=re.escape(text)):
        importance(X, y, **kwargs)


def test_errors_of_unknown_columns_and_frames(speech):
    X, y, speaker = voices()
    with pytest.raises(ValueError, match="No column has the name of a known acoustic feature"):
        importance(X.set_axis(list("abcd"), axis=1), y, speaker=speaker)
    frames = [np.zeros((3, 2))] * 300
    with pytest.raises(ValueError, match="takes frame sequences, which have no columns"):
        grouped_permutation_importance(Threshold().fit(X), frames, y, speaker=speaker)
    with pytest.raises(NotFittedError):
        grouped_permutation_importance(LogisticRegression(), X, y, speaker=speaker)


def test_warning_about_speakers_with_one_row():
    X, y, speaker = voices()
    speaker[0] = "alone"
    with pytest.warns(EvaluationWarning, match="1 of 11 speakers have only one row"):
        importance(X, y, speaker=speaker, n_repeats=1)


# ------------------------------------------------------------------------------- names of features


@pytest.mark.parametrize("name", ["eGeMAPSv02", "ComParE_2016", "IS10", "emobase"])
def test_all_names_of_opensmile_are_known(name):
    names = OpenSmileExtractor(name).get_feature_names_out()
    groups = feature_groups(names)
    assert set(groups) == {"prosody", "spectrum", "voice quality"}
    assert sorted(columns for group in groups.values() for columns in group) == sorted(names)
    united = feature_groups([f"opensmileextractor__{name}" for name in names])
    assert {group: len(columns) for group, columns in united.items()} == {
        group: len(columns) for group, columns in groups.items()
    }


def test_groups_of_egemaps_in_detail():
    names = OpenSmileExtractor("eGeMAPSv02").get_feature_names_out()
    counts = {group: len(columns) for group, columns in feature_groups(names, detail=True).items()}
    assert counts == {
        "prosody: pitch": 10,
        "prosody: loudness": 11,
        "prosody: rhythm": 6,
        "voice quality: periodicity": 6,
        "voice quality: glottal pulse": 4,
        "spectrum: formants": 18,
        "spectrum: balance": 12,
        "spectrum: shape": 5,
        "spectrum: cepstrum": 16,
    }


def test_statistics_of_this_packages_frames_are_known():
    groups = feature_groups(
        ["f0_voiced_mean", "energy_mean", "voiced_fraction", "f0_confidence_mean", "mfcc_01_std"],
        detail=True,
    )
    assert groups == {
        "prosody: pitch": ["f0_voiced_mean"],
        "prosody: loudness": ["energy_mean"],
        "prosody: rhythm": ["voiced_fraction"],
        "voice quality: periodicity": ["f0_confidence_mean"],
        "spectrum: cepstrum": ["mfcc_01_std"],
    }


# ----------------------------------------------------------------------------------------- display


@pytest.mark.parametrize(("n_speakers", "kind"), [(10, "intervals_"), (5, "speakers_")])
def test_bars_with_intervals_or_speakers(n_speakers, kind):
    X, y, speaker = voices(n_speakers=n_speakers)
    table = importance(X, y, speaker=speaker, n_repeats=2)
    ax = Figure(layout="constrained").subplots()
    display = GroupImportanceDisplay.from_table(table, ax=ax)
    assert display.ax_ is ax
    assert [bar.get_width() for bar in display.bars_] == table["importance"].tolist()
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [f"{group} ({n})" for group, n in table["n_features"].items()]
    drawn = {name: getattr(display, name) for name in ("intervals_", "speakers_")}
    assert set(drawn.pop(kind)) == set(table.index)
    assert list(drawn.values()) == [{}]
    assert "within speakers" in ax.get_xlabel().replace("\n", " ")


# -------------------------------------------------------------------------------- confident errors


@pytest.fixture
def evaluated():
    """Probabilities of three emotions by two seeds that disagree; one row has no usable audio."""
    labels = ["anger", "fear", "sadness"]
    y_true = ["anger", "anger", "anger", "anger", "fear", "sadness"]
    first = [[0.1, 0.8, 0.1], [0.4, 0.5, 0.1], [0.9, 0.1, 0.0], [np.nan] * 3, [0.0, 1.0, 0.0]]
    second = [[0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [np.nan] * 3, [1.0, 0.0, 0.0]]
    tables = []
    for seed, proba in enumerate((first, second)):
        table = pd.DataFrame([*proba, [0.3, 0.6, 0.1]], columns=[f"p_{name}" for name in labels])
        tables.append(
            table.assign(
                estimator="net",
                setting="single",
                seed=seed,
                fold="",
                train="",
                row=[2, 3, 4, 5, 6, 7],
                corpus="a",
                speaker=["a/1", "a/1", "a/2", "a/2", "a/3", "a/3"],
                y_true=y_true,
                y_pred="anger",
                failed=[False, False, False, True, False, False],
            )
        )
    result = EvaluationResult(pd.concat(tables), labels=labels, protocol="within-corpus")
    frame = pd.DataFrame({"file": [f"{i}.wav" for i in range(9)], "corpus": "a", "extra": 1})
    return result, frame


def test_errors_of_the_mean_probabilities_by_descending_confidence(evaluated):
    result, frame = evaluated
    table = confident_errors(result, "net", frame)
    # Rows 3 and 4 are correct on average; row 6 is a tie, for which the first emotion is predicted.
    assert table["row"].tolist() == [2, 6, 7]
    assert table["y_true"].tolist() == ["anger", "fear", "sadness"]
    assert table["y_pred"].tolist() == ["fear", "anger", "fear"]
    assert table["confidence"].tolist() == pytest.approx([0.75, 0.5, 0.6])
    assert table["p_true"].tolist() == pytest.approx([0.15, 0.5, 0.1])
    assert table["file"].tolist() == ["2.wav", "6.wav", "7.wav"]
    assert "extra" not in table
    assert "file" not in confident_errors(result, "net")


def test_n_errors_of_each_emotion(evaluated):
    result, _ = evaluated
    worse = result.predictions.assign(p_anger=0.1, p_fear=0.2, p_sadness=0.7)
    worse.loc[worse["row"] == 5, ["p_anger", "p_fear", "p_sadness"]] = [0.05, 0.05, 0.9]
    table = confident_errors(
        EvaluationResult(worse, labels=result.labels, protocol="within-corpus"), "net", n=2
    )
    assert table["y_true"].tolist() == ["anger", "anger", "fear"]
    assert table["row"].tolist()[0] == 5
    assert table["confidence"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda frame: {"frame": frame[:5]}, "frame has 5 rows, but row 7 was evaluated"),
        (
            lambda frame: {"frame": frame.assign(corpus="b")},
            "frame is not the table that was evaluated: its row 2 has the corpus 'b', but 'a' was",
        ),
        (lambda frame: {"n": 0}, "n must be an integer of at least 1, got 0"),
        (lambda frame: {"setting": "transductive"}, "'net' has the settings ['single'], not"),
    ],
)
def test_errors_of_confident_errors(evaluated, change, text):
    result, frame = evaluated
    with pytest.raises(ValueError, match=re.escape(text)):
        confident_errors(result, "net", **change(frame))


def test_an_estimator_without_probabilities_has_no_confident_errors(evaluated):
    result, _ = evaluated
    plain = result.predictions.drop(columns=["p_anger", "p_fear", "p_sadness"])
    result = EvaluationResult(plain, labels=result.labels, protocol="within-corpus")
    with pytest.raises(ValueError, match="The estimator 'net' has no probabilities"):
        confident_errors(result, "net")


def test_error_without_any_group():
    X = pd.DataFrame({"a": [0.0, 1.0, 0.0, 1.0]})
    model = LogisticRegression().fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="groups_of_features is empty"):
        grouped_permutation_importance(model, X, [0, 1, 0, 1], {}, across_speakers=True)
