import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklearn_ser import (
    GroupScaler,
    MTLNeuralClassifier,
    SpeakerKFold,
    cross_corpus_validate,
    make_svm_baseline,
)
from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.evaluation._run_fold import is_random, library_versions, with_seed
from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.model_selection import SemiSupervisedSplit

SVM = make_pipeline(GroupScaler(by="corpus"), LinearSVC(C=0.01))
GLOBAL_SVM = make_pipeline(StandardScaler(), LinearSVC(C=0.01))


def net(**params):
    settings = {"max_epochs": 8, "hidden_units": (16,), "random_state": 0} | params
    return make_pipeline(GroupScaler(by="corpus"), MTLNeuralClassifier().set_params(**settings))


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
    # Naturalness does not vary in the fold that leaves out corpus c, which is noted.
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
        assert (part["y_pred"].to_numpy() == expected).all()
        uar = recall_score(frame["emotion"][test], expected, average="macro")
        assert result.summary()[name].iloc[0] == pytest.approx(uar)


def test_setting_is_single_if_the_batch_does_not_matter(feature_table):
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
    part = result.predictions.query("corpus == 'c'").groupby("setting")["y_pred"]
    assert part.get_group("single").tolist() == alone
    assert part.get_group("transductive").tolist() != alone


class Sees(ClassifierMixin, BaseEstimator):
    """Records its input."""

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
    cross_corpus_validate(
        Sees(), frame.assign(file=[f"{row}.wav" for row in range(216)]), aux=("gender",)
    )
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
    for corpus in ("a", "b"):  # blank labels are missing, and no class that both corpora have
        rows = frame.index[frame["corpus"].eq(corpus) & frame["emotion"].eq("anger")]
        frame.loc[rows[-2:], "emotion"] = ["", " "]
    result = cross_corpus_validate(GLOBAL_SVM, frame, X=X, aux=())
    assert result.labels == ["anger", "neutral"]
    dropped = result.dropped.set_index(["corpus", "label", "reason"])["rows"]
    assert dropped["a", "calm", "not in the label set"] == 24
    assert dropped["b", "sadness", "not in the label set"] == 24
    assert dropped["a", "", "unlabeled"] == 3
    assert set(result.predictions["y_true"]) == {"anger", "neutral"}
    assert 0 not in set(result.predictions["row"])


def test_failed_rows_are_misses(feature_table):
    frame, X = feature_table
    X = X.copy()
    X.iloc[[0, 5, 100]] = np.nan
    with pytest.warns(
        EvaluationWarning, match=r"3 utterances had no usable audio .* misses: rows \[0, 5, 100\]"
    ):
        result = cross_corpus_validate(GLOBAL_SVM, frame, X=X, aux=())
    failed = result.predictions[result.predictions["failed"]]
    assert sorted(failed["row"]) == [0, 5, 100]
    assert failed["y_pred"].isna().all()
    assert len(result.predictions) == len(frame)
    assert result.scores()["failed"].sum() == 3
    assert "none" in result.confusion("Pipeline", normalize=False).columns


class CountedSVC(LinearSVC):
    """Counts its fits."""

    cache_revision = 1
    fits = 0

    def fit(self, X, y):
        type(self).fits += 1
        return super().fit(X, y)


@pytest.fixture
def counted_svm():
    CountedSVC.fits = 0
    return make_pipeline(GroupScaler(by="corpus"), CountedSVC(C=0.01))


def test_resume_runs_only_what_is_missing(feature_table, tmp_path, counted_svm):
    frame, X = feature_table
    first = cross_corpus_validate({"svm": counted_svm}, frame, X=X, aux=(), out=tmp_path)
    again = cross_corpus_validate({"svm": counted_svm}, frame, X=X, aux=(), out=tmp_path)
    assert CountedSVC.fits == 3
    pd.testing.assert_frame_equal(first.predictions, again.predictions, check_dtype=False)
    next((tmp_path / "folds").iterdir()).unlink()
    cross_corpus_validate({"svm": counted_svm}, frame, X=X, aux=(), out=tmp_path)
    assert CountedSVC.fits == 4


