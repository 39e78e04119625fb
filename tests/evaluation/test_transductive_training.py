"""Training on the samples under test without their labels (``unlabeled_test="train"``)."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier

from sklearn_ser import (
    AugmentingClassifier,
    GroupScaler,
    LeaveOneCorpusOut,
    MTLNeuralClassifier,
    cross_corpus_validate,
    uar_scorer,
)
from sklearn_ser.augmentation import FeatureNoise
from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.exceptions import EvaluationWarning
from sklearn_ser.model_selection import SemiSupervisedSplit
from sklearn_ser.neural_network import ConsistencyTask, DomainAdversarialTask

FITS = []


class Spy(ClassifierMixin, BaseEstimator):
    """Records the y and aux of each training sample; X holds the number of the sample."""

    cache_revision = 1

    __metadata_request__fit = {"aux": True}

    def __init__(self, unlabeled=None):
        self.unlabeled = unlabeled

    def fit(self, X, y, aux=None):
        rows = np.asarray(X)[:, 0].astype(int)
        FITS.append(pd.DataFrame({"y": list(y)}, index=rows, dtype=object))
        if aux is not None:
            FITS[-1] = FITS[-1].join(aux.set_axis(rows, axis=0))
        missing = FITS[-1]["y"].isna() | (FITS[-1]["y"] == -1)
        self.classes_ = np.unique(FITS[-1]["y"][~missing].tolist())
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def fits():
    FITS.clear()
    return FITS


def folds_of(result):
    return [part for _, part in result.predictions.groupby("fold", sort=False)]


@pytest.mark.parametrize("protocol", ["leave-one-corpus-out", "pairwise", "within-corpus"])
@pytest.mark.parametrize("labels", [("anger", "sadness"), (1, 2), (True, False)], ids=str)
@pytest.mark.parametrize("sentinel", [-1, "nan"])
def test_no_label_and_no_aux_under_test_reaches_fit(half_labeled, fits, protocol, labels, sentinel):
    frame, X = half_labeled
    frame["emotion"] = frame["emotion"].map(dict(zip(("anger", "sadness"), labels, strict=True)))
    frame = frame.assign(size=range(27), level=0.5, gender="female", is_loud=True)
    aux = ["size", "level", "gender", "is_loud", "corpus"]
    result = cross_corpus_validate(
        {"spy": Spy(unlabeled=sentinel)},
        frame,
        X=X,
        aux=aux,
        protocol=protocol,
        n_splits=3,
        unlabeled_test="train",
    )
    folds = folds_of(result)
    assert len(fits) == len(folds)
    for trained, part in zip(fits, folds, strict=True):
        hidden = trained.loc[part["row"]]
        assert (hidden["y"].isna() if sentinel == "nan" else hidden["y"].eq(-1)).all()
        assert hidden[aux[:-1]].isna().all(axis=None)
        assert hidden["corpus"].tolist() == part["corpus"].tolist()
        in_test_corpus = frame["corpus"].isin(part["corpus"])
        speakers = set(part["speaker"])
        unlabeled = frame.index[in_test_corpus & frame["emotion"].isna()]
        if protocol == "within-corpus":
            unlabeled = unlabeled[frame["speaker"][unlabeled].isin(speakers)]
        assert set(unlabeled) <= set(trained.index)
        assert trained.loc[unlabeled, aux[:-1]].isna().all(axis=None)
        others = trained.drop(index=[*part["row"], *unlabeled])
        known = others["y"].notna() & others["y"].ne(-1)
        assert others["y"][known].tolist() == frame["emotion"][others.index[known]].tolist()
        assert others["size"].tolist() == others.index.tolist()
        assert trained["size"].dtype.kind != "f"  # (floats would become a regression)
        assert trained["is_loud"].dtype.kind != "f"
        assert trained.index.is_unique
    assert set(result.predictions["setting"]) == {"transductive"}
    assert sorted(set(result.predictions["row"])) == frame.index[frame["emotion"].notna()].tolist()


def test_pairs_do_not_train_on_third_corpora(feature_table, fits):
    frame, _ = feature_table
    frame = frame.assign(emotion=frame["emotion"].where(frame.index % 4 > 0, None))
    X = pd.DataFrame({"row": np.arange(float(len(frame)))})
    result = cross_corpus_validate(
        {"spy": Spy(unlabeled="nan")},
        frame,
        X=X,
        aux=(),
        protocol="pairwise",
        unlabeled_test="train",
    )
    for trained, part in zip(fits, folds_of(result), strict=True):
        corpora = part[["train", "corpus"]].iloc[0].tolist()
        assert sorted(trained.index) == frame.index[frame["corpus"].isin(corpora)].tolist()


def test_predictions_equal_a_fit_by_hand(feature_table):
    frame, X = feature_table

    def make_net():
        return make_pipeline(
            GroupScaler(by="corpus"),
            MTLNeuralClassifier(
                tasks={"corpus": DomainAdversarialTask(), "consistent": ConsistencyTask()},
                unlabeled="nan",
                max_epochs=3,
                random_state=0,
            ),
        )

    result = cross_corpus_validate(
        {"net": make_net()}, frame, X=X, aux=["corpus"], unlabeled_test="train"
    )
    ids = pd.MultiIndex.from_frame(frame[["corpus", "speaker"]])
    table = X.set_axis(ids, axis=0)
    for name, part in result.predictions.groupby("corpus"):
        is_test = (frame["corpus"] == name).to_numpy()
        order = np.append(np.flatnonzero(~is_test), np.flatnonzero(is_test))
        y = frame["emotion"].where(~is_test, None).to_numpy(object)
        fitted = make_net().fit(
            table.iloc[order],
            y[order],
            mtlneuralclassifier__aux=frame[["corpus"]].iloc[order],
            mtlneuralclassifier__groups=frame["speaker"].to_numpy()[order],
        )
        expected = fitted.predict_proba(table[is_test])
        found = part[["p_anger", "p_neutral", "p_sadness"]]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_result_says_that_it_is_transductive(half_labeled, tmp_path):
    frame, X = half_labeled
    estimators = {"spy": Spy(unlabeled="nan"), "dummy": DummyClassifier()}
    data = {"frame": frame, "X": X, "aux": (), "out": tmp_path}
    excluded = cross_corpus_validate(estimators, **data)
    result = cross_corpus_validate(estimators, **data, unlabeled_test="train")
    settings = result.predictions.groupby("estimator")["setting"].unique()
    assert settings["spy"].tolist() == ["transductive"]
    assert settings["dummy"].tolist() == ["single"]
    # 6 tested samples, 3 unlabeled ones of their corpus, 3 of the other one and all 9 of c
    assert result.info["unlabeled"] == {"spy": [21, 21]}
    assert excluded.info["unlabeled"] == {"spy": [12, 12]}
    line = "spy was also trained on 21 unlabeled samples, those under test among them"
    assert line in EvaluationResult.load(tmp_path).remarks()
    assert "were in the training of spy" in result.model_card("spy")
    for one in (excluded, result):
        supervised = one.predictions.query("estimator == 'dummy'").reset_index(drop=True)
        expected = excluded.predictions.query("estimator == 'dummy'").reset_index(drop=True)
        pd.testing.assert_frame_equal(supervised, expected, check_dtype=False)


def test_finished_folds_of_the_two_settings_are_not_confused(half_labeled, fits, tmp_path):
    frame, X = half_labeled
    data = {"frame": frame, "X": X, "aux": (), "out": tmp_path}
    spy = {"spy": Spy(unlabeled="nan")}
    first = cross_corpus_validate(spy, **data, unlabeled_test="train")
    cross_corpus_validate(spy, **data)
    assert len(fits) == 4
    again = cross_corpus_validate(spy, **data, unlabeled_test="train")
    assert len(fits) == 4
    pd.testing.assert_frame_equal(again.predictions, first.predictions, check_dtype=False)


def test_failed_samples_under_test_are_misses(half_labeled, fits):
    frame, X = half_labeled
    X.iloc[0] = np.nan
    with pytest.warns(EvaluationWarning, match="^1 utterances"):
        result = cross_corpus_validate(
            {"spy": Spy(unlabeled="nan")}, frame, X=X, aux=(), unlabeled_test="train"
        )
    assert set(result.predictions["setting"]) == {"transductive"}
    assert result.predictions.query("row == 0")["failed"].tolist() == [True]
    assert all(0 not in trained.index for trained in fits)


class SelfTrained(ClassifierMixin, BaseEstimator):
    """scikit-learn's self-training with the sentinel value "nan"."""

    cache_revision = 1

    def __init__(self, C=1.0, unlabeled="nan"):
        self.C = C
        self.unlabeled = unlabeled

    def fit(self, X, y):
        known = ~pd.isna(y)
        self.classes_, codes = np.unique(np.asarray(y)[known].astype(str), return_inverse=True)
        y_codes = np.full(len(y), -1)
        y_codes[known] = codes
        self.model_ = SelfTrainingClassifier(LogisticRegression(C=self.C), threshold=0.6)
        self.model_.fit(np.asarray(X), y_codes)
        return self

    def predict(self, X):
        return self.classes_[self.model_.predict(np.asarray(X))]


