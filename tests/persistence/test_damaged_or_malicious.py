"""Damaged and malicious model files: each raises a ModelFileError."""

import contextlib
import copy
import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.svm import SVC, LinearSVC

from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.persistence import _container, load_model, load_model_info, save_model
from tests.persistence.crafting import facts_of, fuzz, node, parts_of, places, write
from tests.persistence.models import MODELS, NAMES, X, fitted, net, y

DAMAGED = "is not a model file of sklearn_ser, or is damaged: "
UNREADABLE = "cannot be read: "


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bad.ser"


@pytest.fixture
def original(path):
    """Facts and arrays of a model of which many things can be wrong."""
    return parts_of(fitted("voting"), path)


def check_load_error(path, text, **options):
    with pytest.raises(ModelFileError, match=text) as caught:
        load_model(path, **options)
    assert len(str(caught.value)) < 3000


def zip_of(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_the_former_format_gives_one_error(path):
    facts = json.dumps({"format": 2, "sklearn_ser": "0.1.0"})
    path.write_bytes(zip_of(info=facts, model=b"x"))
    for read in (load_model, load_model_info):
        with pytest.raises(
            ModelFileError,
            match=f"{DAMAGED}it is a zip archive, as sklearn_ser",
        ):
            read(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "its header of 0 bytes does not fit in its 0 bytes"),
        (b"\x80\x04\x95", "its header of 9766016 bytes does not fit in its 3 bytes"),
        (b"\xff" * 100, r"its header of \d+ bytes does not fit in its 100 bytes"),
        (b"\x05" + bytes(7) + b"[1,2]", "its header does not hold what save_model writes"),
        (b"\x02" + bytes(7) + b"{}", "its header does not hold what save_model writes"),
        (b"\x06" + bytes(7) + b'"\xc3\xa9ab"', "UnicodeDecodeError"),
        (b"\x03" + bytes(7) + b"NaN", "its header holds NaN"),
        (b"\x03" + bytes(7) + b"{1}", "JSONDecodeError"),
    ],
)
@pytest.mark.parametrize("read", [load_model, load_model_info])
def test_other_files(path, read, content, text):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=DAMAGED + text):
        read(path)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ([1], "its header does not hold what save_model writes"),
        ({"info": [1]}, "its header does not hold what save_model writes"),
        ({"format": True}, "it must have a format of 3 or higher, it has True"),
        ({"format": 2}, "it must have a format of 3 or higher, it has 2"),
        ({"format": 3.0}, r"it must have a format of 3 or higher, it has 3\.0"),
        ({"format": 10**400}, r"has format 10+ and was written"),
        ({"sklearn_ser": None}, "must name the version of sklearn_ser that wrote it, it has None"),
        ({"sklearn_ser": "new"}, "must name the version of sklearn_ser that wrote it, it has new"),
        ({"sklearn_ser": "0" + ".1" * 10**5}, r"sklearn_ser that wrote it, it has 0(\.1){19}\.$"),
        ({"format": 99}, r"format 99 and was written by sklearn_ser 0\.0\.1; this is \d.*, which"),
        ({"sklearn_ser": "99.0"}, r"written by sklearn_ser 99\.0; .* --upgrade 'sklearn-ser>=99"),
        ({"sklearn_ser": "0.1.1.dev3"}, r"written by sklearn_ser 0\.1\.1\.dev3; this is "),
    ],
    ids=lambda part: repr(part)[:30],
)
@pytest.mark.parametrize("read", [load_model, load_model_info])
def test_damaged_facts(path, read, facts, text):
    facts = facts_of(None) | facts if isinstance(facts, dict) else facts
    write(path, facts, {})
    with pytest.raises(ModelFileError, match=text):
        read(path)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (
            {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]},
            "its arrays have 16 bytes, and 0",
        ),
        ({"dtype": "F64", "shape": [2**39, 8], "data_offsets": [0, 2**45]}, "its arrays have 3518"),
        ({"dtype": "F64", "shape": [2**63], "data_offsets": [0, 0]}, "has no valid shape"),
        ({"dtype": "F64", "shape": [-1], "data_offsets": [0, -8]}, "has no valid shape"),
        ({"dtype": "F64", "shape": [0] * 99, "data_offsets": [0, 0]}, "has no valid shape"),
        ({"dtype": "F64", "shape": [True], "data_offsets": [0, 8]}, "has no valid shape"),
        ({"dtype": "F64", "shape": [0], "data_offsets": [8, 8]}, "is not at the bytes 0 to 0"),
        ({"dtype": "O", "shape": [0], "data_offsets": [0, 0]}, "has the dtype 'O'"),
        ({"dtype": ["F64"], "shape": [0], "data_offsets": [0, 0]}, "has the dtype"),
        ({"dtype": "F64", "shape": [0]}, "has no dtype, shape and data_offsets"),
        (7, "has no dtype, shape and data_offsets"),
        ({"dtype": "F64", "shape": [0], "data_offsets": [0, 0]}, "nothing in it uses the arrays"),
    ],
    ids=lambda part: repr(part)[:60],
)
def test_headers_of_arrays(path, entry, text):
    write(path, facts_of(node("sklearn.preprocessing.Normalizer")), {}, more=entry)
    check_load_error(path, text)


