import json
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import GroupScaler, MTLNeuralClassifier, make_uar_scorer, uar_scorer
from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.persistence import load_model, load_model_info, save_model, trusted_types
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
    assert others == {"sklearn.metrics._scorer._Scorer"}


def test_scorers_round_trip(tmp_path):
    for scorer in (uar_scorer, make_uar_scorer(["anger", "sadness"])):
        search = GridSearchCV(LinearSVC(), {"C": [0.01, 0.1]}, scoring=scorer, cv=3)
        save_model(search, tmp_path / "m.ser")
        assert load_model(tmp_path / "m.ser").scoring is not None


class Stranger(LinearSVC):
    """A type that nobody declared."""


def test_saving_an_undeclared_type_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"types that a model file may not: .*Stranger"):
        save_model(Stranger().fit(X, y), tmp_path / "m.ser")
    assert not (tmp_path / "m.ser").exists()


def test_loading_an_undeclared_type_is_refused(net, tmp_path):
    save_model(net, tmp_path / "good.ser")
    with (
        zipfile.ZipFile(tmp_path / "good.ser") as good,
        zipfile.ZipFile(tmp_path / "bad.ser", "w") as bad,
    ):
        bad.writestr("info.json", good.read("info.json"))
        bad.writestr("model.skops", skops.io.dumps(Stranger().fit(X, y)))
    with pytest.raises(ModelFileError, match=r"not trusted and was not loaded: .*Stranger"):
        load_model(tmp_path / "bad.ser")


def test_hostile_file_does_not_run(net, tmp_path):
    """A schema that names a harmful callable is refused before anything is built."""
    save_model(net, tmp_path / "good.ser")
    with zipfile.ZipFile(tmp_path / "good.ser") as good:
        info, model = good.read("info.json"), good.read("model.skops")
    (tmp_path / "inner.zip").write_bytes(model)
    with zipfile.ZipFile(tmp_path / "inner.zip") as inner:
        schema = json.loads(inner.read("schema.json"))
        others = {name: inner.read(name) for name in inner.namelist() if name != "schema.json"}
    target = tmp_path / "touched"
    schema = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "ConstructorFromReduceNode",
        "content": {
            "__class__": "str",
            "__module__": "builtins",
            "__loader__": "JsonNode",
            "content": json.dumps([f"touch {target}"]),
            "is_json": True,
        },
        "protocol": schema["protocol"],
        "_skops_version": schema["_skops_version"],
    }
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.writestr("schema.json", json.dumps(schema))
        for name, data in others.items():
            inner.writestr(name, data)
    with zipfile.ZipFile(tmp_path / "bad.ser", "w") as bad:
        bad.writestr("info.json", info)
        bad.writestr("model.skops", (tmp_path / "inner.zip").read_bytes())
    with pytest.raises(ModelFileError):
        load_model(tmp_path / "bad.ser")
    assert not target.exists()


def test_pickle_is_refused(tmp_path):
    (tmp_path / "m.ser").write_bytes(b"\x80\x04\x95")
    with pytest.raises(ModelFileError, match="is not a model file of sklearn_ser, or is damaged"):
        load_model(tmp_path / "m.ser")


def test_truncated_file_is_refused(net, tmp_path):
    save_model(net, tmp_path / "m.ser")
    data = (tmp_path / "m.ser").read_bytes()
    (tmp_path / "m.ser").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="is not a model file of sklearn_ser, or is damaged"):
        load_model(tmp_path / "m.ser")


def test_missing_file():
    with pytest.raises(ModelFileError, match=r"no model file 'nowhere\.ser'"):
        load_model("nowhere.ser")


def test_newer_format_says_so(net, tmp_path):
    save_model(net, tmp_path / "m.ser")
    with zipfile.ZipFile(tmp_path / "m.ser") as archive:
        model = archive.read("model.skops")
    with zipfile.ZipFile(tmp_path / "m.ser", "w") as archive:
        archive.writestr("info.json", json.dumps({"format": 99}))
        archive.writestr("model.skops", model)
    with pytest.raises(ModelFileError, match=r"has format 99, this version .* reads up to 1"):
        load_model(tmp_path / "m.ser")
