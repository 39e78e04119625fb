"""Model files: what is saved comes back the same, and what cannot be saved is named."""

import os

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import Birch
from sklearn.datasets import load_iris
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import sklearn_ser.augmentation
from sklearn_ser import GroupScaler, MTLNeuralClassifier, SpeakerEmbedding, uar_scorer
from sklearn_ser.augmentation import AddNoise, AddReverb, AugmentingClassifier, OriginalSamplesSplit
from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.feature_extraction import OpenSmileExtractor, PretrainedEmbedding
from sklearn_ser.metrics import make_ser_scorer
from sklearn_ser.model_selection import (
    CorpusAdaptationSplit,
    LeaveOneCorpusOut,
    LeaveOneLanguageOut,
    LeaveOneSpeakerOut,
    PairwiseCorpusSplit,
    SemiSupervisedSplit,
    SentenceSpeakerKFold,
    SpeakerKFold,
    WithinCorpusSpeakerKFold,
)
from sklearn_ser.neural_network import (
    AdversarialTraining,
    BatchSpecAugment,
    ClassificationTask,
    ComputeSettings,
    ConsistencyTask,
    ContrastiveTask,
    DomainAdversarialTask,
    InputPerturbation,
    OptimizationSettings,
    PseudoLabels,
    ReconstructionTask,
    RegressionTask,
    ValidationSettings,
)
from sklearn_ser.persistence import (
    _container,
    load_model,
    load_model_info,
    save_model,
    supported_types,
)
from sklearn_ser.persistence._container import read_container
from tests.persistence.crafting import parts_of, write
from tests.persistence.models import MODELS, fitted, net, outputs_of

X, y = load_iris(return_X_y=True)
NAMES = np.array(["anger", "happiness", "sadness"])[y]


@pytest.fixture(scope="module")
def model():
    return make_pipeline(GroupScaler(), net()).fit(X, NAMES)


def test_net_round_trip(model, tmp_path):
    save_model(model, tmp_path / "m.ser", info={"corpora": ["iris"]})
    loaded = load_model(tmp_path / "m.ser")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert load_model_info(tmp_path / "m.ser")["info"] == {"corpora": ["iris"]}


def assert_same(found, expected):
    if isinstance(expected, pd.DataFrame):
        assert found.index.equals(expected.index)
        assert found.columns.equals(expected.columns)
        for column in expected:
            for one, other in zip(found[column], expected[column], strict=True):
                np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("name", MODELS)
def test_every_model_gives_the_same_bits(name, tmp_path):
    model, X = fitted(name), MODELS[name][1]
    expected = outputs_of(model, X)
    save_model(model, tmp_path / "m.ser")
    loaded = load_model(tmp_path / "m.ser")
    found = outputs_of(loaded, X)
    assert expected
    assert expected.keys() == found.keys()
    for method in expected:
        assert_same(found[method], expected[method])
    assert repr(clone(loaded)) == repr(clone(model).set_params(**not_in_files(model)))
    save_model(loaded, tmp_path / "again.ser")
    assert (tmp_path / "again.ser").read_bytes() == (tmp_path / "m.ser").read_bytes()


def not_in_files(model):
    """Return the parameters of a model that a file does not hold, with their defaults."""
    params = model.get_params()
    none = {name: None for name in params if name.rpartition("__")[2] == "n_jobs"}
    generators = (n for n, v in params.items() if isinstance(v, np.random.RandomState))
    return none | dict.fromkeys(generators)


def classes_within(tree):
    """Return the names of the classes in a tree of JSON values."""
    found = set()
    if isinstance(tree, dict):
        found |= {tree["class"]} if "class" in tree and "params" in tree else set()
        tree = list(tree.values())
    for part in tree if isinstance(tree, list) else ():
        found |= classes_within(part)
    return found