def test_bytes_that_are_no_truth_values(path):
    scaler = node("sklearn.preprocessing.Normalizer", {"copy": {"array": "a"}})
    write(path, facts_of(scaler), {"a": np.array([2], np.uint8).view(bool)})
    check_load_error(path, "the array 'a' holds bytes that are not truth values")


def nested(tree):
    """Return the tree of a Pipeline whose only step has a tree."""
    return node("sklearn.pipeline.Pipeline", {"steps": [{"tuple": ["a", tree]}]})


GROUP_SCALER = "sklearn_ser.preprocessing.GroupScaler"


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (5, "what it holds must be a fitted estimator of scikit-learn, got int"),
        ([], "got list"),
        (node("sklearn.model_selection.KFold"), "fitted estimator of scikit-learn, got KFold"),
        (node(GROUP_SCALER), "what it holds is not fitted: This GroupScaler instance"),
        (node(GROUP_SCALER, {}, {"mean_": 1}), r"GroupScaler lacks \['n_features_in_', "),
        (node(GROUP_SCALER, {"memory": None}), r"GroupScaler has no attributes \['memory'\]"),
        (node(GROUP_SCALER, {}, {"predict": 1}), r"GroupScaler has no attributes \['predict'\]"),
        (node(GROUP_SCALER, {}, {"__class__": 1}), r"has no attributes \['__class__'\]"),
        (node(GROUP_SCALER, more=1), "an object in it has parts other than"),
        (node(GROUP_SCALER, {"shrinkage": -1.0}), "The 'shrinkage' parameter of GroupScaler must"),
        (node("os.system"), "a model file does not hold objects of 'os.system'"),
        (node("sklearn.tree.DecisionTreeClassifier"), "does not hold objects of 'sklearn.tree"),
        (node(["x"]), "TypeError"),
        (node("sklearn.pipeline.Pipeline", {"steps": [], "memory": "x"}), r"attributes \['memory'"),
        (
            node("sklearn.pipeline.Pipeline", {"steps": ["ab"]}),
            "steps of Pipeline is .*, and not: parts",
        ),
        (
            node("sklearn_ser.feature_extraction.SpeakerEmbedding", {"store": "x"}),
            r"SpeakerEmbedding has no attributes \['store'\]",
        ),
        (
            node("sklearn_ser.feature_extraction.OpenSmileExtractor", {"feature_set": "m.conf"}),
            "names a configuration file, and a model file holds no paths",
        ),
        (
            node("sklearn_ser.feature_extraction.PretrainedEmbedding", {"model": "owner/name"}),
            r"PretrainedEmbedding has no attributes \['model'\]",
        ),
        (
            node("sklearn_ser.feature_extraction.LogMelSpectrogram", {"n_fft": 2**40}),
            "n_fft of LogMelSpectrogram is 1099511627776, and not: none \\| int 2 32768",
        ),
        (
            node("sklearn_ser.feature_extraction.SlidingWindows", {"hop": 1e-9}),
            "hop of SlidingWindows is 1e-09, and not: number 1e-4 1e5",
        ),
        (
            node("sklearn_ser.feature_extraction.SlidingWindows", {"extractor": 1}),
            "the extractor of its SlidingWindows is no audio step",
        ),
        (
            node("sklearn_ser.neural_network.MTLNeuralClassifier", {"encoder": {"type": "os.abc"}}),
            r"it names the class 'os\.abc', which is not trusted\. .* trusted=\['os\.abc'\]",
        ),
        (
            node("sklearn_ser.neural_network.MTLNeuralClassifier", {"device": "cuda:0; rm"}),
            "device of MTLNeuralClassifier is 'cuda:0; rm', and not: one-of auto",
        ),
        (
            node("sklearn.preprocessing.Normalizer", requests={"fit": {"X y": True}}),
            "'X y' is not a name of metadata",
        ),
        (node("sklearn.preprocessing.Normalizer", requests={"eval": {}}), "requested for 'eval'"),
        (
            node("sklearn.preprocessing.Normalizer", output={"x": {"transform": "pandas"}}),
            "none of scikit-lea",
        ),
        ({"array": "nowhere"}, "there is no array 'nowhere', or it is used twice"),
        ({"array": ["nowhere"]}, "there is no array"),
        ({"a": 1, "b": 2}, "stand where a value with one tag does"),
        ({"unknown": 1}, "there is no tag 'unknown'"),
        ({"float": "x"}, "KeyError"),
        ({"tuple": {}}, "a dict stands where a list does"),
        ({"pairs": [[[], 1]]}, "a list stands where the key of a dict does"),
        ({"pairs": [[{"tuple": [1, 2]}, 1]]}, "a tuple stands where the key of a dict does"),
        ({"strings": ["|O", [1]]}, "an array of strings in it holds other values"),
        ({"strings": ["<U9", ["a" * 10]]}, "a string in it is longer than 9 characters"),
        ({"strings": ["<U9999999", ["a"] * 9]}, "an array of strings in it is of '<U9999999'"),
        ({"strings": ["|V8", ["a"]]}, r"an array of strings in it is of '\|V8'"),
        ({"scalar": ["<U1", 1]}, "it holds the dtype <U1"),
        ({"scalar": ["<f8", []]}, "a number in it is none"),
        ({"dtype": "O"}, "it holds the dtype object"),
        (2**64, "an integer in it has more than 64 bits"),
        ("\ud800", "UnicodeEncodeError"),
    ],
    ids=lambda part: repr(part)[:60],
)
def test_trees(path, tree, text):
    write(path, facts_of(tree), {})
    check_load_error(path, f"{UNREADABLE}.*{text}")