def test_folds_of_code_without_a_version_are_not_stored(feature_table, tmp_path):
    frame, X = feature_table
    means = []
    for function in (lambda X: X, lambda X: 0 * X):
        own = make_pipeline(FunctionTransformer(function), LinearSVC(C=0.01))
        with pytest.warns(EvaluationWarning, match=r"folds of 'own' are not stored .*<lambda>"):
            result = cross_corpus_validate(
                {"own": own, "svm": GLOBAL_SVM}, frame, X=X, aux=(), seeds=[0, 1], out=tmp_path
            )
        means.append(result.summary()["mean"].iloc[0])
    assert len(list((tmp_path / "folds").iterdir())) == 6
    assert means[0] > means[1] == pytest.approx(1 / 3)


@pytest.mark.parametrize("change", ["parameter", "feature", "label", "order"])
def test_changed_input_does_not_reuse_a_fold(feature_table, tmp_path, counted_svm, change):
    frame, X = feature_table
    frame, X, svm = frame.copy(), X.copy(), counted_svm
    cross_corpus_validate({"svm": svm}, frame, X=X, aux=(), out=tmp_path)
    if change == "parameter":
        svm = make_pipeline(GroupScaler(by="corpus"), CountedSVC(C=0.02))
    elif change == "feature":
        X.iloc[7, 0] += 1e-3
    elif change == "label":
        frame.loc[0, "emotion"] = "neutral"
    else:
        order = np.random.default_rng(0).permutation(len(X))
        frame, X = frame.iloc[order].reset_index(drop=True), X.iloc[order].reset_index(drop=True)
    cross_corpus_validate({"svm": svm}, frame, X=X, aux=(), out=tmp_path)
    assert CountedSVC.fits == 6


@pytest.mark.slow
def test_n_jobs_changes_nothing(feature_table):
    frame, X = feature_table
    settings = {"X": X, "aux": ("gender",), "seeds": [0]}
    one = cross_corpus_validate({"net": net()}, frame, **settings)
    two = cross_corpus_validate({"net": net()}, frame, n_jobs=2, **settings)
    pd.testing.assert_frame_equal(one.predictions, two.predictions)


def test_probabilities(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(LogisticRegression(), frame, X=X, aux=())
    columns = ["p_anger", "p_neutral", "p_sadness"]
    np.testing.assert_allclose(result.predictions[columns].sum(axis=1), 1, rtol=1e-6)
    best = result.predictions[columns].idxmax(axis=1).str.removeprefix("p_")
    assert (best == result.predictions["y_pred"]).all()
    # A model fitted on two corpora is overconfident on the third, shifted one.
    table = result.predictions
    right, sure = (table["y_true"] == table["y_pred"]), table[columns].max(axis=1)
    assert result.summary("ece")["pooled"].item() >= sure.mean() - right.mean() > 0.1


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
        ({"y": "emo"}, r"frame lacks requested columns: y=\['emo'\]"),
        ({"aux": ("age",)}, r"aux=\['age'\].*leave auxiliary targets out with aux=\(\)"),
        ({"aux": ("emotion",)}, "holds 'emotion', which is the label itself"),
        ({"X": ["gender", "emotion"]}, "X holds the column 'emotion', which is the label itself"),
        ({"X": None}, "frame has no audio column 'file'"),
        ({"X": np.zeros((3, 2))}, "X has 3 rows and frame has 216"),
        ({"X": np.zeros((216, 2, 2, 2))}, r"array of shape \(216, 2, 2, 2\)"),
        ({"labels": ["anger", "joy"]}, r"labels \['joy'\] occur in no row"),
        (
            {"labels": ["anger"]},
            r"found 1 label\(s\) common to the corpora .* expected at least 2: give",
        ),
    ],
)
def test_bad_arguments(feature_table, arguments, message):
    frame, X = feature_table
    with pytest.raises(MetadataError, match=message):
        cross_corpus_validate(GLOBAL_SVM, frame, **({"X": X, "aux": ()} | arguments))


def test_missing_speaker_is_an_error(feature_table):
    frame, X = feature_table
    frame = frame.copy()
    frame.loc[4, "speaker"] = None
    with pytest.raises(MetadataError, match=r"'speaker' has no value in 1 rows \(first: row 4\)"):
        cross_corpus_validate(GLOBAL_SVM, frame, X=X)


