"""Cache keys of finished folds: equal for equal content, different for different content."""

import copy
import functools
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn import clone, config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklearn_ser import MTLNeuralClassifier, OpenSmileExtractor
from sklearn_ser.evaluation._evaluation_data import table_digest
from sklearn_ser.evaluation._run_fold import estimator_key
from sklearn_ser.store._keys import NoStableContent


class OwnSVC(LinearSVC):
    """A class of a module that belongs to no package with a version."""


def own_function(X):
    return X


@pytest.mark.parametrize(
    "estimator",
    [
        OwnSVC(),
        make_pipeline(StandardScaler(), OwnSVC()),
        FunctionTransformer(own_function),
        FunctionTransformer(lambda X: X),
        FunctionTransformer(functools.partial(own_function)),
        GridSearchCV(LinearSVC(), {"C": [1.0]}, scoring=make_scorer(own_function)),
        GridSearchCV(make_pipeline(LinearSVC()), {"linearsvc": [OwnSVC()]}),
    ],
)
def test_code_without_a_version_has_no_key(estimator):
    with pytest.raises(NoStableContent, match=r"OwnSVC|own_function|<lambda>"):
        estimator_key(estimator)


def test_a_declared_revision_is_part_of_the_key():
    keys = set()
    for revision in (1, 2, 2):
        own = type("OwnSVC", (LinearSVC,), {"cache_revision": revision})
        keys.add(estimator_key(make_pipeline(own())))
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LinearSVC(C=1.0), LinearSVC(C=2.0)),
        (SelectKBest(f_classif), SelectKBest(mutual_info_classif)),
        (
            FunctionTransformer(functools.partial(np.clip, a_min=0)),
            FunctionTransformer(functools.partial(np.clip, a_min=1)),
        ),
        (GridSearchCV(SVC(), {}, cv=KFold(2)), GridSearchCV(SVC(), {}, cv=KFold(3))),
        (
            RandomizedSearchCV(SVC(), {"C": loguniform(0.1, 1.0)}),
            RandomizedSearchCV(SVC(), {"C": loguniform(0.1, 2.0)}),
        ),
    ],
)
def test_content_is_part_of_the_key(one, other):
    assert estimator_key(one) == estimator_key(clone(one))
    assert estimator_key(one) != estimator_key(other)


def learned(estimator, seed=0):
    """A fitted estimator."""
    rng = np.random.default_rng(seed)
    return copy.deepcopy(estimator).fit(rng.normal(size=(40, 4)), np.arange(40) % 2)


def frozen(estimator):
    return make_pipeline(FrozenEstimator(estimator), LinearSVC())


class Kept(LinearSVC):
    """A class whose clones keep what it has learned."""

    cache_revision = 1

    def __sklearn_clone__(self):
        return self


PRETRAINED = {
    "frozen": (PCA(2), frozen),
    "frozen in a search": (PCA(2), lambda part: GridSearchCV(frozen(part), {})),
    "frozen pipeline": (make_pipeline(StandardScaler(), PCA(2)), frozen),
    "candidate of a search": (
        PCA(2),
        lambda part: GridSearchCV(frozen(PCA()), {"pca": [FrozenEstimator(part)]}),
    ),
    "classifier": (
        SVC(),
        lambda part: CalibratedClassifierCV(FrozenEstimator(part)),
    ),
    "network": (MTLNeuralClassifier(tasks=None, max_epochs=1, random_state=0), FrozenEstimator),
    "forest": (RandomForestClassifier(3, random_state=0), FrozenEstimator),
    "boosting": (HistGradientBoostingClassifier(max_iter=2, random_state=0), FrozenEstimator),
    "search": (GridSearchCV(LinearSVC(), {"C": [1.0, 2.0]}), FrozenEstimator),
    "method": (PCA(2), lambda part: make_pipeline(FunctionTransformer(part.transform))),
    "method of a partial": (
        PCA(2),
        lambda part: FunctionTransformer(functools.partial(part.transform)),
    ),
    "class that keeps its state": (Kept(), make_pipeline),
}


@pytest.mark.parametrize("name", PRETRAINED)
def test_what_a_pretrained_part_has_learned_is_part_of_the_key(name):
    estimator, make = PRETRAINED[name]
    one, other = learned(estimator), learned(estimator, seed=1)
    assert estimator_key(make(one)) != estimator_key(make(other))
    assert estimator_key(make(one)) == estimator_key(clone(make(one)))
    # The layout of arrays in memory changes when a model is read from a file.
    assert estimator_key(make(one)) == estimator_key(make(pickle.loads(pickle.dumps(one))))


