"""Leaks: no copy crosses any split, and test samples are never changed."""

import re

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_validate,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier as Tree
from sklearn.utils.fixes import parse_version
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split

from sklearn_ser import (
    AugmentingClassifier,
    LogMelSpectrogram,
    MTLNeuralClassifier,
    SpeakerKFold,
    make_speech_corpus,
)
from sklearn_ser.augmentation import FeatureNoise, Gain, Mixup
from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.feature_extraction import SpeakerEmbedding
from sklearn_ser.neural_network.training import _validation_split
from sklearn_ser.utils._routing import fit_routed

SEEN = []


class Spy(ClassifierMixin, BaseEstimator):
    """Record the samples of fit and predict: the number of each is in column 0."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.rows_ = np.asarray(X)[:, 0]
        SEEN.append(("fit", self.rows_, np.asarray(X)[:, 3]))
        return self

    def predict_proba(self, X):
        values = np.asarray(X)
        SEEN.append(("ask", self.rows_, values[:, 0], values[:, 3]))
        return np.full((len(values), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Mark(BaseEstimator):
    def augment(self, X):
        return X.assign(c=9.0)


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    SEEN.clear()


def questions():
    return [seen[1:] for seen in SEEN if seen[0] == "ask"]


def parts(row):
    """Return the sources of a sample: a mixture of 3 and 7 is 3007 (see `Pairs`)."""
    return {int(row) // 1000 - 1, int(row) % 1000} if row >= 1000 else {int(row)}


def sources(rows):
    return set().union(*(parts(row) for row in rows))


class Pairs(BaseEstimator):
    """Mixtures of each row and the next one."""

    def augment_rows(self, X, y, rng):
        first = np.arange(len(X))
        second = np.roll(first, 1)
        made = X.assign(row=1000 * (1 + X["row"]) + X["row"].to_numpy()[second])
        return made, np.column_stack([first, second]), first, np.ones(len(X))


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(Spy(), {"C": [1.0, 2.0]}, cv=3),
        GridSearchCV(Spy(), {"C": [1.0]}, cv=KFold(4, shuffle=True, random_state=0)),
        GridSearchCV(Spy(), {"C": [1.0]}),
        GridSearchCV(Spy(), {"C": [1.0]}, cv=SpeakerKFold(3)),
        GridSearchCV(
            Spy(), {"C": [1.0]}, cv=[(range(30), range(30, 60)), (range(9, 60), range(9))]
        ),
        RandomizedSearchCV(Spy(), {"C": [1.0, 3.0]}, n_iter=1, cv=StratifiedKFold(2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("augmenters", [{"mark": Mark()}, {"mark": Mark(), "pairs": Pairs()}])
def test_an_inner_search_splits_original_rows(search, augmenters, rows):
    X, y, speaker = rows
    AugmentingClassifier(search, augmenters, copies=2).fit(X, y, speaker=speaker)
    asked = questions()
    assert len(asked) >= 2
    tested = []
    for trained, rows_asked, marks in asked:
        assert not sources(trained) & sources(rows_asked)
        assert not (marks == 9.0).any()
        assert len(set(rows_asked)) == len(rows_asked)
        counts = pd.Series(trained[trained < 1000]).value_counts()
        assert (counts == 3).all()
        tested.extend(rows_asked)
    assert SEEN[-1][0] == "fit"  # the best one, refitted on everything
    assert len(SEEN[-1][1]) == 60 * (3 + 2 * (len(augmenters) - 1))
    if isinstance(search.cv, int | None | SpeakerKFold):
        assert sorted(set(tested)) == list(range(60))
    if isinstance(search.cv, SpeakerKFold):
        for trained, rows_asked, _ in asked:
            assert not {row // 10 for row in sources(trained)} & set(rows_asked // 10)


def test_mixtures_are_trained_on_where_all_their_sources_are(rows):
    X, y, _ = rows
    search = GridSearchCV(Spy(), {"C": [1.0]}, cv=KFold(2))
    AugmentingClassifier(search, Pairs()).fit(X, y)
    trained = [seen[1] for seen in SEEN if seen[0] == "fit"][:2]
    # Rows 30 to 59, and the mixtures of each with the one before: not of row 30 with row 29.
    assert sorted(trained[0][:30]) == list(range(30, 60))
    assert len(trained[0]) == 30 + 29


def test_a_search_within_a_search(rows):
    X, y, _ = rows
    inner = GridSearchCV(Spy(), {"C": [1.0, 2.0]}, cv=2)
    outer = GridSearchCV(make_pipeline(inner), {"gridsearchcv__refit": [True]}, cv=3)
    AugmentingClassifier(outer, {"mark": Mark(), "pairs": Pairs()}).fit(X, y)
    for trained, rows_asked, marks in questions():
        assert not sources(trained) & sources(rows_asked)
        assert not (marks == 9.0).any()


@pytest.mark.parametrize(
    ("inner", "copies_too"),
    [
        (CalibratedClassifierCV(Spy(), cv=3), False),
        (CalibratedClassifierCV(Spy(), cv=3, ensemble=False), True),
        (StackingClassifier([("spy", Spy())], LogisticRegression(), cv=3), True),
    ],
    ids=str,
)
def test_calibration_and_stacking(inner, copies_too, rows):
    X, y, _ = rows
    AugmentingClassifier(inner, Mark(), copies=2).fit(X, y)
    asked = [(trained, row, mark) for trained, row, mark in questions() if len(row) < 180]
    assert len(asked) >= 3
    for trained, rows_asked, marks in asked:
        assert not sources(trained) & sources(rows_asked)
        assert (marks == 9.0).any() == copies_too


def test_a_splitter_without_sources_is_an_error(rows):
    X, y, _ = rows
    stacked = StackingClassifier([("spy", Spy())], LogisticRegression(), cv=2)
    outer = GridSearchCV(stacked, {"spy__C": [1.0]}, cv=2, error_score="raise")
    with pytest.raises(MetadataError, match=r"got 60 samples without `sources`, which it"):
        AugmentingClassifier(outer, Mark()).fit(X, y)


def test_splitters_by_speaker_need_speakers(recorder, rows):
    X, y, _ = rows
    for cv, message in ((SpeakerKFold(3), "got neither speaker="), (GroupKFold(3), "'groups'")):
        search = GridSearchCV(recorder, {}, cv=cv)
        with pytest.raises((MetadataError, ValueError), match=message):
            AugmentingClassifier(search, Mark()).fit(X, y)


def test_speakers_that_X_names_reach_an_inner_splitter(rows):
    X, y, speaker = rows
    X = X.set_index(pd.Index(speaker, name="speaker"))
    search = GridSearchCV(Spy(), {"C": [1.0]}, cv=SpeakerKFold(3))
    lost = make_pipeline(StandardScaler(with_mean=False, with_std=False), search)
    AugmentingClassifier(lost, FeatureNoise(0.0)).fit(X, y)
    asked = questions()
    assert len(asked) == 3
    for trained, rows_asked, _ in asked:
        assert not set(trained // 10) & set(rows_asked // 10)


def recorded_splits(monkeypatch):
    """Record the samples that early stopping holds out."""
    splits = []
    hold_out = _validation_split.hold_out

    def spy(rows, data, *args):
        split = hold_out(rows, data, *args)
        splits.append((data.sources, split.train, split.valid, split.record))
        return split

    monkeypatch.setattr("sklearn_ser.neural_network.training._fit_ensemble.hold_out", spy)
    return splits


@pytest.mark.parametrize("with_speakers", [True, False])
def test_early_stopping_keeps_copies_together(with_speakers, rows, monkeypatch):
    X, y, speaker = rows
    splits = recorded_splits(monkeypatch)
    net = MTLNeuralClassifier(max_epochs=1, n_estimators=2, validation_fraction=0.4, random_state=0)
    augmenters = {"noise": FeatureNoise(), "mixed": Mixup()}
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        net.set_score_request(sample_weight=True)
    model = AugmentingClassifier(make_pipeline(scaler, net), augmenters, random_state=0)
    model.fit(X, y, **({"speaker": speaker} if with_speakers else {}))
    search = GridSearchCV(model.estimator, {"mtlneuralclassifier__dropout": [0.1]}, cv=2)
    model.set_params(estimator=search).fit(X, y, **({"speaker": speaker} if with_speakers else {}))
    assert len(splits) == 2 + 2 * 3
    for made_from, train, valid, record in splits:
        assert record["kind"] == ("groups" if with_speakers else "stratified")
        assert len(valid) > 10
        assert not set(made_from[valid].ravel()) & set(made_from[train].ravel())
    full = splits[0]
    assert len(set(full[0][full[1]].ravel()) | set(full[0][full[2]].ravel())) == 60


def test_an_outer_split_makes_copies_of_training_samples_only(rows):
    X, y, _ = rows
    cross_validate(AugmentingClassifier(Spy(), Mark()), X, y, cv=3, error_score="raise")
    for trained, rows_asked, marks in questions():
        assert not set(trained) & set(rows_asked)
        assert not (marks == 9.0).any()


@pytest.fixture(scope="module")
def speech():
    return make_speech_corpus(n_speakers=4, n_utterances=1, random_state=0).frame


def test_a_grid_search_pays_once_for_each_copy(speech, tmp_path, monkeypatch):
    count = []
    extract = SpeakerEmbedding._extract_batch

    def counted(self, signals):
        count.append(len(signals))
        return extract(self, signals)

    monkeypatch.setattr(SpeakerEmbedding, "_extract_batch", counted)
    step = SpeakerEmbedding(store=tmp_path / "store")
    model = AugmentingClassifier(
        make_pipeline(step, LogisticRegression()),
        {"soft": Gain((-9.0, -3.0)), "softer": Gain((-20.0, -12.0))},
        random_state=0,
    )
    X, y = speech[["file", "speaker"]], speech["emotion"]
    grid = {"estimator__logisticregression__C": [0.1, 1.0, 10.0]}
    GridSearchCV(model, grid, cv=SpeakerKFold(2)).fit(X, y)
    # 16 utterances, two copies of each: not 2 folds x 3 candidates x (24 + 8) + 48 = 240.
    assert sum(count) == 48


def test_augmenters_of_frames_change_the_output_of_the_audio_step(speech, tmp_path):
    from sklearn_ser.augmentation import SpecAugment

    class Frames(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.frames_ = X["frames"].tolist()
            return self

        def predict(self, X):
            return np.full(len(X), self.classes_[0])

    X, y = speech[["file", "speaker"]], speech["emotion"]
    model = AugmentingClassifier(
        make_pipeline(LogMelSpectrogram(), Frames()),
        {"masked": SpecAugment(), "soft": Gain(-6.0)},
        random_state=0,
    ).fit(X, y)
    assert list(model.estimator_.named_steps) == ["logmelspectrogram", "frames"]
    assert model.n_rows_ == {"original": 16, "soft": 16, "masked": 16}
    plain, soft, masked = (model.estimator_[-1].frames_[start:][:16] for start in (0, 16, 32))
    expected = LogMelSpectrogram().fit_transform(X)["frames"]
    for row in range(16):
        np.testing.assert_array_equal(plain[row], expected.iloc[row])
        assert plain[row].shape == masked[row].shape == soft[row].shape
        assert (plain[row].mean() - soft[row].mean()) == pytest.approx(6.0, abs=0.1)
        same = np.isclose(plain[row], masked[row])
        assert 0.4 < same.mean() < 1.0
    assert set(model.predict(X)) <= set(y)


@pytest.mark.parametrize(
    ("estimator", "switch"),
    [
        (MLPClassifier((2,), early_stopping=True, max_iter=2), "early_stopping=True"),
        (HistGradientBoostingClassifier(early_stopping=True, max_iter=2), "early_stopping=True"),
        (GradientBoostingClassifier(n_iter_no_change=2, n_estimators=3), "n_iter_no_change=2"),
        (RandomForestClassifier(3, oob_score=True), "oob_score=True"),
        # The network requests sources, and does not tell the ensemble around it.
        (BaggingClassifier(MTLNeuralClassifier(max_epochs=1), 3, oob_score=True), "oob_score=True"),
        (BaggingClassifier(GridSearchCV(Tree(), {}), 3, oob_score=True), "oob_score=True"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # of these, in bagging
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_that_hold_out_samples_by_themselves_are_errors(estimator, switch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.tile([0, 1], 30)  # scikit-learn 1.8.0 scores no strings
    name = switch.partition("=")[0]
    off = None if name == "n_iter_no_change" else False
    other = clone(estimator).set_params(**{name: off})
    text = rf"{type(estimator).__name__}\({switch}\) holds out .* Set {name}={off}, and"
    search = GridSearchCV(Pipeline([("clf", MLPClassifier())]), {"clf": [estimator]})
    switched = GridSearchCV(other, {name: [off, estimator.get_params()[name]]})
    array = np.array([estimator.get_params()[name]])
    for inner in (
        make_pipeline(StandardScaler(), estimator),
        search,
        switched,
        GridSearchCV(other, {name: array}),
    ):
        with pytest.raises(MetadataError, match=text):
            AugmentingClassifier(inner, FeatureNoise()).fit(X, y)
    with pytest.raises(MetadataError, match=text):  # a mixture alone is made of two samples
        AugmentingClassifier(estimator, Mixup(), keep_original=False).fit(X, y)
    AugmentingClassifier(estimator, None, random_state=0).fit(X, y)  # no copies, no error
    AugmentingClassifier(other, FeatureNoise(), random_state=0).fit(X, y)


@pytest.mark.filterwarnings("ignore:The `probability` parameter was deprecated:FutureWarning")
def test_probabilities_calibrated_in_folds_of_their_own_warn():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.tile(["a", "b"], 30)
    svm = make_pipeline(StandardScaler(), SVC(probability=True))
    search = GridSearchCV(make_pipeline(SVC()), {"svc__probability": [True]})
    for inner in (svm, search):
        with pytest.warns(TrainingWarning, match=r"SVC\(probability=True\) calibrates") as caught:
            AugmentingClassifier(inner, FeatureNoise(), random_state=0).fit(X, y)
        assert sum(issubclass(each.category, TrainingWarning) for each in caught) == 1
    AugmentingClassifier(svm, None).fit(X, y)  # no copies, no warning
    AugmentingClassifier(SVC(), FeatureNoise()).fit(X, y)


class HoldsOutAShare(Spy):
    """Hold out a share of the training samples, as networks of SciKeras do."""

    def __init__(self, C=1.0, validation_split=0.0):
        super().__init__(C)
        self.validation_split = validation_split


def test_a_validation_split_of_a_network_is_an_error():
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    y = np.tile([0, 1], 30)

    def fitted(estimator, augmenter):
        return AugmentingClassifier(make_pipeline(estimator), augmenter).fit(X, y)

    noise = FeatureNoise()

    net = NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=4,
        module__out_features=2,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=1,
        verbose=0,
    )
    # Five folds, of which skorch monitors the first, are its default.
    for each in (net, clone(net).set_params(train_split=ValidSplit(3, stratified=True))):
        message = r"NeuralNetClassifier\(train_split=.*ValidSplit.*\) holds out .* train_split=None"
        with pytest.raises(MetadataError, match=message):
            fitted(each, noise)
        fitted(each, None)
    fitted(clone(net).set_params(train_split=None), noise)
    other = Dataset(X[:6] + 1, y[:6])
    fitted(clone(net).set_params(train_split=predefined_split(other)), noise)
    message = r"HoldsOutAShare\(validation_split=0.2\) holds out .* Set validation_split=0.0"
    with pytest.raises(MetadataError, match=message):
        fitted(HoldsOutAShare(validation_split=0.2), noise)
    fitted(HoldsOutAShare(), noise)


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="TargetEncoder routes metadata since scikit-learn 1.9",
)
def test_a_target_encoder_needs_groups():
    X, y, groups = np.array([[0], [1]] * 20), np.tile(["a", "b"], 20), np.arange(40) // 4
    with config_context(enable_metadata_routing=True):
        by_group = TargetEncoder(cv=GroupKFold(3).set_split_request(groups=True))
    model = AugmentingClassifier(make_pipeline(by_group, LogisticRegression()))
    assert model.fit(X, y, groups=groups).predict(X).tolist() == y.tolist()
    message = (
        rf"TargetEncoder of scikit-learn {re.escape(sklearn.__version__)} requires groups while "
        r"metadata routing is on, as it is here, and got none. Give groups= and a splitter that "
        r"requests them, TargetEncoder\(cv=GroupKFold\(\).set_split_request\(groups=True\)\), or "
    )
    for encoder in (by_group, TargetEncoder()):
        with pytest.raises(MetadataError, match=message):
            AugmentingClassifier(make_pipeline(encoder, LogisticRegression())).fit(X, y)
    with pytest.raises(KeyError, match="groups"):  # of another origin
        AugmentingClassifier(Fails()).fit(X, y)
    # Without metadata to route there is no routing.
    plain = make_pipeline(TargetEncoder(), LogisticRegression())
    assert fit_routed(plain, X, y, groups=groups).predict(X).tolist() == y.tolist()


class Fails(Spy):
    def fit(self, X, y):
        raise KeyError("groups")


def test_boosting_that_stops_early_by_default_is_an_error():
    X, y = np.random.default_rng(0).normal(size=(5001, 1)), np.arange(5001) % 2
    with pytest.raises(MetadataError, match=r"Classifier\(early_stopping='auto'\) holds out"):
        AugmentingClassifier(HistGradientBoostingClassifier(), FeatureNoise()).fit(X, y)


def test_a_held_out_share_is_an_error():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.tile(["a", "b"], 30)
    inner = TunedThresholdClassifierCV(LogisticRegression(), cv=0.3)
    with pytest.raises(ValueError, match=r"cv=0.3 of TunedThresholdClassifierCV holds out a share"):
        AugmentingClassifier(inner, FeatureNoise()).fit(X, y)


def test_stacks_whose_parts_request_metadata_are_errors():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.tile(["a", "b"], 30)
    net = MTLNeuralClassifier(max_epochs=1, random_state=0)
    stack = StackingClassifier([("net", net)], LogisticRegression(), cv=3)
    text = "parts of a StackingClassifier request aux, sources, speaker"
    with pytest.raises(MetadataError, match=text):
        AugmentingClassifier(stack, FeatureNoise()).fit(X, y)


def test_the_fitted_estimator_has_its_own_splitters():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.tile(["a", "b"], 30)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3)
    model = AugmentingClassifier(search, FeatureNoise(), random_state=0).fit(X, y)
    assert model.estimator_.cv == 3
    assert clone(model.estimator_).fit(X[:50], y[:50]).n_splits_ == 3
    nested = AugmentingClassifier(make_pipeline(StandardScaler(), search), FeatureNoise())
    assert nested.fit(X, y).estimator_[-1].cv == 3


@pytest.mark.parametrize("as_list", [True, False])
def test_estimators_in_a_grid_keep_copies_together_too(as_list):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=list("abcd"))
    X["a"] = np.arange(60.0)
    y = np.tile(["a", "b"], 30)

    def calibrated(seed):
        return CalibratedClassifierCV(Spy(), cv=KFold(3, shuffle=True, random_state=seed))

    grid = {"clf": [calibrated(0), calibrated(1)]}
    grid = [grid] if as_list else grid
    search = GridSearchCV(
        Pipeline([("clf", calibrated(2))]), grid, cv=KFold(2), error_score="raise"
    )
    model = AugmentingClassifier(search, {"mark": Mark()}, random_state=0).fit(X, y)
    asked = [entry for entry in SEEN if entry[0] == "ask"]
    assert len(asked) > 3
    for _, trained, rows, _ in asked:
        assert not set(trained) & set(rows)
    assert isinstance(model.estimator_.best_estimator_[0].cv, KFold)
    # Where the search does not pass sources to them, there is an error.
    blind = GridSearchCV(Pipeline([("clf", Spy())]), grid, cv=KFold(2), error_score="raise")
    with pytest.raises(MetadataError, match="got 60 samples without `sources`, which it"):
        AugmentingClassifier(blind, {"mark": Mark()}).fit(X, y)
    varied = GridSearchCV(Pipeline([("clf", calibrated(0))]), {"clf__cv": [2, 3]}, cv=KFold(2))
    with pytest.raises(MetadataError, match=r"The search varies 'clf__cv'\. Inside"):
        AugmentingClassifier(varied, {"mark": Mark()}).fit(X, y)
