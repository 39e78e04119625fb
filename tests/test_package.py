"""The package as a whole: public names, their modules, imports and the command line."""

import ast
import importlib
import importlib.util
import inspect
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

import sklearn_ser
from sklearn_ser.augmentation import AudioAugmenter, FrameAugmenter, MixingAugmenter, Mixup
from sklearn_ser.feature_extraction import (
    MFCC,
    LogMelSpectrogram,
    OpenSmileExtractor,
    SpeakerEmbedding,
)
from sklearn_ser.store import _keys

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "sklearn_ser"
#: A module path with a private part, as text or bytes.
PRIVATE = r"sklearn_ser(\.\w+)*\._\w+"


def names_in(stub):
    """Public names that a stub re-exports, and whether each is a module."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return [
        (alias.asname, node.module is None)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


def package_of(stub):
    return ".".join(stub.parent.relative_to(PROJECT).parts)


STUBS = {package_of(stub): names_in(stub) for stub in sorted(PACKAGE.rglob("__init__.pyi"))}
PUBLIC = sorted(
    {
        (package, name)
        for package, names in STUBS.items()
        for name, is_module in names
        if not is_module
    }
)


def public_object(package, name):
    return getattr(importlib.import_module(package), name)


def is_abstract(cls):
    return inspect.isabstract(cls) or cls in (AudioAugmenter, FrameAugmenter, MixingAugmenter)


ESTIMATORS = [
    public_object(package, name)
    for package, name in PUBLIC
    if package != "sklearn_ser"
    and inspect.isclass(cls := public_object(package, name))
    and issubclass(cls, BaseEstimator)
    and not is_abstract(cls)
]


def made(cls):
    """An instance of a public estimator with the cheapest arguments."""
    required = {
        "AudiomentationsAugmenter": lambda: cls(None),
        "AugmentingClassifier": lambda: cls(LogisticRegression(), [Mixup()]),
        "HighLevelFeatures": lambda: cls(sklearn_ser.MTLNeuralClassifier()),
        "PretrainedEmbedding": lambda: cls("facebook/wav2vec2-base"),
        "SkipFailedRows": lambda: cls(LogisticRegression()),
        "SlidingWindows": lambda: cls(MFCC()),
    }
    return required.get(cls.__name__, cls)()


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", STUBS)
def test_all_equals_the_stub(package):
    names = [name for name, _ in STUBS[package]]
    assert sorted(importlib.import_module(package).__all__) == sorted(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_public_names_load_and_carry_their_public_module(package, name):
    found = public_object(package, name)
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return
    module = found.__module__
    assert not re.search(PRIVATE, module)
    assert getattr(importlib.import_module(module), name) is found
    if package != "sklearn_ser":
        assert module == package


@pytest.mark.parametrize("name", sklearn_ser.__all__)
def test_names_at_the_top_level_load(name):
    assert getattr(sklearn_ser, name) is not None


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'sklearn_ser' has no attribute 'nonsense'"):
        _ = sklearn_ser.nonsense


def public_callables():
    """Public functions, constructors and methods, with their names; each once."""
    found = {}
    for package, name in PUBLIC:
        value = public_object(package, name)
        if inspect.isfunction(value):
            found[name] = inspect.unwrap(value)
        elif inspect.isclass(value):
            for attribute, method in inspect.getmembers(value):
                method = getattr(method, "fget", method)  # of a property
                method = inspect.unwrap(getattr(method, "__func__", method))
                is_ours = str(getattr(method, "__module__", "")).startswith("sklearn_ser")
                is_public = attribute == "__init__" or not attribute.startswith("_")
                if inspect.isfunction(method) and is_ours and is_public:
                    found[f"{name}.{attribute}"] = method
    return found


def test_public_signatures_have_types():
    bare = []
    callables = public_callables()
    assert {"GroupScaler.fit", "Gain.__init__", "MFCC.transform", "uar_score"} <= set(callables)
    for name, function in callables.items():
        signature = inspect.signature(function, follow_wrapped=False)
        types = {
            each.name: "named"
            if each.kind == each.VAR_KEYWORD and each.annotation == "Any"
            else each.annotation
            for each in signature.parameters.values()
            if each.name not in ("self", "cls")
        }
        if not name.endswith("__init__"):
            types["return"] = signature.return_annotation
        bare += [
            f"{name}: {each}" for each, type_ in types.items() if type_ in (inspect._empty, "Any")
        ]
    assert bare == []


# Module paths in files ----------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_no_private_module_path_in_pickles_and_reprs(cls):
    estimator = made(cls)
    assert not re.search(PRIVATE.encode(), pickle.dumps(estimator))
    assert not re.search(PRIVATE, repr(estimator))
    assert not re.search(PRIVATE, repr(cls))


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    net = sklearn_ser.MTLNeuralClassifier(hidden_units=(4,), max_epochs=1, random_state=0)
    model = make_pipeline(sklearn_ser.GroupScaler(), sklearn_ser.SkipFailedRows(net))
    search = GridSearchCV(model, {}, scoring=sklearn_ser.uar_scorer, cv=StratifiedKFold(2))
    return search.fit(X, y)


def test_no_private_module_path_in_a_fitted_search(fitted):
    assert not re.search(PRIVATE.encode(), pickle.dumps(fitted))


def test_no_private_module_path_in_a_model_file(fitted, tmp_path):
    sklearn_ser.save_model(fitted, tmp_path / "model.ser")
    text = safe_open(tmp_path / "model.ser", "numpy").metadata()["sklearn_ser"]
    names = set(re.findall(r'"class": "([^"]+)"', text))
    assert "sklearn_ser.neural_network.MTLNeuralClassifier" in names
    assert not re.search(PRIVATE, text)


@pytest.mark.parametrize("cls", [MFCC, LogMelSpectrogram, OpenSmileExtractor, SpeakerEmbedding])
def test_no_private_module_path_in_store_keys(cls):
    assert not re.search(PRIVATE.encode(), _keys.encoded(cls()))


def test_a_pickle_of_an_earlier_state_loads():
    content = (PROJECT / "tests" / "data" / "estimators.pickle").read_bytes()
    with warnings.catch_warnings():
        # The pickle holds estimators of the version of scikit-learn that it was made with.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        estimators = pickle.loads(content)
    assert len(estimators) == 16
    for name, (estimator, X, expected) in estimators.items():
        assert type(estimator).__name__ == name
        assert not re.search(PRIVATE, type(estimator).__module__)
        if X is not None:
            method = "predict" if hasattr(estimator, "predict") else "transform"
            found = getattr(estimator, method)(X)
            if "frames" in getattr(found, "columns", ()):
                found = np.concatenate(list(found["frames"]))
            np.testing.assert_array_equal(np.asarray(found), expected)


# Imports ------------------------------------------------------------------------------------------


def test_import_is_light():
    code = (
        "import sys, sklearn_ser; "
        "print([m for m in ('torch', 'opensmile', 'sklearn', 'transformers') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


BROKEN_DEPENDENCY = """
import importlib.abc, sys