def test_a_search_in_every_fold_records_its_choice(feature_table, tmp_path):
    frame, X = feature_table
    search = GridSearchCV(
        make_pipeline(GroupScaler(by="corpus"), SelfTrained()),
        {"selftrained__C": [1e-6, 1.0]},
        cv=SemiSupervisedSplit(LeaveOneCorpusOut()),
        scoring=uar_scorer,
    )
    copies = AugmentingClassifier(search, FeatureNoise(0.01, random_state=0))
    result = cross_corpus_validate(
        {"search": search, "copies": copies},
        frame,
        X=X,
        aux=(),
        unlabeled_test="train",
        out=tmp_path,
    )
    table = X.set_axis(pd.MultiIndex.from_frame(frame[["corpus", "speaker"]]), axis=0)
    chosen = result.best_params.set_index(["estimator", "fold"])
    for corpus in "abc":
        y = frame["emotion"].where(frame["corpus"] != corpus, None).to_numpy(object)
        best = search.fit(table, y).best_params_
        assert chosen.loc[("search", corpus), "parameter"] == "selftrained__C"
        assert chosen.loc[("search", corpus), "value"] == repr(best["selftrained__C"])
        assert chosen.loc[("copies", corpus), "value"] in ("1e-06", "1.0")
    loaded = EvaluationResult.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.best_params, result.best_params)
    result.report(tmp_path / "report.html")
    assert "Parameters chosen by searches" in (tmp_path / "report.html").read_text("utf-8")


