"""Cache keys of finished folds: equal for equal content, different for different content."""

import functools
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn import clone, config_context
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklearn_ser import MTLNeuralClassifier, OpenSmileExtractor
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