class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "skorch":
            raise AttributeError("module 'numpy' has no attribute 'float_'")

sys.meta_path.insert(0, Broken())
from sklearn_ser import MTLNeuralClassifier
"""


def test_a_broken_dependency_is_named():
    run = subprocess.run([sys.executable, "-c", BROKEN_DEPENDENCY], capture_output=True, text=True)
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "module 'numpy' has no attribute 'float_'" in last
    assert "sklearn_ser.show_versions()" in last


@pytest.fixture(scope="module")
def structure():
    spec = importlib.util.spec_from_file_location("structure", PROJECT / "tools" / "structure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_folders_import_one_way(structure):
    assert structure.backward_imports(structure.read_modules(PROJECT)) == []


def test_modules_import_without_cycles(structure):
    trees = structure.read_modules(PROJECT)
    graph = {
        module: structure.imports_of(tree, trees, top_level_only=True)
        for module, tree in trees.items()
    }
    assert structure.cycles(graph) == []


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "tools"])
def test_no_script_hides_a_module_of_python(folder):
    """A script's folder comes first on the path of the scripts beside it."""
    scripts = list((PROJECT / folder).glob("*.py"))
    assert scripts
    assert not {path.stem for path in scripts} & set(sys.stdlib_module_names)


# Commands -----------------------------------------------------------------------------------------


def test_show_versions(capsys):
    sklearn_ser.show_versions()
    printed = capsys.readouterr().out
    for name in ("System:", "python: 3.", "Python dependencies:", "scikit-learn: 1.", "Devices:"):
        assert name in printed


@pytest.mark.parametrize("module", ["sklearn_ser", "sklearn_ser.cli"])
def test_python_m(module):
    command = [sys.executable, "-m", module, "--version"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == sklearn_ser.__version__