def test_permuted_labels_score_at_chance(feature_table):
    frame, X = feature_table
    means = []
    for seed in range(5):
        shuffled = np.random.default_rng(seed).permutation(frame["emotion"])
        result = cross_corpus_validate(
            {"model": make_pipeline(GroupScaler(by="corpus"), SelfTrained())},
            frame.assign(emotion=shuffled),
            X=X,
            aux=(),
            unlabeled_test="train",
        )
        means.append(result.summary()["mean"].item())
    assert np.mean(means) == pytest.approx(1 / 3, abs=0.04)


def test_errors_and_obstacles(half_labeled):
    frame, X = half_labeled
    data = {"frame": frame, "X": X, "aux": ()}
    with pytest.raises(ValueError, match="unlabeled_test must be 'exclude' or 'train', got True"):
        cross_corpus_validate({"spy": Spy(unlabeled="nan")}, **data, unlabeled_test=True)
    with pytest.raises(ValueError, match="none of the estimators learns from unlabeled samples"):
        cross_corpus_validate({"spy": Spy()}, **data, unlabeled_test="train")
    stacked = make_pipeline(Spy(unlabeled="nan"), LogisticRegression())
    labeled = frame["emotion"].notna()
    message = "^the samples under test and 0 unlabeled samples are left out of the training of 'x'"
    with (
        pytest.warns(EvaluationWarning, match=message),
        pytest.raises(Exception, match="transform"),
    ):
        cross_corpus_validate(
            {"x": stacked}, frame[labeled], X=X[labeled], aux=(), unlabeled_test="train"
        )
