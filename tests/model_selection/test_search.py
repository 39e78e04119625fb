"""Searches under our splitters: what they fit on, and that they repeat."""

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sklearn_ser import (
    MFCC,
    FeatureStore,
    FunctionalsPooling,
    LeaveOneCorpusOut,
    MTLNeuralClassifier,
    SpeakerKFold,
    cross_corpus_validate,
    make_speech_corpus,
    uar_scorer,
)

CORPORA, SPEAKERS, ROWS = "abc", 6, 12
SEARCHES = {
    "grid": lambda **given: GridSearchCV(Recorder(), {"bias": [0, 1, 2, 3]}, **given),
    "halving": lambda **given: HalvingGridSearchCV(
        Recorder(),
        {"bias": [0, 1, 2, 3]},
        factor=2,
        min_resources=36,
        random_state=0,
        return_train_score=False,
        **given,
    ),
}


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier that records the rows of its calls; fewer errors with a smaller `bias`."""

    log = []

    def __init__(self, bias=0):
        self.bias = bias

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.log.append(("fit", X.index))
        return self

    def predict(self, X):
        self.log.append(("predict", X.index))
        wrong = np.arange(len(X)) % 10 < 2 + self.bias
        return np.where(wrong, "none", X["truth"]).astype(object)


@pytest.fixture
def log():
    Recorder.log.clear()
    return Recorder.log


@pytest.fixture(scope="module")
def rows():
    """Three corpora of six speakers, 12 rows of three emotions each, in a mixed order."""
    speaker = np.repeat([f"{c}/{s}" for c in CORPORA for s in range(SPEAKERS)], ROWS)
    truth = np.tile(["anger", "neutral", "sadness"], len(speaker) // 3).astype(object)
    index = pd.MultiIndex.from_arrays(
        [[name[0] for name in speaker], speaker], names=["corpus", "speaker"]
    )
    X = pd.DataFrame({"truth": truth, "number": np.arange(len(truth))}, index=index)
    X = X.iloc[np.random.default_rng(0).permutation(len(X))]
    return X, X["truth"].to_numpy()


def nested(search, X, y, **metadata):
    with config_context(enable_metadata_routing=bool(metadata)):
        return cross_validate(
            search,
            X,
            y,
            cv=LeaveOneCorpusOut(),
            scoring=uar_scorer,
            return_estimator=True,
            params=metadata or None,
            error_score="raise",
        )


def ids(index, name):
    return set(index.get_level_values(name))


def outer_folds(log, n_rows):
    """The calls of each outer fold; the last two are the final fit and the outer score."""
    parts, calls = [], iter(log)
    for corpus in CORPORA:
        part = []
        for what, index in calls:
            part.append((what, index))
            if what == "predict" and ids(index, "corpus") == {corpus} and len(index) == n_rows // 3:
                break
        parts.append((corpus, part))
    assert not list(calls)
    return parts


@pytest.mark.parametrize("by_routing", [False, True])
@pytest.mark.parametrize("kind", SEARCHES)
def test_inner_folds_see_neither_the_test_corpus_nor_a_speaker_twice(kind, by_routing, rows, log):
    X, y = rows
    search = SEARCHES[kind](cv=SpeakerKFold(3), scoring=uar_scorer)
    metadata = {
        name: X.index.get_level_values(name).to_numpy(dtype=object)
        for name in ("corpus", "speaker")
    }
    found = nested(search, X, y, **(metadata if by_routing else {}))
    for (corpus, calls), inner in zip(outer_folds(log, len(X)), found["estimator"], strict=True):
        *inner_calls, (last, final), (_, tested) = calls
        assert inner.best_params_ == {"bias": 0}
        assert last == "fit"
        assert ids(final, "corpus") == set(CORPORA) - {corpus}
        assert len(final) == len(X) - len(tested)
        assert len(inner_calls) >= 4 * 3 * 2
        for (fit, trained), (predict, validated) in zip(
            inner_calls[::2], inner_calls[1::2], strict=True
        ):
            assert (fit, predict) == ("fit", "predict")
            assert corpus not in ids(trained, "corpus") | ids(validated, "corpus")
            assert ids(trained, "speaker")
            assert not ids(trained, "speaker") & ids(validated, "speaker")


def test_halving_thins_rows_on_each_side_after_the_split(rows, log):
    """So speakers stay disjoint; every candidate of a round has the same rows."""
    X, y = rows
    search = SEARCHES["halving"](cv=SpeakerKFold(3), scoring=uar_scorer)
    search.fit(X, y)
    assert search.n_resources_ == [36, 72, 144]
    sizes = [len(index) for what, index in log if what == "fit"]
    assert sizes[:12] == [24] * 12
    assert sizes[12:18] == [48] * 6
    assert sizes[-1] == len(X)
    first = [index for what, index in log if what == "fit"][:12]
    for fold in range(3):
        assert all(first[fold + 3 * place].equals(first[fold]) for place in range(4))
    # The draw knows no speakers: whoever is on a side may lose rows, or all of them.
    whole = [ids(X.index[train], "speaker") for train, _ in SpeakerKFold(3).split(X, y)]
    for fold, speakers in enumerate(whole):
        assert ids(first[fold], "speaker") <= speakers


def test_halving_over_rows_may_lose_a_class_that_the_splitter_kept(rows):
    """What docs/search.md warns of; with enough rows it does not happen."""
    X, y = rows
    y = y.copy()
    y[X["number"] % 36 == 0] = "rare"  # of three speakers in four, one row each
    splitter = SpeakerKFold(3)
    assert all({*y[train]} == {*y} for train, _ in splitter.split(X, y))
    seen = []

    class Noting(Recorder):
        def fit(self, X, y):
            seen.append(set(y))
            return super().fit(X, y)

    for least, lost in ((24, True), (144, False)):
        seen.clear()
        HalvingGridSearchCV(
            Noting(),
            {"bias": [0, 1]},
            cv=splitter,
            scoring=uar_scorer,
            factor=2,
            min_resources=least,
            max_resources=least if least == 144 else "auto",
            random_state=0,
        ).fit(X, y)
        assert ({"rare"} <= set.intersection(*seen)) is not lost


def test_halving_over_epochs_leaves_all_rows():
    rng = np.random.default_rng(0)
    speaker = np.repeat([f"s{i}" for i in range(4)], 10)
    y = np.tile(["anger", "sadness"], 20)
    X = pd.DataFrame(rng.normal(size=(40, 3)).astype(np.float32) + 2 * (y == "anger")[:, None])
    X.index = pd.Index(speaker, name="speaker")
    net = MTLNeuralClassifier(
        tasks=None, hidden_units=(4,), early_stopping=False, batch_size=20, random_state=0
    )
    search = HalvingGridSearchCV(
        net,
        {"lr": [1e-4, 1e-2]},
        resource="max_epochs",
        min_resources=1,
        max_resources=2,
        factor=2,
        cv=SpeakerKFold(2),
        scoring=uar_scorer,
    ).fit(X, y)
    assert search.cv_results_["n_resources"].tolist() == [1, 1, 2]
    assert len(search.best_estimator_.history_) == search.best_params_["max_epochs"] == 2
    assert search.best_params_["lr"] == 1e-2


def test_cross_corpus_validate_gives_a_search_its_speakers(rows, log):
    X, y = rows
    frame = X.index.to_frame(index=False).assign(emotion=y)
    features = np.random.default_rng(0).normal(size=(len(y), 2))
    seen = []

    class Speakers(SpeakerKFold):
        __metadata_request__split = {"speaker": True}

        def split(self, X, y=None, groups=None, speaker=None):
            seen.append(set(speaker))
            return super().split(X, y, groups, speaker)

    search = GridSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, cv=Speakers(3), scoring=uar_scorer
    )
    cross_corpus_validate({"lr": search}, frame, X=features, aux=())
    everyone = set(frame["speaker"])
    corpora = [{name for name in everyone if name[0] == corpus} for corpus in CORPORA]
    assert seen == [everyone - tested for tested in corpora]


# ------------------------------------------------------------------------------------------ Optuna


def study_of(model, X, y, *, seed, n_trials=3):
    """The recipe of docs/search.md: an objective over inner folds, and a seeded sampler."""

    def objective(trial):
        candidate = clone(model).set_params(C=trial.suggest_float("C", 1e-4, 10.0, log=True))
        return cross_validate(candidate, X, y, cv=SpeakerKFold(3), scoring=uar_scorer)[
            "test_score"
        ].mean()

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=n_trials)
    return [(trial.params["C"], trial.value) for trial in study.trials]


@pytest.fixture
def quiet():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


@pytest.mark.usefixtures("quiet")
def test_optuna_repeats_with_a_seeded_sampler(rows):
    X, y = rows
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(y), 4)) + (y == "anger")[:, None]
    features = pd.DataFrame(values, index=X.index)
    first = study_of(LogisticRegression(), features, y, seed=0)
    assert first == study_of(LogisticRegression(), features, y, seed=0)
    assert first != study_of(LogisticRegression(), features, y, seed=1)


@pytest.mark.usefixtures("quiet")
def test_optuna_sees_no_row_of_the_outer_test_corpus(rows, log):
    X, y = rows

    def objective(trial):
        candidate = Recorder(bias=trial.suggest_int("bias", 0, 3))
        return cross_validate(candidate, train_X, train_y, cv=SpeakerKFold(3), scoring=uar_scorer)[
            "test_score"
        ].mean()

    for train, test in LeaveOneCorpusOut().split(X, y):
        train_X, train_y = X.iloc[train], y[train]
        log.clear()
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
        )
        study.optimize(objective, n_trials=4)
        assert len(log) == 4 * 3 * 2
        corpora = set().union(*(ids(index, "corpus") for _, index in log))
        assert corpora == set(CORPORA) - ids(X.index[test], "corpus")
        for (_, trained), (_, validated) in zip(log[::2], log[1::2], strict=True):
            assert not ids(trained, "speaker") & ids(validated, "speaker")


# ------------------------------------------------------------------------------------------- store


def test_a_store_extracts_each_utterance_once_for_each_setting(tmp_path, monkeypatch):
    frame = make_speech_corpus(n_speakers=4, n_utterances=1, random_state=0).frame
    X, y = frame[["file", "corpus", "speaker"]], frame["emotion"]
    model = make_pipeline(
        MFCC(store=tmp_path), FunctionalsPooling(("mean",)), KNeighborsClassifier()
    )
    grid = {"mfcc__n_mfcc": [5, 8], "kneighborsclassifier__n_neighbors": [1, 3]}
    extracted = []
    whole = MFCC._extract
    monkeypatch.setattr(
        MFCC, "_extract", lambda self, x: extracted.append(self.n_mfcc) or whole(self, x)
    )
    search = GridSearchCV(model, grid, cv=SpeakerKFold(2), scoring=uar_scorer).fit(X, y)
    plain = clone(search).set_params(estimator__mfcc__store=None).fit(X, y)
    assert sorted(extracted[: 2 * len(X)]) == [5] * len(X) + [8] * len(X)
    assert FeatureStore(tmp_path).info()["entries"] == 2 * len(X)
    for name in ("mean_test_score", "rank_test_score"):
        assert search.cv_results_[name].tolist() == plain.cv_results_[name].tolist()
