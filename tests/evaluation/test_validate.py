import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import sklearn_ser.evaluation._validate as validate_module
from sklearn_ser import GroupScaler, MTLNeuralClassifier, SpeakerKFold, cross_corpus_validate
from sklearn_ser.exceptions import EvaluationWarning, MetadataError

SVM = make_pipeline(GroupScaler(by="corpus"), LinearSVC(C=0.01))
GLOBAL_SVM = make_pipeline(StandardScaler(), LinearSVC(C=0.01))


def net(**params):
    settings = {"max_epochs": 8, "hidden_units": (16,), "random_state": 0} | params
    return make_pipeline(GroupScaler(by="corpus"), MTLNeuralClassifier(**settings))


def test_svm_and_nets_in_one_call(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(
        {"svm": SVM, "single": net(tasks=None), "multi": net()}, frame, X=X, seeds=[0, 1]
    )
    scores = result.scores()
    assert set(scores["estimator"]) == {"svm", "single", "multi"}
    assert set(scores["setting"]) == {"single", "transductive"}
    assert list(result.summary().columns) == ["a", "b", "c", "mean", "pooled"]
    # The corpus offset is larger than the emotions: scaling per corpus must undo it.
    assert result.summary().loc[("svm", "transductive"), "mean"] > 0.7
    # Naturalness does not vary in the fold that leaves out corpus c, and this is told.
    notes = result.notes[result.notes["estimator"] == "multi"]
    assert notes["note"].str.contains("naturalness").any()


def test_predictions_equal_a_fit_by_hand(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(GLOBAL_SVM, frame, X=X, aux=())
    corpus = frame["corpus"].to_numpy()
    for name in "abc":
        train, test = corpus != name, corpus == name
        scaler = StandardScaler().fit(X[train])
        svm = LinearSVC(C=0.01, random_state=0).fit(
            scaler.transform(X[train]), frame["emotion"][train]
        )
        expected = svm.predict(scaler.transform(X[test]))
        part = result.predictions[result.predictions["corpus"] == name]
        assert (part["prediction"].to_numpy() == expected).all()
        uar = recall_score(frame["emotion"][test], expected, average="macro")
        assert result.summary()[name].iloc[0] == pytest.approx(uar)


def test_setting_is_single_where_the_batch_does_not_matter(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(GLOBAL_SVM, frame, X=X, aux=())
    assert set(result.predictions["setting"]) == {"single"}


def test_single_setting_equals_predicting_row_by_row(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(SVM, frame, X=X, aux=())
    ids = pd.MultiIndex.from_frame(frame[["corpus", "speaker"]])
    table = X.set_axis(ids, axis=0)
    train = (frame["corpus"] != "c").to_numpy()
    model = make_pipeline(GroupScaler(by="corpus"), LinearSVC(C=0.01, random_state=0))
    model.fit(table[train], frame["emotion"][train])
    alone = [model.predict(table[~train].iloc[[i]])[0] for i in range((~train).sum())]
    part = result.predictions.query("corpus == 'c' and setting == 'single'")
    assert part["prediction"].tolist() == alone


class Sees(ClassifierMixin, BaseEstimator):
    """Records what it is given, to show what an estimator can and cannot see."""

    __metadata_request__fit = {"aux": True, "speaker": True}
    seen = []

    def fit(self, X, y, aux=None, speaker=None):
        type(self).seen.append((X.copy(), np.array(y), aux.copy(), np.array(speaker)))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        type(self).seen.append((X.copy(), None, None, None))
        return np.repeat(self.classes_[0], len(X))


def test_no_target_and_no_test_row_reaches_fit_or_predict(feature_table):
    frame, X = feature_table
    Sees.seen.clear()
    cross_corpus_validate(Sees(), frame, X=X, aux=("gender",), protocol="aggregated")
    fits = [seen for seen in Sees.seen if seen[1] is not None]
    assert len(fits) == 5
    for table, _, aux, speaker in fits:
        assert list(table.columns) == list(X.columns)
        assert set(table.index.names) == {"corpus", "speaker"}
        assert list(aux.columns) == ["gender"]
        assert (table.index.get_level_values("speaker") == speaker).all()
    for (train, *_), (test, *_) in zip(Sees.seen[::2], Sees.seen[1::2], strict=True):
        speakers = [set(part.index.get_level_values("speaker")) for part in (train, test)]
        assert not speakers[0] & speakers[1]
        assert list(test.columns) == list(X.columns)


def test_audio_and_id_columns_are_the_default_X(feature_table):
    frame, _ = feature_table
    Sees.seen.clear()
    cross_corpus_validate(Sees(), frame.assign(file="x.wav"), aux=("gender",))
    assert list(Sees.seen[0][0].columns) == ["file", "corpus", "speaker"]


def test_inner_search_gets_its_speakers(feature_table):
    frame, X = feature_table
    search = GridSearchCV(SVM, {"linearsvc__C": [0.01, 0.1]}, cv=SpeakerKFold(3))
    result = cross_corpus_validate(search, frame, X=X, aux=())
    assert result.summary().loc[("GridSearchCV", "transductive"), "mean"] > 0.7


def test_rows_outside_the_labels_are_dropped_and_counted(feature_table):
    frame, X = feature_table
    frame = frame.copy()
    frame.loc[frame["corpus"].eq("a") & frame["emotion"].eq("sadness"), "emotion"] = "calm"
    frame.loc[0, "emotion"] = None
    result = cross_corpus_validate(GLOBAL_SVM, frame, X=X, aux=())
    assert result.labels == ["anger", "neutral"]
    dropped = result.dropped.set_index(["corpus", "label", "reason"])["rows"]
    assert dropped["a", "calm", "not in the label set"] == 24
    assert dropped["b", "sadness", "not in the label set"] == 24
    assert dropped["a", "", "no label"] == 1
    assert set(result.predictions["truth"]) == {"anger", "neutral"}
    assert 0 not in set(result.predictions["row"])


def test_failed_rows_are_misses(feature_table):
    frame, X = feature_table
    X = X.copy()
    X.iloc[[0, 5, 100]] = np.nan
    with pytest.warns(EvaluationWarning, match=r"3 utterances had no usable audio .*rows \[0, 5,"):
        result = cross_corpus_validate(GLOBAL_SVM, frame, X=X, aux=())
    failed = result.predictions[result.predictions["failed"]]
    assert sorted(failed["row"]) == [0, 5, 100]
    assert failed["prediction"].isna().all()
    assert len(result.predictions) == len(frame)
    assert result.scores()["failed"].sum() == 3
    assert "none" in result.confusion("Pipeline", normalise=False).columns


def test_resume_runs_only_what_is_missing(feature_table, tmp_path, monkeypatch):
    frame, X = feature_table
    first = cross_corpus_validate({"svm": SVM}, frame, X=X, aux=(), out=tmp_path)
    ran = []
    run_fold = validate_module.run_fold

    def counted(*args, **kwargs):
        ran.append(args)
        return run_fold(*args, **kwargs)

    monkeypatch.setattr(validate_module, "run_fold", counted)
    again = cross_corpus_validate({"svm": SVM}, frame, X=X, aux=(), out=tmp_path)
    assert not ran
    pd.testing.assert_frame_equal(first.predictions, again.predictions, check_dtype=False)
    next((tmp_path / "folds").iterdir()).unlink()
    cross_corpus_validate({"svm": SVM}, frame, X=X, aux=(), out=tmp_path)
    assert len(ran) == 1


@pytest.mark.parametrize("change", ["parameter", "feature", "label", "order"])
def test_changed_input_does_not_reuse_a_fold(feature_table, tmp_path, monkeypatch, change):
    frame, X = feature_table
    frame, X, svm = frame.copy(), X.copy(), SVM
    cross_corpus_validate({"svm": svm}, frame, X=X, aux=(), out=tmp_path)
    if change == "parameter":
        svm = make_pipeline(GroupScaler(by="corpus"), LinearSVC(C=0.02))
    elif change == "feature":
        X.iloc[7, 0] += 1e-3
    elif change == "label":
        frame.loc[0, "emotion"] = "neutral"
    else:
        order = np.random.default_rng(0).permutation(len(X))
        frame, X = frame.iloc[order].reset_index(drop=True), X.iloc[order].reset_index(drop=True)
    ran = []
    run_fold = validate_module.run_fold
    monkeypatch.setattr(
        validate_module, "run_fold", lambda *args: ran.append(args) or run_fold(*args)
    )
    cross_corpus_validate({"svm": svm}, frame, X=X, aux=(), out=tmp_path)
    assert len(ran) == 3


@pytest.mark.slow
def test_n_jobs_changes_nothing(feature_table):
    frame, X = feature_table
    settings = {"X": X, "aux": ("gender",), "seeds": [0, 1]}
    one = cross_corpus_validate({"net": net()}, frame, **settings)
    two = cross_corpus_validate({"net": net()}, frame, n_jobs=2, **settings)
    pd.testing.assert_frame_equal(one.predictions, two.predictions)


def test_probabilities(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(LogisticRegression(), frame, X=X, aux=())
    columns = ["p_anger", "p_neutral", "p_sadness"]
    np.testing.assert_allclose(result.predictions[columns].sum(axis=1), 1, rtol=1e-6)
    best = result.predictions[columns].idxmax(axis=1).str.removeprefix("p_")
    assert (best == result.predictions["prediction"]).all()


def test_chance_is_chance(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(DummyClassifier(strategy="prior"), frame, X=X, aux=())
    assert result.summary()["mean"].iloc[0] == pytest.approx(1 / 3)


class Breaks(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of luck")


def test_an_error_says_where_it_happened(feature_table):
    frame, X = feature_table
    with pytest.raises(RuntimeError, match="out of luck") as caught:
        cross_corpus_validate({"bad": Breaks()}, frame, X=X, aux=())
    assert caught.value.__notes__ == ["(while evaluating 'bad', fold 'a', seed 0)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": "emo"}, r"frame lacks columns that were asked for: y=\['emo'\]"),
        ({"aux": ("age",)}, r"aux=\['age'\].*leave auxiliary targets out with aux=\(\)"),
        ({"X": None}, "frame has no audio column 'file'"),
        ({"X": np.zeros((3, 2))}, "X has 3 rows and frame has 216"),
        ({"X": np.zeros((216, 2, 2))}, r"array of shape \(216, 2, 2\)"),
        ({"labels": ["anger", "joy"]}, r"labels \['joy'\] occur in no row"),
        ({"labels": ["anger"]}, r"only 1 label\(s\) to tell apart"),
    ],
)
def test_bad_arguments(feature_table, arguments, message):
    frame, X = feature_table
    with pytest.raises(MetadataError, match=message):
        cross_corpus_validate(GLOBAL_SVM, frame, **({"X": X, "aux": ()} | arguments))


def test_missing_speaker_is_refused(feature_table):
    frame, X = feature_table
    frame = frame.copy()
    frame.loc[4, "speaker"] = None
    with pytest.raises(MetadataError, match=r"'speaker' has no value in 1 rows \(first: row 4\)"):
        cross_corpus_validate(GLOBAL_SVM, frame, X=X)


def test_two_estimators_of_one_name(feature_table):
    frame, X = feature_table
    with pytest.raises(ValueError, match="estimators need names, each once"):
        cross_corpus_validate([("a", SVM), ("a", SVM)], frame, X=X)