def test_two_estimators_of_one_name(feature_table):
    frame, X = feature_table
    with pytest.raises(ValueError, match="estimators must have one or more unique names"):
        cross_corpus_validate([("a", SVM), ("a", SVM)], frame, X=X)


def test_parallel_scaling_inside_does_not_hide_transduction(feature_table):
    frame, X = feature_table
    tables = []
    for n_jobs in (None, 2):
        union = FeatureUnion([("a", GroupScaler(by="corpus")), ("b", GroupScaler())], n_jobs=n_jobs)
        model = make_pipeline(union.set_output(transform="pandas"), LinearSVC(C=0.01, dual=False))
        tables.append(cross_corpus_validate({"union": model}, frame, X=X, aux=()).summary())
    assert len(tables[0]) == 2
    pd.testing.assert_frame_equal(*tables)


def test_both_settings_cover_every_utterance(feature_table):
    """A corpus too small for its own statistics has the same predictions in both settings."""
    frame, X = feature_table
    small = frame.groupby(["corpus", "emotion"]).head(2).query("corpus == 'c'").index
    kept = frame.index[frame["corpus"] != "c"].union(small)
    result = cross_corpus_validate(SVM, frame.loc[kept], X=X.loc[kept], aux=())
    counts = result.predictions.groupby("setting")["row"].nunique()
    assert counts.to_dict() == {"single": len(kept), "transductive": len(kept)}
    alike = result.predictions.query("corpus == 'c'").groupby("row")["y_pred"].nunique()
    assert (alike == 1).all()
    assert result.summary().notna().all(axis=None)


@pytest.mark.parametrize("kind", ["int", "bool"])
def test_labels_may_be_numbers(feature_table, kind):
    frame, X = feature_table
    label = (frame["emotion"] == "anger").astype(kind)
    result = cross_corpus_validate(
        {"svm": SVM, "net": net()}, frame.assign(emotion=label), X=X, aux=()
    )
    assert (result.summary()["mean"] > 0.5).all()
    assert result.labels == [0, 1]


def test_seeds_differ_and_reach_every_part():
    search = GridSearchCV(
        net(), {"mtlneuralclassifier__dropout": [0.1]}, cv=SpeakerKFold(2, shuffle=True)
    )
    seeded = with_seed(search, 7)
    assert seeded.estimator.named_steps["mtlneuralclassifier"].random_state == 7
    assert seeded.cv.random_state == 7
    assert search.cv.random_state is None
    search.set_params(cv=SemiSupervisedSplit(search.cv))
    assert with_seed(search, 7).cv.cv.random_state == 7
    assert search.cv.cv.random_state is None


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (make_svm_baseline(None), False),
        (LinearSVC(dual=False), False),
        (LinearSVC(), True),
        (SVC(), False),
        (LogisticRegression(), False),
        (LogisticRegression(solver="saga"), True),
        (make_pipeline(GroupScaler(), SVC()), False),
        (GridSearchCV(SVC(), {"C": [1]}, cv=SpeakerKFold(2)), False),
        (GridSearchCV(SVC(), {"C": [1]}, cv=SpeakerKFold(2, shuffle=True)), True),
        (GridSearchCV(LogisticRegression(), [{"solver": ["lbfgs", "saga"]}]), True),
        (RandomForestClassifier(), True),
        (make_pipeline(PCA(2), SVC()), True),
        (type("SVC", (SVC,), {})(), True),
        (GaussianNB(), False),
    ],
)
def test_the_seed_matters_where_random_state_has_an_effect(estimator, expected):
    assert is_random(estimator) is expected