SETTINGS = {
    "optimization": OptimizationSettings(weight_decay=0.1),
    "perturbation": InputPerturbation(augmenters=[BatchSpecAugment()]),
    "adversarial_training": AdversarialTraining(),
    "validation": ValidationSettings(refit=True),
    "compute": ComputeSettings(),
    "pseudo_labels": PseudoLabels(),
    "tasks": {
        "a": ClassificationTask(class_weight={"male": 2.0, 1: 0.5}),
        "b": RegressionTask(),
        "c": DomainAdversarialTask(hidden_units=(2,)),
        "d": ReconstructionTask(),
        "e": ContrastiveTask(),
        "f": ConsistencyTask(),
    },
}
SPLITTERS = (
    CorpusAdaptationSplit(5), LeaveOneCorpusOut(), LeaveOneLanguageOut(), LeaveOneSpeakerOut(),
    PairwiseCorpusSplit(), SemiSupervisedSplit(SpeakerKFold(2), unlabeled="nan"),
    SentenceSpeakerKFold(), WithinCorpusSpeakerKFold(), OriginalSamplesSplit(KFold(2)),
    GroupKFold(2), LeaveOneGroupOut(), StratifiedGroupKFold(2), StratifiedKFold(2),
)  # fmt: skip


def test_every_class_is_in_some_file(tmp_path):
    for number, name in enumerate(MODELS):
        save_model(fitted(name), tmp_path / f"{number}.ser")
    model = clone(fitted("network")).set_params(**SETTINGS)
    network = fitted("network")
    for name, value in SETTINGS.items():
        setattr(model, name, value)
    vars(model).update({k: v for k, v in vars(network).items() if k not in model.get_params()})
    save_model(model, tmp_path / "settings.ser")
    loaded = load_model(tmp_path / "settings.ser")
    assert repr(loaded) == repr(model)
    assert loaded.tasks["a"].class_weight == {"male": 2.0, 1: 0.5}
    augmenters = [
        getattr(sklearn_ser.augmentation, name)()
        for name in sklearn_ser.augmentation.__all__
        if f"sklearn_ser.augmentation.{name}" in supported_types()
        and name not in ("AugmentingClassifier", "OriginalSamplesSplit")
    ]
    augmented = fitted("augmented")
    vars(augmented)["augmenters"], before = augmenters, augmented.augmenters
    save_model(augmented, tmp_path / "augmenters.ser")
    assert repr(load_model(tmp_path / "augmenters.ser")) == repr(augmented)
    augmented.augmenters = before
    for number, cv in enumerate(SPLITTERS):
        search = GridSearchCV(LinearSVC(), {"C": [1.0]}, cv=2).fit(X, y).set_params(cv=cv)
        save_model(search, tmp_path / f"cv{number}.ser")
        loaded = load_model(tmp_path / f"cv{number}.ser")
        assert type(loaded.cv) is type(cv)
        assert {k: repr(v) for k, v in vars(loaded.cv).items()} == {
            k: repr(v) for k, v in vars(cv).items()
        }
    found = set().union(*(classes_within(read_container(each)[0]) for each in tmp_path.iterdir()))
    files_of_weights = {"sklearn_ser.feature_extraction.PretrainedEmbedding"}  # tested there
    assert found | files_of_weights == set(supported_types())


def test_keys_that_look_like_paths(tmp_path):
    one, other = np.arange(2.0), np.arange(3.0)
    search = GridSearchCV(LinearSVC(), {"C": [1.0]}, cv=2).fit(X, y)
    search.param_grid = {"C": [one], "C.0": other}
    save_model(search, tmp_path / "m.ser")
    loaded = load_model(tmp_path / "m.ser").param_grid
    np.testing.assert_array_equal(loaded["C"][0], one)
    np.testing.assert_array_equal(loaded["C.0"], other)


def test_seeds_are_saved_and_generators_are_not(tmp_path):
    for given, expected in ((3, 3), (np.int64(3), 3), (np.random.RandomState(3), None)):
        model = LinearSVC(random_state=given).fit(X, y)
        save_model(model, tmp_path / "m.ser")
        assert load_model(tmp_path / "m.ser").random_state == expected
        assert model.random_state is given