def test_what_cloning_forgets_is_not_part_of_the_key():
    assert estimator_key(make_pipeline(learned(PCA()))) == estimator_key(make_pipeline(PCA()))


def test_container_of_the_output_is_part_of_the_key():
    """It decides whether the next step finds the ids."""
    scaler = StandardScaler().set_output(transform="pandas")
    assert estimator_key(make_pipeline(scaler)) != estimator_key(make_pipeline(StandardScaler()))


def test_a_part_that_cannot_be_pickled_has_no_key():
    part = learned(PCA())
    part.lock = threading.Lock()
    text = r"an object of type lock cannot be pickled \(cannot pickle '_thread.lock' object\)"
    with pytest.raises(NoStableContent, match=text):
        estimator_key(frozen(part))


def test_number_of_processes_is_not_part_of_the_key():
    parallel = make_pipeline(OpenSmileExtractor(n_jobs=2, verbose=1), LinearSVC(verbose=1))
    assert estimator_key(parallel) == estimator_key(
        make_pipeline(OpenSmileExtractor(), LinearSVC())
    )


def test_metadata_request_of_fit_is_part_of_the_key():
    """It is no parameter, but the network is then trained without its auxiliary targets."""
    net = MTLNeuralClassifier(random_state=0)
    before = estimator_key(net)
    with config_context(enable_metadata_routing=True):
        net.set_fit_request(aux=False)
    assert estimator_key(net) != before


def test_keys_are_the_same_in_all_processes():
    """The order of sets depends on hashes of strings, the state of numpy's generator on nothing."""
    program = """
    from scipy.stats import loguniform
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.preprocessing import FunctionTransformer
    from sklearn_ser.evaluation._run_fold import estimator_key
    given = {"y": frozenset("abcdef"), "z": {"a", "b"}}
    print(estimator_key(FunctionTransformer(kw_args=given)))
    print(estimator_key(RandomizedSearchCV(FunctionTransformer(), {"a": loguniform(0.1, 1)})))
    """
    found = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    different = (FunctionTransformer(kw_args={"y": {name}}) for name in "ab")
    assert len(set(map(estimator_key, different))) == 2


def changed(table, row, column, value):
    table = table.copy()
    table.iloc[row, column] = value
    return table


NUMBERS = pd.DataFrame(np.arange(12, dtype=np.float32).reshape(4, 3), columns=["a", "b", "c"])
NAMES = pd.DataFrame({"speaker": ["x", "y", "x", None], "code": ["1", "2", "3", "4"]}, dtype=object)
FRAMES = pd.DataFrame({"frames": [np.zeros((2, 3)), np.ones((4, 3))]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NUMBERS, changed(NUMBERS, 3, 2, np.nextafter(np.float32(11), np.float32(12)))),
        (NUMBERS, NUMBERS.iloc[::-1]),
        (NUMBERS, NUMBERS.iloc[:3]),
        (NUMBERS, NUMBERS.rename(columns={"c": "d"})),
        (NUMBERS, NUMBERS.astype(np.float64)),
        (NUMBERS.astype({"a": np.int64}), changed(NUMBERS.astype({"a": np.int64}), 0, 0, 5)),
        (NAMES, changed(NAMES, 0, 0, "y")),
        (NAMES, changed(NAMES, 3, 0, "x")),
        (NAMES, changed(NAMES, 0, 1, 1)),
        (NAMES, NAMES.iloc[[1, 0, 2, 3]]),
        (FRAMES, FRAMES.iloc[::-1]),
        (FRAMES, FRAMES.map(lambda frames: frames + 1)),
    ],
)
def test_digest_of_a_table_covers_its_content(one, other):
    assert table_digest(one) != table_digest(other)


@pytest.mark.parametrize("table", [NUMBERS, NUMBERS.astype({"a": np.int64}), NAMES, FRAMES])
def test_digest_of_a_table_does_not_depend_on_its_layout(table):
    in_parts = pd.concat([table[[name]] for name in table], axis=1).set_index(
        [np.arange(len(table))]
    )
    assert table_digest(in_parts) == table_digest(table.map(np.copy) if table is FRAMES else table)
    numbers = NUMBERS.to_numpy()
    transposed = pd.DataFrame(np.asfortranarray(numbers), columns=NUMBERS.columns)
    assert table_digest(transposed) == table_digest(NUMBERS)