def test_nested_objects_are_limited(path):
    tree = node("sklearn.preprocessing.Normalizer")
    for _ in range(40):
        tree = nested(tree)
    write(path, facts_of(tree), {})
    check_load_error(path, "too many objects within one another: computing their tags takes more")


@pytest.mark.parametrize(("depth", "n_parts"), [(8, 20), (9, 1), (12, 1), (8, 4)])
def test_tags_are_computed_a_limited_number_of_times(path, monkeypatch, depth, n_parts):
    """Scikit-learn computes those of a step three times, in each Pipeline around it."""
    parts = []
    for index in range(n_parts):
        tree = node("sklearn.preprocessing.Normalizer")
        for _ in range(depth):
            tree = nested(tree)
        parts.append({"tuple": [str(index), tree]})
    write(path, facts_of(node("sklearn.pipeline.FeatureUnion", {"transformer_list": parts})), {})
    calls, computed = [], BaseEstimator.__sklearn_tags__

    def counted(self):
        calls.append(1)
        return computed(self)

    monkeypatch.setattr(BaseEstimator, "__sklearn_tags__", counted)
    with contextlib.suppress(ModelFileError):
        load_model(path)
    assert len(calls) < 100_000


def test_objects_are_limited(path):
    write(path, facts_of([node("sklearn.preprocessing.Normalizer", requests={})] * 2001), {})
    check_load_error(path, "it holds more than 2000 objects")


def test_widths_of_strings_are_limited_in_total(path):
    text = {"strings": ["<U1024", ["a"] * 64]}
    write(path, facts_of([text] * 65), {})
    check_load_error(path, "an array of strings in it is of '<U1024'")
    write(path, facts_of([text] * 64), {})
    check_load_error(path, "what it holds must be a fitted estimator")
    write(path, facts_of({"strings": ["<U1025", []]}), {})
    check_load_error(path, "an array of strings in it is of '<U1025'")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"dict":' * 50_000])