def test_what_belongs_to_the_machine_has_its_default(tmp_path):
    model = GridSearchCV(
        make_pipeline(StandardScaler(), LinearSVC(), memory=joblib.Memory(tmp_path / "cache")),
        {"linearsvc__C": [1.0]},
        n_jobs=2,
        pre_dispatch="n_jobs",
    ).fit(X, y)
    save_model(model, tmp_path / "m.ser")
    loaded = load_model(tmp_path / "m.ser")
    assert [loaded.n_jobs, loaded.pre_dispatch] == [None, "2*n_jobs"]
    assert loaded.estimator.memory is None
    assert loaded.best_estimator_.memory is None
    assert not hasattr(loaded, "cv_results_")
    assert (loaded.best_score_, loaded.best_params_) == (model.best_score_, model.best_params_)
    assert str(tmp_path).encode() not in (tmp_path / "m.ser").read_bytes()
    assert model.n_jobs == 2


def test_another_version_of_scikit_learn_is_reported(tmp_path):
    facts, arrays = parts_of(StandardScaler().fit(X), tmp_path / "m.ser")
    write(tmp_path / "m.ser", facts | {"scikit_learn": "1.7.0"}, arrays)
    with pytest.warns(InconsistentVersionWarning, match=r"StandardScaler from version 1\.7\.0"):
        load_model(tmp_path / "m.ser")


def test_output_containers_are_saved(tmp_path):
    save_model(StandardScaler().set_output(transform="pandas").fit(X), tmp_path / "m.ser")
    assert isinstance(load_model(tmp_path / "m.ser").transform(X), pd.DataFrame)


