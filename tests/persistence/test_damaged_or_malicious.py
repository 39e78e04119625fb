"""Damaged and malicious model files: each raises a ModelFileError."""

import io
import json
import random
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import sklearn_ser.metrics
from sklearn_ser import GroupScaler, MTLNeuralClassifier
from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.persistence import _archive, load_model, load_model_info, save_model

X, y = load_iris(return_X_y=True)
SCHEMA = "schema.json"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A good file; its members can be exchanged with `rewrite`."""
    path = tmp_path_factory.mktemp("good") / "good.ser"
    model = make_pipeline(GroupScaler(), MTLNeuralClassifier(max_epochs=2, random_state=0))
    save_model(model.fit(X, y), path, info={"corpora": ["iris"]})
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bad.ser"


def members_of(archive):
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def zip_of(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def rewrite(path, good, compression=zipfile.ZIP_DEFLATED, **changed):
    """Write the good file with other members, e.g. ``info=b"..."`` or ``model=b"..."``."""
    names = {"info": "info.json", "model": "model.skops"}
    members = members_of(good) | {names[key]: data for key, data in changed.items()}
    path.write_bytes(zip_of(members, compression))


def rewrite_schema(path, good, schema):
    """Write the good file with another schema inside, a dict or a function of the good one."""
    inner = members_of(io.BytesIO(members_of(good)["model.skops"]))
    before = json.loads(inner[SCHEMA])
    heading = {name: before[name] for name in ("protocol", "_skops_version")}
    after = schema(before) if callable(schema) else heading | schema
    rewrite(path, good, model=zip_of(inner | {SCHEMA: json.dumps(after)}))


# Nodes of a skops schema, as a hostile writer would make them.


def node(loader, name, **parts):
    module, _, attribute = name.rpartition(".")
    return {"__loader__": loader, "__module__": module, "__class__": attribute, **parts}


def value(content):
    return node("JsonNode", "builtins.str", content=json.dumps(content), is_json=True)


def list_of(*nodes, **parts):
    return node("ListNode", "builtins.list", content=list(nodes), **parts)


def dict_of(keys=None, **nodes):
    keys = keys or list_of(*(node("TypeNode", "builtins.str") for _ in nodes))
    return node("DictNode", "builtins.dict", content=nodes, key_types=keys)


UAR = "sklearn_ser.metrics.uar_score"
SCALER = "sklearn_ser.preprocessing.GroupScaler"
FUNCTION = node("FunctionNode", UAR)
ARGUMENTS = node("TupleNode", "builtins.tuple", content=[value(["a"]), value(["a"])])
CALLED = f"the function {UAR} stands where it would be called"
OUTSIDE = f"the function {UAR} stands outside a scorer"
NOT_A_TYPE = f"{UAR} stands where only a type may"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (node("ConstructorFromReduceNode", UAR, content=ARGUMENTS), CALLED),
        (node("ListNode", UAR, content=[value(["a"])]), CALLED),
        (node("SetNode", UAR, content=[]), CALLED),
        (node("DictNode", UAR, content={}, key_types=list_of()), CALLED),
        (node("ObjectNode", UAR), CALLED),
        (node("RandomStateNode", UAR, content=dict_of()), CALLED),
        (dict_of(list_of(node("TypeNode", UAR)), a=value(1)), CALLED),
        (dict_of(list_of(FUNCTION), a=value(1)), NOT_A_TYPE),
        (dict_of(list_of(list_of(FUNCTION)), a=value(1)), NOT_A_TYPE),
        (
            node(
                "DefaultDictNode",
                "collections.defaultdict",
                content={"main": dict_of(), "default_factory": FUNCTION},
            ),
            NOT_A_TYPE,
        ),
        (node("ObjectNode", SCALER, content=dict_of(get_params=FUNCTION)), OUTSIDE),
        # An id stands for what was built first, whatever is written where it stands again.
        (
            list_of(
                dict_of(_score_func=FUNCTION | {"__id__": 7}),
                dict_of(list_of(node("TypeNode", "builtins.str", __id__=7)), a=value(1)),
            ),
            "two different things in it have the same id 7",
        ),
        (
            list_of(
                dict_of(_score_func=FUNCTION | {"__id__": 7}),
                dict_of(list_of({"__id__": 7}), a=value(1)),
            ),
            "two different things in it have the same id 7",
        ),
        (
            list_of(list_of(list_of(__id__=7)), __id__=7),
            "two different things in it have the same id 7",
        ),
    ],
)
def test_a_trusted_function_is_never_called(good, path, monkeypatch, schema, text):
    def called(*_, **__):
        raise AssertionError("called")

    called.__module__, called.__qualname__ = "sklearn_ser.metrics", "uar_score"
    monkeypatch.setattr(sklearn_ser.metrics, "uar_score", called)
    rewrite_schema(path, good, schema)
    with pytest.raises(ModelFileError, match=f"cannot be read: {text}"):
        load_model(path)


def test_a_function_that_the_caller_trusts_is_not_called_either(good, path, tmp_path):
    command = node("TupleNode", "builtins.tuple", content=[value(f"touch {tmp_path / 'touched'}")])
    name = "os.system"
    for loader in ("ConstructorFromReduceNode", "TypeNode"):
        rewrite_schema(path, good, node(loader, name, content=command))
        with pytest.raises(ModelFileError, match=r"os\.system stands where it would be called"):
            load_model(path, trusted=[name])
        with pytest.raises(ModelFileError, match=r"not trusted and was not loaded: \['os.system'"):
            load_model(path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (value(5), "what it holds must be a fitted estimator of scikit-learn, got int"),
        (list_of(value(5)), "got list"),
        (node("TypeNode", SCALER), "got the class GroupScaler"),
        (node("ObjectNode", SCALER), "what it holds is not fitted: This GroupScaler"),
        (node("ObjectNode", SCALER, content=value([1])), "TypeError: cannot convert dictionary"),
        (
            node("ObjectNode", SCALER, content=dict_of(scale_=value(1))),
            "AttributeError: 'GroupScaler' object has no attribute 'by'",
        ),
        (
            node("ObjectNode", "sklearn_ser.model_selection.SpeakerKFold"),
            "must be a fitted estimator of scikit-learn, got SpeakerKFold",
        ),
        ({"a": 1}, "KeyError: '__loader__'"),
        (node("NopeNode", "builtins.list"), "Can't find loader NopeNode"),
        (value(5) | {"protocol": 0}, "its skops protocol is 0"),
        (value(5) | {"protocol": True}, "its skops protocol is True"),
        (value(5) | {"protocol": 99}, "ValueError: The file was saved with skops protocol 99"),
    ],
)
def test_only_a_fitted_estimator_comes_out(good, path, schema, text):
    rewrite_schema(path, good, schema)
    with pytest.raises(ModelFileError, match=f"cannot be read: .*{text}"):
        load_model(path)


def test_deep_schema_raises(good, path):
    inner = members_of(io.BytesIO(members_of(good)["model.skops"]))
    rewrite(path, good, model=zip_of(inner | {SCHEMA: "[" * 100_000}))
    with pytest.raises(ModelFileError, match="cannot be read: RecursionError"):
        load_model(path)


DAMAGED = "is not a model file of sklearn_ser, or is damaged: "


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (b'{"format": Infinity}', r"must have a format of 1 or higher, it has inf"),
        (b'{"format": true}', "must have a format of 1 or higher, it has True"),
        (b'{"format": -5}', "must have a format of 1 or higher, it has -5"),
        (b'{"format": 1.9}', r"must have a format of 1 or higher, it has 1\.9"),
        (b"{}", "must have a format of 1 or higher, it has None"),
        (b"[1]", "info.json does not hold what save_model writes"),
        (b'{"format": 2, "info": [1]}', "info.json does not hold what save_model writes"),
        (b"[" * 100_000, "RecursionError"),
        (b'{"format": ' + b"9" * 5000 + b"}", "ValueError"),
        (b'{"format": 2, "x":"\xff"}', "UnicodeDecodeError"),
        (b'{"format": 2}', "must have the version of sklearn_ser that wrote it, it has None"),
        (b'{"format": 2, "sklearn_ser": 3}', "that wrote it, it has 3"),
        (b'{"format": 2, "sklearn_ser": "new"}', "that wrote it, it has new"),
    ],
    ids=lambda part: repr(part)[:30],
)
@pytest.mark.parametrize("read", [load_model, load_model_info])
def test_damaged_facts(good, path, read, info, text):
    rewrite(path, good, info=info)
    with pytest.raises(ModelFileError, match=f"{DAMAGED}.*{text}"):
        read(path)


@pytest.mark.parametrize(
    ("file_format", "version", "text"),
    [
        (99, "0.1.0", r"has format 99 and was written by sklearn_ser 0\.1\.0; this is \d.*, which"),
        (99, "9.1", r"reads format 2 of this .*: pip install --upgrade 'sklearn-ser>=9\.1'$"),
        (2, "99.0", r"has format 2 and was written by sklearn_ser 99\.0; this is "),
        (2, "0.1.1.dev3", r"written by sklearn_ser 0\.1\.1\.dev3; this is "),
        (1, "0.0.9", r"has format 1, and this .* reads format 2: fit .* that wrote it \(0\.0\.9\)"),
    ],
)
def test_other_formats_and_newer_versions_say_what_to_do(good, path, file_format, version, text):
    rewrite(path, good, info=json.dumps({"format": file_format, "sklearn_ser": version}).encode())
    for read in (load_model, load_model_info):
        with pytest.raises(ModelFileError, match=text):
            read(path)


def test_files_of_older_versions_are_read(good, path):
    rewrite(path, good, info=b'{"format": 2, "sklearn_ser": "0.0.9"}')
    assert load_model(path).predict(X[:1]) == load_model(good).predict(X[:1])


def patched(data, central, local, change):
    """The zip with two bytes changed in the heading of each member, in both places."""
    data = bytearray(data)
    for mark, offset in ((b"PK\x01\x02", central), (b"PK\x03\x04", local)):
        position = data.find(mark)
        while position >= 0:
            data[position + offset : position + offset + 2] = change
            position = data.find(mark, position + 4)
    return bytes(data)


@pytest.mark.parametrize(
    ("central", "local", "change", "text"),
    [
        (8, 6, b"\x01\x00", "RuntimeError: .*encrypted"),
        (10, 8, b"\x63\x00", "'info.json' in it is compressed in a way that save_model does not"),
        (10, 8, b"\x0e\x00", "'info.json' in it is compressed in a way that save_model does not"),
        (6, 4, b"\x63\x00", "NotImplementedError: zip file version"),
        # A name in UTF-8 that is none.
        (8, 6, b"\x00\x08", "UnicodeDecodeError"),
    ],
)
def test_strange_zips(good, path, central, local, change, text):
    data = good.read_bytes()
    if text == "UnicodeDecodeError":
        data = data.replace(b"info.json", b"\xffnfo.json")
    path.write_bytes(patched(data, central, local, change))
    with pytest.raises(ModelFileError, match=DAMAGED + text):
        load_model(path)


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(_archive, "SMALLEST_LIMIT", 2**20)


def test_zip_bombs_raise(good, path, small_limit):
    zeros = bytes(4 * 2**20)
    text = r"it would unpack to 4 MiB, and a file of its size may unpack to \d MiB"
    rewrite(path, good, info=b'{"format": 2}' + b" " * len(zeros))
    for read in (load_model, load_model_info):
        with pytest.raises(ModelFileError, match=text):
            read(path)
    inner = members_of(io.BytesIO(members_of(good)["model.skops"])) | {"more.bin": zeros}
    rewrite(path, good, model=zip_of(inner, zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelFileError, match="in it is compressed in a way that save_model does"):
        load_model(path)


def test_a_bomb_that_declares_a_small_size_is_not_unpacked(good, path):
    zeros = bytes(4 * 2**20)
    info = b'{"format": 1}'
    rewrite(path, good, info=info + b" " * len(zeros))
    size = (len(info) + len(zeros)).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, len(info).to_bytes(4, "little")))
    with pytest.raises(ModelFileError, match=f"{DAMAGED}BadZipFile: Bad CRC-32"):
        load_model_info(path)


def test_one_member_read_many_times_counts_each_time(good, path, small_limit):
    def repeat(schema):
        inner = members_of(io.BytesIO(members_of(good)["model.skops"]))
        largest = max(set(inner) - {SCHEMA}, key=lambda name: len(inner[name]))
        times = 300 * 2**20 // len(inner[largest])
        part = node("BytesNode", "builtins.bytes", file=largest)
        return schema | list_of(*[part] * times)

    rewrite_schema(path, good, repeat)
    with pytest.raises(ModelFileError, match=r"it would unpack to \d+ MiB, and a file of its"):
        load_model(path)


def test_a_sparse_matrix_is_a_zip_too(good, path, small_limit):
    bomb = zip_of({"data.npy": bytes(4 * 2**20)}, zipfile.ZIP_DEFLATED)
    schema = node("SparseMatrixNode", "scipy.sparse._matrix.spmatrix", type="scipy", file="b.npz")
    heading = {"protocol": 2, "_skops_version": "0"}
    rewrite(path, good, model=zip_of({SCHEMA: json.dumps(heading | schema), "b.npz": bomb}))
    with pytest.raises(ModelFileError, match="it would unpack to 4 MiB"):
        load_model(path)


def test_damaged_network_raises_at_loading(path):
    for change in ({"activation": "os.system"}, {"hidden_units": [10**6, 10**6]}):
        model = MTLNeuralClassifier(max_epochs=1).fit(X, y)
        save_model(model, path)
        model._architecture |= change
        rewrite(path, path, model=skops.io.dumps(make_pipeline(GroupScaler(), model)))
        with pytest.raises(ModelFileError, match="the state of the neural network is damaged"):
            load_model(path)


def test_flipped_bytes(tmp_path, path):
    """Whatever few bytes are wrong: an estimator, or a ModelFileError."""
    save_model(LinearSVC().fit(X, y), tmp_path / "good.ser")
    data = (tmp_path / "good.ser").read_bytes()
    generator = random.Random(0)
    rejected = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(generator.choice([1, 1, 2, 4])):
            # The headings, at both ends, are where a flip does more than break a checksum.
            start = generator.choice([0, len(data) - 250, 0])
            stop = generator.choice([60, len(data)])
            position = generator.randrange(start, max(stop, start + 1))
            damaged[position] = generator.randrange(256)
        path.write_bytes(damaged)
        try:
            model = load_model(path)
        except ModelFileError:
            rejected += 1
        else:
            assert isinstance(model, BaseEstimator)
            np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert rejected > 200