def test_deep_texts(path, text):
    content = json.dumps({"__metadata__": {"sklearn_ser": text}}).encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content)
    check_load_error(path, DAMAGED)


def test_an_array_is_used_once(path):
    facts, arrays = parts_of(LinearSVC().fit(X, y), path)
    facts["model"]["object"]["params"]["class_weight"] = {"array": "model.coef_"}
    write(path, facts, arrays)
    check_load_error(path, "there is no array 'model.coef_', or it is used twice")


def changed_arrays(model, path, **changes):
    """Write a model with other fitted attributes."""
    facts, arrays = parts_of(model, path)
    tree = facts["model"]["object"]["fitted"]
    for name, value in changes.items():
        if isinstance(value, np.ndarray):
            arrays[f"model.{name}"] = value
        else:
            tree[name] = value
    write(path, facts, arrays)


BOUNDS = {"a": 0, "b": 1}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"_dual_coef_": np.zeros((2, 0))},
            r"_dual_coef_ of SVC is float64 of shape \(2, 0\), and not: c-doubles k-1 v",
        ),
        ({"_intercept_": np.zeros(0)}, "_intercept_ of SVC"),
        ({"_intercept_": np.zeros(2)}, "_intercept_ of SVC"),
        ({"_n_support": np.array([9, 9, 9], np.int32)}, "support vectors of its SVC are not those"),
        ({"_n_support": np.array([-1, 9, 9], np.int32)}, "_n_support of SVC"),
        ({"_n_support": np.array([2**31 - 1, 2, -(2**31)], np.int32)}, "_n_support of SVC"),
        ({"_n_support": np.zeros(2, np.int32)}, "_n_support of SVC"),
        ({"_n_support": np.zeros(3)}, "_n_support of SVC"),
        ({"support_": np.zeros(1, np.int32)}, "support_ of SVC"),
        ({"support_vectors_": np.zeros((1, 4))}, "support_ of SVC"),
        ({"support_vectors_": np.zeros((60, 9))}, "support_vectors_ of SVC"),
        ({"_probA": np.zeros(1)}, "_probA of SVC"),
        ({"_probA": np.zeros(3)}, "the arrays of its SVC do not agree"),
        ({"_sparse": True}, "_sparse of SVC is True, and not: false"),
        ({"n_features_in_": 9}, "support_vectors_ of SVC"),
        ({"classes_": {"strings": ["<U1", ["a", "b"]]}}, "of SVC is .*, and not: "),
        (
            {"classes_": {"strings": ["<U1", ["a", "b", "b"]]}},
            "classes_ of SVC is .*, and not: classes k",
        ),
        ({"_gamma": {"float": "nan"}}, r"_gamma of SVC is nan, and not: number\+"),
        ({"shape_fit_": {"tuple": [150]}}, r"shape_fit_ of SVC is \(150,\), and not: tuple 2"),
        ({"shape_fit_": {"tuple": [150, 5]}}, "the arrays of its SVC do not agree"),
    ],
    ids=lambda part: repr(part)[:60],
)
def test_arrays_of_an_svm_agree(path, changes, text):
    changed_arrays(SVC().fit(X, NAMES), path, **changes)
    check_load_error(path, text)