@pytest.mark.parametrize(
    "cv",
    [
        3,
        KFold(3, shuffle=True, random_state=0),
        GroupKFold(3),
        StratifiedGroupKFold(3),
        LeaveOneGroupOut(),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_searches_with_the_splitters_of_scikit_learn_round_trip(cv, tmp_path):
    search = GridSearchCV(LinearSVC(), {"C": [0.01, 0.1]}, cv=cv)
    groups = np.arange(len(X)) % 5 if "Group" in type(cv).__name__ else None
    save_model(search.fit(X, NAMES, groups=groups), tmp_path / "m.ser")
    np.testing.assert_array_equal(load_model(tmp_path / "m.ser").predict(X), search.predict(X))


def test_scorers_round_trip(tmp_path):
    for scorer in (
        uar_scorer,
        make_ser_scorer("uar", labels=sorted(set(NAMES))),
        make_ser_scorer("auc"),  # of decision values
        "balanced_accuracy",
        "f1_macro",
    ):
        search = GridSearchCV(LinearSVC(), {"C": [0.01, 0.1]}, scoring=scorer, cv=3)
        save_model(search.fit(X, NAMES), tmp_path / "m.ser")
        assert load_model(tmp_path / "m.ser").score(X, NAMES) == search.score(X, NAMES)


class UnknownClassifier(LinearSVC):
    """An undeclared type."""


@pytest.mark.parametrize(
    ("model", "where", "name"),
    [
        (UnknownClassifier(), "model", rf"{__name__}\.UnknownClassifier"),
        (
            make_pipeline(StandardScaler(), UnknownClassifier()),
            r"model\.steps\.1\.1",
            "UnknownClassifier",
        ),
        (DecisionTreeClassifier(), "model", r"sklearn\.tree\._classes\.DecisionTreeClassifier"),
        (Birch(n_clusters=None), "model", "Birch"),
        (FunctionTransformer(np.log1p), "model", "FunctionTransformer"),
        (SelectKBest(k=2), "model", "SelectKBest"),
        (
            GridSearchCV(LinearSVC(), {}, scoring=make_scorer(lambda *_: 1.0)),
            r"model\.scoring",
            "_Scorer",
        ),
    ],
)
def test_other_types_raise_with_the_list(model, where, name, tmp_path):
    text = (
        rf"^the model cannot be saved to a file: {where} is of the type .*{name}, which is not "
        r"among those that a model file can hold: CalibratedClassifierCV, PCA, .*SkipFailedRows\. "
        r"Use skops or pickle yourself for others$"
    )
    with pytest.raises(ModelFileError, match=text):
        save_model(model.fit(X, y), tmp_path / "m.ser")
    assert not list(tmp_path.iterdir())


def changed(model, **attributes):
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (
            lambda: changed(LinearSVC().fit(X, y), coef_=LinearSVC().fit(X, y).sparsify().coef_),
            r"model\.coef_ is of the type scipy\.sparse",
        ),
        (lambda: changed(LinearSVC().fit(X, y), hook_=1), r"model has the attributes \['hook_'\]"),
        (lambda: changed(LinearSVC().fit(X, y), C=-1.0), "The 'C' parameter of LinearSVC must be"),
        (
            lambda: SVC(kernel="precomputed").fit(X @ X.T, y),
            "kernel of SVC is 'precomputed', and not: one-of linear poly rbf sigmoid",
        ),
        (
            lambda: OpenSmileExtractor("my.conf"),
            r"OpenSmileExtractor\(feature_set='my\.conf'\) names a configuration file, and a model",
        ),
        (
            lambda: augmented(AddNoise(noises="street.wav")),
            "noises of AddNoise is 'street.wav', and not: one-of white pink brown",
        ),
        (
            lambda: augmented(AddReverb(np.ones(9))),
            r"impulse_responses of AddReverb is float64 of shape \(9,\), and not: one-of",
        ),
        (
            lambda: changed(LinearSVC().fit(X, y), coef_=np.zeros((3, 4), object)),
            r"model\.coef_ is an array of objects of shape \(3, 4\); a model file holds arrays of",
        ),
        (
            lambda: changed(LinearSVC().fit(X, y), coef_=np.zeros((3, 4), complex)),
            "is an array of dtype complex128, and a model file holds arrays of float64, float32",
        ),
        (lambda: net(encoder=local_encoder(), tasks=None).fit(X, y), "cannot be imported by name"),
        (
            lambda: GridSearchCV(LinearSVC(), {"C": list(range(1, 300_000))}).set_params(cv=2),
            "the model is not fitted",
        ),
    ],
)
def test_what_a_file_cannot_hold_is_named(model, text, tmp_path):
    with pytest.raises(ModelFileError, match=text):
        save_model(model(), tmp_path / "m.ser")
    assert not list(tmp_path.iterdir())


def augmented(augmenter):
    return changed(
        AugmentingClassifier(LinearSVC(), None, random_state=0).fit(X, y), augmenters=[augmenter]
    )


def local_encoder():
    import torch

    class Local(torch.nn.Linear):
        def __init__(self, n_features):
            super().__init__(n_features, 3)

    return Local


def test_too_many_values_raise(tmp_path):
    model = GridSearchCV(LinearSVC(), {"C": [1.0]}, cv=2).fit(X, y)
    model.set_params(param_grid={"C": [1.0] * 300_001})
    with pytest.raises(ModelFileError, match=r"it holds \d+ values apart from arrays, and a model"):
        save_model(model, tmp_path / "m.ser")


def test_pickle_raises(tmp_path):
    (tmp_path / "m.ser").write_bytes(b"\x80\x04\x95")
    with pytest.raises(ModelFileError, match="is not a model file of sklearn_ser, or is damaged"):
        load_model(tmp_path / "m.ser")


def test_truncated_file_raises(model, tmp_path):
    save_model(model, tmp_path / "m.ser")
    data = (tmp_path / "m.ser").read_bytes()
    (tmp_path / "m.ser").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="is not a model file of sklearn_ser, or is damaged"):
        load_model(tmp_path / "m.ser")


