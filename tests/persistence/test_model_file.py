import contextlib
import io
import os
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_ser import GroupScaler, MTLNeuralClassifier, SpeakerEmbedding, uar_scorer
from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.metrics import make_ser_scorer
from sklearn_ser.persistence import (
    _archive,
    _model_file,
    load_model,
    load_model_info,
    save_model,
    trusted_types,
)
from sklearn_ser.recipes import make_svm_baseline

X, y = load_iris(return_X_y=True)
NAMES = np.array(["anger", "happiness", "sadness"])[y]


@pytest.fixture(scope="module")
def net():
    return make_pipeline(GroupScaler(), MTLNeuralClassifier(max_epochs=5, random_state=0)).fit(
        X, NAMES
    )


def test_net_round_trip(net, tmp_path):
    save_model(net, tmp_path / "m.ser", info={"corpora": ["iris"]})
    loaded = load_model(tmp_path / "m.ser")
    np.testing.assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))
    assert load_model_info(tmp_path / "m.ser")["info"] == {"corpora": ["iris"]}


def test_search_round_trip(tmp_path):
    search = make_svm_baseline(features=None, scale_by=None, Cs=[0.01, 0.1], cv=3)
    search.fit(X, NAMES, groups=np.arange(len(X)) % 10)
    save_model(search, tmp_path / "m.ser")
    np.testing.assert_array_equal(load_model(tmp_path / "m.ser").predict(X), search.predict(X))


def test_own_types_are_estimators_splitters_and_metrics():
    names = {name.rsplit(".", 1)[-1] for name in trusted_types()}
    assert {"GroupScaler", "MTLNeuralClassifier", "SpeakerKFold", "OpenSmileExtractor"} <= names
    others = {name for name in trusted_types() if not name.startswith("sklearn_ser.")}
    assert {name.rsplit(".", 1)[0] for name in others} == {
        "sklearn.calibration",
        "sklearn.metrics._classification",
        "sklearn.metrics._scorer",
        "sklearn.model_selection._split",
        "sklearn.utils._bunch",
        "sklearn.utils._metadata_requests",
    }


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


@pytest.mark.parametrize(
    "around",
    [
        lambda net: CalibratedClassifierCV(net, cv=2),
        lambda net: CalibratedClassifierCV(net, cv=2, method="isotonic"),
        lambda net: CalibratedClassifierCV(net, cv=2, method="temperature"),
        lambda net: VotingClassifier([("one", net), ("other", GaussianNB())], voting="soft"),
        lambda net: StackingClassifier([("one", net), ("other", GaussianNB())], cv=2),
        lambda net: BaggingClassifier(net, n_estimators=2, random_state=0),
    ],
    ids=["sigmoid", "isotonic", "temperature", "voting", "stacking", "bagging"],
)
def test_meta_estimators_around_a_network_round_trip(around, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = np.repeat(["anger", "calm", "joy"], 20)
    net = MTLNeuralClassifier(tasks=None, max_epochs=1, hidden_units=(4,), random_state=0)
    model = around(net).fit(X, y)
    save_model(model, tmp_path / "m.ser")
    loaded = load_model(tmp_path / "m.ser")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


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


class Stranger(LinearSVC):
    """An undeclared type."""


def test_saving_an_undeclared_type_raises(tmp_path):
    with pytest.raises(ModelFileError, match=r"types that a model file may not: .*Stranger"):
        save_model(Stranger().fit(X, y), tmp_path / "m.ser")
    assert not (tmp_path / "m.ser").exists()


def test_loading_an_undeclared_type_raises(net, tmp_path):
    save_model(net, tmp_path / "good.ser")
    with zipfile.ZipFile(tmp_path / "good.ser") as good:
        info = good.read("info.json")
    with zipfile.ZipFile(tmp_path / "bad.ser", "w") as bad:
        bad.writestr("info.json", info)
        bad.writestr("model.skops", skops.io.dumps(Stranger().fit(X, y)))
    with pytest.raises(ModelFileError, match=r"not trusted and was not loaded: .*Stranger"):
        load_model(tmp_path / "bad.ser")


def test_pickle_raises(tmp_path):
    (tmp_path / "m.ser").write_bytes(b"\x80\x04\x95")
    with pytest.raises(ModelFileError, match="is not a model file of sklearn_ser, or is damaged"):
        load_model(tmp_path / "m.ser")


def test_truncated_file_raises(net, tmp_path):
    save_model(net, tmp_path / "m.ser")
    data = (tmp_path / "m.ser").read_bytes()
    (tmp_path / "m.ser").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="is not a model file of sklearn_ser, or is damaged"):
        load_model(tmp_path / "m.ser")