@pytest.mark.parametrize(
    ("model", "changes", "text"),
    [
        (
            "linear svm",
            {"coef_": np.zeros((2, 4))},
            r"coef_ of LinearSVC is float64 of shape \(4, 2\), and not: floats rows n",
        ),
        ("linear svm", {"coef_": np.full((4, 3), np.nan)}, "coef_ of LinearSVC is float64"),
        ("linear svm", {"coef_": {"dict": {}}}, "coef_ of LinearSVC"),
        ("linear svm", {"intercept_": np.zeros(4)}, "intercept_ of LinearSVC"),
        ("standard", {"mean_": np.zeros(3)}, "mean_ of StandardScaler"),
        ("standard", {"scale_": np.array([1, 2, 3, np.inf])}, "scale_ of StandardScaler"),
        ("standard of a table", {"feature_names_in_": {"strings": ["|O", ["a"]]}}, "feature_names"),
        ("pca", {"components_": np.zeros((3, 3))}, "components_ of PCA"),
        ("elm", {"hidden_bias_": np.zeros(3)}, "hidden_bias_ of ELMClassifier"),
        ("frame scaler", {"frame_features_": ["a"]}, "mean_ of FrameScaler"),
        ("functionals", {"hop_length_": 0.0}, "hop_length_ of FunctionalsPooling"),
        ("group scaler", {"group_sizes_": np.zeros(2, np.int64)}, "group_sizes_ of GroupScaler"),
        ("group scaler", {"group_keys_": []}, "group_.*s_ of GroupScaler"),
        ("skipped frames", {"_shape_of_frames": [2**30, 4]}, "_shape_of_frames of SkipFailedRows"),
        ("voting", {"estimators_": []}, "its fitted parts are not those"),
        ("stacking", {"stack_method_": ["fit", "fit"]}, "stack_method_ of StackingClassifier"),
        ("network", {"_seed": -1}, "_seed of MTLNeuralClassifier"),
        ("network", {"_weights": []}, "_temperatures of MTLNeuralClassifier|not a list"),
        ("network", {"_best_epochs": [9]}, "the state of the neural network is damaged"),
    ],
    ids=lambda part: repr(part)[:60],
)
def test_arrays_agree(path, model, changes, text):
    changed_arrays(fitted(model), path, **changes)
    check_load_error(path, text)


def test_parts_of_a_vote_predict_positions(path, original):
    facts, arrays = original
    name = next(name for name in arrays if name.endswith("1.classes_"))
    write(path, facts, arrays | {name: np.array([0, 1, 2**60])})
    check_load_error(path, "the classes of its parts are not the positions of classes_")


def test_weights_of_a_network_are_finite(path):
    model = net(tasks=None).fit(X, y)
    weights = bytearray(model._weights[0])
    weights[-4:] = np.float32(np.nan).tobytes()
    model._weights = [bytes(weights)]
    with pytest.raises(ModelFileError, match="the weights of its network are not finite"):
        save_model(model, path)


def test_too_large_headers_and_files(path, monkeypatch):
    size = _container.MAX_HEADER_BYTES + 8
    path.write_bytes(size.to_bytes(8, "little") + bytes(size))
    check_load_error(
        path, r"its header of 8388616 bytes does not fit in .*, or exceeds the limit of"
    )
    monkeypatch.setattr(_container, "MAX_FILE_BYTES", 100)
    check_load_error(path, "it has 8388624 bytes, and a model file has at most 100")
    with pytest.raises(ModelFileError, match="a model file has at most 100"):
        save_model(LinearSVC().fit(X, y), path)


@pytest.mark.parametrize("part", ["[],", "{},", "1,", '"",', '{"a":1},'])
def test_texts_that_are_large_in_objects(path, part):
    """The values are counted in both texts, of which the inner one may hide its commas."""
    facts = json.dumps(facts_of(None, info={}))[:-1] + ', "x": [' + part * 400_000 + "0]}"
    for hidden in (facts, facts.replace(",", "\\u002c").replace("[", "\\u005b")):
        inner = '"' + hidden.replace('"', '\\"') + '"'
        content = ('{"__metadata__": {"sklearn_ser": ' + inner + "}}").encode()
        path.write_bytes(len(content).to_bytes(8, "little") + content)
        for read in (load_model, load_model_info):
            with pytest.raises(
                ModelFileError, match=r"it holds \d+ values apart from|its header of"
            ):
                read(path)


@pytest.mark.parametrize(
    "name", ["functionals", "group scaler", "network", "random search", "svm", "voting"]
)
def test_values_that_are_no_plain_ones_are_named_by_their_type(path, monkeypatch, name):
    """The repr of Pipelines in Pipelines takes time that doubles with each of them."""
    facts, arrays = parts_of(fitted(name), path)
    estimator = nested(node("sklearn.preprocessing.Normalizer"))

    def fail(self):
        pytest.fail(f"the repr of a {type(self).__name__} of a file was computed")

    monkeypatch.setattr(BaseEstimator, "__repr__", fail)
    for index in range(len(list(places(facts["model"])))):
        changed = copy.deepcopy(facts)
        container, key = list(places(changed["model"]))[index]
        container[key] = estimator
        write(path, changed, arrays)
        with contextlib.suppress(ModelFileError):
            load_model(path)
    scaler = node(GROUP_SCALER, {"by": {"dict": {"a": [estimator, True, 0.5, None, "b"]}}})
    write(path, facts_of(scaler), {})
    check_load_error(path, r"Got \{'a': \[<Pipeline>, True, 0\.5, None, 'b'\]\} instead")