def test_missing_file():
    with pytest.raises(ModelFileError, match=r"no model file 'nowhere\.ser'"):
        load_model("nowhere.ser")


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ({"a": 1}, "the model must be a fitted estimator of scikit-learn, got dict"),
        (GroupScaler, "must be a fitted estimator of scikit-learn, got the class GroupScaler"),
        (uar_scorer, "must be a fitted estimator of scikit-learn, got SerScorer"),
        (LinearSVC(), "the model is not fitted: This LinearSVC instance is not fitted yet"),
        (
            make_pipeline(GroupScaler(), MTLNeuralClassifier()),
            "the model is not fitted: This Pipeline instance is not fitted yet",
        ),
    ],
)
def test_only_fitted_estimators_are_saved(model, text, tmp_path):
    with pytest.raises(ModelFileError, match=text):
        save_model(model, tmp_path / "m.ser")
    assert not list(tmp_path.iterdir())


def test_a_stateless_estimator_needs_no_fit(tmp_path):
    save_model(Normalizer(), tmp_path / "m.ser")
    assert isinstance(load_model(tmp_path / "m.ser"), Normalizer)


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (
            {"good": 1, "bad": object()},
            r"info\['bad'\] cannot be written as JSON \(Object of type object .* JSON.*: use str",
        ),
        ({"rate": np.float32(1)}, r"info\['rate'\] cannot be written as JSON"),
        ({("a", 1): 2}, r"info\[\('a', 1\)\] cannot be written as JSON"),
        (["a"], "info must be a dict, got list"),
    ],
)
def test_bad_info_is_named_and_the_old_file_stays(model, tmp_path, info, text):
    save_model(model, tmp_path / "m.ser")
    before = (tmp_path / "m.ser").read_bytes()
    with pytest.raises(ModelFileError, match=text):
        save_model(model, tmp_path / "m.ser", info=info)
    assert (tmp_path / "m.ser").read_bytes() == before


def test_a_failing_disk_leaves_the_old_file(model, tmp_path, monkeypatch):
    save_model(model, tmp_path / "m.ser")
    before = (tmp_path / "m.ser").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_container.os, "fsync", full)
    with pytest.raises(ModelFileError, match=r"cannot write the model file .*No space left"):
        save_model(model, tmp_path / "m.ser", info={"new": True})
    assert (tmp_path / "m.ser").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.ser"]


def test_paths_that_cannot_be_written(model, tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot write .*: this is a folder"):
        save_model(model, tmp_path)
    with pytest.raises(ModelFileError, match=r"cannot write .*: there is no folder '.*nowhere'"):
        save_model(model, tmp_path / "nowhere" / "m.ser")
    with pytest.raises(ModelFileError, match=r"cannot write .*null"):
        save_model(model, "m\0.ser")


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes and links")
def test_a_saved_file_is_as_any_other(model, tmp_path):
    (tmp_path / "other").touch()
    (tmp_path / "link.ser").symlink_to(tmp_path / "m.ser")
    save_model(model, tmp_path / "link.ser")
    assert (tmp_path / "link.ser").is_symlink()
    assert (tmp_path / "m.ser").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("trusted", ["os.system", None, [1], LinearSVC])
def test_trusted_must_be_a_list_of_names(model, tmp_path, trusted):
    save_model(model, tmp_path / "m.ser")
    with pytest.raises(ModelFileError, match="trusted must be a list of full names of types"):
        load_model(tmp_path / "m.ser", trusted=trusted)


def test_a_model_file_names_no_store(tmp_path):
    step = SpeakerEmbedding(store=str(tmp_path / "store"))
    save_model(step, tmp_path / "m.ser")
    assert step.store == str(tmp_path / "store")
    assert str(tmp_path).encode() not in (tmp_path / "m.ser").read_bytes()
    assert load_model(tmp_path / "m.ser").store is None


def test_a_model_file_names_no_pretrained_model(tmp_path):
    save_model(PretrainedEmbedding("microsoft/wavlm-base"), tmp_path / "m.ser")
    assert b"wavlm" not in (tmp_path / "m.ser").read_bytes()
    assert load_model(tmp_path / "m.ser").model is None