def test_missing_file():
    with pytest.raises(ModelFileError, match=r"no model file 'nowhere\.ser'"):
        load_model("nowhere.ser")


def test_trees_raise_with_the_reason(tmp_path):
    model = DecisionTreeClassifier().fit(X, y)
    text = (
        r"holds types that a model file may not: \['sklearn\.tree\._tree\.Tree'\]\. "
        r"They are neither in .*trusted_types\(\) nor trusted by skops"
    )
    with pytest.raises(ModelFileError, match=text):
        save_model(model, tmp_path / "m.ser")


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


def test_types_without_skops_support_raise(tmp_path):
    text = "model cannot be saved to a file: UnsupportedTypeException: .*Birch are not supported"
    with pytest.raises(ModelFileError, match=text):
        save_model(Birch(n_clusters=None).fit(X), tmp_path / "m.ser")


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
def test_bad_info_is_named_and_the_old_file_stays(net, tmp_path, info, text):
    save_model(net, tmp_path / "m.ser")
    before = (tmp_path / "m.ser").read_bytes()
    with pytest.raises(ModelFileError, match=text):
        save_model(net, tmp_path / "m.ser", info=info)
    assert (tmp_path / "m.ser").read_bytes() == before


def test_a_failing_disk_leaves_the_old_file(net, tmp_path, monkeypatch):
    save_model(net, tmp_path / "m.ser")
    before = (tmp_path / "m.ser").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_archive.os, "fsync", full)
    with pytest.raises(ModelFileError, match=r"cannot write the model file .*No space left"):
        save_model(net, tmp_path / "m.ser", info={"new": True})
    assert (tmp_path / "m.ser").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.ser"]


def test_paths_that_cannot_be_written(net, tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot write .*: this is a folder"):
        save_model(net, tmp_path)
    with pytest.raises(ModelFileError, match=r"cannot write .*: there is no folder '.*nowhere'"):
        save_model(net, tmp_path / "nowhere" / "m.ser")
    with pytest.raises(ModelFileError, match=r"cannot write .*null"):
        save_model(net, "m\0.ser")


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes and links")
def test_a_saved_file_is_as_any_other(net, tmp_path):
    (tmp_path / "other").touch()
    (tmp_path / "link.ser").symlink_to(tmp_path / "m.ser")
    save_model(net, tmp_path / "link.ser")
    assert (tmp_path / "link.ser").is_symlink()
    assert (tmp_path / "m.ser").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_very_compressible_models_pass_the_size_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive, "SMALLEST_LIMIT", 0)
    model = LinearSVC().fit(X, y)
    model.coef_ = np.zeros((3, 400_000))
    save_model(model, tmp_path / "m.ser")
    assert load_model(tmp_path / "m.ser").coef_.shape == (3, 400_000)


@pytest.mark.parametrize("trusted", ["os.system", None, [1], LinearSVC])
def test_trusted_must_be_a_list_of_names(net, tmp_path, trusted):
    save_model(net, tmp_path / "m.ser")
    with pytest.raises(ModelFileError, match="trusted must be a list of full names of types"):
        load_model(tmp_path / "m.ser", trusted=trusted)


def test_trusting_by_name(tmp_path):
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    good = tmp_path / "good.ser"
    save_model(LinearSVC().fit(X, y), good)
    with zipfile.ZipFile(good) as archive:
        info = archive.read("info.json")
    with zipfile.ZipFile(tmp_path / "tree.ser", "w") as archive:
        archive.writestr("info.json", info)
        archive.writestr("model.skops", skops.io.dumps(model))
    with pytest.raises(ModelFileError, match=r"not trusted and was not loaded: .*Tree"):
        load_model(tmp_path / "tree.ser")
    loaded = load_model(tmp_path / "tree.ser", trusted=("sklearn.tree._tree.Tree",))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_model_file_names_no_store_and_cannot_choose_one(tmp_path, monkeypatch):
    step = SpeakerEmbedding(store=str(tmp_path / "store"))
    save_model(step, tmp_path / "m.ser")
    assert step.store == str(tmp_path / "store")
    (model,) = _archive.read_members(tmp_path / "m.ser", ["model.skops"]).values()
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        assert str(tmp_path) not in archive.read("schema.json").decode()
    assert load_model(tmp_path / "m.ser").store is None
    monkeypatch.setattr(_model_file, "model_file", contextlib.nullcontext)
    save_model(step, tmp_path / "hostile.ser")
    monkeypatch.undo()
    assert load_model(tmp_path / "hostile.ser").store is None