def peak_of_loading(path):
    """Return the peak of the memory that Python allocates to load a file."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ModelFileError):
            load_model(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_bytes_where_something_else_belongs(path):
    size = 20 * 2**20
    for params in ({"by": {"bytes": "a"}}, {"shrinkage": [{"bytes": "a"}]}):
        write(path, facts_of(node(GROUP_SCALER, params)), {"a": np.ones(size, np.uint8)})
        assert peak_of_loading(path) < 2 * size + 2**20
        check_load_error(path, "must be .* Got .*<bytes>.* instead")


def test_memory_of_a_network(path):
    """A mask of its finite weights would take a quarter of their memory."""
    save_model(net(tasks=None, hidden_units=(1500, 1500), max_epochs=1).fit(X, y), path)
    assert peak_of_loading(path) < 2.1 * path.stat().st_size


def test_fuzz(path):
    """Whatever is wrong: an estimator that can be used without a crash, or a ModelFileError."""
    names = [name for name in MODELS if "augmented" not in name]
    counts = fuzz(500, path, names=names)
    assert sum(counts.values()) == 500
    assert counts["rejected"] > 350


MEMORY = """
import pathlib, resource, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.persistence import load_model
from tests.persistence import crafting

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

{body}
"""


def run_measured(body, tmp_path):
    command = [sys.executable, "-c", MEMORY.format(body=body), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="peaks of memory")
def test_memory_stays_within_twice_the_size(tmp_path):
    """The peak grows by at most twice the size of a file, and 64 MiB."""
    body = """
path = pathlib.Path(sys.argv[1]) / "m.ser"
tree = {"dict": {f"k{i}": {"strings": ["<U1024", ["a"]]} for i in range(12_000)}}
texts = [crafting.facts_of(tree), crafting.facts_of(["\\U0001f600" + "a" * 10**6] * 7)]
objects = [crafting.node("sklearn.preprocessing.Normalizer", requests={})] * 2000
texts += [crafting.facts_of(objects)]
texts += [crafting.facts_of([{} for _ in range(140_000)]), crafting.facts_of([[]] * 140_000)]
for facts in texts:
    crafting.write(path, facts, {})
    before = peak()
    try:
        load_model(path)
    except ModelFileError:
        pass
    print("text", path.stat().st_size, peak() - before)
"""
    for line in run_measured(body, tmp_path).splitlines():
        _, size, growth = line.split()
        assert int(growth) <= 2 * int(size) + 64 * 2**20, line
    body = """
from sklearn.svm import LinearSVC
path = pathlib.Path(sys.argv[1]) / "m.ser"
facts, arrays = crafting.parts_of(LinearSVC().fit(np.eye(4), [0, 1, 0, 1]), path)
wide = np.zeros((1, 2**25))
facts["model"]["object"]["fitted"]["n_features_in_"] = 2**25
crafting.write(path, facts, arrays | {"model.coef_": wide})
del wide
command = "import resource; "
import subprocess
code = '''
import resource, sys
from sklearn_ser.persistence import load_model
from sklearn.svm import LinearSVC
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_model(sys.argv[1])
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
'''
done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
print(path.stat().st_size, done.stdout, done.stderr[-1000:])
"""
    size, growth = run_measured(body, tmp_path).split()
    assert int(growth) <= 2 * int(size) + 64 * 2**20


@pytest.mark.slow
def test_much_fuzz_in_a_process_of_its_own(tmp_path):
    """No crash in 5,000 files, and little memory for all of them."""
    body = """
crafting.fuzz(100, pathlib.Path(sys.argv[1]) / "m.ser", seed=1)
before = peak()
print(crafting.fuzz(5000, pathlib.Path(sys.argv[1]) / "m.ser", seed=2))
print(peak() - before)
"""
    counts, growth = run_measured(body, tmp_path).splitlines()
    assert sum(eval(counts).values()) == 5000
    assert int(growth) < 200 * 2**20
