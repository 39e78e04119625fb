"""Cache keys of finished folds: equal for equal content, different for different content."""

import functools
import subprocess
import sys
import textwrap

import pytest
from sklearn import config_context
from sklearn.preprocessing import FunctionTransformer

from sklearn_ser import MTLNeuralClassifier
from sklearn_ser.evaluation._fold_cache import estimator_key


def function(source, name="f"):
    """Define a function as a module with this source would."""
    module = {"__name__": "a_module"}
    exec(textwrap.dedent(source), module)
    return module[name]


def key(func, **parameters):
    return estimator_key(FunctionTransformer(func, **parameters))


CHANGES = {
    "code": ("def f(x): return x", "def f(x): return 2 * x"),
    "default": ("def f(x, by=2): return x", "def f(x, by=3): return x"),
    "default by name": ("def f(x, *, by=2): return x", "def f(x, *, by=3): return x"),
    "constant of the module": ("A = 2\ndef f(x): return x * A", "A = 3\ndef f(x): return x * A"),
    "function of the module": (
        "def g(x): return x\ndef f(x): return g(x)",
        "def g(x): return -x\ndef f(x): return g(x)",
    ),
    "enclosed": (
        "def make(a): return lambda x: a * x\nf = make(2)",
        "def make(a): return lambda x: a * x\nf = make(3)",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_function_has_another_key(change):
    before, after = (function(source) for source in CHANGES[change])
    assert key(before) == key(function(CHANGES[change][0]))
    assert key(before) != key(after)
    assert key(functools.partial(before)) != key(functools.partial(after))


def test_arguments_of_a_partial_are_part_of_the_key():
    f = function("def f(x, by=2): return x * by")
    assert key(functools.partial(f, by=2)) != key(functools.partial(f, by=3))


def test_metadata_request_of_fit_is_part_of_the_key():
    """It is no parameter, but the network is then trained without its auxiliary targets."""
    net = MTLNeuralClassifier(random_state=0)
    before = estimator_key(net)
    with config_context(enable_metadata_routing=True):
        net.set_fit_request(aux=False)
    assert estimator_key(net) != before


def test_sets_have_one_key_in_all_processes():
    """Their order depends on hashes of strings, which differ between processes."""
    program = """
    from sklearn.preprocessing import FunctionTransformer
    from sklearn_ser.evaluation._fold_cache import estimator_key
    def f(x): return x in {"anger", "joy", "sadness", "boredom", "neutral"}
    given = {"y": frozenset("abcdef"), "z": {"a", "b"}}
    print(estimator_key(FunctionTransformer(f, kw_args=given)))
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
    assert key(None, kw_args={"y": {"a"}}) != key(None, kw_args={"y": {"b"}})