def test_every_seed_is_its_own_run(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate({"net": net()}, frame, X=X, aux=(), seeds=[3, 4])
    probabilities = result.predictions.pivot_table(
        index=["row", "setting"], columns="seed", values="p_anger"
    )
    assert not np.allclose(probabilities[3], probabilities[4])
    alone = cross_corpus_validate({"net": net()}, frame, X=X, aux=(), seeds=[4])
    expected = alone.predictions.set_index(["row", "setting"])["p_anger"].sort_index()
    np.testing.assert_allclose(probabilities[4], expected)


@pytest.mark.parametrize("seeds", [3, [], [0.5], "ab"])
def test_bad_seeds(feature_table, seeds):
    frame, X = feature_table
    with pytest.raises(ValueError, match="seeds must be one or more integers"):
        cross_corpus_validate({"net": net()}, frame, X=X, aux=(), seeds=seeds)


def test_seeds_may_be_a_generator(feature_table):
    frame, X = feature_table
    estimators = {"a": net(max_epochs=1), "b": net(max_epochs=1)}
    seeds = (seed for seed in (0, 0, 1))
    result = cross_corpus_validate(estimators, frame, X=X, aux=(), seeds=seeds)
    assert result.predictions.groupby("estimator")["seed"].nunique().to_dict() == {"a": 2, "b": 2}


def test_a_list_of_estimators_needs_names(feature_table):
    frame, X = feature_table
    with pytest.raises(ValueError, match=r"a list of \(name, estimator\); found Pipeline"):
        cross_corpus_validate([SVM], frame, X=X)


def test_rows_in_another_order_are_an_error(feature_table):
    frame, X = feature_table
    with pytest.raises(MetadataError, match="X has the index labels of frame in another order"):
        cross_corpus_validate(SVM, frame, X=X.sample(frac=1, random_state=0), aux=())


def test_repeated_index_labels_do_not_matter(feature_table):
    frame, X = feature_table
    expected = cross_corpus_validate(SVM, frame, X=X, aux=()).summary()
    doubled = frame.set_axis(np.arange(len(frame)) // 2, axis=0)
    assert cross_corpus_validate(SVM, doubled, X=X.to_numpy(), aux=()).summary().equals(expected)


def test_one_file_in_two_rows_is_an_error(feature_table):
    frame, _ = feature_table
    files = [f"{row % 108}.wav" for row in range(216)]
    message = r"216 rows share .* rows 0 and 108 \(corpora 'a' and 'b'\) are both '0.wav'"
    with pytest.raises(MetadataError, match=message):
        cross_corpus_validate(SVM, frame.assign(file=files), aux=())
    parts = frame.assign(file=files, start=[row // 108 for row in range(216)])
    Sees.seen.clear()
    cross_corpus_validate(Sees(), parts, aux=("gender",))
    assert len(Sees.seen) == 6


def test_equal_features_of_two_speakers_are_reported(feature_table):
    frame, X = feature_table
    X = X.copy()
    X.iloc[215] = X.iloc[0]
    X.iloc[1] = X.iloc[0]  # of the same speaker: the warning names two different ones
    message = r"1 feature vectors belong to several .* \(rows 0 and 215, speakers 'a/0' and 'c/5'\)"
    with pytest.warns(EvaluationWarning, match=message):
        cross_corpus_validate(SVM, frame, X=X, aux=())


def test_recordings_stay_together(feature_table):
    """Speakers 0 and 1 of each corpus talk to each other, and so do 2 and 3."""
    frame, X = feature_table
    pair = [f"{name[0]}/{int(name[-1]) // 2}" for name in frame["speaker"]]
    result = cross_corpus_validate(
        SVM, frame.assign(recording=pair), X=X, aux=(), protocol="within-corpus"
    )
    folds = result.predictions.assign(recording=np.take(pair, result.predictions["row"]))
    assert (folds.groupby("recording")["fold"].nunique() == 1).all()


def test_other_versions_of_the_libraries_do_not_reuse_a_fold(feature_table, tmp_path, monkeypatch):
    frame, X = feature_table
    cross_corpus_validate({"svm": SVM}, frame, X=X, aux=(), out=tmp_path)
    before = len(list((tmp_path / "folds").iterdir()))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    library_versions.cache_clear()
    cross_corpus_validate({"svm": SVM}, frame, X=X, aux=(), out=tmp_path)
    library_versions.cache_clear()
    assert len(list((tmp_path / "folds").iterdir())) == 2 * before


def test_effort_is_not_part_of_the_key(feature_table, tmp_path):
    frame, X = feature_table
    for n_jobs in (None, 1):
        search = GridSearchCV(SVM, {"linearsvc__C": [0.01]}, cv=SpeakerKFold(2), n_jobs=n_jobs)
        cross_corpus_validate({"svm": search}, frame, X=X, aux=(), out=tmp_path)
    assert len(list((tmp_path / "folds").iterdir())) == 3


def test_threads_keep_their_notes_and_leave_warnings_alone(feature_table):
    frame, X = feature_table
    frame = frame.assign(naturalness="acted")
    settings = {"X": X, "seeds": [0, 1], "aux": ("naturalness",)}
    before = warnings.showwarning, list(warnings.filters)
    with parallel_config(backend="threading"):
        result = cross_corpus_validate({"net": net()}, frame, n_jobs=4, **settings)
    assert (warnings.showwarning, list(warnings.filters)) == before
    assert result.notes["fits"].tolist() == [6]


def test_own_names_for_corpus_and_speaker(feature_table):
    frame, X = feature_table
    renamed = frame.rename(columns={"corpus": "dataset", "speaker": "actor"})
    result = cross_corpus_validate(SVM, renamed, X=X, aux=(), corpus="dataset", speaker="actor")
    assert result.summary().equals(cross_corpus_validate(SVM, frame, X=X, aux=()).summary())


def test_permuted_labels_score_at_chance(feature_table):
    frame, X = feature_table
    means = []
    for seed in range(10):
        shuffled = np.random.default_rng(seed).permutation(frame["emotion"])
        result = cross_corpus_validate(
            SVM, frame.assign(emotion=shuffled), X=X, aux=(), protocol="aggregated"
        )
        means.append(result.summary()["mean"].mean())
    assert np.mean(means) == pytest.approx(1 / 3, abs=0.03)


def test_number_labels_with_gaps(feature_table, tmp_path):
    """pandas converts them to floats; a resumed table holds the same objects as the first."""
    frame, X = feature_table
    label = (frame["emotion"] == "anger").astype(float)
    label.iloc[[3, 50]] = np.nan
    X = X.copy()
    X.iloc[7] = np.nan
    tables = []
    for _ in range(2):
        with pytest.warns(EvaluationWarning, match="1 utterances"):
            result = cross_corpus_validate(
                {"svm": SVM}, frame.assign(emotion=label), X=X, aux=(), out=tmp_path
            )
        tables.append(result.predictions)
    tables.append(EvaluationResult.load(tmp_path).predictions)
    assert result.labels == [0, 1]
    assert len(set(tables[0]["row"])) == 214
    for table in tables[1:]:
        assert table["y_pred"].tolist() == tables[0]["y_pred"].tolist()
        assert table["y_pred"].map(type).tolist() == tables[0]["y_pred"].map(type).tolist()
    with pytest.raises(MetadataError, match=r"'emotion' holds numbers that are not integers"):
        cross_corpus_validate(SVM, frame.assign(emotion=label + 0.5), X=X, aux=())


def test_recordings_of_the_same_name_in_two_corpora_are_two(feature_table):
    frame, X = feature_table
    numbers = [name[-1] for name in frame["speaker"]]
    result = cross_corpus_validate(SVM, frame.assign(recording=numbers), X=X, aux=())
    assert result.summary().equals(cross_corpus_validate(SVM, frame, X=X, aux=()).summary())


def test_numbers_as_labels_and_names(feature_table, tmp_path):
    """Whole numbers of numpy as labels; numbers as names of corpora and speakers."""
    frame, X = feature_table
    codes = {name: code for code, name in enumerate(sorted(set(frame["emotion"])))}
    numbers = frame.assign(
        emotion=frame["emotion"].map(codes),
        corpus=pd.factorize(frame["corpus"])[0],
        speaker=pd.factorize(frame["speaker"])[0],
    )
    result = cross_corpus_validate(
        SVM, numbers, X=X, aux=(), labels=np.arange(len(codes)), out=tmp_path, seeds=[0]
    )
    again = EvaluationResult.load(tmp_path)
    pd.testing.assert_frame_equal(again.summary(), result.summary())
    assert again.labels == result.labels == list(range(len(codes)))
    assert result.summary().columns.tolist() == ["0", "1", "2", "mean", "pooled"]
    named = cross_corpus_validate(SVM, frame, X=X, aux=(), seeds=[0])
    np.testing.assert_allclose(result.summary(), named.summary())
